//! Options of `grn-score`.

/// The pairs of genes that count as possible edges. Self-edges never count.
///
/// ```
/// use sbcell::pipeline::{Candidates, GrnScoreOptions};
///
/// let candidates = Some(Candidates::Regulators);
/// let options = GrnScoreOptions::default().with_candidates(candidates);
/// assert!(options.genes.is_none() && !options.measured);
/// ```
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

/// Parameters of [`grn_score`](crate::pipeline::grn_score()). See there for an example.
#[derive(Debug, Clone, Default, PartialEq, derive_setters::Setters)]
#[setters(prefix = "with_")]
#[non_exhaustive]
pub struct GrnScoreOptions {
    /// The possible edges. If `None`, they are the listed pairs of a network that says which of its pairs are
    /// edges, and all pairs otherwise.
    pub candidates: Option<Candidates>,
    /// The genes that count; all genes of the known network if `None`.
    pub genes: Option<Vec<String>>,
    /// Whether to leave out genes that the edge list does not name.
    pub measured: bool,
}

impl GrnScoreOptions {
    /// The options as they are written into a run record.
    pub(super) fn recorded(&self) -> serde_json::Value {
        let Self { candidates, genes, measured } = self;
        let candidates = candidates.map(|candidates| format!("{candidates:?}").to_lowercase());
        serde_json::json!({ "candidates": candidates, "genes": genes, "measured": measured })
    }
}
