//! Stochastic interpolants: a path from each source cell to its target cell, with or without noise.

use serde::{Deserialize, Serialize};

/// Weights α and β of the two ends along a path, `x_t = α(t) x₀ + β(t) x₁`, plus noise.
///
/// ```
/// use sbcell::bridge::{FlowSolver, PathShape};
///
/// let solver = FlowSolver::i_cfm().with_path(PathShape::Trigonometric);
/// assert!(solver.check().is_ok());
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PathShape {
    /// `α = 1 − t`, `β = t`: a straight line at constant speed.
    #[default]
    Linear,
    /// `α = cos(πt/2)`, `β = sin(πt/2)`: preserves the variance of independent ends.
    Trigonometric,
}

/// The path `x_t = α(t) x₀ + β(t) x₁ + γ(t) z` with `z ~ N(0, I)` and `γ² = ε t (1−t)`.
///
/// Let `w = E[α' x₀ + β' x₁ | x_t]` and `s = ∇ log p_t = −E[z | x_t]/γ`, the score. The velocity
/// that moves the distribution of `x_t` is `v = E[ẋ_t | x_t] = w − γ γ' s`. The conditional
/// velocity `ẋ_t` itself contains the term `γ' z`, whose variance is not bounded at the ends; `w`
/// and `γ γ'` are bounded. The solver therefore learns `w` and `s`, not `v`.
///
/// `Linear` with the noise of the reference process is the Brownian bridge of `[SF]²M`. Without
/// noise it is the path of OT-CFM and I-CFM.
///
/// Source: Albergo, Boffi, Vanden-Eijnden 2023 (arXiv 2303.08797); Tong et al. 2024 (arXiv
/// 2302.00482, 2307.03672).
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Interpolant {
    /// The weights of the ends.
    pub(crate) shape: PathShape,
    /// ε of `γ² = ε t (1−t)`; 0 for paths without noise.
    pub(crate) epsilon: f64,
}

impl Interpolant {
    /// `(α, β)` at local time `t`.
    pub(crate) fn weights(&self, t: f64) -> (f64, f64) {
        match self.shape {
            PathShape::Linear => (1.0 - t, t),
            PathShape::Trigonometric => {
                let (sin, cos) = (t * std::f64::consts::FRAC_PI_2).sin_cos();
                (cos, sin)
            }
        }
    }

    /// `(α', β')` at local time `t`.
    pub(crate) fn speeds(&self, t: f64) -> (f64, f64) {
        match self.shape {
            PathShape::Linear => (-1.0, 1.0),
            PathShape::Trigonometric => {
                let quarter = std::f64::consts::FRAC_PI_2;
                let (sin, cos) = (t * quarter).sin_cos();
                (-quarter * sin, quarter * cos)
            }
        }
    }

    /// `γ²` at local time `t`.
    pub(crate) fn noise_variance(&self, t: f64) -> f64 {
        self.epsilon * t * (1.0 - t)
    }

    /// `γ γ' = ε (1 − 2t)/2`, half the slope of the variance. It is finite at the ends, where `γ'`
    /// is not.
    pub(crate) fn noise_pull(&self, t: f64) -> f64 {
        self.epsilon * (0.5 - t)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Interpolant {
        /// `x_t` of one coordinate with ends `x0`, `x1` and noise `z`.
        fn point(&self, x0: f64, x1: f64, z: f64, t: f64) -> f64 {
            let (alpha, beta) = self.weights(t);
            alpha * x0 + beta * x1 + self.noise_variance(t).sqrt() * z
        }

        /// `ẋ_t = α' x₀ + β' x₁ + γ' z`; infinite at the ends if there is noise.
        fn conditional_velocity(&self, x0: f64, x1: f64, z: f64, t: f64) -> f64 {
            let (alpha, beta) = self.speeds(t);
            let ends = alpha * x0 + beta * x1;
            if self.epsilon > 0.0 {
                return ends + self.noise_pull(t) / self.noise_variance(t).sqrt() * z;
            }
            ends
        }

        /// `∇ log p(x_t | x₀, x₁) = −z / γ`; infinite at the ends or without noise.
        fn conditional_score(&self, z: f64, t: f64) -> f64 {
            -z / self.noise_variance(t).sqrt()
        }
    }

    const SHAPES: [PathShape; 2] = [PathShape::Linear, PathShape::Trigonometric];

    #[test]
    fn paths_join_their_ends() {
        for shape in SHAPES {
            let path = Interpolant { shape, epsilon: 0.7 };
            assert!((path.point(2.0, -3.0, 5.0, 0.0) - 2.0).abs() < 1e-12);
            assert!((path.point(2.0, -3.0, 5.0, 1.0) + 3.0).abs() < 1e-12);
        }
    }

    #[test]
    fn velocities_are_derivatives_of_paths() {
        for shape in SHAPES {
            for epsilon in [0.0, 0.7] {
                let path = Interpolant { shape, epsilon };
                for t in [0.1, 0.5, 0.8] {
                    let at = |t| path.point(2.0, -3.0, 0.4, t);
                    let slope = (at(t + 1e-6) - at(t - 1e-6)) / 2e-6;
                    let found = path.conditional_velocity(2.0, -3.0, 0.4, t);
                    assert!((found - slope).abs() < 1e-8, "{shape:?} {epsilon} {t}");
                    let variance = |t| path.noise_variance(t);
                    let slope = (variance(t + 1e-6) - variance(t - 1e-6)) / 4e-6;
                    assert!((path.noise_pull(t) - slope).abs() < 1e-9);
                }
            }
        }
    }

    #[test]
    fn the_score_is_the_derivative_of_the_log_density_given_the_ends() {
        let path = Interpolant { shape: PathShape::Trigonometric, epsilon: 0.7 };
        let (t, z) = (0.3, 0.9);
        let (centre, x) = (path.point(1.0, 2.0, 0.0, t), path.point(1.0, 2.0, z, t));
        let log_density = |x: f64| -(x - centre).powi(2) / (2.0 * path.noise_variance(t));
        let slope = (log_density(x + 1e-5) - log_density(x - 1e-5)) / 2e-5;
        assert!((path.conditional_score(z, t) - slope).abs() < 1e-8);
    }

    /// For jointly Gaussian ends everything is an affine regression: the mean of the conditional
    /// velocity given `x_t` must be `w − γγ' s` and carry the variance of `x_t`.
    #[test]
    fn for_gaussian_ends_the_velocity_moves_the_variance() {
        let (var0, var1, cov) = (0.8, 1.7, 0.5);
        for shape in SHAPES {
            for epsilon in [0.0, 0.6] {
                let path = Interpolant { shape, epsilon };
                let variance = |t: f64| {
                    let (a, b) = path.weights(t);
                    a * a * var0 + 2.0 * a * b * cov + b * b * var1 + path.noise_variance(t)
                };
                for t in [0.2, 0.5, 0.9] {
                    let ((a, b), (da, db)) = (path.weights(t), path.speeds(t));
                    let w = (a * da * var0 + (a * db + da * b) * cov + b * db * var1) / variance(t);
                    let score = -1.0 / variance(t);
                    let velocity = w - path.noise_pull(t) * score;
                    // d/dt Var = 2 v Var for the linear field v x.
                    let slope = (variance(t + 1e-6) - variance(t - 1e-6)) / 2e-6;
                    assert!((2.0 * velocity * variance(t) - slope).abs() < 1e-8);
                }
            }
        }
    }
}
