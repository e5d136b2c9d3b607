//! The input of a fit: the file, the selected cells, the matrix, and the interpretation of its values.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::io::model::{Header, RUN};
use crate::io::run::read_json;

/// Options with which a fit has read its file: enough to read the same cells and values again.
///
/// ```
/// use std::path::Path;
/// use sbcell::io::model::{Source, read_header};
/// # fn main() -> sbcell::Result<()> {
/// // A small model that the tests of sbcell use.
/// let folder = Path::new("tests/fixtures/old-model/model");
/// let reading = read_header(folder)?.reading(folder)?;
/// assert_eq!(reading.source, Source::Layer("counts".into()));
/// assert_eq!(reading.filters, ["time<=24"]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    /// Column and values of the times.
    pub time: TimeOptions,
    /// The matrix.
    pub source: Source,
    /// Interpretation of the values of the matrix.
    pub values: ValuesChoice,
    /// Conditions on columns of `obs` that the cells fulfil, such as `time<=24`.
    pub filters: Vec<String>,
}

/// The file that was fitted.
///
/// ```
/// use std::path::Path;
/// use sbcell::io::model::read_header;
/// # fn main() -> sbcell::Result<()> {
/// // A small model of an older version, which did not record the length.
/// let folder = Path::new("tests/fixtures/old-model/model");
/// let file = read_header(folder)?.fitted_file(folder)?;
/// assert_eq!((file.bytes, file.sha256.len()), (None, 64));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileRecord {
    /// Length in bytes; absent in models of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// SHA-256 of the content in lower-case hexadecimal.
    pub sha256: String,
}

impl Header {
    /// The options with which the fit has read its file. For a model of an older version they are read
    /// from the `run.json` in its `folder`.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::NoFile`] or [`Error::Unreadable`] if they are recorded nowhere. There is no
    /// default.
    pub fn reading(&self, folder: &Path) -> Result<Reading> {
        match &self.reading {
            Some(reading) => Ok(reading.clone()),
            None => read_older(&folder.join(RUN)).map(|run: OlderReading| run.parameters),
        }
    }

    /// The file that was fitted. For a model of an older version it is read from the `run.json` in its
    /// `folder`.
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

/// The options in an older `run.json`.
#[derive(Deserialize)]
struct OlderReading {
    parameters: Reading,
}

/// The input in an older `run.json`.
#[derive(Deserialize)]
struct OlderFile {
    input: FileRecord,
}

/// Reads the needed fields of an older `run.json` and ignores the others.
fn read_older<T: for<'a> Deserialize<'a>>(path: &Path) -> Result<T> {
    read_json(path).map_err(|error| match error {
        Error::Unreadable { path, problem, .. } => Error::Unreadable {
            path,
            problem: format!("it does not record the input of the fit: {problem}"),
            way_out: Some("run `sbcell fit` again".into()),
        },
        other => other,
    })
}

/// Column of the times, and times for its labels.
///
/// ```
/// use sbcell::io::model::TimeOptions;
/// // Labels of a column of text, with a time for each.
/// let map = [("early".to_string(), 0.0), ("late".to_string(), 2.5)].into_iter().collect();
/// let time = TimeOptions::default().with_column(Some("stage".into())).with_map(Some(map));
/// assert_eq!(time.map.unwrap()["late"], 2.5);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, derive_setters::Setters)]
#[setters(prefix = "with_")]
#[non_exhaustive]
pub struct TimeOptions {
    /// Column of `obs`; if it is `None`, sbcell looks for a column of times.
    pub column: Option<String>,
    /// Time of each label of the column; if it is `None`, sbcell derives times from the labels.
    pub map: Option<BTreeMap<String, f64>>,
}

/// The matrix of an `.h5ad` file that is read.
///
/// ```
/// use sbcell::io::model::Source;
/// assert_eq!(Source::Layer("counts".into()).to_string(), "layers/counts");
/// assert_eq!(Source::Rep("X_pca".into()).to_string(), "obsm/X_pca");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The matrix `X`.
    X,
    /// The layer with this name.
    Layer(String),
    /// The matrix `raw/X`.
    Raw,
    /// The embedding with this key in `obsm`, used without preprocessing.
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

/// Interpretation of the values of the matrix.
///
/// ```
/// use sbcell::io::model::ValuesChoice;
/// let text = serde_json::to_string(&ValuesChoice::Counts).unwrap();
/// assert_eq!(text, "\"counts\"");
/// ```
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
