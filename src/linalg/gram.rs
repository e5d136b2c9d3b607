//! Gram matrices `AᵀA` from sparse rows or dense blocks; only the upper triangle is stored.

use std::ops::Range;

use ndarray::{Array1, Array2, ArrayView2, ArrayViewMut2, Axis, s};
use rayon::prelude::*;

use crate::error::Result;
use crate::linalg::{Csr, add_product, product, product_tn};
use crate::progress::{Event, Progress, report};

/// Rows of the result in one panel.
const WIDTH: usize = 128;
/// Sparse rows in one block; they stay in the cache.
const ROWS: usize = 1024;
/// Columns of a dense block.
const DEPTH: usize = 512;

/// A symmetric `(n, n)` matrix; the upper triangle is stored in panels of 128 rows.
///
/// Memory `4 n (n + 128)` bytes, half of a full matrix. Panels are filled and applied in parallel.
/// One thread computes each entry in a fixed order, so the result does not depend on the number of
/// threads.
#[derive(Debug, Clone)]
pub struct Gram {
    n: usize,
    /// Panel `p` has the rows from `128 p` on, and of them the columns from `128 p` on.
    panels: Vec<Array2<f64>>,
}

impl Gram {
    /// The matrix `AᵀA` of a sparse `A` with `n` columns.
    ///
    /// `Σ rᵢ (rᵢ + 1)/2` multiplications for rows of `rᵢ` stored values. Each product is added to
    /// a row of the result that stays in the cache. Memory beside the result: 8 bytes for each
    /// stored value of 1 024 rows. Reports the number of finished rows as steps.
    ///
    /// # Errors
    /// [`crate::Error::Cancelled`] if `progress` stops the computation.
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

    /// The matrix `BBᵀ` of an `(n, depth)` matrix `B` that is never in memory as a whole.
    ///
    /// `fill(block, rows, columns)` writes the part `B[rows, columns]` to `block`; it is called in
    /// parallel for 128 rows and 512 columns at a time. `n (n + 128) depth` flops; memory beside
    /// the result `4 096 n` bytes. Reports the number of finished columns as steps.
    ///
    /// # Errors
    /// [`crate::Error::Cancelled`] if `progress` stops the computation.
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

    /// All stored entries: the panels one after the other, each by rows.
    pub(crate) fn entries(&self) -> Vec<f64> {
        self.panels.iter().flat_map(|panel| panel.iter().copied()).collect()
    }

    /// The `(n, n)` matrix with the stored `entries` of [`Gram::entries`]; `None` if they are too many or too few.
    pub(crate) fn of_entries(n: usize, entries: &[f64]) -> Option<Self> {
        let mut gram = Self::zeros(n);
        let mut left = entries;
        for panel in &mut gram.panels {
            let (own, others) = left.split_at_checked(panel.len())?;
            panel.iter_mut().zip(own).for_each(|(entry, value)| *entry = *value);
            left = others;
        }
        left.is_empty().then_some(gram)
    }

    /// Adds the matrix `other` of the same size.
    pub(crate) fn add_matrix(&mut self, other: &Self) {
        let pairs = self.panels.par_iter_mut().zip(&other.panels);
        pairs.for_each(|(panel, other)| *panel += other);
    }

    /// Number `n` of rows and columns.
    pub fn dim(&self) -> usize {
        self.n
    }

    /// Entry `(i, j)`, on either side of the diagonal.
    pub fn get(&self, i: usize, j: usize) -> f64 {
        let (i, j) = (i.min(j), i.max(j));
        let p = i / WIDTH;
        self.panels[p][[i - p * WIDTH, j - p * WIDTH]]
    }

    /// Adds the symmetric `change(i, j)` to every entry.
    ///
    /// It is called for the stored entries only, in parallel; centring of a covariance uses it.
    pub fn add(&mut self, change: impl Fn(usize, usize) -> f64 + Sync) {
        self.panels.par_iter_mut().enumerate().for_each(|(p, panel)| {
            for ((i, j), entry) in panel.indexed_iter_mut() {
                *entry += change(p * WIDTH + i, p * WIDTH + j);
            }
        });
    }

    /// The `n` diagonal entries.
    pub fn diagonal(&self) -> Array1<f64> {
        (0..self.n).map(|i| self.get(i, i)).collect()
    }

    /// The product with `v`, `(n, k)`, as `(n, k)`.
    ///
    /// `2 n² k` flops in parallel over panels; the matrix is read once.
    #[must_use]
    pub fn apply(&self, v: ArrayView2<'_, f64>) -> Array2<f64> {
        let part = |(p, panel): (usize, &Array2<f64>)| {
            let (first, width) = (p * WIDTH, panel.nrows());
            // The transposed panel gives the part below the diagonal. The diagonal block must count
            // once, so the direct product replaces its rows.
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

    /// A matrix of zeros.
    fn zeros(n: usize) -> Self {
        let panels = (0..n)
            .step_by(WIDTH)
            .map(|first| Array2::zeros((WIDTH.min(n - first), n - first)))
            .collect();
        Self { n, panels }
    }

    /// Copies the upper triangle of each diagonal block to its lower triangle, for dense products.
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

/// Adds `Σ_r a[r, i] · a[r, i..]` over the rows `r` of a block to row `i` of the result.
///
/// `sums` is this row from column `first` on; `column` lists the entries of column `i`.
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

/// The entries of each column in a block of sparse rows, as row and position within the row.
struct BlockColumns {
    /// The entries of column `j` are `places[starts[j]..starts[j + 1]]`.
    starts: Vec<usize>,
    places: Vec<(u32, u32)>,
}

impl BlockColumns {
    /// The entries of `rows`, by a counting sort.
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

    /// The entries of one column, by row.
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
    fn entries_are_those_of_the_matrix_again() {
        let (sparse, _) = matrix(50, 150);
        let gram = Gram::of_sparse(&sparse, &mut Silent).unwrap();
        let entries = gram.entries();
        assert_eq!(entries.len(), 128 * 150 + 22 * 22);
        let mut again = Gram::of_entries(150, &entries).unwrap();
        assert_eq!(again.get(3, 140).to_bits(), gram.get(3, 140).to_bits());
        assert!(Gram::of_entries(150, &entries[1..]).is_none());
        assert!(Gram::of_entries(149, &entries).is_none());
        again.add_matrix(&gram);
        let doubled = |i, j| (again.get(i, j) - 2.0 * gram.get(i, j)).abs() < 1e-12;
        assert!((0..150).all(|i| (0..150).all(|j| doubled(i, j))));
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
