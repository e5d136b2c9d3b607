//! Linear regulation by the lasso, which selects few regulators for each target.

use ndarray::Array2;
use rayon::prelude::*;

use crate::grn::adaptive::Components;
use crate::grn::moments::LaggedMoments;

/// Sweeps end when no coefficient changes by more than this.
const TOLERANCE: f64 = 1e-8;

/// Largest number of sweeps over the coefficients.
const MAX_SWEEPS: usize = 2000;

/// Lasso regression of each later target on the earlier regulators: minimises
/// `½ bᵀAb − bᵀc + λ Σ|b|` over the coefficients b.
///
/// A are the correlations among the earlier regulators, c their correlations with the later target.
/// The target's own earlier expression enters without penalty, because it models the decay.
///
/// Source: Tibshirani 1996; coordinate descent on moments after Friedman, Hastie & Tibshirani 2010.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Lasso {
    /// Penalty λ, in units of a correlation; not negative.
    pub(crate) penalty: f64,
}

impl Default for Lasso {
    fn default() -> Self {
        Self { penalty: 0.01 }
    }
}

impl Lasso {
    /// Coefficients of every regulator for later shape `later` of every gene, from moments with one
    /// earlier shape. The slope is the coefficient, the strength its absolute value. Time
    /// `O(sweeps · R²)` for each gene at most; coefficients that stay zero cost `O(1)`.
    pub(crate) fn solve(self, moments: &LaggedMoments, later: usize) -> Components {
        let genes: Vec<usize> = (0..moments.n_genes).collect();
        let columns: Vec<Vec<f64>> =
            genes.par_iter().map(|&gene| self.column(moments, gene, later)).collect();
        let shape = (moments.regulator_genes.len(), genes.len());
        let slope = Array2::from_shape_fn(shape, |(r, g)| columns[g][r]);
        Components { strength: slope.mapv(f64::abs), slope }
    }

    /// Coefficients of the regulators of one `gene`, by cyclic coordinate descent.
    fn column(self, moments: &LaggedMoments, gene: usize, later: usize) -> Vec<f64> {
        let n = moments.regulator_genes.len();
        let own = moments.regulator_genes.binary_search(&gene);
        // The gene's own earlier expression comes last, unless it is one of the regulators.
        let extra = own.is_err();
        let size = n + usize::from(extra);
        let free = own.unwrap_or(n);
        let among = |i: usize, j: usize| match (i == n, j == n) {
            (false, false) => moments.regulators[[i, j]],
            (true, true) => 1.0,
            (false, true) => moments.own[[i, gene]],
            (true, false) => moments.own[[j, gene]],
        };
        // The negative gradient, c − A b.
        let mut rest: Vec<f64> =
            moments.later.column(later * moments.n_genes + gene).iter().copied().collect();
        if extra {
            rest.push(moments.own_later[[gene, later]]);
        }
        let mut b = vec![0.0; size];
        for _ in 0..MAX_SWEEPS {
            let mut most = 0.0_f64;
            for i in 0..size {
                let wanted = rest[i] + b[i];
                let threshold = if i == free { 0.0 } else { self.penalty };
                let next = wanted.signum() * (wanted.abs() - threshold).max(0.0);
                let change = next - b[i];
                if change != 0.0 {
                    b[i] = next;
                    most = most.max(change.abs());
                    (0..size).for_each(|j| rest[j] -= change * among(i, j));
                }
            }
            if most < TOLERANCE {
                break;
            }
        }
        b.truncate(n);
        b
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    /// Two correlated regulators (genes 0 and 1) and gene 2, whose past goes with gene 0.
    fn moments() -> LaggedMoments {
        LaggedMoments {
            regulators: array![[1.0, 0.4], [0.4, 1.0]],
            later: array![[0.5, 0.1, 0.6], [0.2, 0.3, -0.05]],
            own: array![[1.0, 0.4, 0.3], [0.4, 1.0, 0.0]],
            own_among: array![[1.0], [1.0], [1.0]],
            own_later: array![[0.5], [0.3], [0.7]],
            regulator_genes: vec![0, 1],
            n_shapes: 1,
            n_genes: 3,
        }
    }

    #[test]
    fn it_meets_the_conditions_of_a_minimum() {
        let (lasso, moments) = (Lasso { penalty: 0.1 }, moments());
        let b = lasso.solve(&moments, 0).slope;
        // Gene 0: own past free, so b0 = 0.5 − 0.4 b1; regulator 1: 0.2 − 0.4·0.5 = 0 < λ.
        assert!((b[[0, 0]] - 0.5).abs() < 1e-7 && b[[1, 0]].abs() < 1e-12, "{b}");
        // Gene 2 with own past a: a = 0.7 − 0.3 b0, b0 = 0.6 − 0.3 a − 0.4 b1 − λ,
        // b1 = −0.05 − 0.4 b0 + λ = 0.05 − 0.4 b0 < 0.
        let a = (0.7 - 0.3 * b[[0, 2]], 0.6 - 0.1 - 0.4 * b[[1, 2]]);
        assert!((b[[0, 2]] - (a.1 - 0.3 * a.0)).abs() < 1e-7);
        assert!((b[[1, 2]] - (0.05 - 0.4 * b[[0, 2]])).abs() < 1e-7 && b[[1, 2]] < 0.0);
    }

    #[test]
    fn without_a_penalty_it_is_least_squares() {
        let b = Lasso { penalty: 0.0 }.solve(&moments(), 0).slope;
        // Gene 1: [1 .4; .4 1] b = [.1; .3].
        assert!((b[[0, 1]] - (0.1 - 0.4 * 0.3) / 0.84).abs() < 1e-7);
        assert!((b[[1, 1]] - (0.3 - 0.4 * 0.1) / 0.84).abs() < 1e-7);
    }
}
