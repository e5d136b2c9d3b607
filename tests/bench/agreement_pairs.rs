//! One problem that every solver should answer alike: two Gaussians, seen through cells.

use ndarray::{Array1, Array2};
use rand_distr::{Distribution, StandardNormal};
use sbcell::bridge::{
    Bridge, BridgeProblem, BridgeSolver, GaussianBridge, GaussianSolver, LightSbSolver, UnitTime,
};
use sbcell::data::Snapshot;
use sbcell::metrics::energy_distance;
use sbcell::{Epsilon, Seed};

/// Local times at which drifts are compared.
pub(crate) const TIMES: [f64; 3] = [0.0, 0.5, 0.8];

/// Two tilted Gaussians, their bridge, and a problem of `n` cells of each.
pub(crate) struct Pair {
    /// The bridge between the Gaussians themselves.
    pub(crate) truth: GaussianBridge,
    /// What a solver sees of them.
    pub(crate) problem: BridgeProblem,
    /// Cells of the source that no solver has seen, twice.
    fresh: [Array2<f64>; 2],
}

impl Pair {
    /// The pair in `dim` dimensions; ε is 0.2, standard deviations are near 1.
    pub(crate) fn new(dim: usize, n: usize) -> Self {
        let epsilon = Epsilon::new(0.2).unwrap();
        let roots = [root(dim, 0.6, 0.3), root(dim, -0.5, -0.25)];
        let means = [
            Array1::zeros(dim),
            Array1::from_shape_fn(dim, |d| if d % 2 == 0 { 1.0 } else { -0.6 }),
        ];
        let covariances = [0, 1].map(|end: usize| roots[end].dot(&roots[end].t()));
        let truth = GaussianBridge::between(
            (means[0].view(), covariances[0].view()),
            (means[1].view(), covariances[1].view()),
            epsilon,
        )
        .unwrap();
        let cells = |end: usize, seed: u64| normal(n, dim, seed).dot(&roots[end].t()) + &means[end];
        let snapshot = |end: usize| Snapshot::new(cells(end, end as u64)).unwrap();
        let problem = BridgeProblem::new(snapshot(0), snapshot(1), epsilon).unwrap();
        Self { truth, problem, fresh: [cells(0, 2), cells(0, 3)] }
    }

    /// Root mean square of the difference of two drifts over fresh cells of the true process at
    /// each of [`TIMES`], relative to that of the true drift.
    pub(crate) fn drift_apart(&self, a: &dyn Bridge, b: &dyn Bridge) -> [f64; 3] {
        TIMES.map(|t| {
            let t = UnitTime::new(t).unwrap();
            let start = UnitTime::START;
            let x = self.truth.sample_transition(self.fresh[0].view(), start, t, Seed(5)).unwrap();
            let drift = |bridge: &dyn Bridge| bridge.drift(x.view(), t).unwrap();
            let square = |x: Array2<f64>| x.mapv(|v| v * v).sum();
            (square(drift(a) - drift(b)) / square(drift(&self.truth))).sqrt()
        })
    }

    /// Energy distance between the populations half way, from as many draws as there are cells;
    /// each side draws from cells of its own.
    pub(crate) fn populations_apart(&self, a: &dyn Bridge, b: &dyn Bridge) -> f64 {
        let half = UnitTime::new(0.5).unwrap();
        let draws = |bridge: &dyn Bridge, side: usize| {
            let source = Snapshot::new(self.fresh[side].clone()).unwrap();
            let (n, seed) = (source.n_cells(), Seed(11 + side as u64));
            Snapshot::new(bridge.population(&source, half, n, seed).unwrap()).unwrap()
        };
        energy_distance(&draws(a, 0), &draws(b, 1)).unwrap().value
    }
}

/// The solvers that are compared.
pub(crate) fn solvers() -> Vec<(&'static str, Box<dyn BridgeSolver>)> {
    vec![("gaussian", Box::new(GaussianSolver {})), ("lightsb", Box::new(LightSbSolver::default()))]
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
    let mut stream = Seed(seed).stream("agreement", dim as u64);
    Array2::from_shape_simple_fn((n, dim), || StandardNormal.sample(&mut stream))
}
