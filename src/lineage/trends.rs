//! Genes along a trajectory: weighted means at every time, with bands.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis};

use crate::error::{Error, Result};
use crate::lineage::resampled::intervals;
use crate::metrics::Drawn;

/// A gene at one time of a trajectory.
#[derive(Debug, Clone, PartialEq)]
pub struct Trend {
    /// Mean of each gene under the trajectory's shares, `n_genes`.
    pub mean: Array1<f64>,
    /// Interval of the mean by resampling cells, its lower end.
    pub lo: Array1<f64>,
    /// Its upper end.
    pub hi: Array1<f64>,
    /// Standard deviation between cells under the shares.
    pub deviation: Array1<f64>,
}

/// Means, intervals and deviations of `values` `(n_cells, n_genes)` under `shares` `(n_cells)` of sum
/// one and `resamples` `(n_cells, 1 + B)`, how often each cell is drawn.
///
/// Numbers of a trajectory without shares are NaN. Under a resample a cell's share is taken times how
/// often it was drawn. Of one or two cells resamples say nothing: the ends of their intervals are NaN, as they are without
/// resamples.
/// Time `2 B n_cells n_genes`
/// flops.
///
/// # Errors
/// [`Error::Shape`] if numbers of cells differ.
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
    // Cells that hold nothing of the trajectory cost nothing.
    let rows: Vec<usize> = (0..n).filter(|&i| shares[i] > 0.0).collect();
    if rows.is_empty() {
        // Nothing leads to this time, or from it.
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
        // The same cells drawn again give the same mean, which is not to be sure of it.
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
