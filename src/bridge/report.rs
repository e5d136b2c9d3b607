//! How a solve went.

use serde::{Deserialize, Serialize};

/// Why a solver stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stop {
    /// The stopping criterion was met.
    Converged,
    /// The limit of iterations was reached first; the result is usable, but say so.
    MaxIterations,
}

impl std::fmt::Display for Stop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Converged => "converged",
            Self::MaxIterations => "max_iterations",
        })
    }
}

/// How a solve went.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FitReport {
    /// Why it stopped.
    pub stop: Stop,
    /// Iterations done.
    pub iterations: usize,
    /// The solver's objective at the end; for LightSB, KL(true plan ‖ fitted plan) up to a
    /// constant of the problem. Never increases during a solve.
    pub objective: f64,
    /// The objective of the starting point.
    pub start_objective: f64,
    /// Mixture parts that keep cells at the end (for LightSB at least a hundredth of an equal
    /// share of the target), of [`FitReport::n_gaussians`].
    pub n_live: usize,
    /// Mixture parts used: those asked for, or fewer if there are too few target cells.
    pub n_gaussians: usize,
}
