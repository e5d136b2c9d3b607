//! A file that is edited in place: locked against other processes, and checked for changes.

use std::fs::{self, File, Metadata, TryLockError};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::io::file::{io_error, open};
use crate::platform::files::{self, Changes};

/// Number of attempts to lock a file that is replaced at the same moment.
const TRIES: usize = 10;

/// A locked file that this process may replace. The lock ends when this is dropped or the process ends.
#[derive(Debug)]
pub(crate) struct Held {
    _file: File,
    path: PathBuf,
    seen: Seen,
}

/// State of a file by its metadata: it changes with the content, and no content is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    length: u64,
    /// Device and number of the file, where there are such.
    number: Option<(u64, u64)>,
    /// Seconds and nanoseconds of the last change of the content.
    modified: (i64, i64),
}

impl Seen {
    /// The state that `metadata` describes.
    pub(crate) fn of(metadata: &Metadata) -> Self {
        let modified = Changes::of(metadata).modified;
        Self { length: metadata.len(), number: files::number(metadata), modified }
    }

    /// Checks that the file at `path` still has this state.
    ///
    /// # Errors
    /// [`Error::FileChanged`] if it has not.
    pub(crate) fn check(&self, path: &Path) -> Result<()> {
        let now = fs::metadata(path).map_err(io_error("read", path))?;
        if Self::of(&now) == *self {
            return Ok(());
        }
        Err(Error::FileChanged { path: path.to_path_buf() })
    }
}

impl Held {
    /// Locks the file at `path`. Processes that only read the file do not prevent the lock; they
    /// continue to read the old content after the file is replaced.
    ///
    /// # Errors
    /// [`Error::FileInUse`] if another process has locked it for writing; [`Error::FileChanged`] if it is
    /// replaced again and again; [`Error::Io`].
    pub(crate) fn take(path: &Path) -> Result<Self> {
        for _ in 0..TRIES {
            let (file, _) = open(path)?;
            // On other systems a lock would prevent this process from reading the file.
            if files::LOCKS_ARE_ADVICE
                && let Err(TryLockError::WouldBlock) = file.try_lock()
                && let Err(TryLockError::WouldBlock) = file.try_lock_shared()
            {
                return Err(Error::FileInUse { path: path.to_path_buf() });
            }
            // The opened file may have been replaced before it was locked.
            let seen = Seen::of(&file.metadata().map_err(io_error("read", path))?);
            if seen.check(path).is_ok() {
                return Ok(Self { _file: file, path: path.to_path_buf(), seen });
            }
        }
        Err(Error::FileChanged { path: path.to_path_buf() })
    }

    /// Checks that the file has not changed since it was locked.
    ///
    /// # Errors
    /// [`Error::FileChanged`] if it has.
    pub(crate) fn check(&self) -> Result<()> {
        self.seen.check(&self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_process_holds_a_file_and_sees_that_it_was_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.h5ad");
        fs::write(&path, "old").unwrap();
        let held = Held::take(&path).unwrap();
        if cfg!(unix) {
            assert!(matches!(Held::take(&path), Err(Error::FileInUse { .. })));
        }
        held.check().unwrap();
        fs::write(folder.path().join("b"), "new").unwrap();
        fs::rename(folder.path().join("b"), &path).unwrap();
        assert!(matches!(held.check(), Err(Error::FileChanged { .. })));
        // The new file is not locked.
        Held::take(&path).unwrap();
    }

    #[test]
    fn one_who_only_reads_is_in_nobodys_way() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.h5ad");
        fs::write(&path, "old").unwrap();
        let reader = File::open(&path).unwrap();
        reader.lock_shared().unwrap();
        Held::take(&path).unwrap().check().unwrap();
    }
}
