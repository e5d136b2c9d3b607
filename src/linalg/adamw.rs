//! AdamW: stochastic gradient descent with moment estimates and decoupled weight decay.

use crate::platform::cpu;

/// The state of the optimiser for one vector of parameters.
///
/// With gradient `g`, rate `η` and decay `w`, step `t` is
///
/// ```text
/// m ← β₁ m + (1 − β₁) g        v ← β₂ v + (1 − β₂) g²
/// θ ← (1 − η w) θ − η / (1 − β₁ᵗ) · m / (√(v / (1 − β₂ᵗ)) + 10⁻⁸)
/// ```
///
/// with `β₁ = 0.9` and `β₂ = 0.999`. Source: Loshchilov & Hutter 2019 (arXiv 1711.05101),
/// algorithm 2, with the constants and the form of decay of PyTorch. Memory: 8 bytes for each
/// parameter.
#[derive(Debug, Clone)]
pub struct AdamW {
    /// Running mean of the gradient, `m`.
    mean: Vec<f32>,
    /// Running mean of the squared gradient, `v`.
    square: Vec<f32>,
    /// Number of steps so far, `t`.
    steps: i32,
    /// Decay `w` of the parameters per unit of the rate.
    weight_decay: f64,
}

/// `β₁`, the share of the earlier mean of the gradient.
const BETA_MEAN: f64 = 0.9;
/// `β₂`, the share of the earlier mean of the squared gradient.
const BETA_SQUARE: f64 = 0.999;
/// Added to the root, so that the step stays finite.
const SMALL: f32 = 1e-8;

impl AdamW {
    /// The state before the first step, for `n_parameters` parameters.
    #[must_use]
    pub fn new(n_parameters: usize, weight_decay: f64) -> Self {
        let zeros = vec![0.0; n_parameters];
        Self { mean: zeros.clone(), square: zeros, steps: 0, weight_decay }
    }

    /// Makes one step: changes each of `parameters` by about `rate`, against `gradient`.
    ///
    /// Both have the length given to [`AdamW::new`]. About 12 flops and 28 bytes of memory
    /// traffic for each parameter, on one thread.
    pub fn step(&mut self, parameters: &mut [f32], gradient: &[f32], rate: f64) {
        self.steps = self.steps.saturating_add(1);
        let correct_mean = 1.0 - BETA_MEAN.powi(self.steps);
        let correct_square = 1.0 - BETA_SQUARE.powi(self.steps);
        cpu::arch().dispatch(Step {
            parameters,
            gradient,
            mean: &mut self.mean,
            square: &mut self.square,
            keep: (1.0 - rate * self.weight_decay) as f32,
            rate: (rate / correct_mean) as f32,
            root: (1.0 / correct_square.sqrt()) as f32,
        });
    }
}

/// One step with its corrected constants, compiled for the vectors of the machine.
struct Step<'a> {
    parameters: &'a mut [f32],
    gradient: &'a [f32],
    mean: &'a mut [f32],
    square: &'a mut [f32],
    keep: f32,
    rate: f32,
    root: f32,
}

impl pulp::NullaryFnOnce for Step<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        const SHARE_MEAN: f32 = (1.0 - BETA_MEAN) as f32;
        const SHARE_SQUARE: f32 = (1.0 - BETA_SQUARE) as f32;
        let state = self.mean.iter_mut().zip(self.square.iter_mut());
        for ((parameter, gradient), (mean, square)) in
            self.parameters.iter_mut().zip(self.gradient).zip(state)
        {
            *mean += SHARE_MEAN * (*gradient - *mean);
            *square += SHARE_SQUARE * (*gradient * *gradient - *square);
            let step = *mean / (square.sqrt() * self.root + SMALL);
            *parameter = *parameter * self.keep - self.rate * step;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_step_is_the_rate_in_the_direction_of_the_sign() {
        let mut parameters = [1.0, -2.0];
        AdamW::new(2, 0.5).step(&mut parameters, &[1e-3, -40.0], 0.1);
        // Decay by 0.1 · 0.5, then 0.1 against the sign, up to 1e-8 over the gradient.
        assert!((parameters[0] - (0.95 - 0.1)).abs() < 2e-6);
        assert!((parameters[1] - (-1.9 + 0.1)).abs() < 2e-6);
    }

    #[test]
    fn many_steps_are_the_published_recursion() {
        let mut adam = AdamW::new(1, 0.01);
        let mut parameters = [0.7_f32];
        let (mut p, mut m, mut v) = (0.7_f64, 0.0, 0.0);
        for step in 1..200 {
            let gradient = (f64::from(step) * 0.37).sin() + 0.2;
            adam.step(&mut parameters, &[gradient as f32], 0.01);
            m = 0.9 * m + 0.1 * gradient;
            v = 0.999 * v + 0.001 * gradient * gradient;
            let (m_hat, v_hat) = (m / (1.0 - 0.9_f64.powi(step)), v / (1.0 - 0.999_f64.powi(step)));
            p -= 0.01 * (m_hat / (v_hat.sqrt() + 1e-8) + 0.01 * p);
        }
        // Two hundred steps in single precision.
        assert!((f64::from(parameters[0]) - p).abs() < 1e-5, "{} {p}", parameters[0]);
    }
}
