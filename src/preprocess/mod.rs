//! COUNTS → COORDINATES: normalisation, gene selection, principal components.

mod genes;
mod normalize;
mod values;

pub use genes::{GeneSelector, GeneStatistics};
pub use normalize::{depths, log1p, normalize_total};
pub use values::{Detected, Values, detect};
