//! Hashes of files, each computed once.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::error::Result;
use crate::io::file;
use crate::io::h5ad::DataFiles;
use crate::io::hashed::Hashed;
use crate::progress::Progress;

/// The hashes that were computed so far, by the real path of each file.
#[derive(Debug, Default)]
pub(super) struct Hashes(BTreeMap<PathBuf, String>);

impl Hashes {
    /// SHA-256 of the file at `path`.
    ///
    /// # Errors
    /// As [`file::sha256`].
    pub(super) fn of(&mut self, path: &Path, progress: &mut dyn Progress) -> Result<String> {
        let real = real(path);
        if let Some(hash) = self.0.get(&real) {
            return Ok(hash.clone());
        }
        let hash = file::sha256(path, progress)?;
        self.0.insert(real, hash.clone());
        Ok(hash)
    }

    /// The hash of the course in several files for which `path` stands; `None` if it cannot be found any more.
    ///
    /// # Errors
    /// As [`file::sha256`].
    pub(super) fn of_course(
        &mut self,
        path: &Path,
        progress: &mut dyn Progress,
    ) -> Result<Option<String>> {
        // A file of the list may be missing; the record names it too.
        let Ok(data) = DataFiles::find(path) else { return Ok(None) };
        let hashed = Hashed::with(&data, |path| self.of(path, progress))?;
        Ok(Some(hashed.sha256))
    }
}

/// The path without links, or the path itself if there is no file.
pub(super) fn real(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_path_buf())
}
