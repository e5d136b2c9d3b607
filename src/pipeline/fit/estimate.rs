//! Work, memory and time of a fit before it runs: from metadata and from a trial on some cells.

use std::path::Path;

use crate::bridge::CourseSize;
use crate::error::{Error, Result};
use crate::io::h5ad::{H5ad, MatrixInfo, StorageFormat};
use crate::pipeline::fit::footprint::Footprint;
use crate::pipeline::fit::options::{FitOptions, Source};
use crate::pipeline::fit::plan::Plan;
use crate::pipeline::fit::probe::{Probe, probe, seconds_per_flop};
use crate::pipeline::fit::run::Running;
use crate::pipeline::fit::selection::{Selection, matrix_source};
use crate::pipeline::fit::shards::{self, SHARD_CELLS, is_by_shards};
use crate::pipeline::shared::counted::bytes_of;
use crate::preprocess::NPcs;
use crate::progress::Progress;

/// Size, memory and time of a fit that is not run (a dry run).
///
/// [`estimate`] has an example.
#[derive(Debug, Clone, PartialEq)]
pub struct FitEstimate {
    /// The matrix or embedding that the fit reads.
    pub source: Source,
    /// Number of cells that the fit uses.
    pub n_cells: usize,
    /// Number of genes of the matrix, 0 for an embedding.
    pub n_genes: usize,
    /// Number of dimensions of the bridges; that of the trial cells if the data choose it.
    pub n_dims: usize,
    /// Peak memory in bytes.
    pub bytes: f64,
    /// Time until the coordinates are known, in seconds, with the threads of this trial.
    pub seconds_reading: f64,
    /// Time for the bridges in seconds. The number of steps of an iterative solver is not known
    /// before the fit and is assumed.
    pub seconds_solving: f64,
    /// Whether reading and components were timed on some of the cells. The matrix products of a
    /// solver's step are always timed.
    pub tried: bool,
}

impl FitEstimate {
    /// Refuses the fit if [`Plan::run`] would refuse it for its memory.
    ///
    /// # Errors
    /// [`Error::Memory`] if the fit needs more than `running` allows.
    pub fn check(&self, running: Running) -> Result<()> {
        match running.memory {
            Some(promised) if promised < self.bytes => {
                Err(Error::Memory { needed: self.bytes, promised })
            }
            _ => Ok(()),
        }
    }
}

/// Estimates what a fit of `input` would take: [`Plan::read`] and [`Plan::estimate`] in one call.
///
/// ```
/// use std::time::Instant;
///
/// use sbcell::pipeline::{FitOptions, Running, TimeOptions, estimate};
///
/// # fn main() -> sbcell::Result<()> {
/// let data = "data-samples/semrau2017_mesc_ra.h5ad".as_ref();
/// let time = TimeOptions::default().with_column(Some("time".into())).with_map(None);
/// let options = FitOptions::default().with_time(time).with_n_pcs(10);
/// let begun = Instant::now();
/// let clock = || begun.elapsed().as_secs_f64();
/// let found = estimate(data, &options, Running::default(), &clock, &mut sbcell::Silent)?;
/// assert_eq!(found.n_dims, 10);
/// assert!(found.check(Running { memory: Some(1e6), ..Running::default() }).is_err());
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// Those of [`Plan::read`] and of [`Plan::estimate`].
pub fn estimate(
    input: &Path,
    options: &FitOptions,
    running: Running,
    clock: &dyn Fn() -> f64,
    progress: &mut dyn Progress,
) -> Result<FitEstimate> {
    Plan::read(input, options, progress)?.estimate(running, clock)
}

impl Plan {
    /// Estimates what [`Plan::run`] would take.
    ///
    /// Reads metadata, and at most 6144 cells on which the steps of a fit are timed by `clock`, which
    /// gives seconds since any moment. A matrix by columns (CSC) is not tried: its time follows from
    /// constant rates.
    ///
    /// # Errors
    /// An unknown matrix or embedding; the solver's own checks of the trial, apart from trial cells
    /// that do not differ enough.
    pub fn estimate(&self, running: Running, clock: &dyn Fn() -> f64) -> Result<FitEstimate> {
        let Self { file, options, selection, .. } = self;
        let n_cells = selection.rows.len();
        let n_bytes = file.path().metadata().map_or(0.0, |metadata| metadata.len() as f64);
        let hashing = n_bytes / HASHED_PER_SECOND;
        let (footprint, found, n_genes) = match &options.source {
            Source::Rep(key) => {
                let dims = embedding_width(file, key)? as f64;
                (Footprint::of_embedding(selection, file.n_cells(), dims), None, 0)
            }
            matrix => {
                let info = file.matrix_info(&matrix_source(matrix))?;
                let found = match probe(file, selection, options, clock) {
                    // The trial cells may all be equal although the selected cells are not.
                    Err(Error::Parameter { .. } | Error::Numerical { .. }) => None,
                    other => other?,
                };
                (self.footprint_of_matrix(&info, found.as_ref(), running), found, info.n_genes)
            }
        };
        let footprint = Footprint { held: options.solver.memory(), ..footprint };
        // Memory is that of the largest number of components, time that of the number in the trial.
        let dims = match found {
            Some(Probe { n_pcs, .. }) if options.n_pcs == NPcs::Auto => n_pcs as f64,
            _ => footprint.dims,
        };
        let cells = n_cells as f64;
        let reading = match found {
            Some(Probe { per_cell, per_component_cell, components, .. }) => {
                (per_cell + per_component_cell) * cells + components
            }
            None => read_by_rates(&footprint),
        };
        let per_flop = seconds_per_flop(dims as usize, clock);
        let flops = options.solver.work(&course_size(selection, dims));
        Ok(FitEstimate {
            source: options.source.clone(),
            n_cells,
            n_genes,
            n_dims: dims as usize,
            bytes: footprint.peak(),
            seconds_reading: reading.max(hashing),
            seconds_solving: flops * per_flop,
            tried: found.is_some(),
        })
    }

    /// The sizes that memory depends on where coordinates come from a matrix; `found` is the trial,
    /// if there was one.
    fn footprint_of_matrix(
        &self,
        info: &MatrixInfo,
        found: Option<&Probe>,
        running: Running,
    ) -> Footprint {
        let Self { file, options, selection, .. } = self;
        let n_cells = selection.rows.len();
        let used = found.map_or_else(|| guessed(info, options), |found| found.used);
        let dims = options.n_pcs.most().min(used.0 as usize).min(n_cells.saturating_sub(1)) as f64;
        if n_cells > SHARD_CELLS && is_by_shards(info, options) {
            let size = shards::footprint(selection, info, file.n_cells(), running);
            return Footprint { used, dims, ..size };
        }
        let whole = bytes_of(info, n_cells);
        let stays = whole > running.whole_bytes() && info.format != StorageFormat::Csc;
        Footprint {
            genes: info.n_genes as f64,
            stored: info.n_stored as f64 / info.n_cells.max(1) as f64,
            whole: if stays { 0.0 } else { whole },
            used,
            dense: info.format == StorageFormat::Dense,
            dims,
            ..Footprint::of_embedding(selection, file.n_cells(), 0.0)
        }
    }
}

/// The sizes that the work of a solver depends on.
fn course_size(selection: &Selection, dims: f64) -> CourseSize {
    let intervals = selection.axis.levels.windows(2);
    CourseSize {
        intervals: intervals.map(|pair| [pair[0].n_cells, pair[1].n_cells]).collect(),
        cells: selection.rows.len(),
        dims,
    }
}

/// Bytes of the file that SHA-256 covers in a second. The fit hashes the file while it reads it.
const HASHED_PER_SECOND: f64 = 5e8;

/// The number of genes that are used and of their stored values in a cell, where nothing was tried:
/// the selected genes are taken to be as sparse as the matrix.
fn guessed(info: &MatrixInfo, options: &FitOptions) -> (f64, f64) {
    let genes = info.n_genes.min(options.n_top_genes) as f64;
    let share = info.n_stored as f64 / (info.n_cells.max(1) * info.n_genes.max(1)) as f64;
    (genes, genes * share)
}

/// Seconds to coordinates where nothing was tried, at constant rates: 5e7 values a second to read and
/// normalise, 4e9 flops a second for the Gram matrix of sparse rows and 200 products with it.
fn read_by_rates(size: &Footprint) -> f64 {
    let (genes, stored) = size.used;
    let gram = 2.0 * stored * stored * size.cells + 400.0 * genes * genes;
    size.stored * size.cells / 5e7 + gram / 4e9
}

/// The number of dimensions of an embedding.
///
/// # Errors
/// [`Error::Unreadable`] or an unknown key, with the keys of the file.
fn embedding_width(file: &H5ad, key: &str) -> Result<usize> {
    match file.obsm_keys()?.into_iter().find(|entry| entry.0 == key) {
        Some((_, (_, width))) => Ok(width),
        // The error of reading it lists the keys of the file.
        None => file.obsm(key).map(|points| points.ncols()),
    }
}
