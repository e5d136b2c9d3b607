//! SPLINES: paired cells on curves that heed the neighbouring intervals, mixed over how they are paired.

mod bends;
mod couplings;
mod description;
mod noise;
mod solver;
mod woven;

pub use description::{MASS, SPLINE};
pub use solver::{Mass, Member, SplineSolver, Width};
