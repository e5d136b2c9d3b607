//! Bridges of a given plan against sums written out, and exact transport through the solver.

use ndarray::{Array1, Array2, ArrayView1, Axis, array};
use sbcell::bridge::{
    Bridge, BridgeSolver, Coupling, Motion, OtSolver, PlanBridge, UnitTime, euler_maruyama,
};
use sbcell::data::Snapshot;
use sbcell::geometry::{CostChoice, CostKind};
use sbcell::{Epsilon, Error, Seed, Silent};

use crate::support::{at, normal, problem, snapshot};

/// Four cells to three, far from the origin.
fn example(motion: Motion) -> (PlanBridge, Array2<f64>, Array2<f64>) {
    let (source, target) = (normal(4, 2, 1) + 30.0, normal(3, 2, 2) + 32.0);
    let pairs = [(0, 0, 0.2), (0, 2, 0.1), (1, 1, 0.3), (2, 2, 0.15), (3, 0, 0.25)];
    let coupling = Coupling::new(4, 3, pairs).unwrap();
    let epsilon = Epsilon::new(0.7).unwrap();
    let ends = (snapshot(&source), snapshot(&target));
    let bridge = PlanBridge::new(&ends.0, &ends.1, &coupling, epsilon, motion).unwrap();
    (bridge, source, target)
}

/// `Σ w_p y_j` with the mixture written out.
fn expected_end(
    bridge: &PlanBridge,
    ends: (&Array2<f64>, &Array2<f64>),
    x: ArrayView1<'_, f64>,
    t: f64,
) -> Array1<f64> {
    let variance = 0.7 * t * (1.0 - t);
    let log = |(i, j, mass): (usize, usize, f64)| {
        let place = &ends.0.row(i) * (1.0 - t) + &ends.1.row(j) * t;
        mass.ln() - 0.5 * (&x - &place).mapv(|d| d * d).sum() / variance
    };
    let largest = bridge.pairs().map(log).fold(f64::NEG_INFINITY, f64::max);
    let (mut total, mut sum) = (0.0, Array1::zeros(2));
    for pair in bridge.pairs() {
        let weight = (log(pair) - largest).exp();
        total += weight;
        sum.scaled_add(weight, &ends.1.row(pair.1));
    }
    sum / total
}

#[test]
fn the_brownian_drift_is_that_of_the_mixture_written_out() {
    let (bridge, source, target) = example(Motion::Brownian);
    let x = normal(150, 2, 3) + 31.0;
    for t in [0.02, 0.3, 0.8, 0.99] {
        let drift = bridge.drift(x.view(), at(t)).unwrap();
        for (drift, x) in drift.rows().into_iter().zip(x.rows()) {
            let end = expected_end(&bridge, (&source, &target), x, t);
            let expected = (&end - &x) / (1.0 - t);
            // Exponents of up to 1e3 to 1e-16 each, times the few units between the ends.
            let off = (&drift - &expected).mapv(f64::abs).sum() * (1.0 - t);
            assert!(off < 1e-10, "{t}: {drift} {expected}");
        }
    }
}

#[test]
fn at_the_start_the_pairs_are_those_of_the_nearest_cell() {
    let (bridge, source, target) = example(Motion::Brownian);
    let drift = bridge.drift(source.view(), UnitTime::START).unwrap();
    let end = (&target.row(0) * 0.2 + &target.row(2) * 0.1) / 0.3;
    assert!((&drift.row(0) - &(end - source.row(0))).iter().all(|off| off.abs() < 1e-12));
    // Beside a cell the weights are tilted; drift and Jacobian are the limits from t > 0, where
    // the rest is O(t) and rounding 1e-14/t.
    let near = &source + 0.05;
    let drift = bridge.drift(near.view(), UnitTime::START).unwrap();
    let almost = bridge.drift(near.view(), at(1e-7)).unwrap();
    assert!((&almost - &drift).iter().all(|off| off.abs() < 1e-5), "{almost} {drift}");
    let jacobian = bridge.mean_jacobian(near.view(), UnitTime::START).unwrap();
    let almost = bridge.mean_jacobian(near.view(), at(1e-4)).unwrap();
    assert!((&almost - &jacobian).iter().all(|off| off.abs() < 1e-2), "{almost} {jacobian}");
}

#[test]
fn many_small_steps_of_the_drift_have_the_law_of_the_pairs() {
    let (bridge, source, target) = example(Motion::Brownian);
    let n = 40_000;
    let shares = [0.3, 0.3, 0.15, 0.25];
    let rows: Vec<usize> = (0..n)
        .map(|k| {
            let place = k as f64 / n as f64;
            usize::from(place >= 0.3) + usize::from(place >= 0.6) + usize::from(place >= 0.75)
        })
        .collect();
    assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-12);
    let x = source.select(Axis(0), &rows);
    let t = 0.6;
    let stepped = euler_maruyama(&bridge, x.view(), UnitTime::START, at(t), 300, Seed(1)).unwrap();
    let drawn = bridge.sample_transition(x.view(), UnitTime::START, at(t), Seed(2)).unwrap();
    let onward = bridge.sample_transition(drawn.view(), at(t), at(0.9), Seed(3)).unwrap();
    for (t, found) in [(t, stepped), (t, drawn), (0.9, onward)] {
        let (mut mean, mut square) = (Array1::<f64>::zeros(2), Array1::<f64>::zeros(2));
        for (i, j, mass) in bridge.pairs() {
            let place = &source.row(i) * (1.0 - t) + &target.row(j) * t;
            mean.scaled_add(mass, &place);
            square.scaled_add(mass, &(&place * &place + 0.7 * t * (1.0 - t)));
        }
        let variance = &square - &(&mean * &mean);
        for d in 0..2 {
            let column = found.column(d);
            // Five standard errors, and the O(1/300) of the steps.
            let error = 5.0 * (variance[d] / n as f64).sqrt() + 2e-3;
            assert!((column.mean().unwrap() - mean[d]).abs() < error, "mean at {t}");
            let error = variance[d] * (5.0 * (2.0 / n as f64).sqrt() + 0.02);
            assert!((column.var(0.0) - variance[d]).abs() < error, "variance at {t}");
        }
    }
}

/// The entropic plan of half the squared distance by plain iterations, and `g_j/ε + ln q_j`.
fn entropic(x: &Array2<f64>, y: &Array2<f64>, epsilon: f64) -> (Array2<f64>, Array1<f64>) {
    let (n, m) = (x.nrows(), y.nrows());
    let kernel = Array2::from_shape_fn((n, m), |(i, j)| {
        (-0.5 * (&x.row(i) - &y.row(j)).mapv(|d| d * d).sum() / epsilon).exp()
    });
    let (mut u, mut v) = (Array1::<f64>::ones(n), Array1::<f64>::ones(m));
    for _ in 0..2000 {
        u = 1.0 / n as f64 / kernel.dot(&v);
        v = 1.0 / m as f64 / kernel.t().dot(&u);
    }
    let plan = Array2::from_shape_fn((n, m), |(i, j)| u[i] * kernel[[i, j]] * v[j]);
    (plan, v.mapv(f64::ln))
}

#[test]
fn with_the_entropic_plan_it_is_the_schroedinger_bridge() {
    let (x, y) = (normal(12, 2, 4), normal(15, 2, 5) * 0.8 + 0.5);
    let epsilon = 0.6;
    let (plan, log_v) = entropic(&x, &y, epsilon);
    let pairs = plan.indexed_iter().map(|((i, j), mass)| (i, j, *mass));
    let coupling = Coupling::new(12, 15, pairs).unwrap();
    let ends = (snapshot(&x), snapshot(&y));
    let bridge = PlanBridge::new(
        &ends.0,
        &ends.1,
        &coupling,
        Epsilon::new(epsilon).unwrap(),
        Motion::Brownian,
    )
    .unwrap();
    let places = normal(40, 2, 6);
    for t in [0.1, 0.5, 0.9] {
        let drift = bridge.drift(places.view(), at(t)).unwrap();
        for (drift, x) in drift.rows().into_iter().zip(places.rows()) {
            // Pooladian and Niles-Weed 2024: weights of the target's potential alone.
            let logs: Array1<f64> = log_v
                .iter()
                .zip(y.rows())
                .map(|(log, y)| log - 0.5 * (&x - &y).mapv(|d| d * d).sum() / (epsilon * (1.0 - t)))
                .collect();
            let largest = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let weights = logs.mapv(|log| (log - largest).exp());
            let end = weights.dot(&y) / weights.sum();
            let expected = (end - x) / (1.0 - t);
            // The plain iterations stop at rounding; exponents are below a hundred.
            assert!((&drift - &expected).iter().all(|off| off.abs() < 1e-9), "{t}");
        }
    }
}

#[test]
fn straight_lines_keep_their_velocity_and_end_in_the_target() {
    let (bridge, source, target) = example(Motion::Straight);
    assert!(bridge.noise_variance() < 1e-300 && (bridge.epsilon().value() - 0.7).abs() < 1e-15);
    for (i, j, _) in bridge.pairs().filter(|pair| pair.0 != 0) {
        for t in [0.25, 0.5, 0.9] {
            let place = &source.row(i) * (1.0 - t) + &target.row(j) * t;
            let place = place.insert_axis(Axis(0));
            let velocity = &target.row(j) - &source.row(i);
            let drift = bridge.drift(place.view(), at(t)).unwrap();
            assert!((&drift.row(0) - &velocity).iter().all(|off| off.abs() < 1e-12));
            let end =
                bridge.sample_transition(place.view(), at(t), UnitTime::END, Seed(1)).unwrap();
            assert!((&end.row(0) - &target.row(j)).iter().all(|off| off.abs() < 1e-12));
            assert!(
                bridge.mean_jacobian(place.view(), at(t)).unwrap().iter().all(|v| v.abs() < 1e-300)
            );
        }
    }
    // The cell with two partners goes to each by its mass; its drift is their mean.
    let n = 30_000;
    let cells = source.select(Axis(0), &vec![0; n]);
    let ends = bridge.sample_transition(cells.view(), UnitTime::START, UnitTime::END, Seed(2));
    let ends = ends.unwrap();
    let first =
        ends.rows().into_iter().filter(|end| (end[0] - target[[0, 0]]).abs() < 1e-9).count();
    // Five standard errors of a share of two thirds.
    assert!((first as f64 / n as f64 - 2.0 / 3.0).abs() < 5.0 * (2.0 / 9.0 / n as f64).sqrt());
    let drift = bridge.drift(source.view(), UnitTime::START).unwrap();
    let mean = (&target.row(0) * 0.2 + &target.row(2) * 0.1) / 0.3 - source.row(0);
    assert!((&drift.row(0) - &mean).iter().all(|off| off.abs() < 1e-12));
}

#[test]
fn a_plan_must_be_between_the_cells_there_are() {
    let (bridge, source, target) = example(Motion::Brownian);
    let coupling = Coupling::new(4, 3, bridge.pairs()).unwrap();
    let epsilon = Epsilon::new(0.7).unwrap();
    let wrong = [
        (snapshot(&target), snapshot(&target)),
        (snapshot(&source), Snapshot::new(Array2::zeros((3, 5))).unwrap()),
    ];
    for (x, y) in &wrong {
        let bridge = PlanBridge::new(x, y, &coupling, epsilon, Motion::Brownian);
        assert!(matches!(bridge, Err(Error::Shape { .. })));
        assert!(example(Motion::Straight).0.record().restore(x, y).is_err());
    }
}

fn solve(x: &Array2<f64>, y: &Array2<f64>, solver: &OtSolver) -> (Box<dyn Bridge>, f64) {
    let (bridge, report) = solver.solve(&problem(x, y, 0.1), Seed(0), &mut Silent).unwrap();
    (bridge, report.objective)
}

#[test]
fn exact_transport_of_a_moved_cloud_moves_it() {
    let x = normal(60, 3, 7);
    let step = array![0.3, -1.0, 2.0];
    let (bridge, cost) = solve(&x, &(&x + &step), &OtSolver::default());
    assert!((cost - 0.5 * step.dot(&step)).abs() < 1e-12);
    let half = bridge.sample_transition(x.view(), UnitTime::START, at(0.5), Seed(0)).unwrap();
    assert!((&half - &(&x + &(&step * 0.5))).iter().all(|off| off.abs() < 1e-12));
    let drift = bridge.drift(half.view(), at(0.5)).unwrap();
    assert!(drift.rows().into_iter().all(|row| (&row - &step).iter().all(|d| d.abs() < 1e-12)));
}

#[test]
fn on_a_ring_the_geodesic_plan_goes_around() {
    // An open ring: a dense arc from 0° to 300°. Ten cells at its beginning go to ten at its end;
    // the straight cost pairs them across the gap, the paths in the order along the arc.
    let ring = |from: f64, to: f64, n: usize| {
        Array2::from_shape_fn((n, 2), |(i, d)| {
            let angle = (from + (to - from) * i as f64 / (n - 1) as f64).to_radians();
            if d == 0 { angle.cos() } else { angle.sin() }
        })
    };
    let (x, y) = (ring(0.0, 150.0, 60), ring(150.0, 300.0, 60));
    let order = |kind| {
        let cost = CostChoice { kind, n_neighbours: 4, ..CostChoice::default() };
        let (bridge, _) = solve(&x, &y, &OtSolver::default().with_cost(cost));
        let end = bridge.sample_transition(x.view(), UnitTime::START, UnitTime::END, Seed(0));
        let end = end.unwrap();
        let angle = |row: ArrayView1<'_, f64>| row[1].atan2(row[0]).to_degrees().rem_euclid(360.0);
        end.rows().into_iter().map(angle).collect::<Vec<f64>>()
    };
    // In one dimension the plan for a convex cost keeps the order.
    let around = order(CostKind::GeodesicPath);
    assert!(around.windows(2).all(|pair| pair[0] < pair[1] + 1e-9), "{around:?}");
    let across = order(CostKind::Euclidean);
    assert!(across[0] > 200.0, "{across:?}");
}

#[test]
fn too_many_pairs_are_refused_with_a_way_out() {
    let x = Array2::zeros((20_001, 1));
    let error = OtSolver::default().solve(&problem(&x, &x, 0.1), Seed(0), &mut Silent).unwrap_err();
    assert!(error.to_string().contains("`solver = sinkhorn`"), "{error}");
}
