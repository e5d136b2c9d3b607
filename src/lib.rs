//! Schrödinger bridges for single-cell time courses.
//!
//! From cells sampled on a few days to the process that connects them. The modules, in reading
//! order (each imports only from those before it):
//!
//! - [`error`], [`progress`] and [`rng`]: what every algorithm needs
//! - [`linalg`] · numbers, knowing nothing of cells
//! - [`data`] · CELLS AS MEASURED
//! - [`preprocess`] · COUNTS → COORDINATES
//! - [`geometry`] · WHAT IT COSTS TO MOVE A CELL
//! - [`bridge`] · THE SCHRÖDINGER BRIDGE
//! - [`sampler`] · MORE CELLS LIKE THESE
//! - [`grn`] · GENES ON GENES
//! - [`metrics`] · HOW GOOD IS IT
//! - [`lineage`] · CELLS OVER TIME
//! - [`io`] · FILES
//! - [`pipeline`] · WHOLE JOBS

pub mod error;
pub mod progress;
pub mod rng;

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

/// The example of the README compiles and runs.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
