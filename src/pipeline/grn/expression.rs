//! The genes and cells in which edges are estimated, with their expression.

use ndarray::Array2;
use rand::seq::index;
use std::collections::{BTreeMap, BTreeSet};

use crate::error::{Error, Result};
use crate::grn::transcription_factors;
use crate::io::model::{Model, OpenModel};
use crate::pipeline::fit::selection::no_genes;
use crate::pipeline::grn::options::{GrnOptions, Regulators};
use crate::pipeline::grn::perturbed::{Known, Perturbed};
use crate::pipeline::shared::asked_genes::{AskedGenes, missing_words};
use crate::pipeline::shared::fitted_file::Fitted;
use crate::pipeline::shared::notes::{say_unlabelled, say_without_batch};
use crate::progress::{self, Progress};
use crate::rng::Seed;

/// With more regulators than this, a note recommends a list of transcription factors.
const MANY_REGULATORS: usize = 300;

/// Share of the variance that components must explain to replace the expression of the file.
const WHOLE: f64 = 0.999;

/// Expression of the analysed genes in the analysed cells.
pub(in crate::pipeline) struct Measured {
    /// Names of the genes.
    pub(in crate::pipeline) genes: Vec<String>,
    /// The analysed cells as rows of the model, increasing.
    pub(in crate::pipeline) cells: Vec<usize>,
    /// Time of each cell.
    pub(in crate::pipeline) times: Vec<f64>,
    /// Expression on the log scale that was fitted, `(n_cells, n_genes)`.
    pub(in crate::pipeline) values: Array2<f32>,
    /// Columns of the genes that may regulate, increasing.
    pub(in crate::pipeline) regulators: Vec<usize>,
    /// Whether each gene may be a target.
    pub(in crate::pipeline) targets: Vec<bool>,
    /// Group of each cell, if a column of groups is given.
    pub(in crate::pipeline) groups: Option<Vec<String>>,
    /// Batch of each cell, if a column of batches is given.
    pub(in crate::pipeline) batches: Option<Vec<String>>,
    /// The perturbation of each cell, if a column names them.
    pub(in crate::pipeline) perturbed: Option<Perturbed>,
}

impl Measured {
    /// Reads the expression that `options` need from the fitted file.
    ///
    /// The genes are those of the model (or all genes of the file if the model has none), and those of the
    /// parameters `genes` and `tfs`. Without the file, expression is reconstructed from the components if they
    /// explain at least 99.9 % of the variance. Memory: 4 bytes for each cell and gene.
    ///
    /// # Errors
    /// Those of [`Fitted::find`] and [`Fitted::open`]; [`Error::NoGenes`] if none of the given genes or regulators
    /// is in the file.
    pub(in crate::pipeline) fn read(
        model: &OpenModel,
        options: &GrnOptions,
        progress: &mut dyn Progress,
    ) -> Result<Self> {
        let needs_file =
            options.groupby.is_some() || options.batch.is_some() || options.perturbation.is_some();
        match Fitted::find(model, options.data.as_deref(), progress)? {
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
                let file = Fitted::open(model, None, progress)?;
                Self::of_file(&file, model, options, progress)
            }
        }
    }

    /// The expression in `file`, with the groups and batches of the cells. Notes tell how many cells have none.
    ///
    /// # Errors
    /// [`Error::UnknownKey`] for a column that is not there; those of [`choose`], [`Perturbed::of_labels`] and
    /// [`Fitted::expression_of`].
    fn of_file(
        file: &Fitted,
        model: &Model,
        options: &GrnOptions,
        progress: &mut dyn Progress,
    ) -> Result<Self> {
        let labels = |column: &String| file.labels(column);
        let groups = options.groupby.as_ref().map(|column| file.groups(column)).transpose()?;
        let batches = options.batch.as_ref().map(labels).transpose()?;
        if let (Some(labels), Some(column)) = (&groups, &options.groupby) {
            say_unlabelled(labels, column, progress)?;
        }
        if let (Some(labels), Some(column)) = (&batches, &options.batch) {
            say_without_batch(labels, column, progress)?;
        }
        let labels = options.perturbation.as_ref().map(labels).transpose()?;
        let strata = strata(groups.as_deref(), labels.as_deref());
        let cells = drawn(model, strata.as_deref(), options, progress)?;
        let of_cells = |labels: Vec<String>| -> Vec<String> {
            cells.iter().map(|&cell| labels[cell].clone()).collect()
        };
        let (groups, batches) = (groups.map(of_cells), batches.map(of_cells));
        let all = file.genes(progress)?;
        let Chosen { columns, regulators, targets } =
            choose(&all, &model.genes, options, progress)?;
        let control = options.control.as_deref();
        let known = Known { all: &all, analysed: &columns, control };
        let perturbed = labels
            .map(|labels| Perturbed::of_labels(&of_cells(labels), &known, progress))
            .transpose()?;
        let values = file.expression_of(&cells, &columns, progress)?;
        let genes = columns.iter().map(|&column| all[column].clone()).collect();
        let times = cells.iter().map(|&cell| model.cell_times[cell]).collect();
        Ok(Self { genes, cells, times, values, regulators, targets, groups, batches, perturbed })
    }

    /// The expression reconstructed from the principal components, `x Wᵀ + mean`. There are no groups and batches.
    ///
    /// # Errors
    /// [`Error::NoGeneSpace`] for a model of an embedding; those of [`choose`].
    fn of_components(
        model: &Model,
        options: &GrnOptions,
        progress: &mut dyn Progress,
    ) -> Result<Self> {
        let Some(pca) = &model.pca else {
            return Err(Error::NoGeneSpace { source_name: model.header.source.clone() });
        };
        let Chosen { columns, regulators, targets } =
            choose(&model.genes, &model.genes, options, progress)?;
        let cells = drawn(model, None, options, progress)?;
        let times = cells.iter().map(|&cell| model.cell_times[cell]).collect();
        let all = pca.inverse(model.points.select(ndarray::Axis(0), &cells).view())?;
        let values = all.select(ndarray::Axis(1), &columns).mapv(|value| value as f32);
        let genes = columns.iter().map(|&column| model.genes[column].clone()).collect();
        let (groups, batches, perturbed) = (None, None, None);
        Ok(Self { genes, cells, times, values, regulators, targets, groups, batches, perturbed })
    }
}

/// Labels of the cells that are subsampled together: `groups`, perturbations, or both.
fn strata(groups: Option<&[String]>, perturbations: Option<&[String]>) -> Option<Vec<String>> {
    match (groups, perturbations) {
        (Some(groups), Some(perturbations)) => {
            let both = groups.iter().zip(perturbations);
            Some(both.map(|(group, label)| format!("{group}\0{label}")).collect())
        }
        (one, other) => one.or(other).map(<[String]>::to_vec),
    }
}

/// Rows of the analysed cells, increasing: all cells of each time and group, or a random subsample of
/// `cells_per_time` of them, with a note.
///
/// Each time and group has its own stream of random numbers.
fn drawn(
    model: &Model,
    groups: Option<&[String]>,
    options: &GrnOptions,
    progress: &mut dyn Progress,
) -> Result<Vec<usize>> {
    let mut strata: BTreeMap<(u64, &str), Vec<usize>> = BTreeMap::new();
    for (cell, time) in model.cell_times.iter().enumerate() {
        let group = groups.map_or("", |groups| groups[cell].as_str());
        strata.entry((time.to_bits(), group)).or_default().push(cell);
    }
    let most = options.cells_per_time;
    let mut cells = Vec::new();
    for (number, of_one) in strata.into_values().enumerate() {
        let mut rng = Seed(options.seed).stream("grn/cells", number as u64);
        let places = index::sample(&mut rng, of_one.len(), most.min(of_one.len()));
        cells.extend(places.into_iter().map(|place| of_one[place]));
    }
    cells.sort_unstable();
    if cells.len() < model.cell_times.len() {
        let text = format!(
            "edges from {} of {} cells, {most} of each time{} at most (the parameter `cells_per_time`); the \
             stability of an edge shows how much that matters",
            cells.len(),
            model.cell_times.len(),
            if groups.is_some() { " and group" } else { "" }
        );
        progress::note(progress, text)?;
    }
    Ok(cells)
}

/// Whether the components explain at least [`WHOLE`] of the variance.
fn is_whole(model: &Model) -> bool {
    let held: f64 = model.header.explained_variance.iter().sum();
    model.pca.is_some() && held >= WHOLE * model.header.total_variance
}

/// The analysed genes among all genes of a file.
pub(super) struct Chosen {
    /// Columns of the analysed genes, increasing.
    pub(super) columns: Vec<usize>,
    /// Indices in `columns` of the genes that may regulate.
    pub(super) regulators: Vec<usize>,
    /// For each of `columns` whether it may be a target.
    pub(super) targets: Vec<bool>,
}

/// The genes to analyse among the genes `all` of a file.
///
/// Targets are the genes of the parameter `genes`, or all analysed genes. Regulators are those of the parameter
/// `tfs`, or all analysed genes. The genes of the model (`of_model`) are analysed unless both lists are given.
///
/// # Errors
/// [`Error::NoGenes`] if a list has no gene of the file; those of [`AskedGenes::find`].
pub(super) fn choose(
    all: &[String],
    of_model: &[String],
    options: &GrnOptions,
    progress: &mut dyn Progress,
) -> Result<Chosen> {
    let by_default: Vec<usize> = if of_model.is_empty() {
        (0..all.len()).collect()
    } else {
        let wanted: BTreeSet<&String> = of_model.iter().collect();
        (0..all.len()).filter(|&column| wanted.contains(&all[column])).collect()
    };
    if by_default.is_empty() && options.genes.is_none() {
        return Err(no_genes(of_model, all));
    }
    let targets = match &options.genes {
        None => None,
        Some(wanted) => Some(targets(wanted, all, progress)?),
    };
    let regulators = regulators(all, options, progress)?;
    let mut columns = match (&targets, &regulators) {
        // Regulators are added below.
        (Some(targets), Some(_)) => targets.clone(),
        (Some(targets), None) => [by_default.as_slice(), targets].concat(),
        (None, _) => by_default,
    };
    columns.extend(regulators.iter().flatten());
    columns.sort_unstable();
    columns.dedup();
    let places = |of: &[usize]| -> Vec<bool> {
        let of: BTreeSet<&usize> = of.iter().collect();
        columns.iter().map(|column| of.contains(column)).collect()
    };
    let targets = targets.map_or_else(|| vec![true; columns.len()], |of| places(&of));
    let may_regulate = match &regulators {
        Some(of) => places(of),
        None => vec![true; columns.len()],
    };
    let regulators: Vec<usize> = (0..columns.len()).filter(|&p| may_regulate[p]).collect();
    if matches!(options.regulators, Regulators::All) && regulators.len() > MANY_REGULATORS {
        let text = format!(
            "all {} genes may regulate: give transcription factors with the parameter `tfs`, which is faster and \
             rules out edges that cannot be",
            regulators.len()
        );
        progress::note(progress, text)?;
    }
    Ok(Chosen { columns, regulators, targets })
}

/// Columns of the targets `wanted`, increasing. A note names missing genes.
///
/// # Errors
/// Those of [`AskedGenes::find`].
fn targets(wanted: &[String], all: &[String], progress: &mut dyn Progress) -> Result<Vec<usize>> {
    let AskedGenes { columns, n_found, missing } = AskedGenes::find(wanted, all, progress)?;
    if !missing.is_empty() {
        let n = n_found + missing.len();
        let text = format!(
            "{n_found} of the {n} targets asked for are among the genes of the file; missing: {}",
            missing_words(&missing, all)
        );
        progress::note(progress, text)?;
    }
    Ok(columns)
}

/// Columns of the given regulators, increasing; `None` if all analysed genes may regulate. A note tells how many of
/// a list were found.
///
/// # Errors
/// Those of [`AskedGenes::find`].
fn regulators(
    all: &[String],
    options: &GrnOptions,
    progress: &mut dyn Progress,
) -> Result<Option<Vec<usize>>> {
    let wanted = match &options.regulators {
        Regulators::All => return Ok(None),
        Regulators::Named(names) => names.clone(),
        Regulators::Species(species) => transcription_factors(*species),
    };
    let AskedGenes { columns, n_found, missing } = AskedGenes::find(&wanted, all, progress)?;
    let text = format!(
        "{n_found} of the {} regulators asked for are among the {} genes of the file",
        n_found + missing.len(),
        all.len()
    );
    progress::note(progress, text)?;
    Ok(Some(columns))
}
