//! Fates: the shares of a cell's descendants that reach each terminal state.

use ndarray::{Array1, Array2, ArrayView2, Axis, s};

use crate::error::{Error, Result};
use crate::lineage::doubt::Predicted;
use crate::lineage::resampled::{intervals, repeated};
use crate::lineage::{Lineage, Resampled};
use crate::progress::{Event, Progress, report};

/// A terminal state: a set of cells of one time that count as arrived at a fate. Several terminal
/// states may have the same name; they are then one fate with cells of several times.
///
/// ```
/// use sbcell::lineage::Terminal;
/// // The second of two cells of the time at place 1 is a neuron.
/// let neurons = Terminal { name: "neuron".into(), place: 1, arrived: vec![false, true] };
/// assert_eq!(neurons.arrived.iter().filter(|arrived| **arrived).count(), 1);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Terminal {
    /// Name of the fate.
    pub name: String,
    /// Place of the time in the course.
    pub place: usize,
    /// Whether each cell of this time has arrived, `n_cells`.
    pub arrived: Vec<bool>,
}

/// Fates of the cells of all times up to the last terminal one.
///
/// ```
/// use ndarray::array;
/// use sbcell::lineage::{Fates, Lineage, Resampled, Terminal};
/// use sbcell::{Epsilon, Seed, Silent, bridge::Link, data::Snapshot};
/// # fn main() -> sbcell::Result<()> {
/// let cells = Snapshot::new(array![[0.0], [4.0]])?;
/// let link = Link::entropic(&cells, &cells, Epsilon::new(0.1)?)?;
/// let lineage = Lineage::new(vec![0.0, 1.0], vec![link])?;
/// // Both cells at the end are terminal states.
/// let terminal = |name: &str, arrived| Terminal { name: name.into(), place: 1, arrived };
/// let ends = [terminal("left", vec![true, false]), terminal("right", vec![false, true])];
/// let resampled = Resampled::new(&lineage, None, 0, Seed(0), &mut Silent)?;
/// let fates = Fates::of(&resampled, &ends, &mut Silent)?;
/// // The first of the earlier cells ends on the left.
/// assert_eq!(fates.names, ["left", "right"]);
/// assert!(fates.tables[0].probabilities[[0, 0]] > 0.99);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Fates {
    /// Names of the fates, in the order of the terminal states.
    pub names: Vec<String>,
    /// One table for each time, from the first time to the last terminal one.
    pub tables: Vec<FateTable>,
}

/// Fates of the cells of one time. See [`Fates`] for an example.
#[derive(Debug, Clone, PartialEq)]
pub struct FateTable {
    /// Fate probabilities, `(n_cells, n_fates)`: the share of each fate among the descendants of a
    /// cell that reach any fate. Rows sum to one; they are NaN for a cell without such descendants.
    pub probabilities: Array2<f64>,
    /// Lower ends of the 95 % intervals of the probabilities, `(n_cells, n_fates)`: by resampling, and
    /// widened by how far predicted fates were off in simulated courses. They are about the share of a
    /// fate among cells that are measured like this one; whether a single cell has decided may not show
    /// in what is measured. NaN without resamples, and where the fate or a time in between has too few cells to resample
    /// ([`crate::metrics::Drawn`]).
    pub lo: Array2<f64>,
    /// Upper ends of the 95 % intervals, `(n_cells, n_fates)`.
    pub hi: Array2<f64>,
    /// Share of all descendants of a cell that reach any fate, `n_cells`.
    pub reached: Array1<f64>,
    /// Number of descendants of each cell at the last terminal time relative to the mean cell,
    /// `n_cells`. A cell that arrives earlier counts as one descendant.
    pub descendants: Array1<f64>,
}

impl FateTable {
    /// Entropy of the fate probabilities of each cell in nats, `n_cells`: 0 for a committed cell, NaN
    /// for a cell without a fate.
    pub fn entropy(&self) -> Array1<f64> {
        self.probabilities.map_axis(Axis(1), |row| {
            if row.iter().any(|p| p.is_nan()) {
                return f64::NAN;
            }
            crate::lineage::trajectory::entropy(row)
        })
    }
}

impl Fates {
    /// Computes the fates of all cells, coupling by coupling from the last terminal time back. With
    /// `N^f_j = 1` for the cells that have arrived at fate f,
    ///
    /// ```text
    /// N^f_i = n Σ_j T_ij N^f_j,    p(f | i) = N^f_i / Σ_g N^g_i
    /// ```
    ///
    /// A cell that arrives before the last terminal time stays: its own descendants do not count
    /// again. Straight couplings ([`Lineage::straight`]) take terminal states of the last time only.
    /// Growth counts: a cell contributes all its descendants. Intervals show the sampling
    /// variation of the cells (see [`Resampled`]) and the error of predicted fates in simulated courses. Time of one pass over all pairs of each interval
    /// for each fate and resample.
    ///
    /// # Errors
    /// [`Error::Parameter`] if there is no terminal state, one without cells, none after the first
    /// time, or if two of them share a cell; [`Error::Shape`] if `arrived` has not one entry for each
    /// cell; [`Error::Cancelled`].
    pub fn of(
        resampled: &Resampled<'_>,
        terminals: &[Terminal],
        progress: &mut dyn Progress,
    ) -> Result<Self> {
        let lineage = resampled.lineage();
        let (names, end) = checked(lineage, terminals)?;
        let n_fates = names.len();
        let columns = resampled.n_columns();
        // One column for each fate, then one for all descendants.
        let each = n_fates + 1;
        let (values, mut descendants) = arrivals(lineage, terminals, &names, end, None);
        let at_end = repeated(values.view(), columns);
        let mut all = at_end.clone();
        let what = "following the cells to their fates".to_string();
        let total = end as u64 * resampled.n_steps(each);
        report(progress, Event::Begin { what, total })?;
        let mut done = 0;
        let mut step = || {
            done += 1;
            report(progress, Event::Step { done })
        };
        let mut tables = vec![table(&all, each, descendants.clone())];
        for k in (0..end).rev() {
            if lineage.is_straight() {
                all.clone_from(&at_end);
                descendants = Array1::ones(lineage.n_cells(end));
            }
            let mut becomes = resampled.becomes(k, all, &mut step)?;
            let expected = lineage.expect(k, descendants.view().insert_axis(Axis(1)))?;
            let before = Some(expected.column(0).to_owned());
            let (values, after) = arrivals(lineage, terminals, &names, k, before);
            descendants = after;
            all = resampled.weighed(k, becomes.clone());
            for (i, row) in values.rows().into_iter().enumerate() {
                if row[n_fates] > 0.0 {
                    let arrived = Array1::from_shape_fn(all.ncols(), |c| row[c % each]);
                    becomes.row_mut(i).assign(&arrived);
                    all.row_mut(i).assign(&arrived);
                }
            }
            tables.push(table(&becomes, each, descendants.clone()));
        }
        report(progress, Event::End)?;
        tables.reverse();
        let mut found = Self { names, tables };
        found.leave_out_unknown(resampled, terminals, end);
        found.add_doubt(end);
        Ok(found)
    }
}

impl Fates {
    /// Sets intervals to NaN for fates with too few arrived cells, and for cells whose descendants
    /// pass through a time with too few cells. `end` is the place of the last terminal time.
    fn leave_out_unknown(&mut self, resampled: &Resampled<'_>, terminals: &[Terminal], end: usize) {
        let arrived_is_enough = |name: &String| {
            let own = terminals.iter().filter(|terminal| terminal.name == *name);
            own.into_iter().any(|of| resampled.drawn(of.place, |i| of.arrived[i]).is_enough())
        };
        let known: Vec<bool> = self.names.iter().map(arrived_is_enough).collect();
        for (k, table) in self.tables.iter_mut().enumerate() {
            // At the last time fates are known without sampling variation.
            let passed = if resampled.lineage().is_straight() { end..=end } else { k + 1..=end };
            let through = resampled.is_enough(passed);
            for fate in (0..known.len()).filter(|&fate| k < end && !(through && known[fate])) {
                table.lo.column_mut(fate).fill(f64::NAN);
                table.hi.column_mut(fate).fill(f64::NAN);
            }
        }
    }
}

impl Fates {
    /// Widens the intervals of all times before `end` by what resampling cannot show.
    fn add_doubt(&mut self, end: usize) {
        for table in &mut self.tables[..end] {
            for fate in 0..self.names.len() {
                let probabilities = table.probabilities.column(fate);
                let known = probabilities.iter().filter(|p| p.is_finite());
                let of_all = known.clone().sum::<f64>() / known.count() as f64;
                for (i, &value) in probabilities.iter().enumerate() {
                    let at = [i, fate];
                    let ends = [table.lo[at], table.hi[at]];
                    let ends = Predicted { value, ends, of_all, rest: None }.ends();
                    (table.lo[at], table.hi[at]) = (ends[0], ends[1]);
                }
            }
        }
    }
}

/// Checks the terminal states. Returns the names of the fates in order, and the place of the last
/// terminal time.
pub(super) fn checked(lineage: &Lineage, terminals: &[Terminal]) -> Result<(Vec<String>, usize)> {
    let refuse = |must, got: String| Err(Error::Parameter { name: "terminal groups", must, got });
    let Some(end) = terminals.iter().map(|terminal| terminal.place).max() else {
        return refuse("at least one", "none".into());
    };
    if end == 0 {
        return refuse("at a later time than the first", "the first time".into());
    }
    let is_last = |terminal: &Terminal| terminal.place + 1 == lineage.times().len();
    if lineage.is_straight() && !terminals.iter().all(is_last) {
        return refuse("at the last time, to which the couplings go", "an earlier time".into());
    }
    let mut names: Vec<String> = Vec::new();
    for (number, terminal) in terminals.iter().enumerate() {
        let (expected, got) = (lineage.n_cells(terminal.place), terminal.arrived.len());
        if expected != got {
            return Err(Error::Shape { what: "a terminal group", unit: "cells", expected, got });
        }
        if !terminal.arrived.contains(&true) {
            return refuse("groups with cells at their time", terminal.name.clone());
        }
        for other in &terminals[..number] {
            let both = other.arrived.iter().zip(&terminal.arrived).any(|(a, b)| *a && *b);
            if other.place == terminal.place && both {
                return refuse(
                    "without common cells",
                    format!("{}, {}", other.name, terminal.name),
                );
            }
        }
        if !names.contains(&terminal.name) {
            names.push(terminal.name.clone());
        }
    }
    Ok((names, end))
}

/// Indicators of the cells that have arrived at the time of place `k`, `(n, n_fates + 1)`: one column
/// for each fate, then one for any fate. At the last time, where `descendants` are not given, the last
/// column is 1 for all cells. Also returns the descendants of each cell, one for arrived cells.
fn arrivals(
    lineage: &Lineage,
    terminals: &[Terminal],
    names: &[String],
    k: usize,
    descendants: Option<Array1<f64>>,
) -> (Array2<f64>, Array1<f64>) {
    let n = lineage.n_cells(k);
    let mut values = Array2::zeros((n, names.len() + 1));
    if descendants.is_none() {
        values.column_mut(names.len()).fill(1.0);
    }
    let mut descendants = descendants.unwrap_or_else(|| Array1::ones(n));
    for terminal in terminals.iter().filter(|terminal| terminal.place == k) {
        let fate = names.iter().position(|name| *name == terminal.name).unwrap_or(0);
        for i in (0..n).filter(|&i| terminal.arrived[i]) {
            values[[i, fate]] = 1.0;
            values[[i, names.len()]] = 1.0;
            descendants[i] = 1.0;
        }
    }
    (values, descendants)
}

/// The table of one time. `values` are `(n, columns · each)`: for each resample the numbers of
/// descendants in each fate, then the number of all descendants.
fn table(values: &Array2<f64>, each: usize, descendants: Array1<f64>) -> FateTable {
    let (n, n_fates, columns) = (values.nrows(), each - 1, values.ncols() / each);
    let reached = Array1::from_shape_fn(n, |i| {
        let total = values[[i, n_fates]];
        let fates: f64 = values.slice(s![i, ..n_fates]).sum();
        if total > 0.0 { (fates / total).min(1.0) } else { 0.0 }
    });
    let share = |i: usize, fate: usize, b: usize| {
        let own = values.slice(s![i, b * each..b * each + n_fates]);
        own[fate] / own.sum()
    };
    let mut probabilities = Array2::zeros((n, n_fates));
    let (mut lo, mut hi) = (probabilities.clone(), probabilities.clone());
    for fate in 0..n_fates {
        let all = Array2::from_shape_fn((n, columns), |(i, b)| share(i, fate, b));
        let (least, most) = intervals(ArrayView2::from(&all));
        probabilities.column_mut(fate).assign(&all.column(0));
        lo.column_mut(fate).assign(&least);
        hi.column_mut(fate).assign(&most);
    }
    FateTable { probabilities, lo, hi, reached, descendants }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bridge::{Coupling, Link};
    use crate::lineage::Bootstrap;
    use crate::lineage::course::tests::{example, example_of};
    use crate::progress::Silent;
    use crate::rng::Seed;

    fn terminal(name: &str, place: usize, arrived: &[bool]) -> Terminal {
        Terminal { name: name.into(), place, arrived: arrived.to_vec() }
    }

    fn fates(terminals: &[Terminal], n_resamples: usize) -> Fates {
        let lineage = example();
        let resampled = Resampled::new(&lineage, None, n_resamples, Seed(2), &mut Silent).unwrap();
        Fates::of(&resampled, terminals, &mut Silent).unwrap()
    }

    fn close(a: f64, b: f64) {
        assert!((a - b).abs() < 1e-12, "{a} {b}");
    }

    #[test]
    fn fates_are_shares_of_descendants_counted_by_hand() {
        let ends = [terminal("A", 2, &[true, false]), terminal("B", 2, &[false, true])];
        let fates = fates(&ends, 0);
        let middle = &fates.tables[1];
        close(middle.probabilities[[1, 0]], 0.25 / 0.35);
        close(middle.descendants[1], 1.05);
        // Cell 0 has 2·0.4 at cell 0 (0.75 descendants, all A) and 2·0.2 at cell 1.
        let (a, b) = (0.8 * 0.75 + 0.4 * 0.75, 0.4 * 0.3);
        let first = &fates.tables[0];
        close(first.probabilities[[0, 0]], a / (a + b));
        close(first.descendants[0], a + b);
        close(first.reached[0], 1.0);
        let p = a / (a + b);
        close(first.entropy()[0], -p * p.ln() - (1.0 - p) * (1.0 - p).ln());
        close(fates.tables[2].probabilities[[0, 0]], 1.0);
    }

    #[test]
    fn cells_that_arrived_early_stay_and_the_rest_is_not_reached() {
        // Cell 0 of the middle time has arrived in C; of the last time only cell 1 counts.
        let ends = [terminal("C", 1, &[true, false, false]), terminal("B", 2, &[false, true])];
        let fates = fates(&ends, 0);
        let first = &fates.tables[0];
        // 0.8 in C; 0.4 at cell 1, of which 3·0.1 reach B and 3·0.25 nothing.
        let (c, b, lost) = (0.8, 0.4 * 0.3, 0.4 * 0.75);
        close(first.probabilities[[0, 0]], c / (c + b));
        close(first.reached[0], (c + b) / (c + b + lost));
        assert!(fates.tables[2].probabilities[[0, 0]].is_nan());
        close(fates.tables[1].probabilities[[0, 0]], 1.0);
        close(fates.tables[1].descendants[0], 1.0);
    }

    #[test]
    fn fates_of_one_or_two_cells_have_no_interval() {
        for copies in [1, 2, 3] {
            let lineage = example_of(copies);
            let resampled = Resampled::new(&lineage, None, 60, Seed(2), &mut Silent).unwrap();
            let arrived =
                |first: bool| (0..2 * copies).map(|i| (i < copies) == first).collect::<Vec<_>>();
            let ends = [terminal("A", 2, &arrived(true)), terminal("B", 2, &arrived(false))];
            let fates = Fates::of(&resampled, &ends, &mut Silent).unwrap();
            for table in &fates.tables[..2] {
                assert!(table.probabilities.iter().all(|p| p.is_finite()));
                let all = table.lo.iter().chain(&table.hi);
                assert!(all.clone().all(|end| end.is_finite() == (copies == 3)), "{copies}");
            }
        }
    }

    #[test]
    fn intervals_hold_the_estimate_and_widen_with_uncertainty() {
        let lineage = example_of(4);
        let resampled = Resampled::new(&lineage, None, 200, Seed(2), &mut Silent).unwrap();
        let arrived = |first: bool| (0..8).map(|i| (i < 4) == first).collect::<Vec<_>>();
        let ends = [terminal("A", 2, &arrived(true)), terminal("B", 2, &arrived(false))];
        let fates = Fates::of(&resampled, &ends, &mut Silent).unwrap();
        let first = &fates.tables[0];
        assert!(first.lo[[0, 0]] <= first.probabilities[[0, 0]] + 1e-9);
        assert!(first.hi[[0, 0]] >= first.probabilities[[0, 0]] - 1e-9);
        assert!(first.hi[[0, 0]] - first.lo[[0, 0]] > 0.05);
    }

    #[test]
    fn groups_that_overlap_are_empty_or_at_the_start_are_refused() {
        let lineage = example();
        let resampled = Resampled::new(&lineage, None, 0, Seed(0), &mut Silent).unwrap();
        for bad in [
            vec![],
            vec![terminal("A", 2, &[false, false])],
            vec![terminal("A", 2, &[true, false]), terminal("B", 2, &[true, true])],
            vec![terminal("A", 0, &[true, false])],
            vec![terminal("A", 2, &[true])],
        ] {
            assert!(Fates::of(&resampled, &bad, &mut Silent).is_err(), "{bad:?}");
        }
    }

    /// With one resample the interval is that resample: interval by interval by hand.
    #[test]
    fn a_resample_of_two_intervals_weighs_the_cells_between_them() {
        // Three copies of each cell, since fewer have no interval; the first three of the last time are A.
        let is_a = |cell: usize| cell < 3;
        let arrived = |group_a: bool| (0..6).map(|i| is_a(i) == group_a).collect::<Vec<_>>();
        let ends = [terminal("A", 2, &arrived(true)), terminal("B", 2, &arrived(false))];
        let lineage = example_of(3);
        for seed in 0..8 {
            let resampled = Resampled::new(&lineage, None, 1, Seed(seed), &mut Silent).unwrap();
            let found = Fates::of(&resampled, &ends, &mut Silent).unwrap();
            let arrived =
                ndarray::Array2::from_shape_fn((6, 2), |(i, k)| f64::from(is_a(i) == (k == 0)));
            let middle = resampled.expect(1, repeated(arrived.view(), 2)).unwrap();
            let first = resampled.becomes(0, middle, &mut || Ok(())).unwrap();
            let of_a = found.tables[0].probabilities.column(0);
            let of_all = of_a.mean().unwrap();
            for (i, row) in first.rows().into_iter().enumerate() {
                let share = row[2] / (row[2] + row[3]);
                let both = [found.tables[0].lo[[i, 0]], found.tables[0].hi[[i, 0]]];
                let ends = [share, share];
                let wanted = Predicted { value: of_a[i], ends, of_all, rest: None }.ends();
                // None of those that it becomes may have been drawn.
                let same =
                    both.iter().zip(wanted).all(|(end, wanted)| (end - wanted).abs() < 1e-12);
                assert!(share.is_nan() || same, "{seed}: {both:?} {wanted:?}");
            }
        }
    }

    #[test]
    fn fates_of_one_time_by_itself_are_those_of_the_whole_course() {
        let sizes = [5, 8, 6];
        let link = |n: usize| {
            let mass = |i: usize, j: usize| (1 + (i * 7 + j * 3) % 5) as f64 / 100.0;
            let pairs = (0..n).flat_map(|i| (0..6).map(move |j| (i, j, mass(i, j))));
            Link::pairs(Coupling::new(n, 6, pairs).unwrap()).unwrap()
        };
        let whole = Lineage::straight(vec![0.0, 1.0, 3.0], vec![link(5), link(8)]).unwrap();
        let ends = |place| {
            let arrived = |a: bool| (0..6).map(|j| (j < 3) == a).collect::<Vec<_>>();
            [terminal("A", place, &arrived(true)), terminal("B", place, &arrived(false))]
        };
        let batches = sizes.map(|n| (0..n).map(|i| format!("donor {}", i % 4)).collect::<Vec<_>>());
        for batches in [None, Some(&batches[..])] {
            let bootstrap = Bootstrap::new(sizes.to_vec(), batches, 20, Seed(4)).unwrap();
            let resampled = Resampled::new(&whole, batches, 20, Seed(4), &mut Silent).unwrap();
            let expected = Fates::of(&resampled, &ends(2), &mut Silent).unwrap();
            for (k, &n) in sizes[..2].iter().enumerate() {
                let one = Lineage::straight(vec![0.0, 3.0], vec![link(n)]).unwrap();
                let resampled = Resampled::of(&one, &bootstrap, &[k, 2], &mut Silent).unwrap();
                let found = Fates::of(&resampled, &ends(1), &mut Silent).unwrap();
                // Missing numbers are equal too.
                assert_eq!(format!("{:?}", found.tables[0]), format!("{:?}", expected.tables[k]));
                assert!(found.tables[0].lo.iter().all(|lo| lo.is_finite()));
                assert_eq!(resampled.drawn(0, |_| true), bootstrap.drawn(k, |_| true));
            }
        }
    }
}
