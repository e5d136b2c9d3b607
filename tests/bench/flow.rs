//! Training steps of a network per CPU second, against PyTorch on the same arrays in the same run.
//!
//! `cargo bench --bench flow`; `python3` must have torch, or only our side is measured.
#![allow(clippy::print_stdout, reason = "a bench prints its numbers")]
#![allow(clippy::unwrap_used, reason = "a bench stops at the first surprise")]

use std::process::Command;
use std::time::Instant;

use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, Par};
use rayon::prelude::*;
use sbcell::linalg::{AdamW, Mlp, Pass};

/// Rows that go through the network together, as in training.
const CHUNK: usize = 256;

/// Number `i` of a sequence that is the same in Python.
fn number(i: usize) -> f64 {
    let place = (i as f64 + 1.0) * 0.618_033_988_7;
    2.0 * (place - place.floor()) - 1.0
}

fn network(sizes: &[usize]) -> Mlp {
    let mut parameters = Vec::new();
    for pair in sizes.windows(2) {
        let scale = (3.0 / pair[0] as f64).sqrt();
        parameters.extend((0..pair[0] * pair[1]).map(|i| (number(i) * scale) as f32));
        parameters.extend(std::iter::repeat_n(0.0, pair[1]));
    }
    Mlp::from_parameters(sizes, parameters).unwrap()
}

/// CPU seconds of this process, all threads.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    // Fields 14 and 15 of the file, in hundredths of a second.
    (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / 100.0
}

/// CPU and wall seconds for `steps`, and the last loss.
fn ours(sizes: &[usize], batch: usize, steps: usize) -> (f64, f64, f64) {
    let mut network = network(sizes);
    let mut adam = AdamW::new(network.parameters().len(), 1e-5);
    let (n_in, n_out) = (sizes[0], sizes[sizes.len() - 1]);
    let mut chunks: Vec<(Pass, Vec<f32>, Vec<f32>)> = (0..batch.div_ceil(CHUNK))
        .map(|chunk| {
            let first = chunk * CHUNK;
            let n = CHUNK.min(batch - first);
            let mut pass = Pass::new(sizes, n);
            for (i, value) in pass.input_mut().iter_mut().enumerate() {
                *value = number(first * n_in + i) as f32;
            }
            let wanted = (0..n * n_out).map(|i| number((first * n_out + i) * 7) as f32).collect();
            (pass, wanted, vec![0.0; network.parameters().len()])
        })
        .collect();
    let (start, cpu) = (Instant::now(), cpu_seconds());
    let mut loss = 0.0;
    for _ in 0..steps {
        let now = &network;
        let losses: Vec<f64> = chunks
            .par_iter_mut()
            .map(|(pass, wanted, gradient)| {
                now.forward(pass);
                let (output, by_output) = pass.output_and_gradient();
                let (mut sum, per) = (0.0, 2.0 / (batch * n_out) as f32);
                for ((gradient, output), wanted) in by_output.iter_mut().zip(output).zip(&*wanted) {
                    let off = output - wanted;
                    sum += f64::from(off * off);
                    *gradient = off * per;
                }
                now.backward(pass, gradient);
                sum
            })
            .collect();
        loss = losses.iter().sum::<f64>() / (batch * n_out) as f64;
        let (first, rest) = chunks.split_first_mut().unwrap();
        for (_, _, gradient) in rest {
            for (sum, value) in first.2.iter_mut().zip(gradient) {
                *sum += *value;
            }
        }
        adam.step(network.parameters_mut(), &first.2, 1e-3);
    }
    (cpu_seconds() - cpu, start.elapsed().as_secs_f64(), loss)
}

/// As [`ours`], in PyTorch.
fn torch(sizes: &[usize], batch: usize, steps: usize, threads: usize) -> Option<(f64, f64, f64)> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/bench/peers/flow.py");
    let numbers = [batch, steps, threads].into_iter().chain(sizes.iter().copied());
    let out = Command::new("python3")
        .arg(script)
        .args(numbers.map(|n| n.to_string()))
        .env_remove("OPENBLAS_CORETYPE")
        .output()
        .ok()?;
    let text = String::from_utf8(out.stdout).ok()?;
    let values: Vec<f64> = text.split_whitespace().filter_map(|v| v.parse().ok()).collect();
    (values.len() == 3).then(|| (values[0], values[1], values[2]))
}

/// Flops per second of a product of large f32 matrices on one core.
fn peak() -> f64 {
    let n = 1024;
    let a = Mat::from_fn(n, n, |i, j| number(i * n + j) as f32);
    let mut c = Mat::<f32>::zeros(n, n);
    let rounds = 40;
    let cpu = cpu_seconds();
    for _ in 0..rounds {
        matmul(c.as_mut(), Accum::Replace, a.as_ref(), a.as_ref(), 1.0, Par::Seq);
    }
    2.0 * (n * n * n * rounds) as f64 / (cpu_seconds() - cpu)
}

fn main() {
    println!("f32 product of 1024 × 1024 matrices: {:.0} GFLOP/s on one core", peak() / 1e9);
    for (dim, width, batch, steps) in [(50, 64, 512, 1000), (100, 256, 512, 100)] {
        let sizes = [dim + 1, width, width, width, dim];
        let flops = network(&sizes).flops_per_row() * batch as f64;
        for threads in [1, 2] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| ours(&sizes, batch, steps / 10));
            let (cpu, wall, loss) = pool.install(|| ours(&sizes, batch, steps));
            println!(
                "flow/d={dim},h={width},b={batch},threads={threads}: {:.3} ms CPU, {:.3} ms wall \
                 per step, {:.0} GFLOP/s per CPU second, {:.1} MFLOP per step, loss {loss:.5}",
                1e3 * cpu / steps as f64,
                1e3 * wall / steps as f64,
                flops * steps as f64 / cpu / 1e9,
                flops / 1e6,
            );
            match torch(&sizes, batch, steps, threads) {
                Some((peer_cpu, peer_wall, peer_loss)) => println!(
                    "  PyTorch: {:.3} ms CPU, {:.3} ms wall, loss {peer_loss:.5}; {:.1} times our \
                     CPU time, {:.1} times our wall time",
                    1e3 * peer_cpu / steps as f64,
                    1e3 * peer_wall / steps as f64,
                    peer_cpu / cpu,
                    peer_wall / wall,
                ),
                None => println!("  PyTorch: not there"),
            }
        }
    }
}
