//! CELLS AS MEASURED: the matrix, its columns of annotation, and snapshots in time.

mod column;
mod matrix;
mod snapshot;

pub use column::Column;
pub use matrix::Matrix;
pub use snapshot::{Snapshot, TimePoint, TimeSeries};
