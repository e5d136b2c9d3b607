//! The Jacobian of a bridge's drift, averaged along its paths.

use ndarray::{Array2, ArrayView2};

use crate::bridge::{Bridge, UnitTime};
use crate::error::Result;
use crate::rng::Seed;

/// The local times at which the Jacobian is evaluated: the midpoint rule with five cells.
pub const LOCAL_TIMES: [f64; 5] = [0.1, 0.3, 0.5, 0.7, 0.9];

/// `∫₀¹ E[∂b/∂x (X_t, t)] dt`: the drift's Jacobian averaged over the paths that start in
/// `source`, and over local time by the midpoint rule at [`LOCAL_TIMES`].
///
/// `source` has shape `(n_cells, dim)`; the result is `(dim, dim)`, `J[a, b] = ∂b_a/∂x_b` in
/// units of 1 per local time. Each cell is carried from time to time by the bridge's exact
/// transition, so there is no error of time discretisation in where it is evaluated.
///
/// The drift of a Schrödinger bridge is a gradient, so this matrix is symmetric: it says which
/// directions are pushed apart or together, not which of two genes acts on the other.
///
/// # Errors
/// Those of [`Bridge::sample_transition`] and [`Bridge::mean_jacobian`].
pub fn path_jacobian(
    bridge: &dyn Bridge,
    source: ArrayView2<'_, f64>,
    seed: Seed,
) -> Result<Array2<f64>> {
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
