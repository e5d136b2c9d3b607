//! Expression of the cells of a model, from the file it was fitted on.

use ndarray::Array2;
use rand::seq::index;
use std::collections::{BTreeMap, BTreeSet};

use crate::error::{Error, Result};
use crate::grn::transcription_factors;
use crate::io::model::{Model, OpenModel};
use crate::pipeline::asked_genes::{AskedGenes, missing_words};
use crate::pipeline::fitted::Fitted;
use crate::pipeline::grn::options::{GrnOptions, Regulators};
use crate::pipeline::lineage::{say_unlabelled, say_without_batch};
use crate::pipeline::prepare::no_genes;
use crate::progress::{self, Progress};
use crate::rng::Seed;

/// Up to so many genes may all regulate without a word.
const MANY_REGULATORS: usize = 300;

/// Part of the variance that components must hold if genes are to be taken back from them.
const WHOLE: f64 = 0.999;

/// Genes × cells as edges are sought in them.
pub(super) struct Measured {
    pub(super) genes: Vec<String>,
    /// The cells that are looked at, as rows of the model, increasing.
    pub(super) cells: Vec<usize>,
    /// The time of each of them.
    pub(super) times: Vec<f64>,
    /// On a log scale, `(n_cells, n_genes)`.
    pub(super) values: Array2<f32>,
    /// Columns of the genes that may regulate.
    pub(super) regulators: Vec<usize>,
    /// Whether each gene may be a target.
    pub(super) targets: Vec<bool>,
    /// Of each cell, if a column of groups is named.
    pub(super) groups: Option<Vec<String>>,
    /// Of each cell, if a column of batches is named.
    pub(super) batches: Option<Vec<String>>,
}

impl Measured {
    /// Reads what `options` ask for.
    ///
    /// Genes are those of the model, or of the file where the model has none; those of the parameter `genes` and
    /// the parameter `tfs` that are in the file are taken along in any case.
    ///
    /// # Errors
    /// A file that is not there or holds other cells; no gene or regulator that is asked for.
    pub(super) fn read(
        model: &OpenModel,
        options: &GrnOptions,
        progress: &mut dyn Progress,
    ) -> Result<Self> {
        let needs_file = options.groupby.is_some() || options.batch.is_some();
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

    fn of_file(
        file: &Fitted,
        model: &Model,
        options: &GrnOptions,
        progress: &mut dyn Progress,
    ) -> Result<Self> {
        let labels = |column: &String| file.labels(column);
        let groups = options.groupby.as_ref().map(labels).transpose()?;
        let batches = options.batch.as_ref().map(labels).transpose()?;
        if let (Some(labels), Some(column)) = (&groups, &options.groupby) {
            say_unlabelled(labels, column, progress)?;
        }
        if let (Some(labels), Some(column)) = (&batches, &options.batch) {
            say_without_batch(labels, column, progress)?;
        }
        let cells = drawn(model, groups.as_deref(), options, progress)?;
        let of_cells =
            |labels: Vec<String>| cells.iter().map(|&cell| labels[cell].clone()).collect();
        let (groups, batches) = (groups.map(of_cells), batches.map(of_cells));
        let all = file.genes(progress)?;
        let Chosen { columns, regulators, targets } =
            choose(&all, &model.genes, options, progress)?;
        let values = file.expression_of(&cells, &columns, progress)?;
        let genes = columns.iter().map(|&column| all[column].clone()).collect();
        let times = cells.iter().map(|&cell| model.cell_times[cell]).collect();
        Ok(Self { genes, cells, times, values, regulators, targets, groups, batches })
    }

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
        let (groups, batches) = (None, None);
        Ok(Self { genes, cells, times, values, regulators, targets, groups, batches })
    }
}

/// The cells that are looked at: all of a time and group, or as many as `options` allow.
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
             stability of an edge shows what that leaves open",
            cells.len(),
            model.cell_times.len(),
            if groups.is_some() { " and group" } else { "" }
        );
        progress::note(progress, text)?;
    }
    Ok(cells)
}

fn is_whole(model: &Model) -> bool {
    let held: f64 = model.header.explained_variance.iter().sum();
    model.pca.is_some() && held >= WHOLE * model.header.total_variance
}

/// Genes that are looked at.
pub(super) struct Chosen {
    /// Their columns, increasing.
    pub(super) columns: Vec<usize>,
    /// Places in `columns` of those that may regulate.
    pub(super) regulators: Vec<usize>,
    /// Whether each may be a target.
    pub(super) targets: Vec<bool>,
}

/// The genes that `options` ask for: targets are those of the parameter `genes`, or all that are looked at; any
/// gene of the model may regulate, or those of the parameter `tfs`.
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
        // Whatever may regulate is looked at; targets are told apart below.
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

/// Columns of the genes of the parameter `genes`.
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

/// Columns of the genes that may regulate; `None` for all that are looked at.
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
