//! The Jacobian of a bridge's drift, averaged over local time and over paths.

use ndarray::{Array2, ArrayView2};

use crate::bridge::{Bridge, UnitTime, plain};
use crate::error::Result;
use crate::rng::Seed;

/// Local times at which the Jacobian is evaluated: the midpoint rule with five intervals.
pub(crate) const LOCAL_TIMES: [f64; 5] = [0.1, 0.3, 0.5, 0.7, 0.9];

/// Jacobian of the drift averaged over paths and local time: `∫₀¹ E[∂b/∂x (X_t, t)] dt`.
///
/// Paths start in the cells `source` `(n_cells, dim)`. The integral is the midpoint rule at local
/// times 0.1, 0.3, 0.5, 0.7 and 0.9. The result is `(dim, dim)` with `J[a, b] = ∂b_a/∂x_b`, in
/// units of 1 per local time. Cells move from one local time to the next by
/// [`Bridge::sample_transition`], which is exact for most bridges. Time of five transitions and
/// five mean Jacobians.
///
/// A bridge with clocks or along a curve counts without them ([`plain`]).
///
/// The drift of a Schrödinger bridge is a gradient, so this matrix is symmetric. It shows which
/// directions the process pushes apart or together, but not which of two genes acts on the other.
///
/// # Errors
/// Those of [`Bridge::sample_transition`] and [`Bridge::mean_jacobian`].
///
/// ```
/// use ndarray::array;
/// use sbcell::bridge::{BridgeProblem, BridgeSolver, GaussianSolver};
/// use sbcell::{Epsilon, Seed, Silent, data::Snapshot, grn::path_jacobian};
/// # fn main() -> sbcell::Result<()> {
/// // The population contracts, so the drift decreases along x.
/// let source = Snapshot::new(array![[-2.0], [0.0], [2.0]])?;
/// let target = Snapshot::new(array![[-1.0], [0.0], [1.0]])?;
/// let problem = BridgeProblem::new(source.clone(), target, Epsilon::new(0.1)?)?;
/// let (bridge, _) = GaussianSolver::default().solve(&problem, Seed(0), &mut Silent)?;
/// assert!(path_jacobian(&*bridge, source.points(), Seed(0))?[[0, 0]] < 0.0);
/// # Ok(())
/// # }
/// ```
pub fn path_jacobian(
    bridge: &dyn Bridge,
    source: ArrayView2<'_, f64>,
    seed: Seed,
) -> Result<Array2<f64>> {
    let bridge = plain(bridge);
    let mut mean = Array2::zeros((bridge.dim(), bridge.dim()));
    let mut cells = source.to_owned();
    let mut now = UnitTime::START;
    for (step, &t) in LOCAL_TIMES.iter().enumerate() {
        let next = UnitTime::new(t)?;
        let seed = seed.child("grn/path", step as u64);
        cells = bridge.sample_transition(cells.view(), now, next, seed)?;
        mean.scaled_add(1.0 / LOCAL_TIMES.len() as f64, &bridge.mean_jacobian(cells.view(), next)?);
        now = next;
    }
    Ok(mean)
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;
    use crate::grn::known::stretching_bridge;

    #[test]
    fn between_gaussians_it_is_the_logarithm_of_the_stretch() {
        // With one Gaussian the Jacobian is (s − 1)/(1 − t + ts) wherever the cells are, and
        // ∫₀¹ of that is ln s.
        let (bridge, stretch) = stretching_bridge();
        let cells = array![[0.3, 1.0], [-1.0, 0.2], [2.0, 4.0]];
        let jacobian = path_jacobian(&bridge, cells.view(), Seed(0)).unwrap();
        for (d, s) in stretch.into_iter().enumerate() {
            // The midpoint rule with h = 1/5 errs by at most h²/24 · max|f''|, here below 0.02.
            assert!((jacobian[[d, d]] - s.ln()).abs() < 0.02, "{jacobian} for s = {s}");
            let sum: f64 = LOCAL_TIMES.iter().map(|t| (s - 1.0) / (1.0 - t + t * s)).sum();
            assert!((jacobian[[d, d]] - sum / 5.0).abs() < 1e-12);
        }
        assert!(jacobian[[0, 1]].abs() < 1e-12 && jacobian[[1, 0]].abs() < 1e-12);
    }
}
