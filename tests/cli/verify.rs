//! `sbcell verify`: unchanged files, changed ones, and outputs that are made again.

use std::fs;
use std::process::Command;

use sbcell::io::file::sha256_of;
use serde_json::Value;

use crate::sandbox::{Sandbox, root, sample};

const FIT: &str = "fit data.h5ad --timepoints time --obs-filter time<=6 --n-pcs 2 --n-gaussians 1 \
                   --coupling-epsilon 1 --no-validation";

/// The sample, its model of two times, and groups of cells.
fn fitted() -> Sandbox {
    let sandbox = Sandbox::with(&sample("semrau2017_mesc_ra"));
    fs::copy(root().join("data-samples/semrau2017_groups.csv"), sandbox.path("groups.csv"))
        .unwrap();
    sandbox.done(FIT);
    sandbox
}

/// The answer of `line` as JSON, with its exit code.
fn verified(sandbox: &Sandbox, line: &str) -> (i32, Value) {
    let answer = sandbox.run(&format!("{line} --json"));
    let read = serde_json::from_str(&answer.stdout);
    (answer.code, read.unwrap_or_else(|_| panic!("{}{}", answer.stdout, answer.stderr)))
}

/// All files with their contents, to see that nothing changed.
fn everything(sandbox: &Sandbox) -> Vec<(String, Vec<u8>)> {
    sandbox.files(".")
}

#[test]
fn a_model_and_its_tables_are_the_same_until_a_file_changes() {
    let sandbox = fitted();
    sandbox.done("transitions --cells groups.csv --bootstrap 3 --out tables/t.csv");
    let before = everything(&sandbox);
    let (code, read) = verified(&sandbox, "verify");
    assert_eq!((code, &read["summary"]["n_changed"]), (0, &0.into()), "{read}");
    assert!(6 < read["summary"]["n_same"].as_u64().unwrap());
    assert_eq!(read["records"][0]["arguments"][0], "fit");
    let (code, read) = verified(&sandbox, "verify tables");
    // The model, the groups and both tables.
    assert_eq!((code, &read["summary"]["n_same"]), (0, &4.into()), "{read}");
    assert!(everything(&sandbox) == before);
    let answer = sandbox.done("verify tables/t.csv");
    assert!(answer.stdout.contains("same") && answer.stdout.contains("groups.csv"));
    // The commands take a file with an annotation for the fitted one, and so does this.
    sandbox.done("annotate data.h5ad --in-place");
    assert!(sandbox.done("verify").stdout.contains("annotated"));
    fs::write(sandbox.path("groups.csv"), "cell_1,other\n").unwrap();
    fs::remove_file(sandbox.path("tables/t.wide.csv")).unwrap();
    let (code, read) = verified(&sandbox, "verify tables");
    assert_eq!(code, 1);
    assert_eq!(
        (&read["summary"]["n_changed"], &read["summary"]["n_missing"]),
        (&1.into(), &1.into())
    );
    let answer = sandbox.run("verify tables");
    assert!(answer.stdout.contains("CHANGED") && answer.stdout.contains("MISSING"));
    assert_eq!(sandbox.run("verify groups.csv").code, 3);
    assert_eq!(sandbox.run("verify nothing").code, 3);
}

#[test]
fn what_is_made_again_has_the_same_bytes_and_nothing_is_touched() {
    let sandbox = fitted();
    sandbox.done("transitions --cells groups.csv --bootstrap 3 --seed 4 --threads 1 --out t.csv");
    sandbox.done("interpolate --n-cells 20");
    sandbox.done("velocity --out deep/velocity.csv");
    sandbox.done("grn --bootstrap 0 --permutations 0 --source correlation --plot-network net.svg");
    let before = everything(&sandbox);
    let (code, read) = verified(&sandbox, "verify . --rerun");
    assert_eq!(code, 0, "{read:#}");
    let again = read["rerun"].as_array().unwrap();
    let names = ["model.json", "t.wide.csv", "interpolated.parquet", "velocity.csv", "edges.csv"];
    for name in names {
        let of = |entry: &&Value| entry["path"].as_str().unwrap().ends_with(name);
        assert_eq!(again.iter().find(of).unwrap()["is_identical"], true, "{name}");
    }
    assert_eq!(read["summary"]["n_not_identical"], 0);
    assert!(everything(&sandbox) == before);
    // A forged hash is seen both ways.
    let forged = sandbox.text("t.csv.run.json");
    let read: Value = serde_json::from_str(&forged).unwrap();
    let hash = read["outputs"][0]["sha256"].as_str().unwrap();
    fs::write(sandbox.path("t.csv.run.json"), forged.replace(hash, &"0".repeat(64))).unwrap();
    let answer = sandbox.run("verify t.csv --rerun");
    assert_eq!(answer.code, 1);
    assert!(answer.stdout.contains("CHANGED") && answer.stdout.contains("DIFFERENT"));
}

#[test]
fn records_of_older_versions_are_not_recorded_and_not_repeatable() {
    let sandbox = fitted();
    sandbox.done("interpolate --n-cells 20 --out p.csv");
    let text = sandbox.text("p.csv.run.json");
    let mut run: Value = serde_json::from_str(&text).unwrap();
    for field in ["arguments", "inputs", "cpu"] {
        run.as_object_mut().unwrap().remove(field);
    }
    run["sbcell"] = "0.0.9".into();
    fs::write(sandbox.path("p.csv.run.json"), run.to_string()).unwrap();
    let (code, read) = verified(&sandbox, "verify p.csv --rerun");
    assert_eq!((code, &read["summary"]["n_same"]), (0, &2.into()), "{read:#}");
    assert!(read["rerun"][0]["is_identical"].is_null());
    assert!(read["notes"][0].as_str().unwrap().contains("sbcell 0.0.9"), "{read:#}");
}

/// A record is a file like any other: its line may be forged.
#[test]
fn a_forged_line_writes_nowhere_but_into_the_temporary_folder() {
    let sandbox = fitted();
    sandbox.done("interpolate --n-cells 20 --out p.csv");
    let text = sandbox.text("p.csv.run.json");
    for line in [
        r#"["interpolate", "--n-cells=20", "-o", "../../forged.csv"]"#,
        r#"["interpolate", "--n-cells=20", "--out=../../forged.csv"]"#,
        r#"["run", "--init-config", "--config=forged.toml"]"#,
        r#"["strip", "data.h5ad", "--in-place"]"#,
        r#"["man", "forged"]"#,
        r#"["verify", "--rerun"]"#,
        r#"["nothing"]"#,
    ] {
        let mut run: Value = serde_json::from_str(&text).unwrap();
        run["arguments"] = serde_json::from_str(line).unwrap();
        fs::write(sandbox.path("p.csv.run.json"), run.to_string()).unwrap();
        let before = everything(&sandbox);
        let (code, read) = verified(&sandbox, "verify p.csv --rerun");
        assert_ne!(read["rerun"][0]["is_identical"], true, "{line}: {read:#}");
        assert!([0, 1].contains(&code), "{line}");
        assert!(everything(&sandbox) == before, "{line}");
    }
    assert!(!std::env::temp_dir().join("forged.csv").exists());
}

#[test]
fn a_whole_run_is_made_again_by_one_command() {
    let sandbox = Sandbox::with(&sample("semrau2017_mesc_ra"));
    fs::copy(root().join("data-samples/semrau2017_groups.csv"), sandbox.path("groups.csv"))
        .unwrap();
    let set = "--set fit.obs-filter=time<=6 --set fit.n-pcs=2 --set fit.n-gaussians=1";
    sandbox
        .done(&format!("run data.h5ad --cells groups.csv --skip grn,evaluate {set} --out results"));
    let before = everything(&sandbox);
    let (code, read) = verified(&sandbox, "verify results --rerun");
    assert!(everything(&sandbox) == before);
    let rerun = &read["rerun"];
    assert_eq!(code, 0, "{rerun:#}");
    for name in ["fates.csv", "model.json", "annotated.h5ad", "report.html"] {
        let of = |entry: &&Value| entry["path"].as_str().unwrap().ends_with(name);
        let found = rerun.as_array().unwrap().iter().find(of).unwrap();
        assert_eq!(found["is_identical"], true, "{found}");
    }
}

/// Runs `line` in the folder `project` of the sandbox.
fn in_project(sandbox: &Sandbox, line: &str) {
    let done = Command::new(env!("CARGO_BIN_EXE_sbcell"))
        .args(line.split(' '))
        .current_dir(sandbox.path("project"))
        .output()
        .unwrap();
    assert!(done.status.success(), "{line}: {}", String::from_utf8_lossy(&done.stderr));
}

/// The page names the folder of results as the command did.
#[test]
fn a_page_is_made_again_from_other_folders() {
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.path("project")).unwrap();
    fs::create_dir(sandbox.path("raw")).unwrap();
    fs::copy(sample("semrau2017_mesc_ra"), sandbox.path("raw/data.h5ad")).unwrap();
    let run = "run ../raw/data.h5ad --skip grn,evaluate,interpolate,fates,transitions,trends,annotate \
               --set fit.obs-filter=time<=6 --set fit.n-pcs=2 --set fit.solver=gaussian --set fit.bend=off \
               --set fit.timing=even";
    let absolute = sandbox.path("absolute").display().to_string();
    in_project(&sandbox, &format!("{run} --out results"));
    in_project(&sandbox, &format!("{run} --out {absolute}"));
    let page_again = |folder: &str| {
        let before = everything(&sandbox);
        let (code, read) = verified(&sandbox, &format!("verify {folder} --rerun"));
        assert!(everything(&sandbox) == before);
        let of = |entry: &&Value| entry["path"].as_str().unwrap().ends_with("report.html");
        let found = read["rerun"].as_array().unwrap().iter().find(of).unwrap();
        (code, found["is_identical"].clone(), found["remark"].as_str().unwrap().to_string())
    };
    assert_eq!(page_again("project/results"), (0, true.into(), String::new()));
    let named = format!("with the name of the folder `{absolute}`");
    assert_eq!(page_again("absolute"), (0, true.into(), named));
    // A page that is not the recorded one cannot be told from one with another name.
    let hash = sha256_of(sandbox.text("absolute/report.html").as_bytes());
    let record = sandbox.text("absolute/run.json");
    assert!(record.contains(&hash));
    fs::write(sandbox.path("absolute/run.json"), record.replace(&hash, &"0".repeat(64))).unwrap();
    let (code, is_identical, remark) = page_again("absolute");
    assert_eq!((code, is_identical), (1, Value::Null));
    assert!(remark.starts_with("cannot be compared from here"), "{remark}");
}

#[test]
fn inputs_in_other_folders_are_found_and_outputs_of_the_same_name_are_not_taken_for_them() {
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.path("raw")).unwrap();
    fs::copy(sample("semrau2017_mesc_ra"), sandbox.path("raw/data.h5ad")).unwrap();
    let fit = "fit raw/data.h5ad --timepoints time --obs-filter time<=12 --n-gaussians 1 --coupling-epsilon 1";
    // With the scores of the time that is held out.
    sandbox.done(fit);
    let (code, read) = verified(&sandbox, "verify");
    assert_eq!((code, &read["summary"]["n_missing"]), (0, &0.into()), "{read:#}");
    sandbox.done("plot scree --out scree.svg");
    let (code, read) = verified(&sandbox, "verify scree.svg");
    assert_eq!((code, &read["summary"]["n_same"]), (0, &2.into()), "{read:#}");
    sandbox.done("export sbcell-out --out tables");
    let (code, read) = verified(&sandbox, "verify tables");
    assert_eq!(code, 0, "{read:#}");
    let records = read["records"].as_array().unwrap();
    let files = records.iter().flat_map(|record| record["files"].as_array().unwrap());
    let inputs: Vec<&str> = files
        .filter(|file| file["is_output"] == false)
        .map(|file| file["path"].as_str().unwrap())
        .collect();
    assert!(
        !inputs.is_empty() && inputs.iter().all(|path| path.starts_with("sbcell-out")),
        "{inputs:?}"
    );
}

#[test]
fn results_of_a_run_are_checked_without_a_name_and_those_of_a_later_format_are_refused() {
    let sandbox = Sandbox::with(&sample("semrau2017_mesc_ra"));
    let set = "--set fit.obs-filter=time<=6 --set fit.n-pcs=2 --set fit.n-gaussians=1";
    sandbox.done(&format!("run data.h5ad --skip grn,evaluate,fates,transitions,trends {set}"));
    let (code, read) = verified(&sandbox, "verify");
    assert_eq!((code, &read["summary"]["n_changed"]), (0, &0.into()), "{read:#}");
    let path = sandbox.path("sbcell-results/run.json");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replacen("\"format\": 1", "\"format\": 2", 1)).unwrap();
    // Other records are checked all the same.
    let (code, read) = verified(&sandbox, "verify");
    assert_eq!((code, &read["summary"]["n_unreadable"]), (1, &1.into()), "{read:#}");
    assert!(read["records"][0]["problem"].as_str().unwrap().contains("format 2"), "{read:#}");
    assert!(0 < read["summary"]["n_same"].as_u64().unwrap());
}

#[test]
fn a_damaged_record_is_one_finding_in_plain_words() {
    let sandbox = fitted();
    sandbox.done("interpolate --n-cells 20 --out tables/p.csv");
    sandbox.done("transitions --cells groups.csv --bootstrap 3 --out tables/t.csv");
    let whole = sandbox.text("tables/p.csv.run.json");
    let cut = whole.get(..whole.len() / 2).unwrap();
    for (text, words) in [
        (cut, "the record is damaged: it ends in the middle"),
        ("", "the record is damaged: it is empty"),
        ("{}", "the record is damaged: the entry `format` is missing"),
        ("no record", "the record is damaged: line 1 is not as sbcell writes it"),
    ] {
        fs::write(sandbox.path("tables/p.csv.run.json"), text).unwrap();
        let answer = sandbox.run("verify tables --rerun");
        assert_eq!(answer.code, 1, "{}", answer.stderr);
        let said = answer.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(said.contains(&format!("UNREADABLE tables/p.csv.run.json {words}")), "{said}");
        assert!(said.contains("1 record unreadable"), "{said}");
        // The other tables are checked and made again.
        assert!(said.contains("same tables/t.csv written by transitions"), "{said}");
        assert!(said.contains("identical tables/t.csv"), "{said}");
        let (code, read) = verified(&sandbox, "verify tables/p.csv");
        assert_eq!((code, &read["summary"]["n_unreadable"]), (1, &1.into()), "{read:#}");
    }
}

#[test]
fn an_input_that_has_moved_is_found_near_the_results_or_the_places_are_named() {
    let sandbox = Sandbox::new();
    fs::create_dir_all(sandbox.path("project/raw")).unwrap();
    fs::copy(sample("semrau2017_mesc_ra"), sandbox.path("project/raw/data.h5ad")).unwrap();
    let file = sandbox.path("project/raw/data.h5ad");
    sandbox.done(&format!(
        "fit {} --timepoints time --obs-filter time<=6 --n-pcs 2 --n-gaussians 1 --coupling-epsilon 1 \
         --no-validation --out project/model",
        file.display()
    ));
    fs::create_dir(sandbox.path("moved")).unwrap();
    fs::rename(sandbox.path("project/model"), sandbox.path("moved/model")).unwrap();
    fs::rename(&file, sandbox.path("moved/data.h5ad")).unwrap();
    // Beside the model, and in the working folder.
    let (code, read) = verified(&sandbox, "verify moved/model");
    assert_eq!((code, &read["summary"]["n_missing"]), (0, &0.into()), "{read:#}");
    fs::rename(sandbox.path("moved/data.h5ad"), sandbox.path("data.h5ad")).unwrap();
    let (code, read) = verified(&sandbox, "verify moved/model");
    assert_eq!((code, &read["summary"]["n_missing"]), (0, &0.into()), "{read:#}");
    // Another file of this name is not taken for it.
    fs::rename(sandbox.path("data.h5ad"), sandbox.path("cells.h5ad")).unwrap();
    fs::write(sandbox.path("data.h5ad"), "others").unwrap();
    let (code, read) = verified(&sandbox, "verify moved/model");
    assert_eq!((code, &read["summary"]["n_missing"]), (1, &1.into()), "{read:#}");
    let note = read["notes"]
        .as_array()
        .unwrap()
        .iter()
        .find(|note| note.as_str().unwrap().contains("was looked for at"));
    let note = note.unwrap_or_else(|| panic!("{read:#}")).as_str().unwrap();
    for place in ["`moved/model/data.h5ad`", "`moved/data.h5ad`", "`data.h5ad`"] {
        assert!(note.contains(place), "{place}: {note}");
    }
    assert!(note.contains("a link to it"), "{note}");
}
