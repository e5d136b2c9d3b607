//! A temporary folder in which recorded commands find their inputs under the recorded paths.
//!
//! Files are linked, or copied where links are not possible. Folders are copied, because commands that read a model
//! may keep a cache in it.

use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use sbcell::io::h5ad::DataFiles;
use sbcell::io::output::data_of_model;
use sbcell::io::without_temporary_name;
use sbcell::platform::link_or_copy;
use sbcell::{Error, Result};

/// Number of folders above the one in which commands run, so that paths with so many leading `..` stay inside.
const DEPTH: usize = 4;

/// The temporary folder. It is removed when this value is dropped.
#[derive(Debug)]
pub(super) struct Workplace {
    /// Keeps the temporary folder.
    _folder: tempfile::TempDir,
    /// The folder in it in which commands run.
    work: PathBuf,
}

/// Whether a path of a command line leads to the same place in a [`Workplace`]: it is relative, and begins with few
/// `..`.
pub(super) fn is_inside(named: &Path) -> bool {
    let mut parts = named.components().filter(|part| *part != Component::CurDir).peekable();
    let mut n_up = 0;
    while parts.next_if_eq(&Component::ParentDir).is_some() {
        n_up += 1;
    }
    n_up <= DEPTH && parts.all(|part| matches!(part, Component::Normal(_)))
}

/// Converts an error of the system into one with the path.
fn failed(path: &Path) -> impl FnOnce(io::Error) -> Error + use<> {
    let path = path.to_path_buf();
    move |source| Error::Io { action: "copy", path, source }
}

impl Workplace {
    /// An empty place.
    ///
    /// # Errors
    /// [`Error::Io`] if there is no temporary folder to write to.
    pub(super) fn new() -> Result<Self> {
        let made = tempfile::Builder::new().prefix("sbcell-verify-").tempdir();
        let made = made.map_err(without_temporary_name);
        let folder = made.map_err(failed(&std::env::temp_dir()))?;
        let work = folder.path().join(["work"; DEPTH].iter().collect::<PathBuf>());
        fs::create_dir_all(&work).map_err(failed(&work))?;
        Ok(Self { _folder: folder, work })
    }

    /// Path of the folder, in which commands run.
    pub(super) fn path(&self) -> &Path {
        &self.work
    }

    /// Brings `found` to the place that the path `named` of a command line means here, and returns the path that
    /// stands for it on the command line.
    ///
    /// A relative path stays as it is. Other folders get a name of their own; other files are read where they are.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub(super) fn bring(&self, named: &Path, found: &Path) -> Result<PathBuf> {
        let given = found;
        let found = found.canonicalize().map_err(failed(found))?;
        let is_inside = is_inside(named);
        if !is_inside && !found.is_dir() {
            // The page of a report has the path as it was named.
            return Ok(if given.is_absolute() { given.to_path_buf() } else { found });
        }
        let name = if is_inside {
            named.to_path_buf()
        } else {
            let taken = fs::read_dir(self.path()).map_or(0, Iterator::count);
            PathBuf::from(format!("input-{taken}"))
        };
        let here = self.path().join(&name);
        if found.is_dir() {
            copy_folder(&found, &here)?;
            self.bring_data_of(&found)?;
        } else if fs::symlink_metadata(&here).is_err() {
            create_parent(&here)?;
            link_or_copy(&found, &here).map_err(failed(&found))?;
        }
        Ok(name)
    }

    /// Brings `data`, which the path `named` of a command line means, and its files if it is a folder or a list.
    ///
    /// # Errors
    /// [`Error::Io`]; those of [`DataFiles::find`] if a file of the course is missing.
    pub(super) fn bring_data(&self, named: &Path, data: &Path) -> Result<PathBuf> {
        let files = DataFiles::find(data)?;
        if !files.is_course() {
            return self.bring(named, data);
        }
        let is_folder = data.is_dir();
        let [from, to] = if is_folder {
            [data, named].map(Path::to_path_buf)
        } else {
            [data, named].map(|list| list.parent().unwrap_or(Path::new("")).to_path_buf())
        };
        let inside = |part: &PathBuf| part.strip_prefix(&from).map(|name| to.join(name));
        let names: std::result::Result<Vec<PathBuf>, _> =
            files.paths().iter().map(inside).collect();
        let is_here = |name: &PathBuf| is_inside(name);
        let Some(names) = names.ok().filter(|names| names.iter().all(is_here) && is_inside(named))
        else {
            return data.canonicalize().map_err(failed(data));
        };
        for (name, part) in names.iter().zip(files.paths()) {
            self.bring(name, part)?;
        }
        if is_folder { Ok(named.to_path_buf()) } else { self.bring(named, data) }
    }

    /// Brings the file with the cells of a model, if its record names it by a relative path.
    fn bring_data_of(&self, model: &Path) -> Result<()> {
        let places = data_of_model(model);
        let Some(named) = places.first().filter(|path| path.is_relative()) else { return Ok(()) };
        let above = model.ancestors().take(3).map(|folder| folder.join(named));
        let found = places.iter().cloned().chain(above).find(|path| path.exists());
        found.map_or(Ok(()), |found| self.bring_data(named, &found).map(|_| ()))
    }
}

/// Copies a folder with everything in it. Does not follow links, and leaves out what is there already.
fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).map_err(failed(to))?;
    for entry in fs::read_dir(from).map_err(failed(from))? {
        let entry = entry.map_err(failed(from))?;
        let (path, here) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type().map_err(failed(&path))?;
        if kind.is_dir() {
            copy_folder(&path, &here)?;
        } else if kind.is_file() && !here.exists() {
            fs::copy(&path, &here).map_err(failed(&path))?;
        }
    }
    Ok(())
}

/// Creates the folders above a path.
fn create_parent(path: &Path) -> Result<()> {
    let parent = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(parent).map_err(failed(parent))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_are_found_under_their_names_and_originals_stay() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir_all(at("model/bridges")).unwrap();
        fs::write(at("model/bridges/a"), "a").unwrap();
        fs::write(at("cells.csv"), "cells").unwrap();
        let place = Workplace::new().unwrap();
        let named = place.bring(Path::new("deep/cells.csv"), &at("cells.csv")).unwrap();
        assert_eq!(named, Path::new("deep/cells.csv"));
        assert_eq!(fs::read_to_string(place.path().join(named)).unwrap(), "cells");
        // A path with `..` means the same, and stays in the temporary folder.
        let named = place.bring(Path::new("../raw/cells.csv"), &at("cells.csv")).unwrap();
        assert_eq!(named, Path::new("../raw/cells.csv"));
        let here = place.path().join(named);
        let around = place.path().parent().unwrap().canonicalize().unwrap();
        assert_eq!(here.parent().unwrap().canonicalize().unwrap(), around.join("raw"));
        assert_eq!(fs::read_to_string(here).unwrap(), "cells");
        assert!(is_inside(Path::new("./a/b")) && is_inside(Path::new("../../../../a")));
        for outside in ["../../../../../a", "a/../../b", "/a"] {
            assert!(!is_inside(Path::new(outside)), "{outside}");
        }
        // Absolute files are read where they are; absolute folders are copied.
        let named = place.bring(&at("cells.csv"), &at("cells.csv")).unwrap();
        assert!(named.is_absolute());
        let named = place.bring(&at("model"), &at("model")).unwrap();
        assert!(named.is_relative());
        fs::write(place.path().join(&named).join("bridges/a"), "b").unwrap();
        assert_eq!(fs::read_to_string(at("model/bridges/a")).unwrap(), "a");
        drop(place);
        assert!(at("cells.csv").exists());
    }
}
