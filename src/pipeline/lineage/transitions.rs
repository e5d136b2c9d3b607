//! Model and groups → how much of which group becomes which.

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::io::model::OpenModel;
use crate::io::table::{Cells, Table};
use crate::lineage::{Groups, Transitions, transitions as between};
use crate::metrics::Estimate;
use crate::pipeline::lineage::notes::Passed;
use crate::pipeline::lineage::{CellSets, CourseOfCells, notes};
use crate::progress::{self, Event, Progress};

/// What `transitions` can be told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TransitionOptions {
    /// Groups of cells.
    pub sets: CellSets,
    /// Pairs of an earlier and a later time; neighbouring times, then the first and the last, if empty.
    pub pairs: Vec<(f64, f64)>,
    /// Resamples behind the intervals.
    pub bootstrap: usize,
    /// A column of `obs` whose groups are resampled instead of cells.
    pub batch: Option<String>,
    /// Seed of everything random.
    pub seed: u64,
}

/// Tables of transitions.
#[derive(Debug, Clone, PartialEq)]
pub struct FoundTransitions {
    /// `t0`, `t1`, `source`, `target`, `mass`, `mass_lo`, `mass_hi`, `prob`, `prob_lo`, `prob_hi`,
    /// `n_source`, `n_target`.
    pub long: Table,
    /// For each pair of times one row for each source group, one column for each target group: `prob`,
    /// rows of sum one.
    pub wide: Table,
    /// The wide tables apart, for reading: times, then rows of name and shares.
    pub shown: Vec<ShownTransitions>,
}

/// A wide table.
#[derive(Debug, Clone, PartialEq)]
pub struct ShownTransitions {
    /// The two times.
    pub times: (f64, f64),
    /// Names of the target groups.
    pub targets: Vec<String>,
    /// Source groups, each with its cells and the share of each target with its interval.
    pub rows: Vec<ShownRow>,
}

/// A source group, its number of cells, and the share of each target.
type ShownRow = (String, usize, Vec<Estimate>);

/// Name of cells without a group.
const NONE: &str = "(no group)";

/// Transitions between groups of `model`.
///
/// # Errors
/// Those of reading groups; [`crate::Error::NotObserved`]; [`crate::Error::Parameter`] for a pair that
/// goes back in time.
pub fn transitions(
    model: &OpenModel,
    options: &TransitionOptions,
    progress: &mut dyn Progress,
) -> Result<FoundTransitions> {
    let course = CourseOfCells::restore(model, options.seed, progress)?;
    let groups = options.sets.read(model, &course, progress)?;
    let last = course.rows.len() - 1;
    let pairs: Vec<(usize, usize)> = if options.pairs.is_empty() {
        let whole = (last > 1).then_some((0, last));
        (0..last).map(|k| (k, k + 1)).chain(whole).collect()
    } else {
        let place = |time: f64| course.lineage.place(time);
        options.pairs.iter().map(|&(a, b)| Ok((place(a)?, place(b)?))).collect::<Result<_>>()?
    };
    let what = "counting transitions".to_string();
    progress::report(progress, Event::Begin { what, total: pairs.len() as u64 })?;
    let resampled = course.resampled(
        model,
        (options.sets.data.as_deref(), options.batch.as_deref()),
        (options.bootstrap, options.seed),
        progress,
    )?;
    let mut tables = Vec::new();
    for (done, &(from, to)) in pairs.iter().enumerate() {
        tables.push(between(&resampled, &groups, from, to)?);
        progress::report(progress, Event::Step { done: done as u64 + 1 })?;
    }
    progress::report(progress, Event::End)?;
    let sides = tables.iter().flat_map(|table| {
        let of = |groups: &[Option<usize>], place: usize| -> Vec<(usize, usize)> {
            groups.iter().flatten().map(|&group| (group, place)).collect()
        };
        [of(&table.sources, table.from), of(&table.targets, table.to)].concat()
    });
    let sides: Vec<(usize, usize)> = sides.collect();
    notes::say_few(&course, &groups, sides.iter().copied(), progress)?;
    let between = tables.iter().flat_map(|table| table.from + 1..table.to);
    notes::say_unknown(
        &resampled,
        (&course, &groups),
        Passed { named: sides, between: between.collect() },
        progress,
    )?;
    let shown: Vec<ShownTransitions> =
        tables.iter().map(|table| shown(table, &groups, course.lineage.times())).collect();
    let long = long(&tables, &groups, course.lineage.times());
    Ok(FoundTransitions { long, wide: wide(&shown), shown })
}

fn name(groups: &Groups, group: Option<usize>) -> String {
    group.map_or_else(|| NONE.into(), |group| groups.names()[group].clone())
}

fn long(tables: &[Transitions], groups: &Groups, times: &[f64]) -> Table {
    let cells: Vec<(&Transitions, usize, usize)> = tables
        .iter()
        .flat_map(|table| {
            let columns = table.targets.len();
            (0..table.sources.len() * columns).map(move |at| (table, at / columns, at % columns))
        })
        .collect();
    let number = |of: &dyn Fn(&Transitions, usize, usize) -> f64| {
        Cells::Floats(cells.iter().map(|(table, g, h)| of(table, *g, *h)).collect())
    };
    let end = |of: &dyn Fn(&Transitions, usize, usize) -> f64| {
        Cells::Gaps(cells.iter().map(|(table, g, h)| of(table, *g, *h)).collect())
    };
    let count = |of: &dyn Fn(&Transitions, usize, usize) -> usize| {
        Cells::Integers(cells.iter().map(|(table, g, h)| of(table, *g, *h) as i64).collect())
    };
    let text = |of: &dyn Fn(&Transitions, usize, usize) -> String| {
        Cells::Texts(cells.iter().map(|(table, g, h)| of(table, *g, *h)).collect())
    };
    Table::default()
        .with("t0", number(&|table, _, _| times[table.from]))
        .with("t1", number(&|table, _, _| times[table.to]))
        .with("source", text(&|table, g, _| name(groups, table.sources[g])))
        .with("target", text(&|table, _, h| name(groups, table.targets[h])))
        .with("mass", number(&|table, g, h| table.mass[g][h].value))
        .with("mass_lo", end(&|table, g, h| table.mass[g][h].lo))
        .with("mass_hi", end(&|table, g, h| table.mass[g][h].hi))
        .with("prob", number(&|table, g, h| table.shares[g][h].value))
        .with("prob_lo", end(&|table, g, h| table.shares[g][h].lo))
        .with("prob_hi", end(&|table, g, h| table.shares[g][h].hi))
        .with("n_source", count(&|table, g, _| table.source_cells[g]))
        .with("n_target", count(&|table, _, h| table.target_cells[h]))
}

fn shown(table: &Transitions, groups: &Groups, times: &[f64]) -> ShownTransitions {
    let row =
        |g: usize| (name(groups, table.sources[g]), table.source_cells[g], table.shares[g].clone());
    ShownTransitions {
        times: (times[table.from], times[table.to]),
        targets: table.targets.iter().map(|&group| name(groups, group)).collect(),
        rows: (0..table.sources.len()).map(row).collect(),
    }
}

/// All wide tables below each other; a target group that a time does not have is empty there (NaN).
fn wide(shown: &[ShownTransitions]) -> Table {
    let mut names: Vec<String> = shown.iter().flat_map(|table| table.targets.clone()).collect();
    names.sort();
    names.dedup();
    let rows: Vec<(&ShownTransitions, &ShownRow)> =
        shown.iter().flat_map(|table| table.rows.iter().map(move |row| (table, row))).collect();
    let mut table = Table::default()
        .with("t0", Cells::Floats(rows.iter().map(|(table, _)| table.times.0).collect()))
        .with("t1", Cells::Floats(rows.iter().map(|(table, _)| table.times.1).collect()))
        .with(
            "from source (rows) to target (columns)",
            Cells::Texts(rows.iter().map(|(_, row)| row.0.clone()).collect()),
        );
    for name in names {
        let share = |(table, row): &(&ShownTransitions, &ShownRow)| {
            let place = table.targets.iter().position(|target| *target == name);
            place.map_or(f64::NAN, |place| row.2[place].value)
        };
        table.push(name.clone(), Cells::Floats(rows.iter().map(share).collect()));
    }
    table
}
