//! The command `trajectory`: ancestors and descendants of sets of cells, and single paths.

mod options;
mod paths;
mod run;
mod stepped;

pub use options::{Direction, PathScheme, TrajectoryOptions};
pub use run::{Trajectories, trajectory};
pub(super) use run::{chosen, steps};
