//! Distances between all pairs of points, stored or summed, the same on any number of threads.

use ndarray::{Array2, ArrayView1, ArrayView2};
use rayon::prelude::*;

use crate::data::Snapshot;
use crate::error::{Error, Result};

/// Rows of one task; fixed, so that sums do not depend on the number of threads.
const ROWS: usize = 32;

/// Points taken together: their distances to one point stay in the first cache.
const BLOCK: usize = 256;

/// Refuses clouds of different dimension.
pub(super) fn check_same_dim(x: &Snapshot, y: &Snapshot) -> Result<()> {
    if x.dim() == y.dim() {
        return Ok(());
    }
    let what = "the second snapshot";
    Err(Error::Shape { what, unit: "dimensions", expected: x.dim(), got: y.dim() })
}

/// `f(‖x_i − y_j‖²)` for all pairs, `(n, m)`.
///
/// Differences are squared as they are, not through `x² − 2xy + y²`: equal points have distance
/// zero. Time `3 n m d` flops over all threads, memory `n m` numbers.
pub(super) fn pairwise(
    x: ArrayView2<'_, f64>,
    y: ArrayView2<'_, f64>,
    f: fn(f64) -> f64,
) -> Array2<f64> {
    let (n, m) = (x.nrows(), y.nrows());
    let mut out = Array2::zeros((n, m));
    let columns = y.t().as_standard_layout().into_owned();
    if let Some(values) = out.as_slice_mut() {
        values.par_chunks_mut(m * ROWS).enumerate().for_each(|(chunk, rows)| {
            for (i, row) in rows.chunks_exact_mut(m).enumerate() {
                squared_to(x.row(chunk * ROWS + i), columns.view(), 0, row);
                for value in row {
                    *value = f(*value);
                }
            }
        });
    }
    out
}

/// `Σ_ij w_i v_j ‖x_i − y_j‖` over all pairs.
///
/// Time `3 n m d` flops and `n m` roots over all threads; memory `O(m d)`, never `n m`.
pub(super) fn weighted_sum(x: &Snapshot, y: &Snapshot) -> f64 {
    sum_over_pairs(x, y, |_| 0)
}

/// `Σ_{i≠j} w_i w_j ‖x_i − x_j‖` over ordered pairs, each computed once.
pub(super) fn weighted_sum_within(x: &Snapshot) -> f64 {
    2.0 * sum_over_pairs(x, x, |i| i + 1)
}

/// Sums over `j ≥ first(i)`.
fn sum_over_pairs(x: &Snapshot, y: &Snapshot, first: fn(usize) -> usize) -> f64 {
    let columns = y.points().t().as_standard_layout().into_owned();
    let weights = y.marginal();
    let chunks: Vec<f64> = (0..x.n_cells().div_ceil(ROWS))
        .into_par_iter()
        .map(|chunk| {
            let mut distances = [0.0; BLOCK];
            let rows = chunk * ROWS..((chunk + 1) * ROWS).min(x.n_cells());
            rows.map(|i| {
                let mut sum = 0.0;
                let mut start = first(i);
                while start < y.n_cells() {
                    let block = &mut distances[..BLOCK.min(y.n_cells() - start)];
                    squared_to(x.points().row(i), columns.view(), start, block);
                    let weights = weights.iter().skip(start);
                    sum += block.iter().zip(weights).map(|(d, w)| w * d.sqrt()).sum::<f64>();
                    start += BLOCK;
                }
                x.marginal()[i] * sum
            })
            .sum()
        })
        .collect();
    chunks.iter().sum()
}

/// Squared distances of `point` to the columns of `columns` `(d, m)` from `start` on.
fn squared_to(
    point: ArrayView1<'_, f64>,
    columns: ArrayView2<'_, f64>,
    start: usize,
    out: &mut [f64],
) {
    out.fill(0.0);
    for (&coordinate, row) in point.iter().zip(columns.rows()) {
        let row = row.to_slice().unwrap_or(&[]);
        for (sum, other) in out.iter_mut().zip(&row[start.min(row.len())..]) {
            let difference = coordinate - other;
            *sum += difference * difference;
        }
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
