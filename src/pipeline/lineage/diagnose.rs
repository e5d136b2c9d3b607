//! Model → whether to believe it: signal, long ways, kinks, cells that leave nothing, other solvers.

use std::path::Path;

use ndarray::Array2;
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::io::model::Model;
use crate::io::table::{Cells, Table};
use crate::lineage::{
    Agreement, FarCells, Groups, Kink, Signal, agreement, far_cells, kinks, signal,
};
use crate::pipeline::lineage::{CellSets, CourseOfCells};
use crate::progress::{self, Event, Progress};
use crate::rng::Seed;

/// What `diagnose` can be told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DiagnoseOptions {
    /// Groups whose splitting is looked at, if any.
    pub sets: Option<CellSets>,
    /// Deals of coordinates, and of groups.
    pub deals: usize,
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

/// A plan that knows less, in nats, knows nothing.
const NO_SIGNAL: f64 = 0.1;
/// Half of the coordinates say at least this of the other half where cells are of kinds.
const LITTLE_UNSEEN: f64 = 0.05;
/// Fewer partners are single cells followed.
const FEW_PARTNERS: f64 = 3.0;
/// Cells whose mass goes far by more than this, and the share of such cells to speak of.
const FAR: f64 = 0.5;
const MANY_FAR: f64 = 0.05;
/// A cell with fewer descendants, relative to the mean cell, leaves hardly any.
pub(super) const DEAD: f64 = 0.1;
/// Solvers with a lower correlation disagree.
const DISAGREE: f64 = 0.5;

/// Looks at every interval and inner time of the model in `folder`.
///
/// # Errors
/// Those of the plans and of reading groups.
pub fn diagnose(
    (folder, model): (&Path, &Model),
    options: &DiagnoseOptions,
    progress: &mut dyn Progress,
) -> Result<Diagnosed> {
    let course = CourseOfCells::restore(model, options.seed, progress)?;
    let groups = match &options.sets {
        None => None,
        Some(sets) => Some(sets.read((folder, model), &course, progress)?),
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
        Some(groups) => Some(splitting(course, groups, (k, options.deals, seed))?),
    };
    Ok(IntervalDiagnosis {
        times: (times[k], times[k + 1]),
        signal: signal(link, ends, bridge.epsilon(), (options.deals, seed))?,
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

/// One line for each thing to be wary of, with the intervals it is seen in.
fn warnings(intervals: &[IntervalDiagnosis], kinks: &[(f64, Kink)]) -> Vec<String> {
    type Seen<'a> = &'a dyn Fn(&IntervalDiagnosis) -> Option<String>;
    let number = |found: bool, text: String| found.then_some(text);
    let checks: [(&str, Seen<'_>); 7] = [
        (
            "no lineage signal: every cell goes everywhere in proportion (nats known of where a cell \
             goes); take less noise (a smaller ε) or closer times",
            &|of| {
                let known = of.signal.information;
                number(known < NO_SIGNAL, format!("{known:.3}"))
            },
        ),
        (
            "half of the coordinates say hardly anything of where the other half goes (share carried): \
             cells are not of kinds that a plan could follow",
            &|of| {
                let Signal { information, unseen, unseen_permuted, .. } = of.signal;
                let little = NO_SIGNAL <= information && unseen - unseen_permuted < LITTLE_UNSEEN;
                number(little, format!("{unseen:.2}"))
            },
        ),
        (
            "the plan follows single cells (partners of a cell): fates jump with every cell that was \
             sampled, look at their intervals; more noise (a larger ε) smooths",
            &|of| number(of.signal.partners < FEW_PARTNERS, format!("{:.1}", of.signal.partners)),
        ),
        (
            "cells send most of their mass further than nine of ten random pairs (share of cells): kinds that \
             come or go between these times, growth that is not accounted for, or another batch",
            &|of| {
                let far = of.far.beyond.iter().filter(|share| **share > FAR).count();
                let share = far as f64 / of.far.beyond.len() as f64;
                number(share > MANY_FAR, format!("{:.0} %", 100.0 * share))
            },
        ),
        (
            "cells leave hardly any descendants, less than a tenth of the mean cell's (share of cells)",
            &|of| number(of.dead > 0.0, format!("{:.0} %", 100.0 * of.dead)),
        ),
        (
            "groups split in proportion, as if nothing were known of them (nats, and with groups dealt \
             anew)",
            &|of| {
                let (own, dealt) = of.of_groups?;
                number(own < 2.0 * dealt.max(1e-3), format!("{own:.3}, {dealt:.3}"))
            },
        ),
        (
            "entropic transport with the same ε sends single cells elsewhere (correlation of \
             displacements): trust groups and populations more than single cells",
            &|of| {
                let other = of.agreement.iter().find(|other| other.other == "sinkhorn")?;
                number(other.correlation < DISAGREE, format!("{:.2}", other.correlation))
            },
        ),
    ];
    let mut warnings = Vec::new();
    for (text, seen) in checks {
        let found: Vec<String> = intervals
            .iter()
            .filter_map(|of| Some(format!("{} → {}: {}", of.times.0, of.times.1, seen(of)?)))
            .collect();
        if !found.is_empty() {
            warnings.push(format!("{text}; {}", found.join(", ")));
        }
    }
    let back = |(time, kink): &(f64, Kink)| {
        (kink.mean_cosine < 0.0).then(|| format!("{time}: {:.2}", kink.mean_cosine))
    };
    let turned: Vec<String> = kinks.iter().filter_map(back).collect();
    if !turned.is_empty() {
        warnings.push(format!(
            "the population turns back (cosine of the velocities before and after): a batch of its own, \
             or a change between the samples; {}",
            turned.join(", ")
        ));
    }
    warnings
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
