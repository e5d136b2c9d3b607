//! WHOLE JOBS: what a command does, without the words.

mod config;
mod fit;
mod grn;
mod interpolate;
mod prepare;
mod process;
mod recorder;

pub use config::{FitOptions, Noise, SolverChoice, Source, TimeOptions, ValuesChoice};
pub use fit::{FitSummary, fit};
pub use grn::{GrnOptions, grn};
pub use interpolate::{InterpolateOptions, Population, Space, interpolate};
pub use prepare::{Selection, select};
pub use process::Process;
