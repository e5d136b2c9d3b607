//! Solves for an Ornstein-Uhlenbeck reference with a solver for a Brownian reference.

use std::sync::Arc;

use ndarray::Array1;

use crate::bridge::ou::process::{OuBridge, Place};
use crate::bridge::{Bridge, BridgeProblem, BridgeSolver, Choice, FitReport, UnitTime};
use crate::error::Result;
use crate::progress::Progress;
use crate::rng::Seed;

/// The Schrödinger bridge for the reference `dX = −b (X − m) dt + √ε dW`, by any solver for `dX =
/// √ε dW`.
///
/// A cell of the reference process keeps the fraction `e^{−bt}` of its distance from m, and a
/// population settles at the variance `ε/2b` around m. The spread of cells therefore stays bounded.
/// A negative b pushes cells away from m. The static problem is entropic transport with the cost
///
/// ```text
/// ½ |y − m − e^{−b} (x − m)|² · 2b / (1 − e^{−2b})
/// ```
///
/// Up to terms of x alone and of y alone it equals `½ |y − x|² b / sinh b`. If both marginals are
/// kept, the coupling is therefore that of Brownian motion with `ε sinh b / b`. The paths between
/// the ends have noise ε and bend towards m (`docs/METHODS.md`, section 1).
///
/// The report is that of the inner solver. Its objective refers to the transformed coordinates; do
/// not compare it between different b. Time and memory are those of the inner solver. [`OuBridge`]
/// has an example.
///
/// ```
/// use std::sync::Arc;
/// use sbcell::bridge::{Choice, OuSolver, SinkhornSolver};
///
/// // Over the interval the reference keeps e^{-0.3} of a cell's distance from the centre.
/// let inner = Arc::new(SinkhornSolver::default());
/// let solver = OuSolver { inner, pull: 0.3, centre: Choice::Auto };
/// assert!(solver.pull > 0.0);
/// ```
#[derive(Debug, Clone)]
pub struct OuSolver {
    /// The solver of the Brownian problem.
    pub inner: Arc<dyn BridgeSolver>,
    /// The pull b per unit of local time, between −10 and 10.
    pub pull: f64,
    /// The centre m, d numbers. `Auto`: half-way between the means of the two snapshots.
    pub centre: Choice<Array1<f64>>,
}

impl OuSolver {
    /// As [`BridgeSolver::solve`], with the concrete type of the bridge.
    ///
    /// # Errors
    /// As [`BridgeSolver::solve`]; [`crate::Error::Parameter`] or [`crate::Error::Shape`] if the
    /// pull or the centre is out of its range.
    pub fn fit(
        &self,
        problem: &BridgeProblem,
        seed: Seed,
        progress: &mut dyn Progress,
    ) -> Result<(OuBridge, FitReport)> {
        let Self { inner, pull, centre } = self;
        let (source, target) = (problem.source(), problem.target());
        let centre = match centre {
            Choice::Is(centre) => centre.clone(),
            Choice::Auto => {
                let ends = source.marginal().dot(&source.points())
                    + target.marginal().dot(&target.points());
                ends * 0.5
            }
        };
        let place = Place::new(*pull, centre, problem.dim())?;
        let source = place.snapshot(source, UnitTime::START)?;
        let target = place.snapshot(target, UnitTime::END)?;
        let moved = BridgeProblem::new(source, target, problem.epsilon())?;
        let (bridge, report) = inner.solve(&moved, seed, progress)?;
        Ok((OuBridge::new(bridge, place), report))
    }
}

impl BridgeSolver for OuSolver {
    fn solve(
        &self,
        problem: &BridgeProblem,
        seed: Seed,
        progress: &mut dyn Progress,
    ) -> Result<(Box<dyn Bridge>, FitReport)> {
        let (bridge, report) = self.fit(problem, seed, progress)?;
        Ok((Box::new(bridge), report))
    }
}
