//! Fates and transitions: shares of groups among descendants, along the couplings of each condition.

use std::collections::{BTreeMap, BTreeSet};

use ndarray::{Array1, Array2, ArrayView2, Axis};

use crate::error::Result;
use crate::lineage::{Groups, Relabelled, transitions};
use crate::metrics::Estimate;
use crate::pipeline::compare::CompareKind;
use crate::pipeline::compare::pair::{Pair, means};
use crate::pipeline::compare::rows::{ComparedRow, Found, Subject, row};
use crate::progress::Silent;

/// Name of all cells of a time as one group. No group of a file has a hidden character.
const ALL: &str = "\u{1}all";

/// Rows of one kind between the common times `from` and `to`, from each group and, for fates, from all cells.
///
/// The numbers of each condition follow from its own couplings, and their intervals from resamples. Labels are
/// exchanged on entropic couplings of the cells of both conditions, `relabelled` for each of them.
///
/// # Errors
/// Those of [`transitions`].
pub(super) fn between(
    pair: &Pair<'_>,
    relabelled: [&Relabelled<'_>; 2],
    kind: CompareKind,
    [from, to]: [usize; 2],
) -> Result<Vec<ComparedRow>> {
    let mut rows = Vec::new();
    let ends = [0, 1].map(|side| [pair.cells[from].places[side], pair.cells[to].places[side]]);
    let own: Vec<Shares> = (0..2)
        .map(|side| {
            let groups = &pair.sides[side].groups;
            let mut found = shares(pair, side, groups, ends[side])?;
            if kind == CompareKind::Fate {
                let whole = of_all(pair, side, ends[side]);
                found.extend(shares(pair, side, &whole, ends[side])?);
            }
            Ok(found)
        })
        .collect::<Result<_>>()?;
    let targets: Vec<&String> = pair.groups.iter().collect();
    let indicators = indicators(pair, to, &targets);
    let carried: Vec<Array2<f64>> = relabelled
        .iter()
        .map(|of| of.descendants(from, to, indicators.view()))
        .collect::<Result<_>>()?;
    let sources: BTreeSet<&str> =
        own.iter().flat_map(|of| of.keys().map(|(g, _)| g.as_str())).collect();
    for source in sources {
        let group = if source == ALL { "" } else { source };
        let members = [0, 1].map(|side| pair.sides[side].members(ends[side][0], group));
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
                relabelled[side].mean_over(from, &tested, carried[side].view(), place)
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
    relabelled: [&Relabelled<'_>; 2],
) -> Result<Vec<ComparedRow>> {
    let Some(expressed) = &pair.sides[0].expressed else { return Ok(Vec::new()) };
    let last = pair.times.len() - 1;
    let of_last = |side: usize, group: &String| {
        pair.sides[side].members(pair.cells[last].places[side], group).contains(&true)
    };
    let targets: Vec<&String> =
        pair.groups.iter().filter(|group| of_last(0, group) && of_last(1, group)).collect();
    let indicators = indicators(pair, last, &targets);
    let own = [descendants(pair, 0, &targets)?, descendants(pair, 1, &targets)?];
    let mut rows = Vec::new();
    for k in (0..last).filter(|&k| !pair.cells[k].same) {
        let of = &pair.cells[k];
        let carried: Vec<Array2<f64>> = relabelled
            .iter()
            .map(|of| of.descendants(k, last, indicators.view()))
            .collect::<Result<_>>()?;
        for (gene, name) in expressed.genes.iter().enumerate() {
            let values = [0, 1].map(|side| pair.sides[side].expression(of.places[side], gene));
            let tested = of.values([&values[0].to_vec(), &values[1].to_vec()]);
            let tested = Array1::from(tested);
            for (place, target) in targets.iter().enumerate() {
                let side = |side: usize| {
                    let shares = weighted(own[side][k].view(), place, targets.len());
                    let all = vec![true; values[side].len()];
                    let estimate = Estimate::of(&means(shares.view(), &all, values[side].view()));
                    let resampled = pair.resampled[side];
                    let end = pair.cells[last].places[side];
                    let arrived = pair.sides[side].members(end, target);
                    let enough = resampled.is_enough(of.places[side]..end)
                        && resampled.drawn(end, |i| arrived[i]).is_enough();
                    if enough { estimate } else { estimate.without_interval() }
                };
                let exchanged = |side: usize| {
                    let shares = weighted(carried[side].view(), place, targets.len());
                    let shares = &shares * &relabelled[side].weights(k);
                    means(shares.view(), &vec![true; tested.len()], tested.view())
                };
                let found =
                    Found::of([side(0), side(1)], pair.exchanged(exchanged(1) - exchanged(0)));
                let n_cells = [values[0].len(), values[1].len()];
                let at = pair.at(k, CompareKind::Ancestors, n_cells);
                let (group, target) = ((*target).clone(), name.clone());
                let time_to = Some(pair.times[last]);
                rows.push(row(Subject { time_to, group, target, ..at }, pair.names(), &found));
            }
        }
    }
    Ok(rows)
}

/// For each common time but the last the number of descendants of each cell in each of `targets` at the last
/// common time, times the weight of the cell, under each resample: `(n, columns · targets)`.
fn descendants(pair: &Pair<'_>, side: usize, targets: &[&String]) -> Result<Vec<Array2<f64>>> {
    let resampled = pair.resampled[side];
    let columns = resampled.n_columns();
    let each = targets.len();
    let end = pair.cells[pair.times.len() - 1].places[side];
    let arrived: Vec<Vec<bool>> =
        targets.iter().map(|target| pair.sides[side].members(end, target)).collect();
    let n = resampled.weights(end).nrows();
    let mut values = Array2::from_shape_fn((n, columns * each), |(i, c)| {
        f64::from(u8::from(arrived[c % each][i]))
    });
    let mut found = Vec::new();
    for place in (pair.cells[0].places[side]..end).rev() {
        values = resampled.expect(place, values)?;
        if pair.cells.iter().any(|of| of.places[side] == place) {
            let weights = resampled.weights(place);
            found.push(Array2::from_shape_fn(values.dim(), |(i, c)| {
                values[[i, c]] * weights[[i, c / each]]
            }));
        }
    }
    found.reverse();
    Ok(found)
}

/// The columns number `place` of `each` side by side.
fn weighted(all: ArrayView2<'_, f64>, place: usize, each: usize) -> Array2<f64> {
    let columns: Vec<usize> = (place..all.ncols()).step_by(each).collect();
    all.select(Axis(1), &columns)
}

/// The share of each target group in the descendants of each source group.
type Shares = BTreeMap<(String, String), Estimate>;

/// The shares between the places `ends` of one condition, by names of groups.
fn shares(pair: &Pair<'_>, side: usize, groups: &Groups, [from, to]: [usize; 2]) -> Result<Shares> {
    let found = transitions(pair.resampled[side], groups, from, to, &mut Silent)?;
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

/// The groups of one condition with all cells of the place `from` in one group.
fn of_all(pair: &Pair<'_>, side: usize, [from, _]: [usize; 2]) -> Groups {
    let groups = &pair.sides[side].groups;
    let label =
        |group: &Option<usize>| group.map_or_else(String::new, |g| groups.names()[g].clone());
    let labels: Vec<Vec<String>> = (0..groups.n_times())
        .map(|k| {
            let of = groups.at(k).iter();
            if k == from { of.map(|_| ALL.to_string()).collect() } else { of.map(label).collect() }
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
