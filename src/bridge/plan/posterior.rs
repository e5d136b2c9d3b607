//! Which pair of a plan a cell at a place and time belongs to.

use ndarray::{ArrayView2, Axis};

use crate::bridge::plan::noise::Noise;
use crate::bridge::plan::pairs::{Pairs, Parts};
use crate::geometry::Lanes;
use crate::linalg::{product_nt, softmax_rows};

/// The shares `w_p(x)` of the pairs p at one local time.
#[derive(Debug)]
pub(super) struct Posterior<'a> {
    pairs: &'a Pairs,
    noise: &'a Noise,
    how: How,
}

#[derive(Debug)]
enum How {
    /// The pairs nearest to x at this time, by their masses; places of all pairs.
    Nearest(Lanes),
    /// `w_p ∝ exp(c_p + x·(s_i + t_j))` with the parts `s`, `t` of the slopes, among the pairs of
    /// the nearest source cells only if there is a `nearest`.
    Weighted { slopes: Parts, constants: Vec<f64>, nearest: Option<NearestCells> },
}

/// The source cells that have pairs, and their places where the noise is even.
#[derive(Debug)]
struct NearestCells {
    places: Lanes,
    cells: Vec<u32>,
}

impl<'a> Posterior<'a> {
    /// At local time `t` in [0, 1], of paths with this noise.
    ///
    /// With noise of covariance Γ `w_p ∝ π_p N(x; c_p(t), t(1−t) Γ)`, where `c_p` is the curve of
    /// the pair. For t → 0 the nearest source cell is certain, and among its pairs `w_p ∝ π_p
    /// exp((x−x_i)·Γ⁻¹(y_j−x_i))`. Without noise, or at `t = 1`, the nearest pairs share by masses.
    pub(super) fn new(pairs: &'a Pairs, t: f64, noise: &'a Noise) -> Self {
        let spread = t * (1.0 - t);
        if spread > 0.0 && !noise.is_none() {
            let places = pairs.places(t);
            let slopes = noise.over(&places, spread);
            let constants = pairs.each(|i, j, mass| {
                let place = &places.source.row(i) + &places.target.row(j);
                let slope = &slopes.source.row(i) + &slopes.target.row(j);
                mass.ln() - 0.5 * place.dot(&slope)
            });
            return Self { pairs, noise, how: How::Weighted { slopes, constants, nearest: None } };
        }
        if t > 0.0 || noise.is_none() {
            let places = Lanes::new(pairs.sums(&pairs.places(t)).view());
            return Self { pairs, noise, how: How::Nearest(places) };
        }
        let slopes = noise.over(&pairs.velocities_of_lines(), 1.0);
        let constants = pairs.each(|i, j, mass| {
            let slope = &slopes.source.row(i) + &slopes.target.row(j);
            mass.ln() - pairs.source.row(i).dot(&slope)
        });
        let mut cells = pairs.sources.clone();
        cells.dedup();
        let rows: Vec<usize> = cells.iter().map(|&i| i as usize).collect();
        let places = noise.evened(pairs.source.select(Axis(0), &rows).view());
        let places = Lanes::new(places.view());
        let nearest = Some(NearestCells { places, cells });
        Self { pairs, noise, how: How::Weighted { slopes, constants, nearest } }
    }

    /// The parts of `∂ ln w_p/∂x`, less what is the same for all pairs; `None` where shares do not
    /// change with x.
    pub(super) fn slopes(&self) -> Option<&Parts> {
        match &self.how {
            How::Nearest(_) => None,
            How::Weighted { slopes, .. } => Some(slopes),
        }
    }

    /// Calls `visit` with the number of each row of `x` and the shares of all pairs there.
    pub(super) fn each_row(&self, x: ArrayView2<'_, f64>, visit: impl FnMut(usize, &[f64])) {
        match &self.how {
            How::Nearest(places) => self.each_nearest(x, places, visit),
            How::Weighted { slopes, constants, nearest } => {
                self.each_weighted(x, (slopes, constants), nearest.as_ref(), visit);
            }
        }
    }

    fn each_weighted(
        &self,
        x: ArrayView2<'_, f64>,
        weights: (&Parts, &[f64]),
        nearest: Option<&NearestCells>,
        mut visit: impl FnMut(usize, &[f64]),
    ) {
        let (slopes, constants) = weights;
        let along_source = product_nt(x, slopes.source.view());
        let along_target = product_nt(x, slopes.target.view());
        let mut shares = vec![0.0; constants.len()];
        let n_pairs = shares.len();
        let mut squares = Vec::new();
        let mut near = vec![0.0; self.pairs.source.nrows()];
        let evened = nearest.map(|_| self.noise.evened(x));
        for (row, point) in x.rows().into_iter().enumerate() {
            let (along_source, along_target) = (along_source.row(row), along_target.row(row));
            if let (Some(NearestCells { places, cells }), Some(evened)) = (nearest, &evened) {
                places.squared_distances(&evened.row(row).to_vec(), &mut squares);
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
