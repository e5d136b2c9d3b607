//! Annotation tables (`obs`, `var`): their index and columns, in every dialect.
//!
//! Since anndata 0.7 a table is a group with a dataset or group for each column. In anndata 0.6 it was one
//! dataset of records, with the categories of a column `c` in `uns/c_categories`. In 0.7 the categories
//! were in `__categories/c` beside the column.

use std::sync::Arc;

use sbcell_hdf5::{
    Attribute, Dataset, Element, Field, File, Group, Node, Number, Records, Storage,
};

use crate::data::Column;
use crate::error::Result;
use crate::io::h5ad::decimals::shortest;
use crate::io::h5ad::refused::{Refuse, unreadable_at};
use crate::io::h5ad::text;

/// The group of categories beside the columns, in files of anndata 0.6 and 0.7.
const CATEGORIES: &str = "__categories";

/// A table on disk.
pub(super) enum Frame {
    /// One node for each column.
    Group(Group),
    /// One dataset of records; categories are in `uns`.
    Records { table: Box<Dataset>, uns: Option<Box<Group>> },
}

impl Frame {
    /// The table `name` in `parent`, if it is there. `uns` is looked up in `root`.
    pub(super) fn open(root: &Group, parent: &Group, name: &str) -> Result<Option<Self>> {
        Ok(match parent.child(name)? {
            Some(Node::Group(group)) => Some(Self::Group(group)),
            Some(Node::Dataset(table)) if matches!(table.element(), Element::Record(_)) => {
                let uns = root.group("uns")?.map(Box::new);
                Some(Self::Records { table: Box::new(table), uns })
            }
            Some(Node::Dataset(dataset))
                if dataset.text_attribute("encoding-type") == Some("null") =>
            {
                None
            }
            Some(Node::Dataset(dataset)) => {
                return Err(dataset.unreadable("is not a table of annotation"));
            }
            None => None,
        })
    }

    fn path(&self) -> &str {
        match self {
            Self::Group(group) => group.path(),
            Self::Records { table, .. } => table.path(),
        }
    }

    fn file(&self) -> &Arc<File> {
        match self {
            Self::Group(group) => group.file(),
            Self::Records { table, .. } => table.file(),
        }
    }

    /// Number of rows, from the shape of the index alone.
    pub(super) fn n_rows(&self) -> Result<usize> {
        let length = |dataset: &Dataset| dataset.shape().first().copied().unwrap_or(0);
        match self {
            Self::Records { table, .. } => Ok(length(table)),
            Self::Group(group) => {
                let name = index_name(group);
                match group.child(name)? {
                    Some(Node::Dataset(dataset)) => Ok(length(&dataset)),
                    Some(Node::Group(inner)) => match inner.child("values")? {
                        Some(Node::Dataset(dataset)) => Ok(length(&dataset)),
                        _ => Ok(length(&inner.dataset("codes")?)),
                    },
                    None => {
                        let problem = format!("its index `{name}` is missing");
                        Err(group.unreadable(problem))
                    }
                }
            }
        }
    }

    /// The index as text; missing entries are empty.
    pub(super) fn index(&self) -> Result<Vec<String>> {
        let column = match self {
            Self::Records { table, .. } => {
                let Element::Record(fields) = table.element() else { return Ok(Vec::new()) };
                match index_field(fields) {
                    Some(field) => record_column(table, field)?,
                    None => return Err(table.unreadable("has no index")),
                }
            }
            Self::Group(group) => match group_column(group, index_name(group))? {
                Some(column) => column,
                None => return Err(unreadable_at(self.file(), self.path(), "has no index")),
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
                let Element::Record(fields) = table.element() else { return Ok(Vec::new()) };
                let index = index_field(fields).map(|field| &field.name);
                let names = fields.iter().map(|field| &field.name);
                Ok(names.filter(|&name| Some(name) != index).cloned().collect())
            }
            Self::Group(group) => {
                let index = index_name(group);
                let listed = match group.attribute("column-order") {
                    Some(Attribute::Texts(names)) => names.clone(),
                    Some(Attribute::Text(name)) => vec![name.clone()],
                    _ => group.children()?,
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
                let Element::Record(fields) = table.element() else { return Ok(None) };
                let Some(field) = fields.iter().find(|field| field.name == name) else {
                    return Ok(None);
                };
                let column = record_column(table, field)?;
                let categories = match uns {
                    Some(uns) => uns.child(&format!("{name}_categories"))?,
                    None => None,
                };
                match (column, categories) {
                    (Column::Integers(codes), Some(Node::Dataset(categories))) => {
                        categorical(table, &codes, values(&categories)?)?
                    }
                    (column, _) => column,
                }
            }
            Self::Group(group) => match group_column(group, name)? {
                Some(column) => column,
                None => return Ok(None),
            },
        };
        let n_rows = self.n_rows()?;
        if column.len() == n_rows {
            return Ok(Some(column));
        }
        let problem = format!("column `{name}` has {} entries for {n_rows} rows", column.len());
        Err(unreadable_at(self.file(), self.path(), problem))
    }
}

/// A column of a table that is a group; its categories may be in `__categories`.
fn group_column(group: &Group, name: &str) -> Result<Option<Column>> {
    let dataset = match group.child(name)? {
        None => return Ok(None),
        Some(Node::Group(inner)) => return encoded(&inner).map(Some),
        Some(Node::Dataset(dataset)) => dataset,
    };
    let column = values(&dataset)?;
    if let Column::Integers(codes) = &column
        && let Some(beside) = group.group(CATEGORIES)?
        && let Some(Node::Dataset(categories)) = beside.child(name)?
    {
        return categorical(&dataset, codes, values(&categories)?).map(Some);
    }
    Ok(Some(column))
}

/// The name of the index among the columns.
fn index_name(group: &Group) -> &str {
    group.text_attribute("_index").unwrap_or("_index")
}

/// The field that is the index of a table of records: `index`, `_index`, or else the first.
pub(super) fn index_field(fields: &[Field]) -> Option<&Field> {
    let named = |name: &str| fields.iter().find(|field| field.name == name);
    named("index").or_else(|| named("_index")).or(fields.first())
}

/// A column that is a group: a categorical, or values with a mask of missing entries.
fn encoded(group: &Group) -> Result<Column> {
    if let Some(Node::Dataset(codes)) = group.child("codes")? {
        let categories = match group.child("categories")? {
            Some(Node::Dataset(dataset)) => values(&dataset)?,
            // Since pandas 3 the categories may be nullable strings themselves.
            Some(Node::Group(inner)) => masked(&inner)?,
            None => return Err(codes.unreadable("its categories are missing")),
        };
        return match values(&codes)? {
            Column::Integers(found) => categorical(&codes, &found, categories),
            _ => Err(codes.unreadable("codes are not integers")),
        };
    }
    if group.child("values")?.is_some() {
        return masked(group);
    }
    let encoding = group.text_attribute("encoding-type").unwrap_or("none");
    let problem = format!("a column of encoding-type `{encoding}` cannot be read");
    Err(group.unreadable(problem))
}

/// Values of which those under the mask are missing (`nullable-integer`, `nullable-boolean`,
/// `nullable-string-array`).
fn masked(group: &Group) -> Result<Column> {
    let mut column = values(&group.dataset("values")?)?;
    let Some(Node::Dataset(mask)) = group.child("mask")? else { return Ok(column) };
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
fn values(dataset: &Dataset) -> Result<Column> {
    if dataset.shape().len() > 1 {
        return Err(dataset.unreadable("a column must have one dimension"));
    }
    match dataset.element() {
        Element::Number(number) => {
            let storage = Storage::new(dataset)?;
            let rows = 0..storage.n_rows();
            Ok(match number {
                number if number.is_float() => floats(*number, storage.numbers(rows)?),
                number => integers(*number, storage.numbers(rows)?),
            })
        }
        _ => Ok(Column::Texts(text::strings(dataset)?.into_iter().map(Some).collect())),
    }
}

/// Floats as the decimals that they were written from (see [`shortest`]).
fn floats(number: Number, values: Vec<f64>) -> Column {
    Column::Floats(values.into_iter().map(|value| shortest(number, value)).collect())
}

/// Integers, or truth values where they are stored as such.
fn integers(number: Number, values: Vec<i64>) -> Column {
    if number.is_bool() {
        Column::Bools(values.into_iter().map(|value| Some(value != 0)).collect())
    } else {
        Column::Integers(values.into_iter().map(Some).collect())
    }
}

/// Codes into categories; −1 is missing.
fn categorical(dataset: &Dataset, codes: &[Option<i64>], categories: Column) -> Result<Column> {
    let n = categories.len() as i64;
    let mut checked = Vec::with_capacity(codes.len());
    for (i, code) in codes.iter().enumerate() {
        checked.push(match code {
            Some(-1) | None => None,
            Some(code) if (0..n).contains(code) => Some(*code as u32),
            Some(code) => {
                let problem = format!("entry {i} has code {code}, but there are {n} categories");
                return Err(dataset.unreadable(problem));
            }
        });
    }
    Ok(Column::Categories { codes: checked, categories: Box::new(categories) })
}

/// One field of all records as text.
pub(super) fn record_labels(table: &Dataset, field: &Field) -> Result<Vec<String>> {
    let column = record_column(table, field)?;
    Ok((0..column.len()).map(|i| column.label(i).unwrap_or_default()).collect())
}

/// One field of all records.
fn record_column(table: &Dataset, field: &Field) -> Result<Column> {
    let records = Records::read(table)?;
    Ok(match &field.element {
        Element::Number(number) if number.is_float() => floats(*number, records.numbers(field)?),
        Element::Number(number) => integers(*number, records.numbers(field)?),
        _ => Column::Texts(records.texts(field)?.into_iter().map(Some).collect()),
    })
}
