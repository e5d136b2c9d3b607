//! Schrödinger bridges for single-cell time courses.
//!
//! Cells of a time course are sampled on a few days, and sampling destroys them. A Schrödinger bridge is the
//! most probable process that connects two such snapshots. This crate finds it with several solvers, draws
//! populations between the snapshots, follows cells to their fates, searches regulatory edges, and scores all
//! of it on held-out times. The program `sbcell` is built on it.
//!
//! ```
//! use ndarray::array;
//! use sbcell::prelude::*;
//!
//! # fn main() -> sbcell::Result<()> {
//! // Two snapshots: rows are cells, columns are coordinates.
//! let source = Snapshot::new(array![[0.0, 0.0], [0.2, 0.1], [-0.1, 0.3], [0.1, -0.2]])?;
//! let target = Snapshot::new(array![[2.0, 1.0], [2.1, 1.2], [1.8, 0.9], [2.2, 1.1]])?;
//! // ε is the variance of the reference process over the interval.
//! let problem = BridgeProblem::new(source.clone(), target, Epsilon::new(0.1)?)?;
//! let (bridge, report) = SinkhornSolver::default().solve(&problem, Seed(0), &mut Silent)?;
//! assert_eq!(report.stop, Stop::Converged);
//!
//! // Draw the population half-way; local time runs from 0 to 1.
//! let half = UnitTime::new(0.5)?;
//! let cells = bridge.sample_transition(source.points(), UnitTime::START, half, Seed(1))?;
//! assert_eq!(cells.dim(), (4, 2));
//! # Ok(())
//! # }
//! ```
//!
//! # Where to begin
//!
//! | task | item |
//! |---|---|
//! | fit an `.h5ad` file as the program does | [`pipeline::fit`], [`pipeline::FitOptions`] |
//! | fit arrays | [`bridge::BridgeProblem`] and a solver, such as [`bridge::LightSbSolver`] |
//! | write a solver | [`bridge::BridgeSolver`]; to use it in [`pipeline::fit`], [`bridge::AnySolver`] |
//! | populations at any time | [`pipeline::interpolate`], [`bridge::BridgeSeries::sample_at`] |
//! | fates, transitions, trends | [`lineage`] on arrays, [`pipeline::fates`] on a model |
//! | regulatory edges | [`grn::EdgeSearch`] on arrays, [`pipeline::grn`] on a model |
//! | held-out scores | [`metrics`] on arrays, [`pipeline::evaluate`] on a file |
//! | read and write `.h5ad` and models | [`io`] |
//!
//! The folder `examples` has five programs: `fit_arrays`, `custom_solver`, `interpolate`, `fates` and `edges`.
//!
//! # Conventions
//!
//! - Arrays are [`ndarray`] arrays with cells in rows. ε is a variance, see [`Epsilon`].
//! - Functions that draw take a [`Seed`]. The same input, options and seed give the same bytes on any number of
//!   threads of one type of machine.
//! - Long functions take a [`progress::Progress`], which may stop them; [`Silent`] ignores it.
//! - Every failure is an [`Error`] with the value that was found and, by [`Error::hint`], a way out. A solver
//!   that does not converge is no failure: its report says so ([`bridge::Stop`]).
//! - Options have `Default` and setters: `FitOptions::default().with_n_pcs(20)`.
//!
//! # Versions
//!
//! The crate follows semantic versioning. Before 1.0, the middle number changes if public items change
//! incompatibly. Structs of options and solvers are `#[non_exhaustive]`: a new field is no incompatible change. Items that are hidden in this documentation may change at any time. Models
//! of an older version are read; results for a seed may change with any version, and `CHANGELOG.md` says when.
//! The minimum version of Rust is in `Cargo.toml`; a rise changes the middle number.
//!
//! # Modules
//!
//! Each module imports only from those above it: [`error`], [`progress`], [`rng`]; [`data`], [`preprocess`],
//! [`geometry`], [`bridge`], [`sampler`], [`grn`], [`metrics`], [`lineage`], [`io`], [`pipeline`].

pub mod error;

#[doc(hidden)]
pub mod platform;

pub mod progress;
pub mod rng;
pub mod share;

#[doc(hidden)]
pub mod linalg;

pub mod data;

pub mod preprocess;

pub mod geometry;

pub mod bridge;

pub mod sampler;

pub mod grn;

pub mod metrics;

pub mod lineage;

pub mod io;

pub mod pipeline;

pub use error::{Error, Result};
pub use geometry::Epsilon;
pub use progress::Silent;
pub use rng::Seed;

/// The types and functions that most programs need: `use sbcell::prelude::*`.
///
/// ```
/// use sbcell::prelude::*;
///
/// let solver = SinkhornSolver::default();
/// assert!(solver.tolerance > 0.0);
/// ```
pub mod prelude {
    pub use crate::bridge::{
        Bridge, BridgeProblem, BridgeSeries, BridgeSolver, Coupling, Course, CourseSolver,
        FitReport, FlowSolver, GaussianSolver, LightSbSolver, Link, OtSolver, SinkhornSolver,
        SplineSolver, Stop, UnitTime,
    };
    pub use crate::data::{Snapshot, TimeSeries};
    pub use crate::error::Error;
    pub use crate::geometry::Epsilon;
    pub use crate::grn::{CourseCells, EdgeSearch};
    pub use crate::io::model::Model;
    pub use crate::lineage::{Fates, Lineage, Resampled, Terminal};
    pub use crate::pipeline::{
        EvaluateOptions, FitOptions, InterpolateOptions, evaluate, fit, interpolate,
    };
    pub use crate::progress::Silent;
    pub use crate::rng::Seed;
}

/// The example of the page on the library compiles and runs.
#[cfg(doctest)]
#[doc = include_str!("../docs/LIBRARY.md")]
mod readme {}
