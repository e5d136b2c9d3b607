//! HOW GOOD IS IT: distances between populations, beside the distance that noise alone gives.

mod comparison;
mod distances;
mod energy;
mod floor;
mod sliced;
mod wasserstein;

pub use comparison::{CloudComparison, Comparison};
pub use energy::{EnergyDistance, energy_distance};
pub use floor::{Floor, Metric, Splits, noise_floor};
pub use sliced::{sliced_wasserstein, sliced_wasserstein_along};
pub use wasserstein::{Order, wasserstein};
