//! Options of `perturb`.

use serde::{Deserialize, Serialize};

use crate::pipeline::shared::cell_sets::CellSets;

/// Parameters of [`perturb`](crate::pipeline::perturb()).
///
/// ```
/// use sbcell::pipeline::PerturbOptions;
///
/// let knockout = vec!["Sox2".to_string()];
/// let options = PerturbOptions::default().with_knockout(knockout).with_at(Some(1.0));
/// assert!(!options.once && options.n_cells == 2000);
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, derive_setters::Setters)]
#[setters(prefix = "with_")]
#[non_exhaustive]
pub struct PerturbOptions {
    /// Genes that are held at zero, or at their lowest value if values go below zero.
    pub knockout: Vec<String>,
    /// Genes that are held at given levels.
    #[serde(default)]
    pub levels: Vec<GeneLevel>,
    /// Time at which the perturbation begins; the first time if `None`.
    pub at: Option<f64>,
    /// Time at which cells are compared; the last time if `None`.
    pub until: Option<f64>,
    /// Whether the genes are changed once at the start and then follow the drift, instead of being held.
    pub once: bool,
    /// Groups whose shares at the end are compared, if any are given.
    pub sets: CellSets,
    /// Largest number of cells that are followed; more are subsampled at random.
    pub n_cells: usize,
    /// Number of resamples for the confidence intervals.
    pub bootstrap: usize,
    /// Seed of subsamples, noise and resamples.
    pub seed: u64,
}

impl Default for PerturbOptions {
    fn default() -> Self {
        Self {
            knockout: Vec::new(),
            levels: Vec::new(),
            at: None,
            until: None,
            once: false,
            sets: CellSets::default(),
            n_cells: 2000,
            bootstrap: 200,
            seed: 0,
        }
    }
}

/// A gene and the level at which it is held.
///
/// ```
/// use sbcell::pipeline::{GeneLevel, PerturbOptions};
///
/// let levels = vec![GeneLevel { gene: "Gata6".into(), level: 2.5 }];
/// let options = PerturbOptions::default().with_levels(levels);
/// assert!(options.knockout.is_empty());
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GeneLevel {
    /// Name of the gene.
    pub gene: String,
    /// Expression, on the scale that was fitted.
    pub level: f64,
}
