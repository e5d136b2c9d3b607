//! CELLS OVER TIME: ancestors, descendants, fates and transitions, along the plans of a course.
//!
//! - [`Lineage`]: the plans between neighbouring snapshots, one after the other
//! - [`Groups`]: which cells belong together; [`Resampled`]: the same course with other weights
//! - [`trajectory`]: where a set of cells came from and goes to; [`Fates`]: where each cell ends;
//!   [`transitions`]: how much of which group becomes which
//! - [`trends`], [`drivers`]: genes along a trajectory, and genes that go with a fate
//! - [`pinned_paths`], [`free_paths`]: single paths
//! - [`signal`], [`kinks`], [`far_cells`], [`agreement`]: whether to believe any of it
//! - [`Perturbation`]: what the fitted field says of a gene that is held down, at a level by [`Hold`]

mod agreement;
mod course;
mod drivers;
mod fates;
mod groups;
mod hold;
mod kinks;
mod paths;
mod perturb;
mod resampled;
mod signal;
mod trajectory;
mod transitions;
mod trends;

pub use agreement::{Agreement, agreement};
pub use course::Lineage;
pub use drivers::{Driver, drivers, goes_with_depth};
pub use fates::{FateTable, Fates, Terminal};
pub use groups::Groups;
pub use hold::{Hold, unheld};
pub use kinks::{Kink, kinks};
pub use paths::{Path, free_paths, pinned_paths};
pub use perturb::{Perturbation, Response};
pub use resampled::Resampled;
pub use signal::{FarCells, Signal, far_cells, signal};
pub use trajectory::{Spread, TrajectoryStep, trajectory};
pub use transitions::{Transitions, transitions};
pub use trends::{Trend, trends};
