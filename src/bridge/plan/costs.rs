//! Costs between the snapshots of a problem or course, for solvers that pair cells by any cost.

use ndarray::ArrayView2;

use crate::bridge::{Bridge, BridgeProblem, Course, FitReport};
use crate::error::Result;
use crate::geometry::{Cost, CostChoice, Ground};
use crate::progress::Progress;

/// Costs between all snapshots of a course. Neighbour graphs contain all of its cells.
pub(in crate::bridge) fn course_ground(
    course: &Course,
    choice: &CostChoice,
    progress: &mut dyn Progress,
) -> Result<Ground> {
    let problems = course.problems();
    let last = problems.last().map(|problem| problem.target().points());
    let snapshots: Vec<ArrayView2<'_, f64>> =
        problems.iter().map(|problem| problem.source().points()).chain(last).collect();
    choice.ground(&snapshots, progress)
}

/// Fits each interval of a course with a cost that is computed over all cells of the course. `fit`
/// receives the number of the interval, its problem and its cost.
pub(in crate::bridge) fn fit_course(
    course: &Course,
    choice: &CostChoice,
    progress: &mut dyn Progress,
    mut fit: impl FnMut(
        usize,
        &BridgeProblem,
        &dyn Cost,
        &mut dyn Progress,
    ) -> Result<(Box<dyn Bridge>, FitReport)>,
) -> Result<Vec<(Box<dyn Bridge>, FitReport)>> {
    let ground = course_ground(course, choice, progress)?;
    let mut fitted = Vec::with_capacity(course.problems().len());
    for (k, problem) in course.problems().iter().enumerate() {
        let cost = ground.cost(k, k + 1, progress)?;
        fitted.push(fit(k, problem, &*cost, progress)?);
    }
    Ok(fitted)
}

/// The cost between the two snapshots of a problem, computed over their cells alone.
pub(in crate::bridge) fn cost_between(
    problem: &BridgeProblem,
    choice: &CostChoice,
    progress: &mut dyn Progress,
) -> Result<Box<dyn Cost>> {
    let ends = [problem.source().points(), problem.target().points()];
    choice.ground(&ends, progress)?.cost(0, 1, progress)
}
