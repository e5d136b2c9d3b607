//! What is in an `.h5ad` file, and what could be run on it.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::data::{Column, time};
use crate::error::Result;
use crate::io::file;
use crate::io::h5ad::{H5ad, MatrixInfo, MatrixSource, StorageFormat, duplicates};
use crate::preprocess::{Values as Scale, ValuesEvidence, survey};
use crate::progress::Silent;

/// Values of a matrix that are looked at: 2 MB in single precision.
const SAMPLE: usize = 1 << 19;

/// Runs of neighbouring cells whose depth is looked at, and cells of each.
const RUNS: usize = 8;
const RUN: usize = 64;

/// A matrix stored by columns is read for the depth of its cells if it has no more stored values.
const MOST_BY_COLUMNS: usize = 1 << 22;

/// A column of numbers is a candidate for time if it has this many distinct values.
const DISTINCT_TIMES: std::ops::RangeInclusive<usize> = 2..=50;

/// A column with the name of a time is none if it has more distinct values, as pseudotime has.
const MOST_TIMES: usize = 1000;

/// What [`inspect`] finds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Inspection {
    /// The file.
    pub file: PathBuf,
    /// Its size in bytes.
    pub n_bytes: u64,
    /// Which versions of anndata write such files.
    pub written_by: String,
    /// `encoding-type` and `encoding-version` of the file, since anndata 0.8.
    pub encoding: Option<(String, String)>,
    /// Number of cells.
    pub n_cells: usize,
    /// Number of genes of the first matrix there is, else of `var`.
    pub n_genes: Option<usize>,
    /// Gene names that occur more than once.
    pub duplicate_genes: Vec<String>,
    /// X, layers and raw, as far as they are there.
    pub matrices: Vec<MatrixReport>,
    /// Columns that could be the time, the likeliest first.
    pub time_columns: Vec<TimeColumn>,
    /// All columns of `obs`, in their order.
    pub obs: Vec<ColumnReport>,
    /// Entries of `obsm`.
    pub embeddings: Vec<Embedding>,
    /// What could be run on the file.
    pub can_run: Vec<Ability>,
}

/// One matrix.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MatrixReport {
    /// "X", "layers/counts", "raw/X".
    pub name: String,
    /// Shape, storage and type; nothing if it cannot be read.
    pub info: Option<MatrixInfo>,
    /// Part of the entries that is not stored; of a dense matrix, part of the sample that is zero.
    pub sparsity: Option<f64>,
    /// What its values look like.
    pub values: Option<SampledValues>,
    /// Why it cannot be read.
    pub problem: Option<String>,
}

/// What the values of a matrix look like, and the evidence.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct SampledValues {
    /// The conclusion.
    pub looks_like: Scale,
    /// Values looked at (stored ones, spread over the file).
    pub n_sampled: usize,
    /// Whether all are whole numbers.
    pub integers: bool,
    /// The smallest finite one.
    pub min: f32,
    /// The largest finite one.
    pub max: f32,
    /// How many are NaN or infinite.
    pub n_not_finite: usize,
    /// The depth that the cells looked at have in common, if they have one and are not logged.
    pub common_depth: Option<f64>,
}

/// A column that could be the time.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TimeColumn {
    /// Its name.
    pub name: String,
    /// Why it is a candidate.
    pub by: Evidence,
    /// Its values with their number of cells; numbers in order, categories in theirs.
    pub values: Vec<(String, usize)>,
    /// Unit of the values, if they or the name have one.
    pub unit: Option<String>,
    /// Cells without a value.
    pub n_missing: usize,
    /// Why its values cannot be read as times without the parameter `time_map`.
    pub problem: Option<String>,
}

/// Why a column is a candidate for time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Evidence {
    /// Its name.
    Name,
    /// It holds numbers, few of them distinct.
    Values,
}

/// One column of `obs`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ColumnReport {
    /// Its name.
    pub name: String,
    /// "floats", "integers", "bools", "texts", "categories"; nothing if it cannot be read.
    pub kind: Option<&'static str>,
    /// Number of distinct values.
    pub n_distinct: usize,
    /// Cells without a value.
    pub n_missing: usize,
    /// Why it cannot be read.
    pub problem: Option<String>,
}

/// One entry of `obsm`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Embedding {
    /// Its key.
    pub key: String,
    /// Number of dimensions.
    pub dim: usize,
}

/// Whether a command could run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Ability {
    /// The command.
    pub command: &'static str,
    /// Why it could not; nothing if it could.
    pub why_not: Option<String>,
}

/// Looks at a file: its annotation, and a sample of 500 000 values of each matrix.
///
/// Parts that cannot be read are reported with the reason; only a file that is no `.h5ad` at all
/// is an error.
///
/// # Errors
/// As [`H5ad::open`].
pub fn inspect(path: &Path) -> Result<Inspection> {
    // First, so that what is no `.h5ad` is named for what it is.
    let file = H5ad::open(path)?;
    let n_bytes = file::open(path)?.1;
    let matrices: Vec<MatrixReport> =
        file.matrices()?.iter().map(|source| matrix_report(&file, source)).collect();
    let mut obs = Vec::new();
    let mut time_columns = Vec::new();
    for name in file.obs_columns()? {
        match file.obs(&name) {
            Ok(column) => {
                let report = column_report(&name, &column);
                time_columns.extend(time_column(&report, &column));
                obs.push(report);
            }
            Err(error) => obs.push(ColumnReport {
                name,
                kind: None,
                n_distinct: 0,
                n_missing: 0,
                problem: Some(error.to_string()),
            }),
        }
    }
    // A stable sort: columns that are equally likely stay in the order of the file.
    time_columns.sort_by_key(|column| (column.by, time::name_rank(&column.name)));
    let embeddings: Vec<Embedding> = file
        .obsm_keys()?
        .into_iter()
        .filter(|(_, (n_rows, dim))| *n_rows == file.n_cells() && *dim > 0)
        .map(|(key, (_, dim))| Embedding { key, dim })
        .collect();
    let genes = file.gene_names(&MatrixSource::X).unwrap_or_default();
    let of_matrix = matrices.iter().find_map(|matrix| matrix.info.as_ref());
    let n_genes = of_matrix.map(|info| info.n_genes).or(Some(genes.len()).filter(|&n| n > 0));
    let can_run = abilities(&matrices, &time_columns, &embeddings);
    Ok(Inspection {
        file: path.to_path_buf(),
        n_bytes,
        written_by: file.dialect()?.to_string(),
        encoding: file.encoding(),
        n_cells: file.n_cells(),
        n_genes,
        duplicate_genes: duplicates(&genes),
        matrices,
        time_columns,
        obs,
        embeddings,
        can_run,
    })
}

impl SampledValues {
    /// Judges values by their sign, size, whether they are whole, and the depth of cells.
    pub fn of(values: &[f32], common_depth: Option<f64>) -> Self {
        let finite = || values.iter().copied().filter(|value| value.is_finite());
        let (min, max) = finite().fold((f32::INFINITY, f32::NEG_INFINITY), |(min, max), value| {
            (min.min(value), max.max(value))
        });
        let (min, max) = if min <= max { (min, max) } else { (0.0, 0.0) };
        let integers = finite().all(|value| value.fract().abs() < f32::EPSILON);
        let (least, most) = (f64::from(min), f64::from(max));
        // Values that are not finite are counted, and the others judged.
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

/// The depth that some runs of cells have in common; `None` if they have none, or cannot be read
/// apart from the others.
fn sampled_depth(file: &H5ad, source: &MatrixSource, info: &MatrixInfo) -> Option<f64> {
    let n = info.n_cells;
    let rows: Vec<usize> = if n <= RUNS * RUN {
        (0..n).collect()
    } else {
        (0..RUNS).map(|k| k * (n - RUN) / (RUNS - 1)).flat_map(|first| first..first + RUN).collect()
    };
    let silent = &mut Silent;
    let found = match file.matrix_blocks(source, &rows).ok()? {
        Some(blocks) => survey(&blocks, silent),
        None if info.n_stored <= MOST_BY_COLUMNS => {
            survey(&file.matrix_rows(source, &rows, silent).ok()?, silent)
        }
        None => return None,
    };
    found.ok()?.0.common_depth
}

fn matrix_report(file: &H5ad, source: &MatrixSource) -> MatrixReport {
    let name = source.to_string();
    let looked = file
        .matrix_info(source)
        .and_then(|info| file.sample_values(source, SAMPLE).map(|sample| (info, sample)));
    let (info, sample) = match looked {
        Ok(looked) => looked,
        Err(error) => {
            let problem = Some(error.to_string());
            let info = file.matrix_info(source).ok();
            return MatrixReport { name, info, sparsity: None, values: None, problem };
        }
    };
    let n_zero = sample.iter().filter(|value| value.abs() < f32::MIN_POSITIVE).count();
    let sparsity = match info.format {
        StorageFormat::Dense => n_zero as f64 / sample.len().max(1) as f64,
        StorageFormat::Csr | StorageFormat::Csc => {
            1.0 - info.n_stored as f64 / (info.n_cells as f64 * info.n_genes as f64)
        }
    };
    let values = Some(SampledValues::of(&sample, sampled_depth(file, source, &info)));
    MatrixReport { name, info: Some(info), sparsity: Some(sparsity), values, problem: None }
}

fn column_report(name: &str, column: &Column) -> ColumnReport {
    let counts = column.counts();
    let kind = match column {
        Column::Floats(_) => "floats",
        Column::Integers(_) => "integers",
        Column::Bools(_) => "bools",
        Column::Texts(_) => "texts",
        Column::Categories { .. } => "categories",
    };
    ColumnReport {
        name: name.to_string(),
        kind: Some(kind),
        n_distinct: counts.len(),
        n_missing: column.len() - counts.values().sum::<usize>(),
        problem: None,
    }
}

fn time_column(report: &ColumnReport, column: &Column) -> Option<TimeColumn> {
    let few = DISTINCT_TIMES.contains(&report.n_distinct);
    let named = time::is_time_name(&report.name) && report.n_distinct <= MOST_TIMES;
    let by = match (named, column.is_numeric() && few) {
        (true, _) => Evidence::Name,
        (false, true) => Evidence::Values,
        (false, false) => return None,
    };
    let (values, unit, problem) = match time::resolve(&report.name, column) {
        Ok(axis) => {
            let levels = axis.levels.into_iter().map(|level| (level.label, level.n_cells));
            (levels.collect(), Some(axis.unit.to_string()).filter(|unit| !unit.is_empty()), None)
        }
        Err(error) => (column.counts().into_iter().collect(), None, Some(error.to_string())),
    };
    let (name, n_missing) = (report.name.clone(), report.n_missing);
    Some(TimeColumn { name, by, values, unit, n_missing, problem })
}

fn abilities(
    matrices: &[MatrixReport],
    time_columns: &[TimeColumn],
    embeddings: &[Embedding],
) -> Vec<Ability> {
    let read = || time_columns.iter().filter(|column| column.problem.is_none());
    let alone = time_columns.iter().any(|column| column.values.len() == 1);
    let n_times = read().map(|column| column.values.len()).max().unwrap_or(usize::from(alone));
    let readable = |matrix: &&MatrixReport| matrix.values.is_some_and(|v| v.n_not_finite == 0);
    let has_matrix = matrices.iter().any(|matrix| readable(&matrix));
    let unscaled = matrices
        .iter()
        .filter(readable)
        .any(|matrix| matrix.values.is_some_and(|values| values.looks_like != Scale::Scaled));
    let without_time = match n_times {
        0 if time_columns.is_empty() => Some("no column of `obs` looks like a time".to_string()),
        0 => Some(
            "no column of `obs` can be read as times without the parameter `time_map`".to_string(),
        ),
        1 => Some("there is only one time point".to_string()),
        _ => None,
    };
    let without_cells = (!has_matrix && embeddings.is_empty())
        .then(|| "there is neither a matrix that can be read nor an embedding".to_string());
    let without_genes = match (has_matrix, unscaled) {
        (false, _) => Some("there is no matrix of genes that can be read".to_string()),
        (true, false) => Some("the matrices look scaled; unscaled values are needed".to_string()),
        (true, true) => None,
    };
    let basic = without_time.or(without_cells);
    let ability = |command, why_not: Option<String>| Ability { command, why_not };
    vec![
        ability("fit", basic.clone()),
        ability("interpolate", basic.clone()),
        ability("grn", basic.or(without_genes)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(name: &str) -> Inspection {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/h5ad-dialects");
        inspect(&folder.join(format!("{name}.h5ad"))).unwrap()
    }

    fn why_not(found: &Inspection, command: &str) -> String {
        let ability = found.can_run.iter().find(|ability| ability.command == command).unwrap();
        ability.why_not.clone().unwrap_or_default()
    }

    #[test]
    fn values_are_judged_by_sign_size_and_whole_numbers() {
        let judge = |values: &[f32]| SampledValues::of(values, None).looks_like;
        assert_eq!(judge(&[0.0, 1.0, 3000.0]), Scale::Counts);
        assert_eq!(judge(&[0.0, 0.693, 4.1]), Scale::Log1p);
        assert_eq!(judge(&[-0.5, 0.0, 2.0]), Scale::Scaled);
        assert_eq!(judge(&[0.0, 0.5, 100.25]), Scale::Other);
        let normalised = SampledValues::of(&[0.0, 0.5, 100.25], Some(1e4));
        assert_eq!(normalised.looks_like, Scale::Normalised);
        let odd = SampledValues::of(&[1.0, f32::NAN, f32::INFINITY], None);
        assert_eq!((odd.n_not_finite, odd.looks_like), (2, Scale::Counts));
        assert_eq!(SampledValues::of(&[], None).n_sampled, 0);
    }

    #[test]
    fn finds_matrices_times_and_embeddings() {
        let found = look("everything");
        let names: Vec<&str> = found.matrices.iter().map(|matrix| matrix.name.as_str()).collect();
        assert_eq!(names, ["X", "layers/csc", "layers/dense"]);
        for matrix in &found.matrices {
            assert!((matrix.sparsity.unwrap() - 147.0 / 720.0).abs() < 1e-12);
        }
        assert_eq!(found.matrices[1].info.as_ref().unwrap().format, StorageFormat::Csc);
        let time = &found.time_columns[0];
        assert_eq!((time.name.as_str(), time.by), ("time", Evidence::Name));
        let expected = [("0.0", 15), ("6.0", 10), ("12.0", 14), ("24.0", 9), ("96.0", 12)];
        assert_eq!(time.values, expected.map(|(label, n)| (label.to_string(), n)));
        let label = &found.time_columns[1];
        assert_eq!((label.name.as_str(), label.values[1].0.as_str()), ("time_label", "6h"));
        assert_eq!(found.embeddings[0], Embedding { key: "X_pca".into(), dim: 3 });
        assert!(found.can_run.iter().all(|ability| ability.why_not.is_none()));
        assert!(serde_json::to_string(&found).unwrap().contains("\"format\":\"csc\""));
    }

    #[test]
    fn says_why_something_cannot_be_run() {
        assert!(why_not(&look("X_negative"), "grn").contains("look scaled"));
        assert_eq!(why_not(&look("single_time"), "fit"), "there is only one time point");
        let found = look("dense_f4_blosc2");
        assert!(found.matrices[0].problem.as_ref().unwrap().contains("blosc2"));
        assert!(why_not(&found, "fit").contains("neither a matrix"));
        let nan = look("X_with_nan");
        assert_eq!(nan.matrices[0].values.unwrap().n_not_finite, 1);
        assert!(!why_not(&nan, "grn").is_empty());
    }

    #[test]
    fn reports_missing_entries_and_duplicates() {
        assert_eq!(look("duplicate_var_names").duplicate_genes, ["BCL6"]);
        let found = look("time_nullable_int_with_NA");
        assert_eq!((found.time_columns[0].n_missing, found.obs[0].n_distinct), (1, 5));
        assert_eq!(found.obs[0].kind, Some("integers"));
        assert_eq!(look("null_X_layer_only").matrices[0].name, "layers/counts");
        assert_eq!(look("written_by_anndata_0.7.8_csr").written_by, "anndata 0.7");
    }
}
