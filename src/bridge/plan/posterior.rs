//! Which pair of a plan a cell at a place and time belongs to.

use ndarray::{ArrayView2, Axis};

use crate::bridge::plan::process::Pairs;
use crate::geometry::Lanes;
use crate::linalg::{product_nt, softmax_rows};

/// The shares `w_p(x)` of the pairs p at one local time.
#[derive(Debug)]
pub(super) struct Posterior<'a> {
    pairs: &'a Pairs,
    how: How,
}

#[derive(Debug)]
enum How {
    /// The pairs nearest to x at this time, by their masses; places of all pairs.
    Nearest(Lanes),
    /// `w_p ∝ exp(c_p + a x·x_i + b x·y_j)`, among the pairs of the nearest source cells only if
    /// there is a `nearest`.
    Weighted { slopes: (f64, f64), constants: Vec<f64>, nearest: Option<NearestCells> },
}

/// The source cells that have pairs, and their places.
#[derive(Debug)]
struct NearestCells {
    places: Lanes,
    cells: Vec<u32>,
}

impl<'a> Posterior<'a> {
    /// At local time `t` in [0, 1], of paths with noise of variance `epsilon` per unit of time.
    ///
    /// With noise `w_p ∝ π_p N(x; (1−t) x_i + t y_j, ε t(1−t) I)`. For t → 0 the nearest source
    /// cell is certain, and among its pairs `w_p ∝ π_p exp((x−x_i)·(y_j−x_i)/ε)`. Without noise,
    /// or at `t = 1`, the nearest pairs share by their masses.
    pub(super) fn new(pairs: &'a Pairs, t: f64, epsilon: f64) -> Self {
        let variance = epsilon * t * (1.0 - t);
        if variance > 0.0 {
            let slopes = ((1.0 - t) / variance, t / variance);
            let how = How::Weighted {
                slopes,
                constants: pairs.each(|i, j, mass| {
                    let (x, y) = (pairs.source.row(i), pairs.target.row(j));
                    let place = &x * (1.0 - t) + &y * t;
                    mass.ln() - 0.5 * place.dot(&place) / variance
                }),
                nearest: None,
            };
            return Self { pairs, how };
        }
        if t > 0.0 || epsilon <= 0.0 {
            let places = Lanes::new(pairs.places(t).view());
            return Self { pairs, how: How::Nearest(places) };
        }
        let constants = pairs.each(|i, j, mass| {
            let (x, y) = (pairs.source.row(i), pairs.target.row(j));
            mass.ln() + (x.dot(&x) - x.dot(&y)) / epsilon
        });
        let mut cells = pairs.sources.clone();
        cells.dedup();
        let rows: Vec<usize> = cells.iter().map(|&i| i as usize).collect();
        let places = Lanes::new(pairs.source.select(Axis(0), &rows).view());
        let nearest = Some(NearestCells { places, cells });
        let slopes = (-1.0 / epsilon, 1.0 / epsilon);
        Self { pairs, how: How::Weighted { slopes, constants, nearest } }
    }

    /// `(a, b)` of `∂ ln w_p/∂x = a x_i + b y_j + …`, where the rest is the same for all pairs.
    pub(super) fn slopes(&self) -> (f64, f64) {
        match &self.how {
            How::Nearest(_) => (0.0, 0.0),
            How::Weighted { slopes, .. } => *slopes,
        }
    }

    /// Calls `visit` with the number of each row of `x` and the shares of all pairs there.
    pub(super) fn each_row(&self, x: ArrayView2<'_, f64>, visit: impl FnMut(usize, &[f64])) {
        match &self.how {
            How::Nearest(places) => self.each_nearest(x, places, visit),
            How::Weighted { slopes, constants, nearest } => {
                self.each_weighted(x, (*slopes, constants), nearest.as_ref(), visit);
            }
        }
    }

    fn each_weighted(
        &self,
        x: ArrayView2<'_, f64>,
        weights: ((f64, f64), &[f64]),
        nearest: Option<&NearestCells>,
        mut visit: impl FnMut(usize, &[f64]),
    ) {
        let ((a, b), constants) = weights;
        let along_source = product_nt(x, self.pairs.source.view()) * a;
        let along_target = product_nt(x, self.pairs.target.view()) * b;
        let mut shares = vec![0.0; constants.len()];
        let n_pairs = shares.len();
        let mut squares = Vec::new();
        let mut near = vec![0.0; self.pairs.source.nrows()];
        for (row, point) in x.rows().into_iter().enumerate() {
            let (along_source, along_target) = (along_source.row(row), along_target.row(row));
            if let Some(NearestCells { places, cells }) = nearest {
                places.squared_distances(&point.to_vec(), &mut squares);
                let least = squares.iter().copied().fold(f64::INFINITY, f64::min);
                for (&cell, square) in cells.iter().zip(&squares) {
                    near[cell as usize] = if *square <= least { 0.0 } else { f64::NEG_INFINITY };
                }
            }
            let ends = self.pairs.sources.iter().zip(&self.pairs.targets);
            for ((share, (&i, &j)), constant) in shares.iter_mut().zip(ends).zip(constants) {
                let (i, j) = (i as usize, j as usize);
                *share = constant + along_source[i] + along_target[j] + near[i];
            }
            softmax_rows(&mut shares, n_pairs, &[1.0], &mut [0.0]);
            visit(row, &shares);
        }
    }

    fn each_nearest(
        &self,
        x: ArrayView2<'_, f64>,
        places: &Lanes,
        mut visit: impl FnMut(usize, &[f64]),
    ) {
        let mut shares = vec![0.0; self.pairs.sources.len()];
        let mut squares = Vec::new();
        for (row, point) in x.rows().into_iter().enumerate() {
            places.squared_distances(&point.to_vec(), &mut squares);
            let least = squares.iter().copied().fold(f64::INFINITY, f64::min);
            let pairs = squares.iter().zip(&self.pairs.masses);
            for (share, (square, mass)) in shares.iter_mut().zip(pairs) {
                *share = if *square <= least { *mass } else { 0.0 };
            }
            normalise(&mut shares);
            visit(row, &shares);
        }
    }
}

fn normalise(shares: &mut [f64]) {
    let total: f64 = shares.iter().sum();
    for share in shares {
        *share /= total;
    }
}
