//! The cells × genes matrix, dense or in sparse rows.

use ndarray::{Array2, Axis};

use crate::linalg::Csr;

/// Cells × genes, in single precision as counts are stored.
#[derive(Debug, Clone, PartialEq)]
pub enum Matrix {
    /// Every value stored, row-major.
    Dense(Array2<f32>),
    /// Only nonzero values stored.
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

    /// The cells `rows`, in that order.
    #[must_use]
    pub fn select_cells(&self, rows: &[usize]) -> Self {
        match self {
            Self::Dense(x) => Self::Dense(x.select(Axis(0), rows)),
            Self::Sparse(x) => Self::Sparse(x.select_rows(rows)),
        }
    }

    /// The genes `columns` (strictly increasing), in that order.
    #[must_use]
    pub fn select_genes(&self, columns: &[usize]) -> Self {
        match self {
            Self::Dense(x) => Self::Dense(x.select(Axis(1), columns)),
            Self::Sparse(x) => Self::Sparse(x.select_columns(columns)),
        }
    }
}
