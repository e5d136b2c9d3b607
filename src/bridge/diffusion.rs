//! Schedules of the diffusion over an interval, and the simulation of a process at any of them.

use ndarray::{Array2, ArrayView2};
use serde::{Deserialize, Serialize};

use crate::bridge::{Bridge, Simulation, UnitTime, simulate};
use crate::error::range::at_least_one;
use crate::error::{Error, Result};
use crate::rng::Seed;

/// The diffusion g(t) of a simulation at each local time, as a multiple of the diffusion of the
/// process.
///
/// g = 1 is the process itself, g = 0 its probability flow. Every schedule has the marginals of the
/// bridge if the score is exact; schedules differ in which cells descend from which. Local time is
/// that of the interval also if cells move backward.
///
/// ```
/// use sbcell::bridge::{Diffusion, UnitTime};
///
/// let half = UnitTime::new(0.5)?;
/// assert_eq!(Diffusion::from(0.3).at(half), 0.3);
/// assert_eq!(Diffusion::Linear { start: 0.5, end: 1.5 }.at(half), 1.0);
/// let table = Diffusion::Table(vec![[0.2, 0.0], [0.7, 2.0]]);
/// assert_eq!(table.at(UnitTime::START), 0.0);
/// assert!((table.at(half) - 1.2).abs() < 1e-12);
/// assert!(table.check().is_ok() && Diffusion::from(-1.0).check().is_err());
/// # sbcell::Result::Ok(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Diffusion {
    /// The same at every time.
    Constant(f64),
    /// From `start` at local time 0 to `end` at local time 1.
    Linear {
        /// The diffusion at local time 0.
        start: f64,
        /// The diffusion at local time 1.
        end: f64,
    },
    /// Rows `[t, g]` with increasing local times. Between rows g is linear, before the first and
    /// after the last it is constant.
    Table(Vec<[f64; 2]>),
}

impl From<f64> for Diffusion {
    fn from(constant: f64) -> Self {
        Self::Constant(constant)
    }
}

impl std::fmt::Display for Diffusion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Constant(value) => value.fmt(f),
            Self::Linear { start, end } => write!(f, "{start}:{end}"),
            Self::Table(rows) => write!(f, "a table of {} times", rows.len()),
        }
    }
}

impl Diffusion {
    /// Checks that all values are finite and not negative, and that a table has increasing local
    /// times.
    ///
    /// # Errors
    /// [`Error::Parameter`] with the first value that is not.
    pub fn check(&self) -> Result<()> {
        let one = |value: f64| {
            if (0.0..f64::INFINITY).contains(&value) {
                return Ok(());
            }
            let (name, must) = ("diffusion", "finite and ≥ 0");
            Err(Error::Parameter { name, must, got: value.to_string() })
        };
        match self {
            Self::Constant(value) => one(*value),
            Self::Linear { start, end } => one(*start).and_then(|()| one(*end)),
            Self::Table(rows) => {
                let increasing = rows.windows(2).all(|pair| pair[0][0] < pair[1][0]);
                let local = rows.iter().all(|row| (0.0..=1.0).contains(&row[0]));
                if rows.is_empty() || !increasing || !local {
                    let (name, must) = ("diffusion", "a table of increasing local times in [0, 1]");
                    let times: Vec<String> = rows.iter().map(|row| row[0].to_string()).collect();
                    return Err(Error::Parameter { name, must, got: times.join(", ") });
                }
                rows.iter().try_for_each(|row| one(row[1]))
            }
        }
    }

    /// g at local time t.
    pub fn at(&self, t: UnitTime) -> f64 {
        let t = t.value();
        match self {
            Self::Constant(value) => *value,
            Self::Linear { start, end } => start + t * (end - start),
            Self::Table(rows) => {
                let after = rows.partition_point(|row| row[0] <= t);
                let (before, next) =
                    (after.checked_sub(1).and_then(|k| rows.get(k)), rows.get(after));
                match (before, next) {
                    (Some([t0, g0]), Some([t1, g1])) => g0 + (t - t0) / (t1 - t0) * (g1 - g0),
                    (Some([_, g]), None) | (None, Some([_, g])) => *g,
                    (None, None) => 1.0,
                }
            }
        }
    }

    /// The largest value at any time.
    pub fn largest(&self) -> f64 {
        match self {
            Self::Constant(value) => *value,
            Self::Linear { start, end } => start.max(*end),
            Self::Table(rows) => rows.iter().fold(0.0, |most, row| row[1].max(most)),
        }
    }

    /// Whether this is the diffusion of the process at all times.
    pub fn is_of_process(&self) -> bool {
        let one = |value: f64| (value - 1.0).abs() < f64::EPSILON;
        match self {
            Self::Constant(value) => one(*value),
            Self::Linear { start, end } => one(*start) && one(*end),
            Self::Table(rows) => rows.iter().all(|row| one(row[1])),
        }
    }
}

/// As [`simulate`], with a diffusion that changes over time.
///
/// Each of the `n_steps` equal steps has the diffusion of its middle. A process whose diffusion is
/// constant in each step has the marginals of the bridge exactly, so a schedule adds no error to
/// that of the steps.
///
/// ```
/// use ndarray::array;
/// use sbcell::bridge::{Diffusion, GaussianBridge, UnitTime, simulate_schedule};
/// use sbcell::{Epsilon, Seed};
///
/// # fn main() -> sbcell::Result<()> {
/// let (m0, c0, m1, c1) = (array![0.0], array![[1.0]], array![2.0], array![[4.0]]);
/// let epsilon = Epsilon::new(0.5)?;
/// let bridge = GaussianBridge::between(m0.view(), c0.view(), m1.view(), c1.view(), epsilon)?;
/// // No noise at first, more and more later.
/// let rising = Diffusion::Linear { start: 0.0, end: 2.0 };
/// let (x, half) = (array![[0.0]], UnitTime::new(0.5)?);
/// let y = simulate_schedule(&bridge, x.view(), [UnitTime::START, half], &rising, 50, Seed(0))?;
/// assert!((y[[0, 0]] - 1.0).abs() < 2.0);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// As [`simulate`]; those of [`Diffusion::check`].
pub fn simulate_schedule(
    bridge: &dyn Bridge,
    x: ArrayView2<'_, f64>,
    span: [UnitTime; 2],
    diffusion: &Diffusion,
    n_steps: usize,
    seed: Seed,
) -> Result<Array2<f64>> {
    diffusion.check()?;
    let [from, to] = span;
    if let Diffusion::Constant(diffusion) = *diffusion {
        return simulate(bridge, x, from, to, Simulation { diffusion, n_steps }, seed);
    }
    if from == to {
        return Ok(x.to_owned());
    }
    at_least_one("n_steps", n_steps)?;
    let length = to.value() - from.value();
    let time = |i: f64| UnitTime::new((from.value() + length * i / n_steps as f64).clamp(0.0, 1.0));
    let mut x = x.to_owned();
    for i in 0..n_steps {
        let next = if i + 1 == n_steps { to } else { time(i as f64 + 1.0)? };
        let how = Simulation { diffusion: diffusion.at(time(i as f64 + 0.5)?), n_steps: 1 };
        let seed = seed.child("simulate/schedule", i as u64);
        x = simulate(bridge, x.view(), time(i as f64)?, next, how, seed)?;
    }
    Ok(x)
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;
    use crate::bridge::{GaussianBridge, noise};
    use crate::geometry::Epsilon;

    fn at(t: f64) -> UnitTime {
        UnitTime::new(t).unwrap()
    }

    fn bridge() -> GaussianBridge {
        let (m0, c0, m1, c1) = (array![1.0], array![[0.5]], array![-2.0], array![[1.5]]);
        let epsilon = Epsilon::new(0.6).unwrap();
        GaussianBridge::between(m0.view(), c0.view(), m1.view(), c1.view(), epsilon).unwrap()
    }

    fn schedules() -> [Diffusion; 5] {
        [
            0.7.into(),
            Diffusion::Linear { start: 0.5, end: 1.5 },
            Diffusion::Linear { start: 2.0, end: 0.0 },
            Diffusion::Table(vec![[0.1, 0.0], [0.4, 0.0], [0.6, 2.0]]),
            Diffusion::Table(vec![[0.5, 1.0]]),
        ]
    }

    #[test]
    fn every_schedule_forward_and_backward_keeps_the_law() {
        let (bridge, n) = (bridge(), 20_000);
        for (from, to) in [(0.0, 0.6), (0.3, 1.0), (1.0, 0.4), (0.8, 0.0)] {
            let (mean, variance) = (bridge.mean(at(from))[0], bridge.covariance(at(from))[[0, 0]]);
            let x = noise((n, 1), Seed(2), "test/source") * variance.sqrt() + mean;
            for diffusion in schedules() {
                let span = [at(from), at(to)];
                let y =
                    simulate_schedule(&bridge, x.view(), span, &diffusion, 60, Seed(3)).unwrap();
                let (mean, variance) = (bridge.mean(at(to))[0], bridge.covariance(at(to))[[0, 0]]);
                // Five standard errors, and a last Euler step of 1/60 of a span.
                let error = 5.0 / (n as f64).sqrt();
                let off = (y.mean().unwrap() - mean).abs();
                assert!(off < error * variance.sqrt() + 0.01, "{from} {to} {diffusion}: {off}");
                let off = (y.var(0.0) / variance - 1.0).abs();
                assert!(off < error * 1.5 + 0.03, "{from} {to} {diffusion}: {off}");
            }
        }
    }

    /// For a linear field `dX = [a(t) (X − m) + m'] dt + g √ε dW` the covariance of `X_t` with the
    /// start is the start's variance times `exp ∫ a`, where a schedule adds `(g² − 1) ε/2` times the
    /// score's slope `−1/v(t)` to the drift's slope.
    #[test]
    fn a_schedule_changes_which_cells_descend_from_which() {
        let (bridge, n) = (bridge(), 40_000);
        let (start, end) = (at(0.0), at(0.9));
        let first = bridge.covariance(start)[[0, 0]];
        let x = noise((n, 1), Seed(2), "test/source") * first.sqrt() + bridge.mean(start)[0];
        for diffusion in schedules() {
            let steps = 2000;
            let slopes = (0..steps).map(|i| {
                let t = at(0.9 * (f64::from(i) + 0.5) / f64::from(steps));
                let own = bridge.mean_jacobian(x.view(), t).unwrap()[[0, 0]];
                let g = diffusion.at(t);
                own - 0.3 * (g * g - 1.0) / bridge.covariance(t)[[0, 0]]
            });
            let wanted = first * (slopes.sum::<f64>() * 0.9 / f64::from(steps)).exp();
            let y = simulate_schedule(&bridge, x.view(), [start, end], &diffusion, 60, Seed(3));
            let y = y.unwrap();
            let (mx, my) = (x.mean().unwrap(), y.mean().unwrap());
            let found = x.iter().zip(&y).map(|(x, y)| (x - mx) * (y - my)).sum::<f64>() / n as f64;
            let spread = (first * bridge.covariance(end)[[0, 0]]).sqrt();
            // Five standard errors of a covariance.
            let off = (found - wanted).abs() / spread;
            assert!(off < 5.0 * 1.5 / (n as f64).sqrt(), "{diffusion}: {found} {wanted}");
        }
    }

    #[test]
    fn a_constant_table_is_the_constant_and_one_is_the_process() {
        let x = array![[0.3], [2.0]];
        let table = Diffusion::Table(vec![[0.0, 0.4], [1.0, 0.4]]);
        assert!((table.at(at(0.3)) - 0.4).abs() < 1e-12 && (table.largest() - 0.4).abs() < 1e-12);
        assert!(Diffusion::Table(vec![[0.5, 1.0]]).is_of_process() && !table.is_of_process());
        assert!(Diffusion::Linear { start: 1.0, end: 1.0 }.is_of_process());
        let span = [at(0.0), at(0.5)];
        let flow = Diffusion::Linear { start: 0.0, end: 0.0 };
        let a = simulate_schedule(&bridge(), x.view(), span, &flow, 20, Seed(1)).unwrap();
        let b = simulate_schedule(&bridge(), x.view(), span, &0.0.into(), 20, Seed(1)).unwrap();
        assert!((a - b).iter().all(|off| off.abs() < 1e-12));
    }

    #[test]
    fn refuses_values_and_tables_that_are_no_schedule() {
        for bad in [
            Diffusion::Constant(f64::NAN),
            Diffusion::Linear { start: 1.0, end: -0.1 },
            Diffusion::Table(vec![]),
            Diffusion::Table(vec![[0.5, 1.0], [0.5, 1.0]]),
            Diffusion::Table(vec![[0.5, 1.0], [1.5, 1.0]]),
            Diffusion::Table(vec![[0.5, f64::INFINITY]]),
        ] {
            assert!(bad.check().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_schedule_in_a_record_is_a_number_two_numbers_or_a_table() {
        for (diffusion, text) in [
            (Diffusion::Constant(0.5), "0.5"),
            (Diffusion::Linear { start: 0.0, end: 2.0 }, r#"{"start":0.0,"end":2.0}"#),
            (Diffusion::Table(vec![[0.0, 1.0]]), "[[0.0,1.0]]"),
        ] {
            assert_eq!(serde_json::to_string(&diffusion).unwrap(), text);
            assert_eq!(serde_json::from_str::<Diffusion>(text).unwrap(), diffusion);
        }
    }
}
