//! A fit tried on some of the cells: how fast this machine is at each step, and what is kept.

use ndarray::Array2;
use rayon::prelude::*;

use crate::data::Matrix;
use crate::error::Result;
use crate::io::h5ad::H5ad;
use crate::linalg::{Gram, product_nt, product_tn, softmax_rows};
use crate::pipeline::config::FitOptions;
use crate::pipeline::counted::{Counted, log_scale};
use crate::pipeline::prepare::{Selection, matrix_source};
use crate::pipeline::shared::coordinates::chosen;
use crate::pipeline::shared::unique_names::unique;
use crate::preprocess::{PcaMethod, PcaSolver};
use crate::progress::Silent;
use crate::rng::Seed;

/// Runs of neighbouring cells that are tried, and cells of each.
const RUNS: usize = 6;
const RUN: usize = 1024;
/// Cells of a chunk of a step that is timed, chunks, Gaussians, and how often: what comes in between makes
/// it longer, nothing makes it shorter.
const CELLS: usize = 512;
const CHUNKS: usize = 16;
const GAUSSIANS: usize = 16;
const ROUNDS: usize = 20;

/// Seconds on this machine, and what was kept of the cells that were tried.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Probe {
    /// To read a cell as often as a fit does, look at it, and keep some genes.
    pub(super) per_cell: f64,
    /// To add a cell to the Gram matrix of the genes, and to project it.
    pub(super) per_component_cell: f64,
    /// To find the components of the Gram matrix.
    pub(super) components: f64,
    /// Genes that are used, and the values they have stored in a cell.
    pub(super) used: (f64, f64),
}

/// Tries the steps of a fit on at most 6 144 cells; `clock` tells seconds.
///
/// # Errors
/// Whatever is wrong with that part of the file.
pub(super) fn probe(
    file: &H5ad,
    (selection, options): (&Selection, &FitOptions),
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
    let pcs = PcaSolver { n_pcs: options.n_pcs, method: PcaMethod::Genes };
    let pca = pcs.fit(&kept, Seed(options.seed), silent)?;
    let found = clock() - begun;
    let begun = clock();
    pca.transform(&kept)?;
    let projected = clock() - begun;
    let gram = if dense { found } else { gram };

    let used = (kept.n_genes() as f64, stored);
    Ok(Some(Probe {
        per_cell,
        per_component_cell: (gram + projected) / tried,
        components: (found - gram).max(0.0),
        used,
    }))
}

/// Seconds for a flop of a step of LightSB in so many dimensions, on as many threads as are used here.
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
