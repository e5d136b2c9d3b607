//! The stored kernel of all pairs: each step is a product with a matrix.

use rayon::prelude::*;

use crate::bridge::sinkhorn::SinkhornSolver;
use crate::bridge::sinkhorn::kernel::{DenseKernel, flat};
use crate::bridge::sinkhorn::sides::{Both, Kernel, Plan, Side};
use crate::linalg::{add_weighted, add_weighted_rows, exp_block};

/// Single precision changes a marginal by at most 6e-8 in all (half a unit in the last place of
/// each pair). For marginal errors below this, pairs are stored in double precision.
const SINGLE: f64 = 1e-7;

/// How far potentials may rise above those of the stored pairs, in units of ε for source and target
/// together. A pair that was too small to be stored is then below 1e-24 of the mass of its cells.
const SLACK: f64 = 30.0;

/// Values below this are stored as zero, because smaller numbers in single precision are subnormal.
const LEAST: f64 = 1.2e-38;

/// Largest fraction of a sum that values stored as zero may have.
const LOST: f64 = 1e-13;

/// If no cost is above this, in units of ε, `exp(−C/ε)` itself can be stored without loss.
const MOST_COST: f64 = 80.0;

/// `exp(φ_i + γ_j − C_ij/ε)` of all pairs, for potentials φ and γ near the solution.
///
/// Sums for other potentials are products with this matrix and factors of single cells. A pass
/// takes 2 flops and reads 4 or 8 bytes for each pair; [`DenseKernel`] takes a product of d terms
/// and an exponential.
pub(super) struct HeldKernel<'a> {
    /// The same pairs, recomputed.
    dense: &'a dyn Kernel,
    /// The stored values.
    values: Values,
    /// φ and γ.
    at: Both,
    /// How far potentials may rise above φ and γ.
    slack: f64,
}

/// Chunks of rows in order.
#[derive(Debug)]
enum Values {
    /// In single precision, 4 bytes a pair.
    Single(Vec<Vec<f32>>),
    /// In double precision, 8 bytes a pair.
    Double(Vec<Vec<f64>>),
}

impl<'a> HeldKernel<'a> {
    /// Near `potentials`, which should not be below those of later sums, accurate for a marginal
    /// error of `goal`; `None` if it does not fit into memory. Takes one pass over `dense`.
    pub(super) fn new(dense: &'a DenseKernel<'_>, potentials: Both, goal: f64) -> Option<Self> {
        Self::within(dense, potentials, goal, SLACK)
    }

    /// `exp(−C/ε)`, accurate for a marginal error of `goal` and any potentials; `None` if it does
    /// not fit into memory, or the range of costs is too wide.
    pub(super) fn unscaled(dense: &'a DenseKernel<'_>, goal: f64) -> Option<Self> {
        if !dense.most_cost().is_some_and(|most| most <= MOST_COST) {
            return None;
        }
        let zeros = |side| vec![0.0; dense.n(side)];
        let zeros = Both { source: zeros(Side::Source), target: zeros(Side::Target) };
        Self::within(dense, zeros, goal, f64::INFINITY)
    }

    /// As [`HeldKernel::new`], with a given slack.
    fn within(dense: &'a DenseKernel<'_>, potentials: Both, goal: f64, slack: f64) -> Option<Self> {
        let single = goal >= SINGLE;
        let bytes = if single { 4 } else { 8 };
        if dense.n_all() > SinkhornSolver::MOST_HELD / bytes {
            return None;
        }
        let values = if single {
            let round = |value: f64| if value < LEAST { 0.0 } else { value as f32 };
            Values::Single(chunks(dense, &potentials, round))
        } else {
            Values::Double(chunks(dense, &potentials, |value| value))
        };
        Some(Self { dense, values, at: potentials, slack })
    }

    /// `Σ_j K_ij weights_j` for each cell i of `side`, over the stored values.
    fn products(&self, side: Side, weights: &[f64]) -> Vec<f64> {
        let m = self.at.target.len();
        match &self.values {
            Values::Single(chunks) => products(chunks, m, side, weights),
            Values::Double(chunks) => products(chunks, m, side, weights),
        }
    }

    /// `exp(now − then)` of each cell.
    fn factors(&self, side: Side, now: &[f64]) -> Vec<f64> {
        now.iter().zip(self.at.of(side)).map(|(now, then)| (now - then).exp()).collect()
    }
}

impl Values {
    /// Values below this are not stored.
    fn least(&self) -> f64 {
        match self {
            Self::Single(_) => LEAST,
            Self::Double(_) => f64::MIN_POSITIVE,
        }
    }
}

/// The values of all pairs in chunks of rows.
fn chunks<T: Copy + Send + Default>(
    dense: &DenseKernel<'_>,
    potentials: &Both,
    round: impl Fn(f64) -> T + Sync,
) -> Vec<Vec<T>> {
    let own = dense.with_norms(Side::Source, &potentials.source);
    let other = dense.with_norms(Side::Target, &potentials.target);
    let m = other.len();
    dense.in_chunks(Side::Source, |rows, blocks| {
        let mut held = vec![T::default(); rows.len() * m];
        blocks.visit(|columns, block| {
            exp_block(flat(block), &own[rows.clone()], &other[columns.clone()]);
            for (row, values) in held.chunks_exact_mut(m).zip(block.rows()) {
                for (held, value) in row[columns.clone()].iter_mut().zip(values) {
                    *held = round(*value);
                }
            }
        });
        held
    })
}

/// Products with the matrix or its transpose; sums in double precision, in a fixed order.
fn products<T: Copy + Into<f64> + Sync>(
    chunks: &[Vec<T>],
    m: usize,
    side: Side,
    weights: &[f64],
) -> Vec<f64> {
    let n_rows = |chunk: &Vec<T>| chunk.len() / m.max(1);
    match side {
        Side::Source => {
            let sums = |chunk: &Vec<T>| {
                let mut sums = vec![0.0; n_rows(chunk)];
                add_weighted(chunk, weights, &mut sums);
                sums
            };
            chunks.par_iter().flat_map_iter(sums).collect()
        }
        Side::Target => {
            let rows_of_first = chunks.first().map_or(1, n_rows).max(1);
            let sums = |(chunk, weights): (&Vec<T>, &[f64])| {
                let mut sums = vec![0.0; m];
                add_weighted_rows(chunk, weights, &mut sums);
                sums
            };
            let parts = chunks.par_iter().zip(weights.par_chunks(rows_of_first)).map(sums);
            // Added in order, so that the sums do not depend on threads.
            let mut all = vec![0.0; m];
            for part in parts.collect::<Vec<_>>() {
                all.iter_mut().zip(part).for_each(|(sum, part)| *sum += part);
            }
            all
        }
    }
}

impl Kernel for HeldKernel<'_> {
    fn covers(&self, potentials: &Both) -> bool {
        let rise = |side: Side| {
            let pairs = potentials.of(side).iter().zip(self.at.of(side));
            pairs.fold(f64::NEG_INFINITY, |most: f64, (now, then)| most.max(now - then))
        };
        rise(Side::Source) + rise(Side::Target) <= self.slack
    }

    /// A product with the stored values. If a sum is too small or too large for them, the pairs are
    /// recomputed.
    fn log_sums(&self, side: Side, other: &[f64]) -> Vec<f64> {
        let factors = self.factors(side.other(), other);
        let mut sums = self.products(side, &factors);
        // If all partners of a cell have lost most of their weight, the sum may consist of values
        // that were too small to be stored; beside a cell of tiny weight a value may overflow.
        let least = self.values.least() / LOST * factors.iter().sum::<f64>();
        if !sums.iter().all(|sum| *sum > least && sum.is_finite()) {
            return self.dense.log_sums(side, other);
        }
        for (sum, then) in sums.iter_mut().zip(self.at.of(side)) {
            *sum = sum.ln() - then;
        }
        sums
    }

    /// The coupling as the stored values times factors of single cells.
    fn plan<'b>(&'b self, logs: &'b Both) -> Box<dyn Plan + 'b> {
        let factors = |side| self.factors(side, logs.of(side));
        let factors = Both { source: factors(Side::Source), target: factors(Side::Target) };
        Box::new(HeldPlan { kernel: self, factors })
    }
}

/// The coupling of a stored kernel.
struct HeldPlan<'a, 'b> {
    /// The stored kernel.
    kernel: &'a HeldKernel<'b>,
    /// Factors of single cells.
    factors: Both,
}

impl Plan for HeldPlan<'_, '_> {
    fn times(&self, side: Side, weights: &[f64]) -> Vec<f64> {
        let factors = self.factors.of(side.other());
        let weights: Vec<f64> = weights.iter().zip(factors).map(|(w, f)| w * f).collect();
        let mut sums = self.kernel.products(side, &weights);
        sums.iter_mut().zip(self.factors.of(side)).for_each(|(sum, factor)| *sum *= factor);
        sums
    }
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;

    fn wave(n: usize, f: f64) -> Vec<f64> {
        (0..n).map(|i| 3.0 * (f * i as f64).sin()).collect()
    }

    /// Sizes that are cut into several chunks both ways; potentials where they were computed, and
    /// as far off as they may be.
    #[test]
    fn sums_over_what_is_held_are_those_over_all_pairs_also_further_off() {
        let cells = |n: usize, f: f64| {
            Array2::from_shape_fn((n, 3), |(i, d)| (f * (i * 3 + d) as f64).sin() * 2.0)
        };
        let (x, y) = (cells(300, 1.3), cells(1_100, 0.7));
        let dense = DenseKernel::points(x.view(), y.view(), 0.2);
        // So that sums are near one, as those for which a kernel is held.
        let source = wave(300, 0.3);
        let columns = dense.log_sums(Side::Target, &source);
        let target: Vec<f64> = columns.iter().map(|sum| -sum).collect();
        let rows = dense.log_sums(Side::Source, &target);
        let source = source.iter().zip(&rows).map(|(p, row)| p.max(-row)).collect();
        let at = Both { source, target };
        let further = |values: &[f64], by: f64| -> Vec<f64> {
            values.iter().enumerate().map(|(i, p)| p + by * (0.9 * i as f64).sin()).collect()
        };
        let moved = Both { source: further(&at.source, 14.0), target: further(&at.target, 14.0) };
        for (goal, close) in [(1e-6, 1e-6), (1e-9, 1e-13)] {
            let held = HeldKernel::new(&dense, at.clone(), goal).unwrap();
            for potentials in [&at, &moved] {
                assert!(held.covers(potentials));
                let plans = (held.plan(potentials), dense.plan(potentials));
                for side in [Side::Source, Side::Target] {
                    let other = potentials.of(side.other());
                    let pair = (held.log_sums(side, other), dense.log_sums(side, other));
                    let exponents = 60.0 * 1e-15;
                    let off = |(a, b): (&f64, &f64)| (a - b).abs() < close + exponents;
                    assert!(pair.0.iter().zip(&pair.1).all(off));
                    let weights: Vec<f64> = other.iter().map(|w| w.abs()).collect();
                    let pair = (plans.0.times(side, &weights), plans.1.times(side, &weights));
                    let off = |(a, b): (&f64, &f64)| (a - b).abs() < 4.0 * close * b;
                    assert!(pair.0.iter().zip(&pair.1).all(off));
                }
            }
        }
        let held = HeldKernel::new(&dense, at.clone(), 1e-6).unwrap();
        let rise =
            |by: f64| Both { source: at.source.iter().map(|p| p + by).collect(), ..at.clone() };
        assert!(held.covers(&rise(29.0)) && held.covers(&rise(-99.0)) && !held.covers(&rise(31.0)));
        // Only one cell keeps its potential: most sums are of pairs too small to be held.
        let mut fallen = rise(-2_000.0);
        fallen.source[7] = at.source[7];
        let pair = (
            held.log_sums(Side::Target, &fallen.source),
            dense.log_sums(Side::Target, &fallen.source),
        );
        assert!(pair.0.iter().zip(&pair.1).all(|(a, b)| (a - b).abs() < 1e-6 + 1e-13 * b.abs()));
    }

    #[test]
    fn near_costs_are_held_as_they_are_and_far_ones_are_not() {
        let x = Array2::from_shape_fn((150, 2), |(i, d)| ((2 * i + d) as f64).sin());
        let y = Array2::from_shape_fn((40, 2), |(j, d)| ((2 * j + d) as f64).cos());
        // ½‖x−y‖² is up to about 3.
        let near = DenseKernel::points(x.view(), y.view(), 0.06);
        let held = HeldKernel::unscaled(&near, 1e-6).unwrap();
        let other: Vec<f64> = (0..40).map(|j| f64::from(j) - 20.0).collect();
        let pair = (held.log_sums(Side::Source, &other), near.log_sums(Side::Source, &other));
        assert!(pair.0.iter().zip(&pair.1).all(|(a, b)| (a - b).abs() < 1e-7));
        let heavy = Both { source: vec![120.0; 150], target: vec![0.0; 40] };
        let held = HeldKernel::new(&near, heavy, 1e-6).unwrap();
        let pair = (held.log_sums(Side::Source, &other), near.log_sums(Side::Source, &other));
        assert!(pair.0.iter().zip(&pair.1).all(|(a, b)| (a - b).abs() < 1e-7));
        let far = DenseKernel::points(x.view(), y.view(), 0.03);
        assert!(HeldKernel::unscaled(&far, 1e-6).is_none());
    }

    #[test]
    fn what_does_not_fit_is_not_held() {
        let x = Array2::from_shape_fn((5_900, 1), |(i, _)| i as f64);
        let y = x.slice(ndarray::s![..5_800, ..]);
        let dense = DenseKernel::points(x.view(), y, 1.0);
        let at = Both { source: vec![0.0; 5_900], target: vec![0.0; 5_800] };
        // 5 900 × 5 800 pairs are 137 MB in single precision and 274 MB in double.
        assert!(HeldKernel::new(&dense, at.clone(), 1e-6).is_some());
        assert!(HeldKernel::new(&dense, at, 1e-9).is_none());
    }
}
