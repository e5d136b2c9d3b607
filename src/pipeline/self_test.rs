//! Two small fits whose answers are known in closed form, to test sbcell on a machine.
//!
//! 1. *Coupling on a circle.* The source is 256 cells at equal distances on the unit circle; the target is the same,
//!    turned by half a distance. By symmetry the entropic coupling has constant potentials, and the mean of the later
//!    cells of a cell lies in its direction at the distance `I₁(1/ε) / I₀(1/ε)` from the centre (modified Bessel
//!    functions; the error of the sum over 256 cells is below the rounding). This uses exponentials, sums and
//!    products in blocks.
//! 2. *Bridge between Gaussians.* Both covariances have the same axes, with variances `a` and `b` along an axis. The
//!    variance half-way is `¼a + ¼b + ½c + ¼ε` with `c = √(ab + ε²/4) − ε/2`. This uses decompositions.

use ndarray::{Array1, Array2};

use crate::bridge::{Bridge, BridgeProblem, GaussianBridge, SinkhornSolver, UnitTime};
use crate::data::Snapshot;
use crate::error::Result;
use crate::geometry::Epsilon;
use crate::linalg::scaled_bessel;
use crate::progress::Silent;

/// Number of cells on the circle.
const N_CELLS: usize = 256;

/// Number of coordinates of the Gaussians.
const N_DIMS: usize = 16;

/// ε of both fits.
const EPSILON: f64 = 0.5;

/// A number that this machine computed, beside the number that it must be.
#[derive(Debug, Clone, PartialEq)]
pub struct KnownAnswer {
    /// The compared quantity.
    pub what: &'static str,
    /// The number in closed form.
    pub expected: f64,
    /// The number of the fit that is furthest from it.
    pub found: f64,
    /// Largest difference that is accepted.
    pub tolerance: f64,
}

impl KnownAnswer {
    /// Whether the numbers agree within the tolerance. A number that is not finite never does.
    pub fn agrees(&self) -> bool {
        (self.found - self.expected).abs() <= self.tolerance
    }

    /// An answer with the one of several numbers that is furthest from its own closed form.
    fn furthest(
        what: &'static str,
        numbers: impl IntoIterator<Item = [f64; 2]>,
        tolerance: f64,
    ) -> Self {
        let off = |pair: &[f64; 2]| {
            let off = (pair[0] - pair[1]).abs();
            if off.is_nan() { f64::INFINITY } else { off }
        };
        let furthest = numbers.into_iter().max_by(|one, other| off(one).total_cmp(&off(other)));
        let [found, expected] = furthest.unwrap_or([f64::NAN; 2]);
        Self { what, expected, found, tolerance }
    }
}

/// Runs both fits. They take a few milliseconds and less than 10 MB.
///
/// ```
/// let answers = sbcell::pipeline::self_test()?;
/// assert!(answers.iter().all(|answer| answer.agrees()));
/// # Ok::<(), sbcell::Error>(())
/// ```
///
/// # Errors
/// Those of the solvers, which a sound machine never gives here.
pub fn self_test() -> Result<Vec<KnownAnswer>> {
    Ok(vec![circle()?, gaussians()?])
}

/// The coupling on the circle. The tolerance is that of the solver for masses.
fn circle() -> Result<KnownAnswer> {
    let step = std::f64::consts::TAU / N_CELLS as f64;
    let turned = |by: f64| {
        Array2::from_shape_fn((N_CELLS, 2), |(i, d)| {
            let (sine, cosine) = ((i as f64 + by) * step).sin_cos();
            if d == 0 { cosine } else { sine }
        })
    };
    let (source, target) = (Snapshot::new(turned(0.0))?, Snapshot::new(turned(0.5))?);
    let problem = BridgeProblem::new(source, target, Epsilon::new(EPSILON)?)?;
    let (bridge, _) = SinkhornSolver::default().fit(&problem, &mut Silent)?;
    let points = turned(0.0);
    let means = bridge.conditional_mean(points.view())?;
    let along = means.rows().into_iter().zip(points.rows()).map(|(mean, cell)| mean.dot(&cell));
    let bessel = scaled_bessel(1.0 / EPSILON);
    let expected = bessel[1] / bessel[0];
    let what = "mean of the later cells in an entropic coupling of 256 cells on a circle";
    Ok(KnownAnswer::furthest(what, along.map(|found| [found, expected]), 1e-6))
}

/// The bridge between Gaussians whose axes are those of one reflection `1 − 2vvᵀ`.
fn gaussians() -> Result<KnownAnswer> {
    let all = Array1::from_shape_fn(N_DIMS, |k| 1.0 + k as f64 / 4.0);
    let length = all.dot(&all).sqrt();
    let v = &all / length;
    let axes = Array2::from_shape_fn((N_DIMS, N_DIMS), |(i, j)| {
        f64::from(u8::from(i == j)) - 2.0 * v[i] * v[j]
    });
    let turned = |variances: &Array1<f64>| (&axes * variances).dot(&axes.t());
    let a = Array1::from_shape_fn(N_DIMS, |k| 1.0 / (1.0 + k as f64));
    let b = Array1::from_shape_fn(N_DIMS, |k| 0.1 + k as f64 / 8.0);
    let means = [Array1::zeros(N_DIMS), Array1::ones(N_DIMS)];
    let epsilon = Epsilon::new(EPSILON)?;
    let (before, after) = (turned(&a), turned(&b));
    let bridge = GaussianBridge::between(
        means[0].view(),
        before.view(),
        means[1].view(),
        after.view(),
        epsilon,
    )?;
    let half = bridge.covariance(UnitTime::new(0.5)?);
    let half_way = |a: f64, b: f64| {
        let c = (a * b + EPSILON.powi(2) / 4.0).sqrt() - EPSILON / 2.0;
        0.25 * a + 0.25 * b + 0.5 * c + 0.25 * bridge.epsilon().value()
    };
    let along = (0..N_DIMS).map(|k| {
        let axis = axes.column(k);
        [axis.dot(&half.dot(&axis)), half_way(a[k], b[k])]
    });
    let what = "variance half-way in the bridge between two Gaussians with 16 coordinates";
    Ok(KnownAnswer::furthest(what, along, 1e-9))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_answers_are_right_and_a_wrong_one_is_seen() {
        for answer in self_test().unwrap() {
            assert!(answer.agrees(), "{answer:?}");
            let off = KnownAnswer { found: answer.found + 2.0 * answer.tolerance, ..answer };
            assert!(!off.agrees() && !KnownAnswer { found: f64::NAN, ..off }.agrees());
        }
    }

    #[test]
    fn the_furthest_number_counts_and_one_that_is_none_is_furthest() {
        let of = |numbers: &[[f64; 2]]| KnownAnswer::furthest("", numbers.iter().copied(), 0.5);
        assert!((of(&[[1.0, 1.2], [3.0, 2.0], [0.1, 0.0]]).found - 3.0).abs() < 1e-12);
        assert!(!of(&[[1.0, 1.0], [f64::NAN, 1.0]]).agrees() && !of(&[]).agrees());
    }
}
