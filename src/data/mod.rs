//! CELLS AS MEASURED: the matrix of expression, columns of annotation, and snapshots in time.
//!
//! - [`Matrix`] has the values of cells × genes, [`CellBlocks`] gives them block by block.
//! - [`Column`] is a column of `obs`, [`ObsFilter`] a condition on it, [`time`] reads it as times.
//! - [`Snapshot`] and [`TimeSeries`] have the cells as points; solvers start from them.
//! - [`grown`] changes the weights of a snapshot by growth rates.

mod blocks;
mod column;
mod filter;
mod gene_index;
mod growth;
mod matrix;
mod naming;
mod snapshot;
pub mod time;

pub(crate) use blocks::blocks_of;
pub use blocks::{BLOCK_CELLS, CellBlocks, SeeCells, SeeValues, StoredValues};
pub use column::Column;
pub(crate) use column::shortest_of_single;
pub use filter::ObsFilter;
pub(crate) use gene_index::{GeneIndex, count_folded};
pub(crate) use growth::posterior_rates;
pub use growth::{GrowthScale, GrowthUnit, grown};
pub use matrix::Matrix;
pub(crate) use naming::Naming;
pub use snapshot::{Snapshot, TimePoint, TimeSeries};

#[doc(inline)]
pub use crate::linalg::Csr;
