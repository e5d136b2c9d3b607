//! Scoring of fates by clones (`evaluate` with clones): predicted fates against those of late sisters.

mod nearest;
mod options;
mod run;
mod scored;
mod words;
mod write;

pub use options::CloneScoreOptions;
pub use run::{CloneScores, score_clones};
pub use scored::{ClonePredictor, CloneScore};
pub use write::{check_clone_output, clone_score_files, write_clone_scores};
