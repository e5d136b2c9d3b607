//! The files of an evaluation with their run record: one folder, all of them or none.

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::io::lock::FolderLock;
use crate::io::model::recover;
use crate::io::run::{OutputRecord, RunRecord, read_json, write_json};
use crate::io::staged::Staged;

/// Names of the files of one kind of evaluation.
pub(in crate::pipeline) struct ScoreFiles {
    /// The files without their run record.
    pub(in crate::pipeline) files: &'static [&'static str],
    /// The run record.
    pub(in crate::pipeline) run: &'static str,
}

impl ScoreFiles {
    /// Paths of all files in `folder`, the run record last.
    pub(in crate::pipeline) fn paths(&self, folder: &Path) -> Vec<PathBuf> {
        self.files.iter().chain([&self.run]).map(|name| folder.join(name)).collect()
    }

    /// Locks `folder` and checks that the files may be written there: none of them exists, an earlier
    /// evaluation wrote them, or `overwrite` is set. Files that an interrupted process left are first put
    /// in their place or removed.
    ///
    /// # Errors
    /// [`Error::OutputTaken`] if a file exists that no evaluation wrote; [`Error::InUse`] if another process
    /// writes to the folder.
    pub(in crate::pipeline) fn lock(&self, folder: &Path, overwrite: bool) -> Result<FolderLock> {
        if folder.is_file() {
            return Err(Error::OutputTaken { path: folder.to_path_buf() });
        }
        let lock = FolderLock::take(folder)?;
        recover(folder)?;
        let run = read_json::<RunRecord>(&folder.join(self.run));
        let ours = run.is_ok_and(|run| run.command == "evaluate");
        match self.paths(folder).into_iter().find(|path| path.exists()) {
            Some(path) if !ours && !overwrite => Err(Error::OutputTaken { path }),
            _ => Ok(lock),
        }
    }

    /// Adds the outputs to `run`, writes it beside the files in `staged`, and puts all in their place.
    ///
    /// # Errors
    /// [`Error::Io`] if a file cannot be read or written.
    pub(in crate::pipeline) fn publish(&self, staged: Staged, mut run: RunRecord) -> Result<()> {
        staged.write(|place| {
            for name in self.files {
                run.outputs.push(OutputRecord::of(place, name)?);
            }
            write_json(&place.join(self.run), &run)
        })?;
        staged.publish(&[self.files, &[self.run]].concat())
    }
}
