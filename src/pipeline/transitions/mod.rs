//! The command `transitions`: how much of which group becomes which.

mod options;
mod run;

pub use options::TransitionOptions;
pub use run::{FoundTransitions, ShownRow, ShownTransitions, transitions};
