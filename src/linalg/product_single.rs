//! Matrix products in single precision on one thread (faer), with a bound of their error.
//!
//! Searches for nearest neighbours use them for candidates and compute the final distances in double
//! precision.

use std::ops::Range;

use faer::{Accum, MatMut, MatRef};

use crate::linalg::matmul::multiply;

/// Writes `A Bᵀ` to `out`; all row-major, shapes `(m, k)`, `(n, k)` and `(m, n)`.
///
/// `n_columns` is `k`. Time `2mkn` flops. Each entry differs from the exact one by at most
/// `(k + 1) 2⁻²⁴ Σ_l |a_l b_l|` unless it overflows (Higham 2002, §3.1: any order of summation,
/// fused or not).
pub fn product_nt_single(out: &mut [f32], a: &[f32], b: &[f32], n_columns: usize) {
    if n_columns == 0 {
        out.fill(0.0);
        return;
    }
    let (m, n) = (a.len() / n_columns, b.len() / n_columns);
    assert_eq!(out.len(), m * n, "shape of a product");
    let a = MatRef::from_row_major_slice(a, m, n_columns);
    let b = MatRef::from_row_major_slice(b, n, n_columns);
    let out = MatMut::from_row_major_slice_mut(out, m, n);
    multiply(out, Accum::Replace, a, b.transpose(), 1.0_f32);
}

/// Writes `Aᵀ B` to `out`; all row-major, shapes `(k, m)`, `(k, n)` and `(m, n)`.
///
/// `n_rows` is `k`. Time and error as for [`product_nt_single`].
pub(crate) fn product_tn_single(out: &mut [f32], a: &[f32], b: &[f32], n_rows: usize) {
    if n_rows == 0 {
        out.fill(0.0);
        return;
    }
    let (m, n) = (a.len() / n_rows, b.len() / n_rows);
    assert_eq!(out.len(), m * n, "shape of a product");
    let a = MatRef::from_row_major_slice(a, n_rows, m);
    let b = MatRef::from_row_major_slice(b, n_rows, n);
    let out = MatMut::from_row_major_slice_mut(out, m, n);
    multiply(out, Accum::Replace, a.transpose(), b, 1.0_f32);
}

/// Writes `A B_c` to `out` for some columns `B_c` of B; all row-major, shapes `(m, k)`, `(k, n)` and
/// `(m, columns.len())`.
///
/// `n_columns` is `n`. B is used in place. Time `2mk` flops for each column; error as for
/// [`product_nt_single`].
pub(crate) fn product_columns_single(
    out: &mut [f32],
    a: &[f32],
    b: &[f32],
    n_columns: usize,
    columns: Range<usize>,
) {
    let (k, width) = (b.len() / n_columns.max(1), columns.len());
    if k == 0 || width == 0 {
        out.fill(0.0);
        return;
    }
    let m = a.len() / k;
    assert_eq!(out.len(), m * width, "shape of a product");
    let a = MatRef::from_row_major_slice(a, m, k);
    let b = MatRef::from_row_major_slice(b, k, n_columns).subcols(columns.start, width);
    let out = MatMut::from_row_major_slice_mut(out, m, width);
    multiply(out, Accum::Replace, a, b, 1.0_f32);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_with_some_columns_are_the_sums_written_out() {
        let a: Vec<f32> = (0..6).map(|i| (i as f32 * 0.7).sin()).collect();
        let b: Vec<f32> = (0..15).map(|i| (i as f32 * 0.3).cos()).collect();
        let mut out = [f32::NAN; 4];
        product_columns_single(&mut out, &a, &b, 5, 2..4);
        for (place, found) in out.iter().enumerate() {
            let (i, j) = (place / 2, 2 + place % 2);
            let sum: f32 = (0..3).map(|l| a[i * 3 + l] * b[l * 5 + j]).sum();
            assert!((found - sum).abs() < 1e-6);
        }
        product_columns_single(&mut out[..0], &a, &b, 5, 2..2);
        product_columns_single(&mut out, &[], &[], 5, 2..4);
        assert!(out.iter().all(|value| value.abs() < 1e-30));
    }

    #[test]
    fn keeps_its_bound_against_double_precision() {
        let (m, n, k) = (9, 13, 50);
        let value = |i: usize, shift: usize| ((i * 37 + shift) as f32 * 0.61).sin() * 3.0;
        let a: Vec<f32> = (0..m * k).map(|i| value(i, 0)).collect();
        let b: Vec<f32> = (0..n * k).map(|i| value(i, 5)).collect();
        let mut out = vec![f32::NAN; m * n];
        product_nt_single(&mut out, &a, &b, k);
        for i in 0..m {
            for j in 0..n {
                let terms = || (0..k).map(|l| f64::from(a[i * k + l]) * f64::from(b[j * k + l]));
                let bound = (k + 1) as f64 * 2.0_f64.powi(-24) * terms().map(f64::abs).sum::<f64>();
                assert!((f64::from(out[i * n + j]) - terms().sum::<f64>()).abs() < bound);
            }
        }
        let turned = |x: &[f32], n: usize| -> Vec<f32> {
            (0..n * k).map(|place| x[place % n * k + place / n]).collect()
        };
        let mut other = vec![f32::NAN; m * n];
        product_tn_single(&mut other, &turned(&a, m), &turned(&b, n), k);
        for (one, other) in out.iter().zip(&other) {
            assert!((one - other).abs() < 1e-3);
        }
        product_nt_single(&mut out[..4], &[], &[], 0);
        assert!(out[..4].iter().all(|value| value.abs() < 1e-30));
    }
}
