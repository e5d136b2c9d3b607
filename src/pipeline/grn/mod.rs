//! Model → ranked regulatory edges, with how sure they are.

mod expression;
mod jacobian;
mod options;
mod replicate;
mod score;
mod search;

use crate::error::Result;
use crate::io::chart::Profiles;
use crate::io::edges::EdgeRow;
use crate::io::model::OpenModel;
use crate::pipeline::asked::with_genes_of_file;
use crate::progress::Progress;

pub use options::{EdgeSource, GrnOptions, Regulators};
pub use score::{Candidates, GrnScore, GrnScoreOptions, grn_score, write_scores};

/// Edges and what is to be said of them.
#[derive(Debug, Clone, PartialEq)]
pub struct FoundEdges {
    /// The edges by group, interval, then importance.
    pub rows: Vec<EdgeRow>,
    /// Plain correlation of regulator and target in the cells of each row; empty for edges of the
    /// fitted field.
    pub correlations: Vec<f64>,
    /// What the first edges have in common with those of plain correlation.
    pub overlap: Option<Overlap>,
    /// Mean expression of every gene at every time; nothing for edges of the fitted field.
    pub profiles: Option<Profiles>,
    /// Groups and intervals in which all edges are the same or no numbers.
    pub degenerate: Vec<String>,
}

/// The first edges of an estimate against those of plain correlation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Overlap {
    /// How many are first.
    pub first: usize,
    /// How many of them are also first by absolute correlation.
    pub shared: usize,
    /// How many would be by chance.
    pub by_chance: f64,
}

/// Regulatory edges of `model`.
///
/// # Errors
/// Those of the file the expression is read from; [`crate::Error::NoGenes`] if no regulator is
/// among the genes; the stop button.
pub fn grn(
    model: &OpenModel,
    options: &GrnOptions,
    progress: &mut dyn Progress,
) -> Result<FoundEdges> {
    options.check()?;
    if options.of_field() {
        let rows = jacobian::of_field(model, options, progress)
            .map_err(|error| with_genes_of_file(error, model, options.data.as_deref()))?;
        let degenerate = rows.iter().all(|edge| edge.importance == 0.0);
        let degenerate = if degenerate { vec!["all cells".into()] } else { Vec::new() };
        return Ok(FoundEdges {
            rows,
            correlations: Vec::new(),
            overlap: None,
            profiles: None,
            degenerate,
        });
    }
    search::search(model, options, progress)
}
