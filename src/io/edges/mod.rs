//! Edge lists: written in the columns of sbcell or of other tools, and read from the columns of any.

pub mod graphml;
mod read;
mod row;

pub use read::{ReadEdge, ReadEdges, read};
pub use row::{EdgeDialect, EdgeRow, table};
