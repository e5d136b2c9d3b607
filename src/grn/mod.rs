//! GENES ON GENES: regulatory edges from a fitted bridge.

mod edges;
mod jacobian;
mod slope;

#[cfg(test)]
mod known;

pub use edges::{Edge, EdgeRanking, pull_back, spreads};
pub use jacobian::{LOCAL_TIMES, path_jacobian};
pub use slope::{RIDGE, drift_slope};
