//! The column of conditions, and which of its values belong to several courses.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::io::lists;
use crate::pipeline::fit::selection::file_name;

/// Which cells belong to which condition.
///
/// ```
/// use sbcell::pipeline::ConditionOptions;
///
/// // Cells of `before` belong to the courses of all media.
/// let options = ConditionOptions::of("medium").with_shared(vec!["before".into()]);
/// assert!(options.check().is_ok());
/// assert!(ConditionOptions::of("").check().is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, derive_setters::Setters)]
#[setters(prefix = "with_")]
#[non_exhaustive]
pub struct ConditionOptions {
    /// The column of `obs` with the condition of each cell, or with its sample if `parents` are given.
    pub key: String,
    /// Values of the column whose cells belong to every condition.
    pub shared: Vec<String>,
    /// The tree of the samples. Each leaf is a condition; its course has the samples on the path from the
    /// root to the leaf.
    pub parents: Option<ParentTable>,
}

impl ConditionOptions {
    /// The conditions in the column `key` of `obs`, without cells of several conditions.
    pub fn of(key: impl Into<String>) -> Self {
        Self { key: key.into(), shared: Vec::new(), parents: None }
    }

    /// Checks what does not depend on the file.
    ///
    /// # Errors
    /// [`Error::Parameter`] for an empty name of the column, or if both `shared` and `parents` are given.
    pub fn check(&self) -> Result<()> {
        let Self { key, shared, parents } = self;
        if key.is_empty() {
            let (name, must) = ("condition_key", "the name of a column of `obs`");
            return Err(Error::Parameter { name, must, got: "an empty name".into() });
        }
        if parents.is_some() && !shared.is_empty() {
            let (name, must) = ("shared", "left out where the parameter `parents` is given");
            return Err(Error::Parameter { name, must, got: shared.join(",") });
        }
        Ok(())
    }
}

/// The parent of each sample, as a file gives it.
///
/// ```
/// use sbcell::pipeline::ParentTable;
///
/// # fn main() -> sbcell::Result<()> {
/// # let folder = tempfile::tempdir().unwrap();
/// let path = folder.path().join("parents.csv");
/// std::fs::write(&path, "sample,parent\nroot,\nA,root\nB,root\n").unwrap();
/// let table = ParentTable::read(&path)?;
/// assert_eq!(table.parents["A"].as_deref(), Some("root"));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ParentTable {
    /// Name of the file, without its folder.
    pub file: String,
    /// SHA-256 of the file.
    pub sha256: String,
    /// The parent of each sample; `None` for a first sample.
    pub parents: BTreeMap<String, Option<String>>,
}

impl ParentTable {
    /// Reads a table with the columns `sample` and `parent`, which its first line names.
    ///
    /// # Errors
    /// As [`lists::read_parents`].
    pub fn read(path: &Path) -> Result<Self> {
        let (parents, sha256) = lists::read_parents(path)?;
        Ok(Self { file: file_name(path), sha256, parents })
    }
}
