//! The comparison of predicted with observed cells by several distances and their noise floors.

use ndarray::{ArrayView1, ArrayView2};
use serde::{Deserialize, Serialize};

use crate::data::Snapshot;
use crate::error::range::at_least_one;
use crate::error::{Error, Result};
use crate::metrics::distances::check_same_dim;
use crate::metrics::floor::{Floor, Metric, Splits, noise_floor, subsample};
use crate::metrics::wasserstein::Order;
use crate::progress::Progress;
use crate::rng::Seed;

/// The parameters of a comparison of two snapshots.
///
/// ```
/// use ndarray::Array2;
/// use sbcell::data::Snapshot;
/// use sbcell::metrics::CloudComparison;
/// use sbcell::{Seed, Silent};
///
/// let cells = |shift: f64| {
///     Snapshot::new(Array2::from_shape_fn((40, 2), |(i, d)| ((3 * i + d) as f64).sin() + shift))
/// };
/// let compare = CloudComparison { n_splits: 2, ..CloudComparison::default() };
/// let found = compare.compare(&cells(3.0)?, &cells(0.0)?, Seed(1), &mut Silent)?;
/// // A shift by 3 is far above the noise floor.
/// assert!(found.w1 > 3.0 * found.floor_w1);
/// # sbcell::Result::Ok(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CloudComparison {
    /// Largest number of cells on each side, from 2 to 20 000; more cells are subsampled.
    pub max_cells: usize,
    /// Number of directions of the sliced distance, ≥ 1.
    pub n_projections: usize,
    /// Number of subsamples, and of random splits of the observed cells for each floor, ≥ 1.
    pub n_splits: usize,
}

impl Default for CloudComparison {
    fn default() -> Self {
        Self { max_cells: 1000, n_projections: 100, n_splits: 5 }
    }
}

/// Distances between predicted and observed cells, in the unit of the points.
///
/// A floor is the mean distance between two disjoint random parts of the observed cells, the value of
/// a perfect prediction. A Wasserstein distance below its floor is a warning: a distribution that is
/// too narrow has small distances to all others. [`CloudComparison::compare`] makes it.
///
/// ```
/// use sbcell::metrics::Comparison;
///
/// assert_eq!(Comparison::NAMES[..2], ["w1", "w1_floor"]);
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// Exact W₁.
    pub w1: f64,
    /// Exact W₂, the root of the mean squared distance.
    pub w2: f64,
    /// Unbiased energy distance.
    pub energy: f64,
    /// Sliced W₂.
    pub sliced_w2: f64,
    /// Floor of `w1`.
    pub floor_w1: f64,
    /// Floor of `w2`.
    pub floor_w2: f64,
    /// Floor of `energy`; near 0, possibly negative.
    pub floor_energy: f64,
    /// Floor of `sliced_w2`.
    pub floor_sliced_w2: f64,
    /// Trace of the covariance of all predicted cells divided by that of all observed cells. Below 1
    /// the prediction is too narrow. Infinite or NaN if all observed cells are equal.
    pub variance_ratio: f64,
    /// Number of cells on each side of the distances.
    pub n_used: usize,
    /// Number of cells on each side of the floors.
    pub n_floor: usize,
}

impl Comparison {
    /// The names of the numbers in [`Comparison::rows`].
    pub const NAMES: [&'static str; 10] = [
        "w1",
        "w1_floor",
        "w2",
        "w2_floor",
        "energy",
        "energy_floor",
        "sliced_w2",
        "sliced_w2_floor",
        "variance_ratio",
        "n_compared",
    ];

    /// The numbers with their names, in the order of output columns.
    pub fn rows(&self) -> [(&'static str, f64); 10] {
        let values = [
            self.w1,
            self.floor_w1,
            self.w2,
            self.floor_w2,
            self.energy,
            self.floor_energy,
            self.sliced_w2,
            self.floor_sliced_w2,
            self.variance_ratio,
            self.n_used as f64,
        ];
        std::array::from_fn(|column| (Self::NAMES[column], values[column]))
    }
}

impl CloudComparison {
    /// Checks the ranges of all parameters.
    ///
    /// # Errors
    /// [`Error::Parameter`] unless `max_cells` is from 2 to 20 000 and the others are at least 1.
    pub fn check(&self) -> Result<()> {
        let Self { max_cells, n_projections, n_splits } = self;
        if !(2..=20_000).contains(max_cells) {
            let (name, must) = ("max_cells", "from 2 to 20000");
            return Err(Error::Parameter { name, must, got: max_cells.to_string() });
        }
        at_least_one("n_projections", *n_projections)?;
        at_least_one("n_splits", *n_splits)
    }

    /// Compares `predicted` with `observed` cells.
    ///
    /// The number of cells on each side is that of a floor: half of the observed cells, at most the
    /// number of predicted cells and `max_cells`. A distance and its floor then have the same bias of
    /// finite samples. Both are means over `n_splits` draws without replacement; cells keep their
    /// weights.
    ///
    /// Time: `4 n_splits` exact transport problems; memory 8 bytes per pair of cells.
    ///
    /// # Errors
    /// Those of [`CloudComparison::check`]; [`Error::Shape`] if the dimensions differ;
    /// [`Error::Parameter`] if there are fewer than two predicted or four observed cells;
    /// [`Error::Cancelled`].
    pub fn compare(
        &self,
        predicted: &Snapshot,
        observed: &Snapshot,
        seed: Seed,
        progress: &mut dyn Progress,
    ) -> Result<Comparison> {
        self.check()?;
        check_same_dim(predicted, observed)?;
        let n_used = predicted.n_cells().min(observed.n_cells() / 2).min(self.max_cells);
        let draws = (0..self.n_splits as u64)
            .map(|draw| {
                let x = subsample(predicted, n_used, seed.child("comparison/predicted", draw))?;
                let y = subsample(observed, n_used, seed.child("comparison/observed", draw))?;
                Ok((x, y))
            })
            .collect::<Result<Vec<_>>>()?;
        let sliced = Metric::Sliced { order: Order::Two, n_projections: self.n_projections };
        let splits = Splits { n_per_side: n_used, n_splits: self.n_splits };
        let mut both = |metric: Metric| -> Result<(f64, Floor)> {
            let floor_seed = seed.child("comparison/floor", 0);
            let floor = noise_floor(observed, metric, splits, floor_seed, progress)?;
            let mut sum = 0.0;
            for (x, y) in &draws {
                sum += metric.measure(x, y, seed.child("comparison/sliced", 0), progress)?;
            }
            Ok((sum / draws.len() as f64, floor))
        };
        let (w1, floor_w1) = both(Metric::Wasserstein(Order::One))?;
        let (w2, floor_w2) = both(Metric::Wasserstein(Order::Two))?;
        let (energy, floor_energy) = both(Metric::Energy)?;
        let (sliced_w2, floor_sliced) = both(sliced)?;
        Ok(Comparison {
            w1,
            w2,
            energy,
            sliced_w2,
            floor_w1: floor_w1.mean,
            floor_w2: floor_w2.mean,
            floor_energy: floor_energy.mean,
            floor_sliced_w2: floor_sliced.mean,
            variance_ratio: total_variance(predicted.points(), predicted.marginal())
                / total_variance(observed.points(), observed.marginal()),
            n_used,
            n_floor: floor_w1.n_per_side,
        })
    }
}

/// The trace of the covariance, `Σ w_i ‖x_i − mean‖² / (1 − Σ w_i²)`.
///
/// For equal weights the denominator is the usual `n − 1`.
pub(super) fn total_variance(points: ArrayView2<'_, f64>, weights: ArrayView1<'_, f64>) -> f64 {
    let mean = weights.dot(&points);
    let spread: f64 = points
        .rows()
        .into_iter()
        .zip(weights)
        .map(|(row, weight)| {
            weight * row.iter().zip(&mean).map(|(x, m)| (x - m) * (x - m)).sum::<f64>()
        })
        .sum();
    spread / (1.0 - weights.dot(&weights))
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array};
    use rand_distr::{Distribution, StandardNormal};

    use super::*;
    use crate::progress::Silent;

    fn normal(n: usize, seed: u64, scale: f64) -> Snapshot {
        let mut rng = Seed(seed).stream("test", 0);
        let points: Array2<f64> =
            Array2::from_shape_simple_fn((n, 2), || StandardNormal.sample(&mut rng));
        Snapshot::new(points * scale).unwrap()
    }

    fn compare(predicted: &Snapshot, observed: &Snapshot) -> Comparison {
        let small = CloudComparison { max_cells: 200, ..Default::default() };
        small.compare(predicted, observed, Seed(0), &mut Silent).unwrap()
    }

    #[test]
    fn a_perfect_prediction_is_at_its_floor_and_a_wrong_one_above() {
        let observed = normal(600, 1, 1.0);
        let good = compare(&normal(500, 2, 1.0), &observed);
        assert_eq!((good.n_used, good.n_floor), (200, 200));
        for (value, floor) in [
            (good.w1, good.floor_w1),
            (good.w2, good.floor_w2),
            (good.sliced_w2, good.floor_sliced_w2),
        ] {
            assert!((value / floor - 1.0).abs() < 0.35, "{good:?}");
        }
        assert!(good.energy.abs() < 0.03 && good.floor_energy.abs() < 0.02, "{good:?}");
        let wide = compare(&normal(500, 2, 2.0), &observed);
        assert!(wide.w1 > 2.0 * wide.floor_w1 && wide.energy > 0.1, "{wide:?}");
        assert!((wide.variance_ratio - 4.0).abs() < 0.6, "{wide:?}");
    }

    #[test]
    fn sizes_are_equal_and_said() {
        let few = compare(&normal(50, 2, 1.0), &normal(61, 1, 1.0));
        assert_eq!((few.n_used, few.n_floor), (30, 30));
        let few = compare(&normal(61, 2, 1.0), &normal(50, 1, 1.0));
        assert_eq!((few.n_used, few.n_floor), (25, 25));
        let one = Snapshot::new(array![[0., 0.]]).unwrap();
        let any = CloudComparison::default();
        assert!(any.compare(&one, &normal(9, 0, 1.0), Seed(0), &mut Silent).is_err());
        assert!(any.compare(&normal(9, 0, 1.0), &normal(3, 0, 1.0), Seed(0), &mut Silent).is_err());
    }

    #[test]
    fn the_same_seed_gives_the_same_bits_and_another_other_ones() {
        let (x, y) = (normal(300, 2, 1.0), normal(300, 1, 1.0));
        let with = |seed| {
            let small = CloudComparison { max_cells: 60, ..Default::default() };
            small.compare(&x, &y, Seed(seed), &mut Silent).unwrap()
        };
        assert_eq!(with(1), with(1));
        assert_ne!(with(1).w1.to_bits(), with(2).w1.to_bits());
    }

    #[test]
    fn variance_is_the_usual_one() {
        let x = Snapshot::new(array![[0., 1.], [2., 1.], [4., 4.]]).unwrap();
        let variance = total_variance(x.points(), x.marginal());
        assert!((variance - (4.0 + 3.0)).abs() < 1e-14);
    }

    #[test]
    fn ranges_are_checked() {
        let default = CloudComparison::default();
        assert!(default.check().is_ok());
        assert!(CloudComparison { max_cells: 1, ..default.clone() }.check().is_err());
        assert!(CloudComparison { n_projections: 0, ..default.clone() }.check().is_err());
        assert!(CloudComparison { n_splits: 0, ..default }.check().is_err());
    }
}
