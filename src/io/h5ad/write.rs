//! Writes `.h5ad` files in the encoding of anndata 0.8 to 0.12.

use std::path::Path;

use hdf5_pure::{
    AttrValue, DatasetBuilder, EnumTypeBuilder, FileBuilder, GroupBuilder, LibVer, make_i8_type,
};
use ndarray::ArrayView2;

use crate::data::Column;
use crate::error::{Error, Result};
use crate::io::file;
use crate::linalg::Csr;

/// Bytes per chunk of a compressed dataset, at most.
const CHUNK: usize = 1 << 20;

/// Chunks are shorter than this along each dimension: the crate stores longer ones in four bytes,
/// but the HDF5 library expects three and refuses the file.
const LONGEST: usize = 1 << 16;

/// What [`write_h5ad`] writes; whatever is left empty is left out.
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
    /// Sparse matrices between cells.
    pub obsp: &'a [(&'a str, &'a Csr)],
    /// Texts.
    pub uns: &'a [(&'a str, &'a str)],
    /// Whether to compress numbers (gzip, level 4); needs HDF5 1.10 to read.
    pub gzip: bool,
}

/// A matrix to write.
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
    let mut builder = FileBuilder::new();
    if !content.gzip {
        // Old enough for every reader, such as those of R.
        builder.with_libver_bounds(LibVer::Earliest, LibVer::V18);
    }
    for (name, value) in encoding("anndata", "0.1.0") {
        builder.set_attr(name, value);
    }
    if let Some(x) = content.x {
        match x {
            MatrixContent::Sparse(x) => {
                let mut group = builder.create_group("X");
                sparse(&mut group, x, content.gzip);
                builder.add_group(group.finish());
            }
            _ => dense(builder.create_dataset("X"), x, content.gzip),
        }
    }
    let mut obs = builder.create_group("obs");
    frame(&mut obs, content.obs_names, content.obs);
    builder.add_group(obs.finish());
    let mut var = builder.create_group("var");
    frame(&mut var, content.var_names, &[]);
    builder.add_group(var.finish());

    let mut layers = dict(&mut builder, "layers");
    for &(name, layer) in content.layers {
        if let MatrixContent::Sparse(x) = layer {
            let mut group = layers.create_group(name);
            sparse(&mut group, x, content.gzip);
            layers.add_group(group.finish());
        } else {
            dense(layers.create_dataset(name), layer, content.gzip);
        }
    }
    builder.add_group(layers.finish());
    let mut obsm = dict(&mut builder, "obsm");
    for &(name, array) in content.obsm {
        dense(obsm.create_dataset(name), MatrixContent::Double(array), content.gzip);
    }
    builder.add_group(obsm.finish());
    let mut uns = dict(&mut builder, "uns");
    for &(name, text) in content.uns {
        let dataset = uns.create_dataset(name).with_vlen_strings(&[text]).with_shape(&[]);
        mark(dataset, "string", "0.2.0");
    }
    builder.add_group(uns.finish());
    let mut obsp = dict(&mut builder, "obsp");
    for &(name, matrix) in content.obsp {
        let mut group = obsp.create_group(name);
        sparse(&mut group, matrix, content.gzip);
        obsp.add_group(group.finish());
    }
    builder.add_group(obsp.finish());
    for name in ["varm", "varp"] {
        let empty = dict(&mut builder, name).finish();
        builder.add_group(empty);
    }
    file::replace(path, |writer| {
        builder.finish_to(writer).map_err(|error| match error {
            hdf5_pure::Error::Io(source) => source,
            other => std::io::Error::other(other.to_string()),
        })
    })
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
        let Self { obs_names, obs, var_names, x, layers, obsm, obsp, uns, gzip: _ } = self;
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
        for (_, matrix) in *obsp {
            same("a matrix of obsp", "rows", matrix.n_rows(), n_cells)?;
            same("a matrix of obsp", "columns", matrix.n_cols(), n_cells)?;
        }
        check_names(obsp.iter().map(|(name, _)| *name))?;
        check_names(obs.iter().map(|(name, _)| *name).chain(["_index"]))?;
        check_names(layers.iter().map(|(name, _)| *name))?;
        check_names(obsm.iter().map(|(name, _)| *name))?;
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

pub(super) fn encoding(kind: &str, version: &str) -> [(&'static str, AttrValue); 2] {
    [("encoding-type", text(kind)), ("encoding-version", text(version))]
}

fn text(value: &str) -> AttrValue {
    AttrValue::VarLenString(value.to_string())
}

pub(super) fn mark(dataset: &mut DatasetBuilder, kind: &str, version: &str) {
    for (name, value) in encoding(kind, version) {
        dataset.set_attr(name, value);
    }
}

fn mark_group(group: &mut GroupBuilder, kind: &str, version: &str) {
    for (name, value) in encoding(kind, version) {
        group.set_attr(name, value);
    }
}

fn dict(builder: &mut FileBuilder, name: &str) -> GroupBuilder {
    let mut group = builder.create_group(name);
    mark_group(&mut group, "dict", "0.1.0");
    group
}

/// Compresses a dataset of `shape` whose elements have `size` bytes, in chunks of whole rows.
fn compress(dataset: &mut DatasetBuilder, shape: &[usize], size: usize) {
    if shape.contains(&0) {
        return;
    }
    let row_length = shape[1..].iter().product::<usize>();
    let rows = (CHUNK / (row_length * size)).clamp(1, shape[0]);
    let chunk: Vec<u64> =
        [rows].iter().chain(&shape[1..]).map(|&length| length.min(LONGEST / 2) as u64).collect();
    dataset.with_chunks(&chunk).with_shuffle().with_deflate(4);
}

pub(super) fn dense(dataset: &mut DatasetBuilder, matrix: MatrixContent<'_>, gzip: bool) {
    let (n_rows, n_columns) = matrix.shape();
    let size = match matrix {
        MatrixContent::Single(x) => {
            dataset.with_f32_data(x.as_standard_layout().as_slice().unwrap_or(&[]));
            4
        }
        MatrixContent::Double(x) => {
            dataset.with_f64_data(x.as_standard_layout().as_slice().unwrap_or(&[]));
            8
        }
        MatrixContent::Sparse(_) => return,
    };
    dataset.with_shape(&[n_rows as u64, n_columns as u64]);
    if gzip {
        compress(dataset, &[n_rows, n_columns], size);
    }
    mark(dataset, "array", "0.2.0");
}

fn sparse(group: &mut GroupBuilder, matrix: &Csr, gzip: bool) {
    mark_group(group, "csr_matrix", "0.1.0");
    let shape = vec![matrix.n_rows() as i64, matrix.n_cols() as i64];
    group.set_attr("shape", AttrValue::I64Array(shape));
    let mut indices: Vec<i32> = Vec::with_capacity(matrix.n_stored());
    let mut indptr: Vec<i64> = Vec::with_capacity(matrix.n_rows() + 1);
    indptr.push(0);
    for i in 0..matrix.n_rows() {
        indices.extend(matrix.row(i).0.iter().map(|&column| column as i32));
        indptr.push(indices.len() as i64);
    }
    let mut write = |name: &str, fill: &dyn Fn(&mut DatasetBuilder), n: usize, size: usize| {
        let dataset = group.create_dataset(name);
        fill(dataset);
        if gzip {
            compress(dataset, &[n], size);
        }
    };
    write(
        "data",
        &|d| {
            d.with_f32_data(matrix.values());
        },
        matrix.n_stored(),
        4,
    );
    write(
        "indices",
        &|d| {
            d.with_i32_data(&indices);
        },
        indices.len(),
        4,
    );
    write(
        "indptr",
        &|d| {
            d.with_i64_data(&indptr);
        },
        indptr.len(),
        8,
    );
}

fn frame(group: &mut GroupBuilder, index: &[String], columns: &[(&str, &Column)]) {
    mark_group(group, "dataframe", "0.2.0");
    group.set_attr("_index", text("_index"));
    let order: Vec<String> = columns.iter().map(|(name, _)| (*name).to_string()).collect();
    group.set_attr(
        "column-order",
        // What pandas writes for a table without columns.
        if order.is_empty() {
            AttrValue::F64Array(Vec::new())
        } else {
            AttrValue::VarLenStringArray(order)
        },
    );
    texts(group.create_dataset("_index"), index.iter().map(String::as_str));
    for (name, column) in columns {
        write_column(group, name, column);
    }
}

fn texts<'t>(dataset: &mut DatasetBuilder, values: impl Iterator<Item = &'t str>) {
    let values: Vec<&str> = values.collect();
    mark(dataset.with_vlen_strings(&values), "string-array", "0.2.0");
}

fn write_column(group: &mut GroupBuilder, name: &str, column: &Column) {
    match column {
        Column::Floats(values) => {
            mark(group.create_dataset(name).with_f64_data(values), "array", "0.2.0");
        }
        Column::Integers(values) => {
            let filled: Vec<i64> = values.iter().map(|value| value.unwrap_or(0)).collect();
            let write = |dataset: &mut DatasetBuilder| {
                mark(dataset.with_i64_data(&filled), "array", "0.2.0");
            };
            let missing: Vec<bool> = values.iter().map(Option::is_none).collect();
            nullable(group, (name, "nullable-integer"), &missing, write);
        }
        Column::Bools(values) => {
            let filled: Vec<bool> = values.iter().map(|value| value.unwrap_or(false)).collect();
            let missing: Vec<bool> = values.iter().map(Option::is_none).collect();
            let write = |dataset: &mut DatasetBuilder| bools(dataset, &filled);
            nullable(group, (name, "nullable-boolean"), &missing, write);
        }
        Column::Texts(values) => {
            if values.iter().all(Option::is_some) {
                texts(group.create_dataset(name), values.iter().flatten().map(String::as_str));
                return;
            }
            let mut categories: Vec<String> = values.iter().flatten().cloned().collect();
            categories.sort_unstable();
            categories.dedup();
            let code = |value: &String| categories.partition_point(|other| other < value) as u32;
            let codes: Vec<Option<u32>> =
                values.iter().map(|value| value.as_ref().map(code)).collect();
            let categories = Column::Texts(categories.into_iter().map(Some).collect());
            categorical(group, name, &codes, &categories);
        }
        Column::Categories { codes, categories } => categorical(group, name, codes, categories),
    }
}

/// A dataset if nothing is `missing`, else a group of values and a mask.
fn nullable(
    group: &mut GroupBuilder,
    (name, kind): (&str, &str),
    missing: &[bool],
    write: impl Fn(&mut DatasetBuilder),
) {
    if !missing.contains(&true) {
        return write(group.create_dataset(name));
    }
    let mut inner = group.create_group(name);
    mark_group(&mut inner, kind, "0.1.0");
    write(inner.create_dataset("values"));
    bools(inner.create_dataset("mask"), missing);
    group.add_group(inner.finish());
}

/// Truth values as h5py writes them: an enumeration over one byte.
fn bools(dataset: &mut DatasetBuilder, values: &[bool]) {
    let bytes: Vec<u8> = values.iter().map(|&value| u8::from(value)).collect();
    let datatype = EnumTypeBuilder::with_base(make_i8_type())
        .raw_value("FALSE", &[0])
        .raw_value("TRUE", &[1])
        .build();
    match datatype {
        Ok(datatype) => mark(dataset.with_enum_u8_data(datatype, &bytes), "array", "0.2.0"),
        Err(_) => mark(dataset.with_u8_data(&bytes), "array", "0.2.0"),
    }
}

fn categorical(group: &mut GroupBuilder, name: &str, codes: &[Option<u32>], categories: &Column) {
    let mut inner = group.create_group(name);
    mark_group(&mut inner, "categorical", "0.2.0");
    inner.set_attr("ordered", AttrValue::U8(0));
    let codes: Vec<i32> = codes.iter().map(|code| code.map_or(-1, |code| code as i32)).collect();
    let dataset = inner.create_dataset("codes");
    if i8::try_from(categories.len()).is_ok() {
        let small: Vec<i8> = codes.iter().map(|&code| code as i8).collect();
        dataset.with_i8_data(&small);
    } else {
        dataset.with_i32_data(&codes);
    }
    mark(dataset, "array", "0.2.0");
    write_column(&mut inner, "categories", categories);
    group.add_group(inner.finish());
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
