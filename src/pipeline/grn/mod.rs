//! The command `grn`: ranked regulatory edges with their stability and p-values.

mod expression;
mod jacobian;
mod options;
mod parts;
mod replicate;
mod run;
mod search;
mod write;

pub use options::{EdgeSource, GrnOptions, Regulators};
pub use run::{FoundEdges, Overlap, grn};
pub use write::{EdgeFormat, draw_found_edges, picture_of, write_edges};
