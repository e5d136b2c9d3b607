//! Gram matrices `AᵀA`, upper triangle only, from sparse rows or dense blocks.

use std::ops::Range;

use ndarray::{Array1, Array2, ArrayView2, ArrayViewMut2, Axis, s};
use rayon::prelude::*;

use crate::error::Result;
use crate::linalg::{Csr, add_product, product, product_tn};
use crate::progress::{Event, Progress, report};

/// Rows of one panel.
const WIDTH: usize = 128;
/// Sparse rows that are gone through at a time; they stay in the cache.
const ROWS: usize = 1024;
/// Terms of the inner sum that are densified at a time.
const DEPTH: usize = 512;

/// A symmetric matrix `(n, n)` of which the upper triangle is held, in panels of 128 rows:
/// `4 n (n + 128)` bytes.
///
/// Panels are filled and applied in parallel, every entry by one thread in a fixed order, so
/// the result does not depend on the number of threads.
#[derive(Debug, Clone)]
pub struct Gram {
    n: usize,
    /// Panel `p` holds rows from `128 p` on, and of them the columns from `128 p` on.
    panels: Vec<Array2<f64>>,
}

impl Gram {
    /// `AᵀA` of sparse `A`, `n = a.n_cols()`.
    ///
    /// `Σ rᵢ (rᵢ + 1)/2` multiplications for rows of `rᵢ` values, each scattered into a row of
    /// the result that stays in the cache; memory beside the result 8 bytes for each value of
    /// 1 024 rows.
    ///
    /// # Errors
    /// [`crate::Error::Cancelled`].
    pub fn of_sparse(a: &Csr, progress: &mut dyn Progress) -> Result<Self> {
        let mut gram = Self::zeros(a.n_cols());
        for start in (0..a.n_rows()).step_by(ROWS) {
            let rows = start..a.n_rows().min(start + ROWS);
            let columns = BlockColumns::new(a, rows.clone());
            gram.panels.par_iter_mut().enumerate().with_max_len(1).for_each(|(p, panel)| {
                for (i, mut sums) in panel.rows_mut().into_iter().enumerate() {
                    if let Some(sums) = sums.as_slice_mut() {
                        add_column(sums, p * WIDTH, a, columns.of(p * WIDTH + i));
                    }
                }
            });
            report(progress, Event::Step { done: rows.end as u64 })?;
        }
        gram.mirror_diagonal_blocks();
        Ok(gram)
    }

    /// `BBᵀ` of a matrix `B` of `n` rows and `depth` columns that is never in memory as a whole:
    /// `fill(block, rows, columns)` writes a part of it.
    ///
    /// `n (n + 128) depth` flops; memory beside the result `4 096 n` bytes.
    ///
    /// # Errors
    /// [`crate::Error::Cancelled`].
    pub fn of_blocks(
        n: usize,
        depth: usize,
        fill: impl Fn(ArrayViewMut2<'_, f64>, Range<usize>, Range<usize>) + Sync,
        progress: &mut dyn Progress,
    ) -> Result<Self> {
        let mut gram = Self::zeros(n);
        for start in (0..depth).step_by(DEPTH) {
            let columns = start..depth.min(start + DEPTH);
            let mut block = Array2::zeros((n, columns.len()));
            let parts: Vec<_> = block.axis_chunks_iter_mut(Axis(0), WIDTH).collect();
            parts.into_par_iter().enumerate().for_each(|(p, part)| {
                fill(part, p * WIDTH..n.min((p + 1) * WIDTH), columns.clone());
            });
            gram.panels.par_iter_mut().enumerate().with_max_len(1).for_each(|(p, panel)| {
                let first = p * WIDTH;
                let rows = block.slice(s![first..first + panel.nrows(), ..]);
                add_product(panel.view_mut(), 1.0, rows, block.slice(s![first.., ..]).t());
            });
            report(progress, Event::Step { done: columns.end as u64 })?;
        }
        Ok(gram)
    }

    /// Number of rows and columns.
    pub fn dim(&self) -> usize {
        self.n
    }

    /// Entry `(i, j)`.
    pub fn get(&self, i: usize, j: usize) -> f64 {
        let (i, j) = (i.min(j), i.max(j));
        let p = i / WIDTH;
        self.panels[p][[i - p * WIDTH, j - p * WIDTH]]
    }

    /// Adds `change(i, j)`, which must be symmetric, to every entry.
    pub fn add(&mut self, change: impl Fn(usize, usize) -> f64 + Sync) {
        self.panels.par_iter_mut().enumerate().for_each(|(p, panel)| {
            for ((i, j), entry) in panel.indexed_iter_mut() {
                *entry += change(p * WIDTH + i, p * WIDTH + j);
            }
        });
    }

    /// The diagonal.
    pub fn diagonal(&self) -> Array1<f64> {
        (0..self.n).map(|i| self.get(i, i)).collect()
    }

    /// The product with `v`, `(n, k)`; `2 n² k` flops, reading the matrix once.
    #[must_use]
    pub fn apply(&self, v: ArrayView2<'_, f64>) -> Array2<f64> {
        let part = |(p, panel): (usize, &Array2<f64>)| {
            let (first, width) = (p * WIDTH, panel.nrows());
            // Below the diagonal the panel is read transposed; its diagonal block only once.
            let mut out = product_tn(panel.view(), v.slice(s![first..first + width, ..]));
            let right = product(panel.view(), v.slice(s![first.., ..]));
            out.slice_mut(s![..width, ..]).assign(&right);
            out
        };
        let parts: Vec<Array2<f64>> =
            self.panels.par_iter().enumerate().with_max_len(1).map(part).collect();
        let mut out = Array2::zeros(v.dim());
        for (p, part) in parts.iter().enumerate() {
            let mut rows = out.slice_mut(s![p * WIDTH.., ..]);
            rows += part;
        }
        out
    }

    fn zeros(n: usize) -> Self {
        let panels = (0..n)
            .step_by(WIDTH)
            .map(|first| Array2::zeros((WIDTH.min(n - first), n - first)))
            .collect();
        Self { n, panels }
    }

    fn mirror_diagonal_blocks(&mut self) {
        for panel in &mut self.panels {
            for i in 0..panel.nrows() {
                for j in 0..i {
                    panel[[i, j]] = panel[[j, i]];
                }
            }
        }
    }
}

/// Adds `Σ a[r, i] · a[r, i..]` over the rows `r` of a block to the row `i` of the result.
fn add_column(sums: &mut [f64], first: usize, a: &Csr, column: &[(u32, u32)]) {
    for &(row, place) in column {
        let (indices, values) = a.row(row as usize);
        let (indices, values) = (&indices[place as usize..], &values[place as usize..]);
        let factor = f64::from(values[0]);
        for (&j, &value) in indices.iter().zip(values) {
            sums[j as usize - first] += factor * f64::from(value);
        }
    }
}

/// Where the values of each column are in a block of sparse rows: `(row, place in the row)`.
struct BlockColumns {
    starts: Vec<usize>,
    places: Vec<(u32, u32)>,
}

impl BlockColumns {
    fn new(a: &Csr, rows: Range<usize>) -> Self {
        let mut starts = vec![0; a.n_cols() + 2];
        for i in rows.clone() {
            for &j in a.row(i).0 {
                starts[j as usize + 2] += 1;
            }
        }
        for j in 2..starts.len() {
            starts[j] += starts[j - 1];
        }
        let mut places = vec![(0, 0); starts.last().copied().unwrap_or(0)];
        for i in rows {
            for (place, &j) in a.row(i).0.iter().enumerate() {
                let next = &mut starts[j as usize + 1];
                places[*next] = (i as u32, place as u32);
                *next += 1;
            }
        }
        Self { starts, places }
    }

    fn of(&self, column: usize) -> &[(u32, u32)] {
        &self.places[self.starts[column]..self.starts[column + 1]]
    }
}

#[cfg(test)]
mod tests {
    use crate::progress::Silent;

    use super::*;

    /// `n` larger than two panels, more rows than one block, a third nonzero.
    fn matrix(n_rows: usize, n_cols: usize) -> (Csr, Array2<f64>) {
        let dense = Array2::from_shape_fn((n_rows, n_cols), |(i, j)| {
            let value = ((i * 31 + j * 17) % 23) as f32 - 4.0;
            if (i * 7 + j * j + i * j) % 3 == 1 { value } else { 0.0 }
        });
        (Csr::of_dense(&dense), dense.mapv(f64::from))
    }

    #[test]
    fn sparse_and_dense_agree_with_the_plain_product() {
        let (sparse, dense) = matrix(1100, 300);
        let expected = dense.t().dot(&dense);
        let from_rows = Gram::of_sparse(&sparse, &mut Silent).unwrap();
        let fill =
            |mut block: ArrayViewMut2<'_, f64>, rows: Range<usize>, columns: Range<usize>| {
                block.assign(&dense.slice(s![columns, rows]).t());
            };
        let from_blocks = Gram::of_blocks(300, 1100, fill, &mut Silent).unwrap();
        for gram in [&from_rows, &from_blocks] {
            for ((i, j), value) in expected.indexed_iter() {
                // Whole numbers: exact in any order.
                assert!((gram.get(i, j) - value).abs() < 1e-9, "{i} {j}");
            }
            assert_eq!(gram.diagonal(), expected.diag());
            let v = Array2::from_shape_fn((300, 5), |(i, j)| ((i * 5 + j) as f64 * 0.3).sin());
            let error = gram.apply(v.view()) - expected.dot(&v);
            let scale = expected.iter().fold(0.0_f64, |most, x| most.max(x.abs()));
            assert!(error.iter().all(|error| error.abs() < 1e-12 * scale * 300.0));
        }
    }

    #[test]
    fn changes_every_entry_once() {
        let (sparse, dense) = matrix(20, 150);
        let mut gram = Gram::of_sparse(&sparse, &mut Silent).unwrap();
        gram.add(|i, j| -((i + j) as f64));
        let expected = dense.t().dot(&dense);
        for ((i, j), value) in expected.indexed_iter() {
            assert!((gram.get(i, j) - (value - (i + j) as f64)).abs() < 1e-9);
        }
    }
}
