//! Arrays with one row per cell or gene: `obsm` and `varm`.

use ndarray::Array2;
use sbcell_hdf5::{Group, Node};

use crate::data::{Column, Matrix};
use crate::error::Result;
use crate::io::h5ad::frame::Frame;
use crate::io::h5ad::matrix::{self, StoredMatrix};
use crate::io::h5ad::read::H5ad;
use crate::io::h5ad::refused::unreadable_at;
use crate::progress::Silent;

impl H5ad {
    /// Keys of `obsm` with rows and columns.
    ///
    /// # Errors
    /// [`crate::Error::Unreadable`].
    pub fn obsm_keys(&self) -> Result<Vec<(String, (usize, usize))>> {
        self.keys("obsm")
    }

    /// Keys of `varm` with rows and columns.
    ///
    /// # Errors
    /// [`crate::Error::Unreadable`].
    pub fn varm_keys(&self) -> Result<Vec<(String, (usize, usize))>> {
        self.keys("varm")
    }

    /// An entry of `obsm`, `(n_cells, dim)`: an array, a sparse matrix, or a table of numbers.
    ///
    /// # Errors
    /// [`crate::Error::UnknownKey`] with the keys there are; [`crate::Error::Unreadable`], also if it has not
    /// one row per cell.
    pub fn obsm(&self, key: &str) -> Result<Array2<f64>> {
        let array = self.slot("obsm", "key of obsm", key)?;
        if array.nrows() == self.n_cells() {
            return Ok(array);
        }
        let problem = format!("has {} rows for {} cells", array.nrows(), self.n_cells());
        Err(unreadable_at(self.root.file(), &format!("obsm/{key}"), problem))
    }

    /// An entry of `obsm` with many columns, such as a matrix of cells × clones: an array or a sparse
    /// matrix, of numbers or truth values. A sparse matrix stays sparse.
    ///
    /// ```
    /// use sbcell::data::Matrix;
    /// use sbcell::io::h5ad::{H5ad, H5adContent, write_h5ad};
    /// use sbcell::linalg::Csr;
    ///
    /// # fn main() -> sbcell::Result<()> {
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("cells.h5ad");
    /// // Three cells; the first is in clone 1, the last in clone 0.
    /// let clones = Csr::new(2, vec![0, 1, 1, 2], vec![1, 0], vec![1.0, 1.0])?;
    /// let cells = ["a", "b", "c"].map(String::from);
    /// let sparse = [("X_clone", &clones)];
    /// let content = H5adContent { obs_names: &cells, obsm_sparse: &sparse, ..H5adContent::default() };
    /// write_h5ad(&path, &content)?;
    /// assert_eq!(H5ad::open(&path)?.obsm_matrix("X_clone")?, Matrix::Sparse(clones));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`H5ad::obsm`]; [`crate::Error::Unreadable`] for a table.
    pub fn obsm_matrix(&self, key: &str) -> Result<Matrix> {
        let unreadable =
            |problem: &str| unreadable_at(self.root.file(), &format!("obsm/{key}"), problem);
        let node = match self.root.group("obsm")? {
            Some(group) => group.child(key)?,
            None => None,
        };
        let Some(node) = node else {
            let available = self.keys("obsm")?.into_iter().map(|(key, _)| key).collect();
            return Err(self.unknown("key of obsm", key, available));
        };
        if matches!(&node, Node::Group(inner) if is_table(inner)) {
            return Err(unreadable("is a table, not a matrix"));
        }
        let Some(stored) = StoredMatrix::new(node)? else { return Err(unreadable("is empty")) };
        if stored.shape().0 != self.n_cells() {
            let problem = format!("has {} rows for {} cells", stored.shape().0, self.n_cells());
            return Err(unreadable(&problem));
        }
        stored.read(None, &mut Silent)
    }

    /// An entry of `varm`, `(n_genes, dim)`.
    ///
    /// # Errors
    /// As [`H5ad::obsm`].
    pub fn varm(&self, key: &str) -> Result<Array2<f64>> {
        self.slot("varm", "key of varm", key)
    }

    fn keys(&self, slot: &str) -> Result<Vec<(String, (usize, usize))>> {
        let Some(group) = self.root.group(slot)? else { return Ok(Vec::new()) };
        let mut found = Vec::new();
        for key in group.children()? {
            // Unreadable entries, such as broken links, are not listed.
            if let Ok(Some(node)) = group.child(&key)
                && let Ok(Some(shape)) = shape(node)
            {
                found.push((key, shape));
            }
        }
        Ok(found)
    }

    fn slot(&self, slot: &str, what: &'static str, key: &str) -> Result<Array2<f64>> {
        let node = match self.root.group(slot)? {
            Some(group) => group.child(key)?,
            None => None,
        };
        let unreadable =
            |problem: String| unreadable_at(self.root.file(), &format!("{slot}/{key}"), problem);
        match node {
            None => {
                let available = self.keys(slot)?.into_iter().map(|(key, _)| key).collect();
                Err(self.unknown(what, key, available))
            }
            Some(Node::Dataset(dataset)) if dataset.shape().len() <= 2 => {
                matrix::dense(&dataset, None, &mut Silent)
            }
            Some(Node::Dataset(_)) => Err(unreadable("has more than two dimensions".into())),
            Some(Node::Group(inner)) if is_table(&inner) => {
                let table = Frame::Group(inner);
                let names = table.columns()?;
                let mut out = Array2::zeros((table.n_rows()?, names.len()));
                for (name, mut values) in names.iter().zip(out.columns_mut()) {
                    let column = table.column(name)?;
                    let Some(column) = column.filter(Column::is_numeric) else {
                        return Err(unreadable(format!("column `{name}` is not numeric")));
                    };
                    for (i, value) in values.iter_mut().enumerate() {
                        *value = column.number(i).unwrap_or(f64::NAN);
                    }
                }
                Ok(out)
            }
            Some(node @ Node::Group(_)) => match StoredMatrix::new(node)? {
                Some(stored) => Ok(densified(&stored.read(None, &mut Silent)?)),
                None => Err(unreadable("is empty".into())),
            },
        }
    }
}

/// Rows and columns of an array, table or sparse matrix; `None` for anything else.
fn shape(node: Node) -> Result<Option<(usize, usize)>> {
    match node {
        Node::Dataset(dataset) => Ok(match *dataset.shape() {
            [n] => Some((n, 1)),
            [n, dim] => Some((n, dim)),
            _ => None,
        }),
        Node::Group(group) if is_table(&group) => {
            let table = Frame::Group(group);
            Ok(Some((table.n_rows()?, table.columns()?.len())))
        }
        node @ Node::Group(_) => Ok(StoredMatrix::new(node)?.map(|stored| stored.shape())),
    }
}

/// Whether a group is a table of annotation.
fn is_table(group: &Group) -> bool {
    group.text_attribute("encoding-type") == Some("dataframe")
        || group.attribute("column-order").is_some()
}

/// All values of a matrix, zeros included.
fn densified(matrix: &Matrix) -> Array2<f64> {
    match matrix {
        Matrix::Dense(x) => x.mapv(f64::from),
        Matrix::Sparse(x) => {
            let mut out = Array2::zeros((x.n_rows(), x.n_cols()));
            for (i, mut row) in out.rows_mut().into_iter().enumerate() {
                let (columns, values) = x.row(i);
                for (&column, &value) in columns.iter().zip(values) {
                    row[column as usize] = f64::from(value);
                }
            }
            out
        }
    }
}
