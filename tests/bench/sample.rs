//! Drawing more cells like those of a snapshot: against a Gaussian mixture and kernel densities.
//!
//! `cargo bench --bench sample` draws as many cells as are held out and scores them by energy distance
//! to these, in growing dimension, on simulated and on real cells, with seconds (`-- wave`, `-- snapshot`
//! or the name of a sample for some of it). `-- impute` hides genes
//! of held-out cells. `-- shapes` writes a ring and a Swiss roll to `target/sample-bench`, from which
//! `docs/pictures/draw_samples.py` draws.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a bench stops at the first surprise and prints what it finds"
)]

mod sample_impute;
mod sample_rivals;
mod sample_shapes;

use std::time::Instant;

use ndarray::{Array2, Axis};
use rand::seq::SliceRandom;
use rand_distr::{Distribution, StandardNormal, StandardUniform};
use sbcell::bridge::{Covariance, GaussianMixture};
use sbcell::data::Snapshot;
use sbcell::io::h5ad::{H5ad, MatrixSource};
use sbcell::metrics::energy_distance;
use sbcell::preprocess::PcaSolver;
use sbcell::sampler::{Bandwidth, Copies, Sampler, Scheme, SelfBridge};
use sbcell::{Seed, Silent};

use sample_rivals::{draw_density, draw_mixture, silverman, validated};

/// Splits into cells to learn from and cells held out.
const SPLITS: u64 = 5;

/// Cells to learn from, at most.
const MOST: usize = 1000;

/// What a method gave on one split.
struct Outcome {
    draws: Array2<f64>,
    log_density: Option<f64>,
    detail: f64,
}

type Method = (&'static str, Box<dyn Fn(&Snapshot, &Snapshot, Seed) -> Outcome>);

fn main() {
    let words: Vec<String> = std::env::args().collect();
    let asked = |word: &str| words.iter().any(|other| other == word);
    if asked("shapes") {
        sample_shapes::write();
    } else if asked("impute") {
        sample_impute::main();
    } else {
        let chosen =
            |name: &str| words.iter().skip(1).all(|word| word == "--bench" || word == name);
        for dim in [2, 5, 10, 20, 50].into_iter().filter(|_| chosen("wave")) {
            table(&format!("wave, {dim} dimensions"), &wave(2 * MOST, dim));
        }
        for (name, key, dims) in [
            ("semrau2017_mesc_ra", None, &[2, 10, 41][..]),
            ("kouno2013_thp1", None, &[5, 45]),
            ("chu2016_hesc_de", None, &[5, 50]),
            ("moon2019_embryoid_5pcs", Some("X_pca"), &[2, 5]),
        ] {
            for &dim in dims.iter().filter(|_| chosen(name)) {
                table(&format!("{name}, {dim} components"), &components(name, key, dim));
            }
        }
        for dim in [10, 41].into_iter().filter(|_| chosen("snapshot")) {
            let cells = one_time("semrau2017_mesc_ra", 36.0, dim);
            table(&format!("semrau2017_mesc_ra at 36 h, {dim} components"), &cells);
        }
    }
}

fn bridge_method(
    (scheme, n_steps): (Scheme, usize),
    how: Bandwidth,
    variable: bool,
) -> impl Fn(&Snapshot, &Snapshot, Seed) -> Outcome {
    move |train, test, seed| {
        let neighbour = variable.then_some(10);
        let epsilon = how.choose(train, neighbour, seed, &mut Silent).unwrap().epsilon;
        let bridge = SelfBridge::new(train, epsilon, neighbour, &mut Silent).unwrap();
        let sampler = Sampler { scheme, n_steps };
        let draws = sampler.sample(&bridge, test.n_cells(), seed, &mut Silent).unwrap();
        let log_density = bridge.log_density(test.points(), &mut Silent).ok();
        let mut neighbours = bridge.effective_neighbours(train.points()).unwrap().to_vec();
        neighbours.sort_by(f64::total_cmp);
        Outcome {
            draws,
            log_density: log_density.and_then(|values| values.mean()),
            detail: neighbours[neighbours.len() / 2],
        }
    }
}

/// One of our own ways.
fn own(name: &'static str, chain: (Scheme, usize), how: Bandwidth, variable: bool) -> Method {
    (name, Box::new(bridge_method(chain, how, variable)))
}

fn methods() -> Vec<Method> {
    let mixture = |kind| {
        move |train: &Snapshot, test: &Snapshot, seed: Seed| {
            let law = GaussianMixture::fit(train, kind, seed).unwrap();
            Outcome {
                draws: draw_mixture(&law, test.n_cells(), seed),
                log_density: law.log_density(test.points()).unwrap().mean(),
                detail: law.n_gaussians() as f64,
            }
        }
    };
    let kernel = |by_rule: bool| {
        move |train: &Snapshot, test: &Snapshot, seed: Seed| {
            let (widths, log_density) =
                if by_rule { silverman(train, test) } else { validated(train, test, seed) };
            let draws = draw_density(train, &widths, test.n_cells(), seed);
            Outcome { draws, log_density: Some(log_density), detail: widths[0] }
        }
    };
    let held = Bandwidth::HeldOut;
    vec![
        (
            "cells themselves",
            Box::new(|train: &Snapshot, _: &Snapshot, _: Seed| Outcome {
                draws: train.points().to_owned(),
                log_density: None,
                detail: f64::NAN,
            }),
        ),
        own("matched, 50 steps", (Scheme::Matched, 50), held, false),
        own("matched, 5 steps", (Scheme::Matched, 5), held, false),
        own("matched, 1 step", (Scheme::Matched, 1), held, false),
        own("data-aware, 50 steps", (Scheme::DataAware, 50), held, false),
        own("data-aware, 5 steps", (Scheme::DataAware, 5), held, false),
        own("data-aware, 1 step", (Scheme::DataAware, 1), held, false),
        own("corrected, 50 steps", (Scheme::Corrected, 50), held, false),
        own("split-step, 50 steps", (Scheme::SplitStep, 50), held, false),
        own("langevin, 50 steps", (Scheme::Langevin, 50), held, false),
        own("matched, 5 steps, variable", (Scheme::Matched, 5), held, true),
        own("matched, 5 steps, by growth", (Scheme::Matched, 5), Bandwidth::Growth, false),
        ("gaussian mixture, full", Box::new(mixture(Covariance::Full))),
        ("gaussian mixture, diagonal", Box::new(mixture(Covariance::Diagonal))),
        ("kernel density, Silverman", Box::new(kernel(true))),
        ("kernel density, validated", Box::new(kernel(false))),
    ]
}

/// Each method on the same splits: energy distance with its standard error, near copies, variance
/// ratio, log density, seconds.
fn table(title: &str, cells: &Array2<f64>) {
    let half = (cells.nrows() / 2).min(MOST);
    println!("{title}: {half} cells, {half} held out, {SPLITS} splits");
    println!(
        "  method                        energy ± error   copies (new)  width  ln p       s  detail"
    );
    for (name, method) in methods() {
        let mut scores: Vec<[f64; 6]> = Vec::new();
        let mut copies_of_new = 0.0;
        for split in 0..SPLITS {
            let seed = Seed(split);
            let (train, test) = split_cells(cells, half, seed);
            let start = Instant::now();
            let Outcome { draws, log_density, detail } = method(&train, &test, seed);
            let seconds = start.elapsed().as_secs_f64();
            let drawn = Snapshot::new(draws).unwrap();
            let energy = energy_distance(&drawn, &test).unwrap().value;
            let copies = Copies::among(drawn.points(), train.points(), seed, &mut Silent).unwrap();
            let width = spread(&drawn) / spread(&test);
            copies_of_new += copies.held_out / SPLITS as f64;
            let log_density = log_density.unwrap_or(f64::NAN);
            scores.push([energy, copies.draws, width, log_density, seconds, detail]);
        }
        let mean = |k: usize| scores.iter().map(|score| score[k]).sum::<f64>() / SPLITS as f64;
        let square = scores.iter().map(|score| (score[0] - mean(0)).powi(2)).sum::<f64>();
        let error = (square / ((SPLITS - 1) * SPLITS) as f64).sqrt();
        println!(
            "  {name:28} {:8.4} ± {error:.4}  {:5.2} ({copies_of_new:.2})  {:5.2}  {:7.2}  {:6.3}  {:.2}",
            mean(0),
            mean(1),
            mean(2),
            mean(3),
            mean(4),
            mean(5)
        );
    }
}

/// The trace of the covariance.
fn spread(cells: &Snapshot) -> f64 {
    cells.points().var_axis(Axis(0), 1.0).sum()
}

fn split_cells(cells: &Array2<f64>, half: usize, seed: Seed) -> (Snapshot, Snapshot) {
    let mut rows: Vec<usize> = (0..cells.nrows()).collect();
    rows.shuffle(&mut seed.stream("bench/split", 0));
    let take = |rows: &[usize]| Snapshot::new(cells.select(Axis(0), rows)).unwrap();
    (take(&rows[..half]), take(&rows[half..2 * half]))
}

/// A closed curve of waves in many dimensions, with noise of 0.15 across it.
fn wave(n: usize, dim: usize) -> Array2<f64> {
    let mut stream = Seed(7).stream("bench/wave", dim as u64);
    let mut cells = Array2::zeros((n, dim));
    for mut cell in cells.rows_mut() {
        let even: f64 = StandardUniform.sample(&mut stream);
        let angle = std::f64::consts::TAU * even;
        for (d, value) in cell.iter_mut().enumerate() {
            let noise: f64 = StandardNormal.sample(&mut stream);
            let wave = (1 + d / 2) as f64 * angle;
            let height = if d % 2 == 0 { wave.cos() } else { wave.sin() };
            *value = height / (1.0 + (d / 2) as f64).sqrt() + 0.15 * noise;
        }
    }
    cells
}

fn open(name: &str) -> H5ad {
    let path = format!("{}/data-samples/{name}.h5ad", env!("CARGO_MANIFEST_DIR"));
    H5ad::open(std::path::Path::new(&path)).unwrap()
}

/// The first principal components of all cells of a file.
fn components(name: &str, key: Option<&str>, dim: usize) -> Array2<f64> {
    let file = open(name);
    if let Some(key) = key {
        return file.obsm(key).unwrap().slice(ndarray::s![.., ..dim]).to_owned();
    }
    let rows: Vec<usize> = (0..file.n_cells()).collect();
    let matrix = file.matrix_rows(&MatrixSource::X, &rows, &mut Silent).unwrap();
    let pca = PcaSolver { n_pcs: dim, ..PcaSolver::default() };
    let pca = pca.fit(&matrix, Seed(0), &mut Silent).unwrap();
    pca.transform(&matrix).unwrap()
}

/// The components of the cells of one time.
fn one_time(name: &str, time: f64, dim: usize) -> Array2<f64> {
    let labels = open(name).obs("time").unwrap();
    let label = |row: usize| labels.label(row).and_then(|label| label.parse::<f64>().ok());
    let all = components(name, None, dim);
    let rows: Vec<usize> = (0..all.nrows())
        .filter(|&row| label(row).is_some_and(|found| found.total_cmp(&time).is_eq()))
        .collect();
    all.select(Axis(0), &rows)
}
