//! Sums of exponentials along the rows of blocks, block after block, without overflow.

use crate::linalg::exp::{exp, folded};

/// A row of a block whose largest logarithm is this far below the largest so far adds nothing:
/// `n e⁻⁴⁸` is below the rounding of a sum for up to 10⁵ columns in a block.
const NOTHING: f64 = 48.0;

/// `ln Σ_j exp(l_ij + o_j)` for rows whose `l` come in blocks of columns.
///
/// The largest entry so far is taken out of each row. Rows of a block that lie below rounding
/// cost no exponential.
#[derive(Debug, Clone)]
pub struct LogSums {
    largest: Vec<f64>,
    sums: Vec<f64>,
}

impl LogSums {
    /// Sums over nothing for `n_rows` rows.
    #[must_use]
    pub fn new(n_rows: usize) -> Self {
        Self { largest: vec![f64::NEG_INFINITY; n_rows], sums: vec![0.0; n_rows] }
    }

    /// Adds a block: one row of `offsets.len()` logarithms for each row. What is left in
    /// `block` has no meaning.
    pub fn add(&mut self, block: &mut [f64], offsets: &[f64]) {
        pulp::Arch::new().dispatch(AddLogs { sums: self, block, offsets });
    }

    /// The logarithms of the sums; −∞ for sums over nothing.
    #[must_use]
    pub fn finish(self) -> Vec<f64> {
        self.largest.iter().zip(&self.sums).map(|(largest, sum)| largest + sum.ln()).collect()
    }
}

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
            // Written so that NaN goes on and shows.
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

/// Replaces each `l_ij` of a block by `exp(l_ij + own_i + other_j)`.
///
/// Exponents must be below 709; those below −708 give 1e-308 instead of less.
pub fn exp_block(block: &mut [f64], own: &[f64], other: &[f64]) {
    pulp::Arch::new().dispatch(ExpBlock { block, own, other });
}

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
