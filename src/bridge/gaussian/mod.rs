//! The bridge between two Gaussians with full covariances, in closed form.

mod description;
mod process;
mod solver;

pub use description::GAUSSIAN;
pub use process::{GaussianBridge, GaussianRecord};
pub use solver::GaussianSolver;
