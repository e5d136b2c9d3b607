//! The whole of `sbcell fit` on 20 000 cells × 10 000 genes: time by stage, peak memory against the
//! size of the matrix; and how long `sbcell --help` takes to start.
//!
//! `cargo bench --bench fit`. Peak memory is read from /proc, so on Linux only.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench prints, and stops at the first surprise"
)]

use std::ops::ControlFlow;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use rand::RngExt;
use sbcell::Seed;
use sbcell::data::Column;
use sbcell::io::h5ad::{H5adContent, MatrixContent, write_h5ad};
use sbcell::linalg::Csr;
use sbcell::pipeline::{FitOptions, Running, fit};
use sbcell::progress::{Event, Progress};

const N_CELLS: usize = 20_000;
const N_GENES: usize = 10_000;
/// Values per cell.
const N_VALUES: usize = 625;
const N_TIMES: usize = 4;

/// Prints how long each piece of work took.
#[derive(Default)]
struct Stages(Option<(String, Instant)>);

impl Progress for Stages {
    fn report(&mut self, event: &Event) -> ControlFlow<()> {
        match event {
            Event::Begin { what, .. } => self.0 = Some((what.clone(), Instant::now())),
            Event::End => {
                if let Some((what, begun)) = self.0.take() {
                    println!("  {what}: {:.2} s", begun.elapsed().as_secs_f64());
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

fn main() {
    let argument = std::env::args().nth(1).unwrap_or_default();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let data = folder.join("fit.h5ad");
    if argument == "write" {
        write(&data);
        return;
    }
    // Written by another process, so that its memory does not count here.
    Command::new(std::env::current_exe().unwrap()).arg("write").status().unwrap();
    let matrix_bytes = (N_CELLS * (N_VALUES * 8 + 8)) as f64;
    println!("fit of {N_CELLS} × {N_GENES}, {:.0} MB as sparse rows in memory", matrix_bytes / 1e6);
    let begun = Instant::now();
    fit(
        &data,
        &folder.join("fit-out"),
        &FitOptions::default(),
        Running::default(),
        &mut Stages::default(),
    )
    .unwrap();
    println!("in all {:.2} s", begun.elapsed().as_secs_f64());
    if let Some(peak) = peak_bytes() {
        println!("peak memory {:.0} MB, {:.2} times the matrix", peak / 1e6, peak / matrix_bytes);
    }
    start_up();
}

/// Cells whose means move with time, counts as skewed as real ones.
fn write(path: &Path) {
    let mut random = Seed(0).stream("bench/fit", 0);
    let mut row = |time: usize| {
        let mut columns: Vec<u32> = Vec::with_capacity(N_VALUES);
        let stride = N_GENES / N_VALUES;
        for block in 0..N_VALUES {
            let shift = (time * 3 + block) % stride;
            let place = (random.random_range(0..stride) + shift) % stride;
            columns.push((block * stride + place.min(shift + 4) % stride) as u32);
        }
        let values =
            columns.iter().map(|c| 1.0 + (random.random_range(0..200_u32) / (20 + c % 180)) as f32);
        let values: Vec<f32> = values.collect();
        (columns, values)
    };
    let times: Vec<f64> = (0..N_CELLS).map(|cell| (cell * N_TIMES / N_CELLS) as f64).collect();
    let (mut indptr, mut indices, mut values) = (vec![0], Vec::new(), Vec::new());
    for &time in &times {
        let (columns, counts) = row(time as usize);
        indices.extend(columns);
        values.extend(counts);
        indptr.push(values.len());
    }
    let matrix = Csr::new(N_GENES, indptr, indices, values).unwrap();
    let names = |prefix: &str, n: usize| (0..n).map(|i| format!("{prefix}{i}")).collect::<Vec<_>>();
    let content = H5adContent {
        obs_names: &names("cell", N_CELLS),
        obs: &[("day", &Column::Floats(times))],
        var_names: &names("gene", N_GENES),
        x: Some(MatrixContent::Sparse(&matrix)),
        ..Default::default()
    };
    write_h5ad(path, &content).unwrap();
}

/// The most memory this process has held at once.
fn peak_bytes() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<f64>().ok()? * 1024.0)
}

fn start_up() {
    let mut seconds: Vec<f64> = (0..21)
        .map(|_| {
            let begun = Instant::now();
            Command::new(env!("CARGO_BIN_EXE_sbcell")).arg("--help").output().unwrap();
            begun.elapsed().as_secs_f64()
        })
        .collect();
    seconds.sort_by(f64::total_cmp);
    println!("`sbcell --help`: {:.1} ms (median of {})", 1e3 * seconds[10], seconds.len());
}
