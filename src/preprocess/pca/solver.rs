//! The fit of principal components, with the choice of the matrix and its decomposition.

use ndarray::{Array1, ArrayView1, ArrayView2, Axis};
use serde::{Deserialize, Serialize};

use crate::data::Matrix;
use crate::error::{Error, Result};
use crate::linalg::{BLOCK, Eigenpairs, Gram, Lanczos, dense_eigenpairs, fix_sign};
use crate::preprocess::pca::Pca;
use crate::preprocess::pca::covariance::{gram_of_cells, gram_of_genes, scores, scores_transposed};
use crate::preprocess::pca::moments::{column_variances, means_and_square};
use crate::preprocess::pca::number::{NPcs, Scree, noise_edge};
use crate::progress::{Event, Progress, Silent, note, report};
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
        self.fit_counted(x, Count::All, seed, progress).map(|found| found.0)
    }

    /// As [`PcaSolver::fit`]; also the eigenvalues of the correlation matrix with the noise edge, if
    /// components above it are counted.
    fn fit_counted(
        &self,
        x: &Matrix,
        count: Count,
        seed: Seed,
        progress: &mut dyn Progress,
    ) -> Result<(Pca, Option<Scree>)> {
        let n_cells = x.n_cells();
        self.check(n_cells)?;
        let (mean, square) = means_and_square(x)?;
        let n_pcs = self.wanted(n_cells, x.n_genes(), &mean, square)?;
        let work = self.operator(x, mean.view(), n_pcs, progress)?;
        let pairs = work.eigenpairs(n_pcs, seed, progress)?;
        let scree = match count {
            Count::All => None,
            Count::AboveEdge => Some(work.scree(n_pcs, seed)?),
        };
        report(progress, Event::End)?;
        drop(work);
        let pca = self.components(pairs, mean, n_cells, square, count, progress)?;
        Ok((pca, scree))
    }

    /// The number of components to compute for a matrix of `(n_cells, n_genes)` with these means of genes and this
    /// sum of squares of the centred values.
    ///
    /// # Errors
    /// [`Error::Parameter`] as for [`PcaSolver::fit`].
    pub(super) fn wanted(
        &self,
        n_cells: usize,
        n_genes: usize,
        mean: &Array1<f64>,
        square: f64,
    ) -> Result<usize> {
        self.check(n_cells)?;
        // Rounding errors of a constant matrix are about 1e-16 of its uncentred sum of squares.
        let uncentred = square + n_cells as f64 * mean.dot(mean);
        if square <= 1e-13 * uncentred {
            let must = "different between cells in at least one gene";
            return Err(Error::Parameter {
                name: "matrix",
                must,
                got: "only constant genes".into(),
            });
        }
        Ok(self.n_pcs.min(n_cells - 1).min(n_genes))
    }

    /// The components of the eigenpairs `pairs` of `Xcᵀ Xc`. A note says if there are fewer than were asked for.
    pub(super) fn components(
        &self,
        pairs: Eigenpairs,
        mean: Array1<f64>,
        n_cells: usize,
        square: f64,
        count: Count,
        progress: &mut dyn Progress,
    ) -> Result<Pca> {
        let degrees = (n_cells - 1) as f64;
        let variance: Array1<f64> = &pairs.values / degrees;
        let kept = variance.iter().take_while(|&&v| v > SMALLEST_VARIANCE * variance[0]).count();
        if kept < self.n_pcs && count == Count::All {
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

    /// As [`PcaSolver::fit`], with the number of components of `n_pcs` in place of that of the solver. A
    /// note says a number that the data choose.
    ///
    /// With [`NPcs::Auto`] the solver computes [`NPcs::MOST`] components and keeps those above the
    /// [`noise_edge`], at least [`NPcs::FEWEST`]. The [`Scree`] of this choice is the second part of the
    /// result; there is none for a number that is given.
    ///
    /// # Errors
    /// As [`PcaSolver::fit`].
    #[doc(hidden)]
    pub fn fit_number(
        &self,
        x: &Matrix,
        n_pcs: NPcs,
        seed: Seed,
        progress: &mut dyn Progress,
    ) -> Result<(Pca, Option<Scree>)> {
        self.number(x.n_cells(), x.n_genes(), n_pcs, progress, &mut |solver, count, progress| {
            solver.fit_counted(x, count, seed, progress)
        })
    }

    /// The components in the number `n_pcs`, of a matrix of `(n_cells, n_genes)` that `fit` decomposes.
    ///
    /// # Errors
    /// Those of `fit`.
    pub(super) fn number(
        &self,
        n_cells: usize,
        n_genes: usize,
        n_pcs: NPcs,
        progress: &mut dyn Progress,
        fit: &mut Fit<'_>,
    ) -> Result<(Pca, Option<Scree>)> {
        let n = match n_pcs {
            NPcs::Is(n) => {
                let solver = Self { n_pcs: n, ..self.clone() };
                return fit(&solver, Count::All, progress);
            }
            NPcs::Auto => NPcs::MOST.min(n_genes).min(n_cells.saturating_sub(1)).max(1),
        };
        let solver = Self { n_pcs: n, ..self.clone() };
        let (pca, scree) = fit(&solver, Count::AboveEdge, progress)?;
        let above = scree.as_ref().map_or(n, Scree::n_above);
        let chosen = pca.first(above.max(NPcs::FEWEST));
        let text = format!(
            "number of components: {}; {above}{} above the noise edge of the correlations of genes",
            chosen.n_pcs(),
            if above == NPcs::MOST {
                " or more are"
            } else if above == 1 {
                " is"
            } else {
                " are"
            },
        );
        note(progress, text)?;
        Ok((chosen, scree))
    }

    /// The operator of the chosen method, with its Gram matrix if it has one.
    fn operator<'a>(
        &self,
        x: &'a Matrix,
        mean: ArrayView1<'a, f64>,
        n_pcs: usize,
        progress: &mut dyn Progress,
    ) -> Result<Operator<'a>> {
        let (n_cells, n_genes) = (x.n_cells(), x.n_genes());
        let what = "principal components".to_string();
        let lanczos = lanczos(n_pcs);
        let method = match self.method {
            PcaMethod::Auto if n_cells.min(n_genes) > LARGEST_GRAM && lanczos.fits(n_genes) => {
                PcaMethod::Lanczos
            }
            PcaMethod::Auto if n_cells < n_genes => PcaMethod::Cells,
            PcaMethod::Auto => PcaMethod::Genes,
            chosen => chosen,
        };
        let gram = match method {
            PcaMethod::Lanczos => {
                report(progress, Event::Begin { what, total: lanczos.max_blocks as u64 })?;
                Products::Matrix
            }
            PcaMethod::Cells => {
                report(progress, Event::Begin { what, total: n_genes as u64 })?;
                Products::Cells(gram_of_cells(x, mean, progress)?)
            }
            PcaMethod::Genes | PcaMethod::Auto => {
                report(progress, Event::Begin { what, total: n_cells as u64 })?;
                Products::Genes(gram_of_genes(x, mean, progress)?)
            }
        };
        Ok(Operator { x, mean, gram })
    }

    /// # Errors
    /// [`Error::Parameter`] if no component is wanted, or there are fewer than two cells.
    fn check(&self, n_cells: usize) -> Result<()> {
        let Self { n_pcs, method: _ } = *self;
        if n_pcs < 1 {
            let got = n_pcs.to_string();
            return Err(Error::Parameter { name: "n_pcs", must: "1 or more", got });
        }
        if n_cells < 2 {
            let got = n_cells.to_string();
            return Err(Error::Parameter { name: "number of cells", must: "two or more", got });
        }
        Ok(())
    }
}

/// Decomposes a matrix: the components, and the eigenvalues of the correlation matrix if they are counted.
pub(super) type Fit<'a> =
    dyn FnMut(&PcaSolver, Count, &mut dyn Progress) -> Result<(Pca, Option<Scree>)> + 'a;

/// Whether components above the noise edge are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Count {
    /// All components are kept, and nothing is counted.
    All,
    /// Eigenvalues of the correlation matrix above the noise edge are counted.
    AboveEdge,
}

/// The products by which eigenpairs are found.
enum Products {
    /// Those of the matrix and its transpose with thin matrices.
    Matrix,
    /// Those of the Gram matrix of the cells.
    Cells(Gram),
    /// Those of the Gram matrix of the genes.
    Genes(Gram),
}

/// The centred matrix as an operator, with the products of the chosen method.
struct Operator<'a> {
    /// The matrix, `(n_cells, n_genes)`.
    x: &'a Matrix,
    /// The mean of each gene.
    mean: ArrayView1<'a, f64>,
    /// The products.
    gram: Products,
}

/// Lanczos for `n_pcs` components of the matrix itself.
fn lanczos(n_pcs: usize) -> Lanczos {
    Lanczos { n_pairs: n_pcs, tolerance: 1e-7, ..Default::default() }
}

impl Operator<'_> {
    /// The `n_pcs` largest eigenpairs of `Xcᵀ Xc`.
    fn eigenpairs(
        &self,
        n_pcs: usize,
        seed: Seed,
        progress: &mut dyn Progress,
    ) -> Result<Eigenpairs> {
        let (x, mean) = (self.x, self.mean);
        match &self.gram {
            Products::Matrix => {
                let mut done = 0;
                lanczos(n_pcs).solve(x.n_genes(), seed.child("pca", 0), &mut |v| {
                    done += 1;
                    report(progress, Event::Step { done })?;
                    let y = scores(x, mean, v);
                    Ok(scores_transposed(x, mean, y.view()))
                })
            }
            Products::Cells(gram) => {
                Ok(genes_from_cells(x, mean, of_gram(gram, None, n_pcs, seed)?))
            }
            Products::Genes(gram) => of_gram(gram, None, n_pcs, seed),
        }
    }

    /// The `n_pcs` largest eigenvalues of the correlation matrix of the genes, and the noise edge. Genes that
    /// do not vary take no part.
    ///
    /// The correlation matrix is `D Xcᵀ Xc D / (n − 1)` with the inverse deviations `D`. The Gram matrix of
    /// the genes is used again if there is one.
    fn scree(&self, n_pcs: usize, seed: Seed) -> Result<Scree> {
        let (x, mean) = (self.x, self.mean);
        let (n_cells, n_genes) = (x.n_cells(), x.n_genes());
        let variances = column_variances(x)?;
        let n_varying = variances.iter().filter(|&&variance| variance > 0.0).count();
        let degrees = (n_cells - 1) as f64;
        let inverse = variances
            .mapv(|variance| if variance > 0.0 { 1.0 / (degrees * variance).sqrt() } else { 0.0 });
        let scree = |pairs: Eigenpairs| scree_of(pairs, noise_edge(n_cells, n_varying));
        let seed = seed.child("correlations", 0);
        if let Products::Genes(gram) = &self.gram {
            return of_gram(gram, Some(&inverse), n_pcs, seed).map(scree);
        }
        let lanczos = lanczos(n_pcs);
        let column = inverse.view().insert_axis(Axis(1));
        let by_products = if lanczos.fits(n_genes) {
            Some(lanczos.solve(n_genes, seed, &mut |v| {
                let y = scores(x, mean, (&v * &column).view());
                Ok(scores_transposed(x, mean, y.view()) * column)
            }))
        } else {
            None
        };
        let found = match by_products {
            Some(Err(error @ Error::Numerical { .. })) if n_genes > LARGEST_GRAM => {
                return Err(error);
            }
            // Few genes, or no convergence: the full decomposition always works.
            None | Some(Err(Error::Numerical { .. })) => {
                let gram = gram_of_genes(x, mean, &mut Silent)?;
                of_gram(&gram, Some(&inverse), n_pcs, seed)?
            }
            Some(found) => found?,
        };
        Ok(scree(found))
    }
}

/// The scree of eigenpairs of a correlation matrix. An eigenvalue of zero may be negative by rounding.
pub(super) fn scree_of(pairs: Eigenpairs, edge: f64) -> Scree {
    Scree { eigenvalues: pairs.values.mapv(|value| value.max(0.0)), edge }
}

/// The largest eigenpairs of a Gram matrix, with rows and columns multiplied by `factors` if there are some.
///
/// Lanczos is used if it is much less work than the full decomposition. The full decomposition is
/// also the fallback if Lanczos does not converge.
pub(super) fn of_gram(
    gram: &Gram,
    factors: Option<&Array1<f64>>,
    n_pcs: usize,
    seed: Seed,
) -> Result<Eigenpairs> {
    let lanczos = Lanczos { n_pairs: n_pcs, tolerance: 1e-10, max_blocks: 400 };
    let n = gram.dim();
    let mut apply = |v: ArrayView2<'_, f64>| {
        Ok(match factors.map(|factors| factors.view().insert_axis(Axis(1))) {
            None => gram.apply(v),
            Some(column) => gram.apply((&v * &column).view()) * column,
        })
    };
    if n >= SMALLEST_LANCZOS
        && 2 * (3 * n_pcs + 5 * BLOCK) <= n
        && let Ok(pairs) = lanczos.solve(n, seed.child("pca", 0), &mut apply)
    {
        return Ok(pairs);
    }
    let factor = |i: usize| factors.map_or(1.0, |factors| factors[i]);
    dense_eigenpairs(n, n_pcs, |i, j| gram.get(i, j) * factor(i) * factor(j))
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
    use rand_distr::{Distribution, StandardNormal};

    use super::*;

    #[test]
    fn the_largest_loading_is_positive_and_ties_go_to_the_first() {
        let mut vectors: Array2<f64> = array![[0.1, -0.9, 0.2], [-0.5, 0.5, 0.1], [0.5, -0.5, 0.0]];
        vectors.rows_mut().into_iter().for_each(fix_sign);
        assert_eq!(vectors, array![[-0.1, 0.9, -0.2], [0.5, -0.5, -0.1], [0.5, -0.5, 0.0]]);
    }

    #[test]
    fn the_scree_has_as_many_eigenvalues_above_the_edge_as_components_are_kept() {
        let (n_cells, n_genes, rank) = (200_usize, 40_usize, 3_usize);
        let mut rng = Seed(5).stream("test", 0);
        let mut normal = |rows: usize, columns: usize| -> Array2<f64> {
            Array2::from_shape_simple_fn((rows, columns), || StandardNormal.sample(&mut rng))
        };
        let signal = normal(n_cells, rank).dot(&normal(rank, n_genes));
        let values = signal + normal(n_cells, n_genes);
        let x = Matrix::Dense(values.mapv(|value| value as f32));
        // With and without the Gram matrix of the genes.
        for method in [PcaMethod::Genes, PcaMethod::Cells] {
            let solver = PcaSolver { method, ..PcaSolver::default() };
            let (pca, scree) = solver.fit_number(&x, NPcs::Auto, Seed(1), &mut Silent).unwrap();
            let scree = scree.unwrap();
            assert_eq!((scree.n_above(), pca.n_pcs()), (rank, rank), "{method:?}");
            assert!((scree.edge - noise_edge(n_cells, n_genes)).abs() < 1e-12);
            // All eigenvalues were found, and each gene has variance one.
            assert!((scree.eigenvalues.sum() - n_genes as f64).abs() < 1e-6, "{method:?}");
            let (pca, scree) = solver.fit_number(&x, NPcs::Is(5), Seed(1), &mut Silent).unwrap();
            assert!(pca.n_pcs() == 5 && scree.is_none());
        }
    }
}
