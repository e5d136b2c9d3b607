//! Notes on groups of cells: groups of few cells, cells that are absent, sets with several times.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::error::Result;
use crate::io::model::Model;
use crate::lineage::{Bootstrap, Groups};
use crate::pipeline::shared::cell_sets::GroupAt;
use crate::pipeline::shared::course_of_cells::CourseOfCells;
use crate::progress::{self, Progress};

/// Groups with fewer cells than this are reported.
pub(crate) const FEW: f64 = 10.0;

/// Number of names in one message.
const SHOWN: usize = 8;

/// Notes which of the groups `named` have fewer than [`FEW`] cells, by time and then by group.
pub(crate) fn say_few(
    course: &CourseOfCells,
    groups: &Groups,
    named: &[GroupAt],
    progress: &mut dyn Progress,
) -> Result<()> {
    let named: BTreeSet<GroupAt> = named.iter().copied().collect();
    let few = named.into_iter().filter_map(|GroupAt { place, group }| {
        let n = groups.at(place).iter().filter(|of| **of == Some(group)).count();
        let name = &groups.names()[group];
        ((n as f64) < FEW).then(|| format!("{name} at {} ({n})", course.times()[place]))
    });
    say_list(&few.collect::<Vec<_>>(), progress)
}

/// Notes the groups `few` with fewer than [`FEW`] cells, such as `gone at 2 (6)`, if there are any.
pub(crate) fn say_list(few: &[String], progress: &mut dyn Progress) -> Result<()> {
    if few.is_empty() {
        return Ok(());
    }
    let text = format!("fewer than ten cells: {}; results for them are uncertain", short(few));
    progress::note(progress, text)
}

/// Groups and times on which a confidence interval depends.
pub(crate) struct Passed {
    /// The groups that are compared.
    pub(crate) named: Vec<GroupAt>,
    /// Indices of the times between them.
    pub(crate) between: Vec<usize>,
}

/// Notes which groups and times of `passed` have too few cells to resample, so that results have no
/// confidence interval. Without resamples it notes nothing. `places` are those of the resampled times in the
/// course.
///
/// A confidence interval passes through the cells of all times on its way; a single time with few cells makes it
/// unreliable ([`crate::metrics::Drawn::is_enough`]).
///
/// # Errors
/// [`crate::Error::Cancelled`], as of all functions here.
pub(crate) fn say_unknown(
    bootstrap: &Bootstrap,
    places: &[usize],
    course: &CourseOfCells,
    groups: &Groups,
    passed: Passed,
    progress: &mut dyn Progress,
) -> Result<()> {
    say_no_interval(&unknown(bootstrap, places, course, groups, passed), progress)
}

/// The groups and times of [`say_unknown`], in words.
pub(crate) fn unknown(
    bootstrap: &Bootstrap,
    places: &[usize],
    course: &CourseOfCells,
    groups: &Groups,
    passed: Passed,
) -> Vec<String> {
    let mut unknown = Vec::new();
    if bootstrap.n_columns() < 2 {
        return unknown;
    }
    let times = course.times();
    let own = |place: usize| places.iter().position(|other| *other == place);
    for place in passed.between.into_iter().collect::<BTreeSet<_>>() {
        let Some(own) = own(place) else { continue };
        let drawn = bootstrap.drawn(own, |_| true);
        if !drawn.is_enough() {
            unknown.push(format!("time {} ({})", times[place], drawn.words()));
        }
    }
    for GroupAt { place, group } in passed.named.into_iter().collect::<BTreeSet<_>>() {
        let Some(own) = own(place) else { continue };
        let drawn = bootstrap.drawn(own, |i| groups.at(place)[i] == Some(group));
        if !drawn.is_enough() {
            let name = &groups.names()[group];
            unknown.push(format!("{name} at {} ({})", times[place], drawn.words()));
        }
    }
    unknown
}

/// Notes the groups `unknown` without a confidence interval, such as `gone at 2 (1 cell)`, if there are any.
pub(crate) fn say_no_interval(unknown: &[String], progress: &mut dyn Progress) -> Result<()> {
    if unknown.is_empty() {
        return Ok(());
    }
    let text = format!("too few cells to resample, so no confidence interval: {}", short(unknown));
    progress::note(progress, text)
}

/// Notes which of the `sets` of `file` have no cell in the model, and which sets of a `.gmt` file have cells of
/// several times. `sets` contains the rows of the cells in the model.
pub(crate) fn say_sets(
    model: &Model,
    file: &str,
    sets: &BTreeMap<String, Vec<usize>>,
    progress: &mut dyn Progress,
) -> Result<()> {
    let empty: Vec<String> =
        sets.iter().filter(|set| set.1.is_empty()).map(|set| set.0.clone()).collect();
    if !empty.is_empty() {
        let text = format!("no cell of {} (in {file}) is in the model", short(&empty));
        progress::note(progress, text)?;
    }
    // A group of a table may have cells of all times; a set of a `.gmt` file should have one time.
    if Path::new(file).extension().is_none_or(|suffix| !suffix.eq_ignore_ascii_case("gmt")) {
        return Ok(());
    }
    let mut mixed = Vec::new();
    for (name, rows) in sets {
        let mut times: Vec<f64> = rows.iter().map(|&row| model.cell_times[row]).collect();
        times.sort_by(f64::total_cmp);
        let runs: Vec<&[f64]> = times.chunk_by(|a, b| a.total_cmp(b).is_eq()).collect();
        if runs.len() > 1 {
            let at: Vec<String> =
                runs.iter().map(|run| format!("{} of {}", run.len(), run[0])).collect();
            mixed.push(format!("{name} ({})", at.join(", ")));
        }
    }
    if !mixed.is_empty() {
        let text = format!("sets with cells of several times: {}", short(&mixed));
        progress::note(progress, text)?;
    }
    Ok(())
}

/// Notes how many cells of the model have no label in the column `column`.
pub(crate) fn say_unlabelled(
    labels: &[String],
    column: &str,
    progress: &mut dyn Progress,
) -> Result<()> {
    say_without(labels, column, " and are in no group", progress)
}

/// Notes how many cells have no batch. These cells are resampled together, as one batch.
pub(crate) fn say_without_batch(
    labels: &[String],
    column: &str,
    progress: &mut dyn Progress,
) -> Result<()> {
    say_without(labels, column, ": they are resampled as one", progress)
}

/// Notes how many cells have no entry in `column`, with the consequence `so`.
fn say_without(
    labels: &[String],
    column: &str,
    so: &str,
    progress: &mut dyn Progress,
) -> Result<()> {
    let n = labels.iter().filter(|label| Groups::is_none(label)).count();
    if n == 0 {
        return Ok(());
    }
    progress::note(progress, format!("{n} of {} cells have no `{column}`{so}", labels.len()))
}

/// The first [`SHOWN`] names, and how many more there are.
fn short(names: &[String]) -> String {
    let shown = names.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
