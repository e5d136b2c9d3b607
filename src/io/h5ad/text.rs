//! Datasets of texts, numbers or booleans, read as text.

use sbcell_hdf5::{Dataset, Element, Storage};

use crate::error::Result;
use crate::io::h5ad::refused::Refuse;

/// All entries of a one-dimensional dataset as text; numbers with as many digits as distinguish them.
///
/// # Errors
/// [`crate::Error::Unreadable`] if it holds neither texts nor numbers, or they are not in the file.
pub(super) fn strings(dataset: &Dataset) -> Result<Vec<String>> {
    let storage = Storage::new(dataset)?;
    let rows = 0..storage.n_rows();
    match dataset.element() {
        Element::FixedText { .. } | Element::HeapText => Ok(storage.texts()?),
        Element::Number(number) if number.is_float() => {
            let values = storage.numbers::<f64>(rows)?;
            Ok(values.iter().map(|value| format!("{value:?}")).collect())
        }
        Element::Number(_) => {
            let values = storage.numbers::<i64>(rows)?;
            Ok(values.iter().map(ToString::to_string).collect())
        }
        Element::Record(_) | Element::Other(_) => Err(dataset.unreadable("does not hold text")),
    }
}
