//! The genes that are held: their levels, and how well the coordinates can represent them.

use ndarray::ArrayView1;

use crate::data::GeneIndex;
use crate::error::{Error, Result};
use crate::io::model::{Model, OpenModel};
use crate::lineage::Response;
use crate::pipeline::fit::selection::no_genes;
use crate::pipeline::perturb::{GeneLevel, PerturbOptions};
use crate::pipeline::shared::asked_genes::named_genes;
use crate::pipeline::shared::fitted_file::Fitted;
use crate::pipeline::shared::genes_left_out::{not_in_model, with_genes_of_file};
use crate::progress::Progress;

/// Below this share of the variance of a gene, a warning says that the coordinates hardly contain it.
const HARDLY: f64 = 0.1;

/// Beyond this distance from the cells at the start (in standard deviations), a warning says that the drift is
/// unknown.
const FAR: f64 = 5.0;

/// How well the coordinates of a model represent a gene that is held.
///
/// ```
/// use sbcell::pipeline::HeldGene;
///
/// let gene = "Sox2".to_string();
/// let held = HeldGene { gene, level: 0.0, variance_held: Some(0.4), shown: 0.02, distance: 2.1 };
/// assert!(held.variance_held > Some(held.shown));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct HeldGene {
    /// Name of the gene.
    pub gene: String,
    /// The level at which it is held, on the scale that was fitted.
    pub level: f64,
    /// Share of its variance over all cells that the coordinates explain; `None` without the fitted file.
    pub variance_held: Option<f64>,
    /// Share of a change of this gene alone that the coordinates can represent, `‖W_g‖²`.
    pub shown: f64,
    /// Root mean square distance of the level from the cells at the start, in standard deviations of the gene
    /// between them, as the coordinates represent it.
    pub distance: f64,
}

/// A gene that is to be held.
pub(super) struct Asked {
    /// Name, as in the model.
    pub(super) gene: String,
    /// The level; `None` for zero or the lowest value.
    level: Option<f64>,
}

/// The genes to hold, as the model spells them, each once.
///
/// # Errors
/// [`Error::GeneNotAmong`] or [`Error::NoGenes`] for a gene that is not in the model; [`Error::Parameter`] for a level
/// that is not finite, or two levels of one gene.
pub(super) fn asked(
    model: &OpenModel,
    options: &PerturbOptions,
    progress: &mut dyn Progress,
) -> Result<Vec<Asked>> {
    let missing = |gene: &String| {
        let error = not_in_model(gene, model);
        with_genes_of_file(error, model, options.sets.data.as_deref())
    };
    let mut found: Vec<Asked> = named_genes(&options.knockout, &model.genes, missing, progress)?
        .into_iter()
        .map(|gene| Asked { gene, level: None })
        .collect();
    for GeneLevel { gene, level } in &options.levels {
        if !level.is_finite() {
            let got = format!("{gene}={level}");
            return Err(Error::Parameter { name: "set", must: "a finite level", got });
        }
        let one = std::slice::from_ref(gene);
        for gene in named_genes(one, &model.genes, missing, progress)? {
            if found.iter().any(|other| other.gene == gene) {
                let (name, must) = ("knockout, set", "given one level for each gene");
                return Err(Error::Parameter { name, must, got: format!("several for {gene}") });
            }
            found.push(Asked { gene, level: Some(*level) });
        }
    }
    Ok(found)
}

/// The index of each gene of `wanted` in `genes`.
///
/// # Errors
/// [`Error::NoGenes`] for the first that is not there.
pub(super) fn places(wanted: &[String], genes: &[String]) -> Result<Vec<usize>> {
    let index = GeneIndex::new(genes);
    let place = |name: &String| {
        let found = index.find(name).map(|found| found.places[0]);
        found.ok_or_else(|| no_genes(std::slice::from_ref(name), genes))
    };
    wanted.iter().map(place).collect()
}

impl HeldGene {
    /// Warnings of a gene that the coordinates hardly contain, or of a level far from all cells.
    pub(super) fn warnings(&self) -> Vec<String> {
        let Self { gene, level, variance_held, shown, distance } = self;
        let mut warnings = Vec::new();
        if variance_held.unwrap_or(*shown) < HARDLY {
            let what = if variance_held.is_some() { "its variance" } else { "a change of it" };
            warnings.push(format!(
                "the coordinates hold {:.1} % of {what} ({gene}): the results hardly depend on it",
                100.0 * variance_held.unwrap_or(*shown)
            ));
        }
        if *distance > FAR {
            warnings.push(format!(
                "in the coordinates {gene} = {level} is {distance:.0} standard deviations from the cells \
                 at the start: the drift is not known there"
            ));
        }
        warnings
    }
}

/// The time at which the perturbation begins.
pub(super) struct Start<'a> {
    /// The time.
    pub(super) time: f64,
    /// The rows of its cells in the model.
    pub(super) rows: &'a [usize],
}

/// The held genes in the data, before the perturbation.
pub(super) struct Known {
    /// Level of each gene: the given one, or zero, or the lowest value if values go below zero.
    pub(super) levels: Vec<f64>,
    /// For each gene the share of its variance that the coordinates explain, if the file is found.
    variance_held: Vec<Option<f64>>,
    /// Warnings of genes that few cells express, and of levels outside the range of all cells.
    pub(super) warnings: Vec<String>,
}

impl Known {
    /// Reads the expression of the genes `asked` from the fitted file. Without the file, levels are zero if none
    /// is given.
    ///
    /// # Errors
    /// Those of [`Fitted::find`] and [`Fitted::expression`].
    pub(super) fn of(
        model: &OpenModel,
        start: &Start<'_>,
        asked: &[Asked],
        data: Option<&str>,
        progress: &mut dyn Progress,
    ) -> Result<Self> {
        let n = asked.len();
        let levels = asked.iter().map(|of| of.level.unwrap_or(0.0)).collect();
        let mut known = Self { levels, variance_held: vec![None; n], warnings: Vec::new() };
        let Some(file) = Fitted::find(model, data, progress)? else {
            return Ok(known);
        };
        let all = file.genes(progress)?;
        let names: Vec<String> = asked.iter().map(|of| of.gene.clone()).collect();
        let columns = places(&names, &all)?;
        let mut order: Vec<usize> = (0..n).collect();
        order.sort_by_key(|&g| columns[g]);
        let sorted: Vec<usize> = order.iter().map(|&g| columns[g]).collect();
        let values = file.expression(&sorted, progress)?;
        for (place, &g) in order.iter().enumerate() {
            let (gene, column) = (&names[g], values.column(place));
            let least = column.iter().fold(f32::INFINITY, |a, b| a.min(*b));
            let most = column.iter().fold(f32::NEG_INFINITY, |a, b| a.max(*b));
            known.variance_held[g] = variance_held(model, gene, column);
            if let Some(level) = asked[g].level {
                if !(f64::from(least)..=f64::from(most)).contains(&level) {
                    known.warnings.push(format!(
                        "no cell has {gene} at {level}: it goes from {least} to {most}"
                    ));
                }
                continue;
            }
            known.levels[g] = f64::from(least.min(0.0));
            let here = start.rows;
            let on = here.iter().filter(|&&row| f64::from(column[row]) > known.levels[g]).count();
            if 20 * on < here.len() {
                known.warnings.push(format!(
                    "{gene} is above its lowest level in {on} of {} cells at {}: there is hardly anything \
                     to take away; begin later with the parameter `at`",
                    here.len(),
                    start.time
                ));
            }
        }
        Ok(known)
    }

    /// How well the coordinates represent each of the genes `names`.
    pub(super) fn held(&self, names: &[String], response: &Response) -> Vec<HeldGene> {
        let held = |(place, gene): (usize, &String)| HeldGene {
            gene: gene.clone(),
            level: self.levels[place],
            variance_held: self.variance_held[place],
            shown: response.shown[place],
            distance: response.distances[place],
        };
        names.iter().enumerate().map(held).collect()
    }
}

/// The share of the variance of a gene that the coordinates explain: `1 − Σ (e − ê)² / Σ (e − mean e)²` over all
/// cells, with ê reconstructed from the coordinates. `None` for a constant gene.
fn variance_held(model: &Model, gene: &str, values: ArrayView1<'_, f32>) -> Option<f64> {
    let pca = model.pca.as_ref()?;
    let row = model.genes.iter().position(|name| name == gene)?;
    let shown = model.points.dot(&pca.loadings().row(row)) + pca.mean()[row];
    let values = values.mapv(f64::from);
    let mean = values.mean()?;
    let total: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    let off: f64 = values.iter().zip(&shown).map(|(value, shown)| (value - shown).powi(2)).sum();
    (total > 0.0).then(|| (1.0 - off / total).max(0.0))
}
