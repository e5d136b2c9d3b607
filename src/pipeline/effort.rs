//! How much work the bridges of a course are for a solver, before it has begun.

use crate::bridge::{Choice, LightSbSolver, SinkhornSolver};
use crate::pipeline::config::SolverChoice;
use crate::pipeline::prepare::Selection;

/// How LightSB's time grows with cells where sizes are compared, in those of one cell. Measured on
/// courses of 10⁴ to 10⁶ cells in 50 dimensions (`tests/bench/scale`): comparing sizes takes as long
/// as for so many cells more; cells that only judge take about half; the mixture that is kept a
/// tenth, and ends on all cells.
const COMPARING_AT_LEAST: f64 = 5_500.0;
const JUDGING: f64 = 0.45;
const KEPT: f64 = 0.1;
const ENDING: f64 = 0.12;

/// Steps of a descent of given size, at first and at the end on all cells.
const FIRST_STEPS: f64 = 150.0;
const LAST_STEPS: f64 = 50.0;

/// Steps over a cell that LightSB takes for one interval, all sizes together.
fn lightsb_cost(solver: &LightSbSolver, ends: [usize; 2]) -> f64 {
    let side = ends.iter().sum::<usize>() as f64 / 2.0;
    let some = LightSbSolver::begins_with(ends[0], ends[1]).map(|some| some as f64);
    let first = some.unwrap_or(side);
    match solver.n_gaussians {
        Choice::Auto => {
            let judging = (side - first).min(LightSbSolver::JUDGED_OF_MANY as f64);
            let ending = if some.is_some() { ENDING * side } else { 0.0 };
            COMPARING_AT_LEAST + (1.0 + KEPT) * first + JUDGING * judging + ending
        }
        Choice::Is(_) => FIRST_STEPS * first + some.map_or(0.0, |_| LAST_STEPS * side),
    }
}

/// Flops of LightSB for a unit of [`lightsb_cost`]: `8 K F` for a step over a cell of each side with `K`
/// Gaussians of `F` features.
fn lightsb_flops(solver: &LightSbSolver, dims: f64) -> f64 {
    let (diagonal, full) = (2.0 * dims + 1.0, (dims + 1.0) * (dims + 2.0) / 2.0);
    match solver.n_gaussians {
        Choice::Auto => {
            // Some 120 steps for each rung of the ladders 1, 2, 4, …, which add up to twice the last.
            let most = LightSbSolver::MOST_CHOSEN as f64;
            let most_full = (most * diagonal / full).clamp(3.0, 32.0);
            8.0 * 120.0 * (most * diagonal + 3.0 * most_full * full)
        }
        Choice::Is(number) => 8.0 * number as f64 * diagonal,
    }
}

/// Units of [`lightsb_cost`] of all intervals.
fn lightsb_units(solver: &LightSbSolver, selection: &Selection) -> f64 {
    let intervals = selection.axis.levels.windows(2);
    intervals.map(|pair| lightsb_cost(solver, [pair[0].n_cells, pair[1].n_cells])).sum()
}

/// Flops of an entropic plan: 300 passes over what is held, each as long as 20 flops for a pair, and a dozen
/// in which all is computed anew; all of 160 where it does not fit.
fn entropic_flops(ends: [usize; 2], dims: f64) -> f64 {
    let (pairs, anew) = (ends[0] as f64 * ends[1] as f64, 2.0 * dims + 60.0);
    let held = 4.0 * pairs <= SinkhornSolver::MOST_HELD as f64;
    pairs * if held { 300.0 * 20.0 + 12.0 * anew } else { 160.0 * anew }
}

/// Flops to solve all intervals, roughly.
pub(super) fn solver_flops(solver: &SolverChoice, selection: &Selection, dims: f64) -> f64 {
    let cells = selection.rows.len() as f64;
    match solver {
        // Every step: 6 flops for each weight and row of a batch; one network or two. Then fifty
        // steps of two evaluations in double precision for each cell.
        SolverChoice::Flow(solver) => {
            let width = solver.width as f64;
            let weights = 2.0 * dims * width + (solver.n_layers as f64 - 1.0) * width * width;
            let networks = if solver.noise { 2.0 } else { 1.0 };
            let rows = solver.batch as f64 * solver.max_iterations as f64;
            let draws = cells * solver.n_steps as f64;
            networks * weights * (6.0 * rows + 8.0 * draws)
        }
        SolverChoice::Lightsb(solver) => {
            lightsb_units(solver, selection) * lightsb_flops(solver, dims)
        }
        SolverChoice::Sinkhorn(_) => {
            let intervals = selection.axis.levels.windows(2);
            intervals.map(|pair| entropic_flops([pair[0].n_cells, pair[1].n_cells], dims)).sum()
        }
        // The network simplex method between four pairs of snapshots of a quarter of the cells.
        SolverChoice::Ot(_) => 40.0 * (cells / 4.0).powf(2.7),
        // As Sinkhorn, for each relaxation and for velocities.
        SolverChoice::Spline(solver) => {
            let n_plans = solver.members.len() as f64 + 1.0;
            n_plans * entropic_flops([cells as usize / 2; 2], dims)
        }
        // Six plans, and as many for every inner time on at most 1500 cells of each.
        SolverChoice::Auto(solver) => {
            let some = cells.min(4.0 * solver.cells_per_time as f64);
            let of = |cells: f64| entropic_flops([cells as usize / 2; 2], dims);
            6.0 * (of(cells) + 3.0 * of(some))
        }
        // A covariance of both sides; eigenvectors three times, 10 d³ each.
        SolverChoice::Gaussian(_) => 4.0 * cells * dims * dims + 30.0 * dims.powi(3),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_cells_are_taken_for_all_where_the_solver_does() {
        let solver = LightSbSolver::default();
        let cost = |n: usize| lightsb_cost(&solver, [n, n]);
        // Below, all cells of an interval take every step.
        assert!((cost(19_999) - cost(10_000) - 1.1 * 9_999.0).abs() < 1e-6);
        assert!(cost(20_000) < cost(19_999));
        // Many on one side only are not many.
        assert!(lightsb_cost(&solver, [15_000, 40_000]) > cost(20_000));
        let given = LightSbSolver { n_gaussians: Choice::Is(8), ..LightSbSolver::default() };
        assert!((lightsb_cost(&given, [300, 500]) - 150.0 * 400.0).abs() < 1e-6);
    }

    #[test]
    fn an_entropic_plan_of_which_the_kernel_is_held_is_less_work_in_many_dimensions() {
        let per_pair = |n: usize, dims| entropic_flops([n, n], dims) / (n * n) as f64;
        assert!(per_pair(8_000, 50.0) < 0.4 * per_pair(9_000, 50.0));
        assert!((per_pair(100, 5.0) - 6_840.0).abs() < 1e-6);
    }
}
