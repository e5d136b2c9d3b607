//! Records (compound types), and their fields as columns.

use std::ops::Range;

use crate::dataset::Dataset;
use crate::element::{Element, Field};
use crate::error::Result;
use crate::number::Value;
use crate::storage::Storage;
use crate::texts;

/// All records of a dataset of one dimension, in memory.
///
/// The fields come from the dataset's [`Element::Record`].
#[derive(Debug)]
pub struct Records<'a> {
    table: &'a Dataset,
    n: usize,
    bytes: Vec<u8>,
}

impl<'a> Records<'a> {
    /// Reads all records of `table`.
    ///
    /// # Errors
    /// As [`Storage::new`] and [`Storage::bytes`].
    pub fn read(table: &'a Dataset) -> Result<Self> {
        let storage = Storage::new(table)?;
        let n = storage.n_rows();
        let bytes = storage.bytes(0..n)?;
        Ok(Self { table, n, bytes })
    }

    /// Number of records.
    pub fn n(&self) -> usize {
        self.n
    }

    /// A field of numbers, one for each record.
    ///
    /// # Errors
    /// [`crate::Problem::Object`] if it holds no numbers, or lies outside its record.
    pub fn numbers<T: Value>(&self, field: &Field) -> Result<Vec<T>> {
        let place = self.place(field)?;
        let Element::Number(number) = &field.element else {
            return Err(self.table.error(format!("field `{}` does not hold numbers", field.name)));
        };
        let packed = self.packed(place.start..place.start + number.size());
        let mut out = vec![T::default(); self.n];
        T::decoder(*number)(&packed, &mut out);
        Ok(out)
    }

    /// A field of texts, one for each record.
    ///
    /// # Errors
    /// [`crate::Problem::Object`] if it holds no texts, or they are not in the file.
    pub fn texts(&self, field: &Field) -> Result<Vec<String>> {
        let place = self.place(field)?;
        let stride = self.table.element_size();
        texts::decode(self.table, &field.element, &self.bytes, place.start, stride)
    }

    /// The bytes of a field, record after record.
    ///
    /// # Errors
    /// [`crate::Problem::Object`] if it lies outside its record.
    pub fn bytes(&self, field: &Field) -> Result<Vec<u8>> {
        let place = self.place(field)?;
        Ok(self.packed(place))
    }

    fn packed(&self, place: Range<usize>) -> Vec<u8> {
        let records = self.bytes.chunks_exact(self.table.element_size().max(1));
        records.flat_map(|record| &record[place.clone()]).copied().collect()
    }

    /// Bytes of the field within each record.
    fn place(&self, field: &Field) -> Result<Range<usize>> {
        let needed = match &field.element {
            Element::Number(number) => number.size(),
            _ => field.size,
        };
        let inside = |end: &usize| *end <= self.table.element_size();
        match field.offset.checked_add(field.size).filter(inside) {
            Some(end) if needed <= field.size && self.table.shape().len() == 1 => {
                Ok(field.offset..end)
            }
            _ => {
                let problem = format!("field `{}` lies outside its record", field.name);
                Err(self.table.error(problem))
            }
        }
    }
}
