//! WHAT IT COSTS TO MOVE A CELL: costs, and the noise level ε with its one convention.

mod cost;
mod epsilon;

pub use cost::{Cost, SquaredEuclidean};
pub use epsilon::Epsilon;
