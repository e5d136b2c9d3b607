//! The exponential of many numbers at once, softmax of rows, and log-sum-exp.

use crate::platform::cpu;

/// Replaces every value by its exponential.
///
/// The error is at most 2 units in the last place for results from 1e-307 to 1e307. Smaller results
/// are about 1e-308 and larger ones about 1e307, instead of 0 and infinity; NaN stays NaN.
///
/// The loop has no branch and no call. The compiler therefore uses the widest vector instructions
/// of the machine, about 30 flops per value. Results do not depend on their width, since no
/// operations are fused.
pub fn exp_in_place(values: &mut [f64]) {
    cpu::arch().dispatch(ExpInPlace(values));
}

/// The loop of [`exp_in_place`], compiled once for each width of vectors.
struct ExpInPlace<'a>(&'a mut [f64]);

impl pulp::NullaryFnOnce for ExpInPlace<'_> {
    type Output = ();

    #[expect(clippy::inline_always, reason = "only code inlined into `dispatch` is vectorised")]
    #[inline(always)]
    fn call(self) {
        for value in self.0 {
            *value = exp(*value);
        }
    }
}

/// Replaces each row `l_i` of logarithms by `masses_i · exp(l_ij) / Σ_k exp(l_ik)` (softmax).
///
/// `logs` has `masses.len()` rows of `n_columns` values. `totals[i]` becomes `ln Σ_j exp(l_ij)`.
/// The function subtracts the largest entry of a row first, so nothing overflows. Every row must
/// have a finite entry. Entries below 1e-150 of the largest of their row become zero. Vector
/// instructions as in [`exp_in_place`].
pub fn softmax_rows(logs: &mut [f64], n_columns: usize, masses: &[f64], totals: &mut [f64]) {
    if n_columns > 0 {
        cpu::arch().dispatch(SoftmaxRows { logs, n_columns, masses, totals });
    }
}

/// The loop of [`softmax_rows`], with the same arguments.
struct SoftmaxRows<'a> {
    logs: &'a mut [f64],
    n_columns: usize,
    masses: &'a [f64],
    totals: &'a mut [f64],
}

impl pulp::NullaryFnOnce for SoftmaxRows<'_> {
    type Output = ();

    #[expect(clippy::inline_always, reason = "only code inlined into `dispatch` is vectorised")]
    #[inline(always)]
    fn call(self) {
        let Self { logs, n_columns, masses, totals } = self;
        // One exponential pass covers several short rows and so fills whole vectors. The block
        // stays in the cache.
        let n_rows = (TOGETHER / n_columns).max(1);
        let blocks = logs.chunks_mut(n_rows * n_columns).zip(masses.chunks(n_rows));
        for ((block, masses), totals) in blocks.zip(totals.chunks_mut(n_rows)) {
            for (row, total) in block.chunks_exact_mut(n_columns).zip(totals.iter_mut()) {
                *total = folded(row, f64::NEG_INFINITY, |a, b| if b > a { b } else { a });
                for value in row {
                    *value -= *total;
                }
            }
            for value in block.iter_mut() {
                *value = exp(*value);
            }
            let rows = block.chunks_exact_mut(n_columns).zip(masses);
            for ((row, mass), total) in rows.zip(totals.iter_mut()) {
                let sum = folded(row, 0.0, |a, b| a + b);
                let scale = mass / sum;
                for value in row {
                    *value = if *value < NEGLIGIBLE { 0.0 } else { *value * scale };
                }
                *total += sum.ln();
            }
        }
    }
}

/// Share of the largest entry of a row below which a softmax is zero.
///
/// It changes no sum. Products of smaller numbers would be subnormal, and some processors take
/// about a hundred times as long for each of them.
const NEGLIGIBLE: f64 = 1e-150;

/// Number of values in a block of rows.
const TOGETHER: usize = 2048;

/// Combines values in eight lanes, then combines the lanes; the order suits vectors of any width.
///
/// `start` must be the neutral element of `combine`.
#[inline]
pub(super) fn folded(values: &[f64], start: f64, combine: impl Fn(f64, f64) -> f64) -> f64 {
    let mut lanes = [start; 8];
    let (eights, rest) = values.as_chunks::<8>();
    for eight in eights {
        for (lane, value) in lanes.iter_mut().zip(eight) {
            *lane = combine(*lane, *value);
        }
    }
    for (lane, value) in lanes.iter_mut().zip(rest) {
        *lane = combine(*lane, *value);
    }
    lanes.into_iter().fold(start, combine)
}

/// `ln Σ exp(values)` without overflow; −∞ for no values.
#[must_use]
pub fn log_sum_exp(values: &[f64]) -> f64 {
    let largest = values.iter().fold(f64::NEG_INFINITY, |a, &b| if b > a { b } else { a });
    if largest.is_infinite() {
        return largest;
    }
    largest + values.iter().map(|value| (value - largest).exp()).sum::<f64>().ln()
}

/// `eˣ` with the accuracy of [`exp_in_place`], for inlining into a dispatched loop.
///
/// With `x = n ln 2 + r`, `|r| ≤ ½ ln 2`, the result is `2ⁿ` times a Taylor polynomial of `r`.
#[inline]
pub(super) fn exp(x: f64) -> f64 {
    // Adding 1.5·2⁵² rounds to an integer, which is then in the low bits of the sum.
    const SHIFT: f64 = 6_755_399_441_055_744.0;
    // ln 2 as a sum of two parts, so that n·ln 2 is exact enough.
    const LN2_HIGH: f64 = 0.693_147_180_369_123_8;
    const LN2_LOW: f64 = 1.908_214_929_270_587_7e-10;
    // `if` instead of `clamp` and `max` passes NaN on and compiles to one instruction.
    let x = if x < -708.0 { -708.0 } else { x };
    let x = if x > 709.0 { 709.0 } else { x };
    let shifted = x * std::f64::consts::LOG2_E + SHIFT;
    let n = shifted - SHIFT;
    let r = (x - n * LN2_HIGH) - n * LN2_LOW;
    let power = f64::from_bits((shifted.to_bits() << 52).wrapping_add(0x3ff0_0000_0000_0000));
    series(r) * power
}

/// The Taylor polynomial of `eʳ` of degree 13; its remainder is below 4e-18 for |r| ≤ ½ ln 2.
#[inline]
fn series(r: f64) -> f64 {
    const fn inverse_factorial(n: u32) -> f64 {
        let (mut product, mut i) = (1.0, 1);
        while i <= n {
            product *= i as f64;
            i += 1;
        }
        1.0 / product
    }
    // Estrin's scheme: the pairs do not depend on each other, so they are computed in parallel.
    let r2 = r * r;
    let pair = |n: u32| inverse_factorial(n) + inverse_factorial(n + 1) * r;
    let high = pair(8) + r2 * (pair(10) + r2 * pair(12));
    let r4 = r2 * r2;
    let low = 0.5 + r * inverse_factorial(3) + r2 * pair(4) + r4 * (pair(6) + r2 * high);
    1.0 + (r + r2 * low)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_the_standard_library() {
        let worst = (-70_000..70_000)
            .map(|i| f64::from(i) * 0.01 + 0.003)
            .map(|x| ((exp(x) - x.exp()) / x.exp()).abs())
            .fold(0.0, f64::max);
        assert!(worst < 5e-16, "{worst:e}");
        assert!((exp(0.0) - 1.0).abs() < 1e-300);
    }

    #[test]
    fn extremes_stay_finite_and_nan_stays_nan() {
        let mut values = [-1e9, f64::NEG_INFINITY, 1e9, f64::NAN];
        exp_in_place(&mut values);
        assert!(values[0] < 1e-300 && values[1] < 1e-300 && values[2] > 1e300);
        assert!(values[2].is_finite() && values[3].is_nan());
    }

    #[test]
    fn softmax_and_log_sum_exp_agree_with_the_direct_sum() {
        let rows = [[0.3, -1.2, 2.0], [1000.0, 999.0, -1000.0]];
        let mut logs = rows.concat();
        let mut totals = [0.0; 2];
        softmax_rows(&mut logs, 3, &[1.0, 0.5], &mut totals);
        let direct: f64 = rows[0].iter().map(|x: &f64| x.exp()).sum::<f64>().ln();
        assert!((totals[0] - direct).abs() < 1e-14);
        assert!((logs[1] - (-1.2 - direct).exp()).abs() < 1e-15);
        let second = 0.5 / (1.0 + (-1.0_f64).exp());
        assert!((logs[3] - second).abs() < 1e-15 && (logs[3] + logs[4] - 0.5).abs() < 1e-15);
        assert!((totals[1] - (1000.0 + (1.0 + (-1.0_f64).exp()).ln())).abs() < 1e-12);
        assert!((log_sum_exp(&rows[1]) - totals[1]).abs() < 1e-12);
        assert!(log_sum_exp(&[]) < f64::MIN);
        // Nothing is subnormal.
        let mut far = [0.0, -340.0, -350.0, -800.0];
        softmax_rows(&mut far, 4, &[1e-4], &mut [0.0]);
        assert!(far[1] > 1e-152 && far[2..].iter().all(|value| value.abs() < f64::MIN_POSITIVE));
        assert!(far.iter().all(|value| !value.is_subnormal()));
    }
}
