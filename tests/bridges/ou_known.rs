//! Bridges for an Ornstein-Uhlenbeck reference against formulas that know nothing of its clock.

use std::sync::Arc;

use ndarray::{Array1, Array2, Axis, array};
use sbcell::bridge::{
    Bridge, BridgeProblem, BridgeSolver, Choice, GaussianSolver, LightSbSolver, OuBridge, OuSolver,
    SinkhornSolver, UnitTime, euler_maruyama,
};
use sbcell::{Seed, Silent};

use crate::support::{at, normal, problem};

const PULLS: [f64; 6] = [-3.0, -0.4, 1e-6, 0.3, 1.5, 6.0];

fn fit(
    inner: impl BridgeSolver + 'static,
    problem: &BridgeProblem,
    pull: f64,
    centre: Array1<f64>,
) -> OuBridge {
    let solver = OuSolver { inner: Arc::new(inner), pull, centre: Choice::Is(centre) };
    solver.fit(problem, Seed(1), &mut Silent).unwrap().0
}

fn close(what: &str, a: f64, b: f64, tolerance: f64) {
    assert!((a - b).abs() <= tolerance * (1.0 + b.abs()), "{what}: {a} and {b}");
}

/// The transition of `dX = −b X dt + √ε dW` over a time `t`: what is left of the start, and the
/// variance.
fn transition(pull: f64, epsilon: f64, t: f64) -> (f64, f64) {
    ((-pull * t).exp(), epsilon * -(-2.0 * pull * t).exp_m1() / (2.0 * pull))
}

/// The Ornstein-Uhlenbeck bridge between two Gaussians in one dimension, centre at zero, from the
/// transition densities alone.
struct Known {
    pull: f64,
    epsilon: f64,
    means: (f64, f64),
    variances: (f64, f64),
    /// Covariance of the two ends.
    cross: f64,
}

impl Known {
    /// The plan has the mixed derivative of its log density from the reference: with the
    /// covariance c of the ends, `c / (v₀ v₁ − c²) = e^{−b} / variance`.
    fn new(pull: f64, epsilon: f64, means: (f64, f64), variances: (f64, f64)) -> Self {
        let (left, variance) = transition(pull, epsilon, 1.0);
        let half = 0.5 * variance / left;
        let cross = (half * half + variances.0 * variances.1).sqrt() - half;
        Self { pull, epsilon, means, variances, cross }
    }

    /// Mean of `X_t` given both ends, as shares of them, and its variance: Bayes with the
    /// transitions from the start and to the end.
    fn pinned(&self, t: f64) -> ((f64, f64), f64) {
        let (ahead, before) = transition(self.pull, self.epsilon, t);
        let (left, after) = transition(self.pull, self.epsilon, 1.0 - t);
        let variance = 1.0 / (1.0 / before + left * left / after);
        ((variance * ahead / before, variance * left / after), variance)
    }

    /// Mean and variance of `X_t`, and its covariance with the end.
    fn moments(&self, t: f64) -> (f64, f64, f64) {
        let ((a, c), variance) = self.pinned(t);
        let (m, v) = (self.means, self.variances);
        (
            a * m.0 + c * m.1,
            a * a * v.0 + c * c * v.1 + 2.0 * a * c * self.cross + variance,
            a * self.cross + c * v.1,
        )
    }

    /// Drift and its slope: `−b x + ε ∂/∂x ln p(X₁ | X_t = x)` of the reference, averaged over the
    /// end given x.
    fn drift(&self, x: f64, t: f64) -> (f64, f64) {
        let (mean, variance, cross) = self.moments(t);
        let (left, after) = transition(self.pull, self.epsilon, 1.0 - t);
        let end = self.means.1 + cross / variance * (x - mean);
        let pull = self.epsilon * left / after;
        let slope = -self.pull + pull * (cross / variance - left);
        (-self.pull * x + pull * (end - left * x), slope)
    }
}

/// Two cells have any mean and variance.
fn pair_of_cells(mean: f64, variance: f64) -> Array2<f64> {
    let off: f64 = variance.sqrt();
    array![[mean - off], [mean + off]]
}

#[test]
fn between_gaussians_it_is_what_transition_densities_give() {
    let (means, variances, epsilon, centre) = ((1.5, -2.0), (0.8, 2.5), 0.6, 0.7);
    let problem = problem(
        &pair_of_cells(means.0 + centre, variances.0),
        &pair_of_cells(means.1 + centre, variances.1),
        epsilon,
    );
    for pull in PULLS {
        let known = Known::new(pull, epsilon, means, variances);
        let single = LightSbSolver::default().with_n_gaussians(1.into());
        let centre = array![centre];
        for bridge in [
            fit(GaussianSolver::default(), &problem, pull, centre.clone()),
            fit(single, &problem, pull, centre.clone()),
        ] {
            for t in [0.05, 0.3, 0.8, 0.99] {
                for x in [-3.0, 0.2, 4.0] {
                    let (drift, slope) = known.drift(x, t);
                    let place = array![[x + centre[0]]];
                    let found = bridge.drift(place.view(), at(t)).unwrap()[[0, 0]];
                    // Towards the end the formula here divides by what time is left.
                    close(&format!("drift, b = {pull}, t = {t}"), found, drift, 1e-7);
                    let jacobian = bridge.mean_jacobian(place.view(), at(t)).unwrap()[[0, 0]];
                    close(&format!("slope, b = {pull}, t = {t}"), jacobian, slope, 1e-7);
                }
            }
        }
    }
}

#[test]
fn draws_have_the_mean_and_variance_of_the_pinned_process() {
    let (means, variances, epsilon, n) = ((0.5, -1.0), (0.8, 1.5), 0.6, 40_000);
    let ends = (pair_of_cells(means.0, variances.0), pair_of_cells(means.1, variances.1));
    let problem = problem(&ends.0, &ends.1, epsilon);
    for pull in PULLS {
        let known = Known::new(pull, epsilon, means, variances);
        let bridge = fit(GaussianSolver::default(), &problem, pull, array![0.0]);
        let x = Array2::from_elem((n, 1), 1.2);
        for t in [0.4, 1.0] {
            let draws =
                bridge.sample_transition(x.view(), UnitTime::START, at(t), Seed(2)).unwrap();
            // X_t given the start: the end given the start, then the pinned process.
            let ((a, c), noise) = if t < 1.0 { known.pinned(t) } else { ((0.0, 1.0), 0.0) };
            let slope = known.cross / variances.0;
            let mean = a * 1.2 + c * (means.1 + slope * (1.2 - means.0));
            let variance = c * c * (variances.1 - slope * known.cross) + noise;
            // Five standard errors.
            let error = 5.0 / (n as f64).sqrt();
            let off = draws.mean().unwrap() - mean;
            assert!(off.abs() < error * variance.sqrt(), "b = {pull}, t = {t}: mean off by {off}");
            let ratio = draws.var(0.0) / variance;
            assert!((ratio - 1.0).abs() < error * 1.5, "b = {pull}, t = {t}: {ratio}");
        }
    }
}

/// Sinkhorn as in a textbook, with `λ` the same for both marginals or none: potentials of the
/// plan `exp((f + g − C)/ε) p q`.
fn textbook(cost: &Array2<f64>, epsilon: f64, lambda: Option<f64>) -> (Array1<f64>, Array1<f64>) {
    let (n, m) = cost.dim();
    let (mut f, mut g) = (Array1::<f64>::zeros(n), Array1::<f64>::zeros(m));
    let step = lambda.map_or(1.0, |lambda| lambda / (lambda + epsilon));
    for _ in 0..20_000 {
        let before = f.clone();
        for j in 0..m {
            let sum: f64 = (0..n).map(|i| ((f[i] - cost[[i, j]]) / epsilon).exp() / n as f64).sum();
            g[j] = -step * epsilon * sum.ln();
        }
        for i in 0..n {
            let sum: f64 = (0..m).map(|j| ((g[j] - cost[[i, j]]) / epsilon).exp() / m as f64).sum();
            f[i] = -step * epsilon * sum.ln();
        }
        if (&f - &before).iter().all(|off| off.abs() < 1e-14) {
            break;
        }
    }
    (f, g)
}

/// `−ε ln` of the transition density, but for a constant.
fn cost(x: &Array2<f64>, y: &Array2<f64>, centre: &Array1<f64>, pull: f64) -> Array2<f64> {
    let (left, variance) = transition(pull, 1.0, 1.0);
    Array2::from_shape_fn((x.nrows(), y.nrows()), |(i, j)| {
        let off = (&y.row(j) - centre) - &((&x.row(i) - centre) * left);
        0.5 * off.dot(&off) / variance
    })
}

#[test]
fn between_cells_it_is_a_textbook_sinkhorn_with_the_transition_for_a_cost() {
    let (x, y) = (normal(25, 2, 3), normal(35, 2, 4) * 0.7 + &array![1.0, -0.5]);
    let (centre, epsilon) = (array![0.4, 0.2], 0.5);
    let solver = SinkhornSolver::default().with_tolerance(1e-11);
    for pull in [-0.9, 0.5, 2.0] {
        let bridge = fit(solver.clone(), &problem(&x, &y, epsilon), pull, centre.clone());
        let cost = cost(&x, &y, &centre, pull);
        let (_, g) = textbook(&cost, epsilon, None);
        for t in [0.0, 0.5] {
            // The drift is the mean pull to the end, over the end given x.
            let (left, after) = transition(pull, epsilon, 1.0 - t);
            let drift = bridge.drift(x.view(), at(t)).unwrap();
            for (i, place) in x.rows().into_iter().enumerate() {
                let z = &place - &centre;
                // p(y_j | x at t) ∝ q_j exp(g_j/ε) p(y_j at 1 | x at t) of the reference.
                let logs: Array1<f64> = (0..y.nrows())
                    .map(|j| {
                        let off = &y.row(j) - &centre - &(&z * left);
                        g[j] / epsilon - 0.5 * off.dot(&off) / after
                    })
                    .collect();
                let most = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let weights = logs.mapv(|log| (log - most).exp());
                let end = weights.dot(&y) / weights.sum() - &centre;
                let expected = (end - &z * left) * (epsilon * left / after) - &z * pull;
                for d in 0..2 {
                    close(&format!("b = {pull}, t = {t}"), drift[[i, d]], expected[d], 1e-6);
                }
            }
        }
    }
}

#[test]
fn a_price_of_leaving_a_marginal_means_what_it_means_without_a_pull() {
    let (x, y) = (normal(20, 2, 5), normal(30, 2, 6) * 0.7 + &array![1.0, -0.5]);
    let (centre, epsilon, lambda, pull) = (array![0.4, 0.2], 0.5, 0.8, 0.7);
    let solver = SinkhornSolver::default()
        .with_source_relaxation(Some(lambda))
        .with_target_relaxation(Some(lambda))
        .with_tolerance(1e-11);
    let bridge = fit(solver, &problem(&x, &y, epsilon), pull, centre.clone());
    let cost = cost(&x, &y, &centre, pull);
    let (f, g) = textbook(&cost, epsilon, Some(lambda));
    let rows: Array1<f64> = (0..20)
        .map(|i| (0..30).map(|j| ((f[i] + g[j] - cost[[i, j]]) / epsilon).exp()).sum())
        .collect();
    let expected = &rows / rows.sum();
    let found = bridge.plan_marginal().unwrap();
    for (a, b) in found.iter().zip(&expected) {
        close("share", *a, *b, 1e-8);
    }
    assert!(expected.iter().any(|share| (share * 20.0 - 1.0).abs() > 0.05));
}

#[test]
fn without_a_pull_it_is_the_bridge_of_brownian_motion() {
    let (x, y) = (normal(60, 3, 7), normal(70, 3, 8) * 0.5 + 1.0);
    let problem = problem(&x, &y, 0.4);
    let solver = LightSbSolver::default().with_n_gaussians(3.into());
    let plain = solver.solve(&problem, Seed(1), &mut Silent).unwrap().0;
    let sinkhorn = SinkhornSolver::default().with_tolerance(1e-10);
    let plain_cells = sinkhorn.solve(&problem, Seed(1), &mut Silent).unwrap().0;
    let centre = array![0.1, -0.3, 2.0];
    for pull in [0.0, 1e-12, -1e-12, 1e-300] {
        let bridges = [
            (fit(solver.clone(), &problem, pull, centre.clone()), &plain),
            (fit(sinkhorn.clone(), &problem, pull, centre.clone()), &plain_cells),
        ];
        for (bridge, plain) in bridges {
            for t in [0.0, 0.5, 1.0] {
                let (a, b) =
                    (bridge.drift(x.view(), at(t)).unwrap(), plain.drift(x.view(), at(t)).unwrap());
                for (a, b) in a.iter().zip(&b) {
                    // A descent and cells that are moved by the centre both cost digits.
                    close(&format!("b = {pull}, t = {t}"), *a, *b, 1e-8);
                }
            }
        }
    }
}

#[test]
fn small_steps_of_the_drift_go_where_draws_go() {
    let (x, y) = (normal(300, 2, 9), normal(300, 2, 10) * 0.6 + &array![2.0, 0.0]);
    let solver = LightSbSolver::default().with_n_gaussians(4.into());
    let bridge = fit(solver, &problem(&x, &y, 0.5), 1.2, array![0.5, 0.5]);
    let x = x.select(Axis(0), &(0..30_000).map(|i| i % 300).collect::<Vec<_>>());
    let span = (UnitTime::START, at(0.6));
    let exact = bridge.sample_transition(x.view(), span.0, span.1, Seed(1)).unwrap();
    let steps = euler_maruyama(&bridge, x.view(), span.0, span.1, 300, Seed(2)).unwrap();
    // Five standard errors, and a bias of one over the number of steps.
    let limit = 5.0 * (2.0 / 30_000.0_f64).sqrt() + 2.0 / 300.0;
    for d in 0..2 {
        let (a, b) = (exact.column(d), steps.column(d));
        let deviation = a.std(0.0);
        assert!((a.mean().unwrap() - b.mean().unwrap()).abs() < limit * deviation);
        assert!((a.var(0.0) / b.var(0.0) - 1.0).abs() < 1.5 * limit);
    }
}

#[test]
fn refuses_a_centre_of_another_dimension_and_a_pull_out_of_range() {
    let problem = problem(&normal(5, 2, 1), &normal(5, 2, 2), 0.5);
    for (pull, centre) in [
        (0.5, array![0.0]),
        (0.5, array![0.0, f64::NAN]),
        (20.0, array![0.0, 0.0]),
        (f64::NAN, array![0.0, 0.0]),
    ] {
        let solver = OuSolver {
            inner: Arc::new(GaussianSolver::default()),
            pull,
            centre: Choice::Is(centre),
        };
        assert!(solver.fit(&problem, Seed(1), &mut Silent).is_err(), "{pull}");
    }
}

#[test]
fn pinned_paths_are_the_process_between_its_two_ends() {
    let (epsilon, centre) = (0.7, array![0.5]);
    let (source, target) = (normal(50, 1, 1), normal(50, 1, 2) + 1.0);
    let problem = problem(&source, &target, epsilon);
    for pull in PULLS {
        let bridge = fit(GaussianSolver::default(), &problem, pull, centre.clone());
        let n = 40_000;
        let (from, to) = (0.25, 0.6);
        let (x, end) = (-0.8, 2.0);
        let column = |value: f64| Array2::from_elem((n, 1), value);
        let drawn = bridge
            .sample_pinned(column(x).view(), column(end).view(), at(from), at(to), Seed(3))
            .unwrap();
        // Of x at `from` and y at 1, the law at `to` has the density p(z | x) p(y | z) up to a constant.
        let (early, first) = transition(pull, epsilon, to - from);
        let (late, second) = transition(pull, epsilon, 1.0 - to);
        let precision = 1.0 / first + late * late / second;
        let (x, end) = (x - centre[0], end - centre[0]);
        let mean = (early * x / first + late * end / second) / precision + centre[0];
        let seen = drawn.mean().unwrap();
        let variance = drawn.mapv(|z| (z - seen).powi(2)).mean().unwrap();
        // Five standard errors.
        let error = 5.0 / (precision * n as f64).sqrt();
        assert!((seen - mean).abs() < error, "{pull}: {seen} {mean}");
        let off = variance * precision - 1.0;
        assert!(off.abs() < 5.0 * (2.0 / n as f64).sqrt(), "{pull}: {off}");
    }
}

#[test]
fn cells_are_linked_by_the_transition_density_of_the_reference() {
    let (epsilon, centre) = (0.7, array![0.5]);
    let (source, target) = (normal(8, 1, 1), normal(9, 1, 2) + 1.0);
    let problem = problem(&source, &target, epsilon);
    for pull in [-3.0, 0.3, 6.0] {
        let bridge = fit(GaussianSolver::default(), &problem, pull, centre.clone());
        let link = bridge.link(problem.source(), problem.target(), Seed(0), &mut Silent).unwrap();
        let plan = link.pull(Array2::eye(9).view()).unwrap();
        let (left, variance) = transition(pull, epsilon, 1.0);
        let log = |i: usize, j: usize| {
            let off = target[[j, 0]] - centre[0] - left * (source[[i, 0]] - centre[0]);
            -off * off / (2.0 * variance)
        };
        // Factors of single cells cancel in ratios of four.
        for (i, j) in [(0, 3), (5, 1), (7, 8)] {
            let ratio = plan[[i, j]] * plan[[2, 4]] / (plan[[i, 4]] * plan[[2, j]]);
            let known = log(i, j) + log(2, 4) - log(i, 4) - log(2, j);
            close("cross ratio", ratio.ln(), known, 1e-9);
        }
    }
}
