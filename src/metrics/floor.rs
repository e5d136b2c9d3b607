//! The noise floor: the distance between two samples of one population.

use ndarray::{Array1, Axis};
use rand::seq::index;
use rayon::prelude::*;

use crate::data::Snapshot;
use crate::error::range::at_least_one;
use crate::error::{Error, Result};
use crate::metrics::discrepancy::{PairFunction, Weighted, as_column, discrepancies};
use crate::metrics::energy::energy_distance;
use crate::metrics::sliced::sliced_wasserstein;
use crate::metrics::wasserstein::{Order, wasserstein};
use crate::progress::{Progress, Together};
use crate::rng::Seed;

/// A distance between two snapshots.
///
/// ```
/// use ndarray::array;
/// use sbcell::data::Snapshot;
/// use sbcell::metrics::{Metric, Order};
/// use sbcell::{Seed, Silent};
///
/// let x = Snapshot::new(array![[0.0], [1.0]])?;
/// let y = Snapshot::new(array![[2.0], [3.0]])?;
/// let metric = Metric::Wasserstein(Order::One);
/// assert_eq!(metric.measure(&x, &y, Seed(1), &mut Silent)?, 2.0);
/// # sbcell::Result::Ok(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Metric {
    /// The exact Wasserstein distance, see [`wasserstein`].
    Wasserstein(Order),
    /// The value of [`energy_distance`].
    Energy,
    /// The unbiased squared maximum mean discrepancy with kernel `exp(−‖x − y‖²/2h²)`.
    Mmd {
        /// Width `h` of the kernel, in the unit of the points.
        bandwidth: f64,
    },
    /// The sliced Wasserstein distance, see [`sliced_wasserstein`].
    Sliced {
        /// The order of the distance.
        order: Order,
        /// Number of random directions.
        n_projections: usize,
    },
}

impl Metric {
    /// The distance between `x` and `y`; `seed` determines the directions of [`Metric::Sliced`].
    ///
    /// # Errors
    /// Those of the function that computes the distance.
    pub fn measure(
        self,
        x: &Snapshot,
        y: &Snapshot,
        seed: Seed,
        progress: &mut dyn Progress,
    ) -> Result<f64> {
        match self {
            Self::Wasserstein(order) => wasserstein(x, y, order, progress),
            Self::Energy => Ok(energy_distance(x, y)?.value),
            Self::Mmd { bandwidth } => {
                let (w, v) = (as_column(x.marginal()), as_column(y.marginal()));
                let x = Weighted { cells: x, weights: w.view() };
                let y = Weighted { cells: y, weights: v.view() };
                Ok(discrepancies(x, y, PairFunction::Gaussian { bandwidth })?[0])
            }
            Self::Sliced { order, n_projections } => {
                sliced_wasserstein(x, y, order, n_projections, seed)
            }
        }
    }
}

/// Distances between disjoint random parts of one snapshot, from [`noise_floor`].
///
/// ```
/// use ndarray::Array2;
/// use sbcell::data::Snapshot;
/// use sbcell::metrics::{Metric, Splits, noise_floor};
/// use sbcell::{Seed, Silent};
///
/// let cells = Array2::from_shape_fn((30, 1), |(i, _)| (i as f64).sin());
/// let splits = Splits { n_per_side: 15, n_splits: 4 };
/// let floor =
///     noise_floor(&Snapshot::new(cells)?, Metric::Energy, splits, Seed(1), &mut Silent)?;
/// assert_eq!((floor.values.len(), floor.n_per_side), (4, 15));
/// // The energy distance is unbiased, so that its floor is near zero.
/// assert!(floor.mean.abs() < 0.3);
/// # sbcell::Result::Ok(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Floor {
    /// The mean over splits.
    pub mean: f64,
    /// One distance for each split.
    pub values: Vec<f64>,
    /// Number of cells in each of the two parts.
    pub n_per_side: usize,
}

/// The random splits of a snapshot for [`noise_floor`]; [`Floor`] has an example.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Splits {
    /// Number of cells in each of the two parts; at most half of the cells are used.
    pub n_per_side: usize,
    /// Number of random splits.
    pub n_splits: usize,
}

/// The noise floor of `metric`: its values between two disjoint random parts of `snapshot`.
///
/// Each part has `n_per_side` cells, at most half of the cells. Wasserstein distances fall with the
/// number of cells, so their floor is too high if the parts are smaller than the compared snapshots;
/// that of the energy distance is correct on average. Cells keep their weights. Splits are measured in
/// parallel.
///
/// # Errors
/// [`Error::Parameter`] if `n_splits` is 0 or there are fewer than two cells on each side; those of
/// the metric.
pub fn noise_floor(
    snapshot: &Snapshot,
    metric: Metric,
    splits: Splits,
    seed: Seed,
    progress: &mut dyn Progress,
) -> Result<Floor> {
    let Splits { n_per_side, n_splits } = splits;
    let n_per_side = n_per_side.min(snapshot.n_cells() / 2);
    if n_per_side < 2 {
        let must = "at least 2 on each side of a split";
        return Err(Error::Parameter {
            name: "number of cells",
            must,
            got: n_per_side.to_string(),
        });
    }
    at_least_one("n_splits", n_splits)?;
    let together = Together::new(progress);
    let values = (0..n_splits as u64)
        .into_par_iter()
        .map(|number| {
            let (a, b) = split(snapshot, n_per_side, seed, number)?;
            let seed = seed.child("floor/metric", number);
            metric.measure(&a, &b, seed, &mut together.unseen())
        })
        .collect::<Result<Vec<f64>>>()?;
    let mean = values.iter().sum::<f64>() / n_splits as f64;
    Ok(Floor { mean, values, n_per_side })
}

/// `n` random cells without replacement, in their order and with their weights; at most all.
///
/// # Errors
/// [`Error::Parameter`] if the weights of all drawn cells are zero.
pub(super) fn subsample(snapshot: &Snapshot, n: usize, seed: Seed) -> Result<Snapshot> {
    if snapshot.n_cells() <= n {
        return Ok(snapshot.clone());
    }
    let mut rng = seed.stream("metrics/subsample", 0);
    let mut cells = index::sample(&mut rng, snapshot.n_cells(), n).into_vec();
    cells.sort_unstable();
    select(snapshot, &cells)
}

/// Two disjoint random parts of `n` cells each; `number` is that of the split.
fn split(snapshot: &Snapshot, n: usize, seed: Seed, number: u64) -> Result<(Snapshot, Snapshot)> {
    let mut rng = seed.stream("floor/split", number);
    let cells = index::sample(&mut rng, snapshot.n_cells(), 2 * n).into_vec();
    Ok((select(snapshot, &cells[..n])?, select(snapshot, &cells[n..])?))
}

/// The snapshot of some cells, with their weights divided by the sum.
fn select(snapshot: &Snapshot, cells: &[usize]) -> Result<Snapshot> {
    let weights: Array1<f64> = cells.iter().map(|&cell| snapshot.marginal()[cell]).collect();
    Snapshot::weighted(snapshot.points().select(Axis(0), cells), weights)
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;
    use crate::progress::Silent;

    fn line(n: usize) -> Snapshot {
        Snapshot::new(Array2::from_shape_fn((n, 1), |(i, _)| i as f64)).unwrap()
    }

    fn splits(n_per_side: usize, n_splits: usize) -> Splits {
        Splits { n_per_side, n_splits }
    }

    #[test]
    fn the_two_parts_are_disjoint_and_cover_a_snapshot_that_is_small() {
        let (a, b) = split(&line(20), 10, Seed(3), 0).unwrap();
        let mut all: Vec<f64> = a.points().iter().chain(b.points().iter()).copied().collect();
        all.sort_by(f64::total_cmp);
        assert_eq!(all, (0..20).map(f64::from).collect::<Vec<f64>>());
        let floor =
            noise_floor(&line(21), Metric::Energy, splits(500, 3), Seed(0), &mut Silent).unwrap();
        assert_eq!((floor.n_per_side, floor.values.len()), (10, 3));
        assert_ne!(floor.values[0].to_bits(), floor.values[1].to_bits());
    }

    #[test]
    fn the_floor_of_a_line_is_near_what_theory_says() {
        // E W₁ of two samples of n uniform numbers on [0, 1] is √(π/n)/4 for large n:
        // the integral of E|B(t)| √(2/n) over a Brownian bridge B.
        let n = 4000;
        let metric = Metric::Wasserstein(Order::One);
        let floor = noise_floor(&line(n), metric, splits(500, 20), Seed(1), &mut Silent).unwrap();
        let expected = (std::f64::consts::PI / 500.0).sqrt() / 4.0;
        let mean = floor.mean / n as f64;
        assert!((mean / expected - 1.0).abs() < 0.25, "{mean} against {expected}");
    }

    #[test]
    fn subsamples_keep_order_weights_and_seed() {
        let weighted = Snapshot::weighted(
            Array2::from_shape_fn((50, 1), |(i, _)| i as f64),
            Array1::from_shape_fn(50, |i| 1.0 + i as f64),
        )
        .unwrap();
        let some = subsample(&weighted, 10, Seed(2)).unwrap();
        assert_eq!(some, subsample(&weighted, 10, Seed(2)).unwrap());
        assert!(some.points().iter().is_sorted());
        let ratio = |i: usize| some.marginal()[i] / (1.0 + some.points()[[i, 0]]);
        assert!((0..10).all(|i| (ratio(i) / ratio(0) - 1.0).abs() < 1e-12));
        assert_eq!(subsample(&weighted, 50, Seed(2)).unwrap(), weighted);
    }

    #[test]
    fn too_few_cells_or_splits_are_refused() {
        let fails = |n, n_splits| {
            noise_floor(&line(n), Metric::Energy, splits(5, n_splits), Seed(0), &mut Silent)
                .is_err()
        };
        assert!(fails(3, 1) && fails(10, 0) && !fails(4, 1));
    }
}
