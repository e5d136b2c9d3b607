//! CELLS OVER TIME: ancestors, descendants, fates and transitions along the couplings of a course.
//!
//! - [`Lineage`]: the couplings between neighbouring snapshots, or straight to the last one
//! - [`Groups`]: the group of each cell; [`Resampled`]: the couplings under bootstrap weights
//! - [`coupling_noise`]: the ε of couplings, by the agreement of two halves of the data;
//!   [`apart`]: cells choose among groups as by a linear discriminant
//! - [`Labellings`]: cells of two conditions with exchanged labels; [`Relabelled`]: their couplings
//! - [`Clones`]: cells that share a lineage barcode, and the fates of late sisters
//! - [`trajectory()`]: ancestors and descendants of sets of cells; [`Fates`]: fate probabilities of each
//!   cell; [`transitions()`]: mass between groups of two times
//! - [`neighbour_fates`], [`terminal_shares`]: baselines of fates; [`TerminalCells`]: log-odds
//! - [`trends()`]: expression along a trajectory; [`drivers()`]: genes that correlate with a fate
//! - [`Macrostates`]: groups of late or early cells that stay apart; [`arrival_times`]
//! - [`pinned_paths`], [`free_paths`]: single paths
//! - [`signal()`], [`kinks()`], [`far_cells`], [`agreement()`]: diagnostics of a fit
//! - [`Perturbation`]: the predicted response to genes that are held at given levels

mod agreement;
mod apart;
mod bootstrap;
mod clone_weight;
mod clones;
mod course;
mod doubt;
mod drivers;
mod fate_baselines;
mod fate_odds;
mod fates;
mod groups;
mod halves;
mod hold;
mod kinks;
mod labellings;
mod macrostates;
mod paths;
mod perturb;
mod relabelled;
mod resampled;
mod signal;
mod trajectory;
mod transitions;
mod trends;

pub use agreement::{Agreement, agreement};
pub use apart::{Apart, GROUP_NOISE, apart};
pub use bootstrap::Bootstrap;
pub(crate) use clone_weight::{CLONE_WEIGHTS, CloneGain, CloneInterval, try_clone_weights};
pub(crate) use clones::is_reversed;
pub use clones::{Clones, Sisters};
pub use course::Lineage;
pub(crate) use drivers::goes_with_depth;
pub use drivers::{Driver, drivers};
pub use fate_baselines::{fate_correlation, neighbour_fates, terminal_shares, undecided};
pub use fate_odds::TerminalCells;
pub use fates::{FateTable, Fates, Terminal};
pub use groups::Groups;
pub use halves::{CouplingNoise, Halved, HalvesAgreement, coupling_noise, snapshot_width};
pub(crate) use hold::unheld;
pub use kinks::{Kink, kinks};
pub use labellings::{Labellings, Sides};
pub use macrostates::{MacrostateOptions, Macrostates, Side, arrival_times, regions};
pub use paths::{Path, PathEnds, PathGrid, free_paths, pinned_paths};
pub use perturb::{Perturbation, Response};
pub use relabelled::Relabelled;
pub use resampled::Resampled;
pub use signal::{FarCells, Signal, far_cells, signal};
pub use trajectory::{Spread, TrajectoryStep, trajectory};
pub use transitions::{Transitions, transitions};
pub use trends::{Trend, trends};
