//! Edge lists, in our columns and in those that other tools read.

use std::collections::BTreeSet;

use crate::io::table::{Cells, Table};

/// One edge as it is written.
#[derive(Debug, Clone, PartialEq)]
pub struct EdgeRow {
    /// Name of the regulator.
    pub regulator: String,
    /// Name of the target.
    pub target: String,
    /// Rank weight, not negative.
    pub importance: f64,
    /// Activation (true) or inhibition.
    pub activates: bool,
    /// Signed effect: expression of the target per unit of time, for a unit more of the regulator.
    pub effect: f64,
    /// Share of resamples in which the edge is found again; NaN without resamples.
    pub stability: f64,
    /// Against permuted times; NaN without permutations.
    pub p_value: f64,
    /// Of Benjamini and Hochberg, within group and interval.
    pub q_value: f64,
    /// Mean time from the earlier to the later cells; NaN where none are compared.
    pub lag: f64,
    /// The times between which the edge was looked for.
    pub span: (f64, f64),
    /// The cells in which it was looked for; empty for all.
    pub group: String,
}

impl EdgeRow {
    /// 1 or −1.
    pub fn sign(&self) -> i64 {
        if self.activates { 1 } else { -1 }
    }

    fn signed(&self) -> f64 {
        if self.activates { self.importance } else { -self.importance }
    }
}

/// Whose columns an edge list has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EdgeDialect {
    /// `TF,target,importance,sign,effect,stability,pvalue,qvalue,lag,t0,t1,group`.
    Sbcell,
    /// `TF,target,importance`, as GRNBoost2 and pySCENIC.
    Grnboost2,
    /// `Gene1,Gene2,EdgeWeight`, tab-separated, as BEELINE's `rankedEdges.csv`.
    Beeline,
    /// `source,target,weight`, signed, as decoupler and geneRNIB.
    Decoupler,
    /// `source,target,coef_mean,coef_abs,p,-logp`, as the links of CellOracle: its coefficients are
    /// effects.
    CellOracle,
}

/// The table of `edges` in the columns of `dialect`.
///
/// Dialects other than ours know no groups: of an edge that is there several times they have the
/// most important.
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
            .with("stability", floats(|edge| edge.stability))
            .with("pvalue", floats(|edge| edge.p_value))
            .with("qvalue", floats(|edge| edge.q_value))
            .with("lag", floats(|edge| edge.lag))
            .with("t0", floats(|edge| edge.span.0))
            .with("t1", floats(|edge| edge.span.1))
            .with("group", texts(|edge| &edge.group)),
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
            .with("p", floats(|edge| edge.p_value))
            .with("-logp", floats(|edge| -edge.p_value.log10())),
    }
}

/// Every pair of genes once, the most important first.
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
            p_value: 0.01,
            q_value: 0.05,
            lag: 12.0,
            span: (0.0, 96.0),
            group: group.into(),
        }
    }

    #[test]
    fn each_dialect_has_its_columns() {
        let edges = [edge(1.0, "a"), edge(2.0, "b")];
        let ours = table(&edges, EdgeDialect::Sbcell);
        let columns = "TF,target,importance,sign,effect,stability,pvalue,qvalue,lag,t0,t1,group";
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
