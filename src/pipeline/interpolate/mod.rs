//! The command `interpolate`: the population at any times of a course.

mod options;
mod run;
mod write;

pub use options::{Dynamics, InterpolateOptions};
pub use run::interpolate;
pub use write::write_populations;
