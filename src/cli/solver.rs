//! Flags of `fit` that choose a solver and its hyperparameters.

use clap::{Args, ValueEnum};
use sbcell::bridge::{
    Choice, Covariance, FlowSolver, GaussianSolver, LightSbSolver, PathShape, SinkhornSolver,
};
use sbcell::pipeline::SolverChoice;

/// Which solver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SolverName {
    /// Gaussian-mixture potentials, everything in closed form; any number of cells
    Lightsb,
    /// One Gaussian for each snapshot, in closed form: an affine drift, at once
    Gaussian,
    /// Entropic transport between all cells: exact for the cells that were measured
    Sinkhorn,
    /// Networks for velocity and score, trained without simulation; moves with noise
    Sf2m,
    /// A network for the velocity, trained on exact optimal transport; moves without noise
    OtCfm,
    /// A network for the velocity, trained on independent pairs; moves without noise
    ICfm,
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
    /// lightsb: five iterations together gain less than this, in nats (0.001). sinkhorn: both
    /// marginals of the plan are within this, as a sum of differences (1e-7).
    #[arg(long, alias = "tol", value_name = "T")]
    tolerance: Option<f64>,
    #[command(flatten)]
    lightsb: LightSbArgs,
    #[command(flatten)]
    sinkhorn: SinkhornArgs,
    #[command(flatten)]
    flow: FlowArgs,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Solver lightsb")]
struct LightSbArgs {
    /// Gaussians in the potential of each bridge: a number, or `auto` to choose it by the objective
    /// on cells held out
    #[arg(long, value_name = "K", default_value = "auto", value_parser = number_or_auto)]
    n_gaussians: Choice<usize>,
    /// Matrices of the Gaussians; `auto` chooses them together with `--n-gaussians auto` and is
    /// diagonal otherwise
    #[arg(long, value_enum, default_value = "auto")]
    covariance: CovarianceName,
}

/// Which matrices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum CovarianceName {
    Auto,
    Scalar,
    Diagonal,
    Full,
}

impl CovarianceName {
    fn choice(self) -> Choice<Covariance> {
        match self {
            Self::Auto => Choice::Auto,
            Self::Scalar => Covariance::Scalar.into(),
            Self::Diagonal => Covariance::Diagonal.into(),
            Self::Full => Covariance::Full.into(),
        }
    }
}

/// `auto` or a number; its range is checked with the other parameters.
fn number_or_auto(text: &str) -> Result<Choice<usize>, String> {
    if text == "auto" {
        return Ok(Choice::Auto);
    }
    text.parse().map(Choice::Is).map_err(|_| "not a number, nor `auto`".into())
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Solvers sf2m, ot-cfm, i-cfm")]
struct FlowArgs {
    /// Hidden layers of each network
    #[arg(long, value_name = "N", default_value_t = FlowSolver::default().n_layers)]
    layers: usize,
    /// Units in each hidden layer
    #[arg(long, value_name = "N", default_value_t = FlowSolver::default().width)]
    width: usize,
    /// Learning rate at the start; it falls to zero over --max-iterations steps
    #[arg(long, value_name = "R", default_value_t = FlowSolver::default().learning_rate)]
    learning_rate: f64,
    /// Decay of the weights (AdamW)
    #[arg(long, value_name = "W", default_value_t = FlowSolver::default().weight_decay)]
    weight_decay: f64,
    /// Points in a batch, over all intervals
    #[arg(long, value_name = "N", default_value_t = FlowSolver::default().batch)]
    batch: usize,
    /// Looks at held-out cells (50 in a whole training) without gain after which it ends
    #[arg(long, value_name = "N", default_value_t = FlowSolver::default().patience)]
    patience: usize,
    /// Share of the cells of each snapshot that is kept out of training, to know when to end it
    #[arg(long, value_name = "SHARE", default_value_t = FlowSolver::default().held_out)]
    held_out: f64,
    /// Most cells of a snapshot in one exact transport problem; more are cut into random blocks
    #[arg(long, value_name = "N", default_value_t = FlowSolver::default().block)]
    block: usize,
    /// How paths between paired cells run
    #[arg(long, value_enum, default_value = "linear")]
    path: PathArg,
    /// Small steps from one snapshot to the next when cells are moved
    #[arg(long, value_name = "N", default_value_t = FlowSolver::default().n_steps)]
    steps: usize,
}

/// How paths between paired cells run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum PathArg {
    /// Straight
    Linear,
    /// Weights cos and sin, for independent pairs
    Trigonometric,
}

impl FlowArgs {
    /// The solver `plain` with these flags.
    fn set(self, plain: FlowSolver, max_iterations: Option<usize>) -> SolverChoice {
        let Self {
            layers,
            width,
            learning_rate,
            weight_decay,
            batch,
            patience,
            held_out,
            block,
            path,
            steps,
        } = self;
        let path = match path {
            PathArg::Linear => PathShape::Linear,
            PathArg::Trigonometric => PathShape::Trigonometric,
        };
        let mut solver = FlowSolver {
            n_layers: layers,
            width,
            learning_rate,
            weight_decay,
            batch,
            patience,
            held_out,
            block,
            path,
            n_steps: steps,
            ..plain
        };
        set(&mut solver.max_iterations, max_iterations);
        SolverChoice::Flow(solver)
    }
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Solver sinkhorn")]
struct SinkhornArgs {
    /// Let the plan leave the earlier snapshot's weights at this price, in the unit of ε
    ///
    /// The penalty is λ KL(plan's weights | snapshot's weights): the smaller λ, the more cells
    /// that are far from everything later are left behind and others grow. As τ it is λ/(λ+ε).
    #[arg(long, value_name = "LAMBDA")]
    lambda1: Option<f64>,
    /// The same for the later snapshot's weights
    #[arg(long, value_name = "LAMBDA")]
    lambda2: Option<f64>,
}

impl SolverArgs {
    /// Flags → the solver with its hyperparameters.
    pub(crate) fn choice(self) -> SolverChoice {
        let Self { solver, max_iterations, tolerance, lightsb, sinkhorn, flow } = self;
        match solver {
            SolverName::Sf2m => flow.set(FlowSolver::sf2m(), max_iterations),
            SolverName::OtCfm => flow.set(FlowSolver::ot_cfm(), max_iterations),
            SolverName::ICfm => flow.set(FlowSolver::i_cfm(), max_iterations),
            SolverName::Gaussian => SolverChoice::Gaussian(GaussianSolver {}),
            SolverName::Lightsb => {
                let LightSbArgs { n_gaussians, covariance } = lightsb;
                let covariance = covariance.choice();
                let mut solver =
                    LightSbSolver { n_gaussians, covariance, ..LightSbSolver::default() };
                set(&mut solver.max_iterations, max_iterations);
                set(&mut solver.tolerance, tolerance);
                SolverChoice::Lightsb(solver)
            }
            SolverName::Sinkhorn => {
                let SinkhornArgs { lambda1, lambda2 } = sinkhorn;
                let mut solver = SinkhornSolver {
                    source_relaxation: lambda1,
                    target_relaxation: lambda2,
                    ..SinkhornSolver::default()
                };
                set(&mut solver.max_iterations, max_iterations);
                set(&mut solver.tolerance, tolerance);
                SolverChoice::Sinkhorn(solver)
            }
        }
    }
}

fn set<T>(field: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *field = value;
    }
}
