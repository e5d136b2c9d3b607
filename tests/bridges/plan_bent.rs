//! Bridges of a plan whose curves are bent, against the mixture of curves written out.

use ndarray::{Array1, Array2, ArrayView1, Axis, array, concatenate};
use sbcell::bridge::{
    Attraction, Bend, Bridge, Coupling, Motion, PlanBridge, UnitTime, euler_maruyama,
};
use sbcell::data::Snapshot;
use sbcell::{Epsilon, Seed};

use crate::support::{at, normal, snapshot};

const EPSILON: f64 = 0.7;

struct Example {
    bridge: PlanBridge,
    source: Array2<f64>,
    target: Array2<f64>,
    bend: Bend,
}

/// Four cells to three, far from the origin, on curves that turn by as much as they go.
fn example(motion: Motion) -> Example {
    let (source, target) = (normal(4, 2, 1) + 30.0, normal(3, 2, 2) + 32.0);
    let bend = Bend { source: normal(4, 2, 3) * 3.0, target: normal(3, 2, 4) * 3.0 };
    let pairs = [(0, 0, 0.2), (0, 2, 0.1), (1, 1, 0.3), (2, 2, 0.15), (3, 0, 0.25)];
    let coupling = Coupling::new(4, 3, pairs).unwrap();
    let epsilon = Epsilon::new(EPSILON).unwrap();
    let ends = [&source, &target].map(snapshot);
    let bridge = PlanBridge::new(&ends[0], &ends[1], &coupling, epsilon, motion).unwrap();
    Example { bridge: bridge.bent(bend.clone()).unwrap(), source, target, bend }
}

impl Example {
    /// The cubic with the velocities `y − x + a` at the start and `y − x + b` at the end, in the
    /// Hermite basis.
    fn curve(&self, (i, j): (usize, usize), t: f64) -> Array1<f64> {
        let (x, y) = (self.source.row(i), self.target.row(j));
        let straight = &y - &x;
        let leave = &straight + &self.bend.source.row(i);
        let reach = &straight + &self.bend.target.row(j);
        let (t2, t3) = (t * t, t * t * t);
        &x * (2.0 * t3 - 3.0 * t2 + 1.0)
            + leave * (t3 - 2.0 * t2 + t)
            + &y * (3.0 * t2 - 2.0 * t3)
            + reach * (t3 - t2)
    }

    /// The drift with the mixture of Brownian bridges around the curves written out, velocities by
    /// central differences.
    fn drift(&self, x: ArrayView1<'_, f64>, t: f64) -> Array1<f64> {
        let variance = EPSILON * t * (1.0 - t);
        let log = |(i, j, mass): (usize, usize, f64)| {
            mass.ln() - 0.5 * (&x - &self.curve((i, j), t)).mapv(|d| d * d).sum() / variance
        };
        let largest = self.bridge.pairs().map(log).fold(f64::NEG_INFINITY, f64::max);
        let (mut total, mut sum) = (0.0, Array1::zeros(2));
        for (i, j, mass) in self.bridge.pairs() {
            let weight = (log((i, j, mass)) - largest).exp();
            let h = 1e-5;
            let velocity = (self.curve((i, j), t + h) - self.curve((i, j), t - h)) / (2.0 * h);
            let pull = (self.curve((i, j), t) - x) / (1.0 - t);
            total += weight;
            sum.scaled_add(weight, &(velocity + pull));
        }
        sum / total
    }
}

#[test]
fn the_drift_is_that_of_the_mixture_of_curves_written_out() {
    let example = example(Motion::Brownian);
    let x = normal(100, 2, 5) + 31.0;
    for t in [0.05, 0.3, 0.5, 0.8, 0.98] {
        let drift = example.bridge.drift(x.view(), at(t)).unwrap();
        for (drift, x) in drift.rows().into_iter().zip(x.rows()) {
            let off = (&drift - &example.drift(x, t)).mapv(f64::abs).sum() * (1.0 - t);
            assert!(off < 1e-7, "{t}: {drift} {}", example.drift(x, t));
        }
    }
}

#[test]
fn the_jacobian_is_the_derivative_of_the_drift() {
    let bridge = example(Motion::Brownian).bridge;
    let x = normal(20, 2, 6) + 31.0;
    for t in [0.1, 0.5, 0.9] {
        let jacobian = bridge.mean_jacobian(x.view(), at(t)).unwrap();
        for d in 0..2 {
            let h = 1e-5;
            let moved = |by: f64| {
                let mut x = x.clone();
                x.column_mut(d).mapv_inplace(|value| value + by);
                bridge.drift(x.view(), at(t)).unwrap()
            };
            let slope = (moved(h) - moved(-h)).mean_axis(Axis(0)).unwrap() / (2.0 * h);
            let off = (&jacobian.column(d) - &slope).mapv(f64::abs).sum();
            assert!(off < 1e-5 * (1.0 + slope.mapv(f64::abs).sum()), "{t}: {jacobian} {slope}");
        }
    }
}

#[test]
fn small_steps_and_exact_draws_have_the_law_of_the_curves() {
    let example = example(Motion::Brownian);
    let n = 40_000;
    let rows: Vec<usize> = (0..n)
        .map(|k| {
            let place = k as f64 / n as f64;
            usize::from(place >= 0.3) + usize::from(place >= 0.6) + usize::from(place >= 0.75)
        })
        .collect();
    let x = example.source.select(Axis(0), &rows);
    let (bridge, t) = (&example.bridge, 0.6);
    let start = UnitTime::START;
    let stepped = euler_maruyama(bridge, x.view(), start, at(t), 400, Seed(1)).unwrap();
    let drawn = bridge.sample_transition(x.view(), start, at(t), Seed(2)).unwrap();
    let onward = bridge.sample_transition(drawn.view(), at(t), at(0.9), Seed(3)).unwrap();
    for (t, found) in [(t, stepped), (t, drawn), (0.9, onward)] {
        let (mut mean, mut square) = (Array1::<f64>::zeros(2), Array1::<f64>::zeros(2));
        for (i, j, mass) in bridge.pairs() {
            let place = example.curve((i, j), t);
            mean.scaled_add(mass, &place);
            square.scaled_add(mass, &(&place * &place + EPSILON * t * (1.0 - t)));
        }
        let variance = &square - &(&mean * &mean);
        for d in 0..2 {
            let column = found.column(d);
            // Five standard errors, and the O(1/400) of the steps.
            let error = 5.0 * (variance[d] / n as f64).sqrt() + 8e-3;
            assert!((column.mean().unwrap() - mean[d]).abs() < error, "mean at {t}");
            let error = variance[d] * (5.0 * (2.0 / n as f64).sqrt() + 0.02);
            assert!((column.var(0.0) - variance[d]).abs() < error, "variance at {t}");
        }
    }
}

#[test]
fn without_noise_cells_follow_their_curve() {
    let example = example(Motion::Straight);
    let bridge = &example.bridge;
    // Cell 1 has one partner.
    let x = example.source.select(Axis(0), &[1]);
    for t in [0.2, 0.7, 1.0] {
        let there = bridge.sample_transition(x.view(), UnitTime::START, at(t), Seed(0)).unwrap();
        let off = (&there.row(0) - &example.curve((1, 1), t)).mapv(f64::abs).sum();
        assert!(off < 1e-12, "{t}: {there}");
    }
    let here = example.curve((1, 1), 0.4).insert_axis(Axis(0));
    let h = 1e-6;
    let velocity = (example.curve((1, 1), 0.4 + h) - example.curve((1, 1), 0.4 - h)) / (2.0 * h);
    let drift = bridge.drift(here.view(), at(0.4)).unwrap();
    assert!((&drift.row(0) - &velocity).iter().all(|off| off.abs() < 1e-7));
}

/// Noise with a covariance: in the coordinates that make it the same in every direction, the bridge
/// is one with ε = 1; drift, Jacobian and draws are those of that bridge, brought back.
#[test]
fn noise_with_a_covariance_is_even_noise_in_other_coordinates() {
    let Example { bridge, source, target, bend } = example(Motion::Brownian);
    let covariance = array![[0.9, 0.4], [0.4, 0.5]];
    let shaped = bridge.clone().noisy(covariance.clone()).unwrap();
    // Lower Cholesky factor of the covariance, and its inverse, by hand.
    let a = 0.9_f64.sqrt();
    let c = (0.5 - 0.16 / 0.9_f64).sqrt();
    let factor = array![[a, 0.0], [0.4 / a, c]];
    let inverse = array![[1.0 / a, 0.0], [-0.4 / (a * a * c), 1.0 / c]];
    let to = |points: &Array2<f64>| points.dot(&inverse.t());
    let ends = [&source, &target].map(|points| Snapshot::new(to(points)).unwrap());
    let coupling = Coupling::new(4, 3, bridge.pairs()).unwrap();
    let one = Epsilon::new(1.0).unwrap();
    let even = PlanBridge::new(&ends[0], &ends[1], &coupling, one, Motion::Brownian)
        .unwrap()
        .bent(Bend { source: to(&bend.source), target: to(&bend.target) })
        .unwrap();
    let x = normal(40, 2, 8) + 31.0;
    for t in [0.0, 0.3, 0.7] {
        let found = shaped.drift(x.view(), at(t)).unwrap();
        let expected = even.drift(to(&x).view(), at(t)).unwrap().dot(&factor.t());
        assert!((&found - &expected).iter().all(|off| off.abs() < 1e-8), "{t}");
        let found = shaped.mean_jacobian(x.view(), at(t)).unwrap();
        let expected = even.mean_jacobian(to(&x).view(), at(t)).unwrap();
        let expected = factor.dot(&expected).dot(&inverse);
        assert!((&found - &expected).iter().all(|off| off.abs() < 1e-7), "{t}");
    }
    let n = 20_000;
    let many = source.select(Axis(0), &vec![1; n]);
    let (start, t) = (UnitTime::START, 0.4);
    let drawn = shaped.sample_transition(many.view(), start, at(t), Seed(2)).unwrap();
    // Cell 1 has one partner: a Gaussian around its curve.
    let off = &drawn - &drawn.mean_axis(Axis(0)).unwrap();
    let spread = off.t().dot(&off) / n as f64;
    let expected = &covariance * (t * (1.0 - t));
    assert!((&spread - &expected).iter().all(|off| off.abs() < 0.012), "{spread} {expected}");
    // The same normal numbers in both coordinates.
    let stepped = |bridge: &PlanBridge, x: &Array2<f64>| {
        euler_maruyama(bridge, x.view(), start, at(t), 50, Seed(1)).unwrap()
    };
    let expected = stepped(&even, &to(&source)).dot(&factor.t());
    assert!((stepped(&shaped, &source) - expected).iter().all(|off| off.abs() < 1e-8));
    let again =
        shaped.record().restore(&Snapshot::new(source).unwrap(), &Snapshot::new(target).unwrap());
    let drift = |bridge: &dyn Bridge| bridge.drift(x.view(), at(0.4)).unwrap();
    assert_eq!(drift(&*again.unwrap()), drift(&shaped));
    assert!((shaped.noise_variance() - 0.7).abs() < 1e-12);
    assert!(bridge.clone().noisy(array![[1.0, 2.0], [2.0, 1.0]]).is_err());
    assert!(bridge.noisy(array![[1.0]]).is_err());
}

/// Curves drawn to the data: drift and Jacobian against the mixture written out, with places from
/// a kernel mean written out and velocities by central differences.
#[test]
fn curves_drawn_to_the_data_are_still_a_process_with_its_drift() {
    let example = example(Motion::Brownian);
    let how = Attraction { strength: 0.6, width: 0.8 };
    let bridge = example.bridge.clone().attracted(how).unwrap();
    let cells = concatenate![Axis(0), example.source, example.target];
    let place = |pair: (usize, usize), t: f64| {
        let curve = example.curve(pair, t);
        let (mut total, mut mean) = (0.0, Array1::<f64>::zeros(2));
        for cell in cells.rows() {
            let weight = (-0.5 * (&cell - &curve).mapv(|d| d * d).sum() / 0.64).exp();
            total += weight;
            mean.scaled_add(weight, &cell);
        }
        &curve + &((mean / total - &curve) * (4.0 * 0.6 * t * (1.0 - t)))
    };
    let expected = |x: ArrayView1<'_, f64>, t: f64| {
        let log = |(i, j, mass): (usize, usize, f64)| {
            let off = (&x - &place((i, j), t)).mapv(|d| d * d).sum();
            mass.ln() - 0.5 * off / (EPSILON * t * (1.0 - t))
        };
        let largest = bridge.pairs().map(log).fold(f64::NEG_INFINITY, f64::max);
        let (mut total, mut sum) = (0.0, Array1::<f64>::zeros(2));
        for (i, j, mass) in bridge.pairs() {
            let weight = (log((i, j, mass)) - largest).exp();
            let h = 1e-5;
            let velocity = (place((i, j), t + h) - place((i, j), t - h)) / (2.0 * h);
            let pull = (place((i, j), t) - x) / (1.0 - t);
            total += weight;
            sum.scaled_add(weight, &(velocity + pull));
        }
        sum / total
    };
    let x = normal(60, 2, 9) + 31.0;
    for t in [0.1, 0.5, 0.9] {
        let drift = bridge.drift(x.view(), at(t)).unwrap();
        for (drift, x) in drift.rows().into_iter().zip(x.rows()) {
            let off = (&drift - &expected(x, t)).mapv(f64::abs).sum() * (1.0 - t);
            assert!(off < 1e-6, "{t}: {drift} {}", expected(x, t));
        }
        let jacobian = bridge.mean_jacobian(x.view(), at(t)).unwrap();
        for d in 0..2 {
            let h = 1e-5;
            let moved = |by: f64| {
                let mut x = x.clone();
                x.column_mut(d).mapv_inplace(|value| value + by);
                bridge.drift(x.view(), at(t)).unwrap()
            };
            let slope = (moved(h) - moved(-h)).mean_axis(Axis(0)).unwrap() / (2.0 * h);
            let off = (&jacobian.column(d) - &slope).mapv(f64::abs).sum();
            assert!(off < 1e-5 * (1.0 + slope.mapv(f64::abs).sum()), "{t}: {jacobian} {slope}");
        }
    }
    // Ends stay, and the cell with one partner is where it should be on the way.
    let still = example.bridge.clone().attracted(Attraction { strength: 0.0, width: 1.0 }).unwrap();
    let draws = |bridge: &dyn Bridge, t: f64| {
        let x = example.source.view();
        bridge.sample_transition(x, UnitTime::START, at(t), Seed(1)).unwrap()
    };
    assert_eq!(draws(&bridge, 1.0), draws(&example.bridge, 1.0));
    let off = draws(&still, 0.5) - draws(&example.bridge, 0.5);
    assert!(off.iter().all(|off| off.abs() < 1e-12));
    let ends = [&example.source, &example.target];
    let ends = ends.map(snapshot);
    let again = bridge.record().restore(&ends[0], &ends[1]).unwrap();
    assert_eq!(draws(&bridge, 0.5), draws(&*again, 0.5));
}

#[test]
fn no_bend_is_the_straight_bridge_and_records_keep_bends() {
    let Example { bridge, source, target, bend } = example(Motion::Brownian);
    let ends = [&source, &target].map(snapshot);
    let again = bridge.record().restore(&ends[0], &ends[1]).unwrap();
    let x = normal(30, 2, 7) + 31.0;
    let drift = |bridge: &dyn Bridge| bridge.drift(x.view(), at(0.4)).unwrap();
    assert_eq!(drift(&bridge), drift(&*again));
    let flat = Bend { source: &bend.source * 0.0, target: &bend.target * 0.0 };
    let unbent = bridge.clone().bent(flat).unwrap();
    let coupling = Coupling::new(4, 3, bridge.pairs()).unwrap();
    let epsilon = Epsilon::new(EPSILON).unwrap();
    let straight =
        PlanBridge::new(&ends[0], &ends[1], &coupling, epsilon, Motion::Brownian).unwrap();
    assert_eq!(drift(&unbent), drift(&straight));
    assert_ne!(drift(&bridge), drift(&straight));
    let narrow = Bend { source: Array2::zeros((4, 1)), target: bend.target.clone() };
    assert!(bridge.clone().bent(narrow).is_err());
    let bad = Bend { source: bend.source * f64::NAN, target: bend.target };
    assert!(bridge.bent(bad).is_err());
}
