//! A file that is to be changed in place: locked against others, and seen to be what it was.

use std::fs::{self, File, Metadata, TryLockError};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::io::file::{io_error, open};

/// Times that a file is opened again which was replaced while it was being locked.
const TRIES: usize = 10;

/// A file that this process may replace. The lock goes with this, or with the process.
#[derive(Debug)]
pub struct Held {
    _file: File,
    path: PathBuf,
    seen: Seen,
}

/// What tells one state of a file from another without reading it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    length: u64,
    /// Device, node, seconds and nanoseconds of the last change.
    state: [i128; 4],
}

impl Seen {
    pub(crate) fn of(metadata: &Metadata) -> Self {
        Self { length: metadata.len(), state: state(metadata) }
    }

    /// Refuses to go on if the file at `path` is not as it was seen.
    ///
    /// # Errors
    /// [`Error::FileChanged`].
    pub(crate) fn check(&self, path: &Path) -> Result<()> {
        let now = fs::metadata(path).map_err(io_error("read", path))?;
        if Self::of(&now) == *self {
            return Ok(());
        }
        Err(Error::FileChanged { path: path.to_path_buf() })
    }
}

impl Held {
    /// Locks the file at `path`, if nobody has it open to write. Programs that only read it keep it:
    /// they go on with what they opened.
    ///
    /// # Errors
    /// [`Error::FileInUse`] if another process holds it; [`Error::Io`].
    pub fn take(path: &Path) -> Result<Self> {
        for _ in 0..TRIES {
            let (file, _) = open(path)?;
            // Elsewhere a lock would keep ourselves from reading.
            if cfg!(unix)
                && let Err(TryLockError::WouldBlock) = file.try_lock()
                && let Err(TryLockError::WouldBlock) = file.try_lock_shared()
            {
                return Err(Error::FileInUse { path: path.to_path_buf() });
            }
            // The lock is on what was opened; a finished copy may have taken its place since.
            let seen = Seen::of(&file.metadata().map_err(io_error("read", path))?);
            if seen.check(path).is_ok() {
                return Ok(Self { _file: file, path: path.to_path_buf(), seen });
            }
        }
        Err(Error::FileChanged { path: path.to_path_buf() })
    }

    /// Refuses to go on if the file is not as it was when it was taken.
    ///
    /// # Errors
    /// [`Error::FileChanged`].
    pub fn check(&self) -> Result<()> {
        self.seen.check(&self.path)
    }
}

#[cfg(unix)]
fn state(metadata: &Metadata) -> [i128; 4] {
    use std::os::unix::fs::MetadataExt;
    [
        i128::from(metadata.dev()),
        i128::from(metadata.ino()),
        i128::from(metadata.mtime()),
        i128::from(metadata.mtime_nsec()),
    ]
}

#[cfg(not(unix))]
fn state(metadata: &Metadata) -> [i128; 4] {
    let modified = metadata.modified().ok();
    let since = modified.and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
    let since = since.unwrap_or_default();
    [0, 0, i128::from(since.as_secs()), i128::from(since.subsec_nanos())]
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
