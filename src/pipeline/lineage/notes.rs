//! What is to be said of groups of cells: few of them, cells that are not there, several times.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::error::Result;
use crate::io::model::Model;
use crate::lineage::{Groups, Resampled};
use crate::pipeline::lineage::CourseOfCells;
use crate::progress::{self, Progress};

/// Fewer cells than this say little of a group.
pub(super) const FEW: f64 = 10.0;

/// Names that a message holds.
const SHOWN: usize = 8;

/// Says which of the groups `named`, each at the place of a time, have fewer than ten cells.
pub(super) fn say_few(
    course: &CourseOfCells,
    groups: &Groups,
    named: impl IntoIterator<Item = (usize, usize)>,
    progress: &mut dyn Progress,
) -> Result<()> {
    let named: BTreeSet<(usize, usize)> = named.into_iter().map(|(g, k)| (k, g)).collect();
    let few = named.into_iter().filter_map(|(place, group)| {
        let n = groups.at(place).iter().filter(|of| **of == Some(group)).count();
        let name = &groups.names()[group];
        ((n as f64) < FEW).then(|| format!("{name} at {} ({n})", course.lineage.times()[place]))
    });
    say_list(few.collect(), progress)
}

/// Says which of `few`, such as `gone at 2 (6)`, have fewer than ten cells, if there are any.
pub(super) fn say_list(few: Vec<String>, progress: &mut dyn Progress) -> Result<()> {
    if few.is_empty() {
        return Ok(());
    }
    let text = format!("fewer than ten cells: {}; what is said of them is unsure", short(&few));
    progress::note(progress, text)
}

/// Groups at places of times, and places of times between them, that an interval depends on.
pub(super) struct Passed {
    /// Groups, each at the place of a time.
    pub(super) named: Vec<(usize, usize)>,
    /// Places of times that are passed through.
    pub(super) between: Vec<usize>,
}

/// Says which groups and times of `passed` have too few cells for intervals, if intervals are asked
/// for.
pub(super) fn say_unknown(
    resampled: &Resampled<'_>,
    (course, groups): (&CourseOfCells, &Groups),
    passed: Passed,
    progress: &mut dyn Progress,
) -> Result<()> {
    if resampled.n_columns() < 2 {
        return Ok(());
    }
    let times = course.lineage.times();
    let mut unknown = Vec::new();
    for place in passed.between.into_iter().collect::<BTreeSet<_>>() {
        let drawn = resampled.drawn(place, |_| true);
        if !drawn.is_enough() {
            unknown.push(format!("time {} ({})", times[place], drawn.words()));
        }
    }
    let named: BTreeSet<(usize, usize)> = passed.named.iter().map(|(g, k)| (*k, *g)).collect();
    for (place, group) in named {
        let drawn = resampled.drawn(place, |i| groups.at(place)[i] == Some(group));
        if !drawn.is_enough() {
            let name = &groups.names()[group];
            unknown.push(format!("{name} at {} ({})", times[place], drawn.words()));
        }
    }
    say_no_interval(&unknown, progress)
}

/// Says for which of `unknown`, such as `gone at 2 (1 cell)`, there is no interval, if there are any.
pub(super) fn say_no_interval(unknown: &[String], progress: &mut dyn Progress) -> Result<()> {
    if unknown.is_empty() {
        return Ok(());
    }
    let text = format!("too few to be drawn again, so no interval: {}", short(unknown));
    progress::note(progress, text)
}

/// Cells of a file that are in the model, by set: says which sets have none, and which of a `.gmt` have
/// cells of several times.
pub(super) fn say_sets(
    (model, file): (&Model, &str),
    sets: &BTreeMap<String, Vec<usize>>,
    progress: &mut dyn Progress,
) -> Result<()> {
    let empty: Vec<String> =
        sets.iter().filter(|set| set.1.is_empty()).map(|set| set.0.clone()).collect();
    if !empty.is_empty() {
        let text = format!("no cell of {} (in {file}) is in the model", short(&empty));
        progress::note(progress, text)?;
    }
    // A table of cells and their groups has groups of all times; a set has a time.
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

/// Says how many cells of the model have no label in column `column`.
pub(in crate::pipeline) fn say_unlabelled(
    labels: &[String],
    column: &str,
    progress: &mut dyn Progress,
) -> Result<()> {
    say_without(labels, (column, " and are in no group"), progress)
}

/// Says how many cells have no batch: they are resampled together, as one.
pub(in crate::pipeline) fn say_without_batch(
    labels: &[String],
    column: &str,
    progress: &mut dyn Progress,
) -> Result<()> {
    say_without(labels, (column, ": they are resampled as one"), progress)
}

/// Says how many cells have nothing in `column`, and `so` what.
fn say_without(
    labels: &[String],
    (column, so): (&str, &str),
    progress: &mut dyn Progress,
) -> Result<()> {
    let n = labels.iter().filter(|label| Groups::is_none(label)).count();
    if n == 0 {
        return Ok(());
    }
    progress::note(progress, format!("{n} of {} cells have no `{column}`{so}", labels.len()))
}

fn short(names: &[String]) -> String {
    let shown = names.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
