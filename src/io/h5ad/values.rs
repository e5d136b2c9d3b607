//! The matrices of the open files of a course, with their genes: read whole, by rows or block by block.

use crate::data::{Column, Matrix};
use crate::error::{Error, Result};
use crate::io::h5ad::blocks::H5adBlocks;
use crate::io::h5ad::info::MatrixInfo;
use crate::io::h5ad::joined::{self, GeneOrder, JoinedMatrix};
use crate::io::h5ad::matrix;
use crate::io::h5ad::read::{H5ad, MatrixSource};
use crate::progress::Progress;

impl H5ad {
    /// Names of the genes of a matrix. They may contain duplicates, see [`duplicates`](crate::io::h5ad::duplicates).
    ///
    /// # Errors
    /// [`Error::Unreadable`] if the table of genes is missing or corrupt, or the genes of several files differ.
    pub fn gene_names(&self, source: &MatrixSource) -> Result<Vec<String>> {
        self.gene_orders(source)?;
        self.first().gene_names(source)
    }

    /// The order of the genes in each part.
    fn gene_orders(&self, source: &MatrixSource) -> Result<Vec<GeneOrder>> {
        if self.parts().len() == 1 {
            return Ok(vec![None]);
        }
        let known = &self.orders[usize::from(*source == MatrixSource::RawX)];
        if let Some(orders) = known.get() {
            return Ok(orders.clone());
        }
        let here = self.first().gene_names(source)?;
        let mut orders = vec![None];
        for part in &self.parts()[1..] {
            let there = part.gene_names(source)?;
            orders.push(joined::gene_order(self.first(), part, &here, &there)?);
        }
        Ok(known.get_or_init(|| orders).clone())
    }

    /// Names of the columns of `var` (or of `raw/var`), in their order; of several files, those of the first.
    ///
    /// # Errors
    /// [`Error::Unreadable`].
    pub fn var_columns(&self, source: &MatrixSource) -> Result<Vec<String>> {
        self.first().var_columns(source)
    }

    /// A column of `var` (or of `raw/var`); of several files, that of the first.
    ///
    /// # Errors
    /// [`Error::UnknownKey`] with the columns there are; [`Error::Unreadable`].
    pub fn var(&self, source: &MatrixSource, name: &str) -> Result<Column> {
        self.first().var(source, name)
    }

    /// Names of the layers; of several files, those that all of them have.
    ///
    /// # Errors
    /// [`Error::Unreadable`].
    pub fn layers(&self) -> Result<Vec<String>> {
        let mut layers = self.first().layers()?;
        for part in &self.parts()[1..] {
            let own = part.layers()?;
            layers.retain(|name| own.contains(name));
        }
        Ok(layers)
    }

    /// The matrices of the file, X first; of several files, those that all of them have.
    ///
    /// # Errors
    /// [`Error::Unreadable`].
    pub fn matrices(&self) -> Result<Vec<MatrixSource>> {
        let layers = self.layers()?.into_iter().map(MatrixSource::Layer);
        let sources = [MatrixSource::X].into_iter().chain(layers).chain([MatrixSource::RawX]);
        Ok(sources.filter(|source| self.parts().iter().all(|part| part.lists(source))).collect())
    }

    /// Whether the file, or each of several files, contains this matrix.
    ///
    /// # Errors
    /// [`Error::Unreadable`].
    pub fn has_matrix(&self, source: &MatrixSource) -> Result<bool> {
        for part in self.parts() {
            if !part.has_matrix(source)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Shape, storage and type of a matrix, without reading it. Of several files it is sparse if that of one of
    /// them is.
    ///
    /// # Errors
    /// As [`H5ad::matrix`], except for its values.
    pub fn matrix_info(&self, source: &MatrixSource) -> Result<MatrixInfo> {
        self.stored(source).map(|stored| stored.info())
    }

    /// The matrices of all parts.
    fn stored(&self, source: &MatrixSource) -> Result<JoinedMatrix> {
        let stored =
            self.parts().iter().map(|part| part.stored(source)).collect::<Result<Vec<_>>>()?;
        Ok(JoinedMatrix::new(stored.into_iter().zip(self.gene_orders(source)?).collect()))
    }

    /// About `most` of the stored values of a matrix, from places spread evenly over the file.
    ///
    /// # Errors
    /// As [`H5ad::matrix_info`], and [`Error::Unreadable`] if the values cannot be read.
    pub fn sample_values(&self, source: &MatrixSource, most: usize) -> Result<Vec<f32>> {
        self.stored(source)?.sample(most)
    }

    /// A whole matrix. A dense matrix stays dense; a sparse one is returned by rows, also if the file stores
    /// it by columns.
    ///
    /// # Errors
    /// [`Error::NoMatrix`] or [`Error::UnknownKey`] if there is none; [`Error::Unreadable`] if it
    /// is corrupt, has no genes or not the shape that `obs` and `var` say, or several files have different genes;
    /// [`Error::NotFinite`] if a value is NaN or infinite; [`Error::Cancelled`].
    pub fn matrix(&self, source: &MatrixSource, progress: &mut dyn Progress) -> Result<Matrix> {
        let matrix = self.stored(source)?.read(None, progress)?;
        self.check_finite(&matrix, source, None)?;
        Ok(matrix)
    }

    /// The rows `rows` of a matrix, in this order. Memory is about the size of these rows.
    ///
    /// # Errors
    /// As [`H5ad::matrix`]; [`Error::Parameter`] if a row is not a cell.
    pub fn matrix_rows(
        &self,
        source: &MatrixSource,
        rows: &[usize],
        progress: &mut dyn Progress,
    ) -> Result<Matrix> {
        self.check_rows(rows)?;
        let stored = self.stored(source)?;
        if rows.windows(2).all(|pair| pair[0] < pair[1]) {
            let matrix = stored.read(Some(rows), progress)?;
            self.check_finite(&matrix, source, Some(rows))?;
            return Ok(matrix);
        }
        let mut sorted = rows.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        let matrix = stored.read(Some(&sorted), progress)?;
        self.check_finite(&matrix, source, Some(&sorted))?;
        let places: Vec<usize> =
            rows.iter().map(|row| sorted.partition_point(|other| other < row)).collect();
        Ok(match matrix {
            Matrix::Dense(x) => Matrix::Dense(x.select(ndarray::Axis(0), &places)),
            Matrix::Sparse(x) => Matrix::Sparse(x.select_rows(&places)),
        })
    }

    /// The rows `rows` (strictly increasing) of a matrix that stays on disk, in blocks. `None` for storage
    /// by columns.
    ///
    /// # Errors
    /// [`Error::NoMatrix`], [`Error::UnknownKey`] or [`Error::Unreadable`] as [`H5ad::matrix`];
    /// [`Error::Parameter`] if a row is not a cell, or they do not increase.
    pub fn matrix_blocks(
        &self,
        source: &MatrixSource,
        rows: &[usize],
    ) -> Result<Option<H5adBlocks<'_>>> {
        self.check_rows(rows)?;
        if rows.windows(2).any(|pair| pair[1] <= pair[0]) {
            let (must, got) = ("strictly increasing", "another order".into());
            return Err(Error::Parameter { name: "rows", must, got });
        }
        Ok(H5adBlocks::new(self, source, self.stored(source)?, rows))
    }

    fn check_rows(&self, rows: &[usize]) -> Result<()> {
        let Some(row) = rows.iter().find(|&&row| row >= self.n_cells()) else { return Ok(()) };
        let (must, got) = ("smaller than the number of cells", row.to_string());
        Err(Error::Parameter { name: "rows", must, got })
    }

    /// Refuses NaN and infinite values, naming cell and gene. `rows` are the cells that the rows
    /// of `matrix` stand for, if not all.
    ///
    /// # Errors
    /// [`Error::NotFinite`].
    pub fn check_finite(
        &self,
        matrix: &Matrix,
        source: &MatrixSource,
        rows: Option<&[usize]>,
    ) -> Result<()> {
        let Some((row, gene, value)) = matrix::first_not_finite(matrix) else { return Ok(()) };
        let cell = rows.and_then(|rows| rows.get(row).copied()).unwrap_or(row);
        let number = joined::part_of(&self.starts, cell);
        let (part, cell) = (&self.parts()[number], cell - self.starts[number]);
        let cells = part.obs_names()?;
        let genes = self.gene_names(source)?;
        Err(Error::NotFinite {
            path: part.path().to_path_buf(),
            node: source.to_string(),
            value,
            cell: cells.get(cell).cloned().unwrap_or_else(|| cell.to_string()),
            gene: genes.get(gene).cloned().unwrap_or_else(|| gene.to_string()),
        })
    }
}
