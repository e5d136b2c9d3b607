//! The bridge whose cells have clocks of their own.

use ndarray::{Array2, ArrayView1, ArrayView2};

use crate::bridge::{Bridge, BridgeRecord, CellClock, ClockedRecord, Link, UnitTime, Walk};
use crate::data::Snapshot;
use crate::error::Result;
use crate::geometry::Epsilon;
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
/// ```
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
/// let clocked = ClockedBridge::new(Box::new(bridge), CellClock::new(1.0, Pace::EVEN)?);
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
    inner: Box<dyn Bridge>,
    /// The clocks of the cells.
    clock: CellClock,
}

/// A bridge on its own clock, and the clocks of its cells. [`ClockedBridge`] has an example.
#[derive(Debug, Clone, Copy)]
pub struct Clocked<'a> {
    /// The bridge on its own clock.
    pub bridge: &'a dyn Bridge,
    /// The clocks of the cells.
    pub clock: &'a CellClock,
}

/// The bridge on its own clock: the inner bridge of a [`ClockedBridge`], any other bridge itself.
pub fn own_clock(bridge: &dyn Bridge) -> &dyn Bridge {
    bridge.clocked().map_or(bridge, |clocked| clocked.bridge)
}

impl ClockedBridge {
    /// Puts the cells of `inner` on `clock`.
    pub fn new(inner: Box<dyn Bridge>, clock: CellClock) -> Self {
        Self { inner, clock }
    }

    /// The cells `x` at `from`, with clocks from their law at this time.
    fn walk(&self, x: ArrayView2<'_, f64>, from: UnitTime, seed: Seed) -> Walk<'_> {
        let clocks = self.clock.start(x.nrows(), from, seed.child("clocked/from", 0));
        Walk::of_clocked(Clocked { bridge: &*self.inner, clock: &self.clock }, x, from, clocks)
    }
}

impl Bridge for ClockedBridge {
    fn dim(&self) -> usize {
        self.inner.dim()
    }

    fn epsilon(&self) -> Epsilon {
        self.inner.epsilon()
    }

    /// Per unit of the cells' own clocks.
    fn noise_variance(&self) -> f64 {
        self.inner.noise_variance()
    }

    fn noise_factor(&self) -> Option<ArrayView2<'_, f64>> {
        self.inner.noise_factor()
    }

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

    fn plan_marginal(&self) -> Option<ArrayView1<'_, f64>> {
        self.inner.plan_marginal()
    }

    /// Growth takes place in real time, not on the clock of a cell.
    fn growth_by(&self, t: UnitTime) -> f64 {
        self.inner.growth_by(t)
    }

    fn link(&self, source: &Snapshot, target: &Snapshot, seed: Seed) -> Result<Link> {
        self.inner.link(source, target, seed)
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
        Some(Clocked { bridge: &*self.inner, clock: &self.clock })
    }

    fn record(&self) -> BridgeRecord {
        BridgeRecord::Clocked(ClockedRecord {
            asynchrony: Some(self.clock.asynchrony()).filter(|kappa| kappa.is_finite()),
            speeds: self.clock.pace().speeds(),
            inner: Box::new(self.inner.record()),
        })
    }
}
