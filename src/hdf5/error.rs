//! The one error of this crate: the file, and what is wrong with it.

use std::fmt;
use std::path::{Path, PathBuf};

/// Why a file, or a part of it, cannot be read or changed.
///
/// ```
/// use sbcell_hdf5::{File, Problem};
///
/// let error = File::from_bytes(b"no HDF5".to_vec()).unwrap_err();
/// assert!(matches!(error.problem, Problem::NotHdf5));
/// assert_eq!(error.problem.to_string(), "it is not an HDF5 file");
/// ```
#[derive(Debug, thiserror::Error)]
#[error("cannot read `{}`: {problem}", file.display())]
pub struct Error {
    /// The file. Empty if it was opened from memory.
    pub file: PathBuf,
    /// The problem, in words.
    pub problem: Problem,
}

/// The problem that was found in a file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// The operating system refused.
    #[error("cannot {action} it: {source}")]
    Io {
        /// The operation: "read", "write", "copy".
        action: &'static str,
        /// The error of the system.
        source: std::io::Error,
    },
    /// The file has no bytes.
    #[error("the file is empty")]
    Empty,
    /// The signature of HDF5 is at none of the places where it may be.
    #[error("it is not an HDF5 file")]
    NotHdf5,
    /// The superblock says that a program has the file open to write.
    #[error("it is still being written, or the program that wrote it did not close it")]
    InUse,
    /// The superblock is corrupt; with the reason, if one is known.
    #[error("not a valid HDF5 file{}", reason(.0.as_deref()))]
    Invalid(Option<String>),
    /// The file ends before the place that the superblock names as its end.
    #[error("the file is truncated: {length} of {needed} bytes are there")]
    Truncated {
        /// Bytes there are.
        length: u64,
        /// Bytes there should be.
        needed: u64,
    },
    /// A group or dataset is corrupt, missing, or not of the kind that was asked for.
    #[error("`{path}`: {problem}")]
    Object {
        /// Path from the root, without leading slash.
        path: String,
        /// The problem, in words.
        problem: String,
    },
    /// A dataset has a filter that cannot be undone.
    #[error(
        "`{path}`: is compressed with the HDF5 filter {name} (id {id}), which is not supported"
    )]
    Filter {
        /// Path from the root, without leading slash.
        path: String,
        /// Name of the filter.
        name: String,
        /// Registered number of the filter.
        id: u16,
    },
    /// A link leads back to a group above it, or groups lie too deep to be real.
    #[error("`{path}`: {problem}")]
    Circle {
        /// Path of the link from the root, without leading slash.
        path: String,
        /// The problem, in words.
        problem: &'static str,
    },
    /// The file is stored in a way that `hdf5-pure` cannot extend in place; with its reason.
    #[error("unsupported in-place edit target: {0}")]
    NotInPlace(&'static str),
    /// No way to edit the file succeeded; with the reasons.
    #[error("nothing can be added to it as it is stored: {0}")]
    NotEdited(String),
}

impl Error {
    /// A problem of `file`.
    pub(crate) fn new(file: &Path, problem: Problem) -> Self {
        Self { file: file.to_path_buf(), problem }
    }

    /// A failure of the operating system at `file`.
    pub(crate) fn io(action: &'static str, file: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let file = file.to_path_buf();
        move |source| Self { file, problem: Problem::Io { action, source } }
    }

    /// A problem of the group or dataset `path` in `file`.
    pub(crate) fn object(file: &Path, path: &str, problem: impl fmt::Display) -> Self {
        let problem = problem.to_string();
        Self::new(file, Problem::Object { path: path.to_string(), problem })
    }
}

fn reason(found: Option<&str>) -> String {
    found.map_or_else(String::new, |found| format!(": {found}"))
}

/// The result of every function of this crate that can fail.
pub type Result<T> = std::result::Result<T, Error>;
