//! ORNSTEIN-UHLENBECK: bridges for a reference that pulls cells to a centre, by any solver.
//!
//! The reference process is `dX = −b (X − m) dt + √ε dW` in local time. In scaled coordinates and a
//! transformed time (see `clock.rs`) it is Brownian motion with the same ε. [`OuSolver`] therefore
//! transforms the cells, calls any solver for a Brownian reference, and transforms its bridge back:
//! [`OuBridge`].

mod clock;
mod process;
mod record;
mod solver;

pub(crate) use clock::Clock;
pub use process::OuBridge;
pub use record::OuRecord;
pub use solver::OuSolver;
