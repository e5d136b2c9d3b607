//! Our side of `tests/bench/peers/run.py`: one task on the arrays of a folder, one line of JSON.
//!
//! `cargo bench --bench peers -- TASK CASE OUT`: reads `CASE/case.json` and the arrays beside it, and
//! writes what was found to `OUT`, where both sides are judged by one script. Only the work that
//! both sides do is timed; reading and writing of arrays is not.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a bench stops at the first surprise and prints what it finds"
)]

mod arrays;
mod meter;
mod pipeline;

use std::path::{Path, PathBuf};

use meter::Meter;
use ndarray::{Array1, Array2, Axis};
use sbcell::bridge::{
    Bridge, BridgeProblem, BridgeRecord, Course, Covariance, FlowSolver, LightSbSolver,
    SinkhornSolver, UnitTime,
};
use sbcell::data::{Matrix, Snapshot};
use sbcell::geometry::neighbours;
use sbcell::io::h5ad::{H5ad, MatrixSource};
use sbcell::linalg::{Csr, exact_plan};
use sbcell::preprocess::PcaSolver;
use sbcell::{Epsilon, Seed, Silent};
use serde_json::{Value, json};

/// Where the arrays of a task are, its numbers, and where the answer goes.
struct Case {
    folder: PathBuf,
    out: PathBuf,
    numbers: Value,
}

/// Wall and CPU seconds, what is said of the run, and its precision.
type Answer = ((f64, f64), Value, &'static str);

impl Case {
    fn number(&self, name: &str) -> f64 {
        self.numbers[name].as_f64().unwrap_or_else(|| panic!("case.json has no number {name}"))
    }

    fn points(&self, name: &str) -> Array2<f64> {
        arrays::points(&self.folder.join(name))
    }

    fn problem(&self, source: &str, target: &str) -> BridgeProblem {
        let snapshot = |name: &str| Snapshot::new(self.points(name)).unwrap();
        let epsilon = Epsilon::new(self.number("epsilon")).unwrap();
        BridgeProblem::new(snapshot(source), snapshot(target), epsilon).unwrap()
    }

    fn write(&self, name: &str, values: &Array2<f64>) {
        arrays::write_table(&self.out.join(name), values.view());
    }

    fn write_row(&self, name: &str, values: &Array1<f64>) {
        arrays::write_row(&self.out.join(name), values);
    }
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let [task, folder, out] = &words[..] else {
        println!("cargo bench --bench peers -- TASK CASE OUT; see tests/bench/peers/run.py");
        return;
    };
    let text = std::fs::read_to_string(Path::new(folder).join("case.json")).unwrap();
    let numbers = serde_json::from_str(&text).unwrap();
    let case = Case { folder: folder.into(), out: out.into(), numbers };
    let ((wall, cpu), said, precision) = match task.as_str() {
        "read" => read(&case),
        "pca" => pca(&case),
        "knn" => knn(&case),
        "sinkhorn" | "moscot" => sinkhorn(&case),
        "exact" => exact(&case),
        "lightsb" => lightsb(&case),
        "sf2m" => sf2m(&case),
        "library" => library(),
        other => panic!("no task {other}"),
    };
    let version = concat!("sbcell ", env!("CARGO_PKG_VERSION"));
    let line = json!({
        "wall": wall, "cpu": cpu, "version": version, "precision": precision, "said": said,
    });
    println!("{line}");
}

/// The matrix, the names of cells and genes and the columns of `obs`: what `anndata` reads too.
fn read(case: &Case) -> Answer {
    let path = case.folder.join("cells.h5ad");
    let meter = Meter::start();
    let file = H5ad::open(&path).unwrap();
    let names = (file.obs_names().unwrap(), file.gene_names(&MatrixSource::X).unwrap());
    let columns: Vec<_> =
        file.obs_columns().unwrap().iter().map(|name| file.obs(name).unwrap()).collect();
    let matrix = file.matrix(&MatrixSource::X, &mut Silent).unwrap();
    let seconds = meter.stop();
    let Matrix::Sparse(x) = &matrix else { panic!("not in sparse rows") };
    // Counts: these sums are exact in double precision, in any order.
    let (mut sum, mut by_row, mut by_column) = (0.0, 0.0, 0.0);
    for i in 0..x.n_rows() {
        let (indices, values) = x.row(i);
        for (&j, &value) in indices.iter().zip(values) {
            sum += f64::from(value);
            by_row += (i + 1) as f64 * f64::from(value);
            by_column += f64::from(j + 1) * f64::from(value);
        }
    }
    let said = json!({
        "stored": x.n_stored(), "cells": names.0.len(), "genes": names.1.len(),
        "columns": columns.len(), "sum": sum, "by_row": by_row, "by_column": by_column,
    });
    (seconds, said, "f32")
}

fn pca(case: &Case) -> Answer {
    let array = |name: &str| case.folder.join(name);
    let x = Csr::new(
        case.number("n_genes") as usize,
        arrays::offsets(&array("indptr.npy")),
        arrays::indices(&array("indices.npy")),
        arrays::floats(&array("data.npy")),
    );
    let x = Matrix::Sparse(x.unwrap());
    let solver = PcaSolver { n_pcs: case.number("n_pcs") as usize, ..Default::default() };
    let meter = Meter::start();
    let pca = solver.fit(&x, Seed(0), &mut Silent).unwrap();
    let scores = pca.transform(&x).unwrap();
    let seconds = meter.stop();
    assert_eq!(scores.nrows(), x.n_cells());
    case.write("loadings.npy", &pca.loadings().to_owned());
    (seconds, json!({}), "f64")
}

fn knn(case: &Case) -> Answer {
    let (points, k) = (case.points("points.npy"), case.number("k") as usize);
    let meter = Meter::start();
    let found = neighbours(points.view(), k, &mut Silent).unwrap();
    let seconds = meter.stop();
    arrays::write_indices(&case.out.join("neighbours.npy"), found.indices());
    (seconds, json!({}), "f64, candidates f32")
}

fn sinkhorn(case: &Case) -> Answer {
    let problem = case.problem("source.npy", "target.npy");
    let solver = SinkhornSolver::default().with_tolerance(case.number("tolerance"));
    let meter = Meter::start();
    let (bridge, report) = solver.fit(&problem, &mut Silent).unwrap();
    let seconds = meter.stop();
    // The bridge's potentials are for cells without the means of their snapshots.
    let (x, y) = (problem.source().points(), problem.target().points());
    let apart = x.mean_axis(Axis(0)).unwrap() - y.mean_axis(Axis(0)).unwrap();
    let (f, g) = bridge.potentials();
    case.write_row("f.npy", &(&f + &x.dot(&apart) - 0.5 * apart.dot(&apart)));
    case.write_row("g.npy", &(&g - &y.dot(&apart)));
    (seconds, json!({ "iterations": report.iterations }), "f64")
}

fn exact(case: &Case) -> Answer {
    let (x, y) = (case.points("source.npy"), case.points("target.npy"));
    let cost = Array2::from_shape_fn((x.nrows(), y.nrows()), |(i, j)| {
        x.row(i).iter().zip(y.row(j)).map(|(a, b)| (a - b) * (a - b)).sum()
    });
    let weights = |n: usize| Array1::from_elem(n, 1.0 / n as f64);
    let (source, target) = (weights(x.nrows()), weights(y.nrows()));
    let meter = Meter::start();
    let plan = exact_plan(cost.view(), source.view(), target.view(), &mut Silent).unwrap();
    let seconds = meter.stop();
    let entries = plan.entries.iter().flat_map(|&(i, j, mass)| [i as f64, j as f64, mass]);
    let table = Array2::from_shape_vec((plan.entries.len(), 3), entries.collect()).unwrap();
    case.write("plan.npy", &table);
    (seconds, json!({ "iterations": plan.n_pivots }), "f64")
}

fn lightsb(case: &Case) -> Answer {
    let problem = case.problem("source.npy", "target.npy");
    let n_gaussians = case.number("n_gaussians") as usize;
    let solver = LightSbSolver::default().with_n_gaussians(n_gaussians.into());
    let meter = Meter::start();
    let (bridge, report) = solver.fit(&problem, Seed(0), &mut Silent).unwrap();
    let seconds = meter.stop();
    let BridgeRecord::LightSb(record) = bridge.record() else { panic!("not a mixture") };
    // What is never worse than one Gaussian may be one with a full matrix.
    let dim = problem.dim();
    let (kind, n_live) = (record.covariance, record.r.len());
    let table =
        |rows: &[Vec<f64>]| Array2::from_shape_vec((n_live, rows[0].len()), rows.concat()).unwrap();
    assert_eq!(kind.n_entries(dim), Covariance::Diagonal.n_entries(dim), "not diagonal: {kind:?}");
    case.write("r.npy", &table(&record.r));
    case.write("s.npy", &table(&record.s));
    case.write_row("log_alpha.npy", &Array1::from(record.log_alpha));
    case.write_row("source_mean.npy", &Array1::from(record.source_mean));
    case.write_row("target_mean.npy", &Array1::from(record.target_mean));
    (seconds, json!({ "iterations": report.iterations, "gaussians": n_live }), "f64")
}

/// From a file to scores of held-out times, in the file's coordinates.
fn library() -> Answer {
    let meter = Meter::start();
    let held_out = pipeline::held_out();
    let [w1, energy] = pipeline::scores(&held_out, |held| &held.predicted);
    let seconds = meter.stop();
    let before = pipeline::scores(&held_out, |held| &held.before);
    let said = json!({
        "w1": w1, "energy": energy, "w1_before": before[0], "energy_before": before[1],
    });
    (seconds, said, "f64")
}

fn sf2m(case: &Case) -> Answer {
    let problem = case.problem("source.npy", "target.npy");
    let n_steps = case.number("n_steps") as usize;
    let solver = FlowSolver::sf2m()
        .with_max_iterations(n_steps) // All steps, as theirs.
        .with_patience(n_steps)
        .with_batch(case.number("batch") as usize)
        .with_n_steps(case.number("n_draw_steps") as usize);
    let course = Course::new(vec![0.0, 1.0], vec![problem]).unwrap();
    let meter = Meter::start();
    let mut fitted = solver.fit(&course, Seed(0), &mut Silent).unwrap();
    let seconds = meter.stop();
    let (bridge, report) = fitted.remove(0);
    let cells = case.points("source_test.npy");
    let pushed =
        bridge.sample_transition(cells.view(), UnitTime::START, UnitTime::END, Seed(1)).unwrap();
    case.write("pushed.npy", &pushed);
    let last = bridge.networks().curve().last().unwrap();
    let said = json!({
        "iterations": report.iterations, "steps": last.step,
        "flow_loss": last.flow_training, "score_loss": last.score_training,
    });
    (seconds, said, "f32")
}
