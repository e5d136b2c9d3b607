//! Two folders exchanged in one step, and what that needs: names, links, removal.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::error::Result;
use crate::io::file::io_error;
use crate::io::lock::real;

/// Where an unfinished fit to `out` is kept: beside the folder itself if `out` is a link to it.
pub fn partial_folder(out: &Path) -> PathBuf {
    let linked = fs::symlink_metadata(out).is_ok_and(|found| found.is_symlink());
    let out = if linked || out.file_name().is_none() { real(out) } else { out.to_path_buf() };
    let mut name = out.file_name().unwrap_or_default().to_os_string();
    name.push(".partial");
    out.with_file_name(name)
}

/// Names of what is in a folder, sorted; none if there is no such folder.
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

/// Removes a file, a link or a folder with all that is in it, if it is there.
pub(super) fn remove_any(path: &Path) -> Result<()> {
    let removed = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => Err(error),
        Ok(found) if found.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
    };
    removed.map_err(io_error("remove", path))
}

/// Gives everything in `from` that `stays` a second name in `to`, so that it is there at every moment
/// when the two are exchanged. False if a file system cannot do that, or a name cannot be told.
pub(super) fn carry_over(from: &Path, to: &Path, stays: &dyn Fn(&str) -> bool) -> bool {
    link_entries(from, to, stays).is_ok()
}

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
    // A link to a link is a link of the same content on the systems that have an exchange.
    fs::hard_link(from, to)
}

/// Exchanges two folders in one step. False if that cannot be done here: the caller moves files.
///
/// Not done to the folder that somebody works in, who would find himself in the older one.
#[cfg(any(target_os = "linux", target_os = "macos"))]
pub(super) fn exchange(one: &Path, other: &Path) -> bool {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    let here = real(Path::new("."));
    let other = real(other);
    if here.starts_with(&other) {
        return false;
    }
    renameat_with(CWD, one, CWD, &other, RenameFlags::EXCHANGE).is_ok()
}

#[cfg(not(any(target_os = "linux", target_os = "macos")))]
pub(super) fn exchange(_one: &Path, _other: &Path) -> bool {
    false
}
