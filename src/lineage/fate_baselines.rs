//! Baselines of fates: the shares of the terminal groups, and the fates of the nearest terminal cells.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis};

use crate::data::Snapshot;
use crate::error::{Error, Result};
use crate::geometry::neighbours_among;
use crate::lineage::Terminal;
use crate::progress::Progress;

/// The share of each fate among all terminal cells, in the order of `names`: the fate probabilities of a
/// cell of which nothing is known. Cells of all terminal times count equally; NaN without terminal cells.
///
/// ```
/// use sbcell::lineage::{Terminal, terminal_shares};
/// let terminal = |name: &str, arrived| Terminal { name: name.into(), place: 1, arrived };
/// let ends = [terminal("left", vec![true, true, true, false]), terminal("right", vec![false, false, false, true])];
/// let shares = terminal_shares(&["left".into(), "right".into()], &ends);
/// assert_eq!(shares.to_vec(), [0.75, 0.25]);
/// ```
pub fn terminal_shares(names: &[String], terminals: &[Terminal]) -> Array1<f64> {
    let count = |name: &String| {
        let own = terminals.iter().filter(|terminal| terminal.name == *name);
        own.flat_map(|terminal| &terminal.arrived).filter(|arrived| **arrived).count() as f64
    };
    let counts: Array1<f64> = names.iter().map(count).collect();
    let total = counts.sum();
    counts / total
}

/// Fates of cells by the `k` terminal cells that are nearest to each in the coordinates of `snapshots`: one
/// table for each time up to the last terminal one, `(n_cells, n_fates)`, in the order of `names`. This is
/// the simplest prediction from the cell's state: no coupling, no growth and no noise.
///
/// Terminal cells of all later times take part. A cell that has arrived has its own fate; a cell of the
/// last terminal time that has not arrived has none (NaN), as has a cell without later terminal cells.
/// Time `3 n m dim` flops for n earlier and m terminal cells.
///
/// ```
/// use ndarray::array;
/// use sbcell::lineage::{Terminal, neighbour_fates};
/// use sbcell::{Silent, data::Snapshot};
/// # fn main() -> sbcell::Result<()> {
/// let snapshots = [
///     Snapshot::new(array![[0.1]])?,
///     Snapshot::new(array![[0.0], [0.4], [4.0]])?,
/// ];
/// let terminal = |name: &str, arrived| Terminal { name: name.into(), place: 1, arrived };
/// let ends = [terminal("left", vec![true, true, false]), terminal("right", vec![false, false, true])];
/// let names = ["left".into(), "right".into()];
/// let found = neighbour_fates(&snapshots, &names, &ends, 2, &mut Silent)?;
/// assert_eq!(found[0].row(0).to_vec(), [1.0, 0.0]);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`Error::Shape`] unless each terminal state has one entry for each cell of its time;
/// [`Error::Parameter`] if `k` is zero; [`Error::Cancelled`].
pub fn neighbour_fates(
    snapshots: &[Snapshot],
    names: &[String],
    terminals: &[Terminal],
    k: usize,
    progress: &mut dyn Progress,
) -> Result<Vec<Array2<f64>>> {
    let fates = arrivals(snapshots, names, terminals)?;
    let mut ends: Vec<usize> = terminals.iter().map(|terminal| terminal.place).collect();
    ends.sort_unstable();
    ends.dedup();
    let mut found: Vec<Array2<f64>> = Vec::new();
    // All times before the same terminal times have the same terminal cells after them.
    for (number, &end) in ends.iter().enumerate() {
        let before = found.len()..end;
        let (mut points, mut labels) = (Vec::new(), Vec::new());
        for &place in &ends[number..] {
            for (i, fate) in fates[place].iter().enumerate() {
                if let Some(fate) = fate {
                    points.push(snapshots[place].points().index_axis_move(Axis(0), i));
                    labels.push(*fate);
                }
            }
        }
        let asked: Vec<ArrayView2<'_, f64>> =
            snapshots[before.clone()].iter().map(Snapshot::points).collect();
        if asked.is_empty() || points.is_empty() {
            found.extend(before.map(|place| unknown(&snapshots[place], names.len())));
        } else {
            let near =
                neighbours_among(joined(&asked).view(), stacked(&points).view(), k, progress)?;
            let mut rows = near.indices().into_owned().into_iter();
            for place in before {
                let mut table = Array2::zeros((snapshots[place].n_cells(), names.len()));
                for mut row in table.rows_mut() {
                    for j in rows.by_ref().take(near.k()) {
                        row[labels[j as usize]] += 1.0;
                    }
                    row /= near.k() as f64;
                }
                found.push(table);
            }
        }
        // The cells of the terminal time itself come with the next, unless it is the last.
        if number + 1 == ends.len() {
            found.push(unknown(&snapshots[end], names.len()));
        }
    }
    for (table, fates) in found.iter_mut().zip(&fates) {
        for (mut row, fate) in table.rows_mut().into_iter().zip(fates) {
            if let Some(fate) = fate {
                row.fill(0.0);
                row[*fate] = 1.0;
            }
        }
    }
    Ok(found)
}

/// The fate at which each cell of each time has arrived, as its place in `names`.
fn arrivals(
    snapshots: &[Snapshot],
    names: &[String],
    terminals: &[Terminal],
) -> Result<Vec<Vec<Option<usize>>>> {
    let mut fates: Vec<Vec<Option<usize>>> =
        snapshots.iter().map(|cells| vec![None; cells.n_cells()]).collect();
    for terminal in terminals {
        let own = names.iter().position(|name| *name == terminal.name);
        let expected = snapshots.get(terminal.place).map_or(0, Snapshot::n_cells);
        let got = terminal.arrived.len();
        if expected != got {
            return Err(Error::Shape { what: "a terminal group", unit: "cells", expected, got });
        }
        for (fate, arrived) in fates[terminal.place].iter_mut().zip(&terminal.arrived) {
            if *arrived {
                *fate = own;
            }
        }
    }
    Ok(fates)
}

/// A table without any probability.
fn unknown(cells: &Snapshot, n_fates: usize) -> Array2<f64> {
    Array2::from_elem((cells.n_cells(), n_fates), f64::NAN)
}

/// The rows of all `parts` below each other.
fn joined(parts: &[ArrayView2<'_, f64>]) -> Array2<f64> {
    let rows: Vec<ArrayView1<'_, f64>> =
        parts.iter().flat_map(|part| part.axis_iter(Axis(0))).collect();
    stacked(&rows)
}

/// One matrix of `rows`, which have the same length.
fn stacked(rows: &[ArrayView1<'_, f64>]) -> Array2<f64> {
    let dim = rows.first().map_or(0, ndarray::ArrayBase::len);
    Array2::from_shape_fn((rows.len(), dim), |(i, d)| rows[i][d])
}

/// Correlation over cells between two tables of fate probabilities, `(n_cells, n_fates)`, centred for each
/// fate and pooled over fates. For two fates it is the Pearson correlation of either. Cells that have no
/// probability in one of the tables do not count; NaN if one table does not vary.
///
/// ```
/// use ndarray::array;
/// use sbcell::lineage::fate_correlation;
/// let plan = array![[0.9, 0.1], [0.5, 0.5], [0.1, 0.9]];
/// let other = array![[0.7, 0.3], [0.5, 0.5], [0.3, 0.7]];
/// assert!((fate_correlation(plan.view(), other.view()) - 1.0).abs() < 1e-12);
/// ```
pub fn fate_correlation(plan: ArrayView2<'_, f64>, other: ArrayView2<'_, f64>) -> f64 {
    let known: Vec<usize> = (0..plan.nrows())
        .filter(|&i| plan.row(i).iter().chain(other.row(i)).all(|p| p.is_finite()))
        .collect();
    let centred = |of: ArrayView2<'_, f64>| {
        let of = of.select(Axis(0), &known);
        let mean = of.sum_axis(Axis(0)) / known.len() as f64;
        of - &mean
    };
    let (a, b) = (centred(plan), centred(other));
    let (squares_a, squares_b) = ((&a * &a).sum(), (&b * &b).sum());
    // Equal probabilities differ by rounding only, which is not a variation.
    let varies = |squares: f64| squares > 1e-20 * known.len() as f64;
    if known.is_empty() || !varies(squares_a) || !varies(squares_b) {
        return f64::NAN;
    }
    (&a * &b).sum() / (squares_a * squares_b).sqrt()
}

/// How undecided each cell is, `n_cells`: the entropy of its fate probabilities `(n_cells, n_fates)` divided
/// by the entropy of the terminal `shares`, at most 1. It is 0 for a cell with one fate, and 1 for a cell
/// whose fates are as mixed as the terminal cells. NaN for a cell without a fate; 0 where all terminal
/// cells have one fate.
///
/// ```
/// use ndarray::array;
/// use sbcell::lineage::undecided;
/// let found = undecided(array![[1.0, 0.0], [0.5, 0.5]].view(), array![0.5, 0.5].view());
/// assert_eq!(found.to_vec(), [0.0, 1.0]);
/// ```
pub fn undecided(probabilities: ArrayView2<'_, f64>, shares: ArrayView1<'_, f64>) -> Array1<f64> {
    let whole = crate::lineage::trajectory::entropy(shares);
    probabilities.map_axis(Axis(1), |row| {
        if row.iter().any(|p| p.is_nan()) {
            return f64::NAN;
        }
        let own = crate::lineage::trajectory::entropy(row);
        if whole > 0.0 { (own / whole).clamp(0.0, 1.0) + 0.0 } else { 0.0 }
    })
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;
    use crate::progress::Silent;

    fn terminal(name: &str, place: usize, arrived: &[bool]) -> Terminal {
        Terminal { name: name.into(), place, arrived: arrived.to_vec() }
    }

    fn names() -> [String; 2] {
        ["A".into(), "B".into()]
    }

    fn line(points: &[f64]) -> Snapshot {
        Snapshot::new(Array2::from_shape_fn((points.len(), 1), |(i, _)| points[i])).unwrap()
    }

    #[test]
    fn fates_of_neighbours_are_shares_of_the_nearest_terminal_cells() {
        let snapshots = [line(&[0.0, 10.0]), line(&[5.0]), line(&[0.0, 1.0, 4.6, 9.0, 9.5])];
        // The cell in the middle of the last time has no fate and does not count.
        let ends = [
            terminal("A", 2, &[true, true, false, false, false]),
            terminal("B", 2, &[false, false, false, true, true]),
        ];
        let found = neighbour_fates(&snapshots, &names(), &ends, 3, &mut Silent).unwrap();
        assert_eq!(found.len(), 3);
        let close = |table: &Array2<f64>, expected: Array2<f64>| {
            assert!((table - &expected).iter().all(|off| off.abs() < 1e-12), "{table}");
        };
        close(&found[0], array![[2.0 / 3.0, 1.0 / 3.0], [1.0 / 3.0, 2.0 / 3.0]]);
        close(&found[1], array![[1.0 / 3.0, 2.0 / 3.0]]);
        assert_eq!(found[2].row(0).to_vec(), [1.0, 0.0]);
        assert!(found[2].row(2).iter().all(|p| p.is_nan()));
        // With all of them they are the shares.
        let all = neighbour_fates(&snapshots, &names(), &ends, 80, &mut Silent).unwrap();
        let shares = terminal_shares(&names(), &ends);
        assert!((&all[0].row(1) - &shares).iter().all(|off| off.abs() < 1e-12));
    }

    #[test]
    fn only_terminal_cells_of_later_times_are_neighbours() {
        let snapshots = [line(&[0.0]), line(&[0.1, 7.0]), line(&[8.0])];
        let ends = [terminal("A", 1, &[true, false]), terminal("B", 2, &[true])];
        let found = neighbour_fates(&snapshots, &names(), &ends, 1, &mut Silent).unwrap();
        assert_eq!(found[0].row(0).to_vec(), [1.0, 0.0]);
        // The first cell has arrived; the second has only the last time before it.
        assert_eq!(found[1], array![[1.0, 0.0], [0.0, 1.0]]);
        let short = [terminal("A", 1, &[true])];
        assert!(neighbour_fates(&snapshots, &names(), &short, 1, &mut Silent).is_err());
        assert!(neighbour_fates(&snapshots, &names(), &ends, 0, &mut Silent).is_err());
    }

    #[test]
    fn the_correlation_is_pearsons_for_two_fates_and_heeds_known_cells_only() {
        let first = [0.9, 0.2, 0.4, 0.7];
        let other = [0.6, 0.3, 0.1, 0.9];
        let table = |of: [f64; 4]| {
            Array2::from_shape_fn((4, 2), |(i, f)| match f {
                0 => of[i],
                _ => 1.0 - of[i],
            })
        };
        let mean = |of: &[f64]| of.iter().sum::<f64>() / of.len() as f64;
        let (a, b) = (mean(&first), mean(&other));
        let with = |x: &[f64], m: f64, y: &[f64], n: f64| -> f64 {
            x.iter().zip(y).map(|(x, y)| (x - m) * (y - n)).sum()
        };
        let pearson = with(&first, a, &other, b)
            / (with(&first, a, &first, a) * with(&other, b, &other, b)).sqrt();
        let found = fate_correlation(table(first).view(), table(other).view());
        assert!((found - pearson).abs() < 1e-12, "{found} {pearson}");
        let mut gap = ndarray::concatenate![Axis(0), table(first), array![[f64::NAN, f64::NAN]]];
        let more = ndarray::concatenate![Axis(0), table(other), array![[1.0, 0.0]]];
        assert!((fate_correlation(gap.view(), more.view()) - pearson).abs() < 1e-12);
        gap.fill(0.3);
        assert!(fate_correlation(gap.view(), more.view()).is_nan());
    }

    #[test]
    fn a_cell_is_as_undecided_as_its_entropy_in_that_of_the_terminal_cells() {
        let shares = array![0.9, 0.1];
        let rows = array![[1.0, 0.0], [0.9, 0.1], [0.5, 0.5], [0.99, 0.01], [f64::NAN, f64::NAN]];
        let found = undecided(rows.view(), shares.view());
        let entropy = |p: f64| -p * p.ln() - (1.0 - p) * (1.0 - p).ln();
        assert!(found[0].abs() < 1e-12 && (found[1] - 1.0).abs() < 1e-12);
        // More mixed than the terminal cells is no more than undecided.
        assert!((found[2] - 1.0).abs() < 1e-12 && found[4].is_nan());
        assert!((found[3] - entropy(0.99) / entropy(0.9)).abs() < 1e-12);
        assert!(undecided(array![[1.0]].view(), array![1.0].view())[0].abs() < 1e-12);
    }
}
