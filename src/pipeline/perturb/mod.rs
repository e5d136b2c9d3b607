//! The command `perturb`: the predicted effect of genes that are held at given levels.

mod effects;
mod held;
mod options;
mod run;

pub use effects::{PerturbedGene, PerturbedGroup};
pub use held::HeldGene;
pub use options::{GeneLevel, PerturbOptions};
pub use run::{Perturbed, perturb};
