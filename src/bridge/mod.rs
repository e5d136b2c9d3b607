//! THE SCHRÖDINGER BRIDGE: a solver takes a problem and gives a bridge and a report.

mod coupling;
mod course;
pub mod describe;
mod draws;
mod flow;
mod from_cells;
mod gaussian;
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
mod series;
mod simulate;
mod sinkhorn;
mod spline;

use ndarray::{Array2, ArrayView1, ArrayView2, Axis};

pub use coupling::{Coupling, CouplingKind};
pub use course::Course;
pub use describe::{AnySolver, CourseSize, Described, Held, Property, Solver};
pub use draws::brownian_bridge_sample;
pub(crate) use draws::draw_cells;
use draws::{noise, pinned_step};
#[doc(hidden)]
pub use flow::{Affine, FlowRecord};
pub use flow::{CurvePoint, FlowBridge, FlowNetworks, FlowSolver};
pub(crate) use flow::{I_CFM, OT_CFM, SF2M};
pub use from_cells::{FromCells, Way};
pub(crate) use gaussian::GAUSSIAN;
#[doc(hidden)]
pub use gaussian::GaussianRecord;
pub use gaussian::{GaussianBridge, GaussianSolver};
use interpolant::Interpolant;
pub use interpolant::PathShape;
pub(crate) use lightsb::LIGHTSB;
#[doc(hidden)]
pub use lightsb::LightSbRecord;
pub use lightsb::{
    Choice, ConditionalPlan, Covariance, GaussianMixture, LightSbBridge, LightSbSolver, Mixture,
};
pub use link::Link;
use ou::Clock;
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
#[doc(hidden)]
pub use sinkhorn::EntropicPlan;
pub(crate) use sinkhorn::SINKHORN;
#[doc(hidden)]
pub use sinkhorn::SinkhornRecord;
use sinkhorn::{AllPairs, debiased_map};
pub use sinkhorn::{SinkhornBridge, SinkhornSolver};
pub(crate) use spline::{MASS, SPLINE};
pub use spline::{Mass, Member, SplineSolver, Width};

use crate::data::Snapshot;
use crate::error::Result;
use crate::geometry::Epsilon;
use crate::progress::Progress;
use crate::rng::Seed;

/// Finds the bridge of a problem. A solver holds hyperparameters and nothing else.
pub trait BridgeSolver: std::fmt::Debug + Send + Sync {
    /// Solves `problem`; the same problem and seed give the same bits on any number of threads of one
    /// machine type.
    ///
    /// # Errors
    /// A parameter out of range, a problem this solver cannot take, or the stop button. Not
    /// having converged is no error but [`FitReport::stop`].
    fn solve(
        &self,
        problem: &BridgeProblem,
        seed: Seed,
        progress: &mut dyn Progress,
    ) -> Result<(Box<dyn Bridge>, FitReport)>;
}

/// Finds the bridges of all intervals together. A solver holds hyperparameters and nothing else.
pub trait CourseSolver: std::fmt::Debug + Send + Sync {
    /// Solves all intervals of `course`: one bridge and one report for each, in order; the same
    /// course and seed give the same bits on any number of threads of one machine type.
    ///
    /// # Errors
    /// As [`BridgeSolver::solve`].
    fn solve_course(
        &self,
        course: &Course,
        seed: Seed,
        progress: &mut dyn Progress,
    ) -> Result<Vec<(Box<dyn Bridge>, FitReport)>>;

    /// Interval `k` of the course, as [`CourseSolver::solve_course`] has it.
    ///
    /// # Errors
    /// As there; [`crate::Error::Parameter`] if there is no such interval.
    fn solve_one(
        &self,
        course: &Course,
        k: usize,
        seed: Seed,
        progress: &mut dyn Progress,
    ) -> Result<(Box<dyn Bridge>, FitReport)> {
        self.solve_course(course, seed, progress)?.into_iter().nth(k).ok_or_else(|| {
            let (name, must) = ("interval", "one of the course");
            crate::Error::Parameter { name, must, got: k.to_string() }
        })
    }
}

/// A process `dX = b(X, t) dt + √ε dW` on local time from 0 (source) to 1 (target).
pub trait Bridge: std::fmt::Debug + Send + Sync {
    /// Number of dimensions.
    fn dim(&self) -> usize;

    /// Variance of the reference process per unit of local time.
    fn epsilon(&self) -> Epsilon;

    /// Variance of the noise of this process per unit of local time: ε, or 0 for a process that
    /// moves cells without noise.
    fn noise_variance(&self) -> f64 {
        self.epsilon().value()
    }

    /// `L` with `L Lᵀ` the covariance of the noise per unit of local time, for a process whose noise
    /// is not the same in every direction; [`Bridge::noise_variance`] is then its mean.
    fn noise_factor(&self) -> Option<ArrayView2<'_, f64>> {
        None
    }

    /// The score `∇ log p_t(x)` of the process's law at each row of `x` `(n, dim)`, same shape, if
    /// this bridge knows it.
    ///
    /// # Errors
    /// As [`Bridge::drift`].
    fn score(&self, x: ArrayView2<'_, f64>, t: UnitTime) -> Result<Option<Array2<f64>>> {
        let _ = (x, t);
        Ok(None)
    }

    /// The score at `t` of the process that starts from the weighted cells of `source`, at each row
    /// of `x` `(n, dim)`, same shape; that of [`Bridge::score`] for a bridge that knows its law without
    /// its cells. `None` where neither has a closed form, and where cells have no density (at 0, and
    /// at the end of a bridge that ends in cells).
    ///
    /// # Errors
    /// As [`Bridge::drift`]; [`crate::Error::Shape`] if `source` has another dimension.
    fn score_from(
        &self,
        source: &Snapshot,
        x: ArrayView2<'_, f64>,
        t: UnitTime,
    ) -> Result<Option<Array2<f64>>> {
        let _ = source;
        self.score(x, t)
    }

    /// The drift `b(x, t)` at each row of `x` `(n, dim)`; the result has the same shape.
    ///
    /// # Errors
    /// [`crate::Error::Shape`] if `x` does not have [`Bridge::dim`] columns.
    fn drift(&self, x: ArrayView2<'_, f64>, t: UnitTime) -> Result<Array2<f64>>;

    /// The Jacobian `J[a, b] = ∂b_a/∂x_b` averaged over the rows of `x`, `(dim, dim)`.
    ///
    /// # Errors
    /// As [`Bridge::drift`].
    fn mean_jacobian(&self, x: ArrayView2<'_, f64>, t: UnitTime) -> Result<Array2<f64>>;

    /// Draws `X_to` given `X_from = x`, one draw for each row of `x`; without time discretisation
    /// where the bridge has exact transitions, otherwise in the small steps that it states.
    /// `from` must not be after `to`; `to` may be 1.
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

    /// The shares of the source cells in the bridge's plan, `n_source`, summing to one, if the
    /// solver let them differ from the source's marginal; `None` if they are that marginal.
    fn plan_marginal(&self) -> Option<ArrayView1<'_, f64>> {
        None
    }

    /// How much of the growth of the whole interval cells have had at `t`, from 0 at the start to 1
    /// at the end: t where they multiply at a constant rate.
    fn growth_by(&self, t: UnitTime) -> f64 {
        t.value()
    }

    /// Draws `n` cells of the population at `t`, `(n, dim)`: cells of `source`, each as often as
    /// its share in the marginal, carried from 0 to `t`.
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

    /// Which cells of `source` go to which cells of `target`: the snapshots at its two ends.
    ///
    /// A bridge of a plan gives that plan. A Schrödinger bridge whose law is a density gives the
    /// entropic plan between these cells with its own ε, which is the same problem for the cells
    /// themselves. Any other gives where a draw of the end of each source cell comes down
    /// ([`Link::of_ends`]).
    ///
    /// # Errors
    /// [`crate::Error::Shape`] if the snapshots are not those of the bridge, in number or dimension.
    fn link(&self, source: &Snapshot, target: &Snapshot, seed: Seed) -> Result<Link> {
        let seed = seed.child("link/ends", 0);
        let ends = self.sample_transition(source.points(), UnitTime::START, UnitTime::END, seed)?;
        Link::of_ends(ends, source.marginal(), target)
    }

    /// Draws `X_to` given `X_from = x` and `X_1 = end`, row by row; all `(n, dim)`.
    ///
    /// Given both its ends a Schrödinger bridge is the reference between them: for Brownian motion
    /// of variance ε, `N(x + s (end − x), ε (to−from)(1−to)/(1−from) I)`, s = (to−from)/(1−from).
    /// Curves of splines are not followed: their pinned paths are straight but for the noise.
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

    /// The bridge as plain numbers; [`BridgeRecord::restore`] gives it back, bit for bit.
    fn record(&self) -> BridgeRecord;
}
