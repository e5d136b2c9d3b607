//! WHAT IT COSTS TO MOVE A CELL: the noise level ε and its one convention.

mod epsilon;

pub use epsilon::Epsilon;
