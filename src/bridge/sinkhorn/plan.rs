//! Entropic couplings for any cost, and the entropic map without its bias.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2};

use crate::bridge::sinkhorn::kernel::DenseKernel;
use crate::bridge::sinkhorn::pairs::{coupling, logs, pairs};
use crate::bridge::sinkhorn::sides::Side;
use crate::bridge::{Coupling, FitReport, SinkhornBridge, SinkhornSolver};
use crate::error::{Error, Result};
use crate::geometry::{Cost, Epsilon};
use crate::progress::Progress;
use crate::rng::Seed;

/// The coupling `p_i q_j exp((f_i + g_j − C_ij)/ε)` of entropic transport with any cost.
#[derive(Debug)]
pub struct EntropicPlan<'a> {
    /// The cost.
    cost: &'a dyn Cost,
    /// ε of the coupling.
    epsilon: Epsilon,
    /// Weights p and q.
    masses: (Array1<f64>, Array1<f64>),
    /// Potentials f and g.
    potentials: (Array1<f64>, Array1<f64>),
    /// How the solve went.
    report: FitReport,
}

impl SinkhornSolver {
    /// Couples cells by any cost: the problem of [`SinkhornSolver::fit`], without the drift that
    /// exists only for ½‖x−y‖². `source` and `target` are weights that sum to one.
    ///
    /// # Errors
    /// [`Error::Shape`] unless there is one weight for each cell; [`Error::Parameter`] if a weight
    /// is negative, the weights do not sum to one (within 10⁻⁶), or a hyperparameter is out of its
    /// range; [`Error::Numerical`] if a cost is not finite; [`Error::Cancelled`].
    #[doc(hidden)]
    pub fn couple<'a>(
        &self,
        cost: &'a dyn Cost,
        source: ArrayView1<'_, f64>,
        target: ArrayView1<'_, f64>,
        epsilon: Epsilon,
        progress: &mut dyn Progress,
    ) -> Result<EntropicPlan<'a>> {
        let (n, m) = cost.shape();
        for (expected, weights) in [(n, source), (m, target)] {
            let got = weights.len();
            if expected != got {
                return Err(Error::Shape { what: "a marginal", unit: "weights", expected, got });
            }
            let valid = weights.iter().all(|weight| *weight >= 0.0);
            if !(valid && (weights.sum() - 1.0).abs() < 1e-6) {
                let must = "not negative and sum to one";
                let got = format!("sum {}", weights.sum());
                return Err(Error::Parameter { name: "marginal", must, got });
            }
        }
        let mean_cost = mean_cost(cost, source, target);
        if !mean_cost.is_finite() {
            let why = "a cost is not finite".into();
            return Err(Error::Numerical { what: "entropic transport", why });
        }
        let found = self.run(
            &|epsilon| DenseKernel::Cost { cost, epsilon },
            source,
            target,
            mean_cost,
            epsilon.value(),
            progress,
        )?;
        Ok(EntropicPlan {
            cost,
            epsilon,
            masses: (source.to_owned(), target.to_owned()),
            report: self.report(&found),
            potentials: (Array1::from(found.source), Array1::from(found.target)),
        })
    }
}

impl EntropicPlan<'_> {
    /// The potentials f and g, in the unit of the cost.
    pub fn potentials(&self) -> (ArrayView1<'_, f64>, ArrayView1<'_, f64>) {
        (self.potentials.0.view(), self.potentials.1.view())
    }

    /// How the solve went; its details contain the marginal errors.
    pub fn report(&self) -> &FitReport {
        &self.report
    }

    /// The pairs whose mass is at least `least` times `1/n_source`, see
    /// [`SinkhornBridge::coupling`].
    ///
    /// # Errors
    /// As there.
    pub fn coupling(&self, least: f64) -> Result<Coupling> {
        let epsilon = self.epsilon.value();
        let kernel = DenseKernel::Cost { cost: self.cost, epsilon };
        coupling(&kernel, &logs(&self.masses, &self.potentials, epsilon), least)
    }

    /// The coupling with at most `per_cell` pairs for each source cell, or 50 000 in all.
    ///
    /// If not more pairs than that have at least 10⁻⁸ of `1/n_source`, these are all of them.
    /// Otherwise `per_cell` draws for each source cell preserve its mass and give every pair its
    /// own mass in expectation.
    ///
    /// # Errors
    /// [`Error::Parameter`] if the coupling has no mass.
    pub fn pairs(&self, per_cell: usize, seed: Seed) -> Result<Coupling> {
        let epsilon = self.epsilon.value();
        let kernel = DenseKernel::Cost { cost: self.cost, epsilon };
        pairs(&kernel, &logs(&self.masses, &self.potentials, epsilon), per_cell.max(1), seed)
    }
}

/// `Σ p_i q_j C_ij`.
fn mean_cost(cost: &dyn Cost, source: ArrayView1<'_, f64>, target: ArrayView1<'_, f64>) -> f64 {
    let kernel = DenseKernel::Cost { cost, epsilon: 1.0 };
    let chunks = kernel.in_chunks(Side::Source, |rows, blocks| {
        let mut sum = 0.0;
        blocks.visit(|columns, block| {
            let weights = target.slice(ndarray::s![columns]);
            sum -= source.slice(ndarray::s![rows.clone()]).dot(&block.dot(&weights));
        });
        sum
    });
    chunks.iter().sum()
}

/// The entropic map of `bridge` at each row of `x` (n × d) without its bias towards the mean, which
/// comes from ε: the map minus the map of the source to itself, plus x. `own` is the bridge from
/// the source snapshot to itself with the same ε.
///
/// Source: Pooladian, Cuturi, Niles-Weed 2022 (arXiv 2202.08919).
///
/// # Errors
/// As [`SinkhornBridge::conditional_mean`].
pub(crate) fn debiased_map(
    bridge: &SinkhornBridge,
    own: &SinkhornBridge,
    x: ArrayView2<'_, f64>,
) -> Result<Array2<f64>> {
    Ok(bridge.conditional_mean(x)? - own.conditional_mean(x)? + x)
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;
    use crate::bridge::BridgeProblem;
    use crate::data::Snapshot;
    use crate::progress::Silent;

    /// A target that is the source moved has the source's own map, moved: without its bias the
    /// map is the move, whatever ε.
    #[test]
    fn without_its_bias_the_map_of_a_moved_snapshot_is_the_move() {
        let x = Array2::from_shape_fn((60, 2), |(i, d)| (1.3 * (i * 2 + d) as f64).sin());
        let moved = &x + &array![2.0, -1.0];
        let solver = SinkhornSolver { tolerance: 1e-11, ..SinkhornSolver::default() };
        let solved = |target: &Array2<f64>| {
            let source = Snapshot::new(x.clone()).unwrap();
            let target = Snapshot::new(target.clone()).unwrap();
            let problem = BridgeProblem::new(source, target, Epsilon::new(0.3).unwrap()).unwrap();
            solver.fit(&problem, &mut Silent).unwrap().0
        };
        let (bridge, own) = (solved(&moved), solved(&x));
        let biased = bridge.conditional_mean(x.view()).unwrap() - &moved;
        assert!(biased.iter().any(|off| off.abs() > 0.1));
        let off = debiased_map(&bridge, &own, x.view()).unwrap() - &moved;
        assert!(off.iter().all(|off| off.abs() < 1e-9));
    }
}
