//! The files of an evaluation: scores as CSV and JSON, a chart as SVG and PNG, and their run record.

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::io::chart::draw_validation;
use crate::io::file;
use crate::io::lock::FolderLock;
use crate::io::model::recover;
use crate::io::run::{OutputRecord, RunRecord, read_json, to_value, write_json};
use crate::io::staged::Staged;
use crate::io::validation::{self, Validation};
use crate::pipeline::evaluate::{EvaluateOptions, Evaluated};

/// The files of a validation without its run record.
const FILES: [&str; 4] = ["validation.csv", "validation.json", "validation.svg", "validation.png"];

/// The run record.
const RUN: &str = "validation.run.json";

/// Writes `validation.csv`, `.json`, `.svg`, `.png` and their run record into `folder`: all of them or none.
///
/// The caller holds the lock of `folder` (see [`check_validation_output`]).
///
/// # Errors
/// [`Error::Io`] if a file cannot be written.
pub fn write_validation(
    folder: &Path,
    evaluated: &Evaluated,
    options: &EvaluateOptions,
) -> Result<()> {
    let staged = Staged::start(folder)?;
    write_files(staged.place(), &evaluated.validation)?;
    let mut run = RunRecord::new("evaluate", evaluated.input.clone(), to_value(options)?);
    run.notes.clone_from(&evaluated.notes);
    for name in FILES {
        run.outputs.push(OutputRecord::of(staged.place(), name)?);
    }
    write_json(&staged.place().join(RUN), &run)?;
    staged.publish(&[FILES.as_slice(), &[RUN]].concat())
}

/// Locks `folder` for an evaluation and checks that it may write there.
///
/// It may if none of the files it writes exists, if an earlier evaluation wrote them, or with
/// `overwrite`. Files that an interrupted process left are first put in their place or removed. No other
/// sbcell process writes to the folder while the caller keeps the lock.
///
/// # Errors
/// [`Error::OutputTaken`] if a file exists that no evaluation wrote; [`Error::InUse`] if another process
/// writes to the folder.
#[doc(hidden)]
pub fn check_validation_output(folder: &Path, overwrite: bool) -> Result<FolderLock> {
    if folder.is_file() {
        return Err(Error::OutputTaken { path: folder.to_path_buf() });
    }
    let lock = FolderLock::take(folder)?;
    recover(folder)?;
    let run = read_json::<RunRecord>(&folder.join(RUN));
    let ours = run.is_ok_and(|run| run.command == "evaluate");
    match validation_files(folder).into_iter().find(|path| path.exists()) {
        Some(path) if !ours && !overwrite => Err(Error::OutputTaken { path }),
        _ => Ok(lock),
    }
}

/// The files that `evaluate` writes into `folder`, the run record last.
#[doc(hidden)]
pub fn validation_files(folder: &Path) -> Vec<PathBuf> {
    FILES.iter().chain([&RUN]).map(|name| folder.join(name)).collect()
}

/// Writes the scores and their chart.
fn write_files(folder: &Path, scores: &Validation) -> Result<()> {
    file::create_folder(folder)?;
    let [csv, json, svg, png] = FILES.map(|name| folder.join(name));
    validation::write_table(&csv, scores)?;
    validation::write(&json, scores)?;
    let chart = draw_validation(scores);
    chart.write_svg(&svg)?;
    chart.write_png(&png)
}
