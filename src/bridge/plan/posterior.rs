//! The probability that a cell at a position and time belongs to each pair of a coupling.

use ndarray::{ArrayView2, Axis};

use crate::bridge::plan::noise::Noise;
use crate::bridge::plan::pairs::{Both, Pairs, Parts};
use crate::geometry::Lanes;
use crate::linalg::{product_nt, softmax_rows};

/// The shares `w_p(x)` of the pairs p at one local time.
#[derive(Debug)]
pub(super) struct Posterior<'a> {
    /// The pairs.
    pairs: &'a Pairs,
    /// The noise of their paths.
    noise: &'a Noise,
    /// How shares are computed at this time.
    how: How,
}

/// How shares are computed.
#[derive(Debug)]
enum How {
    /// The pairs nearest to x at this time share by mass; positions of all pairs.
    Nearest(Lanes),
    /// `w_p ∝ exp(c_p + x·s_p)` with the slopes `s_p` in parts. With `nearest`, only the pairs of
    /// the nearest source cells have a share.
    Weighted { slopes: Box<Parts>, constants: Vec<f64>, nearest: Option<NearestCells> },
}

/// The source cells that have pairs, at positions in coordinates in which the noise is equal in
/// every direction.
#[derive(Debug)]
struct NearestCells {
    /// Positions of the cells.
    places: Lanes,
    /// The first pair of each cell.
    cells: Vec<u32>,
}

impl<'a> Posterior<'a> {
    /// At local time t in [0, 1], for paths with this noise.
    ///
    /// With noise of covariance Γ, `w_p ∝ π_p N(x; c_p(t), t(1−t) Γ)`, where `c_p` is the curve of
    /// the pair. For t → 0 the nearest source cell is certain, and its pairs have `w_p ∝ π_p
    /// exp((x−x_i)·Γ⁻¹(y_j−x_i))`. Without noise, or at t = 1, the nearest pairs share by mass.
    pub(super) fn new(pairs: &'a Pairs, t: f64, noise: &'a Noise) -> Self {
        let spread = t * (1.0 - t);
        if spread > 0.0 && !noise.is_none() {
            let places = pairs.places(t);
            let slopes = noise.over(&places, spread);
            let constants = (0..pairs.masses.len())
                .map(|p| {
                    let (place, slope) = (pairs.sum(&places, p), pairs.sum(&slopes, p));
                    pairs.masses[p].ln() - 0.5 * place.dot(&slope)
                })
                .collect();
            return Self {
                pairs,
                noise,
                how: How::Weighted { slopes: Box::new(slopes), constants, nearest: None },
            };
        }
        if t > 0.0 || noise.is_none() {
            let places = Lanes::new(pairs.sums(&pairs.places(t)).view());
            return Self { pairs, noise, how: How::Nearest(places) };
        }
        let slopes = noise.over(&pairs.velocities_of_lines(), 1.0);
        let constants = (0..pairs.masses.len())
            .map(|p| {
                let start = pairs.source.row(pairs.sources[p] as usize);
                pairs.masses[p].ln() - start.dot(&pairs.sum(&slopes, p))
            })
            .collect();
        let mut cells: Vec<u32> = (0..pairs.sources.len() as u32).collect();
        cells.dedup_by_key(|p| pairs.sources[*p as usize]);
        let rows: Vec<usize> = cells.iter().map(|&p| pairs.sources[p as usize] as usize).collect();
        let places = noise.evened(pairs.source.select(Axis(0), &rows).view());
        let places = Lanes::new(places.view());
        let nearest = Some(NearestCells { places, cells });
        Self { pairs, noise, how: How::Weighted { slopes: Box::new(slopes), constants, nearest } }
    }

    /// The parts of `∂ ln w_p/∂x`, less a part that is the same for all pairs. `None` if shares do
    /// not change with x.
    pub(super) fn slopes(&self) -> Option<&Parts> {
        match &self.how {
            How::Nearest(_) => None,
            How::Weighted { slopes, .. } => Some(slopes),
        }
    }

    /// Calls `visit` with the number of each row of `x` and the shares of all pairs there. Takes `2
    /// k (n + m) d` flops and an exponential for each pair and row (weighted), or `3 d` flops for
    /// each pair and row (nearest).
    pub(super) fn each_row(&self, x: ArrayView2<'_, f64>, visit: impl FnMut(usize, &[f64])) {
        match &self.how {
            How::Nearest(places) => self.each_nearest(x, places, visit),
            How::Weighted { slopes, constants, nearest } => {
                self.each_weighted(x, slopes, constants, nearest.as_ref(), visit);
            }
        }
    }

    /// Shares by weights, with matrix products for all cells.
    fn each_weighted(
        &self,
        x: ArrayView2<'_, f64>,
        slopes: &Parts,
        constants: &[f64],
        nearest: Option<&NearestCells>,
        mut visit: impl FnMut(usize, &[f64]),
    ) {
        if let Some(nearest) = nearest {
            self.each_at_start(x, slopes, constants, nearest, visit);
            return;
        }
        let along =
            |both: &Both| (product_nt(x, both.source.view()), product_nt(x, both.target.view()));
        let (along_source, along_target) = along(&slopes.ends);
        let along_bends = slopes.bends.as_ref().map(along);
        let along_own = slopes.own.as_ref().map(|own| product_nt(x, own.view()));
        let n_pairs = constants.len();
        let mut shares = vec![0.0; n_pairs];
        for row in 0..x.nrows() {
            let (of_source, of_target) = (along_source.row(row), along_target.row(row));
            for (p, share) in shares.iter_mut().enumerate() {
                let (i, j, _) = self.pairs.of(p);
                *share = constants[p] + of_source[i] + of_target[j];
            }
            if let Some((of_source, of_target)) = &along_bends {
                for (p, share) in shares.iter_mut().enumerate() {
                    let (i, j, factor) = self.pairs.of(p);
                    *share += factor * (of_source[[row, i]] + of_target[[row, j]]);
                }
            }
            if let Some(along_own) = &along_own {
                let own = along_own.row(row);
                shares.iter_mut().zip(own).for_each(|(share, along)| *share += along);
            }
            softmax_rows(&mut shares, n_pairs, &[1.0], &mut [0.0]);
            visit(row, &shares);
        }
    }

    /// Shares at the start, where only the pairs of the nearest source cells have one.
    fn each_at_start(
        &self,
        x: ArrayView2<'_, f64>,
        slopes: &Parts,
        constants: &[f64],
        nearest: &NearestCells,
        mut visit: impl FnMut(usize, &[f64]),
    ) {
        let evened = self.noise.evened(x);
        let (mut shares, mut squares) = (vec![0.0; constants.len()], Vec::new());
        for (row, point) in x.rows().into_iter().enumerate() {
            nearest.places.squared_distances(&evened.row(row).to_vec(), &mut squares);
            let least = squares.iter().copied().fold(f64::INFINITY, f64::min);
            let cells = nearest.cells.iter().zip(&squares).filter(|cell| *cell.1 <= least);
            let near: Vec<usize> =
                cells.flat_map(|(&first, _)| self.pairs.of_same_source(first as usize)).collect();
            let mut found: Vec<f64> = near
                .iter()
                .map(|&p| constants[p] + point.dot(&self.pairs.sum(slopes, p)))
                .collect();
            let n_found = found.len();
            softmax_rows(&mut found, n_found, &[1.0], &mut [0.0]);
            for (&p, share) in near.iter().zip(&found) {
                shares[p] = *share;
            }
            visit(row, &shares);
            for &p in &near {
                shares[p] = 0.0;
            }
        }
    }

    /// Shares of the nearest pairs by mass.
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

/// Scales shares to sum to one.
fn normalise(shares: &mut [f64]) {
    let total: f64 = shares.iter().sum();
    for share in shares {
        *share /= total;
    }
}
