//! Prior networks: pairs of genes that are supported in advance gain importance.

use ndarray::Array2;

use crate::grn::edge_matrix::EdgeMatrix;
use crate::grn::replicates::candidates;

/// Support for each possible edge from other data, such as binding motifs in open chromatin.
///
/// A pair of weight w gains w times the mean importance of all candidate edges. Support lifts weak edges among others,
/// and strong evidence overrules a missing motif.
///
/// ```
/// use ndarray::array;
/// use sbcell::grn::{EdgeMatrix, Prior};
/// let edges = EdgeMatrix::of_correlations(array![[1.0, -0.75, 0.25]], &[0]);
/// // A motif of gene 0 is near gene 2 and not near gene 1. The mean importance of both edges is 0.5.
/// let prior = Prior { weights: array![[0.0, 0.0, 1.0]], gain: 1.0 };
/// assert_eq!(prior.apply(&edges, &[0]).importance, array![[0.0, 0.75, 0.75]]);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Prior {
    /// Weight of each pair, `(R, G)`, from 0 for no support to 1 for full support.
    pub weights: Array2<f64>,
    /// Importance that full support adds, in units of the mean importance; not negative. [`Prior::GAIN`] is a good
    /// choice.
    pub gain: f64,
}

impl Prior {
    /// The gain with which informative priors helped most in simulated courses while useless priors cost little. See
    /// docs/METHODS.md, section 5.
    pub const GAIN: f64 = 1.0;

    /// `edges` with `gain · w` times the mean importance added to each candidate edge.
    ///
    /// Evidence and strength, and so signs and effects, stay: a prior tells where an edge can be, not what it does.
    /// Edges of a gene with itself stay. `edges` has the shape of the weights; `regulators` are the gene numbers of its
    /// rows. An importance that is not finite stays so, and does not count in the mean.
    #[must_use]
    pub fn apply(&self, edges: &EdgeMatrix, regulators: &[usize]) -> EdgeMatrix {
        let all = candidates(regulators, edges.importance.ncols());
        let finite = all.iter().map(|&edge| edges.importance[edge]).filter(|x| x.is_finite());
        let (sum, n) = finite.fold((0.0, 0.0_f64), |(sum, n), x| (sum + x, n + 1.0));
        let unit = self.gain * sum / n.max(1.0);
        let mut importance = edges.importance.clone();
        for edge in all {
            importance[edge] += unit * self.weights[edge];
        }
        EdgeMatrix { importance, ..edges.clone() }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    fn edges() -> EdgeMatrix {
        EdgeMatrix {
            importance: array![[0.0, 0.8, 0.6], [0.4, 0.0, 0.2]],
            evidence: array![[0.0, -2.0, 1.0], [3.0, 0.0, -1.0]],
            strength: array![[0.0, 0.3, 0.2], [0.1, 0.0, 0.4]],
            lag: 2.0,
        }
    }

    #[test]
    fn support_adds_its_share_of_the_mean_importance() {
        let prior = Prior { weights: array![[1.0, 0.0, 0.25], [1.0, 1.0, 0.5]], gain: 2.0 };
        let found = prior.apply(&edges(), &[0, 1]);
        // The mean of the four candidates is 0.5.
        let expected = array![[0.0, 0.8, 0.85], [1.4, 0.0, 0.7]];
        assert!((&found.importance - &expected).iter().all(|off| off.abs() < 1e-12));
        assert_eq!(EdgeMatrix { importance: edges().importance, ..found }, edges());
    }

    #[test]
    fn no_support_changes_nothing_and_equal_support_changes_no_order() {
        let of = |weight: f64| {
            Prior { weights: Array2::from_elem((2, 3), weight), gain: Prior::GAIN }
                .apply(&edges(), &[0, 1])
        };
        assert_eq!(of(0.0), edges());
        let lifted = of(1.0).importance - edges().importance;
        assert!((lifted[[0, 1]] - 0.5).abs() < 1e-12 && (lifted[[1, 2]] - 0.5).abs() < 1e-12);
    }

    #[test]
    fn strong_evidence_overrules_a_missing_motif() {
        let weights = array![[0.0, 0.0, 1.0], [0.0, 0.0, 1.0]];
        let mut strong = edges();
        strong.importance[[0, 1]] = 8.0;
        let found = Prior { weights, gain: Prior::GAIN }.apply(&strong, &[0, 1]).importance;
        assert!(found[[0, 1]] > found[[0, 2]] && found[[1, 2]] > found[[1, 0]]);
    }
}
