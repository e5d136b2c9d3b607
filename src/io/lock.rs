//! A lock for each folder of results, so that only one process writes to it.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::io::file::{io_error, read_text};
use crate::platform::files;

/// Number of attempts to open a lock file that its owner removes at the same moment.
const ATTEMPTS: usize = 100;

/// Largest number of bytes of a lock file, which contains the number of a process.
const LONGEST_NUMBER: u64 = 64;

/// The lock of a folder: no other sbcell process writes to the folder as long as this value lives.
///
/// The lock is held on the file `.NAME.sbcell-lock` beside the folder, which contains the number of the
/// process. The file is removed when this value is dropped. If the process dies, the kernel releases the
/// lock, and the remaining file locks nobody out. On file systems without locks there is no protection.
#[derive(Debug)]
pub struct FolderLock {
    folder: PathBuf,
    /// The locked file; `None` where no lock is possible.
    held: Option<LockFile>,
    /// Folders that were created for the lock file, the deepest first.
    made: Vec<PathBuf>,
}

/// An open and locked lock file.
#[derive(Debug)]
struct LockFile {
    path: PathBuf,
    _file: File,
}

impl PartialEq for FolderLock {
    fn eq(&self, other: &Self) -> bool {
        self.folder == other.folder
    }
}

impl FolderLock {
    /// Takes the lock of `folder`, which need not exist.
    ///
    /// # Errors
    /// [`Error::InUse`] if another process has the lock; [`Error::Io`] if the parent folder cannot be
    /// created.
    pub fn take(folder: &Path) -> Result<Self> {
        let real = real(folder);
        let (Some(parent), Some(name)) = (real.parent(), real.file_name()) else {
            return Ok(Self { folder: real, held: None, made: Vec::new() });
        };
        let missing = parent.ancestors().take_while(|folder| !folder.exists());
        let made: Vec<PathBuf> = missing.map(Path::to_path_buf).collect();
        fs::create_dir_all(parent).map_err(io_error("create", parent))?;
        let path = parent.join(format!(".{}.sbcell-lock", name.to_string_lossy()));
        let mut lock = Self { folder: real, held: None, made };
        for _ in 0..ATTEMPTS {
            // If no file can be created beside the folder, there is nothing to lock.
            let Ok(mut file) = open(&path) else { return Ok(lock) };
            match file.try_lock() {
                Ok(()) if files::is_at(&file, &path) => {
                    // The number is only for the error message of another process.
                    let _ = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
                    lock.held = Some(LockFile { path, _file: file });
                    return Ok(lock);
                }
                // The owner has removed the file after it was opened and before it was locked here.
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    let holder = read_text(&path, LONGEST_NUMBER).ok();
                    let holder = holder.and_then(|text| text.trim().parse().ok());
                    return Err(Error::InUse { path: folder.to_path_buf(), holder });
                }
                Err(TryLockError::Error(_)) => {
                    let _ = fs::remove_file(&path);
                    return Ok(lock);
                }
            }
        }
        Err(Error::InUse { path: folder.to_path_buf(), holder: None })
    }
}

impl Drop for FolderLock {
    fn drop(&mut self) {
        if let Some(held) = self.held.take() {
            // Removed while it is locked, so that a process that has opened it sees the removal.
            let _ = fs::remove_file(&held.path);
        }
        // Removes only folders that are still empty.
        self.made.iter().for_each(|folder| drop(fs::remove_dir(folder)));
    }
}

/// Opens or creates the lock file. A dangling link at `path` is not followed, so that no file is created
/// elsewhere.
fn open(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    match options.clone().create_new(true).open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => options.open(path),
        opened => opened,
    }
}

/// The absolute path without links. The last parts of `path` need not exist.
pub(crate) fn real(path: &Path) -> PathBuf {
    if let Ok(real) = path.canonicalize() {
        return real;
    }
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    match (absolute.parent(), absolute.file_name()) {
        (Some(parent), Some(name)) => real(parent).join(name),
        _ => absolute,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_refused_and_nothing_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("new/deep/out");
        let first = FolderLock::take(&out).unwrap();
        let refused = FolderLock::take(&folder.path().join("new/deep/../deep/out"));
        let Err(Error::InUse { holder, .. }) = refused else { panic!("{refused:?}") };
        assert_eq!(holder, Some(std::process::id()));
        drop(first);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_file_that_a_dead_process_left_locks_nobody_out() {
        let folder = tempfile::tempdir().unwrap();
        let left = folder.path().join(".out.sbcell-lock");
        fs::write(&left, "1\n").unwrap();
        let lock = FolderLock::take(&folder.path().join("out")).unwrap();
        assert_eq!(fs::read_to_string(&left).unwrap(), format!("{}\n", std::process::id()));
        drop(lock);
        assert!(!left.exists());
    }

    #[cfg(unix)]
    #[test]
    fn a_planted_link_is_not_written_through() {
        let folder = tempfile::tempdir().unwrap();
        let precious = folder.path().join("precious");
        fs::write(&precious, "keep").unwrap();
        std::os::unix::fs::symlink(&precious, folder.path().join(".out.sbcell-lock")).unwrap();
        let refused = FolderLock::take(&folder.path().join("out"));
        assert!(matches!(refused, Err(Error::InUse { .. })), "{refused:?}");
        assert_eq!(fs::read_to_string(&precious).unwrap(), "keep");
    }
}
