//! Bootstrap resamples of the cells of all times, or of their batches.

use ndarray::Array2;

use crate::error::{Error, Result};
use crate::metrics::{Drawn, Resamples};
use crate::rng::Seed;

/// Bootstrap resamples of the cells of each time of a course. Column 0 is the course as it is.
///
/// ```
/// use sbcell::{Seed, lineage::Bootstrap};
/// # fn main() -> sbcell::Result<()> {
/// // Two times with 3 and 4 cells, and ten resamples. Weights of each sum to one.
/// let bootstrap = Bootstrap::new(vec![3, 4], None, 10, Seed(0))?;
/// let weights = bootstrap.weights(&[1]);
/// assert_eq!(weights[0].dim(), (4, 11));
/// assert!((weights[0].column(7).sum() - 1.0).abs() < 1e-12);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Bootstrap {
    /// Number of cells of each time.
    sizes: Vec<usize>,
    /// The batch of each cell, time after time, if batches are resampled.
    batches: Option<Vec<Vec<String>>>,
    n_resamples: usize,
    seed: Seed,
}

impl Bootstrap {
    /// `n_resamples` resamples of times with `sizes` cells. If `batches` are given (one for each cell, time after
    /// time), whole batches are drawn, the same ones at all times.
    ///
    /// # Errors
    /// [`Error::Shape`] if there is not one batch for each cell.
    pub fn new(
        sizes: Vec<usize>,
        batches: Option<&[Vec<String>]>,
        n_resamples: usize,
        seed: Seed,
    ) -> Result<Self> {
        if let Some(batches) = batches {
            let got: Vec<usize> = batches.iter().map(Vec::len).collect();
            if got != sizes {
                let (expected, got) = (sizes.iter().sum(), got.iter().sum());
                let (what, unit) = ("the column of batches", "entries");
                return Err(Error::Shape { what, unit, expected, got });
            }
        }
        Ok(Self { sizes, batches: batches.map(<[_]>::to_vec), n_resamples, seed })
    }

    /// Number of columns: the number of resamples plus one.
    pub fn n_columns(&self) -> usize {
        self.n_resamples + 1
    }

    /// Number of units (cells or batches) that are resampled among the cells i at place `k` with
    /// `is_asked(i)`.
    pub fn drawn(&self, k: usize, is_asked: impl Fn(usize) -> bool) -> Drawn {
        let cells = (0..self.sizes[k]).filter(|&i| is_asked(i));
        match &self.batches {
            None => Drawn::cells(cells.count()),
            Some(batches) => Drawn::batches(cells.map(|i| &batches[k][i])),
        }
    }

    /// Weights of the cells at each of `places`, `(n, n_columns)`. Columns sum to one. The draws of a time depend on
    /// its place, not on the other `places`.
    pub fn weights(&self, places: &[usize]) -> Vec<Array2<f64>> {
        let Some(batches) = &self.batches else {
            let of_time = |&k: &usize| {
                let seed = self.seed.child("lineage/resample", k as u64);
                let drawn = Resamples::of_cells(self.sizes[k], self.n_resamples, seed);
                shares(drawn.counts().to_owned())
            };
            return places.iter().map(of_time).collect();
        };
        let all: Vec<&String> = batches.iter().flatten().collect();
        let drawn = Resamples::of_groups(&all, self.n_resamples, self.seed);
        let of_time = |&k: &usize| {
            let first: usize = self.sizes[..k].iter().sum();
            let rows: Vec<usize> = (first..first + self.sizes[k]).collect();
            shares(drawn.select(&rows).counts().to_owned())
        };
        places.iter().map(of_time).collect()
    }
}

/// Columns scaled to a sum of one; a column without mass becomes even.
pub(super) fn shares(mut weights: Array2<f64>) -> Array2<f64> {
    let n = weights.nrows().max(1) as f64;
    for mut column in weights.columns_mut() {
        let total: f64 = column.sum();
        if total > 0.0 {
            column /= total;
        } else {
            column.fill(1.0 / n);
        }
    }
    weights
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_of_a_time_do_not_depend_on_the_times_that_are_asked_for() {
        let batches = [["a", "b", "a"], ["b", "b", "c"]].map(|at| at.map(String::from).to_vec());
        for batches in [None, Some(&batches[..])] {
            let bootstrap = Bootstrap::new(vec![3, 3], batches, 20, Seed(3)).unwrap();
            let (all, one) = (bootstrap.weights(&[0, 1]), bootstrap.weights(&[1]));
            assert_eq!(all[1], one[0]);
            assert_ne!(all[0], all[1]);
        }
    }

    #[test]
    fn batches_have_one_entry_for_each_cell() {
        let batches = [vec!["a".to_string()]];
        let found = Bootstrap::new(vec![2], Some(&batches), 1, Seed(0));
        assert!(matches!(found, Err(Error::Shape { expected: 2, got: 1, .. })));
    }
}
