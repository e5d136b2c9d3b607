//! The scale and the clock in which an Ornstein-Uhlenbeck process is Brownian motion.

use crate::bridge::UnitTime;
use crate::error::{Error, Result};

/// Largest |b|. Beyond it a cell keeps less than e⁻¹⁰ of its distance from the centre, or a
/// repelling reference leaves fewer than eight digits of the remaining time.
const MOST_PULL: f64 = 10.0;

/// Below this |b| counts as zero: the transformation is the identity to all digits.
const LEAST_PULL: f64 = 1e-100;

/// The transformation of an Ornstein-Uhlenbeck process to Brownian motion.
///
/// For `dX = −b (X − m) dt + √ε dW` the process `Z = g(t) (X − m)` is Brownian motion of variance ε
/// per unit of the time τ, where
///
/// ```text
/// g(t) = √(b / sinh b) e^{b (t − ½)},    τ(t) = ∫₀ᵗ g² = (e^{2bt} − 1) / (e^{2b} − 1)
/// ```
///
/// because `d(e^{bt} (X − m)) = e^{bt} √ε dW`. The constant factor of g makes `τ(1) = 1`. ε is
/// therefore the same in both coordinates, and with it every hyperparameter in the unit of ε. For b
/// = 0, g = 1 and τ = t. A negative b pushes cells away from m.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Clock {
    /// The pull b.
    pull: f64,
    /// `√(b / sinh b)`.
    middle: f64,
}

impl Clock {
    /// The clock for the pull b per unit of local time.
    ///
    /// # Errors
    /// [`Error::Parameter`] unless −10 ≤ `pull` ≤ 10.
    pub(crate) fn new(pull: f64) -> Result<Self> {
        if !(-MOST_PULL..=MOST_PULL).contains(&pull) {
            let must = "between -10 and 10 over an interval";
            return Err(Error::Parameter { name: "pull", must, got: pull.to_string() });
        }
        let pull = if pull.abs() < LEAST_PULL { 0.0 } else { pull };
        let middle = if pull.abs() > 0.0 { (pull / pull.sinh()).sqrt() } else { 1.0 };
        Ok(Self { pull, middle })
    }

    /// The pull b.
    pub(crate) fn pull(self) -> f64 {
        self.pull
    }

    /// The scale `g(t)`.
    pub(crate) fn scale(self, t: UnitTime) -> f64 {
        self.middle * (self.pull * (t.value() - 0.5)).exp()
    }

    /// The transformed time `τ(t)`, from 0 to 1.
    pub(crate) fn time(self, t: UnitTime) -> UnitTime {
        if t == UnitTime::END || self.pull.abs() <= 0.0 {
            return t;
        }
        let double = 2.0 * self.pull;
        let time = (double * t.value()).exp_m1() / double.exp_m1();
        // Rounding can move the quotient out of the interval from 0 to 1.
        UnitTime::new(time.clamp(0.0, 1.0)).unwrap_or(t)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(t: f64) -> UnitTime {
        UnitTime::new(t).unwrap()
    }

    #[test]
    fn the_clock_runs_as_the_square_of_the_scale_and_ends_at_one() {
        for pull in [-10.0, -1.3, -1e-7, 0.0, 1e-200, 1e-7, 0.4, 10.0] {
            let clock = Clock::new(pull).unwrap();
            assert_eq!(clock.time(UnitTime::START), UnitTime::START);
            assert_eq!(clock.time(UnitTime::END), UnitTime::END);
            let step = 1e-5;
            for t in [0.1, 0.5, 0.9] {
                let ahead = clock.time(at(t + step)).value() - clock.time(at(t - step)).value();
                let square = clock.scale(at(t)).powi(2);
                // Central differences: (2b step)² / 6 of truncation, 1e-16 / step of rounding.
                let off = ahead / (2.0 * step) - square;
                assert!(off.abs() < 1e-8 * (1.0 + square), "{pull} {t}: {off:e}");
            }
        }
    }

    #[test]
    fn a_small_pull_changes_little() {
        for pull in [1e-9, -1e-9] {
            let clock = Clock::new(pull).unwrap();
            for t in [0.0, 0.3, 1.0] {
                assert!((clock.time(at(t)).value() - t).abs() < 1e-9);
                assert!((clock.scale(at(t)) - 1.0).abs() < 1e-9);
            }
        }
    }

    #[test]
    fn refuses_a_pull_that_leaves_nothing_of_the_start_and_what_is_no_number() {
        for pull in [10.1, -10.1, f64::NAN, f64::INFINITY] {
            assert!(Clock::new(pull).is_err(), "{pull}");
        }
    }
}
