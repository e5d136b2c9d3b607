//! The largest eigenpairs of a symmetric matrix by full decomposition (faer, one thread).

use faer::diag::Diag;
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::evd::{ComputeEigenvectors, self_adjoint_evd, self_adjoint_evd_scratch};
use faer::{Mat, Par};
use ndarray::{Array1, Array2, ArrayViewMut1};

use crate::error::{Error, Result};
use crate::linalg::clear::first_least;
use crate::linalg::matmul::settle;

/// The `k` largest eigenvalues of a symmetric `(n, n)` matrix with orthonormal eigenvectors.
#[derive(Debug, Clone)]
pub struct Eigenpairs {
    /// The `k` eigenvalues, decreasing.
    pub values: Array1<f64>,
    /// One eigenvector per row, `(k, n)`.
    pub(crate) vectors: Array2<f64>,
}

/// The `k ≤ n` largest eigenpairs of the symmetric matrix with entries `entry(i, j)`, `i ≥ j`.
///
/// The function computes all `n` pairs: `O(n³)` flops and `24 n²` bytes. [`fix_sign`] sets the sign
/// of every vector. [`crate::linalg::Lanczos`] is faster for few pairs of a large matrix.
///
/// # Errors
/// [`Error::Numerical`] if the iteration does not converge or an eigenvalue is not finite, as with
/// entries that are NaN.
pub(crate) fn dense_eigenpairs(
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
    let mut vectors = Array2::from_shape_fn((k, n), |(i, j)| vectors[(j, n - 1 - i)]);
    vectors.rows_mut().into_iter().for_each(fix_sign);
    Ok(Eigenpairs { values: (0..k).map(|i| values[n - 1 - i]).collect(), vectors })
}

/// Multiplies an eigenvector by ±1, so that its entry of largest size is positive.
///
/// If several entries are equal in size within rounding, the first one decides. Without this rule
/// the last bits of the matrix determine the sign, and thereby random draws along the vector.
pub(crate) fn fix_sign(mut vector: ArrayViewMut1<'_, f64>) {
    if let Some(place) = first_least(vector.iter().map(|entry| -entry.abs()))
        && vector[place] < 0.0
    {
        vector.mapv_inplace(|entry| -entry);
    }
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
    fn the_entry_of_largest_size_is_positive_and_last_bits_do_not_turn_a_vector() {
        for shake in [-1e-12, 0.0, 1e-12] {
            // Two eigenvectors whose largest entries are of equal size.
            let entry = |i: usize, j: usize| if i == j { 2.0 + shake * i as f64 } else { -1.0 };
            let pairs = dense_eigenpairs(2, 2, entry).unwrap();
            for (vector, sign) in pairs.vectors.rows().into_iter().zip([-1.0, 1.0]) {
                assert!(vector[0] > 0.7 && vector[1] * sign > 0.7, "{shake}: {vector}");
            }
        }
        let mut vector = ndarray::array![0.1, -0.9, 0.4];
        fix_sign(vector.view_mut());
        assert_eq!(vector, ndarray::array![-0.1, 0.9, -0.4]);
    }

    #[test]
    fn nan_is_an_error() {
        assert!(dense_eigenpairs(30, 2, |_, _| f64::NAN).is_err());
    }
}
