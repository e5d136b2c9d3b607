//! The formulas of a LightSB bridge at one local time.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis};

use crate::bridge::lightsb::covariance::{Covariance, Eigen};
use crate::bridge::lightsb::mixture::{Mixture, beside};
use crate::linalg::{product, product_nt, softmax_rows};

/// The formulas at local time t. With `Σ_k(t) = (1−t) I + t S_k`, the pulls `u_k` and the exponents
/// `ℓ_k` are
///
/// ```text
/// u_k = Σ_k⁻¹ [(S_k − I) x + r_k]
/// ℓ_k = ln α_k − ½ ln det Σ_k + (1/2ε) [xᵀΣ_k⁻¹(S_k−I)x + 2 xᵀΣ_k⁻¹r_k − t r_kᵀΣ_k⁻¹r_k]
/// ```
///
/// and the shares `p_k(x, t)` are the softmax of `ℓ_k`. No expression is singular for 0 ≤ t ≤ 1.
/// All exponents are linear in the features of x, so that the shares of n points are one matrix
/// product.
#[derive(Debug)]
pub(super) struct MixtureAtTime {
    /// The kind of the matrices.
    covariance: Covariance,
    /// Coefficients of the features of x in `ℓ_k`, one row for each Gaussian.
    linear: Array2<f64>,
    /// Entries of `A_k = Σ_k⁻¹ (S_k − I)`; `u_k = A_k x + constant_k`.
    slope: Array2<f64>,
    /// `Σ_k⁻¹ r_k`, K × d.
    constant: Array2<f64>,
}

impl MixtureAtTime {
    /// `eigen` contains the eigenvalues of every `S_k` of `mixture`. Takes `O(K d)` time, with full
    /// matrices `O(K d²)` for each function of a matrix.
    pub(super) fn new(mixture: &Mixture, eigen: &[Eigen], t: f64, epsilon: f64) -> Self {
        let (covariance, dim) = (mixture.covariance, mixture.dim());
        let spread = |s: f64| 1.0 - t + t * s;
        let mut slope = Array2::zeros(mixture.s.dim());
        let mut constant = Array2::zeros(mixture.r.dim());
        let mut offset = mixture.log_alpha.clone();
        for (k, eigen) in eigen.iter().enumerate() {
            slope.row_mut(k).assign(&eigen.map(|s| (s - 1.0) / spread(s)));
            let inverse = eigen.map(|s| 1.0 / spread(s));
            let r = mixture.r.row(k);
            covariance.add_times(inverse.view(), r, constant.row_mut(k));
            let pull = r.dot(&constant.row(k));
            offset[k] -= 0.5 * eigen.log_det(spread, dim) + t * pull / (2.0 * epsilon);
        }
        let quadratic = covariance.coefficients(&slope / (2.0 * epsilon), dim);
        let linear = beside(&quadratic, &(&constant / epsilon), &offset);
        Self { covariance, linear, slope, constant }
    }

    /// The shares `p_k` of each row of `x`, n × K, and `ln Σ_k exp ℓ_k`.
    pub(super) fn shares(&self, x: ArrayView2<'_, f64>) -> (Array2<f64>, Vec<f64>) {
        let mut features = Array2::ones((x.nrows(), self.linear.ncols()));
        self.covariance.write_features(features.view_mut(), x);
        let mut logs = product_nt(features.view(), self.linear.view());
        let (mut totals, ones) = (vec![0.0; x.nrows()], vec![1.0; x.nrows()]);
        if let Some(values) = logs.as_slice_mut() {
            softmax_rows(values, self.linear.nrows(), &ones, &mut totals);
        }
        (logs, totals)
    }

    /// `Σ_k p_k u_k` at each row of `x`, n × d.
    pub(super) fn drift(&self, x: ArrayView2<'_, f64>, shares: &Array2<f64>) -> Array2<f64> {
        let slopes = product(shares.view(), self.slope.view());
        let mut drift = product(shares.view(), self.constant.view());
        for ((slope, x), drift) in slopes.rows().into_iter().zip(x.rows()).zip(drift.rows_mut()) {
            self.covariance.add_times(slope, x, drift);
        }
        drift
    }

    /// `u_k` at one point.
    pub(super) fn pull(&self, x: ArrayView1<'_, f64>, k: usize) -> Array1<f64> {
        let mut pull = self.constant.row(k).to_owned();
        self.covariance.add_times(self.slope.row(k), x, pull.view_mut());
        pull
    }

    /// `Σ_i Σ_k p_k(x_i) A_k`, the part of the Jacobian within the Gaussians, summed over the
    /// points with these shares; d × d.
    pub(super) fn slope_sum(&self, shares: &Array2<f64>) -> Array2<f64> {
        let entries = shares.sum_axis(Axis(0)).dot(&self.slope);
        self.covariance.matrix(entries.view(), self.constant.ncols())
    }

    /// Rows `√p_k (u_k − Σ_j p_j u_j)` of Gaussian `k`, for every row of `x`. Their Gram matrix,
    /// summed over k, is the covariance of the pulls. A difference of two second moments would lose
    /// digits to cancellation.
    pub(super) fn deviations(
        &self,
        x: ArrayView2<'_, f64>,
        shares: &Array2<f64>,
        drift: &Array2<f64>,
        k: usize,
    ) -> Array2<f64> {
        let moved = match self.covariance {
            Covariance::Scalar => &x * self.slope[[k, 0]],
            Covariance::Diagonal => &x * &self.slope.row(k),
            Covariance::Full => {
                product(x, self.covariance.matrix(self.slope.row(k), x.ncols()).view())
            }
        };
        let mut rows = moved + self.constant.row(k) - drift;
        for (mut row, share) in rows.rows_mut().into_iter().zip(shares.column(k)) {
            row *= share.sqrt();
        }
        rows
    }
}
