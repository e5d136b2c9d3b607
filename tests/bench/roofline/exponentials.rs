//! Exponentials of blocks and of mixtures: flops of the polynomial against the peak.

use ndarray::{Array1, Array2, s};
use rand::RngExt;
use rand_distr::{Distribution, StandardNormal};
use sbcell::bridge::{Bridge, Covariance, GaussianMixture, LightSbBridge, Mixture, UnitTime};
use sbcell::linalg::{LogSums, add_product, add_weighted, exp_block, exp_in_place, softmax_rows};
use sbcell::{Epsilon, Seed};

use crate::machine::Limit;
use crate::timing::{each_alone, seconds, shared};
use crate::{Counted, Line};

/// Flops of one exponential: 5 to take `n ln 2` out and 2 to find `n`, 27 of the Taylor series, 1
/// to scale. Two comparisons and two operations on integers are not counted.
const EXP: f64 = 35.0;

const ROWS: usize = 128;
const COLUMNS: usize = 512;

/// Logarithms as they are in a block, the same in every row.
fn logs(n: usize) -> Vec<f64> {
    let mut stream = Seed(0).stream("bench/roofline/logs", 0);
    (0..n).map(|_| stream.random_range(-20.0..0.0)).collect()
}

fn normal(shape: (usize, usize), index: u64) -> Array2<f64> {
    let mut stream = Seed(0).stream("bench/roofline/normal", index);
    Array2::from_shape_simple_fn(shape, || StandardNormal.sample(&mut stream))
}

fn refill(block: &mut [f64], row: &[f64]) {
    block.chunks_exact_mut(row.len()).for_each(|place| place.copy_from_slice(row));
}

/// The functions that a block of 128 × 512 goes through between its product and its sums.
pub(crate) fn blocks() -> Vec<Line> {
    let elements = (ROWS * COLUMNS) as f64;
    let size = format!("{ROWS} × {COLUMNS}");
    let run = |work: &(dyn Fn(&mut [f64], &[f64]) -> f64 + Sync)| {
        each_alone(elements, || {
            let row = logs(COLUMNS);
            let mut block = vec![0.0; ROWS * COLUMNS];
            move || {
                refill(&mut block, &row);
                work(&mut block, &row)
            }
        })
    };
    let line = |kernel, flops, bytes, ns| {
        let counted = Counted { element: "value", flops, bytes };
        Line::new(kernel, &size, counted, Limit::Double, ns)
    };
    let sums = |block: &mut [f64], row: &[f64]| {
        let mut sums = LogSums::new(ROWS);
        seconds(|| sums.add(block, row))
    };
    let exps = |block: &mut [f64], row: &[f64]| seconds(|| exp_block(block, &row[..ROWS], row));
    let weighted = |block: &mut [f64], row: &[f64]| {
        let mut out = vec![0.0; ROWS];
        seconds(|| add_weighted(block, row, &mut out))
    };
    vec![
        line("`exp_in_place`", EXP, 16.0, run(&|block, _| seconds(|| exp_in_place(block)))),
        line("`LogSums::add`", EXP + 4.0, 16.0, run(&sums)),
        line("`exp_block`", EXP + 2.0, 16.0, run(&exps)),
        line("`add_weighted`", 2.0, 8.0, run(&weighted)),
        sinkhorn_block(50),
    ]
}

/// A block as `log_sums` of the kernel of all pairs makes it and sums it.
fn sinkhorn_block(dim: usize) -> Line {
    let ns = each_alone((ROWS * COLUMNS) as f64, || {
        let (own, other) = (normal((ROWS, dim), 1), normal((COLUMNS, dim), 2));
        let offsets = vec![0.0; COLUMNS];
        let mut block = Array2::zeros((ROWS, COLUMNS));
        move || {
            let mut sums = LogSums::new(ROWS);
            seconds(|| {
                block.fill(0.0);
                add_product(block.view_mut(), 0.3, own.view(), other.t());
                sums.add(block.as_slice_mut().unwrap(), &offsets);
            })
        }
    });
    // The block is written by `fill`, read and written by the product and by the sums.
    let (flops, bytes) = (2.0 * dim as f64 + EXP + 4.0, 40.0);
    let size = format!("{ROWS} × {COLUMNS}, d = {dim}");
    let counted = Counted { element: "pair", flops, bytes };
    Line::new("product and `LogSums::add`, as Sinkhorn's", &size, counted, Limit::Double, ns)
}

/// Mixtures of the sizes that are chosen for many cells and for few dimensions.
pub(crate) fn all_mixtures() -> Vec<Line> {
    [(50, 10), (50, 64), (5, 30)].into_iter().flat_map(|(dim, k)| mixtures(dim, k)).collect()
}

/// Responsibilities, densities, objective and drift of mixtures with `k` diagonal Gaussians in
/// `dim` dimensions.
fn mixtures(dim: usize, k: usize) -> Vec<Line> {
    let features = (2 * dim + 1) as f64;
    let (d, of_k) = (dim as f64, k as f64);
    let line = |kernel, n: usize, counted: Counted, ns| {
        let size = format!("{n} cells, d = {dim}, K = {k}");
        Line::new(kernel, &size, counted, Limit::Double, ns)
    };
    let counted = |flops, bytes| Counted { element: "cell × Gaussian", flops, bytes };
    // Points are read, features written and read, exponents written by the product and gone
    // through by the softmax.
    let bytes = (8.0 * d + 16.0 * features) / of_k + 24.0;
    let squares = d / of_k;
    let softmax = EXP + 4.0;
    vec![
        line("`softmax_rows`", 512, counted(softmax, 16.0), responsibilities(k)),
        line(
            "`GaussianMixture::log_density`",
            4096,
            counted(2.0 * features + softmax + squares, bytes),
            density(dim, k),
        ),
        line(
            "objective of LightSB with its gradient, one chunk",
            512,
            counted(4.0 * features + softmax + squares, bytes + 8.0 * (features / of_k + 1.0)),
            objective(dim, k),
        ),
        line(
            "`LightSbBridge::drift`",
            8192,
            counted(
                2.0 * features + softmax + 4.0 * d + 3.0 * squares,
                bytes + 16.0 + 32.0 * squares,
            ),
            drift(dim, k),
        ),
    ]
}

fn responsibilities(k: usize) -> [f64; 2] {
    let n = 512;
    each_alone((n * k) as f64, || {
        let logs = logs(n * k);
        let (mut work, masses, mut totals) = (logs.clone(), vec![1.0; n], vec![0.0; n]);
        move || {
            work.copy_from_slice(&logs);
            seconds(|| softmax_rows(&mut work, k, &masses, &mut totals))
        }
    })
}

fn density(dim: usize, k: usize) -> [f64; 2] {
    let (n, weights) = (4096, Array1::from_elem(k, 1.0 / k as f64));
    let (means, variances) = (normal((k, dim), 3), Array2::from_elem((k, dim), 0.5));
    let law = GaussianMixture::new(Covariance::Diagonal, weights.view(), means, variances).unwrap();
    each_alone((n * k) as f64, || {
        let cells = normal((n, dim), 4);
        let law = &law;
        move || seconds(|| law.log_density(cells.view()).unwrap())
    })
}

/// What `Chunk::work` of the objective does, which is not public: features of cells, their product
/// with the coefficients, shares, and the product of shares and features.
fn objective(dim: usize, k: usize) -> [f64; 2] {
    let n = 512;
    each_alone((n * k) as f64, || {
        let cells = normal((n, dim), 5);
        let linear = normal((k, 2 * dim + 1), 6) * 0.1;
        let mut features = Array2::ones((n, 2 * dim + 1));
        let (mut shares, mut moments) = (Array2::zeros((n, k)), Array2::zeros(linear.dim()));
        let (masses, mut totals) = (vec![1.0 / n as f64; n], vec![0.0; n]);
        move || {
            seconds(|| {
                for (mut row, cell) in features.rows_mut().into_iter().zip(cells.rows()) {
                    row.slice_mut(s![..dim]).zip_mut_with(&cell, |square, x| *square = x * x);
                    row.slice_mut(s![dim..2 * dim]).assign(&cell);
                }
                shares.fill(0.0);
                moments.fill(0.0);
                add_product(shares.view_mut(), 1.0, features.view(), linear.t());
                softmax_rows(shares.as_slice_mut().unwrap(), k, &masses, &mut totals);
                add_product(moments.view_mut(), 1.0, shares.t(), features.view());
            })
        }
    })
}

fn drift(dim: usize, k: usize) -> [f64; 2] {
    let (n, covariance) = (8192, Covariance::Diagonal);
    let (r, s) = (normal((k, dim), 7), Array2::from_elem((k, dim), 0.5));
    let mixture = Mixture { covariance, log_alpha: Array1::zeros(k), r, s };
    let mean = Array1::zeros(dim);
    let epsilon = Epsilon::new(1.0).unwrap();
    let bridge = LightSbBridge::new(mixture, mean.clone(), mean, epsilon).unwrap();
    let (cells, t) = (normal((n, dim), 8), UnitTime::new(0.5).unwrap());
    shared((n * k) as f64, || bridge.drift(cells.view(), t).unwrap())
}
