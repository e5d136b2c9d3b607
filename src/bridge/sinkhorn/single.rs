//! A coupling relative to independent ends, stored in single precision for many fast products.

use ndarray::{Array2, ArrayView1, ArrayView2};
use rayon::prelude::*;

use crate::bridge::rescale::Ratios;
use crate::bridge::sinkhorn::AllPairs;
use crate::bridge::sinkhorn::sides::Both;
use crate::error::Result;
use crate::linalg::{product_columns_single, product_nt_single};

/// Cells of one task. The size is fixed, so results do not depend on the number of threads.
const CELLS: usize = 256;

/// Smallest stored ratio. Smaller ones are zero: products of them would be subnormal, and some
/// processors take about a hundred times as long for each of them.
const LEAST: f64 = 1e-30;

/// The ratios `T_ij / (r_i c_j)` of a coupling T with marginals r and c, in single precision.
///
/// Ratios are about one on average and at most the number of cells. A product with k vectors takes
/// `2 k` flops for each pair, without exponentials. Memory: 4 bytes for each pair.
#[derive(Debug)]
pub(crate) struct SingleRatios {
    /// The ratios in rows, n_source × n_target.
    ratios: Vec<f32>,
    /// Number of source cells and number of target cells.
    shape: (usize, usize),
}

impl SingleRatios {
    /// The ratios of `plan` with the marginals `source` and `target`. A cell without mass has
    /// ratios of zero. Takes one pass over all pairs.
    pub(crate) fn new(
        plan: &AllPairs,
        source: ArrayView1<'_, f64>,
        target: ArrayView1<'_, f64>,
    ) -> Self {
        let less = |logs: &[f64], masses: ArrayView1<'_, f64>| -> Vec<f64> {
            let one = |(log, mass): (&f64, &f64)| {
                if *mass > 0.0 { log - mass.ln() } else { f64::NEG_INFINITY }
            };
            logs.iter().zip(masses).map(one).collect()
        };
        let logs = plan.logs();
        let logs = Both { source: less(&logs.source, source), target: less(&logs.target, target) };
        let shape = plan.shape();
        let mut ratios = vec![0.0_f32; shape.0 * shape.1];
        plan.kernel().write_rows(&logs, &mut ratios, |masses, out| {
            for (out, mass) in out.iter_mut().zip(masses) {
                *out = if *mass < LEAST { 0.0 } else { *mass as f32 };
            }
        });
        Self { ratios, shape }
    }
}

impl Ratios for SingleRatios {
    fn pull(&self, b: ArrayView2<'_, f64>) -> Result<Array2<f64>> {
        let (n, m) = self.shape;
        let b: Vec<f32> = b.iter().map(|value| *value as f32).collect();
        let k = b.len() / m.max(1);
        Ok(tasks(k, n, |rows, out| {
            product_nt_single(out, &b, &self.ratios[rows.start * m..rows.end * m], m);
        }))
    }

    fn push(&self, a: ArrayView2<'_, f64>) -> Result<Array2<f64>> {
        let (n, m) = self.shape;
        let a: Vec<f32> = a.iter().map(|value| *value as f32).collect();
        let k = a.len() / n.max(1);
        Ok(tasks(k, m, |columns, out| {
            product_columns_single(out, &a, &self.ratios, m, columns);
        }))
    }

    /// Single precision has 38 digits of range: a cell whose sum is this small may have lost all of
    /// its partners.
    fn least(&self) -> f64 {
        1e-20
    }

    fn is_complete(&self) -> bool {
        true
    }
}

/// An array k × n from tasks that each write k × [`CELLS`] numbers.
fn tasks(
    k: usize,
    n: usize,
    work: impl Fn(std::ops::Range<usize>, &mut [f32]) + Sync,
) -> Array2<f64> {
    let parts: Vec<Vec<f32>> = (0..n.div_ceil(CELLS))
        .into_par_iter()
        .map(|task| {
            let cells = task * CELLS..n.min((task + 1) * CELLS);
            let mut out = vec![0.0; k * cells.len()];
            work(cells, &mut out);
            out
        })
        .collect();
    let mut all = Array2::zeros((k, n));
    for (task, part) in parts.iter().enumerate() {
        let first = task * CELLS;
        let width = CELLS.min(n - first);
        for (mut row, part) in all.rows_mut().into_iter().zip(part.chunks_exact(width)) {
            for (value, part) in row.iter_mut().skip(first).zip(part) {
                *value = f64::from(*part);
            }
        }
    }
    all
}
