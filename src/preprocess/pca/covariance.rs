//! Products of the centred matrix with itself and with thin matrices, without storing it.

use std::ops::Range;

use ndarray::{Array2, ArrayView1, ArrayView2, ArrayViewMut2, Axis, s};
use rayon::prelude::*;

use crate::data::Matrix;
use crate::error::Result;
use crate::linalg::{BLOCK, Csr, Gram, add_product, product};
use crate::platform::cpu;
use crate::progress::Progress;

/// Number of cells in one task, and in one dense block.
const ROWS: usize = 256;
/// Number of parts of the cells with separate sums; fixed, since rounding depends on it.
const N_PARTS: usize = 32;

/// Share of stored values from which a Gram matrix is computed from dense blocks.
///
/// A multiplication with a scattered addition takes 0.7 ns, one in a dense product 0.04 ns. The
/// sparse method needs `share²` of the multiplications.
const DENSE_SHARE: f64 = 0.25;

/// The Gram matrix `Xcᵀ Xc`, `(n_genes, n_genes)`, where `Xc = X − 1 meanᵀ`.
///
/// For sparse `X` it is `XᵀX − n mean meanᵀ`, without a dense copy. The rounding error relative to
/// `Xc` grows with `mean² / variance` and is negligible below 1e8. If `X` is dense or at least a
/// quarter of its values are stored, the function centres 512 cells at a time.
pub(super) fn gram_of_genes(
    x: &Matrix,
    mean: ArrayView1<'_, f64>,
    progress: &mut dyn Progress,
) -> Result<Gram> {
    match x {
        Matrix::Sparse(x) if !is_full(x) => {
            let mut gram = Gram::of_sparse(x, progress)?;
            let n = x.n_rows() as f64;
            gram.add(|i, j| -n * mean[i] * mean[j]);
            Ok(gram)
        }
        x => Gram::of_blocks(
            x.n_genes(),
            x.n_cells(),
            |block, genes, cells| fill_centred(block.reversed_axes(), x, mean, cells, genes),
            progress,
        ),
    }
}

/// The Gram matrix `Xc Xcᵀ`, `(n_cells, n_cells)`.
///
/// For sparse `X` it is `X Xᵀ − s 1ᵀ − 1 sᵀ + |mean|²` with `s = X mean`, from a transposed copy of
/// `X` (8 bytes for each stored value). If `X` is dense or at least a quarter of its values are
/// stored, the function centres 512 genes at a time.
pub(super) fn gram_of_cells(
    x: &Matrix,
    mean: ArrayView1<'_, f64>,
    progress: &mut dyn Progress,
) -> Result<Gram> {
    match x {
        Matrix::Sparse(x) if !is_full(x) => {
            let mut gram = Gram::of_sparse(&x.transposed(), progress)?;
            let along: Vec<f64> = (0..x.n_rows()).map(|i| dot(x, i, mean)).collect();
            let square = mean.dot(&mean);
            gram.add(|i, j| square - along[i] - along[j]);
            Ok(gram)
        }
        x => Gram::of_blocks(
            x.n_cells(),
            x.n_genes(),
            |block, cells, genes| fill_centred(block, x, mean, cells, genes),
            progress,
        ),
    }
}

/// Whether dense blocks are faster than the sparse method.
fn is_full(x: &Csr) -> bool {
    x.n_stored() as f64 > DENSE_SHARE * x.n_rows() as f64 * x.n_cols() as f64
}

/// Writes `Xc[cells, genes]` to `block`.
fn fill_centred(
    mut block: ArrayViewMut2<'_, f64>,
    x: &Matrix,
    mean: ArrayView1<'_, f64>,
    cells: Range<usize>,
    genes: Range<usize>,
) {
    for (mut out, cell) in block.rows_mut().into_iter().zip(cells) {
        match x {
            Matrix::Dense(x) => {
                for (out, gene) in out.iter_mut().zip(genes.clone()) {
                    *out = f64::from(x[[cell, gene]]) - mean[gene];
                }
            }
            Matrix::Sparse(x) => {
                out.iter_mut().zip(genes.clone()).for_each(|(out, gene)| *out = -mean[gene]);
                let (columns, values) = x.row(cell);
                let first = columns.partition_point(|&j| (j as usize) < genes.start);
                let inside = columns[first..].iter().take_while(|&&j| (j as usize) < genes.end);
                for (&j, &value) in inside.zip(&values[first..]) {
                    out[j as usize - genes.start] += f64::from(value);
                }
            }
        }
    }
}

/// The product `Xc W`, `(n_cells, k)`, for `W` of shape `(n_genes, k)`.
///
/// `2 k` flops for each stored value, on all threads. Memory beside the result: `2 048 n_genes`
/// bytes on each thread for dense input.
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
                        gather(sums, x.row(first + i), table);
                    }
                }
            }
        }
    });
    out
}

/// The product `Xcᵀ Y`, `(n_genes, k)`, for `Y` of shape `(n_cells, k)`, eight columns at a time.
///
/// `2 k` flops for each stored value, on all threads. Memory beside the result: `2 048 n_genes`
/// bytes for the separate sums of 32 parts of the cells.
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

/// The terms of `Xcᵀ Y` (dense) or `XᵀY` (sparse) from some cells.
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
                    scatter(sums, x.row(i), &y[i * k..(i + 1) * k]);
                }
            }
        }
    }
    sums
}

/// `sums += Σⱼ value[j] · table[j]` over the columns `j` of a sparse row.
///
/// `table` has rows of the length of `sums`.
fn gather(sums: &mut [f64], row: (&[u32], &[f32]), table: &[f64]) {
    if let Ok(sums) = <&mut [f64; BLOCK]>::try_from(&mut *sums) {
        // The compiler keeps a local copy of the eight sums in registers.
        let (table, mut local) = (table.as_chunks::<BLOCK>().0, *sums);
        for (&j, &value) in row.0.iter().zip(row.1) {
            add_eight(&mut local, f64::from(value), &table[j as usize]);
        }
        *sums = local;
        return;
    }
    cpu::arch().dispatch(Gather { sums, row, table });
}

/// The loop of [`gather`] for any number of columns.
struct Gather<'a> {
    sums: &'a mut [f64],
    row: (&'a [u32], &'a [f32]),
    table: &'a [f64],
}

impl pulp::NullaryFnOnce for Gather<'_> {
    type Output = ();

    #[expect(clippy::inline_always, reason = "only code inlined into `dispatch` is vectorised")]
    #[inline(always)]
    fn call(self) {
        let Self { sums, row, table } = self;
        let k = sums.len();
        for (&j, &value) in row.0.iter().zip(row.1) {
            let (j, factor) = (j as usize * k, f64::from(value));
            for (sum, entry) in sums.iter_mut().zip(&table[j..j + k]) {
                *sum += factor * entry;
            }
        }
    }
}

/// `table[j] += value[j] · y` for the columns `j` of a sparse row.
///
/// `table` has rows of the length of `y`.
fn scatter(table: &mut [f64], row: (&[u32], &[f32]), y: &[f64]) {
    let k = y.len();
    if let Ok(y) = <&[f64; BLOCK]>::try_from(y) {
        let table = table.as_chunks_mut::<BLOCK>().0;
        for (&j, &value) in row.0.iter().zip(row.1) {
            add_eight(&mut table[j as usize], f64::from(value), y);
        }
        return;
    }
    for (&j, &value) in row.0.iter().zip(row.1) {
        let (j, factor) = (j as usize * k, f64::from(value));
        table[j..j + k].iter_mut().zip(y).for_each(|(sum, entry)| *sum += factor * entry);
    }
}

/// `sums += factor · row` for eight columns.
#[inline]
fn add_eight(sums: &mut [f64; BLOCK], factor: f64, row: &[f64; BLOCK]) {
    for k in 0..BLOCK {
        sums[k] += factor * row[k];
    }
}

/// `X[rows] − 1 meanᵀ` in double precision.
fn centred(x: &Array2<f32>, rows: Range<usize>, mean: ArrayView1<'_, f64>) -> Array2<f64> {
    x.slice(s![rows, ..]).mapv(f64::from) - mean
}

/// The product of row `i` with `mean`.
fn dot(x: &Csr, i: usize, mean: ArrayView1<'_, f64>) -> f64 {
    let (columns, values) = x.row(i);
    columns.iter().zip(values).map(|(&j, &value)| f64::from(value) * mean[j as usize]).sum()
}

#[cfg(test)]
mod tests {
    use ndarray::Array1;

    use crate::progress::Silent;

    use super::*;

    /// The same cells dense and sparse; with every value stored, or about a fifth.
    fn matrices(full: bool) -> (Array2<f64>, Array1<f64>, [Matrix; 2]) {
        let dense = Array2::from_shape_fn((300, 40), |(i, j)| {
            let value = ((i * 13 + j * j * 7 + i * j) % 29) as f32 * 0.25;
            if full || (i + 3 * j) % 5 == 0 { value + 1.0 } else { 0.0 }
        });
        let sparse = Csr::of_dense(&dense);
        assert_eq!(is_full(&sparse), full);
        // Not the mean of the columns: then what is left out of a sum does not cancel.
        let shift = Array1::from_shape_fn(40, |j| 0.3 + 0.1 * j as f64);
        let centred = dense.mapv(f64::from) - &shift;
        (centred, shift, [Matrix::Dense(dense), Matrix::Sparse(sparse)])
    }

    fn close(got: &Array2<f64>, expected: &Array2<f64>) {
        let scale = expected.iter().fold(0.0_f64, |most, x| most.max(x.abs()));
        assert!(got.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-11 * scale));
    }

    #[test]
    fn products_agree_with_those_of_the_centred_matrix() {
        for full in [false, true] {
            let (centred, shift, matrices) = matrices(full);
            for k in [1, 8, 19] {
                let w = Array2::from_shape_fn((40, k), |(i, j)| ((i + 3 * j) as f64).sin());
                let y = Array2::from_shape_fn((300, k), |(i, j)| 0.5 + ((2 * i + j) as f64).cos());
                for x in &matrices {
                    close(&scores(x, shift.view(), w.view()), &centred.dot(&w));
                    close(&scores_transposed(x, shift.view(), y.view()), &centred.t().dot(&y));
                }
            }
        }
    }

    #[test]
    fn gram_matrices_agree_with_those_of_the_centred_matrix() {
        let entries =
            |gram: &Gram| Array2::from_shape_fn((gram.dim(), gram.dim()), |(i, j)| gram.get(i, j));
        for full in [false, true] {
            let (centred, shift, matrices) = matrices(full);
            for x in &matrices {
                let cells = gram_of_cells(x, shift.view(), &mut Silent).unwrap();
                close(&entries(&cells), &centred.dot(&centred.t()));
                // Here the sparse way needs the true mean.
                let raw = &centred + &shift;
                let mean = raw.mean_axis(Axis(0)).unwrap();
                let true_centred = &raw - &mean;
                let genes = gram_of_genes(x, mean.view(), &mut Silent).unwrap();
                close(&entries(&genes), &true_centred.t().dot(&true_centred));
            }
        }
    }
}
