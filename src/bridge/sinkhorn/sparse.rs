//! The kernel of the pairs with relevant mass: with little noise each cell has few partners.

use rayon::prelude::*;

use crate::bridge::sinkhorn::kernel::{DenseKernel, Pair};
use crate::bridge::sinkhorn::sides::{Both, Kernel, Plan, Side};
use crate::linalg::exp_in_place;

/// Cells of one task. The size is fixed, so results do not depend on the number of threads.
const CELLS: usize = 512;

/// How far potentials may move, in units of ε for source and target together, until the pairs must
/// be selected again. Pairs are kept down to `e⁻⁵` of a negligible mass.
const SLACK: f64 = 5.0;

/// Largest mean number of stored pairs for each cell. Memory is therefore linear in the number of
/// cells.
const PAIRS_PER_CELL: usize = 160;

/// Pairs are stored only if they are fewer than one in this number of all pairs. A pass over more
/// of them, looked up one by one, takes longer than a pass over all pairs in order.
const ONE_IN: usize = 8;

/// The kernel of selected pairs, by source cell and by target cell: 40 bytes for each pair with its
/// coupling.
#[derive(Debug)]
pub(super) struct SparseKernel {
    /// The pairs of each source cell.
    by_source: Rows,
    /// The pairs of each target cell.
    by_target: Rows,
    /// The potentials for which the pairs were selected.
    chosen_for: Both,
}

/// Sparse rows of `−C/ε`.
#[derive(Debug)]
struct Rows {
    /// Position of the first entry of each row.
    starts: Vec<usize>,
    /// The cell of the other side of each entry.
    others: Vec<u32>,
    /// `−C/ε` of each entry.
    values: Vec<f64>,
}

impl SparseKernel {
    /// The pairs of relevant mass for couplings `exp(φ_i + ln a_i + γ_j + ln b_j − C_ij/ε)` near
    /// `potentials` φ and γ; `None` if there are too many.
    ///
    /// A pair is kept if `φ_i + γ_j − C_ij/ε ≥ ln(negligible) − 5`. As long as
    /// [`SparseKernel::covers`] holds, the omitted part of a cell's mass is below the fraction
    /// `negligible`.
    pub(super) fn new(dense: &DenseKernel<'_>, potentials: &Both, negligible: f64) -> Option<Self> {
        let (n, m) = (potentials.source.len(), potentials.target.len());
        let most = (PAIRS_PER_CELL * (n + m)).min(dense.n_all() / ONE_IN);
        let chunks = dense.pairs_above(potentials, negligible.ln() - SLACK, most)?;
        let mut by_source = Rows::sized(chunks.iter().flatten().map(|pair| pair.source), n);
        let mut by_target = Rows::sized(chunks.iter().flatten().map(|pair| pair.target), m);
        for Pair { source, target, log } in chunks.into_iter().flatten() {
            let (i, j) = (source as usize, target as usize);
            let value = log - potentials.source[i] - potentials.target[j];
            by_source.push(i, target, value);
            by_target.push(j, source, value);
        }
        by_source.close();
        by_target.close();
        Some(Self { by_source, by_target, chosen_for: potentials.clone() })
    }

    /// Number of stored pairs.
    pub(super) fn n_pairs(&self) -> usize {
        self.by_source.others.len()
    }

    /// The rows of one side.
    fn rows(&self, side: Side) -> &Rows {
        match side {
            Side::Source => &self.by_source,
            Side::Target => &self.by_target,
        }
    }
}

impl Rows {
    /// Memory for the entries of `n` rows, counted by `rows`; [`Rows::push`] fills it.
    fn sized(rows: impl Iterator<Item = u32>, n: usize) -> Self {
        let mut starts = vec![0; n + 1];
        for row in rows {
            starts[row as usize + 1] += 1;
        }
        for i in 0..n {
            starts[i + 1] += starts[i];
        }
        let n_entries = starts[n];
        Self { starts, others: vec![0; n_entries], values: vec![0.0; n_entries] }
    }

    /// Adds an entry. Until [`Rows::close`], `starts[row]` is the position of the next entry of
    /// `row`.
    fn push(&mut self, row: usize, other: u32, value: f64) {
        let place = self.starts[row];
        self.others[place] = other;
        self.values[place] = value;
        self.starts[row] += 1;
    }

    /// Restores the starts after the last [`Rows::push`].
    fn close(&mut self) {
        self.starts.rotate_right(1);
        self.starts[0] = 0;
    }

    /// Number of rows.
    fn n(&self) -> usize {
        self.starts.len() - 1
    }

    /// `work(rows)` for chunks of rows in parallel; results in order.
    fn in_chunks<T: Send>(&self, work: impl Fn(std::ops::Range<usize>) -> Vec<T> + Sync) -> Vec<T> {
        let n = self.n();
        let chunks: Vec<Vec<T>> = (0..n.div_ceil(CELLS))
            .into_par_iter()
            .map(|chunk| work(chunk * CELLS..n.min((chunk + 1) * CELLS)))
            .collect();
        chunks.into_iter().flatten().collect()
    }

    /// `ln Σ_j exp(value_ij + other_j)` of each row.
    fn log_sums(&self, other: &[f64]) -> Vec<f64> {
        self.in_chunks(|rows| {
            let all = self.starts[rows.start]..self.starts[rows.end];
            let first = all.start;
            let mut logs: Vec<f64> = self.values[all.clone()]
                .iter()
                .zip(&self.others[all])
                .map(|(value, j)| value + other[*j as usize])
                .collect();
            let mut largest = Vec::with_capacity(rows.len());
            for row in rows.clone() {
                let row = &mut logs[self.starts[row] - first..self.starts[row + 1] - first];
                let most = row.iter().fold(f64::NEG_INFINITY, |a, &b| if b > a { b } else { a });
                for log in row.iter_mut() {
                    *log -= most;
                }
                largest.push(most);
            }
            exp_in_place(&mut logs);
            let sum = |(row, most): (usize, f64)| {
                let row = &logs[self.starts[row] - first..self.starts[row + 1] - first];
                most + row.iter().sum::<f64>().ln()
            };
            rows.zip(largest).map(sum).collect()
        })
    }

    /// The entries of the coupling in the order of these rows.
    fn plan(&self, own: &[f64], other: &[f64]) -> Vec<f64> {
        self.in_chunks(|rows| {
            let mut logs = Vec::new();
            for row in rows {
                let entries = self.starts[row]..self.starts[row + 1];
                let pairs = self.values[entries.clone()].iter().zip(&self.others[entries]);
                logs.extend(pairs.map(|(value, j)| value + own[row] + other[*j as usize]));
            }
            exp_in_place(&mut logs);
            logs
        })
    }

    /// Products of the coupling's entries with `weights`.
    fn times(&self, plan: &[f64], weights: &[f64]) -> Vec<f64> {
        self.in_chunks(|rows| {
            let sum = |row: usize| {
                let entries = self.starts[row]..self.starts[row + 1];
                let pairs = plan[entries.clone()].iter().zip(&self.others[entries]);
                pairs.map(|(mass, j)| mass * weights[*j as usize]).sum::<f64>()
            };
            rows.map(sum).collect()
        })
    }
}

impl Kernel for SparseKernel {
    /// Whether the selected pairs are those of relevant mass for `potentials` as well.
    fn covers(&self, potentials: &Both) -> bool {
        let rise = |side| {
            let (now, then) = (potentials.of(side), self.chosen_for.of(side));
            now.iter().zip(then).fold(f64::NEG_INFINITY, |most, (a, b)| f64::max(most, a - b))
        };
        rise(Side::Source) + rise(Side::Target) <= SLACK
    }

    fn log_sums(&self, side: Side, other: &[f64]) -> Vec<f64> {
        self.rows(side).log_sums(other)
    }

    /// The coupling of the selected pairs, stored by source cell and by target cell.
    fn plan<'a>(&'a self, logs: &'a Both) -> Box<dyn Plan + 'a> {
        Box::new(SparsePlan {
            kernel: self,
            by_source: self.by_source.plan(&logs.source, &logs.target),
            by_target: self.by_target.plan(&logs.target, &logs.source),
        })
    }
}

/// The coupling of a sparse kernel.
struct SparsePlan<'a> {
    /// The kernel.
    kernel: &'a SparseKernel,
    /// Masses of the pairs by source cell.
    by_source: Vec<f64>,
    /// Masses of the pairs by target cell.
    by_target: Vec<f64>,
}

impl Plan for SparsePlan<'_> {
    fn times(&self, side: Side, weights: &[f64]) -> Vec<f64> {
        let plan = match side {
            Side::Source => &self.by_source,
            Side::Target => &self.by_target,
        };
        self.kernel.rows(side).times(plan, weights)
    }
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;

    #[test]
    fn sums_over_the_pairs_that_matter_are_those_over_all_while_they_cover() {
        // A line of cells, so that with little noise each has few partners.
        let x = Array2::from_shape_fn((700, 1), |(i, _)| i as f64 * 0.1);
        let y = Array2::from_shape_fn((600, 1), |(j, _)| j as f64 * 0.117);
        let dense = DenseKernel::points(x.view(), y.view(), 0.02);
        let wave = |n: usize, f: f64| (0..n).map(|i| (f * i as f64).sin()).collect::<Vec<f64>>();
        let potentials = Both { source: wave(700, 0.3), target: wave(600, 0.2) };
        let sparse = SparseKernel::new(&dense, &potentials, 1e-13).unwrap();
        assert!(sparse.n_pairs() < 700 * 600 / 10);
        let moved = Both {
            source: potentials.source.iter().map(|p| p + 2.9).collect(),
            target: potentials.target.iter().map(|p| p + 2.0).collect(),
        };
        for potentials in [&potentials, &moved] {
            assert!(sparse.covers(potentials));
            let plans = (sparse.plan(potentials), dense.plan(potentials));
            for side in [Side::Source, Side::Target] {
                let other = potentials.of(side.other());
                let pair = (sparse.log_sums(side, other), dense.log_sums(side, other));
                // What is left out is below 1e-13 of every sum; exponents are differences of
                // numbers up to 1e5 with 1e-16 each.
                assert!(pair.0.iter().zip(&pair.1).all(|(a, b)| (a - b).abs() < 1e-10));
                let weights: Vec<f64> = other.iter().map(|w| w.abs()).collect();
                let pair = (plans.0.times(side, &weights), plans.1.times(side, &weights));
                assert!(pair.0.iter().zip(&pair.1).all(|(a, b)| (a - b).abs() < 1e-10 * b));
            }
        }
        let further = Both {
            source: potentials.source.iter().map(|p| p + 3.1).collect(),
            target: moved.target,
        };
        assert!(!sparse.covers(&further));
    }

    #[test]
    fn too_many_pairs_are_not_stored() {
        let x = Array2::from_shape_fn((700, 1), |(i, _)| i as f64 * 0.001);
        let dense = DenseKernel::points(x.view(), x.view(), 1.0);
        let potentials = Both { source: vec![0.0; 700], target: vec![0.0; 700] };
        assert!(SparseKernel::new(&dense, &potentials, 1e-13).is_none());
    }
}
