//! Files that belong together, put into a folder together, whenever the process dies.
//!
//! They are written into `.sbcell-new` inside the folder, which gets the list `whole.json` when all of
//! them are there. Then they take their places. What a dead process left before the list is removed by
//! the next, what it left after the list is moved.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::Result;
use crate::io::file::{create_folder, io_error};
use crate::io::run::{read_json, write_json};

const STAGE: &str = ".sbcell-new";
const LIST: &str = "whole.json";

/// A place for files on their way into a folder.
#[derive(Debug)]
pub struct Staged {
    folder: PathBuf,
    stage: PathBuf,
}

impl Staged {
    /// An empty place. The caller holds the lock of `folder`.
    ///
    /// # Errors
    /// [`crate::Error::Io`] if it cannot be made.
    pub fn start(folder: &Path) -> Result<Self> {
        recover(folder)?;
        let stage = folder.join(STAGE);
        create_folder(&stage)?;
        Ok(Self { folder: folder.to_path_buf(), stage })
    }

    /// Where the files are written.
    pub fn place(&self) -> &Path {
        &self.stage
    }

    /// Puts the files `names` in their places.
    ///
    /// # Errors
    /// [`crate::Error::Io`] if one cannot be moved.
    pub fn publish(self, names: &[&str]) -> Result<()> {
        write_json(&self.stage.join(LIST), &names)?;
        recover(&self.folder)
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if !self.stage.join(LIST).exists() {
            // After it is published there is nothing; before, the run has its own error to tell.
            let _ = fs::remove_dir_all(&self.stage);
        }
    }
}

/// Whether a dead process left files that are all there and not in their places.
pub(super) fn is_waiting(folder: &Path) -> bool {
    folder.join(STAGE).join(LIST).exists()
}

/// Ends what a dead process began. The caller holds the lock of `folder`.
///
/// # Errors
/// [`crate::Error::Io`] if a file cannot be moved or removed.
pub fn recover(folder: &Path) -> Result<()> {
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
