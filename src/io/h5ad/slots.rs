//! Arrays with one row per cell or gene: `obsm` and `varm`.

use ndarray::{Array2, Axis};
use sbcell_hdf5::{Group, Node};

use crate::data::{Column, Matrix};
use crate::error::{Error, Result};
use crate::io::h5ad::frame::Frame;
use crate::io::h5ad::joined::stacked;
use crate::io::h5ad::matrix::{self, StoredMatrix};
use crate::io::h5ad::part::Part;
use crate::io::h5ad::read::H5ad;
use crate::io::h5ad::refused::unreadable_at;
use crate::progress::Silent;

impl H5ad {
    /// Keys of `obsm` with rows and columns. Of several files, the keys of arrays that all of them have with the
    /// same number of columns.
    ///
    /// # Errors
    /// [`Error::Unreadable`].
    pub fn obsm_keys(&self) -> Result<Vec<(String, (usize, usize))>> {
        let mut parts = self.parts().iter().map(|part| part.keys("obsm"));
        let mut common = parts.next().unwrap_or_else(|| Ok(Vec::new()))?;
        for keys in parts {
            let keys = keys?;
            common.retain_mut(|(key, (n_rows, dim))| {
                let found = keys.iter().find(|(other, of)| other == key && of.1 == *dim);
                *n_rows += found.map_or(0, |found| found.1.0);
                found.is_some()
            });
        }
        Ok(common)
    }

    /// Keys of `varm` with rows and columns; those of the first of several files.
    ///
    /// # Errors
    /// [`Error::Unreadable`].
    pub fn varm_keys(&self) -> Result<Vec<(String, (usize, usize))>> {
        self.first().keys("varm")
    }

    /// An entry of `obsm`, `(n_cells, dim)`: an array, a sparse matrix, or a table of numbers.
    ///
    /// # Errors
    /// [`Error::UnknownKey`] with the keys there are; [`Error::Unreadable`], also if it has not one row per cell, or
    /// not the same columns in all files.
    pub fn obsm(&self, key: &str) -> Result<Array2<f64>> {
        let [first, others @ ..] = self.parts() else { return Ok(Array2::default((0, 0))) };
        let mut array = first.obsm(key)?;
        for part in others {
            let more = part.obsm(key)?;
            check_columns(first, part, key, [array.ncols(), more.ncols()])?;
            let appended = array.append(Axis(0), more.view());
            appended.map_err(|error| part.unreadable_slot(key, error))?;
        }
        Ok(array)
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
    /// As [`H5ad::obsm`]; [`Error::Unreadable`] for a table.
    pub fn obsm_matrix(&self, key: &str) -> Result<Matrix> {
        let mut blocks = Vec::with_capacity(self.parts().len());
        for part in self.parts() {
            let block = part.obsm_matrix(key)?;
            let n_columns = blocks.first().map_or(block.n_genes(), Matrix::n_genes);
            check_columns(self.first(), part, key, [n_columns, block.n_genes()])?;
            blocks.push(block);
        }
        Ok(stacked(blocks))
    }

    /// An entry of `varm`, `(n_genes, dim)`; that of the first of several files.
    ///
    /// # Errors
    /// As [`H5ad::obsm`].
    pub fn varm(&self, key: &str) -> Result<Array2<f64>> {
        self.first().slot("varm", "key of varm", key)
    }
}

/// Checks that an entry of `obsm` has the same columns in two files, by their numbers `n`, and by their names if both
/// are tables.
fn check_columns(first: &Part, other: &Part, key: &str, n: [usize; 2]) -> Result<()> {
    let whose = first.path().display();
    if n[0] != n[1] {
        let problem = format!("has {} columns, and {} in `{whose}`", n[1], n[0]);
        return Err(other.unreadable_slot(key, problem));
    }
    let names = [first.columns_of_table(key)?, other.columns_of_table(key)?];
    if let [Some(here), Some(there)] = &names
        && here != there
    {
        return Err(other.unreadable_slot(key, format!("has other columns than in `{whose}`")));
    }
    Ok(())
}

impl Part {
    /// An [`Error::Unreadable`] about an entry of `obsm`.
    fn unreadable_slot(&self, key: &str, problem: impl std::fmt::Display) -> Error {
        unreadable_at(self.root.file(), &format!("obsm/{key}"), problem)
    }

    /// An entry of `obsm`, one row per cell.
    fn obsm(&self, key: &str) -> Result<Array2<f64>> {
        let array = self.slot("obsm", "key of obsm", key)?;
        if array.nrows() == self.n_cells() {
            return Ok(array);
        }
        let problem = format!("has {} rows for {} cells", array.nrows(), self.n_cells());
        Err(self.unreadable_slot(key, problem))
    }

    /// The names of the columns of an entry of `obsm` that is a table.
    fn columns_of_table(&self, key: &str) -> Result<Option<Vec<String>>> {
        let Some(group) = self.root.group("obsm")? else { return Ok(None) };
        match group.child(key)? {
            Some(Node::Group(inner)) if is_table(&inner) => Frame::Group(inner).columns().map(Some),
            _ => Ok(None),
        }
    }

    /// An entry of `obsm` that is an array or a sparse matrix, as it is stored.
    fn obsm_matrix(&self, key: &str) -> Result<Matrix> {
        let node = match self.root.group("obsm")? {
            Some(group) => group.child(key)?,
            None => None,
        };
        let Some(node) = node else {
            let available = self.keys("obsm")?.into_iter().map(|(key, _)| key).collect();
            return Err(self.unknown("key of obsm", key, available));
        };
        if matches!(&node, Node::Group(inner) if is_table(inner)) {
            return Err(self.unreadable_slot(key, "is a table, not a matrix"));
        }
        let Some(stored) = StoredMatrix::new(node)? else {
            return Err(self.unreadable_slot(key, "is empty"));
        };
        if stored.shape().0 != self.n_cells() {
            let problem = format!("has {} rows for {} cells", stored.shape().0, self.n_cells());
            return Err(self.unreadable_slot(key, problem));
        }
        stored.read(None, &mut Silent)
    }

    /// Keys of `obsm` or `varm` with rows and columns.
    pub(super) fn keys(&self, slot: &str) -> Result<Vec<(String, (usize, usize))>> {
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
