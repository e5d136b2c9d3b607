//! Cells as they were read → coordinates, and the recipe that brings other cells there.

use ndarray::{Array1, Array2, Axis};

use crate::data::Matrix;
use crate::data::time::TimeUnit;
use crate::error::{Error, Result};
use crate::io::h5ad::H5ad;
use crate::pipeline::config::{FitOptions, Source, ValuesChoice};
use crate::pipeline::growth::{Given, from_genes};
use crate::pipeline::prepare::{Selection, matrix_source, no_genes};
use crate::preprocess::{GeneSelector, Pca, PcaSolver, Values, detect, log1p, normalize_total};
use crate::progress::{self, Event, Progress};
use crate::rng::Seed;

/// Cells as they were read: a matrix, an embedding, or both where growth comes from genes.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Raw {
    matrix: Option<Matrix>,
    genes: Vec<String>,
    embedding: Option<Array2<f64>>,
}

/// Cells with coordinates.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Prepared {
    pub(super) points: Array2<f64>,
    pub(super) dimensions: Vec<String>,
    pub(super) genes: Vec<String>,
    /// Growth rate of each cell per unit of the times, if there is a prior.
    pub(super) growth: Option<Array1<f64>>,
    /// How other cells are brought to the same coordinates.
    pub(super) recipe: Recipe,
}

/// What was learnt from cells on the way to their coordinates.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Recipe {
    /// The depth that counts are scaled to; `None` for values used as they are.
    depth: Option<f64>,
    /// The genes that are used, as columns of the matrix.
    columns: Option<Vec<usize>>,
    /// Their components; `None` for an embedding of the file.
    pub(super) pca: Option<Pca>,
}

impl Raw {
    /// Reads what coordinates and growth of the selected cells need.
    ///
    /// # Errors
    /// Whatever is wrong with that part of the file; an embedding that is not finite.
    pub(super) fn read(
        file: &H5ad,
        selection: &Selection,
        (options, known): (&FitOptions, &Given),
        progress: &mut dyn Progress,
    ) -> Result<Self> {
        let source = matrix_source(&options.source);
        let matrix = |progress| file.matrix_rows(&source, &selection.rows, progress);
        let Source::Rep(key) = &options.source else {
            let matrix = Some(matrix(progress)?);
            let genes = unique(file.gene_names(&source)?, progress)?;
            return Ok(Self { matrix, genes, embedding: None });
        };
        let points = file.obsm(key)?.select(Axis(0), &selection.rows);
        refuse_not_finite(&points, selection, file, key)?;
        let matrix = match known {
            Given::Genes(_) => Some(matrix(progress)?),
            Given::Nothing | Given::Rates(_) => None,
        };
        Ok(Self { matrix, genes: Vec::new(), embedding: Some(points) })
    }

    /// Genes in the matrix that was read; none for an embedding.
    pub(super) fn n_genes(&self) -> usize {
        self.genes.len()
    }

    /// The cells `rows`, in that order.
    pub(super) fn select(&self, rows: &[usize]) -> Self {
        Self {
            matrix: self.matrix.as_ref().map(|matrix| matrix.select_cells(rows)),
            genes: self.genes.clone(),
            embedding: self.embedding.as_ref().map(|points| points.select(Axis(0), rows)),
        }
    }

    /// Coordinates of these cells: normalisation, gene selection and components learnt from them
    /// and no others.
    ///
    /// # Errors
    /// No gene that is asked for, or none that varies; values that cannot be normalised.
    pub(super) fn prepare(
        self,
        (options, known): (&FitOptions, &Given),
        unit: TimeUnit,
        progress: &mut dyn Progress,
    ) -> Result<Prepared> {
        let Self { matrix, mut genes, embedding } = self;
        let Some(mut matrix) = matrix else {
            let growth = match known {
                Given::Rates(rates) => Some(rates.clone()),
                Given::Nothing | Given::Genes(_) => None,
            };
            return Ok(embedded(embedding.unwrap_or_default(), options, growth));
        };
        // The depth of a cell is that of all its genes, also where few of them are used.
        let Scaled { non_negative, depth } = to_log_scale(&mut matrix, options, progress)?;
        let growth = match known {
            Given::Nothing => None,
            Given::Rates(rates) => Some(rates.clone()),
            Given::Genes(columns) => Some(from_genes(&matrix, columns, unit)?),
        };
        if let Some(points) = embedding {
            return Ok(embedded(points, options, growth));
        }
        let columns = match &options.genes {
            Some(wanted) => Some(named(&genes, wanted, progress)?),
            None => variable(&matrix, options.n_top_genes, non_negative, progress)?,
        };
        if let Some(columns) = &columns {
            matrix = matrix.select_genes(columns);
            genes = columns.iter().map(|&column| genes[column].clone()).collect();
        }
        let solver = PcaSolver { n_pcs: options.n_pcs, ..PcaSolver::default() };
        let pca = solver.fit(&matrix, Seed(options.seed), progress)?;
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
        let recipe = Recipe { depth, columns, pca: Some(pca) };
        Ok(Prepared { points, dimensions, genes, growth, recipe })
    }
}

impl Recipe {
    /// Coordinates of other cells of the same file.
    ///
    /// # Errors
    /// Values that cannot be normalised.
    pub(super) fn apply(&self, cells: Raw) -> Result<Array2<f64>> {
        let (Some(pca), Some(mut matrix)) = (&self.pca, cells.matrix) else {
            return Ok(cells.embedding.unwrap_or_default());
        };
        if let Some(depth) = self.depth {
            normalize_total(&mut matrix, Some(depth))?;
            log1p(&mut matrix)?;
        }
        match &self.columns {
            Some(columns) => pca.transform(&matrix.select_genes(columns)),
            None => pca.transform(&matrix),
        }
    }
}

/// Cells whose coordinates are in the file.
fn embedded(points: Array2<f64>, options: &FitOptions, growth: Option<Array1<f64>>) -> Prepared {
    let key = match &options.source {
        Source::Rep(key) => key.as_str(),
        Source::X | Source::Layer(_) | Source::Raw => "",
    };
    let stem = key.strip_prefix("X_").unwrap_or(key);
    let stem = if stem == "pca" { "PC" } else { stem };
    let dimensions = (1..=points.ncols()).map(|d| format!("{stem}{d}")).collect();
    let recipe = Recipe { depth: None, columns: None, pca: None };
    Prepared { points, dimensions, genes: Vec::new(), growth, recipe }
}

/// What was found of the values of a matrix.
pub(super) struct Scaled {
    non_negative: bool,
    depth: Option<f64>,
}

/// Brings counts to a log scale, says what was found.
pub(super) fn to_log_scale(
    matrix: &mut Matrix,
    options: &FitOptions,
    progress: &mut dyn Progress,
) -> Result<Scaled> {
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
        Ok(Scaled { non_negative, depth: Some(depth) })
    } else {
        let looks = match detected.values {
            Values::Log1p => "is on a log scale already",
            Values::Scaled => "is scaled (it has negative values)",
            Values::Counts => "looks like counts",
            Values::Other => "looks neither like counts nor like log1p",
        };
        progress::note(progress, format!("{source} {looks}: used as it is"))?;
        Ok(Scaled { non_negative, depth: None })
    }
}

/// The genes that vary most; `None` for all.
fn variable(
    matrix: &Matrix,
    n_genes: usize,
    non_negative: bool,
    progress: &mut dyn Progress,
) -> Result<Option<Vec<usize>>> {
    let n_all = matrix.n_genes();
    if !non_negative {
        if n_genes < n_all {
            let text = "gene selection needs a log scale without negative values: all genes kept";
            progress::note(progress, text)?;
        }
        return Ok(None);
    }
    let columns = GeneSelector { n_genes, ..GeneSelector::default() }.select(matrix)?;
    if columns.len() == n_all {
        return Ok(None);
    }
    let why = if n_genes < n_all { "highly variable (flavour seurat)" } else { "vary" };
    progress::note(progress, format!("{} of {n_all} genes {why}", columns.len()))?;
    Ok(Some(columns))
}

/// The genes that are asked for and there.
fn named(genes: &[String], wanted: &[String], progress: &mut dyn Progress) -> Result<Vec<usize>> {
    let columns: Vec<usize> = (0..genes.len()).filter(|&g| wanted.contains(&genes[g])).collect();
    let missing: Vec<&String> = wanted.iter().filter(|name| !genes.contains(name)).collect();
    if columns.is_empty() {
        return Err(no_genes(wanted, genes));
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
    Ok(columns)
}

/// Gives repeated names a suffix, as anndata does (`Name`, `Name-1`, …).
pub(super) fn unique(names: Vec<String>, progress: &mut dyn Progress) -> Result<Vec<String>> {
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

fn refuse_not_finite(
    points: &Array2<f64>,
    selection: &Selection,
    file: &H5ad,
    key: &str,
) -> Result<()> {
    match points.indexed_iter().find(|entry| !entry.1.is_finite()) {
        None => Ok(()),
        Some(((cell, d), value)) => Err(Error::EmbeddingNotFinite {
            key: key.to_string(),
            cell: file.obs_names()?[selection.rows[cell]].clone(),
            dimension: d,
            value: *value,
        }),
    }
}
