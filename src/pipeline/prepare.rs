//! From a file to cells with times and coordinates.

use std::path::Path;

use ndarray::{Array1, Array2};

use crate::data::time::{self, TimeAxis};
use crate::data::{Column, Matrix, ObsFilter};
use crate::error::{Error, Result};
use crate::io::h5ad::{H5ad, MatrixSource};
use crate::pipeline::config::{FitOptions, Source, TimeOptions, ValuesChoice};
use crate::pipeline::growth::{Given, from_genes};
use crate::preprocess::{GeneSelector, Pca, PcaSolver, Values, detect, log1p, normalize_total};
use crate::progress::{self, Event, Progress};
use crate::rng::Seed;

/// The cells that take part: which rows of the file, and when.
#[derive(Debug, Clone, PartialEq)]
pub struct Selection {
    /// Rows of the file, increasing.
    pub rows: Vec<usize>,
    /// Time of each of these rows.
    pub times: Vec<f64>,
    /// The snapshots and where they come from.
    pub axis: TimeAxis,
}

/// Cells with times and coordinates.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Prepared {
    pub(crate) cells: Vec<String>,
    pub(crate) points: Array2<f64>,
    pub(crate) dimensions: Vec<String>,
    pub(crate) genes: Vec<String>,
    pub(crate) pca: Option<Pca>,
    /// Growth rate of each cell per unit of the times, if there is a prior.
    pub(crate) growth: Option<Array1<f64>>,
    /// Genes in the matrix that was read, before selection.
    pub(crate) n_genes_read: usize,
}

/// Finds the cells that meet the filters and have a time.
///
/// # Errors
/// An unknown column, a filter that cannot be met, times that cannot be read.
pub fn select(file: &H5ad, options: &FitOptions, progress: &mut dyn Progress) -> Result<Selection> {
    let mut kept = vec![true; file.n_cells()];
    for text in &options.filters {
        let filter = ObsFilter::parse(text)?;
        let meets = filter.keep(&file.obs(filter.column())?)?;
        kept.iter_mut().zip(&meets).for_each(|(kept, &meets)| *kept &= meets);
    }
    let rows: Vec<usize> = (0..kept.len()).filter(|&row| kept[row]).collect();
    if rows.is_empty() {
        return Err(Error::NoCells { filters: options.filters.clone() });
    }
    if rows.len() < kept.len() {
        let text = format!("{} of {} cells meet the filters", rows.len(), kept.len());
        progress::note(progress, text)?;
    }
    let axis = resolve_times(file, &options.time, &rows)?;
    for text in &axis.notes {
        progress::note(progress, text.clone())?;
    }
    if 0 < axis.n_missing {
        let text = format!(
            "{} of {} cells have no `{}` and are left out",
            axis.n_missing,
            rows.len(),
            axis.column
        );
        progress::note(progress, text)?;
    }
    let (timed, times) = axis.timed_cells();
    let rows = timed.into_iter().map(|place| rows[place]).collect();
    Ok(Selection { rows, times, axis })
}

fn resolve_times(file: &H5ad, options: &TimeOptions, rows: &[usize]) -> Result<TimeAxis> {
    let column = |name: &str| -> Result<Column> { Ok(file.obs(name)?.select(rows)) };
    match (&options.column, &options.map) {
        (Some(name), Some(map)) => time::resolve_with_map(name, &column(name)?, map),
        (Some(name), None) => time::resolve(name, &column(name)?),
        (None, map) => {
            let names = file.obs_columns()?.into_iter().filter(|name| time::is_time_name(name));
            let candidates =
                names.map(|name| Ok((name.clone(), column(&name)?))).collect::<Result<Vec<_>>>()?;
            match (map, candidates.as_slice()) {
                (Some(map), [(name, column)]) => time::resolve_with_map(name, column, map),
                (Some(_), _) => Err(Error::TimeMapWithoutColumn {
                    candidates: candidates.into_iter().map(|candidate| candidate.0).collect(),
                }),
                (None, _) => time::find(&candidates),
            }
        }
    }
}

/// Reads and transforms: coordinates for the selected cells.
pub(crate) fn prepare(
    file: &H5ad,
    selection: &Selection,
    (options, known): (&FitOptions, &Given),
    progress: &mut dyn Progress,
) -> Result<Prepared> {
    let unit = selection.axis.unit;
    let names = file.obs_names()?;
    let cells: Vec<String> = selection.rows.iter().map(|&row| names[row].clone()).collect();
    if let Source::Rep(key) = &options.source {
        let points = file.obsm(key)?.select(ndarray::Axis(0), &selection.rows);
        let stem = key.strip_prefix("X_").unwrap_or(key);
        let stem = if stem == "pca" { "PC" } else { stem };
        let dimensions = (1..=points.ncols()).map(|d| format!("{stem}{d}")).collect();
        refuse_not_finite(&points, &cells, key)?;
        let growth = match known {
            Given::Nothing => None,
            Given::Rates(rates) => Some(rates.clone()),
            Given::Genes(columns) => {
                let source = matrix_source(&options.source);
                let mut matrix = file.matrix_rows(&source, &selection.rows, progress)?;
                to_log_scale(&mut matrix, options, progress)?;
                Some(from_genes(&matrix, columns, unit)?)
            }
        };
        let (genes, pca, n_genes_read) = (Vec::new(), None, 0);
        return Ok(Prepared { cells, points, dimensions, genes, pca, growth, n_genes_read });
    }
    let source = matrix_source(&options.source);
    let mut matrix = file.matrix_rows(&source, &selection.rows, progress)?;
    let mut genes = unique(file.gene_names(&source)?, progress)?;
    let n_genes_read = genes.len();
    // The depth of a cell is that of all its genes, also where few of them are used.
    let non_negative = to_log_scale(&mut matrix, options, progress)?;
    let growth = match known {
        Given::Nothing => None,
        Given::Rates(rates) => Some(rates.clone()),
        Given::Genes(columns) => Some(from_genes(&matrix, columns, unit)?),
    };
    match &options.genes {
        Some(wanted) => keep_named(&mut matrix, &mut genes, wanted, progress)?,
        None => {
            keep_variable(&mut matrix, &mut genes, options.n_top_genes, non_negative, progress)?;
        }
    }
    let pca = PcaSolver { n_pcs: options.n_pcs, ..PcaSolver::default() }.fit(
        &matrix,
        Seed(options.seed),
        progress,
    )?;
    let points = pca.transform(&matrix)?;
    let share = pca.explained_variance().sum() / pca.total_variance();
    let text = format!(
        "{} principal components of {} genes hold {:.1} % of the variance",
        points.ncols(),
        genes.len(),
        100.0 * share
    );
    progress::note(progress, text)?;
    let dimensions = (1..=points.ncols()).map(|d| format!("PC{d}")).collect();
    let pca = Some(pca);
    Ok(Prepared { cells, points, dimensions, genes, pca, growth, n_genes_read })
}

/// The matrix of the file that `source` names; `X` for an embedding, which has none.
pub(crate) fn matrix_source(source: &Source) -> MatrixSource {
    match source {
        Source::X | Source::Rep(_) => MatrixSource::X,
        Source::Layer(name) => MatrixSource::Layer(name.clone()),
        Source::Raw => MatrixSource::RawX,
    }
}

/// Brings counts to a log scale, says what was found; returns whether no value is negative.
fn to_log_scale(
    matrix: &mut Matrix,
    options: &FitOptions,
    progress: &mut dyn Progress,
) -> Result<bool> {
    let detected = detect(matrix);
    let source = &options.source;
    let counts = match options.values {
        ValuesChoice::Counts => true,
        ValuesChoice::AsIs => false,
        ValuesChoice::Auto => detected.values == Values::Counts,
    };
    let non_negative = 0.0 <= detected.min;
    if counts {
        progress::report(progress, Event::Begin { what: "normalising".into(), total: 1 })?;
        let depth = normalize_total(matrix, None)?;
        log1p(matrix)?;
        progress::report(progress, Event::End)?;
        let text = format!("{source} holds counts: scaled to the median depth {depth:.0}, log1p");
        progress::note(progress, text)?;
    } else {
        let looks = match detected.values {
            Values::Log1p => "is on a log scale already",
            Values::Scaled => "is scaled (it has negative values)",
            Values::Counts => "looks like counts",
            Values::Other => "looks neither like counts nor like log1p",
        };
        progress::note(progress, format!("{source} {looks}: used as it is"))?;
    }
    Ok(non_negative)
}

fn keep_variable(
    matrix: &mut Matrix,
    genes: &mut Vec<String>,
    n_genes: usize,
    non_negative: bool,
    progress: &mut dyn Progress,
) -> Result<()> {
    if !non_negative {
        if n_genes < genes.len() {
            let text = "gene selection needs a log scale without negative values: all genes kept";
            progress::note(progress, text)?;
        }
        return Ok(());
    }
    let columns = GeneSelector { n_genes, ..GeneSelector::default() }.select(matrix)?;
    if columns.len() < genes.len() {
        let why = if n_genes < genes.len() { "highly variable (flavour seurat)" } else { "vary" };
        progress::note(progress, format!("{} of {} genes {why}", columns.len(), genes.len()))?;
        keep_columns(matrix, genes, &columns);
    }
    Ok(())
}

fn keep_named(
    matrix: &mut Matrix,
    genes: &mut Vec<String>,
    wanted: &[String],
    progress: &mut dyn Progress,
) -> Result<()> {
    let columns: Vec<usize> = (0..genes.len()).filter(|&g| wanted.contains(&genes[g])).collect();
    let missing: Vec<&String> = wanted.iter().filter(|name| !genes.contains(name)).collect();
    if columns.is_empty() {
        return Err(Error::NoGenes {
            wanted: wanted.iter().take(5).cloned().collect(),
            present: genes.iter().take(5).cloned().collect(),
        });
    }
    if !missing.is_empty() {
        let shown: Vec<&str> = missing.iter().take(5).map(|name| name.as_str()).collect();
        let text = format!(
            "{} of {} genes asked for are in the file; missing: {}{}",
            wanted.len() - missing.len(),
            wanted.len(),
            shown.join(", "),
            if missing.len() > 5 { ", …" } else { "" }
        );
        progress::note(progress, text)?;
    }
    keep_columns(matrix, genes, &columns);
    Ok(())
}

fn keep_columns(matrix: &mut Matrix, genes: &mut Vec<String>, columns: &[usize]) {
    *matrix = matrix.select_genes(columns);
    *genes = columns.iter().map(|&column| genes[column].clone()).collect();
}

/// Gives repeated names a suffix, as anndata does (`Name`, `Name-1`, …).
fn unique(names: Vec<String>, progress: &mut dyn Progress) -> Result<Vec<String>> {
    let mut taken: std::collections::BTreeSet<String> = names.iter().cloned().collect();
    if taken.len() == names.len() {
        return Ok(names);
    }
    let mut seen = std::collections::BTreeSet::new();
    let mut repeated = Vec::new();
    let renamed = names
        .into_iter()
        .map(|name| {
            if seen.insert(name.clone()) {
                return name;
            }
            let mut number = 1;
            while taken.contains(&format!("{name}-{number}")) {
                number += 1;
            }
            let fresh = format!("{name}-{number}");
            taken.insert(fresh.clone());
            repeated.push(name);
            fresh
        })
        .collect();
    let text = format!(
        "{} gene names occur more than once (`{}`); the later ones get a suffix, as in `{}-1`",
        repeated.len(),
        repeated[0],
        repeated[0]
    );
    progress::note(progress, text)?;
    Ok(renamed)
}

fn refuse_not_finite(points: &Array2<f64>, cells: &[String], key: &str) -> Result<()> {
    match points.indexed_iter().find(|entry| !entry.1.is_finite()) {
        None => Ok(()),
        Some(((cell, d), value)) => Err(Error::EmbeddingNotFinite {
            key: key.to_string(),
            cell: cells[cell].clone(),
            dimension: d,
            value: *value,
        }),
    }
}

/// The name of a file without its folder, for records that must not depend on where it lies.
pub(crate) fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}
