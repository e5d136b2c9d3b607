//! Energy distance and MMD of two snapshots under many weightings of their cells at once.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis, s};
use rayon::prelude::*;

use crate::data::Snapshot;
use crate::error::{Error, Result};
use crate::linalg::product;
use crate::metrics::distances::{check_same_dim, pairwise};

/// Number of rows in one task; fixed, so that sums do not depend on the number of threads.
const ROWS: usize = 64;

/// Largest number of cells for the median distance.
const MEDIAN_CELLS: usize = 1000;

/// The cells of a snapshot with weights in place of its marginal, `(n_cells, B)`: one column for each
/// of `B` weightings.
#[derive(Debug, Clone, Copy)]
pub(super) struct Weighted<'a> {
    pub(super) cells: &'a Snapshot,
    pub(super) weights: ArrayView2<'a, f64>,
}

/// The function `k` of two cells whose mean over pairs defines a discrepancy.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum PairFunction {
    /// The distance: the discrepancy is the energy distance (Székely and Rizzo 2013).
    Distance,
    /// `−exp(−‖x − y‖²/2h²)`: the discrepancy is the squared maximum mean discrepancy with a
    /// Gaussian kernel (Gretton et al. 2012).
    Gaussian {
        /// h, in the units of the points.
        bandwidth: f64,
    },
}

impl PairFunction {
    /// Replaces squared distances by `k`.
    fn apply(self, squares: &mut Array2<f64>) {
        match self {
            Self::Distance => squares.mapv_inplace(f64::sqrt),
            Self::Gaussian { bandwidth } => {
                let factor = -0.5 / (bandwidth * bandwidth);
                squares.mapv_inplace(|square| -(factor * square).exp());
            }
        }
    }
}

/// The unbiased discrepancy `2 E k(X, Y) − E k(X, X') − E k(Y, Y')` for each column of the weights.
///
/// Weights are not negative, and every column has a positive sum. Means within a snapshot are over
/// pairs of different cells, `Σ_{i≠j} w_i w_j k_ij / (1 − Σ w_i²)`, so that a cell that occurs twice in
/// a resample is not paired with itself.
///
/// Time `(3 d + 2 B)` flops for each of the `n²/2 + m²/2 + n m` pairs; memory `64 max(n, m)` numbers
/// for each thread.
///
/// # Errors
/// [`Error::Shape`] if the dimensions or the numbers of columns differ; [`Error::Parameter`] if a
/// column of a side has fewer than two positive weights.
pub(super) fn discrepancies(
    x: Weighted<'_>,
    y: Weighted<'_>,
    function: PairFunction,
) -> Result<Array1<f64>> {
    Ok(between(x, y, function)? * 2.0 - within(x, function)? - within(y, function)?)
}

/// The mean of `k` over pairs of a cell of `x` and a cell of `y`, for each column of the weights.
///
/// # Errors
/// As for [`discrepancies`].
pub(super) fn between(
    x: Weighted<'_>,
    y: Weighted<'_>,
    function: PairFunction,
) -> Result<Array1<f64>> {
    check_same_dim(x.cells, y.cells)?;
    let (of_x, of_y) = (normalised(x)?, normalised(y)?);
    if of_x.ncols() != of_y.ncols() {
        let (what, unit) = ("the weights", "columns");
        return Err(Error::Shape { what, unit, expected: of_x.ncols(), got: of_y.ncols() });
    }
    Ok(sums(x.with(&of_x), y.with(&of_y), function))
}

/// The mean of `k` over pairs of two different cells of `x`, for each column of the weights.
///
/// # Errors
/// As for [`discrepancies`].
pub(super) fn within(x: Weighted<'_>, function: PairFunction) -> Result<Array1<f64>> {
    let weights = normalised(x)?;
    let all = sums_within(x.with(&weights), function);
    let squares = (&weights * &weights).sum_axis(Axis(0));
    // The value of k for two equal cells, on the diagonal.
    let itself = match function {
        PairFunction::Distance => 0.0,
        PairFunction::Gaussian { .. } => -1.0,
    };
    Ok((all - &squares * itself) / squares.mapv(|square| 1.0 - square))
}

impl<'a> Weighted<'a> {
    /// The same cells with other weights.
    fn with<'b>(self, weights: &'b Array2<f64>) -> Weighted<'b>
    where
        'a: 'b,
    {
        Weighted { cells: self.cells, weights: weights.view() }
    }
}

/// The median distance between two different cells among the first 1000 of a snapshot.
///
/// It is positive unless most cells are equal, and 0 for a single cell. Time `O(1000² d)`.
pub(crate) fn median_distance(cells: &Snapshot) -> f64 {
    let some = cells.points();
    let some = some.slice(s![..some.nrows().min(MEDIAN_CELLS), ..]);
    let all = pairwise(some, some, f64::sqrt);
    let mut distances: Vec<f64> =
        all.indexed_iter().filter(|((i, j), _)| i < j).map(|entry| *entry.1).collect();
    if distances.is_empty() {
        return 0.0;
    }
    let middle = distances.len() / 2;
    *distances.select_nth_unstable_by(middle, f64::total_cmp).1
}

/// The weights with columns that sum to one, after checks of their number and values.
fn normalised(Weighted { cells, weights }: Weighted<'_>) -> Result<Array2<f64>> {
    let (expected, got) = (cells.n_cells(), weights.nrows());
    if expected != got {
        return Err(Error::Shape { what: "the weights", unit: "cells", expected, got });
    }
    let mut weights = weights.to_owned();
    for mut column in weights.columns_mut() {
        let total = column.sum();
        let several = column.iter().filter(|weight| **weight > 0.0).count() >= 2;
        if !several || !total.is_finite() || column.iter().any(|weight| *weight < 0.0) {
            let must = "not negative, at least two of them positive";
            return Err(Error::Parameter { name: "weights", must, got: format!("sum {total}") });
        }
        column /= total;
    }
    Ok(weights)
}

/// `Σ_ij w_ib v_jb k(x_i, y_j)` for each column b of the weights `w` and `v`, in parallel over rows.
fn sums(x: Weighted<'_>, y: Weighted<'_>, function: PairFunction) -> Array1<f64> {
    let (Weighted { weights: w, .. }, Weighted { weights: v, .. }) = (x, y);
    let (x, y) = (x.cells.points(), y.cells.points());
    let parts: Vec<Array1<f64>> = (0..x.nrows().div_ceil(ROWS))
        .into_par_iter()
        .map(|chunk| {
            let rows = s![chunk * ROWS..x.nrows().min((chunk + 1) * ROWS), ..];
            let mut values = pairwise(x.slice(rows), y, |square| square);
            function.apply(&mut values);
            (product(values.view(), v) * w.slice(rows)).sum_axis(Axis(0))
        })
        .collect();
    parts.iter().fold(Array1::zeros(w.ncols()), |sum, part| sum + part)
}

/// `Σ_ij w_ib w_jb k(x_i, x_j)` for each column b of the weights, with each pair computed once.
fn sums_within(Weighted { cells, weights }: Weighted<'_>, function: PairFunction) -> Array1<f64> {
    let x = cells.points();
    let parts: Vec<Array1<f64>> = (0..x.nrows().div_ceil(ROWS))
        .into_par_iter()
        .map(|chunk| {
            let (first, end) = (chunk * ROWS, x.nrows().min((chunk + 1) * ROWS));
            let mut values = pairwise(x.slice(s![first..end, ..]), x.slice(s![first.., ..]), |d| d);
            function.apply(&mut values);
            let own = weights.slice(s![first..end, ..]);
            // Pairs with later rows stand for both orders, pairs among these rows for themselves.
            let mut sums = product(values.view(), weights.slice(s![first.., ..])) * 2.0;
            sums -= &product(values.slice(s![.., ..end - first]), own);
            (sums * own).sum_axis(Axis(0))
        })
        .collect();
    parts.iter().fold(Array1::zeros(weights.ncols()), |sum, part| sum + part)
}

/// Weights as a matrix with one column.
pub(super) fn as_column(weights: ArrayView1<'_, f64>) -> Array2<f64> {
    weights.insert_axis(Axis(1)).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::energy_distance;

    fn cloud(n: usize, shift: f64) -> Snapshot {
        let points =
            Array2::from_shape_fn((n, 3), |(i, d)| ((i * 31 + d * 17) as f64).sin() + shift);
        let weights = (0..n).map(|i| 1.0 + (i % 3) as f64).collect();
        Snapshot::weighted(points, weights).unwrap()
    }

    #[test]
    fn marginals_as_weights_give_the_energy_distance() {
        let (x, y) = (cloud(77, 0.0), cloud(130, 0.4));
        let (w, v) = (as_column(x.marginal()), as_column(y.marginal()));
        let of = |cells, weights| Weighted { cells, weights };
        let (of_x, of_y) = (of(&x, w.view()), of(&y, v.view()));
        let found = discrepancies(of_x, of_y, PairFunction::Distance).unwrap()[0];
        let expected = energy_distance(&x, &y).unwrap().value;
        assert!((found - expected).abs() < 1e-13, "{found} {expected}");
    }

    #[test]
    fn mmd_is_what_a_double_loop_computes_and_a_repeated_cell_is_not_its_own_pair() {
        let (x, y) = (cloud(9, 0.0), cloud(7, 0.4));
        let h = 0.8;
        // The second column takes cell 0 twice and leaves cell 1 out.
        let mut w = Array2::from_elem((9, 2), 1.0);
        (w[[0, 1]], w[[1, 1]]) = (2.0, 0.0);
        let v = Array2::from_elem((7, 2), 1.0);
        let function = PairFunction::Gaussian { bandwidth: h };
        let of = |cells, weights| Weighted { cells, weights };
        let found = discrepancies(of(&x, w.view()), of(&y, v.view()), function).unwrap();
        let kernel = |a: ArrayView1<'_, f64>, b: ArrayView1<'_, f64>| {
            let square: f64 = a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum();
            (-square / (2.0 * h * h)).exp()
        };
        for b in 0..2 {
            let mean = |x: &Snapshot, w: &Array2<f64>, y: &Snapshot, v: &Array2<f64>, own: bool| {
                let (mut sum, mut total) = (0.0, 0.0);
                for (i, a) in x.points().rows().into_iter().enumerate() {
                    for (j, c) in y.points().rows().into_iter().enumerate() {
                        if !own || i != j {
                            sum += w[[i, b]] * v[[j, b]] * kernel(a, c);
                            total += w[[i, b]] * v[[j, b]];
                        }
                    }
                }
                sum / total
            };
            let expected = mean(&x, &w, &x, &w, true) + mean(&y, &v, &y, &v, true)
                - 2.0 * mean(&x, &w, &y, &v, false);
            assert!((found[b] - expected).abs() < 1e-13, "{b}: {} {expected}", found[b]);
        }
        assert!((found[0] - found[1]).abs() > 1e-3);
    }

    #[test]
    fn refuses_weights_that_are_none() {
        let x = cloud(5, 0.0);
        let fails = |w: Array2<f64>| {
            let v = Array2::from_elem((5, 1), 1.0);
            let of = |weights| Weighted { cells: &x, weights };
            discrepancies(of(w.view()), of(v.view()), PairFunction::Distance).is_err()
        };
        assert!(fails(Array2::zeros((5, 1))) && fails(Array2::from_elem((4, 1), 1.0)));
        assert!(fails(Array2::from_elem((5, 2), 1.0)) && fails(Array2::from_elem((5, 1), -1.0)));
        assert!(!fails(Array2::from_elem((5, 1), 0.3)));
    }

    #[test]
    fn the_median_distance_of_three_cells_is_the_middle_one() {
        let x = Snapshot::new(ndarray::array![[0.0], [1.0], [5.0]]).unwrap();
        assert!((median_distance(&x) - 4.0).abs() < 1e-15);
    }
}
