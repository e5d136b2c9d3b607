//! Simulation of a process in small steps: Euler–Maruyama, and Heun at any diffusion.

use ndarray::{Array2, ArrayView2, s};

use crate::bridge::from_cells::no_score;
use crate::bridge::{Bridge, UnitTime, noise};
use crate::error::range::at_least_one;
use crate::error::{Error, Result};
use crate::linalg::Spectrum;
use crate::rng::Seed;

/// Moves each row of `x` (n × d) from `from` to `to` in `n_steps` Euler–Maruyama steps of the
/// bridge's drift. With no steps it returns `x`.
///
/// Its distribution is wrong by `O(1/n_steps)`. Prefer [`Bridge::sample_transition`], which is
/// exact for most bridges; this function is for complete paths and for tests. A last step that ends
/// at time 1 has the noise that is left there (see [`simulate`]). Takes `n_steps` evaluations of
/// the drift.
///
/// ```
/// use ndarray::array;
/// use sbcell::bridge::{GaussianBridge, UnitTime, euler_maruyama};
/// use sbcell::{Epsilon, Seed};
///
/// # fn main() -> sbcell::Result<()> {
/// let (m0, c0, m1, c1) = (array![0.0], array![[1e-4]], array![1.0], array![[1e-4]]);
/// let epsilon = Epsilon::new(1e-4)?;
/// let bridge = GaussianBridge::between(m0.view(), c0.view(), m1.view(), c1.view(), epsilon)?;
/// let x = array![[0.0]];
/// let y = euler_maruyama(&bridge, x.view(), UnitTime::START, UnitTime::END, 20, Seed(1))?;
/// assert!((y[[0, 0]] - 1.0).abs() < 0.1);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// As [`Bridge::drift`]; [`Error::Parameter`] if `to` is before `from`.
pub fn euler_maruyama(
    bridge: &dyn Bridge,
    x: ArrayView2<'_, f64>,
    from: UnitTime,
    to: UnitTime,
    n_steps: usize,
    seed: Seed,
) -> Result<Array2<f64>> {
    let step = from.until(to)? / n_steps.max(1) as f64;
    let mut x = x.to_owned();
    for i in 0..n_steps {
        let now = UnitTime::new(from.value() + step * i as f64)?;
        let drift = bridge.drift(x.view(), now)?;
        let noise = noise(x.dim(), seed.child("simulate/step", i as u64), "simulate/euler");
        let jump = if i + 1 == n_steps && to == UnitTime::END {
            noise_at_the_end(bridge, x.view(), now, step, noise)?
        } else {
            coloured(bridge, noise) * step.sqrt()
        };
        x.scaled_add(step, &drift);
        x += &jump;
    }
    Ok(x)
}

/// How [`simulate`] moves cells.
///
/// ```
/// use sbcell::bridge::Simulation;
///
/// // The probability flow, in 100 steps.
/// let flow = Simulation { diffusion: 0.0, n_steps: 100 };
/// assert_eq!(flow.n_steps, 100);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Simulation {
    /// Standard deviation of the noise relative to the process: 1 is the process itself, 0 its
    /// probability flow (an ordinary differential equation); not negative.
    pub diffusion: f64,
    /// Number of steps from start to end.
    pub n_steps: usize,
}

/// Moves each row of `x` (n × d) from `from` to `to`, forward or backward, at any diffusion.
///
/// Let `g = diffusion · √ε`, `s` the score and `v = b − (ε/2) s` the velocity of the probability
/// flow. Every process `dX = [v ± (g²/2) s] dt + g dW` (plus forward, minus backward in time) that
/// starts from the distribution of the bridge has this distribution at every time (Tong et al.
/// 2024, arXiv 2307.03672; Albergo et al. 2023, arXiv 2303.08797). The processes differ in which
/// cells descend from which.
///
/// The method is Heun's: a predictor, a corrector, and noise that is drawn once for both. For noise
/// that does not depend on the position it has weak order two. If the way ends at time 0 or 1, the
/// last step is an Euler step, because the drift can be singular there:
///
/// - The process itself (diffusion 1, forward) gets the noise `Cov(X₁ | X_t = x) = h (I + h J(x))
///   A`, with the length h of the step, the Jacobian J of the drift and the covariance A of the
///   noise.
/// - Any other diffusion, and every way that ends at 0, takes a step of the probability flow. It
///   has the same distribution and no noise.
///
/// Each step evaluates drift and score twice.
///
/// ```
/// use ndarray::array;
/// use sbcell::bridge::{GaussianBridge, Simulation, UnitTime, simulate};
/// use sbcell::{Epsilon, Seed};
///
/// # fn main() -> sbcell::Result<()> {
/// let (m0, c0, m1, c1) = (array![0.0], array![[1.0]], array![2.0], array![[4.0]]);
/// let epsilon = Epsilon::new(0.5)?;
/// let bridge = GaussianBridge::between(m0.view(), c0.view(), m1.view(), c1.view(), epsilon)?;
/// // Backward along the probability flow: one standard deviation above the mean stays so.
/// let (x, half) = (array![[4.0]], UnitTime::new(0.5)?);
/// let how = Simulation { diffusion: 0.0, n_steps: 200 };
/// let y = simulate(&bridge, x.view(), UnitTime::END, half, how, Seed(0))?;
/// let expected = 1.0 + bridge.covariance(half)[[0, 0]].sqrt();
/// assert!((y[[0, 0]] - expected).abs() < 1e-2);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// As [`Bridge::drift`]; [`Error::Parameter`] if `diffusion` is negative or not finite, if
/// `n_steps` is 0 although the times differ, or if a score is needed and the bridge does not know
/// one.
pub fn simulate(
    bridge: &dyn Bridge,
    x: ArrayView2<'_, f64>,
    from: UnitTime,
    to: UnitTime,
    how: Simulation,
    seed: Seed,
) -> Result<Array2<f64>> {
    let Simulation { diffusion, n_steps } = how;
    if !(0.0..f64::INFINITY).contains(&diffusion) {
        let (name, must) = ("diffusion", "finite and ≥ 0");
        return Err(Error::Parameter { name, must, got: diffusion.to_string() });
    }
    let (from, to) = (from.value(), to.value());
    let length = to - from;
    let mut x = x.to_owned();
    if length.abs() < f64::MIN_POSITIVE {
        return Ok(x);
    }
    at_least_one("n_steps", n_steps)?;
    let field = Field { bridge, diffusion, forward: length > 0.0 };
    let deviation = diffusion * (length.abs() / n_steps as f64).sqrt();
    let deviation = if bridge.noise_variance() > 0.0 { deviation } else { 0.0 };
    let time =
        |i: usize| UnitTime::new((from + length * i as f64 / n_steps as f64).clamp(0.0, 1.0));
    let ends_outside = to <= 0.0 || to >= 1.0;
    let n_inner = if ends_outside { n_steps - 1 } else { n_steps };
    for i in 0..n_inner {
        let (now, next) = (time(i)?, time(i + 1)?);
        let step = next.value() - now.value();
        let slope = field.at(x.view(), now)?;
        let jump = if deviation > 0.0 {
            let noise = noise(x.dim(), seed.child("simulate/heun", i as u64), "noise");
            coloured(bridge, noise) * deviation
        } else {
            Array2::zeros(x.dim())
        };
        let mut ahead = &x + &jump;
        ahead.scaled_add(step, &slope);
        let corrected = (field.at(ahead.view(), next)? + slope) * (0.5 * step);
        x += &(corrected + jump);
    }
    if ends_outside {
        let seed = seed.child("simulate/heun", n_inner as u64);
        return field.last_step(x, time(n_inner)?, time(n_steps)?, seed);
    }
    Ok(x)
}

/// The noise of a last step of length `step`, from the rows of `x` at `now` to local time 1.
/// `noise` is standard normal, of the shape of `x`.
///
/// Over the last step the drift leads to the mean end, `x + h b = E[X₁ | X_t = x]`. The end
/// scatters around it with `Cov(X₁ | X_t = x) = h (I + h J(x)) A`, where `J = ∂b/∂x` and A is the
/// covariance of the noise per unit of time. Both are exact if the reference is Brownian and `h = 1
/// − t` (Tweedie's formula). The covariance is zero where the process ends in single points, and `h
/// A` where the target is wide. J is the mean over the rows (at most 512 of them), which is exact
/// for Gaussian distributions.
fn noise_at_the_end(
    bridge: &dyn Bridge,
    x: ArrayView2<'_, f64>,
    now: UnitTime,
    step: f64,
    noise: Array2<f64>,
) -> Result<Array2<f64>> {
    /// Rows over which the Jacobian is averaged, at most about.
    const MOST_ROWS: usize = 512;
    if bridge.noise_variance() <= 0.0 || x.nrows() == 0 {
        return Ok(coloured(bridge, noise) * step.sqrt());
    }
    let some = x.slice(s![..; x.nrows().div_ceil(MOST_ROWS), ..]);
    let mut left = bridge.mean_jacobian(some, now)? * step;
    left.diag_mut().map_inplace(|value| *value += 1.0);
    let left = match bridge.noise_factor() {
        Some(factor) => left.dot(&factor).dot(&factor.t()),
        None => left * bridge.noise_variance(),
    };
    let even = (&left + &left.t()) * (0.5 * step);
    let root = Spectrum::new(even.view())?.map(|value| value.max(0.0).sqrt());
    Ok(noise.dot(&root))
}

/// Standard normal rows as noise of the bridge over one unit of time.
fn coloured(bridge: &dyn Bridge, noise: Array2<f64>) -> Array2<f64> {
    match bridge.noise_factor() {
        Some(factor) => noise.dot(&factor.t()),
        None => noise * bridge.noise_variance().sqrt(),
    }
}

/// The drift of a process with the same distribution and another diffusion.
#[derive(Clone, Copy)]
struct Field<'a> {
    /// The process.
    bridge: &'a dyn Bridge,
    /// Standard deviation of the noise relative to the process.
    diffusion: f64,
    /// Whether time increases.
    forward: bool,
}

impl Field<'_> {
    /// The last step, from the rows of `x` at `now` to an end of the interval.
    fn last_step(
        &self,
        mut x: Array2<f64>,
        now: UnitTime,
        end: UnitTime,
        seed: Seed,
    ) -> Result<Array2<f64>> {
        let step = end.value() - now.value();
        let itself = self.forward && (self.diffusion - 1.0).abs() < f64::EPSILON;
        let jump = if itself {
            noise_at_the_end(self.bridge, x.view(), now, step, noise(x.dim(), seed, "noise"))?
        } else {
            Array2::zeros(x.dim())
        };
        let diffusion = if itself { self.diffusion } else { 0.0 };
        let slope = Field { diffusion, ..*self }.at(x.view(), now)?;
        x.scaled_add(step, &slope);
        Ok(x + jump)
    }

    /// The drift at each row of `x`: `b + ½(±diffusion² − 1) ε s`.
    fn at(&self, x: ArrayView2<'_, f64>, t: UnitTime) -> Result<Array2<f64>> {
        let drift = self.bridge.drift(x, t)?;
        let square = self.diffusion * self.diffusion;
        let signed = if self.forward { square } else { -square };
        let factor = 0.5 * (signed - 1.0) * self.bridge.noise_variance();
        if factor.abs() < f64::MIN_POSITIVE {
            return Ok(drift);
        }
        match self.bridge.score(x, t)? {
            Some(score) => Ok(drift + score * factor),
            None => Err(no_score(&self.diffusion.into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;
    use crate::bridge::LightSbBridge;
    use crate::geometry::Epsilon;

    #[test]
    fn small_steps_of_a_gaussian_bridge_reach_the_target() {
        let (mean0, var0) = (array![1.0], array![0.5]);
        let (mean1, var1) = (array![-2.0], array![1.5]);
        let epsilon = Epsilon::new(0.6).unwrap();
        let bridge = LightSbBridge::from_gaussians(
            mean0.view(),
            var0.view(),
            mean1.view(),
            var1.view(),
            epsilon,
        )
        .unwrap();
        let n = 20_000;
        let x = noise((n, 1), Seed(2), "test/source") * 0.5_f64.sqrt() + 1.0;
        let (start, end) = (UnitTime::START, UnitTime::END);
        let y = euler_maruyama(&bridge, x.view(), start, end, 200, Seed(3)).unwrap();
        let error = 5.0 / (n as f64).sqrt();
        assert!((y.mean().unwrap() + 2.0).abs() < error * 1.5 + 0.02, "{}", y.mean().unwrap());
        assert!((y.var(0.0) - 1.5).abs() < error * 3.0 + 0.02, "{}", y.var(0.0));
        assert_eq!(euler_maruyama(&bridge, x.view(), start, end, 0, Seed(3)).unwrap(), x);
        assert!(euler_maruyama(&bridge, x.view(), end, start, 1, Seed(3)).is_err());
    }

    /// Two normal laws whose cells pair up at random, with the noise of a Brownian bridge: the
    /// law at `t` is normal, and all of the process is known.
    #[derive(Debug)]
    struct Paired;

    const MEAN: [f64; 2] = [1.0, -2.0];
    const VARIANCE: [f64; 2] = [0.5, 1.5];
    const NOISE: f64 = 0.6;

    fn mean_and_variance(t: f64) -> (f64, f64) {
        let mean = (1.0 - t) * MEAN[0] + t * MEAN[1];
        let ends = (1.0 - t) * (1.0 - t) * VARIANCE[0] + t * t * VARIANCE[1];
        (mean, ends + NOISE * t * (1.0 - t))
    }

    /// Of the drift.
    fn slope(t: f64) -> f64 {
        let growth = -2.0 * (1.0 - t) * VARIANCE[0] + 2.0 * t * VARIANCE[1];
        let growth = 0.5 * (growth + NOISE * (1.0 - 2.0 * t));
        (growth - 0.5 * NOISE) / mean_and_variance(t).1
    }

    impl Bridge for Paired {
        fn dim(&self) -> usize {
            1
        }

        fn epsilon(&self) -> Epsilon {
            Epsilon::new(NOISE).unwrap()
        }

        fn score(&self, x: ArrayView2<'_, f64>, t: UnitTime) -> Result<Option<Array2<f64>>> {
            let (mean, variance) = mean_and_variance(t.value());
            Ok(Some(x.mapv(|x| -(x - mean) / variance)))
        }

        /// `v + (ε/2) s` with `v = mean' + (variance' / 2 variance) (x − mean)`.
        fn drift(&self, x: ArrayView2<'_, f64>, t: UnitTime) -> Result<Array2<f64>> {
            let mean = mean_and_variance(t.value()).0;
            Ok(x.mapv(|x| MEAN[1] - MEAN[0] + slope(t.value()) * (x - mean)))
        }

        fn mean_jacobian(&self, _: ArrayView2<'_, f64>, t: UnitTime) -> Result<Array2<f64>> {
            Ok(array![[slope(t.value())]])
        }

        fn sample_transition(
            &self,
            x: ArrayView2<'_, f64>,
            _: UnitTime,
            _: UnitTime,
            _: Seed,
        ) -> Result<Array2<f64>> {
            Ok(x.to_owned())
        }

        fn record(&self) -> crate::bridge::BridgeRecord {
            unreachable!("no test writes this bridge")
        }
    }

    #[test]
    fn every_diffusion_forward_and_backward_keeps_the_law() {
        let n = 20_000;
        let t = |t: f64| UnitTime::new(t).unwrap();
        for (from, to) in [(0.0, 0.6), (0.3, 1.0), (1.0, 0.4), (0.8, 0.0)] {
            let (mean, variance) = mean_and_variance(from);
            let x = noise((n, 1), Seed(2), "test/source") * variance.sqrt() + mean;
            for diffusion in [0.0, 0.5, 1.0, 2.0] {
                let how = Simulation { diffusion, n_steps: 60 };
                let y = simulate(&Paired, x.view(), t(from), t(to), how, Seed(3)).unwrap();
                let (mean, variance) = mean_and_variance(to);
                // Five standard errors, and a last Euler step of 1/60 of a span.
                let error = 5.0 / (n as f64).sqrt();
                let off = (y.mean().unwrap() - mean).abs();
                assert!(off < error * variance.sqrt() + 0.01, "{from} {to} {diffusion}: {off}");
                let off = (y.var(0.0) / variance - 1.0).abs();
                assert!(off < error * 1.5 + 0.03, "{from} {to} {diffusion}: {off}");
            }
        }
    }

    #[test]
    fn without_noise_steps_are_of_second_order() {
        let x = array![[0.3], [2.0], [-1.0]];
        let (start, end) = (UnitTime::START, UnitTime::new(0.7).unwrap());
        let run = |n_steps| {
            let how = Simulation { diffusion: 0.0, n_steps };
            simulate(&Paired, x.view(), start, end, how, Seed(3)).unwrap()
        };
        // The flow of a normal law keeps each cell at its quantile.
        let ((m0, v0), (m1, v1)) = (mean_and_variance(0.0), mean_and_variance(0.7));
        let exact = x.mapv(|x| m1 + (x - m0) * (v1 / v0).sqrt());
        let error = |n| (&run(n) - &exact).iter().fold(0.0, |m: f64, v| m.max(v.abs()));
        let ratio = error(20) / error(40);
        assert!((3.5..4.5).contains(&ratio), "{ratio}");
        assert!(error(40) < 1e-3);
    }

    #[test]
    fn refuses_what_a_bridge_without_score_cannot_do() {
        let x = array![[0.3]];
        let one = array![1.0];
        let (one, epsilon) = (one.view(), Epsilon::new(0.6).unwrap());
        let bridge = LightSbBridge::from_gaussians(one, one, one, one, epsilon).unwrap();
        let run = |from, to, diffusion, n_steps| {
            simulate(&bridge, x.view(), from, to, Simulation { diffusion, n_steps }, Seed(1))
        };
        let (start, end) = (UnitTime::START, UnitTime::END);
        assert!(run(start, end, 1.0, 3).is_ok());
        assert!(run(start, end, 0.5, 3).is_err() && run(end, start, 1.0, 3).is_err());
        assert!(run(start, end, f64::NAN, 3).is_err() && run(start, end, -1.0, 3).is_err());
        assert!(run(start, end, 1.0, 0).is_err());
        assert_eq!(run(end, end, 1.0, 0).unwrap(), x);
    }
}
