//! A fit tried on some of the cells: how fast this machine is at each step, and what is kept.

use ndarray::{Axis, s};

use crate::bridge::{BridgeProblem, Choice, Covariance, LightSbSolver};
use crate::data::{Matrix, Snapshot};
use crate::error::Result;
use crate::geometry::Epsilon;
use crate::io::h5ad::H5ad;
use crate::linalg::Gram;
use crate::pipeline::config::FitOptions;
use crate::pipeline::coordinates::{chosen, unique};
use crate::pipeline::counted::{Counted, log_scale};
use crate::pipeline::prepare::{Selection, matrix_source};
use crate::preprocess::{PcaMethod, PcaSolver};
use crate::progress::Silent;
use crate::rng::Seed;

/// Runs of neighbouring cells that are tried, and cells of each.
const RUNS: usize = 6;
const RUN: usize = 1024;
/// Cells of each side, Gaussians and steps of the descent that is timed.
const TRIED: (usize, usize, usize) = (1024, 16, 20);
/// Steps that are left out of it.
const FEW: usize = 5;

/// Seconds on this machine, and what was kept of the cells that were tried.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Probe {
    /// To read a cell as often as a fit does, look at it, and keep some genes.
    pub(super) per_cell: f64,
    /// To add a cell to the Gram matrix of the genes, and to project it.
    pub(super) per_component_cell: f64,
    /// To find the components of the Gram matrix.
    pub(super) components: f64,
    /// For a flop of LightSB's descent.
    pub(super) per_flop: f64,
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
    let rows: Vec<usize> = starts
        .into_iter()
        .flat_map(|start| selection.rows[start..start + length].to_vec())
        .collect();
    let Some(blocks) = file.matrix_blocks(&source, &rows)? else { return Ok(None) };
    let cells = Counted::Blocks(blocks);
    let tried = rows.len() as f64;

    let silent = &mut Silent;
    let genes = unique(file.gene_names(&source)?, silent)?;
    let begun = clock();
    let scaled = log_scale(cells.blocks(), options, silent)?;
    let columns = chosen(cells.blocks(), &genes, (&scaled, options), silent)?;
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
    let points = pca.transform(&kept)?;
    let projected = clock() - begun;
    let gram = if dense { found } else { gram };

    let used = (kept.n_genes() as f64, stored);
    let per_flop = descent(&points, clock)?;
    Ok(Some(Probe {
        per_cell,
        per_component_cell: (gram + projected) / tried,
        components: (found - gram).max(0.0),
        per_flop,
        used,
    }))
}

/// Seconds for a flop of the descent of LightSB between halves of the cells.
fn descent(points: &ndarray::Array2<f64>, clock: &dyn Fn() -> f64) -> Result<f64> {
    let (cells, n_gaussians, steps) = TRIED;
    let half = (points.nrows() / 2).min(cells);
    if half < 100 {
        return Ok(0.0);
    }
    let scale = points.std_axis(Axis(0), 0.0).mean().filter(|&scale| scale > 0.0).unwrap_or(1.0);
    let side = |from: usize| Snapshot::new(&points.slice(s![from..from + half, ..]) / scale);
    let problem = BridgeProblem::new(side(0)?, side(half)?, Epsilon::new(0.1)?)?;
    let timed = |max_iterations: usize| -> Result<f64> {
        let solver = LightSbSolver {
            covariance: Choice::Is(Covariance::Diagonal),
            n_gaussians: Choice::Is(n_gaussians),
            max_iterations,
            tolerance: 0.0,
            ..LightSbSolver::default()
        };
        let begun = clock();
        solver.fit(&problem, Seed(0), &mut Silent)?;
        Ok(clock() - begun)
    };
    // The start costs as much with few steps as with many.
    let time = timed(FEW + steps)? - timed(FEW)?;
    let features = 2.0 * points.ncols() as f64 + 1.0;
    let flops = 8.0 * half as f64 * n_gaussians as f64 * features * steps as f64;
    Ok(time.max(0.0) / flops)
}
