//! Pairs cells by a cheapest plan, for a Euclidean or a geodesic cost.

use ndarray::Array2;
use serde::{Deserialize, Serialize};

use crate::bridge::plan::costs::{cost_between, fit_course};
use crate::bridge::plan::process::{Motion, PlanBridge};
use crate::bridge::{
    Bridge, BridgeProblem, BridgeSolver, Coupling, Course, CourseSolver, FitReport, Stop,
};
use crate::error::{Error, Result};
use crate::geometry::{Cost, CostChoice};
use crate::linalg::exact_plan;
use crate::progress::Progress;
use crate::rng::Seed;

/// Pairs of cells at most for an exact plan: 3.2 GB of costs.
const MAX_PAIRS: usize = 400_000_000;

/// The least mass of a pair that is kept, as a share of an even row: less comes from rounding
/// weights to 2⁻⁵⁰, and would count as a pair like any other.
const LEAST_MASS: f64 = 1e-9;

/// Exact optimal transport with McCann's interpolation: [`Motion::Straight`].
///
/// The limit of the Schrödinger bridge for ε → 0 (with the Euclidean cost): every cell goes
/// straight to its partner in a cheapest plan. ε plays no part; with a geodesic cost the pairs
/// are those of least geodesic cost, the lines are straight all the same. At most
/// `n + m − 1` pairs; time and memory as [`exact_plan`], 8 bytes for each pair of cells.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct OtSolver {
    /// What is moved at which cost.
    pub cost: CostChoice,
}

impl OtSolver {
    /// Checks the ranges.
    ///
    /// # Errors
    /// As [`CostChoice::check`].
    pub fn check(&self) -> Result<()> {
        self.cost.check()
    }
}

/// A cheapest plan for `cost`, carried out along straight lines.
fn fit(
    problem: &BridgeProblem,
    cost: &dyn Cost,
    progress: &mut dyn Progress,
) -> Result<(Box<dyn Bridge>, FitReport)> {
    let (source, target) = (problem.source(), problem.target());
    let shape = cost.shape();
    check_pairs(shape)?;
    let mut costs = Array2::zeros(shape);
    cost.rows(0, costs.view_mut());
    let start_objective = source.marginal().dot(&costs.dot(&target.marginal()));
    let plan = exact_plan(costs.view(), source.marginal(), target.marginal(), progress)?;
    let least = LEAST_MASS / shape.0.max(shape.1) as f64;
    let pairs = plan.entries.iter().copied().filter(|entry| entry.2 > least);
    let coupling = Coupling::new(shape.0, shape.1, pairs)?;
    let report = FitReport {
        stop: Stop::Converged,
        iterations: plan.n_pivots,
        objective: plan.cost,
        start_objective: start_objective.max(plan.cost),
        details: vec![("n_pairs".into(), coupling.n_pairs() as f64)],
    };
    let (epsilon, motion) = (problem.epsilon(), Motion::Straight);
    let bridge = PlanBridge::new(source, target, &coupling, epsilon, motion)?;
    Ok((Box::new(bridge), report))
}

fn check_pairs(shape: (usize, usize)) -> Result<()> {
    if shape.0.saturating_mul(shape.1) <= MAX_PAIRS {
        return Ok(());
    }
    let must = "at most 4e8 pairs for an exact plan; use fewer cells, or the parameter \
                `solver = sinkhorn` with a small `epsilon`";
    let got = format!("{} × {}", shape.0, shape.1);
    Err(Error::Parameter { name: "number of cells", must, got })
}

impl BridgeSolver for OtSolver {
    fn solve(
        &self,
        problem: &BridgeProblem,
        _seed: Seed,
        progress: &mut dyn Progress,
    ) -> Result<(Box<dyn Bridge>, FitReport)> {
        check_pairs((problem.source().n_cells(), problem.target().n_cells()))?;
        let cost = cost_between(problem, &self.cost, progress)?;
        fit(problem, &*cost, progress)
    }
}

impl CourseSolver for OtSolver {
    fn solve_course(
        &self,
        course: &Course,
        _seed: Seed,
        progress: &mut dyn Progress,
    ) -> Result<Vec<(Box<dyn Bridge>, FitReport)>> {
        for problem in course.problems() {
            check_pairs((problem.source().n_cells(), problem.target().n_cells()))?;
        }
        fit_course(course, &self.cost, progress, |_, problem, cost, progress| {
            fit(problem, cost, progress)
        })
    }
}
