//! Cholesky factors of small positive definite matrices, with solutions, inverse and determinant.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, s};

/// The factor `L` of a symmetric positive definite matrix `A = L Lᵀ`, `L` lower triangular.
///
/// Made for a few dozen dimensions: one thread, no blocks, no scratch memory beside `L`.
#[derive(Debug, Clone, PartialEq)]
pub struct Cholesky {
    /// `L`, `(n, n)`, zero above the diagonal.
    lower: Array2<f64>,
}

impl Cholesky {
    /// The factor of a symmetric `(n, n)` matrix; reads only the lower triangle.
    ///
    /// `None` if the matrix is not positive definite or contains NaN. Time `n³/3` flops.
    pub fn new(matrix: ArrayView2<'_, f64>) -> Option<Self> {
        let n = matrix.nrows();
        let mut lower = vec![0.0; n * n];
        for i in 0..n {
            let (above, row) = lower.split_at_mut(i * n);
            for j in 0..=i {
                let other = if j < i { &above[j * n..j * n + j] } else { &row[..i] };
                let rest = matrix[[i, j]] - dot(&row[..j], other);
                row[j] = if i == j {
                    if !(0.0 < rest && rest < f64::INFINITY) {
                        return None;
                    }
                    rest.sqrt()
                } else {
                    rest / above[j * n + j]
                };
            }
        }
        let lower = Array2::from_shape_vec((n, n), lower).ok()?;
        Some(Self { lower })
    }

    /// The factor `L`, `(n, n)`, zero above the diagonal.
    pub fn lower(&self) -> ArrayView2<'_, f64> {
        self.lower.view()
    }

    /// `ln det A = 2 Σ_i ln L_ii`.
    pub fn log_det(&self) -> f64 {
        2.0 * self.lower.diag().iter().map(|value| value.ln()).sum::<f64>()
    }

    /// `L⁻¹ b` by forward substitution, `n²` flops; its squared length is `bᵀ A⁻¹ b`.
    #[must_use]
    pub fn whiten(&self, b: ArrayView1<'_, f64>) -> Array1<f64> {
        let mut x = b.to_owned();
        for i in 0..x.len() {
            let known = self.lower.slice(s![i, ..i]).dot(&x.slice(s![..i]));
            x[i] = (x[i] - known) / self.lower[[i, i]];
        }
        x
    }

    /// The solution `A⁻¹ b` by forward and backward substitution. Time `2 n²` flops.
    #[must_use]
    pub fn solve(&self, b: ArrayView1<'_, f64>) -> Array1<f64> {
        let mut x = self.whiten(b);
        for i in (0..x.len()).rev() {
            let known = self.lower.slice(s![i + 1.., i]).dot(&x.slice(s![i + 1..]));
            x[i] = (x[i] - known) / self.lower[[i, i]];
        }
        x
    }

    /// The inverse `A⁻¹ = L⁻ᵀ L⁻¹`, symmetric to the last bit. Time `2n³/3` flops.
    #[must_use]
    pub fn inverse(&self) -> Array2<f64> {
        let n = self.lower.nrows();
        // First the rows of `L⁻¹` from top to bottom, then the product `L⁻ᵀ L⁻¹`. Both are lower triangular.
        let mut rows = vec![0.0; n * n];
        for i in 0..n {
            let (above, below) = rows.split_at_mut(i * n);
            let row = &mut below[..=i];
            for j in 0..i {
                add_scaled(&mut row[..=j], -self.lower[[i, j]], &above[j * n..=j * n + j]);
            }
            row[i] += 1.0;
            let pivot = self.lower[[i, i]];
            for value in row {
                *value /= pivot;
            }
        }
        let mut inverse = Array2::<f64>::zeros((n, n));
        if let Some(entries) = inverse.as_slice_mut() {
            for k in 0..n {
                let row = &rows[k * n..=k * n + k];
                for (i, &factor) in row.iter().enumerate() {
                    add_scaled(&mut entries[i * n..=i * n + i], factor, &row[..=i]);
                }
            }
        }
        for i in 0..n {
            for j in 0..i {
                inverse[[j, i]] = inverse[[i, j]];
            }
        }
        inverse
    }
}

/// `sum += factor · x`.
///
/// `scaled_add` of `ndarray` does the same, but its checks and slices cost more than a few dozen sums.
fn add_scaled(sum: &mut [f64], factor: f64, x: &[f64]) {
    for (sum, x) in sum.iter_mut().zip(x) {
        *sum += factor * x;
    }
}

/// The scalar product `Σ x y`, summed in eight lanes.
///
/// `ndarray` sums in the same order, but its checks cost more than a few dozen products.
fn dot(x: &[f64], y: &[f64]) -> f64 {
    let mut lanes = [0.0; 8];
    let (xs, ys) = (x.chunks_exact(8), y.chunks_exact(8));
    let tail: f64 = xs.remainder().iter().zip(ys.remainder()).map(|(x, y)| x * y).sum();
    for (x, y) in xs.zip(ys) {
        for ((lane, x), y) in lanes.iter_mut().zip(x).zip(y) {
            *lane += x * y;
        }
    }
    let [a, b, c, d, e, f, g, h] = lanes;
    (a + e) + (b + f) + (c + g) + (d + h) + tail
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn a_solution_times_the_matrix_is_the_right_side() {
        let n = 21;
        let root = Array2::from_shape_fn((n, n), |(i, j)| ((i * 7 + j * 3 + 1) as f64).sin());
        let matrix = root.dot(&root.t()) + Array2::<f64>::eye(n);
        let b: Array1<f64> = (0..n).map(|i| (i as f64).cos()).collect();
        let x = Cholesky::new(matrix.view()).unwrap().solve(b.view());
        for (left, right) in matrix.dot(&x).iter().zip(&b) {
            assert!((left - right).abs() < 1e-10);
        }
    }

    #[test]
    fn gives_the_matrix_back_with_its_inverse_and_determinant() {
        let n = 12;
        let base = Array2::from_shape_fn((n, n), |(i, j)| ((3 * i + 5 * j) as f64).sin());
        let matrix = base.dot(&base.t()) + Array2::<f64>::eye(n) * 0.1;
        let factor = Cholesky::new(matrix.view()).unwrap();
        let close = |a: &Array2<f64>, b: &Array2<f64>| {
            assert!(a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-11), "{a}\n{b}");
        };
        close(&factor.lower().dot(&factor.lower().t()), &matrix);
        close(&factor.inverse().dot(&matrix), &Array2::eye(n));
        let b: Array1<f64> = (0..n).map(|i| (i as f64).cos()).collect();
        let white = factor.whiten(b.view());
        assert!((white.dot(&white) - b.dot(&factor.inverse().dot(&b))).abs() < 1e-10);
        let two = Cholesky::new(array![[4.0, 1.0], [1.0, 3.0]].view()).unwrap();
        assert!((two.log_det() - 11.0_f64.ln()).abs() < 1e-14);
    }

    #[test]
    fn refuses_what_is_not_positive_definite() {
        assert!(Cholesky::new(array![[1.0, 2.0], [2.0, 1.0]].view()).is_none());
        assert!(Cholesky::new(array![[f64::NAN]].view()).is_none());
        assert!(Cholesky::new(array![[0.0]].view()).is_none());
    }
}
