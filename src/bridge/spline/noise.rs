//! The noise in the displacements of pairs, which midpoints of two cells lack.

use ndarray::{Array1, Array2};

use crate::bridge::{BridgeProblem, Coupling, SinkhornSolver, debiased_map};
use crate::data::Snapshot;
use crate::error::Result;
use crate::geometry::Epsilon;
use crate::linalg::product_tn;
use crate::progress::{Progress, Unseen};

/// ε of the displacement that neighbouring cells share, in units of the total variance. The
/// remaining difference of two partners counts as noise.
const BLUR: f64 = 0.2;

/// ε of the displacements along which [`crate::bridge::EndsBridge`] moves cells. It is larger, so
/// that noise does not determine them.
pub(super) const BLUR_TO_CARRY: f64 = 1.0;

/// Marginal error of these couplings.
const TOLERANCE: f64 = 1e-3;

/// Added to the covariance in every direction, as a fraction of its mean variance, so that it is
/// invertible.
const RIDGE: f64 = 1e-6;

/// The covariance `R = Cov(y_j − x_i − D(x_i))` over the pairs of a coupling, d × d. D is the
/// displacement of the entropic map without its bias: the movement that neighbouring cells share.
///
/// The midpoint of two cells averages their independent noise, so its covariance is too small by
/// R/4. A Brownian bridge with covariance R between them restores it.
pub(super) fn residual(
    problem: &BridgeProblem,
    coupling: &Coupling,
    variance: f64,
    progress: &mut dyn Progress,
) -> Result<Array2<f64>> {
    let (source, target) = (problem.source(), problem.target());
    let mapped = &displacements(source, target, BLUR * variance, progress)? + &source.points();
    let y = target.points();
    let dim = source.dim();
    let total = coupling.kept();
    let mut off = Array2::zeros((coupling.n_pairs(), dim));
    let mut mean = Array1::<f64>::zeros(dim);
    for (mut row, (i, j, mass)) in off.rows_mut().into_iter().zip(coupling.pairs()) {
        row.assign(&(&y.row(j) - &mapped.row(i)));
        mean.scaled_add(mass / total, &row);
    }
    for (mut row, (_, _, mass)) in off.rows_mut().into_iter().zip(coupling.pairs()) {
        row -= &mean;
        row *= (mass / total).sqrt();
    }
    let mut covariance = product_tn(off.view(), off.view());
    let ridge = RIDGE * covariance.diag().sum() / dim as f64 + f64::MIN_POSITIVE;
    covariance.diag_mut().mapv_inplace(|value| value + ridge);
    Ok(covariance)
}

/// `D(x_i)`: the displacement of the cells of `from` by the entropic map to `to`, without its bias,
/// with ε = `blur`; n × d. Takes two Sinkhorn solves.
pub(super) fn displacements(
    from: &Snapshot,
    to: &Snapshot,
    blur: f64,
    progress: &mut dyn Progress,
) -> Result<Array2<f64>> {
    let epsilon = Epsilon::new(blur)?;
    let solver = SinkhornSolver { tolerance: TOLERANCE, ..SinkhornSolver::default() };
    let across = BridgeProblem::new(from.clone(), to.clone(), epsilon)?;
    let own = BridgeProblem::new(from.clone(), from.clone(), epsilon)?;
    let across = solver.fit(&across, &mut Unseen(progress))?.0;
    let own = solver.fit(&own, &mut Unseen(progress))?.0;
    Ok(debiased_map(&across, &own, from.points())? - from.points())
}
