//! Types of elements, and values of attributes.

use std::collections::BTreeMap;

use hdf5_pure::{AttrValue, Datatype, DatatypeByteOrder, StringPadding};

use crate::number::Number;

/// The type of one element of a dataset.
#[derive(Debug, Clone, PartialEq)]
pub enum Element {
    /// A number, or a truth value.
    Number(Number),
    /// A string of fixed size.
    FixedText {
        /// Bytes of the string with its padding.
        size: usize,
        /// Whether it is padded with blanks; otherwise its first NUL ends it.
        blanks: bool,
    },
    /// A reference to a string on the global heap.
    HeapText,
    /// A record (compound type) with its fields.
    Record(Vec<Field>),
    /// Any other type, in the words of `hdf5-pure`.
    Other(String),
}

/// One field of a record.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// Name of the field.
    pub name: String,
    /// Bytes of the record before the field. A corrupt file may place a field outside its record.
    pub offset: usize,
    /// Bytes of the field.
    pub size: usize,
    /// The type of the field.
    pub element: Element,
}

/// The value of an attribute.
#[derive(Debug, Clone, PartialEq)]
pub enum Attribute {
    /// A text, of fixed size or on the heap.
    Text(String),
    /// A list of texts. An empty list of floats is read as one, for pandas writes a list without entries so.
    Texts(Vec<String>),
    /// An integer or a list of integers. Numbers above `i64::MAX` wrap.
    Integers(Vec<i64>),
    /// Any other value, such as a reference or a float.
    Other,
}

/// The type of stored elements, to write elements of the same type elsewhere.
#[derive(Debug, Clone)]
pub struct StoredType(pub(crate) Datatype);

impl StoredType {
    /// The type of an element, as far as it can be read.
    pub fn element(&self) -> Element {
        element_of(&self.0)
    }

    /// The type of the field `name`, if this is the type of records that have it.
    pub fn field(&self, name: &str) -> Option<Self> {
        let Datatype::Compound { members, .. } = &self.0 else { return None };
        members.iter().find(|member| member.name == name).map(|of| Self(of.datatype.clone()))
    }

    /// For an array type: the type of one entry, and the length along each dimension. For any other type:
    /// itself, and no dimensions.
    pub fn entries(self) -> (Self, Vec<usize>) {
        match self.0 {
            Datatype::Array { base_type, dimensions } => {
                (Self(*base_type), dimensions.into_iter().map(|n| n as usize).collect())
            }
            one => (Self(one), Vec::new()),
        }
    }
}

/// The text of an attribute; a list of one text counts as a text.
pub(crate) fn text(attribute: Option<&Attribute>) -> Option<&str> {
    match attribute {
        Some(Attribute::Text(text)) => Some(text),
        Some(Attribute::Texts(texts)) if texts.len() == 1 => Some(&texts[0]),
        _ => None,
    }
}

/// The attributes of an object, by name.
pub(crate) fn attributes(
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
pub(crate) fn element_of(datatype: &Datatype) -> Element {
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
