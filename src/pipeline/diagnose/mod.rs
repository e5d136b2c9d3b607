//! The command `diagnose`: whether the data support a fit.

mod answers;
mod options;
mod run;
mod tables;
mod warnings;

pub use options::DiagnoseOptions;
pub use run::{Diagnosed, IntervalDiagnosis, diagnose};
