//! The command `fates`: the terminal states that the descendants of each cell reach.

mod ends;
mod options;
mod run;
mod summary;
mod terminal_auto;

pub use options::{FateOptions, TerminalGroup};
pub(super) use run::of_course;
pub use run::{FateTables, fates};
pub use summary::FateSummary;
