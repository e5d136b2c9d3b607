//! What a fit would do and take: from the metadata of the file, and from trying it on some cells.

use std::path::Path;

use crate::bridge::CourseSize;
use crate::error::{Error, Result};
use crate::io::h5ad::{H5ad, StorageFormat};
use crate::pipeline::config::{FitOptions, Source};
use crate::pipeline::counted::bytes_of;
use crate::pipeline::fit::Running;
use crate::pipeline::footprint::Footprint;
use crate::pipeline::growth::given;
use crate::pipeline::prepare::{Selection, matrix_source, select};
use crate::pipeline::probe::{Probe, probe, seconds_per_flop};
use crate::progress::Progress;

/// Work, memory and times of a fit that is not run (a dry run).
#[derive(Debug, Clone, PartialEq)]
pub struct Estimate {
    /// The cells and times that would be used.
    pub selection: Selection,
    /// What would be read.
    pub source: Source,
    /// Cells that would be used.
    pub n_cells: usize,
    /// Genes in the matrix, 0 for an embedding.
    pub n_genes: usize,
    /// Dimensions of the bridges.
    pub n_dims: usize,
    /// Peak memory in bytes.
    pub bytes: f64,
    /// Time to coordinates in seconds, with as many threads as are used here.
    pub seconds_reading: f64,
    /// Time for the bridges in seconds. How many steps they take is not known before.
    pub seconds_solving: f64,
    /// Whether reading and components were timed on some cells; the products of a step always are.
    pub tried: bool,
}

impl Estimate {
    /// Refuses what the fit would refuse.
    ///
    /// # Errors
    /// [`Error::Memory`] if more is needed than `running` allows.
    pub fn check(&self, running: Running) -> Result<()> {
        match running.memory {
            Some(promised) if promised < self.bytes => {
                Err(Error::Memory { needed: self.bytes, promised })
            }
            _ => Ok(()),
        }
    }
}

/// Reads metadata, the time column, and some thousand cells on which the steps are timed by `clock`
/// (seconds from any moment on).
///
/// # Errors
/// Those of [`select`], an unknown matrix or embedding, and growth that cannot be had.
pub fn estimate(
    input: &Path,
    options: &FitOptions,
    running: Running,
    clock: &dyn Fn() -> f64,
    progress: &mut dyn Progress,
) -> Result<Estimate> {
    options.check()?;
    let file = H5ad::open(input)?;
    let selection = select(&file, options, progress)?;
    options.reference.check_times(&selection.axis)?;
    given(&file, &selection, &options.growth, &options.source, progress)?;
    let n_cells = selection.rows.len();
    let hashing =
        input.metadata().map_or(0.0, |metadata| metadata.len() as f64) / HASHED_PER_SECOND;
    let (footprint, found, n_genes) = match &options.source {
        Source::Rep(key) => {
            let dims = embedding_width(&file, key)? as f64;
            (Footprint::of_embedding(&selection, file.n_cells(), dims), None, 0)
        }
        matrix => {
            let info = file.matrix_info(&matrix_source(matrix))?;
            let found = match probe(&file, (&selection, options), clock) {
                // A few cells may have nothing to tell apart where all do.
                Err(Error::Parameter { .. } | Error::Numerical { .. }) => None,
                other => other?,
            };
            let used = found.map_or_else(|| guessed(&info, options), |found| found.used);
            let whole = bytes_of(&info, n_cells);
            let stays = whole > running.whole_bytes() && info.format != StorageFormat::Csc;
            let footprint = Footprint {
                genes: info.n_genes as f64,
                stored: info.n_stored as f64 / info.n_cells.max(1) as f64,
                whole: if stays { 0.0 } else { whole },
                used,
                dense: info.format == StorageFormat::Dense,
                dims: options.n_pcs.min(used.0 as usize).min(n_cells.saturating_sub(1)) as f64,
                ..Footprint::of_embedding(&selection, file.n_cells(), 0.0)
            };
            (footprint, found, info.n_genes)
        }
    };
    let footprint = Footprint { held: options.solver.memory(), ..footprint };
    let (cells, dims) = (n_cells as f64, footprint.dims);
    let reading = match found {
        Some(Probe { per_cell, per_component_cell, components, .. }) => {
            (per_cell + per_component_cell) * cells + components
        }
        None => read_by_rates(&footprint),
    };
    let per_flop = seconds_per_flop(dims as usize, clock);
    let flops = options.solver.work(&course_size(&selection, dims));
    Ok(Estimate {
        source: options.source.clone(),
        n_cells,
        n_genes,
        n_dims: dims as usize,
        bytes: footprint.peak(),
        seconds_reading: reading.max(hashing),
        seconds_solving: flops * per_flop,
        tried: found.is_some(),
        selection,
    })
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

/// Bytes of the file that are hashed in a second.
const HASHED_PER_SECOND: f64 = 5e8;

/// Genes that would be used and their stored values in a cell, where nothing was tried.
fn guessed(info: &crate::io::h5ad::MatrixInfo, options: &FitOptions) -> (f64, f64) {
    let genes = info.n_genes.min(options.n_top_genes) as f64;
    let share = info.n_stored as f64 / (info.n_cells.max(1) * info.n_genes.max(1)) as f64;
    (genes, genes * share)
}

/// Seconds to coordinates where nothing was tried: 50 M values/s read and normalised, 4 GFLOP/s for
/// the Gram matrix of sparse rows and 200 products with it.
fn read_by_rates(size: &Footprint) -> f64 {
    let (genes, stored) = size.used;
    let gram = 2.0 * stored * stored * size.cells + 400.0 * genes * genes;
    size.stored * size.cells / 5e7 + gram / 4e9
}

fn embedding_width(file: &H5ad, key: &str) -> Result<usize> {
    match file.obsm_keys()?.into_iter().find(|entry| entry.0 == key) {
        Some((_, (_, width))) => Ok(width),
        // Reading it names the keys there are.
        None => file.obsm(key).map(|points| points.ncols()),
    }
}
