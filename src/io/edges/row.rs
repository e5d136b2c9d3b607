//! Edge lists as tables, in the columns of sbcell and of other tools.

use std::collections::BTreeSet;

use crate::io::table::{Cells, Table};

/// One row of an edge list.
///
/// ```
/// use sbcell::io::edges::{EdgeDialect, EdgeRow, table};
/// let edge = EdgeRow {
///     regulator: "Sox2".into(),
///     target: "Nanog".into(),
///     importance: 0.5,
///     activates: false,
///     ..EdgeRow::default()
/// };
/// assert_eq!(edge.sign(), -1);
/// assert_eq!(table(&[edge], EdgeDialect::Decoupler).names(), ["source", "target", "weight"]);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct EdgeRow {
    /// Name of the regulator.
    pub regulator: String,
    /// Name of the target.
    pub target: String,
    /// Rank weight, not negative; its scale depends on the estimator.
    pub importance: f64,
    /// Whether the edge is an activation (true) or an inhibition (false).
    pub activates: bool,
    /// Signed effect: expression of the target per unit of time for one unit more of the regulator.
    pub effect: f64,
    /// Probability that the edge is true, calibrated on simulated courses; NaN if the estimator has no
    /// calibration or nothing was shuffled.
    pub confidence: f64,
    /// Probability that the edge has this direction rather than the reverse one, if it is one-way; NaN
    /// without a calibration.
    pub direction: f64,
    /// Share of resamples in which the edge is found again with the same sign; NaN without resamples.
    pub stability: f64,
    /// P-value of the order of times: how often permuted times give as much importance; NaN without
    /// permutations. It does not test that the edge is true.
    pub p_time: f64,
    /// The p-values `p_time`, adjusted by Benjamini and Hochberg within group and interval; NaN without
    /// permutations.
    pub q_time: f64,
    /// Mean time from the earlier to the later cells; NaN where none are compared.
    pub lag: f64,
    /// First time of the cells from which the edge was estimated.
    pub from: f64,
    /// Last time of these cells.
    pub to: f64,
    /// Group of these cells; empty for all cells.
    pub group: String,
    /// Weight of the pair in the prior network, 0 to 1; NaN without one.
    pub prior: f64,
    /// Importance without the prior network; NaN without one.
    pub unaided: f64,
}

/// An activation without names and importance, whose other numbers are missing (NaN).
impl Default for EdgeRow {
    fn default() -> Self {
        Self {
            regulator: String::new(),
            target: String::new(),
            importance: 0.0,
            activates: true,
            effect: f64::NAN,
            confidence: f64::NAN,
            direction: f64::NAN,
            stability: f64::NAN,
            p_time: f64::NAN,
            q_time: f64::NAN,
            lag: f64::NAN,
            from: f64::NAN,
            to: f64::NAN,
            group: String::new(),
            prior: f64::NAN,
            unaided: f64::NAN,
        }
    }
}

impl EdgeRow {
    /// Sign of the edge: 1 for activation, −1 for inhibition.
    pub fn sign(&self) -> i64 {
        if self.activates { 1 } else { -1 }
    }

    /// Importance with the sign of the edge.
    fn signed(&self) -> f64 {
        if self.activates { self.importance } else { -self.importance }
    }
}

/// Columns of an edge list: those of sbcell or of another tool.
///
/// ```
/// use sbcell::io::edges::{EdgeDialect, EdgeRow, table};
/// let columns = table(&[EdgeRow::default()], EdgeDialect::Beeline).names();
/// assert_eq!(columns, ["Gene1", "Gene2", "EdgeWeight"]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EdgeDialect {
    /// sbcell: `TF,target,importance,sign,effect,confidence,direction,stability,p_time,q_time,lag,t0,t1,group,prior,
    /// importance_unaided`.
    Sbcell,
    /// GRNBoost2 and pySCENIC: `TF,target,importance`.
    Grnboost2,
    /// `rankedEdges.csv` of BEELINE: `Gene1,Gene2,EdgeWeight`, separated by tabs.
    Beeline,
    /// decoupler and geneRNIB: `source,target,weight`, with signed weights.
    Decoupler,
    /// Links of CellOracle: `source,target,coef_mean,coef_abs,p,-logp`, with effects as coefficients.
    CellOracle,
}

/// The table of `edges` with the columns of `dialect`.
///
/// The columns of other tools contain no groups and times. For them, an edge that occurs several times
/// is written once, with its largest importance.
pub fn table(edges: &[EdgeRow], dialect: EdgeDialect) -> Table {
    let kept: Vec<&EdgeRow> = match dialect {
        EdgeDialect::Sbcell => edges.iter().collect(),
        _ => strongest(edges),
    };
    let texts = |name: fn(&EdgeRow) -> &String| {
        Cells::Texts(kept.iter().map(|edge| name(edge).clone()).collect())
    };
    let floats =
        |value: fn(&EdgeRow) -> f64| Cells::Floats(kept.iter().map(|edge| value(edge)).collect());
    let regulators = texts(|edge| &edge.regulator);
    let targets = texts(|edge| &edge.target);
    let importance = floats(|edge| edge.importance);
    match dialect {
        EdgeDialect::Sbcell => Table::default()
            .with("TF", regulators)
            .with("target", targets)
            .with("importance", importance)
            .with("sign", Cells::Integers(kept.iter().map(|edge| edge.sign()).collect()))
            .with("effect", floats(|edge| edge.effect))
            .with("confidence", floats(|edge| edge.confidence))
            .with("direction", floats(|edge| edge.direction))
            .with("stability", floats(|edge| edge.stability))
            .with("p_time", floats(|edge| edge.p_time))
            .with("q_time", floats(|edge| edge.q_time))
            .with("lag", floats(|edge| edge.lag))
            .with("t0", floats(|edge| edge.from))
            .with("t1", floats(|edge| edge.to))
            .with("group", texts(|edge| &edge.group))
            .with("prior", floats(|edge| edge.prior))
            .with("importance_unaided", floats(|edge| edge.unaided)),
        EdgeDialect::Grnboost2 => Table::default()
            .with("TF", regulators)
            .with("target", targets)
            .with("importance", importance),
        EdgeDialect::Beeline => Table::default()
            .with("Gene1", regulators)
            .with("Gene2", targets)
            .with("EdgeWeight", importance),
        EdgeDialect::Decoupler => Table::default()
            .with("source", regulators)
            .with("target", targets)
            .with("weight", floats(EdgeRow::signed)),
        EdgeDialect::CellOracle => Table::default()
            .with("source", regulators)
            .with("target", targets)
            .with("coef_mean", floats(|edge| edge.effect))
            .with("coef_abs", floats(|edge| edge.effect.abs()))
            .with("p", floats(|edge| edge.p_time))
            .with("-logp", floats(|edge| -edge.p_time.log10())),
    }
}

/// Each pair of genes once, with its most important edge, sorted by importance.
fn strongest(edges: &[EdgeRow]) -> Vec<&EdgeRow> {
    let mut sorted: Vec<&EdgeRow> = edges.iter().collect();
    sorted.sort_by(|a, b| b.importance.total_cmp(&a.importance));
    let mut seen = BTreeSet::new();
    sorted.retain(|edge| seen.insert((&edge.regulator, &edge.target)));
    sorted
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::io::edges) fn edge(importance: f64, group: &str) -> EdgeRow {
        EdgeRow {
            regulator: "Sox2".into(),
            target: "Pou5f1".into(),
            importance,
            activates: false,
            effect: -0.5,
            stability: 0.9,
            confidence: 0.7,
            direction: 0.8,
            p_time: 0.01,
            q_time: 0.05,
            lag: 12.0,
            from: 0.0,
            to: 96.0,
            group: group.into(),
            prior: 1.0,
            unaided: importance,
        }
    }

    #[test]
    fn each_dialect_has_its_columns() {
        let edges = [edge(1.0, "a"), edge(2.0, "b")];
        let ours = table(&edges, EdgeDialect::Sbcell);
        let columns = "TF,target,importance,sign,effect,confidence,direction,stability,p_time,q_time,lag,t0,t1,\
                       group,prior,importance_unaided";
        assert_eq!((ours.names().join(",").as_str(), ours.n_rows()), (columns, 2));
        for (dialect, columns) in [
            (EdgeDialect::Grnboost2, "TF,target,importance"),
            (EdgeDialect::Beeline, "Gene1,Gene2,EdgeWeight"),
            (EdgeDialect::Decoupler, "source,target,weight"),
            (EdgeDialect::CellOracle, "source,target,coef_mean,coef_abs,p,-logp"),
        ] {
            let theirs = table(&edges, dialect);
            assert_eq!((theirs.names().join(",").as_str(), theirs.n_rows()), (columns, 1));
        }
        let decoupler = table(&edges, EdgeDialect::Decoupler);
        assert_eq!(decoupler.column("weight"), Some(&Cells::Floats(vec![-2.0])));
        let oracle = table(&edges, EdgeDialect::CellOracle);
        assert_eq!(oracle.column("-logp"), Some(&Cells::Floats(vec![2.0])));
        assert_eq!(oracle.column("coef_mean"), Some(&Cells::Floats(vec![-0.5])));
        assert_eq!(oracle.column("coef_abs"), Some(&Cells::Floats(vec![0.5])));
    }
}
