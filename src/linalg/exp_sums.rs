//! Log-sum-exp along the rows of a matrix that arrives in blocks of columns, and its exponential.

use crate::linalg::exp::{exp, folded};
use crate::platform::cpu;

/// A row of a block is skipped if its largest logarithm is this far below the largest so far.
///
/// Its sum is then at most `n e⁻⁴⁸` of the total, which is below rounding for up to 10⁵ columns in a
/// block.
const NOTHING: f64 = 48.0;

/// `ln Σ_j exp(l_ij + o_j)` for each row `i` of a matrix `l` that arrives in blocks of columns.
///
/// The struct keeps the largest logarithm `m_i` of each row so far and `Σ_j exp(l_ij + o_j − m_i)`.
/// If a block raises `m_i`, the sum is multiplied by the exponential of the difference. Therefore
/// nothing overflows. Memory: 16 bytes for each row.
#[derive(Debug, Clone)]
pub struct LogSums {
    /// `m_i`, −∞ before the first block.
    largest: Vec<f64>,
    /// The sums, each divided by `exp(m_i)`.
    sums: Vec<f64>,
}

impl LogSums {
    /// Empty sums for `n_rows` rows.
    #[must_use]
    pub fn new(n_rows: usize) -> Self {
        Self { largest: vec![f64::NEG_INFINITY; n_rows], sums: vec![0.0; n_rows] }
    }

    /// Adds a block of `offsets.len()` logarithms `l_ij` for each row, with the offsets `o_j`.
    ///
    /// The function uses `block` as scratch memory. It computes no exponentials for a row whose
    /// sum would be below rounding.
    pub fn add(&mut self, block: &mut [f64], offsets: &[f64]) {
        cpu::arch().dispatch(AddLogs { sums: self, block, offsets });
    }

    /// The logarithm of the sum of each row; −∞ for empty sums.
    #[must_use]
    pub fn finish(self) -> Vec<f64> {
        self.largest.iter().zip(&self.sums).map(|(largest, sum)| largest + sum.ln()).collect()
    }
}

/// The loop of [`LogSums::add`], compiled once for each width of vectors.
struct AddLogs<'a> {
    sums: &'a mut LogSums,
    block: &'a mut [f64],
    offsets: &'a [f64],
}

impl pulp::NullaryFnOnce for AddLogs<'_> {
    type Output = ();

    #[expect(clippy::inline_always, reason = "only code inlined into `dispatch` is vectorised")]
    #[inline(always)]
    fn call(self) {
        let Self { sums, block, offsets } = self;
        let rows = block.chunks_exact_mut(offsets.len().max(1));
        for ((row, largest), sum) in rows.zip(&mut sums.largest).zip(&mut sums.sums) {
            for (value, offset) in row.iter_mut().zip(offsets) {
                *value += offset;
            }
            let here = folded(row, f64::NEG_INFINITY, |a, b| if b > a { b } else { a });
            // NaN fails both comparisons and so reaches the sum, where the caller sees it.
            if here < *largest - NOTHING || here.is_infinite() && here < 0.0 {
                continue;
            }
            if here > *largest {
                *sum *= (*largest - here).exp();
                *largest = here;
            }
            for value in row.iter_mut() {
                *value = exp(*value - *largest);
            }
            *sum += folded(row, 0.0, |a, b| a + b);
        }
    }
}

/// Replaces each `l_ij` of a block of rows by `exp(l_ij + own_i + other_j)`.
///
/// Exponents must be below 709; those below −708 give about 1e-308. In a Sinkhorn iteration these
/// are the entries of the coupling, with the potentials as `own` and `other`.
pub fn exp_block(block: &mut [f64], own: &[f64], other: &[f64]) {
    cpu::arch().dispatch(ExpBlock { block, own, other });
}

/// The loop of [`exp_block`], with the same arguments.
struct ExpBlock<'a> {
    block: &'a mut [f64],
    own: &'a [f64],
    other: &'a [f64],
}

impl pulp::NullaryFnOnce for ExpBlock<'_> {
    type Output = ();

    #[expect(clippy::inline_always, reason = "only code inlined into `dispatch` is vectorised")]
    #[inline(always)]
    fn call(self) {
        let Self { block, own, other } = self;
        for (row, own) in block.chunks_exact_mut(other.len().max(1)).zip(own) {
            for (value, other) in row.iter_mut().zip(other) {
                *value = exp(*value + own + other);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linalg::log_sum_exp;

    #[test]
    fn sums_over_blocks_are_those_over_whole_rows() {
        let l: Vec<Vec<f64>> = (0..3)
            .map(|i| (0..37).map(|j| 300.0 * f64::from(i * 37 + j).sin()).collect())
            .collect();
        let offsets: Vec<f64> = (0..37).map(|j| f64::from(j) * 0.1).collect();
        let mut sums = LogSums::new(3);
        for columns in [0..10, 10..29, 29..37] {
            let mut block: Vec<f64> =
                l.iter().flat_map(|row| row[columns.clone()].to_vec()).collect();
            sums.add(&mut block, &offsets[columns]);
        }
        for (row, sum) in l.iter().zip(sums.finish()) {
            let whole: Vec<f64> = row.iter().zip(&offsets).map(|(l, o)| l + o).collect();
            // Rounding of numbers of size 300.
            assert!((sum - log_sum_exp(&whole)).abs() < 1e-12);
        }
        assert!(LogSums::new(1).finish()[0] < f64::MIN);
    }

    #[test]
    fn far_lower_blocks_before_or_after_change_nothing_and_nan_shows() {
        for rows in [[0.3, -900.0], [-900.0, 0.3]] {
            let mut sums = LogSums::new(1);
            for value in rows {
                sums.add(&mut [value], &[0.0]);
            }
            assert!((sums.finish()[0] - 0.3).abs() < 1e-15);
        }
        let mut sums = LogSums::new(1);
        sums.add(&mut [f64::NEG_INFINITY], &[0.0]);
        sums.add(&mut [1.0], &[0.0]);
        assert!((sums.clone().finish()[0] - 1.0).abs() < 1e-15);
        sums.add(&mut [f64::NAN, 1.0], &[0.0, 0.0]);
        assert!(sums.finish()[0].is_nan());
    }

    #[test]
    fn blocks_of_exponentials_are_written_out() {
        let l: Vec<f64> = (0..33).map(|k| f64::from(k).cos()).collect();
        let own = [0.5, -1.0, 2.0];
        let other: Vec<f64> = (0..11).map(|j| 0.25 * f64::from(j)).collect();
        let mut block = l.clone();
        exp_block(&mut block, &own, &other);
        for (k, found) in block.into_iter().enumerate() {
            let direct = (l[k] + own[k / 11] + other[k % 11]).exp();
            assert!((found - direct).abs() < 1e-14 * direct);
        }
    }
}
