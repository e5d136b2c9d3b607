//! Verification: whether files are still those that run records describe.

mod hashes;
mod records;

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::error::{Error, Result};
use crate::io::output::run_record;
use crate::pipeline::verify::hashes::Hashes;
use crate::pipeline::verify::records::{Place, Record, records_in};
use crate::progress::Progress;

/// Whether a file is the one that a record describes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FileState {
    /// The file has the recorded hash.
    Same,
    /// The file has another hash.
    Changed,
    /// There is no file.
    Missing,
    /// The record has no hash of the file.
    NotRecorded,
}

/// A file of a record, compared with its hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckedFile {
    /// Where the file is, or the first place where it was looked for.
    pub path: PathBuf,
    /// Whether the command wrote the file. Otherwise it read the file.
    pub is_output: bool,
    /// The result of the comparison.
    pub state: FileState,
    /// The recorded SHA-256; empty if there is none.
    pub recorded: String,
}

/// A run record with its files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckedRecord {
    /// Path of the record.
    pub record: PathBuf,
    /// The command that wrote it, such as `fit`.
    pub command: String,
    /// Version of sbcell.
    pub sbcell: String,
    /// Vector instructions of the processor; `None` in records of older versions.
    pub cpu: Option<String>,
    /// The arguments after `sbcell`; empty in records of older versions and of the library.
    pub arguments: Vec<String>,
    /// The files, each once: inputs, then outputs.
    pub files: Vec<CheckedFile>,
}

/// Compares the files of every run record of `path` with their recorded hashes. Nothing is changed.
///
/// `path` is a file with its run record beside it, a model, or a folder with results, whose subfolders are searched
/// too. Folders whose name begins with a dot, unfinished ones, and `earlier` of a run are left out. A file that
/// several records name is in the first of them. Each file is read once.
///
/// Records have relative paths of inputs. A path is tried from the working folder, from the folder of the record, and
/// from those above it; the first file with the recorded hash counts.
///
/// # Errors
/// [`Error::NoFile`] or [`Error::Io`] if `path` cannot be read; [`Error::Unreadable`] if there is no record, or if
/// one of them is damaged; [`Error::Cancelled`].
pub fn verify(path: &Path, progress: &mut dyn Progress) -> Result<Vec<CheckedRecord>> {
    let found = if path.is_dir() {
        records_in(path)?
    } else {
        // The error for a missing file names similar ones.
        crate::io::file::open(path)?;
        vec![run_record(path), path.with_extension("run.json")]
            .into_iter()
            .filter(|record| record.is_file())
            .take(1)
            .collect()
    };
    if found.is_empty() {
        return Err(Error::Unreadable {
            path: path.to_path_buf(),
            problem: "it has no run record (run.json or NAME.run.json)".into(),
            way_out: Some(
                "give a model, a folder with results, or a file that sbcell wrote".into(),
            ),
        });
    }
    let mut hashes = Hashes::default();
    let mut seen: Vec<(PathBuf, bool)> = Vec::new();
    let mut checked = Vec::new();
    for record in found {
        let Record { command, sbcell, cpu, arguments, places } = Record::read(&record)?;
        let mut files = Vec::new();
        for place in places {
            let file = check(&place, &mut hashes, progress)?;
            let key = (hashes::real(&file.path), file.is_output);
            if !seen.contains(&key) {
                seen.push(key);
                files.push(file);
            }
        }
        checked.push(CheckedRecord { record, command, sbcell, cpu, arguments, files });
    }
    Ok(checked)
}

/// Compares one file: at the first of its places with the recorded hash, or at the first where there is a file.
fn check(place: &Place, hashes: &mut Hashes, progress: &mut dyn Progress) -> Result<CheckedFile> {
    let Place { candidates, is_output, sha256 } = place;
    let there: Vec<&PathBuf> = candidates.iter().filter(|path| path.is_file()).collect();
    let expected = candidates.first().cloned().unwrap_or_default();
    let of = |path: &Path, state| CheckedFile {
        path: path.to_path_buf(),
        is_output: *is_output,
        state,
        recorded: sha256.clone(),
    };
    if sha256.is_empty() {
        return Ok(of(there.first().map_or(&expected, |path| *path), FileState::NotRecorded));
    }
    for path in &there {
        if hashes.of(path, progress)? == *sha256 {
            return Ok(of(path, FileState::Same));
        }
    }
    Ok(match there.first() {
        Some(path) => of(path, FileState::Changed),
        None => of(&expected, FileState::Missing),
    })
}

#[cfg(test)]
mod tests;
