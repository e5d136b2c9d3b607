//! GENES ON GENES: regulatory edges from cells of several times and from a fitted bridge.
//!
//! - [`EdgeSearch`] estimates an [`EdgeMatrix`] from [`CourseCells`]: regressions and mutual
//!   information over the [`Steps`] between groups of cells
//! - [`stability`], [`p_values`], [`q_values`], [`direction_agreement`]: support of edges from repeated
//!   estimates; [`correlations`]: the baseline
//! - [`Perturbations`]: knock-outs and controls among these cells; [`Prior`]: pairs that other data support
//! - [`path_jacobian`], [`drift_slope`]: effects between coordinates, directly from the drift of a
//!   bridge; [`pull_back`] converts them into effects between genes, [`EdgeRanking`] into [`Edge`]s
//! - [`transcription_factors`]: lists of human and mouse regulators

mod adaptive;
mod confidence;
mod course;
mod edge_matrix;
mod edges;
mod estimate;
mod expression;
mod group_moments;
mod interventions;
mod jacobian;
mod lasso;
mod moment_penalty;
mod moment_sum;
mod moment_targets;
mod moments;
mod mutual;
mod neural;
mod perturbations;
mod prior;
mod reference_fitting;
mod regulators;
mod replicates;
mod slope;
mod smoothed_time;
mod snapshot_moments;
mod step;
mod step_means;

#[cfg(test)]
mod known;

pub use adaptive::AdaptiveRidge;
pub use confidence::{
    N_FEATURES, confidence, direction_confidence, direction_ratio, features, lost_by_shuffling,
    shuffled_within_times,
};
pub(crate) use course::FEW_GENES;
pub use course::{Binning, CourseCells, Steps};
pub use edge_matrix::EdgeMatrix;
pub use edges::{Edge, EdgeRanking, pull_back, spreads};
pub use estimate::{EdgeSearch, Estimator, Lag};
pub use expression::Expression;
pub use jacobian::path_jacobian;
pub use mutual::correlations;
pub use perturbations::Perturbations;
pub use prior::Prior;
pub use regulators::transcription_factors;
pub(crate) use replicates::is_degenerate;
pub use replicates::{direction_agreement, p_values, q_values, stability};
pub use slope::drift_slope;
pub use smoothed_time::Smoothing;
pub use snapshot_moments::MomentFit;
pub use step::Step;
