//! Options of the scoring of fates by clones.

use serde::{Deserialize, Serialize};

use crate::pipeline::shared::cell_sets::CellSets;
use crate::pipeline::shared::clone_keys::CloneKeys;
use crate::pipeline::shared::coupling_epsilon::CouplingEpsilon;

/// Parameters of [`score_clones`](crate::pipeline::score_clones()).
///
/// ```
/// use sbcell::pipeline::{CellSets, CloneKeys, CloneScoreOptions};
///
/// let sets = CellSets::default().with_groupby(Some("cell_type".into()));
/// let clones = CloneKeys::default().with_keys(vec!["barcode".into()]);
/// let options = CloneScoreOptions::default().with_sets(sets).with_clones(clones);
/// assert!(options.min_sisters == 1 && options.at.is_empty());
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, derive_setters::Setters)]
#[setters(prefix = "with_")]
#[non_exhaustive]
pub struct CloneScoreOptions {
    /// Where the barcodes are.
    pub clones: CloneKeys,
    /// The groups of cells.
    pub sets: CellSets,
    /// Groups of the terminal time that are fates; all groups with cells there if empty. Sisters in
    /// other groups do not count.
    pub only: Vec<String>,
    /// Times whose cells are scored; all times before the terminal time if empty.
    pub at: Vec<f64>,
    /// Time of the late sisters; the last time if `None`.
    pub terminal_time: Option<f64>,
    /// Smallest number of late sisters of a cell that is scored, ≥ 1.
    pub min_sisters: usize,
    /// Number of resamples of clones for the confidence intervals.
    pub bootstrap: usize,
    /// ε of the couplings between observed cells; by default the choice of the fit.
    #[serde(default = "CouplingEpsilon::fit")]
    pub coupling_epsilon: CouplingEpsilon,
    /// Seed of couplings that are drawn, and of resamples.
    pub seed: u64,
}

impl Default for CloneScoreOptions {
    fn default() -> Self {
        Self {
            clones: CloneKeys::default(),
            sets: CellSets::default(),
            only: Vec::new(),
            at: Vec::new(),
            terminal_time: None,
            min_sisters: 1,
            bootstrap: 100,
            coupling_epsilon: CouplingEpsilon::default(),
            seed: 0,
        }
    }
}
