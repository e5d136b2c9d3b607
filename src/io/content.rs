//! Recognition of a file's kind by its first bytes, for errors about a wrong file.

use std::io::Read;
use std::path::Path;

use crate::error::{Error, Result};

/// Largest number of bytes from which the kind is determined.
pub(super) const HEAD: usize = 4096;

/// Kinds of files that users give by mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Content {
    /// Compressed with gzip, and the kind of the compressed file if it is known.
    Gzip(Option<Box<Content>>),
    /// Compressed with another program, with its name.
    Compressed(&'static str),
    /// A zip archive.
    Zip,
    /// A tar archive.
    Tar,
    /// A pointer file of Git LFS or git-annex; the content is elsewhere.
    Pointer(&'static str),
    /// A web page, or the XML of a server's error.
    WebPage,
    /// An R object.
    Rds,
    /// An R workspace.
    RData,
    /// A matrix in Matrix Market format.
    MatrixMarket,
    /// Any HDF5 file.
    Hdf5,
    /// A file of another kind, with its name.
    Other(&'static str),
    /// Text in UTF-16.
    Utf16,
    /// A text table; the separator is a comma or a tab.
    Columns(char),
    /// Other text.
    Text,
    /// Only bytes of value zero.
    Zeros,
}

/// First bytes of each kind of file.
const BEGINNINGS: [(&[u8], Content); 21] = [
    (b"\x89HDF\r\n\x1a\n", Content::Hdf5),
    (b"BZh", Content::Compressed("bzip2")),
    (b"\xfd7zXZ\0", Content::Compressed("xz")),
    (b"\x28\xb5\x2f\xfd", Content::Compressed("zstd")),
    (b"7z\xbc\xaf\x27\x1c", Content::Compressed("7-Zip")),
    (b"PK\x03\x04", Content::Zip),
    (b"version https://git-lfs", Content::Pointer("Git LFS")),
    (b"/annex/objects/", Content::Pointer("git-annex")),
    (b"X\n\0\0\0", Content::Rds),
    (b"A\n2\n", Content::Rds),
    (b"A\n3\n", Content::Rds),
    (b"RDX2\n", Content::RData),
    (b"RDX3\n", Content::RData),
    (b"%%MatrixMarket", Content::MatrixMarket),
    (b"PAR1", Content::Other("a parquet table")),
    (b"ARROW1", Content::Other("an Arrow table")),
    (b"\x93NUMPY", Content::Other("an array of NumPy")),
    (b"MATLAB", Content::Other("a MATLAB file")),
    (b"%PDF", Content::Other("a PDF")),
    (b"\xff\xfe", Content::Utf16),
    (b"\xfe\xff", Content::Utf16),
];

impl Content {
    /// The kind of the file that begins with `head`, its first [`HEAD`] bytes or all of it; `None` for
    /// unknown binary content and an empty file.
    pub(super) fn of(head: &[u8]) -> Option<Self> {
        if head.starts_with(b"\x1f\x8b") {
            return Some(Self::Gzip(unpacked(head).and_then(|head| Self::of(&head)).map(Box::new)));
        }
        if let Some((_, content)) = BEGINNINGS.iter().find(|(begin, _)| head.starts_with(begin)) {
            return Some(content.clone());
        }
        if head.get(257..262) == Some(b"ustar") {
            return Some(Self::Tar);
        }
        // The HDF5 signature may follow a user block of 512 bytes times a power of two.
        let hdf5 =
            |at: &usize| head.get(*at..).is_some_and(|rest| rest.starts_with(b"\x89HDF\r\n"));
        if [512, 1024, 2048].iter().any(hdf5) {
            return Some(Self::Hdf5);
        }
        if !head.is_empty() && head.iter().all(|byte| *byte == 0) {
            return Some(Self::Zeros);
        }
        text(head)
    }

    /// A description of the kind that follows "it is ".
    pub(super) fn words(&self) -> String {
        match self {
            Self::Gzip(inside) => match inside.as_deref() {
                Some(Self::Rds | Self::RData) => {
                    inside.as_deref().map(Self::words).unwrap_or_default()
                }
                Some(inside) => format!("compressed with gzip (inside: {})", inside.words()),
                None => "compressed with gzip".into(),
            },
            Self::Compressed(by) => format!("compressed with {by}"),
            Self::Zip => "a zip archive".into(),
            Self::Tar => "a tar archive".into(),
            Self::Pointer(of) => format!("a pointer of {of} instead of the file"),
            Self::WebPage => "a web page instead of the file".into(),
            Self::Rds => "an R object (.rds)".into(),
            Self::RData => "a workspace of R (.RData)".into(),
            Self::MatrixMarket => "a matrix in Matrix Market form (.mtx)".into(),
            Self::Hdf5 => "an HDF5 file".into(),
            Self::Other(what) => (*what).into(),
            Self::Utf16 => "text in UTF-16".into(),
            Self::Columns(',') => "text in columns (.csv)".into(),
            Self::Columns(_) => "text in columns (.tsv)".into(),
            Self::Text => "text".into(),
            Self::Zeros => "zeros from the beginning: the download is incomplete".into(),
        }
    }

    /// Instruction to get the content of the file at `path`; `None` if there is nothing to unpack.
    pub(super) fn unpacking(&self, path: &Path) -> Option<String> {
        let file = as_typed(path);
        Some(match self {
            Self::Gzip(inside) if inside.as_deref() == Some(&Self::Tar) => {
                format!("unpack it with `tar xzf {file}`")
            }
            Self::Gzip(_) => format!("unpack it with `gunzip -k {file}`"),
            Self::Compressed("bzip2") => format!("unpack it with `bunzip2 -k {file}`"),
            Self::Compressed("xz") => format!("unpack it with `unxz -k {file}`"),
            Self::Compressed("zstd") => format!("unpack it with `unzstd {file}`"),
            Self::Compressed(_) => format!("unpack it with `7z x {file}`"),
            Self::Zip => format!("unpack it with `unzip {file}`"),
            Self::Tar => format!("unpack it with `tar xf {file}`"),
            Self::Pointer("Git LFS") => {
                format!("fetch the file with `git lfs pull --include {file}`")
            }
            Self::Pointer(_) => format!("fetch the file with `git annex get {file}`"),
            Self::WebPage => {
                "open it in a browser to see what the server says, then download the file itself"
                    .into()
            }
            Self::Utf16 => "save it as UTF-8".into(),
            Self::Zeros => "copy or download the file again".into(),
            _ => return None,
        })
    }
}

/// Checks that the `bytes` of the file at `path` are text, and that the text is not a pointer file or a
/// web page instead of the expected file.
///
/// # Errors
/// [`Error::Unreadable`] with the kind of the file.
pub(super) fn check_text(path: &Path, bytes: &[u8]) -> Result<()> {
    let head = &bytes[..bytes.len().min(HEAD)];
    let Some(found) = Content::of(head) else { return Ok(()) };
    // A list may begin with the gene RDX, so text is refused only if it clearly is another file.
    let stands_for_another = matches!(found, Content::Pointer(_) | Content::WebPage);
    if text(head).is_some() && !stands_for_another {
        return Ok(());
    }
    Err(Error::Unreadable {
        path: path.to_path_buf(),
        problem: format!("it is {}, where text in UTF-8 is needed", found.words()),
        way_out: found.unpacking(path),
    })
}

/// The path as it can be typed into a shell, or the word FILE if it contains special characters.
pub(super) fn as_typed(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_alphanumeric() || "/._-+=:@,%".contains(c);
    if text.chars().all(plain) && !text.starts_with('-') { text } else { "FILE".into() }
}

/// The first decompressed bytes of a gzip file that begins with `head`.
fn unpacked(head: &[u8]) -> Option<Vec<u8>> {
    let mut inside = Vec::new();
    let mut decoder = flate2::read::GzDecoder::new(head).take(HEAD as u64);
    // Decompression fails at the end of `head`; the bytes before that are still valid.
    let _ = decoder.read_to_end(&mut inside);
    (!inside.is_empty()).then_some(inside)
}

/// The kind of text, if `head` is text. It may end within a character of several bytes.
fn text(head: &[u8]) -> Option<Content> {
    let text = match std::str::from_utf8(head) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(&head[..error.valid_up_to()]).ok()?
        }
        Err(_) => return None,
    };
    let odd = |c: char| c.is_control() && !"\t\r\n\u{c}".contains(c);
    if text.is_empty() || text.contains(odd) {
        return None;
    }
    let lower = text.trim_start_matches('\u{feff}').trim_start().to_ascii_lowercase();
    if ["<!doctype html", "<html", "<?xml"].iter().any(|begin| lower.starts_with(begin)) {
        return Some(Content::WebPage);
    }
    let mut lines = text.lines().filter(|line| !line.trim().is_empty());
    let (first, second) = (lines.next()?, lines.next());
    let columns = |mark: char| {
        let n = first.matches(mark).count();
        // A header may lack the name of the first column.
        let fits = |line: &str| line.matches(mark).count().abs_diff(n) <= 1;
        n > 0 && second.is_none_or(fits)
    };
    Some(
        ['\t', ','].into_iter().find(|mark| columns(*mark)).map_or(Content::Text, Content::Columns),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_told_by_its_columns() {
        for (bytes, content) in [
            (&b"gene,a,b\nx,1,2\n"[..], Some(Content::Columns(','))),
            (b"a\tb\nx\t1\t2\n", Some(Content::Columns('\t'))),
            (b"just words\n", Some(Content::Text)),
            (b"<!DOCTYPE html><title>Sign in</title>", Some(Content::WebPage)),
            (b"\0\0\0\0", Some(Content::Zeros)),
            (b"\x01\x02\x03\xff", None),
            (b"", None),
            ("gen\u{e9}".as_bytes().split_last().unwrap().1, Some(Content::Text)),
        ] {
            assert_eq!(Content::of(bytes), content, "{bytes:?}");
        }
    }

    #[test]
    fn what_a_shell_would_read_is_not_repeated() {
        assert_eq!(as_typed(Path::new("a/b-1.h5")), "a/b-1.h5");
        for odd in ["a;rm -rf x", "$(x)", "`x`", "a'b", "-rf", "a\"b", "a b"] {
            assert_eq!(as_typed(Path::new(odd)), "FILE");
        }
    }
}
