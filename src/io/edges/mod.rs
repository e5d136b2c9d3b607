//! Edge lists: written in our columns and in those that other tools read, and read back.

pub mod graphml;
mod read;
mod row;

pub use read::{ReadEdge, ReadEdges, read};
pub use row::{EdgeDialect, EdgeRow, table};
