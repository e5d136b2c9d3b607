//! GAUSSIAN: the Schrödinger bridge between two Gaussians with full covariances, in closed form.
//!
//! [`GaussianSolver`] replaces each snapshot by the Gaussian with its mean and covariance.
//! [`GaussianBridge`] is the exact bridge between two Gaussians: an affine drift, a Gaussian at
//! every time, and exact draws. It is a baseline for other solvers, and the exact answer if the
//! cells are normally distributed.

mod description;
mod process;
mod solver;

pub(crate) use description::GAUSSIAN;
pub use process::{GaussianBridge, GaussianRecord};
pub use solver::GaussianSolver;
