//! Options of `transitions`.

use serde::{Deserialize, Serialize};

use crate::pipeline::shared::cell_sets::CellSets;
use crate::pipeline::shared::clone_couplings::CloneCoupling;
use crate::pipeline::shared::coupling_epsilon::CouplingEpsilon;

/// Parameters of [`transitions`](crate::pipeline::transitions()).
///
/// ```
/// use sbcell::pipeline::{CellSets, TransitionOptions};
///
/// let sets = CellSets::default().with_groupby(Some("cell_type".into()));
/// let options = TransitionOptions::default().with_sets(sets).with_batch(Some("donor".into()));
/// assert!(options.pairs.is_empty()); // all intervals, then the first and the last time
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, derive_setters::Setters)]
#[setters(prefix = "with_")]
#[non_exhaustive]
pub struct TransitionOptions {
    /// The groups of cells.
    pub sets: CellSets,
    /// Pairs of an earlier and a later time. If empty, all intervals, then the first and the last time.
    pub pairs: Vec<(f64, f64)>,
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

impl Default for TransitionOptions {
    fn default() -> Self {
        let (sets, pairs, clones) = (CellSets::default(), Vec::new(), CloneCoupling::default());
        let coupling_epsilon = CouplingEpsilon::default();
        Self { sets, pairs, bootstrap: 100, batch: None, coupling_epsilon, clones, seed: 0 }
    }
}
