//! The bridge between two Gaussians with full covariances, in closed form.

mod process;
mod solver;

pub use process::{GaussianBridge, GaussianRecord};
pub use solver::GaussianSolver;
