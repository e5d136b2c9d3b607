//! The files of scores by clones: scores and cells as CSV, and their run record.

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::io::file;
use crate::io::lock::FolderLock;
use crate::io::model::{OpenModel, recover};
use crate::io::run::{
    InputRecord, OutputRecord, RunRecord, json_sha256, read_json, to_value, write_json,
};
use crate::io::staged::Staged;
use crate::io::table::{self, TableFormat};
use crate::pipeline::clones::{CloneScoreOptions, CloneScores};

/// The files without their run record.
const FILES: [&str; 2] = ["clones.csv", "clones.cells.csv"];

/// The run record.
const RUN: &str = "clones.run.json";

/// Writes `clones.csv`, `clones.cells.csv` and their run record into `folder`: all of them or none. `format`
/// is the format of the tables, CSV or its variant for spreadsheets.
///
/// The caller holds the lock of `folder` (see [`check_clone_output`]).
///
/// # Errors
/// [`Error::Io`] if a file cannot be written.
#[doc(hidden)]
pub fn write_clone_scores(
    folder: &Path,
    found: &CloneScores,
    model: &OpenModel,
    options: &CloneScoreOptions,
    format: TableFormat,
) -> Result<()> {
    let staged = Staged::start(folder)?;
    file::create_folder(staged.place())?;
    for (name, table) in FILES.into_iter().zip([&found.table, &found.cells]) {
        table::write(&staged.place().join(name), table, format)?;
    }
    let input = InputRecord {
        file: "model.json".into(),
        path: String::new(),
        sha256: json_sha256(&model.header)?,
        cells: model.cells.len(),
        genes: model.genes.len(),
    };
    let mut run = RunRecord::new("evaluate", input, to_value(options)?);
    run.notes = [found.summary.as_slice(), &found.notes].concat();
    for name in FILES {
        run.outputs.push(OutputRecord::of(staged.place(), name)?);
    }
    write_json(&staged.place().join(RUN), &run)?;
    staged.publish(&[FILES.as_slice(), &[RUN]].concat())
}

/// Locks `folder` for scores by clones and checks that they may be written there.
///
/// They may if none of the files exists, if an earlier evaluation wrote them, or with `overwrite`.
///
/// # Errors
/// [`Error::OutputTaken`] if a file exists that no evaluation wrote; [`Error::InUse`] if another process
/// writes to the folder.
#[doc(hidden)]
pub fn check_clone_output(folder: &Path, overwrite: bool) -> Result<FolderLock> {
    if folder.is_file() {
        return Err(Error::OutputTaken { path: folder.to_path_buf() });
    }
    let lock = FolderLock::take(folder)?;
    recover(folder)?;
    let run = read_json::<RunRecord>(&folder.join(RUN));
    let ours = run.is_ok_and(|run| run.command == "evaluate");
    match clone_score_files(folder).into_iter().find(|path| path.exists()) {
        Some(path) if !ours && !overwrite => Err(Error::OutputTaken { path }),
        _ => Ok(lock),
    }
}

/// The files that scores by clones write into `folder`, the run record last.
#[doc(hidden)]
pub fn clone_score_files(folder: &Path) -> Vec<PathBuf> {
    FILES.iter().chain([&RUN]).map(|name| folder.join(name)).collect()
}
