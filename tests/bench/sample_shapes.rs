//! A ring and a Swiss roll, and what each scheme draws from them.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use ndarray::Array2;
use rand_distr::{Distribution, StandardNormal, StandardUniform};
use sbcell::data::Snapshot;
use sbcell::sampler::{Bandwidth, Sampler, Scheme, SelfBridge};
use sbcell::{Epsilon, Seed, Silent};

/// Cells of each shape.
const N: usize = 500;

const SCHEMES: [(&str, Scheme); 4] = [
    ("langevin", Scheme::Langevin),
    ("split-step", Scheme::SplitStep),
    ("corrected", Scheme::Corrected),
    ("matched", Scheme::Matched),
];

fn ring() -> Array2<f64> {
    let mut stream = Seed(1).stream("bench/ring", 0);
    let mut cells = Array2::zeros((N, 2));
    for mut cell in cells.rows_mut() {
        let even: f64 = StandardUniform.sample(&mut stream);
        let noise: f64 = StandardNormal.sample(&mut stream);
        let (angle, radius) = (std::f64::consts::TAU * even, 1.0 + 0.08 * noise);
        cell[0] = radius * angle.cos();
        cell[1] = radius * angle.sin();
    }
    cells
}

/// In three dimensions, the axis of the roll last.
fn roll() -> Array2<f64> {
    let mut stream = Seed(1).stream("bench/roll", 0);
    let mut cells = Array2::zeros((2 * N, 3));
    for mut cell in cells.rows_mut() {
        let mut even = || -> f64 { StandardUniform.sample(&mut stream) };
        let angle = std::f64::consts::PI * 1.5 * (1.0 + 2.0 * even().sqrt());
        let (radius, place) = (angle / 14.0, even());
        cell[0] = radius * angle.cos();
        cell[1] = radius * angle.sin();
        cell[2] = place;
    }
    cells
}

/// How far a place is from the middle of the ring's band.
fn off_ring(place: ndarray::ArrayView1<'_, f64>) -> f64 {
    (place[0].hypot(place[1]) - 1.0).abs()
}

/// How far a place is from the paper, along the radius.
fn off_roll(place: ndarray::ArrayView1<'_, f64>) -> f64 {
    let (radius, angle) = (place[0].hypot(place[1]) * 14.0, place[1].atan2(place[0]));
    let turn = std::f64::consts::TAU;
    let layers = (0..4).map(|k| (radius - angle - f64::from(k) * turn).abs() / 14.0);
    layers.fold(f64::INFINITY, f64::min)
}

/// How far a place is from a shape.
type Off = fn(ndarray::ArrayView1<'_, f64>) -> f64;

pub(crate) fn write() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/sample-bench");
    fs::create_dir_all(&folder).unwrap();
    let mut text = String::from("shape,from,x,y\n");
    for (name, points, off) in [("ring", ring(), off_ring as Off), ("roll", roll(), off_roll)] {
        let mut put = |from: &str, points: &Array2<f64>| {
            for row in points.rows() {
                writeln!(text, "{name},{from},{:.4},{:.4}", row[0], row[1]).unwrap();
            }
        };
        let far = |points: &Array2<f64>| {
            let sum: f64 = points.rows().into_iter().map(off).map(|off| off * off).sum();
            (sum / points.nrows() as f64).sqrt()
        };
        put("cells", &points);
        println!("{name}: {} cells, off by {:.4}", points.nrows(), far(&points));
        let cells = Snapshot::new(points.clone()).unwrap();
        let chosen = Bandwidth::HeldOut.choose(&cells, None, Seed(0), &mut Silent).unwrap();
        for factor in [1.0, 4.0] {
            let epsilon = Epsilon::new(chosen.epsilon.value() * factor).unwrap();
            let bridge = SelfBridge::new(&cells, epsilon, None, &mut Silent).unwrap();
            for (scheme_name, scheme) in SCHEMES {
                let sampler = Sampler { scheme, n_steps: 50 };
                let draws = sampler.sample(&bridge, points.nrows(), Seed(2), &mut Silent).unwrap();
                println!("  ε = {:.5} {scheme_name:12} off by {:.4}", epsilon.value(), far(&draws));
                put(&format!("{scheme_name}-{factor}"), &draws);
            }
        }
    }
    fs::write(folder.join("shapes.csv"), text).unwrap();
}
