//! Functions of a symmetric matrix by its eigendecomposition.

use ndarray::{Array1, Array2, ArrayView2};

use crate::error::Result;
use crate::linalg::eigen::dense_eigenpairs;

/// The eigendecomposition of a symmetric `(n, n)` matrix, `A = Σ_i λ_i q_i q_iᵀ`.
#[derive(Debug, Clone, PartialEq)]
pub struct Spectrum {
    /// Eigenvalues `λ_i`, decreasing, `n`.
    pub values: Array1<f64>,
    /// Orthonormal eigenvectors `q_i`, one per row, `(n, n)`.
    pub vectors: Array2<f64>,
}

impl Spectrum {
    /// The decomposition of a symmetric matrix; reads only the lower triangle. Time `O(n³)`.
    ///
    /// # Errors
    /// [`crate::Error::Numerical`] if the iteration does not converge, as with NaN.
    pub fn new(matrix: ArrayView2<'_, f64>) -> Result<Self> {
        let n = matrix.nrows();
        let pairs = dense_eigenpairs(n, n, |i, j| matrix[[i, j]])?;
        Ok(Self { values: pairs.values, vectors: pairs.vectors })
    }

    /// The matrix function `f(A) = Σ_i f(λ_i) q_i q_iᵀ`, symmetric to the last bit.
    ///
    /// `f(x) = √x` gives the square root. Time `2 n³` flops.
    #[must_use]
    pub fn map(&self, f: impl Fn(f64) -> f64) -> Array2<f64> {
        let n = self.values.len();
        let scaled =
            Array2::from_shape_fn((n, n), |(i, j)| f(self.values[i]) * self.vectors[[i, j]]);
        let mut result = self.vectors.t().dot(&scaled);
        for i in 0..n {
            for j in 0..i {
                result[[j, i]] = result[[i, j]];
            }
        }
        result
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn the_square_root_squared_is_the_matrix() {
        let matrix = array![[2.0, 0.5, 0.1], [0.5, 1.0, -0.3], [0.1, -0.3, 0.7]];
        let spectrum = Spectrum::new(matrix.view()).unwrap();
        let root = spectrum.map(f64::sqrt);
        let off = &root.dot(&root) - &matrix;
        assert!(off.iter().all(|value| value.abs() < 1e-14), "{off}");
        let same = &spectrum.map(|value| value) - &matrix;
        assert!(same.iter().all(|value| value.abs() < 1e-14), "{same}");
    }
}
