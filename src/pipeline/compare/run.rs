//! A comparison: each condition against the reference, all kinds of numbers, and what to say of them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result, nearest};
use crate::io::model::{OpenModel, read_conditions};
use crate::io::table::Table;
use crate::pipeline::compare::options::CompareOptions;
use crate::pipeline::compare::pair::{Pair, TimeCells};
use crate::pipeline::compare::rows::{CompareKind, ComparedRow, fill_q, table};
use crate::pipeline::compare::side::Side;
use crate::pipeline::compare::{course_rows, edge_rows, mean_rows, population_rows, ways};
use crate::pipeline::shared::recorder::Within;
use crate::progress::{self, Event, Progress};

/// p-value below which conditions count as different at their first time.
const APART: f64 = 0.05;

/// Below this number of labellings a p-value of 0.05 is out of reach or nearly so.
const FEW_LABELLINGS: f64 = 40.0;

/// Names of conditions with the folders of their models, the reference first.
///
/// ```
/// use sbcell::pipeline::condition_folders;
/// // A folder with a single model has no conditions.
/// let folder = "tests/fixtures/old-model/model".as_ref();
/// assert!(condition_folders(folder, None, &[]).is_err());
/// ```
///
/// # Errors
/// Those of [`read_conditions`]; [`Error::Parameter`] for an unknown condition, or fewer than two.
pub fn condition_folders(
    folder: &Path,
    reference: Option<&str>,
    only: &[String],
) -> Result<Vec<(String, PathBuf)>> {
    let record = read_conditions(folder)?;
    let names: Vec<String> = record.conditions.iter().map(|of| of.name.clone()).collect();
    let find = |name: &str, parameter: &'static str| {
        record.conditions.iter().position(|of| of.name == name).ok_or_else(|| {
            let near = nearest(name, &names);
            let has = if near.is_empty() { names.clone() } else { near };
            let got = format!("`{name}`; the folder has {}", has.join(", "));
            Error::Parameter { name: parameter, must: "conditions of the folder", got }
        })
    };
    let mut places: Vec<usize> = only
        .iter()
        .map(|name| find(name, "conditions"))
        .collect::<Result<BTreeSet<_>>>()?
        .into_iter()
        .collect();
    if only.is_empty() {
        places = (0..names.len()).collect();
    }
    let first = match (reference, only.first()) {
        (Some(name), _) => Some(find(name, "reference")?),
        (None, Some(name)) => Some(find(name, "conditions")?),
        (None, None) => None,
    };
    if let Some(first) = first {
        places.retain(|place| *place != first);
        places.insert(0, first);
    }
    if places.len() < 2 {
        let (name, must) = ("conditions", "at least two, to be compared");
        return Err(Error::Parameter { name, must, got: places.len().to_string() });
    }
    let of = |place: usize| {
        let condition = &record.conditions[place];
        (condition.name.clone(), folder.join(&condition.folder))
    };
    Ok(places.into_iter().map(of).collect())
}

/// The model of one condition.
#[derive(Debug, Clone)]
pub struct ConditionModel {
    /// Name of the condition.
    pub name: String,
    /// Its model.
    pub model: OpenModel,
}

/// The result of [`compare`].
#[derive(Debug, Clone, PartialEq)]
pub struct Compared {
    /// All rows: by condition, kind, time and group.
    pub rows: Vec<ComparedRow>,
    /// The same rows as a table with the columns `kind`, `reference`, `condition`, `time`, `time_to`, `group`,
    /// `target`, `n_reference`, `n_condition`, `value_reference`, `value_condition`, `difference`, `lo`, `hi`,
    /// `relabelled`, `p`, `q`.
    pub table: Table,
}

/// Compares each further condition of `models` with the first one.
///
/// Populations, shares of groups, fates, transitions, growth and expression are compared at the times that both
/// conditions have, and on request regulatory edges over these times. Intervals (95 %) come from bootstrap resamples, p-values from permutations of the labels of
/// the cells within each time, or of whole batches, and q-values from all rows of one kind.
///
/// The test holds the coordinates and ε. Fates, transitions and populations halfway between times are computed
/// for each labelling on the entropic coupling of its cells alone; growth, clocks and curves of the fit do not
/// enter the test, and growth rates stay with their cells. The test uses at most `test_cells` cells of each
/// condition and time.
///
/// ```
/// use sbcell::bridge::GaussianSolver;
/// use sbcell::io::model::OpenModel;
/// use sbcell::pipeline::{
///     CellSets, CompareKind, CompareOptions, ConditionModel, ConditionOptions, Conditions, FitOptions,
///     Plan, Running, SolverChoice, TimeOptions, compare, condition_folders,
/// };
/// use sbcell::Silent;
///
/// # fn main() -> sbcell::Result<()> {
/// # let folder = tempfile::tempdir().unwrap();
/// # sbcell::pipeline::example_model(folder.path())?;
/// let data = folder.path().join("cells.h5ad"); // batches a and b, which do not differ
/// let time = TimeOptions::default().with_column(Some("day".into()));
/// let solver = SolverChoice::of(GaussianSolver::default());
/// let options = FitOptions::default().with_time(time).with_n_pcs(2).with_solver(solver);
/// let plan = Plan::read(&data, &options, &mut Silent)?;
/// let conditions = Conditions::read(&plan, &ConditionOptions::of("batch"), &mut Silent)?;
/// let out = folder.path().join("models");
/// plan.run_conditions(&conditions, &out, Running::default(), &mut Silent)?;
///
/// let models = condition_folders(&out, None, &[])?
///     .into_iter()
///     .map(|(name, folder)| Ok(ConditionModel { name, model: OpenModel::read(folder)? }))
///     .collect::<sbcell::Result<Vec<_>>>()?;
/// let sets = CellSets::default().with_groupby(Some("cell_type".into()));
/// let options = CompareOptions::default().with_sets(sets).with_bootstrap(20).with_permutations(19);
/// let found = compare(&models, &options, &mut Silent)?;
/// let share = found.rows.iter().find(|row| row.kind == CompareKind::Share).unwrap();
/// assert!(share.difference.abs() < 1e-9 && share.p > 0.5);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`Error::Parameter`] for options out of range, fewer than two conditions, conditions without two common times
/// or of different fits; those of reading groups, batches and genes; [`Error::Cancelled`].
pub fn compare(
    models: &[ConditionModel],
    options: &CompareOptions,
    progress: &mut dyn Progress,
) -> Result<Compared> {
    options.check()?;
    if models.len() < 2 {
        let (name, must) = ("conditions", "at least two, to be compared");
        return Err(Error::Parameter { name, must, got: models.len().to_string() });
    }
    let mut sides = Vec::with_capacity(models.len());
    for ConditionModel { name, model } in models {
        let mut within = Within { inner: &mut *progress, place: name.clone() };
        let mut side = Side::read(name, model, options, &mut within)?;
        // Batches of both conditions (pairs) are drawn together.
        let is_paired =
            |first: &Side<'_>| side.batches.is_some() && side.batch_names() == first.batch_names();
        let paired = sides.first().is_some_and(is_paired);
        side.number = if paired { 0 } else { sides.len() as u64 };
        sides.push(side);
    }
    if options.batch.is_none() {
        let text = "cells are resampled and exchanged, which are not independent within a sample: intervals are \
                    too narrow and p-values too small; name replicates with the parameter `batch_key`";
        progress::note(progress, text)?;
    }
    let mut resampled = Vec::with_capacity(sides.len());
    for side in &sides {
        let mut within = Within { inner: &mut *progress, place: side.name.to_string() };
        resampled.push(side.resampled(options, &mut within)?);
    }
    let mut rows = Vec::new();
    for other in 1..sides.len() {
        let pair =
            Pair::new([&sides[0], &sides[other]], [&resampled[0], &resampled[other]], options)?;
        let of_pair = rows_of(&pair, options, progress)?;
        say(&pair, &of_pair, options, progress)?;
        rows.extend(of_pair);
    }
    fill_q(&mut rows);
    let table = table(&rows);
    Ok(Compared { rows, table })
}

/// All rows of one pair of conditions, without q-values.
fn rows_of(
    pair: &Pair<'_>,
    options: &CompareOptions,
    progress: &mut dyn Progress,
) -> Result<Vec<ComparedRow>> {
    let [reference, condition] = pair.names();
    let what = format!("{condition} against {reference}");
    let n = pair.times.len();
    progress::report(progress, Event::Begin { what, total: 4 })?;
    let mut done = 0;
    let mut step = |progress: &mut dyn Progress| {
        done += 1;
        progress::report(progress, Event::Step { done })
    };
    let mut rows = population_rows::at_snapshots(pair);
    rows.extend(mean_rows::shares(pair));
    rows.extend(mean_rows::growth(pair)?);
    rows.extend(mean_rows::trends(pair));
    step(progress)?;
    // Populations have the noise of the bridges, fates and transitions that of couplings.
    let lineage = pair.chain()?;
    let all: Vec<usize> = (0..n).collect();
    let relabelled = ways::relabelled(pair, &lineage, &all)?;
    let relabelled = [&relabelled[0], &relabelled[1]];
    step(progress)?;
    rows.extend(population_rows::halfway(pair, &lineage, relabelled, options)?);
    step(progress)?;
    let chain = pair.sides[0].course.own.is_none().then_some(relabelled);
    rows.extend(course_rows::between(pair, chain, CompareKind::Fate, [0, n - 1])?);
    // Over a single interval, transitions are the fates.
    if n > 2 {
        for k in (0..n - 1).filter(|&k| !pair.is_common(k)) {
            let kind = CompareKind::Transition;
            rows.extend(course_rows::between(pair, chain, kind, [k, k + 1])?);
        }
    }
    rows.extend(course_rows::ancestors(pair, chain)?);
    step(progress)?;
    progress::report(progress, Event::End)?;
    if let Some(most) = options.edges {
        rows.extend(edge_rows::edges(pair, most, progress)?);
    }
    rows.sort_by(|a, b| {
        (a.kind.cmp(&b.kind))
            .then(a.time.total_cmp(&b.time))
            .then(a.group.cmp(&b.group))
            .then(a.target.cmp(&b.target))
    });
    Ok(rows)
}

/// The words for p-values of fewer cells than the differences beside them; `None` if they have the same cells or
/// there are no p-values.
fn thinned(pair: &Pair<'_>) -> Option<String> {
    let numbers = |of: &TimeCells| {
        let cells = (0..2).map(|side| pair.sides[side].course.rows[of.places[side]].len());
        cells.enumerate().map(|(side, n)| (of.n_tested(side), n)).collect::<Vec<_>>()
    };
    let all: Vec<(usize, usize)> = pair.cells.iter().flat_map(numbers).collect();
    let most = all.iter().map(|of| of.1).max().unwrap_or(0);
    if !pair.is_testable() || all.iter().all(|(tested, n)| tested >= n) {
        return None;
    }
    let [reference, condition] = pair.names();
    let fewest = all.iter().filter(|(tested, n)| tested < n).map(|of| of.0).min().unwrap_or(0);
    let also = match pair.options.edges {
        None => "distances of populations",
        Some(_) => "distances of populations and edges",
    };
    Some(format!(
        "p-values of {condition} against {reference}, and {also}, are of a random part of the \
         cells ({fewest} or more of a condition and time), other values and intervals of all: a p-value can be \
         larger than its interval suggests; the parameter `test_cells = {most}` tests all cells"
    ))
}

/// Notes whether the conditions differ at their first time, p-values of fewer cells, times of one condition only,
/// common cells, and batches that allow few labellings.
fn say(
    pair: &Pair<'_>,
    rows: &[ComparedRow],
    options: &CompareOptions,
    progress: &mut dyn Progress,
) -> Result<()> {
    let [reference, condition] = pair.names();
    let mut texts = Vec::new();
    let lone = |side: usize| -> Vec<String> {
        let own = pair.sides[side].times().iter().filter(|time| !pair.times.contains(time));
        own.map(ToString::to_string).collect()
    };
    for (side, name) in [reference, condition].into_iter().enumerate() {
        let times = lone(side);
        if !times.is_empty() {
            let times = times.join(", ");
            texts.push(format!("only {name} has cells at {times}: these times are not compared"));
        }
    }
    let first = pair.times[0];
    if pair.cells[0].same {
        texts.push(format!("{condition} and {reference} have the same cells at {first}"));
    } else if let Some(row) = rows
        .iter()
        .find(|row| row.kind == CompareKind::Population && row.time.total_cmp(&first).is_eq())
        && row.p < APART
    {
        texts.push(format!(
            "{condition} and {reference} differ already at their first time, {first}: energy distance {:.3} \
             (under permuted labels {:.3}), p = {:.3}; later differences may be older than the conditions",
            row.difference, row.relabelled, row.p
        ));
    }
    let distinct = pair.labels.distinct();
    texts.extend(thinned(pair));
    if !pair.is_testable() {
        texts.push(format!(
            "the batches of {condition} and {reference} cannot be exchanged, so that there are no p-values: \
             each needs two or more batches at the same times, or batches with cells of both"
        ));
    } else if options.batch.is_some() && distinct < FEW_LABELLINGS {
        texts.push(format!(
            "the batches of {condition} and {reference} can be labelled in {distinct:.0} ways, so that no \
             p-value can be below {:.2}",
            1.0 / distinct
        ));
    }
    texts.into_iter().try_for_each(|text| progress::note(progress, text))
}
