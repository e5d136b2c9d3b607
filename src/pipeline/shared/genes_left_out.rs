//! Errors about genes that a model lacks, completed with the genes of the fitted file.

use std::path::Path;

use crate::data::GeneIndex;
use crate::error::{Error, nearest};
use crate::io::model::{Model, OpenModel};
use crate::io::run::{RunRecord, read_json};
use crate::pipeline::fit::selection::no_genes;
use crate::pipeline::shared::fitted_file::Fitted;
use crate::progress::Silent;

/// The remedy for a gene that the fit left out.
const FIT_WITH_IT: &str = "fit again with the parameter `genes = FILE` that names it, or with more genes (the parameter `n_top_genes`)";

/// The error for a `gene` that is not among the genes of `model`.
pub(crate) fn not_in_model(gene: &str, model: &Model) -> Error {
    among(gene, &model.genes, "that the fit kept", FIT_WITH_IT)
}

/// The error for a `gene` that is not among the `genes` of a result. `whose` describes them: "the n genes
/// `whose`".
pub(crate) fn not_among(gene: &str, genes: &[String], whose: &str) -> Error {
    among(gene, genes, whose, "name it in the parameter `genes = FILE` as well")
}

fn among(gene: &str, genes: &[String], whose: &str, way_out: &'static str) -> Error {
    Error::GeneNotAmong {
        gene: gene.to_string(),
        in_file: false,
        kept: genes.len(),
        whose: whose.to_string(),
        near: nearest(gene, genes),
        way_out,
    }
}

/// Completes an error about genes that `model` lacks with the genes of the fitted file.
///
/// The file at `data`, or the file that was fitted if it is found, tells two cases apart: the fit left the
/// gene out, or the file does not have it either. Without the file, the run record tells how many genes the
/// fit read. Other errors stay as they are.
#[doc(hidden)]
pub fn with_genes_of_file(error: Error, model: &OpenModel, data: Option<&str>) -> Error {
    let (asked, whose, way_out) = match &error {
        Error::GeneNotAmong { gene, whose, way_out, .. } => {
            (vec![gene.clone()], Some(whose.clone()), *way_out)
        }
        Error::NoGenes { wanted, .. } => (wanted.1.clone(), None, FIT_WITH_IT),
        _ => return error,
    };
    let Some(all) = genes_of_file(model, data) else {
        return with_number_of_genes(error, model.folder());
    };
    let (of_file, of_model) = (GeneIndex::new(&all), GeneIndex::new(&model.genes));
    let left_out = asked.iter().find(|gene| {
        of_file.find(gene).is_some() && (whose.is_some() || of_model.find(gene).is_none())
    });
    match (left_out, whose) {
        (Some(gene), whose) => Error::GeneNotAmong {
            gene: gene.clone(),
            in_file: true,
            kept: whose.as_ref().map_or(model.genes.len(), |_| kept(&error)),
            whose: of_all(&whose.unwrap_or_else(|| "that the fit kept".into()), all.len()),
            near: Vec::new(),
            way_out,
        },
        (None, Some(_)) => no_genes(&asked, &all),
        (None, None) => error,
    }
}

/// Names of the genes of the fitted file; `None` if it is not found or another file lies in its place.
fn genes_of_file(model: &OpenModel, data: Option<&str>) -> Option<Vec<String>> {
    let file = Fitted::find(model, data, &mut Silent).ok()??;
    file.genes(&mut Silent).ok()
}

/// `error` with the number of genes that the fit read, according to the run record in `folder`.
fn with_number_of_genes(error: Error, folder: &Path) -> Error {
    let run: Option<RunRecord> = read_json(&folder.join("run.json")).ok();
    match (error, run) {
        (Error::GeneNotAmong { gene, in_file, kept, whose, near, way_out }, Some(run))
            if run.input.genes > kept =>
        {
            let whose = of_all(&whose, run.input.genes);
            Error::GeneNotAmong { gene, in_file, kept, whose, near, way_out }
        }
        (error, _) => error,
    }
}

fn of_all(whose: &str, n_all: usize) -> String {
    format!("{whose}, of {n_all}")
}

fn kept(error: &Error) -> usize {
    if let Error::GeneNotAmong { kept, .. } = error { *kept } else { 0 }
}
