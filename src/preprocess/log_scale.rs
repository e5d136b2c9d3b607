//! Conversion of a matrix to a log scale in blocks: common depth, selected genes, logarithm.

use std::ops::Range;

use ndarray::{Array1, Array2};
use rayon::prelude::*;

use crate::data::{CellBlocks, Matrix};
use crate::error::{Error, Result};
use crate::linalg::Csr;
use crate::preprocess::normalize::{at_depth, log1p_of, median_of_positive, refuse_negative};
use crate::progress::Progress;

/// Number of cells in one task.
pub(super) const TASK: usize = 512;

/// New column of a gene that is not kept.
const ABSENT: u32 = u32::MAX;

/// The conversion of values to a log scale.
///
/// ```
/// use ndarray::array;
/// use sbcell::Silent;
/// use sbcell::data::Matrix;
/// use sbcell::preprocess::LogScale;
///
/// let counts = Matrix::Dense(array![[1.0, 3.0], [2.0, 2.0]]);
/// let scale = LogScale::of_depths(array![4.0, 4.0]);
/// let Matrix::Dense(x) = scale.keep(&counts, Some(&[1]), &mut Silent)? else { unreachable!() };
/// assert!((x[[0, 0]] - 4.0_f32.ln()).abs() < 1e-6 && (x[[1, 0]] - 3.0_f32.ln()).abs() < 1e-6);
/// # sbcell::Result::Ok(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub enum LogScale {
    /// None: the values are logarithms or scaled.
    AsIs,
    /// None, although the values are not logarithms.
    Plain,
    /// `ln(1 + x)` of values with a common depth.
    Normalised,
    /// `ln(1 + x)` of counts after each cell is scaled to a common depth.
    Counts {
        /// The depth of every cell in the matrix.
        depths: Array1<f64>,
        /// The common depth.
        target: f64,
    },
}

impl LogScale {
    /// The conversion of counts with these depths of cells; the common depth is their median.
    ///
    /// See [`crate::preprocess::normalize_total`].
    pub fn of_depths(depths: Array1<f64>) -> Self {
        let target = median_of_positive(depths.as_slice().unwrap_or(&[]));
        Self::Counts { depths, target }
    }

    /// The conversion of the cells `cells` of the matrix, as those of a matrix of their own.
    pub(crate) fn of_cells(&self, cells: Range<usize>) -> Self {
        match self {
            Self::AsIs => Self::AsIs,
            Self::Plain => Self::Plain,
            Self::Normalised => Self::Normalised,
            Self::Counts { depths, target } => {
                let depths = depths.slice(ndarray::s![cells]).to_owned();
                Self::Counts { depths, target: *target }
            }
        }
    }

    /// The common depth to which counts are scaled; `None` for other values.
    pub fn depth(&self) -> Option<f64> {
        match self {
            Self::AsIs | Self::Plain | Self::Normalised => None,
            Self::Counts { target, .. } => Some(*target),
        }
    }

    /// A value of `cell` before the logarithm, as after [`crate::preprocess::normalize_total`].
    pub(super) fn scaled(&self, cell: usize, x: f32) -> f32 {
        match self {
            Self::AsIs | Self::Plain | Self::Normalised => x,
            Self::Counts { depths, target } => at_depth(x, depths[cell], *target),
        }
    }

    /// A value of `cell` on the log scale.
    fn value(&self, cell: usize, x: f32) -> f32 {
        match self {
            Self::AsIs | Self::Plain => x,
            Self::Normalised | Self::Counts { .. } => log1p_of(self.scaled(cell, x)),
        }
    }

    /// Refuses negative values of which a logarithm is needed; `first` is the first cell of `block`.
    ///
    /// # Errors
    /// [`Error::Negative`] for the first such value.
    pub(super) fn check(&self, first: usize, block: &Matrix) -> Result<()> {
        match self {
            Self::AsIs | Self::Plain => Ok(()),
            Self::Normalised => refuse_negative_block("log1p", first, block),
            Self::Counts { .. } => refuse_negative_block("normalisation", first, block),
        }
    }

    /// The genes `columns` (strictly increasing; `None` for all) of all cells on the log scale.
    ///
    /// One pass over `x`, time `O(stored values)`; logarithms are computed only for these genes.
    /// Memory beside the result: one block.
    ///
    /// # Errors
    /// [`Error::Negative`] if a count is negative or NaN; [`Error::Overflows`] if a value exceeds
    /// single precision at the common depth; errors of reading `x`; [`Error::Cancelled`].
    pub fn keep(
        &self,
        x: &dyn CellBlocks,
        columns: Option<&[usize]>,
        progress: &mut dyn Progress,
    ) -> Result<Matrix> {
        self.keep_within(x, columns, f64::INFINITY, progress)
    }

    /// As [`LogScale::keep`], with a limit of `most` bytes for the result.
    ///
    /// # Errors
    /// Those of [`LogScale::keep`]; [`Error::Memory`] as soon as the result exceeds the limit, with
    /// an estimate of its size from the share of the cells read so far.
    pub(crate) fn keep_within(
        &self,
        x: &dyn CellBlocks,
        columns: Option<&[usize]>,
        most: f64,
        progress: &mut dyn Progress,
    ) -> Result<Matrix> {
        let all: Vec<usize>;
        let columns = if let Some(columns) = columns {
            columns
        } else {
            all = (0..x.n_genes()).collect();
            &all
        };
        let mut kept = Kept::new(x, columns, most);
        x.each_block(progress, &mut |first, block| {
            self.check(first, block)?;
            kept.add(first, block, |cell, value| self.value(cell, value))
        })?;
        let kept = kept.finish()?;
        match first_infinite(&kept) {
            None => Ok(kept),
            Some((cell, column)) => {
                let (cell, gene) = (cell.to_string(), columns[column].to_string());
                Err(Error::Overflows { step: "normalisation", got: f32::INFINITY, cell, gene })
            }
        }
    }
}

/// The cell and the column of the first value that is not finite.
fn first_infinite(x: &Matrix) -> Option<(usize, usize)> {
    match x {
        Matrix::Dense(x) => x.indexed_iter().find(|entry| !entry.1.is_finite()).map(|e| e.0),
        Matrix::Sparse(x) => {
            // A search in all values is fast; the rows are needed only if it finds one.
            x.values().iter().find(|value| !value.is_finite())?;
            (0..x.n_rows()).find_map(|i| {
                let (columns, values) = x.row(i);
                let place = values.iter().position(|value| !value.is_finite())?;
                Some((i, columns[place] as usize))
            })
        }
    }
}

/// The selected values of the blocks so far.
struct Kept {
    /// Largest size in bytes.
    most: f64,
    n_cells: usize,
    columns: Vec<usize>,
    /// The new position of each old column, or [`ABSENT`].
    renumbered: Vec<u32>,
    indptr: Vec<usize>,
    indices: Vec<u32>,
    values: Vec<f32>,
    dense: Option<Array2<f32>>,
}

impl Kept {
    /// No values yet of the `columns` of `x`.
    fn new(x: &dyn CellBlocks, columns: &[usize], most: f64) -> Self {
        let mut renumbered = vec![ABSENT; x.n_genes()];
        for (new, &old) in columns.iter().enumerate() {
            renumbered[old] = new as u32;
        }
        Self {
            most,
            n_cells: x.n_cells(),
            columns: columns.to_vec(),
            renumbered,
            indptr: vec![0],
            indices: Vec::new(),
            values: Vec::new(),
            dense: None,
        }
    }

    /// Adds a block; `first` is the number of its first cell, `value` the conversion of a value.
    fn add(
        &mut self,
        first: usize,
        block: &Matrix,
        value: impl Fn(usize, f32) -> f32 + Sync,
    ) -> Result<()> {
        match block {
            Matrix::Dense(x) => {
                let (shape, columns) = ((self.n_cells, self.columns.len()), &self.columns);
                refuse_more(4.0 * shape.0 as f64 * shape.1 as f64, self.most, 1.0)?;
                let kept = self.dense.get_or_insert_with(|| Array2::zeros(shape));
                let rows = ndarray::s![first..first + x.nrows(), ..];
                let mut rows = kept.slice_mut(rows);
                let rows: Vec<_> = rows.rows_mut().into_iter().collect();
                rows.into_par_iter().enumerate().for_each(|(i, mut row)| {
                    for (out, &column) in row.iter_mut().zip(columns) {
                        *out = value(first + i, x[[i, column]]);
                    }
                });
            }
            Matrix::Sparse(x) => {
                let starts: Vec<usize> = (0..x.n_rows()).step_by(TASK).collect();
                let parts: Vec<Part> = starts
                    .into_par_iter()
                    .map(|start| {
                        let cells = start..x.n_rows().min(start + TASK);
                        Part::of(x, cells, &self.renumbered, |i, x| value(first + i, x))
                    })
                    .collect();
                let added: usize = parts.iter().map(|part| part.values.len()).sum();
                let (stored, gone) = (self.values.len() + added, first + x.n_rows());
                let bytes = 8.0 * (stored + gone) as f64;
                refuse_more(bytes, self.most, gone as f64 / self.n_cells as f64)?;
                for part in parts {
                    let end = self.values.len();
                    self.indptr.extend(part.ends.iter().map(|inside| end + inside));
                    append(&mut self.indices, &part.indices);
                    append(&mut self.values, &part.values);
                }
            }
        }
        Ok(())
    }

    /// The matrix of all values.
    fn finish(self) -> Result<Matrix> {
        match self.dense {
            Some(kept) => Ok(Matrix::Dense(kept)),
            None => Csr::new(self.columns.len(), self.indptr, self.indices, self.values)
                .map(Matrix::Sparse),
        }
    }
}

/// Returns an error if a `share` of the cells has more than `most` bytes.
///
/// The error has an estimate for all cells, `bytes / share`.
fn refuse_more(bytes: f64, most: f64, share: f64) -> Result<()> {
    if bytes <= most {
        return Ok(());
    }
    Err(Error::Memory { needed: bytes / share, promised: most })
}

/// Appends `more` and increases the capacity by at least an eighth if necessary.
///
/// The usual doubling would reserve up to twice the memory that is used.
fn append<T: Copy>(all: &mut Vec<T>, more: &[T]) {
    if all.capacity() - all.len() < more.len() {
        all.reserve_exact(more.len().max(all.len() / 8));
    }
    all.extend_from_slice(more);
}

/// The selected values of some cells of a sparse block.
struct Part {
    /// Position after the last value of each cell.
    ends: Vec<usize>,
    /// New columns of the values.
    indices: Vec<u32>,
    values: Vec<f32>,
}

impl Part {
    /// The values of `cells` in the columns that `renumbered` keeps, converted by `value`.
    fn of(
        x: &Csr,
        cells: Range<usize>,
        renumbered: &[u32],
        value: impl Fn(usize, f32) -> f32,
    ) -> Self {
        let mut part = Self { ends: Vec::new(), indices: Vec::new(), values: Vec::new() };
        for i in cells {
            let (genes, values) = x.row(i);
            for (&gene, &stored) in genes.iter().zip(values) {
                let column = renumbered[gene as usize];
                if column != ABSENT {
                    part.indices.push(column);
                    part.values.push(value(i, stored));
                }
            }
            part.ends.push(part.values.len());
        }
        part
    }
}

/// Returns an error with the first value of a block that is negative or NaN.
///
/// `first` is the number of the block's first cell.
pub(super) fn refuse_negative_block(step: &'static str, first: usize, x: &Matrix) -> Result<()> {
    refuse_negative(x, step).map_err(|error| match error {
        Error::Negative { step, cell, gene, got } => {
            Error::Negative { step, cell: first + cell, gene, got }
        }
        other => other,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::BLOCK_CELLS;
    use crate::preprocess::{log1p, normalize_total, survey};
    use crate::progress::Silent;

    /// More cells than a block, a third of the counts not zero, one cell empty.
    fn counts() -> [Matrix; 2] {
        let dense = Array2::from_shape_fn((BLOCK_CELLS + 700, 9), |(i, j)| {
            let n = i * 31 + j * j * 7 + i * j;
            if i != 3 && n % 3 == 1 { (1 + n % 11) as f32 } else { 0.0 }
        });
        [Matrix::Sparse(Csr::of_dense(&dense)), Matrix::Dense(dense)]
    }

    #[test]
    fn blocks_come_out_as_the_whole_matrix_does_to_the_bit() {
        for x in counts() {
            let mut whole = x.clone();
            let target = normalize_total(&mut whole, None).unwrap();
            log1p(&mut whole).unwrap();
            let scale = LogScale::of_depths(survey(&x, &mut Silent).unwrap().1);
            assert_eq!(scale.depth(), Some(target));
            assert_eq!(scale.keep(&x, None, &mut Silent).unwrap(), whole);
            let some = scale.keep(&x, Some(&[0, 4, 7]), &mut Silent).unwrap();
            assert_eq!(some, whole.select_genes(&[0, 4, 7]));
            assert_eq!(LogScale::AsIs.keep(&x, None, &mut Silent).unwrap(), x);
        }
    }

    #[test]
    fn a_negative_count_is_named_by_its_cell_in_the_whole_matrix() {
        let [_, Matrix::Dense(mut x)] = counts() else { return };
        x[[BLOCK_CELLS + 5, 2]] = -1.0;
        let x = Matrix::Dense(x);
        let scale = LogScale::of_depths(survey(&x, &mut Silent).unwrap().1);
        let error = scale.keep(&x, None, &mut Silent).unwrap_err();
        assert!(matches!(error, Error::Negative { cell, gene: 2, .. } if cell == BLOCK_CELLS + 5));
    }

    #[test]
    fn what_is_kept_stays_within_its_limit_or_is_refused_with_what_all_would_take() {
        for x in counts() {
            let bytes = match &x {
                Matrix::Dense(x) => 4.0 * x.len() as f64,
                Matrix::Sparse(x) => 8.0 * (x.n_stored() + x.n_rows()) as f64,
            };
            let within = |most| LogScale::AsIs.keep_within(&x, None, most, &mut Silent);
            assert_eq!(within(bytes).unwrap(), x);
            let error = within(bytes - 1.0).unwrap_err();
            assert!(error.to_string().contains("more than"), "{error}");
            assert!(matches!(error, Error::Memory { needed, .. } if (needed - bytes).abs() < 1e-6));
            // Refused in the first of its two blocks, which stores as much of a cell as the other.
            let Err(Error::Memory { needed, promised }) = within(1e3) else { panic!() };
            assert!((needed / bytes - 1.0).abs() < 0.01 && (promised - 1e3).abs() < 1e-9);
        }
    }
}
