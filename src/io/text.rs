//! Reading of text files that users provide, with limits on the length of lines and of streams.

use std::io::Read;
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::io::content;
use crate::io::file::{self, LONGEST_STREAM, hex, io_error};

/// Largest number of bytes of a line. A set of a million cells on one line takes less.
const LONGEST_LINE: usize = 1 << 26;

/// Number of bytes that are read at once.
const BLOCK: usize = 1 << 16;

/// Reads a text file.
///
/// # Errors
/// [`Error::Io`] or [`Error::NoFile`] if it cannot be read; [`Error::Unreadable`] if it is not UTF-8,
/// contains a byte of value zero, has a line of more than 64 MB, or is a pipe or device with more than
/// 256 MB.
pub(crate) fn read(path: &Path) -> Result<String> {
    let (opened, length) = file::open(path)?;
    let ends = opened.metadata().is_ok_and(|metadata| metadata.is_file());
    let expected = if ends { usize::try_from(length).unwrap_or(0).min(1 << 30) } else { 0 };
    let limits = Limits { line: LONGEST_LINE, all: if ends { usize::MAX } else { LONGEST_STREAM } };
    limits.read(path, opened, Vec::with_capacity(expected))
}

/// Reads a text file. Also returns its SHA-256 in lower-case hexadecimal. The file is read once.
///
/// # Errors
/// As [`read`].
pub(crate) fn read_hashed(path: &Path) -> Result<(String, String)> {
    let text = read(path)?;
    let hash = hex(&Sha256::digest(text.as_bytes()));
    Ok((text, hash))
}

/// The separator of the columns of a text table: a tab if `text` contains one, otherwise a comma.
pub(super) fn delimiter_of(text: &str) -> u8 {
    if text.contains('\t') { b'\t' } else { b',' }
}

/// Reads a text table with a header: the name and the entries of each column, without spaces around them.
///
/// Columns are separated by tabs if the first line contains one, and by commas otherwise. `way_out` is the remedy in
/// the error for a row of another length.
///
/// # Errors
/// As [`read`]; [`Error::Unreadable`] if a row has another number of entries than the header.
pub(super) fn columns(path: &Path, way_out: Option<&str>) -> Result<Vec<(String, Vec<String>)>> {
    let text = read(path)?;
    let text = text.trim_start_matches('\u{feff}');
    let first = text.lines().next().unwrap_or_default();
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter_of(first))
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes());
    let broken = |error: csv::Error| Error::Unreadable {
        path: path.to_path_buf(),
        problem: error.to_string(),
        way_out: way_out.map(str::to_string),
    };
    let header = reader.headers().map_err(broken)?.clone();
    let mut columns: Vec<Vec<String>> = vec![Vec::new(); header.len()];
    for record in reader.records() {
        for (column, entry) in columns.iter_mut().zip(&record.map_err(broken)?) {
            column.push(entry.to_string());
        }
    }
    Ok(header.iter().map(str::to_string).zip(columns).collect())
}

/// Largest numbers of bytes in a line and in the whole text.
struct Limits {
    line: usize,
    all: usize,
}

impl Limits {
    /// Reads `from` to its end, or until a limit is exceeded. `all` is the buffer for the bytes.
    fn read(&self, path: &Path, mut from: impl Read, mut all: Vec<u8>) -> Result<String> {
        let unreadable = |problem: String| {
            Err(Error::Unreadable { path: path.to_path_buf(), problem, way_out: None })
        };
        let mut block = vec![0; BLOCK];
        let mut in_line = 0;
        loop {
            let n = match from.read(&mut block) {
                Ok(0) => break,
                Ok(n) => n,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(io_error("read", path)(error)),
            };
            let new = &block[..n];
            if new.contains(&0) {
                all.extend_from_slice(new);
                content::check_text(path, &all)?;
                return unreadable("it is not text: it contains bytes of value zero".into());
            }
            for (place, part) in new.split(|byte| matches!(byte, b'\n' | b'\r')).enumerate() {
                in_line = if place == 0 { in_line + part.len() } else { part.len() };
                if in_line > self.line {
                    let most = self.line >> 20;
                    return unreadable(format!("it has a line of more than {most} MB"));
                }
            }
            all.extend_from_slice(new);
            if all.len() > self.all {
                let most = self.all >> 20;
                return unreadable(format!("it is not a file, and contains more than {most} MB"));
            }
        }
        content::check_text(path, &all)?;
        String::from_utf8(all).or_else(|_| unreadable("it is not text in UTF-8".into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_with(line: usize, all: usize, from: impl Read) -> Result<String> {
        Limits { line, all }.read(Path::new("list.txt"), from, Vec::new())
    }

    #[test]
    fn what_has_no_end_is_given_up() {
        let zeros = read_with(1 << 20, usize::MAX, std::io::repeat(0)).unwrap_err().to_string();
        assert!(zeros.contains("list.txt") && zeros.contains("text in UTF-8 is needed"), "{zeros}");
        let line = read_with(1 << 20, usize::MAX, std::io::repeat(b'a')).unwrap_err().to_string();
        assert!(line.contains("line of more than 1 MB"), "{line}");
        let lines = read_with(1 << 20, 1 << 21, std::io::repeat(b'\n')).unwrap_err().to_string();
        assert!(lines.contains("more than 2 MB"), "{lines}");
    }

    #[test]
    fn a_line_is_counted_over_blocks_and_anew_after_its_end() {
        let line = "a".repeat(BLOCK - 1);
        let text = format!("{line}\n{line}\r\n{line}");
        assert_eq!(read_with(BLOCK, usize::MAX, text.as_bytes()).unwrap(), text);
        let long = "a".repeat(2 * BLOCK + 1);
        assert!(read_with(2 * BLOCK, usize::MAX, long.as_bytes()).is_err());
        assert!(read_with(2 * BLOCK + 1, usize::MAX, long.as_bytes()).is_ok());
        assert!(read_with(10, 100, &b"\xff"[..]).unwrap_err().to_string().contains("UTF-8"));
    }

    #[test]
    fn a_table_is_read_by_its_separator_and_a_short_row_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t");
        let of = |text: &str| {
            std::fs::write(&path, text).unwrap();
            columns(&path, Some("a way out"))
        };
        let found = of("\u{feff}id\tb, c\n x \t1\ny\t\n").unwrap();
        let texts = |all: &[&str]| all.iter().map(ToString::to_string).collect::<Vec<_>>();
        let wanted = [("id".into(), texts(&["x", "y"])), ("b, c".into(), texts(&["1", ""]))];
        assert_eq!(found, wanted);
        let error = of("a,b\n1\n").unwrap_err();
        assert!(error.to_string().contains("line: 2"), "{error}");
        assert_eq!(error.hint().unwrap(), "a way out");
    }

    #[test]
    fn the_hash_is_that_of_the_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("abc");
        std::fs::write(&path, "abc").unwrap();
        let (text, hash) = read_hashed(&path).unwrap();
        assert_eq!(text, "abc");
        assert_eq!(hash, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
