//! Fate probabilities of all cells before the last terminal time.

use ndarray::Axis;

use crate::error::{Error, Result};
use crate::io::model::{Model, OpenModel};
use crate::io::table::{Cells, Table};
use crate::lineage::{FateTable, Fates, Groups, Terminal};
use crate::pipeline::fates::FateOptions;
use crate::pipeline::shared::cell_sets::GroupAt;
use crate::pipeline::shared::course_of_cells::{CourseOfCells, Resampling};
use crate::pipeline::shared::notes::{self, Passed};
use crate::progress::{self, Progress};

/// Fate probabilities of cells, and their means by time. See [`fates`] for an example.
#[derive(Debug, Clone, PartialEq)]
pub struct FateTables {
    /// One row for each cell: `id`, `time`, the probability of each fate, the ends of its confidence interval
    /// (`_lo`, `_hi`), its log-odds (`_log_odds`), then `entropy` (in nats), `reached` (share of descendants that
    /// reach a terminal state) and `descendants` (relative to the mean cell).
    pub cells: Table,
    /// Mean probabilities and entropy at each time.
    pub summary: Vec<FateSummary>,
    /// Names of the fates, in the order of the columns.
    pub names: Vec<String>,
}

/// Means over the cells of one time.
///
/// ```
/// use sbcell::pipeline::FateSummary;
///
/// let day2 = FateSummary { time: 2.0, mean: vec![0.7, 0.3], undecided: 0.4, reached: 1.0 };
/// assert!((day2.mean.iter().sum::<f64>() - 1.0).abs() < 1e-12);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct FateSummary {
    /// The time.
    pub time: f64,
    /// Mean probability of each fate.
    pub mean: Vec<f64>,
    /// Mean entropy of the cells relative to the entropy of the mean: 1 if every cell is as undecided as the
    /// population, 0 if every cell has one fate.
    pub undecided: f64,
    /// Mean share of descendants that reach a terminal state.
    pub reached: f64,
}

/// The fate probabilities of all cells of `model` up to the last terminal time.
///
/// The fate probability of a cell is the share of its descendants that reach a terminal state, among those that
/// reach any. Descendants follow the couplings of the intervals. Confidence intervals (95 %) come from bootstrap
/// resamples of cells, or of batches. Time is that of the couplings and one product with each for all fates
/// and resamples.
///
/// ```
/// use sbcell::pipeline::{CellSets, FateOptions, example_model, fates};
/// use sbcell::Silent;
///
/// # fn main() -> sbcell::Result<()> {
/// # let folder = tempfile::tempdir().unwrap();
/// let model = example_model(folder.path())?; // cell types left and right
/// let sets = CellSets::default().with_groupby(Some("cell_type".into()));
/// let found = fates(&model, &FateOptions::default().with_sets(sets), &mut Silent)?;
/// assert_eq!(found.names, ["left", "right"]);
/// assert!((found.summary[0].mean.iter().sum::<f64>() - 1.0).abs() < 1e-9);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// Those of [`Fates::of`] and of reading groups; [`Error::UnknownGroup`]; [`Error::NotObserved`] for a time without a
/// snapshot; [`Error::Parameter`] for a single fate.
pub fn fates(
    model: &OpenModel,
    options: &FateOptions,
    progress: &mut dyn Progress,
) -> Result<FateTables> {
    let course = CourseOfCells::restore_with(model, &options.clones, options.seed, progress)?;
    let groups = options.sets.read(model, &course, progress)?;
    let found = of_course(model, &course, &groups, options, progress)?;
    let cells = table(model, &course, &found);
    let summary = summary(&course, &found);
    Ok(FateTables { cells, summary, names: found.names })
}

/// Fate probabilities of the cells of `course`. Notes name terminal states with few cells.
///
/// # Errors
/// As [`fates`].
pub(in crate::pipeline) fn of_course(
    model: &OpenModel,
    course: &CourseOfCells,
    groups: &Groups,
    options: &FateOptions,
    progress: &mut dyn Progress,
) -> Result<Fates> {
    let terminals = terminals(course, groups, options)?;
    let group_at = |terminal: &Terminal| {
        Ok(GroupAt { place: terminal.place, group: groups.find(&terminal.name)? })
    };
    let named = terminals.iter().map(group_at).collect::<Result<Vec<_>>>()?;
    notes::say_few(course, groups, &named, progress)?;
    let what = "following cells to their fates".to_string();
    progress::report(progress, progress::Event::Begin { what, total: 1 })?;
    let resampling = Resampling {
        data: options.sets.data.as_deref(),
        batch: options.batch.as_deref(),
        n_resamples: options.bootstrap,
        seed: options.seed,
    };
    let resampled = course.resampled(model, &resampling, progress)?;
    let found = Fates::of(&resampled, &terminals)?;
    progress::report(progress, progress::Event::End)?;
    let passed = Passed { named, between: (1..found.tables.len()).collect() };
    notes::say_unknown(&resampled, course, groups, passed, progress)?;
    Ok(found)
}

/// The terminal states that `options` name, each once.
///
/// A time of its own in [`FateOptions::terminals`] replaces the default (all groups of the last time) if it is the
/// last time.
///
/// # Errors
/// [`Error::UnknownGroup`]; [`Error::NotObserved`]; [`Error::Parameter`] for a single fate.
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
    let place = course.place_or_last(options.at)?;
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

/// The table [`FateTables::cells`].
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

/// Means over the cells of each time whose fate probabilities are known.
fn summary(course: &CourseOfCells, fates: &Fates) -> Vec<FateSummary> {
    let of_time = |(k, table): (usize, &FateTable)| {
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
