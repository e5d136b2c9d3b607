//! A cost for leaving one's clone, beside ½‖x−y‖², for entropic couplings that respect lineage barcodes.

use std::collections::BTreeSet;
use std::ops::Range;

use ndarray::Array2;

use crate::bridge::sinkhorn::all_pairs::AllPairs;
use crate::bridge::sinkhorn::kernel::DenseKernel;
use crate::bridge::sinkhorn::pairs::logs;
use crate::bridge::sinkhorn::sides::Side;
use crate::bridge::sinkhorn::solver::centres;
use crate::bridge::{Link, SinkhornSolver};
use crate::data::Snapshot;
use crate::error::{Error, Result, shape};
use crate::geometry::Epsilon;
use crate::progress::Progress;

/// Marginal error of the couplings.
const TOLERANCE: f64 = 1e-6;

/// Label of a cell without a clone: it pays nothing.
const NONE: u32 = 0;
/// Label of all cells whose clone was not seen at the other time.
const ONE_SIDED: u32 = 1;

/// The clones of the cells of two snapshots on one level of barcodes. See [`CloneCost`] for an example.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedClones {
    /// The clone of each source cell.
    pub source: Vec<Option<usize>>,
    /// The clone of each target cell, with the same numbers.
    pub target: Vec<Option<usize>>,
}

/// The cost of leaving one's clone in a coupling, in units of ε.
///
/// A pair costs `weight` for each level of barcodes on which both cells have a clone, the clones differ, and
/// at least one of the two clones was seen at both times. The kernel of such a pair is multiplied by
/// `exp(−weight)`. A cell without a clone pays nothing. Two cells whose clones were each seen at one time only
/// pay nothing either: they have no sisters to which they could go.
///
/// Memory: 4 bytes for each cell and level.
///
/// ```
/// use ndarray::array;
/// use sbcell::bridge::{CloneCost, Link, SharedClones};
/// use sbcell::{Epsilon, data::Snapshot};
///
/// # fn main() -> sbcell::Result<()> {
/// // Two cells at the same place; their clones say who goes where.
/// let early = Snapshot::new(array![[0.0], [0.0]])?;
/// let late = Snapshot::new(array![[-1.0], [1.0]])?;
/// let clones = SharedClones { source: vec![Some(0), Some(1)], target: vec![Some(1), Some(0)] };
/// let cost = CloneCost::new(&[clones], 3.0)?;
/// let link = Link::with_clones(&early, &late, Epsilon::new(1.0)?, cost)?;
/// // Half of the mass of a cell would go to each late cell without clones.
/// let ends = link.pull(late.points())? * 2.0;
/// let stays = 1.0 / (1.0 + (-3.0_f64).exp());
/// assert!((ends[[0, 0]] - (2.0 * stays - 1.0)).abs() < 1e-5);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct CloneCost {
    /// For each level the labels of source and target cells.
    levels: Vec<(Vec<u32>, Vec<u32>)>,
    /// Cost of a pair of different clones, in units of ε.
    weight: f64,
}

impl CloneCost {
    /// From the clones on each level, and the weight, at least 0.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a weight that is negative or not finite, or more than 2³² clones;
    /// [`Error::Shape`] if levels differ in the numbers of cells.
    pub fn new(levels: &[SharedClones], weight: f64) -> Result<Self> {
        if !(0.0..f64::INFINITY).contains(&weight) {
            let (name, must) = ("clone_weight", "`auto`, or finite and at least 0");
            return Err(Error::Parameter { name, must, got: weight.to_string() });
        }
        if let Some(first) = levels.first() {
            for level in levels {
                shape::rows("clones of the source", first.source.len(), level.source.len())?;
                shape::rows("clones of the target", first.target.len(), level.target.len())?;
            }
        }
        Ok(Self { levels: levels.iter().map(labels).collect(), weight })
    }

    /// Number of levels.
    fn n_levels(&self) -> usize {
        self.levels.len()
    }

    /// Largest cost of a pair in units of ε.
    pub(super) fn most(&self) -> f64 {
        self.weight * self.n_levels() as f64
    }

    /// The term with source and target exchanged.
    pub(super) fn transposed(&self) -> Self {
        let levels = self.levels.iter().map(|(own, other)| (other.clone(), own.clone())).collect();
        Self { levels, weight: self.weight }
    }

    /// The term for the source cells `rows`, in this order.
    pub(super) fn select(&self, rows: &[usize]) -> Self {
        let of = |(own, other): &(Vec<u32>, Vec<u32>)| {
            (rows.iter().map(|&row| own[row]).collect(), other.clone())
        };
        Self { levels: self.levels.iter().map(of).collect(), weight: self.weight }
    }

    /// Subtracts the cost of each pair, `unit` times that in units of ε, from a block of logarithms: cells
    /// `rows` of `side` and cells `columns` of the other side.
    pub(super) fn subtract(
        &self,
        side: Side,
        rows: Range<usize>,
        columns: Range<usize>,
        unit: f64,
        block: &mut Array2<f64>,
    ) {
        let cost = unit * self.weight;
        for (source, target) in &self.levels {
            let (own, other) = match side {
                Side::Source => (source, target),
                Side::Target => (target, source),
            };
            let other = &other[columns.clone()];
            for (mut row, &label) in block.rows_mut().into_iter().zip(&own[rows.clone()]) {
                if label == NONE {
                    continue;
                }
                for (value, &other) in row.iter_mut().zip(other) {
                    *value -= if other != label && other != NONE { cost } else { 0.0 };
                }
            }
        }
    }
}

/// The labels of one level: clones seen at both times have numbers of their own.
fn labels(level: &SharedClones) -> (Vec<u32>, Vec<u32>) {
    let all = |of: &[Option<usize>]| of.iter().flatten().copied().collect::<BTreeSet<usize>>();
    let (early, late) = (all(&level.source), all(&level.target));
    let both: Vec<usize> = early.intersection(&late).copied().collect();
    let label = |clone: &Option<usize>| match clone {
        None => NONE,
        Some(clone) => match both.binary_search(clone) {
            // Fewer than 2³² − 2 cells, as everywhere.
            Ok(place) => place as u32 + ONE_SIDED + 1,
            Err(_) => ONE_SIDED,
        },
    };
    (level.source.iter().map(label).collect(), level.target.iter().map(label).collect())
}

impl Link {
    /// The entropic coupling of the cells for the cost ½‖x−y‖² plus the cost of leaving one's clone,
    /// `ε clones`. Both marginals are kept, with an error of 1e-6.
    ///
    /// Time and memory are those of [`Link::entropic`]; the term of the clones is computed with each
    /// block.
    ///
    /// # Errors
    /// [`Error::Shape`] if the clones are not those of these cells; as [`SinkhornSolver::fit`].
    pub fn with_clones(
        source: &Snapshot,
        target: &Snapshot,
        epsilon: Epsilon,
        clones: CloneCost,
    ) -> Result<Self> {
        let solver = SinkhornSolver { tolerance: TOLERANCE, ..SinkhornSolver::default() };
        let plan = solver.couple_clones(source, target, epsilon, clones, &mut crate::Silent)?;
        Self::all(plan, &mut crate::Silent)
    }
}

impl SinkhornSolver {
    /// The plan of [`Link::with_clones`].
    fn couple_clones(
        &self,
        source: &Snapshot,
        target: &Snapshot,
        epsilon: Epsilon,
        clones: CloneCost,
        progress: &mut dyn Progress,
    ) -> Result<AllPairs> {
        shape::columns("the target", source.points().ncols(), target.points().ncols())?;
        for (own, other) in &clones.levels {
            shape::rows("clones of the source", source.n_cells(), own.len())?;
            shape::rows("clones of the target", target.n_cells(), other.len())?;
        }
        let centres = centres(source, target, false);
        let (x, y) = (&source.points() - &centres.0, &target.points() - &centres.1);
        let spread = |points: &Array2<f64>, of: &Snapshot| {
            let squares = points.rows().into_iter().map(|row| row.dot(&row));
            of.marginal().iter().zip(squares).map(|(mass, square)| mass * square).sum::<f64>()
        };
        let mean_cost =
            0.5 * (spread(&x, source) + spread(&y, target)) + epsilon.value() * clones.most();
        let last = epsilon.value();
        let found = self.run(
            &|epsilon| {
                DenseKernel::points(x.view(), y.view(), epsilon).with_clones(Some(&clones), last)
            },
            source.marginal(),
            target.marginal(),
            mean_cost,
            last,
            progress,
        )?;
        let masses = (source.marginal().to_owned(), target.marginal().to_owned());
        let potentials = (found.source.into(), found.target.into());
        let logs = logs(&masses, &potentials, last);
        Ok(AllPairs::new(x, y, epsilon, logs).with_clones(clones))
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array1, Axis};

    use super::*;
    use crate::rng::Seed;

    fn waves(n: usize, f: f64) -> Array2<f64> {
        Array2::from_shape_fn((n, 2), |(i, d)| (f * (1 + i * 2 + d) as f64).sin())
    }

    /// Clones on two levels: some cells have none, and some clones are at one time only.
    fn example() -> (Snapshot, Snapshot, [SharedClones; 2]) {
        let clone =
            |i: usize, n: usize, shift: usize| (!i.is_multiple_of(4)).then_some(i % n + shift);
        let level = |n: usize, shift: usize| SharedClones {
            source: (0..30).map(|i| clone(i, n, 0)).collect(),
            target: (0..41).map(|j| clone(j, n, shift)).collect(),
        };
        let masses = (0..30).map(|i| 1.0 + f64::from(i % 3)).collect();
        let source = Snapshot::weighted(waves(30, 1.3) + 0.5, masses).unwrap();
        (source, Snapshot::new(waves(41, 0.7)).unwrap(), [level(5, 2), level(11, 4)])
    }

    /// The rule in words, pair by pair.
    fn pays(level: &SharedClones, i: usize, j: usize) -> bool {
        let (Some(a), Some(b)) = (level.source[i], level.target[j]) else { return false };
        let at_both =
            |clone| level.source.contains(&Some(clone)) && level.target.contains(&Some(clone));
        a != b && (at_both(a) || at_both(b))
    }

    /// The plan by Sinkhorn iterations over the matrix of all costs.
    fn direct(
        source: &Snapshot,
        target: &Snapshot,
        levels: &[SharedClones],
        weight: f64,
        epsilon: f64,
    ) -> Array2<f64> {
        let mut plan = Array2::from_shape_fn((source.n_cells(), target.n_cells()), |(i, j)| {
            let off = &source.points().row(i) - &target.points().row(j);
            let n = levels.iter().filter(|level| pays(level, i, j)).count();
            (-0.5 * off.dot(&off) / epsilon - weight * n as f64).exp()
        });
        for _ in 0..5_000 {
            let rows = &source.marginal() / &plan.sum_axis(Axis(1));
            plan *= &rows.insert_axis(Axis(1));
            let columns = &target.marginal() / &plan.sum_axis(Axis(0));
            plan *= &columns;
        }
        plan
    }

    #[test]
    fn the_plan_with_clones_is_that_of_all_costs_written_out() {
        let (source, target, levels) = example();
        for (epsilon, weight) in [(1.0, 2.0), (0.05, 0.7), (0.3, 0.0)] {
            let cost = CloneCost::new(&levels, weight).unwrap();
            let epsilon = Epsilon::new(epsilon).unwrap();
            let link = Link::with_clones(&source, &target, epsilon, cost).unwrap();
            let plan = direct(&source, &target, &levels, weight, epsilon.value());
            let values = waves(41, 0.3);
            let off = link.pull(values.view()).unwrap() - plan.dot(&values);
            // The marginal error of the solver, on numbers up to one.
            assert!(off.iter().all(|off| off.abs() < 2e-6), "{epsilon:?} {weight}");
            let back = waves(30, 0.9);
            let off = link.push(back.view()).unwrap() - plan.t().dot(&back);
            assert!(off.iter().all(|off| off.abs() < 2e-6));
            let moments = plan.map_axis(Axis(1), |row| row.iter().map(|t| t * t.ln()).sum::<f64>());
            let totals = plan.sum_axis(Axis(1));
            let partners = Array1::from_iter(
                moments.iter().zip(&totals).map(|(moment, t)| (t.ln() - moment / t).exp()),
            );
            let off = link.effective_partners() - partners;
            assert!(off.iter().all(|off| off.abs() < 1e-3), "{off}");
            let pairs = link.coupling(0.0).unwrap();
            assert!(pairs.pairs().all(|(i, j, mass)| (mass - plan[[i, j]]).abs() < 2e-6));
        }
    }

    #[test]
    fn draws_in_both_directions_have_the_shares_of_the_plan() {
        let (source, target, levels) = example();
        let cost = CloneCost::new(&levels, 2.0).unwrap();
        let epsilon = Epsilon::new(1.0).unwrap();
        let link = Link::with_clones(&source, &target, epsilon, cost).unwrap();
        let plan = direct(&source, &target, &levels, 2.0, 1.0);
        let n = 20_000;
        let ones = Array1::ones(41);
        let forward = link.draw(&vec![7; n], ones.view(), Seed(1)).unwrap();
        let back = link.draw_back(&vec![9; n], Seed(1)).unwrap();
        let (row, column) = (plan.row(7), plan.column(9));
        for (drawn, masses) in [(forward, row), (back, column)] {
            for (j, mass) in masses.iter().enumerate() {
                let wanted = mass / masses.sum();
                let share = drawn.iter().filter(|one| **one == j).count() as f64 / n as f64;
                // Five standard errors of a share.
                assert!((share - wanted).abs() < 5.0 * (wanted / n as f64).sqrt() + 1e-4);
            }
        }
    }

    #[test]
    fn weights_and_shapes_are_checked() {
        let (source, target, levels) = example();
        for weight in [-1.0, f64::NAN, f64::INFINITY] {
            assert!(CloneCost::new(&levels, weight).is_err());
        }
        let cost = CloneCost::new(&levels, 1.0).unwrap();
        let epsilon = Epsilon::new(1.0).unwrap();
        assert!(Link::with_clones(&target, &source, epsilon, cost).is_err());
    }
}
