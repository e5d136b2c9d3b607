//! The parameters of a LightSB bridge and its formulas at one local time.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, ArrayViewMut2, s};

use crate::error::{Error, Result};
use crate::linalg::{product, product_nt, softmax_rows};

/// The mixture `v(y) = Σ_k α_k N(y | r_k, ε S_k)` with diagonal `S_k`, in coordinates where both
/// snapshots have mean zero.
#[derive(Debug, Clone, PartialEq)]
pub struct Mixture {
    /// `ln α_k`, one for each Gaussian; only differences matter.
    pub log_alpha: Array1<f64>,
    /// `r_k`, `(n_gaussians, dim)`.
    pub r: Array2<f64>,
    /// The diagonals of `S_k`, `(n_gaussians, dim)`, all > 0; 1 is free Brownian motion.
    pub s: Array2<f64>,
}

impl Mixture {
    /// Number of Gaussians.
    pub fn n_gaussians(&self) -> usize {
        self.r.nrows()
    }

    /// Number of dimensions.
    pub fn dim(&self) -> usize {
        self.r.ncols()
    }

    /// Checks shapes and values of parameters that come from outside.
    ///
    /// # Errors
    /// [`Error::Shape`] if the arrays do not fit together; [`Error::Parameter`] if there is no
    /// Gaussian, a value is not finite or an `s` is not positive.
    pub fn check(&self) -> Result<()> {
        let Self { log_alpha, r, s } = self;
        if r.is_empty() {
            let got = format!("{} × {}", r.nrows(), r.ncols());
            return Err(Error::Parameter { name: "r", must: "at least 1 × 1", got });
        }
        for (what, unit, expected, got) in [
            ("log_alpha", "entries", r.nrows(), log_alpha.len()),
            ("s", "rows", r.nrows(), s.nrows()),
            ("s", "columns", r.ncols(), s.ncols()),
        ] {
            if expected != got {
                return Err(Error::Shape { what, unit, expected, got });
            }
        }
        if let Some(value) = log_alpha.iter().chain(r).find(|value| !value.is_finite()) {
            let got = value.to_string();
            return Err(Error::Parameter { name: "log_alpha and r", must: "finite", got });
        }
        let positive = |value: f64| 0.0 < value && value < f64::INFINITY;
        if let Some(value) = s.iter().find(|&&value| !positive(value)) {
            let got = value.to_string();
            return Err(Error::Parameter { name: "s", must: "finite and > 0", got });
        }
        Ok(())
    }

    /// The formulas at local time `t` for a reference process of variance `epsilon`.
    pub(super) fn at(&self, t: f64, epsilon: f64) -> MixtureAtTime {
        let spread = self.s.mapv(|s| 1.0 - t + t * s);
        let slope = (&self.s - 1.0) / &spread;
        let constant = &self.r / &spread;
        let mut offset = self.log_alpha.clone();
        for k in 0..self.n_gaussians() {
            let log_det: f64 = spread.row(k).iter().map(|spread| spread.ln()).sum();
            let pull = self.r.row(k).dot(&constant.row(k));
            offset[k] -= 0.5 * log_det + t * pull / (2.0 * epsilon);
        }
        let dim = self.dim();
        let mut linear = Array2::zeros((self.n_gaussians(), 2 * dim + 1));
        linear.slice_mut(s![.., ..dim]).assign(&(&slope / (2.0 * epsilon)));
        linear.slice_mut(s![.., dim..2 * dim]).assign(&(&constant / epsilon));
        linear.column_mut(2 * dim).assign(&offset);
        MixtureAtTime { linear, slope, constant, spread }
    }
}

/// With `Σ_k(t) = (1−t) I + t S_k`: the pulls `u_k = Σ_k⁻¹ [(S_k − I) x + r_k]` and the exponents
/// `ℓ_k = ln α_k − ½ ln det Σ_k + (1/2ε) [xᵀΣ_k⁻¹(S_k−I)x + 2 xᵀΣ_k⁻¹r_k − t r_kᵀΣ_k⁻¹r_k]`,
/// whose softmax `p_k(x, t)` weighs them. Nothing is singular for `0 ≤ t ≤ 1`.
#[derive(Debug)]
pub(super) struct MixtureAtTime {
    /// Coefficients of `[x², x, 1]` in `ℓ`, `(n_gaussians, 2 dim + 1)`.
    linear: Array2<f64>,
    /// `u_k = slope_k ∘ x + constant_k`.
    slope: Array2<f64>,
    constant: Array2<f64>,
    /// The diagonals of `Σ_k(t)`.
    spread: Array2<f64>,
}

impl MixtureAtTime {
    /// The shares `p_k` of each row of `x`, `(n, n_gaussians)`, and `LSE_k ℓ_k`.
    pub(super) fn shares(&self, x: ArrayView2<'_, f64>) -> (Array2<f64>, Vec<f64>) {
        let mut logs = product_nt(features(x).view(), self.linear.view());
        let (mut totals, ones) = (vec![0.0; x.nrows()], vec![1.0; x.nrows()]);
        if let Some(values) = logs.as_slice_mut() {
            softmax_rows(values, self.linear.nrows(), &ones, &mut totals);
        }
        (logs, totals)
    }

    /// `Σ_k p_k u_k` at each row of `x`.
    pub(super) fn drift(&self, x: ArrayView2<'_, f64>, shares: &Array2<f64>) -> Array2<f64> {
        let mut drift = product(shares.view(), self.slope.view());
        drift *= &x;
        drift + product(shares.view(), self.constant.view())
    }

    /// `u_k` at one point.
    pub(super) fn pull(&self, x: ArrayView1<'_, f64>, k: usize) -> Array1<f64> {
        &self.slope.row(k) * &x + self.constant.row(k)
    }

    /// The diagonal of `Σ_k⁻¹ (S_k − I)`, the Jacobian of `u_k`.
    pub(super) fn slope(&self) -> ArrayView2<'_, f64> {
        self.slope.view()
    }

    /// The diagonal of `Σ_k(t)`.
    pub(super) fn spread(&self) -> ArrayView2<'_, f64> {
        self.spread.view()
    }

    /// Rows `√p_k (u_k − Σ_j p_j u_j)` for the Gaussian `k` and every row of `x`: their Gram
    /// matrix, summed over `k`, is the covariance of the pulls without cancellation.
    pub(super) fn deviations(
        &self,
        x: ArrayView2<'_, f64>,
        shares: &Array2<f64>,
        drift: &Array2<f64>,
        k: usize,
    ) -> Array2<f64> {
        let mut rows = &x * &self.slope.row(k) + self.constant.row(k) - drift;
        for (mut row, share) in rows.rows_mut().into_iter().zip(shares.column(k)) {
            row *= share.sqrt();
        }
        rows
    }
}

/// `[x², x, 1]` side by side, `(n, 2 dim + 1)`: a quadratic function with a diagonal matrix is one
/// product.
fn features(x: ArrayView2<'_, f64>) -> Array2<f64> {
    let mut features = Array2::ones((x.nrows(), 2 * x.ncols() + 1));
    write_features(features.view_mut(), x);
    features
}

/// Writes `[x², x]` into all columns of `features` but the last.
pub(super) fn write_features(mut features: ArrayViewMut2<'_, f64>, x: ArrayView2<'_, f64>) {
    for (mut features, x) in features.rows_mut().into_iter().zip(x.rows()) {
        let dim = x.len();
        features.slice_mut(s![dim..2 * dim]).assign(&x);
        if let Some(features) = features.as_slice_mut() {
            let (squares, values) = features.split_at_mut(dim);
            for (square, value) in squares.iter_mut().zip(values) {
                *square = *value * *value;
            }
        }
    }
}

/// The diagonal `S` and `r` of the bridge between two clusters of given mean and variance:
/// `s = (−ε + √(ε² + 4 c_x c_y)) / (2 c_x)`, written so that `c_x = 0` is no special case, and
/// `r = ȳ − s x̄`; `s` is at least `floor`.
pub(super) fn closed_form(
    source: (ArrayView1<'_, f64>, ArrayView1<'_, f64>),
    target: (ArrayView1<'_, f64>, ArrayView1<'_, f64>),
    epsilon: f64,
    floor: f64,
) -> (Array1<f64>, Array1<f64>) {
    let ((source_mean, source_var), (target_mean, target_var)) = (source, target);
    let s: Array1<f64> = source_var
        .iter()
        .zip(target_var)
        .map(|(cx, cy)| {
            let root = (epsilon * epsilon + 4.0 * cx * cy).sqrt();
            (2.0 * cy / (epsilon + root)).max(floor)
        })
        .collect();
    let r = &target_mean - &(&s * &source_mean);
    (r, s)
}
