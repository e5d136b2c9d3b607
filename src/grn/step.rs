//! Steps of a course: cells at an earlier time, cells at a later one, and which goes with which.

use ndarray::{Array1, Array2, ArrayView1, Axis};

use crate::bridge::{Coupling, SinkhornSolver};
use crate::error::Result;
use crate::geometry::{Cost, Epsilon, SquaredEuclidean};
use crate::progress::Silent;

/// ε of the plans made here, as a part of the mean cost.
pub const PLAN_EPSILON: f64 = 0.05;

/// Least mass of a pair that is kept, as a part of an even row.
const LEAST: f64 = 1e-6;

/// Cells on a side that are paired at once; larger sets are dealt into blocks of this size, in the
/// order of their rows, and block is paired with block.
const BLOCK: usize = 1000;

/// Cells that are followed over a lag.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Rows of the earlier cells.
    pub sources: Vec<usize>,
    /// Rows of the later cells.
    pub targets: Vec<usize>,
    /// Which goes with which, by place in `sources` and `targets`.
    pub coupling: Coupling,
}

impl Step {
    /// Pairs `sources` and `targets` by entropic transport of `features` `(n_cells, dim)`, for
    /// half the squared distance and ε [`PLAN_EPSILON`] of its mean. `weights` are those of all
    /// cells; cells of weight zero take no part.
    ///
    /// # Errors
    /// Those of [`SinkhornSolver::couple`].
    pub fn paired(
        (sources, targets): (&[usize], &[usize]),
        features: &Array2<f64>,
        weights: ArrayView1<'_, f64>,
    ) -> Result<Self> {
        let taken = |rows: &[usize]| -> Vec<usize> {
            rows.iter().copied().filter(|&row| weights[row] > 0.0).collect()
        };
        let (sources, targets) = (taken(sources), taken(targets));
        let n_blocks = sources.len().max(targets.len()).div_ceil(BLOCK);
        let n_blocks = n_blocks.min(sources.len()).min(targets.len()).max(1);
        let mut pairs = Vec::new();
        for block in 0..n_blocks {
            let part = |n: usize| (block..n).step_by(n_blocks).collect::<Vec<usize>>();
            let (from, to) = (part(sources.len()), part(targets.len()));
            let points = |places: &[usize], rows: &[usize]| {
                let rows: Vec<usize> = places.iter().map(|&place| rows[place]).collect();
                features.select(Axis(0), &rows)
            };
            let masses = |places: &[usize], rows: &[usize]| {
                places.iter().map(|&place| weights[rows[place]]).collect::<Array1<f64>>()
            };
            let cost = SquaredEuclidean::new(
                points(&from, &sources).view(),
                points(&to, &targets).view(),
            )?;
            let (p, q) = (masses(&from, &sources), masses(&to, &targets));
            let (share, total) = (p.sum(), q.sum());
            let coupling = entropic(&cost, (p / share, q / total))?;
            pairs.extend(coupling.pairs().map(|(i, j, mass)| (from[i], to[j], mass * share)));
        }
        pairs.sort_unstable_by_key(|pair| (pair.0, pair.1));
        let coupling = Coupling::new((sources.len(), targets.len()), pairs)?;
        Ok(Self { sources, targets, coupling })
    }
}

fn entropic(cost: &dyn Cost, (p, q): (Array1<f64>, Array1<f64>)) -> Result<Coupling> {
    let (n, m) = cost.shape();
    let mut costs = Array2::zeros((n, m));
    cost.block((0, 0), costs.view_mut());
    let mean = p.dot(&costs.dot(&q));
    let epsilon = Epsilon::new(if mean > 0.0 { PLAN_EPSILON * mean } else { 1.0 })?;
    let solver = SinkhornSolver { tolerance: 1e-4, max_iterations: 1000, ..Default::default() };
    let plan = solver.couple(cost, (p.view(), q.view()), epsilon, &mut Silent)?;
    plan.coupling(LEAST)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(n: usize) -> Array2<f64> {
        Array2::from_shape_fn((n, 2), |(i, d)| ((i + 1) as f64 * [0.618_034, 0.414_214][d]).fract())
    }

    #[test]
    fn a_small_step_is_the_entropic_plan_of_weighted_cells() {
        let features = places(9);
        let mut weights = Array1::from_elem(9, 1.0);
        (weights[1], weights[2]) = (0.0, 3.0);
        let step =
            Step::paired((&[0, 1, 2, 3], &[4, 5, 6, 7, 8]), &features, weights.view()).unwrap();
        assert_eq!(step.sources, [0, 2, 3]);
        let (rows, columns) = step.coupling.marginals();
        for (mass, expected) in rows.iter().zip([1.0, 3.0, 1.0]) {
            assert!((mass - expected).abs() < 1e-3);
        }
        assert!(columns.iter().all(|mass| (mass - 1.0).abs() < 1e-3));
        // Of the form a_i b_j exp(−C/ε): log ratios of two by two pairs give costs back.
        let half = |i: usize, j: usize| {
            let gap = &features.row(i) - &features.row(j);
            0.5 * gap.dot(&gap)
        };
        let mean = (0..15)
            .map(|p| [1.0, 3.0, 1.0][p / 5] / 25.0 * half(step.sources[p / 5], step.targets[p % 5]))
            .sum::<f64>();
        let mass = |i: usize, j: usize| {
            let (targets, masses) = step.coupling.row(i);
            targets.iter().position(|t| *t as usize == j).map_or(0.0, |place| masses[place])
        };
        let ours = (mass(0, 0) * mass(1, 1) / (mass(0, 1) * mass(1, 0))).ln();
        let cost = |i: usize, j: usize| half(step.sources[i], step.targets[j]);
        let theirs = -(cost(0, 0) + cost(1, 1) - cost(0, 1) - cost(1, 0)) / (PLAN_EPSILON * mean);
        assert!((ours - theirs).abs() < 1e-6, "{ours} {theirs}");
    }

    #[test]
    fn a_large_step_keeps_every_cell() {
        let features = places(2500);
        let weights = Array1::ones(2500);
        let (sources, targets): (Vec<usize>, Vec<usize>) =
            ((0..1400).collect(), (1400..2500).collect());
        let step = Step::paired((&sources, &targets), &features, weights.view()).unwrap();
        let (rows, columns) = step.coupling.marginals();
        assert!(rows.iter().all(|mass| (mass - 1.0).abs() < 0.05));
        let even = 1400.0 / 1100.0;
        assert!(columns.iter().all(|mass| (mass / even - 1.0).abs() < 0.05));
    }
}
