//! The command `grn-score`: how well an edge list finds the edges of a known network.

mod options;
mod run;
mod write;

pub use options::{Candidates, GrnScoreOptions};
pub use run::{GrnScore, grn_score};
pub use write::write_scores;
