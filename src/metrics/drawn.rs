//! What is drawn again to find an interval, and whether it is enough to find one.

use std::collections::BTreeSet;

/// Fewer cells than this give no interval: drawn again and again they are nearly always the same.
const FEWEST_CELLS: usize = 3;

/// Fewer batches than this give none: one batch drawn again is the same batch.
const FEWEST_BATCHES: usize = 2;

/// Cells that are drawn again, alone or in whole batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drawn {
    /// How many cells there are.
    pub n_cells: usize,
    /// How many batches they are in, if batches are drawn.
    pub n_batches: Option<usize>,
}

impl Drawn {
    /// Cells that are drawn one by one.
    pub fn cells(n_cells: usize) -> Self {
        Self { n_cells, n_batches: None }
    }

    /// Cells that are drawn by batches, with the batch of each.
    pub fn batches<T: Ord>(labels: impl IntoIterator<Item = T>) -> Self {
        let (mut n_cells, mut batches) = (0, BTreeSet::new());
        for label in labels {
            n_cells += 1;
            batches.insert(label);
        }
        Self { n_cells, n_batches: Some(batches.len()) }
    }

    /// Whether there is an interval of numbers of these cells.
    pub fn is_enough(self) -> bool {
        FEWEST_CELLS <= self.n_cells && self.n_batches.is_none_or(|n| FEWEST_BATCHES <= n)
    }

    /// In words: `2 cells`, `40 cells of 1 batch`.
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
