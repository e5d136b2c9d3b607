//! Cells as they were read → coordinates, and the recipe that brings other cells there.

use ndarray::{Array1, Array2, Axis};

use crate::data::time::TimeUnit;
use crate::data::{CellBlocks, Matrix};
use crate::error::{Error, Result};
use crate::io::h5ad::{H5ad, StorageFormat};
use crate::io::model::ValuesRecord;
use crate::pipeline::asked_genes::{AskedGenes, missing_words};
use crate::pipeline::counted::{Counted, Scaled, bytes_of, log_scale, record, scale_as};
use crate::pipeline::fit::footprint::Footprint;
use crate::pipeline::fit::growth::{Given, from_genes};
use crate::pipeline::fit::options::{FitOptions, Source, ValuesChoice};
use crate::pipeline::fit::selection::{Selection, matrix_source};
use crate::preprocess::{GeneSelector, LogScale, Pca, PcaSolver};
use crate::progress::{self, Progress};
use crate::rng::Seed;

/// Cells as they were read: a matrix, an embedding, or both where growth comes from genes.
#[derive(Debug)]
pub(super) struct Raw<'f> {
    matrix: Option<Counted<'f>>,
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
    /// What was odd about the values; nothing of an embedding of the file.
    pub(super) seen: Seen,
}

/// What was odd about the values of a matrix.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Seen {
    /// Whether some are negative.
    pub(super) negative: bool,
    /// Cells that hold nothing but zeros.
    pub(super) empty: Vec<usize>,
}

/// What was learnt from cells on the way to their coordinates.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Recipe {
    /// What was made of the values; `None` for an embedding of the file.
    pub(super) values: Option<ValuesRecord>,
    /// The genes that are used, as columns of the matrix.
    columns: Option<Vec<usize>>,
    /// Their components; `None` for an embedding of the file.
    pub(super) pca: Option<Pca>,
}

impl<'f> Raw<'f> {
    /// Reads what coordinates and growth of the selected cells need; a matrix of more than `most`
    /// bytes stays on disk.
    ///
    /// # Errors
    /// Whatever is wrong with that part of the file; an embedding that is not finite, or
    /// beyond single precision.
    pub(super) fn read(
        file: &'f H5ad,
        (selection, most): (&Selection, f64),
        (options, known): (&FitOptions, &Given),
        progress: &mut dyn Progress,
    ) -> Result<Self> {
        let source = matrix_source(&options.source);
        let matrix =
            |progress| Counted::read(file, &source, &selection.rows, most, progress).map(Some);
        let Source::Rep(key) = &options.source else {
            let matrix = matrix(progress)?;
            let genes = unique(file.gene_names(&source)?, progress)?;
            return Ok(Self { matrix, genes, embedding: None });
        };
        let points = file.obsm(key)?.select(Axis(0), &selection.rows);
        refuse_not_finite(&points, selection, file, key)?;
        let matrix = match known {
            Given::Genes(_) => matrix(progress)?,
            Given::Nothing | Given::Rates(_) => None,
        };
        Ok(Self { matrix, genes: Vec::new(), embedding: Some(points) })
    }

    /// As [`Raw::read`], all in memory.
    ///
    /// # Errors
    /// As there.
    pub(super) fn read_whole(
        file: &H5ad,
        selection: &Selection,
        known: (&FitOptions, &Given),
        progress: &mut dyn Progress,
    ) -> Result<Raw<'static>> {
        let Raw { matrix, genes, embedding } =
            Raw::read(file, (selection, f64::INFINITY), known, progress)?;
        let matrix = match matrix {
            Some(Counted::Whole(matrix)) => Some(Counted::Whole(matrix)),
            Some(Counted::Blocks(_)) | None => None,
        };
        Ok(Raw { matrix, genes, embedding })
    }

    /// Genes in the matrix that was read; none for an embedding.
    pub(super) fn n_genes(&self) -> usize {
        self.genes.len()
    }

    /// What the values of all these cells are taken to be, whichever of them are looked at later, and
    /// what is odd about them.
    ///
    /// # Errors
    /// Those of reading the cells.
    pub(super) fn settled(&self, options: &FitOptions) -> Result<(ValuesChoice, Seen)> {
        let Some(cells) = &self.matrix else { return Ok((options.values, Seen::default())) };
        let scaled = log_scale(cells.blocks(), options, &mut progress::Silent)?;
        let values = match scaled.scale {
            LogScale::AsIs | LogScale::Plain => ValuesChoice::AsIs,
            LogScale::Normalised => ValuesChoice::Normalised,
            LogScale::Counts { .. } => ValuesChoice::Counts,
        };
        Ok((values, Seen { negative: !scaled.non_negative, empty: scaled.empty }))
    }

    /// The cells `rows`, in that order, of cells in memory.
    pub(super) fn select(&self, rows: &[usize]) -> Raw<'static> {
        let select = |cells: &Counted<'_>| match cells {
            Counted::Whole(matrix) => Some(Counted::Whole(matrix.select_cells(rows))),
            Counted::Blocks(_) => None,
        };
        Raw {
            matrix: self.matrix.as_ref().and_then(select),
            genes: self.genes.clone(),
            embedding: self.embedding.as_ref().map(|points| points.select(Axis(0), rows)),
        }
    }

    /// What memory depends on, as far as it is known before genes are chosen.
    ///
    /// # Errors
    /// As [`H5ad::matrix_info`].
    pub(super) fn footprint(
        &self,
        file: &H5ad,
        selection: &Selection,
        options: &FitOptions,
    ) -> Result<Footprint> {
        let dims = self.embedding.as_ref().map_or(0, Array2::ncols) as f64;
        let size = Footprint::of_embedding(selection, file.n_cells(), dims);
        let size = Footprint { held: options.solver.memory(), ..size };
        let Some(matrix) = &self.matrix else { return Ok(size) };
        let info = file.matrix_info(&matrix_source(&options.source))?;
        let dense = info.format == StorageFormat::Dense;
        Ok(Footprint {
            genes: info.n_genes as f64,
            stored: info.n_stored as f64 / info.n_cells.max(1) as f64,
            whole: match matrix {
                Counted::Whole(_) => bytes_of(&info, selection.rows.len()),
                Counted::Blocks(_) => 0.0,
            },
            dense,
            dims: if self.embedding.is_some() { dims } else { options.n_pcs as f64 },
            ..size
        })
    }

    /// Coordinates of these cells: normalisation, gene selection and components learnt from them
    /// and no others. With memory that may be taken, and the sizes that are known: checked when the
    /// genes are, and while they are read.
    ///
    /// # Errors
    /// No gene that is asked for, or none that varies; values that cannot be normalised;
    /// [`Error::Memory`].
    pub(super) fn prepare(
        self,
        (options, known, memory): (&FitOptions, &Given, Option<(f64, Footprint)>),
        unit: TimeUnit,
        progress: &mut dyn Progress,
    ) -> Result<Prepared> {
        let Self { matrix, mut genes, embedding } = self;
        let Some(cells) = matrix else {
            let growth = match known {
                Given::Rates(rates) => Some(rates.clone()),
                Given::Nothing | Given::Genes(_) => None,
            };
            memory.map_or(Ok(()), |(memory, size)| size.check(Some(memory)))?;
            return Ok(embedded(embedding.unwrap_or_default(), options, growth));
        };
        // The depth of a cell is that of all its genes, also where few of them are used.
        let scaled = log_scale(cells.blocks(), options, progress)?;
        let scale = &scaled.scale;
        let seen = Seen { negative: !scaled.non_negative, empty: scaled.empty.clone() };
        let growth = match known {
            Given::Nothing => None,
            Given::Rates(rates) => Some(rates.clone()),
            Given::Genes(sets) => Some(growth_of(cells.blocks(), scale, (sets, unit), progress)?),
        };
        if let Some(points) = embedding {
            memory.map_or(Ok(()), |(memory, size)| size.check(Some(memory)))?;
            return Ok(embedded(points, options, growth));
        }
        let columns = chosen(cells.blocks(), &genes, (&scaled, options), progress)?;
        let matrix = kept(cells, (scale, columns.as_deref()), memory, progress)?;
        if let Some(columns) = &columns {
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
        let recipe = Recipe { values: Some(record(scale)), columns, pca: Some(pca) };
        Ok(Prepared { points, dimensions, genes, growth, recipe, seen })
    }
}

impl Recipe {
    /// Coordinates of other cells of the same file.
    ///
    /// # Errors
    /// Values that cannot be normalised.
    pub(super) fn apply(&self, cells: Raw<'_>) -> Result<Array2<f64>> {
        let (Some(pca), Some(values), Some(cells)) = (&self.pca, self.values, cells.matrix) else {
            return Ok(cells.embedding.unwrap_or_default());
        };
        let silent = &mut progress::Silent;
        let scale = scale_as(values, cells.blocks(), silent)?;
        pca.transform(&cells.keep(&scale, self.columns.as_deref(), silent)?)
    }
}

/// The genes that are used on a log scale, within the memory that a fit may take with them.
fn kept(
    cells: Counted<'_>,
    (scale, columns): (&LogScale, Option<&[usize]>),
    memory: Option<(f64, Footprint)>,
    progress: &mut dyn Progress,
) -> Result<Matrix> {
    let Some((memory, size)) = memory else { return cells.keep(scale, columns, progress) };
    let n_genes = columns.map_or(cells.blocks().n_genes(), <[usize]>::len) as f64;
    let with = |stored: f64| Footprint { used: (n_genes, stored), ..size };
    // What does not fit with nothing stored is refused before the pass, the rest as it goes.
    with(0.0).check(Some(memory))?;
    let room = with(0.0).room(memory);
    let matrix =
        cells.keep_within(scale, columns, room, progress).map_err(|error| match error {
            Error::Memory { needed, .. } => {
                Error::Memory { needed: needed + (memory - room), promised: memory }
            }
            other => other,
        })?;
    let stored = match &matrix {
        Matrix::Dense(_) => n_genes,
        Matrix::Sparse(x) => x.n_stored() as f64 / x.n_rows().max(1) as f64,
    };
    with(stored).check(Some(memory))?;
    Ok(matrix)
}

/// Growth rates from the genes of two sets.
fn growth_of(
    cells: &dyn CellBlocks,
    scale: &LogScale,
    (sets, unit): (&[Vec<usize>; 2], TimeUnit),
    progress: &mut dyn Progress,
) -> Result<Array1<f64>> {
    let mut columns = sets.concat();
    columns.sort_unstable();
    columns.dedup();
    let place = |set: &[usize]| -> Vec<usize> {
        set.iter().map(|column| columns.partition_point(|other| other < column)).collect()
    };
    let places = [place(&sets[0]), place(&sets[1])];
    from_genes(&scale.keep(cells, Some(&columns), progress)?, &places, unit)
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
    let recipe = Recipe { values: None, columns: None, pca: None };
    let seen = Seen::default();
    Prepared { points, dimensions, genes: Vec::new(), growth, recipe, seen }
}

/// The genes that are used, as columns of `cells`, whose names are `genes`; `None` for all.
///
/// # Errors
/// No gene that is asked for, or none that varies; those of reading `cells`.
pub(super) fn chosen(
    cells: &dyn CellBlocks,
    genes: &[String],
    (scaled, options): (&Scaled, &FitOptions),
    progress: &mut dyn Progress,
) -> Result<Option<Vec<usize>>> {
    if let Some(wanted) = &options.genes {
        return named(genes, wanted, progress).map(Some);
    }
    if genes.len() <= options.n_top_genes {
        return Ok(None);
    }
    if scaled.non_negative {
        return variable(cells, &scaled.scale, options, progress);
    }
    let text = "gene selection needs a log scale without negative values: all genes kept";
    progress::note(progress, text)?;
    Ok(None)
}

/// The genes that vary most, of more than are asked for; `None` for all.
fn variable(
    cells: &dyn CellBlocks,
    scale: &LogScale,
    options: &FitOptions,
    progress: &mut dyn Progress,
) -> Result<Option<Vec<usize>>> {
    let (n_genes, n_all) = (options.n_top_genes, cells.n_genes());
    let selector = GeneSelector { n_genes, ..GeneSelector::default() };
    let columns = selector.select(cells, scale, progress)?;
    if columns.len() == n_all {
        return Ok(None);
    }
    let text = format!("{} of {n_all} genes highly variable (flavour seurat)", columns.len());
    progress::note(progress, text)?;
    Ok(Some(columns))
}

/// The genes that are asked for and there.
fn named(genes: &[String], wanted: &[String], progress: &mut dyn Progress) -> Result<Vec<usize>> {
    let AskedGenes { columns, n_found, missing } = AskedGenes::find(wanted, genes, progress)?;
    if !missing.is_empty() {
        let text = format!(
            "{n_found} of {} genes asked for are in the file; missing: {}",
            n_found + missing.len(),
            missing_words(&missing, genes)
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
    // As values of a matrix, which are read in single precision.
    let fits = |value: f64| value.abs() <= f64::from(f32::MAX);
    match points.indexed_iter().find(|entry| !fits(*entry.1)) {
        None => Ok(()),
        Some(((cell, d), value)) => Err(Error::EmbeddingNotFinite {
            key: key.to_string(),
            cell: file.obs_names()?[selection.rows[cell]].clone(),
            dimension: d,
            value: *value,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linalg::Csr;
    use crate::progress::Silent;

    #[test]
    fn genes_are_kept_in_the_memory_that_they_need_and_not_in_less() {
        let n_cells = 3000;
        // The first cells store little, the last ones all.
        let dense =
            Array2::from_shape_fn((n_cells, 40), |(i, j)| f32::from(u8::from(j < 1 + i / 60)));
        let sparse = Csr::of_dense(&dense);
        let stored = sparse.n_stored() as f64 / n_cells as f64;
        let size = Footprint {
            cells_of_file: 0.0,
            cells: n_cells as f64,
            genes: 40.0,
            stored,
            whole: 0.0,
            used: (40.0, stored),
            dense: false,
            dims: 2.0,
            interval: 0.0,
            held: crate::bridge::Held::default(),
        };
        let within = |memory: f64| {
            let cells = Counted::Whole(Matrix::Sparse(sparse.clone()));
            let columns: Vec<usize> = (0..40).collect();
            let chosen = (&LogScale::AsIs, Some(columns.as_slice()));
            kept(cells, chosen, Some((memory, size)), &mut Silent)
        };
        let peak = size.peak();
        assert_eq!(within(peak + 1.0).unwrap(), Matrix::Sparse(sparse.clone()));
        let Err(Error::Memory { needed, promised }) = within(peak - 1.0) else { panic!() };
        assert!((needed - peak).abs() < 1.0 && (promised - (peak - 1.0)).abs() < 1e-9);
        // Not even without a value stored: refused before the pass.
        let nothing = Footprint { used: (40.0, 0.0), ..size }.peak();
        assert!(matches!(within(nothing - 1.0), Err(Error::Memory { .. })));
    }
}
