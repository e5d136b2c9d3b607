//! Scaled modified Bessel functions: the Chebyshev coefficients of the exponential.

/// `e^{−x} I_k(x)` for `k = 0, 1, …, K` and `x ≥ 0`.
///
/// `K` is the smallest order for which `2 Σ_{k>K} e^{−x} I_k(x) ≤ 10⁻¹⁷`. All values are
/// positive.
///
/// The function runs the recurrence `I_{k−1} = I_{k+1} + (2k/x) I_k` downwards, where it is stable
/// (Miller's method). It then divides by `I_0 + 2 Σ_k I_k = e^x`, which also removes the unknown
/// factor of the recurrence. No value overflows for any `x`. Time `O(√x + 40)`. Source: Abramowitz
/// & Stegun, 9.6.26, 9.6.36, 9.12.
#[must_use]
pub(crate) fn scaled_bessel(x: f64) -> Vec<f64> {
    if x < 1e-300 {
        return vec![1.0];
    }
    // I_k(x) e^{−x} decays as exp(−k²/2x) for small k, then as (ex/2k)^k.
    let order = (12.0 * x.sqrt() + 40.0).ceil() as usize;
    let mut values = vec![0.0; order + 2];
    values[order] = 1.0;
    for k in (1..=order).rev() {
        values[k - 1] = values[k + 1] + 2.0 * k as f64 / x * values[k];
        let scale = values[k - 1];
        if scale > 1e250 {
            values[k - 1..].iter_mut().for_each(|value| *value /= scale);
        }
    }
    let sum = values[0] + 2.0 * values[1..].iter().rev().sum::<f64>();
    for value in &mut values {
        *value /= sum;
    }
    let mut tail = 0.0;
    while let Some(&last) = values.last() {
        tail += 2.0 * last;
        if tail > 1e-17 {
            break;
        }
        values.pop();
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_scipy() {
        // scipy.special.ive(k, x), scipy 1.17.
        let known = [
            (0, 0.5, 0.645_035_270_449_150_1),
            (3, 0.5, 0.001_604_341_507_565_460_4),
            (0, 5.0, 0.183_540_812_609_328_34),
            (10, 5.0, 3.086_009_654_986_541e-5),
            (0, 300.0, 0.023_042_558_415_085_47),
            (40, 300.0, 0.001_600_289_829_193_06),
        ];
        for (k, x, expected) in known {
            let found = scaled_bessel(x)[k];
            assert!((found - expected).abs() < 1e-13 * expected, "I_{k}({x}): {found}");
        }
    }

    #[test]
    fn sums_to_one_for_any_argument() {
        for x in [0.0, 1e-12, 1e-3, 0.7, 20.0, 1e3, 1e5] {
            let values = scaled_bessel(x);
            let sum = values[0] + 2.0 * values[1..].iter().sum::<f64>();
            // A thousand roundings at most.
            assert!((sum - 1.0).abs() < 1e-13, "{x}: {sum}");
            assert!(values.iter().all(|value| *value > 0.0), "{x}");
            assert!(values.windows(2).all(|pair| pair[1] < pair[0]), "{x}");
        }
    }
}
