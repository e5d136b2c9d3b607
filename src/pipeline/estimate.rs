//! What a fit would do and take: from the metadata of the file, and from trying it on some cells.

use std::path::Path;

use crate::bridge::{Choice, LightSbSolver};
use crate::error::{Error, Result};
use crate::io::h5ad::{H5ad, StorageFormat};
use crate::pipeline::config::{FitOptions, SolverChoice, Source};
use crate::pipeline::counted::bytes_of;
use crate::pipeline::fit::Running;
use crate::pipeline::footprint::Footprint;
use crate::pipeline::growth::given;
use crate::pipeline::prepare::{Selection, matrix_source, select};
use crate::pipeline::probe::{Probe, probe};
use crate::progress::Progress;

/// What `fit --dry-run` tells.
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
    /// Whether steps were timed on some cells; if not, times are for one core of some machine.
    pub tried: bool,
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
    let footprint = footprint.with_solver(&options.solver);
    let (cells, dims) = (n_cells as f64, footprint.dims);
    let solving = solver_flops(&options.solver, &selection, dims);
    let reading = match found {
        Some(Probe { per_cell, per_component_cell, components, .. }) => {
            (per_cell + per_component_cell) * cells + components
        }
        None => read_by_rates(&footprint),
    };
    let per_flop = found.map(|found| found.per_flop).filter(|&time| time > 0.0);
    Ok(Estimate {
        source: options.source.clone(),
        n_cells,
        n_genes,
        n_dims: dims as usize,
        bytes: footprint.peak(),
        seconds_reading: reading.max(hashing),
        seconds_solving: solving * per_flop.unwrap_or(1.0 / 4e10),
        tried: found.is_some(),
        selection,
    })
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

/// Steps that a size takes on average while sizes are compared, and at the end; the ends of the ladder
/// and the mixture that is kept are those of most courses.
const COMPARING_STEPS: f64 = 60.0;
const FIRST_STEPS: f64 = 150.0;
const LAST_STEPS: f64 = 50.0;

/// Flops of LightSB for one interval: `8 n K F` for a step over `n` cells of each side with `K`
/// Gaussians of `F` features.
fn lightsb_flops(solver: &LightSbSolver, ends: [usize; 2], dims: f64) -> f64 {
    let side = ends.iter().sum::<usize>() as f64 / 2.0;
    let some = LightSbSolver::begins_with(ends[0], ends[1]);
    let first = some.map_or(side, |some| some as f64);
    let (diagonal, full) = (2.0 * dims + 1.0, (dims + 1.0) * (dims + 2.0) / 2.0);
    let (comparing, kept) = match solver.n_gaussians {
        Choice::Auto => {
            // The ladder 1, 2, 4, … adds up to twice its last rung less one.
            let most = LightSbSolver::MOST_CHOSEN as f64;
            let most_full = (most * diagonal / full).clamp(1.0, 32.0);
            (COMPARING_STEPS * (63.0 * diagonal + 2.0 * most_full * full), 16.0)
        }
        Choice::Is(number) => (0.0, number as f64),
    };
    let steps = FIRST_STEPS * first + some.map_or(0.0, |_| LAST_STEPS * side);
    8.0 * (comparing * first + steps * kept * diagonal)
}

/// Flops to solve all intervals, roughly.
fn solver_flops(solver: &SolverChoice, selection: &Selection, dims: f64) -> f64 {
    let cells = selection.rows.len() as f64;
    match solver {
        // Every step: 6 flops for each weight and row of a batch; one network or two. Then fifty
        // steps of two evaluations in double precision for each cell.
        SolverChoice::Flow(solver) => {
            let width = solver.width as f64;
            let weights = 2.0 * dims * width + (solver.n_layers as f64 - 1.0) * width * width;
            let networks = if solver.noise { 2.0 } else { 1.0 };
            let rows = solver.batch as f64 * solver.max_iterations as f64;
            let draws = cells * solver.n_steps as f64;
            networks * weights * (6.0 * rows + 8.0 * draws)
        }
        SolverChoice::Lightsb(solver) => {
            let intervals = selection.axis.levels.windows(2);
            let ends = intervals.map(|pair| [pair[0].n_cells, pair[1].n_cells]);
            ends.map(|ends| lightsb_flops(solver, ends, dims)).sum()
        }
        // 80 passes there and back over pairs of neighbouring snapshots, taken to be a quarter of
        // the cells each, in a product and an exponential.
        SolverChoice::Sinkhorn(_) => 160.0 * (2.0 * dims + 60.0) * cells * cells / 4.0,
        // The network simplex method between four pairs of snapshots of a quarter of the cells.
        SolverChoice::Ot(_) => 40.0 * (cells / 4.0).powf(2.7),
        // As Sinkhorn, for each relaxation and for velocities.
        SolverChoice::Spline(solver) => {
            let n_plans = solver.members.len() as f64 + 1.0;
            n_plans * 160.0 * (2.0 * dims + 60.0) * cells * cells / 4.0
        }
        // Six plans, and as many for every inner time on at most 1500 cells of each.
        SolverChoice::Auto(solver) => {
            let some = cells.min(4.0 * solver.cells_per_time as f64);
            6.0 * 160.0 * (2.0 * dims + 60.0) * (cells * cells + 3.0 * some * some) / 4.0
        }
        // A covariance of both sides; eigenvectors three times, 10 d³ each.
        SolverChoice::Gaussian(_) => 4.0 * cells * dims * dims + 30.0 * dims.powi(3),
    }
}

fn embedding_width(file: &H5ad, key: &str) -> Result<usize> {
    match file.obsm_keys()?.into_iter().find(|entry| entry.0 == key) {
        Some((_, (_, width))) => Ok(width),
        // Reading it names the keys there are.
        None => file.obsm(key).map(|points| points.ncols()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_cells_are_taken_for_all_where_the_solver_does() {
        let solver = LightSbSolver::default();
        let flops = |n: usize| lightsb_flops(&solver, [n, n], 50.0);
        // Below, all cells of an interval take every step.
        assert!((flops(19_999) / flops(10_000) - 1.9999).abs() < 1e-9);
        assert!(flops(20_000) < 0.7 * flops(19_999));
        // Many on one side only are not many.
        assert!(lightsb_flops(&solver, [15_000, 40_000], 50.0) > 2.0 * flops(10_000));
    }
}
