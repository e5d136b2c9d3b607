//! `grn` and the edges of `compare`: the same bytes on any number of threads, pictures, and words where times are few.

use std::collections::BTreeMap;
use std::fs;

use crate::help::write_conditions;
use crate::sandbox::{Sandbox, root, sample};
use crate::tables::{columns, numbers};

const QUICK: &str = "--bootstrap 3 --permutations 3";

#[test]
fn edges_are_the_same_on_any_number_of_threads() {
    let sandbox = Sandbox::with(&sample("semrau2017_mesc_ra"));
    sandbox.done(
        "fit data.h5ad --timepoints time --obs-filter time<=36 --n-gaussians 3 --no-validation",
    );
    for source in ["ensemble", "refit", "ngm"] {
        let line = format!("grn {QUICK} --source {source} --seed 5 --threads");
        sandbox.done(&format!("{line} 1 --out one.csv"));
        sandbox.done(&format!("{line} 2 --out two.csv"));
        assert!(sandbox.text("one.csv") == sandbox.text("two.csv"), "{source}");
    }
}

#[test]
fn pictures_are_drawn_beside_the_list() {
    let sandbox = Sandbox::with(&sample("semrau2017_mesc_ra"));
    sandbox.done(
        "fit data.h5ad --timepoints time --obs-filter time<=36 --n-gaussians 3 --no-validation",
    );
    let line = "grn --bootstrap 0 --permutations 0 --out e.csv";
    let answer =
        sandbox.done(&format!("{line} --plot e.svg --plot-target Sox2 --plot-target Gata4"));
    assert!(answer.stdout.contains("drew e.Sox2.svg"), "{}", answer.stdout);
    let edges = sandbox.text("e.csv");
    let first: Vec<&str> = edges.lines().nth(1).unwrap().split(',').collect();
    let drawn = sandbox.text("e.svg");
    let arrow = if first[3] == "1" { "→" } else { "⊣" };
    assert!(drawn.contains(&format!("{} {arrow} {}", first[0], first[1])));
    assert!(sandbox.text("e.Sox2.svg").contains("Sox2 and its first regulators"));
    assert!(sandbox.text("e.Gata4.svg").contains("Gata4"));
    let answer = sandbox
        .done(&format!("{line} --by time --plot-network network.svg --plot-heatmap heatmap.svg"));
    for (file, words) in [("network.svg", "of each interval"), ("heatmap.svg", "regulators")] {
        assert!(answer.stdout.contains(&format!("drew {file}")), "{}", answer.stdout);
        let drawn = sandbox.text(file);
        assert!(drawn.contains(words) && drawn.contains("0 to 6") && drawn.contains("importance"));
        assert!(sandbox.path(&format!("{file}.run.json")).exists());
    }
    for (flags, words) in [
        ("--plot-network n.eps", "`--plot-network` must be a file that ends in .svg, .png or .pdf"),
        ("--plot-heatmap n.eps", "`--plot-heatmap` must be a file that ends in .svg, .png or .pdf"),
        ("--plot-network n.svg --plot-heatmap n.svg", "another file"),
        ("--plot n.svg --plot-network n.svg", "another file"),
        ("--plot-network -", "standard output"),
        ("--plot-heatmap e.csv", "ends in .svg, .png or .pdf"),
    ] {
        let refused = sandbox.run(&format!("{line} {flags}"));
        assert_eq!(refused.code, 2, "{flags}");
        assert!(refused.stderr.contains(words), "{flags}: {}", refused.stderr);
    }
    let refused = sandbox.run(&format!("{line} --plot e.eps"));
    assert_eq!(refused.code, 2);
    assert!(refused.stderr.contains("ends in .svg, .png or .pdf"), "{}", refused.stderr);
    let unknown = sandbox.run(&format!("{line} --plot f.svg --plot-target sox2"));
    assert_eq!(unknown.code, 2);
    assert!(
        unknown.stderr.contains("sox2") && unknown.stderr.contains("Sox2"),
        "{}",
        unknown.stderr
    );
    assert!(!sandbox.path("f.svg").exists());
    assert_eq!(sandbox.run(&format!("{line} --plot-target Sox2")).code, 2);
    for source in ["slope", "mi", "refit"] {
        assert_eq!(sandbox.run(&format!("{line} --source {source} --rank across")).code, 2);
    }
}

#[test]
fn few_times_are_named() {
    let sandbox = Sandbox::with(&sample("semrau2017_mesc_ra"));
    let fit = "fit data.h5ad --timepoints time --n-gaussians 3 --no-validation --obs-filter";
    sandbox.done(&format!("{fit} time<=12 --out few"));
    let line = "grn --bootstrap 0 --permutations 0 --model";
    let said = sandbox.done(&format!("{line} few")).stderr;
    assert!(said.contains("3 times") && said.contains("direction"), "{said}");
    let said = sandbox.done("grn --bootstrap 3 --permutations 0 --model few").stderr;
    assert!(said.contains("resamples reverse") || said.contains("3 times"), "{said}");
    sandbox.done(&format!("{fit} time<=48 --out more"));
    let said = sandbox.done(&format!("{line} more")).stderr;
    assert!(!said.contains("direction"), "{said}");
}

#[test]
fn edges_of_conditions_are_compared_on_any_number_of_threads() {
    let sandbox = Sandbox::new();
    write_conditions(&sandbox.path("data.h5ad"));
    fs::copy(root().join("data-samples/semrau2017_groups.csv"), sandbox.path("groups.csv"))
        .unwrap();
    fs::write(sandbox.path("tfs.txt"), "Pou5f1\nSox2\n").unwrap();
    fs::write(sandbox.path("genes.txt"), "Pou5f1\nGata4\nGata6\nSox17\n").unwrap();
    sandbox.done(
        "fit data.h5ad --timepoints day --obs-filter day<=1.5 --condition-key treatment --n-pcs 4 \
         --solver gaussian --no-validation --out models",
    );
    let line = "compare --model models --cells groups.csv --genes genes.txt --tfs tfs.txt --bootstrap 4 \
                --permutations 4 --test-cells 40";
    let answer =
        sandbox.done(&format!("{line} --edges 5 --threads 1 --out one.csv --plot one.svg"));
    sandbox.done(&format!("{line} --edges 5 --threads 2 --out two.csv"));
    assert!(sandbox.text("one.csv") == sandbox.text("two.csv"));
    assert!(sandbox.text("one.svg").contains("edge"));
    assert!(answer.stdout.contains("edge"), "{}", answer.stdout);
    let table = columns(&sandbox, "one.csv");
    let rows: Vec<usize> =
        (0..table["kind"].len()).filter(|&i| table["kind"][i] == "edge").collect();
    assert_eq!(rows.len(), 5);
    for i in rows {
        let (tf, target) = (table["group"][i].as_str(), table["target"][i].as_str());
        assert!(["Pou5f1", "Sox2"].contains(&tf) && tf != target, "{tf} {target}");
        assert!(["Pou5f1", "Gata4", "Gata6", "Sox17"].contains(&target), "{target}");
        assert!((0.2..=1.0).contains(&numbers(&table["p"][i..=i])[0]));
    }
    // Without the flag there are no edges, and regulators have no use.
    sandbox.done(&format!("{} --out none.csv", line.replace("--tfs tfs.txt", "")));
    assert!(!sandbox.text("none.csv").contains("\nedge,"));
    assert_eq!(sandbox.run(&format!("{line} --out wrong.csv")).code, 2);
}

#[test]
fn a_prior_network_lifts_an_edge_and_a_column_tells_what_it_was() {
    let sandbox = Sandbox::with(&sample("semrau2017_mesc_ra"));
    sandbox.done(
        "fit data.h5ad --timepoints time --obs-filter time<=12 --solver gaussian --no-validation",
    );
    let line = format!("grn {QUICK} --source correlation");
    sandbox.done(&format!("{line} --out plain.csv"));
    let plain = columns(&sandbox, "plain.csv");
    assert!(plain["prior"].iter().chain(&plain["importance_unaided"]).all(String::is_empty));
    let pair = |table: &BTreeMap<String, Vec<String>>, row: usize| {
        (table["TF"][row].clone(), table["target"][row].clone())
    };
    let before = 220;
    let (tf, target) = pair(&plain, before);
    let rows = format!("Gene1\tGene2\tEdgeWeight\n{tf}\t{target}\t1\nNoGene\t{target}\t0.5\n");
    fs::write(sandbox.path("motifs.tsv"), rows).unwrap();
    let said = sandbox.done(&format!("{line} --prior motifs.tsv --prior-default 0.2")).stderr;
    assert!(said.contains("1 of the possible edges; 1 of its genes are not analysed"), "{said}");
    let aided = columns(&sandbox, "edges.csv");
    let n = aided["TF"].len();
    let after = (0..n).find(|&row| pair(&aided, row) == pair(&plain, before)).unwrap();
    assert!(after < before / 2, "{after}");
    let unaided: BTreeMap<_, _> =
        (0..n).map(|row| (pair(&plain, row), &plain["importance"][row])).collect();
    let [importance, without, weights] =
        ["importance", "importance_unaided", "prior"].map(|name| numbers(&aided[name]));
    let mean = without.iter().sum::<f64>() / n as f64;
    for row in 0..n {
        assert_eq!(&aided["importance_unaided"][row], unaided[&pair(&aided, row)]);
        let weight = if row == after { 1.0 } else { 0.2 };
        assert!((weights[row] - weight).abs() < 1e-12);
        assert!((importance[row] - without[row] - mean * weight).abs() < 1e-9);
    }
    // Resamples use it too: the edge is then among the first tenth of two of three.
    let stability = |of: &[String], row: usize| numbers(&of[row..=row])[0];
    let of = [stability(&plain["stability"], before), stability(&aided["stability"], after)];
    assert!(of[0] < 0.5 && of[1] > 0.6, "{of:?}");
    for (flags, code, words) in [
        ("--prior-default 0.5", 2, "`--prior-default` must be left out without `--prior`"),
        ("--prior motifs.tsv --prior-default 1.5", 2, "`--prior-default` must be between 0 and 1"),
        ("--prior motifs.tsv --source slope", 2, "`--prior` must be left out with"),
        ("--prior nowhere.csv", 3, "there is no file `nowhere.csv`"),
        ("--prior motifs.tsv --out motifs.tsv --overwrite", 2, "motifs.tsv"),
    ] {
        let refused = sandbox.run(&format!("{} {flags}", line.replace("--source correlation", "")));
        assert_eq!(refused.code, code, "{flags}: {}", refused.stderr);
        assert!(refused.stderr.contains(words), "{flags}: {}", refused.stderr);
    }
}
