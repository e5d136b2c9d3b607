//! Both snapshots of a problem, centred and sorted; a part of them for very many cells.

use std::cell::OnceCell;
use std::cmp::Ordering;

use ndarray::{Array1, Axis};
use rand::seq::index;

use crate::bridge::BridgeProblem;
use crate::bridge::lightsb::held_out::Parts;
use crate::bridge::lightsb::rough::RoughCoupling;
use crate::bridge::lightsb::solver::LightSbSolver;
use crate::bridge::lightsb::start::Cells;
use crate::data::Snapshot;
use crate::error::{Error, Result};
use crate::geometry::Epsilon;
use crate::rng::Seed;

/// Cells of each snapshot on which sizes are compared and the descent starts, if both snapshots
/// have at least twice as many. The descent ends on all cells.
const SOME: usize = 10_000;

impl LightSbSolver {
    /// Largest number of other cells of each snapshot on which sizes are evaluated, if the solver
    /// starts with a part of the cells.
    pub(super) const JUDGED_OF_MANY: usize = 40_000;
    /// Largest number of cells of each snapshot in the comparison of sizes.
    pub(super) const COMPARED_OF_MANY: usize = SOME + Self::JUDGED_OF_MANY;

    /// The number of cells of each snapshot with which the solver starts; `None` if it starts with
    /// all.
    pub(super) fn begins_with(n_source: usize, n_target: usize) -> Option<usize> {
        (n_source.min(n_target) >= 2 * SOME).then_some(SOME)
    }
}

/// Both snapshots of a problem, and the coupling that all initialisations share.
pub(super) struct Ends {
    /// The source.
    pub(super) source: Centred,
    /// The target.
    pub(super) target: Centred,
    /// ε of the problem.
    pub(super) epsilon: Epsilon,
    /// The coupling, once it is computed.
    coupling: OnceCell<RoughCoupling>,
}

impl Ends {
    /// Centres and sorts both snapshots.
    pub(super) fn new(problem: &BridgeProblem) -> Result<Self> {
        let (source, target) = (Centred::new(problem.source())?, Centred::new(problem.target())?);
        Ok(Self { source, target, epsilon: problem.epsilon(), coupling: OnceCell::new() })
    }

    /// The data for the comparison of sizes: all cells, with each part held out in turn; or a part
    /// of very many cells, with others held out.
    pub(super) fn parts(&self, seed: Seed) -> Result<Option<Parts>> {
        let (source, target, epsilon) = (&self.source.cells, &self.target.cells, self.epsilon);
        let Some(some) = self.begins_with() else {
            return Parts::new(source, target, epsilon, seed);
        };
        let counts = [some, LightSbSolver::JUDGED_OF_MANY];
        let [fitted, held] = thinned(source, counts, seed.child("lightsb/some", 0))?;
        let [fitted_to, held_to] = thinned(target, counts, seed.child("lightsb/some", 1))?;
        let fitted = BridgeProblem::new(fitted, fitted_to, epsilon)?;
        Ok(Some(Parts::drawn(fitted, BridgeProblem::new(held, held_to, epsilon)?)))
    }

    /// As [`LightSbSolver::begins_with`].
    pub(super) fn begins_with(&self) -> Option<usize> {
        LightSbSolver::begins_with(self.source.cells.n_cells(), self.target.cells.n_cells())
    }

    /// The rough coupling, computed on the first call.
    pub(super) fn coupling(&self, n_coupled: usize, seed: Seed) -> &RoughCoupling {
        let (source, target, epsilon) = (&self.source, &self.target, self.epsilon.value());
        self.coupling.get_or_init(|| {
            RoughCoupling::new(source.view(), target.view(), n_coupled, epsilon, seed)
        })
    }
}

/// For each count a random set of as many cells, without overlap, as far as there are enough. The
/// cells keep their coordinates.
pub(super) fn thinned<const N: usize>(
    cells: &Snapshot,
    counts: [usize; N],
    seed: Seed,
) -> Result<[Snapshot; N]> {
    let n = cells.n_cells();
    let drawn = index::sample(&mut seed.stream("thinned", 0), n, n.min(counts.iter().sum()));
    let mut rows = drawn.into_vec().into_iter();
    let mut taken = counts.map(|count| rows.by_ref().take(count).collect::<Vec<usize>>());
    for rows in &mut taken {
        rows.sort_unstable();
    }
    let mut snapshots = Vec::with_capacity(N);
    for rows in taken {
        let marginal = cells.marginal().select(Axis(0), &rows);
        snapshots.push(Snapshot::weighted(cells.points().select(Axis(0), &rows), marginal)?);
    }
    snapshots
        .try_into()
        .map_err(|_| Error::Numerical { what: "drawing cells", why: "there are too few".into() })
}

/// A snapshot minus its mean, without cells of weight zero, and sorted. The order of cells and
/// empty cells therefore do not change any random draw.
pub(super) struct Centred {
    /// The centred cells.
    pub(super) cells: Snapshot,
    /// The mean that was subtracted.
    pub(super) mean: Array1<f64>,
}

impl Centred {
    /// Centres and sorts a snapshot.
    pub(super) fn new(snapshot: &Snapshot) -> Result<Self> {
        let (points, marginal) = (snapshot.points(), snapshot.marginal());
        let mut order: Vec<usize> = (0..points.nrows()).filter(|&i| marginal[i] > 0.0).collect();
        let compare = |&i: &usize, &j: &usize| {
            let pairs = points.row(i).into_iter().zip(points.row(j));
            pairs
                .map(|(a, b)| a.total_cmp(b))
                .find(|order| *order != Ordering::Equal)
                .unwrap_or_else(|| marginal[i].total_cmp(&marginal[j]))
        };
        order.sort_by(compare);
        let marginal = marginal.select(Axis(0), &order);
        let points = points.select(Axis(0), &order);
        let mean = marginal.dot(&points);
        Ok(Self { cells: Snapshot::weighted(points - &mean, marginal)?, mean })
    }

    /// The cells with their weights.
    pub(super) fn view(&self) -> Cells<'_> {
        Cells::of(&self.cells)
    }
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;
    use rand::RngExt;
    use rand_distr::StandardNormal;

    use super::*;
    use crate::bridge::lightsb::Choice;
    use crate::progress::Silent;

    /// One cloud that becomes two, three apart in the first of two dimensions.
    fn parting(n: usize, seed: u64) -> BridgeProblem {
        let mut rng = Seed(seed).stream("parting", 0);
        let mut draw = |width: f64, apart: f64| {
            let mut x =
                Array2::from_shape_fn((n, 2), |_| width * rng.sample::<f64, _>(StandardNormal));
            for mut cell in x.rows_mut() {
                cell[0] += if rng.random::<bool>() { apart } else { -apart };
            }
            Snapshot::new(x).unwrap()
        };
        let (source, target) = (draw(0.5, 0.0), draw(0.3, 1.5));
        BridgeProblem::new(source, target, Epsilon::new(0.5).unwrap()).unwrap()
    }

    #[test]
    fn drawn_cells_are_of_the_snapshot_and_none_is_drawn_twice() {
        let points = Array2::from_shape_fn((50, 1), |(i, _)| i as f64);
        let weights = Array1::from_shape_fn(50, |i| 1.0 + i as f64);
        let cells = Snapshot::weighted(points, weights).unwrap();
        let [a, b] = thinned(&cells, [20, 100], Seed(3)).unwrap();
        assert_eq!((a.n_cells(), b.n_cells()), (20, 30));
        let mut all: Vec<f64> = a.points().iter().chain(b.points()).copied().collect();
        all.sort_by(f64::total_cmp);
        assert!(all.iter().enumerate().all(|(i, &x)| (x - i as f64).abs() < 1e-12));
        let odds = a.marginal()[1] / a.marginal()[0];
        let expected = (1.0 + a.points()[[1, 0]]) / (1.0 + a.points()[[0, 0]]);
        assert!((odds - expected).abs() < 1e-12);
    }

    #[test]
    fn very_many_cells_end_where_fewer_would_lead_them() {
        let many = parting(2 * SOME + 3000, 1);
        assert_eq!(Ends::new(&many).unwrap().begins_with(), Some(SOME));
        let (bridge, report) = LightSbSolver::default().fit(&many, Seed(0), &mut Silent).unwrap();
        assert!(bridge.mixture().n_gaussians() >= 2);
        // Not an optimum of the cells it began with: going on gains nothing.
        let given = Choice::Is(bridge.mixture().n_gaussians());
        let exact = LightSbSolver { n_gaussians: given, tolerance: 1e-7, ..Default::default() };
        let (_, best) = exact.fit(&many, Seed(0), &mut Silent).unwrap();
        assert!(report.objective - best.objective < 2e-3, "{report:?} {best:?}");
        // Fewer cells go another way, without any drawn first, to the same value up to their error.
        let few = parting(2 * SOME - 2000, 2);
        assert_eq!(Ends::new(&few).unwrap().begins_with(), None);
        let (_, other) = exact.fit(&few, Seed(0), &mut Silent).unwrap();
        assert!((report.objective - other.objective).abs() < 0.1, "{report:?} {other:?}");
    }
}
