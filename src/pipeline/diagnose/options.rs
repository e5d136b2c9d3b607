//! Options of `diagnose`.

use serde::{Deserialize, Serialize};

use crate::pipeline::shared::cell_sets::CellSets;
use crate::pipeline::shared::coupling_epsilon::CouplingEpsilon;

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
    /// ε of the couplings between observed cells; by default the choice of the fit.
    #[serde(default = "CouplingEpsilon::fit")]
    pub coupling_epsilon: CouplingEpsilon,
    /// Seed of couplings that are drawn, and of permutations.
    pub seed: u64,
}

impl Default for DiagnoseOptions {
    fn default() -> Self {
        let coupling_epsilon = CouplingEpsilon::default();
        Self { sets: CellSets::default(), permutations: 5, coupling_epsilon, seed: 0 }
    }
}
