//! The pace of an interval: its mean local time, faster at one end than at the other.

use serde::{Deserialize, Serialize};

use crate::bridge::UnitTime;
use crate::error::{Error, Result};

/// The mean local time `f(t)` of the cells of an interval at the fraction t of its duration.
///
/// The speed changes linearly from `start` to `end`:
///
/// ```text
/// f(t) = (v₀ t + (v₁ − v₀) t²/2) / ((v₀ + v₁)/2),   f'(t) = 2 (v₀ + (v₁ − v₀) t) / (v₀ + v₁)
/// ```
///
/// so that f(0) = 0 and f(1) = 1. Equal speeds give f(t) = t. Only the ratio of the speeds matters.
///
/// ```
/// use sbcell::bridge::{Pace, UnitTime};
///
/// # fn main() -> sbcell::Result<()> {
/// let half = UnitTime::new(0.5)?;
/// assert_eq!(Pace::EVEN.at(half), half);
/// // Three times as fast at the start: more than half of the way after half of the time.
/// assert!((Pace::new(3.0, 1.0)?.at(half).value() - 0.625).abs() < 1e-12);
/// assert!(Pace::new(0.0, 1.0).is_err());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pace {
    /// Speed at the start of the interval, > 0.
    start: f64,
    /// Speed at the end of the interval, > 0.
    end: f64,
}

impl Pace {
    /// The pace of an interval that cells cross at constant speed.
    pub const EVEN: Self = Self { start: 1.0, end: 1.0 };

    /// A pace with these speeds at the ends, in any unit.
    ///
    /// # Errors
    /// [`Error::Parameter`] unless both are finite and > 0.
    pub fn new(start: f64, end: f64) -> Result<Self> {
        for speed in [start, end] {
            if !(speed > 0.0 && speed.is_finite()) {
                let (name, must) = ("the speed of a course", "finite and > 0");
                return Err(Error::Parameter { name, must, got: speed.to_string() });
            }
        }
        Ok(Self { start, end })
    }

    /// The two speeds, at the start and at the end.
    pub fn speeds(self) -> [f64; 2] {
        [self.start, self.end]
    }

    /// Whether both speeds are the same, up to rounding.
    pub fn is_even(self) -> bool {
        (self.start - self.end).abs() <= 1e-12 * (self.start + self.end)
    }

    /// Mean local time at the fraction `t` of the duration. 0, 1 and an even pace are exact.
    #[must_use]
    pub fn at(self, t: UnitTime) -> UnitTime {
        if self.is_even() || t == UnitTime::START || t == UnitTime::END {
            return t;
        }
        let (q, change) = (t.value(), self.end - self.start);
        let local = (self.start * q + 0.5 * change * q * q) / (0.5 * (self.start + self.end));
        UnitTime::new(local.clamp(0.0, 1.0)).unwrap_or(t)
    }

    /// The derivative of [`Pace::at`]: mean local time per unit of duration.
    pub fn rate(self, t: UnitTime) -> f64 {
        if self.is_even() {
            return 1.0;
        }
        2.0 * (self.start + (self.end - self.start) * t.value()) / (self.start + self.end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_time_is_the_integral_of_the_rate_and_ends_where_it_must() {
        let pace = Pace::new(2.0, 0.5).unwrap();
        let at = |t: f64| pace.at(UnitTime::new(t).unwrap()).value();
        assert!(at(0.0).abs() < 1e-15 && (at(1.0) - 1.0).abs() < 1e-15);
        let n = 2000;
        let mut sum = 0.0;
        for i in 0..n {
            let middle = (i as f64 + 0.5) / n as f64;
            sum += pace.rate(UnitTime::new(middle).unwrap()) / n as f64;
            assert!((sum - at((i + 1) as f64 / n as f64)).abs() < 1e-9);
        }
        // f(½) = (v₀/2 + (v₁−v₀)/8) / ((v₀+v₁)/2) = (1 − 0.1875) / 1.25.
        assert!((at(0.5) - 0.65).abs() < 1e-12);
        // Only the ratio matters.
        let scaled = Pace::new(40.0, 10.0).unwrap();
        assert!((scaled.at(UnitTime::new(0.3).unwrap()).value() - at(0.3)).abs() < 1e-12);
    }

    #[test]
    fn an_even_pace_is_the_time_itself_and_speeds_are_checked() {
        let t = UnitTime::new(0.3).unwrap();
        assert_eq!(Pace::EVEN.at(t), t);
        assert_eq!(Pace::new(7.0, 7.0).unwrap().at(t), t);
        assert!((Pace::EVEN.rate(t) - 1.0).abs() < 1e-15);
        for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(Pace::new(1.0, bad).is_err() && Pace::new(bad, 1.0).is_err());
        }
    }
}
