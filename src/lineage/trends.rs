//! Trends: the mean expression of genes along a trajectory, with intervals.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis};

use crate::error::{Error, Result};
use crate::lineage::resampled::intervals;
use crate::metrics::Drawn;

/// Expression of genes at one time of a trajectory. See [`trends()`] for an example.
#[derive(Debug, Clone, PartialEq)]
pub struct Trend {
    /// Mean of each gene, weighted by the trajectory's shares, `n_genes`.
    pub mean: Array1<f64>,
    /// Lower end of the 95 % interval of each mean by resampling cells, `n_genes`.
    pub lo: Array1<f64>,
    /// Upper end of the 95 % interval, `n_genes`.
    pub hi: Array1<f64>,
    /// Standard deviation of each gene between cells, weighted by the shares, `n_genes`.
    pub deviation: Array1<f64>,
}

/// Means, intervals and standard deviations of expression `values` `(n_cells, n_genes)` at one time of
/// a trajectory.
///
/// `shares` `(n_cells)` sum to one (see [`crate::lineage::trajectory()`]). `resamples`
/// `(n_cells, 1 + B)` are the numbers of times that each cell is drawn; column 0 is all ones. In a
/// resample a share is multiplied by this number. Intervals are NaN without resamples, and for one or
/// two cells, whose resamples hardly vary. All results are NaN if all shares are zero. Time
/// `2 B n_cells n_genes` flops.
///
/// # Errors
/// [`Error::Shape`] if numbers of cells differ.
///
/// ```
/// use ndarray::{Array2, array};
/// # fn main() -> sbcell::Result<()> {
/// // One gene in three cells, of which the trajectory contains the last two.
/// let (values, shares) = (array![[9.0], [1.0], [2.0]], array![0.0, 0.5, 0.5]);
/// let one = Array2::ones((3, 1));
/// let trend = sbcell::lineage::trends(values.view(), shares.view(), one.view())?;
/// assert_eq!((trend.mean[0], trend.deviation[0]), (1.5, 0.5));
/// assert!(trend.lo[0].is_nan());
/// # Ok(())
/// # }
/// ```
pub fn trends(
    values: ArrayView2<'_, f32>,
    shares: ArrayView1<'_, f64>,
    resamples: ArrayView2<'_, f64>,
) -> Result<Trend> {
    let n = values.nrows();
    for (what, got) in [("shares", shares.len()), ("resamples", resamples.nrows())] {
        if got != n {
            return Err(Error::Shape { what, unit: "cells", expected: n, got });
        }
    }
    // Cells of share zero are skipped.
    let rows: Vec<usize> = (0..n).filter(|&i| shares[i] > 0.0).collect();
    if rows.is_empty() {
        // No mass of the trajectory is at this time.
        let none = Array1::from_elem(values.ncols(), f64::NAN);
        return Ok(Trend {
            mean: none.clone(),
            lo: none.clone(),
            hi: none.clone(),
            deviation: none,
        });
    }
    let values = values.select(Axis(0), &rows).mapv(f64::from);
    let shares = shares.select(Axis(0), &rows);
    let mut weights: Array2<f64> = resamples.select(Axis(0), &rows);
    for mut column in weights.columns_mut() {
        column *= &shares;
        let total = column.sum();
        if total > 0.0 {
            column /= total;
        } else {
            column.assign(&shares);
        }
    }
    let means = values.t().dot(&weights);
    let (mut lo, mut hi) = intervals(means.view());
    if !Drawn::cells(rows.len()).is_enough() {
        // Resamples of one or two cells vary too little, so an interval would be too narrow.
        lo.fill(f64::NAN);
        hi.fill(f64::NAN);
    }
    let mean = means.column(0).to_owned();
    let mut deviation = Array1::zeros(mean.len());
    for (row, weight) in values.rows().into_iter().zip(weights.column(0)) {
        let off = &row - &mean;
        deviation.scaled_add(*weight, &(&off * &off));
    }
    deviation.mapv_inplace(f64::sqrt);
    Ok(Trend { mean, lo, hi, deviation })
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;
    use crate::metrics::Resamples;
    use crate::rng::Seed;

    #[test]
    fn means_and_deviations_are_weighted_and_bands_shrink_as_one_over_root_n() {
        let values = array![[1.0_f32, 0.0], [3.0, 5.0], [100.0, 7.0]];
        let resamples = Resamples::of_cells(3, 0, Seed(0));
        let trend =
            trends(values.view(), array![0.25, 0.75, 0.0].view(), resamples.counts()).unwrap();
        assert!((trend.mean[0] - 2.5).abs() < 1e-12 && (trend.mean[1] - 3.75).abs() < 1e-12);
        assert!((trend.deviation[0] - 0.75_f64.sqrt()).abs() < 1e-12);
        assert!(trend.lo[0].is_nan());
        // The interval of a mean of n values of deviation 1: ±1.96/√n.
        let n = 400;
        let values =
            Array2::from_shape_fn((n, 1), |(i, _)| if i % 2 == 0 { 1.0 } else { -1.0_f32 });
        let shares = Array1::from_elem(n, 1.0 / n as f64);
        let resamples = Resamples::of_cells(n, 2000, Seed(1));
        let trend = trends(values.view(), shares.view(), resamples.counts()).unwrap();
        assert!((trend.hi[0] - 1.96 / (n as f64).sqrt()).abs() < 0.01);
        assert!((trend.lo[0] + 1.96 / (n as f64).sqrt()).abs() < 0.01);
        assert!(trends(values.view(), array![1.0].view(), resamples.counts()).is_err());
        let nothing = trends(values.view(), Array1::zeros(n).view(), resamples.counts()).unwrap();
        assert!(nothing.mean[0].is_nan() && nothing.hi[0].is_nan());
    }

    #[test]
    fn one_or_two_cells_have_a_mean_and_no_interval() {
        let of = |n: usize, n_resamples| {
            let values = Array2::from_shape_fn((n, 1), |(i, _)| i as f32);
            let shares = Array1::from_elem(n, 1.0 / n as f64);
            let resamples = Resamples::of_cells(n, n_resamples, Seed(1));
            trends(values.view(), shares.view(), resamples.counts()).unwrap()
        };
        for n in [1, 2] {
            let trend = of(n, 50);
            assert!(trend.lo[0].is_nan() && trend.hi[0].is_nan() && trend.mean[0].is_finite());
            assert!(of(n, 0).lo[0].is_nan());
        }
        assert!(of(3, 50).hi[0] > of(3, 50).lo[0]);
    }
}
