//! Verification: whether files are still those that run records describe.

mod hashes;
mod records;

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::error::{Error, Result};
use crate::io::output::run_record;
use crate::io::run::DAMAGED;
use crate::pipeline::verify::hashes::Hashes;
pub use crate::pipeline::verify::records::folders_around;
use crate::pipeline::verify::records::{Place, Record, records_in};
use crate::progress::Progress;

/// Whether a file is the one that a record describes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FileState {
    /// The file has the recorded hash.
    Same,
    /// The file has another hash, and sbcell has written its annotation into the file since.
    Annotated,
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
    /// The paths at which a missing input was looked for; empty for other files.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tried: Vec<PathBuf>,
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
    /// The folder of results of a whole run, as the command named it.
    #[serde(skip)]
    pub named: Option<PathBuf>,
    /// The files, each once: inputs, then outputs.
    pub files: Vec<CheckedFile>,
    /// Why the record cannot be read. Such a record has no files, and its other fields are empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

impl CheckedRecord {
    /// The record at `record` that cannot be read because of `error`.
    fn unreadable(record: PathBuf, error: &Error) -> Self {
        let problem = match error {
            Error::Unreadable { problem, .. } => match problem.strip_prefix(DAMAGED) {
                Some(what) => format!("the record is damaged: {what}"),
                None => format!("the record cannot be read: {problem}"),
            },
            Error::Io { source, .. } => format!("the record cannot be read: {source}"),
            other => format!("the record cannot be read: {other}"),
        };
        let (command, sbcell) = (String::new(), String::new());
        let (arguments, files) = (Vec::new(), Vec::new());
        let problem = Some(problem);
        Self { record, command, sbcell, cpu: None, arguments, named: None, files, problem }
    }
}

/// Compares the files of every run record of `path` with their recorded hashes. Nothing is changed.
///
/// `path` is a file with its run record beside it, a model, or a folder with results, whose subfolders are searched
/// too. Folders whose name begins with a dot, unfinished ones, and `earlier` of a run are left out. A file that
/// several records name is in the first of them. Each file is read once.
///
/// Records have relative paths of inputs. A path is tried from the working folder, from the folder of the record, and
/// from those above it; the first file with the recorded hash counts. Then its name alone is tried in these folders, so
/// that an input is found that has moved together with the results.
///
/// A record that is damaged or of a later version has a [`problem`](CheckedRecord::problem) and no files. The other
/// records are checked all the same.
///
/// # Errors
/// [`Error::NoFile`] or [`Error::Io`] if `path` cannot be read; [`Error::Unreadable`] if there is no record;
/// [`Error::Cancelled`].
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
                "give the folder of the model or of the results, whose run.json has all its files"
                    .into(),
            ),
        });
    }
    let mut hashes = Hashes::default();
    let mut seen: Vec<(PathBuf, bool)> = Vec::new();
    let mut checked = Vec::new();
    for record in found {
        let read = match Record::read(&record) {
            Ok(read) => read,
            Err(error) => {
                checked.push(CheckedRecord::unreadable(record, &error));
                continue;
            }
        };
        let Record { command, sbcell, cpu, arguments, named, places } = read;
        let mut files = Vec::new();
        for place in places {
            let file = check(&place, &mut hashes, progress)?;
            let key = (hashes::real(&file.path), file.is_output);
            if !seen.contains(&key) {
                seen.push(key);
                files.push(file);
            }
        }
        let problem = None;
        let of = CheckedRecord { record, command, sbcell, cpu, arguments, named, files, problem };
        checked.push(of);
    }
    Ok(checked)
}

/// Compares one file: at the first of its places with the recorded hash, or at the first where there is a file.
fn check(place: &Place, hashes: &mut Hashes, progress: &mut dyn Progress) -> Result<CheckedFile> {
    let Place { candidates, elsewhere, is_output, sha256, annotated, is_course } = place;
    let is_there = |path: &&PathBuf| path.is_file() || *is_course && path.is_dir();
    let there: Vec<&PathBuf> = candidates.iter().filter(is_there).collect();
    let expected = candidates.first().cloned().unwrap_or_default();
    let of = |path: &Path, state| CheckedFile {
        path: path.to_path_buf(),
        is_output: *is_output,
        state,
        recorded: sha256.clone(),
        tried: Vec::new(),
    };
    if sha256.is_empty() {
        return Ok(of(there.first().map_or(&expected, |path| *path), FileState::NotRecorded));
    }
    if *is_course {
        for path in &there {
            if hashes.of_course(path, progress)?.as_ref() == Some(sha256) {
                return Ok(of(path, FileState::Same));
            }
        }
        return Ok(match there.first() {
            Some(path) => of(path, FileState::Changed),
            None => of(&expected, FileState::Missing),
        });
    }
    let further = elsewhere.iter().filter(|path| path.is_file());
    let all: Vec<&PathBuf> = there.iter().copied().chain(further).collect();
    for path in &all {
        if hashes.of(path, progress)? == *sha256 {
            return Ok(of(path, FileState::Same));
        }
    }
    for path in &all {
        if annotated.contains(&hashes.of(path, progress)?) {
            return Ok(of(path, FileState::Annotated));
        }
    }
    if let Some(path) = there.first() {
        return Ok(of(path, FileState::Changed));
    }
    let mut tried: Vec<PathBuf> = Vec::new();
    for path in candidates.iter().chain(elsewhere).filter(|_| !is_output) {
        // Paths that differ in `./` are the same.
        let path: PathBuf = path.components().collect();
        if !tried.contains(&path) {
            tried.push(path);
        }
    }
    Ok(CheckedFile { tried, ..of(&expected, FileState::Missing) })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::io::hashed::Hashed;
    use crate::io::run::{OutputRecord, RunRecord, write_json};
    use crate::progress::Silent;

    /// A folder with the file `data`, and a record of the file `out/a.csv` made from it.
    fn folder(sha256: Option<String>) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("out")).unwrap();
        fs::write(at("data"), "cells").unwrap();
        fs::write(at("genes.txt"), "Sox2").unwrap();
        fs::write(at("out/a.csv"), "a").unwrap();
        let of = |name: &str| OutputRecord::of(folder.path(), name).unwrap();
        let sha256 = sha256.unwrap_or_else(|| of("data").sha256);
        let input = Hashed { sha256, files: Vec::new() }.record(Path::new("data"), 1, 1);
        let mut run = RunRecord::new("fit", input, serde_json::Value::Null);
        run.inputs.push(of("genes.txt"));
        run.outputs.push(OutputRecord::of(&at("out"), "a.csv").unwrap());
        write_json(&at("out/a.csv.run.json"), &run).unwrap();
        folder
    }

    fn states(path: &Path) -> Vec<FileState> {
        let records = verify(path, &mut Silent).unwrap();
        records.into_iter().flat_map(|record| record.files).map(|file| file.state).collect()
    }

    #[test]
    fn files_are_the_same_until_they_change_or_go() {
        use FileState::{Changed, Missing, Same};
        let folder = folder(None);
        let at = |name: &str| folder.path().join(name);
        // By the folder, and by the file itself.
        assert_eq!(states(&at("out")), [Same, Same, Same]);
        assert_eq!(states(&at("out/a.csv")), [Same, Same, Same]);
        fs::write(at("out/a.csv"), "b").unwrap();
        fs::write(at("genes.txt"), "Nanog").unwrap();
        fs::remove_file(at("data")).unwrap();
        assert_eq!(states(folder.path()), [Missing, Changed, Changed]);
        // A file of this name elsewhere does not count, one with the same content does.
        fs::write(at("out/data"), "others").unwrap();
        assert_eq!(states(folder.path())[0], Changed);
        fs::write(at("out/data"), "cells").unwrap();
        assert_eq!(states(folder.path())[0], Same);
    }

    #[test]
    fn a_damaged_record_leaves_the_others() {
        use FileState::Same;
        let folder = folder(None);
        let out = folder.path().join("out");
        fs::copy(out.join("a.csv"), out.join("b.csv")).unwrap();
        fs::write(out.join("b.csv.run.json"), "{\"command\": \"run\", \"form").unwrap();
        let records = verify(&out, &mut Silent).unwrap();
        let problems: Vec<Option<&str>> =
            records.iter().map(|record| record.problem.as_deref()).collect();
        let wanted = "the record is damaged: it ends in the middle, in line 1";
        assert_eq!(problems, [None, Some(wanted)]);
        assert_eq!(states(&out), [Same, Same, Same]);
        // A missing input has the places at which it was looked for.
        fs::remove_file(folder.path().join("data")).unwrap();
        let records = verify(&out, &mut Silent).unwrap();
        let tried = &records[0].files[0].tried;
        for place in [PathBuf::from("data"), out.join("data"), folder.path().join("data")] {
            assert!(tried.contains(&place), "{tried:?}");
        }
        assert!(records[0].files[1..].iter().all(|file| file.tried.is_empty()));
    }

    #[test]
    fn without_a_hash_nothing_is_claimed_and_without_a_record_there_is_an_error() {
        let folder = folder(Some(String::new()));
        let out = folder.path().join("out");
        assert_eq!(states(&out)[0], FileState::NotRecorded);
        fs::remove_file(out.join("a.csv.run.json")).unwrap();
        for path in [out.clone(), out.join("a.csv")] {
            let error = verify(&path, &mut Silent).unwrap_err();
            assert!(error.to_string().contains("no run record") && error.hint().is_some());
        }
        let missing = verify(&out.join("b.csv"), &mut Silent);
        assert!(matches!(missing, Err(Error::NoFile { .. })), "{missing:?}");
    }

    #[test]
    fn the_record_of_a_run_is_read_with_all_its_steps() {
        let folder = folder(None);
        let hash = |name: &str| OutputRecord::of(folder.path(), name).unwrap().sha256;
        let run = serde_json::json!({
            "sbcell": "0.1.0",
            "command": "run",
            "parameters": {"data": "../data"},
            "steps": [
                {"step": "fates", "inputs": {"data": hash("data"), "model": "?"},
                 "outputs": [{"file": "a.csv", "sha256": hash("out/a.csv")}]},
                {"step": "report", "inputs": {"a.csv": hash("out/a.csv")}},
                {"step": "grn", "not_done": "left out"},
            ],
        });
        let out = folder.path().join("out");
        write_json(&out.join("run.json"), &run).unwrap();
        let records = verify(&out, &mut Silent).unwrap();
        assert_eq!((records[0].command.as_str(), records[0].files.len()), ("run", 2));
        // The record of the file itself adds what the run does not name.
        assert_eq!(records[1].files.len(), 1, "{:?}", records[1]);
        assert!(states(&out).iter().all(|state| *state == FileState::Same));
    }
}
