//! What a fit read: which file, which cells of it, which numbers, and what they were taken to be.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::io::model::{Header, RUN};
use crate::io::run::read_json;

/// What a fit was told to read: enough to read the same cells and numbers again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    /// Where the times are.
    pub time: TimeOptions,
    /// Where the numbers are.
    pub source: Source,
    /// What the values of the matrix were taken to be.
    pub values: ValuesChoice,
    /// Conditions that the cells meet.
    pub filters: Vec<String>,
}

/// The file that was fitted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileRecord {
    /// Its length in bytes; not known of older models.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// SHA-256 of its content.
    pub sha256: String,
}

impl Header {
    /// What the fit read. Models of older versions have it in `run.json` only.
    ///
    /// # Errors
    /// [`Error::Io`] or [`Error::Unreadable`] if it is nowhere: nothing is put in its place.
    pub fn reading(&self, folder: &Path) -> Result<Reading> {
        match &self.reading {
            Some(reading) => Ok(reading.clone()),
            None => read_older(&folder.join(RUN)).map(|run: OlderReading| run.parameters),
        }
    }

    /// The file that was fitted. Models of older versions have it in `run.json` only.
    ///
    /// # Errors
    /// As [`Header::reading`].
    pub fn fitted_file(&self, folder: &Path) -> Result<FileRecord> {
        match &self.file {
            Some(file) => Ok(file.clone()),
            None => read_older(&folder.join(RUN)).map(|run: OlderFile| run.input),
        }
    }
}

#[derive(Deserialize)]
struct OlderReading {
    parameters: Reading,
}

#[derive(Deserialize)]
struct OlderFile {
    input: FileRecord,
}

/// Those fields of an older `run.json` that are needed, whatever the others are.
fn read_older<T: for<'a> Deserialize<'a>>(path: &Path) -> Result<T> {
    read_json(path).map_err(|error| match error {
        Error::Unreadable { path, problem, .. } => Error::Unreadable {
            path,
            problem: format!("it does not say what was fitted: {problem}"),
            way_out: Some("run `sbcell fit` again".into()),
        },
        other => other,
    })
}

/// Where the times are.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TimeOptions {
    /// The column of `obs`; found if `None`.
    pub column: Option<String>,
    /// The user's own times for the labels of the column.
    pub map: Option<BTreeMap<String, f64>>,
}

/// Where the numbers are in the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The matrix `X`.
    X,
    /// A layer.
    Layer(String),
    /// `raw/X`.
    Raw,
    /// An embedding in `obsm`, taken as it is; no preprocessing.
    Rep(String),
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::X => write!(f, "X"),
            Self::Layer(name) => write!(f, "layers/{name}"),
            Self::Raw => write!(f, "raw/X"),
            Self::Rep(key) => write!(f, "obsm/{key}"),
        }
    }
}

/// What the values of the matrix are taken to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "snake_case")]
pub enum ValuesChoice {
    /// sbcell recognises the kind from the values.
    Auto,
    /// Counts: sbcell scales each cell to the median depth and takes log1p.
    Counts,
    /// Values scaled to one depth, without logarithm: sbcell takes log1p.
    Normalised,
    /// Values on a log scale, or any other values: sbcell uses them unchanged.
    AsIs,
}
