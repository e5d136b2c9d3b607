//! A model together with the folder from which it was read.

use std::ops::Deref;
use std::path::{Path, PathBuf};

use crate::error::Result;
use crate::io::model::Model;

/// A model together with the folder from which it was read. It dereferences to the [`Model`].
///
/// ```
/// use sbcell::io::model::OpenModel;
/// # fn main() -> sbcell::Result<()> {
/// // A small model that the tests of sbcell use.
/// let model = OpenModel::read("tests/fixtures/old-model/model")?;
/// assert!(model.folder().ends_with("old-model/model"));
/// assert_eq!(model.genes.len(), 12);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct OpenModel {
    folder: PathBuf,
    model: Model,
}

impl OpenModel {
    /// A model in memory, as if it had been read from `folder`. Functions that need the fitted data file
    /// look for it by the run record in this folder.
    pub fn new(folder: impl Into<PathBuf>, model: Model) -> Self {
        Self { folder: folder.into(), model }
    }

    /// Reads the model in `folder` (see [`Model::read`]).
    ///
    /// # Errors
    /// As [`Model::read`].
    pub fn read(folder: impl Into<PathBuf>) -> Result<Self> {
        let folder = folder.into();
        let model = Model::read(&folder)?;
        Ok(Self { folder, model })
    }

    /// Path of the folder of the model.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Deref for OpenModel {
    type Target = Model;

    fn deref(&self) -> &Model {
        &self.model
    }
}
