//! Model and terminal groups → the fates of every cell of every earlier time.

use ndarray::Axis;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::io::model::{Model, OpenModel};
use crate::io::table::{Cells, Table};
use crate::lineage::{Fates, Groups, Terminal};
use crate::pipeline::lineage::notes::Passed;
use crate::pipeline::lineage::{CellSets, CourseOfCells, notes, place_or_last};
use crate::progress::{self, Progress};

/// A group that is terminal at a time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TerminalGroup {
    /// The time.
    pub time: f64,
    /// The group.
    pub group: String,
}

/// What `fates` can be told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FateOptions {
    /// Groups of cells.
    pub sets: CellSets,
    /// Time at which every group, or each of `only`, is a fate. If `None` the last, where groups are
    /// fates unless `only` or a terminal group of that time says which.
    pub at: Option<f64>,
    /// Groups that are fates at `at`; all with cells there if empty.
    pub only: Vec<String>,
    /// Further fates with times of their own, whose cells stay what they are.
    pub terminals: Vec<TerminalGroup>,
    /// Resamples behind the intervals.
    pub bootstrap: usize,
    /// A column of `obs` whose groups are resampled instead of cells.
    pub batch: Option<String>,
    /// Seed of everything random.
    pub seed: u64,
}

/// Fates of cells.
#[derive(Debug, Clone, PartialEq)]
pub struct FateTables {
    /// `id`, `time`, each fate, its interval (`_lo`, `_hi`) and log-odds (`_log_odds`), then `entropy`,
    /// `reached`, `descendants`.
    pub cells: Table,
    /// By time: mean probability of each fate, mean entropy.
    pub summary: Vec<FateSummary>,
    /// Names of the fates.
    pub names: Vec<String>,
}

/// The cells of one time on the whole.
#[derive(Debug, Clone, PartialEq)]
pub struct FateSummary {
    /// The time.
    pub time: f64,
    /// Mean probability of each fate.
    pub mean: Vec<f64>,
    /// Mean entropy as a part of the entropy of the mean: 1 if every cell is as undecided as the
    /// population, 0 if all are committed.
    pub undecided: f64,
    /// Mean share of descendants that reach a fate.
    pub reached: f64,
}

/// The fates of all cells of `model` up to the last terminal time.
///
/// # Errors
/// Those of [`Fates::of`], of reading groups, [`Error::UnknownGroup`], [`Error::NotObserved`].
pub fn fates(
    model: &OpenModel,
    options: &FateOptions,
    progress: &mut dyn Progress,
) -> Result<FateTables> {
    let course = CourseOfCells::restore(model, options.seed, progress)?;
    let groups = options.sets.read(model, &course, progress)?;
    let found = of_course(model, (&course, &groups), options, progress)?;
    let cells = table(model, &course, &found);
    let summary = summary(&course, &found);
    Ok(FateTables { cells, summary, names: found.names })
}

/// Fates of the cells of a course.
pub(super) fn of_course(
    model: &OpenModel,
    (course, groups): (&CourseOfCells, &Groups),
    options: &FateOptions,
    progress: &mut dyn Progress,
) -> Result<Fates> {
    let terminals = terminals(course, groups, options)?;
    let named = terminals.iter().map(|terminal| Ok((groups.find(&terminal.name)?, terminal.place)));
    let named = named.collect::<Result<Vec<_>>>()?;
    notes::say_few(course, groups, named.iter().copied(), progress)?;
    let what = "following cells to their fates".to_string();
    progress::report(progress, progress::Event::Begin { what, total: 1 })?;
    let resampled = course.resampled(
        model,
        (options.sets.data.as_deref(), options.batch.as_deref()),
        (options.bootstrap, options.seed),
        progress,
    )?;
    let found = Fates::of(&resampled, &terminals)?;
    progress::report(progress, progress::Event::End)?;
    let passed = Passed { named, between: (1..found.tables.len()).collect() };
    notes::say_unknown(&resampled, (course, groups), passed, progress)?;
    Ok(found)
}

fn terminals(
    course: &CourseOfCells,
    groups: &Groups,
    options: &FateOptions,
) -> Result<Vec<Terminal>> {
    let one = |group: usize, place: usize| Terminal {
        name: groups.names()[group].clone(),
        place,
        arrived: groups.at(place).iter().map(|of| *of == Some(group)).collect(),
    };
    let own: Vec<(usize, usize)> = options
        .terminals
        .iter()
        .map(|own| Ok((groups.find(&own.group)?, course.lineage.place(own.time)?)))
        .collect::<Result<_>>()?;
    let mut found = Vec::new();
    let place = place_or_last(&course.lineage, options.at)?;
    let said = options.at.is_none() && own.iter().any(|own| own.1 == place);
    if !said || !options.only.is_empty() {
        let chosen: Vec<usize> = if options.only.is_empty() {
            groups.present(place)
        } else {
            options.only.iter().map(|name| groups.find(name)).collect::<Result<_>>()?
        };
        found.extend(chosen.into_iter().map(|group| one(group, place)));
    }
    for (group, place) in own {
        let terminal = one(group, place);
        if !found.contains(&terminal) {
            found.push(terminal);
        }
    }
    let mut names: Vec<&String> = found.iter().map(|terminal| &terminal.name).collect();
    names.sort();
    names.dedup();
    if names.len() == 1 {
        let (name, must) = ("fates", "at least two, to choose between");
        return Err(Error::Parameter { name, must, got: names[0].clone() });
    }
    Ok(found)
}

fn table(model: &Model, course: &CourseOfCells, fates: &Fates) -> Table {
    let of_rows = |k: usize| course.rows[k].iter();
    let n_times = fates.tables.len();
    let ids = (0..n_times).flat_map(|k| of_rows(k).map(|&row| model.cells[row].clone())).collect();
    let times = (0..n_times).flat_map(|k| of_rows(k).map(|&row| model.cell_times[row])).collect();
    let mut table =
        Table::default().with("id", Cells::Texts(ids)).with("time", Cells::Floats(times));
    let all = |of: &dyn Fn(usize) -> Vec<f64>| -> Vec<f64> { (0..n_times).flat_map(of).collect() };
    for (f, name) in fates.names.iter().enumerate() {
        let values = all(&|k| fates.tables[k].probabilities.column(f).to_vec());
        table.push(name.clone(), Cells::Floats(values));
    }
    for (f, name) in fates.names.iter().enumerate() {
        let lo = all(&|k| fates.tables[k].lo.column(f).to_vec());
        let hi = all(&|k| fates.tables[k].hi.column(f).to_vec());
        table.push(format!("{name}_lo"), Cells::Gaps(lo));
        table.push(format!("{name}_hi"), Cells::Gaps(hi));
    }
    let mut push = |name: String, of: &dyn Fn(usize) -> Vec<f64>| {
        table.push(name, Cells::Floats(all(of)));
    };
    for (f, name) in fates.names.iter().enumerate() {
        push(format!("{name}_log_odds"), &|k| fates.tables[k].log_odds().column(f).to_vec());
    }
    push("entropy".into(), &|k| fates.tables[k].entropy().to_vec());
    push("reached".into(), &|k| fates.tables[k].reached.to_vec());
    push("descendants".into(), &|k| fates.tables[k].descendants.to_vec());
    table
}

fn summary(course: &CourseOfCells, fates: &Fates) -> Vec<FateSummary> {
    let of_time = |(k, table): (usize, &crate::lineage::FateTable)| {
        let known: Vec<usize> =
            (0..table.reached.len()).filter(|&i| table.probabilities[[i, 0]].is_finite()).collect();
        let n = known.len().max(1) as f64;
        let mean = table.probabilities.select(Axis(0), &known).sum_axis(Axis(0)) / n;
        let of_mean: f64 = mean.iter().filter(|p| **p > 0.0).map(|p| -p * p.ln()).sum();
        let entropy = table.entropy().select(Axis(0), &known).sum() / n;
        FateSummary {
            time: course.lineage.times()[k],
            mean: mean.to_vec(),
            undecided: if of_mean > 0.0 { entropy / of_mean } else { 0.0 },
            reached: table.reached.sum() / table.reached.len().max(1) as f64,
        }
    };
    fates.tables.iter().enumerate().map(of_time).collect()
}
