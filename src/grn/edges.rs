//! Ranked edges among genes from a Jacobian in the coordinates of a bridge.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2};

use crate::linalg::{cross_covariance, product, product_nt};

/// A directed, signed edge from a regulator to a target. Genes are given by their row in the
/// loadings.
///
/// ```
/// use ndarray::array;
/// use sbcell::grn::EdgeRanking;
/// // Gene 0 inhibits gene 1; `effects` has targets in rows and regulators in columns.
/// let edges = EdgeRanking { top: 10 }.rank(
///     array![[0.0], [-2.0]].view(),
///     array![1.0, 4.0].view(),
///     &[0],
/// );
/// assert_eq!((edges[0].regulator, edges[0].target), (0, 1));
/// assert_eq!((edges[0].effect, edges[0].importance), (-2.0, 0.5));
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Edge {
    /// Gene number of the regulator.
    pub regulator: usize,
    /// Gene number of the target.
    pub target: usize,
    /// `|effect| s_regulator / s_target`, with s the standard deviation of a gene: standard
    /// deviations of the target per unit of time, for one standard deviation of the regulator. Not
    /// negative. Edges are ranked by this number.
    pub importance: f64,
    /// `∂(rate of target)/∂(regulator)`, signed: expression of the target per unit of time for one
    /// unit of expression of the regulator.
    pub effect: f64,
}

/// Ranking of edges by importance, cut after a number of edges. See [`Edge`] for an example.
#[derive(Debug, Clone, PartialEq)]
pub struct EdgeRanking {
    /// Largest number of edges to keep.
    pub top: usize,
}

impl EdgeRanking {
    /// Ranks the edges from `regulators` to every gene, the most important first. Self-edges and
    /// genes that do not vary are left out.
    ///
    /// `effects[g, r]` is the effect of regulator `regulators[r]` on gene `g`, `(n_genes,
    /// n_regulators)`. `spread[g]` is the standard deviation of gene `g`, `n_genes`. Ties are
    /// ordered by regulator, then by target. Time `O(E log E)` for `E` candidate edges.
    pub fn rank(
        &self,
        effects: ArrayView2<'_, f64>,
        spread: ArrayView1<'_, f64>,
        regulators: &[usize],
    ) -> Vec<Edge> {
        let largest = spread.iter().copied().fold(0.0, f64::max);
        let varies = |gene: usize| spread[gene] > 1e-9 * largest;
        let mut edges: Vec<Edge> = effects
            .indexed_iter()
            .map(|((target, r), &effect)| (target, regulators[r], effect))
            .filter(|&(target, regulator, _)| {
                target != regulator && varies(target) && varies(regulator)
            })
            .map(|(target, regulator, effect)| {
                let importance = effect.abs() * spread[regulator] / spread[target];
                Edge { regulator, target, importance, effect }
            })
            .collect();
        edges.sort_by(|a, b| {
            let by_importance = b.importance.total_cmp(&a.importance);
            by_importance.then(a.regulator.cmp(&b.regulator)).then(a.target.cmp(&b.target))
        });
        edges.truncate(self.top);
        edges
    }
}

/// Converts a Jacobian `J` between coordinates into effects between genes: `W J W_Rᵀ`.
///
/// `loadings` W is `(n_genes, dim)` with orthonormal columns: expression is `mean + W z` and
/// `z = Wᵀ (expression − mean)`. `jacobian` is `(dim, dim)`. `W_R` are the rows of the genes
/// `regulators`. The result is `(n_genes, n_regulators)`: rows are targets, columns regulators.
/// Time `O(n_genes · dim · (dim + n_regulators))`.
///
/// ```
/// use ndarray::array;
/// // Coordinate 1 drives coordinate 0. Genes are the coordinates themselves.
/// let effects = sbcell::grn::pull_back(
///     array![[0.0, 3.0], [0.0, 0.0]].view(),
///     array![[1.0, 0.0], [0.0, 1.0]].view(),
///     &[1],
/// );
/// assert_eq!(effects, array![[3.0], [0.0]]);
/// ```
#[must_use]
pub fn pull_back(
    jacobian: ArrayView2<'_, f64>,
    loadings: ArrayView2<'_, f64>,
    regulators: &[usize],
) -> Array2<f64> {
    let of_regulators = loadings.select(ndarray::Axis(0), regulators);
    product_nt(product(loadings, jacobian).view(), of_regulators.view())
}

/// Standard deviation of every gene over the cells, restricted to the variation that the
/// coordinates contain: `sqrt(diag(W Cov(z) Wᵀ))`.
///
/// `points` are the coordinates `(n_cells, dim)`, `loadings` W is `(n_genes, dim)`. The covariance
/// has the denominator `n_cells − 1`. Time `O((n_cells + n_genes) dim²)`.
#[must_use]
pub fn spreads(points: ArrayView2<'_, f64>, loadings: ArrayView2<'_, f64>) -> Array1<f64> {
    let covariance = cross_covariance(points, points);
    let carried = product(loadings, covariance.view());
    (&carried * &loadings).sum_axis(ndarray::Axis(1)).mapv(|variance| variance.max(0.0).sqrt())
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn pulling_back_is_the_product_written_out() {
        let jacobian = array![[1.0, 2.0], [3.0, -4.0]];
        let loadings = array![[0.6, 0.0], [0.8, 0.0], [0.0, 1.0]];
        let pulled = pull_back(jacobian.view(), loadings.view(), &[2, 0]);
        for target in 0..3 {
            for (column, &regulator) in [2, 0].iter().enumerate() {
                let mut sum = 0.0;
                for a in 0..2 {
                    for b in 0..2 {
                        sum += loadings[[target, a]] * jacobian[[a, b]] * loadings[[regulator, b]];
                    }
                }
                assert!((pulled[[target, column]] - sum).abs() < 1e-14);
            }
        }
    }

    #[test]
    fn spreads_are_those_of_the_points_taken_back_to_genes() {
        let points = array![[1.0, 0.5], [2.0, -1.0], [4.0, 0.0], [0.0, 3.0]];
        let loadings = array![[0.6, 0.0], [0.8, 0.0], [0.0, 1.0]];
        let genes = points.dot(&loadings.t());
        for (gene, spread) in spreads(points.view(), loadings.view()).iter().enumerate() {
            assert!((genes.column(gene).std(1.0) - spread).abs() < 1e-12);
        }
    }

    #[test]
    fn ranks_by_standardised_effect_and_leaves_out_self_and_constant_genes() {
        let effects = array![[9.0, 1.0], [-2.0, 9.0], [1.0, 1.0], [0.5, 0.5]];
        let spread = array![1.0, 2.0, 4.0, 0.0];
        let edges = EdgeRanking { top: 3 }.rank(effects.view(), spread.view(), &[0, 1]);
        let ranked: Vec<_> = edges.iter().map(|e| (e.regulator, e.target, e.importance)).collect();
        assert_eq!(ranked, [(1, 0, 2.0), (0, 1, 1.0), (1, 2, 0.5)]);
        assert!((edges[1].effect + 2.0).abs() < 1e-15);
    }
}
