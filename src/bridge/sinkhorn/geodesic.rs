//! The entropic coupling for a geodesic cost, whose pairs move on Brownian bridges.

use crate::bridge::plan::{cost_between, fit_course};
use crate::bridge::{
    Bridge, BridgeProblem, BridgeSolver, Course, CourseSolver, FitReport, Motion, PlanBridge,
    SinkhornSolver,
};
use crate::error::Result;
use crate::geometry::Cost;
use crate::progress::Progress;
use crate::rng::Seed;

/// Largest number of pairs for each source cell in the bridge.
const PAIRS_PER_CELL: usize = 64;

impl SinkhornSolver {
    /// The coupling for `cost`, and the bridge that moves its pairs.
    ///
    /// Only the cost ½‖x−y‖² has a drift in closed form over all pairs. For another cost up to 64
    /// pairs for each source cell are kept, see `EntropicPlan::pairs`.
    fn carried(
        &self,
        problem: &BridgeProblem,
        cost: &dyn Cost,
        seed: Seed,
        progress: &mut dyn Progress,
    ) -> Result<(Box<dyn Bridge>, FitReport)> {
        let (source, target) = (problem.source(), problem.target());
        let (p, q, epsilon) = (source.marginal(), target.marginal(), problem.epsilon());
        let plan = self.couple(cost, p, q, epsilon, progress)?;
        let coupling = plan.pairs(PAIRS_PER_CELL, seed)?;
        let mut report = plan.report().clone();
        report.details.push(("n_pairs".into(), coupling.n_pairs() as f64));
        let bridge = PlanBridge::new(source, target, &coupling, epsilon, Motion::Brownian)?;
        let relaxed = self.source_relaxation.is_some();
        Ok((Box::new(if relaxed { bridge.relaxed() } else { bridge }), report))
    }
}

impl BridgeSolver for SinkhornSolver {
    /// [`SinkhornSolver::fit`] for the Euclidean cost. A geodesic cost uses the graph of the cells
    /// of this interval alone.
    fn solve(
        &self,
        problem: &BridgeProblem,
        seed: Seed,
        progress: &mut dyn Progress,
    ) -> Result<(Box<dyn Bridge>, FitReport)> {
        self.check()?;
        if !self.cost.is_geodesic() {
            let (bridge, report) = self.fit(problem, progress)?;
            return Ok((Box::new(bridge), report));
        }
        let cost = cost_between(problem, &self.cost, progress)?;
        self.carried(problem, &*cost, seed, progress)
    }
}

impl CourseSolver for SinkhornSolver {
    /// With a geodesic cost, the neighbour graph contains the cells of all snapshots.
    fn solve_course(
        &self,
        course: &Course,
        seed: Seed,
        progress: &mut dyn Progress,
    ) -> Result<Vec<(Box<dyn Bridge>, FitReport)>> {
        self.check()?;
        if !self.cost.is_geodesic() {
            let problems = course.problems().iter();
            return problems.map(|problem| self.solve(problem, seed, progress)).collect();
        }
        fit_course(course, &self.cost, progress, |k, problem, cost, progress| {
            let seed = seed.child("sinkhorn/interval", k as u64);
            self.carried(problem, cost, seed, progress)
        })
    }
}
