//! The command `trends`: expression of genes along trajectories.

mod options;
mod run;

pub use options::TrendOptions;
pub use run::{TrendTables, trends};
