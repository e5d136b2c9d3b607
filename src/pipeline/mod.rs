//! WHOLE JOBS: what a command does, without the words.

mod annotate;
mod auto;
mod choice;
mod config;
mod counted;
mod couplings;
mod diagnose;
mod drivers;
mod estimate;
mod evaluate;
mod fates;
mod fit;
mod footprint;
mod grn;
mod grn_score;
mod growth;
mod hashing;
mod inner_score;
mod inspect;
mod interpolate;
mod intervals;
mod oddities;
mod perturb;
mod prepare;
mod probe;
mod process;
mod recorder;
mod reference;
mod sample;
mod scale;
mod shared;
mod solve;
pub mod solvers;
mod trajectory;
mod transitions;
mod trends;
mod units;
mod velocity;

pub use crate::bridge::Solver;
pub use crate::io::identity::remember_annotated;
pub use annotate::{
    AnnotateOptions, Annotated, KEY, Mark, MarkInput, Stripped, VelocityKind, annotate, marks,
    strip,
};
pub use auto::AutoSolver;
pub use choice::SolverChoice;
pub use config::{FitOptions, Noise, Source, TimeOptions, ValuesChoice};
pub use couplings::{CouplingOptions, Export, WrittenCoupling, coupling_files, couplings};
pub use diagnose::{DiagnoseOptions, Diagnosed, IntervalDiagnosis, diagnose};
pub use drivers::{DriverOptions, DriverRow, drivers};
pub use estimate::{Estimate, estimate};
pub use evaluate::{
    EvaluateOptions, Evaluated, Method, Protocol, check_validation_output, evaluate, validate,
    validation_files, write_validation,
};
pub use fates::{FateOptions, FateSummary, FateTables, TerminalGroup, fates};
pub use fit::{FitSummary, Running, fit};
pub use grn::{
    EdgeFormat, EdgeSource, FoundEdges, GrnOptions, Overlap, Regulators, draw_found_edges, grn,
    picture_of, write_edges,
};
pub use grn_score::{Candidates, GrnScore, GrnScoreOptions, grn_score, write_scores};
pub use growth::{GrowthOptions, GrowthPrior, GrowthTable};
pub use inspect::{
    Ability, ColumnReport, Embedding, Evidence, Inspection, MatrixReport, SampledValues,
    TimeColumn, inspect,
};
pub use interpolate::{Dynamics, InterpolateOptions, interpolate, write_populations};
pub use perturb::{
    GeneLevel, HeldGene, PerturbOptions, Perturbed, PerturbedGene, PerturbedGroup, perturb,
};
pub use prepare::{Selection, known_times, select};
pub use process::Process;
pub use reference::Reference;
pub use sample::{
    BandwidthChoice, Imputed, MeasuredOptions, Null, SampleOptions, SampleReport, Sampled, impute,
    sample, write_imputed, write_samples,
};
pub use shared::cell_sets::CellSets;
#[doc(hidden)]
pub use shared::example_model::example_model;
pub use shared::fitted_file::is_fitted_file;
pub use shared::genes_left_out::with_genes_of_file;
pub use shared::population::{Population, Space};
pub use shared::population_file::PopulationFormat;
pub use shared::recorded::{write_recorded, write_recorded_without_model, write_table};
pub use trajectory::{Direction, Trajectories, TrajectoryOptions, trajectory};
pub use transitions::{
    FoundTransitions, ShownRow, ShownTransitions, TransitionOptions, transitions,
};
pub use trends::{TrendOptions, TrendTables, trends};
pub use velocity::{
    SpeedAt, Velocities, VelocityOptions, VelocitySpace, velocity, write_velocities,
};
