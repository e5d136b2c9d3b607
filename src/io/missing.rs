//! The error for a file that does not exist: similar names in the folder, or a web address.

use std::fs;
use std::io::{Error as IoError, ErrorKind};
use std::path::Path;

use crate::error::{Error, nearest};

/// Largest number of names in a folder that are compared.
const MOST: usize = 10_000;

/// The error for a file that could not be opened for reading. If it does not exist, the error suggests
/// files with similar names, otherwise files with the same suffix.
pub(super) fn or(source: IoError, path: &Path) -> Error {
    match source.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => {}
        _ => return Error::Io { action: "read", path: path.to_path_buf(), source },
    }
    if let Some(scheme) = scheme(path) {
        return address(path, &scheme);
    }
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
    let beside = names_beside(path);
    let as_given = |name: &String| path.with_file_name(name).display().to_string();
    let near = nearest(&name.unwrap_or_default(), &beside);
    let suffix = path.extension();
    let same_kind = |name: &&String| suffix.is_some() && Path::new(name).extension() == suffix;
    let others =
        if near.is_empty() { beside.iter().filter(same_kind).collect() } else { Vec::new() };
    Error::NoFile {
        path: path.to_path_buf(),
        near: near.iter().map(as_given).collect(),
        others: others.into_iter().map(as_given).collect(),
    }
}

/// The error for a file that does not exist, as [`or`].
pub(crate) fn no_file(path: &Path) -> Error {
    or(IoError::from(ErrorKind::NotFound), path)
}

/// The scheme (`https`, `s3`, …) in lower case if `path` is a web address.
fn scheme(path: &Path) -> Option<String> {
    let text = path.to_str()?;
    let (scheme, _) = text.split_once(":/")?;
    let plausible = scheme.len() >= 2 && scheme.chars().all(|c| c.is_ascii_alphanumeric());
    plausible.then(|| scheme.to_ascii_lowercase())
}

/// The error for a web address, with a command that downloads it.
fn address(path: &Path, scheme: &str) -> Error {
    let way_out = match scheme {
        "http" | "https" | "ftp" => "download it first, such as with `curl -LO ADDRESS`",
        "s3" => "download it first, such as with `aws s3 cp ADDRESS .`",
        "gs" => "download it first, such as with `gcloud storage cp ADDRESS .`",
        "file" => "give the path without `file://`",
        _ => "download it first",
    };
    Error::Unreadable {
        path: path.to_path_buf(),
        problem: "it is an address, and only files on this machine are read".into(),
        way_out: Some(way_out.into()),
    }
}

/// Names of the files and folders beside `path`, sorted, without hidden ones.
fn names_beside(path: &Path) -> Vec<String> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let Ok(entries) = fs::read_dir(folder.unwrap_or(Path::new("."))) else { return Vec::new() };
    let names = entries.take(MOST).flatten();
    let mut names: Vec<String> =
        names.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.retain(|name| !name.starts_with('.'));
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_what_is_near_or_of_the_same_kind() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["time_course.h5ad", "b.h5ad", "notes.txt", ".hidden.h5ad"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        let error = |name: &str| or(ErrorKind::NotFound.into(), &folder.path().join(name));
        let hint = error("Time-Course.h5ad").hint().unwrap();
        assert!(hint.contains("did you mean `") && hint.contains("time_course.h5ad"), "{hint}");
        let hint = error("quite-another.h5ad").hint().unwrap();
        assert!(hint.contains("b.h5ad") && !hint.contains("notes") && !hint.contains("hidden"));
        assert_eq!(error("x.loom").hint(), None);
        assert_eq!(error("none/x.h5ad").hint(), None);
    }

    #[test]
    fn addresses_are_told_from_files() {
        for (path, scheme) in [
            ("https://x.org/a.h5ad", Some("https")),
            ("s3://bucket/a.h5ad", Some("s3")),
            ("C:/data/a.h5ad", None),
            ("a/b.h5ad", None),
        ] {
            assert_eq!(super::scheme(Path::new(path)).as_deref(), scheme, "{path}");
        }
    }
}
