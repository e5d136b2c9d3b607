//! Exact optimal transport, for a Euclidean or a geodesic cost.

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

/// Largest number of pairs of cells for exact transport: 3.2 GB of costs.
const MAX_PAIRS: usize = 400_000_000;

/// Smallest mass of a pair that is kept, as a fraction of `1/n`. Smaller masses come from the
/// rounding of weights to 2⁻⁵⁰, and would count as pairs like any other.
const LEAST_MASS: f64 = 1e-9;

/// Exact optimal transport with McCann's interpolation ([`Motion::Straight`]).
///
/// **Problem.** `min Σ_ij π_ij C_ij` over all couplings π of the two snapshots, with `C_ij = ½‖x_i
/// − y_j‖²` or half a squared geodesic distance. Every cell moves at constant speed on the straight
/// line to its partner. For the Euclidean cost this is the limit of the Schrödinger bridge for ε →
/// 0; ε has no influence. With a geodesic cost the pairs minimise this cost, and paths are straight
/// as well.
///
/// **Method.** The network simplex method, checked against its dual variables. The coupling has at
/// most `n + m − 1` pairs.
///
/// **Cost.** Time grows as `n^2.7`: one second for 3 500 cells against as many, one minute for 15
/// 000 (`docs/METHODS.md`). Memory is 8 bytes for each pair of cells; at most 4·10⁸ pairs.
///
/// ```
/// use ndarray::array;
/// use sbcell::bridge::{Bridge, BridgeProblem, BridgeSolver, OtSolver, UnitTime};
/// use sbcell::data::Snapshot;
/// use sbcell::{Epsilon, Seed, Silent};
///
/// # fn main() -> sbcell::Result<()> {
/// let source = Snapshot::new(array![[0.0], [1.0]])?;
/// let target = Snapshot::new(array![[3.0], [6.0]])?;
/// let problem = BridgeProblem::new(source.clone(), target, Epsilon::new(0.1)?)?;
/// let (bridge, report) = OtSolver::default().solve(&problem, Seed(0), &mut Silent)?;
/// // Mean cost ½ (½ 3² + ½ 5²).
/// assert!((report.objective - 8.5).abs() < 1e-9);
/// let ends = bridge.sample_transition(source.points(), UnitTime::START, UnitTime::END, Seed(1))?;
/// assert_eq!(ends, array![[3.0], [6.0]]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, derive_setters::Setters)]
#[setters(prefix = "with_")]
#[non_exhaustive]
pub struct OtSolver {
    /// The cost that is minimised.
    pub cost: CostChoice,
}

impl OtSolver {
    /// Checks the ranges of the hyperparameters.
    ///
    /// # Errors
    /// As [`CostChoice::check`].
    pub fn check(&self) -> Result<()> {
        self.cost.check()
    }
}

/// The coupling of minimal `cost`, with straight lines.
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

/// Refuses more pairs than [`MAX_PAIRS`].
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
    /// A geodesic cost uses the graph of the cells of this interval alone; see `solve_course`.
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
    /// A geodesic cost uses the graph of all cells of the course.
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
