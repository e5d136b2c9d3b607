//! WHOLE JOBS: what a command does, without the words.

mod config;
mod estimate;
mod fit;
mod grn;
mod growth;
mod inspect;
mod interpolate;
mod output;
mod prepare;
mod process;
mod recorder;
mod reference;
mod solve;

pub use config::{FitOptions, Noise, Solver, SolverChoice, Source, TimeOptions, ValuesChoice};
pub use estimate::{Estimate, estimate};
pub use fit::{FitSummary, fit};
pub use grn::{GrnOptions, JacobianKind, grn};
pub use growth::{GrowthOptions, GrowthPrior, GrowthTable};
pub use inspect::{
    Ability, ColumnReport, Embedding, Evidence, Inspection, MatrixReport, SampledValues,
    TimeColumn, inspect,
};
pub use interpolate::{Dynamics, InterpolateOptions, Population, Space, interpolate};
pub use output::{PopulationFormat, write_edges, write_populations};
pub use prepare::{Selection, select};
pub use process::Process;
pub use reference::Reference;
