//! Options of `compare`.

use serde::{Deserialize, Serialize};

use crate::error::range::at_least_one;
use crate::error::{Error, Result};
use crate::pipeline::grn::Regulators;
use crate::pipeline::shared::cell_sets::CellSets;
use crate::pipeline::shared::coupling_epsilon::CouplingEpsilon;

/// Parameters of [`compare`](crate::pipeline::compare()).
///
/// ```
/// use sbcell::pipeline::{CellSets, CompareOptions};
///
/// let sets = CellSets::default().with_groupby(Some("cell_type".into()));
/// let options = CompareOptions::default().with_sets(sets).with_batch(Some("donor".into()));
/// assert!(options.check().is_ok());
/// assert!(options.with_test_cells(1).check().is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, derive_setters::Setters)]
#[setters(prefix = "with_")]
#[non_exhaustive]
pub struct CompareOptions {
    /// The groups of cells.
    pub sets: CellSets,
    /// Genes whose mean expression is compared; `None` for none. With `edges` they are also the targets of edges,
    /// which are the genes of the model if `None`.
    pub genes: Option<Vec<String>>,
    /// A column of `obs` with replicates (batches, donors). They are resampled, and their labels exchanged, in
    /// place of single cells.
    pub batch: Option<String>,
    /// Number of resamples for the intervals.
    pub bootstrap: usize,
    /// Number of permutations of the labels for the p-values.
    pub permutations: usize,
    /// Largest number of cells of each condition and time that the permutations use.
    pub test_cells: usize,
    /// ε of the couplings between observed cells; by default the choice of the fit.
    #[serde(default = "CouplingEpsilon::fit")]
    pub coupling_epsilon: CouplingEpsilon,
    /// Number of regulatory edges that are compared, the most important ones of both conditions together; `None` for
    /// none.
    #[serde(default)]
    pub edges: Option<usize>,
    /// Genes that may regulate, as in [`GrnOptions`](crate::pipeline::GrnOptions).
    #[serde(default)]
    pub regulators: Regulators,
    /// Seed of couplings that are drawn, of resamples and of permutations.
    pub seed: u64,
}

impl Default for CompareOptions {
    fn default() -> Self {
        Self {
            sets: CellSets::default(),
            genes: None,
            batch: None,
            bootstrap: 100,
            permutations: 199,
            test_cells: 500,
            coupling_epsilon: CouplingEpsilon::default(),
            edges: None,
            regulators: Regulators::default(),
            seed: 0,
        }
    }
}

impl CompareOptions {
    /// Checks all ranges.
    ///
    /// # Errors
    /// [`Error::Parameter`].
    pub fn check(&self) -> Result<()> {
        let Self {
            sets: _,
            genes: _,
            batch: _,
            bootstrap: _,
            permutations,
            test_cells,
            coupling_epsilon,
            edges,
            regulators,
            seed: _,
        } = self;
        coupling_epsilon.check()?;
        at_least_one("permutations", *permutations)?;
        if let Some(edges) = edges {
            at_least_one("edges", *edges)?;
        } else if *regulators != Regulators::All {
            let (name, must) = ("tfs", "left out without the parameter `edges`");
            return Err(Error::Parameter { name, must, got: "given".into() });
        }
        if *test_cells < 2 {
            let (name, must) = ("test_cells", "at least 2");
            return Err(Error::Parameter { name, must, got: test_cells.to_string() });
        }
        Ok(())
    }
}
