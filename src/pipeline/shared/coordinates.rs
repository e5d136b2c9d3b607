//! Coordinates of cells: normalisation, gene selection and principal components, or an embedding.

use ndarray::{Array1, Array2, Axis};

use crate::data::time::TimeUnit;
use crate::data::{CellBlocks, Matrix};
use crate::error::{Error, Result};
use crate::io::h5ad::{H5ad, StorageFormat};
use crate::io::model::ValuesRecord;
use crate::pipeline::fit::auto_growth::or_off;
use crate::pipeline::fit::footprint::Footprint;
use crate::pipeline::fit::growth::{Given, columns_of, from_genes};
use crate::pipeline::fit::options::{FitOptions, Source, ValuesChoice};
use crate::pipeline::fit::selection::{Selection, matrix_source};
use crate::pipeline::shared::chosen_genes::chosen;
use crate::pipeline::shared::component_notes::{names_of_components, say_not_halved, say_share};
use crate::pipeline::shared::counted::{Counted, bytes_of, log_scale, record, scale_as};
use crate::pipeline::shared::halves::Halves;
use crate::pipeline::shared::unique_names::unique;
use crate::preprocess::{LogScale, Pca, PcaSolver, Scree};
use crate::progress::{self, Progress};
use crate::rng::Seed;

/// The values of cells as they are in a file: a matrix, an embedding, or both if growth comes from genes.
#[derive(Debug)]
pub(in crate::pipeline) struct Raw<'f> {
    /// Counts or normalised values, cells × genes.
    matrix: Option<Counted<'f>>,
    /// Names of the genes of the matrix; none with an embedding.
    genes: Vec<String>,
    /// Coordinates of an embedding of the file, `(n_cells, dim)`.
    embedding: Option<Array2<f64>>,
    /// The cells whose coordinates are also computed from each half of the genes, increasing.
    halved: Vec<usize>,
}

/// A limit of memory, and the sizes on which the memory of a fit depends.
#[derive(Debug, Clone, Copy)]
pub(in crate::pipeline) struct MemoryLimit {
    /// Bytes that the fit may take.
    pub(in crate::pipeline) bytes: f64,
    /// The sizes that are known before genes are selected.
    pub(in crate::pipeline) size: Footprint,
}

/// Cells with coordinates, and everything that was learned from them.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::pipeline) struct Prepared {
    /// Coordinates, `(n_cells, dim)`.
    pub(in crate::pipeline) points: Array2<f64>,
    /// Names of the dimensions: `PC1`, `PC2`, … or those of the embedding.
    pub(in crate::pipeline) dimensions: Vec<String>,
    /// Names of the genes that are used; none with an embedding.
    pub(in crate::pipeline) genes: Vec<String>,
    /// Growth rate of each cell per unit of the times, if there is a prior.
    pub(in crate::pipeline) growth: Option<Array1<f64>>,
    /// The transformation, to be applied to other cells of the file.
    pub(in crate::pipeline) recipe: Recipe,
    /// The choice of the number of components; none if it is given, and with an embedding.
    pub(in crate::pipeline) scree: Option<Scree>,
    /// Coordinates of some cells from each half of the genes, if they were asked for.
    pub(in crate::pipeline) halves: Option<Halves>,
    /// Oddities of the values; none with an embedding.
    pub(in crate::pipeline) seen: Seen,
}

/// Oddities of the values of a matrix.
#[derive(Debug, Clone, PartialEq, Default)]
pub(in crate::pipeline) struct Seen {
    /// Whether some values are negative.
    pub(in crate::pipeline) negative: bool,
    /// Indices of cells without a value other than zero.
    pub(in crate::pipeline) empty: Vec<usize>,
}

/// The transformation from values to coordinates, as learned from some cells.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::pipeline) struct Recipe {
    /// The normalisation; `None` for an embedding of the file.
    pub(in crate::pipeline) values: Option<ValuesRecord>,
    /// Columns of the genes that are used; `None` for all.
    columns: Option<Vec<usize>>,
    /// Principal components of these genes; `None` for an embedding of the file.
    pub(in crate::pipeline) pca: Option<Pca>,
}

impl<'f> Raw<'f> {
    /// Reads the values of the selected cells that coordinates and growth need.
    ///
    /// A matrix of more than `most` bytes stays on disk and is read anew in each pass. With an embedding, the
    /// matrix is read only if growth comes from genes.
    ///
    /// # Errors
    /// Those of [`Counted::read`] and [`H5ad::obsm`]; [`Error::EmbeddingNotFinite`] for an embedding with a
    /// value that is not finite in single precision.
    pub(in crate::pipeline) fn read(
        file: &'f H5ad,
        selection: &Selection,
        options: &FitOptions,
        known: &Given,
        most: f64,
        progress: &mut dyn Progress,
    ) -> Result<Self> {
        let source = matrix_source(&options.source);
        let matrix =
            |progress| Counted::read(file, &source, &selection.rows, most, progress).map(Some);
        let Source::Rep(key) = &options.source else {
            let matrix = matrix(progress)?;
            let genes = unique(file.gene_names(&source)?, progress)?;
            return Ok(Self { matrix, genes, embedding: None, halved: Vec::new() });
        };
        let points = file.obsm(key)?.select(Axis(0), &selection.rows);
        refuse_not_finite(&points, selection, file, key)?;
        let matrix = match known {
            Given::Genes(_) => matrix(progress)?,
            Given::Nothing | Given::Rates(_) | Given::Auto(_) => None,
        };
        Ok(Self { matrix, genes: Vec::new(), embedding: Some(points), halved: Vec::new() })
    }

    /// As [`Raw::read`], with the whole matrix in memory, so that cells can be selected from it.
    ///
    /// # Errors
    /// As [`Raw::read`].
    pub(in crate::pipeline) fn read_whole(
        file: &H5ad,
        selection: &Selection,
        options: &FitOptions,
        known: &Given,
        progress: &mut dyn Progress,
    ) -> Result<Raw<'static>> {
        let Raw { matrix, genes, embedding, halved } =
            Raw::read(file, selection, options, known, f64::INFINITY, progress)?;
        let matrix = match matrix {
            Some(Counted::Whole(matrix)) => Some(Counted::Whole(matrix)),
            Some(Counted::Blocks(_)) | None => None,
        };
        Ok(Raw { matrix, genes, embedding, halved })
    }

    /// Asks for coordinates of the cells `rows` (increasing) from each half of the genes.
    pub(in crate::pipeline) fn halving(self, rows: Vec<usize>) -> Self {
        Self { halved: rows, ..self }
    }

    /// Number of genes of the matrix that was read; zero with an embedding.
    pub(in crate::pipeline) fn n_genes(&self) -> usize {
        self.genes.len()
    }

    /// The kind of values (counts, normalised, as is), decided from all these cells, and their oddities.
    ///
    /// `evaluate` decides once, so that a fold without some cells does not decide otherwise.
    ///
    /// # Errors
    /// Those of [`log_scale`].
    pub(in crate::pipeline) fn settled(
        &self,
        options: &FitOptions,
    ) -> Result<(ValuesChoice, Seen)> {
        let Some(cells) = &self.matrix else { return Ok((options.values, Seen::default())) };
        let scaled = log_scale(cells.blocks(), options, &mut progress::Silent)?;
        let values = match scaled.scale {
            LogScale::AsIs | LogScale::Plain => ValuesChoice::AsIs,
            LogScale::Normalised => ValuesChoice::Normalised,
            LogScale::Counts { .. } => ValuesChoice::Counts,
        };
        Ok((values, Seen { negative: !scaled.non_negative, empty: scaled.empty }))
    }

    /// The cells `rows`, in this order. Only values in memory can be selected; a matrix on disk is dropped.
    pub(in crate::pipeline) fn select(&self, rows: &[usize]) -> Raw<'static> {
        let select = |cells: &Counted<'_>| match cells {
            Counted::Whole(matrix) => Some(Counted::Whole(matrix.select_cells(rows))),
            Counted::Blocks(_) => None,
        };
        Raw {
            matrix: self.matrix.as_ref().and_then(select),
            genes: self.genes.clone(),
            embedding: self.embedding.as_ref().map(|points| points.select(Axis(0), rows)),
            halved: Vec::new(),
        }
    }

    /// The sizes on which the memory of a fit depends, as far as they are known before genes are selected.
    ///
    /// # Errors
    /// As [`H5ad::matrix_info`].
    pub(in crate::pipeline) fn footprint(
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
            dims: if self.embedding.is_some() { dims } else { options.n_pcs.most() as f64 },
            ..size
        })
    }

    /// Coordinates of these cells. Normalisation, gene selection and components are learned from these cells
    /// only.
    ///
    /// With a limit of memory, the need is checked after gene selection and while the selected genes are
    /// read. `unit` is the unit of the times, in which growth rates from genes are expressed. Time is that of
    /// [`PcaSolver::fit`] and up to four passes over the values.
    ///
    /// # Errors
    /// [`Error::NoGenes`] if no gene of a list is in the file; those of [`GeneSelector::select`],
    /// [`PcaSolver::fit`] and [`log_scale`]; [`Error::Memory`].
    pub(in crate::pipeline) fn prepare(
        self,
        options: &FitOptions,
        known: &Given,
        memory: Option<MemoryLimit>,
        unit: TimeUnit,
        progress: &mut dyn Progress,
    ) -> Result<Prepared> {
        let Self { matrix, mut genes, embedding, halved } = self;
        let Some(cells) = matrix else {
            let growth = match known {
                Given::Rates(rates) => Some(rates.clone()),
                Given::Nothing | Given::Genes(_) | Given::Auto(_) => None,
            };
            memory.map_or(Ok(()), |limit| limit.size.check(Some(limit.bytes)))?;
            return Ok(embedded(embedding.unwrap_or_default(), options, growth));
        };
        // The depth of a cell is the sum over all its genes, also if few of them are used.
        let scaled = log_scale(cells.blocks(), options, progress)?;
        let scale = &scaled.scale;
        let seen = Seen { negative: !scaled.non_negative, empty: scaled.empty.clone() };
        let growth = match known {
            Given::Nothing => None,
            Given::Rates(rates) => Some(rates.clone()),
            Given::Genes(sets) => Some(growth_of(cells.blocks(), scale, sets, unit, progress)?),
            Given::Auto(search) => {
                let rates = |sets| growth_of(cells.blocks(), scale, sets, unit, progress);
                let rates = search.shared().map(rates).transpose();
                or_off(rates, progress)?
            }
        };
        if let Some(points) = embedding {
            memory.map_or(Ok(()), |limit| limit.size.check(Some(limit.bytes)))?;
            return Ok(embedded(points, options, growth));
        }
        let columns = chosen(cells.blocks(), &genes, &scaled, options, progress)?;
        let matrix = kept(cells, scale, columns.as_deref(), memory, progress)?;
        if let Some(columns) = &columns {
            genes = columns.iter().map(|&column| genes[column].clone()).collect();
        }
        let solver = PcaSolver { n_pcs: options.n_pcs.most(), ..PcaSolver::default() };
        let seed = Seed(options.seed);
        let (pca, scree) = solver.fit_number(&matrix, options.n_pcs, seed, progress)?;
        let points = pca.transform(&matrix)?;
        let is_asked = !halved.is_empty();
        let halves = Halves::of(&matrix, &pca, halved, seed)?;
        if is_asked && halves.is_none() {
            say_not_halved(genes.len(), options, progress)?;
        }
        say_share(&pca, progress)?;
        let dimensions = names_of_components(points.ncols());
        let recipe = Recipe::of(scale, columns, pca);
        Ok(Prepared { points, dimensions, genes, growth, recipe, scree, halves, seen })
    }
}

impl Recipe {
    /// The transformation by the genes `columns` (`None` for all) on the log scale `scale`, and by `pca`.
    pub(in crate::pipeline) fn of(scale: &LogScale, columns: Option<Vec<usize>>, pca: Pca) -> Self {
        Self { values: Some(record(scale)), columns, pca: Some(pca) }
    }

    /// Coordinates of other cells of the same file, `(n_cells, dim)`.
    ///
    /// # Errors
    /// Those of [`scale_as`] and [`Pca::transform`].
    pub(in crate::pipeline) fn apply(&self, cells: Raw<'_>) -> Result<Array2<f64>> {
        let (Some(pca), Some(values), Some(cells)) = (&self.pca, self.values, cells.matrix) else {
            return Ok(cells.embedding.unwrap_or_default());
        };
        let silent = &mut progress::Silent;
        let scale = scale_as(values, cells.blocks(), silent)?;
        pca.transform(&cells.keep(&scale, self.columns.as_deref(), silent)?)
    }
}

impl Recipe {
    /// Growth rates per `unit` of other cells of the same file, from what is `known` of them.
    ///
    /// # Errors
    /// Those of [`scale_as`] and of reading the genes.
    pub(in crate::pipeline) fn growth(
        &self,
        cells: &Raw<'_>,
        known: &Given,
        unit: TimeUnit,
    ) -> Result<Option<Array1<f64>>> {
        match (known, self.values, &cells.matrix) {
            (Given::Rates(rates), ..) => Ok(Some(rates.clone())),
            (Given::Genes(sets), Some(values), Some(cells)) => {
                let silent = &mut progress::Silent;
                let scale = scale_as(values, cells.blocks(), silent)?;
                growth_of(cells.blocks(), &scale, sets, unit, silent).map(Some)
            }
            _ => Ok(None),
        }
    }
}

/// The selected genes on the log scale, within the limit of memory.
///
/// If even genes without a stored value do not fit, the error comes before the pass over the file; otherwise
/// as soon as the stored values exceed the room that is left.
///
/// # Errors
/// [`Error::Memory`] with the need of the whole fit; those of [`Counted::keep_within`].
fn kept(
    cells: Counted<'_>,
    scale: &LogScale,
    columns: Option<&[usize]>,
    memory: Option<MemoryLimit>,
    progress: &mut dyn Progress,
) -> Result<Matrix> {
    let Some(MemoryLimit { bytes: memory, size }) = memory else {
        return cells.keep(scale, columns, progress);
    };
    let n_genes = columns.map_or(cells.blocks().n_genes(), <[usize]>::len) as f64;
    let with = |stored: f64| Footprint { used: (n_genes, stored), ..size };
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

/// Growth rate of each cell per `unit`, from its expression of proliferation and apoptosis genes.
pub(in crate::pipeline) fn growth_of(
    cells: &dyn CellBlocks,
    scale: &LogScale,
    sets: &[Vec<usize>; 2],
    unit: TimeUnit,
    progress: &mut dyn Progress,
) -> Result<Array1<f64>> {
    let (columns, places) = columns_of(sets);
    from_genes(&scale.keep(cells, Some(&columns), progress)?, &places, unit)
}

/// Cells with the coordinates of an embedding of the file. `X_umap` has the dimensions `umap1`, `umap2`, …
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
    let (genes, scree, halves) = (Vec::new(), None, None);
    Prepared { points, dimensions, genes, growth, recipe, scree, halves, seen }
}

/// Refuses embeddings with values that are not finite or do not fit into single precision.
fn refuse_not_finite(
    points: &Array2<f64>,
    selection: &Selection,
    file: &H5ad,
    key: &str,
) -> Result<()> {
    // The values of a matrix are read in single precision, so the same range holds here.
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
    use crate::progress::{Event, Silent};

    #[test]
    fn genes_that_are_too_few_to_be_halved_are_noted() {
        struct Notes(usize);
        impl Progress for Notes {
            fn report(&mut self, event: &Event) -> std::ops::ControlFlow<()> {
                let is = |text: &str| text.contains("3 genes are too few to choose the ε");
                self.0 += usize::from(matches!(event, Event::Note { text } if is(text)));
                std::ops::ControlFlow::Continue(())
            }
        }
        let said = |n_genes: usize, halved: Vec<usize>| {
            let value = |(i, j): (usize, usize)| ((3 * i * (j + 1) + i * i * j) % 7) as f32;
            let raw = Raw {
                matrix: Some(Counted::Whole(Matrix::Dense(Array2::from_shape_fn(
                    (20, n_genes),
                    value,
                )))),
                genes: (0..n_genes).map(|gene| format!("g{gene}")).collect(),
                embedding: None,
                halved,
            };
            let options = FitOptions::default().with_n_pcs(2).with_values(ValuesChoice::AsIs);
            let mut notes = Notes(0);
            raw.prepare(&options, &Given::Nothing, None, TimeUnit::Unknown, &mut notes).unwrap();
            notes.0
        };
        let all = || (0..20).collect::<Vec<_>>();
        assert_eq!((said(3, all()), said(3, Vec::new()), said(4, all())), (1, 0, 0));
    }

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
            by_shards: None,
        };
        let within = |memory: f64| {
            let cells = Counted::Whole(Matrix::Sparse(sparse.clone()));
            let columns: Vec<usize> = (0..40).collect();
            let limit = MemoryLimit { bytes: memory, size };
            kept(cells, &LogScale::AsIs, Some(&columns), Some(limit), &mut Silent)
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
