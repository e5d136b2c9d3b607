//! HOW GOOD IS IT: distances between populations, beside the distance that noise alone gives.

mod comparison;
mod discrepancy;
mod distances;
mod drawn;
mod edge_ranking;
mod energy;
mod floor;
mod resample;
mod score;
mod sliced;
mod wasserstein;

pub use comparison::{CloudComparison, Comparison};
pub use discrepancy::{PairFunction, discrepancies, median_distance};
pub use drawn::Drawn;
pub use edge_ranking::{Candidate, EdgeScores};
pub use energy::{EnergyDistance, energy_distance};
pub use floor::{Floor, Metric, Splits, noise_floor};
pub use resample::{Estimate, Resamples};
pub use score::{Score, ScoreFloor, Scoring};
pub use sliced::{sliced_wasserstein, sliced_wasserstein_along};
pub use wasserstein::{Order, wasserstein};
