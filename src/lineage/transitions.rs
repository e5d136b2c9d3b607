//! How much of which group becomes which: tables of mass between groups of two times.

use ndarray::Array2;

use crate::error::{Error, Result};
use crate::lineage::resampled::repeated;
use crate::lineage::{Groups, Lineage, Resampled};
use crate::metrics::Estimate;

/// Mass from the groups of an earlier time to those of a later one. Cells without a group are the
/// last group on either side, if there are any.
#[derive(Debug, Clone, PartialEq)]
pub struct Transitions {
    /// Places of the two times.
    pub span: (usize, usize),
    /// Groups of the earlier time (rows), by number; `None` for cells without one.
    pub sources: Vec<Option<usize>>,
    /// Groups of the later time (columns).
    pub targets: Vec<Option<usize>>,
    /// Cells of each source group, and of each target group.
    pub n_cells: (Vec<usize>, Vec<usize>),
    /// Mass with its interval, row by row: of all cells at the earlier time, each of mass `1/n`, what
    /// is in a source group and has its descendants in a target group. Sums to one where growth is
    /// balanced. There is no interval (NaN) where a group, or a time between, has too few cells to
    /// draw them again ([`crate::metrics::Drawn`]).
    pub mass: Vec<Vec<Estimate>>,
    /// The same with every row of sum one: of the descendants of a source group, the share in each
    /// target group.
    pub shares: Vec<Vec<Estimate>>,
}

/// The table from the time of place `span.0` to that of `span.1`, later, through all plans between.
///
/// # Errors
/// [`Error::Parameter`] unless the second time is later; [`Error::Shape`] if groups are those of
/// another course.
pub fn transitions(
    (lineage, resampled): (&Lineage, &Resampled<'_>),
    groups: &Groups,
    (from, to): (usize, usize),
) -> Result<Transitions> {
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
    for k in (from..to).rev() {
        values = resampled.expect(k, values)?;
    }
    let weights = resampled.weights(from);
    let own = indicators(groups, from, &sources);
    let each = targets.len();
    let mass_of = |g: usize, h: usize, b: usize| -> f64 {
        let cells = own.column(g);
        let rows = cells.iter().zip(weights.column(b)).zip(values.column(b * each + h));
        rows.map(|((member, weight), value)| member * weight * value).sum()
    };
    let enough = |k: usize, of: &[Option<usize>]| -> Vec<bool> {
        let of_group = |group| resampled.drawn(k, |i| groups.at(k)[i] == group).is_enough();
        of.iter().map(|&group| of_group(group)).collect()
    };
    let between = resampled.is_enough(from + 1..to);
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
    let count = |k: usize, of: &[Option<usize>]| -> Vec<usize> {
        of.iter().map(|group| groups.at(k).iter().filter(|own| *own == group).count()).collect()
    };
    let n_cells = (count(from, &sources), count(to, &targets));
    Ok(Transitions { span: (from, to), sources, targets, n_cells, mass, shares })
}

/// Groups with cells at a time, then `None` if cells there have none.
fn with_none(groups: &Groups, k: usize) -> Vec<Option<usize>> {
    let without = groups.at(k).contains(&None).then_some(None);
    groups.present(k).into_iter().map(Some).chain(without).collect()
}

fn indicators(groups: &Groups, k: usize, of: &[Option<usize>]) -> Array2<f64> {
    let cells = groups.at(k);
    Array2::from_shape_fn((cells.len(), of.len()), |(i, g)| f64::from(u8::from(cells[i] == of[g])))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lineage::course::tests::{example, example_of};
    use crate::rng::Seed;

    fn groups() -> Groups {
        let labels = [vec!["a", "b"], vec!["a", "a", ""], vec!["b", "c"]];
        Groups::of_labels(&labels.map(|at| at.iter().map(ToString::to_string).collect()))
    }

    #[test]
    fn masses_are_sums_over_the_plan_and_rows_are_shares() {
        let lineage = example();
        let resampled = Resampled::new(&lineage, None, (0, Seed(0))).unwrap();
        let table = transitions((&lineage, &resampled), &groups(), (0, 1)).unwrap();
        assert_eq!(table.sources, [Some(0), Some(1)]);
        assert_eq!(table.targets, [Some(0), None]);
        assert_eq!(table.n_cells, (vec![1, 1], vec![2, 1]));
        let value = |of: &[Vec<Estimate>], g: usize, h: usize| of[g][h].value;
        let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-12, "{a} {b}");
        close(value(&table.mass, 0, 0), 0.6);
        close(value(&table.mass, 1, 1), 0.3);
        close(value(&table.shares, 1, 0), 0.25);
        // Over both intervals: cell 0 has ½(0.8·0.75 + 0.4·0.75) in the first of the last cells.
        let both = transitions((&lineage, &resampled), &groups(), (0, 2)).unwrap();
        close(value(&both.mass, 0, 0), 0.5 * (0.8 * 0.75 + 0.4 * 0.75));
        close(value(&both.mass, 0, 1), 0.5 * 0.4 * 0.3);
        assert!(transitions((&lineage, &resampled), &groups(), (1, 1)).is_err());
        assert!(transitions((&lineage, &resampled), &groups(), (1, 5)).is_err());
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
        let resampled = Resampled::new(&lineage, None, (300, Seed(5))).unwrap();
        let table = transitions((&lineage, &resampled), &groups_of(4), (0, 1)).unwrap();
        let estimate = &table.mass[0][0];
        assert!((estimate.value - 0.6).abs() < 1e-9);
        assert!(estimate.lo < 0.6 && 0.6 < estimate.hi);
        // One batch, drawn again, is the same batch: no scatter is seen, and no interval given.
        let batches = [8, 12, 8].map(|n| vec!["one".to_string(); n]);
        let whole = Resampled::new(&lineage, Some(&batches), (20, Seed(5))).unwrap();
        let table = transitions((&lineage, &whole), &groups_of(4), (0, 1)).unwrap();
        assert!(table.mass[0][0].hi.is_nan() && (table.mass[0][0].value - 0.6).abs() < 1e-9);
    }

    #[test]
    fn groups_and_times_of_one_or_two_cells_have_no_interval() {
        for copies in [1, 2, 3] {
            let lineage = example_of(copies);
            let resampled = Resampled::new(&lineage, None, (60, Seed(5))).unwrap();
            let table =
                |span| transitions((&lineage, &resampled), &groups_of(copies), span).unwrap();
            let has = |of: &Estimate| of.lo.is_finite() && of.hi.is_finite();
            let all = [table((0, 1)), table((0, 2)), table((1, 2))];
            for table in &all {
                for (g, row) in table.mass.iter().zip(&table.shares).enumerate() {
                    for h in 0..table.targets.len() {
                        let enough = table.n_cells.0[g] >= 3 && table.n_cells.1[h] >= 3;
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
        let resampled = Resampled::new(&lineage, None, (50, Seed(8))).unwrap();
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
