//! The affine prediction of an interval's field, coordinate by coordinate, which the networks complete.

use ndarray::{Array1, ArrayView1};
use serde::{Deserialize, Serialize};

use crate::bridge::Interpolant;
use crate::bridge::flow::pairs::Pairs;
use crate::data::Snapshot;
use crate::error::{Error, Result};
use crate::geometry::Epsilon;

/// Lower bound of the variance of `x_t`, in units of ε. Divisors stay finite where all cells have
/// one position.
const LEAST: f64 = 1e-4;

/// Means, variances and covariances of the two ends of a path, coordinate by coordinate.
///
/// They give the best affine prediction of velocity and score in each coordinate. If the ends are
/// jointly Gaussian with independent coordinates, the prediction is the exact field; with the
/// entropic coupling it is the exact Schrödinger bridge. In all other cases the networks learn the
/// residual. To subtract a known prediction makes the targets of the networks smaller and does not
/// change their optimum: it is a control variate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Affine {
    /// Mean of the source, d numbers.
    pub source_mean: Vec<f64>,
    /// Mean of the target, d numbers.
    pub target_mean: Vec<f64>,
    /// Variance of the source, d numbers.
    pub source_variance: Vec<f64>,
    /// Variance of the target, d numbers.
    pub target_variance: Vec<f64>,
    /// Covariance of source and target under the coupling, d numbers.
    pub covariance: Vec<f64>,
    /// Lower bound of the variance of `x_t`.
    pub least_variance: f64,
    /// Whether the prediction uses slopes; otherwise means alone.
    pub slopes: bool,
}

/// [`Affine`] at one local time. Vectors have one entry for each coordinate.
#[derive(Debug, Clone)]
pub(super) struct AffineAt {
    /// Mean of `x_t`.
    pub(super) mean: Array1<f64>,
    /// Root of the mean variance of `x_t`. Inputs of networks are divided by it.
    pub(super) spread: f64,
    /// `w ≈ speed + slope (x − mean)`.
    pub(super) speed: Array1<f64>,
    /// Slope of w, see `speed`.
    pub(super) slope: Array1<f64>,
    /// `score ≈ −precision (x − mean)`.
    pub(super) precision: Array1<f64>,
}

impl Affine {
    /// Moments of two snapshots, and the covariance of `pairs` drawn between them. Takes
    /// `O((n_source + n_target + n_pairs) d)` time.
    pub(in crate::bridge) fn of(
        source: &Snapshot,
        target: &Snapshot,
        pairs: &Pairs,
        epsilon: Epsilon,
        slopes: bool,
    ) -> Self {
        let (source_mean, source_variance) = moments(source);
        let (target_mean, target_variance) = moments(target);
        let covariance = pairs.covariance(source, target, source_mean.view(), target_mean.view());
        let list = |values: Array1<f64>| values.to_vec();
        Self {
            source_mean: list(source_mean),
            target_mean: list(target_mean),
            source_variance: list(source_variance),
            target_variance: list(target_variance),
            covariance: list(covariance),
            least_variance: LEAST * epsilon.value(),
            slopes,
        }
    }

    /// Number of dimensions d.
    pub(super) fn dim(&self) -> usize {
        self.source_mean.len()
    }

    /// Checks numbers that come from a file.
    ///
    /// # Errors
    /// [`Error::Shape`] if lengths differ; [`Error::Parameter`] for a number out of its range.
    pub(super) fn check(&self) -> Result<()> {
        let Self {
            source_mean,
            target_mean,
            source_variance,
            target_variance,
            covariance,
            least_variance,
            slopes: _,
        } = self;
        let lists = [source_mean, target_mean, source_variance, target_variance, covariance];
        for list in lists {
            let (expected, got) = (source_mean.len(), list.len());
            if expected != got {
                let (what, unit) = ("the moments of a flow", "numbers");
                return Err(Error::Shape { what, unit, expected, got });
            }
        }
        let finite = lists.iter().all(|list| list.iter().all(|value| value.is_finite()));
        let positive = source_variance.iter().chain(target_variance).all(|&value| value >= 0.0);
        let least = 0.0 < *least_variance && *least_variance < f64::INFINITY;
        if finite && positive && least && !source_mean.is_empty() {
            return Ok(());
        }
        let (name, must) = ("moments", "finite, variances not negative, at least one dimension");
        Err(Error::Parameter { name, must, got: format!("{} dimensions", source_mean.len()) })
    }

    /// Root of the mean variance of `x₁ − x₀`, the unit of the network of w; 1 if this variance is
    /// zero.
    pub(super) fn reach(&self) -> f64 {
        let sum: f64 = (0..self.dim())
            .map(|d| self.source_variance[d] + self.target_variance[d] - 2.0 * self.covariance[d])
            .sum();
        let reach = (sum.max(0.0) / self.dim().max(1) as f64).sqrt();
        if reach > 0.0 { reach } else { 1.0 }
    }

    /// Sums over coordinates: variance of the source, covariance, variance of the target.
    pub(super) fn totals(&self) -> [f64; 3] {
        [&self.source_variance, &self.covariance, &self.target_variance]
            .map(|values| values.iter().sum())
    }

    /// Root of the mean variance of `x_t`, from the sums of [`Affine::totals`].
    pub(super) fn spread(&self, totals: [f64; 3], path: &PathAt) -> f64 {
        let (dim, [var0, covariance, var1]) = (self.dim().max(1) as f64, totals);
        let variance = path.variance(var0 / dim, covariance / dim, var1 / dim);
        variance.max(self.least_variance).sqrt()
    }

    /// The prediction for coordinate `d` at one local time.
    #[inline]
    pub(super) fn coordinate(&self, path: &PathAt, d: usize) -> Coordinate {
        let (var0, var1) = (self.source_variance[d], self.target_variance[d]);
        let covariance = self.covariance[d];
        let variance = path.variance(var0, covariance, var1).max(self.least_variance);
        let precision = if self.slopes { 1.0 / variance } else { 0.0 };
        let PathAt { alpha, beta, alpha_speed, beta_speed, .. } = *path;
        let with_speed = alpha * alpha_speed * var0
            + (alpha * beta_speed + alpha_speed * beta) * covariance
            + beta * beta_speed * var1;
        Coordinate {
            mean: alpha * self.source_mean[d] + beta * self.target_mean[d],
            speed: alpha_speed * self.source_mean[d] + beta_speed * self.target_mean[d],
            slope: with_speed * precision,
            precision,
        }
    }

    /// The prediction for all coordinates at one local time.
    pub(super) fn at(&self, path: &PathAt) -> AffineAt {
        let all: Vec<Coordinate> = (0..self.dim()).map(|d| self.coordinate(path, d)).collect();
        let pick = |value: fn(&Coordinate) -> f64| all.iter().map(value).collect();
        AffineAt {
            mean: pick(|c| c.mean),
            spread: self.spread(self.totals(), path),
            speed: pick(|c| c.speed),
            slope: pick(|c| c.slope),
            precision: pick(|c| c.precision),
        }
    }
}

/// One coordinate of [`AffineAt`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Coordinate {
    /// Mean of `x_t`.
    pub(super) mean: f64,
    /// Mean of w.
    pub(super) speed: f64,
    /// Slope of w by `x_t`.
    pub(super) slope: f64,
    /// Minus the slope of the score.
    pub(super) precision: f64,
}

/// An [`Interpolant`] at one local time.
#[derive(Debug, Clone, Copy)]
pub(super) struct PathAt {
    /// Weight α of the source.
    pub(super) alpha: f64,
    /// Weight β of the target.
    pub(super) beta: f64,
    /// Derivative α' by local time.
    pub(super) alpha_speed: f64,
    /// Derivative β' by local time.
    pub(super) beta_speed: f64,
    /// Variance of the noise, `γ²`.
    pub(super) noise: f64,
}

impl PathAt {
    /// Evaluates the interpolant at local time t.
    pub(super) fn new(path: &Interpolant, t: f64) -> Self {
        let ((alpha, beta), (alpha_speed, beta_speed)) = (path.weights(t), path.speeds(t));
        Self { alpha, beta, alpha_speed, beta_speed, noise: path.noise_variance(t) }
    }

    /// Variance of a coordinate of `x_t`, from the variances of its ends and their covariance.
    #[inline]
    fn variance(&self, var0: f64, covariance: f64, var1: f64) -> f64 {
        let Self { alpha, beta, noise, .. } = *self;
        alpha * alpha * var0 + 2.0 * alpha * beta * covariance + beta * beta * var1 + noise
    }
}

/// Weighted mean and variance of each coordinate.
fn moments(snapshot: &Snapshot) -> (Array1<f64>, Array1<f64>) {
    let mean = snapshot.marginal().dot(&snapshot.points());
    let mut variance = Array1::zeros(mean.len());
    for (row, weight) in snapshot.points().rows().into_iter().zip(snapshot.marginal()) {
        add_squares(&mut variance, *weight, row, mean.view());
    }
    (mean, variance)
}

/// Adds `weight (row − mean)²`.
fn add_squares(
    sum: &mut Array1<f64>,
    weight: f64,
    row: ArrayView1<'_, f64>,
    mean: ArrayView1<'_, f64>,
) {
    for ((sum, value), mean) in sum.iter_mut().zip(row).zip(mean) {
        *sum += weight * (value - mean) * (value - mean);
    }
}
