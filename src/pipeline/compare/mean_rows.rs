//! Shares of groups, growth of groups, and mean expression: means over cells at each common time.

use ndarray::Array1;

use crate::error::Result;
use crate::pipeline::compare::CompareKind;
use crate::pipeline::compare::pair::Pair;
use crate::pipeline::compare::rows::{ComparedRow, Subject, row};
use crate::progress::Silent;

/// Growth that differs by less than this share from that of the mean cell counts as even.
const EVEN: f64 = 1e-6;

/// Shares of each group at each common time.
pub(super) fn shares(pair: &Pair<'_>) -> Vec<ComparedRow> {
    let mut rows = Vec::new();
    for (k, of) in pair.cells.iter().enumerate().filter(|(_, of)| !of.same) {
        let all = [0, 1].map(|side| pair.sides[side].members(of.places[side], ""));
        let members = [&all[0][..], &all[1][..]];
        for group in &pair.groups {
            let own = [0, 1].map(|side| pair.sides[side].members(of.places[side], group));
            if own.iter().flatten().all(|member| !member) {
                continue;
            }
            let number = |members: &Vec<bool>| -> Array1<f64> {
                members.iter().map(|member| f64::from(u8::from(*member))).collect()
            };
            let values = [number(&own[0]), number(&own[1])];
            let Some(found) = pair.mean(k, members, [values[0].view(), values[1].view()]) else {
                continue;
            };
            let n_cells = Pair::counts([&own[0], &own[1]]);
            let subject =
                Subject { group: group.clone(), ..pair.at(k, CompareKind::Share, n_cells) };
            rows.push(row(subject, pair.names(), &found));
        }
    }
    rows
}

/// Mean number of descendants of the cells of each group over each interval of both conditions, relative to
/// the mean cell. There are no rows if all cells grow alike.
///
/// Under exchanged labels each cell keeps its number of descendants.
///
/// # Errors
/// Those of the couplings.
pub(super) fn growth(pair: &Pair<'_>) -> Result<Vec<ComparedRow>> {
    let mut rows = Vec::new();
    for k in 0..pair.times.len() - 1 {
        let [places, next] = [pair.cells[k].places, pair.cells[k + 1].places];
        // The growth over an interval of one condition alone has no partner.
        if pair.is_common(k) || (0..2).any(|side| places[side] + 1 != next[side]) {
            continue;
        }
        let of = |side: usize| -> Result<Array1<f64>> {
            let course = &pair.sides[side].course;
            Ok(course.chain(&mut Silent)?.growth(places[side]))
        };
        let values = [of(0)?, of(1)?];
        if values.iter().flatten().all(|growth| (growth - 1.0).abs() < EVEN) {
            continue;
        }
        // The share of gene-based rates is found for each condition: exchanged labels and resamples keep
        // it, so that they do not show its scatter.
        let estimated = (0..2)
            .any(|side| pair.sides[side].course.process.coupling_growth[places[side]].is_some());
        for group in &pair.groups {
            let own = [0, 1].map(|side| pair.sides[side].members(places[side], group));
            let members = [&own[0][..], &own[1][..]];
            let Some(found) = pair.mean(k, members, [values[0].view(), values[1].view()]) else {
                continue;
            };
            let found = if estimated { found.untested() } else { found };
            let at = pair.at(k, CompareKind::Growth, Pair::counts(members));
            let time_to = Some(pair.times[k + 1]);
            let subject = Subject { group: group.clone(), time_to, ..at };
            rows.push(row(subject, pair.names(), &found));
        }
    }
    Ok(rows)
}

/// Mean expression of each gene at each common time, in all cells and in each group.
pub(super) fn trends(pair: &Pair<'_>) -> Vec<ComparedRow> {
    let Some(expressed) = &pair.sides[0].expressed else { return Vec::new() };
    let mut rows = Vec::new();
    for (k, of) in pair.cells.iter().enumerate().filter(|(_, of)| !of.same) {
        let everything = String::new();
        for group in std::iter::once(&everything).chain(&pair.groups) {
            let own = [0, 1].map(|side| pair.sides[side].members(of.places[side], group));
            let members = [&own[0][..], &own[1][..]];
            for (gene, name) in expressed.genes.iter().enumerate() {
                let values = [0, 1].map(|side| pair.sides[side].expression(of.places[side], gene));
                let values = [values[0].view(), values[1].view()];
                let Some(found) = pair.mean(k, members, values) else { continue };
                let at = pair.at(k, CompareKind::Trend, Pair::counts(members));
                let subject = Subject { group: group.clone(), target: name.clone(), ..at };
                rows.push(row(subject, pair.names(), &found));
            }
        }
    }
    rows
}
