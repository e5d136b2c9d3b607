//! Temporary files and folders beside the file that they become, locked while their process lives.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use tempfile::{NamedTempFile, TempDir};

use crate::io::file::hex;
use crate::platform::files;

/// Largest number of bytes of a file name that the temporary name keeps. Names may have 255 bytes.
const MOST: usize = 150;

/// Number of random letters and digits at the end of a temporary name.
const N_RANDOM: usize = 10;

/// Number of attempts to create a file that another process removes as abandoned.
const TRIES: usize = 10;

/// A temporary file. It is removed when this value is dropped, unless it was published.
#[derive(Debug)]
pub(super) struct Temporary(NamedTempFile);

impl Temporary {
    /// Creates a new file in the folder of `path`, which must exist. No existing file is opened and no
    /// link is followed. Permissions are those of any new file.
    ///
    /// Temporary files for `path` that dead processes have left are removed. They are recognised by
    /// their missing lock: a temporary file is locked as long as its process lives. This needs Unix
    /// and a file system with locks; elsewhere such files stay.
    ///
    /// # Errors
    /// The error of the system.
    pub(super) fn beside(path: &Path) -> io::Result<Self> {
        let folder = folder_of(path).unwrap_or(Path::new("."));
        let prefix = prefix_of(path);
        remove_abandoned(folder, &prefix);
        let mut made = Self(new(folder, &prefix)?);
        let mut tries = 0;
        while tries < TRIES && locked(made.0.as_file()) && !is_at(made.0.path()) {
            made = Self(new(folder, &prefix)?);
            tries += 1;
        }
        Ok(made)
    }

    /// Path of the temporary file.
    pub(super) fn path(&self) -> &Path {
        self.0.path()
    }

    /// The open file.
    pub(super) fn file(&mut self) -> &mut File {
        self.0.as_file_mut()
    }

    /// Writes the content to the disk, renames the file to `path` and writes the folder to the disk.
    /// `ready` is called directly before the rename, with the folder locked, and can prevent it.
    ///
    /// # Errors
    /// The error of the system, or that of `ready`.
    pub(super) fn publish<E: From<io::Error>>(
        self,
        path: &Path,
        ready: impl FnOnce() -> Result<(), E>,
    ) -> Result<(), E> {
        File::open(self.path())?.sync_all()?;
        let folder = File::open(folder_of(path).unwrap_or(Path::new("."))).ok();
        // Without locks, another process can interfere only during the rename.
        let _ = folder.as_ref().map(File::lock);
        ready()?;
        self.0.persist(path).map_err(|failed| failed.error)?;
        // An error is ignored: the file is renamed even if the folder cannot be synchronised.
        let _ = folder.as_ref().map(files::synchronise_folder);
        Ok(())
    }
}

/// A temporary folder. It is removed with its content when this value is dropped.
#[derive(Debug)]
pub(super) struct TemporaryFolder {
    folder: TempDir,
    /// The open folder, locked as long as this value lives; `None` without locks.
    lock: Option<File>,
    /// A subfolder for the files. Publishing a file locks its folder for a moment, which would
    /// conflict with `lock`.
    inner: PathBuf,
    /// The folder that contains the temporary folder.
    parent: PathBuf,
}

impl TemporaryFolder {
    /// Creates a new folder in the folder of `path`, which must exist. Abandoned files are removed as in
    /// [`Temporary::beside`].
    ///
    /// # Errors
    /// The error of the system.
    pub(super) fn beside(path: &Path) -> io::Result<Self> {
        let parent = folder_of(path).unwrap_or(Path::new("."));
        let prefix = prefix_of(path);
        remove_abandoned(parent, &prefix);
        let mut made = Self::new(parent, &prefix)?;
        let mut tries = 0;
        while tries < TRIES && made.lock.is_some() && !is_at(&made.inner) {
            made = Self::new(parent, &prefix)?;
            tries += 1;
        }
        Ok(made)
    }

    /// Creates and locks a folder with a random name.
    fn new(parent: &Path, prefix: &str) -> io::Result<Self> {
        let made = tempfile::Builder::new().prefix(prefix).rand_bytes(N_RANDOM).tempdir_in(parent);
        let folder = made.map_err(without_temporary_name)?;
        // Folders can be opened only on Unix.
        let lock = File::open(folder.path()).ok().filter(locked);
        let inner = folder.path().join("new");
        match fs::create_dir(&inner) {
            // Another process has removed the folder as abandoned before it was locked.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            made => made?,
        }
        Ok(Self { folder, lock, inner, parent: parent.to_path_buf() })
    }

    /// Path of the subfolder for the files.
    pub(super) fn path(&self) -> &Path {
        &self.inner
    }

    /// Removes the folder and writes the parent folder, into which files were moved, to the disk.
    pub(super) fn settle(self) {
        drop(self.folder);
        if let Ok(parent) = File::open(&self.parent) {
            // An error is ignored: the file is renamed even if the folder cannot be synchronised.
            let _ = files::synchronise_folder(&parent);
        }
    }
}

/// `name` if it has at most `most` bytes; otherwise its beginning and a hash of the whole name.
pub(crate) fn short_name(name: &str, most: usize) -> String {
    const N_HASH: usize = 16;
    if name.len() <= most {
        return name.to_string();
    }
    let mut end = most.saturating_sub(N_HASH + 1);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    let hash = hex(&Sha256::digest(name));
    format!("{}~{}", &name[..end], &hash[..N_HASH])
}

/// A number for the name of a file: its shortest decimal, in scientific notation if that is long.
pub(crate) fn number_in_name(value: f64) -> String {
    const MOST: usize = 60;
    let plain = value.to_string();
    if plain.len() <= MOST { plain } else { format!("{value:e}") }
}

/// The folder of a path; `None` for the working directory.
pub(super) fn folder_of(path: &Path) -> Option<&Path> {
    path.parent().filter(|folder| !folder.as_os_str().is_empty())
}

/// Prefix of the temporary names for `path`.
fn prefix_of(path: &Path) -> String {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
    format!(".{}.sbcell-", short_name(&name.unwrap_or_default(), MOST))
}

/// Creates a file with a random name.
fn new(folder: &Path, prefix: &str) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(prefix).rand_bytes(N_RANDOM);
    if let Some(permissions) = files::permissions_of_new_files() {
        builder.permissions(permissions);
    }
    builder.tempfile_in(folder).map_err(without_temporary_name)
}

/// The error of the system without the random name that a crate for temporary files adds to its text.
///
/// Its kind stays. The caller adds the name of the file that was to be written.
#[doc(hidden)]
pub fn without_temporary_name(error: io::Error) -> io::Error {
    let text = error.to_string();
    match text.rsplit_once(" at path ") {
        Some((before, _)) => io::Error::new(error.kind(), before.to_string()),
        None => error,
    }
}

/// Locks the file. Waits for a process that tests whether the file is abandoned. False without locks.
fn locked(file: &File) -> bool {
    files::LOCKS_ARE_ADVICE && file.lock().is_ok()
}

/// Whether `path` exists, without following a link.
fn is_at(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

/// Removes the files and folders with this prefix and a random ending that no process has locked.
fn remove_abandoned(folder: &Path, prefix: &str) {
    if !files::LOCKS_ARE_ADVICE {
        return;
    }
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let random = name.to_str().and_then(|name| name.strip_prefix(prefix));
        // Version 0.1.0 used digits only.
        let ours = random.is_some_and(|random| {
            let digits = random.bytes().all(|byte| byte.is_ascii_digit());
            let letters = random.bytes().all(|byte| byte.is_ascii_alphanumeric());
            !random.is_empty() && (digits || (letters && random.len() == N_RANDOM))
        });
        // Links and pipes are foreign, and opening a pipe can block.
        let found = fs::symlink_metadata(entry.path());
        if ours && found.is_ok_and(|found| found.is_file() || found.is_dir()) {
            remove_unlocked(&entry.path());
        }
    }
}

/// Removes a file or folder unless a process has locked it.
fn remove_unlocked(path: &Path) {
    let Ok(file) = File::open(path) else { return };
    if file.try_lock().is_ok() {
        // An error is ignored: a file that stays does no harm.
        let _ = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_name_no_temporary_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("missing/a.csv");
        let made = [
            Temporary::beside(&path).map(drop).unwrap_err(),
            TemporaryFolder::beside(&path).map(drop).unwrap_err(),
        ];
        for error in made {
            assert_eq!(error.kind(), io::ErrorKind::NotFound);
            let text = error.to_string();
            assert!(!text.contains("sbcell-") && !text.contains("at path"), "{text}");
        }
    }

    #[test]
    fn long_names_and_odd_numbers_fit_into_a_name() {
        let long = "é".repeat(120);
        let name = short_name(&long, MOST);
        assert!(name.len() <= MOST && name.starts_with('é'), "{name}");
        assert_ne!(name, short_name(&"é".repeat(121), MOST));
        assert_eq!(short_name("a.csv", MOST), "a.csv");
        assert_eq!(number_in_name(0.1 + 0.2), "0.30000000000000004");
        assert_eq!(number_in_name(36.0), "36");
        assert_eq!(number_in_name(1e300), "1e300");
        assert_eq!(number_in_name(1e300).parse::<f64>().unwrap().to_bits(), 1e300_f64.to_bits());
    }
}
