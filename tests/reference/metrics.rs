//! Distances between clouds against POT and scipy (`data-samples/reference/metrics.py`).

use ndarray::{Array1, Array2};
use sbcell::Silent;
use sbcell::data::Snapshot;
use sbcell::metrics::{Order, energy_distance, sliced_wasserstein_along, wasserstein};

const REFERENCE: &str = include_str!("../../data-samples/reference/metrics.csv");

/// Numbers in [0, 1) as the script computes them, to the last bit.
fn fractions(n: usize, dim: usize, offset: f64) -> Array2<f64> {
    const STEPS: [f64; 5] =
        [0.618_033_988_7, 0.414_213_562_3, 0.732_050_807_5, 0.236_067_977_4, 0.645_751_311_0];
    Array2::from_shape_fn((n, dim), |(i, d)| {
        let place = (i as f64 + 1.0) * STEPS[d] + offset * (d as f64 + 1.0);
        place - place.floor()
    })
}

fn points(kind: &str, n: usize, dim: usize, offset: f64) -> Array2<f64> {
    match kind {
        "cloud" => fractions(n, dim, offset) * (1.0 + offset),
        "grid" => fractions(n, dim, offset).mapv(|value| (value * 3.0).floor()),
        other => panic!("{other}"),
    }
}

fn weights(kind: &str, n: usize) -> Array1<f64> {
    match kind {
        "uniform" => Array1::from_elem(n, 1.0),
        "ramp" => Array1::from_shape_fn(n, |i| (i % 5) as f64),
        other => panic!("{other}"),
    }
}

fn directions(dim: usize, count: usize) -> Array2<f64> {
    let mut rows = fractions(count, dim, 0.11) - 0.5;
    for mut row in rows.rows_mut() {
        let length = row.dot(&row).sqrt();
        row /= length;
    }
    rows
}

struct Case {
    name: String,
    x: Snapshot,
    y: Snapshot,
    dim: usize,
    /// W₁, W₂, sliced W₁, sliced W₂, energy.
    expected: Vec<f64>,
}

fn cases() -> Vec<Case> {
    let read = |line: &str| {
        let fields: Vec<&str> = line.split(',').collect();
        let number = |i: usize| fields[i].parse::<usize>().unwrap();
        let (dim, n, m) = (number(1), number(2), number(3));
        let snapshot = |n, offset| {
            let points = points(fields[0], n, dim, offset);
            Snapshot::weighted(points, weights(fields[4], n)).unwrap()
        };
        let expected = fields[5..].iter().map(|field| field.parse().unwrap()).collect();
        let (x, y) = (snapshot(n, 0.0), snapshot(m, 0.377));
        Case { name: line.to_string(), x, y, dim, expected }
    };
    REFERENCE.lines().skip(1).map(read).collect()
}

/// Both sides compute in double precision with sums of a few hundred terms of size one.
fn assert_close(case: &Case, got: f64, expected: f64) {
    assert!((got - expected).abs() < 1e-12, "{}: {got}, expected {expected}", case.name);
}

#[test]
fn exact_distances_are_those_of_pot() {
    for case in cases() {
        for (order, expected) in [(Order::One, case.expected[0]), (Order::Two, case.expected[1])] {
            let got = wasserstein(&case.x, &case.y, order, &mut Silent).unwrap();
            assert_close(&case, got, expected);
            let back = wasserstein(&case.y, &case.x, order, &mut Silent).unwrap();
            assert_close(&case, back, expected);
        }
    }
}

#[test]
fn sliced_distances_are_those_of_pot_along_the_same_directions() {
    for case in cases() {
        let along = directions(case.dim, 20);
        for (order, expected) in [(Order::One, case.expected[2]), (Order::Two, case.expected[3])] {
            let got = sliced_wasserstein_along(&case.x, &case.y, order, along.view()).unwrap();
            assert_close(&case, got, expected);
        }
    }
}

#[test]
fn energy_distances_are_those_of_scipy() {
    for case in cases() {
        match energy_distance(&case.x, &case.y) {
            Ok(energy) => assert_close(&case, energy.value, case.expected[4]),
            Err(_) => assert!(case.expected[4].is_nan(), "{}", case.name),
        }
    }
}

#[test]
fn the_same_bits_come_from_any_number_of_threads() {
    let (x, y) = (points("cloud", 700, 5, 0.0), points("cloud", 800, 5, 0.2));
    let (x, y) = (Snapshot::new(x).unwrap(), Snapshot::new(y).unwrap());
    let along = directions(5, 50);
    let numbers = |threads| {
        rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(|| {
            [
                energy_distance(&x, &y).unwrap().value.to_bits(),
                wasserstein(&x, &y, Order::One, &mut Silent).unwrap().to_bits(),
                sliced_wasserstein_along(&x, &y, Order::Two, along.view()).unwrap().to_bits(),
            ]
        })
    };
    assert_eq!(numbers(1), numbers(3));
}
