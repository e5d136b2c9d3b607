//! Distances between all pairs of points, stored or summed, with results independent of threads.

use ndarray::{Array2, ArrayView2};
use rayon::prelude::*;

use crate::data::Snapshot;
use crate::error::{Error, Result};

/// Number of rows in one task; fixed, so that sums do not depend on the number of threads.
const ROWS: usize = 32;

/// Number of points whose distances to one point are computed together.
const LANES: usize = 8;

/// Checks that two snapshots have the same dimension.
pub(super) fn check_same_dim(x: &Snapshot, y: &Snapshot) -> Result<()> {
    if x.dim() == y.dim() {
        return Ok(());
    }
    let what = "the second snapshot";
    Err(Error::Shape { what, unit: "dimensions", expected: x.dim(), got: y.dim() })
}

/// `f(‖x_i − y_j‖²)` for all pairs, `(n, m)`.
///
/// The function sums squares of differences and does not use `x² − 2xy + y²`; equal points
/// therefore have distance zero. Time `3 n m d` flops on all threads, memory `n m` numbers.
pub(super) fn pairwise(
    x: ArrayView2<'_, f64>,
    y: ArrayView2<'_, f64>,
    f: fn(f64) -> f64,
) -> Array2<f64> {
    let (n, m) = (x.nrows(), y.nrows());
    let (x, y) = (x.as_standard_layout(), Packed::new(y));
    let points: Vec<&[f64]> = x.rows().into_iter().filter_map(|row| row.to_slice()).collect();
    let mut out = Array2::zeros((n, m));
    if let Some(values) = out.as_slice_mut() {
        values.par_chunks_mut(m * ROWS).zip(points.par_chunks(ROWS)).for_each(|(rows, points)| {
            for block in 0..y.n_blocks() {
                let columns = block * LANES..m.min((block + 1) * LANES);
                for (row, point) in rows.chunks_exact_mut(m).zip(points) {
                    let squared = y.squared_from(point, block);
                    for (value, squared) in row[columns.clone()].iter_mut().zip(squared) {
                        *value = f(squared);
                    }
                }
            }
        });
    }
    out
}

/// The weighted sum `Σ_ij w_i v_j ‖x_i − y_j‖` over all pairs.
///
/// Time `3 n m d` flops and `n m` roots on all threads; memory only `O(m d)`.
pub(super) fn weighted_sum(x: &Snapshot, y: &Snapshot) -> f64 {
    sum_over_pairs(x, y, |_| 0)
}

/// The weighted sum `Σ_{i≠j} w_i w_j ‖x_i − x_j‖` over ordered pairs; each distance is computed once.
pub(super) fn weighted_sum_within(x: &Snapshot) -> f64 {
    2.0 * sum_over_pairs(x, x, |i| i + 1)
}

/// The weighted sum over pairs with `j ≥ first(i)`; `first` must not decrease.
fn sum_over_pairs(x: &Snapshot, y: &Snapshot, first: fn(usize) -> usize) -> f64 {
    let packed = Packed::new(y.points());
    let (points, marginal) = (x.points(), x.marginal());
    let rows: Vec<(&[f64], f64)> = points
        .rows()
        .into_iter()
        .zip(marginal)
        .filter_map(|(row, &weight)| Some((row.to_slice()?, weight)))
        .collect();
    let weights: Vec<[f64; LANES]> = (0..packed.n_blocks())
        .map(|block| {
            let weight = |lane| y.marginal().get(block * LANES + lane).copied().unwrap_or(0.0);
            std::array::from_fn(weight)
        })
        .collect();
    let sums: Vec<f64> = rows
        .par_chunks(ROWS)
        .enumerate()
        .map(|(chunk, rows)| {
            let mut sums = [0.0; LANES];
            for (block, weights) in weights.iter().enumerate().skip(first(chunk * ROWS) / LANES) {
                for (i, (point, weight)) in rows.iter().enumerate() {
                    let mut terms = packed.squared_from(point, block).map(f64::sqrt);
                    let skipped = first(chunk * ROWS + i).saturating_sub(block * LANES);
                    terms[..skipped.min(LANES)].fill(0.0);
                    for lane in 0..LANES {
                        sums[lane] += weight * weights[lane] * terms[lane];
                    }
                }
            }
            sums.iter().sum::<f64>()
        })
        .collect();
    sums.iter().sum()
}

/// Points in blocks of [`LANES`], transposed within a block; zeros fill the last block.
struct Packed {
    dim: usize,
    /// For each block and each dimension the coordinates of its points.
    coordinates: Vec<[f64; LANES]>,
}

impl Packed {
    /// A transposed copy of `points`.
    fn new(points: ArrayView2<'_, f64>) -> Self {
        let (n, dim) = points.dim();
        let coordinates = (0..n.div_ceil(LANES) * dim)
            .map(|place| {
                let (block, d) = (place / dim, place % dim);
                let coordinate =
                    |lane| points.get([block * LANES + lane, d]).copied().unwrap_or(0.0);
                std::array::from_fn(coordinate)
            })
            .collect();
        Self { dim, coordinates }
    }

    /// Number of blocks.
    fn n_blocks(&self) -> usize {
        self.coordinates.len() / self.dim
    }

    /// Squared distances of `point` to the points of a block.
    fn squared_from(&self, point: &[f64], block: usize) -> [f64; LANES] {
        let coordinates = &self.coordinates[block * self.dim..(block + 1) * self.dim];
        let mut sums = [0.0; LANES];
        for (x, others) in point.iter().zip(coordinates) {
            for lane in 0..LANES {
                let difference = x - others[lane];
                sums[lane] += difference * difference;
            }
        }
        sums
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn sums_agree_with_a_double_loop_across_block_borders() {
        let point = |i: usize, d: usize| ((i * 31 + d * 17) as f64).sin();
        let cloud = |n: usize, shift: usize| {
            let points = Array2::from_shape_fn((n, 3), |(i, d)| point(i + shift, d));
            let weights = (0..n).map(|i| 1.0 + (i % 3) as f64).collect();
            Snapshot::weighted(points, weights).unwrap()
        };
        let (x, y) = (cloud(77, 0), cloud(600, 100));
        let direct = |x: &Snapshot, y: &Snapshot| {
            let mut sum = 0.0;
            for (a, w) in x.points().rows().into_iter().zip(x.marginal()) {
                for (b, v) in y.points().rows().into_iter().zip(y.marginal()) {
                    sum += w * v * (&a - &b).mapv(|d| d * d).sum().sqrt();
                }
            }
            sum
        };
        assert!((weighted_sum(&x, &y) - direct(&x, &y)).abs() < 1e-12);
        assert!((weighted_sum_within(&y) - direct(&y, &y)).abs() < 1e-12);
    }

    #[test]
    fn pairwise_applies_the_function_to_squares() {
        let (x, y) = (array![[0., 0.], [3., 4.]], array![[3., 4.], [0., 1.], [0., 0.]]);
        let expected = array![[5., 1., 0.], [0., 18_f64.sqrt(), 5.]];
        assert_eq!(pairwise(x.view(), y.view(), f64::sqrt), expected);
        let columns = y.t().as_standard_layout().reversed_axes().into_owned();
        assert_eq!(pairwise(x.view(), columns.view(), f64::sqrt), expected);
    }
}
