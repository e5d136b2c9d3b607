//! `sample` from end to end: populations, measured cells, nulls, and what is refused.

use std::fs;

use crate::sandbox::{Sandbox, sample};

/// A folder with a model of the first three times of the sample.
fn fitted() -> Sandbox {
    let sandbox = Sandbox::with(&sample("semrau2017_mesc_ra"));
    let fit = "fit data.h5ad --timepoints time --obs-filter time<=12 --n-pcs 50 --no-validation";
    sandbox.done(fit);
    sandbox
}

/// Two measured cells and three of their genes.
const PANEL: &str = "cell,Pou5f1,Sox2,Klf4\nfirst,3,2,1\nsecond,1,0.5,0\n";

#[test]
fn cells_like_those_of_a_snapshot_and_of_a_time_between() {
    let sandbox = fitted();
    let answer = sandbox.done("sample --at 6,9 --n-cells 70 --format csv");
    for word in ["observed", "bridge", "epsilon", "neighbours", "near copies", "held-out"] {
        assert!(answer.stdout.contains(word), "{word}: {}", answer.stdout);
    }
    let cells = sandbox.text("sbcell-out/sample.csv");
    assert_eq!(cells.lines().count(), 1 + 140);
    assert!(cells.starts_with("time,particle,weight,PC1,PC2"));
    assert!(!cells.contains("NaN") && !cells.contains("inf"));
    let run: serde_json::Value =
        serde_json::from_str(&sandbox.text("sbcell-out/sample.csv.run.json")).unwrap();
    assert_eq!(run["command"], "sample");
    assert_eq!(run["parameters"]["scheme"], "matched");
    for flags in [
        "--scheme langevin --bandwidth rule",
        "--scheme data-aware --variable",
        "--scheme split-step --epsilon 0.5 --steps 5",
        "--scheme corrected --space genes",
    ] {
        sandbox.done(&format!("sample --at 6 --n-cells 20 {flags} --out draws.csv"));
        assert_eq!(sandbox.text("draws.csv").lines().count(), 21, "{flags}");
    }
}

#[test]
fn the_same_seed_gives_the_same_draws_on_any_number_of_threads() {
    let sandbox = fitted();
    fs::write(sandbox.path("panel.csv"), PANEL).unwrap();
    for flags in [
        "--at 3,6 --n-cells 150",
        "--at 6 --variable --n-cells 150",
        "--at 6 --given panel.csv --draws 80 --space genes",
        "--null pooled",
    ] {
        let draw = |rest: &str| {
            sandbox.done(&format!("sample {flags} {rest} --out draws.csv"));
            sandbox.text("draws.csv")
        };
        let one = draw("--threads 1 --seed 5");
        assert!(one == draw("--threads 2 --seed 5"), "{flags}");
        assert!(one != draw("--threads 2 --seed 6"), "{flags}: another seed, another sample");
    }
}

#[test]
fn measured_genes_tell_of_the_others() {
    let sandbox = fitted();
    fs::write(sandbox.path("panel.csv"), PANEL).unwrap();
    let line = "sample --at 6 --space genes --draws 40";
    let answer = sandbox.done(&format!("{line} --given panel.csv --out rest.csv"));
    assert!(answer.stdout.contains("best prediction of the unmeasured part"), "{}", answer.stdout);
    let rest = sandbox.text("rest.csv");
    assert!(rest.starts_with("cell,gene,mean,sd\nfirst,"), "{rest}");
    // All 41 genes are in the model, also the one that does not vary up to 12 h.
    assert_eq!(rest.lines().count(), 1 + 2 * (41 - 3), "{rest}");
    assert!(!rest.contains("Sox2"), "what was measured is not told again");
    sandbox.done(&format!("{line} --observe panel.csv --observe-sd 0.5 --out rest.h5ad"));
    let seen = sandbox.done("inspect rest.h5ad").stdout;
    assert!(seen.contains("2 cells") && seen.contains("38 genes"), "{seen}");
    fs::write(sandbox.path("pcs.csv"), "cell,PC1,PC2\na,0.5,-0.2\n").unwrap();
    sandbox.done("sample --at 9 --given pcs.csv --draws 20 --out rest.csv");
    assert!(sandbox.text("rest.csv").starts_with("cell,coordinate,mean,sd\na,PC3,"));
    let odd = PANEL.replace("Klf4", "NoSuchGene");
    fs::write(sandbox.path("odd.csv"), odd).unwrap();
    let answer = sandbox.done(&format!("{line} --given odd.csv --out rest.csv"));
    assert!(answer.stderr.contains("1 of 3 columns") && answer.stderr.contains("NoSuchGene"));
}

#[test]
fn nulls_are_courses_that_can_be_fitted() {
    let sandbox = fitted();
    for null in ["marginals", "pooled"] {
        sandbox.done(&format!("sample --null {null} --space genes --out {null}.h5ad"));
        let fit = format!("fit {null}.h5ad --timepoints --no-validation --out {null}");
        let answer = sandbox.done(&fit);
        assert!(answer.stdout.contains("285"), "as many cells as there were: {}", answer.stdout);
        sandbox.done(&format!("interpolate --model {null} --at 9"));
    }
    let answer = sandbox.done("sample --null pooled --format csv");
    assert!(answer.stdout.contains("all"), "{}", answer.stdout);
}

#[test]
fn what_means_nothing_is_refused_and_leaves_no_file() {
    let sandbox = fitted();
    fs::write(sandbox.path("panel.csv"), PANEL).unwrap();
    fs::write(sandbox.path("words.csv"), "cell,Sox2\na,high\n").unwrap();
    fs::write(sandbox.path("others.csv"), "cell,BRCA2\na,1\n").unwrap();
    let pcs: Vec<String> = (1..=40).map(|d| format!("PC{d}")).collect();
    let all = format!("cell,{}\na{}\n", pcs.join(","), ",0".repeat(40));
    fs::write(sandbox.path("all.csv"), all).unwrap();
    for (flags, code, words) in [
        ("--at 13", 2, "outside the range of the snapshots, 0 to 12"),
        ("--n-cells 0", 2, "`--n-cells`"),
        ("--n-steps 0", 2, "`--n-steps`"),
        ("--epsilon 0", 2, "`--epsilon` must be finite and > 0"),
        ("--epsilon nan", 2, "`--epsilon`"),
        ("--epsilon 1 --bandwidth rule", 2, "cannot be used with"),
        ("--null pooled --at 6", 2, "cannot be used with"),
        ("--draws 5", 2, "together with --given"),
        ("--at 6 --given panel.csv --draws 1", 2, "`--draws` must be at least 2"),
        ("--at 6 --given panel.csv --n-cells 4", 2, "see `--draws`"),
        ("--given panel.csv", 2, "`--at` must be one time"),
        ("--at 6,9 --given panel.csv", 2, "`--at` must be one time"),
        ("--at 6 --observe panel.csv", 2, "--observe-sd"),
        ("--at 6 --observe panel.csv --observe-sd 0", 2, "`--observe-sd`"),
        ("--at 6 --given words.csv", 3, "`high` is no number, for `a` in `Sox2`"),
        ("--at 6 --given others.csv", 2, "none of the requested genes"),
        ("--at 6 --given all.csv", 2, "something is left to draw"),
        ("--at 6 --given nowhere.csv", 3, "nowhere.csv"),
        ("--out draws.xlsx", 2, ".h5ad"),
    ] {
        let answer = sandbox.run(&format!("sample {flags}"));
        assert_eq!(answer.code, code, "{flags}: {}{}", answer.stdout, answer.stderr);
        assert!(answer.stderr.contains(words), "{flags}: {}", answer.stderr);
        assert!(!sandbox.path("sbcell-out/sample.parquet").exists(), "{flags}");
    }
}

#[test]
fn an_embedding_is_sampled_and_knows_no_genes() {
    let sandbox = Sandbox::with(&sample("moon2019_embryoid_5pcs"));
    let line = "fit data.h5ad --timepoints --use-rep X_pca --n-gaussians 3 --obs-filter time<=1";
    sandbox.done(&format!("{line} --no-validation"));
    sandbox.done("sample --at 0 --n-cells 50 --steps 3 --epsilon 0.3 --out draws.h5ad");
    let refused = sandbox.run("sample --at 0 --space genes");
    assert_eq!(refused.code, 2);
    assert!(refused.stderr.contains("hint: fit a matrix"), "{}", refused.stderr);
}
