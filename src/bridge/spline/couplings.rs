//! The couplings of a course from which splines are made; each is computed once.

use ndarray::{Array1, Array2};

use crate::bridge::{BridgeProblem, Coupling, Mass, SinkhornSolver};
use crate::error::Result;
use crate::geometry::{Cost, Epsilon, SquaredEuclidean};
use crate::linalg::exact_plan;
use crate::progress::{Progress, Unseen};
use crate::rng::Seed;

/// Marginal error of relaxed couplings.
const TOLERANCE: f64 = 1e-4;

/// Number of pairs that are drawn for each source cell if a coupling has many.
const PAIRS_PER_CELL: usize = 16;

/// Smallest mass of a pair of an exact coupling that is kept, as a fraction of `1/n`.
const LEAST_MASS: f64 = 1e-9;

/// Computes couplings in the unit of the total variance of a course.
#[derive(Debug, Clone, Copy)]
pub(super) struct Couplings {
    /// Trace of the covariance of all cells, v.
    pub(super) variance: f64,
    /// ε of relaxed couplings, in units of v.
    pub(super) blur: f64,
}

/// A coupling between two snapshots.
#[derive(Debug, Clone)]
pub(super) struct Found {
    /// The pairs.
    pub(super) coupling: Coupling,
    /// Whether the solver met its tolerance.
    pub(super) converged: bool,
    /// Mean cost of the product of the marginals, and of this coupling (for relaxed couplings the
    /// values of the objective).
    pub(super) costs: (f64, f64),
}

impl Couplings {
    /// The coupling with price `relaxation` (in units of v) for deviating from a marginal; `None`
    /// keeps both marginals (exact transport). With [`Mass::Kept`] only the target marginal is
    /// relaxed. Time and memory are those of the exact or the Sinkhorn solver.
    pub(super) fn plan(
        &self,
        problem: &BridgeProblem,
        relaxation: Option<f64>,
        mass: Mass,
        seed: Seed,
        progress: &mut dyn Progress,
    ) -> Result<Found> {
        let (source, target) = (problem.source(), problem.target());
        let cost = SquaredEuclidean::new(source.points(), target.points())?;
        let Some(relaxation) = relaxation else {
            let mut costs = Array2::zeros(cost.shape());
            cost.rows(0, costs.view_mut());
            let independent = source.marginal().dot(&costs.dot(&target.marginal()));
            let (p, q) = (source.marginal(), target.marginal());
            let plan = exact_plan(costs.view(), p, q, &mut Unseen(progress))?;
            let least = LEAST_MASS / source.n_cells().max(target.n_cells()) as f64;
            let pairs = plan.entries.iter().copied().filter(|entry| entry.2 > least);
            return Ok(Found {
                coupling: Coupling::new(source.n_cells(), target.n_cells(), pairs)?,
                converged: true,
                costs: (independent, plan.cost),
            });
        };
        let price = Some(relaxation * self.variance);
        let solver = SinkhornSolver {
            tolerance: TOLERANCE,
            source_relaxation: if mass == Mass::Relaxed { price } else { None },
            target_relaxation: price,
            ..SinkhornSolver::default()
        };
        let epsilon = Epsilon::new(self.blur * self.variance)?;
        let (p, q) = (source.marginal(), target.marginal());
        let plan = solver.couple(&cost, p, q, epsilon, &mut Unseen(progress))?;
        let report = plan.report();
        Ok(Found {
            coupling: plan.pairs(PAIRS_PER_CELL, seed)?,
            converged: report.stop == crate::bridge::Stop::Converged,
            costs: (report.start_objective, report.objective),
        })
    }
}

/// The mean partner of each source cell and of each target cell, weighted by mass. A cell without a
/// partner is its own.
pub(super) fn partners(problem: &BridgeProblem, coupling: &Coupling) -> (Array2<f64>, Array2<f64>) {
    let (x, y) = (problem.source().points(), problem.target().points());
    let mut of_source = (Array2::<f64>::zeros(x.dim()), Array1::<f64>::zeros(x.nrows()));
    let mut of_target = (Array2::<f64>::zeros(y.dim()), Array1::<f64>::zeros(y.nrows()));
    for (i, j, mass) in coupling.pairs() {
        of_source.0.row_mut(i).scaled_add(mass, &y.row(j));
        of_source.1[i] += mass;
        of_target.0.row_mut(j).scaled_add(mass, &x.row(i));
        of_target.1[j] += mass;
    }
    for ((sums, masses), own) in
        [(&mut of_source, x), (&mut of_target, y)].map(|(s, o)| ((&mut s.0, &s.1), o))
    {
        for ((mut sum, &mass), own) in sums.rows_mut().into_iter().zip(masses).zip(own.rows()) {
            if mass > 0.0 {
                sum /= mass;
            } else {
                sum.assign(&own);
            }
        }
    }
    (of_source.0, of_target.0)
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;
    use crate::data::Snapshot;

    #[test]
    fn partners_are_means_by_mass_in_both_directions() {
        let cells = |points: Array2<f64>| Snapshot::new(points).unwrap();
        let (x, y) = (cells(array![[0.0], [2.0], [9.0]]), cells(array![[1.0], [5.0]]));
        let problem = BridgeProblem::new(x, y, Epsilon::new(0.1).unwrap()).unwrap();
        let coupling = Coupling::new(3, 2, [(0, 0, 0.1), (0, 1, 0.3), (1, 0, 0.1)]).unwrap();
        let (of_source, of_target) = partners(&problem, &coupling);
        assert_eq!(of_source, array![[4.0], [1.0], [9.0]]);
        assert_eq!(of_target, array![[1.0], [0.0]]);
    }
}
