//! Options of `diagnose`.

use serde::{Deserialize, Serialize};

use crate::pipeline::shared::cell_sets::CellSets;

/// Parameters of [`diagnose`](crate::pipeline::diagnose()).
///
/// ```
/// use sbcell::pipeline::DiagnoseOptions;
///
/// let options = DiagnoseOptions::default().with_permutations(20);
/// assert!(!options.sets.is_named());
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, derive_setters::Setters)]
#[setters(prefix = "with_")]
#[non_exhaustive]
pub struct DiagnoseOptions {
    /// Groups whose transitions are tested for information, if any are given.
    pub sets: CellSets,
    /// Number of permutations of the coordinates, and of the groups.
    pub permutations: usize,
    /// Seed of couplings that are drawn, and of permutations.
    pub seed: u64,
}

impl Default for DiagnoseOptions {
    fn default() -> Self {
        Self { sets: CellSets::default(), permutations: 5, seed: 0 }
    }
}
