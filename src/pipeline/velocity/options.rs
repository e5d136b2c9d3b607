//! Options of `velocity`.

use serde::{Deserialize, Serialize};

use crate::data::GeneIndex;
use crate::error::Result;
use crate::io::model::Model;
use crate::pipeline::shared::genes_left_out::not_in_model;

/// Parameters of [`velocity`](crate::pipeline::velocity()).
///
/// ```
/// use sbcell::pipeline::{VelocityOptions, VelocitySpace};
///
/// let genes = vec!["Sox2".to_string()];
/// let options = VelocityOptions::default().with_space(VelocitySpace::Both).with_genes(genes);
/// assert!(options.space.has_genes() && options.at.is_empty());
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, derive_setters::Setters)]
#[setters(prefix = "with_")]
#[non_exhaustive]
pub struct VelocityOptions {
    /// Times of populations that are drawn from the bridges, in the unit of the file's time column. If empty,
    /// the velocities are those of the cells of the model.
    pub at: Vec<f64>,
    /// Coordinates of the written velocities.
    pub space: VelocitySpace,
    /// Genes to write; all genes of the model if empty.
    pub genes: Vec<String>,
    /// Seed of the populations.
    pub seed: u64,
}

/// Coordinates of velocities.
///
/// ```
/// use sbcell::pipeline::VelocitySpace;
///
/// assert!(VelocitySpace::Genes.has_genes() && !VelocitySpace::Pca.has_genes());
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "snake_case")]
pub enum VelocitySpace {
    /// The coordinates in which the bridges were fitted.
    #[default]
    Pca,
    /// Expression of the model's genes, on the scale of the fit (log1p for counts).
    Genes,
    /// The coordinates, then the genes.
    Both,
}

impl VelocitySpace {
    /// Whether velocities of genes are included.
    pub fn has_genes(self) -> bool {
        matches!(self, Self::Genes | Self::Both)
    }
}

/// Indices in `model` of the genes `wanted`; of all genes if none is named.
///
/// # Errors
/// [`crate::Error::GeneNotAmong`] for the first gene that is not in the model.
pub(super) fn chosen_genes(model: &Model, wanted: &[String]) -> Result<Vec<usize>> {
    if wanted.is_empty() {
        return Ok((0..model.genes.len()).collect());
    }
    let index = GeneIndex::new(&model.genes);
    wanted
        .iter()
        .map(|gene| {
            index.find(gene).map(|found| found.places[0]).ok_or_else(|| not_in_model(gene, model))
        })
        .collect()
}
