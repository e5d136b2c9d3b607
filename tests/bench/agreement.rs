//! Do the solvers agree where they should? Drifts and populations of one Gaussian pair.
//!
//! `cargo bench --bench agreement` prints, for 2, 5 and 30 dimensions and 3 000 cells of each
//! snapshot, how far every solver is from the truth and from every other, and what it took on one
//! thread.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a bench stops at the first surprise and prints what it finds"
)]

mod agreement_pairs;

use std::time::Instant;

use agreement_pairs::{Pair, solvers};
use sbcell::bridge::Bridge;
use sbcell::{Seed, Silent};

/// Cells of each snapshot.
const N: usize = 3_000;

/// Steps of a training, the default.
const STEPS: usize = 10_000;

fn main() {
    let one_thread = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    one_thread.install(|| [2, 5, 30].into_iter().for_each(compare));
}

fn compare(dim: usize) {
    let pair = Pair::new(dim, N);
    let mut found: Vec<(&str, Box<dyn Bridge>)> = Vec::new();
    println!(
        "{dim} dimensions, {N} cells of each snapshot, ε = {}",
        pair.problem.epsilon().value()
    );
    for (name, solver) in solvers(STEPS) {
        let clock = CpuClock::start();
        let (bridge, report) = solver.solve(&pair.problem, Seed(0), &mut Silent).unwrap();
        let (seconds, stop) = (clock.seconds(), report.stop);
        println!("  {name:10} {seconds:8.2} s of one thread, {stop}");
        found.push((name, bridge));
    }
    println!("  derived: sinkhorn for want of cells {:.4} at t = 0", pair.lean());
    println!("  derived: the exact coupling's bridge {:.4?}", pair.exact_coupling_apart());
    println!("  relative RMS of drifts at t = 0, ½, 0.8 | energy distance of populations at ½");
    let truth: (&str, Box<dyn Bridge>) = ("truth", Box::new(pair.truth.clone()));
    println!(
        "  {:10} {:10}                      | {:8.5}",
        "truth",
        "truth, other draws",
        pair.populations_apart(&*truth.1, &*truth.1)
    );
    let all: Vec<&(&str, Box<dyn Bridge>)> = std::iter::once(&truth).chain(&found).collect();
    for (k, a) in all.iter().enumerate() {
        for b in &all[k + 1..] {
            let [start, half, late] = pair.drift_apart(&*a.1, &*b.1);
            let apart = pair.populations_apart(&*a.1, &*b.1);
            println!("  {:10} {:10} {start:7.4} {half:7.4} {late:7.4} | {apart:8.5}", a.0, b.0);
        }
    }
}

/// CPU time of this thread where the system tells it, else time on the wall.
struct CpuClock {
    cpu: Option<f64>,
    wall: Instant,
}

impl CpuClock {
    fn start() -> Self {
        Self { cpu: thread_seconds(), wall: Instant::now() }
    }

    fn seconds(&self) -> f64 {
        match (self.cpu, thread_seconds()) {
            (Some(start), Some(end)) => end - start,
            _ => self.wall.elapsed().as_secs_f64(),
        }
    }
}

fn thread_seconds() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    Some(1e-9 * text.split(' ').next()?.parse::<f64>().ok()?)
}
