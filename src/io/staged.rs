//! Publication of several files of a folder together, safe against the death of the process.
//!
//! The files are written into the subfolder `.sbcell-new`. When all are complete, the list `whole.json` is
//! written there, and the files are renamed to their final paths. If a process dies before the list is
//! written, the next process removes the subfolder; if it dies later, the next process completes the
//! renaming.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::Result;
use crate::io::file::{create_folder, io_error};
use crate::io::run::{read_json, write_json};

/// Name of the subfolder in which files are written.
const STAGE: &str = ".sbcell-new";
/// Name of the list of complete files in it.
const LIST: &str = "whole.json";

/// The subfolder in which files of a folder are written before they are published.
#[derive(Debug)]
pub(crate) struct Staged {
    folder: PathBuf,
    stage: PathBuf,
}

impl Staged {
    /// Creates an empty subfolder. The caller must hold the lock of `folder`.
    ///
    /// # Errors
    /// [`crate::Error::Io`] if it cannot be created.
    pub(crate) fn start(folder: &Path) -> Result<Self> {
        recover(folder)?;
        let stage = folder.join(STAGE);
        create_folder(&stage)?;
        Ok(Self { folder: folder.to_path_buf(), stage })
    }

    /// Calls `write` with the subfolder. Its errors name the files as they will be in the folder.
    ///
    /// # Errors
    /// Those of `write`.
    pub(crate) fn write(&self, write: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
        write(&self.stage).map_err(|error| error.moved(&self.stage, &self.folder))
    }

    /// Moves the files `names` from the subfolder to the folder.
    ///
    /// # Errors
    /// [`crate::Error::Io`] if a file cannot be moved.
    pub(crate) fn publish(self, names: &[&str]) -> Result<()> {
        self.write(|stage| write_json(&stage.join(LIST), &names))?;
        recover(&self.folder)
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if !self.stage.join(LIST).exists() {
            // An error is ignored, because the run already has its own error.
            let _ = fs::remove_dir_all(&self.stage);
        }
    }
}

/// Whether a dead process left complete files in the subfolder.
pub(super) fn is_waiting(folder: &Path) -> bool {
    folder.join(STAGE).join(LIST).exists()
}

/// Completes the publication that a dead process began, and removes the subfolder. The caller must hold
/// the lock of `folder`.
///
/// # Errors
/// [`crate::Error::Io`] if a file cannot be moved or removed.
pub(crate) fn recover(folder: &Path) -> Result<()> {
    let stage = folder.join(STAGE);
    let list = stage.join(LIST);
    if list.exists() {
        let names: Vec<String> = read_json(&list)?;
        for name in names {
            let (from, to) = (stage.join(&name), folder.join(&name));
            if from.exists() {
                fs::rename(&from, &to).map_err(io_error("replace", &to))?;
            }
        }
    }
    if !stage.exists() {
        return Ok(());
    }
    fs::remove_dir_all(&stage).map_err(io_error("remove", &stage))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_the_writer_names_the_final_file() {
        let folder = tempfile::tempdir().unwrap();
        let staged = Staged::start(folder.path()).unwrap();
        let failed = staged.write(|place| {
            let path = place.join("a.csv");
            Err(io_error("write", &path)(std::io::Error::other("disk on fire")))
        });
        let wanted =
            format!("cannot write `{}`: disk on fire", folder.path().join("a.csv").display());
        assert_eq!(failed.unwrap_err().to_string(), wanted);
        drop(staged);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
