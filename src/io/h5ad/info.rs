//! Properties of a matrix that are known without reading its values.

/// How a matrix is stored. See [`MatrixInfo`] for an example.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StorageFormat {
    /// Every value.
    Dense,
    /// Sparse, by rows (cells).
    Csr,
    /// Sparse, by columns (genes).
    Csc,
}

impl std::fmt::Display for StorageFormat {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Dense => "dense",
            Self::Csr => "CSR",
            Self::Csc => "CSC",
        })
    }
}

/// Properties of a matrix that are known without reading its values.
///
/// ```
/// use ndarray::array;
/// use sbcell::io::h5ad::{H5ad, H5adContent, MatrixContent, MatrixSource, StorageFormat, write_h5ad};
///
/// # fn main() -> sbcell::Result<()> {
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("cells.h5ad");
/// let cells = ["a".to_string(), "b".to_string()];
/// let genes = ["Sox2".to_string()];
/// let counts = array![[3.0_f32], [0.0]];
/// let x = Some(MatrixContent::Single(counts.view()));
/// let content = H5adContent { obs_names: &cells, var_names: &genes, x, ..H5adContent::default() };
/// write_h5ad(&path, &content)?;
/// let info = H5ad::open(&path)?.matrix_info(&MatrixSource::X)?;
/// assert_eq!((info.format, info.n_cells, info.n_genes), (StorageFormat::Dense, 2, 1));
/// assert_eq!(info.dtype, "float32");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct MatrixInfo {
    /// Dense or sparse.
    pub format: StorageFormat,
    /// Number of rows.
    pub n_cells: usize,
    /// Number of columns.
    pub n_genes: usize,
    /// Values stored.
    pub n_stored: usize,
    /// Type of the values, as numpy names it.
    pub dtype: String,
    /// Filters of the values, in the order in which they were applied.
    pub compression: Vec<String>,
}
