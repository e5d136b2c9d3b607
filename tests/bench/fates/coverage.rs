//! How often 95 % intervals of fates hold the truth: of groups of early cells, and of single cells.

use ndarray::s;
use sbcell::metrics::Estimate;

use crate::answers::{EarlyGroups, Fitted, FoundFates};
use crate::simulate::Course;

/// Intervals and how many of them hold the truth.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Tally {
    n: f64,
    held: f64,
    width: f64,
    off: f64,
    above: f64,
    unknown: f64,
    /// Sums of estimate times truth, and of squared estimates, both as differences from the share of all cells.
    products: [f64; 2],
}

impl Tally {
    /// Adds an estimate with the ends of its interval. `middle` is the true share of all cells.
    fn add(&mut self, of: &Interval, truth: f64, middle: f64) {
        let Interval { value, lo, hi } = *of;
        if !(lo.is_finite() && hi.is_finite()) {
            self.unknown += 1.0;
            return;
        }
        self.n += 1.0;
        self.held += f64::from(u8::from(lo <= truth && truth <= hi));
        self.above += f64::from(u8::from(truth > hi));
        self.width += hi - lo;
        self.off += (value - truth).abs();
        self.products[0] += (value - middle) * (truth - middle);
        self.products[1] += (value - middle) * (value - middle);
    }

    fn sum(mut self, other: &Self) -> Self {
        let Self { n, held, width, off, above, unknown, products } = other;
        self.n += n;
        self.held += held;
        self.width += width;
        self.off += off;
        self.above += above;
        self.unknown += unknown;
        self.products = [self.products[0] + products[0], self.products[1] + products[1]];
        self
    }

    /// The columns of the table. The slope is that of the truth on the estimates, through the share of all cells: less
    /// than 1 if estimates are too far apart, more if they are too close.
    fn row(&self) -> String {
        let mean = |sum: f64| sum / self.n;
        let (held, above) = (100.0 * mean(self.held), 100.0 * mean(self.above));
        // The truth of all cells is the middle itself.
        let [both, own] = self.products;
        let slope = if both.abs() > 0.0 { format!("{:.2}", both / own) } else { "–".into() };
        format!(
            "{held:.1} % | {:.1} | {above:.1} | {:.3} | {:.3} | {slope} | {:.0} | {:.0}",
            100.0 - held - above,
            mean(self.width),
            mean(self.off),
            self.n,
            self.unknown
        )
    }
}

/// An estimate with the ends of its interval.
#[derive(Debug, Clone, Copy)]
struct Interval {
    value: f64,
    lo: f64,
    hi: f64,
}

/// Names of the rows of [`Coverage`].
const ROWS: [&str; 6] = [
    "all early cells, cells resampled",
    "all early cells, replicates resampled",
    "thirds, cells resampled",
    "thirds, replicates resampled",
    "tenths of like prediction, cells resampled",
    "single cells, cells resampled",
];

/// Cells of like prediction are compared in this number of parts.
const PARTS: usize = 10;

/// Intervals of all kinds, over courses.
#[derive(Debug, Clone, Default)]
pub(crate) struct Coverage([Tally; ROWS.len()]);

impl Coverage {
    /// Adds the intervals of one course.
    pub(crate) fn add(&mut self, course: &Course, fitted: &Fitted<'_>, fates: &FoundFates) {
        let [everyone, thirds] = [fitted.everyone(), fitted.thirds()];
        let truth = [course.of_all[..1].to_vec(), of_groups(course, &thirds)];
        let middle = &course.of_all[0];
        let rows = self.0.chunks_mut(2);
        for ((groups, truth), rows) in [everyone, thirds].iter().zip(&truth).zip(rows) {
            for (tally, by_batch) in rows.iter_mut().zip([false, true]) {
                let found = fitted.shares(groups, by_batch);
                for (shares, truth) in found.iter().zip(truth) {
                    for ((share, truth), middle) in shares.iter().zip(truth).zip(middle) {
                        let Estimate { value, lo, hi, .. } = *share;
                        tally.add(&Interval { value, lo, hi }, *truth, *middle);
                    }
                }
            }
        }
        let truth = course.shares.slice(s![..course.n_early, ..]);
        for (fate, &middle) in middle.iter().enumerate() {
            let p = fates.probabilities.column(fate);
            let mut order: Vec<usize> = (0..p.len()).collect();
            order.sort_by(|&a, &b| p[a].total_cmp(&p[b]));
            for cells in order.chunks(order.len().div_ceil(PARTS)) {
                let mean = |of: ndarray::ArrayView1<'_, f64>| {
                    cells.iter().map(|&i| of[i]).sum::<f64>() / cells.len() as f64
                };
                let [lo, hi] = [&fates.lo, &fates.hi].map(|ends| mean(ends.column(fate)));
                let interval = Interval { value: mean(p), lo, hi };
                self.0[ROWS.len() - 2].add(&interval, mean(truth.column(fate)), middle);
            }
        }
        let single = &mut self.0[ROWS.len() - 1];
        for (at, value) in fates.probabilities.indexed_iter() {
            let interval = Interval { value: *value, lo: fates.lo[at], hi: fates.hi[at] };
            single.add(&interval, truth[at], middle[at.1]);
        }
    }

    /// The sum over courses.
    pub(crate) fn sum(mut self, other: &Self) -> Self {
        for (of, other) in self.0.iter_mut().zip(&other.0) {
            *of = of.sum(other);
        }
        self
    }

    /// Prints one line for each kind of interval.
    pub(crate) fn print(&self, family: &str) {
        for (name, tally) in ROWS.iter().zip(&self.0) {
            println!("| {family} | {name} | {} |", tally.row());
        }
    }
}

/// Prints the header of the table.
pub(crate) fn print_header() {
    println!(
        "| family | of | held | truth below | truth above | width | off | slope | intervals | without |\n\
         |---|---|---:|---:|---:|---:|---:|---:|---:|---:|"
    );
}

/// Expected share of each fate among the descendants of each group.
fn of_groups(course: &Course, groups: &EarlyGroups) -> Vec<Vec<f64>> {
    let of_group = |members: &Vec<usize>| {
        let n = |fate: usize| -> f64 {
            let of_cell = |&cell: &usize| course.descendants[cell] * course.shares[[cell, fate]];
            members.iter().map(of_cell).sum()
        };
        let all: f64 = members.iter().map(|&cell| course.descendants[cell]).sum();
        (0..course.fate_names.len()).map(|fate| n(fate) / all).collect()
    };
    groups.members.iter().map(of_group).collect()
}
