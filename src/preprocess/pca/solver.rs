//! The fit of principal components, with the choice of the matrix and its decomposition.

use ndarray::{Array1, ArrayView1, ArrayView2, Axis};
use serde::{Deserialize, Serialize};

use crate::data::Matrix;
use crate::error::{Error, Result};
use crate::linalg::{BLOCK, Eigenpairs, Gram, Lanczos, dense_eigenpairs, fix_sign};
use crate::preprocess::pca::Pca;
use crate::preprocess::pca::covariance::{gram_of_cells, gram_of_genes, scores, scores_transposed};
use crate::preprocess::pca::moments::means_and_square;
use crate::progress::{Event, Progress, note, report};
use crate::rng::Seed;

/// The numerical method of [`PcaSolver`]; results agree to about 1e-8.
///
/// ```
/// use sbcell::preprocess::{PcaMethod, PcaSolver};
///
/// let solver = PcaSolver { n_pcs: 20, method: PcaMethod::Lanczos };
/// assert_ne!(solver.method, PcaMethod::default());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PcaMethod {
    /// The Gram matrix of the smaller side if it has at most 4 000 rows, otherwise Lanczos.
    #[default]
    Auto,
    /// Eigenvectors of `Xcᵀ Xc`, `(n_genes, n_genes)`, where `Xc` is the centred matrix.
    Genes,
    /// Eigenvectors of `Xc Xcᵀ`, `(n_cells, n_cells)`.
    Cells,
    /// Block Lanczos with products of the sparse or dense matrix.
    Lanczos,
}

/// Principal component analysis of the matrix, with each gene centred and not scaled.
///
/// The solver makes no dense copy of a sparse matrix and does not store the centred matrix. Let `p`
/// be the smaller of `n_cells` and `n_genes`.
///
/// - `p ≤ 4 000`: the solver forms the Gram matrix of the smaller side (`Σ rᵢ²/2` multiplications for
///   sparse rows or columns of `rᵢ` values, `n_cells n_genes p` flops for dense ones) and computes
///   its largest eigenpairs. Memory: `4 p (p + 128)` bytes for the matrix, `8 p (3 n_pcs + 550)` for
///   blocks and basis, `n_genes (32 n_pcs + 2 048)` for the loadings; with fewer cells than genes a
///   transposed copy of sparse input; `24 p²` more if `n_pcs` is more than about `p / 6`, since all
///   eigenpairs are then computed.
/// - `p > 4 000`: Lanczos needs about 50 to 200 pairs of products with 8 vectors, each with 32 flops
///   for each stored value. Memory: `8 n_genes (3 n_pcs + 300)` bytes and 64 bytes for each cell.
///
/// ```
/// use ndarray::array;
/// use sbcell::data::Matrix;
/// use sbcell::preprocess::PcaSolver;
/// use sbcell::{Seed, Silent};
///
/// let x = Matrix::Dense(array![[0.0, 0.0], [2.0, 2.0], [4.0, 4.0]]);
/// let solver = PcaSolver { n_pcs: 1, ..PcaSolver::default() };
/// let pca = solver.fit(&x, Seed(1), &mut Silent)?;
/// // All variance is along the diagonal.
/// assert!((pca.explained_variance_ratio()[0] - 1.0).abs() < 1e-9);
/// # sbcell::Result::Ok(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PcaSolver {
    /// Number of components, 1 or more; the fit has fewer if the rank is smaller.
    pub n_pcs: usize,
    /// The numerical method.
    pub method: PcaMethod,
}

impl Default for PcaSolver {
    fn default() -> Self {
        Self { n_pcs: 50, method: PcaMethod::Auto }
    }
}

/// Number of rows of the largest Gram matrix that [`PcaMethod::Auto`] forms.
const LARGEST_GRAM: usize = 4_000;
/// Number of rows from which only the wanted eigenpairs of a Gram matrix are computed.
const SMALLEST_LANCZOS: usize = 400;
/// Smallest variance of a component, relative to the first; smaller ones are rounding errors.
const SMALLEST_VARIANCE: f64 = 1e-12;

impl PcaSolver {
    /// The components of largest variance of `x`, `(n_cells, n_genes)`.
    ///
    /// There are at most `min(n_cells − 1, n_genes)` components, and those with a variance below
    /// 1e-12 of the first are omitted; a note reports this. `seed` sets the first vectors of
    /// Lanczos. The result has the same bits on any number of threads of one machine type.
    ///
    /// # Errors
    /// [`Error::Parameter`] if `n_pcs` is zero, there are fewer than two cells, a value is not
    /// finite, or no gene varies; [`Error::Numerical`] if Lanczos does not converge to a
    /// residual of 1e-7 of each variance; [`Error::Cancelled`].
    pub fn fit(&self, x: &Matrix, seed: Seed, progress: &mut dyn Progress) -> Result<Pca> {
        self.check()?;
        let (n_cells, n_genes) = (x.n_cells(), x.n_genes());
        if n_cells < 2 {
            let got = n_cells.to_string();
            return Err(Error::Parameter { name: "number of cells", must: "two or more", got });
        }
        let (mean, square) = means_and_square(x)?;
        // Rounding errors of a constant matrix are about 1e-16 of its uncentred sum of squares.
        let uncentred = square + n_cells as f64 * mean.dot(&mean);
        if square <= 1e-13 * uncentred {
            let must = "different between cells in at least one gene";
            return Err(Error::Parameter {
                name: "matrix",
                must,
                got: "only constant genes".into(),
            });
        }
        let n_pcs = self.n_pcs.min(n_cells - 1).min(n_genes);
        let pairs = self.eigenpairs(x, mean.view(), n_pcs, seed, progress)?;
        report(progress, Event::End)?;
        let degrees = (n_cells - 1) as f64;
        let variance: Array1<f64> = &pairs.values / degrees;
        let kept = variance.iter().take_while(|&&v| v > SMALLEST_VARIANCE * variance[0]).count();
        if kept < self.n_pcs {
            let wanted = self.n_pcs;
            let why = "the others have no variance";
            note(progress, format!("{kept} principal components, not {wanted}: {why}"))?;
        }
        let mut loadings = pairs.vectors.slice_move(ndarray::s![..kept, ..]);
        loadings.rows_mut().into_iter().for_each(fix_sign);
        let loadings = loadings.reversed_axes().as_standard_layout().into_owned();
        let variance = variance.slice_move(ndarray::s![..kept]);
        Pca::new(mean, loadings, variance, square / degrees)
    }

    /// The `n_pcs` largest eigenpairs of `Xcᵀ Xc` by the chosen method.
    fn eigenpairs(
        &self,
        x: &Matrix,
        mean: ArrayView1<'_, f64>,
        n_pcs: usize,
        seed: Seed,
        progress: &mut dyn Progress,
    ) -> Result<Eigenpairs> {
        let (n_cells, n_genes) = (x.n_cells(), x.n_genes());
        let what = "principal components".to_string();
        let lanczos = Lanczos { n_pairs: n_pcs, tolerance: 1e-7, ..Default::default() };
        let method = match self.method {
            PcaMethod::Auto if n_cells.min(n_genes) > LARGEST_GRAM && lanczos.fits(n_genes) => {
                PcaMethod::Lanczos
            }
            PcaMethod::Auto if n_cells < n_genes => PcaMethod::Cells,
            PcaMethod::Auto => PcaMethod::Genes,
            chosen => chosen,
        };
        match method {
            PcaMethod::Lanczos => {
                report(progress, Event::Begin { what, total: lanczos.max_blocks as u64 })?;
                let mut done = 0;
                lanczos.solve(n_genes, seed.child("pca", 0), &mut |v| {
                    done += 1;
                    report(progress, Event::Step { done })?;
                    let y = scores(x, mean, v);
                    Ok(scores_transposed(x, mean, y.view()))
                })
            }
            PcaMethod::Cells => {
                report(progress, Event::Begin { what, total: n_genes as u64 })?;
                let gram = gram_of_cells(x, mean, progress)?;
                let pairs = of_gram(&gram, n_pcs, seed)?;
                Ok(genes_from_cells(x, mean, pairs))
            }
            PcaMethod::Genes | PcaMethod::Auto => {
                report(progress, Event::Begin { what, total: n_cells as u64 })?;
                let gram = gram_of_genes(x, mean, progress)?;
                of_gram(&gram, n_pcs, seed)
            }
        }
    }

    fn check(&self) -> Result<()> {
        let Self { n_pcs, method: _ } = *self;
        if n_pcs < 1 {
            let got = n_pcs.to_string();
            return Err(Error::Parameter { name: "n_pcs", must: "1 or more", got });
        }
        Ok(())
    }
}

/// The largest eigenpairs of a Gram matrix.
///
/// Lanczos is used if it is much less work than the full decomposition. The full decomposition is
/// also the fallback if Lanczos does not converge.
fn of_gram(gram: &Gram, n_pcs: usize, seed: Seed) -> Result<Eigenpairs> {
    let lanczos = Lanczos { n_pairs: n_pcs, tolerance: 1e-10, max_blocks: 400 };
    let n = gram.dim();
    if n >= SMALLEST_LANCZOS && 2 * (3 * n_pcs + 5 * BLOCK) <= n {
        let seed = seed.child("pca", 0);
        if let Ok(pairs) = lanczos.solve(n, seed, &mut |v: ArrayView2<'_, f64>| Ok(gram.apply(v))) {
            return Ok(pairs);
        }
    }
    dense_eigenpairs(n, n_pcs, |i, j| gram.get(i, j))
}

/// Converts eigenvectors `u` of `Xc Xcᵀ` to eigenvectors `Xcᵀ u` of `Xcᵀ Xc`.
///
/// The vectors are made orthonormal again in the order of variance (Gram–Schmidt, two passes), since
/// relative rounding errors grow as the variance falls. Values below [`SMALLEST_VARIANCE`] become 0.
fn genes_from_cells(x: &Matrix, mean: ArrayView1<'_, f64>, pairs: Eigenpairs) -> Eigenpairs {
    let Eigenpairs { mut values, vectors } = pairs;
    let mut genes =
        scores_transposed(x, mean, vectors.t()).reversed_axes().as_standard_layout().into_owned();
    let floor = SMALLEST_VARIANCE * values[0];
    for i in 0..genes.nrows() {
        if values[i] <= floor {
            values[i] = 0.0;
            continue;
        }
        let (done, mut rest) = genes.view_mut().split_at(Axis(0), i);
        let mut row = rest.row_mut(0);
        for _ in 0..2 {
            for other in done.rows() {
                let part = other.dot(&row);
                row.scaled_add(-part, &other);
            }
            let norm = row.dot(&row).sqrt();
            row /= norm;
        }
    }
    Eigenpairs { values, vectors: genes }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array};

    use super::*;

    #[test]
    fn the_largest_loading_is_positive_and_ties_go_to_the_first() {
        let mut vectors: Array2<f64> = array![[0.1, -0.9, 0.2], [-0.5, 0.5, 0.1], [0.5, -0.5, 0.0]];
        vectors.rows_mut().into_iter().for_each(fix_sign);
        assert_eq!(vectors, array![[-0.1, 0.9, -0.2], [0.5, -0.5, -0.1], [0.5, -0.5, 0.0]]);
    }
}
