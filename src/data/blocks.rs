//! The cells × genes matrix block by block, also for matrices larger than memory.

use std::ops::Range;

use crate::data::Matrix;
use crate::error::Result;
use crate::progress::Progress;

/// Number of cells in a block; the last block has fewer.
///
/// The size is fixed, since sums over cells are rounded block by block. A matrix in memory and the
/// same matrix on disk therefore give the same numbers to the bit.
pub const BLOCK_CELLS: usize = 2048;

/// A function of a block: the number of its first cell (from 0), and the matrix of its cells.
pub type SeeCells<'a> = dyn FnMut(usize, &Matrix) -> Result<()> + 'a;

/// A function of the stored values of a block: the number of its first cell (from 0), and the values.
pub type SeeValues<'a> = dyn FnMut(usize, &StoredValues) -> Result<()> + 'a;

/// The stored values of some cells without their genes, cell by cell.
///
/// ```
/// use sbcell::data::StoredValues;
///
/// let values = StoredValues { ends: vec![2, 3], values: vec![1.0, 4.0, 2.0], n_genes: 5 };
/// assert_eq!(values.n_cells(), 2);
/// assert_eq!(values.cell(1), [2.0]);
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct StoredValues {
    /// Position in `values` after the last value of each cell.
    pub ends: Vec<usize>,
    /// The values of all cells; a sparse matrix may store zeros too.
    pub values: Vec<f32>,
    /// Number of genes of the matrix, stored or not.
    pub n_genes: usize,
}

impl StoredValues {
    /// Number of cells.
    pub fn n_cells(&self) -> usize {
        self.ends.len()
    }

    /// The stored values of cell `i` of the block.
    pub fn cell(&self, i: usize) -> &[f32] {
        let start = if i == 0 { 0 } else { self.ends[i - 1] };
        &self.values[start..self.ends[i]]
    }
}

/// A cells × genes matrix that can be read any number of times, always in the same blocks.
///
/// [`Matrix`] implements it for data in memory, and the readers of `.h5ad` files for data on disk.
///
/// ```
/// use ndarray::array;
/// use sbcell::Silent;
/// use sbcell::data::{CellBlocks, Matrix};
///
/// let matrix = Matrix::Dense(array![[1.0, 2.0], [0.0, 4.0], [3.0, 0.0]]);
/// let mut n_cells = 0;
/// matrix.each_block(&mut Silent, &mut |first, block| {
///     assert_eq!(first, n_cells);
///     n_cells += block.n_cells();
///     Ok(())
/// })?;
/// assert_eq!(n_cells, 3);
/// # sbcell::Result::Ok(())
/// ```
pub trait CellBlocks {
    /// Number of cells.
    fn n_cells(&self) -> usize;

    /// Number of genes.
    fn n_genes(&self) -> usize;

    /// Calls `see` for all cells in order, with [`BLOCK_CELLS`] cells at a time.
    ///
    /// # Errors
    /// Every error of `see`; errors of reading a file; [`crate::Error::Cancelled`].
    fn each_block(&self, progress: &mut dyn Progress, see: &mut SeeCells<'_>) -> Result<()>;

    /// Calls `see` for the stored values of all cells, in the blocks of [`CellBlocks::each_block`].
    ///
    /// A sparse file is read without the column indices, which halves the amount of data.
    ///
    /// # Errors
    /// As for [`CellBlocks::each_block`].
    fn each_values(&self, progress: &mut dyn Progress, see: &mut SeeValues<'_>) -> Result<()>;
}

/// The range of cells of each block of a matrix with `n_cells` cells.
pub(crate) fn blocks_of(n_cells: usize) -> impl Iterator<Item = Range<usize>> {
    (0..n_cells).step_by(BLOCK_CELLS).map(move |first| first..n_cells.min(first + BLOCK_CELLS))
}

impl CellBlocks for Matrix {
    fn n_cells(&self) -> usize {
        Matrix::n_cells(self)
    }

    fn n_genes(&self) -> usize {
        Matrix::n_genes(self)
    }

    fn each_block(&self, _: &mut dyn Progress, see: &mut SeeCells<'_>) -> Result<()> {
        for cells in blocks_of(Matrix::n_cells(self)) {
            let first = cells.start;
            see(first, &self.select_cells(&cells.collect::<Vec<_>>()))?;
        }
        Ok(())
    }

    fn each_values(&self, progress: &mut dyn Progress, see: &mut SeeValues<'_>) -> Result<()> {
        self.each_block(progress, &mut |first, block| see(first, &block.stored_values()))
    }
}

impl Matrix {
    /// A copy of the stored values, cell by cell.
    pub(crate) fn stored_values(&self) -> StoredValues {
        let n_genes = Matrix::n_genes(self);
        match self {
            Self::Dense(x) => StoredValues {
                ends: (1..=x.nrows()).map(|cells| cells * n_genes).collect(),
                values: x.iter().copied().collect(),
                n_genes,
            },
            Self::Sparse(x) => {
                let mut end = 0;
                let lengths = (0..x.n_rows()).map(|i| x.row(i).0.len());
                let ends = lengths.map(|length| {
                    end += length;
                    end
                });
                StoredValues { ends: ends.collect(), values: x.values().to_vec(), n_genes }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;
    use crate::linalg::Csr;
    use crate::progress::Silent;

    #[test]
    fn blocks_hold_every_cell_once_and_values_are_those_of_the_cells() {
        let n = BLOCK_CELLS + 5;
        let dense = Array2::from_shape_fn((n, 2), |(i, j)| (2 * i + j) as f32);
        let indptr = (0..=n).collect();
        let columns = (0..n).map(|i| (i % 2) as u32).collect();
        let values = (0..n).map(|i| i as f32).collect();
        let sparse = Csr::new(2, indptr, columns, values).unwrap();
        for matrix in [Matrix::Dense(dense), Matrix::Sparse(sparse)] {
            let mut seen = 0;
            let mut see = |first: usize, block: &Matrix| {
                assert_eq!(first, seen);
                let rows: Vec<usize> = (first..first + block.n_cells()).collect();
                assert_eq!(*block, matrix.select_cells(&rows));
                seen += block.n_cells();
                Ok(())
            };
            matrix.each_block(&mut Silent, &mut see).unwrap();
            assert_eq!(seen, n);
            let mut see = |first: usize, block: &StoredValues| {
                for i in 0..block.n_cells() {
                    let expected: Vec<f32> = match &matrix {
                        Matrix::Dense(x) => x.row(first + i).to_vec(),
                        Matrix::Sparse(x) => x.row(first + i).1.to_vec(),
                    };
                    assert_eq!(block.cell(i), expected);
                }
                Ok(())
            };
            matrix.each_values(&mut Silent, &mut see).unwrap();
        }
    }
}
