//! The only place that opens files: errors name the path, writing is all or nothing.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::error::{Error, Result};

/// Opens a file to read; with its length in bytes.
///
/// # Errors
/// [`Error::Io`] if it cannot be opened; [`Error::Unreadable`] if it is a folder.
pub fn open(path: &Path) -> Result<(File, u64)> {
    let failed = |source| Error::Io { action: "read", path: path.to_path_buf(), source };
    let file = File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if metadata.is_dir() {
        let problem = "it is a folder, not a file".to_string();
        return Err(Error::Unreadable { path: path.to_path_buf(), problem, way_out: None });
    }
    Ok((file, metadata.len()))
}

/// The whole file as text.
///
/// # Errors
/// [`Error::Io`] if it cannot be read; [`Error::Unreadable`] if it is not UTF-8.
pub fn read_text(path: &Path) -> Result<String> {
    let (mut file, length) = open(path)?;
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or(0).min(1 << 30));
    file.read_to_end(&mut bytes).map_err(|source| Error::Io {
        action: "read",
        path: path.to_path_buf(),
        source,
    })?;
    String::from_utf8(bytes).map_err(|_| Error::Unreadable {
        path: path.to_path_buf(),
        problem: "it is not text in UTF-8".into(),
        way_out: None,
    })
}

/// Replaces the file at `path` in one step.
///
/// `write` writes to `.NAME.tmp-PID` in the same folder; only if it succeeds and the bytes are on
/// disk is that file renamed to `path`. Otherwise it is removed and what was at `path` stays.
///
/// # Errors
/// [`Error::Io`] if the file cannot be created, written or renamed; whatever `write` returns.
pub fn replace(path: &Path, write: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<()> {
    let failed = |action: &'static str, path: &Path| {
        let path = path.to_path_buf();
        move |source| Error::Io { action, path, source }
    };
    let temporary = Temporary::beside(path)?;
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .open(&temporary.path)
        .map_err(failed("create", path))?;
    let mut writer = BufWriter::with_capacity(1 << 18, file);
    write(&mut writer)?;
    writer.flush().map_err(failed("write", path))?;
    writer.get_ref().sync_all().map_err(failed("write", path))?;
    drop(writer);
    fs::rename(&temporary.path, path).map_err(failed("rename to", path))
}

/// Turns a failed write inside [`replace`] into an [`Error::Io`] that names the path.
pub fn write_failed(path: &Path) -> impl Fn(io::Error) -> Error + '_ {
    |source| Error::Io { action: "write", path: path.to_path_buf(), source }
}

/// SHA-256 of the file's bytes, in hexadecimal.
///
/// # Errors
/// [`Error::Io`] if it cannot be read.
pub fn sha256(path: &Path) -> Result<String> {
    let failed = |source| Error::Io { action: "read", path: path.to_path_buf(), source };
    let (mut file, _) = open(path)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 18];
    loop {
        let n = file.read(&mut buffer).map_err(failed)?;
        if n == 0 {
            break;
        }
        hash.update(&buffer[..n]);
    }
    let digits = |byte: &u8| [byte >> 4, byte & 15];
    let hex = |digit| char::from_digit(u32::from(digit), 16).unwrap_or('0');
    Ok(hash.finalize().iter().flat_map(digits).map(hex).collect())
}

/// Fills `buffer` with the bytes at `offset`, without moving a shared position on Unix.
///
/// # Errors
/// The system's, or `UnexpectedEof` if the file ends before.
#[cfg(unix)]
pub(crate) fn read_exact_at(file: &File, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, buffer, offset)
}

/// Fills `buffer` with the bytes at `offset`.
///
/// # Errors
/// The system's, or `UnexpectedEof` if the file ends before.
#[cfg(windows)]
pub(crate) fn read_exact_at(file: &File, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
    use std::os::windows::fs::FileExt;
    let mut done = 0;
    while done < buffer.len() {
        match file.seek_read(&mut buffer[done..], offset + done as u64)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            n => done += n,
        }
    }
    Ok(())
}

/// A file being written, removed unless it was renamed.
struct Temporary {
    path: PathBuf,
}

impl Temporary {
    fn beside(path: &Path) -> Result<Self> {
        let Some(name) = path.file_name() else {
            let source = io::Error::new(io::ErrorKind::InvalidInput, "it names no file");
            return Err(Error::Io { action: "write", path: path.to_path_buf(), source });
        };
        let name = format!(".{}.tmp-{}", name.to_string_lossy(), std::process::id());
        Ok(Self { path: path.with_file_name(name) })
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // After the rename there is nothing left to remove, and that is no failure.
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn replaces_all_or_nothing_and_leaves_no_temporary_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("edges.csv");
        replace(&path, |writer| writer.write_all(b"old").map_err(write_failed(&path))).unwrap();
        let stop = replace(&path, |writer| {
            writer.write_all(b"half of the new").map_err(write_failed(&path))?;
            Err(Error::Cancelled)
        });
        assert!(matches!(stop, Err(Error::Cancelled)));
        assert_eq!(fs::read(&path).unwrap(), b"old");
        replace(&path, |writer| writer.write_all(b"new").map_err(write_failed(&path))).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(names(folder.path()), ["edges.csv"]);
    }

    #[test]
    fn errors_name_the_path() {
        let nowhere = Path::new("no/such/folder/edges.csv");
        let message = replace(nowhere, |_| Ok(())).unwrap_err().to_string();
        assert!(message.contains("cannot create `no/such/folder/edges.csv`"), "{message}");
        let message = open(nowhere).unwrap_err().to_string();
        assert!(message.contains("cannot read `no/such/folder/edges.csv`"), "{message}");
    }

    #[test]
    fn sha256_is_the_standard_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("abc");
        fs::write(&path, b"abc").unwrap();
        // The example of FIPS 180-4.
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256(&path).unwrap(), expected);
    }
}
