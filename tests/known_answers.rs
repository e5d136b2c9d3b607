//! Bridges whose answer is known in closed form, from `data-samples/known-answer`.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test stops at the first surprise and prints its figures"
)]

use std::fs;
use std::path::PathBuf;

use ndarray::{Array1, Array2, ArrayView1, Axis, s};
use rand_distr::{Distribution, StandardNormal, StandardUniform};
use sbcell::bridge::{Bridge, BridgeProblem, LightSbBridge, LightSbSolver, UnitTime};
use sbcell::data::Snapshot;
use sbcell::{Epsilon, Seed, Silent};
use serde::Deserialize;

fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/data-samples/known-answer"))
}

/// The numbers of a `.csv` file with a header.
fn table(name: &str) -> Array2<f64> {
    let text = fs::read_to_string(folder().join(name)).unwrap();
    let rows: Vec<Vec<f64>> = text
        .lines()
        .skip(1)
        .map(|line| line.split(',').map(|word| word.parse().unwrap()).collect())
        .collect();
    Array2::from_shape_vec((rows.len(), rows[0].len()), rows.concat()).unwrap()
}

fn normal(rows: usize, columns: usize, seed: u64) -> Array2<f64> {
    let mut stream = Seed(seed).stream("test/normal", 0);
    Array2::from_shape_simple_fn((rows, columns), || StandardNormal.sample(&mut stream))
}

/// `L` with `L Lᵀ = a`.
fn cholesky(a: &Array2<f64>) -> Array2<f64> {
    let mut l = Array2::<f64>::zeros(a.dim());
    for i in 0..a.nrows() {
        for j in 0..=i {
            let rest = a[[i, j]] - l.slice(s![i, ..j]).dot(&l.slice(s![j, ..j]));
            l[[i, j]] = if i == j { rest.sqrt() } else { rest / l[[j, j]] };
        }
    }
    l
}

fn inverse(a: &Array2<f64>) -> Array2<f64> {
    let (n, l) = (a.nrows(), cholesky(a));
    let mut inverse_l = Array2::<f64>::eye(n);
    for c in 0..n {
        for i in 0..n {
            let rest: f64 = (0..i).map(|j| l[[i, j]] * inverse_l[[j, c]]).sum();
            inverse_l[[i, c]] = (inverse_l[[i, c]] - rest) / l[[i, i]];
        }
    }
    inverse_l.t().dot(&inverse_l)
}

#[derive(Deserialize)]
#[expect(non_snake_case, reason = "names of the file")]
struct GaussianPair {
    dim: usize,
    eps: f64,
    m0: Vec<f64>,
    S0: Vec<Vec<f64>>,
    m1: Vec<f64>,
    S1: Vec<Vec<f64>>,
    C_cross_cov: Vec<Vec<f64>>,
    bridge_mid_mean: Vec<f64>,
    bridge_mid_cov: Vec<Vec<f64>>,
}

fn gaussian_pairs() -> Vec<GaussianPair> {
    let path = folder().join("gaussian_sb_closed_form.json");
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

fn matrix(rows: &[Vec<f64>]) -> Array2<f64> {
    Array2::from_shape_fn((rows.len(), rows[0].len()), |(i, j)| rows[i][j])
}

fn covariance(x: &Array2<f64>, y: &Array2<f64>) -> Array2<f64> {
    let centred = |x: &Array2<f64>| x - &x.mean_axis(Axis(0)).unwrap();
    centred(x).t().dot(&centred(y)) / x.nrows() as f64
}

#[test]
fn one_dimensional_gaussian_bridges_are_exact() {
    let half = UnitTime::new(0.5).unwrap();
    let mut n_tested = 0;
    for pair in gaussian_pairs().iter().filter(|pair| pair.dim == 1) {
        let (v0, v1) = (Array1::from(pair.S0[0].clone()), Array1::from(pair.S1[0].clone()));
        let (m0, m1) = (Array1::from(pair.m0.clone()), Array1::from(pair.m1.clone()));
        let epsilon = Epsilon::new(pair.eps).unwrap();
        let bridge =
            LightSbBridge::from_gaussians((m0.view(), v0.view()), (m1.view(), v1.view()), epsilon)
                .unwrap();
        // The plan is linear: its slope times the variance of the start is the covariance.
        let mean = |x: f64| bridge.conditional_mean(Array2::from_elem((1, 1), x).view()).unwrap();
        let slope = mean(m0[0] + 1.0)[[0, 0]] - mean(m0[0])[[0, 0]];
        let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-8 * (1.0 + b.abs()), "{a} and {b}");
        close(mean(m0[0])[[0, 0]], m1[0]);
        close(slope * v0[0], pair.C_cross_cov[0][0]);
        let variance = bridge.conditional_plan(m0.view()).unwrap().covariances[[0, 0]];
        close(slope * slope * v0[0] + variance, v1[0]);
        // Half way, X = (1 + ½ J) x + noise with the drift's slope; both from the known joint law.
        let mid = pair.bridge_mid_cov[0][0];
        let ahead = 0.5 * (pair.C_cross_cov[0][0] + v1[0]) / mid;
        let x = Array2::from_elem((1, 1), pair.bridge_mid_mean[0] + 0.7);
        close(
            bridge.drift(x.view(), half).unwrap()[[0, 0]],
            (m1[0] + ahead * 0.7 - x[[0, 0]]) / 0.5,
        );
        n_tested += 1;
    }
    assert_eq!(n_tested, 3);
}

/// A diagonal `S` cannot turn one Gaussian into another with other axes, several can nearly.
#[test]
fn tilted_gaussian_bridges_are_found_from_cells() {
    let n = 4_000;
    let mut n_tested = 0;
    for pair in gaussian_pairs().iter().filter(|pair| pair.dim == 2) {
        let cells = |mean: &[f64], covariance: &[Vec<f64>], seed| {
            let spread = normal(n, 2, seed).dot(&cholesky(&matrix(covariance)).t());
            spread + ArrayView1::from(mean)
        };
        let (x, y) = (cells(&pair.m0, &pair.S0, 1), cells(&pair.m1, &pair.S1, 2));
        let epsilon = Epsilon::new(pair.eps).unwrap();
        let snapshots = (Snapshot::new(x.clone()).unwrap(), Snapshot::new(y).unwrap());
        let problem = BridgeProblem::new(snapshots.0, snapshots.1, epsilon).unwrap();
        let solver = LightSbSolver { n_gaussians: 20, ..Default::default() };
        let (bridge, _) = solver.fit(&problem, Seed(0), &mut Silent).unwrap();
        let half = UnitTime::new(0.5).unwrap();
        let mid = bridge.sample_transition(x.view(), UnitTime::START, half, Seed(3)).unwrap();
        let means = bridge.conditional_mean(x.view()).unwrap();
        // A covariance of n cells has standard errors up to √(2/n) of the product of deviations;
        // source, target and draws each bring one: 4 · √3 · √(2/n) = 0.15, and the misfit less.
        let scale = matrix(&pair.S0).diag().sum().max(matrix(&pair.S1).diag().sum());
        let close = |what: &str, a: &Array2<f64>, b: &Array2<f64>| {
            let off = (a - b).iter().fold(0.0, |m: f64, v| m.max(v.abs())) / scale;
            assert!(off < 0.1, "ε = {}: {what} off by {off}\n{a}\n{b}", pair.eps);
        };
        close("cross-covariance", &covariance(&x, &means), &matrix(&pair.C_cross_cov));
        close("midpoint covariance", &covariance(&mid, &mid), &matrix(&pair.bridge_mid_cov));
        let mean = mid.mean_axis(Axis(0)).unwrap().insert_axis(Axis(0));
        close("midpoint mean", &mean, &matrix(std::slice::from_ref(&pair.bridge_mid_mean)));
        n_tested += 1;
    }
    assert_eq!(n_tested, 3);
}

/// Answers at points, and how far from them a fit to cells is.
struct Answers {
    q: Array2<f64>,
    mean: Array2<f64>,
    drift: Array2<f64>,
    trace: Array1<f64>,
    log_c: Array1<f64>,
}

/// Root mean square errors in units of the root mean square of the truth around its mean.
#[derive(Debug)]
struct Errors {
    mean: f64,
    drift_start: f64,
    drift_half: f64,
    /// Of `ln c`, in nats, up to its constant.
    log_c: f64,
    trace: f64,
    /// Half squared Bures–Wasserstein distance of conditional plans by mean and isotropic
    /// variance, in % of half the variance of the target: a lower bound of cBW₂²-UVP.
    uvp: f64,
}

impl Answers {
    fn read(name: &str, dim: usize) -> Self {
        let all = table(&format!("{name}_answers.csv"));
        let block = |from: usize| all.slice(s![.., from * dim..(from + 1) * dim]).to_owned();
        let (trace, log_c) = (all.column(3 * dim).to_owned(), all.column(3 * dim + 1).to_owned());
        Self { q: block(0), mean: block(1), drift: block(2), trace, log_c }
    }

    fn errors(&self, bridge: &LightSbBridge, target: &Array2<f64>) -> Errors {
        let square = |x: &Array2<f64>| (x * x).sum() / x.nrows() as f64;
        let relative = |fit: &Array2<f64>, truth: &Array2<f64>| {
            let around = truth - &truth.mean_axis(Axis(0)).unwrap();
            (square(&(fit - truth)) / square(&around)).sqrt()
        };
        let means = bridge.conditional_mean(self.q.view()).unwrap();
        let half = UnitTime::new(0.5).unwrap();
        let drift = bridge.drift(self.q.view(), half).unwrap();
        let dim = self.q.ncols() as f64;
        let traces: Array1<f64> = self
            .q
            .rows()
            .into_iter()
            .zip(means.rows())
            .map(|(q, mean)| {
                let plan = bridge.conditional_plan(q).unwrap();
                let spread = (&plan.means - &mean).mapv(|z| z * z) + &plan.covariances;
                plan.weights.dot(&spread.sum_axis(Axis(1)))
            })
            .collect();
        let widths: f64 = traces
            .iter()
            .zip(&self.trace)
            .map(|(a, b)| dim * ((a / dim).sqrt() - (b / dim).sqrt()).powi(2))
            .sum::<f64>()
            / traces.len() as f64;
        let off = bridge.potential(self.q.view(), UnitTime::START).unwrap()
            / bridge.epsilon().value()
            - &self.log_c;
        Errors {
            mean: relative(&means, &self.mean),
            drift_start: relative(&(&means - &self.q), &(&self.mean - &self.q)),
            drift_half: relative(&drift, &self.drift),
            log_c: off.std(0.0),
            trace: (&traces - &self.trace).mapv(f64::abs).sum() / self.trace.sum(),
            uvp: 100.0 * (square(&(&means - &self.mean)) + widths)
                / target.var_axis(Axis(0), 0.0).sum(),
        }
    }
}

fn fitted(x: Array2<f64>, y: Array2<f64>, epsilon: f64, n_gaussians: usize) -> LightSbBridge {
    let snapshots = (Snapshot::new(x).unwrap(), Snapshot::new(y).unwrap());
    let epsilon = Epsilon::new(epsilon).unwrap();
    let problem = BridgeProblem::new(snapshots.0, snapshots.1, epsilon).unwrap();
    let solver = LightSbSolver { n_gaussians, ..Default::default() };
    solver.fit(&problem, Seed(0), &mut Silent).unwrap().0
}

impl Errors {
    /// Measured values with a margin of about 1.5. In few dimensions the errors are those of
    /// 2 000 cells: they do not change from 5 to 50 Gaussians. In sixteen, ten Gaussians without
    /// tilt stand for five with.
    fn at_most(&self, name: &str, limits: &Self) {
        let pairs = [
            (self.mean, limits.mean),
            (self.drift_start, limits.drift_start),
            (self.drift_half, limits.drift_half),
            (self.log_c, limits.log_c),
            (self.trace, limits.trace),
            (self.uvp, limits.uvp),
        ];
        println!("{name}: {self:.3?}");
        assert!(pairs.iter().all(|pair| pair.0 <= pair.1), "{name}: {self:?} above {limits:?}");
    }
}

fn limits([mean, drift_start, drift_half, log_c, trace, uvp]: [f64; 6]) -> Errors {
    Errors { mean, drift_start, drift_half, log_c, trace, uvp }
}

#[test]
fn mixture_bridges_are_found_from_unpaired_cells() {
    for (name, dim, epsilon, most) in [
        ("dim2_eps0.1", 2, 0.1, [0.09, 0.36, 0.36, 0.9, 0.11, 0.5]),
        ("dim2_eps1", 2, 1.0, [0.11, 0.18, 0.12, 0.2, 0.1, 0.7]),
        ("dim2_eps10", 2, 10.0, [0.08, 0.1, 0.08, 0.008, 0.02, 0.05]),
        ("dim5_eps1", 5, 1.0, [0.1, 0.15, 0.27, 0.16, 0.07, 0.5]),
    ] {
        let samples = table(&format!("{name}_samples.csv"));
        let x = samples.slice(s![.., ..dim]).to_owned();
        let y = samples.slice(s![.., dim..]).to_owned();
        let bridge = fitted(x, y.clone(), epsilon, 10);
        Answers::read(name, dim).errors(&bridge, &y).at_most(name, &limits(most));
    }
}

/// Cells of the plan `p₀(x) exp(−|x−y|²/2ε) Σ_k w_k N(y | r_k, S_k)`, `p₀ = N(0, I)`, with the
/// pairs broken up.
fn cells_of_truth(name: &str, dim: usize, epsilon: f64, n: usize) -> (Array2<f64>, Array2<f64>) {
    let truth = table(&format!("{name}_truth.csv"));
    let eye = Array2::<f64>::eye(dim);
    let parts: Vec<_> = truth
        .rows()
        .into_iter()
        .map(|row| {
            let r = row.slice(s![1..=dim]).to_owned();
            let s = Array2::from_shape_vec((dim, dim), row.slice(s![1 + dim..]).to_vec()).unwrap();
            let reach = &s + &(&eye * epsilon);
            let log_det: f64 = cholesky(&reach).diag().iter().map(|d| 2.0 * d.ln()).sum();
            let end = inverse(&(inverse(&s) + &eye / epsilon));
            let pull = inverse(&s).dot(&r);
            (row[0], r, inverse(&reach), log_det, pull, cholesky(&end), end)
        })
        .collect();
    let mut stream = Seed(7).stream("test/truth", 0);
    let (x, noise) = (normal(n, dim, 21), normal(n, dim, 22));
    let mut y = Array2::zeros((n, dim));
    for i in 0..n {
        let x = x.row(i);
        let weights: Vec<f64> = parts
            .iter()
            .map(|(w, r, inverse, log_det, ..)| {
                let z = &x - r;
                w * (-0.5 * (log_det + z.dot(&inverse.dot(&z)))).exp()
            })
            .collect();
        let uniform: f64 = StandardUniform.sample(&mut stream);
        let mut goal = uniform * weights.iter().sum::<f64>();
        let mut k = 0;
        while goal > weights[k] && k + 1 < weights.len() {
            goal -= weights[k];
            k += 1;
        }
        let (.., pull, root, end) = &parts[k];
        y.row_mut(i).assign(&(end.dot(&(&x / epsilon + pull)) + root.dot(&noise.row(i))));
    }
    (normal(n, dim, 23), y)
}

#[test]
fn a_mixture_bridge_in_sixteen_dimensions_is_found() {
    let (x, y) = cells_of_truth("dim16_eps1", 16, 1.0, 4_000);
    let bridge = fitted(x, y.clone(), 1.0, 10);
    let errors = Answers::read("dim16_eps1", 16).errors(&bridge, &y);
    errors.at_most("dim16_eps1", &limits([0.22, 0.2, 0.33, 0.37, 0.08, 1.8]));
}
