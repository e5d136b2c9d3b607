//! A hyperparameter that the user sets, or that the solver chooses by the data.

use serde::{Deserialize, Serialize};

/// A hyperparameter that the user sets, or that the solver chooses by the data.
///
/// ```
/// use sbcell::bridge::{Choice, LightSbSolver};
///
/// let chosen = LightSbSolver::default();
/// assert_eq!(chosen.n_gaussians, Choice::Auto);
/// let set = LightSbSolver::default().with_n_gaussians(5.into());
/// assert_eq!(set.n_gaussians, Choice::Is(5));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Choice<T> {
    /// Chosen by the data.
    #[default]
    Auto,
    /// Set to this value.
    Is(T),
}

impl<T> From<T> for Choice<T> {
    fn from(value: T) -> Self {
        Self::Is(value)
    }
}
