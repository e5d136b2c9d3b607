//! Conversion of tables of records (anndata 0.6) to groups of columns, to which columns can be added.

use sbcell_hdf5::{
    Dataset, Editor, Element, Field, Group, NewAttribute, Node, Records, Result as Step, Storage,
    StoredType, Values,
};

use crate::error::Result;
use crate::io::h5ad::frame::{index_field, record_labels};
use crate::io::h5ad::refused::Refuse;
use crate::io::h5ad::text;
use crate::io::h5ad::write::{array, mark_categorical, mark_group, texts};

/// A table that was one dataset of records, to be written as a group.
pub(super) struct TableRecords {
    /// `obs` or `var`.
    name: &'static str,
    /// Name of the field that becomes the index.
    index_name: String,
    /// The index, one text per row.
    index: Vec<String>,
    /// The other fields by name, in their order.
    columns: Vec<(String, Cells)>,
    /// Entries of `uns` with the categories of its columns. They are removed with the table.
    pub(super) used: Vec<String>,
}

/// The values of a column.
enum Cells {
    /// One value per row.
    Plain(Stored),
    /// One code per row, and the values for which the codes stand.
    Categories { codes: Stored, categories: Stored },
}

/// Values to write again: numbers in their type and with their bytes, texts decoded.
enum Stored {
    Raw { of: StoredType, bytes: Vec<u8>, n: usize },
    Texts(Vec<String>),
}

impl TableRecords {
    /// The table `name`, if it is one of records.
    ///
    /// # Errors
    /// [`crate::Error::Unreadable`] if it cannot be read, or a field cannot be a column.
    pub(super) fn of(root: &Group, name: &'static str) -> Result<Option<Self>> {
        let Some(Node::Dataset(table)) = root.child(name)? else { return Ok(None) };
        let Element::Record(fields) = table.element() else { return Ok(None) };
        let Some(index) = index_field(fields) else { return Ok(None) };
        let uns = root.group("uns")?;
        let records = Records::read(&table)?;
        let index_name = index.name.clone();
        let index = match stored(&table, &records, index)? {
            Stored::Texts(texts) => texts,
            Stored::Raw { .. } => record_labels(&table, index)?,
        };
        if let Some(odd) = fields.iter().find(|of| of.name.contains('/') || of.name.is_empty()) {
            return Err(table.unreadable(format!("`{}` cannot name a column", odd.name)));
        }
        let (mut columns, mut used) = (Vec::new(), Vec::new());
        for field in fields.iter().filter(|field| field.name != index_name) {
            let values = stored(&table, &records, field)?;
            let key = format!("{}_categories", field.name);
            let categories = match (&field.element, &uns) {
                (Element::Number(number), Some(uns)) if !number.is_float() => uns.child(&key)?,
                _ => None,
            };
            columns.push((
                field.name.clone(),
                match categories {
                    Some(Node::Dataset(categories)) => {
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
    pub(super) fn stage(&self, editor: &Editor) -> Step<()> {
        let Self { name, index_name, index, columns, used: _ } = self;
        editor.group(name, |group| {
            mark_group(group, "dataframe", "0.2.0");
            group.attribute("_index", NewAttribute::Text(index_name.clone()));
            group.attribute("column-order", NewAttribute::Texts(self.names()));
        })?;
        stage_texts(editor, &format!("{name}/{index_name}"), index)?;
        for (column, cells) in columns {
            let path = format!("{name}/{column}");
            match cells {
                Cells::Plain(values) => values.stage(editor, &path)?,
                Cells::Categories { codes, categories } => {
                    editor.group(&path, mark_categorical)?;
                    codes.stage(editor, &format!("{path}/codes"))?;
                    categories.stage(editor, &format!("{path}/categories"))?;
                }
            }
        }
        Ok(())
    }
}

/// `obsm` that was one dataset of records, to be written as a group of arrays.
pub(super) struct SlotRecords {
    /// Number of rows.
    n: usize,
    arrays: Vec<SlotArray>,
}

/// One array of `obsm`.
struct SlotArray {
    name: String,
    /// The type of one number.
    of: StoredType,
    /// Lengths of the array of one row.
    shape: Vec<usize>,
    /// The numbers, row after row.
    bytes: Vec<u8>,
}

impl SlotRecords {
    /// The arrays in `table`, if it is a table of records.
    ///
    /// # Errors
    /// [`crate::Error::Unreadable`] if it cannot be read, or a field is no array of numbers.
    pub(super) fn of(table: &Dataset) -> Result<Option<Self>> {
        let Element::Record(fields) = table.element() else { return Ok(None) };
        let records = Records::read(table)?;
        let types = table.stored_type()?;
        let mut arrays = Vec::new();
        for field in fields {
            let name = field.name.clone();
            let Some(of) = types.field(&name) else {
                return Err(table.unreadable(format!("`{name}` has no type")));
            };
            let (of, shape) = of.entries();
            let bytes = match (of.element(), records.bytes(field)) {
                (Element::Number(_), Ok(bytes)) if !name.contains('/') => bytes,
                _ => return Err(table.unreadable(format!("`{name}` is no array of numbers"))),
            };
            arrays.push(SlotArray { name, of, shape, bytes });
        }
        Ok(Some(Self { n: records.n(), arrays }))
    }

    /// Writes the group `obsm`.
    pub(super) fn stage(&self, editor: &Editor) -> Step<()> {
        editor.group("obsm", |group| mark_group(group, "dict", "0.1.0"))?;
        for SlotArray { name, of, shape, bytes } in &self.arrays {
            let shape: Vec<usize> = [self.n].iter().chain(shape).copied().collect();
            let values = Values::Stored { of, bytes, n: shape.iter().product() };
            editor.dataset(&format!("obsm/{name}"), &array(values).shape(&shape))?;
        }
        Ok(())
    }
}

impl Stored {
    fn stage(&self, editor: &Editor, path: &str) -> Step<()> {
        match self {
            Self::Texts(values) => stage_texts(editor, path, values),
            Self::Raw { of, bytes, n } => {
                editor.dataset(path, &array(Values::Stored { of, bytes, n: *n }))
            }
        }
    }
}

/// Writes texts of one dimension.
fn stage_texts(editor: &Editor, path: &str, values: &[String]) -> Step<()> {
    let values: Vec<&str> = values.iter().map(String::as_str).collect();
    editor.dataset(path, &texts(&values))
}

/// One field of all records.
fn stored(table: &Dataset, records: &Records<'_>, field: &Field) -> Result<Stored> {
    if let Element::FixedText { .. } | Element::HeapText = field.element {
        return Ok(Stored::Texts(records.texts(field)?));
    }
    let (Element::Number(_), Some(of)) = (&field.element, table.stored_type()?.field(&field.name))
    else {
        return Err(table.unreadable(format!("the field `{}` cannot be a column", field.name)));
    };
    Ok(Stored::Raw { of, bytes: records.bytes(field)?, n: records.n() })
}

/// All of a dataset of one dimension.
fn whole(dataset: &Dataset) -> Result<Stored> {
    if !matches!(dataset.element(), Element::Number(_)) {
        return text::strings(dataset).map(Stored::Texts);
    }
    let n = dataset.shape().iter().product();
    let storage = Storage::new(dataset)?;
    let bytes = storage.bytes(0..storage.n_rows())?;
    Ok(Stored::Raw { of: dataset.stored_type()?, bytes, n })
}
