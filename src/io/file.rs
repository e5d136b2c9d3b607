//! Opening files with errors that name them, and replacing files as a whole.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::error::{Error, Result, bytes_in_words};
use crate::io::held::Seen;
use crate::io::output::{same_file, stream_of};
use crate::io::temporary::{Temporary, folder_of};
use crate::io::{content, missing};
use crate::progress::{Event, Progress, report};

/// Number of bytes that are read at once.
const BLOCK: usize = 1 << 20;

/// Converts a system error into one that names the file and the attempted `action`, such as `read`.
pub(crate) fn io_error(
    action: &'static str,
    path: &Path,
) -> impl FnOnce(std::io::Error) -> Error + use<> {
    let path = path.to_path_buf();
    move |source| Error::Io { action, path, source }
}

/// Opens a file for reading. Also returns its length in bytes.
///
/// # Errors
/// [`Error::NoFile`] if there is none; [`Error::Io`] if it cannot be opened; [`Error::Unreadable`] if it
/// is a folder or a web address.
pub(crate) fn open(path: &Path) -> Result<(File, u64)> {
    let failed = |source| missing::or(source, path);
    let file = File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if metadata.is_dir() {
        let problem = "it is a folder, not a file".to_string();
        return Err(Error::Unreadable { path: path.to_path_buf(), problem, way_out: None });
    }
    Ok((file, metadata.len()))
}

/// Largest number of bytes that are read from a pipe or device, which may have no end.
pub(super) const LONGEST_STREAM: usize = 1 << 28;

/// Reads a file of at most `most` bytes.
///
/// # Errors
/// [`Error::Io`] if it cannot be read; [`Error::Unreadable`] if it is longer, or if it is a pipe or
/// device with more than 256 MB.
pub(crate) fn read_bytes(path: &Path, most: u64) -> Result<Vec<u8>> {
    let (file, length) = open(path)?;
    let ends = file.metadata().is_ok_and(|metadata| metadata.is_file());
    let most = if ends { most } else { most.min(LONGEST_STREAM as u64) };
    let longer = || {
        let most = bytes_in_words(most as f64);
        let problem = format!("it has more than the {most} that a file of its kind can have");
        Error::Unreadable { path: path.to_path_buf(), problem, way_out: None }
    };
    if length > most {
        return Err(longer());
    }
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or(0).min(1 << 30));
    let read = file.take(most.saturating_add(1)).read_to_end(&mut bytes);
    read.map_err(io_error("read", path))?;
    if bytes.len() as u64 > most { Err(longer()) } else { Ok(bytes) }
}

/// Reads a text file of at most `most` bytes.
///
/// # Errors
/// As [`read_bytes`]; [`Error::Unreadable`] if it is not UTF-8.
pub(crate) fn read_text(path: &Path, most: u64) -> Result<String> {
    let bytes = read_bytes(path, most)?;
    content::check_text(path, &bytes)?;
    String::from_utf8(bytes).map_err(|_| Error::Unreadable {
        path: path.to_path_buf(),
        problem: "it is not text in UTF-8".into(),
        way_out: None,
    })
}

/// A valid file name for any text. Letters, digits, `-`, `_` and `.` stay, other characters become `_`.
/// The name has at most 60 bytes and does not begin with a dot or a dash. If something was changed, a
/// hash of the text is appended, so that different texts have different names.
pub(crate) fn safe_name(text: &str) -> String {
    const LONGEST: usize = 60;
    let plain = |c: char| c.is_alphanumeric() || "-_.".contains(c);
    let mut name: String = text.chars().map(|c| if plain(c) { c } else { '_' }).collect();
    if name.starts_with(['.', '-']) {
        name.replace_range(..1, "_");
    }
    if name.len() > LONGEST {
        let end = (0..=LONGEST).rev().find(|&end| name.is_char_boundary(end)).unwrap_or(0);
        name.truncate(end);
    }
    if name == text && !name.is_empty() {
        return name;
    }
    if name.is_empty() {
        name.push('_');
    }
    format!("{name}-{}", &hex(&Sha256::digest(text.as_bytes()))[..8])
}

/// Paths of the entries of a folder, in order.
///
/// # Errors
/// [`Error::NoFile`] if there is none; [`Error::Io`] if it cannot be read.
pub(crate) fn folder_entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let failed = |source| missing::or(source, folder);
    let entries = fs::read_dir(folder).map_err(failed)?;
    let mut found: Vec<PathBuf> =
        entries.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>().map_err(failed)?;
    found.sort();
    Ok(found)
}

/// Creates a folder and its parents.
///
/// # Errors
/// [`Error::Io`] with the path.
pub(crate) fn create_folder(path: &Path) -> Result<()> {
    fs::create_dir_all(path).map_err(io_error("create", path))
}

/// Replaces the file at `path` by the output of `write`. The file is written under a temporary name and
/// then renamed, so that `path` contains the old or the new content at any moment. The temporary file
/// is removed if anything fails. Standard output (`-`), devices and pipes are written to directly.
///
/// # Errors
/// [`Error::Io`] with the path.
pub fn replace(
    path: &Path,
    write: impl FnOnce(&mut (dyn Write + Send)) -> std::io::Result<()>,
) -> Result<()> {
    if let Some(stream) = stream_of(path) {
        // Standard output may be a file that already holds something.
        let opened = OpenOptions::new().append(true).open(stream);
        let mut writer = BufWriter::new(opened.map_err(io_error("write", path))?);
        return match write(&mut writer).and_then(|()| writer.flush()) {
            // The reader has closed the pipe, as `head` does. This is no error.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            done => done.map_err(io_error("write", path)),
        };
    }
    if let Some(folder) = folder_of(path) {
        create_folder(folder)?;
    }
    let mut temporary = Temporary::beside(path).map_err(io_error("create", path))?;
    let mut writer = BufWriter::new(temporary.file());
    write(&mut writer).map_err(io_error("write", path))?;
    writer.flush().map_err(io_error("write", path))?;
    drop(writer);
    temporary.publish(path, || Ok(())).map_err(io_error("replace", path))
}

/// Replaces the file at `path` by an edited copy of `source`. The copy is made beside `path`, changed by
/// `edit` and renamed, so that `path` is the old or the edited file at any moment, also after a crash.
/// `source` and `path` may be the same file; it must not change during the copy.
///
/// # Errors
/// [`Error::Io`] with the path, or the error of `edit`; [`Error::FileChanged`] if the file changed during
/// the copy; [`Error::Parameter`] if `path` is a device, a pipe or standard output.
pub fn replace_by_copy(
    source: &Path,
    path: &Path,
    edit: impl FnOnce(&Path) -> Result<()>,
) -> Result<()> {
    if stream_of(path).is_some() {
        let must = "a file: an `.h5ad` cannot be edited in a device, a pipe or on standard output";
        return Err(Error::Parameter { name: "out", must, got: path.display().to_string() });
    }
    if let Some(folder) = folder_of(path) {
        create_folder(folder)?;
    }
    let (mut from, _) = open(source)?;
    let seen = Seen::of(&from.metadata().map_err(io_error("read", source))?);
    let in_place = same_file(source, path);
    let mut temporary = Temporary::beside(path).map_err(io_error("create", path))?;
    io::copy(&mut from, temporary.file()).map_err(io_error("copy", source))?;
    edit(temporary.path()).map_err(|error| error.moved(temporary.path(), path))?;
    if let Ok(old) = fs::metadata(path) {
        fs::set_permissions(temporary.path(), old.permissions())
            .map_err(io_error("write", path))?;
    }
    let ready = || {
        if in_place {
            seen.check(path).map_err(|error| Stopped::By(Box::new(error)))
        } else {
            Ok(())
        }
    };
    temporary.publish(path, ready).map_err(|stopped| match stopped {
        Stopped::By(error) => *error,
        Stopped::System(source) => io_error("replace", path)(source),
    })
}

/// Reason why a copy was not renamed: an error of the library or of the system.
enum Stopped {
    By(Box<Error>),
    System(io::Error),
}

impl From<io::Error> for Stopped {
    fn from(error: io::Error) -> Self {
        Self::System(error)
    }
}

/// Overwrites the content of the file `target` with that of `source`. The file itself (its inode)
/// stays.
///
/// # Errors
/// [`Error::Io`] with the path.
pub(crate) fn copy_into(source: &Path, target: &Path) -> Result<()> {
    let (mut from, _) = open(source)?;
    let to = OpenOptions::new().write(true).truncate(true).open(target);
    let mut to = to.map_err(io_error("write", target))?;
    io::copy(&mut from, &mut to).map(|_| ()).map_err(io_error("copy", source))
}

/// SHA-256 of a file in lower-case hexadecimal. Reads the file once, with 1 MiB of memory.
///
/// # Errors
/// [`Error::Io`] with the path; [`Error::Cancelled`].
pub fn sha256(path: &Path, progress: &mut dyn Progress) -> Result<String> {
    let (mut file, length) = open(path)?;
    let mut hash = Sha256::new();
    let mut block = vec![0_u8; BLOCK];
    let what = "computing the hash of the file".to_string();
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

/// SHA-256 of bytes in lower-case hexadecimal.
#[doc(hidden)]
pub fn sha256_of(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Bytes in lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(hex_digit).collect()
}

fn hex_digit(half: u8) -> char {
    char::from_digit(u32::from(half), 16).unwrap_or('0')
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
        assert_eq!(read_text(&path, 99).unwrap(), "first");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn an_edit_is_of_a_copy_and_clears_what_the_dead_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.h5ad");
        fs::write(&path, "old").unwrap();
        let left = folder.path().join(".a.h5ad.sbcell-1");
        fs::write(&left, "half").unwrap();
        let held = folder.path().join(".a.h5ad.sbcell-2");
        let holder = File::create(&held).unwrap();
        holder.lock().unwrap();
        let failed = replace_by_copy(&path, &path, |copy| {
            fs::write(copy, "half").unwrap();
            assert_eq!(read_text(&path, 99).unwrap(), "old");
            Err(Error::Cancelled)
        });
        assert!(matches!(failed, Err(Error::Cancelled)));
        assert_eq!(read_text(&path, 99).unwrap(), "old");
        replace_by_copy(&path, &path, |copy| {
            fs::write(copy, read_text(copy, 99)? + " and new").map_err(io_error("write", copy))
        })
        .unwrap();
        // An error in the copy is one of the file.
        let failed = replace_by_copy(&path, &path, |copy| {
            Err(io_error("write", copy)(io::Error::other("disk on fire")))
        });
        let wanted = format!("cannot write `{}`: disk on fire", path.display());
        assert_eq!(failed.unwrap_err().to_string(), wanted);
        assert_eq!(read_text(&path, 99).unwrap(), "old and new");
        if cfg!(unix) {
            assert!(held.exists() && !left.exists());
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
        }
    }

    #[test]
    fn no_more_is_read_than_a_file_of_its_kind_has() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        fs::write(&path, "12345").unwrap();
        assert_eq!(read_text(&path, 5).unwrap(), "12345");
        let error = read_text(&path, 4).unwrap_err().to_string();
        assert!(error.contains("a.json") && error.contains("more than the 4 B"), "{error}");
    }

    #[test]
    fn names_of_files_stay_in_their_folder_and_differ() {
        assert_eq!(safe_name("Nkx2-5"), "Nkx2-5");
        let names = ["../../etc/x", "a/b", "a_b", "-rf", "_rf", ".hidden", "", "é\u{1b}", "."];
        let safe: Vec<String> = names.iter().map(|name| safe_name(name)).collect();
        let same = |name: &&String| safe.iter().filter(|other| other == name).count() > 1;
        assert!(!safe.iter().any(|name| same(&name)), "{safe:?}");
        for name in &safe {
            let odd = |c: char| !c.is_alphanumeric() && !"-_.".contains(c);
            assert!(!name.contains(odd) && !name.starts_with('.'), "{name}");
        }
        assert!(safe_name(&"é".repeat(1000)).len() < 80);
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
