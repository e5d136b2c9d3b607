//! One open `.h5ad` file, alone or as a part of a course in several files.

use std::fmt;
use std::path::{Path, PathBuf};

use sbcell_hdf5::{Element, File, Group, Node};

use crate::data::Column;
use crate::error::{Error, Result};
use crate::io::h5ad::frame::Frame;
use crate::io::h5ad::matrix::StoredMatrix;
use crate::io::h5ad::mistaken;
use crate::io::h5ad::read::MatrixSource;
use crate::io::h5ad::refused::unreadable_at;
use crate::io::h5ad::text;

/// One open `.h5ad` file, which may be a part of a course.
pub(super) struct Part {
    path: PathBuf,
    pub(super) root: Group,
    obs: Frame,
    n_cells: usize,
}

impl fmt::Debug for Part {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Part")
            .field("path", &self.path)
            .field("n_cells", &self.n_cells)
            .finish_non_exhaustive()
    }
}

impl Part {
    /// Opens the file, written by any anndata from 0.6 on.
    ///
    /// # Errors
    /// [`Error::NoFile`] if there is none; [`Error::Unreadable`] with what it is if it is no `.h5ad`, or
    /// one that is empty, truncated, or without cells.
    pub(super) fn open(path: &Path) -> Result<Self> {
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
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Number of cells.
    pub(super) fn n_cells(&self) -> usize {
        self.n_cells
    }

    /// Names of the cells.
    ///
    /// # Errors
    /// [`Error::Unreadable`].
    pub(super) fn obs_names(&self) -> Result<Vec<String>> {
        self.obs.index()
    }

    /// Names of the columns of `obs`, in their order.
    ///
    /// # Errors
    /// [`Error::Unreadable`].
    pub(super) fn obs_columns(&self) -> Result<Vec<String>> {
        self.obs.columns()
    }

    /// A column of `obs`; `None` if there is none of this name.
    ///
    /// # Errors
    /// [`Error::Unreadable`].
    pub(super) fn obs(&self, name: &str) -> Result<Option<Column>> {
        self.obs.column(name)
    }

    /// Names of the genes of a matrix. They may contain duplicates, see [`duplicates`].
    ///
    /// # Errors
    /// [`Error::Unreadable`] if the table of genes is missing or corrupt.
    pub(super) fn gene_names(&self, source: &MatrixSource) -> Result<Vec<String>> {
        self.genes(source)?.index()
    }

    /// Names of the columns of `var` (or of `raw/var`), in their order.
    ///
    /// # Errors
    /// [`Error::Unreadable`].
    pub(super) fn var_columns(&self, source: &MatrixSource) -> Result<Vec<String>> {
        self.genes(source)?.columns()
    }

    /// A column of `var` (or of `raw/var`).
    ///
    /// # Errors
    /// [`Error::UnknownKey`] with the columns there are; [`Error::Unreadable`].
    pub(super) fn var(&self, source: &MatrixSource, name: &str) -> Result<Column> {
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
    pub(super) fn layers(&self) -> Result<Vec<String>> {
        self.names_in("layers")
    }

    /// Whether there is something in the place of a matrix. A corrupt matrix counts: reading it gives the error.
    pub(super) fn lists(&self, source: &MatrixSource) -> bool {
        self.node(source).map_or(true, |node| node.is_some_and(|node| !is_null(&node)))
    }

    /// Whether there is something at `path`, such as `obs/growth` or `obsm`.
    ///
    /// # Errors
    /// [`Error::Unreadable`].
    pub(super) fn holds(&self, path: &str) -> Result<bool> {
        let Some((slot, name)) = path.split_once('/') else {
            return Ok(self.root.child(path)?.is_some());
        };
        match self.root.child(slot)? {
            Some(Node::Group(group)) => Ok(group.child(name)?.is_some()),
            _ => Ok(false),
        }
    }

    /// Whether the file contains this matrix.
    ///
    /// # Errors
    /// [`Error::Unreadable`].
    pub(super) fn has_matrix(&self, source: &MatrixSource) -> Result<bool> {
        Ok(self.node(source)?.is_some_and(|node| !is_null(&node)))
    }

    /// Keys of `uns`.
    ///
    /// # Errors
    /// [`Error::Unreadable`].
    pub(super) fn uns_keys(&self) -> Result<Vec<String>> {
        self.names_in("uns")
    }

    /// A text in `uns`, by path (`pca/params`); `None` if it is absent or not a single text.
    ///
    /// # Errors
    /// [`Error::Unreadable`].
    pub(super) fn uns_text(&self, key: &str) -> Result<Option<String>> {
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
    pub(super) fn uns_texts(&self, key: &str) -> Result<Option<Vec<String>>> {
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

    /// `encoding-type` and `encoding-version` of the file; none before anndata 0.8.
    pub(super) fn encoding(&self) -> Option<(String, String)> {
        let text = |name| self.root.text_attribute(name).map(str::to_string);
        text("encoding-type").zip(text("encoding-version"))
    }

    /// The versions of anndata that write files like this one, in words.
    ///
    /// # Errors
    /// [`Error::Unreadable`].
    pub(super) fn dialect(&self) -> Result<&'static str> {
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

    /// A matrix whose shape is that of `obs` and `var`; its values are not read.
    ///
    /// # Errors
    /// [`Error::NoMatrix`] or [`Error::UnknownKey`] if there is none; [`Error::Unreadable`] if it is corrupt, has no
    /// genes or another shape.
    pub(super) fn stored(&self, source: &MatrixSource) -> Result<StoredMatrix> {
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
        let obsm = self.keys("obsm")?.into_iter().map(|(key, _)| key).collect();
        Ok(Error::NoMatrix { path: self.path.clone(), node: source.to_string(), layers, obsm })
    }
}

fn is_null(node: &Node) -> bool {
    matches!(node, Node::Dataset(dataset) if dataset.text_attribute("encoding-type") == Some("null"))
}
