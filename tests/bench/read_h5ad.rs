//! How fast a sparse matrix is read from `.h5ad`, against reading the bytes of the file.
//!
//! `cargo bench --bench read_h5ad` writes a matrix of 12.5 million values (100 MB) with our own
//! writer, as it is and with gzip; `cargo bench --bench read_h5ad -- FILE…` reads those instead.
//! `read_h5ad.py` reads the same files with h5py and scipy.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench prints, and stops at the first surprise"
)]

use std::path::{Path, PathBuf};
use std::time::Instant;

use rand::{Rng, RngExt};
use sbcell::data::Matrix;
use sbcell::io::h5ad::{H5ad, H5adContent, MatrixContent, MatrixSource, write_h5ad};
use sbcell::linalg::Csr;
use sbcell::{Seed, Silent};

const N_CELLS: usize = 25_000;
const N_GENES: usize = 2_000;
/// Values per cell.
const N_VALUES: usize = 500;
const REPEATS: usize = 5;

fn main() {
    let given: Vec<PathBuf> = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with("--"))
        .map(PathBuf::from)
        .collect();
    if !given.is_empty() {
        for path in &given {
            measure(path);
        }
        return;
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let matrix = counts();
    for (name, gzip) in [("csr_float32.h5ad", false), ("csr_float32_gzip.h5ad", true)] {
        let path = folder.join(name);
        let names = |prefix: &str, n: usize| -> Vec<String> {
            (0..n).map(|i| format!("{prefix}{i}")).collect()
        };
        let content = H5adContent {
            obs_names: &names("cell", N_CELLS),
            var_names: &names("gene", N_GENES),
            x: Some(MatrixContent::Sparse(&matrix)),
            gzip,
            ..Default::default()
        };
        write_h5ad(&path, &content).unwrap();
        measure(&path);
    }
}

/// Counts as skewed as real ones: most are 1.
fn counts() -> Csr {
    let mut random = Seed(0).stream("bench/read_h5ad", 0);
    let step = N_GENES / N_VALUES;
    let (mut indices, mut values) = (Vec::new(), Vec::new());
    for _ in 0..N_CELLS {
        for k in 0..N_VALUES {
            indices.push((k * step + random.random_range(0..step)) as u32);
            values.push((1 + random.next_u32().leading_zeros() / 2) as f32);
        }
    }
    let indptr = (0..=N_CELLS).map(|i| i * N_VALUES).collect();
    Csr::new(N_GENES, indptr, indices, values).unwrap()
}

/// The fastest of some repetitions, in seconds.
fn fastest<T>(mut work: impl FnMut() -> T) -> f64 {
    let seconds = (0..REPEATS).map(|_| {
        let start = Instant::now();
        drop(std::hint::black_box(work()));
        start.elapsed().as_secs_f64()
    });
    seconds.fold(f64::INFINITY, f64::min)
}

fn measure(path: &Path) {
    let read = || H5ad::open(path).unwrap().matrix(&MatrixSource::X, &mut Silent).unwrap();
    let megabytes = match read() {
        Matrix::Sparse(x) => x.n_stored() * 8,
        Matrix::Dense(x) => x.len() * 4,
    } as f64
        / 1e6;
    let seconds = fastest(read);
    let file_seconds = fastest(|| std::fs::read(path).unwrap());
    println!(
        "{}: {megabytes:.0} MB of values in {seconds:.3} s, {:.0} MB/s; the bytes of the file in \
         {file_seconds:.3} s, ratio {:.1}",
        path.display(),
        megabytes / seconds,
        seconds / file_seconds
    );
}
