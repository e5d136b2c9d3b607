//! The noise floors of the metrics of a score, with their own errors.

use ndarray::Array1;
use rand::RngExt;

use crate::data::Snapshot;
use crate::error::Result;
use crate::metrics::floor::{Metric, Splits, noise_floor};
use crate::metrics::resample::Estimate;
use crate::metrics::score::{PAIRED_CELLS, Scoring};
use crate::metrics::wasserstein::Order;
use crate::progress::Progress;
use crate::rng::Seed;

/// The noise floors of the metrics of a [`crate::metrics::Score`]: their values between parts of the
/// observed cells.
///
/// ```
/// use ndarray::Array2;
/// use sbcell::data::Snapshot;
/// use sbcell::metrics::Scoring;
/// use sbcell::{Seed, Silent};
///
/// let observed = Snapshot::new(Array2::from_shape_fn((30, 1), |(i, _)| (i as f64).sin()))?;
/// let scoring = Scoring { n_per_side: None, n_draws: 1, n_projections: 1, bandwidth: 1.0 };
/// let floor = scoring.floor(&observed, 3, Seed(1), &mut Silent)?;
/// assert!(floor.mean("w1") > 0.0 && floor.mean("variance_ratio").is_nan());
/// # sbcell::Result::Ok(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct ScoreFloor {
    /// The name of each metric with its value for each split.
    pub entries: Vec<(&'static str, Vec<f64>)>,
    /// Number of cells in each part, for Wasserstein distances.
    pub n_per_side: usize,
}

impl ScoreFloor {
    /// The mean over splits; NaN for a metric without floor.
    pub fn mean(&self, metric: &str) -> f64 {
        let values = self.entries.iter().find(|entry| entry.0 == metric);
        values.map_or(f64::NAN, |(_, values)| values.iter().sum::<f64>() / values.len() as f64)
    }

    /// The noise floor with its own error, for differences from scores with `n_resamples` resamples.
    ///
    /// Energy distance and MMD are unbiased: their mean over all splits of a snapshot with equal weights is
    /// exactly 0, whatever the cells are, so the floor is 0 without error. Other floors are means over few
    /// splits; resamples are means over as many splits, drawn with replacement. NaN for a metric without
    /// floor.
    pub fn estimate(&self, metric: &str, n_resamples: usize, seed: Seed) -> Estimate {
        if UNBIASED.contains(&metric) {
            return Estimate::of(&Array1::zeros(1 + n_resamples));
        }
        let mut means = Array1::from_elem(1 + n_resamples, self.mean(metric));
        if let Some((_, values)) = self.entries.iter().find(|entry| entry.0 == metric) {
            let mut stream = seed.stream("floor/resample", 0);
            for mean in means.iter_mut().skip(1) {
                let drawn = (0..values.len()).map(|_| values[stream.random_range(0..values.len())]);
                *mean = drawn.sum::<f64>() / values.len() as f64;
            }
        }
        Estimate::of(&means)
    }

    /// The means of several floors with the same metrics and numbers of splits, split by split. `None` for no
    /// floor.
    #[must_use]
    pub fn averaged(floors: &[Self]) -> Option<Self> {
        let (first, n) = (floors.first()?, floors.len() as f64);
        let mut mean = first.clone();
        for (place, (_, values)) in mean.entries.iter_mut().enumerate() {
            for (split, value) in values.iter_mut().enumerate() {
                let of = |floor: &'_ Self| floor.entries.get(place)?.1.get(split).copied();
                let all = floors.iter().filter_map(of);
                *value = all.sum::<f64>() / n;
            }
        }
        Some(mean)
    }
}

/// The metrics whose mean over all splits is exactly zero.
const UNBIASED: [&str; 3] = ["energy", "energy_half", "mmd"];

impl Scoring {
    /// The noise floors of these scores, from `n_splits` random splits of the observed cells.
    ///
    /// Parts for Wasserstein distances have `n_per_side` cells, or half of the cells if it is `None`.
    /// Parts for energy distance and MMD have half of the cells, at most 5000.
    ///
    /// # Errors
    /// As for [`noise_floor`].
    pub fn floor(
        &self,
        observed: &Snapshot,
        n_splits: usize,
        seed: Seed,
        progress: &mut dyn Progress,
    ) -> Result<ScoreFloor> {
        let n_per_side = self.n_per_side.unwrap_or(observed.n_cells() / 2);
        let sliced = Metric::Sliced { order: Order::Two, n_projections: self.n_projections };
        let mmd = Metric::Mmd { bandwidth: self.bandwidth };
        let metrics = [
            ("energy", Metric::Energy, observed.n_cells() / 2),
            ("w1", Metric::Wasserstein(Order::One), n_per_side),
            ("w2", Metric::Wasserstein(Order::Two), n_per_side),
            ("sliced_w2", sliced, n_per_side),
            ("mmd", mmd, observed.n_cells() / 2),
        ];
        let mut entries = Vec::new();
        for (name, metric, n_per_side) in metrics {
            let n_per_side = n_per_side.min(PAIRED_CELLS);
            let splits = Splits { n_per_side, n_splits };
            let values = noise_floor(observed, metric, splits, seed, progress)?.values;
            if name == "energy" {
                entries.push(("energy_half", values.iter().map(|value| 0.5 * value).collect()));
            }
            entries.push((name, values));
        }
        Ok(ScoreFloor { entries, n_per_side: n_per_side.min(observed.n_cells() / 2) })
    }
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;
    use crate::metrics::energy_distance;

    fn floor(values: &[f64]) -> ScoreFloor {
        ScoreFloor {
            entries: vec![("energy", values.to_vec()), ("w1", values.to_vec())],
            n_per_side: 9,
        }
    }

    #[test]
    fn the_error_of_a_floor_is_that_of_a_mean_over_splits() {
        let values: Vec<f64> = (0..40).map(|i| f64::from(i % 8)).collect();
        let found = floor(&values).estimate("w1", 4000, Seed(1));
        assert!((found.value - 3.5).abs() < 1e-12);
        let resampled = Array1::from(found.resampled);
        // The standard deviation of 0, …, 7 is √(63/12), of a mean of 40 of them √40 times less.
        let expected = (63.0_f64 / 12.0 / 40.0).sqrt();
        assert!((resampled.std(0.0) / expected - 1.0).abs() < 0.05, "{}", resampled.std(0.0));
        assert!(floor(&values).estimate("w7", 3, Seed(1)).value.is_nan());
    }

    /// All three splits of four cells into pairs: their energy distances have the mean zero.
    #[test]
    fn the_mean_energy_over_all_splits_is_zero() {
        let at = [0.0, 1.0, 4.5, 11.0];
        let pair = |i: usize, j: usize| {
            Snapshot::new(Array2::from_shape_fn((2, 1), |(k, _)| at[[i, j][k]])).unwrap()
        };
        let splits = [[0, 1, 2, 3], [0, 2, 1, 3], [0, 3, 1, 2]];
        let energies =
            splits.map(|[a, b, c, d]| energy_distance(&pair(a, b), &pair(c, d)).unwrap().value);
        assert!(energies.iter().sum::<f64>().abs() < 1e-12, "{energies:?}");
        assert!(energies.iter().any(|energy| energy.abs() > 1.0));
        let found = floor(&energies).estimate("energy", 5, Seed(1));
        assert!(found.value.abs() + found.lo.abs() + found.hi.abs() < 1e-15);
    }

    #[test]
    fn floors_are_averaged_split_by_split() {
        let found = ScoreFloor::averaged(&[floor(&[1.0, 2.0]), floor(&[3.0, 8.0])]).unwrap();
        assert_eq!(found, floor(&[2.0, 5.0]));
        assert!(ScoreFloor::averaged(&[]).is_none());
    }
}
