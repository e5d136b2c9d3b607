//! The slope of the drift: the Jacobian of its best affine fit over the cells of a snapshot.

use ndarray::{Array2, ArrayView2, Axis};

use crate::bridge::{Bridge, UnitTime, plain};
use crate::error::Result;
use crate::linalg::{cross_covariance, dense_eigenpairs, product, product_tn};

/// Fraction of the mean variance that is added to every variance before the covariance is
/// inverted. It limits the influence of directions in which cells hardly differ.
pub(crate) const RIDGE: f64 = 0.1;

/// Slope of the regression of drift on position at the start of an interval:
/// `Cov(b, x) (Cov(x) + λ I)⁻¹`, with λ a tenth of the mean variance.
///
/// `source` are the cells `(n_cells, dim)`. The result is `(dim, dim)` with one row for each
/// component of the drift, in units of 1 per local time. The drift at local time 0 is the expected
/// displacement over the interval, `E[X₁ | X₀ = x] − x`, so the slope is also the regression of
/// displacement on position.
///
/// The Jacobian at a point is symmetric for every Schrödinger bridge. The slope is symmetric only
/// for Gaussian cells, so it can distinguish regulator and target. It is zero if all cells are at
/// one position. Time `O(n_cells · dim² + dim³)`.
///
/// # Errors
/// Those of [`Bridge::drift`].
///
/// ```
/// use ndarray::array;
/// use sbcell::bridge::{BridgeProblem, BridgeSolver, GaussianSolver};
/// use sbcell::{Epsilon, Seed, Silent, data::Snapshot, grn::drift_slope};
/// # fn main() -> sbcell::Result<()> {
/// // The population spreads, so cells move away from the mean: a positive slope.
/// let source = Snapshot::new(array![[-1.0], [0.0], [1.0]])?;
/// let target = Snapshot::new(array![[-2.0], [0.0], [2.0]])?;
/// let problem = BridgeProblem::new(source.clone(), target, Epsilon::new(0.1)?)?;
/// let (bridge, _) = GaussianSolver::default().solve(&problem, Seed(0), &mut Silent)?;
/// assert!(drift_slope(&*bridge, source.points())?[[0, 0]] > 0.5);
/// # Ok(())
/// # }
/// ```
pub fn drift_slope(bridge: &dyn Bridge, source: ArrayView2<'_, f64>) -> Result<Array2<f64>> {
    let drift = plain(bridge).drift(source, UnitTime::START)?;
    let mut covariance = cross_covariance(source, source);
    let together = cross_covariance(drift.view(), source);
    let mean_variance = covariance.diag().mean().unwrap_or(0.0);
    if mean_variance <= 0.0 {
        // Cells at one position contain no information on how the drift changes with position.
        return Ok(Array2::zeros(covariance.raw_dim()));
    }
    covariance.diag_mut().mapv_inplace(|variance| variance + RIDGE * mean_variance);
    let dim = covariance.nrows();
    let pairs = dense_eigenpairs(dim, dim, |i, j| covariance[[i, j]])?;
    let scaled = &pairs.vectors / &pairs.values.insert_axis(Axis(1));
    let inverse = product_tn(pairs.vectors.view(), scaled.view());
    Ok(product(together.view(), inverse.view()))
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;
    use crate::bridge::{Covariance, LightSbBridge, Mixture};
    use crate::geometry::Epsilon;
    use crate::grn::known::stretching_bridge;

    #[test]
    fn of_an_affine_field_it_is_the_matrix_of_the_field_shrunk_by_the_ridge() {
        // Between Gaussians b(x, 0) = (S − I) x + r.
        let (bridge, stretch) = stretching_bridge();
        // Uncorrelated coordinates with variances 4 and 1: mean variance 5/2, λ = 1/4.
        let (a, b) = (3.0_f64.sqrt(), 0.75_f64.sqrt());
        let cells = array![[a, b], [a, -b], [-a, b], [-a, -b]];
        let slope = drift_slope(&bridge, cells.view()).unwrap();
        for (d, variance) in [4.0, 1.0].into_iter().enumerate() {
            let expected = (stretch[d] - 1.0) * variance / (variance + 0.25);
            assert!((slope[[d, d]] - expected).abs() < 1e-12, "{slope}");
        }
        assert!(slope[[0, 1]].abs() < 1e-12 && slope[[1, 0]].abs() < 1e-12);
    }

    #[test]
    fn solves_the_normal_equations_and_is_not_symmetric() {
        let mixture = Mixture {
            covariance: Covariance::Diagonal,
            log_alpha: array![0.0, -0.5, 0.3],
            r: array![[1.0, 0.2], [-1.5, 0.7], [0.3, -1.0]],
            s: array![[0.5, 1.5], [1.2, 0.4], [0.8, 0.9]],
        };
        let zero = array![0.0, 0.0];
        let epsilon = Epsilon::new(0.5).unwrap();
        let bridge = LightSbBridge::new(mixture, zero.clone(), zero, epsilon).unwrap();
        let cells =
            array![[0.1, 0.9], [1.4, -0.3], [-0.8, 0.4], [2.0, 1.1], [-1.0, -1.7], [0.6, 0.2]];
        let slope = drift_slope(&bridge, cells.view()).unwrap();
        // A (Cov(x) + λI) = Cov(b, x), with both covariances summed cell by cell.
        let drift = bridge.drift(cells.view(), UnitTime::START).unwrap();
        let covariance = |u: &Array2<f64>, v: &Array2<f64>, i: usize, j: usize| {
            let (mean_u, mean_v) = (u.column(i).mean().unwrap(), v.column(j).mean().unwrap());
            let products = (0..6).map(|cell| (u[[cell, i]] - mean_u) * (v[[cell, j]] - mean_v));
            products.sum::<f64>() / 5.0
        };
        let lambda = RIDGE * (0..2).map(|d| covariance(&cells, &cells, d, d)).sum::<f64>() / 2.0;
        for i in 0..2 {
            for j in 0..2 {
                let left: f64 = (0..2)
                    .map(|k| {
                        let lift = if k == j { lambda } else { 0.0 };
                        slope[[i, k]] * (covariance(&cells, &cells, k, j) + lift)
                    })
                    .sum();
                assert!((left - covariance(&drift, &cells, i, j)).abs() < 1e-12);
            }
        }
        assert!((slope[[0, 1]] - slope[[1, 0]]).abs() > 1e-3);
    }

    #[test]
    fn cells_in_one_place_have_no_slope() {
        let (zero, v) = (array![0.0], array![1.0]);
        let ends = ((zero.view(), v.view()), (zero.view(), v.view()));
        let bridge = LightSbBridge::from_gaussians(
            ends.0.0,
            ends.0.1,
            ends.1.0,
            ends.1.1,
            Epsilon::new(0.1).unwrap(),
        )
        .unwrap();
        let slope = drift_slope(&bridge, array![[2.0], [2.0]].view()).unwrap();
        assert_eq!(slope, array![[0.0]]);
    }
}
