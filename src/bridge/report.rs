//! The report of a solve: why the solver stopped, and its objective.

use serde::{Deserialize, Serialize};

/// Why a solver stopped.
///
/// ```
/// use sbcell::bridge::Stop;
///
/// assert_eq!(Stop::MaxIterations.to_string(), "max_iterations");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stop {
    /// The solver met its stopping criterion. This does not exclude a lower local optimum.
    Converged,
    /// The solver reached its limit of iterations first. The result is usable; tell the user.
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
///
/// ```
/// use sbcell::bridge::{FitReport, Stop};
///
/// let report = FitReport {
///     stop: Stop::Converged,
///     iterations: 12,
///     objective: -3.5,
///     start_objective: 0.25,
///     details: vec![("n_live".into(), 4.0)],
/// };
/// assert!(report.objective <= report.start_objective);
/// assert_eq!(report.detail("n_live"), Some(4.0));
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FitReport {
    /// Why the solver stopped.
    pub stop: Stop,
    /// Number of iterations; each solver says what it counts.
    pub iterations: usize,
    /// The objective at the end, in the unit that the solver documents. It is not above
    /// [`FitReport::start_objective`]; for solvers of a whole course this holds for the sum over
    /// its intervals.
    pub objective: f64,
    /// The objective at the initial value.
    pub start_objective: f64,
    /// Further numbers of this solver by name. They become columns of `fit.csv`.
    pub details: Vec<(String, f64)>,
}

impl FitReport {
    /// The detail with this name, if the solver gives it.
    pub fn detail(&self, name: &str) -> Option<f64> {
        self.details.iter().find(|entry| entry.0 == name).map(|entry| entry.1)
    }
}
