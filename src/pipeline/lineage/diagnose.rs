//! Model → whether to believe it: signal, long ways, kinks, cells that leave nothing, other solvers.

use ndarray::Array2;
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::io::model::{Model, OpenModel};
use crate::io::table::{Cells, Table};
use crate::lineage::{
    Agreement, FarCells, Groups, Kink, Signal, agreement, far_cells, kinks, signal,
};
use crate::pipeline::lineage::warnings::warnings;
use crate::pipeline::lineage::{CellSets, CourseOfCells};
use crate::progress::{self, Event, Progress};
use crate::rng::Seed;

/// What `diagnose` can be told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DiagnoseOptions {
    /// Groups whose splitting is looked at, if any are named.
    pub sets: CellSets,
    /// Deals of coordinates, and of groups.
    pub permutations: usize,
    /// Seed of everything random.
    pub seed: u64,
}

/// What was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Diagnosed {
    /// One entry for each interval.
    pub intervals: Vec<IntervalDiagnosis>,
    /// One for each inner time, with the time.
    pub kinks: Vec<(f64, Kink)>,
    /// What to be wary of, in words.
    pub warnings: Vec<String>,
    /// One row for each interval.
    pub table: Table,
    /// `id`, `time`, `partners`, `beyond`, `growth`, `dead`, `turn`.
    pub cells: Table,
}

/// One interval.
#[derive(Debug, Clone, PartialEq)]
pub struct IntervalDiagnosis {
    /// Its two times.
    pub times: (f64, f64),
    /// What the plan knows.
    pub signal: Signal,
    /// Long ways, partners and growth of single cells.
    pub far: FarCells,
    /// Mean share of mass that goes far.
    pub beyond: f64,
    /// Share of cells with hardly any descendants.
    pub dead: f64,
    /// Mutual information of groups, and its mean over deals of the later cells' groups.
    pub of_groups: Option<(f64, f64)>,
    /// How other solvers agree.
    pub agreement: Vec<Agreement>,
}

/// A cell with fewer descendants, relative to the mean cell, leaves hardly any.
pub(super) const DEAD: f64 = 0.1;

/// Looks at every interval and inner time of `model`.
///
/// # Errors
/// Those of the plans and of reading groups.
pub fn diagnose(
    model: &OpenModel,
    options: &DiagnoseOptions,
    progress: &mut dyn Progress,
) -> Result<Diagnosed> {
    let course = CourseOfCells::restore(model, options.seed, progress)?;
    let groups = if options.sets.is_named() {
        Some(options.sets.read(model, &course, progress)?)
    } else {
        None
    };
    let n = course.lineage.links().len();
    let what = "looking at every interval".to_string();
    progress::report(progress, Event::Begin { what, total: n as u64 })?;
    let mut intervals = Vec::with_capacity(n);
    for k in 0..n {
        intervals.push(interval(&course, groups.as_ref(), (k, options))?);
        progress::report(progress, Event::Step { done: k as u64 + 1 })?;
    }
    progress::report(progress, Event::End)?;
    let kinks: Vec<(f64, Kink)> = kinks(&course.lineage, course.snapshots())?
        .into_iter()
        .map(|kink| (course.lineage.times()[kink.place], kink))
        .collect();
    let warnings = warnings(&intervals, &kinks);
    let table = table(&intervals);
    let cells = cells(model, &course, (&intervals, &kinks));
    Ok(Diagnosed { intervals, kinks, warnings, table, cells })
}

fn interval(
    course: &CourseOfCells,
    groups: Option<&Groups>,
    (k, options): (usize, &DiagnoseOptions),
) -> Result<IntervalDiagnosis> {
    let times = course.lineage.times();
    let link = &course.lineage.links()[k];
    let source = course.process.source(k, times[k + 1])?;
    let ends = (&source, &course.process.snapshots[k + 1]);
    let bridge = &*course.process.series.bridges()[k];
    let seed = Seed(options.seed).child("diagnose", k as u64);
    let far = far_cells(link, ends, seed)?;
    let share = |of: &dyn Fn(usize) -> bool| {
        (0..far.growth.len()).filter(|&i| of(i)).count() as f64 / far.growth.len() as f64
    };
    let dead = share(&|i| far.growth[i] < DEAD);
    let beyond = link.marginals().0.dot(&far.beyond) / link.marginals().0.sum();
    let of_groups = match groups {
        None => None,
        Some(groups) => Some(splitting(course, groups, (k, options.permutations, seed))?),
    };
    Ok(IntervalDiagnosis {
        times: (times[k], times[k + 1]),
        signal: signal(link, ends, bridge.epsilon(), (options.permutations, seed))?,
        beyond,
        dead,
        of_groups,
        agreement: agreement(bridge, ends)?,
        far,
    })
}

/// Mutual information between the groups of both ends, and its mean over deals of the later ones.
fn splitting(
    course: &CourseOfCells,
    groups: &Groups,
    (k, deals, seed): (usize, usize, Seed),
) -> Result<(f64, f64)> {
    let (sources, targets) = (groups.present(k), groups.present(k + 1));
    let own = groups.indicators(k, &sources);
    let ends = groups.indicators(k + 1, &targets);
    let n = ends.nrows();
    let mut all = Array2::zeros((n, targets.len() * (deals + 1)));
    for deal in 0..=deals {
        let mut order: Vec<usize> = (0..n).collect();
        if deal > 0 {
            order.shuffle(&mut seed.stream("diagnose/groups", deal as u64));
        }
        for (place, &row) in order.iter().enumerate() {
            for g in 0..targets.len() {
                all[[place, deal * targets.len() + g]] = ends[[row, g]];
            }
        }
    }
    let masses = own.t().dot(&course.lineage.links()[k].pull(all.view())?);
    let of = |deal: usize| {
        let first = deal * targets.len();
        information(&masses.slice(ndarray::s![.., first..first + targets.len()]).to_owned())
    };
    let dealt = (1..=deals).map(of).sum::<f64>() / deals.max(1) as f64;
    Ok((of(0), dealt))
}

/// Mutual information of a table of masses.
fn information(masses: &Array2<f64>) -> f64 {
    let total = masses.sum();
    if total <= 0.0 {
        return f64::NAN;
    }
    let (r, c) = (masses.sum_axis(ndarray::Axis(1)), masses.sum_axis(ndarray::Axis(0)));
    let of = |((g, h), mass): ((usize, usize), &f64)| {
        if *mass > 0.0 { mass / total * (mass * total / (r[g] * c[h])).ln() } else { 0.0 }
    };
    masses.indexed_iter().map(of).sum()
}

fn table(intervals: &[IntervalDiagnosis]) -> Table {
    let numbers =
        |of: &dyn Fn(&IntervalDiagnosis) -> f64| Cells::Floats(intervals.iter().map(of).collect());
    let mut table = Table::default()
        .with("t0", numbers(&|found| found.times.0))
        .with("t1", numbers(&|found| found.times.1))
        .with("information", numbers(&|found| found.signal.information))
        .with("information_most", numbers(&|found| found.signal.most))
        .with("information_permuted", numbers(&|found| found.signal.permuted))
        .with("permuted_deviation", numbers(&|found| found.signal.permuted_deviation))
        .with("partners", numbers(&|found| found.signal.partners))
        .with("unseen", numbers(&|found| found.signal.unseen))
        .with("unseen_permuted", numbers(&|found| found.signal.unseen_permuted))
        .with("far_reach", numbers(&|found| found.far.reach))
        .with("far_mass", numbers(&|found| found.beyond))
        .with("dead", numbers(&|found| found.dead));
    if intervals.iter().any(|found| found.of_groups.is_some()) {
        let groups = |found: &IntervalDiagnosis| found.of_groups.unwrap_or((f64::NAN, f64::NAN));
        table.push("group_information", numbers(&|found| groups(found).0));
        table.push("group_permuted", numbers(&|found| groups(found).1));
    }
    for place in 0..intervals.first().map_or(0, |found| found.agreement.len()) {
        let name = intervals[0].agreement[place].other;
        let of = move |found: &IntervalDiagnosis| found.agreement[place].clone();
        table.push(format!("{name}_correlation"), numbers(&|found| of(found).correlation));
        table.push(format!("{name}_difference"), numbers(&|found| of(found).difference));
    }
    table
}

/// Cells of all times but the last.
fn cells(
    model: &Model,
    course: &CourseOfCells,
    (intervals, kinks): (&[IntervalDiagnosis], &[(f64, Kink)]),
) -> Table {
    let all: Vec<(usize, usize)> =
        (0..intervals.len()).flat_map(|k| (0..course.rows[k].len()).map(move |i| (k, i))).collect();
    let numbers = |of: &dyn Fn(usize, usize) -> f64| {
        Cells::Floats(all.iter().map(|&(k, i)| of(k, i)).collect())
    };
    let turn = |k: usize, i: usize| {
        kinks.iter().find(|(_, kink)| kink.place == k).map_or(f64::NAN, |(_, kink)| kink.cosines[i])
    };
    let id = |&(k, i): &(usize, usize)| model.cells[course.rows[k][i]].clone();
    let dead = |&(k, i): &(usize, usize)| i64::from(intervals[k].far.growth[i] < DEAD);
    let scale = course.process.scale;
    Table::default()
        .with("id", Cells::Texts(all.iter().map(id).collect()))
        .with("time", numbers(&|k, _| course.lineage.times()[k]))
        .with("partners", numbers(&|k, i| intervals[k].far.partners[i]))
        .with("far_reach", numbers(&|k, _| intervals[k].far.reach * scale))
        .with("far_mass", numbers(&|k, i| intervals[k].far.beyond[i]))
        .with("growth", numbers(&|k, i| intervals[k].far.growth[i]))
        .with("dead", Cells::Integers(all.iter().map(dead).collect()))
        .with("turn", numbers(&turn))
}
