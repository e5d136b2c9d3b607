//! Flags of `fit` and `evaluate` for splines, and for their choice.

use clap::{Args, ValueEnum};
use sbcell::bridge::{Mass, Member, SplineSolver, Width};
use sbcell::pipeline::{AutoSolver, SolverChoice};

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Solvers spline, auto")]
pub(crate) struct SplineArgs {
    /// Price of leaving the snapshots' weights, in total variances of the cells; `inf` keeps them,
    /// by exact transport [default: 0.5; for auto chosen]
    #[arg(long, value_name = "LAMBDA", allow_negative_numbers = true)]
    relax: Option<f64>,
    /// How much of the neighbouring intervals' velocities paths take: 0 for straight lines, 1 for
    /// a spline through the mean partners [default: 1; for auto chosen]
    #[arg(long, value_name = "PHI", allow_negative_numbers = true)]
    momentum: Option<f64>,
    /// What keeps populations between the snapshots wide
    #[arg(long, value_enum, default_value = "noise")]
    width_by: WidthName,
    /// Share of the noise between two cells that is given back, so that populations between the
    /// snapshots are not too narrow [default: 0; for auto chosen]
    #[arg(long, value_name = "RHO", allow_negative_numbers = true)]
    noise_back: Option<f64>,
    /// Share of the way to the cells of both snapshots that paths are drawn half-way [default: 0]
    #[arg(long, value_name = "KAPPA", allow_negative_numbers = true)]
    pull: Option<f64>,
    /// Width of the kernel that says where the cells are, in median distances to the nearest
    /// neighbour [default: 1]
    #[arg(long, value_name = "WIDTH", allow_negative_numbers = true)]
    pull_width: Option<f64>,
    /// Whether earlier cells keep their weight, or may be left out and multiply
    #[arg(long, value_enum, default_value = "relaxed")]
    mass: MassName,
    /// auto: mix all splines whose score is within this share of the best; 0 takes the best alone
    #[arg(long, value_name = "SHARE", default_value_t = AutoSolver::default().tolerance)]
    auto_tolerance: f64,
    /// auto: cells of each time to choose by, at most
    #[arg(long, value_name = "N", default_value_t = AutoSolver::default().cells_per_time)]
    auto_cells: usize,
}

/// What keeps populations wide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum WidthName {
    /// Noise given back, see --noise-back
    Noise,
    /// Cells follow their neighbours from their own end of a pair, and change ends on the way
    Ends,
    /// Cells follow their neighbours, each to an end of its own
    Map,
}

impl From<WidthName> for Width {
    fn from(name: WidthName) -> Self {
        match name {
            WidthName::Noise => Self::Noise,
            WidthName::Ends => Self::Ends,
            WidthName::Map => Self::Map,
        }
    }
}

/// Whether earlier cells keep their weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum MassName {
    /// Every earlier cell goes somewhere, by its weight
    Kept,
    /// The plan says which cells multiply and which are left out
    Relaxed,
}

impl From<MassName> for Mass {
    fn from(name: MassName) -> Self {
        match name {
            MassName::Kept => Self::Kept,
            MassName::Relaxed => Self::Relaxed,
        }
    }
}

impl SplineArgs {
    /// One spline.
    pub(crate) fn spline(self) -> SolverChoice {
        let plain = SplineSolver::default();
        let first = plain.members.first().copied();
        let usual = first.unwrap_or(Member { relaxation: None, momentum: 1.0 });
        let relaxation = match self.relax {
            Some(price) if price.is_infinite() && price > 0.0 => None,
            Some(price) => Some(price),
            None => usual.relaxation,
        };
        let momentum = self.momentum.unwrap_or(usual.momentum);
        SolverChoice::Spline(SplineSolver {
            members: vec![Member { relaxation, momentum }],
            mass: self.mass.into(),
            width: self.width_by.into(),
            noise_back: self.noise_back.unwrap_or(plain.noise_back),
            pull: self.pull.unwrap_or(plain.pull),
            pull_width: self.pull_width.unwrap_or(plain.pull_width),
            ..plain
        })
    }

    /// Splines that are chosen by held-out times.
    pub(crate) fn auto(self) -> SolverChoice {
        let Self { mass, auto_tolerance: tolerance, auto_cells: cells_per_time, .. } = self;
        SolverChoice::Auto(AutoSolver { mass: mass.into(), tolerance, cells_per_time })
    }
}
