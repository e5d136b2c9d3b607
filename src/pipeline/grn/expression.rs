//! Expression of the cells of a model, from the file it was fitted on.

use std::collections::BTreeSet;
use std::path::Path;

use ndarray::Array2;

use crate::error::{Error, Result};
use crate::grn::transcription_factors;
use crate::io::model::Model;
use crate::pipeline::fitted::Fitted;
use crate::pipeline::grn::options::{GrnOptions, Regulators};
use crate::pipeline::prepare::no_genes;
use crate::progress::{self, Progress};

/// Up to so many genes may all regulate without a word.
const MANY_REGULATORS: usize = 300;

/// Part of the variance that components must hold if genes are to be taken back from them.
const WHOLE: f64 = 0.999;

/// Genes × cells as edges are sought in them.
pub(super) struct Measured {
    pub(super) genes: Vec<String>,
    /// On a log scale, `(n_cells, n_genes)`, cells as in the model.
    pub(super) values: Array2<f32>,
    /// Columns of the genes that may regulate.
    pub(super) regulators: Vec<usize>,
    /// Of each cell, if a column of groups is named.
    pub(super) groups: Option<Vec<String>>,
    /// Of each cell, if a column of batches is named.
    pub(super) batches: Option<Vec<String>>,
}

impl Measured {
    /// Reads what `options` ask for.
    ///
    /// Genes are those of `--genes`, or of the model, or of the file where the model has none;
    /// regulators that are in the file are taken along in any case.
    ///
    /// # Errors
    /// A file that is not there or holds other cells; no gene or regulator that is asked for.
    pub(super) fn read(
        (folder, model): (&Path, &Model),
        options: &GrnOptions,
        progress: &mut dyn Progress,
    ) -> Result<Self> {
        let needs_file = options.group.is_some() || options.batch.is_some();
        match Fitted::find((folder, model), options.data.as_deref())? {
            Some(file) => Self::of_file(&file, model, options, progress),
            None if !needs_file && is_whole(model) => {
                progress::note(
                    progress,
                    "the fitted file is not here: expression is taken back \
                    from the components, which hold all of it",
                )?;
                Self::of_components(model, options, progress)
            }
            None => {
                let file = Fitted::open((folder, model), None)?;
                Self::of_file(&file, model, options, progress)
            }
        }
    }

    fn of_file(
        file: &Fitted,
        model: &Model,
        options: &GrnOptions,
        progress: &mut dyn Progress,
    ) -> Result<Self> {
        let labels = |column: &String| file.labels(column);
        let groups = options.group.as_ref().map(labels).transpose()?;
        let batches = options.batch.as_ref().map(labels).transpose()?;
        let all = file.genes(progress)?;
        let (columns, regulators) = choose(&all, &model.genes, options, progress)?;
        let values = file.expression(&columns, progress)?;
        let genes = columns.iter().map(|&column| all[column].clone()).collect();
        Ok(Self { genes, values, regulators, groups, batches })
    }

    fn of_components(
        model: &Model,
        options: &GrnOptions,
        progress: &mut dyn Progress,
    ) -> Result<Self> {
        let Some(pca) = &model.pca else {
            return Err(Error::NoGeneSpace { source_name: model.header.source.clone() });
        };
        let (columns, regulators) = choose(&model.genes, &model.genes, options, progress)?;
        let all = pca.inverse(model.points.view())?;
        let values = all.select(ndarray::Axis(1), &columns).mapv(|value| value as f32);
        let genes = columns.iter().map(|&column| model.genes[column].clone()).collect();
        Ok(Self { genes, values, regulators, groups: None, batches: None })
    }
}

fn is_whole(model: &Model) -> bool {
    let held: f64 = model.header.explained_variance.iter().sum();
    model.pca.is_some() && held >= WHOLE * model.header.total_variance
}

/// Columns of the genes that are looked at, and which of them (by place there) may regulate.
pub(super) fn choose(
    all: &[String],
    of_model: &[String],
    options: &GrnOptions,
    progress: &mut dyn Progress,
) -> Result<(Vec<usize>, Vec<usize>)> {
    let place = |wanted: &[String]| -> Vec<usize> {
        let wanted: BTreeSet<&String> = wanted.iter().collect();
        (0..all.len()).filter(|&column| wanted.contains(&all[column])).collect()
    };
    let mut columns = match (&options.genes, of_model.is_empty()) {
        (Some(wanted), _) => place(wanted),
        (None, false) => place(of_model),
        (None, true) => (0..all.len()).collect(),
    };
    if columns.is_empty() {
        return Err(no_genes(options.genes.as_deref().unwrap_or(of_model), all));
    }
    let wanted = match &options.regulators {
        Regulators::All => None,
        Regulators::Named(names) => Some(names.clone()),
        Regulators::Species(species) => Some(transcription_factors(*species)),
    };
    let Some(wanted) = wanted else {
        if columns.len() > MANY_REGULATORS {
            let text = format!(
                "all {} genes may regulate: give transcription factors with --tfs, which is \
                 faster and rules out edges that cannot be",
                columns.len()
            );
            progress::note(progress, text)?;
        }
        let regulators = (0..columns.len()).collect();
        return Ok((columns, regulators));
    };
    let found = place(&wanted);
    if found.is_empty() {
        return Err(no_genes(&wanted, all));
    }
    let text = format!(
        "{} of the {} regulators asked for are among the {} genes of the file",
        found.len(),
        wanted.len(),
        all.len()
    );
    progress::note(progress, text)?;
    columns.extend(&found);
    columns.sort_unstable();
    columns.dedup();
    let of_found: BTreeSet<usize> = found.into_iter().collect();
    let regulators = (0..columns.len()).filter(|&p| of_found.contains(&columns[p])).collect();
    Ok((columns, regulators))
}
