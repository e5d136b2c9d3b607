//! Converts errors of [`sbcell_hdf5`] to errors of sbcell, with a hint for users of `.h5ad` files.

use std::fmt::Display;
use std::path::Path;

use sbcell_hdf5::{Dataset, File, Group, Problem};

use crate::error::Error;
use crate::io::h5ad::mistaken;
use crate::io::missing;

impl From<sbcell_hdf5::Error> for Error {
    fn from(error: sbcell_hdf5::Error) -> Self {
        let sbcell_hdf5::Error { file: path, problem } = error;
        let words = problem.to_string();
        let (problem, way_out) = match problem {
            Problem::Io { action: "read", source } => return missing::or(source, &path),
            Problem::Io { action, source } => return Self::Io { action, path, source },
            Problem::NotHdf5 => {
                (format!("{words}, as every `.h5ad` is"), Some(written_by_anndata().into()))
            }
            Problem::InUse => {
                let way_out = "if no program has it open, clear the mark with `h5clear -s`";
                (words, Some(way_out.into()))
            }
            Problem::Invalid(_) | Problem::Truncated { .. } => (words, Some(again(&path))),
            Problem::Filter { .. } => (words, Some(with_gzip().into())),
            Problem::Circle { .. } => {
                (words, Some(format!("remove this link, or {}", written_by_anndata())))
            }
            Problem::NotEdited(_) => (words, Some(rewritten_by_anndata().into())),
            _ => (words, None),
        };
        Self::Unreadable { path, problem, way_out }
    }
}

fn written_by_anndata() -> &'static str {
    "write the data with anndata's `write_h5ad`"
}

fn with_gzip() -> &'static str {
    "rewrite it with gzip, where it can be read: \
     `anndata.read_h5ad(\"in.h5ad\").write_h5ad(\"out.h5ad\", compression=\"gzip\")`"
}

fn rewritten_by_anndata() -> &'static str {
    "rewrite it once with anndata, `anndata.read_h5ad(FILE).write_h5ad(NEW)`, and give the new file"
}

/// The hint for a truncated file.
fn again(path: &Path) -> String {
    mistaken::unfinished(path).unwrap_or_else(|| "copy or download the file again".into())
}

/// The error for an object that cannot be read.
pub(super) trait Refuse {
    /// An [`Error::Unreadable`] about this object.
    fn unreadable(&self, problem: impl Display) -> Error;
}

impl Refuse for Group {
    fn unreadable(&self, problem: impl Display) -> Error {
        self.error(problem).into()
    }
}

impl Refuse for Dataset {
    fn unreadable(&self, problem: impl Display) -> Error {
        self.error(problem).into()
    }
}

/// An [`Error::Unreadable`] about what should be at `path` in `file`.
pub(super) fn unreadable_at(file: &File, path: &str, problem: impl Display) -> Error {
    file.error(path, problem).into()
}

/// An [`Error::Unreadable`] about a file to which nothing can be added.
pub(super) fn not_edited(file: &Path, why: &str) -> Error {
    let problem = Problem::NotEdited(why.to_string());
    sbcell_hdf5::Error { file: file.to_path_buf(), problem }.into()
}
