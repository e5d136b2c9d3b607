//! Nearest neighbours and shortest paths: ours, against the machine's product rate.
//!
//! `cargo bench --bench knn [n_cells]`; `tests/bench/peers/knn.py` times scikit-learn and SciPy on
//! the same points. `-- large` searches 100 000 and 200 000 points, `-- paths`
//! compares ways to find shortest paths.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a bench prints")]

use std::time::Instant;

use ndarray::Array2;
use petgraph::algo::dijkstra;
use petgraph::graph::{NodeIndex, UnGraph};
use rayon::prelude::*;
use sbcell::Silent;
use sbcell::geometry::{NeighbourGraph, Neighbours, neighbours, path_cost};
use sbcell::linalg::product_nt_single;

/// One output of splitmix64 for the counter `state`, the same bits in Python.
fn mix(state: u64) -> u64 {
    let mut z = (state + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Points like principal components: sums of four uniforms, scaled by `1/√(d+1)`.
fn points(n: usize, dim: usize) -> Array2<f64> {
    Array2::from_shape_fn((n, dim), |(i, d)| {
        let uniform =
            |part: u64| mix(4 * (i * dim + d) as u64 + part) as f64 / 2.0_f64.powi(64) - 0.5;
        (uniform(0) + uniform(1) + uniform(2) + uniform(3)) / ((d + 1) as f64).sqrt()
    })
}

/// CPU seconds of this process so far.
fn cpu() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = text.rsplit(')').next().unwrap().split_whitespace().collect();
    (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / 100.0
}

fn timed<T>(label: &str, work: impl Fn() -> T) -> (T, f64, f64) {
    let mut best = (f64::INFINITY, f64::INFINITY);
    let mut result = work();
    for _ in 0..3 {
        let (start, before) = (Instant::now(), cpu());
        result = work();
        best = (best.0.min(start.elapsed().as_secs_f64()), best.1.min(cpu() - before));
    }
    println!("{label:<36} {:7.3} s, {:7.3} s of CPU", best.0, best.1);
    (result, best.0, best.1)
}

fn search(x: &Array2<f64>, k: usize) -> Neighbours {
    neighbours(x.view(), k, &mut Silent).unwrap()
}

/// GFLOP/s of one CPU second in single-precision products of the shape that the search uses.
fn product_rate(dim: usize) -> f64 {
    let (a, b) = (vec![1.0_f32; 128 * (dim + 1)], vec![0.5_f32; 1024 * (dim + 1)]);
    let repeats = 2000;
    let before = cpu();
    let sum: f32 = (0..repeats)
        .into_par_iter()
        .map_init(
            || vec![0.0; 128 * 1024],
            |out, _| {
                product_nt_single(out, &a, &b, dim + 1);
                out[77]
            },
        )
        .sum();
    let flops = repeats as f64 * 2.0 * 128.0 * 1024.0 * (dim + 1) as f64;
    println!("checksum {sum}");
    flops * 1e-9 / (cpu() - before)
}

fn headline(n: usize, dim: usize, k: usize) {
    let x = points(n, dim);
    let label = format!("knn/n={n},d={dim},k={k}");
    let (_, _, seconds) = timed(&label, || search(&x, k));
    let rate = product_rate(dim);
    let gflop = 2e-9 * (n as f64) * (n as f64) * (dim + 1) as f64;
    println!(
        "{gflop:.1} GFLOP of products at {rate:.0} GFLOP/s would take {:.3} s of CPU: {:.0} % of \
         the time; {:.2} ns for each pair",
        gflop / rate,
        100.0 * gflop / rate / seconds,
        seconds * 1e9 / (n as f64 * n as f64)
    );
    let near = search(&x, k);
    println!("checksum {:.9}", near.distances().sum());
}

fn paths(n: usize) {
    let x = points(n, 5);
    let near = search(&x, 15);
    let graph = NeighbourGraph::new(x.view(), &near, &mut Silent).unwrap();
    let sources: Vec<usize> = (0..n).step_by(n / 200).collect();
    let all: Vec<usize> = (0..n).collect();
    let each = sources.len() as f64;
    println!("graph: {} edges, {} links", graph.n_edges(), graph.links().len());
    let (cost, _, ours) = timed(&format!("paths/n={n},sources={each}"), || {
        path_cost(&graph, &sources, &all, &mut Silent).unwrap()
    });
    println!("ours: {:.2} ms of CPU for each source", 1e3 * ours / each);
    let mut other = UnGraph::<(), f64, u32>::with_capacity(n, graph.n_edges());
    for _ in 0..n {
        other.add_node(());
    }
    for i in 0..n {
        let (nodes, lengths) = graph.edges_of(i);
        for (&j, &length) in nodes.iter().zip(lengths).filter(|(j, _)| i < **j as usize) {
            other.add_edge(NodeIndex::new(i), NodeIndex::new(j as usize), length);
        }
    }
    let some = 10;
    let (found, _, theirs) = timed("petgraph::algo::dijkstra, 10 sources", || {
        let run = |&i: &usize| dijkstra(&other, NodeIndex::new(i), None, |edge| *edge.weight());
        sources[..some].par_iter().map(run).collect::<Vec<_>>()
    });
    println!("petgraph: {:.2} ms of CPU for each source", 1e3 * theirs / some as f64);
    let worst = (0..n)
        .map(|j| (0.5 * found[3][&NodeIndex::new(j)].powi(2) - cost.get(3, j)).abs())
        .fold(0.0, f64::max);
    println!("largest difference of costs: {worst:.1e}");
}

fn main() {
    let words: Vec<String> = std::env::args().collect();
    let asked = |word: &str| words.iter().any(|other| other == word);
    let n = words.iter().find_map(|word| word.parse().ok()).unwrap_or(20_000);
    println!("{} threads", rayon::current_num_threads());
    if asked("large") {
        for n in [100_000, 200_000] {
            for dim in [5, 50] {
                let x = points(n, dim);
                let (start, before) = (Instant::now(), cpu());
                let near = search(&x, 15);
                let (wall, used) = (start.elapsed().as_secs_f64(), cpu() - before);
                let sum = near.distances().sum();
                println!("knn/n={n},d={dim},k=15: {wall:.1} s, {used:.1} s of CPU, sum {sum:.6}");
            }
        }
    } else if asked("paths") {
        paths(n);
    } else {
        headline(n, 50, 15);
        headline(n, 5, 15);
    }
}
