//! Block Lanczos against faer's partial eigensolver: the 50 largest eigenpairs of a Gram matrix.

use faer::dyn_stack::{MemBuffer, MemStack};
use faer::matrix_free::LinOp;
use faer::matrix_free::eigen::{
    PartialEigenParams, partial_self_adjoint_eigen, partial_self_adjoint_eigen_scratch,
};
use faer::prelude::ReborrowMut;
use faer::{Col, Mat, MatMut, MatRef, Par};
use ndarray::{Array2, ArrayView2};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sbcell::Seed;
use sbcell::linalg::Lanczos;

use crate::{compare, median_of_five};

const N_PAIRS: usize = 50;

/// `AᵀA / m` of a matrix with 32 programmes and noise: a spectrum like that of expression.
fn gram(n: usize) -> Mat<f64> {
    let mut stream = ChaCha8Rng::seed_from_u64(1);
    let m = 2 * n;
    let mut uniform = || stream.random::<f64>() - 0.5;
    let loadings = Mat::from_fn(32, n, |k, _| uniform() * 3.0 / (1.0 + k as f64).sqrt());
    let levels = Mat::from_fn(m, 32, |_, _| uniform());
    let noise = Mat::from_fn(m, n, |_, _| uniform());
    let a = &levels * &loadings + &noise;
    (a.transpose() * &a) * faer::Scale(1.0 / m as f64)
}

#[derive(Debug)]
struct Counted<'a>(MatRef<'a, f64>, std::sync::atomic::AtomicUsize);

impl LinOp<f64> for Counted<'_> {
    fn apply_scratch(&self, _columns: usize, _par: Par) -> faer::dyn_stack::StackReq {
        faer::dyn_stack::StackReq::EMPTY
    }
    fn nrows(&self) -> usize {
        self.0.nrows()
    }
    fn ncols(&self) -> usize {
        self.0.ncols()
    }
    fn apply(&self, mut out: MatMut<'_, f64>, right: MatRef<'_, f64>, par: Par, _: &mut MemStack) {
        self.1.fetch_add(right.ncols(), std::sync::atomic::Ordering::Relaxed);
        faer::linalg::matmul::matmul(out.rb_mut(), faer::Accum::Replace, self.0, right, 1.0, par);
    }
    fn conj_apply(
        &self,
        out: MatMut<'_, f64>,
        right: MatRef<'_, f64>,
        par: Par,
        stack: &mut MemStack,
    ) {
        self.apply(out, right, par, stack);
    }
}

pub(crate) fn run() {
    for n in [500, 2000] {
        let matrix = gram(n);
        let mut exact: Vec<f64> = matrix.self_adjoint_eigenvalues(faer::Side::Lower).unwrap();
        exact.sort_by(|a, b| b.total_cmp(a));
        let worst = |found: &[f64]| {
            (0..N_PAIRS).map(|i| (found[i] - exact[i]).abs() / exact[i]).fold(0.0, f64::max)
        };

        let data: Vec<f64> = (0..n * n).map(|at| matrix[(at / n, at % n)]).collect();
        let dense = ArrayView2::from_shape((n, n), &data).unwrap();
        let lanczos = Lanczos { n_pairs: N_PAIRS, ..Lanczos::default() };
        let mut columns = 0;
        let mut values = Vec::new();
        let ours = median_of_five(|| {
            columns = 0;
            let mut apply = |block: ArrayView2<'_, f64>| -> sbcell::Result<Array2<f64>> {
                columns += block.ncols();
                Ok(sbcell::linalg::product(dense, block))
            };
            values = lanczos.solve(n, Seed(1), &mut apply).unwrap().values.to_vec();
        });
        println!(
            "n = {n}: ours applies the matrix to {columns} vectors, largest relative error {:.1e}",
            worst(&values)
        );

        // As many dimensions as ours, and its own choice.
        for max_dim in [0, 3 * N_PAIRS + 32] {
            let params =
                PartialEigenParams { max_dim, max_restarts: 100, ..PartialEigenParams::default() };
            let counted = Counted(matrix.as_ref(), 0.into());
            let start = Col::from_fn(n, |i| ((i * 37 + 11) % 101) as f64 - 50.0);
            let mut vectors = Mat::zeros(n, N_PAIRS);
            let mut values = vec![0.0; N_PAIRS];
            let mut converged = 0;
            let theirs = median_of_five(|| {
                counted.1.store(0, std::sync::atomic::Ordering::Relaxed);
                let need = partial_self_adjoint_eigen_scratch(&counted, N_PAIRS, Par::Seq, params);
                let mut memory = MemBuffer::new(need);
                let info = partial_self_adjoint_eigen(
                    vectors.as_mut(),
                    &mut values,
                    &counted,
                    start.as_ref(),
                    1e-8,
                    Par::Seq,
                    MemStack::new(&mut memory),
                    params,
                );
                converged = info.n_converged_eigen;
            });
            let mut sorted = values.clone();
            sorted.sort_by(|a, b| b.total_cmp(a));
            println!(
                "n = {n}: faer (max_dim {max_dim}) {converged} of {N_PAIRS} converged, {} vectors, largest relative error {:.1e}",
                counted.1.load(std::sync::atomic::Ordering::Relaxed),
                worst(&sorted)
            );
            compare(&format!("50 eigenpairs of {n} × {n}, faer max_dim {max_dim}"), ours, theirs);
        }
        let full = median_of_five(|| {
            let _ = matrix.self_adjoint_eigen(faer::Side::Lower).unwrap();
        });
        compare(&format!("50 eigenpairs of {n} × {n}, faer full decomposition"), ours, full);
    }
}
