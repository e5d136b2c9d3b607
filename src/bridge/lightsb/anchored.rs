//! Coordinates for the mixture in which the objective is well conditioned.

use ndarray::{Array1, Array2};

use crate::bridge::lightsb::mixture::Mixture;
use crate::bridge::lightsb::objective::{Evaluation, Objective};

/// Coordinates `(a', m, λ)` of a mixture, each divided by the scale it is expected to move on.
///
/// With a fixed anchor `x̄_k`, the mean of the source cells that Gaussian `k` is responsible for:
/// `m_k = r_k + S_k x̄_k` is where those cells go, `a'_k = ln α̃_k(x̄_k)` is how much they want
/// it, and `S_k = floor + e^λ`. In `(ln α, r, ln S)` a change of `S` also moves and reweighs the
/// cluster, by amounts that grow as `|x̄|²/ε`; here it does not. The scales are the inverse roots
/// of the diagonal of the Fisher information of each part.
#[derive(Debug)]
pub(super) struct Anchored {
    anchors: Array2<f64>,
    /// Coordinate = scaled coordinate · scale.
    scale: Vec<f64>,
    floor: f64,
    epsilon: f64,
}

impl Anchored {
    /// Anchors and scales from the responsibilities of `mixture`, and its scaled coordinates.
    pub(super) fn new(
        mixture: &Mixture,
        evaluation: &Evaluation,
        epsilon: f64,
        floor: f64,
    ) -> (Self, Vec<f64>) {
        let (n_gaussians, dim) = mixture.r.dim();
        let mut anchors = Array2::zeros((n_gaussians, dim));
        let mut scale = vec![1.0; n_gaussians * (1 + 2 * dim)];
        let mut point = scale.clone();
        for k in 0..n_gaussians {
            let (mean, variance) = evaluation.source.mean_and_variance(k);
            let mass = 0.5 * (evaluation.source.mass[k] + evaluation.target.mass[k]);
            // A part without cells must not get an endless scale.
            let mass = mass.max(1e-3 / n_gaussians as f64);
            anchors.row_mut(k).assign(&mean);
            scale[k] = 1.0 / mass.sqrt();
            let (r, s) = (mixture.r.row(k), mixture.s.row(k));
            let mut tilt = 0.0;
            for d in 0..dim {
                let (i, j) = (n_gaussians + k * dim + d, n_gaussians * (1 + dim) + k * dim + d);
                let ratio = s[d] * variance[d] / epsilon;
                let moved = (1.0 + ratio) / (epsilon * s[d]);
                let spread = 0.5 * (1.0 + ratio + ratio * ratio);
                scale[i] = 1.0 / (mass * moved).sqrt();
                scale[j] = 1.0 / (mass * spread).sqrt();
                point[i] = (r[d] + s[d] * mean[d]) / scale[i];
                point[j] = (s[d] - floor).max(1e-6 * s[d]).ln() / scale[j];
                tilt += mean[d] * (2.0 * r[d] + s[d] * mean[d]);
            }
            point[k] = (mixture.log_alpha[k] + tilt / (2.0 * epsilon)) / scale[k];
        }
        (Self { anchors, scale, floor, epsilon }, point)
    }

    /// The mixture at scaled coordinates.
    pub(super) fn mixture(&self, point: &[f64]) -> Mixture {
        let (n_gaussians, dim) = self.anchors.dim();
        let value = |i: usize| point[i] * self.scale[i];
        let s = Array2::from_shape_fn((n_gaussians, dim), |(k, d)| {
            self.floor + value(n_gaussians * (1 + dim) + k * dim + d).exp()
        });
        let r = Array2::from_shape_fn((n_gaussians, dim), |(k, d)| {
            value(n_gaussians + k * dim + d) - s[[k, d]] * self.anchors[[k, d]]
        });
        let log_alpha = Array1::from_shape_fn(n_gaussians, |k| {
            let tilt: f64 = (0..dim)
                .map(|d| {
                    let anchor = self.anchors[[k, d]];
                    anchor * (2.0 * r[[k, d]] + s[[k, d]] * anchor)
                })
                .sum();
            value(k) - tilt / (2.0 * self.epsilon)
        });
        Mixture { log_alpha, r, s }
    }

    /// The value at scaled coordinates, and the gradient in them.
    ///
    /// From the moments of the responsibilities `γ` (source) and `ρ` (target):
    /// `∂L/∂a' = E γ − E ρ`, `∂L/∂m = (1/ε) [E γ (x−x̄) − S⁻¹ E ρ (y−m)]` and
    /// `∂L/∂S = (1/2ε) E γ (x−x̄)² − ½ E ρ [(y−m)²/(ε S²) − 1/S]`.
    pub(super) fn value(
        &self,
        objective: &mut Objective<'_>,
        point: &[f64],
        gradient: &mut [f64],
    ) -> f64 {
        let (n_gaussians, dim) = self.anchors.dim();
        let mixture = self.mixture(point);
        let evaluation = objective.evaluate(&mixture);
        let (source, target) = (&evaluation.source, &evaluation.target);
        for k in 0..n_gaussians {
            let (from, to) = (source.mass[k], target.mass[k]);
            gradient[k] = (from - to) * self.scale[k];
            for d in 0..dim {
                let (i, j) = (n_gaussians + k * dim + d, n_gaussians * (1 + dim) + k * dim + d);
                let (anchor, s) = (self.anchors[[k, d]], mixture.s[[k, d]]);
                let m = mixture.r[[k, d]] + s * anchor;
                let (x, xx) = (source.firsts()[[k, d]], source.squares()[[k, d]]);
                let (y, yy) = (target.firsts()[[k, d]], target.squares()[[k, d]]);
                let (x_off, y_off) = (x - from * anchor, y - to * m);
                let x_spread = xx - anchor * (2.0 * x - from * anchor);
                let y_spread = yy - m * (2.0 * y - to * m);
                let by_s =
                    0.5 * (x_spread / self.epsilon - (y_spread / (self.epsilon * s) - to) / s);
                gradient[i] = (x_off - y_off / s) / self.epsilon * self.scale[i];
                gradient[j] = by_s * (s - self.floor) * self.scale[j];
            }
        }
        evaluation.value
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Axis, array};
    use rand_distr::{Distribution, StandardNormal};

    use super::*;
    use crate::rng::Seed;

    type Cells = (Array2<f64>, Array1<f64>);

    fn example() -> (Cells, Cells, Mixture) {
        let mut stream = Seed(1).stream("test/cells", 0);
        let mut cells =
            |n| Array2::<f64>::from_shape_simple_fn((n, 2), || StandardNormal.sample(&mut stream));
        // More cells than one chunk of the objective.
        let (x, y) = (cells(600), cells(40) * &array![0.5, 2.0]);
        let even = |n: usize| Array1::from_elem(n, 1.0 / n as f64);
        let mixture = Mixture {
            log_alpha: array![0.2, -0.4, 0.1],
            r: array![[0.5, -0.3], [-1.0, 0.8], [0.1, 0.2]],
            s: array![[0.5, 1.7], [1.1, 0.3], [0.9, 0.05]],
        };
        ((x, even(600)), (y, even(40)), mixture)
    }

    fn objective<'a>(source: &'a Cells, target: &'a Cells) -> Objective<'a> {
        let views = |cells: &'a Cells| (cells.0.view(), cells.1.view());
        Objective::new(views(source), views(target), 0.7)
    }

    #[test]
    fn the_gradient_is_the_derivative_of_the_value() {
        let (source, target, mixture) = example();
        let mut objective = objective(&source, &target);
        let evaluation = objective.evaluate(&mixture);
        let (coordinates, mut point) = Anchored::new(&mixture, &evaluation, 0.7, 1e-3);
        let mut gradient = vec![0.0; point.len()];
        let mut ignored = gradient.clone();
        coordinates.value(&mut objective, &point, &mut gradient);
        let step = 1e-5;
        for i in 0..point.len() {
            let here = point[i];
            point[i] = here + step;
            let ahead = coordinates.value(&mut objective, &point, &mut ignored);
            point[i] = here - step;
            let behind = coordinates.value(&mut objective, &point, &mut ignored);
            point[i] = here;
            let slope = (ahead - behind) / (2.0 * step);
            assert!((gradient[i] - slope).abs() < 1e-8, "{i}: {} and {slope}", gradient[i]);
        }
    }

    #[test]
    fn coordinates_give_the_mixture_back() {
        let (source, target, mixture) = example();
        let mut objective = objective(&source, &target);
        let evaluation = objective.evaluate(&mixture);
        let (coordinates, point) = Anchored::new(&mixture, &evaluation, 0.7, 1e-3);
        let back = coordinates.mixture(&point);
        let pairs = [
            (&back.r, &mixture.r),
            (&back.s, &mixture.s),
            (&back.log_alpha.insert_axis(Axis(0)), &mixture.log_alpha.insert_axis(Axis(0))),
        ];
        for (a, b) in pairs {
            assert!(a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-12), "{a} and {b}");
        }
    }
}
