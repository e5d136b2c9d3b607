//! The solver `auto`: a mixture of splines, chosen by holding out the inner times of a course.

mod description;
mod solver;

pub(super) use description::AUTO;
pub use solver::AutoSolver;
