//! SPLINES: paired cells on curves that heed the neighbouring intervals, mixed over how they are paired.

mod bends;
mod couplings;
mod noise;
mod solver;

pub use solver::{Mass, Member, SplineSolver, Width, Woven};
