//! CELLS OVER TIME: ancestors, descendants, fates and transitions along the couplings of a course.
//!
//! - [`Lineage`]: the couplings between neighbouring snapshots
//! - [`Groups`]: the group of each cell; [`Resampled`]: the couplings under bootstrap weights
//! - [`Clones`]: cells that share a lineage barcode, and the fates of late sisters
//! - [`trajectory()`]: ancestors and descendants of sets of cells; [`Fates`]: fate probabilities of each
//!   cell; [`transitions()`]: mass between groups of two times
//! - [`trends()`]: expression along a trajectory; [`drivers()`]: genes that correlate with a fate
//! - [`pinned_paths`], [`free_paths`]: single paths
//! - [`signal()`], [`kinks()`], [`far_cells`], [`agreement()`]: diagnostics of a fit
//! - [`Perturbation`]: the predicted response to genes that are held at given levels

mod agreement;
mod clone_weight;
mod clones;
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
pub(crate) use clone_weight::{CLONE_WEIGHTS, CloneGain, CloneInterval, try_clone_weights};
pub use clones::{Clones, Sisters};
pub use course::Lineage;
pub(crate) use drivers::goes_with_depth;
pub use drivers::{Driver, drivers};
pub use fates::{FateTable, Fates, Terminal};
pub use groups::Groups;
pub(crate) use hold::unheld;
pub use kinks::{Kink, kinks};
pub use paths::{Path, PathEnds, PathGrid, free_paths, pinned_paths};
pub use perturb::{Perturbation, Response};
pub use resampled::Resampled;
pub use signal::{FarCells, Signal, far_cells, signal};
pub use trajectory::{Spread, TrajectoryStep, trajectory};
pub use transitions::{Transitions, transitions};
pub use trends::{Trend, trends};
