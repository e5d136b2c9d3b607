//! Steps of a course: cells at an earlier time, cells at a later one, and which goes with which.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis, s};

use crate::bridge::{Coupling, SinkhornSolver};
use crate::error::Result;
use crate::geometry::{Cost, Epsilon, SquaredEuclidean};
use crate::linalg::exp_in_place;
use crate::progress::Silent;

/// ε of the plans made here, as a part of the mean cost.
pub const PLAN_EPSILON: f64 = 0.05;

/// Least mass of a pair that is kept, as a part of an even row.
const LEAST: f64 = 1e-3;

/// Partners of a cell that are kept as they are.
const MOST_PARTNERS: usize = 64;

/// Plans are solved when the columns are within this of their masses, as a sum.
const TOLERANCE: f64 = 1e-3;

/// Most scalings of the kernel that is kept in memory.
const MAX_SCALINGS: usize = 2000;

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
        // Cells are listed block after block, so that those that meet are near each other.
        let (mut from, mut to): (Vec<usize>, Vec<usize>) = (Vec::new(), Vec::new());
        for block in 0..n_blocks {
            let part = |rows: &[usize]| -> Vec<usize> {
                rows.iter().copied().skip(block).step_by(n_blocks).collect()
            };
            let (some, others) = (part(&sources), part(&targets));
            let points = |rows: &[usize]| features.select(Axis(0), rows);
            let masses = |rows: &[usize]| rows.iter().map(|&row| weights[row]).collect();
            let cost = SquaredEuclidean::new(points(&some).view(), points(&others).view())?;
            let (p, q): (Array1<f64>, Array1<f64>) = (masses(&some), masses(&others));
            let (share, total) = (p.sum(), q.sum());
            let coupling = entropic(&cost, (p / share, q / total))?;
            for i in 0..some.len() {
                let row = few_partners(coupling.row(i));
                let source = from.len() + i;
                pairs.extend(row.into_iter().map(|(j, mass)| (source, to.len() + j, mass * share)));
            }
            from.extend(some);
            to.extend(others);
        }
        let coupling = Coupling::new((from.len(), to.len()), pairs)?;
        Ok(Self { sources: from, targets: to, coupling })
    }
}

impl Step {
    /// Pairs cells by where a bridge takes them: `ends` are drawn ends of the earlier cells with
    /// their weights, `targets` `(m, dim)` the later cells, each with the same weight. Places are
    /// rows of both.
    ///
    /// # Errors
    /// As [`Step::paired`].
    pub fn by_ends(
        (ends, weights): (ArrayView2<'_, f64>, ArrayView1<'_, f64>),
        targets: ArrayView2<'_, f64>,
    ) -> Result<Self> {
        let (n, m) = (ends.nrows(), targets.nrows());
        let mut both = Array2::zeros((n + m, ends.ncols()));
        both.slice_mut(s![..n, ..]).assign(&ends);
        both.slice_mut(s![n.., ..]).assign(&targets);
        let mut masses = Array1::ones(n + m);
        masses.slice_mut(s![..n]).assign(&weights);
        let (from, to): (Vec<usize>, Vec<usize>) = ((0..n).collect(), (n..n + m).collect());
        let mut step = Self::paired((&from, &to), &both, masses.view())?;
        step.targets.iter_mut().for_each(|target| *target -= n);
        Ok(step)
    }

    /// The same step between some cells only: its places are looked up in `sources` and `targets`,
    /// then by `place`; pairs of a cell that has none are left out. Nothing if no pair is left.
    pub fn within(
        &self,
        sources: &[usize],
        targets: &[usize],
        place: impl Fn(&usize) -> Option<usize>,
    ) -> Option<Self> {
        let side = |places: &[usize], rows: &[usize]| -> Vec<Option<usize>> {
            places.iter().map(|&p| place(&rows[p])).collect()
        };
        let (from, to) = (side(&self.sources, sources), side(&self.targets, targets));
        let numbered = |side: &[Option<usize>]| {
            let mut next = 0;
            let number = |row: &Option<usize>| {
                row.map(|_| {
                    next += 1;
                    next - 1
                })
            };
            side.iter().map(number).collect::<Vec<Option<usize>>>()
        };
        let (rows, columns) = (numbered(&from), numbered(&to));
        let pairs: Vec<(usize, usize, f64)> = self
            .coupling
            .pairs()
            .filter_map(|(i, j, mass)| Some((rows[i]?, columns[j]?, mass)))
            .collect();
        let shape = (from.iter().flatten().count(), to.iter().flatten().count());
        let coupling = Coupling::new(shape, pairs).ok()?;
        let kept = |side: Vec<Option<usize>>| side.into_iter().flatten().collect();
        Some(Self { sources: kept(from), targets: kept(to), coupling })
    }
}

/// The partners of a cell with their masses. Of more than [`MOST_PARTNERS`], so many are drawn at
/// even steps of the row's mass, which keeps the mass of the row and the means of its partners.
fn few_partners((targets, masses): (&[u32], &[f64])) -> Vec<(usize, f64)> {
    let listed = targets.iter().map(|j| *j as usize).zip(masses.iter().copied());
    if targets.len() <= MOST_PARTNERS {
        return listed.collect();
    }
    let each = masses.iter().sum::<f64>() / MOST_PARTNERS as f64;
    let (mut passed, mut drawn) = (0.0, 0);
    let mut kept = Vec::with_capacity(MOST_PARTNERS);
    for (j, mass) in listed {
        passed += mass;
        let reached = ((passed / each + 0.5).floor() as usize).min(MOST_PARTNERS);
        if reached > drawn {
            kept.push((j, (reached - drawn) as f64 * each));
            drawn = reached;
        }
    }
    kept
}

/// The entropic plan of weighted cells. First by scaling a kernel that is kept in memory, which is
/// fast and cannot hold costs far above ε; where that fails, by the solver that can.
fn entropic(cost: &dyn Cost, (p, q): (Array1<f64>, Array1<f64>)) -> Result<Coupling> {
    let (n, m) = cost.shape();
    let mut costs = Array2::zeros((n, m));
    cost.rows(0, costs.view_mut());
    let mean = p.dot(&costs.dot(&q));
    let epsilon = if mean > 0.0 { PLAN_EPSILON * mean } else { 1.0 };
    if let Some(masses) = scaled(&costs, (&p, &q), epsilon) {
        let least = LEAST / m as f64;
        let kept = masses
            .indexed_iter()
            .filter(|((i, _), mass)| **mass >= least * p[*i] && **mass > 0.0)
            .map(|((i, j), mass)| (i, j, *mass));
        return Coupling::new((n, m), kept);
    }
    let solver = SinkhornSolver { tolerance: TOLERANCE, ..Default::default() };
    let plan = solver.couple(cost, (p.view(), q.view()), Epsilon::new(epsilon)?, &mut Silent)?;
    plan.coupling(LEAST)
}

/// Sinkhorn's scaling of `exp(−C/ε)`, or nothing if it underflows or does not get there.
fn scaled(
    costs: &Array2<f64>,
    (p, q): (&Array1<f64>, &Array1<f64>),
    epsilon: f64,
) -> Option<Array2<f64>> {
    let mut kernel = costs.clone();
    for mut row in kernel.rows_mut() {
        let nearest = row.fold(f64::INFINITY, |a, b| a.min(*b));
        row.mapv_inplace(|cost| (nearest - cost) / epsilon);
        exp_in_place(row.as_slice_mut()?);
    }
    let (mut u, mut v) = (Array1::<f64>::zeros(p.len()), Array1::<f64>::ones(q.len()));
    for _ in 0..MAX_SCALINGS {
        let mut columns = Array1::<f64>::zeros(q.len());
        for ((row, u), p) in kernel.rows().into_iter().zip(&mut u).zip(p) {
            *u = p / row.dot(&v);
            columns.scaled_add(*u, &row);
        }
        let error: f64 = columns.iter().zip(&v).zip(q).map(|((c, v), q)| (c * v - q).abs()).sum();
        if !error.is_finite() {
            return None;
        }
        if error < TOLERANCE {
            for (mut row, u) in kernel.rows_mut().into_iter().zip(&u) {
                row *= &(&v * *u);
            }
            return Some(kernel);
        }
        v = q / &columns;
    }
    None
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
        assert!(columns.iter().all(|mass| (mass - 1.0).abs() < 5e-3));
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
            targets.iter().position(|t| *t as usize == j).map(|place| masses[place])
        };
        let cost = |i: usize, j: usize| half(step.sources[i], step.targets[j]);
        let mut n_squares = 0;
        for (i, k, j, l) in (0..3 * 3 * 5 * 5).map(|n| (n % 3, n / 3 % 3, n / 9 % 5, n / 45)) {
            let corners = [(i, j), (k, l), (i, l), (k, j)].map(|(i, j)| mass(i, j));
            if let [Some(a), Some(b), Some(c), Some(d)] = corners {
                let gap = cost(i, j) + cost(k, l) - cost(i, l) - cost(k, j);
                assert!(((a * b / (c * d)).ln() + gap / (PLAN_EPSILON * mean)).abs() < 1e-6);
                n_squares += usize::from(i != k && j != l);
            }
        }
        assert!(n_squares > 0);
    }

    #[test]
    fn few_partners_keep_the_mass_and_the_mean() {
        let targets: Vec<u32> = (0..500).collect();
        let masses: Vec<f64> =
            (0..500).map(|j| 0.001 + 0.002 * (f64::from(j) * 0.618).fract()).collect();
        let kept = few_partners((&targets, &masses));
        assert!(kept.len() <= MOST_PARTNERS);
        let total: f64 = masses.iter().sum();
        assert!((kept.iter().map(|pair| pair.1).sum::<f64>() - total).abs() < 1e-9);
        let mean: f64 = masses.iter().zip(&targets).map(|(m, j)| m * f64::from(*j)).sum();
        let theirs: f64 = kept.iter().map(|(j, mass)| mass * *j as f64).sum();
        assert!(((mean - theirs) / total).abs() < 5.0);
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
        // Drawing partners leaves the columns right on average only.
        assert!((columns.mean().unwrap_or(0.0) / even - 1.0).abs() < 1e-3);
        assert!(columns.iter().all(|mass| *mass > 0.0));
    }
}
