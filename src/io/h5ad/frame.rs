//! Annotation tables (`obs`, `var`): their index and columns, in every dialect.
//!
//! Today a group with a dataset or group for each column; until anndata 0.6 one dataset of
//! records, with the categories of a column `c` in `uns/c_categories`. Until 0.7 the categories
//! were in `__categories/c` beside the column.

use std::sync::Arc;

use crate::data::Column;
use crate::error::Result;
use crate::io::h5ad::element::{Attribute, Element, Field};
use crate::io::h5ad::hdf5::{Array, Container, Folder, Node};
use crate::io::h5ad::number::{Number, Value};
use crate::io::h5ad::storage::Storage;
use crate::io::h5ad::text;

const CATEGORIES: &str = "__categories";

/// A table on disk.
pub(super) enum Frame {
    /// One node for each column.
    Group(Folder),
    /// One dataset of records; categories are in `uns`.
    Records { table: Box<Array>, uns: Option<Box<Folder>> },
}

impl Frame {
    /// The table `name` in `parent`, if it is there. `uns` is looked up in `root`.
    pub(super) fn open(root: &Folder, parent: &Folder, name: &str) -> Result<Option<Self>> {
        Ok(match parent.child(name)? {
            Some(Node::Folder(folder)) => Some(Self::Group(folder)),
            Some(Node::Array(table)) if matches!(table.element, Element::Record(_)) => {
                let uns = root.folder("uns")?.map(Box::new);
                Some(Self::Records { table: Box::new(table), uns })
            }
            Some(Node::Array(array)) if array.text_attribute("encoding-type") == Some("null") => {
                None
            }
            Some(Node::Array(array)) => {
                return Err(array.unreadable("is not a table of annotation"));
            }
            None => None,
        })
    }

    fn path(&self) -> &str {
        match self {
            Self::Group(folder) => folder.path(),
            Self::Records { table, .. } => &table.path,
        }
    }

    fn container(&self) -> &Arc<Container> {
        match self {
            Self::Group(folder) => folder.container(),
            Self::Records { table, .. } => &table.container,
        }
    }

    /// Number of rows, from the shape of the index alone.
    pub(super) fn n_rows(&self) -> Result<usize> {
        let length = |array: &Array| array.shape.first().copied().unwrap_or(0);
        match self {
            Self::Records { table, .. } => Ok(length(table)),
            Self::Group(folder) => {
                let name = index_name(folder);
                match folder.child(name)? {
                    Some(Node::Array(array)) => Ok(length(&array)),
                    Some(Node::Folder(inner)) => match inner.child("values")? {
                        Some(Node::Array(array)) => Ok(length(&array)),
                        _ => Ok(length(&inner.array("codes")?)),
                    },
                    None => {
                        let problem = format!("its index `{name}` is missing");
                        Err(folder.container().unreadable(folder.path(), problem))
                    }
                }
            }
        }
    }

    /// The index as text; missing entries are empty.
    pub(super) fn index(&self) -> Result<Vec<String>> {
        let column = match self {
            Self::Records { table, .. } => {
                let Element::Record(fields) = &table.element else { return Ok(Vec::new()) };
                match index_field(fields) {
                    Some(field) => record_column(table, field)?,
                    None => return Err(table.unreadable("has no index")),
                }
            }
            Self::Group(folder) => match group_column(folder, index_name(folder))? {
                Some(column) => column,
                None => return Err(self.container().unreadable(self.path(), "has no index")),
            },
        };
        if let Column::Texts(texts) = column {
            return Ok(texts.into_iter().map(Option::unwrap_or_default).collect());
        }
        Ok((0..column.len()).map(|i| column.label(i).unwrap_or_default()).collect())
    }

    /// Names of the columns without the index, in the order of the table.
    pub(super) fn columns(&self) -> Result<Vec<String>> {
        match self {
            Self::Records { table, .. } => {
                let Element::Record(fields) = &table.element else { return Ok(Vec::new()) };
                let index = index_field(fields).map(|field| &field.name);
                let names = fields.iter().map(|field| &field.name);
                Ok(names.filter(|&name| Some(name) != index).cloned().collect())
            }
            Self::Group(folder) => {
                let index = index_name(folder);
                let listed = match folder.attribute("column-order") {
                    Some(Attribute::Texts(names)) => names.clone(),
                    Some(Attribute::Text(name)) => vec![name.clone()],
                    _ => folder.children()?,
                };
                let is_column = |name: &String| name != index && name != CATEGORIES;
                Ok(listed.into_iter().filter(is_column).collect())
            }
        }
    }

    /// The column `name`, `None` if there is no such column.
    ///
    /// # Errors
    /// [`crate::Error::Unreadable`] if it cannot be read or has not one entry for each row.
    pub(super) fn column(&self, name: &str) -> Result<Option<Column>> {
        let column = match self {
            Self::Records { table, uns } => {
                let Element::Record(fields) = &table.element else { return Ok(None) };
                let Some(field) = fields.iter().find(|field| field.name == name) else {
                    return Ok(None);
                };
                let column = record_column(table, field)?;
                let categories = match uns {
                    Some(uns) => uns.child(&format!("{name}_categories"))?,
                    None => None,
                };
                match (column, categories) {
                    (Column::Integers(codes), Some(Node::Array(categories))) => {
                        categorical(table, &codes, values(&categories)?)?
                    }
                    (column, _) => column,
                }
            }
            Self::Group(folder) => match group_column(folder, name)? {
                Some(column) => column,
                None => return Ok(None),
            },
        };
        let n_rows = self.n_rows()?;
        if column.len() == n_rows {
            return Ok(Some(column));
        }
        let problem = format!("column `{name}` has {} entries for {n_rows} rows", column.len());
        Err(self.container().unreadable(self.path(), problem))
    }
}

fn group_column(folder: &Folder, name: &str) -> Result<Option<Column>> {
    let array = match folder.child(name)? {
        None => return Ok(None),
        Some(Node::Folder(inner)) => return encoded(&inner).map(Some),
        Some(Node::Array(array)) => array,
    };
    let column = values(&array)?;
    if let Column::Integers(codes) = &column
        && let Some(beside) = folder.folder(CATEGORIES)?
        && let Some(Node::Array(categories)) = beside.child(name)?
    {
        return categorical(&array, codes, values(&categories)?).map(Some);
    }
    Ok(Some(column))
}

fn index_name(folder: &Folder) -> &str {
    folder.text_attribute("_index").unwrap_or("_index")
}

pub(super) fn index_field(fields: &[Field]) -> Option<&Field> {
    let named = |name: &str| fields.iter().find(|field| field.name == name);
    named("index").or_else(|| named("_index")).or(fields.first())
}

/// A column that is a group: a categorical, or values with a mask of missing entries.
fn encoded(folder: &Folder) -> Result<Column> {
    if let Some(Node::Array(codes)) = folder.child("codes")? {
        let categories = match folder.child("categories")? {
            Some(Node::Array(array)) => values(&array)?,
            // Since pandas 3 the categories may be nullable strings themselves.
            Some(Node::Folder(inner)) => masked(&inner)?,
            None => return Err(codes.unreadable("its categories are missing")),
        };
        return match values(&codes)? {
            Column::Integers(found) => categorical(&codes, &found, categories),
            _ => Err(codes.unreadable("codes are not integers")),
        };
    }
    if folder.child("values")?.is_some() {
        return masked(folder);
    }
    let encoding = folder.text_attribute("encoding-type").unwrap_or("none");
    let problem = format!("a column of encoding-type `{encoding}` cannot be read");
    Err(folder.container().unreadable(folder.path(), problem))
}

fn masked(folder: &Folder) -> Result<Column> {
    let mut column = values(&folder.array("values")?)?;
    let Some(Node::Array(mask)) = folder.child("mask")? else { return Ok(column) };
    let storage = Storage::new(&mask)?;
    let missing: Vec<i64> = storage.numbers(0..storage.n_rows())?;
    if missing.len() != column.len() {
        return Err(mask.unreadable("has not one entry for each value"));
    }
    let places = missing.iter().enumerate().filter(|(_, missing)| **missing != 0).map(|(i, _)| i);
    for i in places {
        match &mut column {
            Column::Floats(values) => values[i] = f64::NAN,
            Column::Integers(values) => values[i] = None,
            Column::Bools(values) => values[i] = None,
            Column::Texts(values) => values[i] = None,
            Column::Categories { codes, .. } => codes[i] = None,
        }
    }
    Ok(column)
}

/// A one-dimensional dataset (or a scalar) as a column.
fn values(array: &Array) -> Result<Column> {
    if array.shape.len() > 1 {
        return Err(array.unreadable("a column must have one dimension"));
    }
    match &array.element {
        Element::Number(number) => {
            let storage = Storage::new(array)?;
            let rows = 0..storage.n_rows();
            Ok(match number {
                number if number.is_float() => floats(*number, storage.numbers(rows)?),
                number => integers(*number, storage.numbers(rows)?),
            })
        }
        _ => Ok(Column::Texts(text::strings(array)?.into_iter().map(Some).collect())),
    }
}

/// As the decimals that they were written from.
fn floats(number: Number, values: Vec<f64>) -> Column {
    Column::Floats(values.into_iter().map(|value| number.shortest(value)).collect())
}

fn integers(number: Number, values: Vec<i64>) -> Column {
    if number.is_bool() {
        Column::Bools(values.into_iter().map(|value| Some(value != 0)).collect())
    } else {
        Column::Integers(values.into_iter().map(Some).collect())
    }
}

/// Codes into categories; −1 is missing.
fn categorical(array: &Array, codes: &[Option<i64>], categories: Column) -> Result<Column> {
    let n = categories.len() as i64;
    let mut checked = Vec::with_capacity(codes.len());
    for (i, code) in codes.iter().enumerate() {
        checked.push(match code {
            Some(-1) | None => None,
            Some(code) if (0..n).contains(code) => Some(*code as u32),
            Some(code) => {
                let problem = format!("entry {i} has code {code}, but there are {n} categories");
                return Err(array.unreadable(problem));
            }
        });
    }
    Ok(Column::Categories { codes: checked, categories: Box::new(categories) })
}

/// One field of all records as text.
pub(super) fn record_labels(table: &Array, field: &Field) -> Result<Vec<String>> {
    let column = record_column(table, field)?;
    Ok((0..column.len()).map(|i| column.label(i).unwrap_or_default()).collect())
}

/// One field of all records.
fn record_column(table: &Array, field: &Field) -> Result<Column> {
    let storage = Storage::new(table)?;
    let (stride, n_rows) = (table.element_size, storage.n_rows());
    let end = field.offset.checked_add(field.size);
    let size = match &field.element {
        Element::Number(number) => number.size(),
        _ => field.size,
    };
    if end.is_none_or(|end| end > stride) || size > field.size || table.shape.len() != 1 {
        return Err(table.unreadable(format!("field `{}` lies outside its record", field.name)));
    }
    let bytes = storage.bytes(0..n_rows)?;
    match &field.element {
        Element::Number(number) => {
            let packed: Vec<u8> = bytes
                .chunks_exact(stride)
                .flat_map(|record| &record[field.offset..field.offset + size])
                .copied()
                .collect();
            Ok(if number.is_float() {
                floats(*number, decoded(*number, &packed, n_rows))
            } else {
                integers(*number, decoded(*number, &packed, n_rows))
            })
        }
        element => {
            let texts = text::decode(table, element, &bytes, field.offset, stride)?;
            Ok(Column::Texts(texts.into_iter().map(Some).collect()))
        }
    }
}

fn decoded<T: Value>(number: Number, bytes: &[u8], n: usize) -> Vec<T> {
    let mut out = vec![T::default(); n];
    T::decoder(number)(bytes, &mut out);
    out
}
