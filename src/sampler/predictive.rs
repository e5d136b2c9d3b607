//! The choice of the bandwidth by the prediction of unmeasured coordinates of held-out cells.

use ndarray::{Array2, ArrayView2, Axis};
use rand::seq::SliceRandom;
use rand_distr::{Distribution, StandardNormal};

use crate::data::Snapshot;
use crate::error::Result;
use crate::geometry::Epsilon;
use crate::linalg::product_nt;
use crate::progress::{Event, Progress, Unseen, report};
use crate::rng::Seed;
use crate::sampler::bandwidth::{ChosenBandwidth, FOLDS, begin, climb, mean_variance};
use crate::sampler::chain::{Sampler, Scheme};
use crate::sampler::condition::Observed;
use crate::sampler::kernel::Kernel;
use crate::sampler::self_bridge::SelfBridge;

/// Largest number of held-out cells.
const MOST: usize = 200;

/// Number of draws for each held-out cell.
const DRAWS: usize = 16;

/// Number of steps of a chain.
const STEPS: usize = 10;

/// Tolerance of the scaling of kernels that are only compared.
const ROUGH: f64 = 1e-3;

impl ChosenBandwidth {
    /// The bandwidth with the best prediction of held-out cells from linear measurements of them.
    ///
    /// The measurements are `y = G x + noise` with `map` for `G`, `(n_measured, dim)`, and the standard
    /// deviation `deviation`. The prediction is the mean of 16 draws for each of at most 200 cells;
    /// the criterion is its mean squared error. [`ChosenBandwidth::tried`] has the negative error.
    /// `neighbour` is that of [`SelfBridge::new`].
    ///
    /// The best bandwidth for a density can differ from that for a conditional mean. In many
    /// dimensions [`super::Bandwidth::HeldOut`] is so small that draws follow one or two cells; for
    /// normal distributions it is too large.
    ///
    /// # Errors
    /// Those of [`super::Bandwidth::choose`] and [`Observed::new`].
    pub fn for_prediction(
        cells: &Snapshot,
        map: ArrayView2<'_, f64>,
        deviation: f64,
        neighbour: Option<usize>,
        seed: Seed,
        progress: &mut dyn Progress,
    ) -> Result<Self> {
        begin(cells, progress)?;
        let mut rows: Vec<usize> = (0..cells.n_cells()).collect();
        rows.shuffle(&mut seed.stream("sampler/foretell", 0));
        let (held, fitted) = rows.split_at((cells.n_cells() / FOLDS).min(MOST));
        let held = cells.points().select(Axis(0), held);
        let weights = cells.marginal().select(Axis(0), fitted);
        let fitted = Snapshot::weighted(cells.points().select(Axis(0), fitted), weights)?;
        let mut stream = seed.stream("sampler/foretell", 1);
        let values = product_nt(held.view(), map).mapv(|value| {
            let noise: f64 = StandardNormal.sample(&mut stream);
            value + deviation * noise
        });
        let observed = Observed::new(map.to_owned(), values, deviation)?.repeated(DRAWS);
        let silent = &mut Unseen(progress);
        let kernel = Kernel::new(&fitted, Epsilon::new(1.0)?, neighbour, silent)?;
        let sampler = Sampler { scheme: Scheme::SplitStep, n_steps: STEPS };
        let chosen = climb(&fitted, mean_variance(&fitted), |epsilon| {
            let kernel = kernel.clone().with_epsilon(epsilon);
            let bridge = SelfBridge::of_kernel(kernel, ROUGH, silent)?;
            let draws = sampler.sample_given(&bridge, &observed, seed, silent)?;
            Ok(-squared_error(&held, &draws))
        });
        report(progress, Event::End)?;
        chosen
    }
}

/// Mean squared distance of the cells to the means of their draws.
///
/// The variance of a mean of [`DRAWS`] draws is subtracted, so that the number of draws has no effect
/// on average.
fn squared_error(cells: &Array2<f64>, draws: &Array2<f64>) -> f64 {
    let mut sum = 0.0;
    for (cell, draws) in cells.rows().into_iter().zip(draws.axis_chunks_iter(Axis(0), DRAWS)) {
        let mean = draws.sum_axis(Axis(0)) / DRAWS as f64;
        let off = &cell - &mean;
        let chance = draws.var_axis(Axis(0), 1.0).sum() / DRAWS as f64;
        sum += off.dot(&off) - chance;
    }
    sum / cells.nrows().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Silent;
    use crate::sampler::Bandwidth;

    #[test]
    fn one_coordinate_is_foretold_from_many_others_better_than_with_the_kernel_of_their_density() {
        let mut stream = Seed(4).stream("test/cells", 0);
        let mut points: Array2<f64> =
            Array2::from_shape_simple_fn((400, 10), || StandardNormal.sample(&mut stream));
        let last = points.slice(ndarray::s![.., ..9]).sum_axis(Axis(1)) / 3.0;
        points.column_mut(9).scaled_add(2.0, &last);
        let cells = Snapshot::new(points).unwrap();
        let mut map = Array2::zeros((9, 10));
        map.diag_mut().fill(1.0);
        let told =
            ChosenBandwidth::for_prediction(&cells, map.view(), 0.0, None, Seed(0), &mut Silent)
                .unwrap();
        let density = Bandwidth::HeldOut.choose(&cells, None, Seed(0), &mut Silent).unwrap();
        // The last coordinate has the variance 5, of which 1 cannot be predicted.
        let least = told.tried.iter().map(|entry| -entry.1).fold(f64::INFINITY, f64::min);
        assert!((0.7..3.0).contains(&least), "{least}");
        let off = |one: f64, other: f64| (one / other).ln().abs();
        let near = |wanted: Epsilon| {
            let by = |a: &&(f64, f64), b: &&(f64, f64)| {
                off(a.0, wanted.value()).total_cmp(&off(b.0, wanted.value()))
            };
            -told.tried.iter().min_by(by).unwrap().1
        };
        assert!(near(told.epsilon) < near(density.epsilon), "{told:?} {density:?}");
    }

    #[test]
    fn the_chance_of_few_draws_is_taken_out() {
        let mut stream = Seed(4).stream("test/draws", 0);
        let draws = Array2::from_shape_simple_fn((2000 * DRAWS, 1), || {
            let value: f64 = StandardNormal.sample(&mut stream);
            value
        });
        let error = squared_error(&Array2::from_elem((2000, 1), 2.0), &draws);
        assert!((error - 4.0).abs() < 0.1, "{error}");
    }
}
