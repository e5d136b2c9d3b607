//! Fates and transitions: shares of groups among descendants, along the couplings of each condition.

use std::collections::{BTreeMap, BTreeSet};

use ndarray::{Array1, Array2, ArrayView2, Axis};

use crate::error::Result;
use crate::lineage::{Groups, Relabelled, transitions};
use crate::metrics::Estimate;
use crate::pipeline::compare::CompareKind;
use crate::pipeline::compare::pair::{Pair, means};
use crate::pipeline::compare::rows::{ComparedRow, Found, Subject, row};
use crate::pipeline::compare::ways::{self, Exchanged, OwnWay};
use crate::progress::Silent;

/// Name of all cells of a time as one group. No group of a file has a hidden character.
const ALL: &str = "\u{1}all";

/// Rows of one kind between the common times `from` and `to`, from each group and, for fates, from all cells.
///
/// The numbers of each condition follow from its own couplings, and their intervals from resamples. Labels are
/// exchanged on entropic couplings of the cells of both conditions, or along their `chain` if it is given.
///
/// # Errors
/// Those of [`transitions`].
pub(super) fn between(
    pair: &Pair<'_>,
    chain: Option<[&Relabelled<'_>; 2]>,
    kind: CompareKind,
    [from, to]: [usize; 2],
) -> Result<Vec<ComparedRow>> {
    let ends = [0, 1].map(|side| [pair.cells[from].places[side], pair.cells[to].places[side]]);
    let own: Vec<Shares> = (0..2)
        .map(|side| {
            ways::of_side(pair, side, ends[side], |way| {
                let mut found = shares(way, way.groups)?;
                if kind == CompareKind::Fate {
                    found.extend(shares(way, &of_all(way))?);
                }
                Ok(found)
            })
        })
        .collect::<Result<_>>()?;
    ways::exchanged(pair, chain, [from, to], |way| rows_of(pair, &own, way, kind, [from, to]))
}

/// The rows of [`between`] from the shares `own` of both conditions.
fn rows_of(
    pair: &Pair<'_>,
    own: &[Shares],
    way: &Exchanged<'_>,
    kind: CompareKind,
    [from, to]: [usize; 2],
) -> Result<Vec<ComparedRow>> {
    let targets: Vec<&String> = pair.groups.iter().collect();
    let indicators = indicators(pair, to, &targets);
    let carried: Vec<Array2<f64>> = way
        .relabelled
        .iter()
        .map(|of| of.descendants(way.from, way.to, indicators.view()))
        .collect::<Result<_>>()?;
    let sources: BTreeSet<&str> =
        own.iter().flat_map(|of| of.keys().map(|(g, _)| g.as_str())).collect();
    let mut rows = Vec::new();
    for source in sources {
        let group = if source == ALL { "" } else { source };
        let members =
            [0, 1].map(|side| pair.sides[side].members(pair.cells[from].places[side], group));
        if members.iter().any(|of| !of.contains(&true)) {
            continue;
        }
        let n_cells = Pair::counts([&members[0], &members[1]]);
        let tested = pair.cells[from].values([&members[0], &members[1]]);
        for (place, target) in targets.iter().enumerate() {
            let of = |side: usize| own[side].get(&(source.to_string(), (*target).clone()));
            if of(0).is_none() && of(1).is_none() {
                continue;
            }
            // A group without cells at the later time has no share.
            let none = |of: Option<&Estimate>| of.map_or(0, |of| of.resampled.len());
            let n = none(of(0)).max(none(of(1)));
            let side = |side: usize| {
                of(side).cloned().unwrap_or_else(|| Estimate::of(&Array1::zeros(1 + n)))
            };
            let mean = |side: usize| {
                way.relabelled[side].mean_over(way.from, &tested, carried[side].view(), place)
            };
            let exchanged = pair.exchanged(mean(1) - mean(0));
            let found = Found::of([side(0), side(1)], exchanged);
            let subject = Subject {
                time_to: Some(pair.times[to]),
                group: group.to_string(),
                target: (*target).clone(),
                ..pair.at(from, kind, n_cells)
            };
            rows.push(row(subject, pair.names(), &found));
        }
    }
    Ok(rows)
}

/// Mean expression of each gene at each common time but the last, in the ancestors of each group of the last
/// common time: a cell counts by its number of descendants in the group.
///
/// # Errors
/// Those of the couplings.
pub(super) fn ancestors(
    pair: &Pair<'_>,
    chain: Option<[&Relabelled<'_>; 2]>,
) -> Result<Vec<ComparedRow>> {
    let last = pair.times.len() - 1;
    let of_last = |side: usize, group: &String| {
        pair.sides[side].members(pair.cells[last].places[side], group).contains(&true)
    };
    let targets: Vec<&String> =
        pair.groups.iter().filter(|group| of_last(0, group) && of_last(1, group)).collect();
    let mut rows = Vec::new();
    if pair.sides[0].expressed.is_none() {
        return Ok(rows);
    }
    for k in (0..last).filter(|&k| !pair.cells[k].same) {
        let own = [descendants(pair, 0, k, &targets)?, descendants(pair, 1, k, &targets)?];
        rows.extend(ways::exchanged(pair, chain, [k, last], |way| {
            ancestors_at(pair, &own, way, k, &targets)
        })?);
    }
    Ok(rows)
}

/// The rows of [`ancestors`] at common time k, from the descendants `own` of the cells of both conditions.
fn ancestors_at(
    pair: &Pair<'_>,
    own: &[Descendants],
    way: &Exchanged<'_>,
    k: usize,
    targets: &[&String],
) -> Result<Vec<ComparedRow>> {
    let Some(expressed) = &pair.sides[0].expressed else { return Ok(Vec::new()) };
    let last = pair.times.len() - 1;
    let of = &pair.cells[k];
    let indicators = indicators(pair, last, targets);
    let carried: Vec<Array2<f64>> = way
        .relabelled
        .iter()
        .map(|of| of.descendants(way.from, way.to, indicators.view()))
        .collect::<Result<_>>()?;
    let mut rows = Vec::new();
    for (gene, name) in expressed.genes.iter().enumerate() {
        let values = [0, 1].map(|side| pair.sides[side].expression(of.places[side], gene));
        let tested = of.values([&values[0].to_vec(), &values[1].to_vec()]);
        let tested = Array1::from(tested);
        for (place, target) in targets.iter().enumerate() {
            let side = |side: usize| {
                let shares = weighted(own[side].weighted.view(), place, targets.len());
                let all = vec![true; values[side].len()];
                let estimate = Estimate::of(&means(shares.view(), &all, values[side].view()));
                let enough = own[side].is_enough[place];
                if enough { estimate } else { estimate.without_interval() }
            };
            let exchanged = |side: usize| {
                let shares = weighted(carried[side].view(), place, targets.len());
                let shares = &shares * &way.relabelled[side].weights(way.from);
                means(shares.view(), &vec![true; tested.len()], tested.view())
            };
            let found = Found::of([side(0), side(1)], pair.exchanged(exchanged(1) - exchanged(0)));
            let n_cells = [values[0].len(), values[1].len()];
            let at = pair.at(k, CompareKind::Ancestors, n_cells);
            let (group, target) = ((*target).clone(), name.clone());
            let time_to = Some(pair.times[last]);
            rows.push(row(Subject { time_to, group, target, ..at }, pair.names(), &found));
        }
    }
    Ok(rows)
}

/// The descendants of the cells of one condition at one time in some groups of the last common time.
struct Descendants {
    /// Number of descendants of each cell in each group, times the weight of the cell, under each resample:
    /// `(n, columns · targets)`.
    weighted: Array2<f64>,
    /// Whether each group, and the times on the way to it, have enough cells or batches for an interval.
    is_enough: Vec<bool>,
}

/// The descendants of the cells at common time k in each of `targets` at the last common time.
fn descendants(pair: &Pair<'_>, side: usize, k: usize, targets: &[&String]) -> Result<Descendants> {
    let each = targets.len();
    let last = pair.times.len() - 1;
    let ends = [pair.cells[k].places[side], pair.cells[last].places[side]];
    let arrived: Vec<Vec<bool>> =
        targets.iter().map(|target| pair.sides[side].members(ends[1], target)).collect();
    ways::of_side(pair, side, ends, |way| {
        let resampled = way.resampled;
        let n = resampled.weights(way.to).nrows();
        let mut values = Array2::from_shape_fn((n, resampled.n_columns() * each), |(i, c)| {
            f64::from(u8::from(arrived[c % each][i]))
        });
        for link in resampled.lineage().route(way.from, way.to)?.rev() {
            values = resampled.expect(link, values)?;
        }
        let weights = resampled.weights(way.from);
        let weighted =
            Array2::from_shape_fn(values.dim(), |(i, c)| values[[i, c]] * weights[[i, c / each]]);
        let through = resampled.is_enough(way.from..way.to);
        let known = |of: &Vec<bool>| through && resampled.drawn(way.to, |i| of[i]).is_enough();
        Ok(Descendants { weighted, is_enough: arrived.iter().map(known).collect() })
    })
}

/// The columns number `place` of `each` side by side.
fn weighted(all: ArrayView2<'_, f64>, place: usize, each: usize) -> Array2<f64> {
    let columns: Vec<usize> = (place..all.ncols()).step_by(each).collect();
    all.select(Axis(1), &columns)
}

/// The share of each target group in the descendants of each source group.
type Shares = BTreeMap<(String, String), Estimate>;

/// The shares of one condition, by names of groups.
fn shares(way: &OwnWay<'_>, groups: &Groups) -> Result<Shares> {
    let found = transitions(way.resampled, groups, way.from, way.to, &mut Silent)?;
    let mut all = BTreeMap::new();
    for (source, shares) in found.sources.iter().zip(&found.shares) {
        for (target, share) in found.targets.iter().zip(shares) {
            if let (Some(source), Some(target)) = (source, target) {
                let name = |group: &usize| groups.names()[*group].clone();
                all.insert((name(source), name(target)), share.clone());
            }
        }
    }
    Ok(all)
}

/// The groups of one condition with all cells of the earlier time in one group.
fn of_all(way: &OwnWay<'_>) -> Groups {
    let groups = way.groups;
    let label =
        |group: &Option<usize>| group.map_or_else(String::new, |g| groups.names()[g].clone());
    let labels: Vec<Vec<String>> = (0..groups.n_times())
        .map(|k| {
            let of = groups.at(k).iter();
            if k == way.from {
                of.map(|_| ALL.to_string()).collect()
            } else {
                of.map(label).collect()
            }
        })
        .collect();
    Groups::of_labels(&labels)
}

/// Indicators of the groups `targets` for the tested cells at common time k, `(n, targets)`.
fn indicators(pair: &Pair<'_>, k: usize, targets: &[&String]) -> Array2<f64> {
    let of = &pair.cells[k];
    let mut found = Array2::zeros((of.tested.len(), targets.len()));
    for (mut column, target) in found.columns_mut().into_iter().zip(targets) {
        let members = [0, 1].map(|side| pair.sides[side].members(of.places[side], target));
        let members = of.values([&members[0][..], &members[1][..]]);
        column.iter_mut().zip(members).for_each(|(x, member)| *x = f64::from(u8::from(member)));
    }
    found
}
