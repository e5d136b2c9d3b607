//! THE SCHRÖDINGER BRIDGE: a solver takes a problem and gives a bridge and a report.
//!
//! # Overview
//!
//! - A [`BridgeProblem`] consists of two [snapshots](crate::data::Snapshot) and ε, the variance of
//!   the reference process per unit of local time.
//! - A [`BridgeSolver`] solves one problem. A [`CourseSolver`] solves all intervals of a [`Course`]
//!   together. A solver is a plain struct of hyperparameters with `Default`.
//! - A [`Bridge`] is the fitted process on local time from 0 to 1. It has a drift, a Jacobian,
//!   draws and couplings. The [`FitReport`] beside it says how the solve went.
//! - A [`BridgeSeries`] contains one bridge for each interval of a time course and takes real
//!   times.
//!
//! # Solvers
//!
//! | solver | problem that it solves | bridge |
//! |---|---|---|
//! | [`LightSbSolver`] | Schrödinger bridge with a Gaussian-mixture potential | [`LightSbBridge`] |
//! | [`GaussianSolver`] | Schrödinger bridge between two Gaussians, in closed form | [`GaussianBridge`] |
//! | [`SinkhornSolver`] | entropic optimal transport between all cells | [`SinkhornBridge`] |
//! | [`OtSolver`] | exact optimal transport, the limit ε → 0 | [`PlanBridge`] |
//! | [`SplineSolver`] | transport with relaxed marginals, on cubic paths | [`PlanBridge`] |
//! | [`FlowSolver`] | flow and score matching with neural networks | [`FlowBridge`] |
//! | [`DsbmSolver`] | iterated Markovian fitting with neural networks | [`FlowBridge`] |
//! | [`OuSolver`] | any of these for an Ornstein-Uhlenbeck reference | [`OuBridge`] |
//!
//! A [`CurvedBridge`] moves any of these along the curve of the course, a [`ClockedBridge`] gives
//! its cells clocks of their own.
//!
//! `docs/METHODS.md` derives the formulas. The module [`describe`] contains the names and
//! parameters under which the command line offers a solver.
//!
//! # Example
//!
//! ```
//! use ndarray::array;
//! use sbcell::bridge::{Bridge, BridgeProblem, BridgeSolver, GaussianSolver, UnitTime};
//! use sbcell::data::Snapshot;
//! use sbcell::{Epsilon, Seed, Silent};
//!
//! # fn main() -> sbcell::Result<()> {
//! let source = Snapshot::new(array![[0.0], [1.0], [2.0]])?;
//! let target = Snapshot::new(array![[4.0], [5.0], [6.0]])?;
//! let problem = BridgeProblem::new(source, target, Epsilon::new(0.1)?)?;
//! let (bridge, report) = GaussianSolver::default().solve(&problem, Seed(0), &mut Silent)?;
//! // The mean moves from 1 to 5, so the drift at the mean is 4.
//! let drift = bridge.drift(array![[3.0]].view(), UnitTime::new(0.5)?)?;
//! assert!((drift[[0, 0]] - 4.0).abs() < 1e-9);
//! assert_eq!(report.iterations, 1);
//! # Ok(())
//! # }
//! ```

mod chunks;
mod clocked;
mod coupling;
mod course;
mod curved;
pub mod describe;
mod diffusion;
mod draws;
mod dsbm;
mod flow;
mod from_cells;
mod gaussian;
mod inherit;
mod interpolant;
mod lightsb;
mod link;
#[cfg(test)]
mod link_known;
mod ou;
mod plan;
mod problem;
mod record;
mod report;
mod rescale;
mod series;
mod simulate;
mod sinkhorn;
mod spline;

use ndarray::{Array2, ArrayView1, ArrayView2, Axis};

pub use clocked::{CellClock, Clocked, ClockedBridge, ClockedRecord, Pace, Walk, own_clock};
pub use coupling::{Coupling, CouplingKind};
pub use course::Course;
pub use curved::{Curve, CurvedBridge, CurvedRecord, plain};
pub use describe::{AnySolver, Candidate, CourseSize, Described, Held, Property, Solver};
pub use diffusion::{Diffusion, simulate_schedule};
pub use draws::brownian_bridge_sample;
pub(crate) use draws::draw_cells;
use draws::{noise, pinned_step};
pub(crate) use dsbm::DSBM;
pub use dsbm::DsbmSolver;
#[doc(hidden)]
pub use flow::{Affine, FlowRecord};
pub use flow::{CurvePoint, FlowBridge, FlowNetworks, FlowSolver};
pub(crate) use flow::{I_CFM, OT_CFM, SF2M};
pub use from_cells::{FromCells, Way};
pub(crate) use gaussian::GAUSSIAN;
#[doc(hidden)]
pub use gaussian::GaussianRecord;
pub use gaussian::{GaussianBridge, GaussianSolver};
pub(crate) use inherit::inherit;
use interpolant::Interpolant;
pub use interpolant::PathShape;
pub(crate) use lightsb::LIGHTSB;
#[doc(hidden)]
pub use lightsb::LightSbRecord;
pub use lightsb::{
    Choice, ConditionalPlan, Covariance, GaussianMixture, LightSbBridge, LightSbSolver, Mixture,
};
pub use link::Link;
pub(crate) use ou::Clock;
#[doc(hidden)]
pub use ou::OuRecord;
pub use ou::{OuBridge, OuSolver};
pub(crate) use plan::OT;
#[doc(hidden)]
pub use plan::{Attraction, Bend, Ends, EndsBridge, EndsRecord, PlanRecord};
pub use plan::{Motion, OtSolver, PlanBridge};
pub use problem::{BridgeProblem, UnitTime};
pub use record::BridgeRecord;
pub use report::{FitReport, Stop};
pub use series::BridgeSeries;
pub use simulate::{Simulation, euler_maruyama, simulate};
pub(crate) use sinkhorn::SINKHORN;
use sinkhorn::{AllPairs, SingleRatios, debiased_map};
#[doc(hidden)]
pub use sinkhorn::{CloneCost, EntropicPlan, SharedClones, SinkhornRecord};
pub use sinkhorn::{SinkhornBridge, SinkhornSolver};
pub(crate) use spline::{MASS, SPLINE};
pub use spline::{Mass, Member, SplineSolver, Width};

use crate::bridge::clocked::{each_row, same, through_ends};
use crate::data::Snapshot;
use crate::error::{Result, shape};
use crate::geometry::Epsilon;
use crate::progress::Progress;
use crate::rng::Seed;

/// A solver for one interval.
///
/// A solver contains hyperparameters and no state between calls. To add a solver, implement this
/// trait, and [`AnySolver`] if the command line and [`crate::pipeline`] should offer it.
///
/// ```
/// use ndarray::array;
/// use sbcell::bridge::{
///     Bridge, BridgeProblem, BridgeSolver, FitReport, GaussianBridge, Stop, UnitTime,
/// };
/// use sbcell::data::Snapshot;
/// use sbcell::progress::Progress;
/// use sbcell::{Epsilon, Result, Seed, Silent};
///
/// /// The bridge between the standard Gaussian and the standard Gaussian around 1.
/// #[derive(Debug)]
/// struct Fixed;
///
/// impl BridgeSolver for Fixed {
///     fn solve(
///         &self,
///         problem: &BridgeProblem,
///         _: Seed,
///         _: &mut dyn Progress,
///     ) -> Result<(Box<dyn Bridge>, FitReport)> {
///         let (zero, one, unit) = (array![0.0], array![1.0], array![[1.0]]);
///         let (z, o, u) = (zero.view(), one.view(), unit.view());
///         let bridge = GaussianBridge::between(z, u, o, u, problem.epsilon())?;
///         let report = FitReport {
///             stop: Stop::Converged,
///             iterations: 0,
///             objective: 0.0,
///             start_objective: 0.0,
///             details: Vec::new(),
///         };
///         Ok((Box::new(bridge), report))
///     }
/// }
///
/// # fn main() -> Result<()> {
/// let cells = Snapshot::new(array![[0.0], [1.0]])?;
/// let problem = BridgeProblem::new(cells.clone(), cells, Epsilon::new(0.5)?)?;
/// let (bridge, _) = Fixed.solve(&problem, Seed(0), &mut Silent)?;
/// let drift = bridge.drift(array![[0.0]].view(), UnitTime::START)?;
/// assert!(drift[[0, 0]] > 0.0);
/// # Ok(())
/// # }
/// ```
pub trait BridgeSolver: std::fmt::Debug + Send + Sync {
    /// Solves `problem`.
    ///
    /// The same problem and seed give the same bits on any number of threads of one machine type.
    /// `progress` receives the steps and can stop the computation.
    ///
    /// # Errors
    /// [`crate::Error::Parameter`] for a hyperparameter out of its range or a problem that this
    /// solver does not accept; [`crate::Error::Numerical`] if the computation fails;
    /// [`crate::Error::Cancelled`] if `progress` stops it. Missing convergence is not an error: see
    /// [`FitReport::stop`].
    fn solve(
        &self,
        problem: &BridgeProblem,
        seed: Seed,
        progress: &mut dyn Progress,
    ) -> Result<(Box<dyn Bridge>, FitReport)>;
}

/// A solver for all intervals of a time course together.
///
/// Solvers implement this trait if an interval depends on the others: a geodesic cost needs the
/// cells of all times, a spline needs the neighbouring intervals, and a network describes the whole
/// course.
///
/// ```
/// use ndarray::array;
/// use sbcell::bridge::{Bridge, BridgeProblem, Course, CourseSolver, OtSolver, UnitTime};
/// use sbcell::data::Snapshot;
/// use sbcell::{Epsilon, Seed, Silent};
///
/// # fn main() -> sbcell::Result<()> {
/// let cells = |x: f64| Snapshot::new(array![[x], [x + 1.0]]);
/// let epsilon = Epsilon::new(0.1)?;
/// let first = BridgeProblem::new(cells(0.0)?, cells(2.0)?, epsilon)?;
/// let second = BridgeProblem::new(cells(2.0)?, cells(5.0)?, epsilon)?;
/// let course = Course::new(vec![0.0, 1.0, 4.0], vec![first, second])?;
/// let fitted = OtSolver::default().solve_course(&course, Seed(0), &mut Silent)?;
/// assert_eq!(fitted.len(), 2);
/// let drift = fitted[1].0.drift(array![[2.0]].view(), UnitTime::START)?;
/// assert!((drift[[0, 0]] - 3.0).abs() < 1e-9);
/// # Ok(())
/// # }
/// ```
pub trait CourseSolver: std::fmt::Debug + Send + Sync {
    /// Solves all intervals of `course`: one bridge and one report for each interval, in order.
    ///
    /// The same course and seed give the same bits on any number of threads of one machine type.
    ///
    /// # Errors
    /// As [`BridgeSolver::solve`].
    fn solve_course(
        &self,
        course: &Course,
        seed: Seed,
        progress: &mut dyn Progress,
    ) -> Result<Vec<(Box<dyn Bridge>, FitReport)>>;

    /// Solves interval `k` (from 0) of the course, with the same result as
    /// [`CourseSolver::solve_course`].
    ///
    /// The default implementation solves the whole course. A solver overrides it if it can solve
    /// one interval in less time.
    ///
    /// # Errors
    /// As [`BridgeSolver::solve`]; [`crate::Error::Parameter`] if the course has no interval `k`.
    fn solve_one(
        &self,
        course: &Course,
        k: usize,
        seed: Seed,
        progress: &mut dyn Progress,
    ) -> Result<(Box<dyn Bridge>, FitReport)> {
        self.solve_course(course, seed, progress)?.into_iter().nth(k).ok_or_else(|| {
            let (name, must) = ("interval", "an interval of the course");
            crate::Error::Parameter { name, must, got: k.to_string() }
        })
    }
}

/// A fitted process `dX = b(X, t) dt + √ε dW` on local time from 0 (source) to 1 (target).
///
/// Positions are rows of arrays of shape n × d, in the coordinates of the problem. All rates are
/// per unit of local time; [`BridgeSeries`] converts them to real time. Draws depend on the seed
/// only, not on the number of threads.
///
/// ```
/// use ndarray::array;
/// use sbcell::bridge::{Bridge, GaussianBridge, UnitTime};
/// use sbcell::{Epsilon, Seed};
///
/// # fn main() -> sbcell::Result<()> {
/// let (m0, c0, m1, c1) = (array![0.0], array![[1.0]], array![2.0], array![[1.0]]);
/// let epsilon = Epsilon::new(0.2)?;
/// let bridge = GaussianBridge::between(m0.view(), c0.view(), m1.view(), c1.view(), epsilon)?;
/// let bridge: &dyn Bridge = &bridge;
/// let x = array![[0.0], [0.5]];
/// let ends = bridge.sample_transition(x.view(), UnitTime::START, UnitTime::END, Seed(1))?;
/// assert_eq!(ends.dim(), x.dim());
/// // The record restores the same bridge.
/// assert_eq!(bridge.record(), bridge.record());
/// # Ok(())
/// # }
/// ```
pub trait Bridge: std::fmt::Debug + Send + Sync {
    /// Number of dimensions d.
    fn dim(&self) -> usize;

    /// Variance ε of the reference process per unit of local time.
    fn epsilon(&self) -> Epsilon;

    /// Variance of the noise of this process per unit of local time: ε, or 0 for a process that
    /// moves cells without noise.
    ///
    /// If the noise differs between directions ([`Bridge::noise_factor`]), this is its mean over
    /// the directions.
    fn noise_variance(&self) -> f64 {
        self.epsilon().value()
    }

    /// A matrix `L` (d × d) with `L Lᵀ` the covariance of the noise per unit of local time.
    ///
    /// `None` if the noise is the same in every direction; [`Bridge::noise_variance`] then
    /// describes it completely.
    fn noise_factor(&self) -> Option<ArrayView2<'_, f64>> {
        None
    }

    /// The score `∇ log p_t(x)` of the marginal distribution at time t, at each row of `x` (n × d);
    /// same shape.
    ///
    /// `None` if this bridge does not know the distribution of its cells. [`Bridge::score_from`]
    /// takes the cells of the source as an argument.
    ///
    /// # Errors
    /// As [`Bridge::drift`].
    fn score(&self, x: ArrayView2<'_, f64>, t: UnitTime) -> Result<Option<Array2<f64>>> {
        let _ = (x, t);
        Ok(None)
    }

    /// The score at time t of the process that starts from the weighted cells of `source`, at each
    /// row of `x` (n × d); same shape.
    ///
    /// A bridge that knows its own distribution returns [`Bridge::score`]. The result is `None` if
    /// the score has no closed form, or if the distribution has no density: at t = 0, and at t = 1
    /// for a bridge that ends in the observed cells.
    ///
    /// # Errors
    /// As [`Bridge::drift`]; [`crate::Error::Shape`] if the dimension of `source` differs.
    fn score_from(
        &self,
        source: &Snapshot,
        x: ArrayView2<'_, f64>,
        t: UnitTime,
    ) -> Result<Option<Array2<f64>>> {
        let _ = source;
        self.score(x, t)
    }

    /// The drift `b(x, t)` at each row of `x` (n × d); same shape.
    ///
    /// # Errors
    /// [`crate::Error::Shape`] if `x` does not have [`Bridge::dim`] columns.
    fn drift(&self, x: ArrayView2<'_, f64>, t: UnitTime) -> Result<Array2<f64>>;

    /// The Jacobian of the drift, `J[a, b] = ∂b_a/∂x_b`, averaged over the rows of `x`; d × d.
    ///
    /// # Errors
    /// As [`Bridge::drift`].
    fn mean_jacobian(&self, x: ArrayView2<'_, f64>, t: UnitTime) -> Result<Array2<f64>>;

    /// Draws `X_to` given `X_from = x`, one draw for each row of `x` (n × d).
    ///
    /// Draws are exact (without time discretisation) if the bridge knows its transition kernel.
    /// Otherwise the bridge takes small steps; its own documentation gives their number. `to` may
    /// be 1.
    ///
    /// # Errors
    /// As [`Bridge::drift`]; [`crate::Error::Parameter`] if `from` is after `to`.
    fn sample_transition(
        &self,
        x: ArrayView2<'_, f64>,
        from: UnitTime,
        to: UnitTime,
        seed: Seed,
    ) -> Result<Array2<f64>>;

    /// Draws X at `to[i]` given that it is at row i of `x` (n × d) at `from[i]`: as
    /// [`Bridge::sample_transition`], with times of their own for each row.
    ///
    /// # Errors
    /// As [`Bridge::sample_transition`]; [`crate::Error::Shape`] unless there are n times.
    fn sample_transitions(
        &self,
        x: ArrayView2<'_, f64>,
        from: &[UnitTime],
        to: &[UnitTime],
        seed: Seed,
    ) -> Result<Array2<f64>> {
        for times in [from, to] {
            shape::same("times of rows", "numbers", x.nrows(), times.len())?;
        }
        match same(from).filter(|_| self.draws_by_ends()) {
            Some(start) => through_ends(self, x, start, to, seed),
            None => {
                each_row(x, |i, row, seed| self.sample_transition(row, from[i], to[i], seed), seed)
            }
        }
    }

    /// Whether cells whose end is drawn first ([`Bridge::sample_transition`] to t = 1, then
    /// [`Bridge::sample_pinned`]) have the law of the bridge: the process given both ends is the
    /// reference process pinned to them. Many rows with times of their own are then drawn faster.
    fn draws_by_ends(&self) -> bool {
        false
    }

    /// The bridge on its own clock with the clocks of its cells, if cells have their own
    /// ([`ClockedBridge`]).
    fn clocked(&self) -> Option<Clocked<'_>> {
        None
    }

    /// The bridge along the straight line, if this one follows a curve ([`CurvedBridge`]).
    fn straightened(&self) -> Option<&dyn Bridge> {
        None
    }

    /// The curve that the population follows, if it follows one ([`CurvedBridge`]).
    fn curve(&self) -> Option<&Curve> {
        None
    }

    /// The weights of the source cells under the coupling, `n_source` numbers that sum to one, if
    /// the solver relaxed the source marginal. `None` if the coupling keeps the source marginal.
    fn plan_marginal(&self) -> Option<ArrayView1<'_, f64>> {
        None
    }

    /// The fraction of the interval's growth that has taken place at time t, from 0 to 1.
    ///
    /// The default is t: cells multiply at a constant rate.
    fn growth_by(&self, t: UnitTime) -> f64 {
        t.value()
    }

    /// Draws `n` cells of the population at time t; n × d.
    ///
    /// The method draws cells of `source` in proportion to their weights, each as often as its
    /// share of `n` rounded up or down, and moves them to t with [`Bridge::sample_transition`].
    ///
    /// # Errors
    /// As [`Bridge::drift`].
    fn population(
        &self,
        source: &Snapshot,
        t: UnitTime,
        n: usize,
        seed: Seed,
    ) -> Result<Array2<f64>> {
        let rows = draw_cells(source.marginal(), n, seed.child("population/source", 0));
        let cells = source.points().select(Axis(0), &rows);
        let seed = seed.child("population/transition", 0);
        self.sample_transition(cells.view(), UnitTime::START, t, seed)
    }

    /// The coupling between the cells of `source` and `target`, the snapshots at both ends.
    ///
    /// - A bridge made from a coupling returns it, a continuous Schrödinger bridge the entropic
    ///   coupling of these cells with its ε.
    /// - Any other bridge assigns drawn ends to target cells ([`Link::of_ends`]), the default.
    ///
    /// # Errors
    /// [`crate::Error::Shape`] if numbers of cells or dimensions differ; [`crate::Error::Cancelled`].
    fn link(
        &self,
        source: &Snapshot,
        target: &Snapshot,
        seed: Seed,
        progress: &mut dyn Progress,
    ) -> Result<Link> {
        let seed = seed.child("link/ends", 0);
        let ends = self.sample_transition(source.points(), UnitTime::START, UnitTime::END, seed)?;
        Link::of_ends(ends, source.marginal(), target, progress)
    }

    /// Draws `X_to` given `X_from = x` and `X_1 = end`, row by row; all arrays are n × d.
    ///
    /// Given both of its ends, a Schrödinger bridge is the reference process pinned to them. For
    /// Brownian motion of variance ε, with `s = (to−from)/(1−from)`, this is `N(x + s (end − x), ε
    /// (to−from)(1−to)/(1−from) I)`. The default implementation draws from it; pinned paths
    /// therefore do not follow the curves of splines.
    ///
    /// # Errors
    /// As [`Bridge::sample_transition`]; [`crate::Error::Shape`] if `x` and `end` differ in shape.
    fn sample_pinned(
        &self,
        x: ArrayView2<'_, f64>,
        end: ArrayView2<'_, f64>,
        from: UnitTime,
        to: UnitTime,
        seed: Seed,
    ) -> Result<Array2<f64>> {
        pinned_step(x, end, from, to, self.noise_variance(), self.noise_factor(), seed)
    }

    /// The bridge as plain numbers. [`BridgeRecord::restore`] returns the same bridge, bit for bit.
    fn record(&self) -> BridgeRecord;
}
