//! L-BFGS against argmin's, on the objective of a mixture and on the Rosenbrock function.

use argmin::core::{CostFunction, Error, Executor, Gradient, State};
use argmin::solver::linesearch::{HagerZhangLineSearch, MoreThuenteLineSearch};
use argmin::solver::quasinewton::LBFGS;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sbcell::linalg::Lbfgs;

use crate::{compare, median_of_five};

const MEMORY: usize = 10;
const GRADIENT: f64 = 1e-6;
const STEPS: u64 = 5000;

/// A value and its gradient.
trait Objective {
    fn at(&self, x: &[f64], gradient: &mut [f64]) -> f64;
}

/// `Σ 100 (x_{i+1} − x_i²)² + (1 − x_i)²`.
struct Rosenbrock;

impl Objective for Rosenbrock {
    fn at(&self, x: &[f64], gradient: &mut [f64]) -> f64 {
        gradient.fill(0.0);
        let mut value = 0.0;
        for i in 0..x.len() - 1 {
            let (a, b) = (x[i + 1] - x[i] * x[i], 1.0 - x[i]);
            value += 100.0 * a * a + b * b;
            gradient[i] += -400.0 * x[i] * a - 2.0 * b;
            gradient[i + 1] += 200.0 * a;
        }
        value
    }
}

/// The negative mean log-likelihood of a mixture of spherical Gaussians by log-weights and centres, with a
/// small ridge that makes the minimum unique up to a permutation.
struct MixtureLikelihood {
    points: Vec<[f64; 5]>,
    n_gaussians: usize,
}

impl Objective for MixtureLikelihood {
    fn at(&self, x: &[f64], gradient: &mut [f64]) -> f64 {
        let (k, n) = (self.n_gaussians, self.points.len() as f64);
        let (weights, centres) = x.split_at(k);
        let ridge: f64 = x.iter().map(|v| 1e-3 * v * v).sum();
        gradient.iter_mut().zip(x).for_each(|(g, v)| *g = 2e-3 * v);
        let top = weights.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let total: f64 = weights.iter().map(|w| (w - top).exp()).sum();
        let log_total = top + total.ln();
        let mut value = ridge;
        let mut logs = vec![0.0; k];
        for point in &self.points {
            for (j, log) in logs.iter_mut().enumerate() {
                let d2: f64 = (0..5).map(|c| (point[c] - centres[5 * j + c]).powi(2)).sum();
                *log = weights[j] - log_total - 0.5 * d2;
            }
            let top = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let sum: f64 = logs.iter().map(|log| (log - top).exp()).sum();
            value -= (top + sum.ln()) / n;
            for j in 0..k {
                let share = (logs[j] - top).exp() / sum;
                gradient[j] -= (share - (weights[j] - log_total).exp()) / n;
                for c in 0..5 {
                    gradient[k + 5 * j + c] -= share * (point[c] - centres[5 * j + c]) / n;
                }
            }
        }
        value
    }
}

struct ForArgmin<'a>(&'a dyn Objective);

impl CostFunction for ForArgmin<'_> {
    type Param = Vec<f64>;
    type Output = f64;
    fn cost(&self, x: &Vec<f64>) -> Result<f64, Error> {
        let mut gradient = vec![0.0; x.len()];
        Ok(self.0.at(x, &mut gradient))
    }
}

impl Gradient for ForArgmin<'_> {
    type Param = Vec<f64>;
    type Gradient = Vec<f64>;
    fn gradient(&self, x: &Vec<f64>) -> Result<Vec<f64>, Error> {
        let mut gradient = vec![0.0; x.len()];
        self.0.at(x, &mut gradient);
        Ok(gradient)
    }
}

fn norm(gradient: &[f64]) -> f64 {
    gradient.iter().map(|g| g * g).sum::<f64>().sqrt()
}

fn one(name: &str, objective: &dyn Objective, start: &[f64]) {
    let (mut evaluations, mut value, mut rest) = (0_u64, 0.0, 0.0);
    let ours = median_of_five(|| {
        evaluations = 0;
        let mut f = |x: &[f64], gradient: &mut [f64]| {
            evaluations += 1;
            objective.at(x, gradient)
        };
        let mut descent = Lbfgs::new(start.to_vec(), MEMORY, &mut f);
        for _ in 0..STEPS {
            if norm(descent.gradient()) < GRADIENT || !descent.step(&mut f) {
                break;
            }
        }
        (value, rest) = (descent.value(), norm(descent.gradient()));
    });
    println!(
        "{name}: ours {evaluations} evaluations of value and gradient, value {value:.12}, gradient {rest:.1e}"
    );
    for hager_zhang in [false, true] {
        let mut said = String::new();
        let theirs = median_of_five(|| {
            said = if hager_zhang {
                let search = HagerZhangLineSearch::new();
                let solver = LBFGS::new(search, MEMORY)
                    .with_tolerance_grad(GRADIENT)
                    .unwrap()
                    .with_tolerance_cost(0.0)
                    .unwrap();
                let run = Executor::new(ForArgmin(objective), solver)
                    .configure(|state| state.param(start.to_vec()).max_iters(STEPS))
                    .run();
                match run {
                    Ok(done) => describe(
                        objective,
                        done.state().get_best_param().unwrap(),
                        done.state().get_func_counts(),
                    ),
                    Err(error) => format!("failed: {error}"),
                }
            } else {
                let search = MoreThuenteLineSearch::new();
                let solver = LBFGS::new(search, MEMORY)
                    .with_tolerance_grad(GRADIENT)
                    .unwrap()
                    .with_tolerance_cost(0.0)
                    .unwrap();
                let run = Executor::new(ForArgmin(objective), solver)
                    .configure(|state| state.param(start.to_vec()).max_iters(STEPS))
                    .run();
                match run {
                    Ok(done) => describe(
                        objective,
                        done.state().get_best_param().unwrap(),
                        done.state().get_func_counts(),
                    ),
                    Err(error) => format!("failed: {error}"),
                }
            };
        });
        let search = if hager_zhang { "Hager-Zhang" } else { "Moré-Thuente" };
        println!("{name}: argmin with {search}: {said}");
        compare(&format!("{name}, argmin with {search}"), ours, theirs);
    }
}

fn describe(
    objective: &dyn Objective,
    x: &[f64],
    counts: &std::collections::HashMap<String, u64>,
) -> String {
    let mut gradient = vec![0.0; x.len()];
    let value = objective.at(x, &mut gradient);
    let mut counts: Vec<String> = counts.iter().map(|(name, n)| format!("{name} {n}")).collect();
    counts.sort();
    format!("{}, value {value:.12}, gradient {:.1e}", counts.join(", "), norm(&gradient))
}

pub(crate) fn run() {
    let start: Vec<f64> = (0..100).map(|i| if i % 2 == 0 { -1.2 } else { 1.0 }).collect();
    one("Rosenbrock in 100 dimensions", &Rosenbrock, &start);
    let mut stream = ChaCha8Rng::seed_from_u64(2);
    let mut uniform = || stream.random::<f64>() - 0.5;
    let points = (0..2000)
        .map(|i| {
            std::array::from_fn(|c| {
                3.0 * ((i % 4) as f64 - 1.5) * f64::from(c as u8 % 2) + 3.0 * uniform()
            })
        })
        .collect();
    let mixture = MixtureLikelihood { points, n_gaussians: 8 };
    let start: Vec<f64> = (0..48).map(|_| uniform()).collect();
    one("mixture of 8 Gaussians, 2000 points", &mixture, &start);
}
