//! Costs along the data: what Euclidean and geodesic couplings make of shapes whose way is known.
//!
//! `cargo bench --bench geodesic` prints how much mass takes a wrong way and how far partners are
//! from where they belong, and writes cells and pairs to `target/geodesic-bench`, from which
//! `docs/pictures/draw.py` draws the pictures of METHODS.md.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a bench stops at the first surprise and prints what it finds"
)]

mod geodesic_shapes;

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::time::Instant;

use geodesic_shapes::{Branches, COSTS, Cells, Roll, choice, coupled, coupled_by_truth, embedded};
use ndarray::ArrayView2;
use sbcell::Seed;
use sbcell::bridge::Coupling;
use sbcell::geometry::{CostChoice, CostKind};

/// Cells of each snapshot.
const N: usize = 800;

/// Pairs in a picture.
const DRAWN: usize = 45;

fn main() {
    for (dim, noise) in [(3, 0.0), (50, 0.1)] {
        roll(dim, noise, false);
    }
    roll(3, 0.0, true);
    for (dim, noise) in [(2, 0.0), (50, 0.1)] {
        branches(dim, noise);
    }
    heat_times();
}

/// How long heat should spread: what it costs without a wrong cell, and what it saves with one.
fn heat_times() {
    let path = choice(CostKind::GeodesicPath);
    let heat = |heat_time| CostChoice { heat_time, ..choice(CostKind::GeodesicHeat) };
    println!(
        "shortest paths and heat without a wrong cell, and with one between layers or branches"
    );
    for (name, cost) in [
        ("path".to_owned(), path),
        ("heat, 10".to_owned(), heat(10.0)),
        ("heat, 50".to_owned(), heat(50.0)),
        ("heat, 200".to_owned(), heat(200.0)),
        ("heat, 600".to_owned(), heat(600.0)),
    ] {
        print!("  {name:10}");
        for wrong in [false, true] {
            let mut times = Roll::times(N, 1);
            let mut thirds = Branches::thirds(N, 1);
            if wrong {
                Roll::short_circuit(&mut times[1]);
                Branches::short_circuit(&mut thirds[2]);
            }
            let (roll, branches) = (views(&times), views(&thirds));
            let found = coupled(&cost, &roll, (0, 1), Roll::EPSILON);
            let jumped = 100.0 * Roll::jumped(&found, &times[0], &times[1]);
            let error = 100.0 * Roll::error(&found, &times[0], &times[1]);
            let found = coupled(&cost, &branches, (1, 2), Branches::EPSILON);
            let crossed = 100.0 * Branches::crossed(&found, &thirds[1], &thirds[2]);
            print!("  {jumped:6.2} % jump, off by {error:6.2} %; {crossed:6.2} % cross |");
        }
        println!();
    }
}

fn views(snapshots: &[Cells]) -> Vec<ArrayView2<'_, f64>> {
    snapshots.iter().map(|cells| cells.points.view()).collect()
}

fn roll(dim: usize, noise: f64, short_circuit: bool) {
    let mut times = Roll::times(N, 1);
    if short_circuit {
        Roll::short_circuit(&mut times[1]);
    }
    let embedded = embedded(&times, dim, noise);
    let views: Vec<_> = embedded.iter().map(|points| points.view()).collect();
    let with = if short_circuit { ", one cell between the layers" } else { "" };
    println!("Swiss roll, {dim} dimensions, noise {noise}{with}");
    let mut drawn = Vec::new();
    for (name, kind) in COSTS {
        let start = Instant::now();
        let coupling = coupled(&choice(kind), &views, (0, 1), Roll::EPSILON);
        let seconds = start.elapsed().as_secs_f64();
        let jumped = 100.0 * Roll::jumped(&coupling, &times[0], &times[1]);
        let error = 100.0 * Roll::error(&coupling, &times[0], &times[1]);
        println!(
            "  {name:14} {jumped:6.2} % jump, off by {error:6.2} % of the way, {seconds:.2} s"
        );
        drawn.push((name, coupling));
    }
    let truth = coupled_by_truth(&times[0], &times[1], Roll::EPSILON);
    let error = 100.0 * Roll::error(&truth, &times[0], &times[1]);
    println!("  with the way known: off by {error:.2} %, for want of cells");
    if dim == 3 && !short_circuit {
        write("swiss_roll", &times, (0, 1), (0, 2), &drawn);
    }
}

fn branches(dim: usize, noise: f64) {
    let thirds = Branches::thirds(N, 1);
    let embedded = embedded(&thirds, dim, noise);
    let views: Vec<_> = embedded.iter().map(|points| points.view()).collect();
    println!("branches, {dim} dimensions, noise {noise}");
    for (from, to) in [(0, 1), (1, 2)] {
        let mut drawn = Vec::new();
        for (name, kind) in COSTS {
            let start = Instant::now();
            let coupling = coupled(&choice(kind), &views, (from, to), Branches::EPSILON);
            let seconds = start.elapsed().as_secs_f64();
            let crossed = 100.0 * Branches::crossed(&coupling, &thirds[from], &thirds[to]);
            let error = 100.0 * Branches::error(&coupling, &thirds[from], &thirds[to]);
            println!(
                "  {from} to {to} {name:14} {crossed:6.2} % change branch, off by {error:6.2} % of \
                 the way, {seconds:.2} s"
            );
            drawn.push((name, coupling));
        }
        if dim == 2 && from == 1 {
            write("branches", &thirds, (from, to), (0, 1), &drawn);
        }
    }
}

/// Cells of all snapshots and some pairs of each coupling, seen along two `axes`.
fn write(
    name: &str,
    snapshots: &[Cells],
    (from, to): (usize, usize),
    axes: (usize, usize),
    couplings: &[(&str, Coupling)],
) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/geodesic-bench");
    fs::create_dir_all(&folder).unwrap();
    let place = |k: usize, i: usize| {
        let point = snapshots[k].points.row(i);
        format!("{:.3},{:.3}", point[axes.0], point[axes.1])
    };
    let mut cells = String::from("snapshot,x,y\n");
    for (k, snapshot) in snapshots.iter().enumerate() {
        for i in 0..snapshot.points.nrows() {
            writeln!(cells, "{k},{}", place(k, i)).unwrap();
        }
    }
    fs::write(folder.join(format!("{name}_cells.csv")), cells).unwrap();
    let mut pairs = String::from("cost,from_x,from_y,to_x,to_y\n");
    for (cost, coupling) in couplings {
        for (i, j) in coupling.draw(DRAWN, Seed(1)) {
            writeln!(pairs, "{cost},{},{}", place(from, i), place(to, j)).unwrap();
        }
    }
    fs::write(folder.join(format!("{name}_pairs.csv")), pairs).unwrap();
}
