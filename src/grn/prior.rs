//! Prior networks: importance of edges weighted by how far each pair of genes is supported in advance.

use ndarray::Array2;

use crate::grn::edge_matrix::EdgeMatrix;

/// Support for each possible edge from other data, such as binding motifs in open chromatin.
///
/// The weight w of a pair multiplies its importance by `floor + (1 − floor) · w`. A pair with full support keeps its
/// importance. A pair without support keeps the share `floor`, so that strong evidence overrules a missing motif.
///
/// ```
/// use ndarray::array;
/// use sbcell::grn::{EdgeMatrix, Prior};
/// let edges = EdgeMatrix::of_correlations(array![[1.0, -0.8, 0.9]], &[0]);
/// // A motif of gene 0 is near gene 1 and not near gene 2.
/// let prior = Prior { weights: array![[0.0, 1.0, 0.0]], floor: 0.5 };
/// assert_eq!(prior.apply(&edges).importance, array![[0.0, 0.8, 0.45]]);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Prior {
    /// Weight of each pair, `(R, G)`, from 0 for no support to 1 for full support.
    pub weights: Array2<f64>,
    /// Share of the importance that a pair of weight 0 keeps, from 0 to 1. [`Prior::FLOOR`] is a good choice.
    pub floor: f64,
}

impl Prior {
    /// The floor with which informative priors gained most in simulated courses and useless priors cost little: a
    /// pair without support needs twice the importance. See docs/METHODS.md, section 5.
    pub const FLOOR: f64 = 0.5;

    /// `edges` with each importance multiplied by `floor + (1 − floor) · w`.
    ///
    /// Evidence and strength, and so signs and effects, stay: a prior tells where an edge can be, not what it does.
    /// An importance that is not finite stays so. `edges` has the shape of the weights.
    #[must_use]
    pub fn apply(&self, edges: &EdgeMatrix) -> EdgeMatrix {
        let factors = self.weights.mapv(|weight| self.floor + (1.0 - self.floor) * weight);
        EdgeMatrix { importance: &edges.importance * &factors, ..edges.clone() }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    fn edges() -> EdgeMatrix {
        EdgeMatrix {
            importance: array![[0.0, 0.8, 0.6], [0.5, 0.0, 0.4]],
            evidence: array![[0.0, -2.0, 1.0], [3.0, 0.0, -1.0]],
            strength: array![[0.0, 0.3, 0.2], [0.1, 0.0, 0.4]],
            lag: 2.0,
        }
    }

    #[test]
    fn importance_is_interpolated_between_the_floor_and_itself() {
        let prior = Prior { weights: array![[1.0, 0.0, 0.25], [1.0, 1.0, 0.5]], floor: 0.2 };
        let found = prior.apply(&edges());
        let expected = array![[0.0, 0.8 * 0.2, 0.6 * 0.4], [0.5, 0.0, 0.4 * 0.6]];
        assert!((&found.importance - &expected).iter().all(|off| off.abs() < 1e-15));
        assert_eq!(EdgeMatrix { importance: edges().importance, ..found }, edges());
    }

    #[test]
    fn full_support_changes_nothing_and_no_support_changes_no_order() {
        let of = |weight: f64| {
            Prior { weights: Array2::from_elem((2, 3), weight), floor: Prior::FLOOR }
                .apply(&edges())
        };
        assert_eq!(of(1.0), edges());
        assert_eq!(of(0.0).importance, edges().importance * Prior::FLOOR);
    }

    #[test]
    fn strong_evidence_overrules_a_missing_motif_unless_the_floor_is_zero() {
        let weights = array![[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]];
        let mut strong = edges();
        strong.importance[[0, 1]] = 8.0;
        let of = |floor: f64| Prior { weights: weights.clone(), floor }.apply(&strong).importance;
        assert!(of(0.5)[[0, 1]] > of(0.5)[[0, 2]]);
        assert!(of(0.0)[[0, 1]] < of(0.0)[[0, 2]]);
    }
}
