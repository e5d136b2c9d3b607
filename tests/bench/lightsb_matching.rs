//! LightSB-M: the same mixture, fitted by matching the drift along bridges between paired cells.

use ndarray::{Array1, Array2, Axis};
use rand::Rng;
use rand_distr::{Distribution, StandardNormal, StandardUniform};
use sbcell::bridge::{BridgeProblem, Covariance, LightSbBridge, Mixture};
use sbcell::linalg::{exact_plan, product_nt};
use sbcell::{Seed, Silent};

/// How cells of a batch are paired.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pairing {
    Independent,
    /// By the cheapest plan between the cells of the batch.
    Minibatch,
}

/// Adam as published (Gushchin et al. 2024 and their code): `K` random target cells, `S = I`,
/// batches of 512, rate 1e-2, `t` uniform on [0, 0.99].
pub(super) struct Matching {
    pub(super) n_gaussians: usize,
    pub(super) n_steps: usize,
    pub(super) pairing: Pairing,
}

const BATCH: usize = 512;

/// The last of the interval that is not looked at, where the target has no bound.
const SAFE: f64 = 1e-2;

/// `ln α`, `r`, `ln S`, one row for each Gaussian of the last two.
#[derive(Debug, Clone)]
struct Parameters {
    log_alpha: Array1<f64>,
    r: Array2<f64>,
    log_s: Array2<f64>,
}

/// Points of bridges with what the drift is to be there.
struct Batch {
    x: Array2<f64>,
    t: Array1<f64>,
    velocity: Array2<f64>,
}

impl Matching {
    pub(super) fn fit(&self, pair: &BridgeProblem, seed: Seed) -> LightSbBridge {
        let (k, dim, epsilon) = (self.n_gaussians, pair.dim(), pair.epsilon().value());
        let mut stream = seed.stream("bench/matching", 0);
        let rows: Vec<usize> = (0..k).map(|_| any(pair.target().n_cells(), &mut stream)).collect();
        let mut parameters = Parameters {
            log_alpha: Array1::from_elem(k, -(k as f64).ln()),
            r: pair.target().points().select(Axis(0), &rows),
            log_s: Array2::zeros((k, dim)),
        };
        let mut adam = Adam { first: vec![0.0; k * (1 + 2 * dim)], second: Vec::new(), step: 0 };
        adam.second.clone_from(&adam.first);
        for _ in 0..self.n_steps {
            let batch = self.batch(pair, &mut stream);
            let (_, gradient) = loss(&parameters, &batch, epsilon);
            adam.step(&mut parameters, &gradient);
        }
        let Parameters { log_alpha, r, log_s } = parameters;
        let s = log_s.mapv(f64::exp);
        let mixture = Mixture { covariance: Covariance::Diagonal, log_alpha, r, s };
        let centre = Array1::zeros(dim);
        LightSbBridge::new(mixture, centre.clone(), centre, pair.epsilon()).unwrap()
    }

    fn batch(&self, pair: &BridgeProblem, stream: &mut impl Rng) -> Batch {
        let mut cells = |points: ndarray::ArrayView2<'_, f64>| {
            let rows: Vec<usize> = (0..BATCH).map(|_| any(points.nrows(), stream)).collect();
            points.select(Axis(0), &rows)
        };
        let (start, mut end) = (cells(pair.source().points()), cells(pair.target().points()));
        if self.pairing == Pairing::Minibatch {
            end = end.select(Axis(0), &partners(&start, &end));
        }
        let t = Array1::from_shape_simple_fn(BATCH, || {
            let uniform: f64 = StandardUniform.sample(stream);
            (1.0 - SAFE) * uniform
        });
        let mut x = Array2::zeros(start.dim());
        for (i, mut row) in x.rows_mut().into_iter().enumerate() {
            let noise = (pair.epsilon().value() * t[i] * (1.0 - t[i])).sqrt();
            for (d, value) in row.iter_mut().enumerate() {
                let normal: f64 = StandardNormal.sample(stream);
                *value = (1.0 - t[i]) * start[[i, d]] + t[i] * end[[i, d]] + noise * normal;
            }
        }
        let mut velocity = end - &x;
        for (mut row, t) in velocity.rows_mut().into_iter().zip(&t) {
            row /= 1.0 - t;
        }
        Batch { x, t, velocity }
    }
}

fn any(n: usize, stream: &mut impl Rng) -> usize {
    let uniform: f64 = StandardUniform.sample(stream);
    (uniform * n as f64) as usize
}

/// The partner of each start: between as many cells the cheapest plan is a permutation.
fn partners(start: &Array2<f64>, end: &Array2<f64>) -> Vec<usize> {
    let halves = end.rows().into_iter().map(|row| 0.5 * row.dot(&row)).collect::<Array1<f64>>();
    let cost = &halves - &product_nt(start.view(), end.view());
    let even = Array1::from_elem(BATCH, 1.0 / BATCH as f64);
    let plan = exact_plan(cost.view(), even.view(), even.view(), &mut Silent).unwrap();
    let mut partners = vec![0; BATCH];
    for (i, j, _) in plan.entries {
        partners[i] = j;
    }
    partners
}

/// `E |b(x_t, t) − (x_1 − x_t)/(1 − t)|² / dim` over a batch, and its gradient in the order of the
/// parameters.
///
/// With `σ = 1 − t + t s`, `u = ((s − 1) x + r)/σ` and `v = (x − t r)/σ` for each Gaussian and
/// dimension, `b = Σ p_k u_k`, `p` the softmax of `ℓ`, and
/// `∂u/∂r = 1/σ`, `∂u/∂s = v/σ`, `∂ℓ/∂r = v/ε`, `∂ℓ/∂s = v²/2ε − t/2σ`.
fn loss(parameters: &Parameters, batch: &Batch, epsilon: f64) -> (f64, Vec<f64>) {
    let (k, dim) = parameters.r.dim();
    let s = parameters.log_s.mapv(f64::exp);
    let (r, s) = (parameters.r.as_slice().unwrap(), s.as_slice().unwrap());
    let n = (batch.x.len()) as f64;
    let mut gradient = vec![0.0; k * (1 + 2 * dim)];
    let (mut u, mut v, mut inverse) = (vec![0.0; k * dim], vec![0.0; k * dim], vec![0.0; k * dim]);
    let mut total = 0.0;
    let mut shares = vec![0.0; k];
    for (i, x) in batch.x.rows().into_iter().enumerate() {
        let (x, t) = (x.to_vec(), batch.t[i]);
        let mut drift = vec![0.0; dim];
        for (part, share) in shares.iter_mut().enumerate() {
            let own = part * dim..(part + 1) * dim;
            let (mut spread, mut pull) = (1.0, 0.0);
            let mut log_det = 0.0;
            for (e, d) in own.clone().zip(0..dim) {
                let sigma = 1.0 - t + t * s[e];
                inverse[e] = 1.0 / sigma;
                u[e] = ((s[e] - 1.0) * x[d] + r[e]) * inverse[e];
                v[e] = (x[d] - t * r[e]) * inverse[e];
                // xᵀ(S−I)x/σ + 2xr/σ − t r²/σ = x u + r v.
                pull += x[d] * u[e] + r[e] * v[e];
                spread *= sigma;
                // Logarithms are taken of products that cannot overflow.
                if d % 8 == 7 || d + 1 == dim {
                    log_det += f64::ln(spread);
                    spread = 1.0;
                }
            }
            *share = parameters.log_alpha[part] - 0.5 * log_det + pull / (2.0 * epsilon);
        }
        let most = shares.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        for share in &mut shares {
            *share = (*share - most).exp();
        }
        let sum: f64 = shares.iter().sum();
        for (part, share) in shares.iter_mut().enumerate() {
            *share /= sum;
            drift.iter_mut().zip(&u[part * dim..]).for_each(|(b, u)| *b += *share * u);
        }
        let error: Vec<f64> = drift.iter().zip(batch.velocity.row(i)).map(|(b, v)| b - v).collect();
        total += error.iter().map(|e| e * e).sum::<f64>() / n;
        let along = |part: usize| -> f64 {
            error.iter().zip(&u[part * dim..]).map(|(e, u)| 2.0 * e * u / n).sum()
        };
        let mean: f64 = (0..k).map(|part| shares[part] * along(part)).sum();
        for part in 0..k {
            let weight = shares[part] * (along(part) - mean);
            gradient[part] += weight;
            for (e, d) in (part * dim..(part + 1) * dim).zip(0..dim) {
                let by_u = shares[part] * 2.0 * error[d] / n;
                gradient[k + e] += by_u * inverse[e] + weight * v[e] / epsilon;
                let by_log = v[e] * v[e] / (2.0 * epsilon) - 0.5 * t * inverse[e];
                gradient[k * (1 + dim) + e] += s[e] * (by_u * v[e] * inverse[e] + weight * by_log);
            }
        }
    }
    (total, gradient)
}

struct Adam {
    first: Vec<f64>,
    second: Vec<f64>,
    step: i32,
}

impl Adam {
    fn step(&mut self, parameters: &mut Parameters, gradient: &[f64]) {
        let (fade1, fade2) = (0.9_f64, 0.999_f64);
        self.step += 1;
        let (left1, left2) = (1.0 - fade1.powi(self.step), 1.0 - fade2.powi(self.step));
        let Parameters { log_alpha, r, log_s } = parameters;
        let values = log_alpha.iter_mut().chain(r.iter_mut()).chain(log_s.iter_mut());
        for (i, value) in values.enumerate() {
            let gradient = gradient[i];
            self.first[i] = fade1 * self.first[i] + (1.0 - fade1) * gradient;
            self.second[i] = fade2 * self.second[i] + (1.0 - fade2) * gradient * gradient;
            let root = (self.second[i] / left2).sqrt();
            *value -= 1e-2 * self.first[i] / left1 / (root + 1e-8);
        }
    }
}

/// The drift is that of the library's bridge, and the gradient that of the loss.
pub(super) fn check() {
    let (k, dim, epsilon) = (3, 10, 0.4);
    let mut stream = Seed(1).stream("bench/check", 0);
    let mut normal = |rows: usize| -> Array2<f64> {
        Array2::from_shape_simple_fn((rows, dim), || StandardNormal.sample(&mut stream))
    };
    let mut parameters = Parameters {
        log_alpha: Array1::from(vec![0.1, -0.3, 0.2]),
        r: normal(k) * 0.3,
        log_s: normal(k) * 0.3,
    };
    let batch = Batch {
        x: normal(6),
        t: Array1::from(vec![0.0, 0.2, 0.4, 0.6, 0.8, 0.99]),
        velocity: normal(6),
    };
    let (value, gradient) = loss(&parameters, &batch, epsilon);
    let mixture = Mixture {
        covariance: Covariance::Diagonal,
        log_alpha: parameters.log_alpha.clone(),
        r: parameters.r.clone(),
        s: parameters.log_s.mapv(f64::exp),
    };
    let zero = Array1::zeros(dim);
    let epsilon_of = sbcell::Epsilon::new(epsilon).unwrap();
    let bridge = LightSbBridge::new(mixture, zero.clone(), zero, epsilon_of).unwrap();
    let mut expected = 0.0;
    for (i, x) in batch.x.rows().into_iter().enumerate() {
        let t = sbcell::bridge::UnitTime::new(batch.t[i]).unwrap();
        let drift = sbcell::bridge::Bridge::drift(&bridge, x.insert_axis(Axis(0)), t).unwrap();
        let off = &drift.row(0) - &batch.velocity.row(i);
        expected += off.dot(&off) / batch.x.len() as f64;
    }
    assert!((value - expected).abs() < 1e-12 * expected, "{value} {expected}");
    let step = 1e-6;
    for (i, slope) in gradient.iter().enumerate() {
        let mut at = |shift: f64| {
            let change = |p: &mut Parameters, by: f64| {
                let all = p.log_alpha.iter_mut().chain(p.r.iter_mut()).chain(p.log_s.iter_mut());
                all.skip(i).take(1).for_each(|value| *value += by);
            };
            change(&mut parameters, shift);
            let value = loss(&parameters, &batch, epsilon).0;
            change(&mut parameters, -shift);
            value
        };
        let difference = (at(step) - at(-step)) / (2.0 * step);
        assert!(
            (slope - difference).abs() < 1e-6 * (1.0 + slope.abs()),
            "{i}: {slope} {difference}"
        );
    }
}
