//! COUNTS → COORDINATES: normalisation, gene selection, principal components.
//!
//! - [`detect`] finds out whether a matrix has counts, normalised values or logarithms.
//! - [`normalize_total`] and [`log1p`] change a matrix in memory, [`LogScale`] reads one in blocks.
//! - [`GeneSelector`] selects highly variable genes, [`PcaSolver`] fits a [`Pca`].
//! - [`mean_z_score`] and [`gene_set_rates`] estimate growth rates from [`GeneSets`].

mod genes;
mod growth;
mod log_scale;
mod normalize;
mod pca;
mod survey;
mod values;

pub use genes::{GeneSelector, GeneStatistics};
pub(crate) use genes::{GeneSums, overflow};
#[doc(hidden)]
pub use growth::find_genes;
pub use growth::{GeneSets, Species, gene_set_rates, mean_z_score};
pub use log_scale::LogScale;
pub use normalize::{log1p, normalize_total};
pub(crate) use pca::Moments;
pub use pca::{NPcs, Pca, PcaMethod, PcaSolver, Scree, noise_edge};
pub(crate) use survey::{Survey, survey};
pub use values::{Detected, Values, detect};
#[doc(hidden)]
pub use values::{ValuesEvidence, common_depth};
