//! What others would draw cells with: kernel density estimates and Gaussian mixtures.

use ndarray::{Array1, Array2, Axis};
use rand_distr::{Distribution, StandardNormal, StandardUniform};
use sbcell::Seed;
use sbcell::bridge::GaussianMixture;
use sbcell::data::Snapshot;
use sbcell::linalg::{Spectrum, log_sum_exp};

/// Deviations along each axis by Silverman's rule, and the mean log density of `test`.
pub(crate) fn silverman(train: &Snapshot, test: &Snapshot) -> (Array1<f64>, f64) {
    let (n, dim) = (train.n_cells() as f64, train.dim() as f64);
    let factor = (4.0 / (dim + 2.0)).powf(1.0 / (dim + 4.0)) * n.powf(-1.0 / (dim + 4.0));
    let widths = train.points().std_axis(Axis(0), 1.0) * factor;
    let value = log_density(train, &widths, test);
    (widths, value)
}

/// Silverman's deviations times the factor under which fifths of the cells are likeliest, held out in
/// turn; and the mean log density of `test`.
pub(crate) fn validated(train: &Snapshot, test: &Snapshot, _seed: Seed) -> (Array1<f64>, f64) {
    let rule = silverman(train, test).0;
    let part = |fold: usize, held: bool| {
        let rows: Vec<usize> = (0..train.n_cells()).filter(|i| (i % 5 == fold) == held).collect();
        Snapshot::new(train.points().select(Axis(0), &rows)).unwrap()
    };
    let parts: Vec<_> = (0..5).map(|fold| (part(fold, false), part(fold, true))).collect();
    let judged = |factor: f64| -> f64 {
        let widths = &rule * factor;
        parts.iter().map(|(fitted, held)| log_density(fitted, &widths, held)).sum()
    };
    let factors = (0..12).map(|k| 1.6 * 0.8_f64.powi(k));
    let scored = factors.map(|factor| (judged(factor), factor));
    let best = scored.max_by(|a, b| a.0.total_cmp(&b.0)).unwrap().1;
    let widths = rule * best;
    let value = log_density(train, &widths, test);
    (widths, value)
}

fn log_density(train: &Snapshot, widths: &Array1<f64>, test: &Snapshot) -> f64 {
    let scaled = |cells: &Snapshot| &cells.points() / widths;
    let (train, test) = (scaled(train), scaled(test));
    let normaliser = (train.nrows() as f64).ln()
        + widths.mapv(f64::ln).sum()
        + 0.5 * widths.len() as f64 * std::f64::consts::TAU.ln();
    let mut sum = 0.0;
    for x in test.rows() {
        let term = |cell: ndarray::ArrayView1<'_, f64>| {
            -0.5 * cell.iter().zip(x).map(|(a, b)| (a - b).powi(2)).sum::<f64>()
        };
        let terms: Vec<f64> = train.rows().into_iter().map(term).collect();
        sum += log_sum_exp(&terms) - normaliser;
    }
    sum / test.nrows() as f64
}

pub(crate) fn draw_density(
    train: &Snapshot,
    widths: &Array1<f64>,
    n: usize,
    seed: Seed,
) -> Array2<f64> {
    let mut stream = seed.stream("bench/density", 0);
    Array2::from_shape_fn((n, train.dim()), |(i, d)| {
        let noise: f64 = StandardNormal.sample(&mut stream);
        train.points()[[i % train.n_cells(), d]] + widths[d] * noise
    })
}

pub(crate) fn draw_mixture(law: &GaussianMixture, n: usize, seed: Seed) -> Array2<f64> {
    let mut stream = seed.stream("bench/mixture", 0);
    let (weights, means) = (law.weights(), law.means());
    let roots: Vec<Array2<f64>> = (0..law.n_gaussians())
        .map(|j| Spectrum::new(law.covariance(j).view()).unwrap().map(|v| v.max(0.0).sqrt()))
        .collect();
    let mut draws = Array2::zeros((n, law.dim()));
    for mut row in draws.rows_mut() {
        let mut left: f64 = StandardUniform.sample(&mut stream);
        let passed = |weight: &f64| {
            left -= weight;
            left < 0.0
        };
        let j = weights.iter().position(passed).unwrap_or(weights.len() - 1);
        let white: Array1<f64> =
            Array1::from_shape_simple_fn(law.dim(), || StandardNormal.sample(&mut stream));
        row.assign(&(roots[j].dot(&white) + means.row(j)));
    }
    draws
}
