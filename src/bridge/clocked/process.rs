//! The bridge whose cells have clocks of their own.

use std::sync::Arc;

use ndarray::{Array1, Array2, ArrayView1, ArrayView2};

use crate::bridge::inherit;
use crate::bridge::{Bridge, BridgeRecord, CellClock, ClockedRecord, UnitTime, Walk};
use crate::data::Snapshot;
use crate::error::{Result, shape};
use crate::rng::Seed;

/// The process `Y(t) = X(G(t))`: a bridge X at the random local time G of each cell.
///
/// - **Ends and coupling** are those of X, since `G(0) = 0` and `G(1) = 1`.
/// - **Draws** from the start draw G, then X at G, both exactly. For a pair (x, y) on a straight
///   line the mean is that of X, and the covariance grows by `Var G · (y−x)(y−x)ᵀ`.
/// - **(Y, G) is Markov, Y alone is not.** [`Walk`] carries cells with their clocks through any
///   number of times. A draw from a time between the ends by position alone takes clocks from
///   their law at this time, whatever the position.
/// - **Drift, Jacobian and score** are those of X at the mean local time f(t). Drift and Jacobian
///   are per unit of t, thus multiplied by f'(t). [`own_clock`] gives X itself.
///
/// With [`ClockedBridge::about_the_mean`] the population's mean moves in step, and clocks act on the
/// distance of a cell from it: `Y(t) = X(G) + p(f(t)) − p(G)`, where p is the path of the mean: the
/// mean displacement of the coupling times local time, plus the curve of X. Drift and ends are the same.
///
/// ```
/// use std::sync::Arc;
///
/// use ndarray::array;
/// use sbcell::bridge::{
///     Bridge, CellClock, ClockedBridge, Coupling, Motion, Pace, PlanBridge, UnitTime,
/// };
/// use sbcell::data::Snapshot;
/// use sbcell::{Epsilon, Seed};
///
/// # fn main() -> sbcell::Result<()> {
/// let (x, y) = (Snapshot::new(array![[0.0]])?, Snapshot::new(array![[1.0]])?);
/// let coupling = Coupling::new(1, 1, [(0, 0, 1.0)])?;
/// let bridge = PlanBridge::new(&x, &y, &coupling, Epsilon::new(0.1)?, Motion::Straight)?;
/// let clocked = ClockedBridge::new(Arc::new(bridge), CellClock::new(1.0, Pace::EVEN)?);
/// let cells = clocked.population(&x, UnitTime::new(0.5)?, 2000, Seed(0))?;
/// // On a line, position is local time: mean ½, variance ½ · ½ / (1 + κ).
/// assert!((cells.mean().unwrap() - 0.5).abs() < 0.05);
/// assert!((cells.var(0.0) - 0.125).abs() < 0.01);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct ClockedBridge {
    /// The bridge on its own clock.
    inner: Arc<dyn Bridge>,
    /// The clocks of the cells.
    clock: CellClock,
    /// The displacement of the population's mean, if clocks act on distances from it.
    displacement: Option<Array1<f64>>,
}

/// A bridge on its own clock, and the clocks of its cells. [`ClockedBridge`] has an example.
#[derive(Debug, Clone, Copy)]
pub struct Clocked<'a> {
    /// The bridge on its own clock.
    pub bridge: &'a dyn Bridge,
    /// The clocks of the cells.
    pub clock: &'a CellClock,
    /// The displacement of the population's mean, if clocks act on distances from it.
    pub displacement: Option<ArrayView1<'a, f64>>,
}

impl Clocked<'_> {
    /// The rows of `points` (n × d) moved by `sign · (p(f(t)) − p(G))`, for cells with the clocks G at t: from
    /// the inner bridge to the process (1) or back (−1). Nothing moves without a displacement.
    pub(crate) fn moved(
        &self,
        mut points: Array2<f64>,
        clocks: &[UnitTime],
        t: UnitTime,
        sign: f64,
    ) -> Array2<f64> {
        let Some(displacement) = self.displacement else { return points };
        let path = |q: f64| {
            let line = &displacement * q;
            self.bridge.curve().map_or_else(|| line.clone(), |curve| &line + &curve.at(q))
        };
        let mean = path(self.clock.pace().at(t).value());
        for (mut row, clock) in points.rows_mut().into_iter().zip(clocks) {
            row.scaled_add(sign, &(&mean - &path(clock.value())));
        }
        points
    }
}

/// The bridge on its own clock: the inner bridge of a [`ClockedBridge`], any other bridge itself.
pub fn own_clock(bridge: &dyn Bridge) -> &dyn Bridge {
    bridge.clocked().map_or(bridge, |clocked| clocked.bridge)
}

impl ClockedBridge {
    /// Puts the cells of `inner` on `clock`.
    pub fn new(inner: Arc<dyn Bridge>, clock: CellClock) -> Self {
        Self { inner, clock, displacement: None }
    }

    /// Lets the mean of the population move in step, by `displacement` (d numbers), the mean displacement of
    /// cells over the interval; nothing changes for `None`.
    ///
    /// # Errors
    /// [`crate::Error::Shape`] if the dimension differs.
    pub fn about_the_mean(self, displacement: Option<Array1<f64>>) -> Result<Self> {
        let n = displacement.as_ref().map_or(self.inner.dim(), Array1::len);
        shape::same("the displacement of a mean", "dimensions", self.inner.dim(), n)?;
        Ok(Self { displacement, ..self })
    }

    /// The inner bridge with the clocks.
    fn parts(&self) -> Clocked<'_> {
        let displacement = self.displacement.as_ref().map(|d| d.view());
        Clocked { bridge: &*self.inner, clock: &self.clock, displacement }
    }

    /// The cells `x` at `from`, with clocks from their law at this time.
    fn walk(&self, x: ArrayView2<'_, f64>, from: UnitTime, seed: Seed) -> Walk<'_> {
        let clocks = self.clock.start(x.nrows(), from, seed.child("clocked/from", 0));
        Walk::of_clocked(self.parts(), x, from, clocks)
    }
}

impl Bridge for ClockedBridge {
    // Noise is per unit of the cells' own clocks; growth takes place in real time.
    inherit!(inner: dim, epsilon, noise_variance, noise_factor, plan_marginal, growth_by, link);

    fn score(&self, x: ArrayView2<'_, f64>, t: UnitTime) -> Result<Option<Array2<f64>>> {
        self.inner.score(x, self.clock.pace().at(t))
    }

    fn score_from(
        &self,
        source: &Snapshot,
        x: ArrayView2<'_, f64>,
        t: UnitTime,
    ) -> Result<Option<Array2<f64>>> {
        self.inner.score_from(source, x, self.clock.pace().at(t))
    }

    fn drift(&self, x: ArrayView2<'_, f64>, t: UnitTime) -> Result<Array2<f64>> {
        let pace = self.clock.pace();
        Ok(self.inner.drift(x, pace.at(t))? * pace.rate(t))
    }

    fn mean_jacobian(&self, x: ArrayView2<'_, f64>, t: UnitTime) -> Result<Array2<f64>> {
        let pace = self.clock.pace();
        Ok(self.inner.mean_jacobian(x, pace.at(t))? * pace.rate(t))
    }

    /// From the start: exact. Over the whole interval the draws are those of the inner bridge.
    fn sample_transition(
        &self,
        x: ArrayView2<'_, f64>,
        from: UnitTime,
        to: UnitTime,
        seed: Seed,
    ) -> Result<Array2<f64>> {
        from.until(to)?;
        if from == UnitTime::START && to == UnitTime::END {
            return self.inner.sample_transition(x, from, to, seed);
        }
        let mut walk = self.walk(x, from, seed);
        walk.step(to, seed)?;
        Ok(walk.into_points())
    }

    fn sample_pinned(
        &self,
        x: ArrayView2<'_, f64>,
        end: ArrayView2<'_, f64>,
        from: UnitTime,
        to: UnitTime,
        seed: Seed,
    ) -> Result<Array2<f64>> {
        from.until(to)?;
        let mut walk = self.walk(x, from, seed);
        walk.step_pinned(end, to, seed)?;
        Ok(walk.into_points())
    }

    fn clocked(&self) -> Option<Clocked<'_>> {
        Some(self.parts())
    }

    fn record(&self) -> BridgeRecord {
        BridgeRecord::Clocked(ClockedRecord {
            asynchrony: Some(self.clock.asynchrony()).filter(|kappa| kappa.is_finite()),
            speeds: self.clock.pace().speeds(),
            displacement: self.displacement.as_ref().map(|d| d.to_vec()),
            inner: Box::new(self.inner.record()),
        })
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;
    use crate::bridge::{Coupling, Curve, CurvedBridge, Motion, Pace, PlanBridge};
    use crate::geometry::Epsilon;

    fn time(t: f64) -> UnitTime {
        UnitTime::new(t).unwrap()
    }

    /// Two pairs of cells: 0 → 1 and 10 → 14.
    fn pairs(motion: Motion) -> (Snapshot, PlanBridge) {
        let (x, y) = (array![[0.0], [10.0]], array![[1.0], [14.0]]);
        let (x, y) = (Snapshot::new(x).unwrap(), Snapshot::new(y).unwrap());
        let coupling = Coupling::new(2, 2, [(0, 0, 0.5), (1, 1, 0.5)]).unwrap();
        let epsilon = Epsilon::new(0.04).unwrap();
        (x.clone(), PlanBridge::new(&x, &y, &coupling, epsilon, motion).unwrap())
    }

    fn clocked(kappa: f64, pace: Pace, motion: Motion) -> (Snapshot, ClockedBridge) {
        let (x, bridge) = pairs(motion);
        (x, ClockedBridge::new(Arc::new(bridge), CellClock::new(kappa, pace).unwrap()))
    }

    /// Mean and variance of many draws at `t` from the second source cell.
    fn moments(bridge: &dyn Bridge, t: f64) -> (f64, f64) {
        let starts = Array2::from_elem((40_000, 1), 10.0);
        let drawn = bridge.sample_transition(starts.view(), UnitTime::START, time(t), Seed(1));
        let drawn = drawn.unwrap();
        (drawn.mean().unwrap(), drawn.var(0.0))
    }

    #[test]
    fn a_pair_has_the_mean_and_the_variance_of_the_closed_form() {
        let (kappa, t, epsilon) = (1.5, 0.3, 0.04);
        let (_, straight) = clocked(kappa, Pace::EVEN, Motion::Straight);
        let (mean, variance) = moments(&straight, t);
        let spread = t * (1.0 - t) / (kappa + 1.0);
        assert!((mean - (10.0 + 4.0 * t)).abs() < 0.03, "{mean}");
        assert!((variance - 16.0 * spread).abs() < 0.03, "{variance}");
        // Brownian bridges add ε E[G(1−G)] = ε (t(1−t) − Var G).
        let (_, brownian) = clocked(kappa, Pace::EVEN, Motion::Brownian);
        let noise = epsilon * (t * (1.0 - t) - spread);
        let added = moments(&brownian, t).1 - variance;
        assert!((added - noise).abs() < 0.03, "{added} {noise}");
        // With a pace the mean local time replaces t.
        let pace = Pace::new(3.0, 1.0).unwrap();
        let (_, paced) = clocked(kappa, pace, Motion::Straight);
        let q = pace.at(time(t)).value();
        let (mean, variance) = moments(&paced, t);
        assert!((mean - (10.0 + 4.0 * q)).abs() < 0.03, "{mean}");
        assert!((variance - 16.0 * q * (1.0 - q) / (kappa + 1.0)).abs() < 0.04, "{variance}");
    }

    #[test]
    fn both_limits_are_the_bridge_itself_and_the_pool_of_its_ends() {
        let (x, step) = clocked(f64::INFINITY, Pace::EVEN, Motion::Brownian);
        let (_, inner) = pairs(Motion::Brownian);
        let draw = |bridge: &dyn Bridge, t| bridge.population(&x, time(t), 100, Seed(2)).unwrap();
        assert_eq!(draw(&step, 0.4), draw(&inner, 0.4));
        let (_, jump) = clocked(0.0, Pace::EVEN, Motion::Straight);
        let drawn = draw(&jump, 0.25);
        let at = |place: f64| drawn.iter().filter(|x| (**x - place).abs() < 1e-9).count();
        assert_eq!(at(0.0) + at(1.0) + at(10.0) + at(14.0), 100);
        assert!((at(1.0) + at(14.0)).abs_diff(25) < 20);
        // The ends are those of the inner bridge, to the bit.
        assert_eq!(draw(&jump, 1.0), draw(&inner, 1.0));
    }

    #[test]
    fn two_steps_with_the_clock_have_the_law_of_one() {
        let (kappa, s, t, n) = (1.0, 0.3, 0.7, 40_000);
        let (_, bridge) = clocked(kappa, Pace::EVEN, Motion::Straight);
        let starts = Array2::from_elem((n, 1), 10.0);
        let mut walk = Walk::new(&bridge, starts.view());
        walk.step(time(s), Seed(3)).unwrap();
        let first = walk.points().to_owned();
        walk.step(time(t), Seed(4)).unwrap();
        let second = walk.points().to_owned();
        let wanted = 16.0 * t * (1.0 - t) / (kappa + 1.0);
        assert!((second.var(0.0) - wanted).abs() < 0.05, "{}", second.var(0.0));
        // Cov(Y(s), Y(t)) = (y−x)² s(1−t)/(κ+1).
        let both = (&first * &second).mean().unwrap();
        let covariance = both - first.mean().unwrap() * second.mean().unwrap();
        assert!((covariance - 16.0 * s * (1.0 - t) / (kappa + 1.0)).abs() < 0.05, "{covariance}");
        assert!(first.iter().zip(&second).all(|(a, b)| a <= b));
    }

    #[test]
    fn about_the_mean_clocks_change_distances_from_it_and_the_mean_follows_the_curve() {
        let (kappa, s, t, n) = (1.0, 0.3, 0.7, 40_000);
        let pace = Pace::new(3.0, 1.0).unwrap();
        let (_, inner) = pairs(Motion::Straight);
        let curve = Curve::new(array![8.0], array![-4.0]).unwrap();
        let inner = CurvedBridge::new(Arc::new(inner), curve.clone()).unwrap();
        let clock = CellClock::new(kappa, pace).unwrap();
        let bridge = ClockedBridge::new(Arc::new(inner), clock);
        // The mean moves from 5 to 7.5, the second cell from 10 to 14: by 1.5 more.
        let bridge = bridge.about_the_mean(Some(array![2.5])).unwrap();
        let starts = Array2::from_elem((n, 1), 10.0);
        let mut walk = Walk::new(&bridge, starts.view());
        walk.step(time(s), Seed(3)).unwrap();
        let first = walk.points().to_owned();
        walk.step(time(t), Seed(4)).unwrap();
        let second = walk.points().to_owned();
        let (p, q) = (pace.at(time(s)).value(), pace.at(time(t)).value());
        for (points, q) in [(&first, p), (&second, q)] {
            let (mean, variance) = (points.mean().unwrap(), points.var(0.0));
            let wanted = 10.0 + 4.0 * q + curve.at(q)[0];
            assert!((mean - wanted).abs() < 0.02, "{mean} {wanted}");
            let wanted = 2.25 * q * (1.0 - q) / (kappa + 1.0);
            assert!((variance - wanted).abs() < 0.01, "{variance} {wanted}");
        }
        let both = (&first * &second).mean().unwrap();
        let covariance = both - first.mean().unwrap() * second.mean().unwrap();
        assert!((covariance - 2.25 * p * (1.0 - q) / (kappa + 1.0)).abs() < 0.01, "{covariance}");
        // Ends, drift and pinned ends are those without the shift.
        walk.step(UnitTime::END, Seed(5)).unwrap();
        assert!(walk.points().iter().all(|end| (end - 14.0).abs() < 1e-9));
        let end = Array2::from_elem((n, 1), 14.0);
        let pinned =
            bridge.sample_pinned(starts.view(), end.view(), UnitTime::START, time(t), Seed(6));
        assert!((pinned.unwrap().mean().unwrap() - second.mean().unwrap()).abs() < 0.02);
        let BridgeRecord::Clocked(record) = bridge.record() else { panic!("another record") };
        assert_eq!(record.displacement, Some(vec![2.5]));
        assert!(bridge.about_the_mean(Some(array![1.0, 2.0])).is_err());
    }

    #[test]
    fn pinned_cells_reach_their_ends_on_their_clocks() {
        let (_, bridge) = clocked(1.0, Pace::EVEN, Motion::Straight);
        let n = 20_000;
        let (start, end) = (Array2::from_elem((n, 1), 10.0), Array2::from_elem((n, 1), 20.0));
        let half =
            bridge.sample_pinned(start.view(), end.view(), UnitTime::START, time(0.5), Seed(5));
        let half = half.unwrap();
        // Mean 15, variance 100 · ¼ · ½.
        assert!((half.mean().unwrap() - 15.0).abs() < 0.15);
        assert!((half.var(0.0) - 12.5).abs() < 0.4);
    }

    #[test]
    fn drift_and_jacobian_are_those_at_the_mean_local_time_per_unit_of_time() {
        let pace = Pace::new(1.0, 3.0).unwrap();
        let (_, bridge) = clocked(2.0, pace, Motion::Brownian);
        let (_, inner) = pairs(Motion::Brownian);
        let (x, t) = (array![[0.4], [11.0]], time(0.5));
        let (q, rate) = (pace.at(t), pace.rate(t));
        let drift = bridge.drift(x.view(), t).unwrap();
        assert!((drift - inner.drift(x.view(), q).unwrap() * rate).iter().all(|e| e.abs() < 1e-12));
        let jacobian = bridge.mean_jacobian(x.view(), t).unwrap();
        let wanted = inner.mean_jacobian(x.view(), q).unwrap() * rate;
        assert!((jacobian - wanted).iter().all(|error| error.abs() < 1e-12));
    }

    #[test]
    fn rows_with_times_of_their_own_are_where_each_alone_would_be() {
        let (_, bridge) = pairs(Motion::Straight);
        let x = array![[0.0], [10.0], [10.0]];
        let to = [time(0.5), time(0.25), UnitTime::END];
        let moved = bridge.sample_transitions(x.view(), &[UnitTime::START; 3], &to, Seed(0));
        assert!((moved.unwrap() - array![[0.5], [11.0], [14.0]]).iter().all(|e| e.abs() < 1e-12));
        // From different times, row by row.
        let (x, from) = (array![[0.5], [11.0]], [time(0.5), time(0.25)]);
        let moved = bridge.sample_transitions(x.view(), &from, &[UnitTime::END; 2], Seed(0));
        assert!((moved.unwrap() - array![[1.0], [14.0]]).iter().all(|e| e.abs() < 1e-12));
        assert!(bridge.sample_transitions(x.view(), &from[..1], &to[..2], Seed(0)).is_err());
    }
}
