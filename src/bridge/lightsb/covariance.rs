//! The three kinds of matrices `S_k` of a mixture, and the storage of their entries.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, ArrayViewMut1, ArrayViewMut2, s};
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::linalg::{Cholesky, Spectrum};

/// The kind of the matrices `S_k` of a mixture.
///
/// A symmetric matrix of one kind is stored as a row of entries: the number on the diagonal; the
/// diagonal; or the upper triangle row by row, `(0,0) (0,1) … (0,d−1) (1,1) …`. A quadratic form
/// `xᵀMx` is the scalar product of [`coefficients`](Self::coefficients) with features of x (`|x|²`;
/// the squares; the products of pairs). All cells and Gaussians together are therefore one matrix
/// product for every kind. The cost for each cell and Gaussian is that of `n_entries`
/// multiplications.
///
/// ```
/// use ndarray::array;
/// use sbcell::bridge::Covariance;
///
/// let matrix = array![[2.0, 0.5], [0.5, 1.0]];
/// let entries = Covariance::Full.entries(matrix.view());
/// assert_eq!(entries, array![2.0, 0.5, 1.0]);
/// assert_eq!(Covariance::Full.matrix(entries.view(), 2), matrix);
/// assert_eq!(Covariance::Diagonal.n_entries(2), 2);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(
    clippy::unsafe_derive_deserialize,
    reason = "the only unsafe code is inside ndarray's slicing macro"
)]
pub enum Covariance {
    /// A multiple of the identity: one number.
    Scalar,
    /// A diagonal matrix: d numbers.
    #[default]
    Diagonal,
    /// Any symmetric positive definite matrix: d (d + 1)/2 numbers.
    Full,
}

impl Covariance {
    /// Number of entries of one matrix in `dim` dimensions.
    pub fn n_entries(self, dim: usize) -> usize {
        match self {
            Self::Scalar => 1,
            Self::Diagonal => dim,
            Self::Full => dim * (dim + 1) / 2,
        }
    }

    /// The matrix with these entries, d × d.
    #[must_use]
    pub fn matrix(self, entries: ArrayView1<'_, f64>, dim: usize) -> Array2<f64> {
        let mut matrix = Array2::zeros((dim, dim));
        match self {
            Self::Scalar => matrix.diag_mut().fill(entries[0]),
            Self::Diagonal => matrix.diag_mut().assign(&entries),
            Self::Full => {
                for ((i, j), value) in triangle(dim).zip(entries) {
                    matrix[[i, j]] = *value;
                    matrix[[j, i]] = *value;
                }
            }
        }
        matrix
    }

    /// The entries of a symmetric matrix. `Scalar` keeps the mean of the diagonal, `Diagonal` the
    /// diagonal.
    #[must_use]
    pub fn entries(self, matrix: ArrayView2<'_, f64>) -> Array1<f64> {
        match self {
            Self::Scalar => Array1::from_elem(1, matrix.diag().sum() / matrix.nrows() as f64),
            Self::Diagonal => matrix.diag().to_owned(),
            Self::Full => triangle(matrix.nrows()).map(|at| matrix[at]).collect(),
        }
    }

    /// The coefficients of the features that give `xᵀMx`, from the entries of M, one row for each
    /// matrix. Off-diagonal entries count twice.
    #[must_use]
    pub fn coefficients(self, mut entries: Array2<f64>, dim: usize) -> Array2<f64> {
        if self == Self::Full {
            for (e, (i, j)) in triangle(dim).enumerate() {
                if i != j {
                    entries.column_mut(e).map_inplace(|value| *value *= 2.0);
                }
            }
        }
        entries
    }

    /// Number of features of a point: quadratic ones, x and 1.
    pub(super) fn n_features(self, dim: usize) -> usize {
        self.n_entries(dim) + dim + 1
    }

    /// Writes the quadratic features and the coordinates of each row of `x` into all columns but
    /// the last, which remains 1.
    pub(super) fn write_features(
        self,
        mut features: ArrayViewMut2<'_, f64>,
        x: ArrayView2<'_, f64>,
    ) {
        let (dim, n_entries) = (x.ncols(), self.n_entries(x.ncols()));
        for (mut features, x) in features.rows_mut().into_iter().zip(x.rows()) {
            features.slice_mut(s![n_entries..n_entries + dim]).assign(&x);
            let Some(features) = features.as_slice_mut() else { continue };
            let (quadratic, x) = features.split_at_mut(n_entries);
            let x = &x[..dim];
            match self {
                Self::Scalar => quadratic[0] = x.iter().map(|value| value * value).sum(),
                Self::Diagonal => {
                    for (square, value) in quadratic.iter_mut().zip(x) {
                        *square = value * value;
                    }
                }
                Self::Full => {
                    let mut first = 0;
                    for i in 0..dim {
                        for (pair, value) in quadratic[first..].iter_mut().zip(&x[i..]) {
                            *pair = x[i] * value;
                        }
                        first += dim - i;
                    }
                }
            }
        }
    }

    /// `out += M x` for the matrix M with these entries.
    pub(super) fn add_times(
        self,
        entries: ArrayView1<'_, f64>,
        x: ArrayView1<'_, f64>,
        mut out: ArrayViewMut1<'_, f64>,
    ) {
        match self {
            Self::Scalar => out.scaled_add(entries[0], &x),
            Self::Diagonal => {
                for ((out, value), x) in out.iter_mut().zip(entries).zip(x) {
                    *out += value * x;
                }
            }
            Self::Full => {
                let dim = x.len();
                let mut first = 0;
                for i in 0..dim {
                    let row = entries.slice(s![first..first + dim - i]);
                    out[i] += row.dot(&x.slice(s![i..]));
                    out.slice_mut(s![i + 1..]).scaled_add(x[i], &row.slice(s![1..]));
                    first += dim - i;
                }
            }
        }
    }

    /// Entries of `M⁻¹` and `ln det M`; `None` if M is not positive definite.
    pub(super) fn inverse(
        self,
        entries: ArrayView1<'_, f64>,
        dim: usize,
    ) -> Option<(Array1<f64>, f64)> {
        match self {
            Self::Scalar | Self::Diagonal => {
                let weight = if self == Self::Scalar { dim as f64 } else { 1.0 };
                let log_det = entries.iter().map(|value| weight * value.ln()).sum();
                Some((entries.mapv(|value| 1.0 / value), log_det))
            }
            Self::Full => {
                let factor = Cholesky::new(self.matrix(entries, dim).view())?;
                Some((self.entries(factor.inverse().view()), factor.log_det()))
            }
        }
    }

    /// Eigenvalues and eigenvectors. Those of a scalar or diagonal matrix are its entries.
    pub(super) fn eigen(self, entries: ArrayView1<'_, f64>, dim: usize) -> Result<Eigen> {
        let full = match self {
            Self::Full => Some(Spectrum::new(self.matrix(entries, dim).view())?),
            Self::Scalar | Self::Diagonal => None,
        };
        let values = full.as_ref().map_or_else(|| entries.to_owned(), |full| full.values.clone());
        Ok(Eigen { covariance: self, values, full })
    }
}

/// The eigenvalues of a matrix of one kind, from which functions of the matrix are computed.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Eigen {
    /// The kind of the matrix.
    covariance: Covariance,
    /// The eigenvalues; for a scalar matrix one number.
    pub(super) values: Array1<f64>,
    /// The eigenvectors, for a full matrix.
    full: Option<Spectrum>,
}

impl Eigen {
    /// Entries of `f(M)`.
    pub(super) fn map(&self, f: impl Fn(f64) -> f64) -> Array1<f64> {
        match &self.full {
            Some(full) => self.covariance.entries(full.map(f).view()),
            None => self.values.mapv(f),
        }
    }

    /// `ln det f(M)` in `dim` dimensions.
    pub(super) fn log_det(&self, f: impl Fn(f64) -> f64, dim: usize) -> f64 {
        let weight = if self.covariance == Covariance::Scalar { dim as f64 } else { 1.0 };
        weight * self.values.iter().map(|&value| f(value).ln()).sum::<f64>()
    }
}

/// Positions of the upper triangle, row by row.
pub(super) fn triangle(dim: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..dim).flat_map(move |i| (i..dim).map(move |j| (i, j)))
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    fn entries(covariance: Covariance) -> Array1<f64> {
        match covariance {
            Covariance::Scalar => array![0.7],
            Covariance::Diagonal => array![0.7, 1.2, 0.4],
            Covariance::Full => array![0.7, 0.1, -0.2, 1.2, 0.3, 0.4],
        }
    }

    const ALL: [Covariance; 3] = [Covariance::Scalar, Covariance::Diagonal, Covariance::Full];

    #[test]
    fn features_times_coefficients_are_the_quadratic_function() {
        let x = array![[0.3, -1.0, 2.0], [1.5, 0.2, -0.4]];
        for kind in ALL {
            let entries = entries(kind);
            assert_eq!(entries.len(), kind.n_entries(3));
            let matrix = kind.matrix(entries.view(), 3);
            let off = kind.entries(matrix.view()) - &entries;
            assert!(off.iter().all(|value| value.abs() < 1e-15), "{kind:?}: {off}");
            let mut features = Array2::ones((2, kind.n_features(3)));
            kind.write_features(features.view_mut(), x.view());
            let one = entries.clone().insert_axis(ndarray::Axis(0));
            let coefficients = kind.coefficients(one, 3);
            for (features, x) in features.rows().into_iter().zip(x.rows()) {
                let quadratic = features.slice(s![..entries.len()]).dot(&coefficients.row(0));
                assert!((quadratic - x.dot(&matrix.dot(&x))).abs() < 1e-14, "{kind:?}");
                assert_eq!(features.slice(s![entries.len()..entries.len() + 3]), x);
                let mut product = Array1::zeros(3);
                kind.add_times(entries.view(), x, product.view_mut());
                let off = product - matrix.dot(&x);
                assert!(off.iter().all(|value| value.abs() < 1e-14), "{kind:?}: {off}");
            }
        }
    }

    #[test]
    fn inverse_determinant_and_functions_are_those_of_the_matrix() {
        for kind in ALL {
            let entries = entries(kind);
            let matrix = kind.matrix(entries.view(), 3);
            let (inverse, log_det) = kind.inverse(entries.view(), 3).unwrap();
            let product = kind.matrix(inverse.view(), 3).dot(&matrix) - Array2::<f64>::eye(3);
            assert!(product.iter().all(|value| value.abs() < 1e-14), "{kind:?}");
            let eigen = kind.eigen(entries.view(), 3).unwrap();
            assert!((eigen.log_det(|value| value, 3) - log_det).abs() < 1e-14);
            let off = eigen.map(|value| 1.0 / value) - inverse;
            assert!(off.iter().all(|value| value.abs() < 1e-13), "{kind:?}: {off}");
        }
        assert!(Covariance::Full.inverse(array![1.0, 2.0, 1.0].view(), 2).is_none());
    }
}
