//! The main job from end to end: what is written, that it is whole, and that it is the same again.

use std::collections::BTreeSet;
use std::fs;

use sha2::{Digest, Sha256};

use crate::sandbox::{Sandbox, dialect, sample};
use crate::tables::{columns, numbers};

#[test]
fn fit_interpolate_and_grn_follow_each_other() {
    let sandbox = Sandbox::with(&sample("semrau2017_mesc_ra"));
    let fit = sandbox.done("fit data.h5ad --timepoints");
    assert!(fit.stderr.contains("`day`"), "says which column was taken: {}", fit.stderr);
    for file in ["model.json", "cells.parquet", "genes.parquet", "pcs.csv", "fit.csv", "run.json"] {
        assert!(sandbox.path("sbcell-out").join(file).exists(), "{file}");
    }
    assert!(!sandbox.path("sbcell-out.partial").exists());
    assert_eq!(sandbox.text("sbcell-out/fit.csv").lines().count(), 9);
    let interpolate = sandbox.done("interpolate --format csv");
    assert!(interpolate.stdout.contains("interpolated.csv"));
    let cells = sandbox.text("sbcell-out/interpolated.csv");
    assert!(cells.starts_with("time,particle,weight,PC1,PC2"), "{}", &cells[..60]);
    sandbox.done("grn --out edges.csv --bootstrap 3 --permutations 3");
    let edges = sandbox.text("edges.csv");
    let columns = "TF,target,importance,sign,effect,confidence,direction,stability,p_time,q_time,lag,t0,t1,group,\
                   prior,importance_unaided\n";
    assert!(edges.starts_with(columns));
    assert_eq!(edges.lines().count(), 1 + 41 * 40);
    assert!(sandbox.path("edges.csv.run.json").exists());
}

#[test]
fn the_same_seed_gives_the_same_bytes_on_any_number_of_threads() {
    let sandbox = Sandbox::with(&sample("semrau2017_mesc_ra"));
    let line = "fit data.h5ad --timepoints time --obs-filter time<=24 --seed 7 --threads";
    // Records hold the command line, so both models have the same name.
    for n_threads in [1, 2] {
        sandbox.done(&format!("{line} {n_threads}"));
        sandbox.done(&format!("interpolate --threads {n_threads}"));
        let name = ["one", "two"][n_threads - 1];
        std::fs::rename(sandbox.path("sbcell-out"), sandbox.path(name)).unwrap();
    }
    let (one, two) = (sandbox.files("one"), sandbox.files("two"));
    assert!(one.len() > 8);
    for (a, b) in one.iter().zip(&two) {
        assert_eq!(a.0, b.0);
        assert!(a.1 == b.1, "{} differs", a.0);
    }
    sandbox.done("interpolate --model two --seed 1");
    assert!(sandbox.files("one") != sandbox.files("two"), "another seed, another sample");
}

#[test]
fn a_reference_that_pulls_is_fitted_interpolated_and_read_for_edges() {
    let sandbox = Sandbox::with(&sample("semrau2017_mesc_ra"));
    let line = "fit data.h5ad --timepoints time --obs-filter time<=12 --reference ou --ou-rate";
    let fit = sandbox.done(&format!("{line} 0.05 --n-gaussians 3"));
    assert!(fit.stderr.contains("pulls cells to the mean of all cells at 0.05"), "{}", fit.stderr);
    assert!(sandbox.text("sbcell-out/bridges/0_6.json").contains("ornstein_uhlenbeck"));
    sandbox.done("interpolate --at 3 --n-cells 50 --format csv");
    assert_eq!(sandbox.text("sbcell-out/interpolated.csv").lines().count(), 51);
    sandbox.done("grn --out edges.csv --bootstrap 3 --permutations 3");
    sandbox.done(&format!("{line} -0.05 --solver sinkhorn"));
    sandbox.done("interpolate --at 9");
    for (flags, message) in [
        ("0.05 --solver sf2m", "fits each interval separately"),
        ("9", "`--ou-rate` must be between -10 and 10 times one over the longest interval"),
        ("nan", "`--ou-rate` must be finite"),
        ("", "--ou-rate"),
    ] {
        let answer = sandbox.run(&format!("{line} {flags} --out other"));
        assert_eq!(answer.code, 2, "{flags}: {}", answer.stderr);
        assert!(answer.stderr.contains(message), "{flags}: {}", answer.stderr);
    }
    let answer = sandbox.run("fit data.h5ad --timepoints time --ou-rate 1 --out other");
    assert!(answer.stderr.contains("together with `--reference ou`"), "{}", answer.stderr);
}

#[test]
fn the_run_record_holds_the_hash_of_every_file() {
    let sandbox = Sandbox::with(&dialect("dense_float32"));
    sandbox.done("fit data.h5ad --timepoints time --values as-is");
    let run: serde_json::Value =
        serde_json::from_str(&sandbox.text("sbcell-out/run.json")).unwrap();
    assert_eq!(run["command"], "fit");
    assert_eq!(run["input"]["cells"], 60);
    assert_eq!(run["parameters"]["seed"], 0);
    let outputs = run["outputs"].as_array().unwrap();
    assert!(outputs.len() >= 6);
    for output in outputs {
        let name = output["file"].as_str().unwrap();
        let bytes = fs::read(sandbox.path("sbcell-out").join(name)).unwrap();
        assert_eq!(output["sha256"], format!("{:x}", Sha256::digest(&bytes)), "{name}");
    }
}

#[test]
fn a_bridge_that_does_not_converge_is_written_and_marked() {
    let sandbox = Sandbox::with(&sample("semrau2017_mesc_ra"));
    let line =
        "fit data.h5ad --timepoints time --obs-filter time<=12 --max-iterations 1 --n-gaussians 5";
    let answer = sandbox.run(line);
    assert_eq!(answer.code, 4, "{}{}", answer.stdout, answer.stderr);
    assert!(answer.stderr.contains("did not converge"));
    assert!(sandbox.text("sbcell-out/fit.csv").contains("max_iterations"));
    sandbox.done("interpolate");
}

#[test]
fn a_dry_run_writes_nothing() {
    let sandbox = Sandbox::with(&sample("semrau2017_mesc_ra"));
    let answer = sandbox.done("fit data.h5ad --timepoints time --dry-run");
    assert!(answer.stdout.contains("2449 cells"), "{}", answer.stdout);
    assert!(answer.stdout.contains("estimate"));
    assert_eq!(fs::read_dir(sandbox.path("")).unwrap().count(), 1);
}

#[test]
fn an_older_model_is_replaced_and_other_files_stay() {
    let sandbox = Sandbox::with(&sample("semrau2017_mesc_ra"));
    sandbox.done("fit data.h5ad --timepoints time --obs-filter time<=12");
    fs::write(sandbox.path("sbcell-out/notes.txt"), "mine").unwrap();
    sandbox.done("fit data.h5ad --timepoints time --obs-filter time<=6");
    assert_eq!(sandbox.text("sbcell-out/notes.txt"), "mine");
    let bridges: Vec<_> = fs::read_dir(sandbox.path("sbcell-out/bridges")).unwrap().collect();
    assert_eq!(bridges.len(), 1);
}

#[test]
fn the_choice_of_the_number_of_components_is_a_table_and_a_chart() {
    let sandbox = Sandbox::with(&sample("semrau2017_mesc_ra"));
    let line = "fit data.h5ad --timepoints time --solver gaussian --no-validation";
    sandbox.done(line);
    let text = sandbox.text("sbcell-out/scree.csv");
    assert!(text.starts_with("component,eigenvalue,noise_edge,kept\n1,"), "{text}");
    let scree = columns(&sandbox, "sbcell-out/scree.csv");
    let n_kept = scree["kept"].iter().filter(|kept| *kept == "true").count();
    let n_pcs = sandbox.text("sbcell-out/pcs.csv").lines().count() - 1;
    assert_eq!((n_kept, scree["kept"].len()), (n_pcs, 41));
    // The kept ones are the first, and those above the edge.
    let (values, edges) = (numbers(&scree["eigenvalue"]), numbers(&scree["noise_edge"]));
    assert!(values.is_sorted_by(|a, b| a >= b));
    for (place, (value, edge)) in values.iter().zip(&edges).enumerate() {
        assert_eq!((value > edge, scree["kept"][place] == "true"), (place < n_pcs, place < n_pcs));
    }
    let chart = sandbox.text("sbcell-out/scree.svg");
    assert!(chart.contains(&format!("{n_pcs} of 41 components are above the noise edge")));
    assert!(sandbox.text("sbcell-out/run.json").contains("scree.svg"));
    // A number is no choice: the files of the older model go, and there are no new ones.
    sandbox.done(&format!("{line} --n-pcs 5"));
    assert_eq!(sandbox.text("sbcell-out/pcs.csv").lines().count(), 6);
    for name in ["scree.csv", "scree.svg"] {
        assert!(!sandbox.path("sbcell-out").join(name).exists(), "{name}");
    }
    sandbox.done("interpolate --at 9");
}

#[test]
fn underscores_and_the_names_of_other_tools_work_in_flags() {
    let sandbox = Sandbox::with(&sample("semrau2017_mesc_ra"));
    sandbox.done("fit data.h5ad --time_key time --n_comps 5 --random_state 3 --n_jobs 1 --dry_run");
}

#[test]
fn quiet_says_nothing_and_notes_go_to_stderr() {
    let sandbox = Sandbox::with(&sample("semrau2017_mesc_ra"));
    let line = "fit data.h5ad --timepoints time --obs-filter time<=6";
    let quiet = sandbox.done(&format!("{line} --quiet"));
    assert_eq!((quiet.stdout.as_str(), quiet.stderr.as_str()), ("", ""));
    let loud = sandbox.done(line);
    assert!(loud.stderr.lines().all(|line| line.starts_with("note: ")), "{}", loud.stderr);
    assert!(loud.stdout.contains("wrote sbcell-out"));
}

#[test]
fn populations_at_observed_and_at_other_times() {
    let sandbox = Sandbox::with(&sample("semrau2017_mesc_ra"));
    sandbox.done("fit data.h5ad --timepoints time --obs-filter time<=12");
    let answer = sandbox.done("interpolate --at 6,9 --n-cells 20 --space genes --out cells.csv");
    assert!(answer.stdout.contains("observed") && answer.stdout.contains("bridge"));
    let cells = sandbox.text("cells.csv");
    assert!(cells.lines().next().unwrap().contains("Pou5f1"));
    assert_eq!(cells.lines().count(), 41);
    let outside = sandbox.run("interpolate --at 13");
    assert_eq!(outside.code, 2);
    assert!(
        outside.stderr.contains("outside the range of the snapshots, 0 to 12"),
        "{}",
        outside.stderr
    );
}

#[test]
fn an_embedding_of_the_file_is_fitted_as_it_is() {
    let sandbox = Sandbox::with(&sample("moon2019_embryoid_5pcs"));
    let line = "fit data.h5ad --timepoints --use-rep X_pca --n-gaussians 5 --obs-filter time<=1";
    sandbox.done(line);
    assert!(!sandbox.path("sbcell-out/scree.csv").exists());
    let answer = sandbox.run("grn --out edges.csv");
    assert_eq!(answer.code, 2);
    assert!(answer.stderr.contains("hint: fit a matrix"), "{}", answer.stderr);
    sandbox.done("interpolate --format h5ad --n-cells 10");
    let inspect = sandbox.done("inspect sbcell-out/interpolated.h5ad");
    assert!(inspect.stdout.contains("10 cells"), "{}", inspect.stdout);
}

#[test]
fn raw_layers_and_genes_from_a_list_are_what_is_fitted() {
    let sandbox = Sandbox::with(&dialect("raw_wider_than_X"));
    let genes = |flags: &str| {
        let answer = sandbox.done(&format!("fit data.h5ad --timepoints time {flags}"));
        sandbox.done("grn --out edges.csv --bootstrap 3 --permutations 3");
        let edges = sandbox.text("edges.csv");
        let targets: BTreeSet<String> =
            edges.lines().skip(1).map(|line| line.split(',').nth(1).unwrap().to_string()).collect();
        (targets.len(), answer.stderr)
    };
    assert_eq!(genes("").0, 5);
    let (n_raw, said) = genes("--use-raw");
    assert_eq!(n_raw, 12);
    assert!(said.contains("raw/X holds counts"), "{said}");
    fs::write(sandbox.path("list.txt"), "BCL6\nMYB\nETS1\nNOSUCHGENE\n").unwrap();
    let (n_listed, said) = genes("--use-raw --genes list.txt");
    assert_eq!(n_listed, 3);
    assert!(said.contains("3 of 4 genes") && said.contains("NOSUCHGENE"), "{said}");
    fs::write(sandbox.path("list.txt"), "bcl6\n").unwrap();
    let refused = sandbox.run("fit data.h5ad --timepoints time --genes list.txt");
    assert_eq!(refused.code, 2);
    assert!(refused.stderr.contains("hint: did you mean `BCL6`?"), "{}", refused.stderr);
    let unknown = sandbox.run("fit data.h5ad --timepoints time --layer nosuch");
    assert_eq!(unknown.code, 2, "{}", unknown.stderr);
}

#[test]
fn cells_without_a_time_are_left_out_and_counted() {
    for name in ["time_float_with_nan", "time_nullable_int_with_NA"] {
        let sandbox = Sandbox::with(&dialect(name));
        let answer = sandbox.done("fit data.h5ad --timepoints time");
        assert!(answer.stderr.contains("1 of 60 cells have no `time`"), "{}", answer.stderr);
        let run: serde_json::Value =
            serde_json::from_str(&sandbox.text("sbcell-out/run.json")).unwrap();
        assert_eq!(run["input"]["cells"], 59);
        assert!(run["notes"].to_string().contains("have no `time`"));
    }
}

#[test]
fn labels_with_units_are_ordered_by_their_numbers() {
    let sandbox = Sandbox::with(&dialect("time_strings_D_prefix"));
    let answer = sandbox.done("fit data.h5ad --timepoints time --dry-run").shown();
    // How long it takes is measured.
    let (known, rest) = answer.split_once("estimate: ").unwrap();
    let (estimate, rest) = rest.split_once('\n').unwrap();
    assert!(
        estimate.contains(" MB of memory; ") && estimate.contains(" for bridges"),
        "{estimate}"
    );
    insta::assert_snapshot!(format!("{known}{rest}"));
}

#[test]
fn what_inspect_says_of_a_file() {
    let sandbox = Sandbox::with(&sample("semrau2017_mesc_ra"));
    insta::assert_snapshot!(sandbox.done("inspect data.h5ad").shown());
    let json = sandbox.done("inspect data.h5ad --json").stdout;
    let found: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&found["n_cells"], &found["n_genes"]), (&2449.into(), &41.into()));
    assert_eq!(found["matrices"][0]["values"]["looks_like"], "log1p");
    assert_eq!(found["time_columns"][0]["name"], "time");
}

#[test]
fn the_file_may_stand_behind_a_bare_timepoints() {
    let sandbox = Sandbox::with(&sample("semrau2017_mesc_ra"));
    let answer = sandbox.done("fit --timepoints data.h5ad --dry-run");
    assert!(answer.stdout.contains("2449 cells"), "{}", answer.stdout);
    let refused = sandbox.run("fit --timepoints time");
    assert_eq!(refused.code, 2);
    assert!(refused.stderr.contains("`DATA.h5ad` must be given"), "{}", refused.stderr);
}

#[test]
fn the_run_record_of_edges_names_the_model_by_its_hash() {
    let sandbox = Sandbox::with(&dialect("dense_float32"));
    sandbox.done("fit data.h5ad --timepoints time");
    sandbox.done("grn --out edges.csv --bootstrap 3 --permutations 3");
    let run: serde_json::Value = serde_json::from_str(&sandbox.text("edges.csv.run.json")).unwrap();
    let model = fs::read(sandbox.path("sbcell-out/model.json")).unwrap();
    assert_eq!(run["input"]["sha256"], format!("{:x}", Sha256::digest(&model)));
}
