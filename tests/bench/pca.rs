//! Principal components of a simulated sparse matrix, against the speed of a plain product.
//!
//! `cargo bench --bench pca [n_cells]`; `tests/bench/pca.py` times scikit-learn on the same
//! matrix.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a bench prints")]

use std::time::Instant;

use ndarray::Array2;
use rayon::prelude::*;
use sbcell::data::Matrix;
use sbcell::linalg::{Csr, Gram, product_tn};
use sbcell::preprocess::{PcaMethod, PcaSolver};
use sbcell::{Seed, Silent};

const N_GENES: u64 = 2_000;

/// One output of splitmix64 for the counter `state`.
fn mix(state: u64) -> u64 {
    let mut z = (state + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Roots of counts that follow 32 programmes, about a tenth nonzero.
fn simulate(n_cells: u64) -> Csr {
    let (mut indptr, mut indices, mut values) = (vec![0], Vec::new(), Vec::new());
    for i in 0..n_cells {
        let levels: Vec<u64> = (0..32)
            .map(|programme| mix(7_000_000_000 + 64 * i + programme) % 32 * (40 - programme) / 10)
            .collect();
        for j in 0..N_GENES {
            let z = mix(i * N_GENES + j);
            let level = levels[(j % 32) as usize];
            if z % 1024 < 60 + level {
                indices.push(j as u32);
                values.push(((1 + (z >> 10) % (2 + level)) as f32).sqrt());
            }
        }
        indptr.push(values.len());
    }
    Csr::new(N_GENES as usize, indptr, indices, values).unwrap()
}

fn timed<T>(label: &str, gflop: f64, work: impl FnOnce() -> T) -> (T, f64) {
    let start = Instant::now();
    let result = work();
    let seconds = start.elapsed().as_secs_f64();
    let speed =
        if gflop > 0.0 { format!("{:8.2} GFLOP/s", gflop / seconds) } else { String::new() };
    println!("{label:<44} {seconds:8.3} s {speed}");
    (result, gflop / seconds)
}

fn main() {
    let n_cells = std::env::args().find_map(|word| word.parse().ok()).unwrap_or(20_000);
    let sparse = simulate(n_cells);
    let n = N_GENES as usize;
    let size = format!("n={n_cells},genes={N_GENES}");
    let stored = sparse.n_stored() as f64;
    println!(
        "{size}: {:.1} % nonzero, {} threads",
        stored / (n_cells as f64 * n as f64) * 100.0,
        rayon::current_num_threads()
    );

    // One plain product per thread, so that both use all of the machine.
    let threads = rayon::current_num_threads();
    let square = Array2::from_shape_fn((n, n), |(i, j)| ((i + 2 * j) % 17) as f64);
    let gflop = 2e-9 * (n as f64).powi(3) * threads as f64;
    let (_, plain) = timed("product/2000", gflop, || {
        (0..threads)
            .into_par_iter()
            .map(|_| product_tn(square.view(), square.view())[[0, 0]])
            .sum::<f64>()
    });

    let pairs: f64 =
        (0..sparse.n_rows()).map(|i| sparse.row(i).0.len() as f64).map(|r| r * (r + 1.0)).sum();
    timed(&format!("gram/sparse,{size}"), pairs * 1e-9, || {
        Gram::of_sparse(&sparse, &mut Silent).unwrap()
    });
    let x = Matrix::Sparse(sparse);
    let fit =
        |x: &Matrix, method| PcaSolver { n_pcs: 50, method }.fit(x, Seed(0), &mut Silent).unwrap();
    let (pca, _) = timed(&format!("pca/sparse,{size}"), pairs * 1e-9, || fit(&x, PcaMethod::Auto));
    let (lanczos, _) =
        timed(&format!("pca/sparse,lanczos,{size}"), 0.0, || fit(&x, PcaMethod::Lanczos));
    timed(&format!("transform/sparse,{size}"), stored * 100e-9, || pca.transform(&x).unwrap());
    let error = &lanczos.explained_variance() / &pca.explained_variance() - 1.0;
    println!(
        "lanczos against gram: variances within {:.1e}",
        error.iter().fold(0.0_f64, |worst, error| worst.max(error.abs()))
    );
    println!(
        "variances: {:.12} … {:.12}, total {:.9}",
        pca.explained_variance()[0],
        pca.explained_variance()[49],
        pca.total_variance()
    );

    let Matrix::Sparse(rows) = &x else { return };
    let mut dense = Array2::<f32>::zeros((rows.n_rows(), n));
    for i in 0..rows.n_rows() {
        let (columns, values) = rows.row(i);
        columns.iter().zip(values).for_each(|(&j, &value)| dense[[i, j as usize]] = value);
    }
    let dense = Matrix::Dense(dense);
    let gflop = 1e-9 * n_cells as f64 * (n as f64 + 128.0) * n as f64;
    let (_, speed) = timed(&format!("pca/dense,{size}"), gflop, || fit(&dense, PcaMethod::Auto));
    println!("dense, of the plain product's speed: {:.0} %", 100.0 * speed / plain);
}
