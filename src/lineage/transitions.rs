//! Transitions: the mass that goes from each group of one time to each group of a later time.

use ndarray::Array2;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::lineage::doubt::Predicted;
use crate::lineage::resampled::repeated;
use crate::lineage::{Groups, Resampled};
use crate::metrics::Estimate;
use crate::progress::{Event, Progress, report};

/// Masses from the groups of an earlier time (rows) to the groups of a later time (columns). Cells
/// without a group form the last row or column, if there are any. See [`transitions()`] for an
/// example.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Transitions {
    /// Place of the earlier time.
    pub from: usize,
    /// Place of the later time.
    pub to: usize,
    /// Numbers of the groups of the earlier time (rows); `None` for cells without a group.
    pub sources: Vec<Option<usize>>,
    /// Numbers of the groups of the later time (columns).
    pub targets: Vec<Option<usize>>,
    /// Number of cells of each source group.
    pub source_cells: Vec<usize>,
    /// Number of cells of each target group.
    pub target_cells: Vec<usize>,
    /// Mass from each source group (outer) to each target group (inner), with its interval. The cells
    /// of the earlier time have mass 1 together; a cell contributes by its descendants. The total is
    /// one if growth is balanced. There is no interval (NaN) if a group, or a time in between, has
    /// too few cells to resample ([`crate::metrics::Drawn`]).
    pub mass: Vec<Vec<Estimate>>,
    /// Share of each target group in the descendants of a source group, with its interval: `mass` with
    /// rows scaled to a sum of one.
    pub shares: Vec<Vec<Estimate>>,
}

/// Computes the transitions from the time of place `from` to the time of place `to` along all
/// couplings on the way between them, with 95 % intervals from the resamples, widened by how far
/// predicted fates were off in simulated courses. Time of one pass over all pairs of
/// each interval for each target group and resample.
///
/// # Errors
/// [`Error::Parameter`] if the second time is not later or not in the course; [`Error::Shape`] if
/// `groups` do not have one entry for each cell; [`Error::Cancelled`].
///
/// ```
/// use ndarray::array;
/// use sbcell::lineage::{Groups, Lineage, Resampled, transitions};
/// use sbcell::{Epsilon, Seed, Silent, bridge::Link, data::Snapshot};
/// # fn main() -> sbcell::Result<()> {
/// let cells = Snapshot::new(array![[0.0], [4.0]])?;
/// let link = Link::entropic(&cells, &cells, Epsilon::new(0.1)?)?;
/// let lineage = Lineage::new(vec![0.0, 1.0], vec![link])?;
/// let labels = [["a", "b"], ["a", "c"]].map(|at| at.map(String::from).to_vec());
/// let resampled = Resampled::new(&lineage, None, 0, Seed(0), &mut Silent)?;
/// let groups = Groups::of_labels(&labels);
/// let table = transitions(&resampled, &groups, 0, 1, &mut Silent)?;
/// // Group b becomes group c.
/// assert_eq!((table.sources[1], table.targets[1]), (Some(1), Some(2)));
/// assert!(table.shares[1][1].value > 0.99);
/// # Ok(())
/// # }
/// ```
pub fn transitions(
    resampled: &Resampled<'_>,
    groups: &Groups,
    from: usize,
    to: usize,
    progress: &mut dyn Progress,
) -> Result<Transitions> {
    let lineage = resampled.lineage();
    if from >= to || to >= lineage.times().len() {
        let (name, must) = ("pairs", "an earlier and a later time of the course");
        let time = |k: usize| lineage.times().get(k).map_or(f64::NAN, |time| *time);
        return Err(Error::Parameter { name, must, got: format!("{}:{}", time(from), time(to)) });
    }
    for k in [from, to] {
        let (expected, got) = (lineage.n_cells(k), groups.at(k).len());
        if expected != got {
            return Err(Error::Shape { what: "groups of a time", unit: "cells", expected, got });
        }
    }
    let (sources, targets) = (with_none(groups, from), with_none(groups, to));
    let columns = resampled.n_columns();
    let mut values = repeated(indicators(groups, to, &targets).view(), columns);
    let each = targets.len();
    let what = "counting transitions".to_string();
    let route = lineage.route(from, to)?;
    let total = route.len() as u64 * resampled.n_steps(each);
    report(progress, Event::Begin { what, total })?;
    let mut done = 0;
    let mut step = || {
        done += 1;
        report(progress, Event::Step { done })
    };
    for k in route.rev() {
        let becomes = resampled.becomes(k, values, &mut step)?;
        values = resampled.weighed(k, becomes);
    }
    report(progress, Event::End)?;
    let weights = resampled.weights(from);
    let own = indicators(groups, from, &sources);
    let mass_of = |g: usize, h: usize, b: usize| -> f64 {
        let cells = own.column(g);
        let rows = cells.iter().zip(weights.column(b)).zip(values.column(b * each + h));
        rows.map(|((member, weight), value)| member * weight * value).sum()
    };
    let enough = |k: usize, of: &[Option<usize>]| -> Vec<bool> {
        let of_group = |group| resampled.drawn(k, |i| groups.at(k)[i] == group).is_enough();
        of.iter().map(|&group| of_group(group)).collect()
    };
    let between = lineage.is_straight() || resampled.is_enough(from + 1..to);
    let (of_sources, of_targets) = (enough(from, &sources), enough(to, &targets));
    let estimates = |g: usize, row: &Array2<f64>| -> Vec<Estimate> {
        let rows = row.rows().into_iter().zip(&of_targets);
        rows.map(|(of, enough)| {
            let estimate = Estimate::of(&of.to_owned());
            let known = between && of_sources[g] && *enough;
            if known { estimate } else { estimate.without_interval() }
        })
        .collect()
    };
    let (mut mass, mut shares) = (Vec::new(), Vec::new());
    for g in 0..sources.len() {
        let row = Array2::from_shape_fn((each, columns), |(h, b)| mass_of(g, h, b));
        let totals = row.sum_axis(ndarray::Axis(0));
        mass.push(estimates(g, &row));
        shares.push(estimates(g, &(&row / &totals)));
    }
    add_doubt(&mut mass, &mut shares);
    let count = |k: usize, of: &[Option<usize>]| -> Vec<usize> {
        of.iter().map(|group| groups.at(k).iter().filter(|own| *own == group).count()).collect()
    };
    let (source_cells, target_cells) = (count(from, &sources), count(to, &targets));
    Ok(Transitions { from, to, sources, targets, source_cells, target_cells, mass, shares })
}

/// Widens the intervals of `shares` by what resampling cannot show, and those of `mass` in proportion.
fn add_doubt(mass: &mut [Vec<Estimate>], shares: &mut [Vec<Estimate>]) {
    let sum = |of: &[Estimate]| -> f64 { of.iter().map(|estimate| estimate.value).sum() };
    let totals: Vec<f64> = mass.iter().map(|row| sum(row)).collect();
    let all: f64 = totals.iter().sum();
    let n_targets = mass.first().map_or(0, Vec::len);
    for h in 0..n_targets {
        let of_all = mass.iter().map(|row| row[h].value).sum::<f64>() / all;
        for (g, total) in totals.iter().enumerate() {
            let share = &mut shares[g][h];
            let (value, ends) = (share.value, [share.lo, share.hi]);
            [share.lo, share.hi] =
                Predicted { value, ends, of_all, rest: Some(1.0 - total / all) }.ends();
            let mass = &mut mass[g][h];
            if share.has_interval() {
                mass.lo = mass.lo.min(total * share.lo);
                mass.hi = mass.hi.max(total * share.hi);
            }
        }
    }
}

/// Numbers of the groups with cells at the time of place `k`, then `None` if cells have no group.
fn with_none(groups: &Groups, k: usize) -> Vec<Option<usize>> {
    let without = groups.at(k).contains(&None).then_some(None);
    groups.present(k).into_iter().map(Some).chain(without).collect()
}

/// Indicators of the groups `of` at the time of place `k`, `(n_cells, of.len())`.
fn indicators(groups: &Groups, k: usize, of: &[Option<usize>]) -> Array2<f64> {
    let cells = groups.at(k);
    Array2::from_shape_fn((cells.len(), of.len()), |(i, g)| f64::from(u8::from(cells[i] == of[g])))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lineage::course::tests::{example, example_of};
    use crate::progress::Silent;
    use crate::rng::Seed;

    fn groups() -> Groups {
        let labels = [vec!["a", "b"], vec!["a", "a", ""], vec!["b", "c"]];
        Groups::of_labels(&labels.map(|at| at.iter().map(ToString::to_string).collect()))
    }

    #[test]
    fn masses_are_sums_over_the_plan_and_rows_are_shares() {
        let lineage = example();
        let resampled = Resampled::new(&lineage, None, 0, Seed(0), &mut Silent).unwrap();
        let table = transitions(&resampled, &groups(), 0, 1, &mut Silent).unwrap();
        assert_eq!(table.sources, [Some(0), Some(1)]);
        assert_eq!(table.targets, [Some(0), None]);
        assert_eq!((table.source_cells, table.target_cells), (vec![1, 1], vec![2, 1]));
        let value = |of: &[Vec<Estimate>], g: usize, h: usize| of[g][h].value;
        let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-12, "{a} {b}");
        close(value(&table.mass, 0, 0), 0.6);
        close(value(&table.mass, 1, 1), 0.3);
        close(value(&table.shares, 1, 0), 0.25);
        // Over both intervals: cell 0 has ½(0.8·0.75 + 0.4·0.75) in the first of the last cells.
        let both = transitions(&resampled, &groups(), 0, 2, &mut Silent).unwrap();
        close(value(&both.mass, 0, 0), 0.5 * (0.8 * 0.75 + 0.4 * 0.75));
        close(value(&both.mass, 0, 1), 0.5 * 0.4 * 0.3);
        assert!(transitions(&resampled, &groups(), 1, 1, &mut Silent).is_err());
        assert!(transitions(&resampled, &groups(), 1, 5, &mut Silent).is_err());
    }

    /// As `groups` with every cell `copies` times.
    fn groups_of(copies: usize) -> Groups {
        let labels = [vec!["a", "b"], vec!["a", "a", ""], vec!["b", "c"]];
        let repeated = |of: Vec<&str>| {
            of.iter().flat_map(|label| vec![label.to_string(); copies]).collect::<Vec<_>>()
        };
        Groups::of_labels(&labels.map(repeated))
    }

    #[test]
    fn resampled_masses_scatter_around_the_estimate() {
        let lineage = example_of(4);
        let resampled = Resampled::new(&lineage, None, 300, Seed(5), &mut Silent).unwrap();
        let table = transitions(&resampled, &groups_of(4), 0, 1, &mut Silent).unwrap();
        let estimate = &table.mass[0][0];
        assert!((estimate.value - 0.6).abs() < 1e-9);
        assert!(estimate.lo < 0.6 && 0.6 < estimate.hi);
        // One batch, drawn again, is the same batch: no scatter is seen, and no interval given.
        let batches = [8, 12, 8].map(|n| vec!["one".to_string(); n]);
        let whole = Resampled::new(&lineage, Some(&batches), 20, Seed(5), &mut Silent).unwrap();
        let table = transitions(&whole, &groups_of(4), 0, 1, &mut Silent).unwrap();
        assert!(table.mass[0][0].hi.is_nan() && (table.mass[0][0].value - 0.6).abs() < 1e-9);
    }

    #[test]
    fn groups_and_times_of_one_or_two_cells_have_no_interval() {
        for copies in [1, 2, 3] {
            let lineage = example_of(copies);
            let resampled = Resampled::new(&lineage, None, 60, Seed(5), &mut Silent).unwrap();
            let table = |from, to| {
                transitions(&resampled, &groups_of(copies), from, to, &mut Silent).unwrap()
            };
            let has = |of: &Estimate| of.lo.is_finite() && of.hi.is_finite();
            let all = [table(0, 1), table(0, 2), table(1, 2)];
            for table in &all {
                for (g, row) in table.mass.iter().zip(&table.shares).enumerate() {
                    for h in 0..table.targets.len() {
                        let enough = table.source_cells[g] >= 3 && table.target_cells[h] >= 3;
                        assert_eq!(has(&row.0[h]), enough, "{copies} {g} {h}");
                        assert_eq!(has(&row.1[h]), enough, "{copies} {g} {h}");
                        assert!(row.0[h].value.is_finite());
                    }
                }
            }
        }
    }

    #[test]
    fn no_mass_is_lost_or_made_under_any_resample() {
        let lineage = example();
        let resampled = Resampled::new(&lineage, None, 50, Seed(8), &mut Silent).unwrap();
        for k in 0..2 {
            let ones = Array2::ones((lineage.n_cells(k + 1), resampled.n_columns()));
            let left = resampled.expect(k, ones).unwrap();
            for b in 0..resampled.n_columns() {
                let whole: f64 = resampled.weights(k).column(b).dot(&left.column(b));
                // What was drawn on one side has partners among what was drawn on the other, or there
                // are none at all.
                assert!(whole < 1.0 + 1e-3, "{k} {b}: {whole}");
            }
            let whole = resampled.weights(k).column(0).dot(&left.column(0));
            assert!((whole - 1.0).abs() < 1e-9);
            // A cell's growth is its share of the mass that leaves over its share of the cells.
            let growth = lineage.growth(k);
            assert!((&growth - &left.column(0)).iter().all(|off| off.abs() < 1e-9));
        }
    }
}
