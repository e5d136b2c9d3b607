//! Name, parameters, work and memory of LightSB.

use crate::bridge::describe::{
    About, AnySolver, CourseSize, Description, Held, Kind, MAX_ITERATIONS, Property, Solver,
    TOLERANCE, Word, Worded, parameter,
};
use crate::bridge::{Choice, Covariance, LightSbSolver};
use crate::error::Result;

/// LightSB under its name.
pub(crate) static LIGHTSB: Description<LightSbSolver> = Description {
    name: "lightsb",
    about: "Gaussian-mixture potentials with all formulas in closed form; any number of cells",
    plain: LightSbSolver::default,
    parameters: &[&[
        parameter!(MAX_ITERATIONS, max_iterations),
        parameter!(
            TOLERANCE,
            tolerance,
            "stops when the expected further decrease is less than this share of the objective's \
             standard error (0.01)."
        ),
        parameter!(N_GAUSSIANS, n_gaussians),
        parameter!(COVARIANCE, covariance),
    ]],
};

/// The group of these parameters in the help.
const GROUP: &str = "lightsb";

/// Number of Gaussians.
const N_GAUSSIANS: About = About::new(
    "n_gaussians",
    Kind::CountOrAuto,
    "Number of Gaussians in the potential of each bridge; `auto` chooses it by the objective on \
     held-out cells",
)
.value("K")
.of(GROUP)
.with_default();

/// Kind of the matrices.
const COVARIANCE: About = About::new(
    "covariance",
    Kind::OneOf(Choice::<Covariance>::words),
    "Kind of the Gaussians' matrices; `auto` chooses it together with `{n_gaussians} auto` and is \
     diagonal otherwise",
)
.value("COVARIANCE")
.of(GROUP)
.with_default();

impl Worded for Choice<Covariance> {
    const WORDS: &'static [(Self, Word)] = &[
        (Self::Auto, Word { name: "auto", about: "" }),
        (Self::Is(Covariance::Scalar), Word { name: "scalar", about: "" }),
        (Self::Is(Covariance::Diagonal), Word { name: "diagonal", about: "" }),
        (Self::Is(Covariance::Full), Word { name: "full", about: "" }),
    ];
}

impl AnySolver for LightSbSolver {
    fn family(&self) -> &'static str {
        LIGHTSB.name
    }

    fn parameters(&self) -> serde_json::Result<serde_json::Value> {
        serde_json::to_value(self)
    }

    fn check(&self) -> Result<()> {
        Self::check(self)
    }

    fn solver(&self) -> Solver {
        Solver::Each(Box::new(self.clone()))
    }

    fn properties(&self) -> Vec<Property> {
        vec![Property::Diffuses, Property::KnowsScore]
    }

    /// Steps over cells, times the flops of one.
    fn work(&self, size: &CourseSize) -> f64 {
        let steps: f64 = size.intervals.iter().map(|&ends| cell_steps(self, ends)).sum();
        steps * flops_of_step(self, size.dims)
    }

    /// Responsibilities, and eleven copies of the cells on which sizes are compared (measured with
    /// 75 000 of them).
    fn memory(&self) -> Held {
        let n_gaussians = match self.n_gaussians {
            Choice::Is(number) => number,
            Choice::Auto => Self::MOST_CHOSEN,
        };
        Held {
            per_cell: 8.0 * n_gaussians as f64,
            copies: 11.0,
            most_copied: 2.0 * Self::COMPARED_OF_MANY as f64,
            ..Held::default()
        }
    }
}

/// Evaluations of the objective for the comparison of sizes and the fit that follows it. Sizes
/// double, so all of them take twice the work of the last one. Measured on 300 to 60 000 cells
/// of each snapshot in 5 to 50 dimensions, as all constants here.
const COMPARING: f64 = 130.0;
/// Evaluations over each cell on which sizes are only evaluated.
const JUDGING: f64 = 2.0;
/// Evaluations over all cells at the end of the descent, if it starts on a part.
const ENDING: f64 = 40.0;

/// Gaussians with diagonal matrices that take as long as a typical choice of number and kind.
const TYPICAL: f64 = 50.0;

/// Evaluations of the first descent of a given size, from eight initialisations.
const FIRST_STEPS: f64 = 430.0;
/// Evaluations of the descent that ends on all cells.
const LAST_STEPS: f64 = 50.0;

/// Evaluations over one cell that LightSB takes for one interval, over all sizes.
fn cell_steps(solver: &LightSbSolver, ends: [usize; 2]) -> f64 {
    let side = ends.iter().sum::<usize>() as f64 / 2.0;
    let some = LightSbSolver::begins_with(ends[0], ends[1]).map(|some| some as f64);
    let first = some.unwrap_or(side);
    match solver.n_gaussians {
        Choice::Auto => {
            let judging = (side - first).min(LightSbSolver::JUDGED_OF_MANY as f64);
            let ending = if some.is_some() { ENDING * side } else { 0.0 };
            COMPARING * first + JUDGING * judging + ending
        }
        Choice::Is(_) => FIRST_STEPS * first + some.map_or(0.0, |_| LAST_STEPS * side),
    }
}

/// Flops of one unit of [`cell_steps`]: `8 K F` for an evaluation over a cell of each side, with K
/// Gaussians of F features.
fn flops_of_step(solver: &LightSbSolver, dims: f64) -> f64 {
    let n_gaussians = match solver.n_gaussians {
        Choice::Auto => TYPICAL,
        Choice::Is(number) => number as f64,
    };
    8.0 * n_gaussians * (2.0 * dims + 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_cells_are_taken_for_all_where_the_solver_does() {
        let solver = LightSbSolver::default();
        let cost = |n: usize| cell_steps(&solver, [n, n]);
        // Below, all cells of an interval take every step.
        assert!((cost(19_999) - cost(10_000) - 130.0 * 9_999.0).abs() < 1e-6);
        let many = 130.0 * 10_000.0 + 2.0 * 10_000.0 + 40.0 * 20_000.0;
        assert!((cost(20_000) - many).abs() < 1e-6 && many < cost(19_999));
        // Many on one side only are not many.
        assert!(cell_steps(&solver, [15_000, 40_000]) > cost(27_500));
        let given = LightSbSolver { n_gaussians: Choice::Is(8), ..LightSbSolver::default() };
        assert!((cell_steps(&given, [300, 500]) - 430.0 * 400.0).abs() < 1e-6);
        // 8 K F flops a step, F = 2 · 5 + 1.
        let size = CourseSize { intervals: vec![[300, 500]; 2], cells: 1_100, dims: 5.0 };
        assert!((given.work(&size) - 2.0 * 172_000.0 * 8.0 * 8.0 * 11.0).abs() < 1e-3);
    }

    #[test]
    fn a_mixture_holds_the_shares_of_its_gaussians() {
        let of = |n_gaussians| LightSbSolver { n_gaussians, ..LightSbSolver::default() }.memory();
        assert!((of(Choice::Auto).per_cell - 8.0 * 64.0).abs() < 1e-12);
        let cells = 2.5e5;
        let more = of(Choice::Is(1000)).bytes(cells, 50.0) - of(Choice::Is(8)).bytes(cells, 50.0);
        assert!((more - 992.0 * 8.0 * cells).abs() < 1.0);
    }
}
