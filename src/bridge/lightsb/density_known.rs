//! Densities of LightSB bridges against integrals, histograms and closed forms.

use ndarray::{Array, Array2, Axis, array, s};
use rand_distr::{Distribution, StandardNormal, StandardUniform};

use crate::bridge::{Bridge, Covariance, GaussianMixture, LightSbBridge, Mixture, UnitTime};
use crate::data::Snapshot;
use crate::geometry::Epsilon;
use crate::rng::Seed;

fn at(t: f64) -> UnitTime {
    UnitTime::new(t).unwrap()
}

const WHOLE: (UnitTime, UnitTime) = (UnitTime::START, UnitTime::END);

/// Three Gaussians in one dimension, away from the origin.
fn line() -> LightSbBridge {
    let mixture = Mixture {
        covariance: Covariance::Diagonal,
        log_alpha: array![0.2, -0.4, 0.1],
        r: array![[0.5], [-1.0], [0.1]],
        s: array![[0.5], [1.1], [0.3]],
    };
    let epsilon = Epsilon::new(0.7).unwrap();
    LightSbBridge::new(mixture, array![2.0], array![-1.0], epsilon).unwrap()
}

fn plane() -> LightSbBridge {
    let mixture = Mixture {
        covariance: Covariance::Full,
        log_alpha: array![0.2, -0.4],
        r: array![[0.5, -0.3], [-1.0, 0.8]],
        s: array![[0.5, 0.2, 0.7], [1.1, -0.3, 0.4]],
    };
    let epsilon = Epsilon::new(0.7).unwrap();
    LightSbBridge::new(mixture, array![0.4, -1.0], array![1.3, 0.6], epsilon).unwrap()
}

/// Midpoints of `n` cells of a grid between two numbers, and the width of a cell.
fn grid(from: f64, to: f64, n: usize) -> (Array2<f64>, f64) {
    let step = (to - from) / n as f64;
    (Array2::from_shape_fn((n, 1), |(i, _)| from + step * (i as f64 + 0.5)), step)
}

/// `x` for every row of `y`.
fn beside(x: f64, y: &Array2<f64>) -> Array2<f64> {
    Array2::from_elem(y.dim(), x)
}

fn source() -> GaussianMixture {
    let (means, variances) = (array![[1.0], [3.0]], array![[0.5], [0.2]]);
    GaussianMixture::new(Covariance::Scalar, array![0.3, 0.7].view(), means, variances).unwrap()
}

fn close(a: f64, b: f64, tolerance: f64) {
    assert!((a - b).abs() <= tolerance * (1.0 + b.abs()), "{a} and {b}");
}

#[test]
fn transitions_integrate_to_one_and_two_of_them_are_one() {
    let bridge = line();
    let (y, step) = grid(-15.0, 15.0, 3000);
    for span in [WHOLE, (at(0.0), at(0.4)), (at(0.4), at(1.0)), (at(0.3), at(0.9))] {
        for x in [-1.0, 2.0, 3.5] {
            let logs =
                bridge.log_transition(beside(x, &y).view(), y.view(), span.0, span.1).unwrap();
            close(logs.mapv(f64::exp).sum() * step, 1.0, 1e-10);
        }
    }
    let middle = (at(0.0), at(0.4));
    for (x, end) in [(2.0, -1.5), (0.5, 1.0)] {
        let first =
            bridge.log_transition(beside(x, &y).view(), y.view(), middle.0, middle.1).unwrap();
        let ends = beside(end, &y);
        let second = bridge.log_transition(y.view(), ends.view(), at(0.4), at(1.0)).unwrap();
        let both = (first + second).mapv(f64::exp).sum() * step;
        let whole =
            bridge.log_transition(array![[x]].view(), array![[end]].view(), WHOLE.0, WHOLE.1);
        close(both, whole.unwrap()[0].exp(), 1e-10);
    }
}

#[test]
fn given_the_start_it_is_the_mixture_of_the_conditional_plan() {
    let bridge = plane();
    let step = 0.05;
    let y = Array2::from_shape_fn((400 * 400, 2), |(i, d)| {
        step * ((if d == 0 { i / 400 } else { i % 400 }) as f64 - 199.5)
    });
    for x in [array![0.3, 0.9], array![-1.0, -0.2]] {
        let plan = bridge.conditional_plan(x.view()).unwrap();
        let law =
            GaussianMixture::new(plan.kind, plan.weights.view(), plan.means, plan.covariances)
                .unwrap();
        let expected = law.log_density(y.view()).unwrap();
        let starts = Array::from_shape_fn(y.dim(), |(_, d)| x[d]);
        let found = bridge.log_transition(starts.view(), y.view(), WHOLE.0, WHOLE.1).unwrap();
        // Far out the exponents are in the hundreds.
        found.iter().zip(&expected).for_each(|(a, b)| close(*a, *b, 1e-11));
        close(found.mapv(f64::exp).sum() * step * step, 1.0, 1e-8);
    }
}

#[test]
fn one_gaussian_is_the_formula_written_out() {
    let (m0, v0, m1, v1, epsilon) = (1.5, 0.8, -2.0, 2.5, 0.6);
    let bridge = LightSbBridge::from_gaussians(
        array![m0].view(),
        array![v0].view(),
        array![m1].view(),
        array![v1].view(),
        Epsilon::new(epsilon).unwrap(),
    )
    .unwrap();
    // The plan is Gaussian with this covariance of the ends.
    let cross = 0.5 * ((4.0_f64 * v0 * v1 + epsilon * epsilon).sqrt() - epsilon);
    let normal = |off: f64, variance: f64| {
        -0.5 * off * off / variance - 0.5 * (std::f64::consts::TAU * variance).ln()
    };
    let left = v1 - cross * cross / v0;
    let variances = array![[v0]];
    let one = array![1.0];
    let law =
        GaussianMixture::new(Covariance::Scalar, one.view(), array![[m0]], variances).unwrap();
    for (x, y) in [(0.2, -1.0), (3.0, 0.5)] {
        let given = normal(y - m1 - cross / v0 * (x - m0), left);
        let (start, end) = (array![[x]], array![[y]]);
        let found = bridge.log_transition(start.view(), end.view(), WHOLE.0, WHOLE.1).unwrap()[0];
        close(found, given, 1e-12);
        let plan = bridge.log_plan(&law, start.view(), end.view()).unwrap()[0];
        close(plan, given + normal(x - m0, v0), 1e-12);
    }
    // And the law at t is the Gaussian of the interpolation.
    for t in [0.0, 0.3, 1.0] {
        let s = 1.0 - t;
        let variance = s * s * v0 + t * t * v1 + 2.0 * s * t * cross + epsilon * s * t;
        let found = bridge.marginal(&law, at(t)).unwrap().unwrap();
        close(found.means()[[0, 0]], s * m0 + t * m1, 1e-12);
        close(found.covariance(0)[[0, 0]], variance, 1e-12);
    }
}

#[test]
fn the_whole_plan_integrates_to_one_and_has_its_marginals() {
    let (bridge, law) = (line(), source());
    let (x, dx) = grid(-3.0, 7.0, 200);
    let (y, dy) = grid(-14.0, 10.0, 800);
    let mut total = 0.0;
    for x in x.rows() {
        let starts = beside(x[0], &y);
        let sum = bridge.log_plan(&law, starts.view(), y.view()).unwrap().mapv(f64::exp).sum();
        let density = law.log_density(x.insert_axis(Axis(0))).unwrap()[0].exp();
        close(sum * dy, density, 1e-10);
        total += sum * dx * dy;
    }
    close(total, 1.0, 1e-8);
}

#[test]
fn histograms_of_draws_agree_with_the_plan_and_with_the_law_at_a_time() {
    let (bridge, law, n) = (line(), source(), 200_000);
    let mut stream = Seed(4).stream("test/source", 0);
    let x: Array2<f64> = Array2::from_shape_simple_fn((n, 1), || {
        let uniform: f64 = StandardUniform.sample(&mut stream);
        let normal: f64 = StandardNormal.sample(&mut stream);
        if uniform < 0.3 { 1.0 + 0.5_f64.sqrt() * normal } else { 3.0 + 0.2_f64.sqrt() * normal }
    });
    let y = bridge.sample_transition(x.view(), WHOLE.0, WHOLE.1, Seed(5)).unwrap();
    // Boxes of half a unit; the density in each is integrated by a grid of 40 × 40 points.
    for (from, to) in [(1.0, -1.5), (3.0, -1.0), (2.5, 0.0), (0.0, -3.0)] {
        let inside = |v: f64, low: f64| (low..low + 0.5).contains(&v);
        let pairs = x.iter().zip(&y);
        let count = pairs.filter(|(x, y)| inside(**x, from) && inside(**y, to)).count();
        let ((xs, dx), (ys, dy)) = (grid(from, from + 0.5, 40), grid(to, to + 0.5, 40));
        let sum: f64 = xs
            .iter()
            .map(|x| {
                let logs = bridge.log_plan(&law, beside(*x, &ys).view(), ys.view()).unwrap();
                logs.mapv(f64::exp).sum() * dx * dy
            })
            .sum();
        let expected = sum * n as f64;
        // Five standard errors of a count.
        assert!((count as f64 - expected).abs() < 5.0 * expected.sqrt() + 1.0, "{count}");
        assert!(expected > 50.0, "{expected}");
    }
    let cells = Snapshot::new(x.slice(s![..300, ..]).to_owned()).unwrap();
    let many = x.slice(s![..300, ..]).select(Axis(0), &(0..n).map(|i| i % 300).collect::<Vec<_>>());
    let z = bridge.sample_transition(many.view(), WHOLE.0, at(0.6), Seed(6)).unwrap();
    for low in [-1.0, 0.0, 1.0] {
        let count = z.iter().filter(|z| (low..low + 0.5).contains(*z)).count() as f64;
        let (points, step) = grid(low, low + 0.5, 50);
        let logs = bridge.log_marginal(&cells, points.view(), at(0.6)).unwrap();
        let expected = logs.mapv(f64::exp).sum() * step * n as f64;
        assert!((count - expected).abs() < 5.0 * expected.sqrt(), "{count} {expected}");
    }
}

#[test]
fn the_law_at_a_time_is_the_sum_of_the_transitions_from_the_cells() {
    let bridge = plane();
    let cells = array![[0.3, 0.9], [-0.7, 0.1], [1.9, -1.2]];
    let source = Snapshot::weighted(cells.clone(), array![1.0, 3.0, 0.0]).unwrap();
    let x = Array2::from_shape_fn((70, 2), |(i, d)| 0.05 * (i as f64 - 35.0) + d as f64);
    for t in [0.2, 1.0] {
        let found = bridge.log_marginal(&source, x.view(), at(t)).unwrap();
        let from = |i: usize| {
            let start = Array2::from_shape_fn(x.dim(), |(_, d)| cells[[i, d]]);
            bridge.log_transition(start.view(), x.view(), at(0.0), at(t)).unwrap()
        };
        let expected = from(0).mapv(f64::exp) * 0.25 + from(1).mapv(f64::exp) * 0.75;
        for (a, b) in found.iter().zip(&expected) {
            close(a.exp(), *b, 1e-11);
        }
    }
    assert!(bridge.log_marginal(&source, x.view(), at(0.0)).is_err());
}

#[test]
fn the_score_is_the_slope_of_the_log_density() {
    let bridge = plane();
    let cells = array![[0.3, 0.9], [-0.7, 0.1], [1.9, -1.2]];
    let source = Snapshot::weighted(cells, array![1.0, 3.0, 2.0]).unwrap();
    let x = Array2::from_shape_fn((70, 2), |(i, d)| 0.05 * (i as f64 - 35.0) + d as f64);
    let h = 1e-5;
    for t in [0.2, 0.7, 1.0] {
        let score = bridge.marginal_score(&source, x.view(), at(t)).unwrap();
        for d in 0..2 {
            let moved = |by: f64| {
                let mut x = x.clone();
                x.column_mut(d).mapv_inplace(|value| value + by);
                bridge.log_marginal(&source, x.view(), at(t)).unwrap()
            };
            let slope = (moved(h) - moved(-h)) / (2.0 * h);
            // Third derivatives times h², and rounding over h.
            score.column(d).iter().zip(&slope).for_each(|(a, b)| close(*a, *b, 1e-7));
        }
        let known = bridge.score_from(&source, x.view(), at(t)).unwrap();
        assert_eq!(known, Some(score));
    }
    assert!(bridge.score_from(&source, x.view(), at(0.0)).unwrap().is_none());
    assert!(bridge.score(x.view(), at(0.5)).unwrap().is_none());
    assert!(line().marginal_score(&source, x.view(), at(0.5)).is_err());
}

#[test]
fn one_gaussian_carries_a_mixture_to_a_mixture() {
    let r = array![[0.5]];
    let one =
        Mixture { covariance: Covariance::Diagonal, log_alpha: array![0.0], r, s: array![[0.4]] };
    let epsilon = Epsilon::new(0.7).unwrap();
    let bridge = LightSbBridge::new(one, array![2.0], array![-1.0], epsilon).unwrap();
    let law = source();
    let (x, step) = grid(-6.0, 10.0, 3000);
    for t in [0.3, 1.0] {
        let found = bridge.marginal(&law, at(t)).unwrap().unwrap();
        for y in [-1.0, 0.5, 2.0] {
            let ends = beside(y, &x);
            let step_to = bridge.log_transition(x.view(), ends.view(), at(0.0), at(t)).unwrap();
            let logs = law.log_density(x.view()).unwrap() + step_to;
            let expected = logs.mapv(f64::exp).sum() * step;
            close(found.log_density(array![[y]].view()).unwrap()[0].exp(), expected, 1e-10);
        }
    }
    assert!(line().marginal(&law, at(0.5)).unwrap().is_none());
}

#[test]
fn refuses_other_shapes_and_times_in_the_wrong_order() {
    let bridge = line();
    let (x, wide) = (array![[0.0]], array![[0.0, 1.0]]);
    assert!(bridge.log_transition(x.view(), wide.view(), WHOLE.0, WHOLE.1).is_err());
    assert!(
        bridge.log_transition(x.view(), array![[0.0], [1.0]].view(), WHOLE.0, WHOLE.1).is_err()
    );
    assert!(bridge.log_transition(x.view(), x.view(), at(0.5), at(0.5)).is_err());
    assert!(bridge.log_transition(x.view(), x.view(), at(0.5), at(0.2)).is_err());
    assert!(plane().marginal(&source(), at(0.5)).is_err());
}
