//! Files that are the same, changed, missing or not recorded, and where inputs are found.

use std::fs;

use super::*;
use crate::io::run::{InputRecord, OutputRecord, RunRecord, write_json};
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
    let input =
        InputRecord { file: "data".into(), path: String::new(), sha256, cells: 1, genes: 1 };
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
