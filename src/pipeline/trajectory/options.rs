//! Options of `trajectory`.

use serde::{Deserialize, Serialize};

use crate::pipeline::shared::cell_sets::CellSets;
use crate::pipeline::shared::clone_couplings::CloneCoupling;
use crate::pipeline::shared::coupling_epsilon::CouplingEpsilon;

/// The direction in time in which a set of cells is followed.
///
/// ```
/// use sbcell::pipeline::{Direction, TrajectoryOptions};
///
/// let ancestors =
///     TrajectoryOptions::default().with_direction(Direction::Backward);
/// assert_ne!(ancestors.direction, Direction::Both);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Ancestors and descendants.
    #[default]
    Both,
    /// Descendants only.
    Forward,
    /// Ancestors only.
    Backward,
}

/// How single paths are drawn.
///
/// ```
/// use sbcell::pipeline::{PathScheme, TrajectoryOptions};
///
/// let options = TrajectoryOptions::default().with_scheme(PathScheme::Em).with_n_steps(50);
/// assert_eq!((TrajectoryOptions::default().scheme, options.n_steps), (PathScheme::Exact, 50));
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "snake_case")]
pub enum PathScheme {
    /// By the transition of the bridge, exact for most solvers.
    #[default]
    Exact,
    /// By Euler–Maruyama steps of the drift, as most programs do; with an error that decreases with
    /// the number of steps.
    Em,
}

/// Parameters of [`trajectory`](crate::pipeline::trajectory()).
///
/// ```
/// use sbcell::pipeline::{CellSets, TrajectoryOptions};
///
/// let sets = CellSets::default().with_groupby(Some("cell_type".into()));
/// let options =
///     TrajectoryOptions::default().with_sets(sets).with_only(vec!["Neuron".into()]).with_paths(20);
/// assert_eq!((options.at, options.grid), (None, 10));
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, derive_setters::Setters)]
#[setters(prefix = "with_")]
#[non_exhaustive]
pub struct TrajectoryOptions {
    /// The groups of cells.
    pub sets: CellSets,
    /// Names of the groups that are followed; all groups if empty.
    pub only: Vec<String>,
    /// Time of the sets. If `None`, each set has the last time at which its group has cells.
    pub at: Option<f64>,
    /// The direction in time.
    pub direction: Direction,
    /// Number of single paths of each set.
    pub paths: usize,
    /// Number of times of a path in each interval.
    pub grid: usize,
    /// Group in which paths end (pinned paths), and its time; the last time if `None`.
    pub paths_to: Option<(String, Option<f64>)>,
    /// How free paths are drawn; pinned paths are always exact.
    pub scheme: PathScheme,
    /// Number of Euler–Maruyama steps in each interval, ≥ 1. At least one step is made between two
    /// times of `grid`.
    pub n_steps: usize,
    /// ε of the couplings between observed cells; by default the choice of the fit.
    #[serde(default = "CouplingEpsilon::fit")]
    pub coupling_epsilon: CouplingEpsilon,
    /// Whether couplings use clones.
    #[serde(default, skip_serializing_if = "CloneCoupling::is_unused")]
    pub clones: CloneCoupling,
    /// Seed of couplings that are drawn, and of paths.
    pub seed: u64,
}

impl Default for TrajectoryOptions {
    fn default() -> Self {
        Self {
            sets: CellSets::default(),
            only: Vec::new(),
            at: None,
            direction: Direction::default(),
            paths: 0,
            grid: 10,
            paths_to: None,
            scheme: PathScheme::default(),
            n_steps: 100,
            coupling_epsilon: CouplingEpsilon::default(),
            clones: CloneCoupling::default(),
            seed: 0,
        }
    }
}
