//! The numbers of cells and batches that a bootstrap resamples, and whether they suffice.

use std::collections::BTreeSet;

/// Smallest number of cells for an interval; resamples of fewer are nearly all equal.
const FEWEST_CELLS: usize = 3;

/// Smallest number of batches for an interval; all resamples of one batch are equal.
const FEWEST_BATCHES: usize = 2;

/// Smallest number of resamples with a 2.5th percentile.
pub(crate) const LEAST_RESAMPLES: usize = 20;

/// The units of a bootstrap: cells, or whole batches of cells.
///
/// ```
/// use sbcell::metrics::Drawn;
///
/// assert!(Drawn::cells(40).is_enough());
/// assert!(!Drawn::batches(["d1"; 40]).is_enough());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drawn {
    /// Number of cells.
    pub n_cells: usize,
    /// Number of batches, if whole batches are resampled.
    pub n_batches: Option<usize>,
}

impl Drawn {
    /// A bootstrap of single cells.
    pub fn cells(n_cells: usize) -> Self {
        Self { n_cells, n_batches: None }
    }

    /// A bootstrap of batches; `labels` has the batch of each cell.
    pub fn batches<T: Ord>(labels: impl IntoIterator<Item = T>) -> Self {
        let (mut n_cells, mut batches) = (0, BTreeSet::new());
        for label in labels {
            n_cells += 1;
            batches.insert(label);
        }
        Self { n_cells, n_batches: Some(batches.len()) }
    }

    /// Whether the resamples give an interval: at least 3 cells, and at least 2 batches if given.
    pub fn is_enough(self) -> bool {
        FEWEST_CELLS <= self.n_cells && self.n_batches.is_none_or(|n| FEWEST_BATCHES <= n)
    }

    /// The numbers in words for messages: `2 cells`, `40 cells of 1 batch`.
    pub fn words(self) -> String {
        let count =
            |n: usize, one: &str, more: &str| format!("{n} {}", if n == 1 { one } else { more });
        let cells = count(self.n_cells, "cell", "cells");
        match self.n_batches {
            None => cells,
            Some(n) => format!("{cells} of {}", count(n, "batch", "batches")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_cells_of_two_batches_are_enough() {
        assert!(!Drawn::cells(2).is_enough() && Drawn::cells(3).is_enough());
        assert!(!Drawn::batches(["a", "a", "a", "a"]).is_enough());
        assert!(!Drawn::batches(["a", "b"]).is_enough());
        assert!(Drawn::batches(["a", "b", "a"]).is_enough());
        assert_eq!(Drawn::batches(["a", "a"]).words(), "2 cells of 1 batch");
        assert_eq!(Drawn::cells(1).words(), "1 cell");
    }
}
