//! The genes that components are made of: a list of the user, or the most variable genes.

use crate::data::CellBlocks;
use crate::error::Result;
use crate::pipeline::fit::options::FitOptions;
use crate::pipeline::shared::asked_genes::{AskedGenes, missing_words};
use crate::pipeline::shared::counted::Scaled;
use crate::preprocess::GeneSelector;
use crate::progress::{self, Progress};

/// The genes that components are made of.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::pipeline) enum Choice {
    /// These columns, increasing; `None` for all genes.
    Known(Option<Vec<usize>>),
    /// The most variable genes.
    Variable,
}

impl Choice {
    /// The columns of genes that are known; `None` for all, and before variable genes are selected.
    pub(in crate::pipeline) fn columns(&self) -> Option<Vec<usize>> {
        match self {
            Self::Known(columns) => columns.clone(),
            Self::Variable => None,
        }
    }
}

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
    match known_choice(genes, scaled, options, progress)? {
        Choice::Known(columns) => Ok(columns),
        Choice::Variable => {
            let selector = GeneSelector { n_genes: options.n_top_genes, ..GeneSelector::default() };
            let columns = selector.select(cells, &scaled.scale, progress)?;
            say_variable(columns, cells.n_genes(), progress)
        }
    }
}

/// The genes that are used, as far as they are known before their values are read.
///
/// # Errors
/// As [`AskedGenes::find`].
pub(in crate::pipeline) fn known_choice(
    genes: &[String],
    scaled: &Scaled,
    options: &FitOptions,
    progress: &mut dyn Progress,
) -> Result<Choice> {
    if let Some(wanted) = &options.genes {
        return named(genes, wanted, progress).map(|columns| Choice::Known(Some(columns)));
    }
    if genes.len() <= options.n_top_genes {
        return Ok(Choice::Known(None));
    }
    if scaled.non_negative {
        return Ok(Choice::Variable);
    }
    let text = "gene selection needs a log scale without negative values: all genes kept";
    progress::note(progress, text)?;
    Ok(Choice::Known(None))
}

/// The columns of variable genes, with a note; `None` if they are all `n_all` genes.
///
/// # Errors
/// [`crate::Error::Cancelled`].
pub(in crate::pipeline) fn say_variable(
    columns: Vec<usize>,
    n_all: usize,
    progress: &mut dyn Progress,
) -> Result<Option<Vec<usize>>> {
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
