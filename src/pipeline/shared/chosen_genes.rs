//! The genes that components are made of: a list of the user, or the most variable genes.

use crate::data::CellBlocks;
use crate::error::Result;
use crate::pipeline::fit::options::FitOptions;
use crate::pipeline::shared::asked_genes::{AskedGenes, missing_words};
use crate::pipeline::shared::counted::Scaled;
use crate::preprocess::{GeneSelector, LogScale};
use crate::progress::{self, Progress};

/// Columns of the genes that are used, increasing; `None` for all `genes` of the matrix `cells`.
///
/// They are the genes of the parameter `genes`, or else the `n_top_genes` most variable ones. Values below
/// zero have no log scale on which dispersion is defined; then all genes are kept, with a note.
///
/// # Errors
/// As [`AskedGenes::find`] and [`GeneSelector::select`].
pub(in crate::pipeline) fn chosen(
    cells: &dyn CellBlocks,
    genes: &[String],
    scaled: &Scaled,
    options: &FitOptions,
    progress: &mut dyn Progress,
) -> Result<Option<Vec<usize>>> {
    if let Some(wanted) = &options.genes {
        return named(genes, wanted, progress).map(Some);
    }
    if genes.len() <= options.n_top_genes {
        return Ok(None);
    }
    if scaled.non_negative {
        return variable(cells, &scaled.scale, options, progress);
    }
    let text = "gene selection needs a log scale without negative values: all genes kept";
    progress::note(progress, text)?;
    Ok(None)
}

/// Columns of the `n_top_genes` most variable genes; `None` if these are all.
fn variable(
    cells: &dyn CellBlocks,
    scale: &LogScale,
    options: &FitOptions,
    progress: &mut dyn Progress,
) -> Result<Option<Vec<usize>>> {
    let (n_genes, n_all) = (options.n_top_genes, cells.n_genes());
    let selector = GeneSelector { n_genes, ..GeneSelector::default() };
    let columns = selector.select(cells, scale, progress)?;
    if columns.len() == n_all {
        return Ok(None);
    }
    let text = format!("{} of {n_all} genes highly variable (flavour seurat)", columns.len());
    progress::note(progress, text)?;
    Ok(Some(columns))
}

/// Columns of the genes `wanted` that are in the file. A note names missing genes.
fn named(genes: &[String], wanted: &[String], progress: &mut dyn Progress) -> Result<Vec<usize>> {
    let AskedGenes { columns, n_found, missing } = AskedGenes::find(wanted, genes, progress)?;
    if !missing.is_empty() {
        let text = format!(
            "{n_found} of {} genes asked for are in the file; missing: {}",
            n_found + missing.len(),
            missing_words(&missing, genes)
        );
        progress::note(progress, text)?;
    }
    Ok(columns)
}
