//! Names of principal components, and notes on them.

use crate::bridge::Property;
use crate::error::Result;
use crate::pipeline::Reference;
use crate::pipeline::fit::options::FitOptions;
use crate::preprocess::Pca;
use crate::progress::{self, Progress};

/// Notes the share of the variance that components hold.
pub(in crate::pipeline) fn say_share(pca: &Pca, progress: &mut dyn Progress) -> Result<()> {
    let share = pca.explained_variance().sum() / pca.total_variance();
    let text = format!(
        "{} principal components of {} genes hold {:.1} % of the variance",
        pca.n_pcs(),
        pca.n_genes(),
        100.0 * share
    );
    progress::note(progress, text)
}

/// The names `PC1`, `PC2`, … of `n` components.
pub(in crate::pipeline) fn names_of_components(n: usize) -> Vec<String> {
    (1..=n).map(|d| format!("PC{d}")).collect()
}

/// Notes that `n_genes` genes are too few to choose the ε of couplings, unless these are those of the bridges.
pub(in crate::pipeline) fn say_not_halved(
    n_genes: usize,
    options: &FitOptions,
    progress: &mut dyn Progress,
) -> Result<()> {
    if options.solver.has(Property::OwnCost) || options.reference != Reference::Brownian {
        return Ok(());
    }
    let text = format!(
        "{n_genes} genes are too few to choose the ε of couplings by two halves of them, which takes at least \
         four: ε follows from the numbers of coordinates and times, as for an embedding; set it with the \
         parameter `coupling_epsilon`"
    );
    progress::note(progress, text)
}
