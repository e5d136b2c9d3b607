//! The pairs of a coupling that are kept: all of relevant mass, or a fixed number drawn for each cell.

use ndarray::Array1;
use rand_distr::{Distribution, StandardUniform};

use crate::bridge::Coupling;
use crate::bridge::sinkhorn::kernel::{DenseKernel, Pair, flat};
use crate::bridge::sinkhorn::sides::{Both, Kernel, Side};
use crate::error::Result;
use crate::linalg::exp_block;
use crate::rng::Seed;

/// Pairs below this fraction of `1/n_source` are left out. All of them together have a mass below
/// this fraction times `n_target`.
const LEAST: f64 = 1e-8;

/// Number of pairs that is always kept without draws.
const ALWAYS: usize = 50_000;

/// Offsets of neighbouring rows differ by the golden section, which spreads them most evenly.
const GOLDEN: f64 = 0.618_033_988_749_894_9;

/// All pairs of relevant mass, if there are at most `per_cell` for each source cell, or 50 000 in
/// all.
///
/// Otherwise each source cell has `per_cell` levels at equal distances in its cumulative mass, and
/// each level gives an equal part of the cell's mass to the pair in which it falls. Source
/// marginals are preserved, and every pair has its own mass in expectation.
pub(super) fn pairs(
    kernel: &DenseKernel<'_>,
    logs: &Both,
    per_cell: usize,
    seed: Seed,
) -> Result<Coupling> {
    let shape = (logs.source.len(), logs.target.len());
    let least = LEAST.ln() - (shape.0 as f64).ln();
    let most = per_cell.saturating_mul(shape.0).max(ALWAYS);
    match kernel.pairs_above(logs, least, most) {
        Some(chunks) => {
            let pairs = chunks.into_iter().flatten();
            Coupling::new(shape.0, shape.1, pairs.map(entry))
        }
        None => Coupling::new(shape.0, shape.1, drawn(kernel, logs, per_cell, seed)),
    }
}

/// Logarithms of the two factors of a coupling, from masses and potentials (source, target).
pub(super) fn logs(
    masses: &(Array1<f64>, Array1<f64>),
    potentials: &(Array1<f64>, Array1<f64>),
    epsilon: f64,
) -> Both {
    let sum = |masses: &Array1<f64>, potentials: &Array1<f64>| {
        masses.iter().zip(potentials).map(|(mass, p)| mass.ln() + p / epsilon).collect()
    };
    Both { source: sum(&masses.0, &potentials.0), target: sum(&masses.1, &potentials.1) }
}

/// The pairs whose mass is at least `least` times `1/n_source`.
pub(super) fn coupling(kernel: &DenseKernel<'_>, logs: &Both, least: f64) -> Result<Coupling> {
    let shape = (logs.source.len(), logs.target.len());
    let least = least.max(f64::MIN_POSITIVE).ln() - (shape.0 as f64).ln();
    let chunks = kernel.pairs_above(logs, least, usize::MAX).unwrap_or_default();
    let pairs = chunks.into_iter().flatten();
    Coupling::new(shape.0, shape.1, pairs.map(entry))
}

/// Source cell, target cell and mass of a pair.
fn entry(pair: Pair) -> (usize, usize, f64) {
    (pair.source as usize, pair.target as usize, pair.log.exp())
}

/// The pairs that the levels of each source cell select.
fn drawn(
    kernel: &DenseKernel<'_>,
    logs: &Both,
    per_cell: usize,
    seed: Seed,
) -> Vec<(usize, usize, f64)> {
    let masses = kernel.plan(logs).times(Side::Source, &vec![1.0; logs.target.len()]);
    let own = kernel.with_norms(Side::Source, &logs.source);
    let other = kernel.with_norms(Side::Target, &logs.target);
    let first: f64 = StandardUniform.sample(&mut seed.stream("sinkhorn/pairs", 0));
    let n_levels = per_cell as f64;
    let chunks = kernel.in_chunks(Side::Source, |rows, blocks| {
        let mut sums = vec![0.0; rows.len()];
        let mut passed = vec![0.0; rows.len()];
        let mut found: Vec<Vec<(usize, usize, f64)>> = vec![Vec::new(); rows.len()];
        blocks.visit(|columns, block| {
            exp_block(flat(block), &own[rows.clone()], &other[columns.clone()]);
            for (r, row) in block.rows().into_iter().enumerate() {
                let i = rows.start + r;
                let offset = (first + i as f64 * GOLDEN).fract();
                let scale = n_levels / masses[i];
                for (j, mass) in columns.clone().zip(row) {
                    sums[r] += mass;
                    let reached = (sums[r] * scale - offset).ceil().min(n_levels);
                    if reached > passed[r] {
                        found[r].push((i, j, (reached - passed[r]) / scale));
                        passed[r] = reached;
                    }
                }
            }
        });
        // Rounding can keep the cumulative mass below the last level.
        for ((pairs, passed), i) in found.iter_mut().zip(passed).zip(rows) {
            if let Some(last) = pairs.last_mut() {
                last.2 += (n_levels - passed) * masses[i] / n_levels;
            }
        }
        found.concat()
    });
    chunks.concat()
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;

    /// A plan of 150 × 700 cells with rows of equal mass.
    fn plan() -> (Array2<f64>, Array2<f64>, Both) {
        let wave = |n: usize, f: f64| {
            Array2::from_shape_fn((n, 2), |(i, d)| (f * (1 + i * 2 + d) as f64).sin())
        };
        let (x, y) = (wave(150, 1.3), wave(700, 0.7));
        let target: Vec<f64> = (0..700).map(|j| (0.9 * f64::from(j)).cos()).collect();
        let kernel = DenseKernel::points(x.view(), y.view(), 0.3);
        let sums = kernel.log_sums(Side::Source, &target);
        let source = sums.iter().map(|sum| -sum - 150.0_f64.ln()).collect();
        (x, y, Both { source, target })
    }

    #[test]
    fn few_pairs_are_all_there_and_many_are_drawn_by_their_mass() {
        let (x, y, logs) = plan();
        let kernel = DenseKernel::points(x.view(), y.view(), 0.3);
        let whole = pairs(&kernel, &logs, 700, Seed(1)).unwrap();
        assert!(whole.n_pairs() > 90_000 && (whole.kept() - 1.0).abs() < 1e-5);
        let drawn = pairs(&kernel, &logs, 40, Seed(1)).unwrap();
        assert!(drawn.n_pairs() <= 40 * 150 && (drawn.kept() - 1.0).abs() < 1e-12);
        let (rows, columns) = drawn.marginals();
        assert!(rows.iter().all(|mass| (mass - 1.0 / 150.0).abs() < 1e-12));
        // Targets: independent draws would leave √(1/(6 000 · mass)) of a mass, 0.34 for an even
        // one; levels that are spread evenly leave less.
        let wanted = whole.marginals().1;
        let off: f64 = columns.iter().zip(&wanted).map(|(a, b)| (a - b).abs()).sum();
        assert!(off < 0.2, "{off}");
        assert_ne!(drawn, pairs(&kernel, &logs, 40, Seed(2)).unwrap());
    }

    #[test]
    fn masses_are_right_in_expectation() {
        let (x, y, logs) = plan();
        let kernel = DenseKernel::points(x.view(), y.view(), 0.3);
        let whole = pairs(&kernel, &logs, 700, Seed(1)).unwrap();
        let mut mean = Array2::<f64>::zeros((150, 700));
        let (n, per_cell) = (400, 40);
        for seed in 0..n {
            for (i, j, mass) in pairs(&kernel, &logs, per_cell, Seed(seed)).unwrap().pairs() {
                mean[[i, j]] += mass / n as f64;
            }
        }
        let level = 1.0 / (150 * per_cell) as f64;
        let mut checked = 0;
        for (i, j, mass) in whole.pairs() {
            // A pair gets a level or not, n times: a binomial, near a normal law from 20 hits on.
            let hits = mass / level * n as f64;
            if hits > 20.0 {
                let off = (mean[[i, j]] - mass) / level * n as f64;
                assert!(off.abs() < 6.0 * hits.sqrt(), "{i} {j}: {off} of {hits}");
                checked += 1;
            }
        }
        assert!(checked > 10_000, "{checked}");
    }
}
