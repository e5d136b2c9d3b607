//! Iterated fitting by projection, beside solvers that are not iterated, where the bridge is known.
//!
//! `cargo bench --bench iterated` prints, for pairs of Gaussians and a mixture, the error of the
//! covariance of both ends and of the drift, with CPU seconds of one thread; then the error of
//! LightSB against its number of Gaussians. Arguments after `--` such as `n_pairs=8192` set
//! hyperparameters of the iterated fit; `only=dsbm` leaves out the other solvers, and `dim=30` the
//! other dimensions.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a bench stops at the first surprise and prints what it finds"
)]

use std::ops::ControlFlow;

use ndarray::{Array1, Array2, Axis};
use rand::Rng;
use rand_distr::{Distribution, StandardNormal};
use sbcell::bridge::{
    Bridge, BridgeProblem, BridgeSolver, Course, Covariance, DsbmSolver, FlowSolver,
    GaussianBridge, LightSbBridge, LightSbSolver, Mixture, SinkhornSolver, UnitTime,
};
use sbcell::data::Snapshot;
use sbcell::linalg::Cholesky;
use sbcell::progress::{Event, Progress};
use sbcell::{Epsilon, Seed, Silent};

/// Cells of each snapshot.
const N: usize = 3_000;

/// Fresh cells from which errors are measured.
const FRESH: usize = 10_000;

/// Local times at which drifts are compared.
const TIMES: [f64; 3] = [0.1, 0.5, 0.9];

/// A problem with its solution.
struct Case {
    name: String,
    truth: Box<dyn Bridge>,
    problem: BridgeProblem,
    fresh: Array2<f64>,
    cross: Array2<f64>,
    /// Covariances of both ends, if these are Gaussian: then exact projections are known.
    ends: Option<[Array2<f64>; 2]>,
}

impl Case {
    /// Cells of the ends of `truth`, whose source is `root · N(0, I)`; `cross` is the covariance of
    /// both ends, measured by 200 000 draws if it is not known.
    fn new(
        name: String,
        truth: Box<dyn Bridge>,
        root: &Array2<f64>,
        cross: Option<Array2<f64>>,
    ) -> Self {
        let dim = truth.dim();
        let cells = |n: usize, seed: u64| normal(n, dim, seed).dot(&root.t());
        let end = |x: &Array2<f64>, seed| {
            truth.sample_transition(x.view(), UnitTime::START, UnitTime::END, Seed(seed)).unwrap()
        };
        let snapshot = |x| Snapshot::new(x).unwrap();
        let target = end(&cells(N, 2), 3);
        let problem =
            BridgeProblem::new(snapshot(cells(N, 1)), snapshot(target), truth.epsilon()).unwrap();
        let cross = cross.unwrap_or_else(|| {
            let x = cells(200_000, 7);
            covariance(&x, &end(&x, 8))
        });
        Self { name, fresh: cells(FRESH, 4), truth, problem, cross, ends: None }
    }

    /// Two tilted Gaussians.
    fn gaussian(dim: usize, epsilon: f64) -> Self {
        let roots = [root(dim, 0.6, 0.3), root(dim, -0.5, -0.25)];
        let mean = Array1::from_shape_fn(dim, |d| if d % 2 == 0 { 1.0 } else { -0.6 });
        let [a, b] = [0, 1].map(|end: usize| roots[end].dot(&roots[end].t()));
        let (zero, epsilon_) = (Array1::zeros(dim), Epsilon::new(epsilon).unwrap());
        let truth = GaussianBridge::between(zero.view(), a.view(), mean.view(), b.view(), epsilon_)
            .unwrap();
        let cross = truth.cross_covariance(UnitTime::START, UnitTime::END);
        let name = format!("Gaussian pair, {dim} dimensions, ε = {epsilon}");
        let case = Self::new(name, Box::new(truth), &roots[0], Some(cross));
        Self { ends: Some([a, b]), ..case }
    }

    /// Relative errors of the covariance of both ends after `n` exact projections; empty if they are
    /// not known.
    fn exact(&self, n: usize) -> Vec<f64> {
        let Some(ends) = &self.ends else { return Vec::new() };
        let mut c = Array2::zeros(self.cross.dim());
        let mut next = || {
            c = project(ends, &c, self.truth.epsilon().value());
            size(&(&c - &self.cross)) / size(&self.cross)
        };
        (0..n).map(|_| next()).collect()
    }

    /// From a standard Gaussian by a potential of `n` Gaussians.
    fn mixture(dim: usize, n: usize, epsilon: f64) -> (Self, LightSbBridge) {
        let truth = mixture(dim, n, epsilon);
        let name = format!("potential of {n} Gaussians, {dim} dimensions, ε = {epsilon}");
        let eye = Array2::eye(dim);
        (Self::new(name, Box::new(mixture(dim, n, epsilon)), &eye, None), truth)
    }

    /// Relative error of the covariance of both ends.
    fn cross_off(&self, bridge: &dyn Bridge, seed: u64) -> f64 {
        let (start, end) = (UnitTime::START, UnitTime::END);
        let y = bridge.sample_transition(self.fresh.view(), start, end, Seed(seed)).unwrap();
        size(&(covariance(&self.fresh, &y) - &self.cross)) / size(&self.cross)
    }

    /// Relative error of the drift, root mean square over the process, and its mean over times.
    fn drift_off(&self, bridge: &dyn Bridge) -> f64 {
        let off = TIMES.map(|t| {
            let t = UnitTime::new(t).unwrap();
            let start = UnitTime::START;
            let x = self.truth.sample_transition(self.fresh.view(), start, t, Seed(6)).unwrap();
            let wanted = self.truth.drift(x.view(), t).unwrap();
            size(&(bridge.drift(x.view(), t).unwrap() - &wanted)) / size(&wanted)
        });
        off.iter().sum::<f64>() / TIMES.len() as f64
    }

    fn print(&self, name: &str, bridge: &dyn Bridge, seconds: f64, more: &str) {
        let (cross, drift) = (self.cross_off(bridge, 5), self.drift_off(bridge));
        println!("  {name:22} | {cross:8.4} | {drift:8.4} | {seconds:8.2} | {more}");
    }
}

/// A potential of `n` round Gaussians at random places.
fn mixture(dim: usize, n: usize, epsilon: f64) -> LightSbBridge {
    let r = normal(n, dim, 11) * 1.5;
    let mut stream = Seed(12).stream("iterated", 0);
    let s = Array2::from_shape_simple_fn((n, dim), || {
        0.2 + 0.6 * (stream.next_u64() as f64 / u64::MAX as f64)
    });
    let log_alpha = Array1::zeros(n);
    let mixture = Mixture { covariance: Covariance::Diagonal, log_alpha, r, s };
    let zero = Array1::zeros(dim);
    LightSbBridge::new(mixture, zero.clone(), zero, Epsilon::new(epsilon).unwrap()).unwrap()
}

/// CPU seconds at the start of each projection.
struct Laps(Vec<f64>);

impl Progress for Laps {
    fn report(&mut self, event: &Event) -> ControlFlow<()> {
        if *event == Event::Pulse {
            self.0.push(thread_seconds());
        }
        ControlFlow::Continue(())
    }
}

/// The value of an argument `name=value`.
fn argument(name: &str) -> Option<String> {
    std::env::args().find_map(|text| Some(text.strip_prefix(name)?.strip_prefix('=')?.to_string()))
}

fn iterated() -> DsbmSolver {
    let mut solver = DsbmSolver::default();
    let number = |name: &str| argument(name).map(|text| text.parse::<f64>().unwrap());
    for (name, field) in [
        ("n_projections", &mut solver.n_projections),
        ("n_pairs", &mut solver.n_pairs),
        ("max_iterations", &mut solver.max_iterations),
        ("patience", &mut solver.patience),
        ("width", &mut solver.width),
    ] {
        *field = number(name).map_or(*field, |value| value as usize);
    }
    solver.learning_rate = number("learning_rate").unwrap_or(solver.learning_rate);
    solver
}

fn compare(case: &Case) {
    println!("{}, {N} cells of each snapshot", case.name);
    println!("  {:22} | {:8} | {:8} | {:8} |", "solver", "cov", "drift", "CPU s");
    case.print("truth, other draws", &*case.truth, 0.0, "");
    let course = Course::new(vec![0.0, 1.0], vec![case.problem.clone()]).unwrap();
    let mut laps = Laps(Vec::new());
    let all = iterated().projections(&course, Seed(0), &mut laps).unwrap();
    laps.0.push(thread_seconds());
    let exact = case.exact(all.len());
    for (k, fitted) in all.iter().enumerate() {
        let (bridge, report) = &fitted[0];
        let energy = report.detail("path_energy").unwrap();
        let name = format!("dsbm, projection {}", k + 1);
        let exact =
            exact.get(k).map_or(String::new(), |off| format!("; exact projection {off:.4}"));
        let more = format!("energy {energy:.3}, {} steps{exact}", report.iterations);
        case.print(&name, bridge, laps.0[k + 1] - laps.0[0], &more);
    }
    if argument("only").is_some() {
        return;
    }
    let others: [(&str, Box<dyn BridgeSolver>); 3] = [
        ("lightsb", Box::new(LightSbSolver::default())),
        ("sinkhorn", Box::new(SinkhornSolver::default())),
        ("sf2m", Box::new(FlowSolver::sf2m())),
    ];
    for (name, solver) in others {
        let clock = thread_seconds();
        let (bridge, report) = solver.solve(&case.problem, Seed(0), &mut Silent).unwrap();
        let seconds = thread_seconds() - clock;
        case.print(name, &*bridge, seconds, &format!("{} iterations", report.iterations));
    }
}

/// `Cov(X₀, X₁)` after one exact projection of Gaussian ends with covariances `a`, `b` and `c =
/// Cov(X₀, X₁)`.
///
/// With `C(t) = Cov(X₁ − X₀, X_t)` the drift has the slope `(C(t) − ε t I) Var(X_t)⁻¹`, and `Φ' =
/// slope · Φ` carries the start to the mean of the end. The midpoint rule in 300 steps.
fn project([a, b]: &[Array2<f64>; 2], c: &Array2<f64>, epsilon: f64) -> Array2<f64> {
    let eye = Array2::<f64>::eye(a.nrows());
    let n = 300;
    let mut phi = eye.clone();
    for i in 0..n {
        let t = (f64::from(i) + 0.5) / f64::from(n);
        let noise = &eye * (epsilon * t * (1.0 - t));
        let both = (c + &c.t()) * (t * (1.0 - t));
        let own = a * (1.0 - t).powi(2) + b * t.powi(2) + both + noise;
        let with = &c.t() * (1.0 - t) + b * t - a * (1.0 - t) - c * t - &eye * (epsilon * t);
        let inverse = Cholesky::new(own.view()).unwrap().inverse();
        let slope = with.dot(&inverse) / f64::from(n);
        phi = &phi + &slope.dot(&(&phi + &(slope.dot(&phi) * 0.5)));
    }
    a.dot(&phi.t())
}

/// The error of LightSB against its number of Gaussians, for a potential of 20.
fn by_size() {
    let (case, truth) = Case::mixture(2, 20, 0.2);
    println!("{}: LightSB by its number of Gaussians", case.name);
    println!("  {:22} | {:8} | {:8} | {:8} |", "K", "cov", "drift", "CPU s");
    let (start, end) = (UnitTime::START, UnitTime::END);
    let x = &case.fresh;
    let y = truth.sample_transition(x.view(), start, end, Seed(9)).unwrap();
    let known = truth.log_transition(x.view(), y.view(), start, end).unwrap();
    for n in [1_usize, 2, 5, 10, 20, 50] {
        let solver = LightSbSolver::default()
            .with_n_gaussians(n.into())
            .with_covariance(Covariance::Diagonal.into());
        let clock = thread_seconds();
        let (bridge, _) = solver.fit(&case.problem, Seed(0), &mut Silent).unwrap();
        let seconds = thread_seconds() - clock;
        let found = bridge.log_transition(x.view(), y.view(), start, end).unwrap();
        let divergence = (&known - &found).mean().unwrap();
        let more = format!("KL(true plan ‖ plan) {divergence:.4} nats");
        case.print(&n.to_string(), &bridge, seconds, &more);
    }
}

fn main() {
    let one_thread = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    one_thread.install(|| {
        let wanted = argument("dim").map(|text| text.parse::<usize>().unwrap());
        let is_wanted = |dim: usize| wanted.is_none_or(|wanted| wanted == dim);
        for (dim, epsilon) in [(2, 0.2), (2, 1.0), (10, 0.2), (30, 0.2)] {
            if is_wanted(dim) {
                compare(&Case::gaussian(dim, epsilon));
            }
        }
        for (dim, n) in [(2, 5), (10, 5)] {
            if is_wanted(dim) {
                compare(&Case::mixture(dim, n, 0.5).0);
            }
        }
        if argument("only").is_none() && is_wanted(2) {
            by_size();
        }
    });
}

/// A root of a covariance: correlated neighbours, variances that differ.
fn root(dim: usize, tilt: f64, slope: f64) -> Array2<f64> {
    Array2::from_shape_fn((dim, dim), |(i, j)| match (i, j) {
        _ if i == j => 1.0 + slope * if i % 2 == 0 { 1.0 } else { -1.0 },
        _ if i == j + 1 => tilt,
        _ => 0.0,
    })
}

fn normal(n: usize, dim: usize, seed: u64) -> Array2<f64> {
    let mut stream = Seed(seed).stream("iterated", dim as u64);
    Array2::from_shape_simple_fn((n, dim), || StandardNormal.sample(&mut stream))
}

fn covariance(x: &Array2<f64>, y: &Array2<f64>) -> Array2<f64> {
    let centred = |x: &Array2<f64>| x - &x.mean_axis(Axis(0)).unwrap();
    centred(x).t().dot(&centred(y)) / x.nrows() as f64
}

fn size(x: &Array2<f64>) -> f64 {
    x.mapv(|v| v * v).sum().sqrt()
}

/// CPU seconds of this thread.
fn thread_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    1e-9 * text.split(' ').next().unwrap().parse::<f64>().unwrap()
}
