//! Our numerical routines against well-kept crates, each pair on the same problem in the same run.
//!
//! `cargo run --release --manifest-path tests/bench/crates/Cargo.toml -- [eigen] [descent] [network] [paths]`
//! runs all, or those named. Decision 0024 quotes the figures.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench prints and stops at the first surprise"
)]

mod descent;
mod eigen;
mod network;
mod paths;

use std::time::Instant;

/// The median of five runs, in seconds.
fn median_of_five(mut work: impl FnMut()) -> f64 {
    let mut seconds: Vec<f64> = (0..5)
        .map(|_| {
            let begin = Instant::now();
            work();
            begin.elapsed().as_secs_f64()
        })
        .collect();
    seconds.sort_by(f64::total_cmp);
    seconds[2]
}

/// One line: both times and their ratio.
fn compare(what: &str, ours: f64, theirs: f64) {
    println!(
        "{what:<58} ours {ours:10.5} s  theirs {theirs:10.5} s  theirs / ours {:8.2}",
        theirs / ours
    );
}

fn main() {
    let asked: Vec<String> = std::env::args().skip(1).collect();
    let runs: [(&str, fn()); 4] = [
        ("eigen", eigen::run),
        ("descent", descent::run),
        ("network", network::run),
        ("paths", paths::run),
    ];
    for (name, run) in runs {
        if asked.is_empty() || asked.iter().any(|word| word == name) {
            println!("# {name}");
            run();
        }
    }
}
