//! The matrix of edges from regulators to genes, and sums of scores of several estimates.

use ndarray::{Array2, ShapeError};
use serde::{Deserialize, Serialize};

use crate::grn::expression::Expression;
use crate::share::Numbers;

/// Edges from each of R regulators to each of G genes.
///
/// ```
/// use ndarray::array;
/// use sbcell::grn::EdgeMatrix;
/// // Gene 0 is the regulator; it correlates negatively with gene 1.
/// let edges = EdgeMatrix::of_correlations(array![[1.0, -0.8]], &[0]);
/// assert_eq!((edges.importance[[0, 1]], edges.evidence[[0, 1]]), (0.8, -0.8));
/// assert_eq!(edges.importance[[0, 0]], 0.0);
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(into = "PlainEdges", try_from = "PlainEdges")]
pub struct EdgeMatrix {
    /// Rank weight of each edge, `(R, G)`, not negative; 0 from a gene to itself. Its scale depends
    /// on the estimator.
    pub importance: Array2<f64>,
    /// Evidence for activation minus evidence for inhibition, `(R, G)`. Its sign is the sign of the
    /// edge.
    pub evidence: Array2<f64>,
    /// Standard deviation of the regulator's contribution to the target over the lag, `(R, G)`, in
    /// standard deviations of the target. Not negative; NaN where the estimator has none.
    pub strength: Array2<f64>,
    /// Mean time from earlier to later cells, in the unit of the course; NaN if none are compared.
    pub lag: f64,
}

/// An [`EdgeMatrix`] as lists. Numbers that are not finite are NaN again.
#[derive(Serialize, Deserialize)]
struct PlainEdges {
    shape: [usize; 2],
    importance: Numbers,
    evidence: Numbers,
    strength: Numbers,
    lag: Numbers,
}

impl From<EdgeMatrix> for PlainEdges {
    fn from(edges: EdgeMatrix) -> Self {
        let (rows, columns) = edges.importance.dim();
        Self {
            shape: [rows, columns],
            importance: edges.importance.into_iter().collect(),
            evidence: edges.evidence.into_iter().collect(),
            strength: edges.strength.into_iter().collect(),
            lag: std::iter::once(edges.lag).collect(),
        }
    }
}

impl TryFrom<PlainEdges> for EdgeMatrix {
    type Error = ShapeError;

    fn try_from(plain: PlainEdges) -> Result<Self, ShapeError> {
        let matrix =
            |values: Numbers| Array2::from_shape_vec(plain.shape, values.into_iter().collect());
        Ok(Self {
            importance: matrix(plain.importance)?,
            evidence: matrix(plain.evidence)?,
            strength: matrix(plain.strength)?,
            lag: plain.lag.into_iter().next().unwrap_or(f64::NAN),
        })
    }
}

impl EdgeMatrix {
    /// Edges from plain correlations `(R, G)`, the baseline of other estimators. Importance is the
    /// absolute correlation; there is no strength and no lag. See
    /// [`correlations`](crate::grn::correlations).
    pub fn of_correlations(plain: Array2<f64>, regulators: &[usize]) -> Self {
        let nothing = plain.mapv(|_| f64::NAN);
        let found = Self {
            importance: plain.mapv(f64::abs),
            evidence: plain,
            strength: nothing,
            lag: f64::NAN,
        };
        without_self_edges(found, regulators)
    }

    /// The effect of each edge, `(R, G)`: expression of the target per unit of time for one unit more of the
    /// regulator, with the sign of the evidence. It is `strength · sd_target / (sd_regulator · lag)`, with the
    /// standard deviations of the cells of `expression`. NaN without a strength, and for a regulator that does not
    /// vary.
    pub(crate) fn effects(&self, expression: &Expression) -> Array2<f64> {
        let (spread, regulators) = (expression.spread(), expression.regulators());
        Array2::from_shape_fn(self.strength.raw_dim(), |(r, g)| {
            let size = self.strength[[r, g]] * spread[g] / (spread[regulators[r]] * self.lag);
            if self.evidence[[r, g]] >= 0.0 { size } else { -size }
        })
    }
}

/// Sum of the scores of several regressions, and the number of summands. Before summing, the columns
/// of each regression are scaled to be comparable.
pub(super) struct Gathered {
    pub(super) importance: Array2<f64>,
    pub(super) evidence: Array2<f64>,
    pub(super) strength: Array2<f64>,
    pub(super) lag: f64,
    pub(super) count: f64,
}

impl Gathered {
    pub(super) fn zeros(shape: (usize, usize)) -> Self {
        let zeros = Array2::zeros(shape);
        Self {
            importance: zeros.clone(),
            evidence: zeros.clone(),
            strength: zeros,
            lag: 0.0,
            count: 0.0,
        }
    }

    /// The means over the summands, with `plain_signs` added to the evidence.
    pub(super) fn finish(self, plain_signs: &Array2<f64>) -> EdgeMatrix {
        let Self { importance, evidence, strength, lag, count } = self;
        let share = 1.0 / count.max(1.0);
        EdgeMatrix {
            importance: importance * share,
            evidence: evidence * share + plain_signs,
            strength,
            lag,
        }
    }
}

/// −1, 0 or 1, unlike `signum`, which has no 0.
pub(super) fn sign(value: f64) -> f64 {
    if value == 0.0 { 0.0 } else { value.signum() }
}

/// Columns divided by their Euclidean lengths; a column of zeros stays.
pub(super) fn unit_columns(mut scores: Array2<f64>) -> Array2<f64> {
    for mut column in scores.columns_mut() {
        let length = column.dot(&column).sqrt();
        if length > 0.0 {
            column /= length;
        }
    }
    scores
}

/// Sets the scores of each regulator on itself to 0.
pub(super) fn silence_self(scores: &mut Array2<f64>, regulators: &[usize]) {
    regulators.iter().enumerate().for_each(|(r, &gene)| scores[[r, gene]] = 0.0);
}

/// `found` with the importance of each regulator for itself set to 0.
pub(super) fn without_self_edges(mut found: EdgeMatrix, regulators: &[usize]) -> EdgeMatrix {
    silence_self(&mut found.importance, regulators);
    found
}
