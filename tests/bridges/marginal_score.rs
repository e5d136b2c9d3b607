//! Scores of bridges that start from cells: against other closed forms and against draws.

use std::sync::Arc;

use ndarray::{Array1, Array2, array};
use sbcell::bridge::{
    Bridge, BridgeSolver, Choice, GaussianBridge, GaussianSolver, LightSbBridge, LightSbSolver,
    OuSolver, SinkhornSolver, UnitTime,
};
use sbcell::data::Snapshot;
use sbcell::{Epsilon, Seed, Silent};

use crate::support::{at, normal, problem};

/// `−S_t⁻¹ (x − m_t)` with the moments of the closed form, whatever the cells.
#[test]
fn the_score_of_a_gaussian_bridge_is_that_of_its_gaussian_law() {
    let (mean0, mean1) = (array![1.0, -2.0], array![0.5, 3.0]);
    let (cov0, cov1) = (array![[0.8, 0.3], [0.3, 0.5]], array![[1.5, -0.4], [-0.4, 0.9]]);
    let ends = ((mean0.view(), cov0.view()), (mean1.view(), cov1.view()));
    let epsilon = Epsilon::new(0.4).unwrap();
    let gaussian =
        GaussianBridge::between(ends.0.0, ends.0.1, ends.1.0, ends.1.1, epsilon).unwrap();
    let x = normal(40, 2, 2) * 2.0;
    let source = Snapshot::new(normal(12, 2, 1) + &mean0).unwrap();
    for t in [0.0, 0.1, 0.6, 1.0] {
        let mean = &mean0 * (1.0 - t) + &mean1 * t;
        let s = match t {
            0.0 => cov0.clone(),
            1.0 => cov1.clone(),
            _ => gaussian.covariance(at(t)),
        };
        // The inverse of two by two, by hand.
        let det = s[[0, 0]] * s[[1, 1]] - s[[0, 1]] * s[[1, 0]];
        let inverse = array![[s[[1, 1]], -s[[0, 1]]], [-s[[1, 0]], s[[0, 0]]]] / det;
        let wanted = (&mean - &x).dot(&inverse);
        for score in [
            gaussian.score(x.view(), at(t)).unwrap().unwrap(),
            gaussian.score_from(&source, x.view(), at(t)).unwrap().unwrap(),
        ] {
            let off = (&score - &wanted).mapv(f64::abs);
            assert!(off.iter().all(|off| *off < 1e-9), "{t}: {off}");
        }
    }
    // A law that is flat in one direction has no density, unless noise has spread it.
    let flat = array![[1.0, 0.0], [0.0, 0.0]];
    let ends = ((mean0.view(), cov0.view()), (mean1.view(), flat.view()));
    let gaussian =
        GaussianBridge::between(ends.0.0, ends.0.1, ends.1.0, ends.1.1, epsilon).unwrap();
    assert!(gaussian.score(x.view(), at(0.9)).unwrap().is_some());
    assert!(gaussian.score(x.view(), at(1.0)).unwrap().is_none());
}

/// From one cell the law of one part is normal at every time: that of the transition.
#[test]
fn one_part_of_lightsb_from_one_cell_has_the_score_of_its_transition() {
    let (mean0, mean1) = (array![1.0, -2.0], array![0.5, 3.0]);
    let (var0, var1) = (array![0.8, 0.5], array![1.5, 0.2]);
    let epsilon = 0.4;
    let ends = ((mean0.view(), var0.view()), (mean1.view(), var1.view()));
    let bridge = LightSbBridge::from_gaussians(
        ends.0.0,
        ends.0.1,
        ends.1.0,
        ends.1.1,
        Epsilon::new(epsilon).unwrap(),
    )
    .unwrap();
    let (start, x) = (array![0.4, -1.0], normal(20, 2, 2) * 2.0);
    let source = Snapshot::new(start.clone().insert_axis(ndarray::Axis(0))).unwrap();
    for t in [0.1, 0.6, 1.0] {
        let score = bridge.score_from(&source, x.view(), at(t)).unwrap().unwrap();
        for ((i, d), found) in score.indexed_iter() {
            let root = (epsilon * epsilon + 4.0 * var0[d] * var1[d]).sqrt();
            let s = 2.0 * var1[d] / (epsilon + root);
            let end = mean1[d] + s * (start[d] - mean0[d]);
            let (mean, variance) =
                ((1.0 - t) * start[d] + t * end, epsilon * t * (1.0 - t + t * s));
            let wanted = -(x[[i, d]] - mean) / variance;
            assert!((found - wanted).abs() < 1e-9 * (1.0 + wanted.abs()), "{t}: {found} {wanted}");
        }
    }
    assert!(bridge.score_from(&source, x.view(), at(0.0)).unwrap().is_none());
}

/// From one cell in one dimension a bridge with one Gaussian is Gaussian at every time.
#[test]
fn with_a_reference_that_pulls_it_is_that_of_the_draws() {
    let problem = problem(&normal(300, 1, 1), &(normal(300, 1, 2) + 2.0), 0.5);
    let n = 200_000;
    for pull in [-1.0, 1.5] {
        let centre = Choice::Is(array![0.7]);
        let one = LightSbSolver::default().with_n_gaussians(1.into());
        let solver = OuSolver { inner: Arc::new(one), pull, centre };
        let bridge = solver.solve(&problem, Seed(1), &mut Silent).unwrap().0;
        let start = array![[0.4]];
        let source = Snapshot::new(start.clone()).unwrap();
        for t in [0.3, 1.0] {
            let from = start.broadcast((n, 1)).unwrap().to_owned();
            let draws =
                bridge.sample_transition(from.view(), UnitTime::START, at(t), Seed(3)).unwrap();
            let (mean, variance) = (draws.mean().unwrap(), draws.var(1.0));
            for x in [-1.0, 0.5, 3.0] {
                let found = bridge.score_from(&source, array![[x]].view(), at(t)).unwrap();
                let (found, wanted) = (found.unwrap()[[0, 0]], -(x - mean) / variance);
                // Five standard errors of a variance and of a mean.
                let error = 5.0 * (2.0 / n as f64).sqrt() * wanted.abs()
                    + 5.0 / (variance * n as f64).sqrt();
                assert!((found - wanted).abs() < error, "{pull} {t}: {found} {wanted}");
            }
        }
    }
}

/// `E[s(X)] = 0` and `E[s(X) Xᵀ] = −I` for any law that falls off (Stein's identity).
#[test]
fn draws_of_the_population_obey_steins_identity() {
    let wave = |n: usize, f: f64| {
        Array2::from_shape_fn((n, 2), |(i, d)| (f * (1 + 2 * i + d) as f64).sin() * 1.5)
    };
    let problem = problem(&wave(30, 1.3), &(wave(40, 0.7) + 1.0), 0.5);
    let solvers: [Box<dyn BridgeSolver>; 3] = [
        Box::new(LightSbSolver::default()),
        Box::new(SinkhornSolver::default()),
        Box::new(GaussianSolver::default()),
    ];
    let n = 40_000;
    for solver in solvers {
        let bridge = solver.solve(&problem, Seed(1), &mut Silent).unwrap().0;
        let source = problem.source();
        let x = bridge.population(source, at(0.6), n, Seed(2)).unwrap();
        let score = bridge.score_from(source, x.view(), at(0.6)).unwrap().unwrap();
        let size = score.mapv(|s| s * s).sum_axis(ndarray::Axis(0)).mapv(f64::sqrt) / n as f64;
        let mean: Array1<f64> = score.mean_axis(ndarray::Axis(0)).unwrap();
        // Five standard errors; the entries of the product are about three times as wide.
        assert!(mean.iter().zip(&size).all(|(m, s)| m.abs() < 5.0 * s), "{solver:?} {mean}");
        let product = score.t().dot(&x) / n as f64;
        for ((a, b), value) in product.indexed_iter() {
            let wanted = if a == b { -1.0 } else { 0.0 };
            assert!((value - wanted).abs() < 15.0 * size[a], "{solver:?} {product}");
        }
    }
}
