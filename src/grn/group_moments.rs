//! The mean and covariance of the genes of a group of cells.

use ndarray::{Array1, Array2, ArrayView1, Axis};

use crate::grn::course::CourseCells;
use crate::linalg::product_tn;

/// Added to every variance, in units of the variance of a gene, so that covariances are invertible.
pub(super) const NUGGET: f64 = 1e-3;

/// Mean `(N)` and covariance `(N, N)` of the standardised genes of some cells.
#[derive(Debug, Clone)]
pub(super) struct Moments {
    pub(super) mean: Array1<f64>,
    pub(super) covariance: Array2<f64>,
    /// Weights of the cells, which sum to one.
    pub(super) weights: Array1<f64>,
    /// Effective number of cells, `(Σw)²/Σw²`.
    pub(super) n_cells: f64,
}

impl Moments {
    /// Weighted moments of the standardised `genes` in the cells `rows`.
    pub(super) fn of(
        cells: &CourseCells<'_>,
        rows: &[usize],
        genes: &[usize],
        weights: ArrayView1<'_, f64>,
    ) -> Self {
        let values = cells.expression.standardised(rows).select(Axis(1), genes);
        let weights: Array1<f64> = rows.iter().map(|&row| weights[row]).collect();
        let weights = &weights / weights.sum().max(f64::MIN_POSITIVE);
        let n_cells = 1.0 / weights.dot(&weights).max(f64::MIN_POSITIVE);
        let mean = weights.dot(&values);
        let centred = &values - &mean;
        let weighted = &centred * &weights.view().insert_axis(Axis(1));
        let mut covariance = product_tn(weighted.view(), centred.view());
        covariance.diag_mut().mapv_inplace(|variance| variance + NUGGET);
        Self { mean, covariance, weights, n_cells }
    }
}
