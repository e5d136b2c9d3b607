//! Sampling a snapshot against what is known: variances at rest, plans, hulls, limits of ε.

use ndarray::{Array1, Array2, Axis, array};
use rand_distr::{Distribution, StandardNormal, StandardUniform};
use sbcell::data::Snapshot;
use sbcell::linalg::Spectrum;
use sbcell::sampler::{Condition, Observed, Sampler, Scheme, SelfBridge};
use sbcell::{Epsilon, Seed, Silent};

use crate::support::normal;

const SCHEMES: [Scheme; 5] =
    [Scheme::Langevin, Scheme::DataAware, Scheme::SplitStep, Scheme::Corrected, Scheme::Matched];

/// A normal law without chance: a grid of places that carry its density as weights.
fn grid(variance: f64) -> Snapshot {
    let n = 901;
    let places: Array1<f64> = Array1::linspace(-6.5, 6.5, n);
    let weights = places.mapv(|z: f64| (-0.5 * z * z).exp());
    Snapshot::weighted((places * variance.sqrt()).insert_axis(Axis(1)), weights).unwrap()
}

fn bridge(cells: &Snapshot, epsilon: f64) -> SelfBridge {
    SelfBridge::new(cells, Epsilon::new(epsilon).unwrap(), None, &mut Silent).unwrap()
}

fn draws(bridge: &SelfBridge, scheme: Scheme, n_steps: usize, n: usize) -> Array2<f64> {
    Sampler { scheme, n_steps }.sample(bridge, n, Seed(1), &mut Silent).unwrap()
}

/// `s` with `m(x) = s x`, for ε as variance of a step.
fn slope(c: f64, epsilon: f64) -> f64 {
    let half = 0.5 * epsilon;
    ((c * c + half * half).sqrt() - half) / c
}

#[test]
fn mean_and_covariance_of_a_normal_law_are_those_of_its_plan() {
    for (c, epsilon) in [(1.0, 0.5), (1.0, 4.0), (0.3, 0.05)] {
        let bridge = bridge(&grid(c), epsilon);
        let s = slope(c, epsilon);
        for x in [-2.0, -0.3, 1.1] {
            let x = x * c.sqrt();
            let mean = bridge.mean(array![[x]].view()).unwrap()[[0, 0]];
            let covariance = bridge.covariance(array![x].view()).unwrap()[[0, 0]];
            // The grid ends at 6.5 deviations.
            assert!((mean - s * x).abs() < 1e-6, "{mean} {}", s * x);
            assert!((covariance - c * (1.0 - s * s)).abs() < 1e-6, "{covariance}");
            assert!((covariance - epsilon * s).abs() < 1e-6, "the same number twice");
        }
    }
}

#[test]
fn every_scheme_is_at_rest_at_the_variance_derived_for_it() {
    let n = 15_000;
    for (c, epsilon) in [(1.0_f64, 1.0_f64), (0.5, 2.0)] {
        let bridge = bridge(&grid(c), epsilon);
        let (half, root) = (0.5 * epsilon, (c * c + 0.25 * epsilon * epsilon).sqrt());
        for (scheme, expected) in [
            (Scheme::Langevin, root + half),
            (Scheme::DataAware, c),
            (Scheme::SplitStep, root - half),
            (Scheme::Corrected, root),
            (Scheme::Matched, c),
        ] {
            let found = draws(&bridge, scheme, 12, n).var(0.0);
            // Five standard errors of a variance; after 12 steps the start counts s^24 < 1e-5. `Matched`
            // takes the grid for that many cells and adds up to a hundredth.
            let tolerance = 5.0 * expected * (2.0 / n as f64).sqrt();
            assert!((found - expected).abs() < tolerance, "{scheme:?}: {found} {expected}");
        }
    }
}

#[test]
fn corrected_is_off_by_the_square_of_epsilon() {
    // c + ε²/8c: the closed form is within the next term, ε⁴/128c³.
    let (c, epsilon) = (1.0_f64, 0.8_f64);
    let n = 60_000;
    let found = draws(&bridge(&grid(c), epsilon), Scheme::Corrected, 12, n).var(0.0);
    let expected = c + epsilon * epsilon / (8.0 * c);
    let tolerance = 4.0 * expected * (2.0 / n as f64).sqrt() + epsilon.powi(4) / 128.0;
    assert!((found - expected).abs() < tolerance, "{found} {expected}");
    assert!(found > c + 0.4 * epsilon * epsilon / 8.0, "the second order is seen: {found}");
}

#[test]
fn the_density_of_a_normal_law_is_the_one_derived_for_it() {
    // At rest under the drift (s − 1) x / ε · ε the variance is ε/2 / (1 − s).
    let (c, epsilon) = (1.0, 0.6);
    let bridge = bridge(&grid(c), epsilon);
    let variance = 0.5 * epsilon / (1.0 - slope(c, epsilon));
    let x = array![[0.0], [0.7], [-1.5]];
    let found = bridge.log_density(x.view(), &mut Silent).unwrap();
    for (x, found) in x.iter().zip(&found) {
        let expected = -0.5 * (x * x / variance + (std::f64::consts::TAU * variance).ln());
        assert!((found - expected).abs() < 1e-6, "{found} {expected}");
    }
}

#[test]
fn the_plan_is_bistochastic_symmetric_and_its_spectrum_is_between_zero_and_one() {
    let points = normal(70, 4, 1);
    let weights: Array1<f64> = (0..70).map(|i| 1.0 + f64::from(i % 3)).collect();
    let cells = Snapshot::weighted(points, weights).unwrap();
    for (epsilon, neighbour) in [(0.3, None), (2.0, None), (1.0, Some(6))] {
        let epsilon = Epsilon::new(epsilon).unwrap();
        let bridge = SelfBridge::new(&cells, epsilon, neighbour, &mut Silent).unwrap();
        let p = bridge.weights(cells.points()).unwrap();
        let w = cells.marginal();
        let plan = &p * &w.insert_axis(Axis(1));
        for i in 0..70 {
            assert!((plan.column(i).sum() - w[i]).abs() < 1e-8, "columns, too, sum to the weights");
            assert!((p.row(i).sum() - 1.0).abs() < 1e-12);
            for j in 0..i {
                assert!((plan[[i, j]] - plan[[j, i]]).abs() < 1e-6 * plan[[i, i]]);
            }
        }
        // √w_i p_ij / √w_j is symmetric with the eigenvalues of P.
        let symmetric =
            Array2::from_shape_fn((70, 70), |(i, j)| plan[[i, j]] / (w[i] * w[j]).sqrt());
        let values = Spectrum::new(symmetric.view()).unwrap().values;
        assert!((values[0] - 1.0).abs() < 1e-8, "{}", values[0]);
        let least = if neighbour.is_none() { -1e-9 } else { -0.2 };
        assert!(values.iter().all(|&value| least < value && value < 1.0 + 1e-8), "{values}");
    }
}

#[test]
fn split_steps_stay_in_the_convex_hull_at_every_epsilon() {
    // A triangle with cells inside: the hull is three half planes.
    let corners = array![[0.0, 0.0], [4.0, 0.0], [1.0, 3.0]];
    let mut stream = Seed(2).stream("test", 0);
    let mut points = corners.clone();
    for _ in 0..60 {
        let shares: Array1<f64> =
            Array1::from_shape_simple_fn(3, || StandardUniform.sample(&mut stream));
        let place = (&shares / shares.sum()).dot(&corners);
        points.push_row(place.view()).unwrap();
    }
    let cells = Snapshot::new(points).unwrap();
    for epsilon in [1e-4, 0.1, 1.0, 100.0] {
        let bridge = bridge(&cells, epsilon);
        for place in draws(&bridge, Scheme::SplitStep, 10, 500).rows() {
            for k in 0..3 {
                let (a, b) = (corners.row(k), corners.row((k + 1) % 3));
                let cross = (b[0] - a[0]) * (place[1] - a[1]) - (b[1] - a[1]) * (place[0] - a[0]);
                assert!(cross > -1e-9, "{epsilon}: {place} is outside");
            }
        }
    }
}

#[test]
fn small_epsilon_gives_the_cells_and_large_epsilon_their_mean() {
    let points = normal(40, 3, 3);
    let cells = Snapshot::new(points.clone()).unwrap();
    let narrow = draws(&bridge(&cells, 1e-7), Scheme::SplitStep, 5, 100);
    for place in narrow.rows() {
        let nearest = points.rows().into_iter().map(|cell| {
            let difference = &cell - &place;
            difference.dot(&difference)
        });
        assert!(nearest.fold(f64::INFINITY, f64::min) < 1e-12);
    }
    let mean = points.mean_axis(Axis(0)).unwrap();
    let wide = draws(&bridge(&cells, 1e7), Scheme::SplitStep, 5, 100);
    for place in wide.rows() {
        // m(x) − mean is about C x/ε, with noise of √ε.
        assert!((&place - &mean).iter().all(|off| off.abs() < 10.0 / 1e7_f64.sqrt()));
    }
    // Matched noise is that of the cells there, however large ε is.
    let matched = draws(&bridge(&cells, 1e7), Scheme::Matched, 2, 20_000);
    let ratio = matched.var_axis(Axis(0), 0.0) / points.var_axis(Axis(0), 0.0);
    assert!(ratio.iter().all(|ratio| (ratio - 1.0).abs() < 0.06), "{ratio}");
}

#[test]
fn stable_at_steps_at_which_small_steps_of_the_true_score_blow_up() {
    // N(0, 1) × N(0, 10⁻⁴): Euler–Maruyama of dX = (ε/2) ∇ ln p + √ε dW needs ε < 4·10⁻⁴.
    let narrow = 1e-4_f64;
    let cells = Snapshot::new(normal(400, 2, 4) * array![1.0, narrow.sqrt()]).unwrap();
    let mut stream = Seed(5).stream("test/euler", 0);
    for epsilon in [1e-3, 0.1, 10.0] {
        let mut y = narrow.sqrt();
        for _ in 0..200 {
            let noise: f64 = StandardNormal.sample(&mut stream);
            y += -0.5 * epsilon * y / narrow + epsilon.sqrt() * noise;
        }
        assert!(y.is_nan() || y.abs() > 1e10, "the step {epsilon} is too long for the true score");
        let bridge = bridge(&cells, epsilon);
        let limit = cells.points().mapv(f64::abs).fold(0.0, |a: f64, &b| a.max(b));
        for scheme in SCHEMES {
            let bound = limit + 7.0 * epsilon.sqrt();
            let found = draws(&bridge, scheme, 200, 64);
            assert!(found.iter().all(|value| value.abs() < bound), "{scheme:?} {epsilon}");
        }
    }
    // And what Euler–Maruyama cannot, for want of small enough steps: both variances are right.
    let found = draws(&bridge(&cells, 0.1), Scheme::Matched, 50, 4000);
    let ratio = found.var_axis(Axis(0), 0.0) / cells.points().var_axis(Axis(0), 0.0);
    assert!(ratio.iter().all(|ratio| (ratio - 1.0).abs() < 0.1), "{ratio}");
}

#[test]
fn given_coordinates_of_a_normal_law_draw_the_rest_from_its_conditional_law() {
    // Correlation 0.8: the second given the first is N(0.8 x, 0.36).
    let z = normal(3000, 2, 6);
    let mut points = z.clone();
    let second = &z.column(0) * 0.8 + &z.column(1) * 0.6;
    points.column_mut(1).assign(&second);
    let bridge = bridge(&Snapshot::new(points).unwrap(), 0.1);
    for x in [-1.0, 0.5] {
        let observed = Observed::columns(&[0], 2, array![[x]], 0.0).unwrap().repeated(4000);
        let sampler = Sampler { scheme: Scheme::Matched, n_steps: 60 };
        let found = sampler.sample_given(&bridge, &observed, Seed(1), &mut Silent).unwrap();
        let (mean, variance) = (found.column(1).mean().unwrap(), found.column(1).var(0.0));
        // 3 000 cells, about 300 of them near x: an error of 0.6/√300, and a step's bias of ε.
        assert!((mean - 0.8 * x).abs() < 0.1, "{mean}");
        assert!((variance - 0.36).abs() < 0.08, "{variance}");
    }
}

#[test]
fn a_likelihood_updates_a_normal_law_as_bayes_says() {
    let (c, epsilon, n) = (1.0, 0.1, 15_000);
    let bridge = bridge(&grid(c), epsilon);
    let sampler = Sampler { scheme: Scheme::Matched, n_steps: 60 };
    for (y, deviation) in [(1.2_f64, 0.05_f64), (1.2, 0.5), (-2.0, 1.0), (0.7, 20.0)] {
        let r = deviation * deviation;
        let (mean, variance) = (y * c / (c + r), c * r / (c + r));
        let observed = Observed::columns(&[0], 1, array![[y]], deviation).unwrap().repeated(n);
        let found = sampler.sample_given(&bridge, &observed, Seed(1), &mut Silent).unwrap();
        let off = (found.mean().unwrap() - mean).abs();
        // First order in ε (0.1), and five standard errors.
        assert!(off < 0.1 * mean.abs() + 5.0 * (variance / n as f64).sqrt(), "{deviation}: {off}");
        let ratio = found.var(0.0) / variance;
        assert!((ratio - 1.0).abs() < 0.12, "{deviation}: {ratio}");
        if deviation >= 0.5 {
            // The same by its gradient, in explicit steps.
            let gradient = |x: ndarray::ArrayView2<'_, f64>| x.mapv(|x| (y - x) / r);
            let split = Sampler { scheme: Scheme::SplitStep, n_steps: 60 };
            let start = Array2::zeros((n, 1));
            let given = Condition::Likelihood(&gradient);
            let found =
                split.sample_updated(&bridge, start.view(), given, Seed(2), &mut Silent).unwrap();
            assert!((found.mean().unwrap() - mean).abs() < 0.1 * mean.abs() + 0.02);
        }
    }
}
