//! Computes the Gaussian of each snapshot and the closed form between them.

use ndarray::{Array1, Array2};
use serde::{Deserialize, Serialize};

use crate::bridge::gaussian::process::GaussianBridge;
use crate::bridge::{Bridge, BridgeProblem, BridgeSolver, FitReport, Stop};
use crate::data::Snapshot;
use crate::error::Result;
use crate::linalg::product_tn;
use crate::progress::{self, Event, Progress};
use crate::rng::Seed;

/// The Schrödinger bridge between the Gaussians with the means and covariances of the snapshots.
///
/// The problem is the Schrödinger bridge of `docs/METHODS.md`, section 1, with `N(m₀, A)` and
/// `N(m₁, B)` in place of the snapshots. The solution is exact if both snapshots are normally
/// distributed. Otherwise it uses only their first two moments: one affine drift for the whole
/// population, which cannot represent branches.
///
/// There are no hyperparameters, no iterations and no random numbers. Takes `O(n d² + d³)` time and
/// `O(n d)` memory. [`GaussianBridge`] gives the formula and the source.
///
/// ```
/// use ndarray::array;
/// use sbcell::bridge::{BridgeProblem, GaussianSolver, UnitTime};
/// use sbcell::data::Snapshot;
/// use sbcell::{Epsilon, Silent};
///
/// # fn main() -> sbcell::Result<()> {
/// let source = Snapshot::new(array![[0.0, 0.0], [2.0, 0.0], [0.0, 2.0], [2.0, 2.0]])?;
/// let target = Snapshot::new(array![[4.0, 1.0], [8.0, 1.0], [4.0, 3.0], [8.0, 3.0]])?;
/// let problem = BridgeProblem::new(source, target, Epsilon::new(0.1)?)?;
/// let (bridge, _) = GaussianSolver::default().fit(&problem, &mut Silent)?;
/// let end = bridge.covariance(UnitTime::END);
/// assert!((end[[0, 0]] - 4.0).abs() < 1e-9 && (end[[1, 1]] - 1.0).abs() < 1e-9);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[derive(derive_setters::Setters)]
#[setters(prefix = "with_")]
#[non_exhaustive]
pub struct GaussianSolver {}

impl GaussianSolver {
    /// There is no parameter that could be out of its range.
    ///
    /// # Errors
    /// None.
    pub fn check(&self) -> Result<()> {
        let Self {} = self;
        Ok(())
    }

    /// As [`BridgeSolver::solve`], with the concrete type of the bridge.
    ///
    /// # Errors
    /// As [`BridgeSolver::solve`].
    pub fn fit(
        &self,
        problem: &BridgeProblem,
        progress: &mut dyn Progress,
    ) -> Result<(GaussianBridge, FitReport)> {
        self.check()?;
        let begin = Event::Begin { what: "solving in closed form".into(), total: 1 };
        progress::report(progress, begin)?;
        let (mean0, covariance0) = moments(problem.source());
        let (mean1, covariance1) = moments(problem.target());
        let bridge = GaussianBridge::between(
            mean0.view(),
            covariance0.view(),
            mean1.view(),
            covariance1.view(),
            problem.epsilon(),
        )?;
        progress::report(progress, Event::Step { done: 1 })?;
        progress::report(progress, Event::End)?;
        let objective = bridge.objective();
        let report = FitReport {
            stop: Stop::Converged,
            iterations: 1,
            objective,
            start_objective: objective,
            details: Vec::new(),
        };
        Ok((bridge, report))
    }
}

impl BridgeSolver for GaussianSolver {
    fn solve(
        &self,
        problem: &BridgeProblem,
        _seed: Seed,
        progress: &mut dyn Progress,
    ) -> Result<(Box<dyn Bridge>, FitReport)> {
        let (bridge, report) = self.fit(problem, progress)?;
        Ok((Box::new(bridge), report))
    }
}

/// Weighted mean and covariance of a snapshot. The denominator is the sum of the weights, not `n −
/// 1`.
fn moments(snapshot: &Snapshot) -> (Array1<f64>, Array2<f64>) {
    let (points, weights) = (snapshot.points(), snapshot.marginal());
    let mean = weights.dot(&points);
    let mut spread = &points - &mean;
    for (mut row, weight) in spread.rows_mut().into_iter().zip(weights) {
        row *= weight.sqrt();
    }
    let covariance = product_tn(spread.view(), spread.view());
    let even = |(i, j): (usize, usize)| f64::midpoint(covariance[[i, j]], covariance[[j, i]]);
    (mean, Array2::from_shape_fn(covariance.dim(), even))
}
