//! The files of an evaluation: scores as CSV and JSON, a chart as SVG and PNG, and their run record.

use std::path::{Path, PathBuf};

use crate::error::Result;
use crate::io::chart::draw_validation;
use crate::io::file;
use crate::io::lock::FolderLock;
use crate::io::run::{RunRecord, to_value};
use crate::io::staged::Staged;
use crate::io::validation::{self, Validation};
use crate::pipeline::evaluate::{EvaluateOptions, Evaluated};
use crate::pipeline::shared::score_files::ScoreFiles;

/// The files of a validation.
const NAMES: [&str; 4] = ["validation.csv", "validation.json", "validation.svg", "validation.png"];

/// The same with their run record.
const FILES: ScoreFiles = ScoreFiles { files: &NAMES, run: "validation.run.json" };

/// Writes `validation.csv`, `.json`, `.svg`, `.png` and their run record into `folder`: all of them or none.
///
/// The caller holds the lock of `folder` (see [`check_validation_output`]).
///
/// # Errors
/// [`crate::Error::Io`] if a file cannot be written.
pub fn write_validation(
    folder: &Path,
    evaluated: &Evaluated,
    options: &EvaluateOptions,
) -> Result<()> {
    let staged = Staged::start(folder)?;
    staged.write(|place| write_files(place, &evaluated.validation))?;
    let mut run = RunRecord::new("evaluate", evaluated.input.clone(), to_value(options)?);
    run.notes.clone_from(&evaluated.notes);
    FILES.publish(staged, run)
}

/// Locks `folder` for an evaluation and checks that it may write there.
///
/// It may if none of the files it writes exists, if an earlier evaluation wrote them, or with
/// `overwrite`. Files that an interrupted process left are first put in their place or removed. No other
/// sbcell process writes to the folder while the caller keeps the lock.
///
/// # Errors
/// [`crate::Error::OutputTaken`] if a file exists that no evaluation wrote; [`crate::Error::InUse`] if another process
/// writes to the folder.
#[doc(hidden)]
pub fn check_validation_output(folder: &Path, overwrite: bool) -> Result<FolderLock> {
    FILES.lock(folder, overwrite)
}

/// The files that `evaluate` writes into `folder`, the run record last.
#[doc(hidden)]
pub fn validation_files(folder: &Path) -> Vec<PathBuf> {
    FILES.paths(folder)
}

/// Writes the scores and their chart.
fn write_files(folder: &Path, scores: &Validation) -> Result<()> {
    file::create_folder(folder)?;
    let [csv, json, svg, png] = NAMES.map(|name| folder.join(name));
    validation::write_table(&csv, scores)?;
    validation::write(&json, scores)?;
    let chart = draw_validation(scores);
    chart.write_svg(&svg)?;
    chart.write_png(&png)
}
