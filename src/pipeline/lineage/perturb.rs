//! Model and genes → what the fitted field says of cells in which the genes are held at levels.

use ndarray::{Array1, ArrayView1, ArrayView2, Axis};
use serde::{Deserialize, Serialize};

use crate::bridge::draw_cells;
use crate::data::GeneIndex;
use crate::error::{Error, Result};
use crate::geometry::nearest_rows;
use crate::io::model::{Model, OpenModel};
use crate::io::table::{Cells, Table};
use crate::lineage::{Groups, Perturbation, Response, unheld};
use crate::metrics::{Drawn, Estimate, Resamples};
use crate::pipeline::asked::{not_in_model, with_genes_of_file};
use crate::pipeline::asked_genes::named_genes;
use crate::pipeline::fitted::Fitted;
use crate::pipeline::lineage::{CellSets, CourseOfCells, place_or_last};
use crate::pipeline::prepare::no_genes;
use crate::progress::{self, Event, Progress};
use crate::rng::Seed;

/// What `perturb` can be told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PerturbOptions {
    /// Genes that are taken to zero (or to the lowest value, where values go below zero).
    pub knockout: Vec<String>,
    /// Genes that are taken to other levels, in the values that were fitted.
    #[serde(default)]
    pub levels: Vec<GeneLevel>,
    /// When it begins; the first time if `None`.
    pub at: Option<f64>,
    /// When it is looked at; the last time if `None`.
    pub until: Option<f64>,
    /// The genes are moved once and then left to the field, rather than held.
    pub once: bool,
    /// Groups whose shares at the end are compared, if any are named.
    pub sets: CellSets,
    /// Cells that are followed, at most.
    pub n_cells: usize,
    /// Resamples behind the intervals.
    pub bootstrap: usize,
    /// Seed of everything random.
    pub seed: u64,
}

/// A gene and the expression it is held at.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GeneLevel {
    /// Name.
    pub gene: String,
    /// Level, in the values that were fitted.
    pub level: f64,
}

/// What a perturbation does, according to the model.
#[derive(Debug, Clone, PartialEq)]
pub struct Perturbed {
    /// `gene`, `control`, `knockout`, `shift`, `lo`, `hi`, `linear`, `deviations`, `held_down`; the
    /// largest shift in standard deviations first.
    pub genes: Table,
    /// Name, control mean, shift with interval, linear response, shift in standard deviations.
    pub rows: Vec<PerturbedGene>,
    /// What the coordinates hold of each gene that is held down.
    pub held: Vec<HeldGene>,
    /// For each group its share among the control cells, and the change with its interval.
    pub groups: Vec<(String, f64, Estimate)>,
    /// What is to be said of it.
    pub warnings: Vec<String>,
    /// Correlation of simulated and linear shifts over genes.
    pub agreement: f64,
}

/// One gene.
#[derive(Debug, Clone, PartialEq)]
pub struct PerturbedGene {
    /// Name.
    pub gene: String,
    /// Whether it is one of those held down.
    pub held_down: bool,
    /// Mean of the control cells at the end.
    pub control: f64,
    /// Mean of the cells under it: the level of a gene that is held.
    pub knockout: f64,
    /// Mean shift of the simulated cells.
    pub shift: Estimate,
    /// Shift by linear response.
    pub linear: f64,
    /// Shift in standard deviations of the gene between control cells.
    pub deviations: f64,
}

/// What the coordinates hold of a gene that is held down.
#[derive(Debug, Clone, PartialEq)]
pub struct HeldGene {
    /// Name.
    pub gene: String,
    /// The expression it is brought to.
    pub level: f64,
    /// Share of its variance over all cells that the coordinates hold; `None` without the file.
    pub variance_held: Option<f64>,
    /// Part of a change of it alone that the coordinates can show, `‖W_g‖²`.
    pub shown: f64,
    /// Root mean square distance of the level from the cells at the start, in standard deviations of
    /// the gene in the coordinates between them.
    pub distance: f64,
}

/// Steps of an interval.
const STEPS: usize = 40;

/// Below this share of a gene's variance what follows is hardly about it.
const HARDLY: f64 = 0.1;

/// Beyond so many standard deviations from the cells of its start the field is unknown.
const FAR: f64 = 5.0;

/// Follows cells of `model` with and without the genes.
///
/// # Errors
/// [`Error::NoGeneSpace`] for a model of an embedding; [`Error::GeneNotAmong`] for a gene that the fit
/// did not keep, [`Error::NoGenes`] for one that is not in the file; [`Error::NotHeld`] for genes that its
/// coordinates cannot hold; [`Error::NotObserved`]; those of reading.
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
    let course = CourseOfCells::restore(model, options.seed, progress)?;
    let lineage = &course.lineage;
    let from = options.at.map_or(Ok(0), |time| lineage.place(time))?;
    let until = place_or_last(lineage, options.until)?;
    let known = Known::of(model, (&course, &asked, from), options, progress)?;
    let loadings = &pca.loadings() * course.process.scale;
    let perturbation = Perturbation {
        series: &course.process.series,
        loadings: loadings.view(),
        mean: pca.mean(),
        genes: &genes,
        levels: &known.levels,
        held: !options.once,
        span: (from, until),
        n_steps: STEPS,
    };
    let source = &course.process.snapshots[from];
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
        let time = lineage.times()[from];
        warnings.push(format!(
            "{} at {time}: too few to be drawn again, so no interval",
            drawn.words()
        ));
    }
    let bootstrap = if drawn.is_enough() { options.bootstrap } else { 0 };
    let resamples = Resamples::of_cells(rows.len(), bootstrap, seed.child("resamples", 0));
    let found = of_genes(model, &response, (loadings.view(), pca.mean().to_owned()), &resamples);
    let found = marked(found, &held, options.once);
    let agreement = correlation(&found);
    let groups = if options.sets.is_named() {
        let groups = options.sets.read(model, &course, progress)?;
        of_groups(&response, (&course, &groups, until), &resamples)
    } else {
        Vec::new()
    };
    Ok(Perturbed { genes: table(&found), rows: found, held, groups, warnings, agreement })
}

/// A gene of the model, and its level; `None` for the lowest.
struct Asked {
    gene: String,
    level: Option<f64>,
}

/// The genes that are asked for, as the model writes them, each once.
fn asked(
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

fn places(wanted: &[String], genes: &[String]) -> Result<Vec<usize>> {
    let index = GeneIndex::new(genes);
    let place = |name: &String| {
        let found = index.find(name).map(|found| found.places[0]);
        found.ok_or_else(|| no_genes(std::slice::from_ref(name), genes))
    };
    wanted.iter().map(place).collect()
}

impl HeldGene {
    fn warnings(&self) -> Vec<String> {
        let Self { gene, level, variance_held, shown, distance } = self;
        let mut warnings = Vec::new();
        if variance_held.unwrap_or(*shown) < HARDLY {
            let what = if variance_held.is_some() { "its variance" } else { "a change of it" };
            warnings.push(format!(
                "the coordinates hold {:.1} % of {what} ({gene}): what follows is hardly about it",
                100.0 * variance_held.unwrap_or(*shown)
            ));
        }
        if *distance > FAR {
            warnings.push(format!(
                "in the coordinates {gene} = {level} is {distance:.0} standard deviations from the cells \
                 at the start: the field is not known there"
            ));
        }
        warnings
    }
}

/// What is known of the genes before they are held.
struct Known {
    /// The level of each: the one asked for, or zero, or the lowest value where values go below zero.
    levels: Vec<f64>,
    /// The share of the variance of each that the coordinates hold, if the file is there.
    variance_held: Vec<Option<f64>>,
    /// Of genes that are hardly there to be taken away, or that no cell has at such a level.
    warnings: Vec<String>,
}

impl Known {
    fn of(
        model: &OpenModel,
        (course, asked, from): (&CourseOfCells, &[Asked], usize),
        options: &PerturbOptions,
        progress: &mut dyn Progress,
    ) -> Result<Self> {
        let n = asked.len();
        let levels = asked.iter().map(|of| of.level.unwrap_or(0.0)).collect();
        let mut known = Self { levels, variance_held: vec![None; n], warnings: Vec::new() };
        let Some(file) = Fitted::find(model, options.sets.data.as_deref(), progress)? else {
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
            let here = &course.rows[from];
            let on = here.iter().filter(|&&row| f64::from(column[row]) > known.levels[g]).count();
            if 20 * on < here.len() {
                known.warnings.push(format!(
                    "{gene} is above its lowest level in {on} of {} cells at {}: there is hardly anything \
                     to take away; begin later with the parameter `at`",
                    here.len(),
                    course.lineage.times()[from]
                ));
            }
        }
        Ok(known)
    }

    fn held(&self, knockout: &[String], response: &Response) -> Vec<HeldGene> {
        let held = |(place, gene): (usize, &String)| HeldGene {
            gene: gene.clone(),
            level: self.levels[place],
            variance_held: self.variance_held[place],
            shown: response.shown[place],
            distance: response.distances[place],
        };
        knockout.iter().enumerate().map(held).collect()
    }
}

/// `1 − Σ (e − ê)² / Σ (e − mean e)²` over all cells of the model, with ê from the coordinates; none for
/// a gene that is the same in all.
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

fn of_genes(
    model: &Model,
    response: &Response,
    (loadings, mean): (ArrayView2<'_, f64>, Array1<f64>),
    resamples: &Resamples,
) -> Vec<PerturbedGene> {
    let n = response.control.nrows() as f64;
    let weights = &resamples.counts() / n;
    // Means of shifts under every resample, first in coordinates, then in genes.
    let shifts = (&response.perturbed - &response.control).t().dot(&weights);
    let shifts = loadings.dot(&shifts);
    let control = loadings.dot(&(response.control.sum_axis(Axis(0)) / n)) + &mean;
    let centre = response.control.sum_axis(Axis(0)) / n;
    let spread = &response.control - &centre;
    let covariance = spread.t().dot(&spread) / n;
    let linear = loadings.dot(&response.linear);
    let along = loadings.dot(&covariance);
    (0..model.genes.len())
        .map(|g| {
            let shift = Estimate::of(&shifts.row(g).to_owned());
            let deviation = along.row(g).dot(&loadings.row(g)).max(0.0).sqrt();
            PerturbedGene {
                gene: model.genes[g].clone(),
                held_down: false,
                control: control[g],
                knockout: control[g] + shift.value,
                deviations: if deviation > 1e-12 { shift.value / deviation } else { 0.0 },
                shift,
                linear: linear[g],
            }
        })
        .collect()
}

/// Genes with the largest shift first; those that are held at their levels.
fn marked(mut genes: Vec<PerturbedGene>, held: &[HeldGene], once: bool) -> Vec<PerturbedGene> {
    for gene in &mut genes {
        let Some(held) = held.iter().find(|held| held.gene == gene.gene) else { continue };
        gene.held_down = true;
        if !once {
            // The same but for rounding.
            gene.knockout = held.level;
        }
    }
    genes.sort_by(|a, b| {
        let order = b.deviations.abs().total_cmp(&a.deviations.abs());
        order.then_with(|| a.gene.cmp(&b.gene))
    });
    genes
}

/// Over the genes that are not held.
fn correlation(genes: &[PerturbedGene]) -> f64 {
    let pairs: Vec<(f64, f64)> = genes
        .iter()
        .filter(|gene| !gene.held_down)
        .map(|gene| (gene.shift.value, gene.linear))
        .collect();
    let n = pairs.len().max(1) as f64;
    let (a, b) = pairs.iter().fold((0.0, 0.0), |(a, b), pair| (a + pair.0 / n, b + pair.1 / n));
    let sum = |f: &dyn Fn(&(f64, f64)) -> f64| pairs.iter().map(f).sum::<f64>();
    let (xx, yy) = (sum(&|p| (p.0 - a).powi(2)), sum(&|p| (p.1 - b).powi(2)));
    sum(&|p| (p.0 - a) * (p.1 - b)) / (xx * yy).sqrt()
}

fn table(genes: &[PerturbedGene]) -> Table {
    let numbers =
        |of: &dyn Fn(&PerturbedGene) -> f64| Cells::Floats(genes.iter().map(of).collect());
    let ends = |of: &dyn Fn(&PerturbedGene) -> f64| Cells::Gaps(genes.iter().map(of).collect());
    Table::default()
        .with("gene", Cells::Texts(genes.iter().map(|gene| gene.gene.clone()).collect()))
        .with("control", numbers(&|gene| gene.control))
        .with("knockout", numbers(&|gene| gene.knockout))
        .with("shift", numbers(&|gene| gene.shift.value))
        .with("lo", ends(&|gene| gene.shift.lo))
        .with("hi", ends(&|gene| gene.shift.hi))
        .with("linear", numbers(&|gene| gene.linear))
        .with("deviations", numbers(&|gene| gene.deviations))
        .with(
            "held_down",
            Cells::Integers(genes.iter().map(|gene| i64::from(gene.held_down)).collect()),
        )
}

/// Shares of groups at the end: every simulated cell counts for the group of its nearest observed cell.
fn of_groups(
    response: &Response,
    (course, groups, until): (&CourseOfCells, &Groups, usize),
    resamples: &Resamples,
) -> Vec<(String, f64, Estimate)> {
    let observed = course.process.snapshots[until].points();
    let [control, perturbed] = [&response.control, &response.perturbed]
        .map(|cells| nearest_rows(cells.view(), observed).into_iter().map(|j| groups.at(until)[j]));
    let (control, perturbed): (Vec<_>, Vec<_>) = (control.collect(), perturbed.collect());
    let weights = &resamples.counts() / control.len().max(1) as f64;
    let shares = |group: usize, cells: &[Option<usize>]| -> Array1<f64> {
        let member = |cell: &Option<usize>| f64::from(u8::from(*cell == Some(group)));
        weights.t().dot(&cells.iter().map(member).collect::<Array1<f64>>())
    };
    groups
        .present(until)
        .into_iter()
        .map(|group| {
            let (before, after) = (shares(group, &control), shares(group, &perturbed));
            (groups.names()[group].clone(), before[0], Estimate::of(&(after - before)))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agreement_is_the_correlation_over_genes_that_are_not_held() {
        let gene = |(name, shift, linear): (&str, f64, f64)| PerturbedGene {
            gene: name.into(),
            held_down: name == "held",
            control: 0.0,
            knockout: shift,
            shift: Estimate::of(&Array1::from_elem(1, shift)),
            linear,
            deviations: 0.0,
        };
        let genes =
            [("a", 1.0, 4.0), ("held", 9.0, 9.0), ("b", 2.0, 2.0), ("c", 3.0, 3.0)].map(gene);
        // Off their means (−1, 0, 1) and (1, −1, 0): −1 of 2.
        assert!((correlation(&genes) + 0.5).abs() < 1e-12);
    }
}
