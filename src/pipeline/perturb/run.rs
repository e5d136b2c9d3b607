//! Follows cells with and without a perturbation of genes.

use ndarray::Axis;

use crate::bridge::draw_cells;
use crate::error::{Error, Result};
use crate::io::model::{Model, OpenModel};
use crate::io::table::Table;
use crate::lineage::{Groups, Perturbation, unheld};
use crate::metrics::{Drawn, Resamples};
use crate::pipeline::perturb::effects::{
    below_zero, correlation, marked, of_genes, of_groups, table,
};
use crate::pipeline::perturb::held::{Known, Start, asked, places};
use crate::pipeline::perturb::{HeldGene, PerturbOptions, PerturbedGene, PerturbedGroup};
use crate::pipeline::shared::process::Process;
use crate::progress::{self, Event, Progress};
use crate::rng::Seed;

/// Number of simulated steps in an interval.
const STEPS: usize = 40;

/// The predicted effects of a perturbation. See [`perturb`] for an example.
#[derive(Debug, Clone, PartialEq)]
pub struct Perturbed {
    /// `rows` as a table: `gene`, `control`, `knockout`, `shift`, `lo`, `hi`, `linear`, `deviations`,
    /// `held_down`.
    pub genes: Table,
    /// The effect on each gene, the largest shift in standard deviations first.
    pub rows: Vec<PerturbedGene>,
    /// How well the coordinates represent each of the held genes.
    pub held: Vec<HeldGene>,
    /// The effect on the share of each group; empty without groups.
    pub groups: Vec<PerturbedGroup>,
    /// Warnings in words.
    pub warnings: Vec<String>,
    /// Correlation of simulated and linear shifts over the genes that are not held.
    pub agreement: f64,
}

/// Place of the observed time `time` in `times`.
///
/// # Errors
/// [`Error::NotObserved`].
fn place(times: &[f64], time: f64) -> Result<usize> {
    let found = times.iter().position(|other| other.total_cmp(&time).is_eq());
    found.ok_or_else(|| Error::NotObserved { time, times: times.to_vec() })
}

/// The rows of the cells of `time` in the model, increasing.
fn rows_at(model: &Model, time: f64) -> Vec<usize> {
    let at = |row: &usize| model.cell_times[*row].total_cmp(&time).is_eq();
    (0..model.cell_times.len()).filter(at).collect()
}

/// Follows cells of `model` with and without a perturbation of genes, and compares them at a later time.
///
/// Cells of the time `at` are brought to the levels by the least change of their coordinates. They and unchanged
/// control cells then follow the bridges with the same noise, in 40 steps per interval. A held gene is returned to
/// its level after each step. The result is a prediction of the model, which has seen no perturbation.
///
/// ```
/// use sbcell::pipeline::{PerturbOptions, example_model, perturb};
/// use sbcell::Silent;
///
/// # fn main() -> sbcell::Result<()> {
/// # let folder = tempfile::tempdir().unwrap();
/// let model = example_model(folder.path())?;
/// let knockout = vec!["Sox2".to_string()];
/// let options = PerturbOptions::default().with_knockout(knockout).with_bootstrap(20);
/// let found = perturb(&model, &options, &mut Silent)?;
/// assert_eq!(found.rows.len(), 4);
/// assert_eq!((found.held[0].gene.as_str(), found.held[0].level), ("Sox2", 0.0));
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`Error::NoGeneSpace`] for a model of an embedding; [`Error::GeneNotAmong`] for a gene that the fit did not keep,
/// and [`Error::NoGenes`] for one that is not in the file; [`Error::NotHeld`] for genes that the coordinates cannot
/// represent; [`Error::NotObserved`] for a time without a snapshot; those of reading groups and expression.
pub fn perturb(
    model: &OpenModel,
    options: &PerturbOptions,
    progress: &mut dyn Progress,
) -> Result<Perturbed> {
    let Some(pca) = &model.pca else {
        return Err(Error::NoGeneSpace { source_name: model.header.source.clone() });
    };
    let asked = asked(model, options, progress)?;
    let names: Vec<String> = asked.iter().map(|of| of.gene.clone()).collect();
    let genes = places(&names, &model.genes)?;
    let cannot = unheld(pca.loadings(), &genes)?;
    if !cannot.is_empty() {
        let genes = cannot.iter().map(|&gene| model.genes[gene].clone()).collect();
        return Err(Error::NotHeld { genes });
    }
    // Cells follow the bridges: no coupling between observed cells is needed.
    let process = Process::restore(model)?;
    let times = process.series.times();
    let from = options.at.map_or(Ok(0), |time| place(times, time))?;
    let until = options.until.map_or(Ok(times.len() - 1), |time| place(times, time))?;
    let data = options.sets.data.as_deref();
    let start = Start { time: times[from], rows: &rows_at(model, times[from]) };
    let known = Known::of(model, &start, &asked, data, progress)?;
    let loadings = &pca.loadings() * process.scale;
    let perturbation = Perturbation {
        series: &process.series,
        loadings: loadings.view(),
        mean: pca.mean(),
        genes: &genes,
        levels: &known.levels,
        held: !options.once,
        from,
        until,
        n_steps: STEPS,
    };
    let source = &process.snapshots[from];
    let seed = Seed(options.seed).child("perturb", 0);
    let rows: Vec<usize> = if source.n_cells() <= options.n_cells {
        (0..source.n_cells()).collect()
    } else {
        draw_cells(source.marginal(), options.n_cells, seed.child("cells", 0))
    };
    let what = "cells with and without the genes".to_string();
    progress::report(progress, Event::Begin { what, total: 1 })?;
    let x = source.points().select(Axis(0), &rows);
    let response = perturbation.follow(x.view(), seed)?;
    progress::report(progress, Event::End)?;
    let held = known.held(&names, &response);
    let mut warnings = known.warnings;
    warnings.extend(held.iter().flat_map(HeldGene::warnings));
    let drawn = Drawn::cells(rows.len());
    if options.bootstrap > 0 && !drawn.is_enough() {
        warnings.push(format!(
            "{} at {}: too few to resample, so no confidence interval",
            drawn.words(),
            times[from]
        ));
    }
    let bootstrap = if drawn.is_enough() { options.bootstrap } else { 0 };
    let resamples = Resamples::of_cells(rows.len(), bootstrap, seed.child("resamples", 0));
    let found = of_genes(&model.genes, &response, loadings.view(), pca.mean(), &resamples);
    let found = marked(found, &held, options.once);
    warnings.extend(below_zero(&found, pca.mean()));
    let agreement = correlation(&found);
    let groups = if options.sets.is_named() {
        let labels = options.sets.labels(model, progress)?;
        let at_end = rows_at(model, times[until]).into_iter().map(|row| labels[row].clone());
        let groups = Groups::of_labels(&[at_end.collect()]);
        of_groups(&response, process.snapshots[until].points(), &groups, &resamples)
    } else {
        Vec::new()
    };
    Ok(Perturbed { genes: table(&found), rows: found, held, groups, warnings, agreement })
}
