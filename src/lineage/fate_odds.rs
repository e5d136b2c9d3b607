//! Log-odds of fates, limited to what the number of terminal cells behind a cell's fates can show.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis, s};
use rand::Rng;

use crate::error::Result;
use crate::lineage::fates::checked;
use crate::lineage::{Lineage, Terminal};
use crate::progress::{Event, Progress, report};
use crate::rng::Seed;

/// The number of terminal cells behind the fates of each cell.
///
/// ```
/// use ndarray::array;
/// use sbcell::lineage::{Lineage, Terminal, TerminalCells};
/// use sbcell::{Epsilon, Seed, Silent, bridge::Link, data::Snapshot};
/// # fn main() -> sbcell::Result<()> {
/// let cells = Snapshot::new(array![[0.0], [4.0]])?;
/// let link = Link::entropic(&cells, &cells, Epsilon::new(0.1)?)?;
/// let lineage = Lineage::new(vec![0.0, 1.0], vec![link])?;
/// let terminal = |name: &str, arrived| Terminal { name: name.into(), place: 1, arrived };
/// let ends = [terminal("left", vec![true, false]), terminal("right", vec![false, true])];
/// let behind = TerminalCells::of(&lineage, &ends, Seed(0), &mut Silent)?;
/// // Each cell has one terminal cell as its future.
/// assert!((behind.effective[0][0] - 1.0).abs() < 0.01);
/// // One cell that is left shows no more than odds of 2 to 1 for left.
/// let odds = behind.log_odds(0, array![[1.0, 0.0], [0.0, 1.0]].view());
/// assert!((odds[[0, 0]] - 2.0_f64.ln()).abs() < 0.01);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct TerminalCells {
    /// Number of cells that have arrived at any fate.
    pub n_cells: usize,
    /// Effective number of terminal cells among the descendants of each cell, from the first time to
    /// the last terminal one, each `n_cells` of that time; between 1 and the number of terminal cells.
    /// NaN for a cell that has arrived itself, whose fate is its label, and for a cell without
    /// descendants in a fate.
    pub effective: Vec<Array1<f64>>,
}

/// With at most this number of terminal cells, effective numbers are exact. With more, they are
/// estimated with this number of random signs, with a standard error of 18 %.
const SIGNS: usize = 64;

impl TerminalCells {
    /// Computes the effective number of terminal cells behind each cell, `1 / Σ_j w_ij²`. The share
    /// `w_ij` of the terminal cell j is the number of descendants of cell i in j divided by that in all
    /// terminal cells, over all intervals between them.
    ///
    /// Along straight couplings the result is exact, by one pass over all pairs of each.
    ///
    /// Along a chain no matrix between distant times is formed. Of random signs `s_j = ±1` the sum `Σ_j w_ij s_j` has
    /// the mean square `Σ_j w_ij²`; signs follow the couplings back like numbers of descendants, and the
    /// mean over 64 of them is the estimate. With up to 64 terminal cells each has a column of its own
    /// and the result is exact. Time of one product with 65 columns for each interval.
    ///
    /// The number is an upper bound of the number of independent observations behind a fate: a cell
    /// whose descendants pass through few cells of a time in between depends on these few as well.
    ///
    /// # Errors
    /// As [`Fates::of`](crate::lineage::Fates::of); [`crate::Error::Cancelled`].
    pub fn of(
        lineage: &Lineage,
        terminals: &[Terminal],
        seed: Seed,
        progress: &mut dyn Progress,
    ) -> Result<Self> {
        let (_, end) = checked(lineage, terminals)?;
        let arrived: Vec<Array1<bool>> = (0..=end).map(|k| any(lineage, terminals, k)).collect();
        let n_cells = arrived.iter().flatten().filter(|arrived| **arrived).count();
        if lineage.is_straight() {
            return Self::straight(lineage, &arrived, n_cells, progress);
        }
        let exact = n_cells <= SIGNS;
        let columns = if exact { n_cells } else { SIGNS };
        let mut signs = seed.stream("lineage/signs", 0);
        let what = "terminal cells behind each cell".to_string();
        report(progress, Event::Begin { what, total: end as u64 + 1 })?;
        // The last column counts all descendants in terminal cells.
        let mut values: Array2<f64> = Array2::zeros((0, columns + 1));
        let mut effective = Vec::with_capacity(end + 1);
        let mut next = 0;
        for k in (0..=end).rev() {
            values = if k == end {
                Array2::zeros((lineage.n_cells(k), columns + 1))
            } else {
                lineage.expect(k, values.view())?
            };
            effective.push(numbers(values.view(), arrived[k].view(), exact, n_cells));
            for i in (0..arrived[k].len()).filter(|&i| arrived[k][i]) {
                let mut row = values.row_mut(i);
                if exact {
                    row.fill(0.0);
                    row[next] = 1.0;
                } else {
                    let bits = signs.next_u64();
                    row.indexed_iter_mut().for_each(|(c, value)| {
                        *value = if c < SIGNS && bits >> c & 1 == 1 { -1.0 } else { 1.0 };
                    });
                }
                row[columns] = 1.0;
                next += 1;
            }
            report(progress, Event::Step { done: (end - k) as u64 + 1 })?;
        }
        report(progress, Event::End)?;
        effective.reverse();
        Ok(Self { n_cells, effective })
    }

    /// [`TerminalCells::of`] for straight couplings to the time at which cells have `arrived`: exact.
    fn straight(
        lineage: &Lineage,
        arrived: &[Array1<bool>],
        n_cells: usize,
        progress: &mut dyn Progress,
    ) -> Result<Self> {
        let end = arrived.len() - 1;
        let marks = arrived[end].to_vec();
        let ones = Array2::from_shape_fn((marks.len(), 1), |(j, _)| f64::from(u8::from(marks[j])));
        let what = "terminal cells behind each cell".to_string();
        report(progress, Event::Begin { what, total: end as u64 })?;
        let mut effective = Vec::with_capacity(end + 1);
        for (k, link) in lineage.links().iter().enumerate() {
            let (totals, squares) = (link.pull(ones.view())?, link.squares(&marks)?);
            let number = |(total, square): (&f64, &f64)| {
                let known = *total > 0.0 && *square > 0.0;
                if known { (total * total / square).clamp(1.0, n_cells as f64) } else { f64::NAN }
            };
            effective.push(totals.column(0).iter().zip(&squares).map(number).collect());
            report(progress, Event::Step { done: k as u64 + 1 })?;
        }
        effective.push(Array1::from_elem(marks.len(), f64::NAN));
        report(progress, Event::End)?;
        Ok(Self { n_cells, effective })
    }

    /// Log-odds `ln(p / (1 − p))` of the fate `probabilities` `(n_cells, n_fates)` of the cells at `place`,
    /// `(n_cells, n_fates)`, with p limited to `[1/(n + 2), (n + 1)/(n + 2)]`.
    ///
    /// These are the means of the Beta posteriors (uniform prior, rule of succession) after n cells of
    /// which none or all have the fate: n cells cannot show that a fate is rarer or more certain. Here
    /// n is the effective number of terminal cells behind the cell, and the number of all terminal cells
    /// for a cell that has arrived. NaN where the probability is.
    pub fn log_odds(&self, place: usize, probabilities: ArrayView2<'_, f64>) -> Array2<f64> {
        let mut odds = probabilities.to_owned();
        for (mut row, n) in odds.rows_mut().into_iter().zip(&self.effective[place]) {
            let n = if n.is_nan() { self.n_cells as f64 } else { *n };
            row.mapv_inplace(|p| bounded_log_odds(p, n));
        }
        odds
    }
}

/// `ln(p / (1 − p))` with p limited to `[1/(n + 2), (n + 1)/(n + 2)]`; NaN for NaN.
fn bounded_log_odds(p: f64, n: f64) -> f64 {
    let most = (n + 1.0).ln();
    // A limit of the log-odds keeps NaN and needs no difference of nearly equal numbers.
    let p = p.clamp(0.0, 1.0);
    (p / (1.0 - p)).ln().clamp(-most, most)
}

/// Whether each cell of the time at place `k` has arrived at any fate.
fn any(lineage: &Lineage, terminals: &[Terminal], k: usize) -> Array1<bool> {
    let mut any = Array1::from_elem(lineage.n_cells(k), false);
    for terminal in terminals.iter().filter(|terminal| terminal.place == k) {
        any.iter_mut().zip(&terminal.arrived).for_each(|(any, arrived)| *any |= arrived);
    }
    any
}

/// Effective numbers from `values` `(n, c + 1)`: numbers of descendants in single cells (`exact`) or
/// their sums with c random signs, then the number in all terminal cells.
fn numbers(
    values: ArrayView2<'_, f64>,
    arrived: ArrayView1<'_, bool>,
    exact: bool,
    most: usize,
) -> Array1<f64> {
    let columns = values.ncols() - 1;
    let squares = values.slice(s![.., ..columns]).map_axis(Axis(1), |row| row.dot(&row));
    let divisor = if exact { 1.0 } else { columns as f64 };
    Array1::from_shape_fn(arrived.len(), |i| {
        let total = values[[i, columns]];
        if arrived[i] || total <= 0.0 {
            return f64::NAN;
        }
        (total * total / (squares[i] / divisor)).clamp(1.0, most as f64)
    })
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;
    use crate::bridge::{Coupling, Link};
    use crate::lineage::course::tests::example;
    use crate::progress::Silent;

    fn terminal(name: &str, place: usize, arrived: &[bool]) -> Terminal {
        Terminal { name: name.into(), place, arrived: arrived.to_vec() }
    }

    fn close(a: f64, b: f64) {
        assert!((a - b).abs() < 1e-12, "{a} {b}");
    }

    #[test]
    fn straight_couplings_give_the_number_exactly() {
        use crate::lineage::course::tests::example_straight;
        // The first early cell has 0.4 and 0.1 in the two late cells, the second 0.5 in one.
        let ends = [terminal("a", 2, &[true, false]), terminal("b", 2, &[false, true])];
        let found = TerminalCells::of(&example_straight(), &ends, Seed(1), &mut Silent).unwrap();
        let wanted = 0.5 * 0.5 / (0.4 * 0.4 + 0.1 * 0.1);
        assert!((found.effective[0][0] - wanted).abs() < 1e-12);
        assert!((found.effective[0][1] - 1.0).abs() < 1e-12);
        assert!((found.effective[1][1] - 0.35 * 0.35 / (0.25 * 0.25 + 0.1 * 0.1)).abs() < 1e-12);
        assert!(found.effective[2].iter().all(|n| n.is_nan()));
        // Potentials give the same as their pairs.
        let points = |n: usize| {
            let at = Array2::from_shape_fn((n, 2), |(i, d)| ((i * 7 + d * 3) % 5) as f64 / 3.0);
            crate::data::Snapshot::new(at).unwrap()
        };
        let epsilon = crate::Epsilon::new(0.3).unwrap();
        let link = Link::entropic(&points(6), &points(9), epsilon).unwrap();
        let marks: Vec<bool> = (0..9).map(|j| j % 2 == 0).collect();
        let plan = link.pull(Array2::eye(9).view()).unwrap();
        for (i, square) in link.squares(&marks).unwrap().iter().enumerate() {
            let slow: f64 = (0..9).step_by(2).map(|j| plan[[i, j]] * plan[[i, j]]).sum();
            assert!((square - slow).abs() < 1e-12);
        }
    }

    #[test]
    fn effective_numbers_are_those_of_the_shares_counted_by_hand() {
        let ends = [terminal("A", 2, &[true, false]), terminal("B", 2, &[false, true])];
        let found = TerminalCells::of(&example(), &ends, Seed(0), &mut Silent).unwrap();
        // Cell 1 of the middle time: 0.25 of 0.35 at cell 0, 0.1 of 0.35 at cell 1.
        let squares = (0.25_f64 / 0.35).powi(2) + (0.1_f64 / 0.35).powi(2);
        close(found.effective[1][1], 1.0 / squares);
        close(found.effective[1][0], 1.0);
        // Cell 0 of the first time, over both intervals.
        let (a, b) = (0.8_f64 * 0.75 + 0.4 * 0.75, 0.4 * 0.3);
        close(found.effective[0][0], (a + b).powi(2) / (a * a + b * b));
        assert!(found.effective[2].iter().all(|n| n.is_nan()) && found.n_cells == 2);
    }

    #[test]
    fn cells_that_arrived_early_count_once_and_cells_without_a_fate_have_none() {
        let ends = [terminal("C", 1, &[true, false, false]), terminal("B", 2, &[false, true])];
        let found = TerminalCells::of(&example(), &ends, Seed(0), &mut Silent).unwrap();
        // 0.8 in C; 0.4 at the middle cell 1, of which 3·0.1 reach B.
        let (c, b) = (0.8_f64, 0.4 * 0.3);
        close(found.effective[0][0], (c + b).powi(2) / (c * c + b * b));
        assert!(found.effective[1][0].is_nan());
        // It does not lead to a terminal cell, and has not arrived.
        assert!(found.effective[2][0].is_nan());
    }

    /// Many terminal cells: cell i of two goes to `i + 1` of every 100 of them evenly.
    #[test]
    fn signs_estimate_the_effective_number_of_many_cells() {
        let m = 400;
        let pairs = (0..2).flat_map(|i| {
            let count = if i == 0 { m / 4 } else { m };
            (0..count).map(move |j| (i, j, 0.5 / count as f64))
        });
        let link = Link::pairs(Coupling::new(2, m, pairs).unwrap()).unwrap();
        let stay = (0..m).map(|j| (j, j, 1.0 / m as f64));
        let stay = Link::pairs(Coupling::new(m, m, stay).unwrap()).unwrap();
        let lineage = Lineage::new(vec![0.0, 1.0, 2.0], vec![link, stay]).unwrap();
        let first: Vec<bool> = (0..m).map(|j| j % 2 == 0).collect();
        let other: Vec<bool> = first.iter().map(|first| !first).collect();
        let ends = [terminal("A", 2, &first), terminal("B", 2, &other)];
        let mean = |i: usize| {
            let of = |seed| {
                let found = TerminalCells::of(&lineage, &ends, Seed(seed), &mut Silent).unwrap();
                1.0 / found.effective[0][i]
            };
            1.0 / ((0..40).map(of).sum::<f64>() / 40.0)
        };
        // 40 estimates with a standard error of 18 % have one of 3 %; the second is cut at all cells.
        assert!((mean(0) / 100.0 - 1.0).abs() < 0.1, "{}", mean(0));
        assert!(mean(1) > 330.0 && mean(1) <= 400.0, "{}", mean(1));
        let found = TerminalCells::of(&lineage, &ends, Seed(1), &mut Silent).unwrap();
        // One sign for each column: a cell with one descendant is exact.
        assert!(found.effective[1].iter().all(|n| (n - 1.0).abs() < 1e-9));
    }

    #[test]
    fn log_odds_end_where_the_cells_do() {
        let found = TerminalCells { n_cells: 50, effective: vec![array![3.0, f64::NAN, 10.0]] };
        let odds = found.log_odds(0, array![[1.0, 0.0], [1.0, 0.0], [0.6, 0.4]].view());
        // Three of three: at most (3 + 1)/(3 + 2), odds of four.
        close(odds[[0, 0]], 4.0_f64.ln());
        close(odds[[0, 1]], -4.0_f64.ln());
        close(odds[[1, 0]], 51.0_f64.ln());
        // Within the limits they are the log-odds themselves.
        close(odds[[2, 0]], 1.5_f64.ln());
        let limit = |n: f64| ((n + 1.0) / (n + 2.0), 1.0 / (n + 2.0));
        for n in [1.0, 2.5, 80.0] {
            let (most, least) = limit(n);
            close(bounded_log_odds(1.0, n), (most / (1.0 - most)).ln());
            close(bounded_log_odds(0.0, n), (least / (1.0 - least)).ln());
        }
        assert!(found.log_odds(0, array![[f64::NAN], [0.5], [0.5]].view())[[0, 0]].is_nan());
    }
}
