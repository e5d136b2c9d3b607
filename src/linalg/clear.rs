//! Comparisons with a relative tolerance, for choices that rounding must not decide.
//!
//! Machines with different vectors sum the same numbers in different orders. A plain comparison of
//! two nearly equal scores would then choose differently on each of them.

/// Relative difference below which two scores are equal.
///
/// Two orders of summation differ by about 1e-12, and an iteration amplifies this difference.
/// Differences that matter are far larger than 1e-6.
const SHARE: f64 = 1e-6;

/// Whether `a` is less than `b` by more than a share of 1e-6; `false` if either is NaN.
pub(crate) fn clearly_less(a: f64, b: f64) -> bool {
    b - a > SHARE * a.abs().max(b.abs()).min(f64::MAX)
}

/// Whether `a` is at most `b` or above it by a share of 1e-6 at most; `false` if either is NaN.
pub(crate) fn at_most(a: f64, b: f64) -> bool {
    !a.is_nan() && !b.is_nan() && !clearly_less(b, a)
}

/// The position of the first value that is equal to the least one within rounding.
///
/// A caller lists simple choices first, so that ties go to the simpler choice. NaN is ignored;
/// `None` if there is no number.
pub(crate) fn first_least(values: impl IntoIterator<Item = f64>) -> Option<usize> {
    let values: Vec<f64> = values.into_iter().collect();
    let least = values.iter().copied().filter(|value| !value.is_nan()).min_by(f64::total_cmp)?;
    values.iter().position(|&value| at_most(value, least))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_bits_do_not_decide_and_the_first_is_taken() {
        let scores = [2.0, 1.0 + 3e-7, 1.0, 1.0 - 3e-7];
        for turn in [-1.0_f64, 1.0] {
            let shaken = scores.map(|score| score * (1.0 + turn * 1e-12));
            assert_eq!(first_least(shaken), Some(1));
        }
        assert_eq!(first_least([1.0, 1.0 - 3e-6]), Some(1));
        assert_eq!(first_least([-1.0, -1.0 - 3e-7, -1.1]), Some(2));
    }

    #[test]
    fn what_is_not_finite_is_compared_too() {
        assert_eq!(first_least([f64::NAN, f64::INFINITY]), Some(1));
        assert_eq!(first_least([f64::INFINITY, 3.0, f64::NAN]), Some(1));
        assert_eq!(first_least([f64::NAN]), None);
        assert!(clearly_less(1.0, f64::INFINITY) && clearly_less(f64::NEG_INFINITY, 0.0));
        assert!(!clearly_less(f64::NAN, 1.0) && !clearly_less(1.0, f64::NAN));
        assert!(clearly_less(0.0, 1e-300) && !clearly_less(0.0, 0.0));
        assert!(!clearly_less(f64::INFINITY, f64::INFINITY));
        assert!(at_most(1.0 + 3e-7, 1.0) && !at_most(1.0 + 3e-6, 1.0));
        assert!(!at_most(f64::NAN, 1.0) && !at_most(1.0, f64::NAN));
    }
}
