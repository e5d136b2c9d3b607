//! Finds bridges for an Ornstein-Uhlenbeck reference by a solver for a Brownian one.

use std::sync::Arc;

use ndarray::Array1;

use crate::bridge::ou::process::{OuBridge, Place};
use crate::bridge::{Bridge, BridgeProblem, BridgeSolver, Choice, FitReport, UnitTime};
use crate::error::Result;
use crate::progress::Progress;
use crate::rng::Seed;

/// Solves for the reference `dX = −b (X − m) dt + √ε dW` with whatever solves for `√ε dW`.
///
/// Left alone such a cell forgets where it was as `e^{−bt}`, and a population of them settles at
/// the variance `ε/2b` around m: a reference for cells that do not spread without end. The static
/// problem is entropic transport with the cost
/// `½ |y − m − e^{−b} (x − m)|² · 2b / (1 − e^{−2b})`. It differs from `½ |y − x|² · b / sinh b` by terms
/// of x and of y alone, so where marginals are kept the plan is that of Brownian motion with
/// `ε sinh b / b`; but the paths between the ends have the noise of ε. `b < 0` pushes away from m.
///
/// The report is that of the inner solver, whose objective is in the coordinates of
/// [`crate::bridge::Clock`]: not to be compared between different b.
///
/// Costs what the inner solver costs.
#[derive(Debug, Clone)]
pub struct OuSolver {
    /// What solves the Brownian problem.
    pub inner: Arc<dyn BridgeSolver>,
    /// The pull b per unit of local time, between −10 and 10.
    pub pull: f64,
    /// The centre m, one number for each dimension; if it is to be found, the middle between the
    /// means of both snapshots.
    pub centre: Choice<Array1<f64>>,
}

impl OuSolver {
    /// As [`BridgeSolver::solve`], with the bridge as what it is.
    ///
    /// # Errors
    /// As [`BridgeSolver::solve`].
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
