//! Matrix products on one thread (faer), so that callers decide how to split work.

use faer::{Accum, MatMut, MatRef};
use ndarray::{Array2, ArrayView2, ArrayViewMut2, Axis, CowArray, Ix2};

use crate::linalg::matmul::multiply;

/// The product `A B`; shapes `(m, k)` and `(k, n)`, result `(m, n)`. Time `2mkn` flops.
#[must_use]
pub fn product(a: ArrayView2<'_, f64>, b: ArrayView2<'_, f64>) -> Array2<f64> {
    let mut out = Array2::zeros((a.nrows(), b.ncols()));
    add_product(out.view_mut(), 1.0, a, b);
    out
}

/// The product `Aᵀ B`; shapes `(k, m)` and `(k, n)`, result `(m, n)`. Time `2mkn` flops.
///
/// `Aᵀ` is a view, without a transposed copy in memory.
#[must_use]
pub fn product_tn(a: ArrayView2<'_, f64>, b: ArrayView2<'_, f64>) -> Array2<f64> {
    let mut out = Array2::zeros((a.ncols(), b.ncols()));
    add_product(out.view_mut(), 1.0, a.reversed_axes(), b);
    out
}

/// The product `A Bᵀ`; shapes `(m, k)` and `(n, k)`, result `(m, n)`. Time `2mkn` flops.
///
/// `Bᵀ` is a view, without a transposed copy in memory.
#[must_use]
pub fn product_nt(a: ArrayView2<'_, f64>, b: ArrayView2<'_, f64>) -> Array2<f64> {
    let mut out = Array2::zeros((a.nrows(), b.nrows()));
    add_product(out.view_mut(), 1.0, a, b.reversed_axes());
    out
}

/// The covariance of the columns of `a`, `(n, p)`, with those of `b`, `(n, q)`, as `(p, q)`.
///
/// The denominator is `n − 1`; for `n ≤ 1` the result is zero. Time `2npq` flops, memory for a
/// centred copy of both.
#[must_use]
pub(crate) fn cross_covariance(a: ArrayView2<'_, f64>, b: ArrayView2<'_, f64>) -> Array2<f64> {
    let n = a.nrows();
    let centred = |x: ArrayView2<'_, f64>| &x - &(x.sum_axis(Axis(0)) / n.max(1) as f64);
    product_tn(centred(a).view(), centred(b).view()) / n.saturating_sub(1).max(1) as f64
}

/// `out += factor · A B`; shapes `(m, k)`, `(k, n)` and `(m, n)`. Time `2mkn` flops.
///
/// `out` must be row-major. `a` and `b` are used in place if they are row-major or transposed
/// row-major views; other views are copied first.
pub fn add_product(
    mut out: ArrayViewMut2<'_, f64>,
    factor: f64,
    a: ArrayView2<'_, f64>,
    b: ArrayView2<'_, f64>,
) {
    assert_eq!(a.ncols(), b.nrows(), "inner dimensions of a product");
    let shape = (a.nrows(), b.ncols());
    assert_eq!(out.dim(), shape, "shape of a product");
    let (a, b) = (Operand::new(a), Operand::new(b));
    let slice = out.as_slice_mut();
    assert!(slice.is_some(), "the output of a product is row-major");
    if let Some(slice) = slice {
        let out = MatMut::from_row_major_slice_mut(slice, shape.0, shape.1);
        multiply(out, Accum::Add, a.mat(), b.mat(), factor);
    }
}

/// A factor of a product as a row-major array.
struct Operand<'a> {
    rows: CowArray<'a, f64, Ix2>,
    /// Whether the factor is the transpose of `rows`.
    transposed: bool,
}

impl<'a> Operand<'a> {
    /// Borrows `view` if it is row-major, directly or transposed; copies it otherwise.
    fn new(view: ArrayView2<'a, f64>) -> Self {
        if view.is_standard_layout() {
            return Self { rows: view.into(), transposed: false };
        }
        let flipped = view.reversed_axes();
        if flipped.is_standard_layout() {
            return Self { rows: flipped.into(), transposed: true };
        }
        let copied = flipped.reversed_axes().as_standard_layout().into_owned();
        Self { rows: copied.into(), transposed: false }
    }

    /// The factor in the type of faer.
    fn mat(&self) -> MatRef<'_, f64> {
        let (n_rows, n_cols) = self.rows.dim();
        let slice = self.rows.as_slice().unwrap_or(&[]);
        let mat = MatRef::from_row_major_slice(slice, n_rows, n_cols);
        if self.transposed { mat.transpose() } else { mat }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::s;

    use super::*;

    #[test]
    fn covariances_are_the_sums_written_out() {
        let a = Array2::from_shape_fn((6, 2), |(i, j)| ((i * 3 + j) as f64).sin() + 5.0);
        let b = Array2::from_shape_fn((6, 3), |(i, j)| ((i + 2 * j) as f64).cos() - 2.0);
        let found = cross_covariance(a.view(), b.view());
        for ((p, q), value) in found.indexed_iter() {
            let (mean_a, mean_b) = (a.column(p).sum() / 6.0, b.column(q).sum() / 6.0);
            let sum: f64 = (0..6).map(|i| (a[[i, p]] - mean_a) * (b[[i, q]] - mean_b)).sum();
            assert!((value - sum / 5.0).abs() < 1e-14);
        }
    }

    #[test]
    fn agrees_with_ndarray_for_every_layout() {
        let a = Array2::from_shape_fn((7, 5), |(i, j)| (i * 5 + j) as f64 * 0.37 - 3.0);
        let b = Array2::from_shape_fn((5, 4), |(i, j)| ((i + 2 * j) as f64).sin());
        let expected = a.dot(&b);
        let close = |x: &Array2<f64>, y: &Array2<f64>| {
            assert!(x.iter().zip(y).all(|(x, y)| (x - y).abs() < 1e-12));
        };
        close(&product(a.view(), b.view()), &expected);
        let at = a.t().as_standard_layout().into_owned();
        close(&product_tn(at.view(), b.view()), &expected);
        let bt = b.t().as_standard_layout().into_owned();
        close(&product_nt(a.view(), bt.view()), &expected);
        let strided = a.slice(s![..;2, ..]);
        close(&product(strided, b.view()), &strided.dot(&b));
    }
}
