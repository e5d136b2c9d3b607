//! Bootstrap resamples of cells or batches as weights, and numbers with bootstrap intervals.

use std::collections::BTreeMap;

use ndarray::{Array1, Array2, ArrayView2, Axis};
use rand::RngExt;
use serde::{Deserialize, Serialize};

use crate::data::Snapshot;
use crate::rng::Seed;
use crate::share::Numbers;

/// The number of times each cell occurs in the original sample and in each of `B` resamples.
///
/// ```
/// use sbcell::Seed;
/// use sbcell::metrics::Resamples;
///
/// let resamples = Resamples::of_cells(10, 3, Seed(1));
/// let counts = resamples.counts();
/// assert_eq!(counts.dim(), (10, 4));
/// assert!(counts.column(0).iter().all(|count| *count == 1.0));
/// assert_eq!(counts.column(3).sum(), 10.0);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Resamples {
    /// `(n, 1 + B)`; the first column is the original sample, with one everywhere.
    counts: Array2<f64>,
}

impl Resamples {
    /// `n_resamples` resamples of `n_cells` cells, drawn with replacement.
    pub fn of_cells(n_cells: usize, n_resamples: usize, seed: Seed) -> Self {
        let groups: Vec<usize> = (0..n_cells).collect();
        Self::of_groups(&groups, n_resamples, seed)
    }

    /// `n_resamples` resamples of groups (batches, donors), drawn with replacement.
    ///
    /// `groups[i]` is the group of cell i. A resample has as many groups as the sample, each with all
    /// its cells.
    pub fn of_groups<T: Ord + Clone>(groups: &[T], n_resamples: usize, seed: Seed) -> Self {
        let mut numbers = BTreeMap::new();
        for group in groups {
            numbers.insert(group.clone(), 0);
        }
        numbers.values_mut().enumerate().for_each(|(number, place)| *place = number);
        let members: Vec<usize> = groups.iter().map(|group| numbers[group]).collect();
        let mut counts = Array2::ones((groups.len(), 1 + n_resamples));
        for (b, mut column) in counts.columns_mut().into_iter().enumerate().skip(1) {
            let mut stream = seed.stream("resample", b as u64);
            let mut taken = vec![0.0; numbers.len()];
            for _ in 0..taken.len() {
                taken[stream.random_range(0..numbers.len())] += 1.0;
            }
            column.iter_mut().zip(&members).for_each(|(count, &group)| *count = taken[group]);
        }
        Self { counts }
    }

    /// The counts, `(n, 1 + B)`; the first column is one everywhere.
    pub fn counts(&self) -> ArrayView2<'_, f64> {
        self.counts.view()
    }

    /// The number `1 + B` of columns.
    pub fn n_columns(&self) -> usize {
        self.counts.ncols()
    }

    /// These cells followed by those of `other`; resample `b` joins the resamples `b` of both.
    #[must_use]
    pub fn followed_by(&self, other: &Self) -> Self {
        let columns = self.counts.ncols().min(other.counts.ncols());
        let n = self.counts.nrows();
        let counts = Array2::from_shape_fn((n + other.counts.nrows(), columns), |(i, b)| {
            if i < n { self.counts[[i, b]] } else { other.counts[[i - n, b]] }
        });
        Self { counts }
    }

    /// The counts of the cells `rows` only.
    #[must_use]
    pub fn select(&self, rows: &[usize]) -> Self {
        Self { counts: self.counts.select(Axis(0), rows) }
    }

    /// The weights of the cells of `snapshot` in each resample, `(n, 1 + B)`.
    ///
    /// They are the marginal times the counts, divided by the sum of the column. The first column is
    /// the marginal. A resample without any cell of positive weight has the marginal instead.
    pub fn weights(&self, snapshot: &Snapshot) -> Array2<f64> {
        let mut weights = &self.counts * &snapshot.marginal().insert_axis(Axis(1));
        for mut column in weights.columns_mut() {
            let total = column.sum();
            if total > 0.0 {
                column /= total;
            } else {
                column.assign(&snapshot.marginal());
            }
        }
        weights
    }
}

/// A number with its bootstrap interval.
///
/// ```
/// use ndarray::Array1;
/// use sbcell::metrics::Estimate;
///
/// // The value, then its values under 101 resamples.
/// let values: Array1<f64> = std::iter::once(50.0).chain((0..101).map(f64::from)).collect();
/// let estimate = Estimate::of(&values);
/// assert_eq!((estimate.value, estimate.lo, estimate.hi), (50.0, 2.5, 97.5));
/// let difference = estimate.with(&estimate, |a, b| a - b);
/// assert_eq!((difference.lo, difference.hi), (0.0, 0.0));
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(into = "Numbers", from = "Numbers")]
pub struct Estimate {
    /// The number in the original sample.
    pub value: f64,
    /// The 2.5th percentile over resamples; NaN without resamples.
    pub lo: f64,
    /// The 97.5th percentile over resamples; NaN without resamples.
    pub hi: f64,
    /// The number in each resample.
    pub resampled: Vec<f64>,
}

impl From<Estimate> for Numbers {
    fn from(of: Estimate) -> Self {
        [of.value, of.lo, of.hi].into_iter().chain(of.resampled).collect()
    }
}

impl From<Numbers> for Estimate {
    fn from(numbers: Numbers) -> Self {
        let mut numbers = numbers.into_iter();
        let mut next = || numbers.next().unwrap_or(f64::NAN);
        let (value, lo, hi) = (next(), next(), next());
        Self { value, lo, hi, resampled: numbers.collect() }
    }
}

impl Estimate {
    /// An estimate from the number in the original sample (first entry) and in each resample.
    pub fn of(values: &Array1<f64>) -> Self {
        let value = values.first().copied().unwrap_or(f64::NAN);
        let resampled: Vec<f64> = values.iter().skip(1).copied().collect();
        let (lo, hi) = interval(&resampled).unwrap_or((f64::NAN, f64::NAN));
        Self { value, lo, hi, resampled }
    }

    /// Whether the number is finite in at least one resample, so that there is an interval.
    pub fn has_interval(&self) -> bool {
        self.resampled.iter().any(|value| value.is_finite())
    }

    /// The number alone, for samples with too few cells for an interval.
    #[must_use]
    pub fn without_interval(&self) -> Self {
        let (lo, hi) = (f64::NAN, f64::NAN);
        Self { value: self.value, lo, hi, resampled: Vec::new() }
    }

    /// The number, `lo` and `hi`.
    pub fn with_ends(&self) -> [f64; 3] {
        [self.value, self.lo, self.hi]
    }

    /// The estimate of a function `f` of two numbers from the same resamples, such as a difference.
    ///
    /// `f` is evaluated in each resample, so that the interval includes the correlation of both.
    #[must_use]
    pub fn with(&self, other: &Self, f: impl Fn(f64, f64) -> f64) -> Self {
        let values = std::iter::once(f(self.value, other.value));
        let resampled = self.resampled.iter().zip(&other.resampled).map(|(a, b)| f(*a, *b));
        Self::of(&values.chain(resampled).collect())
    }
}

impl Estimate {
    /// The mean of several estimates, within each resample too. NaN for none.
    ///
    /// Resamples with the same number belong together, so that what the estimates share (such as the
    /// resamples of the same observed cells) stays in the interval.
    #[must_use]
    pub fn averaged(all: &[&Self]) -> Self {
        let n = all.len() as f64;
        let value = all.iter().map(|one| one.value).sum::<f64>() / n;
        let n_resamples = all.iter().map(|one| one.resampled.len()).min().unwrap_or(0);
        let at = |b: usize| all.iter().map(|one| one.resampled[b]).sum::<f64>() / n;
        Self::of(&std::iter::once(value).chain((0..n_resamples).map(at)).collect())
    }
}

/// The 2.5th and 97.5th percentile of the finite values, by linear interpolation; `None` without any.
fn interval(values: &[f64]) -> Option<(f64, f64)> {
    let mut sorted: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().checked_sub(1)?;
    let at = |share: f64| {
        let place = share * last as f64;
        let (below, part) = (place.floor() as usize, place.fract());
        sorted[below] + part * (sorted[(below + 1).min(last)] - sorted[below])
    };
    Some((at(0.025), at(0.975)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resample_takes_as_many_cells_as_there_are_and_groups_stay_together() {
        let cells = Resamples::of_cells(10, 50, Seed(1));
        assert!(cells.counts.column(0).iter().all(|count| (count - 1.0).abs() < 1e-15));
        assert!(cells.counts.columns().into_iter().all(|c| (c.sum() - 10.0).abs() < 1e-12));
        assert!((0..10).any(|i| (cells.counts[[i, 1]] - 1.0).abs() > 0.5));
        let groups = Resamples::of_groups(&["b", "a", "b", "c", "a"], 50, Seed(1));
        for column in groups.counts.columns() {
            assert!((column[0] - column[2]).abs() + (column[1] - column[4]).abs() < 1e-15);
            assert!((column[0] + column[1] + column[3] - 3.0).abs() < 1e-15);
        }
    }

    #[test]
    fn weights_are_the_marginal_times_the_counts() {
        let points = Array2::zeros((3, 1));
        let cells = Snapshot::weighted(points, ndarray::array![1.0, 2.0, 1.0]).unwrap();
        let resamples =
            Resamples { counts: ndarray::array![[1., 0., 0.], [1., 2., 0.], [1., 1., 0.]] };
        let weights = resamples.weights(&cells);
        assert_eq!(weights.column(0).to_vec(), [0.25, 0.5, 0.25]);
        assert_eq!(weights.column(1).to_vec(), [0.0, 0.8, 0.2]);
        // No cell of positive weight is drawn, so the weights are the marginal.
        assert_eq!(weights.column(2).to_vec(), [0.25, 0.5, 0.25]);
    }

    #[test]
    fn intervals_are_percentiles_and_shared_resamples_cancel() {
        let values: Array1<f64> = std::iter::once(7.0).chain((0..=1000).map(f64::from)).collect();
        let estimate = Estimate::of(&values);
        assert!((estimate.lo - 25.0).abs() < 1e-9 && (estimate.hi - 975.0).abs() < 1e-9);
        let none = estimate.with(&estimate, |a, b| a - b);
        assert!(none.lo.abs() + none.hi.abs() + none.value.abs() < 1e-15);
        let alone = Estimate::of(&ndarray::array![3.0]);
        assert!(alone.lo.is_nan() && alone.hi.is_nan());
        assert_eq!(estimate.without_interval().resampled.len(), 0);
        assert!(estimate.has_interval() && !alone.has_interval());
        assert!(alone.with_ends()[1].is_nan() && estimate.with_ends()[1] > 24.0);
    }

    #[test]
    fn a_mean_of_estimates_is_one_within_each_resample() {
        let a = Estimate::of(&ndarray::array![1.0, 0.0, 4.0]);
        let b = Estimate::of(&ndarray::array![3.0, 2.0, -4.0, 9.0]);
        let mean = Estimate::averaged(&[&a, &b]);
        assert_eq!((mean.value, mean.resampled), (2.0, vec![1.0, 0.0]));
        assert_eq!(Estimate::averaged(&[&a]), a);
        assert!(Estimate::averaged(&[]).value.is_nan());
    }

    #[test]
    fn percentiles_fall_between_values_and_no_number_is_no_interval() {
        let values: Array1<f64> = std::iter::once(7.0).chain((0..=10).map(f64::from)).collect();
        let estimate = Estimate::of(&values);
        assert!((estimate.lo - 0.25).abs() < 1e-12 && (estimate.hi - 9.75).abs() < 1e-12);
        let none = Estimate::of(&ndarray::array![1.0, f64::NAN, f64::NAN]);
        assert!(!none.has_interval() && none.with_ends()[1].is_nan());
    }
}
