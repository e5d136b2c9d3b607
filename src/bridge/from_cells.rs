//! A bridge with the cells at its ends: score, and simulation forward or backward at any diffusion.

use ndarray::{Array2, ArrayView2, Axis};

use crate::bridge::inherit;
use crate::bridge::{Bridge, Diffusion, Simulation, UnitTime, simulate};
use crate::data::Snapshot;
use crate::error::{Error, Result};
use crate::progress::Silent;
use crate::rng::Seed;

/// A bridge together with the weighted cells from which it starts and those at which it arrives.
///
/// The score is that of the process which starts from these cells ([`Bridge::score_from`]). A
/// bridge that does not know its own distribution can therefore be simulated at any diffusion,
/// forward and backward.
///
/// ```
/// use ndarray::array;
/// use sbcell::bridge::{BridgeProblem, FromCells, Simulation, SinkhornSolver, UnitTime, Way};
/// use sbcell::data::Snapshot;
/// use sbcell::{Epsilon, Seed, Silent};
///
/// # fn main() -> sbcell::Result<()> {
/// let source = Snapshot::new(array![[0.0], [1.0], [2.0]])?;
/// let target = Snapshot::new(array![[4.0], [5.0], [6.0]])?;
/// let problem = BridgeProblem::new(source.clone(), target.clone(), Epsilon::new(0.2)?)?;
/// let (bridge, _) = SinkhornSolver::default().fit(&problem, &mut Silent)?;
/// let ends = FromCells { bridge: &bridge, source: &source, target: &target };
/// // The third target cell, followed back to the middle by the probability flow.
/// let way = Way { rows: &[2], to: UnitTime::new(0.5)?, backward: true };
/// let how = Simulation { diffusion: 0.0, n_steps: 50 };
/// let middle = ends.follow(way, how, Seed(0))?;
/// assert!((middle[[0, 0]] - 4.0).abs() < 1.0);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy)]
pub struct FromCells<'a> {
    /// The bridge.
    pub bridge: &'a dyn Bridge,
    /// The cells at local time 0.
    pub source: &'a Snapshot,
    /// The cells at local time 1.
    pub target: &'a Snapshot,
}

/// Which cells [`FromCells::follow`] moves, from which end, and to which time.
///
/// ```
/// use sbcell::bridge::{UnitTime, Way};
///
/// let way = Way { rows: &[0, 0, 3], to: UnitTime::END, backward: false };
/// assert_eq!(way.rows.len(), 3);
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Way<'a> {
    /// Rows of the source snapshot, or of the target snapshot if `backward`; a row may appear
    /// several times.
    pub rows: &'a [usize],
    /// The local time at the end of the way.
    pub to: UnitTime,
    /// Whether the cells move backward in time, from local time 1.
    pub backward: bool,
}

/// Number of steps at an end that are replaced by one exact draw, for each unit of `max(1,
/// diffusion²)`.
///
/// Near an end the distribution is that of single cells, and its score grows without limit. After
/// eight steps the score changes by at most a quarter of itself from one step to the next. Drifts
/// that are evaluated with at least a hundredth of the interval left also differ from the true
/// drift only nearer to the end than that.
const AT_ONCE: f64 = 8.0;

impl FromCells<'_> {
    /// Moves the cells of `way` from their end to the time `way.to`; one row for each entry of
    /// `way.rows`, n × d.
    ///
    /// Where the cells themselves are the distribution, it has no density and no score. The method
    /// then draws the process exactly up to a time near the end (within a fiftieth of the interval
    /// at 100 steps) and simulates it from there with the diffusion of `how`. Backward, the exact
    /// draw takes a source cell for each target cell by the coupling, and the pinned path between
    /// them.
    ///
    /// Steps are equal in the angle θ of `t = sin² θ`, and therefore short at both ends. Each step
    /// evaluates drift and score twice: `O(n · n_cells · d)` time a step for most bridges.
    ///
    /// # Errors
    /// As [`simulate`]; [`Error::Parameter`] if a score is needed and the bridge does not know one.
    pub fn follow(&self, way: Way<'_>, how: Simulation, seed: Seed) -> Result<Array2<f64>> {
        let Simulation { diffusion, n_steps } = how;
        self.follow_schedule(way, &diffusion.into(), n_steps, seed)
    }

    /// As [`FromCells::follow`], with a diffusion that changes over time: each step has the
    /// diffusion of its middle.
    ///
    /// # Errors
    /// As [`FromCells::follow`]; those of [`Diffusion::check`].
    pub fn follow_schedule(
        &self,
        way: Way<'_>,
        diffusion: &Diffusion,
        n_steps: usize,
        seed: Seed,
    ) -> Result<Array2<f64>> {
        diffusion.check()?;
        let Way { rows, to, backward } = way;
        let (start, cells) =
            if backward { (UnitTime::END, self.target) } else { (UnitTime::START, self.source) };
        let mut x = cells.points().select(Axis(0), rows);
        let angle = |t: UnitTime| t.value().sqrt().asin();
        let length = angle(to) - angle(start);
        let whole = std::f64::consts::FRAC_PI_2;
        let n_steps = ((n_steps as f64 * length.abs() / whole).ceil() as usize).max(1);
        let time = |i: usize| {
            let angle = angle(start) + length * i as f64 / n_steps as f64;
            if i == n_steps { Ok(to) } else { UnitTime::new(angle.sin().powi(2).clamp(0.0, 1.0)) }
        };
        let itself = !backward && diffusion.is_of_process();
        let mut first = 0;
        if itself || self.score(x.view(), start)?.is_none() {
            let at_once = AT_ONCE * diffusion.largest().powi(2).max(1.0);
            first =
                if itself || at_once >= n_steps as f64 { n_steps } else { at_once.ceil() as usize };
            let near = time(first)?;
            // Without a score in the interior, every other diffusion would be wrong.
            if !itself && self.score(x.view(), near)?.is_none() {
                return Err(no_score(diffusion));
            }
            x = self.leave(x, Way { to: near, ..way }, seed.child("from cells/leave", 0))?;
        }
        for i in first..n_steps {
            let (now, next) = (time(i)?, time(i + 1)?);
            let middle = UnitTime::new(f64::midpoint(now.value(), next.value()))?;
            let how = Simulation { diffusion: diffusion.at(middle), n_steps: 1 };
            let seed = seed.child("from cells/step", i as u64);
            x = simulate(self, x.view(), now, next, how, seed)?;
        }
        Ok(x)
    }

    /// Draws the cells `x` of one end at the time of `way`: forward by the transition kernel of the
    /// bridge; backward by the coupling, which gives a source cell for each target cell, and the
    /// pinned path between the two.
    fn leave(&self, x: Array2<f64>, way: Way<'_>, seed: Seed) -> Result<Array2<f64>> {
        let Way { rows, to, backward } = way;
        if !backward {
            return self.bridge.sample_transition(x.view(), UnitTime::START, to, seed);
        }
        let link =
            self.bridge.link(self.source, self.target, seed.child("link", 0), &mut Silent)?;
        let starts = link.draw_back(rows, seed.child("ends", 0))?;
        let starts = self.source.points().select(Axis(0), &starts);
        self.bridge.sample_pinned(starts.view(), x.view(), UnitTime::START, to, seed)
    }
}

/// The error for a simulation that needs a score, with a bridge that does not know one.
pub(super) fn no_score(diffusion: &Diffusion) -> Error {
    Error::Parameter {
        name: "diffusion",
        must: "1, and forward in time, for a bridge that does not know its score",
        got: diffusion.to_string(),
    }
}

impl Bridge for FromCells<'_> {
    inherit!(bridge: dim, epsilon, noise_variance, noise_factor, drift, mean_jacobian, sample_transition, plan_marginal, growth_by, link, record);

    fn score(&self, x: ArrayView2<'_, f64>, t: UnitTime) -> Result<Option<Array2<f64>>> {
        match self.bridge.score(x, t)? {
            Some(score) => Ok(Some(score)),
            None => self.bridge.score_from(self.source, x, t),
        }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;
    use crate::bridge::{BridgeProblem, BridgeSolver, LightSbBridge, SinkhornSolver};
    use crate::geometry::Epsilon;

    fn at(t: f64) -> UnitTime {
        UnitTime::new(t).unwrap()
    }

    /// So many cells in one dimension, followed from one end to the time `t`.
    struct Followed {
        n: usize,
        backward: bool,
        t: f64,
        diffusion: Diffusion,
    }

    impl Followed {
        /// Their mean and variance.
        fn moments(&self, ends: &FromCells<'_>) -> (f64, f64) {
            let Self { n, backward, t, ref diffusion } = *self;
            let from = if backward { ends.target } else { ends.source };
            let rows: Vec<usize> = (0..n).map(|i| i % from.n_cells()).collect();
            let way = Way { rows: &rows, to: at(t), backward };
            let y = ends.follow_schedule(way, diffusion, 100, Seed(3)).unwrap();
            (y.mean().unwrap(), y.var(0.0))
        }
    }

    /// From one cell to one cell the process is a Brownian bridge, whatever the diffusion.
    #[test]
    fn between_two_cells_every_diffusion_has_the_law_of_the_brownian_bridge() {
        let (epsilon, n) = (0.8, 20_000);
        let [source, target] = [1.0, -2.0].map(|x| Snapshot::new(array![[x]]).unwrap());
        let problem =
            BridgeProblem::new(source.clone(), target.clone(), Epsilon::new(epsilon).unwrap())
                .unwrap();
        let bridge = SinkhornSolver::default().solve(&problem, Seed(0), &mut Silent).unwrap().0;
        let ends = FromCells { bridge: &*bridge, source: &source, target: &target };
        for backward in [false, true] {
            let rising = Diffusion::Linear { start: 0.0, end: 2.0 };
            for (t, diffusion) in [
                (0.3, 0.0.into()),
                (0.7, 0.0.into()),
                (0.5, 0.5.into()),
                (0.5, 1.0.into()),
                (0.6, 2.0.into()),
                (0.5, rising),
            ] {
                let text = diffusion.to_string();
                let (mean, variance) = Followed { n, backward, t, diffusion }.moments(&ends);
                let (wanted, spread) = (1.0 - 3.0 * t, epsilon * t * (1.0 - t));
                let what = format!("{backward} {t} {text}: {mean} {variance}");
                // Five standard errors, and two per cent for steps near the end.
                let error = 5.0 / (n as f64).sqrt();
                assert!((mean - wanted).abs() < error * spread.sqrt() + 0.01, "{what}");
                assert!((variance / spread - 1.0).abs() < error * 1.5 + 0.02, "{what}");
            }
        }
    }

    /// From one cell a bridge of one Gaussian has a normal law at every time, its mean and variance
    /// those of the transition: `x₀ + t b`, `ε t Σ(t)` with `Σ(t) = 1 − t + t S`.
    #[test]
    fn lightsb_from_one_cell_keeps_its_normal_law() {
        let (zero, var0, mean1, var1) = (array![0.0], array![1.0], array![2.0], array![0.3]);
        let epsilon = 0.5;
        let bridge = LightSbBridge::from_gaussians(
            zero.view(),
            var0.view(),
            mean1.view(),
            var1.view(),
            Epsilon::new(epsilon).unwrap(),
        )
        .unwrap();
        let s = 2.0 * 0.3 / (epsilon + (epsilon * epsilon + 4.0 * 0.3_f64).sqrt());
        let source = Snapshot::new(array![[0.7]]).unwrap();
        // Cells of the law at 1 of this process, at its quantiles.
        let (end, spread) = (2.0 + s * 0.7, epsilon * s);
        let quantiles = normal_quantiles(2_001).mapv(|z| end + spread.sqrt() * z);
        let target = Snapshot::new(quantiles.insert_axis(Axis(1))).unwrap();
        let ends = FromCells { bridge: &bridge, source: &source, target: &target };
        let n = 20_010;
        for backward in [false, true] {
            let falling = Diffusion::Linear { start: 1.5, end: 0.5 };
            for (t, diffusion) in [
                (0.3, 0.0.into()),
                (0.6, 0.5.into()),
                (0.5, 1.0.into()),
                (0.5, 1.5.into()),
                (0.4, falling),
            ] {
                let text = diffusion.to_string();
                let (mean, variance) = Followed { n, backward, t, diffusion }.moments(&ends);
                let (wanted, spread) = ((1.0 - t) * 0.7 + t * end, epsilon * t * (1.0 - t + t * s));
                let what = format!("{backward} {t} {text}: {mean} {variance}");
                let error = 5.0 / (n as f64).sqrt();
                assert!((mean - wanted).abs() < error * spread.sqrt() + 0.01, "{what}");
                assert!((variance / spread - 1.0).abs() < error * 1.5 + 0.02, "{what}");
            }
        }
    }

    /// Of the standard normal law at `(i + ½)/n`, by bisection of a series of its distribution.
    fn normal_quantiles(n: usize) -> ndarray::Array1<f64> {
        let below = |z: f64| {
            let (mut term, mut sum) = (z, z);
            for k in 1..200 {
                term *= z * z / (2.0 * f64::from(k) + 1.0);
                sum += term;
            }
            0.5 + sum * (-0.5 * z * z).exp() / std::f64::consts::TAU.sqrt()
        };
        let quantile = |i: usize| {
            let wanted = (i as f64 + 0.5) / n as f64;
            let (mut low, mut high) = (-6.0, 6.0);
            for _ in 0..60 {
                let middle = f64::midpoint(low, high);
                if below(middle) < wanted { low = middle } else { high = middle }
            }
            low
        };
        (0..n).map(quantile).collect()
    }
}
