//! A matrix on disk as blocks of cells. Each pass reads the file again, one block ahead of the work.

use std::ops::Range;
use std::sync::mpsc::sync_channel;

use ndarray::Array2;
use sbcell_hdf5::{Dataset, Storage, Value};

use crate::data::{CellBlocks, Matrix, SeeCells, SeeValues, StoredValues, blocks_of};
use crate::error::{Error, Result};
use crate::io::h5ad::joined::{JoinedMatrix, Piece};
use crate::io::h5ad::matrix::{
    Sparse, StoredMatrix, all_finite, ranges_of_rows, read_ranges, window_of,
};
use crate::io::h5ad::refused::Refuse;
use crate::io::h5ad::{H5ad, MatrixSource};
use crate::linalg::Csr;
use crate::progress::{Event, Progress, report};

/// Some cells of a matrix that stays on disk, in one file or in several.
///
/// Each pass reads the files again. Two blocks are in memory: the caller works on one while the other is
/// read and decoded. Blocks have the same number of cells wherever a file ends.
pub struct H5adBlocks<'f> {
    file: &'f H5ad,
    source: MatrixSource,
    matrix: JoinedMatrix,
    rows: Vec<usize>,
}

impl std::fmt::Debug for H5adBlocks<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("H5adBlocks").field("source", &self.source).finish_non_exhaustive()
    }
}

impl<'f> H5adBlocks<'f> {
    /// The cells `rows` (strictly increasing) of a matrix. `None` for storage by columns, where one
    /// cell cannot be read without reading all.
    pub(super) fn new(
        file: &'f H5ad,
        source: &MatrixSource,
        matrix: JoinedMatrix,
        rows: &[usize],
    ) -> Option<Self> {
        matrix.by_rows().then(|| Self { file, source: source.clone(), matrix, rows: rows.to_vec() })
    }

    /// Reads the blocks in a separate thread and passes them to `see` in order.
    fn each<B: Block>(
        &self,
        progress: &mut dyn Progress,
        see: &mut dyn FnMut(usize, &B) -> Result<()>,
    ) -> Result<()> {
        let mut cursor = Cursor::at(&self.matrix, self.rows.first().copied().unwrap_or(0))?;
        let what = format!("reading {}", self.source);
        report(progress, Event::Begin { what, total: self.rows.len() as u64 })?;
        std::thread::scope(|scope| {
            let (send, receive) = sync_channel(0);
            let rows = &self.rows;
            scope.spawn(move || {
                for cells in blocks_of(rows.len()) {
                    let block = cursor.read::<B>(&rows[cells.clone()]);
                    let failed = block.is_err();
                    // The receiver is gone after an error or a stop.
                    if send.send((cells, block)).is_err() || failed {
                        return;
                    }
                }
            });
            for (cells, block) in receive {
                see(cells.start, &block?)?;
                report(progress, Event::Step { done: cells.end as u64 })?;
            }
            Ok::<(), Error>(())
        })?;
        report(progress, Event::End)
    }

    /// Refuses NaN and infinite values by the names of cell and gene.
    fn check(&self, first: usize, block: &Matrix) -> Result<()> {
        let rows = &self.rows[first..first + block.n_cells()];
        self.file.check_finite(block, &self.source, Some(rows))
    }
}

impl CellBlocks for H5adBlocks<'_> {
    fn n_cells(&self) -> usize {
        self.rows.len()
    }

    fn n_genes(&self) -> usize {
        self.matrix.n_genes()
    }

    fn each_block(&self, progress: &mut dyn Progress, see: &mut SeeCells<'_>) -> Result<()> {
        self.each(progress, &mut |first, block: &Matrix| {
            self.check(first, block)?;
            see(first, block)
        })
    }

    fn each_values(&self, progress: &mut dyn Progress, see: &mut SeeValues<'_>) -> Result<()> {
        self.each(progress, &mut |first, block: &StoredValues| {
            if !all_finite(&block.values) {
                // The block is read once more with gene names, for the message.
                let rows = &self.rows[first..first + block.n_cells()];
                let mut cursor = Cursor::at(&self.matrix, rows.first().copied().unwrap_or(0))?;
                self.check(first, &cursor.read(rows)?)?;
            }
            see(first, block)
        })
    }
}

/// A part of the content of a block: its cells, or their stored values.
trait Block: Send + Sized {
    /// Reads the rows `rows` (strictly increasing) of one part.
    fn read(reader: &Reader<'_>, piece: &Piece, rows: &[usize]) -> Result<Self>;

    /// Adds the cells of the next part.
    fn append(&mut self, below: Self);
}

impl Block for Matrix {
    fn read(reader: &Reader<'_>, piece: &Piece, rows: &[usize]) -> Result<Self> {
        piece.as_first(reader.cells(rows)?)
    }

    fn append(&mut self, below: Self) {
        Matrix::append(self, below);
    }
}

impl Block for StoredValues {
    fn read(reader: &Reader<'_>, piece: &Piece, rows: &[usize]) -> Result<Self> {
        if piece.is_as_first() {
            return reader.values(rows);
        }
        // The order of the values of a cell is that of the genes of the first part.
        Ok(<Matrix as Block>::read(reader, piece, rows)?.stored_values())
    }

    fn append(&mut self, below: Self) {
        let before = self.values.len();
        self.ends.extend(below.ends.iter().map(|end| before + end));
        self.values.extend(below.values);
    }
}

/// The part of a matrix that is read at present.
struct Cursor<'a> {
    matrix: &'a JoinedMatrix,
    part: usize,
    reader: Reader<'a>,
}

impl<'a> Cursor<'a> {
    /// Begins at the part that has row `row`.
    fn at(matrix: &'a JoinedMatrix, row: usize) -> Result<Self> {
        let part = matrix.part_of(row);
        Ok(Self { matrix, part, reader: Reader::new(&matrix.pieces[part].stored)? })
    }

    /// The rows `rows` (strictly increasing), also across the ends of parts.
    fn read<B: Block>(&mut self, rows: &[usize]) -> Result<B> {
        let last = rows.last().map_or(self.part, |&row| self.matrix.part_of(row));
        let mut all: Option<B> = None;
        for part in self.part..=last {
            let own = self.matrix.rows_of(part, rows);
            if own.is_empty() && (all.is_some() || part < last) {
                continue;
            }
            let block = self.read_part(part, &own)?;
            match &mut all {
                Some(all) => all.append(block),
                None => all = Some(block),
            }
        }
        match all {
            Some(all) => Ok(all),
            None => self.read_part(self.part, &[]),
        }
    }

    /// The rows `rows` of part number `part`.
    fn read_part<B: Block>(&mut self, part: usize, rows: &[usize]) -> Result<B> {
        let matrix = self.matrix;
        let piece = &matrix.pieces[part];
        if part != self.part {
            self.reader = Reader::new(&piece.stored)?;
            self.part = part;
        }
        B::read(&self.reader, piece, rows).map_err(|error| match (error, &piece.stored) {
            (Error::SparseStructure(why), StoredMatrix::Sparse(sparse)) => sparse.corrupt(&why),
            (error, _) => error,
        })
    }
}

/// A matrix with its parts located, from which any cells can be read.
enum Reader<'a> {
    Dense { dataset: &'a Dataset, storage: Storage<'a> },
    Sparse { sparse: &'a Sparse, starts: Vec<usize>, data: Storage<'a>, indices: Storage<'a> },
}

impl<'a> Reader<'a> {
    fn new(stored: &'a StoredMatrix) -> Result<Self> {
        Ok(match stored {
            StoredMatrix::Dense(dataset) => {
                Self::Dense { dataset, storage: Storage::new(dataset)? }
            }
            StoredMatrix::Sparse(sparse) => Self::Sparse {
                sparse,
                starts: sparse.starts()?,
                data: Storage::new(&sparse.data)?,
                indices: Storage::new(&sparse.indices)?,
            },
        })
    }

    /// The cells `rows`, strictly increasing.
    fn cells(&self, rows: &[usize]) -> Result<Matrix> {
        match self {
            Self::Dense { dataset, storage } => {
                let values = read(storage, &self.ranges(rows))?;
                let shape = (rows.len(), storage.row_length());
                Array2::from_shape_vec(shape, values)
                    .map(Matrix::Dense)
                    .map_err(|error| dataset.unreadable(error))
            }
            Self::Sparse { sparse, data, indices, .. } => {
                let ranges = self.ranges(rows);
                let indptr = std::iter::once(0).chain(self.ends(rows)).collect();
                let (values, indices) = (read(data, &ranges)?, read(indices, &ranges)?);
                Csr::new(sparse.shape.1, indptr, indices, values).map(Matrix::Sparse)
            }
        }
    }

    /// Their stored values.
    fn values(&self, rows: &[usize]) -> Result<StoredValues> {
        let (values, n_genes) = match self {
            Self::Dense { storage, .. } => (storage, storage.row_length()),
            Self::Sparse { sparse, data, .. } => (data, sparse.shape.1),
        };
        let values = read(values, &self.ranges(rows))?;
        Ok(StoredValues { ends: self.ends(rows), values, n_genes })
    }

    /// Where each cell ends among the values that are read.
    fn ends(&self, rows: &[usize]) -> Vec<usize> {
        let mut end = 0;
        let length = |&row: &usize| match self {
            Self::Dense { storage, .. } => storage.row_length(),
            Self::Sparse { starts, .. } => starts[row + 1] - starts[row],
        };
        rows.iter()
            .map(|row| {
                end += length(row);
                end
            })
            .collect()
    }

    fn ranges(&self, rows: &[usize]) -> Vec<Range<usize>> {
        match self {
            Self::Dense { storage, .. } => {
                ranges_of_rows(Some(rows), storage.n_rows(), |row| row..row + 1)
            }
            Self::Sparse { starts, .. } => {
                ranges_of_rows(Some(rows), starts.len() - 1, |row| starts[row]..starts[row + 1])
            }
        }
    }
}

/// The rows of `storage` in `ranges`, which increase.
fn read<T: Value>(storage: &Storage<'_>, ranges: &[Range<usize>]) -> Result<Vec<T>> {
    let window = window_of(storage, storage.row_length());
    let mut quiet = crate::progress::Silent;
    read_ranges(storage, ranges, window, &mut quiet)
}
