//! A hyperparameter that is given, or to be found from the data.

use serde::{Deserialize, Serialize};

/// A hyperparameter that is given, or to be found from the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Choice<T> {
    /// Found from the data.
    #[default]
    Auto,
    /// Given.
    Is(T),
}

impl<T> From<T> for Choice<T> {
    fn from(value: T) -> Self {
        Self::Is(value)
    }
}
