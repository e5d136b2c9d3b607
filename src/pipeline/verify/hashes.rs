//! Hashes of files, each computed once.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::error::Result;
use crate::io::file;
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
}

/// The path without links, or the path itself if there is no file.
pub(super) fn real(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_path_buf())
}
