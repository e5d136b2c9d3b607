//! `sbcell plan`, `step` and `merge`: the bytes of the command alone, and an error for each thing that is wrong.

use std::fs;

use crate::sandbox::{Sandbox, sample};

/// A short evaluation of two held-out times.
const EVALUATE: &str = "evaluate data.h5ad --timepoints time --obs-filter time<=24 --n-pcs 2 \
    --compare gaussian,ot --cells-per-time 60 --max-cells 30 --repeats 2 --bootstrap 20";

/// What a command that must fail with `code` says.
fn fails(sandbox: &Sandbox, line: &str, code: i32) -> String {
    let answer = sandbox.run(line);
    assert_eq!(answer.code, code, "`sbcell {line}`\n{}{}", answer.stdout, answer.stderr);
    answer.stderr
}

#[test]
fn units_in_any_order_and_on_any_number_of_threads_merge_to_the_bytes_of_one_command() {
    let sandbox = Sandbox::with(&sample("semrau2017_mesc_ra"));
    sandbox.done(&format!("{EVALUATE} --out alone"));
    let planned = sandbox.done(&format!("plan --no-trial {EVALUATE} --out merged"));
    let units = "6 units (methods at held-out times): null models at 6, gaussian at 6, ot at 6, null models at 12, \
                 gaussian at 12, ot at 12";
    let said = planned.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains(units), "{said}");
    assert!(!sandbox.path("plan.parts").exists());
    assert!(!sandbox.path("merged").exists());
    for unit in [4, 1, 5, 3, 2] {
        sandbox.done(&format!("step plan.json --unit {unit} --threads 2"));
    }
    let early = fails(&sandbox, "merge plan.json", 3);
    assert!(early.contains("1 of 6 units"), "{early}");
    assert!(!sandbox.path("merged").exists());
    sandbox.done("step plan.json --unit 0 --threads 1");
    let again = sandbox.done("step plan.json --unit 0");
    assert!(again.stdout.contains("unit 0 (null models at 6) is done"), "{}", again.stdout);
    sandbox.done("merge plan.json");
    let (alone, merged) = (sandbox.files("alone"), sandbox.files("merged"));
    assert!(alone.len() > 2 && alone.len() == merged.len());
    for ((name, one), (other_name, other)) in alone.iter().zip(&merged) {
        assert_eq!(name, other_name);
        assert!(one == other, "{name} differs");
    }
}

/// Plans `line`, does its `n` units in reverse order, and merges. The files must be those of the command alone.
fn check(line: &str, out: &str, n: usize, before: &[&str]) {
    check_tried(line, out, [n, 1], before);
}

/// As [`check`], for a command of which `tried` units are done while it is planned.
fn check_tried(line: &str, out: &str, [n, tried]: [usize; 2], before: &[&str]) {
    let (alone, divided) = (
        Sandbox::with(&sample("semrau2017_mesc_ra")),
        Sandbox::with(&sample("semrau2017_mesc_ra")),
    );
    for sandbox in [&alone, &divided] {
        for line in before {
            sandbox.done(line);
        }
    }
    alone.done(line);
    let planned = divided.done(&format!("plan {line}"));
    assert!(planned.stdout.contains(&format!("{n} units")), "{}", planned.stdout);
    assert!(planned.stdout.contains("a unit needs up to"), "{}", planned.stdout);
    // The units that were tried are done.
    assert_eq!(fs::read_dir(divided.path("plan.parts")).unwrap().count(), tried);
    for unit in (0..n).rev() {
        divided.done(&format!("step plan.json --unit {unit}"));
    }
    assert!(!divided.path(out).exists());
    divided.done("merge plan.json");
    let files = |sandbox: &Sandbox| {
        let all = sandbox.files(".").into_iter();
        all.filter(|file| !file.0.starts_with("plan.")).collect::<Vec<_>>()
    };
    let (alone, divided) = (files(&alone), files(&divided));
    let names =
        |files: &[(String, Vec<u8>)]| files.iter().map(|file| file.0.clone()).collect::<Vec<_>>();
    assert_eq!(names(&alone), names(&divided));
    for ((name, one), (_, other)) in alone.iter().zip(&divided) {
        assert!(one == other, "{name} differs");
    }
}

#[test]
fn a_fit_of_units_is_the_fit_of_one_machine() {
    let line = "fit data.h5ad --timepoints time --obs-filter time<=24 --n-pcs 3 --solver lightsb --n-gaussians 2";
    check(line, "sbcell-out/model.json", 3, &[]);
}

#[test]
fn populations_of_units_are_those_of_one_machine() {
    let fit = "fit data.h5ad --timepoints time --obs-filter time<=24 --n-pcs 3 --solver gaussian --no-validation";
    check("interpolate --at 3,6,9,18 --out cells.csv", "cells.csv", 4, &[fit]);
    check(
        "interpolate --diffusion 0.5 --backward --space genes --out genes.parquet",
        "genes.parquet",
        3,
        &[fit],
    );
}

#[test]
fn scores_and_choices_of_units_are_those_of_one_machine() {
    // Null models and two methods at each of three times, chosen by two inner times; strict and with growth.
    let growth = "--growth-key day --growth-unit rate/unit";
    let line = format!(
        "evaluate data.h5ad --timepoints time --obs-filter time<=36 --n-pcs 2 --compare gaussian,ot --select {growth} \
         --cells-per-time 80 --max-cells 30 --repeats 2 --bootstrap 20 --out scores"
    );
    check_tried(&line, "scores", [9, 3], &[]);
}

#[test]
fn edges_of_units_are_those_of_one_machine() {
    let fit = "fit data.h5ad --timepoints time --obs-filter time<=24 --n-pcs 3 --solver gaussian --no-validation";
    check("grn --bootstrap 3 --permutations 3 --out edges.csv", "edges.csv", 14, &[fit]);
}

#[test]
fn wrong_units_changed_plans_and_changed_files_have_an_error_each() {
    let sandbox = Sandbox::with(&sample("semrau2017_mesc_ra"));
    let other = fails(&sandbox, "plan inspect data.h5ad", 2);
    assert!(other.contains("fit, evaluate, interpolate, grn, fates or transitions"), "{other}");
    let near = fails(&sandbox, "plan evaluat data.h5ad", 2);
    assert!(near.contains("did you mean `evaluate`?"), "{near}");
    let wrong = fails(&sandbox, "plan evaluate data.h5ad --no-such-flag", 2);
    assert!(wrong.contains("no-such-flag"), "{wrong}");
    assert!(!sandbox.path("plan.json").exists());
    sandbox.done(&format!("plan --no-trial {EVALUATE}"));
    // The plan of another command takes its place; its units are done again.
    sandbox.done("plan --no-trial fit data.h5ad --timepoints time --n-pcs 2");
    sandbox.done(&format!("plan --no-trial {EVALUATE}"));
    let unit = fails(&sandbox, "step plan.json --unit 6", 2);
    assert!(unit.contains("6 of 6 units"), "{unit}");
    sandbox.done("step plan.json --unit 0");
    // A part of unit 0 does not stand for unit 1.
    fs::copy(sandbox.path("plan.parts/0.json"), sandbox.path("plan.parts/1.json")).unwrap();
    let part = fails(&sandbox, "merge plan.json", 3);
    assert!(part.contains("another plan or unit"), "{part}");
    let mut data = fs::read(sandbox.path("data.h5ad")).unwrap();
    data.push(0);
    fs::write(sandbox.path("data.h5ad"), data).unwrap();
    let changed = fails(&sandbox, "step plan.json --unit 1", 3);
    assert!(changed.contains("changed after the plan was made"), "{changed}");
}

#[test]
fn a_plan_keeps_inputs_files_of_others_and_finished_results() {
    let sandbox = Sandbox::with(&sample("semrau2017_mesc_ra"));
    let data = fs::read(sandbox.path("data.h5ad")).unwrap();
    let fit = "fit data.h5ad --timepoints time --obs-filter time<=24 --n-pcs 2 --solver gaussian --no-validation";
    let input = fails(&sandbox, &format!("plan --overwrite --out data.h5ad {fit}"), 2);
    assert!(input.contains("another file"), "{input}");
    assert_eq!(fs::read(sandbox.path("data.h5ad")).unwrap(), data);
    // A file of somebody else where a result would be.
    fs::create_dir(sandbox.path("own.parts")).unwrap();
    fs::write(sandbox.path("own.parts/0.json"), "[1, 2]").unwrap();
    sandbox.done(&format!("plan --no-trial --out own.json {fit}"));
    let foreign = fails(&sandbox, "step own.json --unit 0", 3);
    assert!(foreign.contains("no result of a unit"), "{foreign}");
    assert_eq!(sandbox.text("own.parts/0.json"), "[1, 2]");
    // The number of a unit is part of what is checked.
    sandbox.done(&format!("plan {fit}"));
    sandbox.done("step plan.json --unit 0");
    let other = sandbox.text("plan.parts/0.json").replace("\"unit\": 0", "\"unit\": 2");
    fs::write(sandbox.path("plan.parts/2.json"), other).unwrap();
    let copied = fails(&sandbox, "merge plan.json", 3);
    assert!(copied.contains("damaged") && copied.contains("--unit 2"), "{copied}");
    // A plan that was cut short is made again.
    fs::write(sandbox.path("plan.json"), "{").unwrap();
    sandbox.done(&format!("plan --overwrite {fit}"));
}

#[test]
fn a_course_with_another_file_than_the_plan_is_refused() {
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.path("course")).unwrap();
    fs::copy(sample("semrau2017_mesc_ra"), sandbox.path("course/a.h5ad")).unwrap();
    let fit = "fit course --timepoints time --obs-filter time<=24 --n-pcs 2 --solver gaussian --no-validation";
    sandbox.done(&format!("plan {fit}"));
    fs::copy(sample("semrau2017_mesc_ra"), sandbox.path("course/b.h5ad")).unwrap();
    for line in ["step plan.json --unit 0", "merge plan.json"] {
        let added = fails(&sandbox, line, 3);
        assert!(added.contains("b.h5ad") && added.contains("is new"), "{added}");
    }
}

#[test]
fn work_that_is_not_divided_is_refused_before_it_is_done() {
    let sandbox = Sandbox::with(&sample("semrau2017_mesc_ra"));
    let line = "plan fit data.h5ad --timepoints time --solver sf2m --max-iterations 100000000";
    let refused = fails(&sandbox, line, 2);
    assert!(refused.contains("solvers of whole courses"), "{refused}");
    let missing = fails(&sandbox, "plan evaluate", 2);
    assert!(missing.contains("not provided: <DATA.h5ad>"), "{missing}");
}

#[test]
fn fates_and_transitions_of_units_are_those_of_one_machine() {
    let sample = sample("semrau2017_mesc_ra");
    let groups = sample.with_file_name("semrau2017_groups.csv");
    let fit = "fit data.h5ad --timepoints time --obs-filter time<=24 --n-pcs 3 --solver gaussian --no-validation";
    let cells = format!("--cells {}", groups.display());
    check(&format!("fates {cells} --bootstrap 20 --out fates.csv"), "fates.csv", 3, &[fit]);
    // Neighbouring times, and the whole course.
    let line = format!("transitions {cells} --bootstrap 20 --out transitions.csv");
    check(&line, "transitions.csv", 4, &[fit]);
    let sandbox = Sandbox::with(&sample);
    sandbox.done(fit);
    let chain = fails(&sandbox, &format!("plan fates {cells} --coupling-epsilon fit"), 2);
    assert!(chain.contains("couplings of bridges"), "{chain}");
}

#[test]
fn a_unit_is_refused_where_there_is_not_enough_memory() {
    let sandbox = Sandbox::with(&sample("semrau2017_mesc_ra"));
    sandbox.done(&format!("plan --no-trial {EVALUATE}"));
    let plan = fs::read_to_string(sandbox.path("plan.json")).unwrap();
    // Estimates may be edited.
    let edited = plan.replace("\"memory_bytes\": null", "\"memory_bytes\": 3000000000");
    assert_ne!(plan, edited);
    fs::write(sandbox.path("plan.json"), edited).unwrap();
    let run = |megabytes: &str| {
        let variables = [("SLURM_MEM_PER_NODE", megabytes)];
        sandbox.run_with(&variables, "step plan.json --unit 0")
    };
    let refused = run("2000");
    assert_eq!(refused.code, 5, "{}", refused.stderr);
    let says = ["unit 0 needs about", "this job of Slurm", "ask Slurm for more memory"];
    assert!(says.iter().all(|words| refused.stderr.contains(words)), "{}", refused.stderr);
    assert!(!sandbox.path("plan.parts").exists());
    assert_eq!(run("4000").code, 0);
}
