//! What a fit would do and take, from the metadata of the file.

use std::path::Path;

use crate::bridge::Choice;
use crate::error::Result;
use crate::io::h5ad::H5ad;
use crate::pipeline::config::{FitOptions, SolverChoice, Source};
use crate::pipeline::growth::given;
use crate::pipeline::prepare::{Selection, matrix_source, select};
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
    /// Peak memory in bytes, roughly.
    pub bytes: f64,
    /// Time on one core in seconds, roughly (a factor of three either way).
    pub seconds: f64,
}

/// Reads only metadata, the time column and, if growth comes from one, that column.
///
/// # Errors
/// Those of [`select`], an unknown matrix or embedding, and growth that cannot be had.
pub fn estimate(
    input: &Path,
    options: &FitOptions,
    progress: &mut dyn Progress,
) -> Result<Estimate> {
    options.check()?;
    let file = H5ad::open(input)?;
    let selection = select(&file, options, progress)?;
    given(&file, &selection, &options.growth, &options.source, progress)?;
    let n_cells = selection.rows.len();
    let (n_genes, n_stored, n_dims) = match &options.source {
        Source::Rep(key) => (0, 0, embedding_width(&file, key)?),
        matrix => {
            let info = file.matrix_info(&matrix_source(matrix))?;
            let share = n_cells as f64 / file.n_cells().max(1) as f64;
            let n_stored = (info.n_stored as f64 * share) as usize;
            let used = info.n_genes.min(options.n_top_genes);
            (info.n_genes, n_stored, options.n_pcs.min(used).min(n_cells.saturating_sub(1)))
        }
    };
    let side = n_genes.min(options.n_top_genes).min(n_cells) as f64;
    let (cells, dims, stored) = (n_cells as f64, n_dims as f64, n_stored as f64);
    // A value with its index, and once more what gene selection keeps; the Gram matrix and its
    // eigenvectors; coordinates and what the solver and the output keep of them.
    let kept = stored * side / (n_genes.max(1) as f64);
    let bytes = 8.0 * (stored + kept) + 12.0 * side * side + 8.0 * cells * (4.0 * dims);
    // Rates of one core: 50 M values/s read and normalised, 4 GFLOP/s for the Gram matrix of
    // sparse rows and 200 products with it, 40 GFLOP/s for the solver.
    let gram = 2.0 * kept * kept / cells.max(1.0) + 400.0 * side * side;
    let solving = solver_flops(&options.solver, cells, dims);
    let seconds = stored / 5e7 + gram / 4e9 + solving / 4e10;
    Ok(Estimate {
        selection,
        source: options.source.clone(),
        n_cells,
        n_genes,
        n_dims,
        bytes,
        seconds,
    })
}

/// Flops to solve all intervals, roughly.
fn solver_flops(solver: &SolverChoice, cells: f64, dims: f64) -> f64 {
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
        // 300 steps of 8 products over the cells of both sides; a choice of K tries about three
        // times as much as it keeps, mostly with few steps.
        SolverChoice::Lightsb(solver) => {
            let n_gaussians = match solver.n_gaussians {
                Choice::Auto => 100.0,
                Choice::Is(number) => number as f64,
            };
            300.0 * 8.0 * 2.0 * 2.0 * cells * dims * n_gaussians
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
