//! What the elements of a dataset are, and the values of attributes.

use std::collections::BTreeMap;

use hdf5_pure::{AttrValue, Datatype, DatatypeByteOrder, StringPadding};

use crate::io::h5ad::number::Number;

/// What one element of a dataset is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Element {
    Number(Number),
    /// A string of fixed size; padded with blanks, or else ended by NUL.
    FixedText {
        size: usize,
        blanks: bool,
    },
    /// A reference to a string on the global heap.
    HeapText,
    /// A record; name, place and element of each field.
    Record(Vec<Field>),
    /// Anything else, in words.
    Other(String),
}

/// One field of a record.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) offset: usize,
    pub(super) size: usize,
    pub(super) element: Element,
}

/// The value of an attribute, as far as `.h5ad` uses them.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Attribute {
    Text(String),
    Texts(Vec<String>),
    Integers(Vec<i64>),
    /// Anything else, such as a reference.
    Other,
}

/// A text attribute; one text in a list counts.
pub(super) fn text(attribute: Option<&Attribute>) -> Option<&str> {
    match attribute {
        Some(Attribute::Text(text)) => Some(text),
        Some(Attribute::Texts(texts)) if texts.len() == 1 => Some(&texts[0]),
        _ => None,
    }
}

/// All attributes of a node.
pub(super) fn attributes(
    found: impl IntoIterator<Item = (String, AttrValue)>,
) -> BTreeMap<String, Attribute> {
    found.into_iter().map(|(name, value)| (name, attribute(&value))).collect()
}

fn attribute(value: &AttrValue) -> Attribute {
    if let Some(text) = value.as_str() {
        return Attribute::Text(text.to_string());
    }
    if let Some(texts) = value.as_strings() {
        return Attribute::Texts(texts.to_vec());
    }
    match value {
        AttrValue::I8Array(values) => integers(values),
        AttrValue::I16Array(values) => integers(values),
        AttrValue::I32Array(values) => integers(values),
        AttrValue::I64Array(values) => integers(values),
        AttrValue::U8Array(values) => integers(values),
        AttrValue::U16Array(values) => integers(values),
        AttrValue::U32Array(values) => integers(values),
        AttrValue::U64Array(values) => {
            Attribute::Integers(values.iter().map(|&value| value as i64).collect())
        }
        // pandas writes a list without entries as floats.
        AttrValue::F64Array(values) if values.is_empty() => Attribute::Texts(Vec::new()),
        _ => value.as_i64().map_or(Attribute::Other, |value| Attribute::Integers(vec![value])),
    }
}

fn integers<T: Copy + Into<i64>>(values: &[T]) -> Attribute {
    Attribute::Integers(values.iter().map(|&value| value.into()).collect())
}

/// The element that a datatype describes.
pub(super) fn element_of(datatype: &Datatype) -> Element {
    let other = || Element::Other(datatype.to_string());
    match datatype {
        Datatype::FixedPoint { size, byte_order, layout } => {
            let whole = layout.bit_offset == 0 && u32::from(layout.bit_precision) == size * 8;
            Number::integer(*size, layout.signed, is_big(*byte_order))
                .filter(|_| whole)
                .map_or_else(other, Element::Number)
        }
        Datatype::FloatingPoint { size, byte_order, layout } => {
            let ieee = match size {
                2 => (layout.exponent_size, layout.mantissa_size) == (5, 10),
                4 => (layout.exponent_size, layout.mantissa_size) == (8, 23),
                8 => (layout.exponent_size, layout.mantissa_size) == (11, 52),
                _ => false,
            };
            Number::float(*size, is_big(*byte_order))
                .filter(|_| ieee)
                .map_or_else(other, Element::Number)
        }
        Datatype::Enumeration { base_type, members, .. } => match element_of(base_type) {
            Element::Number(number) if members.len() == 2 && number.size() == 1 => {
                let names: Vec<String> =
                    members.iter().map(|member| member.name.to_uppercase()).collect();
                if names == ["FALSE", "TRUE"] {
                    Element::Number(Number::BOOL)
                } else {
                    Element::Number(number)
                }
            }
            element => element,
        },
        Datatype::String { size, padding, .. } => Element::FixedText {
            size: *size as usize,
            blanks: matches!(padding, StringPadding::SpacePad),
        },
        Datatype::VariableLength { is_string: true, .. } => Element::HeapText,
        Datatype::Compound { members, .. } => Element::Record(
            members
                .iter()
                .map(|member| Field {
                    name: member.name.clone(),
                    offset: member.byte_offset as usize,
                    size: member.datatype.type_size() as usize,
                    element: element_of(&member.datatype),
                })
                .collect(),
        ),
        _ => other(),
    }
}

fn is_big(order: DatatypeByteOrder) -> bool {
    matches!(order, DatatypeByteOrder::BigEndian)
}
