//! `--solver auto`: splines chosen by holding out times, which takes more than a bridge: a course.

mod description;
mod solver;

pub(super) use description::AUTO;
pub use solver::AutoSolver;
