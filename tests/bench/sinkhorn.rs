//! Entropic transport between all cells: CPU time to a marginal error, and where it stands.
//!
//! `cargo bench --bench sinkhorn` solves pairs of simulated snapshots with spectra like those of
//! principal components and writes them to `target/sinkhorn-bench`, where
//! `tests/bench/peers/sinkhorn.py` finds the same arrays. `-- large` for 6 000 × 8 500 × 50 only.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a bench stops at the first surprise and prints what it finds"
)]

use std::fs;
use std::path::Path;
use std::time::Instant;

use ndarray::{Array1, Array2, array, s};
use rand_distr::{Distribution, StandardNormal};
use sbcell::bridge::{BridgeProblem, SinkhornSolver};
use sbcell::data::Snapshot;
use sbcell::{Epsilon, Seed, Silent};

fn main() {
    let words: Vec<String> = std::env::args().collect();
    let asked = |word: &str| words.iter().any(|other| other == word);
    let large = [(6_000, 8_500, 50, 0.1)];
    let all = [
        (1_500, 2_000, 50, 0.1),
        (1_500, 2_000, 50, 1.0),
        (1_500, 2_000, 5, 0.1),
        (6_000, 8_500, 5, 0.1),
        (6_000, 8_500, 50, 10.0),
        (6_000, 8_500, 50, 1.0),
        (6_000, 8_500, 50, 0.1),
    ];
    let chosen = if asked("large") { &large[..] } else { &all[..] };
    for &(n, m, dim, epsilon) in chosen {
        run(n, m, dim, epsilon);
    }
    println!("peak memory {:.0} MB", peak_megabytes());
}

fn run(n: usize, m: usize, dim: usize, epsilon: f64) {
    let (source, target) = snapshots(n, m, dim);
    write(&format!("{n}x{m}x{dim}"), &source, &target);
    let (source, target) = (Snapshot::new(source).unwrap(), Snapshot::new(target).unwrap());
    let problem = BridgeProblem::new(source, target, Epsilon::new(epsilon).unwrap()).unwrap();
    let solver = SinkhornSolver::default().with_tolerance(1e-6);
    let (wall, cpu) = (Instant::now(), cpu_seconds());
    let (_, report) = solver.fit(&problem, &mut Silent).unwrap();
    let (wall, cpu) = (wall.elapsed().as_secs_f64(), cpu_seconds() - cpu);
    println!(
        "sinkhorn/{n}x{m},d={dim},eps={epsilon}: {cpu:.2} CPU s, {wall:.2} s, {} after {} \
         iterations, errors {:.1e} {:.1e}, {} pairs, dual {:.9}",
        report.stop,
        report.iterations,
        report.detail("source_error").unwrap(),
        report.detail("target_error").unwrap(),
        report.detail("kept_pairs").unwrap(),
        -report.objective,
    );
}

/// Two snapshots whose variances fall as `1/k`, with a mean standard deviation of one; the second
/// has moved on in three branches.
fn snapshots(n: usize, m: usize, dim: usize) -> (Array2<f64>, Array2<f64>) {
    let deviations: Array1<f64> = (0..dim).map(|d| 1.0 / (1.0 + d as f64).sqrt()).collect();
    let deviations = &deviations / deviations.mean().unwrap();
    let normal = |n, seed| {
        let mut stream = Seed(seed).stream("bench/normal", 0);
        Array2::from_shape_simple_fn((n, dim), || StandardNormal.sample(&mut stream)) * &deviations
    };
    let (source, mut target) = (normal(n, 1), normal(m, 2) * 0.8);
    let branches = [array![2.0, 0.0], array![-0.5, 2.0], array![0.5, -1.0]];
    for (j, mut cell) in target.rows_mut().into_iter().enumerate() {
        let mut place = cell.slice_mut(s![..2]);
        place += &branches[j % 3];
    }
    (source, target)
}

/// Raw f64 of both snapshots, for the script beside this file.
fn write(name: &str, source: &Array2<f64>, target: &Array2<f64>) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/sinkhorn-bench");
    fs::create_dir_all(&folder).unwrap();
    for (side, points) in [("source", source), ("target", target)] {
        let bytes: Vec<u8> = points.iter().flat_map(|value| value.to_le_bytes()).collect();
        fs::write(folder.join(format!("{name}.{side}")), bytes).unwrap();
    }
}

/// Seconds that all threads of this process have run.
fn cpu_seconds() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: f64 = fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap();
    ticks / 100.0
}

fn peak_megabytes() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
}
