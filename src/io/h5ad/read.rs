//! An open `.h5ad` file: its contents, read in parts on request.

use std::fmt;
use std::path::{Path, PathBuf};

use sbcell_hdf5::{Element, File, Group, Node};

use crate::data::{Column, Matrix};
use crate::error::{Error, Result};
use crate::io::h5ad::blocks::H5adBlocks;
use crate::io::h5ad::frame::Frame;
use crate::io::h5ad::info::MatrixInfo;
use crate::io::h5ad::matrix::{self, StoredMatrix};
use crate::io::h5ad::mistaken;
use crate::io::h5ad::refused::unreadable_at;
use crate::io::h5ad::text;
use crate::progress::Progress;

/// An open `.h5ad` file. Matrices and columns are read on request. See [`H5adContent`] for an example.
///
/// [`H5adContent`]: crate::io::h5ad::H5adContent
pub struct H5ad {
    path: PathBuf,
    pub(super) root: Group,
    obs: Frame,
    n_cells: usize,
}

/// The place of a cells × genes matrix in a file.
///
/// ```
/// use sbcell::io::h5ad::MatrixSource;
///
/// assert_eq!(MatrixSource::Layer("counts".into()).to_string(), "layers/counts");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum MatrixSource {
    /// The main matrix.
    X,
    /// A layer.
    Layer(String),
    /// The matrix of `raw`, which may have more genes.
    RawX,
}

impl fmt::Display for MatrixSource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::X => formatter.write_str("X"),
            Self::Layer(name) => write!(formatter, "layers/{name}"),
            Self::RawX => formatter.write_str("raw/X"),
        }
    }
}

impl fmt::Debug for H5ad {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("H5ad")
            .field("path", &self.path)
            .field("n_cells", &self.n_cells)
            .finish_non_exhaustive()
    }
}

impl H5ad {
    /// Opens the file, written by any anndata from 0.6 on.
    ///
    /// # Errors
    /// [`Error::NoFile`] if there is none; [`Error::Unreadable`] with what it is if it is no `.h5ad`, or
    /// one that is empty, truncated, or without cells.
    pub fn open(path: &Path) -> Result<Self> {
        mistaken::check_file(path)?;
        let file = File::open(path)?;
        let root = file.root()?;
        mistaken::check_layout(&root)?;
        let Some(obs) = Frame::open(&root, &root, "obs")? else {
            return Err(unreadable_at(&file, "obs", "is missing"));
        };
        let n_cells = obs.n_rows()?;
        if n_cells == 0 {
            return Err(unreadable_at(&file, "obs", "there are no cells"));
        }
        Ok(Self { path: path.to_path_buf(), root, obs, n_cells })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Number of cells.
    pub fn n_cells(&self) -> usize {
        self.n_cells
    }

    /// Names of the cells.
    ///
    /// # Errors
    /// [`Error::Unreadable`].
    pub fn obs_names(&self) -> Result<Vec<String>> {
        self.obs.index()
    }

    /// Names of the columns of `obs`, in their order.
    ///
    /// # Errors
    /// [`Error::Unreadable`].
    pub fn obs_columns(&self) -> Result<Vec<String>> {
        self.obs.columns()
    }

    /// A column of `obs`.
    ///
    /// # Errors
    /// [`Error::UnknownKey`] with the columns there are; [`Error::Unreadable`].
    pub fn obs(&self, name: &str) -> Result<Column> {
        match self.obs.column(name)? {
            Some(column) => Ok(column),
            None => Err(self.unknown("column of obs", name, self.obs_columns()?)),
        }
    }

    /// Names of the genes of a matrix. They may contain duplicates, see [`duplicates`].
    ///
    /// # Errors
    /// [`Error::Unreadable`] if the table of genes is missing or corrupt.
    pub fn gene_names(&self, source: &MatrixSource) -> Result<Vec<String>> {
        self.genes(source)?.index()
    }

    /// Names of the columns of `var` (or of `raw/var`), in their order.
    ///
    /// # Errors
    /// [`Error::Unreadable`].
    pub fn var_columns(&self, source: &MatrixSource) -> Result<Vec<String>> {
        self.genes(source)?.columns()
    }

    /// A column of `var` (or of `raw/var`).
    ///
    /// # Errors
    /// [`Error::UnknownKey`] with the columns there are; [`Error::Unreadable`].
    pub fn var(&self, source: &MatrixSource, name: &str) -> Result<Column> {
        let genes = self.genes(source)?;
        match genes.column(name)? {
            Some(column) => Ok(column),
            None => Err(self.unknown("column of var", name, genes.columns()?)),
        }
    }

    /// Names of the layers.
    ///
    /// # Errors
    /// [`Error::Unreadable`].
    pub fn layers(&self) -> Result<Vec<String>> {
        self.names_in("layers")
    }

    /// The matrices of the file, X first.
    ///
    /// # Errors
    /// [`Error::Unreadable`].
    pub fn matrices(&self) -> Result<Vec<MatrixSource>> {
        let layers = self.layers()?.into_iter().map(MatrixSource::Layer);
        let mut found = Vec::new();
        for source in [MatrixSource::X].into_iter().chain(layers).chain([MatrixSource::RawX]) {
            // A corrupt matrix is listed too; reading it gives the error.
            if self.node(&source).map_or(true, |node| node.is_some_and(|node| !is_null(&node))) {
                found.push(source);
            }
        }
        Ok(found)
    }

    /// Whether the file contains this matrix.
    ///
    /// # Errors
    /// [`Error::Unreadable`].
    pub fn has_matrix(&self, source: &MatrixSource) -> Result<bool> {
        Ok(self.node(source)?.is_some_and(|node| !is_null(&node)))
    }

    /// Shape, storage and type of a matrix, without reading it.
    ///
    /// # Errors
    /// As [`H5ad::matrix`], except for its values.
    pub fn matrix_info(&self, source: &MatrixSource) -> Result<MatrixInfo> {
        self.stored(source).map(|stored| stored.info())
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
    /// is corrupt, has no genes or not the shape that `obs` and `var` say;
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
        let Some(row) = rows.iter().find(|&&row| row >= self.n_cells) else { return Ok(()) };
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
        let cells = self.obs_names()?;
        let genes = self.gene_names(source)?;
        Err(Error::NotFinite {
            path: self.path.clone(),
            node: source.to_string(),
            value,
            cell: cells.get(cell).cloned().unwrap_or_else(|| cell.to_string()),
            gene: genes.get(gene).cloned().unwrap_or_else(|| gene.to_string()),
        })
    }

    /// Keys of `uns`.
    ///
    /// # Errors
    /// [`Error::Unreadable`].
    pub fn uns_keys(&self) -> Result<Vec<String>> {
        self.names_in("uns")
    }

    /// A text in `uns`, by path (`pca/params`); `None` if it is absent or not a single text.
    ///
    /// # Errors
    /// [`Error::Unreadable`].
    pub fn uns_text(&self, key: &str) -> Result<Option<String>> {
        let Some(uns) = self.root.group("uns")? else { return Ok(None) };
        match uns.child(key)? {
            Some(Node::Dataset(dataset))
                if matches!(dataset.element(), Element::HeapText | Element::FixedText { .. })
                    && dataset.shape().iter().product::<usize>() == 1 =>
            {
                Ok(text::strings(&dataset)?.pop())
            }
            _ => Ok(None),
        }
    }

    /// The texts of an entry of `uns`, by path (`cell_type_colors`); `None` if it is absent or not a list of texts.
    ///
    /// # Errors
    /// [`Error::Unreadable`].
    pub fn uns_texts(&self, key: &str) -> Result<Option<Vec<String>>> {
        let Some(uns) = self.root.group("uns")? else { return Ok(None) };
        match uns.child(key)? {
            Some(Node::Dataset(dataset))
                if matches!(dataset.element(), Element::HeapText | Element::FixedText { .. }) =>
            {
                text::strings(&dataset).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// Whether `uns` says that X was log-transformed (scanpy's `log1p` entry).
    ///
    /// # Errors
    /// [`Error::Unreadable`].
    pub fn uns_log1p(&self) -> Result<bool> {
        Ok(self.uns_keys()?.iter().any(|key| key == "log1p"))
    }

    /// `encoding-type` and `encoding-version` of the file; none before anndata 0.8.
    pub fn encoding(&self) -> Option<(String, String)> {
        let text = |name| self.root.text_attribute(name).map(str::to_string);
        text("encoding-type").zip(text("encoding-version"))
    }

    /// The versions of anndata that write files like this one, in words.
    ///
    /// # Errors
    /// [`Error::Unreadable`].
    pub fn dialect(&self) -> Result<&'static str> {
        Ok(match &self.obs {
            Frame::Records { .. } => "anndata 0.6 or older",
            Frame::Group(_) if self.encoding().is_some() => "anndata 0.8 or newer",
            Frame::Group(obs) if obs.child("__categories")?.is_some() => "anndata 0.7",
            Frame::Group(_) => "not written by anndata 0.8 or newer",
        })
    }

    /// Names in a group of the root; none if it is not there.
    fn names_in(&self, group: &str) -> Result<Vec<String>> {
        Ok(match self.root.group(group)? {
            Some(group) => group.children()?,
            None => Vec::new(),
        })
    }

    pub(super) fn unknown(&self, what: &'static str, name: &str, available: Vec<String>) -> Error {
        let (path, name) = (self.path.clone(), name.to_string());
        Error::UnknownKey { what, name, path, available }
    }

    /// The table of genes that belongs to a matrix.
    fn genes(&self, source: &MatrixSource) -> Result<Frame> {
        let found = match source {
            MatrixSource::X | MatrixSource::Layer(_) => Frame::open(&self.root, &self.root, "var")?,
            MatrixSource::RawX => match self.root.group("raw")? {
                Some(raw) => Frame::open(&self.root, &raw, "var")?,
                None => Frame::open(&self.root, &self.root, "raw.var")?,
            },
        };
        found.ok_or_else(|| {
            let node = if *source == MatrixSource::RawX { "raw/var" } else { "var" };
            unreadable_at(self.root.file(), node, "is missing")
        })
    }

    fn node(&self, source: &MatrixSource) -> Result<Option<Node>> {
        Ok(match source {
            MatrixSource::X => self.root.child("X")?,
            MatrixSource::Layer(name) => match self.root.group("layers")? {
                Some(layers) => layers.child(name)?,
                None => None,
            },
            MatrixSource::RawX => match self.root.group("raw")? {
                Some(raw) => raw.child("X")?,
                None => self.root.child("raw.X")?,
            },
        })
    }

    fn stored(&self, source: &MatrixSource) -> Result<StoredMatrix> {
        let stored = match self.node(source)? {
            Some(node) => StoredMatrix::new(node)?,
            None => None,
        };
        let Some(stored) = stored else { return Err(self.no_matrix(source)?) };
        let file = self.root.file();
        let node = source.to_string();
        let (n_cells, n_genes) = stored.shape();
        if n_cells != self.n_cells {
            let problem = format!("has {n_cells} rows for {} cells in obs", self.n_cells);
            return Err(unreadable_at(file, &node, problem));
        }
        if n_genes == 0 {
            return Err(unreadable_at(file, &node, "there are no genes"));
        }
        let n_named = self.genes(source)?.n_rows()?;
        if n_genes != n_named {
            let problem = format!("has {n_genes} columns for {n_named} genes in var");
            return Err(unreadable_at(file, &node, problem));
        }
        Ok(stored)
    }

    fn no_matrix(&self, source: &MatrixSource) -> Result<Error> {
        let layers = self.layers()?;
        if let MatrixSource::Layer(name) = source {
            return Ok(self.unknown("layer", name, layers));
        }
        let obsm = self.obsm_keys()?.into_iter().map(|(key, _)| key).collect();
        Ok(Error::NoMatrix { path: self.path.clone(), node: source.to_string(), layers, obsm })
    }
}

/// Names that occur more than once, sorted.
pub fn duplicates(names: &[String]) -> Vec<String> {
    let mut sorted: Vec<&String> = names.iter().collect();
    sorted.sort_unstable();
    let mut found: Vec<String> =
        sorted.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0].clone()).collect();
    found.dedup();
    found
}

fn is_null(node: &Node) -> bool {
    matches!(node, Node::Dataset(dataset) if dataset.text_attribute("encoding-type") == Some("null"))
}
