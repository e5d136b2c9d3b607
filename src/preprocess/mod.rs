//! COUNTS → COORDINATES: normalisation, gene selection, principal components.

mod genes;
mod growth;
mod log_scale;
mod normalize;
mod pca;
mod values;

pub use genes::{GeneSelector, GeneStatistics};
pub use growth::{GeneSets, GrowthCurve, Species, find_genes, gene_set_rates, mean_z_score};
pub use log_scale::LogScale;
pub use normalize::{depths, log1p, normalize_total};
pub use pca::{Pca, PcaMethod, PcaSolver};
pub use values::{Detected, Values, ValuesEvidence, common_depth, detect, survey};
