//! Cells over time: how often intervals of transitions hold what they should, and what fates cost.
//!
//! `cargo bench --bench lineage [-- coverage|cost]`
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a bench prints")]

use std::time::Instant;

use ndarray::Array2;
use rand_distr::{Distribution, StandardNormal};
use sbcell::bridge::Link;
use sbcell::data::Snapshot;
use sbcell::lineage::{Fates, Groups, Lineage, Resampled, Terminal, transitions};
use sbcell::{Epsilon, Seed, Silent};

/// Dimensions of the clouds.
const DIM: usize = 5;
/// Noise of the plans.
const EPSILON: f64 = 0.5;

fn main() {
    let asked: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with("--")).collect();
    let wanted = |name: &str| asked.is_empty() || asked.iter().any(|a| a == name);
    if wanted("coverage") {
        coverage();
    }
    if wanted("cost") {
        cost();
    }
}

/// Two kinds of cells, `apart` from each other, that move on: a third of the first kind, and half of it
/// later, so that some must change.
fn course(n: usize, dim: usize, apart: f64, seed: Seed) -> (Lineage, Groups) {
    let mut snapshots = Vec::new();
    let mut labels = Vec::new();
    for (k, share) in [1.0 / 3.0, 0.5].into_iter().enumerate() {
        let mut stream = seed.stream("bench/lineage", k as u64);
        let mut of_cells = Vec::new();
        let mut points = Array2::zeros((n, dim));
        for i in 0..n {
            let uniform: f64 = rand_distr::StandardUniform.sample(&mut stream);
            let first = uniform < share;
            of_cells.push(if first { "A".to_string() } else { "B".to_string() });
            for d in 0..dim {
                let noise: f64 = StandardNormal.sample(&mut stream);
                points[[i, d]] = noise + if d == 0 && first { apart } else { 0.0 } + 0.5 * k as f64;
            }
        }
        snapshots.push(Snapshot::new(points).unwrap());
        labels.push(of_cells);
    }
    let epsilon = Epsilon::new(EPSILON).unwrap();
    let link = Link::entropic(&snapshots[0], &snapshots[1], epsilon).unwrap();
    (Lineage::new(vec![0.0, 1.0], vec![link]).unwrap(), Groups::of_labels(&labels))
}

/// Share of the descendants of A that are A, with its interval.
fn share(n: usize, apart: f64, n_resamples: usize, seed: Seed) -> (f64, f64, f64) {
    let (lineage, groups) = course(n, DIM, apart, seed);
    let resampled = Resampled::new(&lineage, None, n_resamples, seed, &mut Silent).unwrap();
    let table = transitions(&resampled, &groups, 0, 1, &mut Silent).unwrap();
    let found = &table.shares[0][0];
    (found.value, found.lo, found.hi)
}

fn coverage() {
    println!(
        "95 % intervals of a transition probability, 200 courses of n cells at each of two times"
    );
    println!("kinds apart    n   truth   mean   interval holds the truth   mean width");
    for apart in [1.0, 3.0] {
        // What many cells give.
        let large: Vec<f64> = (0..4).map(|s| share(4000, apart, 0, Seed(900 + s)).0).collect();
        let truth = large.iter().sum::<f64>() / 4.0;
        for n in [100, 400] {
            let found: Vec<(f64, f64, f64)> =
                (0..200).map(|s| share(n, apart, 100, Seed(s))).collect();
            let of = |f: &dyn Fn(&(f64, f64, f64)) -> f64| found.iter().map(f).sum::<f64>() / 200.0;
            let holds = of(&|f| f64::from(u8::from(f.1 <= truth && truth <= f.2)));
            println!(
                "{apart:11} {n:4}  {truth:6.3} {:6.3}   {:23.1} %   {:10.3}",
                of(&|f| f.0),
                100.0 * holds,
                of(&|f| f.2 - f.1)
            );
        }
    }
}

fn cost() {
    println!("fates of two groups and transitions over one interval, with 100 resamples");
    println!(
        "a pass: the coupling times 101 vectors in double precision, computed from potentials"
    );
    println!(
        "dims cells   pairs   plan s  pass s  resamples s  fates s  transitions s  all s  passes"
    );
    for (dim, n) in [(5, 500), (5, 1000), (5, 2000), (5, 4000), (30, 2000), (30, 4000)] {
        let clock = Instant::now();
        let (lineage, groups) = course(n, dim, 3.0, Seed(1));
        let plan = clock.elapsed().as_secs_f64();
        let terminals: Vec<Terminal> = (0..2)
            .map(|g| Terminal {
                name: groups.names()[g].clone(),
                place: 1,
                arrived: groups.at(1).iter().map(|of| *of == Some(g)).collect(),
            })
            .collect();
        let clock = Instant::now();
        let ones = Array2::from_elem((n, 101), 1.0);
        std::hint::black_box(lineage.links()[0].pull(ones.view()).unwrap());
        let pass = clock.elapsed().as_secs_f64();
        let clock = Instant::now();
        let resampled = Resampled::new(&lineage, None, 100, Seed(1), &mut Silent).unwrap();
        let scaled = clock.elapsed().as_secs_f64();
        let clock = Instant::now();
        std::hint::black_box(Fates::of(&resampled, &terminals, &mut Silent).unwrap());
        let fates = clock.elapsed().as_secs_f64();
        let clock = Instant::now();
        std::hint::black_box(transitions(&resampled, &groups, 0, 1, &mut Silent).unwrap());
        let moved = clock.elapsed().as_secs_f64();
        let (pairs, all) = ((n * n) as f64, scaled + fates);
        println!(
            "{dim:4} {n:5}  {pairs:7.1e}  {plan:6.3}  {pass:6.3}  {scaled:11.3}  {fates:7.3}  \
             {moved:13.3}  {all:5.2}  {:6.1}",
            all / pass
        );
    }
}
