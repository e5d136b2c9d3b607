//! Options of `trajectory`.

use serde::{Deserialize, Serialize};

use crate::pipeline::shared::cell_sets::CellSets;

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
            seed: 0,
        }
    }
}
