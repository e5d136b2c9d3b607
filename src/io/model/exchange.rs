//! Exchange of two folders in one step, and helpers for it: names, links and removal.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::error::Result;
use crate::io::file::io_error;
use crate::io::lock::real;
use crate::platform::files;

/// Folder of an unfinished fit to `out`: `OUT.partial` beside it. If `out` is a link, it is beside the
/// folder to which the link leads.
#[doc(hidden)]
pub fn partial_folder(out: &Path) -> PathBuf {
    let linked = fs::symlink_metadata(out).is_ok_and(|found| found.is_symlink());
    let out = if linked || out.file_name().is_none() { real(out) } else { out.to_path_buf() };
    let mut name = out.file_name().unwrap_or_default().to_os_string();
    name.push(".partial");
    out.with_file_name(name)
}

/// Names of the entries of a folder, sorted; none if the folder does not exist.
pub(super) fn names_in(folder: &Path) -> Result<Vec<String>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries,
    };
    let mut names: Vec<String> = entries
        .and_then(|entries| {
            entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
        })
        .map_err(io_error("read", folder))?;
    names.sort();
    Ok(names)
}

/// Removes a file, a link or a folder with its content. Does nothing if it does not exist.
pub(super) fn remove_any(path: &Path) -> Result<()> {
    let removed = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => Err(error),
        Ok(found) if found.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
    };
    removed.map_err(io_error("remove", path))
}

/// Creates hard links in `to` to all entries of `from` with `stays(name)`, so that they exist in the
/// published folder at any moment of the exchange. False if the file system has no hard links, or if a
/// name is not UTF-8.
pub(super) fn carry_over(from: &Path, to: &Path, stays: &dyn Fn(&str) -> bool) -> bool {
    link_entries(from, to, stays).is_ok()
}

/// Links the entries of a folder with `stays(name)`.
fn link_entries(from: &Path, to: &Path, stays: &dyn Fn(&str) -> bool) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let name = entry?.file_name();
        let text = name.to_str().ok_or(io::ErrorKind::InvalidFilename)?;
        if stays(text) {
            link(&from.join(&name), &to.join(&name))?;
        }
    }
    Ok(())
}

/// Links a file, or all files of a folder, and replaces what is at `to`.
fn link(from: &Path, to: &Path) -> io::Result<()> {
    let kind = fs::symlink_metadata(from)?.file_type();
    if kind.is_dir() {
        match fs::create_dir(to) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => made?,
        }
        fs::set_permissions(to, fs::metadata(from)?.permissions())?;
        return link_entries(from, to, &|_| true);
    }
    match fs::remove_file(to) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    // On the systems with an exchange, a hard link to a symbolic link is a link with the same target.
    fs::hard_link(from, to)
}

/// Exchanges two folders in one step. False if this is not possible; the caller then moves single
/// files.
///
/// The working directory is not exchanged, because the process would then work in the older folder.
pub(super) fn exchange(one: &Path, other: &Path) -> bool {
    let here = real(Path::new("."));
    let other = real(other);
    !here.starts_with(&other) && files::exchange(one, &other)
}
