//! An edge list and a known network → how well the one finds the other.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::error::{Error, Result};
use crate::io::edges::{self, ReadEdge, ReadEdges};
use crate::io::table::{self, Table, TableFormat};
use crate::metrics::{Candidate, EdgeScores};
use crate::pipeline::output::write_recorded_without_model;

/// Which pairs of genes could be an edge. Self-edges never.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum Candidates {
    /// All ordered pairs of genes of the known network, as for BEELINE's simulated data.
    #[default]
    All,
    /// Pairs whose regulator has a target in the known network, as for BEELINE's real data.
    Regulators,
    /// Pairs that the known network lists; a column says which of them are edges.
    Listed,
}

/// What `grn-score` can be told.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct GrnScoreOptions {
    /// Which pairs are candidates; by what the known network lists if `None`.
    pub candidates: Option<Candidates>,
    /// Genes that count; all of the known network if `None`.
    pub genes: Option<Vec<String>>,
    /// Leave out genes that no edge list names.
    pub measured: bool,
}

impl GrnScoreOptions {
    /// The options as they go into a run record.
    fn recorded(&self) -> serde_json::Value {
        let Self { candidates, genes, measured } = self;
        let candidates = candidates.map(|candidates| format!("{candidates:?}").to_lowercase());
        serde_json::json!({ "candidates": candidates, "genes": genes, "measured": measured })
    }
}

/// Writes a table of scores against the network `truth`, and its run record.
///
/// # Errors
/// [`crate::Error::Io`] if a file cannot be written.
pub fn write_scores(
    out: &Path,
    table: &Table,
    format: TableFormat,
    truth: &Path,
    options: &GrnScoreOptions,
) -> Result<()> {
    write_recorded_without_model(out, "grn-score", truth, &options.recorded(), |out| {
        table::write(out, table, format)
    })
}

/// The scores of an edge list, and what they were computed on.
#[derive(Debug, Clone, PartialEq)]
pub struct GrnScore {
    /// The scores.
    pub scores: EdgeScores,
    /// Which pairs were candidates.
    pub candidates: Candidates,
    /// Genes of the known network that take part, and how many of them the edge list names.
    pub genes: (usize, usize),
    /// Lines of the edge list that are not among the candidates.
    pub n_outside: usize,
}

/// Scores the edge list in `predicted` against the network in `truth`.
///
/// A pair that is listed several times (by group or by time) counts once, with its greatest
/// importance. Candidates that the edge list does not name have importance 0. Time `O(E log E)` for E
/// lines of both files, memory `O(E)`: pairs of genes that neither names are only counted.
///
/// # Errors
/// As [`edges::read`]; [`Error::Unreadable`] naming both sides if no gene of the network is in
/// the edge list; [`Error::Parameter`] if listed candidates are asked of a network that does not
/// say which pairs were tested.
pub fn grn_score(predicted: &Path, truth: &Path, options: &GrnScoreOptions) -> Result<GrnScore> {
    let (list, network) = (edges::read(predicted)?, edges::read(truth)?);
    let named = genes_of(&list);
    let mut genes = genes_of(&network);
    if let Some(wanted) = &options.genes {
        let wanted: BTreeSet<&str> = wanted.iter().map(String::as_str).collect();
        genes.retain(|gene| wanted.contains(gene));
    }
    let n_named = genes.intersection(&named).count();
    if n_named == 0 {
        return Err(strangers(predicted, &named, &genes));
    }
    if options.measured {
        genes.retain(|gene| named.contains(gene));
    }
    let by_default = if network.tested { Candidates::Listed } else { Candidates::All };
    let candidates = options.candidates.unwrap_or(by_default);
    if candidates == Candidates::Listed && !network.tested {
        return Err(Error::Parameter {
            name: "candidates",
            must: "all or regulators for a network without a column `edge` of 0 and 1",
            got: "listed".into(),
        });
    }
    let asked = Asked::of(candidates, &network, &genes);
    let best = strongest(&list);
    let mut scored = Vec::new();
    for (pair, true_edge) in &asked.listed {
        let edge = best.get(pair);
        scored.push(Candidate {
            importance: edge.map_or(0.0, |edge| edge.importance),
            sign: edge.map_or(0, |edge| edge.sign),
            present: true_edge.is_some(),
            true_sign: true_edge.map_or(0, |edge| edge.sign),
        });
    }
    for (pair, edge) in &best {
        if asked.holds(*pair) && !asked.listed.contains_key(pair) {
            let (importance, sign) = (edge.importance, edge.sign);
            scored.push(Candidate { importance, sign, present: false, true_sign: 0 });
        }
    }
    let n_rest = asked.n_pairs - scored.len();
    let outside = list.edges.iter().filter(|edge| !asked.holds(pair_of(edge)));
    Ok(GrnScore {
        scores: EdgeScores::with_rest(&scored, n_rest),
        candidates,
        genes: (genes.len(), genes.intersection(&named).count()),
        n_outside: outside.count(),
    })
}

type Pair<'a> = (&'a str, &'a str);

fn pair_of(edge: &ReadEdge) -> Pair<'_> {
    (&edge.regulator, &edge.target)
}

fn genes_of(list: &ReadEdges) -> BTreeSet<&str> {
    list.edges.iter().flat_map(|edge| [&*edge.regulator, &*edge.target]).collect()
}

/// The candidates: those that the network lists one by one, all others as a rule, for there are as many
/// as pairs of genes.
struct Asked<'a> {
    /// Pairs of the network, with the edge there, if there is one.
    listed: BTreeMap<Pair<'a>, Option<&'a ReadEdge>>,
    /// Genes whose pairs with every target are candidates; nobody where only listed pairs are.
    regulators: BTreeSet<&'a str>,
    targets: BTreeSet<&'a str>,
    /// Number of candidates.
    n_pairs: usize,
}

impl<'a> Asked<'a> {
    fn of(candidates: Candidates, network: &'a ReadEdges, genes: &BTreeSet<&'a str>) -> Self {
        let present = || network.edges.iter().filter(|edge| edge.present);
        let mut regulators = match candidates {
            Candidates::Listed => BTreeSet::new(),
            Candidates::All => genes.clone(),
            Candidates::Regulators => present().map(|edge| &*edge.regulator).collect(),
        };
        regulators.retain(|gene| genes.contains(gene));
        let targets = genes.clone();
        // Of each regulator every gene but itself.
        let n_pairs = regulators.len() * targets.len().saturating_sub(1);
        let mut asked = Self { listed: BTreeMap::new(), regulators, targets, n_pairs };
        let is_pair =
            |pair: &Pair<'_>| pair.0 != pair.1 && genes.contains(pair.0) && genes.contains(pair.1);
        if candidates == Candidates::Listed {
            let pairs = network.edges.iter().map(pair_of).filter(is_pair);
            asked.listed = pairs.map(|pair| (pair, None)).collect();
            asked.n_pairs = asked.listed.len();
        }
        for edge in present() {
            let pair = pair_of(edge);
            if asked.holds(pair) {
                asked.listed.entry(pair).or_insert(None).get_or_insert(edge);
            }
        }
        asked
    }

    fn holds(&self, pair: Pair<'_>) -> bool {
        let by_rule =
            pair.0 != pair.1 && self.regulators.contains(pair.0) && self.targets.contains(pair.1);
        by_rule || self.listed.contains_key(&pair)
    }
}

fn strongest(list: &ReadEdges) -> BTreeMap<Pair<'_>, &ReadEdge> {
    let mut best: BTreeMap<Pair<'_>, &ReadEdge> = BTreeMap::new();
    for edge in &list.edges {
        let place = best.entry(pair_of(edge)).or_insert(edge);
        if place.importance < edge.importance {
            *place = edge;
        }
    }
    best
}

fn strangers(predicted: &Path, named: &BTreeSet<&str>, genes: &BTreeSet<&str>) -> Error {
    let five =
        |names: &BTreeSet<&str>| names.iter().take(5).copied().collect::<Vec<_>>().join(", ");
    Error::Unreadable {
        path: predicted.to_path_buf(),
        problem: format!(
            "it names {} genes ({}, …), the network {} ({}, …), and they share none",
            named.len(),
            five(named),
            genes.len(),
            five(genes)
        ),
        way_out: Some("bring both to the same names and the same case".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn score(edges: &str, truth: &str, options: &GrnScoreOptions) -> Result<GrnScore> {
        let folder = tempfile::tempdir().unwrap();
        let (list, network) = (folder.path().join("e.csv"), folder.path().join("t.csv"));
        std::fs::write(&list, edges).unwrap();
        std::fs::write(&network, truth).unwrap();
        grn_score(&list, &network, options)
    }

    const EDGES: &str =
        "TF,target,importance,sign\na,b,3,1\na,b,1,-1\na,a,9,1\nb,a,2,-1\nx,y,5,1\n";

    #[test]
    fn candidates_are_what_was_asked_for() {
        let truth = "Gene1,Gene2,Type\na,b,+\na,a,+\na,c,-\n";
        let all = score(EDGES, truth, &GrnScoreOptions::default()).unwrap();
        // Six ordered pairs of a, b, c; two edges, the self-edge left out.
        assert_eq!((all.scores.n_candidates, all.scores.n_present), (6, 2));
        assert_eq!((all.genes, all.n_outside), ((3, 2), 2));
        assert!((all.scores.sign_accuracy - 1.0).abs() < 1e-12);
        let regulators =
            GrnScoreOptions { candidates: Some(Candidates::Regulators), ..Default::default() };
        assert_eq!(score(EDGES, truth, &regulators).unwrap().scores.n_candidates, 2);
        let measured = GrnScoreOptions { measured: true, ..Default::default() };
        assert_eq!(score(EDGES, truth, &measured).unwrap().scores.n_candidates, 2);
        let genes = GrnScoreOptions { genes: Some(vec!["a".into(), "c".into()]), ..all_default() };
        assert_eq!(score(EDGES, truth, &genes).unwrap().scores.n_candidates, 2);
    }

    fn all_default() -> GrnScoreOptions {
        GrnScoreOptions::default()
    }

    #[test]
    fn tested_pairs_are_the_candidates_of_a_network_that_lists_them() {
        let truth = "regulator,target,edge\na,b,1\nb,a,0\na,c,0\n";
        let listed = score(EDGES, truth, &GrnScoreOptions::default()).unwrap();
        assert_eq!(listed.candidates, Candidates::Listed);
        assert_eq!((listed.scores.n_candidates, listed.scores.n_present), (3, 1));
        assert!((listed.scores.auroc - 1.0).abs() < 1e-12);
        let options =
            GrnScoreOptions { candidates: Some(Candidates::Listed), ..Default::default() };
        let error = score(EDGES, "TF,target\na,b\n", &options).unwrap_err();
        assert!(error.to_string().contains("`edge`"));
    }

    #[test]
    fn names_that_do_not_meet_are_shown() {
        let truth = "Gene1,Gene2\nA,B\n";
        let error = score(EDGES, truth, &GrnScoreOptions::default()).unwrap_err().to_string();
        assert!(error.contains("a, b, x, y") && error.contains("A, B"), "{error}");
    }

    #[test]
    fn the_strongest_of_a_pair_counts_wherever_it_stands_and_pairs_beyond_the_genes_do_not() {
        let truth = "Gene1,Gene2\na,b\nb,c\n";
        let ahead = |edges: &str| {
            let found = score(edges, truth, &GrnScoreOptions::default()).unwrap();
            found.scores.early_precision
        };
        // Edges of 5 and 4 before another of 3.
        for edges in ["a,b,5\na,b,1\nc,a,3\nb,c,4\n", "a,b,1\na,b,5\nc,a,3\nb,c,4\n"] {
            assert!((ahead(&format!("TF,target,importance\n{edges}")) - 1.0).abs() < 1e-12);
        }
        let genes = GrnScoreOptions { genes: Some(vec!["a".into(), "b".into()]), ..all_default() };
        let found = score("TF,target,importance\na,b,1\na,c,2\n", truth, &genes).unwrap();
        assert_eq!((found.scores.n_candidates, found.n_outside), (2, 1));
    }
}
