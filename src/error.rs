//! The one error type, its way out (`hint`) and what kind of failure it is.

use std::path::PathBuf;

/// Result with [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

/// Everything that can go wrong, with the values that were found.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    // --- any layer ---
    /// A hyperparameter is outside its range.
    #[error("`{name}` must be {must}, got {got}")]
    Parameter {
        /// The parameter, as the user writes it.
        name: &'static str,
        /// The range, in words that follow "must be".
        must: &'static str,
        /// The value found.
        got: String,
    },
    /// Two arrays do not fit together.
    #[error("{what} has {got} {unit}, expected {expected}")]
    Shape {
        /// The array.
        what: &'static str,
        /// What is counted: "columns", "cells", "genes".
        unit: &'static str,
        /// The number expected.
        expected: usize,
        /// The number found.
        got: usize,
    },
    /// The caller asked to stop through [`crate::progress::Progress`].
    #[error("interrupted")]
    Cancelled,
    // --- linalg ---
    /// A decomposition failed or did not converge.
    #[error("{what} failed: {why}")]
    Numerical {
        /// The computation.
        what: &'static str,
        /// What happened.
        why: String,
    },
    /// The arrays of a sparse matrix contradict each other.
    #[error("sparse matrix is corrupt: {0}")]
    SparseStructure(String),
    // --- data ---
    // --- preprocess ---
    // --- io ---
    /// The operating system refused.
    #[error("cannot {action} `{}`: {source}", path.display())]
    Io {
        /// What was tried: "read", "write", "create", "rename".
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// An input file, or the part of it that is needed, cannot be read.
    #[error("cannot read `{}`: {problem}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What is wrong, with the node inside the file where there is one.
        problem: String,
        /// The way out, if there is one.
        way_out: Option<String>,
    },
    /// An input file has no column, layer or key of this name.
    #[error("there is no {what} `{name}` in `{}`", path.display())]
    UnknownKey {
        /// What was looked for: "column of obs", "layer", "key of obsm".
        what: &'static str,
        /// The name that was asked for.
        name: String,
        /// The file.
        path: PathBuf,
        /// The names there are.
        available: Vec<String>,
    },
    /// An input file does not have the matrix that was asked for.
    #[error("there is no matrix `{node}` in `{}`", path.display())]
    NoMatrix {
        /// The file.
        path: PathBuf,
        /// The matrix: "X", "raw/X".
        node: String,
        /// The layers there are.
        layers: Vec<String>,
        /// The keys of `obsm` there are.
        obsm: Vec<String>,
    },
    /// A matrix holds NaN or an infinite value.
    #[error("`{node}` in `{}` is {value} in cell `{cell}`, gene `{gene}`", path.display())]
    NotFinite {
        /// The file.
        path: PathBuf,
        /// The matrix inside the file.
        node: String,
        /// The value.
        value: f32,
        /// Name of the cell.
        cell: String,
        /// Name of the gene.
        gene: String,
    },
    // --- pipeline ---
}

/// What kind of failure an [`Error`] is; the terminal turns it into an exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It was asked for correctly and failed (exit code 1).
    Failed,
    /// It cannot be done as it was asked for (exit code 2).
    Usage,
    /// The input file cannot be read (exit code 3).
    Unreadable,
    /// The user stopped it (exit code 130).
    Cancelled,
}

impl Error {
    /// The way out, shown after the message.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Unreadable { way_out, .. } => way_out.clone(),
            Self::UnknownKey { available, .. } if available.is_empty() => {
                Some("there are none in this file".into())
            }
            Self::UnknownKey { available, .. } => Some(format!("there are {}", list(available))),
            Self::NoMatrix { layers, .. } if !layers.is_empty() => {
                Some(format!("choose a layer with `--layer`; there are {}", list(layers)))
            }
            Self::NoMatrix { obsm, .. } if !obsm.is_empty() => {
                Some(format!("use coordinates of cells with `--use-rep`; there are {}", list(obsm)))
            }
            Self::NotFinite { .. } => {
                Some("remove such cells or genes, or fill in the values, before this".into())
            }
            _ => None,
        }
    }

    /// What kind of failure this is.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Parameter { .. }
            | Self::Shape { .. }
            | Self::UnknownKey { .. }
            | Self::NoMatrix { .. } => Kind::Usage,
            Self::Unreadable { .. } | Self::SparseStructure(_) | Self::NotFinite { .. } => {
                Kind::Unreadable
            }
            Self::Cancelled => Kind::Cancelled,
            _ => Kind::Failed,
        }
    }
}

/// The first names, in quotes.
fn list(names: &[String]) -> String {
    const SHOWN: usize = 20;
    let shown: Vec<String> = names.iter().take(SHOWN).map(|name| format!("`{name}`")).collect();
    match names.len().checked_sub(SHOWN) {
        Some(more) if more > 0 => format!("{} and {more} more", shown.join(", ")),
        _ => shown.join(", "),
    }
}
