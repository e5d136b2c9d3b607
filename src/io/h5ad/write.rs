//! Writes `.h5ad` files in the encoding of anndata 0.8 to 0.12.

use std::path::Path;

use ndarray::ArrayView2;
use sbcell_hdf5::{NewAttribute, NewDataset, NewFile, NewGroup, Values};

use crate::data::Column;
use crate::error::{Error, Result};
use crate::io::file;
use crate::linalg::Csr;

/// The content of a new `.h5ad` for [`write_h5ad`]. Empty fields are not written.
///
/// ```
/// use ndarray::array;
/// use sbcell::data::Column;
/// use sbcell::io::h5ad::{H5ad, H5adContent, MatrixContent, write_h5ad};
///
/// # fn main() -> sbcell::Result<()> {
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("cells.h5ad");
/// let cells = ["a".to_string(), "b".to_string()];
/// let genes = ["Sox2".to_string()];
/// let days = Column::Floats(vec![0.0, 1.0]);
/// let counts = array![[3.0_f32], [0.0]];
/// let content = H5adContent {
///     obs_names: &cells,
///     obs: &[("day", &days)],
///     var_names: &genes,
///     x: Some(MatrixContent::Single(counts.view())),
///     ..H5adContent::default()
/// };
/// write_h5ad(&path, &content)?;
/// assert_eq!(H5ad::open(&path)?.obs("day")?, days);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct H5adContent<'a> {
    /// Names of the cells.
    pub obs_names: &'a [String],
    /// Columns of `obs` with their names, in order.
    pub obs: &'a [(&'a str, &'a Column)],
    /// Names of the genes.
    pub var_names: &'a [String],
    /// The main matrix, cells × genes.
    pub x: Option<MatrixContent<'a>>,
    /// Layers, of the shape of `x`.
    pub layers: &'a [(&'a str, MatrixContent<'a>)],
    /// Arrays with one row per cell.
    pub obsm: &'a [(&'a str, ArrayView2<'a, f64>)],
    /// Sparse matrices with one row per cell, also in `obsm`, such as cells × clones.
    pub obsm_sparse: &'a [(&'a str, &'a Csr)],
    /// Sparse matrices between cells.
    pub obsp: &'a [(&'a str, &'a Csr)],
    /// Texts.
    pub uns: &'a [(&'a str, &'a str)],
    /// Whether to compress numbers (gzip, level 4); needs HDF5 1.10 to read.
    pub gzip: bool,
}

/// A matrix to write. See [`H5adContent`] for an example of a file.
///
/// ```
/// use ndarray::array;
/// use sbcell::io::h5ad::MatrixContent;
///
/// let counts = array![[3.0_f32, 0.0], [0.0, 1.0]];
/// let layer = ("counts", MatrixContent::Single(counts.view()));
/// assert!(matches!(layer.1, MatrixContent::Single(values) if values.nrows() == 2));
/// ```
#[derive(Debug, Clone, Copy)]
pub enum MatrixContent<'a> {
    /// Single precision, every value.
    Single(ArrayView2<'a, f32>),
    /// Double precision, every value.
    Double(ArrayView2<'a, f64>),
    /// Single precision, sparse by rows.
    Sparse(&'a Csr),
}

/// Writes an `.h5ad` in one step (see [`file::replace`]). The same content gives the same bytes.
///
/// Strings are `string-array`; texts with missing entries become categoricals, which every
/// anndata reads. Memory: one copy of the content.
///
/// # Errors
/// [`Error::Shape`] if lengths contradict each other; [`Error::Parameter`] if a name contains
/// `/`, is empty or occurs twice; [`Error::Io`] if the file cannot be written.
pub fn write_h5ad(path: &Path, content: &H5adContent<'_>) -> Result<()> {
    content.check()?;
    // Without compression, old enough for every reader, such as those of R.
    let mut new = if content.gzip { NewFile::new() } else { NewFile::compatible() };
    let mut root = new.root();
    mark_group(&mut root, "anndata", "0.1.0");
    if let Some(x) = content.x {
        matrix(&mut root, "X", x, content.gzip);
    }
    root.group("obs", |obs| frame(obs, content.obs_names, content.obs));
    root.group("var", |var| frame(var, content.var_names, &[]));
    dict(&mut root, "layers", |layers| {
        for &(name, layer) in content.layers {
            matrix(layers, name, layer, content.gzip);
        }
    });
    dict(&mut root, "obsm", |obsm| {
        for &(name, array) in content.obsm {
            matrix(obsm, name, MatrixContent::Double(array), content.gzip);
        }
        for &(name, sparse) in content.obsm_sparse {
            matrix(obsm, name, MatrixContent::Sparse(sparse), content.gzip);
        }
    });
    dict(&mut root, "uns", |uns| {
        for &(name, text) in content.uns {
            uns.dataset(name, &one_text(&[text]));
        }
    });
    dict(&mut root, "obsp", |obsp| {
        for &(name, of_cells) in content.obsp {
            matrix(obsp, name, MatrixContent::Sparse(of_cells), content.gzip);
        }
    });
    for name in ["varm", "varp"] {
        dict(&mut root, name, |_| {});
    }
    file::replace(path, |writer| new.finish(writer))
}

impl MatrixContent<'_> {
    fn shape(&self) -> (usize, usize) {
        match self {
            Self::Single(x) => x.dim(),
            Self::Double(x) => x.dim(),
            Self::Sparse(x) => (x.n_rows(), x.n_cols()),
        }
    }
}

impl H5adContent<'_> {
    fn check(&self) -> Result<()> {
        let Self { obs_names, obs, var_names, x, layers, obsm, obsm_sparse, obsp, uns, gzip: _ } =
            self;
        let (n_cells, n_genes) = (obs_names.len(), var_names.len());
        let same = |what, unit, got, expected| {
            if got == expected { Ok(()) } else { Err(Error::Shape { what, unit, expected, got }) }
        };
        for (_, column) in *obs {
            same("a column of obs", "entries", column.len(), n_cells)?;
        }
        for matrix in x.iter().chain(layers.iter().map(|(_, layer)| layer)) {
            same("a matrix", "rows", matrix.shape().0, n_cells)?;
            same("a matrix", "columns", matrix.shape().1, n_genes)?;
        }
        for (_, array) in *obsm {
            same("an array of obsm", "rows", array.nrows(), n_cells)?;
        }
        for (_, matrix) in *obsm_sparse {
            same("a matrix of obsm", "rows", matrix.n_rows(), n_cells)?;
        }
        for (_, matrix) in *obsp {
            same("a matrix of obsp", "rows", matrix.n_rows(), n_cells)?;
            same("a matrix of obsp", "columns", matrix.n_cols(), n_cells)?;
        }
        check_names(obsp.iter().map(|(name, _)| *name))?;
        check_names(obs.iter().map(|(name, _)| *name).chain(["_index"]))?;
        check_names(layers.iter().map(|(name, _)| *name))?;
        let sparse = obsm_sparse.iter().map(|(name, _)| *name);
        check_names(obsm.iter().map(|(name, _)| *name).chain(sparse))?;
        check_names(uns.iter().map(|(name, _)| *name))
    }
}

pub(super) fn check_names<'n>(names: impl Iterator<Item = &'n str>) -> Result<()> {
    let mut names: Vec<&str> = names.collect();
    names.sort_unstable();
    let twice = names.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0]);
    let odd = names.iter().copied().find(|name| name.is_empty() || name.contains('/'));
    match twice.or(odd) {
        None => Ok(()),
        Some(name) => Err(Error::Parameter {
            name: "a name in an `.h5ad`",
            must: "unique, not empty and without `/`",
            got: format!("`{name}`"),
        }),
    }
}

/// A dataset with the attributes that name its encoding.
pub(super) fn encoded<'a>(dataset: NewDataset<'a>, kind: &str, version: &str) -> NewDataset<'a> {
    dataset.attribute("encoding-type", text(kind)).attribute("encoding-version", text(version))
}

/// Numbers or truth values, of any number of dimensions.
pub(super) fn array(values: Values<'_>) -> NewDataset<'_> {
    encoded(NewDataset::new(values), "array", "0.2.0")
}

/// Texts, of one dimension.
pub(super) fn texts<'a>(values: &'a [&'a str]) -> NewDataset<'a> {
    encoded(NewDataset::new(Values::Texts(values)), "string-array", "0.2.0")
}

/// One text without dimensions.
pub(super) fn one_text<'a>(value: &'a [&'a str; 1]) -> NewDataset<'a> {
    encoded(NewDataset::new(Values::Texts(value)).shape(&[]), "string", "0.2.0")
}

/// A matrix with every value, `values` row by row.
pub(super) fn dense(values: Values<'_>, shape: (usize, usize), gzip: bool) -> NewDataset<'_> {
    let dataset = array(values).shape(&[shape.0, shape.1]);
    if gzip { dataset.gzip() } else { dataset }
}

/// Gives a group the attributes that name its encoding.
pub(super) fn mark_group(group: &mut NewGroup<'_>, kind: &str, version: &str) {
    group.attribute("encoding-type", text(kind));
    group.attribute("encoding-version", text(version));
}

/// A text attribute.
fn text(value: &str) -> NewAttribute {
    NewAttribute::Text(value.to_string())
}

/// A group of named entries (`dict`), such as `layers`.
fn dict(root: &mut NewGroup<'_>, name: &str, fill: impl FnOnce(&mut NewGroup<'_>)) {
    root.group(name, |group| {
        mark_group(group, "dict", "0.1.0");
        fill(group);
    });
}

/// Writes a matrix as a dataset, or as a group if it is sparse.
fn matrix(parent: &mut NewGroup<'_>, name: &str, content: MatrixContent<'_>, gzip: bool) {
    let shape = content.shape();
    match content {
        MatrixContent::Single(x) => {
            let x = x.as_standard_layout();
            parent.dataset(name, &dense(Values::F32(x.as_slice().unwrap_or(&[])), shape, gzip));
        }
        MatrixContent::Double(x) => {
            let x = x.as_standard_layout();
            parent.dataset(name, &dense(Values::F64(x.as_slice().unwrap_or(&[])), shape, gzip));
        }
        MatrixContent::Sparse(x) => parent.group(name, |group| sparse(group, x, gzip)),
    }
}

/// Writes the three arrays of a sparse matrix by rows, with indices of 32 bits.
fn sparse(group: &mut NewGroup<'_>, matrix: &Csr, gzip: bool) {
    mark_group(group, "csr_matrix", "0.1.0");
    let shape = vec![matrix.n_rows() as i64, matrix.n_cols() as i64];
    group.attribute("shape", NewAttribute::Integers(shape));
    let mut indices: Vec<i32> = Vec::with_capacity(matrix.n_stored());
    let mut indptr: Vec<i64> = Vec::with_capacity(matrix.n_rows() + 1);
    indptr.push(0);
    for i in 0..matrix.n_rows() {
        indices.extend(matrix.row(i).0.iter().map(|&column| column as i32));
        indptr.push(indices.len() as i64);
    }
    let parts = [
        ("data", Values::F32(matrix.values())),
        ("indices", Values::I32(&indices)),
        ("indptr", Values::I64(&indptr)),
    ];
    for (name, values) in parts {
        let dataset = NewDataset::new(values);
        group.dataset(name, &if gzip { dataset.gzip() } else { dataset });
    }
}

/// Writes a table: its index, and a column after the other.
fn frame(group: &mut NewGroup<'_>, index: &[String], columns: &[(&str, &Column)]) {
    mark_group(group, "dataframe", "0.2.0");
    group.attribute("_index", text("_index"));
    let order = columns.iter().map(|(name, _)| (*name).to_string()).collect();
    group.attribute("column-order", NewAttribute::Texts(order));
    let index: Vec<&str> = index.iter().map(String::as_str).collect();
    group.dataset("_index", &texts(&index));
    for (name, column) in columns {
        write_column(group, name, column);
    }
}

/// Writes a column in the encoding of its kind. Missing entries need a mask or, for texts, categories.
fn write_column(group: &mut NewGroup<'_>, name: &str, column: &Column) {
    match column {
        Column::Floats(values) => group.dataset(name, &array(Values::F64(values))),
        Column::Integers(values) => {
            let filled: Vec<i64> = values.iter().map(|value| value.unwrap_or(0)).collect();
            let missing: Vec<bool> = values.iter().map(Option::is_none).collect();
            nullable(group, name, "nullable-integer", Values::I64(&filled), &missing);
        }
        Column::Bools(values) => {
            let filled: Vec<bool> = values.iter().map(|value| value.unwrap_or(false)).collect();
            let missing: Vec<bool> = values.iter().map(Option::is_none).collect();
            nullable(group, name, "nullable-boolean", Values::Bools(&filled), &missing);
        }
        Column::Texts(values) => {
            if let Some(values) = values.iter().map(Option::as_deref).collect::<Option<Vec<_>>>() {
                return group.dataset(name, &texts(&values));
            }
            let mut categories: Vec<String> = values.iter().flatten().cloned().collect();
            categories.sort_unstable();
            categories.dedup();
            let code = |value: &String| categories.partition_point(|other| other < value) as i32;
            let codes: Vec<i32> =
                values.iter().map(|value| value.as_ref().map_or(-1, code)).collect();
            let categories = Column::Texts(categories.into_iter().map(Some).collect());
            categorical(group, name, &codes, &categories);
        }
        Column::Categories { codes, categories } => {
            let codes: Vec<i32> =
                codes.iter().map(|code| code.map_or(-1, |code| code as i32)).collect();
            categorical(group, name, &codes, categories);
        }
    }
}

/// Writes a dataset if nothing is `missing`, else a group (`kind`) of values and a mask.
fn nullable(
    group: &mut NewGroup<'_>,
    name: &str,
    kind: &str,
    filled: Values<'_>,
    missing: &[bool],
) {
    if !missing.contains(&true) {
        return group.dataset(name, &array(filled));
    }
    group.group(name, |inner| {
        mark_group(inner, kind, "0.1.0");
        inner.dataset("values", &array(filled));
        inner.dataset("mask", &array(Values::Bools(missing)));
    });
}

/// Writes a column of codes and categories.
fn categorical(group: &mut NewGroup<'_>, name: &str, codes: &[i32], categories: &Column) {
    group.group(name, |inner| {
        mark_categorical(inner);
        write_codes(inner, codes, categories.len());
        write_column(inner, "categories", categories);
    });
}

/// Gives a group the attributes of a categorical column without an order.
pub(super) fn mark_categorical(group: &mut NewGroup<'_>) {
    mark_group(group, "categorical", "0.2.0");
    group.attribute("ordered", NewAttribute::Byte(0));
}

/// Writes the codes of a categorical column, in one byte each if there are few categories; −1 is missing.
pub(super) fn write_codes(group: &mut NewGroup<'_>, codes: &[i32], n_categories: usize) {
    if i8::try_from(n_categories).is_ok() {
        let small: Vec<i8> = codes.iter().map(|&code| code as i8).collect();
        group.dataset("codes", &array(Values::I8(&small)));
    } else {
        group.dataset("codes", &array(Values::I32(codes)));
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array};

    use super::*;
    use crate::data::Matrix;
    use crate::io::h5ad::{H5ad, MatrixSource};
    use crate::progress::Silent;

    fn names(prefix: &str, n: usize) -> Vec<String> {
        (0..n).map(|i| format!("{prefix}{i}")).collect()
    }

    fn columns() -> Vec<(&'static str, Column)> {
        let texts = |values: [Option<&str>; 3]| values.map(|v| v.map(str::to_string)).to_vec();
        let categories = Box::new(Column::Floats(vec![0.0, 12.0]));
        vec![
            ("time", Column::Floats(vec![0.0, f64::NAN, 2.5])),
            ("n", Column::Integers(vec![Some(1), None, Some(-3)])),
            ("count", Column::Integers(vec![Some(1), Some(2), Some(3)])),
            ("flag", Column::Bools(vec![Some(true), Some(false), Some(true)])),
            ("maybe", Column::Bools(vec![None, Some(false), Some(true)])),
            ("label", Column::Texts(texts([Some("é"), Some(""), Some("b")]))),
            ("hours", Column::Categories { codes: vec![Some(1), None, Some(0)], categories }),
        ]
    }

    #[test]
    fn what_is_written_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cells.h5ad");
        let (cells, genes) = (names("cell", 3), names("gene", 2));
        let owned = columns();
        let obs: Vec<(&str, &Column)> = owned.iter().map(|(name, c)| (*name, c)).collect();
        let x = array![[0.0_f32, 1.0], [2.0, 0.0], [0.0, 3.5]];
        let sparse = Csr::new(2, vec![0, 1, 2, 3], vec![1, 0, 1], vec![1.0, 2.0, 3.5]).unwrap();
        let pca = Array2::from_shape_fn((3, 2), |(i, j)| i as f64 - j as f64 / 3.0);
        for gzip in [false, true] {
            let content = H5adContent {
                obs_names: &cells,
                obs: &obs,
                var_names: &genes,
                x: Some(MatrixContent::Single(x.view())),
                layers: &[("counts", MatrixContent::Sparse(&sparse))],
                obsm: &[("X_pca", pca.view())],
                obsm_sparse: &[("X_clone", &sparse)],
                obsp: &[],
                uns: &[("sbcell", "{}")],
                gzip,
            };
            write_h5ad(&path, &content).unwrap();
            let file = H5ad::open(&path).unwrap();
            assert_eq!(file.obs_names().unwrap(), cells);
            assert_eq!(file.gene_names(&MatrixSource::X).unwrap(), genes);
            let order: Vec<&str> = owned.iter().map(|(name, _)| *name).collect();
            assert_eq!(file.obs_columns().unwrap(), order);
            for (name, column) in &owned {
                // NaN is not equal to itself, its printed form is.
                let found = file.obs(name).unwrap();
                assert_eq!(format!("{found:?}"), format!("{column:?}"), "{name}");
            }
            let read = file.matrix(&MatrixSource::X, &mut Silent).unwrap();
            assert_eq!(read, Matrix::Dense(x.clone()));
            let layer = MatrixSource::Layer("counts".into());
            let read = file.matrix(&layer, &mut Silent).unwrap();
            assert_eq!(read, Matrix::Sparse(sparse.clone()));
            assert_eq!(file.obsm("X_pca").unwrap(), pca);
            assert_eq!(file.obsm_matrix("X_pca").unwrap(), Matrix::Dense(pca.mapv(|v| v as f32)));
            assert_eq!(file.obsm_matrix("X_clone").unwrap(), Matrix::Sparse(sparse.clone()));
            assert_eq!(file.uns_text("sbcell").unwrap(), Some("{}".into()));
            let info = file.matrix_info(&layer).unwrap();
            assert_eq!(info.compression.is_empty(), !gzip);
        }
    }

    #[test]
    fn refuses_what_does_not_fit_together() {
        let path = Path::new("never.h5ad");
        let (cells, genes) = (names("cell", 3), names("gene", 2));
        let x = Array2::<f64>::zeros((3, 1));
        let good = H5adContent { obs_names: &cells, var_names: &genes, ..Default::default() };
        let wrong = H5adContent { x: Some(MatrixContent::Double(x.view())), ..good };
        let message = write_h5ad(path, &wrong).unwrap_err().to_string();
        assert_eq!(message, "a matrix has 1 columns, expected 2");
        let short = Column::Floats(vec![1.0]);
        let wrong = H5adContent { obs: &[("time", &short)], ..good };
        assert!(write_h5ad(path, &wrong).is_err());
        let wrong = H5adContent { obsm: &[("a/b", x.view())], ..good };
        assert!(write_h5ad(path, &wrong).unwrap_err().to_string().contains("`a/b`"));
        let wrong = H5adContent { uns: &[("a", ""), ("a", "")], ..good };
        assert!(write_h5ad(path, &wrong).is_err());
        assert!(!path.exists());
    }
}
