//! WHOLE JOBS: what a command does, without the words.

mod annotate;
mod asked;
mod asked_genes;
mod coordinates;
mod counted;
mod evaluate;
mod fit;
mod fitted;
mod grn;
mod impute;
mod inspect;
mod interpolate;
mod lineage;
mod output;
mod process;
mod recorder;
mod sample;
pub mod solvers;
mod velocity;

pub use crate::bridge::Solver;
pub use crate::io::identity::remember_annotated;
pub use annotate::{
    AnnotateOptions, Annotated, KEY, Mark, MarkInput, Stripped, VelocityKind, annotate, marks,
    strip,
};
pub use asked::with_genes_of_file;
pub use evaluate::{EvaluateOptions, Evaluated, Method, Protocol, evaluate};
pub use fit::{
    FitEstimate, FitOptions, FitSummary, GrowthOptions, GrowthPrior, GrowthTable, Noise, Plan,
    Reference, Running, Selection, Source, TimeOptions, ValuesChoice, estimate, fit, select,
};
pub use fitted::is_fitted_file;
pub use grn::{
    Candidates, EdgeSource, FoundEdges, GrnOptions, GrnScore, GrnScoreOptions, Overlap, Regulators,
    grn, grn_score, write_scores,
};
pub use impute::{Imputed, impute};
pub use inspect::{
    Ability, ColumnReport, Embedding, Evidence, Inspection, MatrixReport, SampledValues,
    TimeColumn, inspect,
};
pub use interpolate::{Dynamics, InterpolateOptions, Population, Space, interpolate};
pub use lineage::{
    CellSets, CouplingOptions, DiagnoseOptions, Diagnosed, Direction, DriverOptions, DriverRow,
    Export, FateOptions, FateTables, FoundTransitions, GeneLevel, PerturbOptions, Perturbed,
    TerminalGroup, Trajectories, TrajectoryOptions, TransitionOptions, TrendOptions, TrendTables,
    coupling_files, couplings, diagnose, drivers, fates, perturb, trajectory, transitions, trends,
    write_table,
};
pub use output::{
    EdgeFormat, PopulationFormat, check_validation_output, draw_found_edges, picture_of,
    validation_files, write_edges, write_imputed, write_populations, write_recorded,
    write_recorded_without_model, write_samples, write_validation, write_velocities,
};
pub use process::Process;
pub use sample::{
    BandwidthChoice, MeasuredOptions, Null, SampleOptions, SampleReport, Sampled, sample,
};
pub use solvers::{AutoSolver, SolverChoice};
pub use velocity::{SpeedAt, Velocities, VelocityOptions, VelocitySpace, velocity};
