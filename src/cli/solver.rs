//! Flags of `fit` that choose a solver and its hyperparameters.

use clap::{Args, ValueEnum};
use sbcell::bridge::LightSbSolver;
use sbcell::pipeline::SolverChoice;

/// Which solver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SolverName {
    /// Gaussian-mixture potentials, everything in closed form; any number of cells
    Lightsb,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Solver")]
pub(crate) struct SolverArgs {
    /// How bridges are found
    #[arg(long, value_enum, default_value = "lightsb")]
    solver: SolverName,
    /// Iterations at most; a bridge that needs more is kept and marked [default: by solver]
    #[arg(long, alias = "max-iter", value_name = "N")]
    max_iterations: Option<usize>,
    /// When to stop, in the unit of the solver [default: by solver]
    ///
    /// lightsb: five iterations together gain less than this, in nats (0.001).
    #[arg(long, alias = "tol", value_name = "T")]
    tolerance: Option<f64>,
    #[command(flatten)]
    lightsb: LightSbArgs,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Solver lightsb")]
struct LightSbArgs {
    /// Gaussians in the potential of each bridge, at most
    #[arg(long, value_name = "K", default_value_t = LightSbSolver::default().n_gaussians)]
    n_gaussians: usize,
}

impl SolverArgs {
    /// Flags → the solver with its hyperparameters.
    pub(crate) fn choice(self) -> SolverChoice {
        let Self { solver, max_iterations, tolerance, lightsb } = self;
        match solver {
            SolverName::Lightsb => {
                let LightSbArgs { n_gaussians } = lightsb;
                let mut solver = LightSbSolver { n_gaussians, ..LightSbSolver::default() };
                set(&mut solver.max_iterations, max_iterations);
                set(&mut solver.tolerance, tolerance);
                SolverChoice::Lightsb(solver)
            }
        }
    }
}

fn set<T>(field: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *field = value;
    }
}
