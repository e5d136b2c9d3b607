//! ORNSTEIN-UHLENBECK: bridges for a reference that pulls cells to a centre, by any solver.
//!
//! The reference is `dX = −b (X − m) dt + √ε dW`. In the coordinates of a [`Clock`] it is Brownian
//! motion of the same ε, so the bridge is found by whatever solves the problem there.

mod clock;
mod process;
mod record;
mod solver;

pub(super) use clock::Clock;
pub use process::OuBridge;
pub use record::OuRecord;
pub use solver::OuSolver;
