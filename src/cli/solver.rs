//! Flags of `fit` that choose a solver and its hyperparameters.

use clap::parser::ValueSource;
use clap::{ArgMatches, Args, ValueEnum};
use sbcell::bridge::{
    Choice, CouplingKind, Covariance, FlowSolver, GaussianSolver, LightSbSolver, OtSolver,
    PathShape, SinkhornSolver,
};
use sbcell::geometry::{CostChoice, CostKind};
use sbcell::pipeline::SolverChoice;
use sbcell::{Error, Result};

use crate::cli::shared::up_to;
use crate::cli::spline::SplineArgs;

/// Which solver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SolverName {
    /// Gaussian-mixture potentials, everything in closed form; any number of cells
    Lightsb,
    /// One Gaussian for each snapshot, in closed form: an affine drift, at once
    Gaussian,
    /// Entropic transport between all cells: exact for the cells that were measured
    Sinkhorn,
    /// Exact transport: every cell straight to its partner, without noise
    Ot,
    /// Networks for velocity and score, trained without simulation on an entropic coupling; moves
    /// with noise
    Sf2m,
    /// Pairs by transport that may leave cells behind, on curves that heed the neighbouring
    /// intervals
    Spline,
    /// A mixture of splines, chosen by holding out the inner times of the course
    Auto,
    /// A network for the velocity, trained on exact optimal transport; moves without noise
    OtCfm,
    /// A network for the velocity, trained on independent pairs; moves without noise
    ICfm,
}

#[derive(Debug, Clone, Args)]
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
    spline: SplineArgs,
    #[command(flatten)]
    cost: CostArgs,
    #[command(flatten)]
    flow: FlowArgs,
}

#[derive(Debug, Clone, Args)]
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
fn number_or_auto(text: &str) -> std::result::Result<Choice<usize>, String> {
    if text == "auto" {
        return Ok(Choice::Auto);
    }
    text.parse().map(Choice::Is).map_err(|_| "not a number, nor `auto`".into())
}

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Solvers sinkhorn, ot, sf2m, ot-cfm")]
struct CostArgs {
    /// What it costs to move a cell: half the squared distance, measured how
    ///
    /// Geodesic costs are measured along the cells themselves, on the graph of nearest neighbours
    /// over all times: cells of a sheet that bends back on itself are near each other in space
    /// and far apart along it. Cells are paired by this cost and then go straight.
    #[arg(long, value_enum, default_value = "euclidean")]
    cost: CostName,
    /// Neighbours of each cell in the graph of a geodesic cost
    #[arg(long, alias = "n-neighbours", value_name = "K",
          default_value_t = CostChoice::default().n_neighbours)]
    n_neighbors: usize,
    /// For how long heat spreads, in steps of the graph: more sees further and smooths more
    #[arg(long, value_name = "STEPS", default_value_t = CostChoice::default().heat_time)]
    heat_time: f64,
}

/// How distances are measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum CostName {
    /// On the straight line
    Euclidean,
    /// Along the shortest path on the graph
    GeodesicPath,
    /// By how little heat gets there over all paths of the graph: slower, and steadier where a
    /// wrong edge shortens paths
    GeodesicHeat,
}

impl CostArgs {
    fn choice(self) -> CostChoice {
        let Self { cost, n_neighbors, heat_time } = self;
        let kind = match cost {
            CostName::Euclidean => CostKind::Euclidean,
            CostName::GeodesicPath => CostKind::GeodesicPath,
            CostName::GeodesicHeat => CostKind::GeodesicHeat,
        };
        CostChoice { kind, n_neighbours: n_neighbors, heat_time }
    }
}

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Solvers sf2m, ot-cfm, i-cfm")]
struct FlowArgs {
    /// How cells are paired in training [default: entropic for sf2m, exact for ot-cfm,
    /// independent for i-cfm]
    #[arg(long, value_enum)]
    coupling: Option<CouplingName>,
    /// Hidden layers of each network
    #[arg(long, value_name = "N", default_value_t = FlowSolver::default().n_layers, value_parser = up_to::<100>)]
    layers: usize,
    /// Units in each hidden layer
    #[arg(long, value_name = "N", default_value_t = FlowSolver::default().width, value_parser = up_to::<10_000>)]
    width: usize,
    /// Learning rate at the start; it falls to zero over --max-iterations steps
    #[arg(long, value_name = "R", default_value_t = FlowSolver::default().learning_rate)]
    learning_rate: f64,
    /// Decay of the weights (AdamW)
    #[arg(long, value_name = "W", default_value_t = FlowSolver::default().weight_decay)]
    weight_decay: f64,
    /// Points in a batch, over all intervals
    #[arg(long, value_name = "N", default_value_t = FlowSolver::default().batch, value_parser = up_to::<1_000_000>)]
    batch: usize,
    /// Looks at held-out cells (50 in a whole training) without gain after which it ends
    #[arg(long, value_name = "N", default_value_t = FlowSolver::default().patience)]
    patience: usize,
    /// Share of the cells of each snapshot that is kept out of training, to know when to end it
    #[arg(long, value_name = "SHARE", default_value_t = FlowSolver::default().held_out)]
    held_out: f64,
    /// Most cells of a snapshot in one plan; more are cut into random blocks [default: 16384 for
    /// sf2m, 4096 for ot-cfm]
    #[arg(long, value_name = "N")]
    block: Option<usize>,
    /// How paths between paired cells run
    #[arg(long, value_enum, default_value = "linear")]
    path: PathArg,
    /// Small steps from one snapshot to the next when cells are moved
    #[arg(long, value_name = "N", default_value_t = FlowSolver::default().n_steps, value_parser = up_to::<1_000_000>)]
    steps: usize,
}

/// How cells are paired.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum CouplingName {
    /// By the plan of the Schrödinger bridge, entropic transport with its ε
    Entropic,
    /// By a cheapest plan
    Exact,
    /// Each with each
    Independent,
}

impl From<CouplingName> for CouplingKind {
    fn from(name: CouplingName) -> Self {
        match name {
            CouplingName::Entropic => Self::Entropic,
            CouplingName::Exact => Self::Exact,
            CouplingName::Independent => Self::Independent,
        }
    }
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
    fn set(
        self,
        plain: FlowSolver,
        cost: CostChoice,
        max_iterations: Option<usize>,
    ) -> SolverChoice {
        let Self {
            coupling,
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
            cost,
            path,
            n_steps: steps,
            ..plain
        };
        set(&mut solver.coupling, coupling.map(CouplingKind::from));
        set(&mut solver.block, block);
        set(&mut solver.max_iterations, max_iterations);
        SolverChoice::Flow(solver)
    }
}

#[derive(Debug, Clone, Args)]
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
        let solver = self.solver;
        self.choice_of(solver)
    }

    /// The solver that was named.
    pub(crate) fn named(&self) -> SolverName {
        self.solver
    }

    /// Flags → another solver than the one that was named, with those that mean something to it.
    pub(crate) fn choice_of(self, solver: SolverName) -> SolverChoice {
        let Self { solver: _, max_iterations, tolerance, lightsb, sinkhorn, spline, cost, flow } =
            self;
        let cost = cost.choice();
        match solver {
            SolverName::Sf2m => flow.set(FlowSolver::sf2m(), cost, max_iterations),
            SolverName::OtCfm => flow.set(FlowSolver::ot_cfm(), cost, max_iterations),
            SolverName::ICfm => flow.set(FlowSolver::i_cfm(), cost, max_iterations),
            SolverName::Spline => spline.spline(),
            SolverName::Auto => spline.auto(),
            SolverName::Gaussian => SolverChoice::Gaussian(GaussianSolver {}),
            SolverName::Ot => SolverChoice::Ot(OtSolver { cost }),
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
                    cost,
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

/// The solvers that each flag means something to.
const KNOWN_TO: [(&[&str], &[SolverName]); 9] = {
    use SolverName::{Auto, ICfm, Lightsb, Ot, OtCfm, Sf2m, Sinkhorn, Spline};
    [
        (&["max_iterations"], &[Lightsb, Sinkhorn, Sf2m, OtCfm, ICfm]),
        (&["tolerance"], &[Lightsb, Sinkhorn]),
        (&["n_gaussians", "covariance"], &[Lightsb]),
        (&["lambda1", "lambda2"], &[Sinkhorn]),
        (&["relax", "momentum", "width_by", "noise_back", "pull", "pull_width"], &[Spline]),
        (&["mass"], &[Spline, Auto]),
        (&["auto_tolerance", "auto_cells"], &[Auto]),
        (&["cost", "n_neighbors", "heat_time"], &[Sinkhorn, Ot, Sf2m, OtCfm]),
        (
            &[
                "coupling",
                "layers",
                "width",
                "learning_rate",
                "weight_decay",
                "batch",
                "patience",
                "held_out",
                "block",
                "path",
                "steps",
            ],
            &[Sf2m, OtCfm, ICfm],
        ),
    ]
};

/// Refuses flags that were given and mean nothing to the solver that was chosen.
pub(crate) fn check_flags(matches: &ArgMatches) -> Result<()> {
    let Some(&solver) = matches.get_one::<SolverName>("solver") else { return Ok(()) };
    // `evaluate --compare` has several; a flag need mean something to one of them.
    let chosen: Vec<SolverName> = match matches.try_get_many::<SolverName>("compare") {
        Ok(Some(several)) => several.copied().collect(),
        Ok(None) | Err(_) => vec![solver],
    };
    for (flags, solvers) in KNOWN_TO {
        let given = |flag: &&&str| matches.value_source(flag) == Some(ValueSource::CommandLine);
        let straight = |flag: &str| {
            flag == "cost" && matches.get_one::<CostName>(flag) == Some(&CostName::Euclidean)
        };
        let found = flags.iter().filter(given).find(|flag| !straight(flag));
        if let Some(flag) = found.filter(|_| !chosen.iter().any(|one| solvers.contains(one))) {
            return Err(Error::FlagOfOtherSolver {
                flag: format!("--{}", flag.replace('_', "-")),
                solver: name(chosen[0]),
                solvers: solvers.iter().map(|&solver| name(solver)).collect(),
            });
        }
    }
    Ok(())
}

/// The name of a solver, as it is typed.
pub(crate) fn name(solver: SolverName) -> String {
    solver.to_possible_value().map_or_else(String::new, |value| value.get_name().to_string())
}

#[cfg(test)]
mod tests {
    use clap::Command;

    use super::*;

    fn parsed(arguments: &[&str]) -> Result<()> {
        let command = SolverArgs::augment_args(Command::new("fit").no_binary_name(true));
        check_flags(&command.try_get_matches_from(arguments).unwrap())
    }

    #[test]
    fn every_flag_of_a_solver_is_known_to_some() {
        let command = SolverArgs::augment_args(Command::new("fit"));
        let known: Vec<&str> = KNOWN_TO.iter().flat_map(|entry| entry.0).copied().collect();
        for argument in command.get_arguments().map(clap::Arg::get_id) {
            let flag = argument.as_str();
            assert!(flag == "solver" || known.contains(&flag), "{flag}");
        }
    }

    #[test]
    fn flags_of_another_solver_are_refused_by_name() {
        assert!(parsed(&[]).is_ok());
        assert!(parsed(&["--solver", "sinkhorn", "--cost", "geodesic-path"]).is_ok());
        assert!(parsed(&["--solver", "lightsb", "--cost", "euclidean"]).is_ok());
        for bad in [
            &["--solver", "lightsb", "--cost", "geodesic-heat"][..],
            &["--solver", "i-cfm", "--cost", "geodesic-heat"],
            &["--solver", "sinkhorn", "--n-gaussians", "3"],
            &["--lambda1", "3"],
            &["--solver", "ot", "--width", "3"],
            &["--solver", "gaussian", "--tolerance", "3"],
        ] {
            let error = parsed(bad).unwrap_err();
            assert!(error.hint().is_some_and(|hint| hint.contains("--solver")), "{error}");
        }
    }
}
