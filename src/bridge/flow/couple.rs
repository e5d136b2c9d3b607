//! Which cells are paired in training: all at once, or in random blocks where there are many.

use ndarray::{Array2, Axis};
use rand::seq::SliceRandom;

use crate::bridge::flow::pairs::Pairs;
use crate::bridge::flow::solver::FlowSolver;
use crate::bridge::{BridgeProblem, Coupling, CouplingKind};
use crate::data::Snapshot;
use crate::error::Result;
use crate::geometry::{Cost, SquaredEuclidean};
use crate::linalg::exact_plan;
use crate::progress::Silent;
use crate::rng::Seed;

/// Times that snapshots which are too large for one plan are cut into other blocks.
const SHUFFLES: u64 = 4;

/// The cells of one snapshot, those of the other part without weight.
#[derive(Debug, Clone)]
pub(super) struct Split {
    pub(super) training: Snapshot,
    pub(super) held_out: Snapshot,
}

/// Pairs to train on and pairs held out, by a coupling of `kind` between all cells.
///
/// In training pairs no cell is held out. In a coupling nearly every cell has few partners, so
/// that its held-out pairs are those with a held-out cell at either end; independent pairs are
/// held out at both. If nothing is held out, both are all pairs.
///
/// An exact coupling is that of all cells if neither snapshot has more than `block`, otherwise
/// that of random blocks of at most so many cells, several times over (the minibatch coupling of
/// Tong et al. 2024, arXiv 2302.00482, with larger batches). Memory `8 block²` bytes.
pub(super) fn pairs(
    kind: CouplingKind,
    problem: &BridgeProblem,
    (source, target): (&Split, &Split),
    (block, seed): (usize, Seed),
) -> Result<(Pairs, Pairs)> {
    let coupling = match kind {
        CouplingKind::Independent => {
            let training = Pairs::independent(&source.training, &target.training);
            return Ok((training, Pairs::independent(&source.held_out, &target.held_out)));
        }
        CouplingKind::Exact => exact(problem.source(), problem.target(), block, seed)?,
        CouplingKind::Entropic => return Err(FlowSolver::refuse_entropic()),
    };
    let (x, y) = (source.training.marginal(), target.training.marginal());
    let trained = |i: usize, j: usize| x[i] > 0.0 && y[j] > 0.0;
    let training = Pairs::joint(&coupling, trained);
    let held_out = Pairs::joint(&coupling, |i, j| !trained(i, j));
    Ok((training, held_out))
}

fn exact(source: &Snapshot, target: &Snapshot, block: usize, seed: Seed) -> Result<Coupling> {
    let shape = (source.n_cells(), target.n_cells());
    let n_blocks = shape.0.max(shape.1).div_ceil(block.max(1));
    if n_blocks == 1 || shape.0.min(shape.1) < n_blocks {
        let all = |n: usize| (0..n).collect::<Vec<usize>>();
        let entries = plan_of(source, &all(shape.0), target, &all(shape.1), 1.0)?;
        return Coupling::new(shape, entries);
    }
    let mut entries = Vec::new();
    for shuffle in 0..SHUFFLES {
        let mut stream = seed.stream("flow/blocks", shuffle);
        let mut shuffled = |n: usize| {
            let mut cells: Vec<usize> = (0..n).collect();
            cells.shuffle(&mut stream);
            cells
        };
        let (rows, columns) = (shuffled(shape.0), shuffled(shape.1));
        for b in 0..n_blocks {
            let part = |cells: &[usize]| {
                cells[b * cells.len() / n_blocks..(b + 1) * cells.len() / n_blocks].to_vec()
            };
            let (rows, columns) = (part(&rows), part(&columns));
            let mass = rows.iter().map(|&i| source.marginal()[i]).sum::<f64>();
            entries.extend(plan_of(source, &rows, target, &columns, mass / SHUFFLES as f64)?);
        }
    }
    entries.sort_by_key(|entry| (entry.0, entry.1));
    let mut merged: Vec<(usize, usize, f64)> = Vec::with_capacity(entries.len());
    for (i, j, mass) in entries {
        match merged.last_mut() {
            Some(last) if (last.0, last.1) == (i, j) => last.2 += mass,
            _ => merged.push((i, j, mass)),
        }
    }
    Coupling::new(shape, merged)
}

/// A cheapest plan between some cells of each snapshot, of total `mass`; nothing if either part
/// has no weight.
fn plan_of(
    source: &Snapshot,
    rows: &[usize],
    target: &Snapshot,
    columns: &[usize],
    mass: f64,
) -> Result<Vec<(usize, usize, f64)>> {
    let part = |snapshot: &Snapshot, cells: &[usize]| {
        let points = snapshot.points().select(Axis(0), cells);
        Snapshot::weighted(points, snapshot.marginal().select(Axis(0), cells))
    };
    let (Ok(x), Ok(y)) = (part(source, rows), part(target, columns)) else {
        return Ok(Vec::new());
    };
    let mut cost = Array2::zeros((rows.len(), columns.len()));
    SquaredEuclidean::new(x.points(), y.points())?.rows(0, cost.view_mut());
    let plan = exact_plan(cost.view(), x.marginal(), y.marginal(), &mut Silent)?;
    let entries = plan.entries.into_iter().filter(|entry| entry.2 > 0.0);
    Ok(entries.map(|(i, j, share)| (rows[i], columns[j], share * mass)).collect())
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;

    fn cells(n: usize, shift: f64) -> Snapshot {
        let points = Array2::from_shape_fn((n, 2), |(i, d)| ((i * 2 + d) as f64).sin() + shift);
        Snapshot::new(points).unwrap()
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
        let whole = exact(&source, &target, 200, Seed(1)).unwrap();
        let blocks = exact(&source, &target, 40, Seed(1)).unwrap();
        for coupling in [&whole, &blocks] {
            let (rows, columns) = coupling.marginals();
            assert!(rows.iter().all(|mass| (mass - 1.0 / 90.0).abs() < 1e-12));
            assert!(columns.iter().all(|mass| (mass - 1.0 / 120.0).abs() < 1e-12));
        }
        assert!(cost(&whole) <= cost(&blocks) && cost(&blocks) < 1.5 * cost(&whole));
    }

    #[test]
    fn cells_without_weight_are_in_no_pair() {
        let points = Array2::from_shape_fn((4, 1), |(i, _)| i as f64);
        let weights = ndarray::array![1.0, 0.0, 1.0, 0.0];
        let source = Snapshot::weighted(points, weights).unwrap();
        let target = cells(3, 0.0).points().slice(ndarray::s![.., ..1]).to_owned();
        let target = Snapshot::new(target).unwrap();
        for block in [10, 2, 1] {
            let coupling = exact(&source, &target, block, Seed(1)).unwrap();
            assert!(coupling.row(1).0.is_empty() && coupling.row(3).0.is_empty());
        }
    }
}
