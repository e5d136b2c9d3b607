//! Iterated Markovian fitting where every projection is known, and where the bridge is.

use ndarray::{Array1, Array2, Axis, array};
use sbcell::bridge::{
    Bridge, Course, Covariance, DsbmSolver, FitReport, FlowBridge, GaussianBridge, LightSbBridge,
    Mixture, UnitTime,
};
use sbcell::linalg::Cholesky;
use sbcell::{Epsilon, Seed, Silent};

use crate::support::{at, covariance, normal, problem};

const START: UnitTime = UnitTime::START;
const END: UnitTime = UnitTime::END;

fn small() -> DsbmSolver {
    DsbmSolver::default()
        .with_width(32)
        .with_max_iterations(1000)
        .with_learning_rate(3e-3)
        .with_n_pairs(4000)
}

/// The fit after each projection.
fn projections(
    solver: &DsbmSolver,
    source: &Array2<f64>,
    target: &Array2<f64>,
    epsilon: f64,
) -> Vec<(FlowBridge, FitReport)> {
    let course = Course::new(vec![0.0, 1.0], vec![problem(source, target, epsilon)]).unwrap();
    let all = solver.projections(&course, Seed(1), &mut Silent).unwrap();
    all.into_iter().map(|mut fitted| fitted.remove(0)).collect()
}

/// Two normal laws in the plane, both with correlated coordinates, of opposite sign.
struct Pair {
    covariances: [Array2<f64>; 2],
    roots: [Array2<f64>; 2],
    shift: Array1<f64>,
    epsilon: f64,
}

impl Pair {
    fn new(epsilon: f64) -> Self {
        let roots = [array![[1.0, 0.0], [0.6, 0.8]], array![[1.2, 0.0], [-0.5, 0.9]]];
        let covariances = [0, 1].map(|end: usize| roots[end].dot(&roots[end].t()));
        Self { covariances, roots, shift: array![2.0, -1.0], epsilon }
    }

    fn cells(&self, end: usize, n: usize, seed: u64) -> Array2<f64> {
        normal(n, 2, seed).dot(&self.roots[end].t()) + &(&self.shift * end as f64)
    }

    fn bridge(&self) -> GaussianBridge {
        let [a, b] = &self.covariances;
        let zero = Array1::zeros(2);
        let epsilon = Epsilon::new(self.epsilon).unwrap();
        GaussianBridge::between(zero.view(), a.view(), self.shift.view(), b.view(), epsilon)
            .unwrap()
    }

    /// `Cov(X₀, X₁)` after one exact projection of ends with the covariance `c = Cov(X₀, X₁)`.
    ///
    /// For Gaussian ends everything is linear: with `C(t) = Cov(X₁ − X₀, X_t)` the drift has the
    /// slope `A(t) = (C(t) − ε t I) Var(X_t)⁻¹`, and `Φ' = A Φ` carries the start to the mean of
    /// the end.
    fn project(&self, c: &Array2<f64>) -> Array2<f64> {
        let [a, b] = &self.covariances;
        let eye = Array2::<f64>::eye(2);
        let slope = |t: f64| {
            let noise = &eye * (self.epsilon * t * (1.0 - t));
            let both = (c + &c.t()) * (t * (1.0 - t));
            let own = a * (1.0 - t).powi(2) + b * t.powi(2) + both + noise;
            let with = &c.t() * (1.0 - t) + b * t - a * (1.0 - t) - c * t;
            let inverse = Cholesky::new(own.view()).unwrap().inverse();
            (with - &eye * (self.epsilon * t)).dot(&inverse)
        };
        // The midpoint rule: an error of 1e-6 in 1 000 steps.
        let n = 1000;
        let mut phi = eye.clone();
        for i in 0..n {
            let (step, t) = (1.0 / f64::from(n), (f64::from(i) + 0.5) / f64::from(n));
            let slope = slope(t) * step;
            phi = &phi + &slope.dot(&(&phi + &(slope.dot(&phi) * 0.5)));
        }
        a.dot(&phi.t())
    }
}

fn size(x: &Array2<f64>) -> f64 {
    x.mapv(|v| v * v).sum().sqrt()
}

/// `Cov(X₀, X₁)` of the process from `x`.
fn cross(bridge: &dyn Bridge, x: &Array2<f64>) -> Array2<f64> {
    covariance(x, &bridge.sample_transition(x.view(), START, END, Seed(5)).unwrap())
}

/// Root mean square of the difference of two drifts along `truth`, in units of its drift.
fn drift_off(bridge: &dyn Bridge, truth: &dyn Bridge, x: &Array2<f64>) -> f64 {
    let times = [0.1, 0.5, 0.9];
    let off = times.map(|t| {
        let y = truth.sample_transition(x.view(), START, at(t), Seed(6)).unwrap();
        let wanted = truth.drift(y.view(), at(t)).unwrap();
        let around = &wanted - &wanted.mean_axis(Axis(0)).unwrap();
        size(&(bridge.drift(y.view(), at(t)).unwrap() - &wanted)) / size(&around)
    });
    off.iter().sum::<f64>() / times.len() as f64
}

#[test]
fn exact_projections_of_normal_laws_approach_the_closed_form() {
    let pair = Pair::new(1.0);
    let limit = pair.bridge().cross_covariance(START, END);
    let mut c = Array2::zeros((2, 2));
    let mut before = size(&limit);
    for k in 0..6 {
        c = pair.project(&c);
        let off = size(&(&c - &limit));
        println!("projection {k}: {:.2e}", off / size(&limit));
        // Ends whose axes differ leave a part that rotates.
        assert!(off < 0.7 * before + 1e-5, "{off} after {before}");
        before = off;
    }
    assert!(before < 0.01 * size(&limit));
}

#[test]
fn every_projection_of_normal_laws_is_the_exact_one() {
    let pair = Pair::new(1.0);
    let truth = pair.bridge();
    let solver = small().with_n_projections(4);
    let fitted = projections(&solver, &pair.cells(0, 6000, 1), &pair.cells(1, 6000, 2), 1.0);
    let x = pair.cells(0, 20_000, 3);
    let limit = truth.cross_covariance(START, END);
    let mut exact = Array2::zeros((2, 2));
    let mut off = Vec::new();
    for (bridge, report) in &fitted {
        exact = pair.project(&exact);
        let found = cross(bridge, &x);
        let from_exact = size(&(&found - &exact)) / size(&limit);
        let from_limit = size(&(&found - &limit)) / size(&limit);
        let drift = drift_off(bridge, &truth, &x);
        println!(
            "covariance off by {from_exact:.3} from the exact projection, {from_limit:.3} from the limit; drift {drift:.3}; {report:?}"
        );
        // Cells are 6 000, and pairs 4 000: covariances of them are off by 0.02 to 0.03 of this one,
        // and networks and the least seen of the last pairs by as much again.
        assert!(from_exact < 0.14, "{from_exact}");
        off.push([from_exact, from_limit, drift]);
    }
    println!("{off:.3?}");
    assert!(off[3][1] < 0.15 && off[3][2] < 0.25, "{off:?}");
    assert!(off[3][2] < 0.4 * off[0][2], "{off:?}");
}

/// A bridge in the plane from the standard normal law to three groups.
fn groups(epsilon: f64) -> LightSbBridge {
    let mixture = Mixture {
        covariance: Covariance::Diagonal,
        log_alpha: array![0.0, 0.3, -0.2],
        r: array![[2.0, 0.5], [-1.5, 1.5], [0.0, -2.0]],
        s: array![[0.4, 0.8], [0.7, 0.3], [0.5, 0.5]],
    };
    let zero = Array1::zeros(2);
    LightSbBridge::new(mixture, zero.clone(), zero, Epsilon::new(epsilon).unwrap()).unwrap()
}

#[test]
fn projections_approach_a_bridge_to_three_groups() {
    let truth = groups(0.5);
    let source = normal(6000, 2, 1);
    let target = truth.sample_transition(normal(6000, 2, 2).view(), START, END, Seed(3)).unwrap();
    let fitted = projections(&small().with_n_projections(5), &source, &target, 0.5);
    let x = normal(20_000, 2, 4);
    let limit = cross(&truth, &x);
    let mut drifts = Vec::new();
    for (bridge, report) in &fitted {
        let off = size(&(cross(bridge, &x) - &limit)) / size(&limit);
        let drift = drift_off(bridge, &truth, &x);
        println!("covariance off by {off:.3}, drift {drift:.3}; {report:?}");
        drifts.push(drift);
    }
    assert!(drifts[4] < 0.3 && drifts[4] < 0.5 * drifts[0], "{drifts:?}");
    let energy = |k: usize| fitted[k].1.detail("path_energy").unwrap();
    assert!(energy(4) < energy(0), "{} {}", energy(4), energy(0));
    // The divergence of the bridge to its reference, in the same way: an estimate within a tenth.
    let times = (0..20).map(|k| {
        let t = at((f64::from(k) + 0.5) / 20.0);
        let y = truth.sample_transition(x.view(), START, t, Seed(7)).unwrap();
        truth.drift(y.view(), t).unwrap().mapv(|b| b * b).sum() / (2.0 * 0.5 * x.nrows() as f64)
    });
    let least = times.sum::<f64>() / 20.0;
    println!("energy {:.3}, of the bridge {least:.3}", energy(4));
    assert!((energy(4) / least - 1.0).abs() < 0.15);
}
