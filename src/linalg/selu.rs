//! SELU, the activation function of the networks, with its derivative and exponential.

use crate::platform::cpu;

/// `λ` of Klambauer et al. 2017 (arXiv 1706.02515), rounded as in PyTorch.
const SCALE: f32 = 1.050_701;
/// `λ α` of the same source.
const SCALE_ALPHA: f32 = 1.758_099_3;

/// Adds `bias` to every row of `rows` and applies SELU to each value.
///
/// SELU is `λ x` for positive `x` and `λ α (eˣ − 1)` otherwise. `rows` has as many columns as
/// `bias` has entries. The error is at most 3e-7 for results of order one. Operations are not
/// fused, so that vectors of any width give the same bits.
pub(super) fn add_bias_selu(rows: &mut [f32], bias: &[f32]) {
    cpu::arch().dispatch(AddBiasSelu { rows, bias });
}

/// The loop of [`add_bias_selu`], compiled once for each width of vectors.
struct AddBiasSelu<'a> {
    rows: &'a mut [f32],
    bias: &'a [f32],
}

impl pulp::NullaryFnOnce for AddBiasSelu<'_> {
    type Output = ();

    #[expect(clippy::inline_always, reason = "only code inlined into `dispatch` is vectorised")]
    #[inline(always)]
    fn call(self) {
        if self.bias.is_empty() {
            return;
        }
        for row in self.rows.chunks_exact_mut(self.bias.len()) {
            for (value, bias) in row.iter_mut().zip(self.bias) {
                *value = selu(*value + *bias);
            }
        }
    }
}

/// Multiplies each value of `gradient` by the derivative of SELU at the point of `activation`.
///
/// The derivative follows from the result `a` of SELU alone: `λ` if `a > 0`, `a + λ α` otherwise.
/// The inputs of SELU therefore need not be kept.
pub(super) fn times_selu_slope(gradient: &mut [f32], activation: &[f32]) {
    cpu::arch().dispatch(TimesSlope { gradient, activation });
}

/// The loop of [`times_selu_slope`].
struct TimesSlope<'a> {
    gradient: &'a mut [f32],
    activation: &'a [f32],
}

impl pulp::NullaryFnOnce for TimesSlope<'_> {
    type Output = ();

    #[expect(clippy::inline_always, reason = "only code inlined into `dispatch` is vectorised")]
    #[inline(always)]
    fn call(self) {
        for (gradient, activation) in self.gradient.iter_mut().zip(self.activation) {
            let slope = *activation + SCALE_ALPHA;
            *gradient *= if *activation > 0.0 { SCALE } else { slope };
        }
    }
}

/// [`add_bias_selu`] in double precision, with the same constants.
pub(super) fn add_bias_selu_f64(rows: &mut [f64], bias: &[f64]) {
    cpu::arch().dispatch(AddBiasSelu64 { rows, bias });
}

/// The loop of [`add_bias_selu_f64`].
struct AddBiasSelu64<'a> {
    rows: &'a mut [f64],
    bias: &'a [f64],
}

impl pulp::NullaryFnOnce for AddBiasSelu64<'_> {
    type Output = ();

    #[expect(clippy::inline_always, reason = "only code inlined into `dispatch` is vectorised")]
    #[inline(always)]
    fn call(self) {
        if self.bias.is_empty() {
            return;
        }
        for row in self.rows.chunks_exact_mut(self.bias.len()) {
            for (value, bias) in row.iter_mut().zip(self.bias) {
                *value = selu_f64(*value + *bias);
            }
        }
    }
}

/// SELU of one number in double precision, with the constants of single precision.
#[inline]
pub(super) fn selu_f64(x: f64) -> f64 {
    let below = if x > 0.0 { 0.0 } else { x };
    let above = if x > 0.0 { x } else { 0.0 };
    f64::from(SCALE) * above + f64::from(SCALE_ALPHA) * (super::exp::exp(below) - 1.0)
}

/// The derivative of [`selu_f64`] at the point where its value is `activation`.
#[must_use]
pub(super) fn selu_slope_f64(activation: f64) -> f64 {
    if activation > 0.0 { f64::from(SCALE) } else { activation + f64::from(SCALE_ALPHA) }
}

/// SELU of one number without branches.
#[inline]
fn selu(x: f32) -> f32 {
    // These comparisons pass NaN on.
    let below = if x > 0.0 { 0.0 } else { x };
    let above = if x > 0.0 { x } else { 0.0 };
    SCALE * above + SCALE_ALPHA * (exp(below) - 1.0)
}

/// `eˣ` for `x ≤ 0`, with an error of at most 2 units in the last place.
///
/// The result is about 1e-38 for `x < −87`. The method is that of the exponential in double
/// precision: `eˣ = 2ⁿ eʳ` with a Taylor polynomial for `eʳ`.
#[inline]
fn exp(x: f32) -> f32 {
    // Adding 1.5·2²³ rounds to an integer, which is then in the low bits of the sum.
    const SHIFT: f32 = 12_582_912.0;
    // ln 2 as a sum of two parts, so that n·ln 2 is exact enough.
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    let x = if x < -87.0 { -87.0 } else { x };
    let shifted = x * std::f32::consts::LOG2_E + SHIFT;
    let n = shifted - SHIFT;
    let r = (x - n * LN2_HIGH) - n * LN2_LOW;
    let power = f32::from_bits((shifted.to_bits() << 23).wrapping_add(0x3f80_0000));
    // Taylor polynomial of degree 7; its remainder is below 6e-9 for |r| ≤ ½ ln 2.
    let r2 = r * r;
    let high = (1.0 / 120.0 + r * (1.0 / 720.0)) + r2 * (1.0 / 5040.0);
    let low = (0.5 + r * (1.0 / 6.0)) + r2 * (1.0 / 24.0 + r * high);
    (1.0 + (r + r2 * low)) * power
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_double_precision() {
        let xs: Vec<f32> = (-20_000..5_000).map(|i| i as f32 * 0.001 + 0.000_3).collect();
        let mut found = xs.clone();
        add_bias_selu(&mut found, &[0.0]);
        for (x, found) in xs.iter().zip(&found) {
            let expected = selu_f64(f64::from(*x));
            // Three roundings of numbers up to two, or relative to the value beyond.
            let bound = 3e-7 * expected.abs().max(1.0);
            assert!((f64::from(*found) - expected).abs() < bound, "{x}: {found} {expected}");
        }
        let worst = (-86_999..0)
            .map(|i| i as f32 * 0.001)
            .map(|x| ((f64::from(exp(x)) - f64::from(x).exp()) / f64::from(x).exp()).abs())
            .fold(0.0, f64::max);
        assert!(worst < 2.4e-7, "{worst:e}");
    }

    #[test]
    fn extremes_are_finite_and_nan_stays_nan() {
        let mut values = [-1e30, f32::NEG_INFINITY, f32::NAN, 1e30];
        add_bias_selu(&mut values, &[0.0]);
        assert!((values[0] + SCALE_ALPHA).abs() < 1e-6 && (values[1] + SCALE_ALPHA).abs() < 1e-6);
        assert!(values[2].is_nan() && values[3] > 1e30);
    }

    #[test]
    fn the_slope_is_the_derivative_and_biases_are_added_by_column() {
        let mut rows = [0.5, -0.5, -1.0, 2.0];
        add_bias_selu(&mut rows, &[0.25, -0.25]);
        for (value, x) in rows.iter().zip([0.75, -0.75, -0.75, 1.75]) {
            assert!((f64::from(*value) - selu_f64(x)).abs() < 3e-7);
            let slope = (selu_f64(x + 1e-6) - selu_f64(x - 1e-6)) / 2e-6;
            assert!((selu_slope_f64(f64::from(*value)) - slope).abs() < 1e-6);
            let mut gradient = [2.0];
            times_selu_slope(&mut gradient, &[*value]);
            assert!((f64::from(gradient[0]) - 2.0 * slope).abs() < 1e-6);
        }
    }
}
