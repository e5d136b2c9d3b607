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
    /// A step that takes logarithms or depths met a value below zero, or NaN.
    #[error("{step} needs values ≥ 0, got {got} in cell {cell}, gene {gene} (counted from 0)")]
    Negative {
        /// The step.
        step: &'static str,
        /// Row.
        cell: usize,
        /// Column.
        gene: usize,
        /// The value found.
        got: f32,
    },
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
            Self::Negative { .. } => Some(
                "the matrix looks centred or scaled; choose the layer that holds counts".into(),
            ),
            _ => None,
        }
    }

    /// What kind of failure this is.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Parameter { .. } | Self::Shape { .. } | Self::Negative { .. } => Kind::Usage,
            Self::Unreadable { .. } | Self::SparseStructure(_) => Kind::Unreadable,
            Self::Cancelled => Kind::Cancelled,
            _ => Kind::Failed,
        }
    }
}
