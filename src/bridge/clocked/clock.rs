//! The clock of the cells: a gamma bridge around the pace of the course.

use rand::Rng;
use rand_distr::{Distribution, Gamma, StandardUniform};
use serde::{Deserialize, Serialize};

use crate::bridge::{Pace, UnitTime};
use crate::error::{Error, Result};
use crate::rng::Seed;

/// Cells that share a stream of random numbers. The size is fixed, so draws do not depend on the
/// number of threads.
const CHUNK: usize = 256;

/// The distribution of the cells' own local times G, with asynchrony κ and a [`Pace`] f.
///
/// G is a gamma bridge: increasing, `G(0) = 0`, `G(1) = 1`, with Dirichlet increments,
///
/// ```text
/// G(t) ~ Beta(κ q, κ (1−q)),   (G(t) − G(s)) / (1 − G(s))  ~  Beta(κ (q−p), κ (1−q))  given G(s),
/// ```
///
/// where `q = f(t)` and `p = f(s)`. Its mean is q, its variance `q(1−q)/(κ+1)`. For κ = ∞ all
/// cells have the same clock, `G(t) = f(t)`. For κ = 0 each cell jumps from 0 to 1 at one random
/// time. Source: Yor 2007 (gamma bridges), Ferguson 1973 (Dirichlet increments).
///
/// ```
/// use sbcell::Seed;
/// use sbcell::bridge::{CellClock, Pace, UnitTime};
///
/// # fn main() -> sbcell::Result<()> {
/// let clock = CellClock::new(1.0, Pace::EVEN)?;
/// let half = UnitTime::new(0.5)?;
/// let at_half = clock.start(1000, half, Seed(0));
/// let mean = at_half.iter().map(|g| g.value()).sum::<f64>() / 1000.0;
/// assert!((mean - 0.5).abs() < 0.05);
/// // Clocks only go forward.
/// let later = clock.advance(&at_half, half, UnitTime::new(0.8)?, Seed(1))?;
/// assert!(at_half.iter().zip(&later).all(|(earlier, later)| earlier <= later));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CellClock {
    /// κ; `None` if all cells have the same clock (κ = ∞).
    asynchrony: Option<f64>,
    /// The mean local time.
    pace: Pace,
}

impl CellClock {
    /// A clock with this κ ≥ 0; infinity for cells that move in step.
    ///
    /// # Errors
    /// [`Error::Parameter`] if κ is negative or not a number.
    pub fn new(asynchrony: f64, pace: Pace) -> Result<Self> {
        if asynchrony.is_nan() || asynchrony < 0.0 {
            let (name, must) = ("asynchrony", "at least 0");
            return Err(Error::Parameter { name, must, got: asynchrony.to_string() });
        }
        Ok(Self { asynchrony: Some(asynchrony).filter(|kappa| kappa.is_finite()), pace })
    }

    /// κ, infinity if all cells have the same clock.
    pub fn asynchrony(&self) -> f64 {
        self.asynchrony.unwrap_or(f64::INFINITY)
    }

    /// The mean local time of an interval.
    pub fn pace(&self) -> Pace {
        self.pace
    }

    /// Whether the clock of every cell is t itself.
    pub fn is_plain(&self) -> bool {
        self.asynchrony.is_none() && self.pace.is_even()
    }

    /// Clocks of `n` cells at `t`.
    pub fn start(&self, n: usize, t: UnitTime, seed: Seed) -> Vec<UnitTime> {
        self.drawn(&vec![UnitTime::START; n], UnitTime::START, self.pace.at(t), seed)
    }

    /// Clocks at `to`, given the clocks `at` of the same cells at `from`.
    ///
    /// # Errors
    /// [`Error::Parameter`] if `to` is before `from`.
    pub fn advance(
        &self,
        at: &[UnitTime],
        from: UnitTime,
        to: UnitTime,
        seed: Seed,
    ) -> Result<Vec<UnitTime>> {
        from.until(to)?;
        Ok(self.drawn(at, self.pace.at(from), self.pace.at(to), seed))
    }

    /// As [`CellClock::advance`], between the mean local times `p` and `q`.
    fn drawn(&self, at: &[UnitTime], p: UnitTime, q: UnitTime, seed: Seed) -> Vec<UnitTime> {
        let Some(kappa) = self.asynchrony else { return vec![q; at.len()] };
        if q == UnitTime::END {
            return vec![UnitTime::END; at.len()];
        }
        let (passed, left) = (q.value() - p.value(), 1.0 - q.value());
        if passed <= 0.0 {
            return at.to_vec();
        }
        let mut clocks = Vec::with_capacity(at.len());
        for (chunk, cells) in at.chunks(CHUNK).enumerate() {
            let mut stream = seed.stream("clock/advance", chunk as u64);
            for cell in cells {
                let share = if kappa > 0.0 {
                    beta(kappa * passed, kappa * left, &mut stream)
                } else {
                    let level: f64 = StandardUniform.sample(&mut stream);
                    if level * (passed + left) < passed { 1.0 } else { 0.0 }
                };
                let now = cell.value();
                let next = (now + (1.0 - now) * share).clamp(now, 1.0);
                clocks.push(UnitTime::new(next).unwrap_or(*cell));
            }
        }
        clocks
    }
}

/// A draw of Beta(a, b), as the share of two gamma variables whose logarithms are drawn, so that
/// small a and b do not underflow.
fn beta(a: f64, b: f64, stream: &mut impl Rng) -> f64 {
    let (ln_a, ln_b) = (log_gamma_draw(a, stream), log_gamma_draw(b, stream));
    1.0 / (1.0 + (ln_b - ln_a).exp())
}

/// The logarithm of a draw of Gamma(shape, 1): a draw of shape + 1 times `U^(1/shape)` (Marsaglia
/// and Tsang 2000, section 6).
fn log_gamma_draw(shape: f64, stream: &mut impl Rng) -> f64 {
    let uniform: f64 = StandardUniform.sample(stream);
    // 1 − U is never zero.
    let boost = (1.0 - uniform).ln() / shape;
    let Ok(gamma) = Gamma::new(shape + 1.0, 1.0) else { return boost };
    let draw: f64 = gamma.sample(stream);
    draw.max(f64::MIN_POSITIVE).ln() + boost
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(t: f64) -> UnitTime {
        UnitTime::new(t).unwrap()
    }

    fn moments(values: &[UnitTime]) -> (f64, f64) {
        let n = values.len() as f64;
        let mean = values.iter().map(|g| g.value()).sum::<f64>() / n;
        let variance = values.iter().map(|g| (g.value() - mean).powi(2)).sum::<f64>() / n;
        (mean, variance)
    }

    #[test]
    fn clocks_have_the_moments_and_the_tails_of_their_beta_law() {
        let n = 40_000;
        for (kappa, t) in [(1.0, 0.5), (1.0, 0.2), (4.0, 0.7), (0.05, 0.5), (1e-3, 0.3)] {
            let clock = CellClock::new(kappa, Pace::EVEN).unwrap();
            let drawn = clock.start(n, time(t), Seed(3));
            let (mean, variance) = moments(&drawn);
            let wanted = t * (1.0 - t) / (kappa + 1.0);
            let error = 5.0 / (n as f64).sqrt();
            assert!((mean - t).abs() < error * wanted.sqrt(), "{kappa} {t}: {mean}");
            assert!((variance - wanted).abs() < error * wanted, "{kappa} {t}: {variance}");
        }
        // Beta(½, ½) is the arcsine law: P(G < x) = (2/π) arcsin √x.
        let drawn = CellClock::new(1.0, Pace::EVEN).unwrap().start(n, time(0.5), Seed(4));
        for x in [0.01_f64, 0.1, 0.5, 0.9] {
            let below = drawn.iter().filter(|g| g.value() < x).count() as f64 / n as f64;
            let wanted = 2.0 / std::f64::consts::PI * x.sqrt().asin();
            assert!((below - wanted).abs() < 0.0125, "{x}: {below} {wanted}");
        }
        // Beta(κt, κ(1−t)) with κ = 2, t = ½ is uniform.
        let drawn = CellClock::new(2.0, Pace::EVEN).unwrap().start(n, time(0.5), Seed(5));
        let below = drawn.iter().filter(|g| g.value() < 0.2).count() as f64 / n as f64;
        assert!((below - 0.2).abs() < 0.01, "{below}");
    }

    #[test]
    fn two_steps_have_the_law_of_one() {
        let (n, kappa, s, t) = (40_000, 1.5, 0.3, 0.8);
        let clock = CellClock::new(kappa, Pace::EVEN).unwrap();
        let first = clock.start(n, time(s), Seed(1));
        let second = clock.advance(&first, time(s), time(t), Seed(2)).unwrap();
        let (mean, variance) = moments(&second);
        let wanted = t * (1.0 - t) / (kappa + 1.0);
        let error = 5.0 / (n as f64).sqrt();
        assert!((mean - t).abs() < error * wanted.sqrt());
        assert!((variance - wanted).abs() < error * wanted);
        // Cov(G(s), G(t)) = s (1−t) / (κ+1).
        let pairs = first.iter().zip(&second);
        let product = pairs.map(|(a, b)| a.value() * b.value()).sum::<f64>() / n as f64;
        let covariance = product - moments(&first).0 * mean;
        assert!((covariance - s * (1.0 - t) / (kappa + 1.0)).abs() < 0.003, "{covariance}");
        assert!(first.iter().zip(&second).all(|(a, b)| a <= b));
        assert!(clock.advance(&second, time(t), time(s), Seed(0)).is_err());
    }

    #[test]
    fn both_limits_are_exact() {
        let t = time(0.3);
        let step = CellClock::new(f64::INFINITY, Pace::EVEN).unwrap();
        assert!(step.is_plain());
        assert_eq!(step.start(3, t, Seed(0)), [t; 3]);
        let jump = CellClock::new(0.0, Pace::EVEN).unwrap();
        let n = 20_000;
        let drawn = jump.start(n, t, Seed(0));
        let arrived = drawn.iter().filter(|g| **g == UnitTime::END).count();
        assert_eq!(arrived + drawn.iter().filter(|g| **g == UnitTime::START).count(), n);
        assert!((arrived as f64 / n as f64 - 0.3).abs() < 0.017);
        // Who has arrived stays, and the rest arrive at the rate of the remaining time.
        let later = jump.advance(&drawn, t, time(0.6), Seed(1)).unwrap();
        let arrived = later.iter().filter(|g| **g == UnitTime::END).count();
        assert!((arrived as f64 / n as f64 - 0.6).abs() < 0.018);
        assert!(drawn.iter().zip(&later).all(|(a, b)| a <= b));
        assert_eq!(jump.start(2, UnitTime::END, Seed(0)), [UnitTime::END; 2]);
        assert_eq!(jump.start(2, UnitTime::START, Seed(0)), [UnitTime::START; 2]);
        for bad in [-0.1, f64::NAN] {
            assert!(CellClock::new(bad, Pace::EVEN).is_err());
        }
    }

    #[test]
    fn clocks_go_around_the_pace() {
        let pace = Pace::new(3.0, 1.0).unwrap();
        let clock = CellClock::new(2.0, pace).unwrap();
        let (mean, variance) = moments(&clock.start(40_000, time(0.5), Seed(7)));
        assert!((mean - 0.625).abs() < 0.008, "{mean}");
        assert!((variance - 0.625 * 0.375 / 3.0).abs() < 0.003, "{variance}");
        let step = CellClock::new(f64::INFINITY, pace).unwrap();
        assert!(!step.is_plain());
        assert!((step.start(1, time(0.5), Seed(0))[0].value() - 0.625).abs() < 1e-12);
    }
}
