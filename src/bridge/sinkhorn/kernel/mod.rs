//! The kernel `exp(−C/ε)` between two sets of cells, recomputed in blocks.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use ndarray::{Array2, ArrayView1, ArrayView2, Axis, s};
use rayon::prelude::*;

use crate::bridge::sinkhorn::clones::CloneCost;
use crate::bridge::sinkhorn::sides::{Both, Kernel, Plan, Side};
use crate::geometry::Cost;
use crate::linalg::{LogSums, add_product, add_weighted, add_weighted_rows, exp_block};

/// Rows of one task, and columns of one block. A block of 512 kB stays in the cache of a core
/// between the product that computes it and the sums over it. The sizes are fixed, so results do
/// not depend on the number of threads.
const ROWS: usize = 128;
/// Columns of one block, see [`ROWS`].
const COLUMNS: usize = 512;

/// The kernel of all pairs, for points or for any cost.
///
/// A sum over all pairs takes `2 d` flops for each pair in matrix products and an exponential, and
/// memory for one block on each thread.
#[derive(Debug)]
pub(super) enum DenseKernel<'a> {
    /// The cost ½‖x−y‖² between points, from matrix products.
    Points {
        /// The source cells.
        source: Points<'a>,
        /// The target cells.
        target: Points<'a>,
        /// ε of the kernel.
        epsilon: f64,
        /// The cost of leaving one's clone, and the ε that is its unit.
        clones: Option<(&'a CloneCost, f64)>,
    },
    /// Any cost that fills blocks.
    Cost { cost: &'a dyn Cost, epsilon: f64 },
}

/// Points with `−½‖x‖²/ε` of each.
#[derive(Debug)]
pub(super) struct Points<'a> {
    /// The points, n × d.
    points: ArrayView2<'a, f64>,
    /// `−½‖x‖²/ε` of each point.
    logs: Vec<f64>,
}

impl<'a> DenseKernel<'a> {
    /// For the cost ½‖x−y‖² between points. They should be near the origin, because digits are lost
    /// otherwise.
    pub(super) fn points(
        source: ArrayView2<'a, f64>,
        target: ArrayView2<'a, f64>,
        epsilon: f64,
    ) -> Self {
        let with_logs = |points: ArrayView2<'a, f64>| {
            let log = |row: ArrayView1<'_, f64>| -0.5 * row.dot(&row) / epsilon;
            Points { points, logs: points.rows().into_iter().map(log).collect() }
        };
        let (source, target) = (with_logs(source), with_logs(target));
        Self::Points { source, target, epsilon, clones: None }
    }

    /// The kernel of points with a cost for leaving one's clone, in units of the ε `unit`.
    pub(super) fn with_clones(mut self, cost: Option<&'a CloneCost>, unit: f64) -> Self {
        if let Self::Points { clones, .. } = &mut self {
            *clones = cost.map(|cost| (cost, unit));
        }
        self
    }

    /// ε of the kernel.
    pub(super) fn epsilon(&self) -> f64 {
        match self {
            Self::Points { epsilon, .. } | Self::Cost { epsilon, .. } => *epsilon,
        }
    }

    /// Number of all pairs.
    pub(super) fn n_all(&self) -> usize {
        self.n(Side::Source) * self.n(Side::Target)
    }

    /// Number of cells of one side.
    pub(super) fn n(&self, side: Side) -> usize {
        match self {
            Self::Points { .. } => self.norms(side).len(),
            Self::Cost { cost, .. } if side == Side::Source => cost.shape().0,
            Self::Cost { cost, .. } => cost.shape().1,
        }
    }

    /// Upper bound of `C/ε`, from the distances of points to the origin; `None` for other costs.
    pub(super) fn most_cost(&self) -> Option<f64> {
        let Self::Points { source, target, epsilon, clones } = self else { return None };
        let farthest = |points: &Points<'_>| {
            points.logs.iter().fold(0.0, |most: f64, log| most.max(-log)).sqrt()
        };
        let apart = clones.map_or(0.0, |(cost, unit)| cost.most() * unit / epsilon);
        Some((farthest(source) + farthest(target)).powi(2) + apart)
    }

    /// The part of `−C/ε` that depends on a single cell of `side`; empty for a stored cost.
    fn norms(&self, side: Side) -> &[f64] {
        match (self, side) {
            (Self::Points { source, .. }, Side::Source) => &source.logs,
            (Self::Points { target, .. }, Side::Target) => &target.logs,
            (Self::Cost { .. }, _) => &[],
        }
    }

    /// Values of cells plus their part of `−C/ε`.
    pub(super) fn with_norms(&self, side: Side, values: &[f64]) -> Vec<f64> {
        let mut sums = values.to_vec();
        for (sum, norm) in sums.iter_mut().zip(self.norms(side)) {
            *sum += norm;
        }
        sums
    }

    /// `−C/ε` without the parts of single cells, for cells `rows` of `side` and cells `columns` of
    /// the other side.
    fn fill(&self, side: Side, rows: Range<usize>, columns: Range<usize>, out: &mut Array2<f64>) {
        match self {
            Self::Points { source, target, epsilon, clones } => {
                let (own, other) = match side {
                    Side::Source => (source, target),
                    Side::Target => (target, source),
                };
                let own = own.points.slice(s![rows.clone(), ..]);
                let other = other.points.slice(s![columns.clone(), ..]);
                out.fill(0.0);
                add_product(out.view_mut(), 1.0 / epsilon, own, other.t());
                if let Some((cost, unit)) = clones {
                    cost.subtract(side, rows, columns, unit / epsilon, out);
                }
            }
            Self::Cost { cost, epsilon } => {
                let (own, other) = (rows.start, columns.start);
                match side {
                    Side::Source => cost.block(own, other, out.view_mut()),
                    Side::Target => cost.block_transposed(own, other, out.view_mut()),
                }
                let factor = -1.0 / epsilon;
                out.mapv_inplace(|cost| factor * cost);
            }
        }
    }

    /// `work(rows, blocks)` for chunks of cells of `side`, in parallel; results in order. `blocks`
    /// passes each block of columns to a visitor.
    pub(super) fn in_chunks<T: Send>(
        &self,
        side: Side,
        work: impl Fn(Range<usize>, &mut Blocks<'_, '_>) -> T + Sync,
    ) -> Vec<T> {
        let n = self.n(side);
        (0..n.div_ceil(ROWS))
            .into_par_iter()
            .map(|chunk| {
                let rows = chunk * ROWS..n.min((chunk + 1) * ROWS);
                work(rows.clone(), &mut Blocks { kernel: self, side, rows })
            })
            .collect()
    }

    /// Fills `out`, n_source × n_target in rows, by `write(P, out)` block by block, with P as in
    /// [`Kernel::plan`] and each row of a block beside its place in `out`.
    pub(super) fn write_rows<T: Send>(
        &self,
        logs: &Both,
        out: &mut [T],
        write: impl Fn(&[f64], &mut [T]) + Sync,
    ) {
        let own = self.with_norms(Side::Source, &logs.source);
        let other = self.with_norms(Side::Target, &logs.target);
        let width = other.len().max(1);
        out.par_chunks_mut(ROWS * width).enumerate().for_each(|(chunk, out)| {
            let rows = chunk * ROWS..own.len().min((chunk + 1) * ROWS);
            let mut blocks = Blocks { kernel: self, side: Side::Source, rows: rows.clone() };
            blocks.visit(|columns, block| {
                exp_block(flat(block), &own[rows.clone()], &other[columns.clone()]);
                let rows = flat(block).chunks_exact(columns.len());
                for (masses, out) in rows.zip(out.chunks_exact_mut(width)) {
                    write(masses, &mut out[columns.clone()]);
                }
            });
        });
    }

    /// `Σ_j P_ij values_j` for each cell i of `side`, with P as in [`Kernel::plan`]. `values` have
    /// a row for each cell of the other side.
    pub(super) fn means(
        &self,
        side: Side,
        logs: &Both,
        values: ArrayView2<'_, f64>,
    ) -> Array2<f64> {
        let own = self.with_norms(side, logs.of(side));
        let other = self.with_norms(side.other(), logs.of(side.other()));
        let chunks = self.in_chunks(side, |rows, blocks| {
            let mut means = Array2::zeros((rows.len(), values.ncols()));
            blocks.visit(|columns, block| {
                exp_block(flat(block), &own[rows.clone()], &other[columns.clone()]);
                add_product(means.view_mut(), 1.0, block.view(), values.slice(s![columns, ..]));
            });
            means
        });
        let mut all = Array2::zeros((self.n(side), values.ncols()));
        for (mut rows, chunk) in all.axis_chunks_iter_mut(Axis(0), ROWS).zip(&chunks) {
            rows.assign(chunk);
        }
        all
    }

    /// `Σ_j P_ij` for each source cell and `Σ_i P_ij` for each target cell in one pass, with P as
    /// in [`Kernel::plan`].
    pub(super) fn marginals(&self, logs: &Both) -> Both {
        let own = self.with_norms(Side::Source, &logs.source);
        let other = self.with_norms(Side::Target, &logs.target);
        let chunks = self.in_chunks(Side::Source, |rows, blocks| {
            let (mut sums, mut below) = (vec![0.0; rows.len()], vec![0.0; other.len()]);
            let ones = [1.0; COLUMNS];
            blocks.visit(|columns, block| {
                exp_block(flat(block), &own[rows.clone()], &other[columns.clone()]);
                add_weighted(&*flat(block), &ones[..columns.len()], &mut sums);
                add_weighted_rows(&*flat(block), &ones[..rows.len()], &mut below[columns]);
            });
            (sums, below)
        });
        let mut both =
            Both { source: Vec::with_capacity(own.len()), target: vec![0.0; other.len()] };
        for (sums, below) in chunks {
            both.source.extend(sums);
            both.target.iter_mut().zip(below).for_each(|(sum, part)| *sum += part);
        }
        both
    }

    /// For each source cell i the first target cell at which the cumulative sum of `P_ij` exceeds
    /// `levels_i`, with P as in [`Kernel::plan`]; the most probable cell if rounding keeps the sum
    /// below.
    pub(super) fn choose(&self, logs: &Both, levels: &[f64]) -> Vec<usize> {
        let own = self.with_norms(Side::Source, &logs.source);
        let other = self.with_norms(Side::Target, &logs.target);
        let chunks = self.in_chunks(Side::Source, |rows, blocks| {
            let mut left = levels[rows.clone()].to_vec();
            let mut chosen = vec![None; rows.len()];
            let mut likeliest = vec![(0, -1.0); rows.len()];
            blocks.visit(|columns, block| {
                exp_block(flat(block), &own[rows.clone()], &other[columns.clone()]);
                for (r, row) in block.rows().into_iter().enumerate() {
                    for (j, share) in columns.clone().zip(row) {
                        if chosen[r].is_some() {
                            break;
                        }
                        left[r] -= share;
                        if left[r] < 0.0 {
                            chosen[r] = Some(j);
                        }
                        if *share > likeliest[r].1 {
                            likeliest[r] = (j, *share);
                        }
                    }
                }
            });
            chosen.iter().zip(likeliest).map(|(j, best)| j.unwrap_or(best.0)).collect::<Vec<_>>()
        });
        chunks.concat()
    }

    /// Every pair with `ln P_ij` at least `least`, sorted by source cell, then target cell, in
    /// chunks, with P as in [`Kernel::plan`]; `None` if there are more than `most`.
    pub(super) fn pairs_above(
        &self,
        logs: &Both,
        least: f64,
        most: usize,
    ) -> Option<Vec<Vec<Pair>>> {
        let own = self.with_norms(Side::Source, &logs.source);
        let other = self.with_norms(Side::Target, &logs.target);
        // Whether the count passes `most` does not depend on the order of chunks.
        let count = AtomicUsize::new(0);
        let chunks = self.in_chunks(Side::Source, |rows, blocks| {
            let mut found = Vec::new();
            blocks.visit(|columns, block| {
                if count.load(Ordering::Relaxed) > most {
                    return;
                }
                let before = found.len();
                for (i, mut row) in rows.clone().zip(block.rows_mut()) {
                    row.zip_mut_with(&ArrayView1::from(&other[columns.clone()]), |l, o| *l += o);
                    let needed = least - own[i];
                    if !row.iter().any(|log| *log >= needed) {
                        continue;
                    }
                    for (target, log) in columns.clone().zip(row).filter(|pair| *pair.1 >= needed) {
                        found.push(Pair {
                            source: i as u32,
                            target: target as u32,
                            log: *log + own[i],
                        });
                    }
                }
                count.fetch_add(found.len() - before, Ordering::Relaxed);
            });
            // Pairs arrive by blocks of columns; sorting brings the pairs of a row together.
            found.sort_by_key(|pair| (pair.source, pair.target));
            found
        });
        (count.into_inner() <= most).then_some(chunks)
    }
}

/// A pair of cells and the logarithm of its mass.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Pair {
    /// Source cell.
    pub(super) source: u32,
    /// Target cell.
    pub(super) target: u32,
    /// Logarithm of the mass.
    pub(super) log: f64,
}

/// The blocks of one chunk of rows.
pub(super) struct Blocks<'a, 'b> {
    /// The kernel.
    kernel: &'a DenseKernel<'b>,
    /// The side of the rows.
    side: Side,
    /// The rows.
    rows: Range<usize>,
}

impl Blocks<'_, '_> {
    /// Passes block after block to `visitor`: its columns, and `−C/ε` without the parts of single
    /// cells.
    pub(super) fn visit(&mut self, mut visitor: impl FnMut(Range<usize>, &mut Array2<f64>)) {
        let n = self.kernel.n(self.side.other());
        let mut block = Array2::zeros((self.rows.len(), COLUMNS.min(n)));
        for first in (0..n).step_by(COLUMNS) {
            let columns = first..n.min(first + COLUMNS);
            if columns.len() != block.ncols() {
                block = Array2::zeros((self.rows.len(), columns.len()));
            }
            self.kernel.fill(self.side, self.rows.clone(), columns.clone(), &mut block);
            visitor(columns, &mut block);
        }
    }
}

/// The values of a block as a slice.
pub(super) fn flat(block: &mut Array2<f64>) -> &mut [f64] {
    block.as_slice_mut().unwrap_or(&mut [])
}

impl Kernel for DenseKernel<'_> {
    /// Always: every sum is over all pairs.
    fn covers(&self, _: &Both) -> bool {
        true
    }

    /// Log-sum-exp over blocks, without overflow for any potentials.
    fn log_sums(&self, side: Side, other: &[f64]) -> Vec<f64> {
        let offsets = self.with_norms(side.other(), other);
        let chunks = self.in_chunks(side, |rows, blocks| {
            let mut sums = LogSums::new(rows.len());
            blocks.visit(|columns, block| sums.add(flat(block), &offsets[columns]));
            sums.finish()
        });
        self.with_norms(side, &chunks.concat())
    }

    fn plan<'a>(&'a self, logs: &'a Both) -> Box<dyn Plan + 'a> {
        let source = self.with_norms(Side::Source, &logs.source);
        let target = self.with_norms(Side::Target, &logs.target);
        Box::new(DensePlan { kernel: self, logs: Both { source, target } })
    }
}

/// The coupling of a kernel that is recomputed.
struct DensePlan<'a, 'b> {
    /// The kernel.
    kernel: &'a DenseKernel<'b>,
    /// Logarithms of the factors, with the parts of single cells.
    logs: Both,
}

impl Plan for DensePlan<'_, '_> {
    fn times(&self, side: Side, weights: &[f64]) -> Vec<f64> {
        let (own, other) = (self.logs.of(side), self.logs.of(side.other()));
        let chunks = self.kernel.in_chunks(side, |rows, blocks| {
            let mut sums = vec![0.0; rows.len()];
            blocks.visit(|columns, block| {
                exp_block(flat(block), &own[rows.clone()], &other[columns.clone()]);
                add_weighted(&*flat(block), &weights[columns], &mut sums);
            });
            sums
        });
        chunks.concat()
    }
}

#[cfg(test)]
mod tests;
