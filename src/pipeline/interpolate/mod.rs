//! The command `interpolate`: the population at any times of a course.

mod options;
mod run;
mod schedule;
mod write;

pub use options::{Dynamics, InterpolateOptions};
pub use run::interpolate;
pub use schedule::{diffusion_of, read_diffusion};
pub use write::write_populations;
