//! CELLS AS MEASURED: the matrix, its columns of annotation, and snapshots in time.

mod blocks;
mod column;
mod filter;
mod growth;
mod matrix;
mod naming;
mod snapshot;
pub mod time;

pub use blocks::{BLOCK_CELLS, CellBlocks, SeeCells, SeeValues, StoredValues, blocks_of};
pub use column::Column;
pub use filter::ObsFilter;
pub use growth::{GrowthScale, GrowthUnit, grown, posterior_rates};
pub use matrix::Matrix;
pub use naming::Naming;
pub use snapshot::{Snapshot, TimePoint, TimeSeries};
