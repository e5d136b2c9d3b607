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
    /// The solver's objective at the end, in the unit the solver states. Never above
    /// [`FitReport::start_objective`].
    pub objective: f64,
    /// The objective of the starting point.
    pub start_objective: f64,
    /// What else this solver has to say, by name: columns of `fit.csv`.
    pub details: Vec<(String, f64)>,
}

impl FitReport {
    /// The detail called `name`, if this solver gives it.
    pub fn detail(&self, name: &str) -> Option<f64> {
        self.details.iter().find(|entry| entry.0 == name).map(|entry| entry.1)
    }
}
