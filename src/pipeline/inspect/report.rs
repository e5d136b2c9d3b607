//! The report of `inspect`: matrices, columns, embeddings and commands of a file.

use std::path::PathBuf;

use serde::Serialize;

use crate::io::h5ad::MatrixInfo;
use crate::preprocess::{Values as Scale, ValuesEvidence};

/// The content of an `.h5ad` file.
///
/// [`crate::pipeline::inspect`] returns it, and has an example.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Inspection {
    /// The path of the file, or of the folder or list of a course in several files.
    pub file: PathBuf,
    /// The files of a course in several files; none for one file.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<PathBuf>,
    /// Notes on several files that are read as one: their cells, changed names, columns that some lack.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<String>,
    /// The size of the file, or of all files, in bytes.
    pub n_bytes: u64,
    /// The versions of anndata that write such files.
    pub written_by: String,
    /// `encoding-type` and `encoding-version` of the file; `None` before anndata 0.8.
    pub encoding: Option<(String, String)>,
    /// Number of cells.
    pub n_cells: usize,
    /// Number of genes of the first matrix; of `var` if there is no matrix.
    pub n_genes: Option<usize>,
    /// Names that several genes have.
    pub duplicate_genes: Vec<String>,
    /// The matrices of the file: `X`, the layers and `raw`.
    pub matrices: Vec<MatrixReport>,
    /// Columns of `obs` that could be the time, the likeliest first.
    pub time_columns: Vec<TimeColumn>,
    /// All columns of `obs`, in the order of the file.
    pub obs: Vec<ColumnReport>,
    /// Entries of `obsm` with one row for each cell.
    pub embeddings: Vec<Embedding>,
    /// The commands that could run on the file.
    pub can_run: Vec<Ability>,
}

/// One matrix of a file: its storage, and the kind of its values.
///
/// A part of [`Inspection`]; [`crate::pipeline::inspect`] has an example.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MatrixReport {
    /// The place in the file: `X`, `layers/counts`, `raw/X`.
    pub name: String,
    /// Shape, storage and type; `None` if they cannot be read.
    pub info: Option<MatrixInfo>,
    /// Share of the entries that is not stored; for a dense matrix the share of zeros in the sample.
    pub sparsity: Option<f64>,
    /// The kind of its values, judged by a sample.
    pub values: Option<SampledValues>,
    /// The reason why the matrix cannot be read.
    pub problem: Option<String>,
}

/// The kind of the values of a matrix, with the evidence for it.
///
/// ```
/// use sbcell::pipeline::SampledValues;
/// use sbcell::preprocess::Values;
///
/// let found = SampledValues::of(&[0.0, 1.0, 3000.0], None);
/// assert!(found.integers && found.looks_like == Values::Counts);
/// assert_eq!(SampledValues::of(&[-0.5, 0.0, 2.0], None).looks_like, Values::Scaled);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct SampledValues {
    /// The kind that follows from the evidence.
    pub looks_like: Scale,
    /// Number of sampled values: stored ones, spread over the file.
    pub n_sampled: usize,
    /// Whether all finite values are whole numbers.
    pub integers: bool,
    /// The smallest finite value; 0 if there is none.
    pub min: f32,
    /// The largest finite value; 0 if there is none.
    pub max: f32,
    /// Number of values that are NaN or infinite.
    pub n_not_finite: usize,
    /// The sum over genes that all sampled cells have, if they have one in common.
    pub common_depth: Option<f64>,
}

/// A column of `obs` that could be the time.
///
/// A part of [`Inspection`]; [`crate::pipeline::inspect`] has an example.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TimeColumn {
    /// The name of the column.
    pub name: String,
    /// The evidence for a time.
    pub by: Evidence,
    /// The distinct values with their numbers of cells: in order of time if they can be read as times.
    pub values: Vec<(String, usize)>,
    /// The unit of time that the values or the name of the column contain.
    pub unit: Option<String>,
    /// Number of cells without a value.
    pub n_missing: usize,
    /// The reason why the values cannot be read as times without the parameter `time_map`.
    pub problem: Option<String>,
}

/// The evidence that a column holds times; the stronger first.
///
/// A part of [`Inspection`]; [`crate::pipeline::inspect`] has an example.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Evidence {
    /// The name of the column is that of a time.
    Name,
    /// The column holds numbers, few of them distinct.
    Values,
}

/// One column of `obs`.
///
/// A part of [`Inspection`]; [`crate::pipeline::inspect`] has an example.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ColumnReport {
    /// The name of the column.
    pub name: String,
    /// `floats`, `integers`, `bools`, `texts` or `categories`; `None` if the column cannot be read.
    pub kind: Option<&'static str>,
    /// Number of distinct values.
    pub n_distinct: usize,
    /// Number of cells without a value.
    pub n_missing: usize,
    /// The reason why the column cannot be read.
    pub problem: Option<String>,
}

/// One entry of `obsm`: coordinates of all cells.
///
/// A part of [`Inspection`]; [`crate::pipeline::inspect`] has an example.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Embedding {
    /// The key in `obsm`.
    pub key: String,
    /// Number of dimensions.
    pub dim: usize,
}

/// Whether a command could run on the file.
///
/// A part of [`Inspection`]; [`crate::pipeline::inspect`] has an example.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Ability {
    /// The name of the command.
    pub command: &'static str,
    /// The reason why the command could not run; `None` if it could.
    pub why_not: Option<String>,
}

impl SampledValues {
    /// Judges `values` by sign, size, whole numbers, and by the depth that cells have in common
    /// (`common_depth`). Values that are not finite are counted and otherwise ignored.
    pub fn of(values: &[f32], common_depth: Option<f64>) -> Self {
        let finite = || values.iter().copied().filter(|value| value.is_finite());
        let (min, max) = finite().fold((f32::INFINITY, f32::NEG_INFINITY), |(min, max), value| {
            (min.min(value), max.max(value))
        });
        let (min, max) = if min <= max { (min, max) } else { (0.0, 0.0) };
        let integers = finite().all(|value| value.fract().abs() < f32::EPSILON);
        let (least, most) = (f64::from(min), f64::from(max));
        let evidence = ValuesEvidence {
            min: least,
            max: most,
            all_whole: integers,
            all_finite: true,
            common_depth,
        };
        let looks_like = evidence.verdict();
        let n_not_finite = values.len() - finite().count();
        Self { looks_like, n_sampled: values.len(), integers, min, max, n_not_finite, common_depth }
    }
}
