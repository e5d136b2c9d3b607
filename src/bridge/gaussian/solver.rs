//! Fits a Gaussian to each snapshot and takes the closed form between them.

use ndarray::{Array1, Array2};
use serde::{Deserialize, Serialize};

use crate::bridge::gaussian::process::GaussianBridge;
use crate::bridge::{Bridge, BridgeProblem, BridgeSolver, FitReport, Stop};
use crate::data::Snapshot;
use crate::error::Result;
use crate::linalg::product_tn;
use crate::progress::{self, Event, Progress};
use crate::rng::Seed;

/// The bridge between the Gaussians that have the snapshots' weighted means and covariances.
///
/// Exact when both snapshots are Gaussian, otherwise the best that sees no more than two
/// moments: an affine drift, one motion for the whole population. Nothing is random and nothing
/// iterates. There are no hyperparameters. Time `O(n dim² + dim³)`, memory `O(n dim)`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GaussianSolver {}

impl GaussianSolver {
    /// Nothing can be out of range.
    ///
    /// # Errors
    /// None.
    pub fn check(&self) -> Result<()> {
        let Self {} = self;
        Ok(())
    }

    /// The bridge itself rather than a boxed [`Bridge`].
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

/// Weighted mean and covariance (of the weights as a law: no `n − 1`).
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
