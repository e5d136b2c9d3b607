//! The solver `auto`: one of several ways between the snapshots, chosen by holding out inner times.

mod description;
mod solver;

pub(super) use description::AUTO;
pub use solver::{AutoSolver, AutoWay};
