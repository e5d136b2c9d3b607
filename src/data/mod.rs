//! CELLS AS MEASURED: the matrix, its columns of annotation, and snapshots in time.

mod blocks;
mod column;
mod filter;
mod gene_index;
mod growth;
mod matrix;
mod naming;
mod snapshot;
pub mod time;

pub use blocks::{BLOCK_CELLS, CellBlocks, SeeCells, SeeValues, StoredValues, blocks_of};
pub use column::{Column, shortest_of_single};
pub use filter::ObsFilter;
pub use gene_index::{GeneIndex, GenePlace, count_folded};
pub use growth::{GrowthScale, GrowthUnit, grown, posterior_rates};
pub use matrix::Matrix;
pub use naming::Naming;
pub use snapshot::{Snapshot, TimePoint, TimeSeries};
