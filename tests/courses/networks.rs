//! Edges of simulated courses against their true networks, from the file to the score.

use std::path::{Path, PathBuf};

use ndarray::{Array1, Array2};
use rand::seq::SliceRandom;
use sbcell::bridge::GaussianSolver;
use sbcell::data::Matrix;
use sbcell::grn::{CourseCells, EdgeMatrix, EdgeSearch, Expression, Lag, p_values};
use sbcell::io::h5ad::{H5ad, MatrixSource};
use sbcell::io::model::OpenModel;
use sbcell::metrics::EdgeScores;
use sbcell::pipeline::{
    EdgeFormat, EdgeSource, FitOptions, GrnOptions, GrnScoreOptions, Running, SolverChoice, fit,
    grn, grn_score, write_edges,
};
use sbcell::{Seed, Silent};

fn network(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data-samples/networks").join(file)
}

/// Scores of the edges that `options` give for the course `name`.
fn scores(name: &str, options: &GrnOptions) -> EdgeScores {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("model");
    let solver = SolverChoice::of(GaussianSolver::default());
    let how = FitOptions::default().with_solver(solver);
    fit(&network(&format!("{name}.h5ad")), &out, &how, Running::default(), &mut Silent).unwrap();
    let model = OpenModel::read(&out).unwrap();
    let found = grn(&model, options, &mut Silent).unwrap();
    assert!(found.degenerate.is_empty());
    let edges = folder.path().join("edges.csv");
    let format = EdgeFormat::of(&edges).unwrap();
    write_edges(&edges, &model, &found.rows, options, format).unwrap();
    let truth = network(&format!("{}.csv", name.trim_end_matches("-drop50")));
    grn_score(&edges, &truth, &GrnScoreOptions::default()).unwrap().scores
}

fn quick(source: EdgeSource) -> GrnOptions {
    GrnOptions::default().with_source(source).with_bootstrap(0).with_permutations(0)
}

#[test]
fn the_default_finds_networks_that_correlation_does_not() {
    for (name, least) in [("dyn-cycle", 0.9), ("dyn-linear-drop50", 0.75), ("HSC", 0.5)] {
        let ours = scores(name, &quick(EdgeSource::Ensemble));
        let plain = scores(name, &quick(EdgeSource::Correlation));
        assert!(ours.average_precision > least, "{name}: {ours:?}");
        assert!(ours.average_precision > plain.average_precision + 0.05, "{name}: {plain:?}");
        assert!(ours.sign_accuracy > 0.8, "{name}: {ours:?}");
    }
}

#[test]
fn the_parts_of_the_ensemble_find_something_each() {
    use EdgeSource::{Hill, Lasso, Linear, Mutual, ReferenceFitting};
    for source in [Hill, Linear, Lasso, ReferenceFitting, Mutual] {
        let found = scores("dyn-bifurcating", &quick(source));
        assert!(found.average_precision > 2.0 * found.density, "{source:?}: {found:?}");
    }
    let lagged = quick(EdgeSource::Hill).with_lag(Some(1)).with_model_coupling(true);
    assert!(scores("dyn-bifurcating", &lagged).average_precision > 0.5);
}

#[test]
fn some_cells_of_each_time_find_the_network_too() {
    let some = |options: GrnOptions| options.with_cells_per_time(60);
    let found = scores("HSC", &some(quick(EdgeSource::Ensemble)));
    let all = scores("HSC", &quick(EdgeSource::Ensemble));
    assert!(found.average_precision > 0.4, "{found:?}");
    assert!((found.average_precision - all.average_precision).abs() > 0.0, "all cells are used");
    // Pairs of the model are between those of its cells that are looked at.
    let lagged = quick(EdgeSource::Hill).with_lag(Some(1)).with_model_coupling(true);
    let found = scores("dyn-bifurcating", &some(lagged));
    assert!(found.average_precision > 0.4, "{found:?}");
}

#[test]
fn the_network_of_flows_finds_more_than_chance() {
    let found = scores("dyn-cycle", &quick(EdgeSource::Ngm));
    assert!(found.average_precision > 1.5 * found.density, "{found:?}");
}

#[test]
fn across_targets_the_explained_ones_come_first() {
    let within = scores("dyn-bifurcating", &quick(EdgeSource::Ensemble));
    let across = quick(EdgeSource::Ensemble).with_across_targets(true);
    let across = scores("dyn-bifurcating", &across);
    assert!(across.average_precision > 0.6, "{across:?}");
    assert!((across.average_precision - within.average_precision).abs() > 1e-6);
}

/// The cells of a course, the times dealt to them by `seed`; 0 leaves them where they are.
fn search(values: &Array2<f32>, times: &[f64], seed: u64) -> EdgeMatrix {
    let genes: Vec<usize> = (0..values.ncols()).collect();
    let expression = Expression::new(values.clone(), &genes).unwrap();
    let all: Vec<usize> = (0..values.nrows()).collect();
    let points = expression.standardised(&all);
    let mut times = times.to_vec();
    if seed > 0 {
        times.shuffle(&mut Seed(seed).stream("test", 0));
    }
    let cells = CourseCells {
        expression: &expression,
        points: &points,
        times: Array1::from(times),
        weights: Array1::ones(values.nrows()),
        growth: None,
        perturbed: None,
    };
    // As `grn` compares permuted times: from pairs alone.
    let search = EdgeSearch::default().with_moment_weight(0.0).with_change_weight(0.0);
    search.with_lag(Lag::Intervals(1)).run(&cells, None).unwrap()
}

#[test]
fn p_values_are_uniform_where_time_means_nothing_and_small_where_it_does() {
    let file = H5ad::open(&network("GSD.h5ad")).unwrap();
    let Matrix::Dense(values) = file.matrix(&MatrixSource::X, &mut Silent).unwrap() else {
        unreachable!("the sample is dense")
    };
    let column = file.obs("time").unwrap();
    let times: Vec<f64> = (0..values.nrows()).map(|i| column.number(i).unwrap()).collect();
    let genes: Vec<usize> = (0..values.ncols()).collect();
    let permuted: Vec<EdgeMatrix> = (1..=12).map(|seed| search(&values, &times, seed)).collect();
    let share = |seed: u64, level: f64| {
        let p = p_values(&search(&values, &times, seed), &permuted, &genes);
        let finite: Vec<f64> = p.iter().copied().filter(|p| p.is_finite()).collect();
        finite.iter().filter(|p| **p <= level).count() as f64 / finite.len() as f64
    };
    // Edges of one network hang together, so that one null scatters more than 342 draws would.
    for level in [0.05, 0.2, 0.5, 0.8] {
        let mean = (0..6).map(|k| share(100 + k, level)).sum::<f64>() / 6.0;
        assert!((mean - level).abs() < 0.03 + 0.2 * level * (1.0 - level), "{level}: {mean}");
    }
    assert!(share(0, 0.05) > 0.12, "{}", share(0, 0.05));
}
