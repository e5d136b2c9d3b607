//! One problem that every solver should answer alike: two Gaussians, seen through cells.

use ndarray::{Array1, Array2, Axis, concatenate};
use rand_distr::{Distribution, StandardNormal};
use sbcell::bridge::{
    Bridge, BridgeProblem, BridgeSolver, FlowSolver, GaussianBridge, GaussianSolver, LightSbSolver,
    SinkhornSolver, UnitTime,
};
use sbcell::data::Snapshot;
use sbcell::linalg::Cholesky;
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
            means[0].view(),
            covariances[0].view(),
            means[1].view(),
            covariances[1].view(),
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

    /// How far Sinkhorn's drift is from the truth at t = 0 for want of cells: relative, as
    /// [`Pair::drift_apart`], derived.
    ///
    /// Were the potentials known, `E[Y | x]` would be a mean over the cells `y_j` with weights
    /// `P(y|x)/q(y)`, whose variance over samples is `tr Cov(Y|x) / n` times the mean square of the
    /// weights, over all x `∫ P²/(p q) = Π 1/(1 − ρ²)` with the canonical correlations ρ of both ends:
    /// so many times fewer cells carry the mean. If that is more than n, cells lean on single
    /// partners, and this is no more than a sign of it.
    pub(crate) fn lean(&self) -> f64 {
        let (start, end) = (UnitTime::START, UnitTime::END);
        let (a, b) = (self.truth.covariance(start), self.truth.covariance(end));
        let c = self.truth.cross_covariance(start, end);
        let above = concatenate(Axis(1), &[a.view(), c.view()]).unwrap();
        let below = concatenate(Axis(1), &[c.t(), b.view()]).unwrap();
        let joint = concatenate(Axis(0), &[above.view(), below.view()]).unwrap();
        let log_det = |matrix: &Array2<f64>| Cholesky::new(matrix.view()).unwrap().log_det();
        let fewer = (log_det(&a) + log_det(&b) - log_det(&joint)).exp();
        let left = self.truth.epsilon().value() * self.truth.slope().diag().sum();
        let drift = self.truth.drift(self.fresh[0].view(), start).unwrap();
        let n = drift.nrows() as f64;
        (fewer * left / n / (drift.mapv(|v| v * v).sum() / n)).sqrt()
    }

    /// How far the bridge of the exact coupling, which `[SF]²M` learns, is from the truth: relative,
    /// as [`Pair::drift_apart`], in closed form.
    ///
    /// The ends are Gaussian with covariance `C = A M`, M the map that carries A to B. On
    /// `x_t = (1−t) x₀ + t x₁ + √(ε t(1−t)) z` the drift is
    /// `(E[x₁|x_t] − x_t)/(1−t)`, with `Cov(x₁, x_t) = (1−t) Cᵀ + t B`.
    pub(crate) fn exact_coupling_apart(&self) -> [f64; 3] {
        let (start, end) = (UnitTime::START, UnitTime::END);
        let (a, b) = (self.truth.covariance(start), self.truth.covariance(end));
        let (from, to) = (self.truth.mean(start), self.truth.mean(end));
        let ends = ((from.view(), a.view()), (to.view(), b.view()));
        let map = GaussianBridge::between(
            ends.0.0,
            ends.0.1,
            ends.1.0,
            ends.1.1,
            Epsilon::new(1e-10).unwrap(),
        )
        .unwrap();
        let c = a.dot(&map.slope());
        TIMES.map(|time| {
            let t = UnitTime::new(time).unwrap();
            let x = self.truth.sample_transition(self.fresh[0].view(), start, t, Seed(5)).unwrap();
            let both = &c * (1.0 - time) + &b * time;
            let mut own = &a * (1.0 - time).powi(2) + &b * time.powi(2);
            own = own + (&c + &c.t()) * (time * (1.0 - time));
            own.diag_mut().mapv_inplace(|v| v + self.truth.epsilon().value() * time * (1.0 - time));
            let inverse = Cholesky::new(own.view()).unwrap().inverse();
            let centred = &x - &(&from * (1.0 - time) + &to * time);
            // Rows: x₁ − m₁ = (x_t − m_t) Var⁻¹ Cov(x_t, x₁).
            let drift = (centred.dot(&inverse).dot(&both) + &to - &x) / (1.0 - time);
            let truth = self.truth.drift(x.view(), t).unwrap();
            let square = |x: Array2<f64>| x.mapv(|v| v * v).sum();
            (square(drift - &truth) / square(truth)).sqrt()
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

/// The solvers that are compared; networks are trained for so many steps.
pub(crate) fn solvers(n_steps: usize) -> Vec<(&'static str, Box<dyn BridgeSolver>)> {
    vec![
        ("gaussian", Box::new(GaussianSolver::default())),
        ("lightsb", Box::new(LightSbSolver::default())),
        ("sinkhorn", Box::new(SinkhornSolver::default())),
        ("sf2m", Box::new(FlowSolver::sf2m().with_max_iterations(n_steps))),
    ]
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
