//! Models that earlier versions wrote are read, and give the answers that these versions gave.

use std::fs;
use std::path::{Path, PathBuf};

use crate::sandbox::{Sandbox, root};

/// Largest difference between an answer then and now, relative to the larger of the number and 1.
///
/// Answers have the same bytes on one type of machine only: vectors of other lengths add numbers in another order, and
/// iterations stop at an error of 1e-7 or below. Between vectors of 512 bits, 256 bits and none, answers of these models
/// differed by at most 1.6e-10 (measured with qemu).
const TOLERANCE: f64 = 1e-9;

/// The folders of versions.
fn versions() -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join("data-samples/models")).unwrap();
    let mut folders: Vec<PathBuf> =
        entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect();
    folders.sort();
    folders
}

/// Copies a folder with all that is in it.
fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy_folder(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}

/// A sandbox with the models of a version.
fn with_models(version: &Path) -> Sandbox {
    let sandbox = Sandbox::new();
    copy_folder(version, &sandbox.path("."));
    sandbox
}

/// The largest difference between two tables of the same shape and texts, relative to the larger of the number and 1.
fn difference(then: &str, now: &str, name: &str) -> f64 {
    let rows = |text: &str| -> Vec<Vec<String>> {
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
        reader.records().map(|row| row.unwrap().iter().map(String::from).collect()).collect()
    };
    let (then, now) = (rows(then), rows(now));
    assert_eq!(then.len(), now.len(), "{name}: other numbers of rows");
    let mut largest: f64 = 0.0;
    for (then, now) in then.iter().zip(&now) {
        assert!(then.len() <= now.len(), "{name}: columns are gone: {then:?}, {now:?}");
        // Further columns may follow.
        for (then, now) in then.iter().zip(now) {
            match (then.parse::<f64>(), now.parse::<f64>()) {
                (Ok(a), Ok(b)) if a.is_nan() && b.is_nan() => {}
                (Ok(a), Ok(b)) => largest = largest.max((a - b).abs() / a.abs().max(1.0)),
                _ => assert_eq!(then, now, "{name}"),
            }
        }
    }
    largest
}

#[test]
fn models_of_every_version_give_the_answers_of_that_version() {
    assert!(!versions().is_empty());
    for version in versions() {
        let sandbox = with_models(&version);
        fs::rename(sandbox.path("answers"), sandbox.path("then")).unwrap();
        fs::create_dir(sandbox.path("answers")).unwrap();
        let commands = sandbox.text("commands.txt");
        let mut wrong = Vec::new();
        let mut n_answers = 0;
        for line in commands.lines() {
            let Some((_, answer)) = line.split_once("--out answers/") else { continue };
            sandbox.done(line);
            n_answers += 1;
            let [then, now] =
                ["then", "answers"].map(|folder| sandbox.text(&format!("{folder}/{answer}")));
            let differs = difference(&then, &now, answer);
            // With NaN, the comparison is false.
            if !matches!(differs.partial_cmp(&TOLERANCE), Some(std::cmp::Ordering::Less)) {
                wrong.push(format!("{line}: differs by {differs:e}"));
            }
        }
        let n_kept = fs::read_dir(sandbox.path("then")).unwrap().count();
        assert_eq!(n_answers, n_kept, "a command or an answer is missing in {}", version.display());
        assert!(wrong.is_empty(), "answers have changed:\n{}", wrong.join("\n"));
    }
}

/// Replaces the number of the format in a JSON file.
fn with_format(sandbox: &Sandbox, file: &str, from: u32, to: u32) {
    let text = sandbox.text(file);
    let changed = text.replacen(&format!("\"format\": {from}"), &format!("\"format\": {to}"), 1);
    assert_ne!(text, changed, "{file}");
    fs::write(sandbox.path(file), changed).unwrap();
}

#[test]
fn a_model_of_a_future_format_is_refused_in_one_sentence_that_names_both_formats() {
    let sandbox = with_models(versions().last().unwrap());
    let commands = "interpolate --model default --out a.csv
        fates --model default --groupby group --out a.csv
        annotate cells.h5ad --model default --out a.h5ad
        export default --out tables
        report default";
    with_format(&sandbox, "default/model.json", 1, 2);
    for line in commands.lines().map(str::trim).take(3) {
        let answer = sandbox.run(line);
        let said = &answer.stderr;
        assert_eq!(answer.code, 3, "{line}: {said}");
        assert!(
            said.contains("model.json") && said.contains("it has format 2, this sbcell reads 1"),
            "{said}"
        );
        assert!(said.contains("hint: fit again, or use the sbcell that wrote it"), "{said}");
        assert_eq!(said.matches("error: ").count(), 1, "{said}");
    }
    with_format(&sandbox, "conditions/conditions.json", 1, 2);
    let answer = sandbox.run("compare --model conditions --groupby group --out a.csv");
    assert_eq!(answer.code, 3, "{}", answer.stderr);
    assert!(answer.stderr.contains("it has format 2, this sbcell reads 1"), "{}", answer.stderr);
    assert!(!sandbox.path("a.csv").exists() && !sandbox.path("a.h5ad").exists());
}

#[test]
fn fields_of_a_later_version_are_ignored() {
    let sandbox = with_models(versions().last().unwrap());
    let line =
        "interpolate --model counts --at 54 --n-cells 5 --space genes --seed 7 --out now.csv";
    sandbox.done(line);
    let before = sandbox.text("now.csv");
    let path = sandbox.path("counts/run.json");
    // The hash in `run.json` is that of the changed file: a later version would write it so.
    let model = sandbox.text("counts/model.json").replacen('{', "{\n  \"of_the_future\": [1],", 1);
    fs::write(sandbox.path("counts/model.json"), &model).unwrap();
    let hash =
        sbcell::io::file::sha256(&sandbox.path("counts/model.json"), &mut sbcell::Silent).unwrap();
    let mut run: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    for output in run["outputs"].as_array_mut().unwrap() {
        if output["file"] == "model.json" {
            output["sha256"] = hash.clone().into();
        }
    }
    run["of_the_future"] = 1.into();
    fs::write(&path, run.to_string()).unwrap();
    sandbox.done(line);
    assert_eq!(sandbox.text("now.csv"), before);
}
