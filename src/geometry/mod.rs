//! COSTS BETWEEN CELLS: neighbours, graphs, geodesic distances, and the noise level ε.
//!
//! - [`Epsilon`] is the variance of the reference process, with the same meaning in all modules.
//! - [`CostChoice`] selects a cost; [`CostChoice::ground`] prepares it for all snapshots, and
//!   [`Ground::cost`] returns the [`Cost`] between two of them.
//! - [`neighbours()`] finds nearest neighbours, [`NeighbourGraph`] connects them.
//! - [`Projection`] shows velocities on an embedding.

mod arrows;
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
mod streamlines;

#[doc(hidden)]
pub use arrows::{ArrowGrid, GridArrow};
pub use cost::{Cost, SquaredEuclidean};
pub use epsilon::Epsilon;
pub use graph::{GraphLink, NeighbourGraph};
pub use ground::{CostChoice, CostKind, Ground};
#[doc(hidden)]
pub use heat::HeatKernel;
#[doc(hidden)]
pub use heat_cost::heat_cost;
pub(crate) use nearest::nearest_rows;
pub(crate) use neighbours::Lanes;
pub use neighbours::{Neighbours, neighbours, neighbours_among};
pub use projection::Projection;
#[doc(hidden)]
pub use shortest_paths::path_cost;
pub use stored::StoredCost;
#[doc(hidden)]
pub use streamlines::Streamlines;
