//! Nearest neighbours by matrix products in single precision, verified in double precision.

use ndarray::{ArrayView2, Axis};
use rayon::prelude::*;

use super::lanes::{Lanes, squared_distance};
use super::{Found, nearest_of};
use crate::error::Result;
use crate::linalg::product_nt_single;
use crate::platform::cpu;
use crate::progress::{Event, Progress, report};

/// Rows of a tile of scores. A tile has half a megabyte and stays in the second-level cache.
const ROWS: usize = 128;
/// Columns of a tile of scores.
const COLUMNS: usize = 1024;

/// Number of tiles between two progress reports.
const PER_REPORT: usize = 32;

/// Number of scores compared with the threshold in one vectorised test.
const GROUP: usize = 64;

/// The exact `k` nearest other points of each row of `points`, which must be distinct.
///
/// The score `s_ij = ½‖y_j‖² − x_i·y_j` orders the points `j` by their distance to `i`. A product in
/// single precision computes it from centred coordinates with one more column for `½‖y‖²`. For each
/// row more than `k` candidates of least score are kept, and their distances are recomputed in double
/// precision.
///
/// A rejected point has at least the worst score of the candidates. Its score has an error of at most
/// `c (‖x‖‖y‖ + ½‖y‖²)` with `c = (dim + 6) 2⁻²⁴`. It can be nearer than the k-th candidate at
/// distance r only if `‖y‖ ≤ ‖x‖ + r`. If these bounds do not exclude all rejected points, the row is
/// compared with all points in double precision. The result is therefore exact for all data.
pub(super) fn search(
    points: ArrayView2<'_, f64>,
    k: usize,
    progress: &mut dyn Progress,
) -> Result<Vec<Found>> {
    let scores = Scores::new(points);
    let lanes = Lanes::new(points);
    let n = points.nrows();
    let mut found = Vec::with_capacity(n);
    let tiles: Vec<usize> = (0..n.div_ceil(ROWS)).collect();
    for batch in tiles.chunks(PER_REPORT) {
        let rows: Vec<Vec<Found>> = batch
            .par_iter()
            .map(|&tile| scores.nearest(tile * ROWS..n.min((tile + 1) * ROWS), k, &lanes))
            .collect();
        found.extend(rows.into_iter().flatten());
        report(progress, Event::Step { done: found.len() as u64 })?;
    }
    Ok(found)
}

/// The two factors of the product that gives the scores.
struct Scores {
    /// The original points in rows.
    points: Vec<f64>,
    dim: usize,
    /// `(x, 1)` in rows, centred and divided by `unit`.
    left: Vec<f32>,
    /// `(−y, ½‖y‖²)` in rows, centred and divided by `unit`.
    right: Vec<f32>,
    /// `‖x‖²` of the centred, divided points.
    squares: Vec<f64>,
    /// Largest centred coordinate, the divisor that prevents overflow of squares.
    unit: f64,
}

impl Scores {
    /// The factors for these points.
    fn new(points: ArrayView2<'_, f64>) -> Self {
        let (n, dim) = points.dim();
        let centre = points.sum_axis(Axis(0)) / n.max(1) as f64;
        let largest = |row: ndarray::ArrayView1<'_, f64>| {
            row.iter().zip(&centre).fold(0.0, |m: f64, (x, c)| m.max((x - c).abs()))
        };
        let unit = points.rows().into_iter().map(largest).fold(0.0, f64::max);
        let unit = if unit > 0.0 { unit } else { 1.0 };
        let (mut left, mut right) = (Vec::with_capacity(n * (dim + 1)), Vec::new());
        let mut squares = Vec::with_capacity(n);
        for row in points.rows() {
            let centred = row.iter().zip(&centre).map(|(x, c)| (x - c) / unit);
            let start = left.len();
            left.extend(centred.map(|x| x as f32));
            let square: f64 = left[start..].iter().map(|&x| f64::from(x) * f64::from(x)).sum();
            right.extend(left[start..].iter().map(|x| -x));
            left.push(1.0);
            right.push((0.5 * square) as f32);
            squares.push(square);
        }
        Self { points: points.iter().copied().collect(), dim, left, right, squares, unit }
    }

    /// The original point `i`.
    fn point(&self, i: usize) -> &[f64] {
        &self.points[i * self.dim..(i + 1) * self.dim]
    }

    /// The `k` nearest of the points `rows`, which are one tile.
    fn nearest(&self, rows: std::ops::Range<usize>, k: usize, lanes: &Lanes) -> Vec<Found> {
        let width = self.dim + 1;
        let kept = k + 1 + (k / 2).max(8);
        let left = &self.left[rows.start * width..rows.end * width];
        let mut best: Vec<Best> = rows.clone().map(|_| Best::new(kept)).collect();
        let mut tile = vec![0.0; rows.len() * COLUMNS];
        for (block, right) in self.right.chunks(COLUMNS * width).enumerate() {
            let n_columns = right.len() / width;
            let tile = &mut tile[..rows.len() * n_columns];
            product_nt_single(tile, left, right, width);
            let first = (block * COLUMNS) as u32;
            cpu::arch().dispatch(Collect { tile, n_columns, first, best: &mut best });
        }
        let mut distances = Vec::new();
        rows.zip(best)
            .map(|(i, best)| {
                let (worst, candidates) = best.finish();
                let exact = |j: u32| (squared_distance(self.point(i), self.point(j as usize)), j);
                let found = nearest_of(candidates.iter().map(|&j| exact(j)), i, k);
                let whole = candidates.len() < kept;
                if whole || self.excludes_others(i, worst, found.last().map_or(0.0, |l| l.0)) {
                    return found;
                }
                lanes.squared_distances(self.point(i), &mut distances);
                nearest_of(distances.iter().zip(0..).map(|(&square, j)| (square, j)), i, k)
            })
            .collect()
    }

    /// Whether every point with a score of at least `worst` is farther from point `i` than the
    /// squared distance `reach`.
    fn excludes_others(&self, i: usize, worst: f32, reach: f64) -> bool {
        // Centring and rounding to single precision changes each coordinate of the two points by
        // at most 2⁻²⁴ of the norm. The six includes both changes.
        let relative = (self.dim + 6) as f64 * 2.0_f64.powi(-24);
        let own = self.squares[i].sqrt();
        // Squares of differences below 1e-154 underflow.
        let reach = (reach.sqrt() + 1e-150) / self.unit * (1.0 + 1e-6);
        let other = (own + reach) * (1.0 + 1e-6);
        let moved = 2.0_f64.powi(-23) * (own + other);
        let reach = reach + moved;
        let bound = relative * (own * other + 0.5 * other * other);
        f64::from(worst) > 0.5 * (reach * reach - self.squares[i]) + bound
    }
}

/// The candidates of least score of one row.
struct Best {
    /// Number of candidates.
    kept: usize,
    /// The worst score of the candidates at the last [`Best::cut`]; larger scores are rejected.
    threshold: f32,
    /// Scores and indices, up to twice the number of candidates.
    entries: Vec<(f32, u32)>,
}

impl Best {
    /// No candidates yet.
    fn new(kept: usize) -> Self {
        Self { kept, threshold: f32::INFINITY, entries: Vec::with_capacity(2 * kept) }
    }

    /// Adds a point if its score is below the threshold.
    #[inline]
    fn offer(&mut self, score: f32, index: u32) {
        if score < self.threshold {
            self.entries.push((score, index));
            if self.entries.len() == 2 * self.kept {
                self.cut();
            }
        }
    }

    /// Keeps only the candidates of least score and lowers the threshold.
    #[cold]
    fn cut(&mut self) {
        let order = |a: &(f32, u32), b: &(f32, u32)| a.0.total_cmp(&b.0);
        let (_, last, _) = self.entries.select_nth_unstable_by(self.kept - 1, order);
        self.threshold = last.0;
        self.entries.truncate(self.kept);
    }

    /// The worst score of the candidates, and their indices.
    fn finish(mut self) -> (f32, Vec<u32>) {
        if self.entries.len() >= self.kept {
            self.cut();
        }
        (self.threshold, self.entries.into_iter().map(|entry| entry.1).collect())
    }
}

/// Passes the scores of a tile to the candidates of each row.
///
/// One vectorised test rejects a group of [`GROUP`] scores if all are above the threshold.
struct Collect<'a> {
    /// Scores in rows.
    tile: &'a [f32],
    n_columns: usize,
    /// Index of the point in the first column.
    first: u32,
    /// The candidates of each row.
    best: &'a mut [Best],
}

impl pulp::NullaryFnOnce for Collect<'_> {
    type Output = ();

    #[expect(clippy::inline_always, reason = "only code inlined into `dispatch` is vectorised")]
    #[inline(always)]
    fn call(self) {
        for (row, best) in self.tile.chunks_exact(self.n_columns).zip(self.best) {
            let (groups, rest) = row.as_chunks::<GROUP>();
            for (group, scores) in groups.iter().enumerate() {
                let mut any = false;
                for score in scores {
                    any |= *score < best.threshold;
                }
                if any {
                    for (place, score) in scores.iter().enumerate() {
                        best.offer(*score, self.first + (group * GROUP + place) as u32);
                    }
                }
            }
            let start = self.first + (groups.len() * GROUP) as u32;
            for (place, score) in rest.iter().enumerate() {
                best.offer(*score, start + place as u32);
            }
        }
    }
}
