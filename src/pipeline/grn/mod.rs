//! The command `grn`: ranked regulatory edges with their stability and p-values.

mod estimate;
mod expression;
mod jacobian;
mod options;
mod parts;
mod perturbed;
mod prior;
mod replicate;
mod run;
mod search;
mod write;

pub(super) use estimate::{Effort, estimate, growth_of, is_slow, points_of};
pub(super) use expression::Measured;
pub use options::{EdgeSource, GrnOptions, Regulators};
pub(super) use parts::FEWEST_CELLS;
pub use run::{FoundEdges, Overlap, grn};
pub use write::{
    EdgeFormat, draw_found_edges, draw_found_heatmap, draw_found_network, picture_of, write_edges,
};
