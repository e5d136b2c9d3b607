//! Tables of records, as anndata 0.6 wrote them, as groups of columns, which can be added to.

use hdf5_pure::{AttrValue, DatasetBuilder, Datatype, Group};

use crate::error::Result;
use crate::io::h5ad::element::{Element, Field, element_of};
use crate::io::h5ad::frame::{index_field, record_labels};
use crate::io::h5ad::hdf5::{Array, Folder, Node};
use crate::io::h5ad::storage::Storage;
use crate::io::h5ad::text;
use crate::io::h5ad::write::{encoding, mark};

type Crate<T> = std::result::Result<T, hdf5_pure::Error>;

/// A table that was one dataset of records, to be written as a group.
pub(super) struct Records {
    /// `obs` or `var`.
    name: &'static str,
    /// Its name, which becomes that of the index.
    index_name: String,
    index: Vec<String>,
    columns: Vec<(String, Cells)>,
    /// Entries of `uns` with the categories of its columns, which go with them.
    pub(super) used: Vec<String>,
}

enum Cells {
    Plain(Stored),
    Categories { codes: Stored, categories: Stored },
}

/// Values as they are stored, type and all; texts as texts.
enum Stored {
    Raw { datatype: Datatype, bytes: Vec<u8>, n: usize },
    Texts(Vec<String>),
}

impl Records {
    /// The table `name`, if it is one of records.
    ///
    /// # Errors
    /// [`crate::Error::Unreadable`] if it cannot be read, or a field cannot be a column.
    pub(super) fn of(root: &Folder, name: &'static str) -> Result<Option<Self>> {
        let Some(Node::Array(table)) = root.child(name)? else { return Ok(None) };
        let Element::Record(fields) = &table.element else { return Ok(None) };
        let Some(index) = index_field(fields) else { return Ok(None) };
        let uns = root.folder("uns")?;
        let bytes = Storage::new(&table)?.bytes(0..table.shape.first().copied().unwrap_or(0))?;
        let index_name = index.name.clone();
        let index = match stored(&table, index, &bytes)? {
            Stored::Texts(texts) => texts,
            Stored::Raw { .. } => record_labels(&table, index)?,
        };
        if let Some(odd) = fields.iter().find(|of| of.name.contains('/') || of.name.is_empty()) {
            return Err(table.unreadable(format!("`{}` cannot name a column", odd.name)));
        }
        let (mut columns, mut used) = (Vec::new(), Vec::new());
        for field in fields.iter().filter(|field| field.name != index_name) {
            let values = stored(&table, field, &bytes)?;
            let key = format!("{}_categories", field.name);
            let categories = match (&field.element, &uns) {
                (Element::Number(number), Some(uns)) if !number.is_float() => uns.child(&key)?,
                _ => None,
            };
            columns.push((
                field.name.clone(),
                match categories {
                    Some(Node::Array(categories)) => {
                        used.push(format!("uns/{key}"));
                        Cells::Categories { codes: values, categories: whole(&categories)? }
                    }
                    _ => Cells::Plain(values),
                },
            ));
        }
        Ok(Some(Self { name, index_name, index, columns, used }))
    }

    /// Names of the columns.
    pub(super) fn names(&self) -> Vec<String> {
        self.columns.iter().map(|(name, _)| name.clone()).collect()
    }

    /// The path of the table.
    pub(super) fn path(&self) -> String {
        self.name.to_string()
    }

    /// Writes the table as anndata does today.
    pub(super) fn stage(&self, root: &Group) -> Crate<()> {
        let Self { name, index_name, index, columns, used: _ } = self;
        let order = self.names();
        root.create_group_with(name, |group| {
            for (name, value) in encoding("dataframe", "0.2.0") {
                group.set_attr(name, value);
            }
            group.set_attr("_index", AttrValue::VarLenString(index_name.clone()));
            group.set_attr("column-order", listed(order));
        })?;
        root.create_dataset(&format!("{name}/{index_name}"), |dataset| texts(dataset, index))?;
        for (column, cells) in columns {
            let path = format!("{name}/{column}");
            match cells {
                Cells::Plain(values) => {
                    root.create_dataset(&path, |dataset| values.fill(dataset))?;
                }
                Cells::Categories { codes, categories } => {
                    root.create_group_with(&path, |group| {
                        for (name, value) in encoding("categorical", "0.2.0") {
                            group.set_attr(name, value);
                        }
                        group.set_attr("ordered", AttrValue::U8(0));
                    })?;
                    root.create_dataset(&format!("{path}/codes"), |dataset| codes.fill(dataset))?;
                    root.create_dataset(&format!("{path}/categories"), |dataset| {
                        categories.fill(dataset);
                    })?;
                }
            }
        }
        Ok(())
    }
}

/// `obsm` that was one dataset of records, to be written as a group of arrays.
pub(super) struct SlotRecords {
    n: usize,
    arrays: Vec<SlotArray>,
}

struct SlotArray {
    name: String,
    /// Of one number.
    datatype: Datatype,
    /// Lengths of the array of one row.
    shape: Vec<u64>,
    bytes: Vec<u8>,
}

impl SlotRecords {
    /// What is in `table`, if it is of records.
    ///
    /// # Errors
    /// [`crate::Error::Unreadable`] if it cannot be read, or a field is no array of numbers.
    pub(super) fn of(table: &Array) -> Result<Option<Self>> {
        let Element::Record(fields) = &table.element else { return Ok(None) };
        let n = table.shape.first().copied().unwrap_or(0);
        let bytes = Storage::new(table)?.bytes(0..n)?;
        let mut arrays = Vec::new();
        for field in fields {
            let name = field.name.clone();
            let end = field.offset + field.size;
            let (datatype, shape) = match table.field_type(&name)? {
                Some(Datatype::Array { base_type, dimensions }) => {
                    (*base_type, dimensions.into_iter().map(u64::from).collect())
                }
                Some(one) => (one, Vec::new()),
                None => return Err(table.unreadable(format!("`{name}` has no type"))),
            };
            let whole = matches!(element_of(&datatype), Element::Number(_));
            if !whole || name.contains('/') || end > table.element_size {
                return Err(table.unreadable(format!("`{name}` is no array of numbers")));
            }
            let records = bytes.chunks_exact(table.element_size);
            let bytes = records.flat_map(|record| &record[field.offset..end]).copied().collect();
            arrays.push(SlotArray { name, datatype, shape, bytes });
        }
        Ok(Some(Self { n, arrays }))
    }

    /// Writes the group `obsm`.
    pub(super) fn stage(&self, root: &Group) -> Crate<()> {
        root.create_group_with("obsm", |group| {
            for (name, value) in encoding("dict", "0.1.0") {
                group.set_attr(name, value);
            }
        })?;
        for SlotArray { name, datatype, shape, bytes } in &self.arrays {
            let shape: Vec<u64> = [self.n as u64].iter().chain(shape).copied().collect();
            root.create_dataset(&format!("obsm/{name}"), |dataset| {
                let n = shape.iter().product();
                dataset.with_raw_data(datatype.clone(), bytes.clone(), n).with_shape(&shape);
                mark(dataset, "array", "0.2.0");
            })?;
        }
        Ok(())
    }
}

impl Stored {
    fn fill(&self, dataset: &mut DatasetBuilder) {
        match self {
            Self::Texts(values) => texts(dataset, values),
            Self::Raw { datatype, bytes, n } => {
                dataset.with_raw_data(datatype.clone(), bytes.clone(), *n as u64);
                mark(dataset, "array", "0.2.0");
            }
        }
    }
}

/// A list of names as an attribute.
pub(super) fn listed(names: Vec<String>) -> AttrValue {
    if names.is_empty() {
        AttrValue::F64Array(Vec::new())
    } else {
        AttrValue::VarLenStringArray(names)
    }
}

fn texts(dataset: &mut DatasetBuilder, values: &[String]) {
    let values: Vec<&str> = values.iter().map(String::as_str).collect();
    mark(dataset.with_vlen_strings(&values), "string-array", "0.2.0");
}

/// One field of all records.
fn stored(table: &Array, field: &Field, bytes: &[u8]) -> Result<Stored> {
    let stride = table.element_size;
    if let Element::FixedText { .. } | Element::HeapText = field.element {
        return text::decode(table, &field.element, bytes, field.offset, stride).map(Stored::Texts);
    }
    let (Element::Number(_), Some(datatype)) = (&field.element, table.field_type(&field.name)?)
    else {
        return Err(table.unreadable(format!("the field `{}` cannot be a column", field.name)));
    };
    let end = field.offset.checked_add(field.size).filter(|end| *end <= stride);
    let Some(end) = end else {
        return Err(table.unreadable(format!("field `{}` lies outside its record", field.name)));
    };
    let records = bytes.chunks_exact(stride);
    let n = records.len();
    let bytes = records.flat_map(|record| &record[field.offset..end]).copied().collect();
    Ok(Stored::Raw { datatype, bytes, n })
}

/// All of a dataset of one dimension.
fn whole(array: &Array) -> Result<Stored> {
    if !matches!(array.element, Element::Number(_)) {
        return text::strings(array).map(Stored::Texts);
    }
    let n = array.shape.iter().product();
    let bytes = Storage::new(array)?.bytes(0..array.shape.first().copied().unwrap_or(1))?;
    Ok(Stored::Raw { datatype: array.datatype()?, bytes, n })
}
