//! COUNTS → COORDINATES: normalisation, gene selection, principal components.

mod genes;
mod normalize;
mod pca;
mod values;

pub use genes::{GeneSelector, GeneStatistics};
pub use normalize::{depths, log1p, normalize_total};
pub use pca::{Pca, PcaMethod, PcaSolver};
pub use values::{Detected, Values, detect};
