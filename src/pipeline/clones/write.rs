//! The files of scores by clones: scores and cells as CSV, and their run record.

use std::path::{Path, PathBuf};

use crate::error::Result;
use crate::io::file;
use crate::io::lock::FolderLock;
use crate::io::model::OpenModel;
use crate::io::run::{InputRecord, RunRecord, json_sha256, to_value};
use crate::io::staged::Staged;
use crate::io::table::{self, TableFormat};
use crate::pipeline::clones::{CloneScoreOptions, CloneScores};
use crate::pipeline::shared::score_files::ScoreFiles;

/// The files of scores by clones.
const FILES: ScoreFiles =
    ScoreFiles { files: &["clones.csv", "clones.cells.csv"], run: "clones.run.json" };

/// Writes `clones.csv`, `clones.cells.csv` and their run record into `folder`: all of them or none. `format`
/// is the format of the tables, CSV or its variant for spreadsheets.
///
/// The caller holds the lock of `folder` (see [`check_clone_output`]).
///
/// # Errors
/// [`crate::Error::Io`] if a file cannot be written.
#[doc(hidden)]
pub fn write_clone_scores(
    folder: &Path,
    found: &CloneScores,
    model: &OpenModel,
    options: &CloneScoreOptions,
    format: TableFormat,
) -> Result<()> {
    let staged = Staged::start(folder)?;
    staged.write(|place| {
        file::create_folder(place)?;
        let tables = FILES.files.iter().zip([&found.table, &found.cells]);
        tables
            .into_iter()
            .try_for_each(|(name, table)| table::write(&place.join(name), table, format))
    })?;
    let input = InputRecord {
        file: "model.json".into(),
        path: String::new(),
        sha256: json_sha256(&model.header)?,
        files: Vec::new(),
        cells: model.cells.len(),
        genes: model.genes.len(),
    };
    let mut run = RunRecord::new("evaluate", input, to_value(options)?);
    run.notes = [found.summary.as_slice(), &found.notes].concat();
    FILES.publish(staged, run)
}

/// Locks `folder` for scores by clones and checks that they may be written there.
///
/// They may if none of the files exists, if an earlier evaluation wrote them, or with `overwrite`.
///
/// # Errors
/// [`crate::Error::OutputTaken`] if a file exists that no evaluation wrote; [`crate::Error::InUse`] if another process
/// writes to the folder.
#[doc(hidden)]
pub fn check_clone_output(folder: &Path, overwrite: bool) -> Result<FolderLock> {
    FILES.lock(folder, overwrite)
}

/// The files that scores by clones write into `folder`, the run record last.
#[doc(hidden)]
pub fn clone_score_files(folder: &Path) -> Vec<PathBuf> {
    FILES.paths(folder)
}
