//! Cells that follow their own end of a pair and change ends, against their curves written out.

use ndarray::{Array1, Array2, Axis, array};
use sbcell::bridge::{Bridge, Coupling, Ends, EndsBridge, UnitTime};
use sbcell::{Epsilon, Error, Seed};

use crate::support::{at, snapshot};

/// Two cells to three, far from each other; cell 0 has two partners, 3 to 1.
struct Example {
    bridge: EndsBridge,
    source: Array2<f64>,
    target: Array2<f64>,
    forward: Array2<f64>,
    backward: Array2<f64>,
}

fn example(ends: Ends) -> Example {
    let (source, target) =
        (array![[0.0, 0.0], [50.0, 0.0]], array![[10.0, 1.0], [0.0, 20.0], [60.0, 5.0]]);
    let forward = array![[4.0, 1.0], [3.0, -2.0]];
    let backward = array![[2.0, 2.0], [-1.0, 5.0], [1.0, 1.0]];
    let coupling = Coupling::new(2, 3, [(0, 0, 0.375), (0, 1, 0.125), (1, 2, 0.5)]).unwrap();
    let epsilon = Epsilon::new(0.3).unwrap();
    let (x, y, d, e) = (snapshot(&source), snapshot(&target), forward.clone(), backward.clone());
    let bridge = EndsBridge::new(&x, &y, coupling, d, e, ends, epsilon);
    Example { bridge: bridge.unwrap(), source, target, forward, backward }
}

impl Example {
    /// Source curves, then target curves.
    fn curve(&self, curve: usize, t: f64) -> Array1<f64> {
        match curve.checked_sub(2) {
            None => &self.source.row(curve) + &(&self.forward.row(curve) * t),
            Some(j) => &self.target.row(j) - &(&self.backward.row(j) * (1.0 - t)),
        }
    }

    /// Which curve each row is on.
    fn on(&self, cells: &Array2<f64>, t: f64) -> Vec<usize> {
        let near =
            |row: &Array1<f64>, curve| (row - &self.curve(curve, t)).mapv(f64::abs).sum() < 1e-9;
        let rows = cells.rows().into_iter().map(|row| row.to_owned());
        rows.map(|row| (0..5).find(|&curve| near(&row, curve)).expect("on a curve")).collect()
    }
}

#[test]
fn cells_are_on_their_own_curve_until_they_change_to_their_partners() {
    let example = example(Ends::Switched);
    let n = 8000;
    let x = example.source.select(Axis(0), &vec![0; n]);
    let (start, t) = (UnitTime::START, 0.3);
    let once = example.bridge.sample_transition(x.view(), start, at(t), Seed(1)).unwrap();
    let half = example.bridge.sample_transition(x.view(), start, at(0.15), Seed(2)).unwrap();
    let twice = example.bridge.sample_transition(half.view(), at(0.15), at(t), Seed(3)).unwrap();
    for found in [once, twice] {
        let on = example.on(&found, t);
        let share = |curve| on.iter().filter(|&&c| c == curve).count() as f64 / n as f64;
        // Five standard errors of a share are below 0.03.
        for (curve, expected) in [(0, 0.7), (2, 0.3 * 0.75), (3, 0.3 * 0.25), (1, 0.0), (4, 0.0)] {
            assert!((share(curve) - expected).abs() < 0.03, "{curve}: {}", share(curve));
        }
    }
    let there = example.bridge.sample_transition(x.view(), start, UnitTime::END, Seed(4)).unwrap();
    assert!(example.on(&there, 1.0).iter().all(|&curve| curve == 2 || curve == 3));
}

#[test]
fn who_does_not_change_ends_follows_the_displacement_to_the_end() {
    let example = example(Ends::Own);
    for t in [0.4, 1.0] {
        let x = example.source.view();
        let there = example.bridge.sample_transition(x, UnitTime::START, at(t), Seed(1)).unwrap();
        assert_eq!(example.on(&there, t), [0, 1]);
    }
}

#[test]
fn the_drift_is_the_velocity_of_the_nearest_curve() {
    let example = example(Ends::Switched);
    for t in [0.2, 0.9] {
        for curve in 0..5 {
            let x = (example.curve(curve, t) + 0.01).insert_axis(Axis(0));
            let velocity = match curve.checked_sub(2) {
                None => example.forward.row(curve),
                Some(j) => example.backward.row(j),
            };
            let drift = example.bridge.drift(x.view(), at(t)).unwrap();
            assert!((&drift.row(0) - &velocity).iter().all(|off| off.abs() < 1e-12));
        }
    }
    // At the start no cell has changed ends.
    let x = (example.curve(2, 0.0) + 0.01).insert_axis(Axis(0));
    let drift = example.bridge.drift(x.view(), UnitTime::START).unwrap();
    assert!((&drift.row(0) - &example.forward.row(0)).iter().all(|off| off.abs() < 1e-12));
    assert!(example.bridge.noise_variance() < f64::MIN_POSITIVE);
}

#[test]
fn records_keep_everything_and_arrays_must_fit() {
    for ends in [Ends::Own, Ends::Switched] {
        let Example { bridge, source, target, forward, backward } = example(ends);
        let bridge = bridge.relaxed();
        let text = serde_json::to_string(&bridge.record()).unwrap();
        let record: sbcell::bridge::BridgeRecord = serde_json::from_str(&text).unwrap();
        let again = record.restore(&snapshot(&source), &snapshot(&target)).unwrap();
        let draws = |bridge: &dyn Bridge| {
            bridge.sample_transition(source.view(), UnitTime::START, at(0.5), Seed(7)).unwrap()
        };
        assert_eq!(draws(&bridge), draws(&*again));
        assert_eq!(again.plan_marginal().unwrap().to_vec(), [0.5, 0.5]);
        let coupling = Coupling::new(2, 3, [(0, 0, 0.5), (1, 2, 0.5)]).unwrap();
        let epsilon = Epsilon::new(0.3).unwrap();
        let (x, y) = (&snapshot(&source), &snapshot(&target));
        let new = |forward: Array2<f64>, backward: Array2<f64>| {
            EndsBridge::new(x, y, coupling.clone(), forward, backward, ends, epsilon)
        };
        assert!(new(forward.clone(), backward.clone()).is_ok());
        assert!(matches!(new(backward.clone(), backward.clone()), Err(Error::Shape { .. })));
        assert!(matches!(new(&forward * f64::NAN, backward), Err(Error::Parameter { .. })));
    }
}
