//! THE SCHRÖDINGER BRIDGE: a solver takes a problem and gives a bridge and a report.

mod lightsb;
mod problem;
mod record;
mod report;
mod series;
mod simulate;

use ndarray::{Array2, ArrayView2};

pub use lightsb::{ConditionalPlan, Covariance, LightSbBridge, LightSbSolver, Mixture};
pub use problem::{BridgeProblem, UnitTime};
pub use record::{BridgeRecord, LightSbRecord};
pub use report::{FitReport, Stop};
pub use series::BridgeSeries;
pub use simulate::{brownian_bridge_sample, draw_cells, euler_maruyama};

use crate::error::Result;
use crate::geometry::Epsilon;
use crate::progress::Progress;
use crate::rng::Seed;

/// Finds the bridge of a problem. A solver holds hyperparameters and nothing else.
pub trait BridgeSolver: std::fmt::Debug + Send + Sync {
    /// Solves `problem`; the same problem and seed give the same bits on any number of threads.
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

/// A process `dX = b(X, t) dt + √ε dW` on local time from 0 (source) to 1 (target).
pub trait Bridge: std::fmt::Debug + Send + Sync {
    /// Number of dimensions.
    fn dim(&self) -> usize;

    /// Variance of the reference process per unit of local time.
    fn epsilon(&self) -> Epsilon;

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

    /// Draws `X_to` given `X_from = x`, one draw for each row of `x`, without time
    /// discretisation. `from` must not be after `to`; `to` may be 1.
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

    /// The bridge as plain numbers; [`BridgeRecord::restore`] gives it back, bit for bit.
    fn record(&self) -> BridgeRecord;
}
