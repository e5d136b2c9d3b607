//! Products of stored rows with vectors: values in single or double precision, sums in double.

use crate::platform::cpu;

/// Adds `Σ_j rows_ij weights_j` to `sums_i`: a matrix times a vector.
///
/// `rows` has `sums.len()` rows of `weights.len()` values. `2nm` flops; the time is that of
/// reading `rows`.
pub fn add_weighted<T: Copy + Into<f64>>(rows: &[T], weights: &[f64], sums: &mut [f64]) {
    cpu::arch().dispatch(AddWeighted { rows, weights, sums });
}

/// Adds `Σ_i weights_i rows_ij` to `sums_j`: a transposed matrix times a vector.
///
/// `rows` has `weights.len()` rows of `sums.len()` values.
pub(crate) fn add_weighted_rows<T: Copy + Into<f64>>(
    rows: &[T],
    weights: &[f64],
    sums: &mut [f64],
) {
    cpu::arch().dispatch(AddWeightedRows { rows, weights, sums });
}

/// Number of partial sums of a row; fixed, so that results do not depend on the width of vectors.
const LANES: usize = 16;

/// The loop of [`add_weighted`], compiled once for each width of vectors.
struct AddWeighted<'a, T> {
    rows: &'a [T],
    weights: &'a [f64],
    sums: &'a mut [f64],
}

impl<T: Copy + Into<f64>> pulp::NullaryFnOnce for AddWeighted<'_, T> {
    type Output = ();

    #[expect(clippy::inline_always, reason = "only code inlined into `dispatch` is vectorised")]
    #[inline(always)]
    fn call(self) {
        let Self { rows, weights, sums } = self;
        let (parts, rest) = weights.as_chunks::<LANES>();
        for (row, sum) in rows.chunks_exact(weights.len().max(1)).zip(sums) {
            let mut lanes = [0.0; LANES];
            let (row_parts, row_rest) = row.as_chunks::<LANES>();
            for (values, weights) in row_parts.iter().zip(parts) {
                for ((lane, value), weight) in lanes.iter_mut().zip(values).zip(weights) {
                    let value: f64 = (*value).into();
                    *lane += value * weight;
                }
            }
            let mut tail = 0.0;
            for (value, weight) in row_rest.iter().zip(rest) {
                let value: f64 = (*value).into();
                tail += value * weight;
            }
            *sum += lanes.into_iter().sum::<f64>() + tail;
        }
    }
}

/// The loop of [`add_weighted_rows`].
struct AddWeightedRows<'a, T> {
    rows: &'a [T],
    weights: &'a [f64],
    sums: &'a mut [f64],
}

impl<T: Copy + Into<f64>> pulp::NullaryFnOnce for AddWeightedRows<'_, T> {
    type Output = ();

    #[expect(clippy::inline_always, reason = "only code inlined into `dispatch` is vectorised")]
    #[inline(always)]
    fn call(self) {
        let Self { rows, weights, sums } = self;
        let n = sums.len().max(1);
        // Four rows at once reduce loads and stores of the sums to a quarter.
        let (fours, rest) = weights.as_chunks::<4>();
        let (together, alone) = rows.split_at(4 * fours.len() * sums.len());
        for (rows, weights) in together.chunks_exact(4 * n).zip(fours) {
            let (ab, cd) = rows.split_at(2 * n);
            let ((a, b), (c, d)) = (ab.split_at(n), cd.split_at(n));
            for ((((sum, a), b), c), d) in sums.iter_mut().zip(a).zip(b).zip(c).zip(d) {
                let (a, b): (f64, f64) = ((*a).into(), (*b).into());
                let (c, d): (f64, f64) = ((*c).into(), (*d).into());
                *sum += (weights[0] * a + weights[1] * b) + (weights[2] * c + weights[3] * d);
            }
        }
        for (row, weight) in alone.chunks_exact(n).zip(rest) {
            for (sum, value) in sums.iter_mut().zip(row) {
                let value: f64 = (*value).into();
                *sum += weight * value;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_products_are_those_written_out() {
        for (n, m) in [(1, 1), (3, 17), (4, 16), (7, 45), (9, 100)] {
            let at = |i: usize, j: usize| ((i * m + j) as f64 * 0.7).sin();
            let rows: Vec<f64> = (0..n * m).map(|k| at(k / m, k % m)).collect();
            let single: Vec<f32> = rows.iter().map(|value| *value as f32).collect();
            let own: Vec<f64> = (0..n).map(|i| (i as f64).cos()).collect();
            let other: Vec<f64> = (0..m).map(|j| (1.3 * j as f64).cos()).collect();
            let (mut sums, mut loose) = (own.clone(), own.clone());
            add_weighted(&rows, &other, &mut sums);
            add_weighted(&single, &other, &mut loose);
            for i in 0..n {
                let direct = own[i] + (0..m).map(|j| at(i, j) * other[j]).sum::<f64>();
                assert!((sums[i] - direct).abs() < 1e-13 && (loose[i] - direct).abs() < 1e-5);
            }
            let (mut sums, mut loose) = (other.clone(), other.clone());
            add_weighted_rows(&rows, &own, &mut sums);
            add_weighted_rows(&single, &own, &mut loose);
            for j in 0..m {
                let direct = other[j] + (0..n).map(|i| at(i, j) * own[i]).sum::<f64>();
                assert!((sums[j] - direct).abs() < 1e-13 && (loose[j] - direct).abs() < 1e-5);
            }
        }
    }

    #[test]
    fn nothing_is_added_from_nothing() {
        let mut sums = [1.0, 2.0];
        add_weighted_rows::<f32>(&[], &[], &mut sums);
        add_weighted::<f64>(&[], &[], &mut sums);
        assert_eq!(sums.map(f64::to_bits), [1.0_f64, 2.0].map(f64::to_bits));
    }
}
