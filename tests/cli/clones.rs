//! `sbcell evaluate --clones`: the fates of a model against simulated barcodes.

use std::collections::BTreeMap;

use ndarray::Array2;
use sbcell::data::Column;
use sbcell::io::h5ad::{H5adContent, write_h5ad};
use sbcell::linalg::Csr;

use crate::sandbox::Sandbox;
use crate::tables::{columns, numbers};

/// Cells of each of the days 0, 1 and 2.
const N: usize = 90;
/// Number of clones, each with cells of every day.
const CLONES: usize = 18;

/// A number between −1 and 1 that stands for chance.
fn chance(i: usize, salt: usize) -> f64 {
    ((i * 7919 + salt * 104_729 + 17) as f64 * 0.618_033_988_749).fract() * 2.0 - 1.0
}

/// A course of cells that go apart into `left` and `right`. The clone of a cell decides the side, and the
/// first coordinate shows it a little at day 0. One of ten cells has no barcode.
///
/// The file has the clones as the column `barcode`, as the sparse matrix `X_clone` (the first cell is in two
/// clones with equal entries), as `matrix`, dense, and as the column `founder` of pairs of clones.
pub(crate) fn course() -> Sandbox {
    let n = 3 * N;
    let (day, clone) = (|i: usize| i / N, |i: usize| i % CLONES);
    let side = |i: usize| if clone(i).is_multiple_of(2) { -1.0 } else { 1.0 };
    let points = Array2::from_shape_fn((n, 2), |(i, d)| {
        let own = chance(i, d) + 0.5 * chance(clone(i), 5 + d);
        if d == 0 { own + side(i) * (0.4 + 1.3 * day(i) as f64) } else { own + day(i) as f64 }
    });
    let known = |i: usize| i % 10 != 3;
    let texts = |of: &dyn Fn(usize) -> Option<String>| Column::Texts((0..n).map(of).collect());
    let days = Column::Floats((0..n).map(|i| day(i) as f64).collect());
    let barcodes = texts(&|i| known(i).then(|| format!("bc{}", clone(i))));
    let founders = texts(&|i| known(i).then(|| format!("f{}", clone(i) / 2)));
    let types = texts(&|i| Some(if points[[i, 0]] < 0.0 { "left" } else { "right" }.into()));
    let mut dense = Array2::<f64>::zeros((n, CLONES));
    (0..n).filter(|&i| known(i)).for_each(|i| dense[[i, clone(i)]] = 1.0);
    dense[[0, 1]] = 1.0;
    let (mut starts, mut indices) = (vec![0], vec![]);
    for row in dense.rows() {
        indices.extend((0..CLONES as u32).filter(|&c| row[c as usize] > 0.0));
        starts.push(indices.len());
    }
    let ones = vec![1.0; indices.len()];
    let sparse = Csr::new(CLONES, starts, indices, ones).unwrap();
    let names: Vec<String> = (0..n).map(|i| format!("cell{i}")).collect();
    let sandbox = Sandbox::new();
    let content = H5adContent {
        obs_names: &names,
        obs: &[
            ("day", &days),
            ("cell_type", &types),
            ("barcode", &barcodes),
            ("founder", &founders),
        ],
        obsm: &[("X_pca", points.view()), ("matrix", dense.view())],
        obsm_sparse: &[("X_clone", &sparse)],
        ..H5adContent::default()
    };
    write_h5ad(&sandbox.path("data.h5ad"), &content).unwrap();
    sandbox.done(
        "fit data.h5ad --timepoints day --use-rep X_pca --solver sinkhorn --epsilon 1 --no-validation",
    );
    sandbox
}

/// Scores of all fates by time, metric and predictor, where they are defined.
fn values(sandbox: &Sandbox, file: &str) -> BTreeMap<(String, String, String), f64> {
    let table = columns(sandbox, file);
    (0..table["value"].len())
        .filter(|&row| table["fate"][row] == "(all)" && !table["value"][row].is_empty())
        .map(|row| {
            let text = |name: &str| table[name][row].clone();
            let value = table["value"][row].parse().unwrap();
            ((text("time"), text("metric"), text("predictor")), value)
        })
        .collect()
}

#[test]
fn fates_are_scored_against_sisters_with_baselines_and_differences() {
    let sandbox = course();
    let line =
        "evaluate sbcell-out --clones --clone-key barcode --groupby cell_type --bootstrap 50";
    let said = sandbox.done(line);
    for text in [
        "mean over times → 2",
        "The fates ",
        "than the 20 nearest cells of the terminal time: correlation",
        "the shares of the terminal groups: log-likelihood",
    ] {
        assert!(said.stdout.contains(text), "{text}: {}", said.stdout);
    }
    assert!(said.stderr.contains("have a clone by `barcode`, in 18 clones"), "{}", said.stderr);
    let header = "time,terminal_time,fate,metric,predictor,value,lo,hi,difference,difference_lo,\
                  difference_hi,n_cells,n_clones";
    let table = sandbox.text("sbcell-validation/clones.csv");
    assert_eq!(table.lines().next(), Some(header));
    let found = values(&sandbox, "sbcell-validation/clones.csv");
    let of = |time: &str, metric: &str, predictor: &str| {
        found[&(time.into(), metric.into(), predictor.into())]
    };
    // The clone decides the side, which the cells show.
    assert!(of("0.0", "correlation", "model") > 0.3);
    assert!(of("1.0", "auroc", "model") > 0.9);
    // A constant has no correlation.
    assert!(found.keys().all(|key| key.1 != "correlation" || key.2 != "shares"));
    assert!(of("1.0", "brier", "model") < of("1.0", "brier", "shares"));
    assert!(of("1.0", "log_likelihood", "model") > of("1.0", "log_likelihood", "shares"));
    let cells = columns(&sandbox, "sbcell-validation/clones.cells.csv");
    assert_eq!(cells["id"].len(), 2 * N * 9 / 10);
    let observed = numbers(&cells["left_observed"]);
    let other = numbers(&cells["right_observed"]);
    assert!(observed.iter().zip(other).all(|(a, b)| (a + b - 1.0).abs() < 1e-12));
    assert!(sandbox.path("sbcell-validation/clones.run.json").exists());
    // The same bytes on any number of threads, and over an earlier result.
    let before = sandbox.files("sbcell-validation");
    sandbox.done(&format!("{line} --threads 2"));
    assert_eq!(before, sandbox.files("sbcell-validation"));
}

#[test]
fn barcodes_may_be_a_matrix_or_nested_and_times_and_fates_chosen() {
    let sandbox = course();
    let scores = |flags: &str| {
        let line = "evaluate --clones --groupby cell_type --bootstrap 0 --out o";
        let said = sandbox.done(&format!("{line} {flags}"));
        (said.stderr, values(&sandbox, "o/clones.csv"))
    };
    let (said, of_matrix) = scores("");
    assert!(said.contains("1 of 270 cells are in several clones of obsm['X_clone']"), "{said}");
    assert_eq!(scores("--clone-key matrix").1, of_matrix);
    // The column knows the clone of the cell that is in two clones of the matrix.
    let by_column = scores("--clone-key barcode").1;
    assert_ne!(by_column, of_matrix);
    // Of nested barcodes the finer one counts.
    let nested = scores("--clone-key founder,barcode").1;
    assert_eq!(nested, by_column);
    assert_ne!(scores("--clone-key founder").1, by_column);
    let one = scores("--clone-key barcode --at 0 --terminal-time 1").1;
    assert!(one.keys().all(|key| key.0 == "0.0"));
    let own = scores("data.h5ad --model sbcell-out --clone-key barcode").1;
    assert_eq!(own, by_column);
}

#[test]
fn flags_and_files_without_a_meaning_are_refused_with_the_way_out() {
    let sandbox = course();
    let refused = |line: &str, code: i32, words: &[&str]| {
        let said = sandbox.run(line);
        assert_eq!(said.code, code, "{line}: {}{}", said.stdout, said.stderr);
        for word in words {
            assert!(said.stderr.contains(word), "{line}: {word}: {}", said.stderr);
        }
    };
    let base = "evaluate --clones --groupby cell_type";
    refused(&format!("{base} --clone-key clon"), 2, &["clon", "barcode", "X_clone"]);
    refused(&format!("{base} --epsilon 1"), 2, &["--clones", "--epsilon"]);
    refused(&format!("{base} --min-sisters 0"), 2, &["--min-sisters"]);
    refused(&format!("{base} --min-sisters 999"), 2, &["--min-sisters", "no cell has more than 5"]);
    refused(&format!("{base} --clone-key barcode,founder"), 2, &["--clone-key founder,barcode"]);
    refused(&format!("{base} --at 2"), 2, &["--at", "before the terminal time"]);
    refused("evaluate --clones", 2, &["--groupby"]);
    refused("evaluate data.h5ad --clone-key barcode", 2, &["--clones"]);
    refused(&format!("{base} sbcell-out --model sbcell-out"), 2, &["--model"]);
    std::fs::create_dir(sandbox.path("mine")).unwrap();
    std::fs::write(sandbox.path("mine/clones.csv"), "my,own\n").unwrap();
    refused(&format!("{base} --out mine"), 2, &["mine"]);
}

/// Share of the mass of the pairs of the coupling `file` that stays in its clone, among pairs with clones.
fn share_in_clones(sandbox: &Sandbox, file: &str) -> f64 {
    let pairs = columns(sandbox, file);
    let clone = |cell: &String| {
        let i: usize = cell.trim_start_matches("cell").parse().unwrap();
        (i % 10 != 3).then_some(i % CLONES)
    };
    let (mut stays, mut all) = (0.0, 0.0);
    for (row, mass) in numbers(&pairs["mass"]).into_iter().enumerate() {
        let ends = (clone(&pairs["source"][row]), clone(&pairs["target"][row]));
        if let (Some(a), Some(b)) = ends {
            all += mass;
            stays += if a == b { mass } else { 0.0 };
        }
    }
    stays / all
}

#[test]
fn couplings_respect_clones_where_they_say_where_held_out_sisters_are() {
    let sandbox = course();
    let said = sandbox.done("couplings --format csv --clone-key barcode --out with").stderr;
    assert!(said.contains("couplings use clones with weight"), "{said}");
    assert!(said.contains("which was chosen") && said.contains("from state alone"), "{said}");
    sandbox.done("couplings --format csv --out without");
    let (with, without) =
        (share_in_clones(&sandbox, "with/0_1.csv"), share_in_clones(&sandbox, "without/0_1.csv"));
    assert!(with > 2.0 * without, "{with} {without}");
    // A weight of zero is state alone; a key alone chooses the weight.
    sandbox.done("couplings --format csv --clone-key barcode --clone-weight 0 --out zero");
    assert_eq!(sandbox.text("zero/0_1.csv"), sandbox.text("without/0_1.csv"));
    for command in ["fates", "transitions", "trajectory"] {
        let line = format!("{command} --groupby cell_type");
        sandbox.done(&format!("{line} --out plain.csv"));
        let said = sandbox.done(&format!("{line} --clone-weight 4 --out clones.csv")).stderr;
        assert!(said.contains("couplings use clones with weight 4: "), "{command}: {said}");
        assert!(said.contains("held-out sisters"), "{command}: {said}");
        assert_ne!(sandbox.text("plain.csv"), sandbox.text("clones.csv"), "{command}");
        sandbox.done(&format!("{line} --clone-weight 4 --out again.csv --threads 1"));
        assert_eq!(sandbox.text("clones.csv"), sandbox.text("again.csv"), "{command}");
    }
    let refused = sandbox.run("fates --groupby cell_type --clone-weight -1");
    assert_eq!(refused.code, 2, "{}", refused.stderr);
    let refused = sandbox.run("couplings --format csv --density --clone-key barcode --out no");
    assert!(refused.code == 2 && refused.stderr.contains("--density"), "{}", refused.stderr);
}
