//! GENES ON GENES: regulatory edges from a fitted bridge.

mod adaptive;
mod course;
mod edges;
mod estimate;
mod expression;
mod jacobian;
mod lasso;
mod moments;
mod mutual;
mod neural;
mod reference_fitting;
mod regulators;
mod replicates;
mod slope;
mod smoothed_time;
mod step;

#[cfg(test)]
mod known;

pub use adaptive::{AdaptiveRidge, Components};
pub use course::{Binning, CourseCells, FEW_GENES, Steps};
pub use edges::{Edge, EdgeRanking, pull_back, spreads};
pub use estimate::{EdgeMatrix, EdgeSearch, Estimator, Lag};
pub use expression::{Expression, N_SHAPES, THRESHOLDS};
pub use jacobian::{LOCAL_TIMES, path_jacobian};
pub use lasso::Lasso;
pub use moments::{LaggedMoments, Shapes};
pub use mutual::{Bins, Information, context_likelihood, correlations};
pub use neural::NeuralFlow;
pub use regulators::transcription_factors;
pub use replicates::{direction_agreement, is_degenerate, p_values, q_values, stability};
pub use slope::{RIDGE, drift_slope};
pub use smoothed_time::{Smoothing, equal_bins, smoothed_time, whitened_columns};
pub use step::{PLAN_EPSILON, Step};
