//! GENES ON GENES: regulatory edges from a fitted bridge.

mod edges;
mod jacobian;

pub use edges::{Edge, EdgeRanking, pull_back, spreads};
pub use jacobian::{LOCAL_TIMES, path_jacobian};
