//! Options of `fates`.

use serde::{Deserialize, Serialize};

use crate::pipeline::shared::cell_sets::CellSets;
use crate::pipeline::shared::clone_couplings::CloneCoupling;
use crate::pipeline::shared::coupling_epsilon::CouplingEpsilon;

/// A group of cells that is a terminal state at a time.
///
/// ```
/// use sbcell::pipeline::{FateOptions, TerminalGroup};
///
/// let early = TerminalGroup { time: 3.0, group: "endoderm".into() };
/// let options = FateOptions::default().with_terminals(vec![early]);
/// assert_eq!(options.terminals[0].time, 3.0);
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TerminalGroup {
    /// The time, in the unit of the file's time column.
    pub time: f64,
    /// Name of the group.
    pub group: String,
}

/// Parameters of [`fates`](crate::pipeline::fates()).
///
/// ```
/// use sbcell::pipeline::{CellSets, FateOptions};
///
/// let sets = CellSets::default().with_groupby(Some("cell_type".into()));
/// let options = FateOptions::default().with_sets(sets).with_at(Some(6.0));
/// assert!(options.only.is_empty() && options.bootstrap == 100);
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, derive_setters::Setters)]
#[setters(prefix = "with_")]
#[non_exhaustive]
pub struct FateOptions {
    /// The groups of cells.
    pub sets: CellSets,
    /// Time at which every group, or each group of `only`, is a fate. If `None`, it is the last time; its groups
    /// are fates unless `only` or a terminal group of this time names the fates.
    pub at: Option<f64>,
    /// Groups that are fates at `at`; all groups with cells there if empty.
    pub only: Vec<String>,
    /// Further terminal states with their own times. Cells that arrive there stay.
    pub terminals: Vec<TerminalGroup>,
    /// Number of resamples for the confidence intervals.
    pub bootstrap: usize,
    /// A column of `obs` whose values are resampled instead of cells.
    pub batch: Option<String>,
    /// ε of the couplings between observed cells; by default the choice of the fit.
    #[serde(default = "CouplingEpsilon::fit")]
    pub coupling_epsilon: CouplingEpsilon,
    /// Whether couplings use clones.
    #[serde(default, skip_serializing_if = "CloneCoupling::is_unused")]
    pub clones: CloneCoupling,
    /// Seed of couplings that are drawn, and of resamples.
    pub seed: u64,
}

impl Default for FateOptions {
    fn default() -> Self {
        Self {
            sets: CellSets::default(),
            at: None,
            only: Vec::new(),
            terminals: Vec::new(),
            bootstrap: 100,
            batch: None,
            coupling_epsilon: CouplingEpsilon::default(),
            clones: CloneCoupling::default(),
            seed: 0,
        }
    }
}
