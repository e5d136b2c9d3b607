//! Transition tables: the mass from each group of an earlier time to each group of a later time.

use std::collections::BTreeSet;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::io::model::OpenModel;
use crate::io::table::{Cells, Table};
use crate::lineage::{Groups, Transitions, transitions as between};
use crate::metrics::Estimate;
use crate::pipeline::shared::cell_sets::GroupAt;
use crate::pipeline::shared::course_of_cells::CourseOfCells;
use crate::pipeline::shared::notes::{self, Passed};
use crate::pipeline::shared::recorder::Within;
use crate::pipeline::shared::resampling::{Along, Resampling};
use crate::pipeline::transitions::TransitionOptions;
use crate::progress::Progress;
use crate::share::{self, Division};

/// Transitions between groups for all pairs of times. See [`transitions`] for an example.
#[derive(Debug, Clone, PartialEq)]
pub struct FoundTransitions {
    /// One row for each pair of times and of groups: `t0`, `t1`, `source`, `target`, `mass`, `mass_lo`, `mass_hi`,
    /// `prob`, `prob_lo`, `prob_hi`, `n_source`, `n_target`. `mass` is a share of all cells of `t0`, `prob` a share
    /// of the descendants of the source group.
    pub long: Table,
    /// One row for each pair of times and source group, one column for each target group. The values are `prob`;
    /// rows sum to one.
    pub wide: Table,
    /// The same shares with their confidence intervals, one table for each pair of times.
    pub shown: Vec<ShownTransitions>,
}

/// The transitions between one pair of times.
///
/// ```
/// use sbcell::pipeline::ShownTransitions;
///
/// let none = ShownTransitions { times: (0.0, 1.0), targets: vec!["left".into()], rows: vec![] };
/// assert!(none.times.0 < none.times.1 && none.rows.is_empty());
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct ShownTransitions {
    /// The earlier and the later time.
    pub times: (f64, f64),
    /// Names of the target groups, in the order of the shares.
    pub targets: Vec<String>,
    /// One row for each source group.
    pub rows: Vec<ShownRow>,
}

/// The transitions from one source group.
///
/// ```
/// use sbcell::metrics::Estimate;
/// use sbcell::pipeline::ShownRow;
///
/// let share = Estimate::of(&ndarray::array![1.0, 0.9, 1.0]); // the value, then resamples
/// let row = ShownRow { source: "left".into(), n_cells: 12, shares: vec![share] };
/// assert!(row.shares[0].lo <= row.shares[0].value);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct ShownRow {
    /// Name of the source group.
    pub source: String,
    /// Number of its cells.
    pub n_cells: usize,
    /// Share of its descendants in each target group.
    pub shares: Vec<Estimate>,
}

/// Name of the cells without a group in tables.
const NONE: &str = "(no group)";

/// Transitions between the groups of `model` for the pairs of times in `options`.
///
/// The coupling of a pair of times goes straight from one to the other; those of bridges are chained. Cells without a group form a group of their own. Confidence
/// intervals (95 %) come from bootstrap resamples of cells, or of batches. Time is that of the couplings and one
/// product with each for each pair of times.
///
/// ```
/// use sbcell::pipeline::{CellSets, TransitionOptions, example_model, transitions};
/// use sbcell::Silent;
///
/// # fn main() -> sbcell::Result<()> {
/// # let folder = tempfile::tempdir().unwrap();
/// let model = example_model(folder.path())?; // cell types left and right
/// let sets = CellSets::default().with_groupby(Some("cell_type".into()));
/// let options = TransitionOptions::default().with_sets(sets).with_pairs(vec![(0.0, 2.0)]);
/// let found = transitions(&model, &options, &mut Silent)?;
/// let [left, right] = &found.shown[0].rows[0].shares[..] else { panic!() };
/// assert!((left.value + right.value - 1.0).abs() < 1e-9);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// Those of reading groups; [`crate::Error::NotObserved`] for a time without a snapshot;
/// [`crate::Error::Parameter`] for a pair that does not go forward in time.
pub fn transitions(
    model: &OpenModel,
    options: &TransitionOptions,
    progress: &mut dyn Progress,
) -> Result<FoundTransitions> {
    let (epsilon, clones) = (options.coupling_epsilon, &options.clones);
    let course = CourseOfCells::restore_with(model, epsilon, clones, options.seed, progress)?;
    let groups = options.sets.read(model, &course, progress)?;
    let last = course.rows.len() - 1;
    let pairs: Vec<[usize; 2]> = if options.pairs.is_empty() {
        let whole = (last > 1).then_some([0, last]);
        (0..last).map(|k| [k, k + 1]).chain(whole).collect()
    } else {
        let place = |time: f64| course.place(time);
        options.pairs.iter().map(|&(a, b)| Ok([place(a)?, place(b)?])).collect::<Result<_>>()?
    };
    let resampling = Resampling {
        data: options.sets.data.as_deref(),
        batch: options.batch.as_deref(),
        n_resamples: options.bootstrap,
        seed: options.seed,
    };
    let batches = course.batches(model, &resampling, progress)?;
    let job = Job { course: &course, groups: &groups, batches: batches.as_deref(), resampling };
    let found = job.all(&pairs, progress)?;
    let (mut tables, mut sides, mut unknown) = (Vec::new(), Vec::new(), Vec::new());
    for of_pair in found {
        sides.extend(Job::named(&of_pair.table));
        unknown.extend(of_pair.unknown);
        tables.push(of_pair.table);
    }
    notes::say_few(&course, &groups, &sides, progress)?;
    let mut known = BTreeSet::new();
    unknown.retain(|text| known.insert(text.clone()));
    notes::say_no_interval(&unknown, progress)?;
    let shown: Vec<ShownTransitions> =
        tables.iter().map(|table| shown(table, &groups, course.times())).collect();
    let long = long(&tables, &groups, course.times());
    Ok(FoundTransitions { long, wide: wide(&shown), shown })
}

/// The cells, groups and resamples of all pairs of times.
struct Job<'a> {
    course: &'a CourseOfCells,
    groups: &'a Groups,
    batches: Option<&'a [Vec<String>]>,
    resampling: Resampling<'a>,
}

/// The transitions of one pair of times, and which groups and times have too few cells for intervals, in words.
#[derive(Serialize, Deserialize)]
struct OfPair {
    table: Transitions,
    unknown: Vec<String>,
}

impl Job<'_> {
    /// The transitions of all `pairs` of places. A plan may divide the pairs, unless all go along the chain of
    /// couplings.
    fn all(&self, pairs: &[[usize; 2]], progress: &mut dyn Progress) -> Result<Vec<OfPair>> {
        if !self.course.is_straight() {
            share::undivided(progress)?;
            return pairs.iter().map(|&pair| self.of_pair(pair, progress)).collect();
        }
        let times = self.course.times();
        let name = |&[from, to]: &[usize; 2]| format!("{} → {}", times[from], times[to]);
        let parts: Vec<String> = pairs.iter().map(name).collect();
        let cells = |place: usize| self.course.snapshots()[place].n_cells() as f64;
        let work = pairs.iter().map(|&[from, to]| cells(from) * cells(to)).collect();
        let division = Division { work, ..Division::even("pairs of times", parts) };
        share::divided(&division, progress, &mut |range: Range<usize>, progress| {
            let one = |number: usize| {
                let place =
                    format!("{} ({} of {})", division.parts[number], number + 1, pairs.len());
                self.of_pair(pairs[number], &mut Within { inner: &mut *progress, place })
            };
            range.map(one).collect()
        })
    }

    /// The transitions from one place to another.
    fn of_pair(&self, pair: [usize; 2], progress: &mut dyn Progress) -> Result<OfPair> {
        let [from, to] = pair;
        let (course, groups) = (self.course, self.groups);
        let way = course.between(from, to, Some(groups), progress)?;
        let places = &way.places[..];
        let along = Along { lineage: &way.lineage, places };
        let resampled = along.resampled(self.batches, &self.resampling, progress)?;
        let here = groups.at_places(places);
        let found = between(&resampled, &here, way.from, way.to, progress)?;
        let table = Transitions { from, to, ..found };
        let passed = Passed { named: Self::named(&table), between: (from + 1..to).collect() };
        let unknown = notes::unknown(resampled.bootstrap(), places, course, groups, passed);
        Ok(OfPair { table, unknown })
    }

    /// The groups on both sides of a table.
    fn named(table: &Transitions) -> Vec<GroupAt> {
        let of = |groups: &[Option<usize>], place: usize| -> Vec<GroupAt> {
            groups.iter().flatten().map(|&group| GroupAt { place, group }).collect()
        };
        [of(&table.sources, table.from), of(&table.targets, table.to)].concat()
    }
}

/// The name of a group in tables.
fn name(groups: &Groups, group: Option<usize>) -> String {
    group.map_or_else(|| NONE.into(), |group| groups.names()[group].clone())
}

/// The table [`FoundTransitions::long`].
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
        Cells::Floats(cells.iter().map(|(table, g, h)| of(table, *g, *h)).collect())
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

/// The shares of one pair of times.
fn shown(table: &Transitions, groups: &Groups, times: &[f64]) -> ShownTransitions {
    let row = |g: usize| ShownRow {
        source: name(groups, table.sources[g]),
        n_cells: table.source_cells[g],
        shares: table.shares[g].clone(),
    };
    ShownTransitions {
        times: (times[table.from], times[table.to]),
        targets: table.targets.iter().map(|&group| name(groups, group)).collect(),
        rows: (0..table.sources.len()).map(row).collect(),
    }
}

/// The table [`FoundTransitions::wide`]. A target group without cells at a time is missing there (NaN).
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
            Cells::Texts(rows.iter().map(|(_, row)| row.source.clone()).collect()),
        );
    for name in names {
        let share = |(table, row): &(&ShownTransitions, &ShownRow)| {
            let place = table.targets.iter().position(|target| *target == name);
            place.map_or(f64::NAN, |place| row.shares[place].value)
        };
        table.push(name.clone(), Cells::Floats(rows.iter().map(share).collect()));
    }
    table
}
