//! Temporary files and folders beside the file they become: random names, locked while their process lives.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use tempfile::{NamedTempFile, TempDir};

use crate::io::file::hex;

/// Bytes of a file's name that its temporary keeps. Names may have 255 bytes.
const MOST: usize = 150;

/// Random letters and digits at the end of a temporary name.
const N_RANDOM: usize = 10;

/// Times that a file is made again that another process took for abandoned.
const TRIES: usize = 10;

/// A file that goes when this goes, unless it has become what it is for.
#[derive(Debug)]
pub(super) struct Temporary(NamedTempFile);

impl Temporary {
    /// A new file in the folder of `path`, which must be there. Nothing that is there is opened or
    /// followed, and permissions are those of a file that is simply created.
    ///
    /// What dead processes left of earlier writes of `path` is removed: a temporary file is locked as
    /// long as its process lives (on Unix; where the file system knows no locks, such files stay).
    ///
    /// # Errors
    /// The system's.
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

    pub(super) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(super) fn file(&mut self) -> &mut File {
        self.0.as_file_mut()
    }

    /// Everything in the file to the disk, then its name, then the name to the disk. `ready` is asked
    /// last of all before the rename, with the folder locked, and may refuse it.
    ///
    /// # Errors
    /// The system's, or that of `ready`.
    pub(super) fn publish<E: From<io::Error>>(
        self,
        path: &Path,
        ready: impl FnOnce() -> Result<(), E>,
    ) -> Result<(), E> {
        File::open(self.path())?.sync_all()?;
        let folder = File::open(folder_of(path).unwrap_or(Path::new("."))).ok();
        // Where there are no locks, what is left of the race is the time of one rename.
        let _ = folder.as_ref().map(File::lock);
        ready()?;
        self.0.persist(path).map_err(|failed| failed.error)?;
        #[cfg(unix)]
        if let Some(folder) = folder {
            // A file system that cannot do this has renamed all the same.
            let _ = folder.sync_all();
        }
        Ok(())
    }
}

/// A folder beside a file, which goes with all that is in it when this goes.
#[derive(Debug)]
pub(super) struct TemporaryFolder {
    folder: TempDir,
    /// The folder, open and locked as long as this lives.
    lock: Option<File>,
    /// A folder within, for the files: what is put into it locks it for a moment.
    inner: PathBuf,
    /// Where it is.
    parent: PathBuf,
}

impl TemporaryFolder {
    /// A new folder in the folder of `path`, which must be there; as [`Temporary::beside`].
    ///
    /// # Errors
    /// The system's.
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

    fn new(parent: &Path, prefix: &str) -> io::Result<Self> {
        let folder =
            tempfile::Builder::new().prefix(prefix).rand_bytes(N_RANDOM).tempdir_in(parent)?;
        // Only Unix opens folders.
        let lock = File::open(folder.path()).ok().filter(locked);
        let inner = folder.path().join("new");
        match fs::create_dir(&inner) {
            // Taken for abandoned before it was locked.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            made => made?,
        }
        Ok(Self { folder, lock, inner, parent: parent.to_path_buf() })
    }

    /// Where the files are made.
    pub(super) fn path(&self) -> &Path {
        &self.inner
    }

    /// The names of what was moved out of it, to the disk.
    pub(super) fn settle(self) {
        drop(self.folder);
        if let Ok(parent) = File::open(&self.parent) {
            // A file system that cannot do this has renamed all the same.
            let _ = parent.sync_all();
        }
    }
}

/// `name`, or if it has more than `most` bytes its beginning and a hash of the whole.
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

/// A number in the name of a file: its shortest decimal, in powers of ten where that is long.
pub(crate) fn number_in_name(value: f64) -> String {
    const MOST: usize = 60;
    let plain = value.to_string();
    if plain.len() <= MOST { plain } else { format!("{value:e}") }
}

/// The folder that a path names, unless it is the one at work.
pub(super) fn folder_of(path: &Path) -> Option<&Path> {
    path.parent().filter(|folder| !folder.as_os_str().is_empty())
}

fn prefix_of(path: &Path) -> String {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
    format!(".{}.sbcell-", short_name(&name.unwrap_or_default(), MOST))
}

fn new(folder: &Path, prefix: &str) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(prefix).rand_bytes(N_RANDOM);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // The process's mask is taken off it, as for any new file.
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(folder)
}

/// Whether the lock is ours; waits for a process that looks whether the file is abandoned.
fn locked(file: &File) -> bool {
    cfg!(unix) && file.lock().is_ok()
}

fn is_at(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

/// Removes files and folders with such a name that no process holds.
fn remove_abandoned(folder: &Path, prefix: &str) {
    if !cfg!(unix) {
        return;
    }
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let random = name.to_str().and_then(|name| name.strip_prefix(prefix));
        // Digits alone are the names that 0.1.0 gave.
        let ours = random.is_some_and(|random| {
            let digits = random.bytes().all(|byte| byte.is_ascii_digit());
            let letters = random.bytes().all(|byte| byte.is_ascii_alphanumeric());
            !random.is_empty() && (digits || (letters && random.len() == N_RANDOM))
        });
        // Links and pipes are not ours, and to open them may not end.
        let found = fs::symlink_metadata(entry.path());
        if ours && found.is_ok_and(|found| found.is_file() || found.is_dir()) {
            remove_unlocked(&entry.path());
        }
    }
}

fn remove_unlocked(path: &Path) {
    let Ok(file) = File::open(path) else { return };
    if file.try_lock().is_ok() {
        // If it cannot be removed it is in nobody's way.
        let _ = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
