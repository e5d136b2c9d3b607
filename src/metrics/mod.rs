//! EVALUATION: distances between populations with their noise floors, and scores of edges.
//!
//! - [`wasserstein`](wasserstein()), [`energy_distance`] and [`sliced_wasserstein`] compare two
//!   snapshots; [`noise_floor`] is their value for a perfect prediction.
//! - [`CloudComparison`] computes all of them, [`Scoring`] with bootstrap intervals.
//! - [`EdgeScores`] compares ranked edges with a known network.
//! - [`exchange_p`] and [`q_values`] test differences between conditions.
//! - [`FateScoring`] compares fate probabilities with the fates of cells of the same clone.
//! - [`Resamples`] and [`Estimate`] are bootstrap resamples and numbers with intervals.

mod comparison;
mod discrepancy;
mod distances;
mod drawn;
mod edge_ranking;
mod energy;
mod exchange;
mod fate_scores;
mod floor;
mod resample;
mod score;
mod score_floor;
mod sliced;
mod wasserstein;

pub use comparison::{CloudComparison, Comparison};
pub(crate) use discrepancy::median_distance;
#[doc(hidden)]
pub use drawn::Drawn;
pub(crate) use drawn::LEAST_RESAMPLES;
pub use edge_ranking::{Candidate, EdgeScores};
pub use energy::{EnergyDistance, energy_distance};
pub(crate) use exchange::{all_distances, energies};
pub use exchange::{exchange_p, q_values};
pub use fate_scores::{FateMetric, FateScores, FateScoring};
pub use floor::{Floor, Metric, Splits, noise_floor};
pub use resample::{Estimate, Resamples};
pub use score::{Score, Scoring};
pub use score_floor::ScoreFloor;
pub use sliced::{sliced_wasserstein, sliced_wasserstein_along};
pub use wasserstein::{Order, wasserstein};
