//! Products of the centred matrix with thin matrices, without storing anything centred.

use std::ops::Range;

use ndarray::{Array2, ArrayView1, ArrayView2, ArrayViewMut2, Axis, s};
use rayon::prelude::*;

use crate::data::Matrix;
use crate::error::Result;
use crate::linalg::{BLOCK, Csr, Gram, add_product, product};
use crate::progress::Progress;

/// Cells that are densified at a time (dense input) or multiplied in one task.
const ROWS: usize = 256;
/// Parts of the cells that are summed apart; part of the result, since it rounds.
const N_PARTS: usize = 32;

/// `Xcᵀ Xc`, `(n_genes, n_genes)`, where `Xc = X − 1 meanᵀ`.
///
/// Sparse: `XᵀX − n mean meanᵀ`, nothing is densified; relative to `Xc` rounding grows with
/// `mean² / variance`, harmless below 1e8. Dense: centred block by block.
pub(super) fn gram_of_genes(
    x: &Matrix,
    mean: ArrayView1<'_, f64>,
    progress: &mut dyn Progress,
) -> Result<Gram> {
    match x {
        Matrix::Sparse(x) => {
            let mut gram = Gram::of_sparse(x, progress)?;
            let n = x.n_rows() as f64;
            gram.add(|i, j| -n * mean[i] * mean[j]);
            Ok(gram)
        }
        Matrix::Dense(x) => {
            let fill =
                |mut block: ArrayViewMut2<'_, f64>, genes: Range<usize>, cells: Range<usize>| {
                    for (k, cell) in cells.enumerate() {
                        for (g, gene) in genes.clone().enumerate() {
                            block[[g, k]] = f64::from(x[[cell, gene]]) - mean[gene];
                        }
                    }
                };
            Gram::of_blocks(x.ncols(), x.nrows(), fill, progress)
        }
    }
}

/// `Xc Xcᵀ`, `(n_cells, n_cells)`.
///
/// Sparse: from a transposed copy of `X` (8 bytes for each stored value), centred by
/// `− s 1ᵀ − 1 sᵀ + |mean|²`, `s = X mean`. Dense: centred block by block.
pub(super) fn gram_of_cells(
    x: &Matrix,
    mean: ArrayView1<'_, f64>,
    progress: &mut dyn Progress,
) -> Result<Gram> {
    match x {
        Matrix::Sparse(x) => {
            let mut gram = Gram::of_sparse(&x.transposed(), progress)?;
            let along: Vec<f64> = (0..x.n_rows()).map(|i| dot(x, i, mean)).collect();
            let square = mean.dot(&mean);
            gram.add(|i, j| square - along[i] - along[j]);
            Ok(gram)
        }
        Matrix::Dense(x) => {
            let fill =
                |mut block: ArrayViewMut2<'_, f64>, cells: Range<usize>, genes: Range<usize>| {
                    for (k, cell) in cells.enumerate() {
                        for (g, gene) in genes.clone().enumerate() {
                            block[[k, g]] = f64::from(x[[cell, gene]]) - mean[gene];
                        }
                    }
                };
            Gram::of_blocks(x.nrows(), x.ncols(), fill, progress)
        }
    }
}

/// `Xc W`, `(n_cells, k)`, for `W` of shape `(n_genes, k)`.
///
/// `2 k` flops for each stored value; memory the result, and for dense input `2 048 n_genes`
/// bytes on each thread.
pub(super) fn scores(x: &Matrix, mean: ArrayView1<'_, f64>, w: ArrayView2<'_, f64>) -> Array2<f64> {
    let w = w.as_standard_layout();
    let mut out = Array2::zeros((x.n_cells(), w.ncols()));
    let shift = mean.dot(&w);
    let parts: Vec<_> = out.axis_chunks_iter_mut(Axis(0), ROWS).collect();
    parts.into_par_iter().enumerate().for_each(|(part, mut out)| {
        let first = part * ROWS;
        match x {
            Matrix::Dense(x) => {
                let rows = first..first + out.nrows();
                out.assign(&product(centred(x, rows, mean).view(), w.view()));
            }
            Matrix::Sparse(x) => {
                let table = w.as_slice().unwrap_or(&[]);
                for (i, mut sums) in out.rows_mut().into_iter().enumerate() {
                    sums.assign(&shift);
                    sums *= -1.0;
                    if let Some(sums) = sums.as_slice_mut() {
                        add_rows(sums, x.row(first + i), table);
                    }
                }
            }
        }
    });
    out
}

/// `Xcᵀ Y`, `(n_genes, k)`, for `Y` of shape `(n_cells, k)`, eight columns at a time.
///
/// `2 k` flops for each stored value; memory beside the result `2 048 n_genes` bytes, since 32
/// parts of the cells are summed apart.
pub(super) fn scores_transposed(
    x: &Matrix,
    mean: ArrayView1<'_, f64>,
    y: ArrayView2<'_, f64>,
) -> Array2<f64> {
    let mut out = Array2::zeros((x.n_genes(), y.ncols()));
    let columns = y.axis_chunks_iter(Axis(1), BLOCK);
    for (y, mut out) in columns.zip(out.axis_chunks_iter_mut(Axis(1), BLOCK)) {
        let y = y.as_standard_layout();
        let size = x.n_cells().div_ceil(N_PARTS).max(1);
        let starts: Vec<usize> = (0..x.n_cells()).step_by(size).collect();
        let parts: Vec<Array2<f64>> = starts
            .into_par_iter()
            .map(|start| part_transposed(x, start..x.n_cells().min(start + size), mean, y.view()))
            .collect();
        for part in &parts {
            out += part;
        }
        if matches!(x, Matrix::Sparse(_)) {
            for (k, mut out) in out.columns_mut().into_iter().enumerate() {
                out.scaled_add(-y.column(k).sum(), &mean);
            }
        }
    }
    out
}

/// The part of `Xcᵀ Y` (dense) or `XᵀY` (sparse) that some cells add.
fn part_transposed(
    x: &Matrix,
    cells: Range<usize>,
    mean: ArrayView1<'_, f64>,
    y: ArrayView2<'_, f64>,
) -> Array2<f64> {
    let k = y.ncols();
    let mut sums = Array2::zeros((x.n_genes(), k));
    match x {
        Matrix::Dense(x) => {
            for start in cells.clone().step_by(ROWS) {
                let rows = start..cells.end.min(start + ROWS);
                let y = y.slice(s![rows.clone(), ..]);
                add_product(sums.view_mut(), 1.0, centred(x, rows, mean).t(), y);
            }
        }
        Matrix::Sparse(x) => {
            if let (Some(sums), Some(y)) = (sums.as_slice_mut(), y.as_slice()) {
                for i in cells {
                    let (columns, values) = x.row(i);
                    let y = &y[i * k..(i + 1) * k];
                    for (&j, &value) in columns.iter().zip(values) {
                        let j = j as usize * k;
                        add_scaled(&mut sums[j..j + k], f64::from(value), y);
                    }
                }
            }
        }
    }
    sums
}

/// `sums += Σⱼ value[j] · table[j]` over the values of a sparse row.
fn add_rows(sums: &mut [f64], row: (&[u32], &[f32]), table: &[f64]) {
    let k = sums.len();
    for (&j, &value) in row.0.iter().zip(row.1) {
        let j = j as usize * k;
        add_scaled(sums, f64::from(value), &table[j..j + k]);
    }
}

/// `sums += factor · row`; eight at once are kept in registers.
fn add_scaled(sums: &mut [f64], factor: f64, row: &[f64]) {
    let (sums, sums_rest) = sums.as_chunks_mut::<BLOCK>();
    let (row, row_rest) = row.as_chunks::<BLOCK>();
    for (sums, row) in sums.iter_mut().zip(row) {
        sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += factor * value);
    }
    sums_rest.iter_mut().zip(row_rest).for_each(|(sum, value)| *sum += factor * value);
}

/// `X[rows] − 1 meanᵀ` in double precision.
fn centred(x: &Array2<f32>, rows: Range<usize>, mean: ArrayView1<'_, f64>) -> Array2<f64> {
    x.slice(s![rows, ..]).mapv(f64::from) - mean
}

fn dot(x: &Csr, i: usize, mean: ArrayView1<'_, f64>) -> f64 {
    let (columns, values) = x.row(i);
    columns.iter().zip(values).map(|(&j, &value)| f64::from(value) * mean[j as usize]).sum()
}
