//! The coupling of cells for training: of all cells at once, or of random blocks of a large snapshot.

use ndarray::{Array1, Array2, Axis};
use rand::seq::SliceRandom;

use crate::bridge::flow::pairs::Pairs;
use crate::bridge::{BridgeProblem, Coupling, CouplingKind, SinkhornSolver, Stop};
use crate::data::Snapshot;
use crate::error::Result;
use crate::geometry::{Cost, Epsilon};
use crate::linalg::exact_plan;
use crate::progress::Progress;
use crate::rng::Seed;

/// Number of random partitions into blocks, for snapshots that are too large for one coupling.
const SHUFFLES: u64 = 4;

/// Largest number of pairs of an entropic coupling for each source cell.
const PAIRS_PER_CELL: usize = 128;

/// Marginal error of an entropic coupling. It is below the noise of drawing pairs from it.
const TOLERANCE: f64 = 1e-5;

/// The cells of a snapshot for training and for evaluation. In each part the cells of the other
/// have weight zero.
#[derive(Debug, Clone)]
pub(in crate::bridge) struct Split {
    /// The cells for training.
    pub(in crate::bridge) training: Snapshot,
    /// The cells for evaluation.
    pub(in crate::bridge) held_out: Snapshot,
}

/// How cells are paired.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pairing<'a> {
    /// The kind of coupling.
    pub(super) kind: CouplingKind,
    /// The cost between all cells of the problem.
    pub(super) cost: &'a dyn Cost,
    /// ε of an entropic coupling.
    pub(super) epsilon: Epsilon,
    /// Largest number of cells of a snapshot in one coupling.
    pub(super) block: usize,
    /// Seed of the partitions and of draws of pairs.
    pub(super) seed: Seed,
}

/// The pairs of one interval.
#[derive(Debug)]
pub(super) struct Paired {
    /// The pairs for training.
    pub(super) training: Pairs,
    /// The pairs for evaluation.
    pub(super) held_out: Pairs,
    /// Whether every coupling met its tolerance.
    pub(super) converged: bool,
}

impl Pairing<'_> {
    /// Pairs for training and held-out pairs, from a coupling of all cells.
    ///
    /// No training pair contains a held-out cell. Held-out pairs of a coupling are those with a
    /// held-out cell at either end: with little noise nearly every cell has few partners, so that
    /// hardly any pair would be held out at both ends. Independent pairs are held out at both ends.
    /// If no cell is held out, both sets are all pairs.
    ///
    /// If neither snapshot has more than `block` cells, the coupling is that of all cells.
    /// Otherwise it is that of random blocks of at most `block` cells, for four random partitions
    /// (the minibatch coupling of Tong et al. 2024, arXiv 2302.00482, with larger batches). Takes
    /// `8 block²` bytes for an exact coupling, or 40 bytes a pair for an entropic coupling with 128
    /// pairs for each source cell.
    pub(super) fn pairs(
        &self,
        problem: &BridgeProblem,
        source: &Split,
        target: &Split,
        progress: &mut dyn Progress,
    ) -> Result<Paired> {
        if self.kind == CouplingKind::Independent {
            let training = Pairs::independent(&source.training, &target.training);
            let held_out = Pairs::independent(&source.held_out, &target.held_out);
            return Ok(Paired { training, held_out, converged: true });
        }
        let (coupling, converged) = self.coupling(problem.source(), problem.target(), progress)?;
        let (x, y) = (source.training.marginal(), target.training.marginal());
        let trained = |i: usize, j: usize| x[i] > 0.0 && y[j] > 0.0;
        let training = Pairs::joint(&coupling, trained);
        let held_out = Pairs::joint(&coupling, |i, j| !trained(i, j));
        Ok(Paired { training, held_out, converged })
    }

    /// The coupling of all cells that have weight, and whether it met its tolerance.
    fn coupling(
        &self,
        source: &Snapshot,
        target: &Snapshot,
        progress: &mut dyn Progress,
    ) -> Result<(Coupling, bool)> {
        let (rows, columns) = (weighed(source), weighed(target));
        let n_blocks = rows.len().max(columns.len()).div_ceil(self.block.max(1));
        let mut entries = Vec::new();
        let mut converged = true;
        let whole = n_blocks == 1 || rows.len().min(columns.len()) < n_blocks;
        let n_shuffles = if whole { 1 } else { SHUFFLES };
        let n_blocks = if whole { 1 } else { n_blocks };
        for shuffle in 0..n_shuffles {
            let mut stream = self.seed.stream("flow/blocks", shuffle);
            let mut parts = |cells: &[usize]| -> Vec<Vec<usize>> {
                let mut cells = cells.to_vec();
                if !whole {
                    cells.shuffle(&mut stream);
                }
                let at = |b: usize| b * cells.len() / n_blocks;
                (0..n_blocks).map(|b| cells[at(b)..at(b + 1)].to_vec()).collect()
            };
            for (b, (rows, columns)) in parts(&rows).into_iter().zip(parts(&columns)).enumerate() {
                let seed = self.seed.child("flow/plan", shuffle * n_blocks as u64 + b as u64);
                let (from, to) = (Part::of(source, &rows), Part::of(target, &columns));
                let mass = from.mass / n_shuffles as f64;
                let (plan, met) = self.plan(&from, &to, seed, progress)?;
                converged &= met;
                let found = plan.pairs().map(|(i, j, share)| (rows[i], columns[j], share * mass));
                entries.extend(found);
            }
        }
        Ok((Coupling::new(source.n_cells(), target.n_cells(), merged(entries))?, converged))
    }

    /// The coupling of two parts.
    fn plan(
        &self,
        from: &Part<'_>,
        to: &Part<'_>,
        seed: Seed,
        progress: &mut dyn Progress,
    ) -> Result<(Coupling, bool)> {
        let cost = self.cost.select(from.cells, to.cells);
        let (p, q) = (from.weights.view(), to.weights.view());
        if self.kind == CouplingKind::Entropic {
            let solver = SinkhornSolver { tolerance: TOLERANCE, ..SinkhornSolver::default() };
            let plan = solver.couple(&*cost, p, q, self.epsilon, progress)?;
            let converged = plan.report().stop == Stop::Converged;
            return Ok((plan.pairs(PAIRS_PER_CELL, seed)?, converged));
        }
        let mut costs = Array2::zeros(cost.shape());
        cost.rows(0, costs.view_mut());
        let plan = exact_plan(costs.view(), p, q, progress)?;
        let (n, m) = cost.shape();
        Ok((Coupling::from_exact(n, m, &plan)?, true))
    }
}

/// Some cells of a snapshot.
struct Part<'a> {
    /// Rows of the snapshot.
    cells: &'a [usize],
    /// Weights, summing to one.
    weights: Array1<f64>,
    /// Sum of the weights in the snapshot.
    mass: f64,
}

impl<'a> Part<'a> {
    /// The cells with these rows.
    fn of(snapshot: &Snapshot, cells: &'a [usize]) -> Self {
        let weights = snapshot.marginal().select(Axis(0), cells);
        let mass = weights.sum();
        Self { cells, weights: weights / mass, mass }
    }
}

/// The cells that have weight.
fn weighed(snapshot: &Snapshot) -> Vec<usize> {
    (0..snapshot.n_cells()).filter(|&i| snapshot.marginal()[i] > 0.0).collect()
}

/// Sorts pairs and adds the masses of equal ones.
fn merged(mut entries: Vec<(usize, usize, f64)>) -> Vec<(usize, usize, f64)> {
    entries.sort_by_key(|entry| (entry.0, entry.1));
    entries.dedup_by(|later, first| {
        let same = (later.0, later.1) == (first.0, first.1);
        if same {
            first.2 += later.2;
        }
        same
    });
    entries
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::SquaredEuclidean;
    use crate::progress::Silent;

    fn cells(n: usize, shift: f64) -> Snapshot {
        let points = Array2::from_shape_fn((n, 2), |(i, d)| ((i * 2 + d) as f64).sin() + shift);
        Snapshot::new(points).unwrap()
    }

    fn coupling(
        kind: CouplingKind,
        source: &Snapshot,
        target: &Snapshot,
        block: usize,
    ) -> Coupling {
        let cost = SquaredEuclidean::new(source.points(), target.points()).unwrap();
        let epsilon = Epsilon::new(0.1).unwrap();
        let pairing = Pairing { kind, cost: &cost, epsilon, block, seed: Seed(1) };
        let (coupling, converged) = pairing.coupling(source, target, &mut Silent).unwrap();
        assert!(converged);
        coupling
    }

    #[test]
    fn blocks_keep_the_marginals_and_cost_little_more_than_the_whole() {
        let (source, target) = (cells(90, 0.0), cells(120, 1.0));
        let cost = |coupling: &Coupling| -> f64 {
            let (x, y) = (source.points(), target.points());
            let half = |(i, j, mass): (usize, usize, f64)| {
                let off = &x.row(i) - &y.row(j);
                0.5 * mass * off.dot(&off)
            };
            coupling.pairs().map(half).sum()
        };
        let exact = coupling(CouplingKind::Exact, &source, &target, 200);
        for (kind, tolerance) in [(CouplingKind::Exact, 1e-12), (CouplingKind::Entropic, 1e-5)] {
            let whole = coupling(kind, &source, &target, 200);
            let blocks = coupling(kind, &source, &target, 40);
            for coupling in [&whole, &blocks] {
                let (rows, columns) = coupling.marginals();
                assert!((rows - 1.0 / 90.0).mapv(f64::abs).sum() < tolerance);
                assert!((columns - 1.0 / 120.0).mapv(f64::abs).sum() < 2.0 * tolerance);
            }
            assert!(cost(&whole) <= cost(&blocks) && cost(&blocks) < 1.5 * cost(&whole));
            assert!(cost(&exact) <= cost(&whole) + 1e-9);
        }
    }

    #[test]
    fn cells_without_weight_are_in_no_pair() {
        let points = Array2::from_shape_fn((4, 1), |(i, _)| i as f64);
        let weights = ndarray::array![1.0, 0.0, 1.0, 0.0];
        let source = Snapshot::weighted(points, weights).unwrap();
        let target = cells(3, 0.0).points().slice(ndarray::s![.., ..1]).to_owned();
        let target = Snapshot::new(target).unwrap();
        for kind in [CouplingKind::Exact, CouplingKind::Entropic] {
            for block in [10, 2, 1] {
                let coupling = coupling(kind, &source, &target, block);
                assert!(coupling.row(1).0.is_empty() && coupling.row(3).0.is_empty());
            }
        }
    }
}
