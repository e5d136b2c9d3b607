//! Edge lists, in our columns and in those that other tools read.

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
    /// Signed effect.
    pub effect: f64,
}

/// Whose columns an edge list has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EdgeDialect {
    /// `TF,target,importance,sign,effect,t0,t1`.
    Sbcell,
    /// `TF,target,importance`, as GRNBoost2 and pySCENIC.
    Grnboost2,
    /// `Gene1,Gene2,EdgeWeight`, tab-separated, as BEELINE's `rankedEdges.csv`.
    Beeline,
    /// `source,target,weight`, signed, as decoupler and geneRNIB.
    Decoupler,
}

/// The table of `edges`, found between times `span`, in the columns of `dialect`.
pub fn table(edges: &[EdgeRow], span: (f64, f64), dialect: EdgeDialect) -> Table {
    let texts = |name: fn(&EdgeRow) -> &String| {
        Cells::Texts(edges.iter().map(|edge| name(edge).clone()).collect())
    };
    let floats = |value: &dyn Fn(&EdgeRow) -> f64| Cells::Floats(edges.iter().map(value).collect());
    let regulators = texts(|edge| &edge.regulator);
    let targets = texts(|edge| &edge.target);
    let importance = floats(&|edge| edge.importance);
    let sign = |edge: &EdgeRow| if edge.effect < 0.0 { -1.0 } else { 1.0 };
    match dialect {
        EdgeDialect::Sbcell => Table::default()
            .with("TF", regulators)
            .with("target", targets)
            .with("importance", importance)
            .with("sign", Cells::Integers(edges.iter().map(|edge| sign(edge) as i64).collect()))
            .with("effect", floats(&|edge| edge.effect))
            .with("t0", floats(&|_| span.0))
            .with("t1", floats(&|_| span.1)),
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
            .with("weight", floats(&|edge| sign(edge) * edge.importance)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_dialect_has_its_columns() {
        let edge = EdgeRow {
            regulator: "Sox2".into(),
            target: "Pou5f1".into(),
            importance: 2.0,
            effect: -0.5,
        };
        let names = |dialect| table(std::slice::from_ref(&edge), (0.0, 96.0), dialect).names();
        assert_eq!(
            names(EdgeDialect::Sbcell),
            ["TF", "target", "importance", "sign", "effect", "t0", "t1"]
        );
        assert_eq!(names(EdgeDialect::Grnboost2), ["TF", "target", "importance"]);
        assert_eq!(names(EdgeDialect::Beeline), ["Gene1", "Gene2", "EdgeWeight"]);
        let decoupler = table(&[edge], (0.0, 96.0), EdgeDialect::Decoupler);
        assert_eq!(decoupler.column("weight"), Some(&Cells::Floats(vec![-2.0])));
    }
}
