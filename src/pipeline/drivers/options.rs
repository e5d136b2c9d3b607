//! Options of `drivers`.

use serde::{Deserialize, Serialize};

use crate::pipeline::fates::FateOptions;

/// Parameters of [`drivers`](crate::pipeline::drivers()).
///
/// ```
/// use sbcell::pipeline::DriverOptions;
///
/// // Only the cells of days 2 and 3 are compared.
/// let options = DriverOptions::default().with_times(vec![2.0, 3.0]);
/// assert!(options.genes.is_none());
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, derive_setters::Setters)]
#[setters(prefix = "with_")]
#[non_exhaustive]
pub struct DriverOptions {
    /// The fates.
    pub fates: FateOptions,
    /// Times whose cells are compared; all times before the last terminal time if empty.
    pub times: Vec<f64>,
    /// Genes. If `None`, the genes of the model, or all genes of the file if the model has none.
    pub genes: Option<Vec<String>>,
}
