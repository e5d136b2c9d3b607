//! A trial of the steps of a fit on some of the cells: their time on this machine, and the genes kept.

use ndarray::Array2;
use rayon::prelude::*;

use crate::data::Matrix;
use crate::error::Result;
use crate::io::h5ad::H5ad;
use crate::linalg::{Gram, product_nt, product_tn, softmax_rows};
use crate::pipeline::fit::options::FitOptions;
use crate::pipeline::fit::selection::{Selection, matrix_source};
use crate::pipeline::shared::chosen_genes::chosen;
use crate::pipeline::shared::counted::{Counted, log_scale};
use crate::pipeline::shared::unique_names::unique;
use crate::preprocess::{PcaMethod, PcaSolver};
use crate::progress::Silent;
use crate::rng::Seed;

/// The trial takes this many runs of neighbouring cells, which are read fast, spread over the file.
const RUNS: usize = 6;
/// Cells of a run.
const RUN: usize = 1024;
/// Cells of a chunk of the timed step.
const CELLS: usize = 512;
/// Chunks of a step, which run in parallel.
const CHUNKS: usize = 16;
/// Gaussians of the mixture in the timed step.
const GAUSSIANS: usize = 16;
/// Repetitions of the step, of which the fastest counts: other work of the machine only adds time.
const ROUNDS: usize = 20;

/// Times of the steps on this machine in seconds, and the size of what the trial kept.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Probe {
    /// Time for one cell to be read as often as a fit reads it, surveyed, and reduced to some genes.
    pub(super) per_cell: f64,
    /// Time for one cell to be added to the Gram matrix of the genes and to be projected.
    pub(super) per_component_cell: f64,
    /// Time for the decomposition of the Gram matrix.
    pub(super) components: f64,
    /// Number of genes that are used, and number of their stored values in a cell.
    pub(super) used: (f64, f64),
    /// Number of components of the trial cells.
    pub(super) n_pcs: usize,
}

/// Tries the steps of a fit on at most [`RUNS`] × [`RUN`] = 6144 cells; `clock` gives seconds. `None`
/// for a matrix that cannot be read in blocks.
///
/// # Errors
/// Those of reading these cells; [`crate::Error::Parameter`] or [`crate::Error::Numerical`] if the
/// trial cells do not differ.
pub(super) fn probe(
    file: &H5ad,
    selection: &Selection,
    options: &FitOptions,
    clock: &dyn Fn() -> f64,
) -> Result<Option<Probe>> {
    let source = matrix_source(&options.source);
    let n = selection.rows.len();
    let starts: Vec<usize> = if n <= RUNS * RUN {
        vec![0]
    } else {
        (0..RUNS).map(|k| k * (n - RUN) / (RUNS - 1)).collect()
    };
    let length = if n <= RUNS * RUN { n } else { RUN };
    let places = starts.iter().flat_map(|&start| start..start + length);
    let rows: Vec<usize> = places.map(|place| selection.rows[place]).collect();
    let Some(blocks) = file.matrix_blocks(&source, &rows)? else { return Ok(None) };
    let cells = Counted::Blocks(blocks);
    let tried = rows.len() as f64;

    let silent = &mut Silent;
    let genes = unique(file.gene_names(&source)?, silent)?;
    let begun = clock();
    let scaled = log_scale(cells.blocks(), options, silent)?;
    let columns = chosen(cells.blocks(), &genes, &scaled, options, silent)?;
    let kept = cells.keep(&scaled.scale, columns.as_deref(), silent)?;
    let per_cell = (clock() - begun) / tried;

    let begun = clock();
    let (dense, stored) = match &kept {
        Matrix::Dense(x) => (true, x.len() as f64 / tried),
        Matrix::Sparse(x) => (false, x.n_stored() as f64 / tried),
    };
    if let Matrix::Sparse(x) = &kept {
        Gram::of_sparse(x, silent)?;
    }
    let gram = clock() - begun;
    let begun = clock();
    let pcs = PcaSolver { method: PcaMethod::Genes, ..PcaSolver::default() };
    let (pca, _) = pcs.fit_number(&kept, options.n_pcs, Seed(options.seed), silent)?;
    let found = clock() - begun;
    let begun = clock();
    pca.transform(&kept)?;
    let projected = clock() - begun;
    let gram = if dense { found } else { gram };

    let used = (kept.n_genes() as f64, stored);
    Ok(Some(Probe {
        n_pcs: pca.n_pcs(),
        per_cell,
        per_component_cell: (gram + projected) / tried,
        components: (found - gram).max(0.0),
        used,
    }))
}

/// Seconds for one flop of a step of LightSB in `dims` dimensions, with all threads of the pool: two
/// products of cells × (2 dims + 1) features, and a softmax between them.
pub(super) fn seconds_per_flop(dims: usize, clock: &dyn Fn() -> f64) -> f64 {
    let n_features = 2 * dims + 1;
    let wave = |(i, j): (usize, usize)| (0.1 * (i * 7 + j) as f64).sin();
    let features = Array2::from_shape_fn((CELLS, n_features), wave);
    let linear = Array2::from_shape_fn((GAUSSIANS, n_features), wave);
    let masses = vec![1.0; CELLS];
    let step = || {
        let mut shares = product_nt(features.view(), linear.view());
        if let Some(logs) = shares.as_slice_mut() {
            softmax_rows(logs, GAUSSIANS, &masses, &mut vec![0.0; CELLS]);
        }
        product_tn(shares.view(), features.view()).sum()
    };
    let mut least = f64::INFINITY;
    for _ in 0..ROUNDS {
        let begun = clock();
        let sum: f64 = (0..CHUNKS).into_par_iter().map(|_| step()).sum();
        std::hint::black_box(sum);
        least = least.min(clock() - begun);
    }
    least / (4 * CHUNKS * CELLS * GAUSSIANS * n_features) as f64
}
