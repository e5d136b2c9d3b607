//! A model together with the folder that it was read from.

use std::ops::Deref;
use std::path::{Path, PathBuf};

use crate::error::Result;
use crate::io::model::Model;

/// A model that was read from a folder, checked as a whole. It dereferences to the [`Model`].
#[derive(Debug, Clone)]
pub struct OpenModel {
    folder: PathBuf,
    model: Model,
}

impl OpenModel {
    /// A model in memory, as if it had been read from `folder`. Commands that need the fitted file look for
    /// it by the run record there.
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

    /// The folder of the model.
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
