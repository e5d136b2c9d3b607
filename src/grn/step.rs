//! Steps of a course: cells at an earlier time, cells at a later time, and the coupling between them.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis, s};

use crate::bridge::{Coupling, SinkhornSolver};
use crate::error::Result;
use crate::geometry::{Cost, Epsilon, SquaredEuclidean};
use crate::linalg::exp_in_place;
use crate::progress::Silent;

/// ε of the entropic couplings, as a fraction of the mean cost.
pub(crate) const PLAN_EPSILON: f64 = 0.05;

/// Smallest mass of a pair that is kept, as a fraction of the mass in an even row.
const LEAST: f64 = 1e-3;

/// Largest number of partners of a cell that are all kept; of more partners some are drawn.
const MOST_PARTNERS: usize = 64;

/// Largest marginal error of a coupling: the sum of absolute differences of the column masses.
const TOLERANCE: f64 = 1e-3;

/// Largest number of Sinkhorn iterations with a kernel in memory.
const MAX_SCALINGS: usize = 2000;

/// Largest number of cells on a side that are coupled at once. Larger sets are divided into blocks,
/// cell after cell in the order of their rows, and each block is coupled with one block.
const BLOCK: usize = 1000;

/// Earlier cells, later cells and the coupling between them.
///
/// ```
/// use ndarray::{Array1, array};
/// use sbcell::grn::Step;
/// # fn main() -> sbcell::Result<()> {
/// // Two earlier and two later cells on a line: each goes to the near one.
/// let points = array![[0.0], [5.0], [0.2], [5.2]];
/// let step = Step::paired(&[0, 1], &[2, 3], &points, Array1::ones(4).view())?;
/// let (partners, masses) = step.coupling.row(0);
/// assert_eq!(step.targets[partners[0] as usize], 2);
/// assert!(masses[0] > 0.99);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Rows of the earlier cells.
    pub sources: Vec<usize>,
    /// Rows of the later cells.
    pub targets: Vec<usize>,
    /// Mass between cells, by place in `sources` and place in `targets`. Row sums are the weights of
    /// the earlier cells, except for small masses that are left out.
    pub coupling: Coupling,
}

impl Step {
    /// Couples the cells `sources` with the cells `targets` by entropic transport.
    ///
    /// `features` `(n_cells, dim)` are the positions of all cells. The cost is half the squared
    /// distance, and ε is 0.05 of its mean. `weights` `(n_cells)` are those of all cells; cells of
    /// weight 0 are left out. Sets of more than 1000 cells are coupled block by block, so that time
    /// is `O(n · 1000 · iterations)` and memory `O(1000²)`. A cell keeps at most 64 partners.
    ///
    /// # Errors
    /// Those of [`SinkhornSolver::couple`].
    pub fn paired(
        sources: &[usize],
        targets: &[usize],
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
        // Cells are listed block after block, so that coupled cells have near places.
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
            let coupling = entropic(&cost, &(p / share), &(q / total))?;
            for i in 0..some.len() {
                let (partners, masses) = coupling.row(i);
                let row = few_partners(partners, masses);
                let source = from.len() + i;
                pairs.extend(row.into_iter().map(|(j, mass)| (source, to.len() + j, mass * share)));
            }
            from.extend(some);
            to.extend(others);
        }
        let coupling = Coupling::new(from.len(), to.len(), pairs)?;
        Ok(Self { sources: from, targets: to, coupling })
    }
}

impl Step {
    /// Couples earlier cells with later cells by the positions to which a process moved the earlier
    /// ones.
    ///
    /// `ends` `(n, dim)` are these positions and `weights` `(n)` the weights of the earlier cells.
    /// `targets` `(m, dim)` are the later cells, all of the same weight. The rows in the result are
    /// rows of `ends` and of `targets`.
    ///
    /// # Errors
    /// As [`Step::paired`].
    pub fn by_ends(
        ends: ArrayView2<'_, f64>,
        weights: ArrayView1<'_, f64>,
        targets: ArrayView2<'_, f64>,
    ) -> Result<Self> {
        let (n, m) = (ends.nrows(), targets.nrows());
        let mut both = Array2::zeros((n + m, ends.ncols()));
        both.slice_mut(s![..n, ..]).assign(&ends);
        both.slice_mut(s![n.., ..]).assign(&targets);
        let mut masses = Array1::ones(n + m);
        masses.slice_mut(s![..n]).assign(&weights);
        let (from, to): (Vec<usize>, Vec<usize>) = ((0..n).collect(), (n..n + m).collect());
        let mut step = Self::paired(&from, &to, &both, masses.view())?;
        step.targets.iter_mut().for_each(|target| *target -= n);
        Ok(step)
    }

    /// The step restricted to some of its cells, with renumbered rows.
    ///
    /// A row r of this step is first replaced by `sources[r]` (or `targets[r]`), and the result by
    /// `place` of it. Cells for which `place` is `None` are left out together with their pairs.
    /// Returns `None` if no pair is left.
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
        let coupling = Coupling::new(shape.0, shape.1, pairs).ok()?;
        let kept = |side: Vec<Option<usize>>| side.into_iter().flatten().collect();
        Some(Self { sources: kept(from), targets: kept(to), coupling })
    }
}

/// Partners of a cell with their masses. Of more than [`MOST_PARTNERS`] partners, this number is
/// drawn at even steps of the cumulative mass, which preserves the mass of the row exactly and the
/// means over its partners approximately.
fn few_partners(targets: &[u32], masses: &[f64]) -> Vec<(usize, f64)> {
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

/// Entropic coupling of cells with marginals `p` and `q`. First by scaling a kernel in memory, which
/// is fast but underflows where costs are far above ε; if that fails, by [`SinkhornSolver`], which
/// works with logarithms.
fn entropic(cost: &dyn Cost, p: &Array1<f64>, q: &Array1<f64>) -> Result<Coupling> {
    let (n, m) = cost.shape();
    let mut costs = Array2::zeros((n, m));
    cost.rows(0, costs.view_mut());
    let mean = p.dot(&costs.dot(q));
    let epsilon = if mean > 0.0 { PLAN_EPSILON * mean } else { 1.0 };
    if let Some(masses) = scaled(&costs, p, q, epsilon) {
        let least = LEAST / m as f64;
        let kept = masses
            .indexed_iter()
            .filter(|((i, _), mass)| **mass >= least * p[*i] && **mass > 0.0)
            .map(|((i, j), mass)| (i, j, *mass));
        return Coupling::new(n, m, kept);
    }
    let solver = SinkhornSolver { tolerance: TOLERANCE, ..Default::default() };
    let plan = solver.couple(cost, p.view(), q.view(), Epsilon::new(epsilon)?, &mut Silent)?;
    plan.coupling(LEAST)
}

/// Sinkhorn's scaling of `exp(−C/ε)` to the marginals `p` and `q`. `None` if it underflows or does
/// not converge in [`MAX_SCALINGS`] iterations of `O(n m)` each.
fn scaled(
    costs: &Array2<f64>,
    p: &Array1<f64>,
    q: &Array1<f64>,
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
            Step::paired(&[0, 1, 2, 3], &[4, 5, 6, 7, 8], &features, weights.view()).unwrap();
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
        let kept = few_partners(&targets, &masses);
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
        let step = Step::paired(&sources, &targets, &features, weights.view()).unwrap();
        let (rows, columns) = step.coupling.marginals();
        assert!(rows.iter().all(|mass| (mass - 1.0).abs() < 0.05));
        let even = 1400.0 / 1100.0;
        // Drawing partners leaves the columns right on average only.
        assert!((columns.mean().unwrap_or(0.0) / even - 1.0).abs() < 1e-3);
        assert!(columns.iter().all(|mass| *mass > 0.0));
    }
}
