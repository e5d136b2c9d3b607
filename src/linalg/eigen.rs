//! The largest eigenpairs of a symmetric matrix, by full decomposition (faer, one thread).

use faer::diag::Diag;
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::evd::{ComputeEigenvectors, self_adjoint_evd, self_adjoint_evd_scratch};
use faer::{Mat, Par};
use ndarray::{Array1, Array2};

use crate::error::{Error, Result};
use crate::linalg::matmul::settle;

/// Eigenvalues, decreasing, and orthonormal eigenvectors.
#[derive(Debug, Clone)]
pub struct Eigenpairs {
    /// The `k` largest eigenvalues, decreasing.
    pub values: Array1<f64>,
    /// One eigenvector per row, `(k, n)`.
    pub vectors: Array2<f64>,
}

/// The `k` largest eigenpairs of the symmetric matrix with entries `entry(i, j)`, `i ≥ j`.
///
/// All `n` are computed: `O(n³)` flops, `24 n²` bytes. `k` is at most `n`.
///
/// # Errors
/// [`Error::Numerical`] if the iteration does not converge, as with entries that are NaN.
pub fn dense_eigenpairs(
    n: usize,
    k: usize,
    entry: impl Fn(usize, usize) -> f64,
) -> Result<Eigenpairs> {
    let matrix = Mat::from_fn(n, n, |i, j| entry(i.max(j), i.min(j)));
    let mut vectors = Mat::zeros(n, n);
    let mut values = Diag::zeros(n);
    let scratch = self_adjoint_evd_scratch::<f64>(
        n,
        ComputeEigenvectors::Yes,
        Par::Seq,
        faer::Spec::default(),
    );
    self_adjoint_evd(
        matrix.as_ref(),
        values.as_mut(),
        Some(vectors.as_mut()),
        Par::Seq,
        MemStack::new(&mut MemBuffer::new(scratch)),
        faer::Spec::default(),
    )
    .map_err(|error| Error::Numerical { what: "eigendecomposition", why: format!("{error:?}") })?;
    settle();
    let values = values.column_vector();
    if !values.iter().all(|value| value.is_finite()) {
        let why = "an eigenvalue is not finite".to_string();
        return Err(Error::Numerical { what: "eigendecomposition", why });
    }
    Ok(Eigenpairs {
        values: (0..k).map(|i| values[n - 1 - i]).collect(),
        vectors: Array2::from_shape_fn((k, n), |(i, j)| vectors[(j, n - 1 - i)]),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_eigenvalues_of_a_chain() {
        // Second differences on n points: 2 − 2 cos(π k / (n + 1)).
        let n = 40;
        let entry = |i: usize, j: usize| match i - j {
            0 => 2.0,
            1 => -1.0,
            _ => 0.0,
        };
        let pairs = dense_eigenpairs(n, 5, entry).unwrap();
        for (i, value) in pairs.values.iter().enumerate() {
            let angle = std::f64::consts::PI * (n - i) as f64 / (n + 1) as f64;
            assert!((value - (2.0 - 2.0 * angle.cos())).abs() < 1e-12);
        }
        let gram = pairs.vectors.dot(&pairs.vectors.t());
        assert!(gram.indexed_iter().all(|((i, j), x)| (x - f64::from(i == j)).abs() < 1e-12));
    }

    #[test]
    fn nan_is_an_error() {
        assert!(dense_eigenpairs(30, 2, |_, _| f64::NAN).is_err());
    }
}
