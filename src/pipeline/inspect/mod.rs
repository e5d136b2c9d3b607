//! The command `inspect`: the content of an `.h5ad` file, and the commands that could run on it.

mod report;

use std::path::Path;

pub use report::{
    Ability, ColumnReport, Embedding, Evidence, Inspection, MatrixReport, SampledValues, TimeColumn,
};

use crate::data::{Column, time};
use crate::error::Result;
use crate::io::h5ad::{H5ad, MatrixInfo, MatrixSource, StorageFormat, duplicates};
use crate::io::hashed::n_bytes;
use crate::preprocess::{Values as Scale, survey};
use crate::progress::Silent;

/// Number of values of a matrix that are sampled: 2 MB in single precision.
const SAMPLE: usize = 1 << 19;

/// Number of runs of neighbouring cells whose depth is computed.
const RUNS: usize = 8;
/// Number of cells of a run.
const RUN: usize = 64;

/// Largest number of stored values of a matrix by columns (CSC) that is read for the depth of its
/// cells: no part of its cells can be read alone.
const MOST_BY_COLUMNS: usize = 1 << 22;

/// Numbers of distinct values with which a column of numbers is a candidate for the time.
const DISTINCT_TIMES: std::ops::RangeInclusive<usize> = 2..=50;

/// Largest number of distinct values of a time column. Pseudotime, whose name can look like a time, has
/// more.
const MOST_TIMES: usize = 1000;

/// Reads the annotation of the file `path`, or of the files of a folder or list, and a sample of 524 288 values of each matrix.
///
/// Parts that cannot be read are reported with the reason. Only a file that cannot be opened as an
/// `.h5ad` is an error.
///
/// ```
/// use sbcell::pipeline::inspect;
///
/// # fn main() -> sbcell::Result<()> {
/// let found = inspect("data-samples/semrau2017_mesc_ra.h5ad".as_ref())?;
/// assert_eq!(found.time_columns[0].name, "time");
/// let fit = found.can_run.iter().find(|ability| ability.command == "fit").unwrap();
/// assert!(fit.why_not.is_none());
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// As [`H5ad::open`].
pub fn inspect(path: &Path) -> Result<Inspection> {
    // Opened first: the error of opening names the kind of a file that is no `.h5ad`.
    let file = H5ad::open(path)?;
    let n_bytes = n_bytes(file.files())?;
    let files = if file.files().is_course() { file.files().paths().to_vec() } else { Vec::new() };
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
    // The sort is stable: equally likely columns stay in the order of the file.
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
        files,
        remarks: file.notes()?,
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

/// The depth that all cells of a few runs have in common. `None` if the depths differ, or if the matrix
/// is by columns and too large ([`MOST_BY_COLUMNS`]).
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

/// The report of one matrix, from its metadata and a sample of its values.
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

/// The report of a column that can be read.
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

/// The column as a candidate for the time, if its name or its values speak for it.
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

/// The commands with the first reason why each could not run. `interpolate` and `grn` need a fit, and so
/// what `fit` needs; `grn` also needs a matrix that is not scaled.
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
