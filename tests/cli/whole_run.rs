//! `run`: all steps in one folder, what is not computed twice, the file of parameters, and steps that fail.

use std::fs;

use crate::sandbox::{Sandbox, root, sample};

/// Flags that make all steps fast.
const FAST: &str = "--set fit.obs-filter=time<=24 --set fit.bend=off --set fit.timing=even \
                    --set fit.n-gaussians=2 --set evaluate.repeats=1 --set evaluate.max-cells=100 \
                    --set evaluate.bootstrap=20 --set interpolate.n-cells=50 --set fates.bootstrap=3 \
                    --set transitions.bootstrap=3 --set trends.bootstrap=3 --set grn.source=correlation \
                    --set grn.bootstrap=0 --set grn.permutations=0";

/// A sandbox with the sample and its groups.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::with(&sample("semrau2017_mesc_ra"));
    let groups = root().join("data-samples/semrau2017_groups.csv");
    fs::copy(groups, sandbox.path("groups.csv")).unwrap();
    sandbox
}

/// The lines of the steps, without number and name.
fn steps(said: &str) -> Vec<(String, String)> {
    let lines = said.lines().filter_map(|line| line.split_once("/10] "));
    lines
        .map(|(_, line)| {
            let (name, text) = line.split_once(' ').unwrap();
            (name.to_string(), text.trim().to_string())
        })
        .collect()
}

/// The text of a step.
fn step(said: &str, name: &str) -> String {
    let all = steps(said);
    let found = all.into_iter().find(|step| step.0 == name);
    found.unwrap_or_else(|| panic!("no step {name}: {said}")).1
}

#[test]
fn one_command_makes_everything_and_the_same_command_computes_nothing_again() {
    let sandbox = sandbox();
    let line = format!("run data.h5ad --cells groups.csv --out results {FAST}");
    let said = sandbox.done(&line).stdout;
    let names: Vec<String> = steps(&said).into_iter().map(|step| step.0).collect();
    let all = [
        "inspect",
        "fit",
        "evaluate",
        "interpolate",
        "fates",
        "transitions",
        "trends",
        "grn",
        "annotate",
        "report",
    ];
    assert_eq!(names, all, "{said}");
    assert!(said.contains("wrote results/report.html: open it in a browser"), "{said}");
    let ending = said.lines().skip_while(|line| line.starts_with('['));
    // Long sentences go on in lines that begin with spaces. Notes begin with `Note: `.
    let n_sentences =
        ending.filter(|line| !line.starts_with(' ') && !line.starts_with("Note: ")).count();
    assert_eq!(n_sentences, 5, "three sentences, the page and the folder: {said}");
    for file in [
        "inspect.json",
        "model/model.json",
        "validation/validation.csv",
        "populations.parquet",
        "fates.csv",
        "transitions.csv",
        "transitions.wide.csv",
        "trends.csv",
        "edges.csv",
        "annotated.h5ad",
        "report.html",
        "sbcell_mqc.json",
        "run.json",
    ] {
        assert!(sandbox.path("results").join(file).is_file(), "{file}");
    }
    let page = sandbox.text("results/report.html");
    for id in ["map", "between", "transitions", "fates", "trends", "graph", "validation"] {
        assert!(page.contains(&format!("id=\"fig-{id}\"")), "{id}");
    }
    // A quarter, a half and three quarters of each interval: 0 to 6, 6 to 12, 12 to 24.
    let times = "--at=1.5,3,4.5,7.5,9,10.5,15,18,21";
    assert!(sandbox.text("results/run.json").contains(times));
    let before = sandbox.files("results");
    let said = sandbox.done(&line).stdout;
    for name in &all[1..9] {
        assert!(step(&said, name).ends_with("as before"), "{name}: {said}");
    }
    assert!(sandbox.files("results") == before, "the same command changed a file");

    // Another parameter concerns its own step and those that read its result.
    let said = sandbox.done(&format!("{line} --set fates.bootstrap=4")).stdout;
    assert_eq!(step(&said, "fates"), "fates.csv");
    assert_eq!(step(&said, "annotate"), "annotated.h5ad");
    for name in ["fit", "evaluate", "transitions", "trends", "grn"] {
        assert!(step(&said, name).ends_with("as before"), "{name}: {said}");
    }
    // A file that is gone or damaged is computed again.
    fs::remove_file(sandbox.path("results/trends.csv")).unwrap();
    let said = sandbox.done(&format!("{line} --set fates.bootstrap=4")).stdout;
    assert_eq!(step(&said, "trends"), "trends.csv");
    assert!(step(&said, "fates").ends_with("as before"));
}

#[test]
fn parameters_come_from_a_file_and_unknown_keys_are_refused() {
    let sandbox = sandbox();
    let said = sandbox.done("run --init-config");
    assert_eq!(said.shown().matches("wrote sbcell.toml").count(), 1, "{}", said.shown());
    let written = sandbox.text("sbcell.toml");
    assert!(written.contains("[fit]") && written.contains("# n-pcs = \"auto\""));
    let taken = sandbox.run("run --init-config");
    assert_eq!(taken.code, 2, "{}", taken.stderr);
    assert_eq!(sandbox.text("sbcell.toml"), written);

    let fast = "[fit]\nobs-filter = 'time<=12'\nbend = 'off'\nn-gaussians = 2\ntiming = 'even'\nn_pcs = 3\n";
    let skip = "skip = ['evaluate', 'fates', 'transitions', 'trends', 'grn', 'annotate']\n";
    fs::write(
        sandbox.path("sbcell.toml"),
        format!("data = 'data.h5ad'\nout = 'there'\n{skip}{fast}"),
    )
    .unwrap();
    let said = sandbox.done("run --set interpolate.n-cells=20").stdout;
    assert!(said.starts_with("parameters from sbcell.toml"), "{said}");
    assert_eq!(step(&said, "grn"), "left out");
    assert!(sandbox.text("there/model/pcs.csv").lines().count() > 3);
    let header = sandbox.text("there/model/model.json");
    assert!(header.contains("\"PC3\"") && !header.contains("\"PC4\""));
    let recorded = sandbox.text("there/run.json");
    assert!(recorded.contains("--n-pcs=3") && recorded.contains("--n-cells=20"), "{recorded}");

    fs::write(sandbox.path("sbcell.toml"), "[fit]\nn-pc = 3\n").unwrap();
    let refused = sandbox.run("run data.h5ad --out elsewhere");
    assert_eq!(refused.code, 3);
    assert!(refused.stderr.contains("[fit] has no key `n-pc`"), "{}", refused.stderr);
    assert!(refused.stderr.contains("did you mean `n-pcs`?"), "{}", refused.stderr);
    assert!(!sandbox.path("elsewhere").exists());
    assert!(refused.stderr.contains("line 2: "), "{}", refused.stderr);
    // A wrong value is the same kind of fault.
    fs::write(sandbox.path("sbcell.toml"), "[grn]\n\nbootstrap = 'many'\n").unwrap();
    let refused = sandbox.run("run data.h5ad --out elsewhere");
    assert_eq!(refused.code, 3, "{}", refused.stderr);
    let wanted = "cannot read `sbcell.toml`: line 3: `bootstrap` of [grn]: invalid value 'many'";
    assert!(refused.stderr.contains(wanted), "{}", refused.stderr);
    assert!(!sandbox.path("elsewhere").exists());
    fs::remove_file(sandbox.path("sbcell.toml")).unwrap();

    // A wrong value is found before the first step.
    let refused = sandbox.run("run data.h5ad --out elsewhere --set grn.bootstrap=many");
    assert_eq!(refused.code, 2, "{}", refused.stderr);
    assert!(refused.stderr.contains("for grn: invalid value 'many'"), "{}", refused.stderr);
    assert!(!sandbox.path("elsewhere/model").exists());
}

#[test]
fn a_folder_of_others_stays_as_it_is() {
    let sandbox = sandbox();
    fs::create_dir(sandbox.path("results")).unwrap();
    fs::write(sandbox.path("results/thesis.txt"), "mine").unwrap();
    let refused = sandbox.run("run data.h5ad --out results");
    assert_eq!(refused.code, 2, "{}", refused.stderr);
    assert!(refused.stderr.contains("already exists"), "{}", refused.stderr);
    assert_eq!(fs::read_dir(sandbox.path("results")).unwrap().count(), 1);
}

#[test]
fn a_step_that_fails_does_not_keep_the_others_from_running() {
    let sandbox = sandbox();
    // What is missing is found before the fit.
    for (groups, code) in [("--groupby nothing", 2), ("--cells nothing.csv", 3)] {
        let refused = sandbox.run(&format!("run data.h5ad {groups} --out results {FAST}"));
        assert_eq!(refused.code, code, "{}", refused.stderr);
        assert!(refused.stderr.contains("nothing") && refused.stderr.contains("there is no"));
        assert!(!sandbox.path("results/model").exists());
    }
    let line =
        "run data.h5ad --cells groups.csv --skip evaluate,grn --out results --set fates.at=7";
    let failed = sandbox.run(&format!("{line} {FAST}"));
    assert_eq!(failed.code, 2, "{}", failed.stderr);
    assert!(failed.stderr.contains('7'), "{}", failed.stderr);
    assert_eq!(step(&failed.stdout, "fates"), "failed, see below");
    assert_eq!(step(&failed.stdout, "annotate"), "annotated.h5ad");
    assert!(sandbox.path("results/report.html").is_file());
    // Two steps that fail are both named, in their order, and in the JSON object.
    let line = format!("{line} --set trends.at=5 --json");
    let failed = sandbox.run(&format!("{line} {FAST}"));
    assert_eq!(failed.code, 2, "{}", failed.stderr);
    let [fates, trends] =
        ["error in fates: ", "error in trends: "].map(|of| failed.stderr.find(of));
    assert!(fates.is_some() && fates < trends, "{}", failed.stderr);
    assert_eq!(failed.stderr.matches("\nhint: ").count(), 2, "{}", failed.stderr);
    let said: serde_json::Value = serde_json::from_str(&failed.stdout).unwrap();
    let states = |step: &str| {
        let all = said["summary"]["steps"].as_array().unwrap();
        all.iter().find(|one| one["step"] == step).unwrap()["state"].clone()
    };
    assert_eq!(said["summary"]["steps"].as_array().unwrap().len(), 10);
    for (step, state) in [
        ("inspect", "done"),
        ("fit", "done"),
        ("evaluate", "left out"),
        ("fates", "failed"),
        ("trends", "failed"),
        ("report", "done"),
    ] {
        assert_eq!(states(step), state, "{step}");
    }
    // Without groups, states are looked for; that there are none is no failure.
    let line = format!("run data.h5ad --skip evaluate,grn --out results {FAST}");
    let said = sandbox.done(&line).stdout;
    assert!(step(&said, "fit").ends_with("as before"), "{said}");
    assert!(!step(&said, "transitions").is_empty(), "{said}");
}

#[test]
fn an_embedding_without_genes_is_fitted_as_it_is() {
    let sandbox = Sandbox::with(&sample("moon2019_embryoid_5pcs"));
    let line = "run data.h5ad --out results --set fit.obs-filter=time<=1 --set fit.n-gaussians=2 \
                --skip annotate --set interpolate.n-cells=20";
    let said = sandbox.done(line).stdout;
    assert!(
        step(&said, "evaluate").starts_with("not done: no time can be held out of 2"),
        "{said}"
    );
    assert!(step(&said, "grn").starts_with("not done:"), "{said}");
    assert!(sandbox.text("results/model/model.json").contains("obsm/X_pca"));
    assert!(sandbox.path("results/report.html").is_file());
}

#[test]
fn a_folder_is_that_of_a_run_from_its_beginning_and_parameters_can_be_corrected() {
    let sandbox = sandbox();
    let some = "--skip evaluate,grn,annotate --out results";
    let wrong = sandbox.run(&format!("run data.h5ad --timepoints nothing {some} {FAST}"));
    assert_eq!(wrong.code, 2, "{}", wrong.stderr);
    fs::write(sandbox.path("genes.txt"), "Pou5f1\nSox2\nSparc\nDppa3\nFst\nKlf4\n").unwrap();
    let line = format!("run data.h5ad --cells groups.csv {some} {FAST} --set fit.genes=genes.txt");
    sandbox.done(&line);
    let model = sandbox.text("results/model/model.json");
    // A file that a parameter names has changed.
    fs::write(sandbox.path("genes.txt"), "Pou5f1\nSox2\nSparc\nDppa3\nFst\n").unwrap();
    let said = sandbox.done(&line).stdout;
    assert!(!step(&said, "fit").ends_with("as before"), "{said}");
    assert_ne!(sandbox.text("results/model/model.json"), model);
}

#[test]
fn results_of_other_groups_are_not_shown() {
    let sandbox = sandbox();
    let some = "--out results --skip evaluate,grn,annotate,trends";
    sandbox.done(&format!("run data.h5ad --cells groups.csv {some} {FAST}"));
    let names = sandbox.text("groups.csv").replace("XEN", "endoderm");
    fs::write(sandbox.path("others.csv"), names).unwrap();
    let line = format!("run data.h5ad --cells others.csv {some},fates {FAST}");
    let said = sandbox.done(&line).stdout;
    assert!(step(&said, "fates").contains("moved to earlier/"), "{said}");
    assert!(!said.contains("XEN"), "{said}");
    assert!(sandbox.path("results/earlier/fates.csv").is_file());
    assert!(!sandbox.path("results/fates.csv").exists());
    assert!(sandbox.text("results/report.html").contains("endoderm"));
}

#[test]
fn a_run_that_did_not_converge_says_so_each_time() {
    let sandbox = sandbox();
    let line = format!(
        "run data.h5ad --skip evaluate,grn,annotate,fates,interpolate --out results {FAST} \
         --set fit.max-iterations=1 --set fit.tolerance=1e-12"
    );
    for _ in 0..2 {
        let answer = sandbox.run(&line);
        assert_eq!(answer.code, 4, "{}{}", answer.stdout, answer.stderr);
    }
}
