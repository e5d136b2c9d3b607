//! `--json`: one object on stdout with the same fields for every command.

use std::fs;

use serde_json::Value;

use crate::sandbox::{Sandbox, root, sample};

/// Runs `line` with `--json`, and reads the one object on stdout.
fn answer(sandbox: &Sandbox, line: &str) -> Value {
    let answer = sandbox.done(&format!("{line} --json"));
    let read: Value = serde_json::from_str(&answer.stdout)
        .unwrap_or_else(|error| panic!("`{line}`: {error}\n{}", answer.stdout));
    assert_eq!(read["command"], line.split(' ').next().unwrap(), "{line}");
    assert_eq!(read["version"], env!("CARGO_PKG_VERSION"));
    assert!(read["notes"].is_array() && read["summary"].is_object(), "{line}");
    for file in read["files"].as_array().unwrap() {
        assert!(sandbox.path(file.as_str().unwrap()).exists(), "`{line}` did not write {file}");
    }
    read
}

#[test]
fn every_command_prints_one_object_and_its_files_exist() {
    let sandbox = Sandbox::with(&sample("semrau2017_mesc_ra"));
    fs::copy(root().join("data-samples/semrau2017_groups.csv"), sandbox.path("groups.csv"))
        .unwrap();
    fs::write(sandbox.path("refNetwork.csv"), "Gene1,Gene2,Type\nPou5f1,Sox2,+\n").unwrap();
    let fit = "fit data.h5ad --timepoints time --obs-filter time<=12 --n-gaussians 2 --coupling-epsilon 1";
    let fitted = answer(&sandbox, fit);
    assert_eq!(fitted["files"], serde_json::json!(["sbcell-out"]));
    assert_eq!(fitted["summary"]["n_intervals"], 2);
    assert!(fitted["summary"]["validation"]["held_out"].is_array());
    assert!(!fitted["notes"].as_array().unwrap().is_empty());
    let some = "--cells groups.csv --bootstrap 3";
    for line in [
        "interpolate --n-cells 20",
        "sample --at 6 --n-cells 20 --epsilon 1",
        "velocity",
        "trajectory --cells groups.csv",
        "diagnose --permutations 1",
        "couplings",
        "perturb --knockout Sox2 --n-cells 20 --bootstrap 3",
        "annotate data.h5ad -o annotated.h5ad",
        "strip annotated.h5ad -o stripped.h5ad",
        "grn --bootstrap 0 --permutations 0 --source correlation --out edges.csv",
        "grn-score --truth refNetwork.csv edges.csv --out scores.csv",
        "plot embedding --out cells.svg",
        "evaluate data.h5ad --timepoints time --obs-filter time<=12 --n-gaussians 2 --cells-per-time 60",
        "report",
    ] {
        let read = answer(&sandbox, line);
        assert!(!read["files"].as_array().unwrap().is_empty(), "{line}");
        assert!(!read["summary"].as_object().unwrap().is_empty(), "{line}");
    }
    for command in ["fates", "transitions"] {
        let read = answer(&sandbox, &format!("{command} {some}"));
        assert!(read["summary"]["tables"][0]["rows"][0].is_object(), "{command}");
    }
    let trends = answer(&sandbox, &format!("trends {some}"));
    assert!(0 < trends["summary"]["n_rows"].as_u64().unwrap());
    let drivers = answer(&sandbox, "drivers --cells groups.csv");
    assert!(drivers["summary"]["n_rows"].is_u64());
}

#[test]
fn inspect_keeps_its_own_fields_and_errors_leave_stdout_empty() {
    let sandbox = Sandbox::with(&sample("semrau2017_mesc_ra"));
    let read = answer(&sandbox, "inspect data.h5ad");
    assert_eq!(read["n_cells"], read["summary"]["n_cells"]);
    assert!(read["matrices"].is_array());
    let missing = sandbox.run("fit none.h5ad --json");
    assert_eq!((missing.code, missing.stdout.as_str()), (3, ""));
    assert!(missing.stderr.starts_with("error: "), "{}", missing.stderr);
    let both = sandbox.run("fates --out - --json");
    assert_eq!((both.code, both.stdout.as_str()), (2, ""));
    assert!(both.stderr.contains("--json"), "{}", both.stderr);
}
