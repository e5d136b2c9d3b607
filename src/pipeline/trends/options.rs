//! Options of `trends`.

use serde::{Deserialize, Serialize};

use crate::pipeline::trajectory::TrajectoryOptions;

/// Parameters of [`trends`](crate::pipeline::trends()).
///
/// ```
/// use sbcell::pipeline::TrendOptions;
///
/// let genes = Some(vec!["Sox2".to_string(), "Nanog".to_string()]);
/// let options = TrendOptions::default().with_genes(genes);
/// assert_eq!(options.bootstrap, 200);
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, derive_setters::Setters)]
#[setters(prefix = "with_")]
#[non_exhaustive]
pub struct TrendOptions {
    /// The sets of cells and their trajectories. Paths are not used.
    pub trajectory: TrajectoryOptions,
    /// Genes. If `None`, the genes of the model, or all genes of the file if the model has none.
    pub genes: Option<Vec<String>>,
    /// Number of resamples for the bands.
    pub bootstrap: usize,
}

impl Default for TrendOptions {
    fn default() -> Self {
        Self { trajectory: TrajectoryOptions::default(), genes: None, bootstrap: 200 }
    }
}
