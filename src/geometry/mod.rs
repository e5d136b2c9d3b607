//! WHAT IT COSTS TO MOVE A CELL: costs, neighbours and graphs, and the noise level ε with its one
//! convention.

mod cost;
mod epsilon;
mod graph;
mod ground;
mod heat;
mod heat_cost;
mod nearest;
mod neighbours;
mod projection;
mod shortest_paths;
mod stored;

pub use cost::{Cost, SquaredEuclidean};
pub use epsilon::Epsilon;
pub use graph::{Link, NeighbourGraph};
pub use ground::{CostChoice, CostKind, Ground};
pub use heat::HeatKernel;
pub use heat_cost::heat_cost;
pub use nearest::nearest_rows;
pub(crate) use neighbours::Lanes;
pub use neighbours::{Neighbours, neighbours};
pub use projection::Projection;
pub use shortest_paths::path_cost;
pub use stored::StoredCost;
