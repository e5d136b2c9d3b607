//! Anderson acceleration of an iteration `x ← g(x)` by its last steps.

use std::collections::VecDeque;

use ndarray::{Array1, Array2};

use crate::linalg::Cholesky;

/// Number of earlier steps that are kept.
const DEPTH: usize = 5;

/// Damping of the combination of steps, relative to the squared length of each of them. Steps are
/// stored in single precision, so directions shorter than its rounding carry no information.
const DAMPING: f64 = 1e-8;

/// The last steps of an iteration `x ← g(x)`, from which the next `x` is extrapolated.
///
/// With the residuals `f = g(x) − x`, and with `Δf` and `Δg` the differences between successive
/// rounds, the next point is
///
/// ```text
/// x⁺ = g − Σ_l γ_l Δg_l,    γ = argmin Σ_i w_i (f − Σ_l γ_l Δf_l)_i²
/// ```
///
/// For a linear iteration this is about as good as the method of minimal residuals (GMRES), which
/// needs the square root of the number of rounds. Memory: 10 numbers in single precision and 2 in
/// double for each entry of `x`. Time of a round: 70 flops for each entry.
///
/// Sources: Anderson, J. ACM 12, 1965; Walker, Ni, SIAM J. Numer. Anal. 49, 2011.
#[derive(Debug, Clone, Default)]
pub(crate) struct Anderson {
    /// `f` and `g` of the last round.
    last: Option<(Vec<f64>, Vec<f64>)>,
    /// `Δf` and `Δg`, the oldest first.
    steps: VecDeque<(Vec<f32>, Vec<f32>)>,
}

impl Anderson {
    /// The next point from `g` and `residual` f of this round, with weights w of the entries.
    pub(crate) fn next(&mut self, g: Vec<f64>, residual: Vec<f64>, weights: &[f64]) -> Vec<f64> {
        if let Some((last_f, last_g)) = self.last.take() {
            let less = |a: &[f64], b: &[f64]| -> Vec<f32> {
                a.iter().zip(b).map(|(a, b)| (a - b) as f32).collect()
            };
            if self.steps.len() == DEPTH {
                self.steps.pop_front();
            }
            self.steps.push_back((less(&residual, &last_f), less(&g, &last_g)));
        }
        let mut x = g.clone();
        if let Some(gamma) = self.combination(&residual, weights) {
            for (gamma, (_, step)) in gamma.iter().zip(&self.steps) {
                for (x, step) in x.iter_mut().zip(step) {
                    *x -= gamma * f64::from(*step);
                }
            }
        }
        self.last = Some((residual, g));
        x
    }

    /// Forgets all steps, so that the next point is `g`.
    pub(crate) fn forget(&mut self) {
        *self = Self::default();
    }

    /// γ, or `None` if there are no steps or they have no length.
    fn combination(&self, residual: &[f64], weights: &[f64]) -> Option<Array1<f64>> {
        let depth = self.steps.len();
        if depth == 0 {
            return None;
        }
        let mut products = Array2::zeros((depth, depth));
        let mut rest = Array1::zeros(depth);
        for (l, (step, _)) in self.steps.iter().enumerate() {
            let weighted: Vec<f64> =
                step.iter().zip(weights).map(|(step, w)| f64::from(*step) * w).collect();
            for (m, (other, _)) in self.steps.iter().enumerate().take(l + 1) {
                products[[l, m]] =
                    weighted.iter().zip(other).map(|(a, b)| a * f64::from(*b)).sum::<f64>();
            }
            rest[l] = weighted.iter().zip(residual).map(|(a, b)| a * b).sum::<f64>();
        }
        // Steps scaled to length one, so that the damping treats them alike.
        let lengths = products.diag().mapv(|square: f64| square.sqrt());
        if !lengths.iter().all(|length| *length > 0.0) {
            return None;
        }
        for ((l, m), product) in products.indexed_iter_mut() {
            *product /= lengths[l] * lengths[m];
            if l == m {
                *product += DAMPING;
            }
        }
        let solved = Cholesky::new(products.view())?.solve((rest / &lengths).view());
        Some(solved / lengths)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `g(x) = A x + b` with a symmetric A of eigenvalues up to 0.98.
    fn linear(x: &[f64]) -> Vec<f64> {
        let n = x.len();
        (0..n)
            .map(|i| {
                let own = 0.98 * i as f64 / (n - 1) as f64;
                // Neighbours that share a rotation by a fixed angle make A not diagonal.
                let other = i ^ 1;
                let theirs = 0.98 * other as f64 / (n - 1) as f64;
                0.5 * (own + theirs) * x[i] + 0.5 * (theirs - own).abs() * x[other] + 1.0
            })
            .collect()
    }

    fn rounds(accelerated: bool) -> usize {
        let (mut anderson, mut x) = (Anderson::default(), vec![0.0; 8]);
        for round in 0..2_000 {
            let g = linear(&x);
            let f: Vec<f64> = g.iter().zip(&x).map(|(g, x)| g - x).collect();
            if f.iter().all(|f| f.abs() < 1e-6) {
                return round;
            }
            if !accelerated {
                anderson.forget();
            }
            x = anderson.next(g, f, &[1.0; 8]);
        }
        usize::MAX
    }

    #[test]
    fn a_slow_linear_iteration_ends_in_a_few_rounds() {
        let (plain, fast) = (rounds(false), rounds(true));
        assert!(plain > 300 && plain < 2_000, "{plain}");
        assert!(fast < 30, "{fast}");
    }

    /// In one dimension the secant of a line meets its fixed point: `x = a x + b` at `b/(1 − a)`.
    #[test]
    fn one_step_is_enough_for_a_line() {
        let (a, b) = (0.9, 2.0);
        let mut anderson = Anderson::default();
        let mut x = vec![0.0];
        for _ in 0..2 {
            let g = vec![a * x[0] + b];
            let f = vec![g[0] - x[0]];
            x = anderson.next(g, f, &[1.0]);
        }
        assert!((x[0] - b / (1.0 - a)).abs() < 1e-4, "{}", x[0]);
    }

    /// Entries of weight zero do not decide the combination, and no movement gives no combination.
    #[test]
    fn weights_decide_and_no_movement_is_no_step() {
        let mut anderson = Anderson::default();
        let step = |x: &[f64]| vec![0.5 * x[0] + 1.0, -3.0 * x[1]];
        let mut x = vec![0.0, 1.0];
        for _ in 0..2 {
            let g = step(&x);
            let f = g.iter().zip(&x).map(|(g, x)| g - x).collect();
            x = anderson.next(g, f, &[1.0, 0.0]);
        }
        assert!((x[0] - 2.0).abs() < 1e-5, "{}", x[0]);
        let mut still = Anderson::default();
        for _ in 0..3 {
            let x = still.next(vec![1.0], vec![0.0], &[1.0]);
            assert!((x[0] - 1.0).abs() < 1e-15);
        }
    }
}
