//! The cells × genes matrix, dense or with sparse rows.

use ndarray::{Array2, Axis};

use crate::linalg::Csr;

/// A matrix of expression with shape `(n_cells, n_genes)`, in single precision.
///
/// ```
/// use ndarray::array;
/// use sbcell::data::Matrix;
///
/// let counts = Matrix::Dense(array![[0.0, 3.0, 1.0], [2.0, 0.0, 5.0]]);
/// assert_eq!((counts.n_cells(), counts.n_genes()), (2, 3));
/// let part = counts.select_cells(&[1]).select_genes(&[0, 2]);
/// assert_eq!(part, Matrix::Dense(array![[2.0, 5.0]]));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub enum Matrix {
    /// All values.
    Dense(Array2<f32>),
    /// Only some values, usually the nonzero ones, in compressed rows.
    Sparse(Csr),
}

impl Matrix {
    /// Number of cells (rows).
    pub fn n_cells(&self) -> usize {
        match self {
            Self::Dense(x) => x.nrows(),
            Self::Sparse(x) => x.n_rows(),
        }
    }

    /// Number of genes (columns).
    pub fn n_genes(&self) -> usize {
        match self {
            Self::Dense(x) => x.ncols(),
            Self::Sparse(x) => x.n_cols(),
        }
    }

    /// A copy of the cells `rows`, in that order.
    #[must_use]
    pub fn select_cells(&self, rows: &[usize]) -> Self {
        match self {
            Self::Dense(x) => Self::Dense(x.select(Axis(0), rows)),
            Self::Sparse(x) => Self::Sparse(x.select_rows(rows)),
        }
    }

    /// Adds the cells of `below`, which has as many genes. If one of both is sparse, the result is.
    pub(crate) fn append(&mut self, below: Self) {
        match (&mut *self, below) {
            (Self::Dense(above), Self::Dense(below)) => {
                // Both have the same number of columns.
                let _ = above.append(Axis(0), below.view());
            }
            (Self::Sparse(above), Self::Sparse(below)) => above.append(&below),
            (Self::Sparse(above), Self::Dense(below)) => above.append(&Csr::of_dense(&below)),
            (Self::Dense(above), Self::Sparse(below)) => {
                let mut sparse = Csr::of_dense(above);
                sparse.append(&below);
                *self = Self::Sparse(sparse);
            }
        }
    }

    /// A copy of the genes `columns`, which must be strictly increasing.
    #[must_use]
    pub fn select_genes(&self, columns: &[usize]) -> Self {
        match self {
            Self::Dense(x) => Self::Dense(x.select(Axis(1), columns)),
            Self::Sparse(x) => Self::Sparse(x.select_columns(columns)),
        }
    }
}
