//! The parameters of a LightSB bridge.

use ndarray::{Array1, Array2, ArrayView1, Axis, s};

use crate::bridge::lightsb::covariance::{Covariance, Eigen};
use crate::error::{Error, Result};
use crate::linalg::Spectrum;

/// The mixture `v(y) = Σ_k α_k N(y | r_k, ε S_k)`, in coordinates in which both snapshots have mean
/// zero.
///
/// ```
/// use ndarray::array;
/// use sbcell::bridge::{Covariance, Mixture};
///
/// // Two Gaussians in one dimension, one on either side.
/// let mixture = Mixture {
///     covariance: Covariance::Diagonal,
///     log_alpha: array![0.0, 0.0],
///     r: array![[-1.0], [1.0]],
///     s: array![[0.5], [0.5]],
/// };
/// assert!(mixture.check().is_ok());
/// assert_eq!((mixture.n_gaussians(), mixture.dim()), (2, 1));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Mixture {
    /// The kind of the matrices `S_k`.
    pub covariance: Covariance,
    /// `ln α_k`, one for each of the K Gaussians. Only differences matter.
    pub log_alpha: Array1<f64>,
    /// `r_k`, K × d.
    pub r: Array2<f64>,
    /// The entries of `S_k`, K × `covariance.n_entries(d)`. All `S_k` are positive definite. The
    /// identity with r = 0 is the reference process.
    pub s: Array2<f64>,
}

impl Mixture {
    /// Number of Gaussians K.
    pub fn n_gaussians(&self) -> usize {
        self.r.nrows()
    }

    /// Number of dimensions d.
    pub fn dim(&self) -> usize {
        self.r.ncols()
    }

    /// `S_k` as a matrix, d × d.
    #[must_use]
    pub fn matrix(&self, k: usize) -> Array2<f64> {
        self.covariance.matrix(self.s.row(k), self.dim())
    }

    /// Checks shapes and values.
    ///
    /// # Errors
    /// [`Error::Shape`] if the arrays do not fit together; [`Error::Parameter`] if there is no
    /// Gaussian, a value is not finite, or an `S_k` is not positive definite.
    pub fn check(&self) -> Result<()> {
        let Self { covariance, log_alpha, r, s } = self;
        if r.is_empty() {
            let got = format!("{} × {}", r.nrows(), r.ncols());
            return Err(Error::Parameter { name: "r", must: "at least 1 × 1", got });
        }
        for (what, unit, expected, got) in [
            ("log_alpha", "entries", r.nrows(), log_alpha.len()),
            ("s", "rows", r.nrows(), s.nrows()),
            ("s", "columns", covariance.n_entries(r.ncols()), s.ncols()),
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
        let good = |row: ArrayView1<'_, f64>| match covariance {
            Covariance::Full => covariance.inverse(row, self.dim()).is_some(),
            Covariance::Scalar | Covariance::Diagonal => row.iter().all(|&value| positive(value)),
        };
        if let Some(row) = s.rows().into_iter().find(|row| !good(*row)) {
            let must = match covariance {
                Covariance::Full => "finite and positive definite",
                Covariance::Scalar | Covariance::Diagonal => "finite and > 0",
            };
            return Err(Error::Parameter { name: "s", must, got: row.to_string() });
        }
        Ok(())
    }

    /// The Gaussians with the numbers `kept`, in this order.
    #[must_use]
    pub(super) fn select(&self, kept: &[usize]) -> Self {
        Self {
            covariance: self.covariance,
            log_alpha: self.log_alpha.select(Axis(0), kept),
            r: self.r.select(Axis(0), kept),
            s: self.s.select(Axis(0), kept),
        }
    }

    /// The same mixture in coordinates whose origins lie `source` and `target` (d numbers each)
    /// further along.
    ///
    /// The exponents of `c` change by a function of `x` that all Gaussians share, so coupling and
    /// process stay the same.
    #[must_use]
    pub(super) fn moved(
        &self,
        source: ArrayView1<'_, f64>,
        target: ArrayView1<'_, f64>,
        epsilon: f64,
    ) -> Self {
        let mut moved = self.clone();
        for k in 0..self.n_gaussians() {
            let mut carried = Array1::zeros(self.dim());
            self.covariance.add_times(self.s.row(k), source, carried.view_mut());
            let tilt = source.dot(&carried) + 2.0 * source.dot(&self.r.row(k));
            moved.log_alpha[k] += tilt / (2.0 * epsilon);
            carried -= &target;
            moved.r.row_mut(k).scaled_add(1.0, &carried);
        }
        moved
    }

    /// Coefficients of `ln α̃_k(x) = ln α_k + (xᵀS_k x + 2 r_kᵀx)/2ε`, the exponents of `c(x)`, for
    /// the features of x; one row for each Gaussian.
    pub(super) fn start_coefficients(&self, epsilon: f64) -> Array2<f64> {
        let quadratic = self.covariance.coefficients(&self.s / (2.0 * epsilon), self.dim());
        beside(&quadratic, &(&self.r / epsilon), &self.log_alpha)
    }

    /// Coefficients of `ln α_k N(y | r_k, ε S_k)`, the exponents of `v(y)`, for the features of y,
    /// and the entries of `S_k⁻¹`. NaN for an `S_k` that is not positive definite.
    pub(super) fn end_coefficients(&self, epsilon: f64) -> (Array2<f64>, Array2<f64>) {
        let (n_gaussians, dim) = self.r.dim();
        let mut inverses = Array2::from_elem(self.s.dim(), f64::NAN);
        let mut linear = Array2::zeros((n_gaussians, dim));
        let mut offset = self.log_alpha.clone();
        let constant = dim as f64 * (std::f64::consts::TAU * epsilon).ln();
        for k in 0..n_gaussians {
            let found = self.covariance.inverse(self.s.row(k), dim);
            let log_det = found.as_ref().map_or(f64::NAN, |entry| entry.1);
            if let Some((inverse, _)) = found {
                inverses.row_mut(k).assign(&inverse);
            }
            self.covariance.add_times(inverses.row(k), self.r.row(k), linear.row_mut(k));
            let pull = self.r.row(k).dot(&linear.row(k));
            offset[k] -= 0.5 * (constant + log_det + pull / epsilon);
        }
        let quadratic = self.covariance.coefficients(&inverses * (-0.5 / epsilon), dim);
        (beside(&quadratic, &(linear / epsilon), &offset), inverses)
    }

    /// Eigenvalues of every `S_k`.
    ///
    /// # Errors
    /// [`Error::Numerical`] if a decomposition fails.
    pub(super) fn eigen(&self) -> Result<Vec<Eigen>> {
        let rows = self.s.rows().into_iter();
        rows.map(|row| self.covariance.eigen(row, self.dim())).collect()
    }
}

/// Coefficients of the quadratic features, of x and of 1, side by side.
pub(super) fn beside(
    quadratic: &Array2<f64>,
    linear: &Array2<f64>,
    offset: &Array1<f64>,
) -> Array2<f64> {
    let (n_entries, dim) = (quadratic.ncols(), linear.ncols());
    let mut all = Array2::zeros((offset.len(), n_entries + dim + 1));
    all.slice_mut(s![.., ..n_entries]).assign(quadratic);
    all.slice_mut(s![.., n_entries..n_entries + dim]).assign(linear);
    all.column_mut(n_entries + dim).assign(offset);
    all
}

/// Mean and covariance of some cells.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Cluster {
    /// The mean, `dim` numbers.
    pub(super) mean: Array1<f64>,
    /// The entries of the covariance, of one kind of matrix.
    pub(super) covariance: Array1<f64>,
}

/// `(r, S)` of the bridge between two clusters: the positive solution of `S C_x S + ε S = C_y`, and
/// `r = ȳ − S x̄`. Both covariances and S are of the kind `covariance`. No eigenvalue of S is below
/// `floor`.
///
/// For numbers the solution is `s = 2 c_y / (ε + √(ε² + 4 c_x c_y))`. For matrices, with `B =
/// C_y^½`, it is `S = B (ε/2 + (ε²/4 + B C_x B)^½)⁻¹ B`, so neither covariance needs to be
/// invertible. Source: Janati et al. 2020, Theorem 1, rewritten. Takes `O(d)` time, with full
/// matrices `O(d³)`.
///
/// # Errors
/// [`Error::Numerical`] if a decomposition fails.
pub(super) fn closed_form(
    covariance: Covariance,
    source: &Cluster,
    target: &Cluster,
    epsilon: f64,
    floor: f64,
) -> Result<(Array1<f64>, Array1<f64>)> {
    let dim = source.mean.len();
    let s = match covariance {
        Covariance::Scalar | Covariance::Diagonal => source
            .covariance
            .iter()
            .zip(&target.covariance)
            .map(|(cx, cy)| {
                let root = (epsilon * epsilon + 4.0 * cx * cy).sqrt();
                (2.0 * cy / (epsilon + root)).max(floor)
            })
            .collect(),
        Covariance::Full => {
            let spectrum = Spectrum::new(covariance.matrix(target.covariance.view(), dim).view())?;
            let root = spectrum.map(|value| value.max(0.0).sqrt());
            let inner = root.dot(&covariance.matrix(source.covariance.view(), dim)).dot(&root);
            let half = 0.5 * epsilon;
            let weight = |value: f64| 1.0 / (half + (half * half + value.max(0.0)).sqrt());
            let inner = Spectrum::new(inner.view())?.map(weight);
            let s = Spectrum::new(root.dot(&inner).dot(&root).view())?;
            covariance.entries(s.map(|value| value.max(floor)).view())
        }
    };
    let mut r = target.mean.clone();
    covariance.add_times(s.mapv(|value| -value).view(), source.mean.view(), r.view_mut());
    Ok((r, s))
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn the_closed_form_solves_its_equation_also_for_singular_covariances() {
        let epsilon = 0.3;
        let thin = array![[1.0, 0.5], [0.5, 0.25]];
        let round = array![[0.8, -0.2], [-0.2, 1.5]];
        let kind = Covariance::Full;
        let zero = Array1::zeros(2);
        for (cx, cy) in [(&round, &thin), (&thin, &round), (&thin, &thin), (&round, &round)] {
            let at_zero = |matrix: &Array2<f64>| Cluster {
                mean: zero.clone(),
                covariance: kind.entries(matrix.view()),
            };
            let (_, s) = closed_form(kind, &at_zero(cx), &at_zero(cy), epsilon, 0.0).unwrap();
            let s = kind.matrix(s.view(), 2);
            let off = s.dot(cx).dot(&s) + &s * epsilon - cy;
            assert!(off.iter().all(|value| value.abs() < 1e-13), "{off}");
        }
    }

    #[test]
    fn moved_origins_change_no_plan() {
        let mixture = Mixture {
            covariance: Covariance::Full,
            log_alpha: array![0.3, -0.4],
            r: array![[0.5, -1.0], [0.2, 0.7]],
            s: array![[0.8, 0.1, 0.5], [1.2, -0.3, 0.9]],
        };
        let (epsilon, source, target) = (0.6, array![0.4, -0.3], array![-0.2, 0.9]);
        let moved = mixture.moved(source.view(), target.view(), epsilon);
        let x = array![1.3, 0.2];
        let plan = |mixture: &Mixture, x: &Array1<f64>| {
            let logs = (0..2).map(|k| {
                let carried = mixture.matrix(k).dot(x) + &mixture.r.row(k) * 2.0;
                mixture.log_alpha[k] + x.dot(&carried) / (2.0 * epsilon)
            });
            let logs: Vec<f64> = logs.collect();
            let ends = [0, 1].map(|k| mixture.matrix(k).dot(x) + mixture.r.row(k));
            (logs[0] - logs[1], ends)
        };
        let (odds, ends) = plan(&mixture, &x);
        let (same_odds, same_ends) = plan(&moved, &(&x - &source));
        assert!((odds - same_odds).abs() < 1e-12, "{odds} {same_odds}");
        for (end, same) in ends.iter().zip(&same_ends) {
            assert!((end - &target - same).iter().all(|value| value.abs() < 1e-12));
        }
    }

    #[test]
    fn the_closed_form_of_a_diagonal_pair_is_that_of_its_numbers() {
        let (x, y) = (array![0.5, 2.0], array![1.5, 0.1]);
        let (mean, zero) = (array![0.3, -1.0], Array1::zeros(2));
        let solve = |kind: Covariance| {
            let as_entries = |v: &Array1<f64>| kind.entries(Array2::from_diag(v).view());
            let source = Cluster { mean: mean.clone(), covariance: as_entries(&x) };
            let target = Cluster { mean: zero.clone(), covariance: as_entries(&y) };
            let (r, s) = closed_form(kind, &source, &target, 0.7, 1e-9).unwrap();
            (r, kind.matrix(s.view(), 2))
        };
        let (diagonal, full) = (solve(Covariance::Diagonal), solve(Covariance::Full));
        assert!((&diagonal.0 - &full.0).iter().all(|value| value.abs() < 1e-14));
        assert!((&diagonal.1 - &full.1).iter().all(|value| value.abs() < 1e-14));
    }
}
