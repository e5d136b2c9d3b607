//! The score of a method on inner held-out times, relative to the straight bridge.
//!
//! The solver `auto` and the method `selected` of `evaluate` choose by it. Energy distance and W1 have
//! equal parts: W1 alone prefers populations that are too narrow.

use serde::{Deserialize, Serialize};

use crate::data::Snapshot;
use crate::error::Result;
use crate::metrics::{Order, energy_distance, wasserstein};
use crate::progress::Progress;
use crate::share::Packed;

/// Distances between predicted cells and the cells of a held-out inner time.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(into = "Packed<f64>", try_from = "Packed<f64>")]
pub(crate) struct Distances {
    /// Exact 1-Wasserstein distance.
    w1: f64,
    /// Unbiased energy distance, which can be negative.
    energy: f64,
    /// Uncertainty of the energy distance: twice the mean distance within the observed cells, divided
    /// by their number.
    noise: f64,
}

impl Distances {
    /// The distances between all cells of `predicted` and all cells of `observed`.
    ///
    /// # Errors
    /// Those of the distances; [`crate::Error::Cancelled`].
    pub(crate) fn of(
        predicted: &Snapshot,
        observed: &Snapshot,
        progress: &mut dyn Progress,
    ) -> Result<Self> {
        let w1 = wasserstein(predicted, observed, Order::One, progress)?;
        let energy = energy_distance(predicted, observed)?;
        let noise = 2.0 * energy.within_y / observed.n_cells() as f64;
        Ok(Self { w1, energy: energy.value, noise })
    }
}

impl From<Distances> for Packed<f64> {
    fn from(of: Distances) -> Self {
        Self(vec![of.w1, of.energy, of.noise])
    }
}

impl TryFrom<Packed<f64>> for Distances {
    type Error = &'static str;

    fn try_from(Packed(numbers): Packed<f64>) -> std::result::Result<Self, &'static str> {
        match numbers[..] {
            [w1, energy, noise] => Ok(Self { w1, energy, noise }),
            _ => Err("distances are three numbers"),
        }
    }
}

/// The score of a method over several held-out times:
/// `½ mean(W1/W1₀) + ½ √mean((E₊+n)/(E₀₊+n))`, where 0 is the straight bridge, `E₊ = max(E, 0)` and n the
/// uncertainty of the energy distance.
///
/// The straight bridge has the score 1, better methods less. The root makes both halves linear in the
/// distance; n keeps a distance of zero from deciding alone.
pub(crate) fn score(found: &[Distances], straight: &[Distances]) -> f64 {
    let n = found.len().max(1) as f64;
    let (mut w1, mut energy) = (0.0, 0.0);
    for (found, straight) in found.iter().zip(straight) {
        w1 += found.w1 / straight.w1.max(f64::MIN_POSITIVE);
        let level = straight.noise.max(f64::MIN_POSITIVE);
        energy += (found.energy.max(0.0) + level) / (straight.energy.max(0.0) + level);
    }
    0.5 * (w1 / n + (energy / n).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_straight_bridge_scores_one_and_better_ones_less() {
        let of = |w1, energy| Distances { w1, energy, noise: 0.01 };
        let straight = [of(2.0, 0.2), of(1.0, 0.0)];
        assert!((score(&straight, &straight) - 1.0).abs() < 1e-15);
        assert!(score(&[of(1.9, 0.1), of(1.0, 0.0)], &straight) < 1.0);
        // Half of W1 and a quarter of the energy distance: one half by either.
        let sharp = |w1, energy| Distances { w1, energy, noise: 0.0 };
        let half = score(&[sharp(1.0, 0.25)], &[sharp(2.0, 1.0)]);
        assert!((half - 0.5).abs() < 1e-15, "{half}");
        let only_w1 = score(&[sharp(1.0, 1.0)], &[sharp(2.0, 1.0)]);
        assert!((only_w1 - 0.75).abs() < 1e-15, "{only_w1}");
        // An energy distance below zero is one of zero.
        let below = score(&[of(2.0, 0.2), of(1.0, -0.5)], &straight);
        assert!((below - 1.0).abs() < 1e-15);
    }
}
