//! WHOLE JOBS: what a command does, without the words.

mod annotate;
mod clones;
mod compare;
mod couplings;
mod diagnose;
mod drivers;
mod evaluate;
mod export;
mod fates;
mod fit;
mod grn;
mod grn_score;
mod inspect;
mod interpolate;
mod perturb;
mod plot;
mod report;
mod sample;
mod self_test;
mod shared;
pub mod solvers;
mod trajectory;
mod transitions;
mod trends;
mod velocity;
mod verify;

pub use crate::bridge::Solver;
pub use crate::io::identity::remember_annotated;
pub use annotate::{
    AnnotateOptions, Annotated, KEY, Mark, MarkInput, Stripped, VelocityKind, annotate, marks,
    strip,
};
pub use clones::{
    ClonePredictor, CloneScore, CloneScoreOptions, CloneScores, check_clone_output,
    clone_score_files, score_clones, write_clone_scores,
};
pub use compare::{
    CompareKind, CompareOptions, Compared, ComparedRow, ConditionModel, compare, condition_folders,
};
pub use couplings::{CouplingOptions, Export, WrittenCoupling, coupling_files, couplings};
pub use diagnose::{DiagnoseOptions, Diagnosed, IntervalDiagnosis, diagnose};
pub use drivers::{DriverOptions, DriverRow, drivers};
pub use evaluate::{
    EvaluateOptions, Evaluated, Method, Protocol, check_validation_output, evaluate,
    validation_files, write_validation,
};
pub use export::{ExportFormat, ExportedTable, TableExportOptions, export, export_files};
pub use fates::{FateOptions, FateSummary, FateTables, TerminalGroup, fates};
pub use fit::{
    Asynchrony, Bending, ConditionCourse, ConditionOptions, ConditionSummary, Conditions,
    FitEstimate, FitOptions, FitSummary, FittedCondition, GrowthOptions, GrowthPrior, GrowthTable,
    Noise, ParentTable, Plan, Reference, Running, Selection, Source, TimeOptions, Timing,
    ValuesChoice, estimate, fit, select,
};
pub use grn::{
    EdgeFormat, EdgeSource, FoundEdges, GrnOptions, Overlap, Regulators, draw_found_edges,
    draw_found_heatmap, draw_found_network, grn, picture_of, write_edges,
};
pub use grn_score::{Candidates, GrnScore, GrnScoreOptions, grn_score, write_scores};
pub use inspect::{
    Ability, ColumnReport, Embedding, Evidence, Inspection, MatrixReport, SampledValues,
    TimeColumn, inspect,
};
pub use interpolate::{
    Dynamics, InterpolateOptions, diffusion_of, interpolate, read_diffusion, write_populations,
};
pub use perturb::{
    GeneLevel, HeldGene, PerturbOptions, Perturbed, PerturbedGene, PerturbedGroup, perturb,
};
pub use plot::{ColourBy, PlotKind, PlotOptions, draw_plot, plot};
pub use report::{ReportOptions, multiqc_beside, report, write_report};
pub use sample::{
    BandwidthChoice, Imputed, Likelihood, MeasuredOptions, Null, SampleOptions, SampleReport,
    Sampled, impute, read_likelihood, sample, sample_posterior, write_imputed, write_samples,
};
pub use self_test::{KnownAnswer, self_test};
pub use shared::advice::Advice;
pub use shared::cell_sets::CellSets;
pub use shared::clone_couplings::{CloneCoupling, CloneWeight};
pub use shared::clone_keys::CloneKeys;
pub use shared::coupling_epsilon::CouplingEpsilon;
#[doc(hidden)]
pub use shared::example_model::example_model;
pub use shared::fitted_file::is_fitted_file;
pub use shared::genes_left_out::with_genes_of_file;
pub use shared::group_labels::check_labels;
pub use shared::population::{Population, Space};
pub use shared::population_file::PopulationFormat;
pub use shared::process::Process;
pub use shared::recorded::{write_recorded, write_recorded_without_model, write_table};
pub use shared::states::StateOptions;
pub use solvers::{AutoSolver, AutoWay, SolverChoice};
pub use trajectory::{Direction, PathScheme, Trajectories, TrajectoryOptions, trajectory};
pub use transitions::{
    FoundTransitions, ShownRow, ShownTransitions, TransitionOptions, transitions,
};
pub use trends::{TrendOptions, TrendTables, trends};
pub use velocity::{
    SpeedAt, Velocities, VelocityOptions, VelocitySpace, velocity, write_velocities,
};
#[doc(hidden)]
pub use verify::folders_around;
pub use verify::{CheckedFile, CheckedRecord, FileState, verify};
