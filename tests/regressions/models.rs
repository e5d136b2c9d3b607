//! Models: what they record, what belongs to them, fits that meet or die.

use std::fs;
use std::path::Path;

use sbcell::io::lock::FolderLock;
use sbcell::io::model::{ValuesChoice, read_header};

use crate::course::{Course, N};
use crate::sandbox::{Answer, Sandbox, root};

pub(crate) const FIT: &str =
    "fit data.h5ad --timepoints day --n-pcs 3 --n-gaussians 1 --max-iterations 40";

/// A folder with the small course and, if `fitted`, a model of it.
pub(crate) fn with_course(fitted: bool) -> Sandbox {
    let sandbox = Sandbox::new();
    Course::new().write(&sandbox.path("data.h5ad"));
    if fitted {
        sandbox.done(&format!("{FIT} --no-validation"));
    }
    sandbox
}

pub(crate) fn refused(sandbox: &Sandbox, line: &str, code: i32, words: &[&str]) -> Answer {
    let answer = sandbox.run(line);
    assert_eq!(answer.code, code, "`{line}`\n{}{}", answer.stdout, answer.stderr);
    for word in words {
        assert!(answer.stderr.contains(word), "`{line}` does not say `{word}`:\n{}", answer.stderr);
    }
    answer
}

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

pub(crate) fn change_json(path: &Path, change: impl FnOnce(&mut serde_json::Value)) {
    let mut value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    change(&mut value);
    fs::write(path, serde_json::to_string_pretty(&value).unwrap()).unwrap();
}

/// A model of 0.1.0 was read with default options when one field of its `run.json` was not known: a
/// model of `--layer counts` then read X.
#[test]
fn r010_what_an_older_model_was_fitted_on_is_read_or_refused_never_guessed() {
    let sandbox = Sandbox::new();
    copy_folder(&root().join("tests/fixtures/old-model"), &sandbox.path("."));
    let grn = "grn --model model --source hill --bootstrap 0 --permutations 0 --out edges.csv";
    sandbox.done(grn);
    let edges = sandbox.text("edges.csv");
    let first: Vec<&str> = edges.lines().skip(1).take(3).collect();
    // As 0.1.0 ranks them, whose default had the Hill regression as its main part.
    for (edge, begins) in first.iter().zip(["Zic3,Dppa3,", "Sox2,Fgf4,", "Zic3,Sox2,"]) {
        assert!(edge.starts_with(begins), "{edge}");
    }
    let run = sandbox.path("model/run.json");
    change_json(&run, |run| {
        run["parameters"]["solver"] = serde_json::json!({"of_the_future": {"depth": 3}});
    });
    sandbox.done(grn);
    assert_eq!(sandbox.text("edges.csv"), edges);
    // The other matrix gives other edges, so that the above means something.
    let whole = fs::read_to_string(&run).unwrap();
    change_json(&run, |run| run["parameters"]["source"] = "x".into());
    sandbox.run(grn);
    assert_ne!(sandbox.text("edges.csv"), edges);
    for broken in ["source", "filters", "time", "values"] {
        fs::write(&run, &whole).unwrap();
        change_json(&run, |run| {
            run["parameters"].as_object_mut().unwrap().remove(broken);
        });
        refused(&sandbox, grn, 3, &["run.json", broken, "hint: run `sbcell fit` again"]);
    }
    fs::write(&run, "{\"format\": 1").unwrap();
    refused(&sandbox, grn, 3, &["run.json"]);
}

#[test]
fn r011_a_model_says_what_was_read() {
    let sandbox = with_course(false);
    sandbox.done(&format!("{FIT} --obs-filter day<=1 --values counts --no-validation"));
    let header = read_header(&sandbox.path("sbcell-out")).unwrap();
    let reading = header.reading.unwrap();
    assert_eq!(reading.filters, ["day<=1"]);
    assert_eq!(reading.values, ValuesChoice::Counts);
    assert_eq!(reading.source.to_string(), "X");
    assert_eq!(reading.time.column.as_deref(), Some("day"));
    let bytes = fs::metadata(sandbox.path("data.h5ad")).unwrap().len();
    assert_eq!(header.file.unwrap().bytes, Some(bytes));
    // Nothing of the parameters in `run.json` is needed any more.
    let trends = "trends --groupby cell_type --bootstrap 0";
    sandbox.done(trends);
    let before = sandbox.text("trends.csv");
    change_json(&sandbox.path("sbcell-out/run.json"), |run| run["parameters"] = "lost".into());
    sandbox.done(trends);
    assert_eq!(sandbox.text("trends.csv"), before);
}

/// Commands that read the fitted file, with what they write.
const READERS: [(&str, &str); 7] = [
    ("grn --bootstrap 0 --permutations 0 --out edges.csv", "edges.csv"),
    ("fates --groupby cell_type --bootstrap 0", "fates.csv"),
    ("transitions --groupby cell_type --bootstrap 0", "transitions.csv"),
    ("trajectory --groupby cell_type", "trajectory.csv"),
    ("trends --groupby cell_type --bootstrap 0", "trends.csv"),
    ("drivers --groupby cell_type", "drivers.csv"),
    ("perturb --knockout G0 --groupby cell_type --bootstrap 2", "perturb.csv"),
];

#[test]
fn r012_a_file_that_changed_since_the_fit_is_refused_unless_it_is_named() {
    let sandbox = with_course(true);
    let mut changed = Course::new();
    changed.counts.mapv_inplace(|count| (count * count + 1.0).ln());
    changed.write(&sandbox.path("data.h5ad"));
    for (line, _) in READERS {
        let words = ["not the file that was fitted", "--data data.h5ad"];
        refused(&sandbox, line, 3, &words);
    }
    refused(&sandbox, "diagnose --groupby cell_type", 3, &["not the file that was fitted"]);
    // Named, it is meant; values that are counts no more are refused all the same.
    let named = sandbox.done("fates --groupby cell_type --bootstrap 0 --data data.h5ad");
    assert!(named.stderr.contains("is not the file that was fitted"), "{}", named.stderr);
    let trends = "trends --groupby cell_type --bootstrap 0 --data data.h5ad";
    refused(&sandbox, trends, 3, &["fitted on counts"]);
    // Labels alone: nothing but the hash can tell.
    let mut relabelled = Course::new();
    relabelled.types.reverse();
    relabelled.write(&sandbox.path("data.h5ad"));
    refused(&sandbox, READERS[1].0, 3, &["not the file that was fitted"]);
    Course::new().write(&sandbox.path("data.h5ad"));
    sandbox.done(READERS[1].0);
}

#[test]
fn r013_cells_and_genes_in_another_order_give_the_same_results() {
    let sandbox = with_course(true);
    let course = Course::new();
    let n_cells = 3 * N;
    // 5 and 48 have no common factor, nor have 4 and 9.
    let cells: Vec<usize> = (0..n_cells).map(|i| (i * 5 + 3) % n_cells).collect();
    let genes: Vec<usize> = (0..9).map(|i| (i * 4 + 2) % 9).collect();
    course.cells(&cells).write(&sandbox.path("cells.h5ad"));
    course.genes(&genes).write(&sandbox.path("genes.h5ad"));
    for (line, out) in READERS {
        sandbox.done(line);
        let expected = sandbox.text(out);
        for data in ["cells.h5ad", "genes.h5ad"] {
            sandbox.done(&format!("{line} --data {data}"));
            assert!(sandbox.text(out) == expected, "`{line}` with {data}");
        }
    }
}

#[test]
fn r014_cells_and_genes_that_are_missing_are_named() {
    let sandbox = with_course(true);
    let course = Course::new();
    let even: Vec<usize> = (0..3 * N).step_by(2).collect();
    course.cells(&even).write(&sandbox.path("half.h5ad"));
    let mut renamed = course.clone();
    renamed.cells.iter_mut().for_each(|cell| cell.push_str("-1"));
    renamed.write(&sandbox.path("renamed.h5ad"));
    course.genes(&[0, 1, 2, 3, 4]).write(&sandbox.path("few.h5ad"));
    for (line, _) in READERS {
        let half = format!("{line} --data half.h5ad");
        refused(&sandbox, &half, 3, &["24 of the 48 cells of the model are not in it", "`c1`"]);
        refused(&sandbox, &format!("{line} --data renamed.h5ad"), 2, &["c0, c1", "c0-1, c1-1"]);
    }
    let few = sandbox.done("trends --groupby cell_type --bootstrap 0 --data few.h5ad");
    assert!(few.stderr.contains("4 of the 9 genes of the model are not in few.h5ad, such as `G5`"));
}

#[test]
fn r015_a_file_that_is_named_is_looked_at_also_where_nothing_is_read_from_it() {
    let sandbox = with_course(true);
    let lines: Vec<String> = (0..3 * N).map(|cell| format!("c{cell},{}\n", cell % 2)).collect();
    fs::write(sandbox.path("sets.csv"), lines.concat()).unwrap();
    let mut other = Course::new();
    other.cells.iter_mut().for_each(|cell| cell.insert(0, 'x'));
    other.write(&sandbox.path("other.h5ad"));
    for command in ["fates", "transitions", "trajectory"] {
        let line = format!("{command} --cells sets.csv");
        sandbox.done(&line);
        sandbox.done(&format!("{line} --data data.h5ad"));
        assert_ne!(sandbox.run(&format!("{line} --data none.h5ad")).code, 0, "{command}");
        refused(&sandbox, &format!("{line} --data other.h5ad"), 2, &["other.h5ad"]);
    }
}

#[test]
fn r016_two_runs_do_not_write_to_one_folder() {
    let sandbox = with_course(false);
    let held = FolderLock::take(&sandbox.path("sbcell-out")).unwrap();
    let number = format!("(process {})", std::process::id());
    let words = ["another run of sbcell", &number, "--out"];
    let fit = format!("{FIT} --no-validation");
    let answer = refused(&sandbox, &fit, 1, &words);
    assert!(!answer.stderr.contains("--resume"), "{}", answer.stderr);
    let evaluate =
        "evaluate data.h5ad --timepoints day --n-pcs 2 --bootstrap 0 --draws 1 --out sbcell-out";
    refused(&sandbox, evaluate, 1, &words);
    assert!(!sandbox.path("sbcell-out").exists());
    drop(held);
    sandbox.done(&fit);
    sandbox.run(evaluate);
    assert!(sandbox.path("sbcell-out/validation.run.json").exists());
    let mut names: Vec<String> = fs::read_dir(sandbox.path("."))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    assert_eq!(names, ["data.h5ad", "sbcell-out"]);
}

#[test]
fn r017_a_model_of_two_fits_is_refused() {
    let sandbox = with_course(true);
    sandbox.done(&format!("{FIT} --epsilon 0.5 --no-validation --out other"));
    let narrow = FIT.replace("--n-pcs 3", "--n-pcs 2");
    sandbox.done(&format!("{narrow} --no-validation --out narrow"));
    let part = |name: &str| sandbox.path(&format!("sbcell-out/{name}"));
    let parts =
        ["model.json", "run.json", "bridges/0_1.json", "fit.csv", "genes.parquet", "cells.parquet"];
    for name in parts {
        let whole = fs::read(part(name)).unwrap();
        // Cells and genes do not depend on the noise.
        let from = if name.ends_with("parquet") { "narrow" } else { "other" };
        fs::copy(sandbox.path(&format!("{from}/{name}")), part(name)).unwrap();
        let words: &[&str] = if from == "other" { &["belongs to another fit"] } else { &[] };
        refused(&sandbox, "interpolate --at 2", 3, words);
        fs::write(part(name), whole).unwrap();
    }
    sandbox.done("interpolate --at 2");
    // Genes that the model does not have.
    sandbox.done(&format!("{FIT} --no-validation"));
    change_json(&part("run.json"), |run| {
        run["outputs"].as_array_mut().unwrap().retain(|output| output["file"] != "genes.parquet");
    });
    refused(&sandbox, "interpolate --at 2", 3, &["genes.parquet", "belongs to another fit"]);
}

#[test]
fn r018_a_refit_takes_away_what_was_made_from_the_older_model_and_nothing_else() {
    let sandbox = with_course(true);
    let file = |name: &str| sandbox.path(&format!("sbcell-out/{name}"));
    sandbox.done("interpolate --at 2");
    sandbox.done("velocity --out sbcell-out/velocity.csv");
    sandbox.done("grn --bootstrap 0 --permutations 0 --out sbcell-out/edges.csv");
    fs::write(file("velocity.csv"), "mine now").unwrap();
    fs::create_dir(file("notes")).unwrap();
    fs::write(file("notes/a.txt"), "kept").unwrap();
    fs::write(file("thesis.txt"), "kept").unwrap();
    sandbox.done("interpolate --at 2 --out elsewhere.csv");
    let answer = sandbox.done(&format!("{FIT} --epsilon 0.5 --no-validation"));
    for gone in ["interpolated.parquet", "interpolated.parquet.run.json", "edges.csv"] {
        assert!(!file(gone).exists(), "{gone}");
    }
    assert!(answer.stderr.contains("edges.csv, interpolated.parquet"), "{}", answer.stderr);
    assert!(answer.stderr.contains("that were changed since: velocity.csv"));
    assert_eq!(sandbox.text("sbcell-out/velocity.csv"), "mine now");
    assert_eq!(sandbox.text("sbcell-out/notes/a.txt"), "kept");
    assert_eq!(sandbox.text("sbcell-out/thesis.txt"), "kept");
    assert!(file("velocity.csv.run.json").exists() && sandbox.path("elsewhere.csv").exists());
    // The same parameters give the same bytes as in a fresh folder, whatever was there before.
    sandbox.done(&format!("{FIT} --epsilon 0.5 --no-validation --out fresh"));
    for (name, bytes) in sandbox.files("fresh") {
        assert!(fs::read(file(&name)).unwrap() == bytes, "{name}");
    }
    assert!(!sandbox.path("sbcell-out.partial").exists());
}

/// States that a fit leaves when it is killed; `tests/kill.rs` finds more of them.
#[test]
fn r019_what_a_killed_fit_leaves_is_taken_up_or_removed() {
    let sandbox = with_course(true);
    let partial = |name: &str| sandbox.path(&format!("sbcell-out.partial/{name}"));
    let other = format!("{FIT} --epsilon 0.5 --no-validation");
    sandbox.done(&format!("{other} --out other"));
    // An empty folder; a plan cut short, with and without --resume.
    for (plan, resume) in [(None, ""), (Some("\"12"), ""), (Some("\"12"), "--resume")] {
        fs::create_dir(partial("")).unwrap();
        if let Some(plan) = plan {
            fs::write(partial("plan.json"), plan).unwrap();
            fs::create_dir(partial("bridges")).unwrap();
            fs::write(partial("bridges/.0_1.json.tmp-1"), "{").unwrap();
        }
        sandbox.done(&format!("{FIT} --no-validation {resume}"));
        assert!(!partial("").exists());
    }
    // A model that is whole and not in its place: who opens the model puts it there.
    let names: Vec<String> = sandbox.files("other").into_iter().map(|file| file.0).collect();
    let list = serde_json::json!({"files": names, "dropped": []}).to_string();
    fs::write(sandbox.path("sbcell-out/thesis.txt"), "kept").unwrap();
    copy_folder(&sandbox.path("other"), &partial(""));
    fs::write(partial(".sbcell-whole.json"), &list).unwrap();
    fs::write(partial("plan.json"), "\"12\"").unwrap();
    fs::write(partial(".fit.csv.tmp-1"), "half").unwrap();
    sandbox.done("velocity");
    let mut expected = sandbox.files("other");
    expected.push(("thesis.txt".into(), b"kept".to_vec()));
    let found = |sandbox: &Sandbox| {
        let files = sandbox.files("sbcell-out");
        files.into_iter().filter(|file| !file.0.starts_with("velocity")).collect::<Vec<_>>()
    };
    let is_new = |sandbox: &Sandbox| {
        assert!(found(sandbox) == expected);
        assert!(!sandbox.path("sbcell-out.partial").exists());
    };
    is_new(&sandbox);
    // Half of its files moved, as where folders cannot be exchanged.
    let moved = ["bridges/0_1.json", "cells.parquet", "fit.csv"];
    sandbox.done(&format!("{FIT} --no-validation"));
    copy_folder(&sandbox.path("other"), &partial(""));
    fs::write(partial(".sbcell-whole.json"), &list).unwrap();
    fs::remove_file(sandbox.path("sbcell-out/model.json")).unwrap();
    for name in moved {
        fs::rename(partial(name), sandbox.path(&format!("sbcell-out/{name}"))).unwrap();
    }
    sandbox.done("velocity");
    is_new(&sandbox);
    // The older model not quite removed.
    copy_folder(&sandbox.path("sbcell-out"), &partial(""));
    fs::remove_file(partial("model.json")).unwrap();
    fs::write(sandbox.path("sbcell-out/.sbcell-whole.json"), &list).unwrap();
    sandbox.done("velocity");
    is_new(&sandbox);
    // From inside the folder, which must stay the folder that it is.
    let binary = std::process::Command::new(env!("CARGO_BIN_EXE_sbcell"))
        .args(other.replace("data.h5ad", "../data.h5ad").split_whitespace())
        .args(["--out", "."])
        .current_dir(sandbox.path("sbcell-out"))
        .output()
        .unwrap();
    assert!(binary.status.success(), "{}", String::from_utf8_lossy(&binary.stderr));
    assert_eq!(sandbox.text("sbcell-out/thesis.txt"), "kept");
    assert!(!sandbox.path("sbcell-out.partial").exists());
}

#[test]
fn r020_a_file_annotated_in_place_is_still_the_fitted_one() {
    let sandbox = with_course(true);
    sandbox.done("annotate data.h5ad --in-place");
    sandbox.done(READERS[1].0);
    sandbox.done("annotate data.h5ad --in-place");
    sandbox.done(READERS[0].0);
    sandbox.done("strip data.h5ad --in-place");
    sandbox.done(READERS[4].0);
}

#[test]
fn r021_an_evaluation_is_there_whole_or_not_at_all() {
    let sandbox = with_course(false);
    let line = "evaluate data.h5ad --timepoints day --n-pcs 2 --n-gaussians 1 --bootstrap 0 \
                --draws 1 --out scores";
    sandbox.run(line);
    let whole = sandbox.files("scores");
    assert_eq!(whole.len(), 5);
    // All of it written, some of it in its place, the record not.
    let stage = sandbox.path("scores/.sbcell-new");
    fs::create_dir(&stage).unwrap();
    fs::rename(sandbox.path("scores/validation.run.json"), stage.join("validation.run.json"))
        .unwrap();
    let list = serde_json::json!(whole.iter().map(|file| &file.0).collect::<Vec<_>>());
    fs::write(stage.join("whole.json"), list.to_string()).unwrap();
    sandbox.run(line);
    assert!(sandbox.files("scores") == whole);
    // Some of it written.
    fs::create_dir(&stage).unwrap();
    fs::write(stage.join("validation.csv"), "half").unwrap();
    sandbox.run(line);
    assert!(sandbox.files("scores") == whole);
}
