//! Growth rates from the expression of gene sets: proliferation minus apoptosis.

mod rates;
mod score;
mod sets;

pub use rates::gene_set_rates;
pub use score::mean_z_score;
pub use sets::{GeneSets, Species, find_genes};
