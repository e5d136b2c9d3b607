//! Files opened with errors that name them, and replaced whole or not at all.

use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::progress::{Event, Progress, report};

/// Bytes read at once.
const BLOCK: usize = 1 << 20;

/// Turns a system error into one that names the file.
pub(crate) fn io_error(
    action: &'static str,
    path: &Path,
) -> impl FnOnce(std::io::Error) -> Error + use<> {
    let path = path.to_path_buf();
    move |source| Error::Io { action, path, source }
}

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

/// Creates a folder and its parents.
///
/// # Errors
/// [`Error::Io`] with the path.
pub fn create_folder(path: &Path) -> Result<()> {
    fs::create_dir_all(path).map_err(io_error("create", path))
}

/// Writes a file under a temporary name beside `path`, then renames it: `path` holds the old
/// content or the new, never a part. The temporary file is removed if anything fails.
///
/// # Errors
/// [`Error::Io`] with the path.
pub fn replace(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> std::io::Result<()>,
) -> Result<()> {
    replace_at(path, |temporary| {
        let mut writer = BufWriter::new(File::create(temporary).map_err(io_error("create", path))?);
        write(&mut writer).map_err(io_error("write", path))?;
        writer.flush().map_err(io_error("write", path))
    })
}

/// As [`replace`], for writers that want a path: `write` makes the file it is given.
///
/// # Errors
/// [`Error::Io`] with the path, or the error of `write`.
pub fn replace_at(path: &Path, write: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        create_folder(folder)?;
    }
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
    let name = name.unwrap_or_default();
    let temporary = Temporary(path.with_file_name(format!(".{name}.tmp-{}", std::process::id())));
    write(&temporary.0)?;
    let written = File::open(&temporary.0).map_err(io_error("write", path))?;
    written.sync_all().map_err(io_error("write", path))?;
    fs::rename(&temporary.0, path).map_err(io_error("replace", path))
}

/// SHA-256 of a file as lower-case hexadecimal. Reads it once, 1 MiB in memory.
///
/// # Errors
/// [`Error::Io`] with the path; [`Error::Cancelled`].
pub fn sha256(path: &Path, progress: &mut dyn Progress) -> Result<String> {
    let (mut file, length) = open(path)?;
    let mut hash = Sha256::new();
    let mut block = vec![0_u8; BLOCK];
    let what = "checking which file it is".to_string();
    report(progress, Event::Begin { what, total: length.div_ceil(BLOCK as u64) })?;
    for done in 1.. {
        let n = file.read(&mut block).map_err(io_error("read", path))?;
        if n == 0 {
            break;
        }
        hash.update(&block[..n]);
        report(progress, Event::Step { done })?;
    }
    report(progress, Event::End)?;
    Ok(hex(&hash.finalize()))
}

/// Bytes as lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(hex_digit).collect()
}

fn hex_digit(half: u8) -> char {
    char::from_digit(u32::from(half), 16).unwrap_or('0')
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

/// A file that goes when this goes.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        // After the rename there is nothing to remove; before it, nobody to tell.
        let _ = fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Silent;

    #[test]
    fn a_failed_write_leaves_the_old_content_and_no_trace() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/a.txt");
        replace(&path, |writer| writer.write_all(b"first")).unwrap();
        let failed = replace(&path, |writer| {
            writer.write_all(b"second")?;
            Err(std::io::Error::other("disk on fire"))
        });
        let message = failed.unwrap_err().to_string();
        assert!(message.contains("a.txt") && message.contains("disk on fire"));
        assert_eq!(read_text(&path).unwrap(), "first");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn hashes_as_sha256_does() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("abc");
        fs::write(&path, "abc").unwrap();
        assert_eq!(
            sha256(&path, &mut Silent).unwrap(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert!(open(&folder.path().join("none")).unwrap_err().to_string().contains("none"));
    }
}
