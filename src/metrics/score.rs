//! Distances between predicted and observed cells with bootstrap intervals.

use ndarray::{Array1, Array2};
use rayon::prelude::*;

use crate::data::Snapshot;
use crate::error::{Error, Result};
use crate::metrics::comparison::total_variance;
use crate::metrics::discrepancy::{PairFunction, Weighted, between, within};
use crate::metrics::floor::subsample;
use crate::metrics::resample::{Estimate, Resamples};
use crate::metrics::sliced::{directions, sliced_prices, sliced_wasserstein_along};
use crate::metrics::wasserstein::{Order, Prices, priced};
use crate::progress::{Progress, Together};
use crate::rng::Seed;

/// Largest number of cells on each side for distances over all pairs.
pub(super) const PAIRED_CELLS: usize = 5000;

/// The parameters of a score of predicted cells.
///
/// ```
/// use ndarray::Array2;
/// use sbcell::data::Snapshot;
/// use sbcell::metrics::{Resamples, Scoring};
/// use sbcell::{Seed, Silent};
///
/// let cells = |shift: f64| {
///     Snapshot::new(Array2::from_shape_fn((30, 1), |(i, _)| (i as f64).sin() + shift))
/// };
/// let (predicted, observed) = (cells(1.0)?, cells(0.0)?);
/// let scoring = Scoring { n_per_side: None, n_draws: 1, n_projections: 1, bandwidth: 1.0 };
/// let resamples = Resamples::of_cells(30, 20, Seed(1));
/// let score =
///     scoring.score(&predicted, &resamples, &observed, &resamples, Seed(2), &mut Silent)?;
/// assert!((score.w1.value - 1.0).abs() < 1e-9 && score.w1.has_interval());
/// # sbcell::Result::Ok(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scoring {
    /// Number of cells on each side of a Wasserstein distance; `None` for all cells.
    pub n_per_side: Option<usize>,
    /// Number of subsamples of this size, over which distances are averaged.
    pub n_draws: usize,
    /// Number of directions of the sliced distance.
    pub n_projections: usize,
    /// Width of the Gaussian kernel of the maximum mean discrepancy, in the unit of the points.
    pub bandwidth: f64,
}

/// Distances between predicted and observed cells with bootstrap intervals, in the unit of the
/// points; [`Scoring`] has an example.
///
/// Energy distance and MMD are unbiased at any number of cells and use all cells, at most 5000 on each
/// side. Wasserstein distances fall with the number of cells. They are means over subsamples of equal
/// size and comparable only at that size. Their intervals are those of the first-order change of the
/// distance under resampled weights, from the dual prices of each subsample extended to all cells
/// (the central limit theorem of del Barrio, González-Sanz and Loubes 2024).
#[derive(Debug, Clone, PartialEq)]
pub struct Score {
    /// Exact W₁.
    pub w1: Estimate,
    /// Exact W₂, the root of the mean squared distance.
    pub w2: Estimate,
    /// Sliced W₂.
    pub sliced_w2: Estimate,
    /// Unbiased energy distance; LightSB reports half of it.
    pub energy: Estimate,
    /// Unbiased squared maximum mean discrepancy with a Gaussian kernel.
    pub mmd: Estimate,
    /// Trace of the covariance of predicted cells divided by that of observed cells.
    pub variance_ratio: Estimate,
    /// Numbers of predicted and of observed cells in the Wasserstein distances.
    pub n_used: (usize, usize),
}

impl Score {
    /// The metrics with their names in output files, and half the energy distance.
    pub fn entries(&self) -> [(&'static str, Estimate); 7] {
        let half = self.energy.with(&self.energy, |energy, _| 0.5 * energy);
        [
            ("energy", self.energy.clone()),
            ("energy_half", half),
            ("w1", self.w1.clone()),
            ("w2", self.w2.clone()),
            ("sliced_w2", self.sliced_w2.clone()),
            ("mmd", self.mmd.clone()),
            ("variance_ratio", self.variance_ratio.clone()),
        ]
    }

    /// The means of several scores, within each resample too. `None` for no score.
    ///
    /// The numbers of cells are those of the first.
    #[must_use]
    pub fn averaged(scores: &[Self]) -> Option<Self> {
        let first = scores.first()?;
        let mean = |of: fn(&Self) -> &Estimate| {
            Estimate::averaged(&scores.iter().map(of).collect::<Vec<_>>())
        };
        Some(Self {
            w1: mean(|score| &score.w1),
            w2: mean(|score| &score.w2),
            sliced_w2: mean(|score| &score.sliced_w2),
            energy: mean(|score| &score.energy),
            mmd: mean(|score| &score.mmd),
            variance_ratio: mean(|score| &score.variance_ratio),
            n_used: first.n_used,
        })
    }
}

impl Scoring {
    /// Scores `predicted` against `observed` cells.
    ///
    /// Both sides have their own resamples with the same number of columns. `seed` determines
    /// subsamples and directions. Most of the time is that of `2 n_draws` exact transport problems.
    ///
    /// # Errors
    /// [`Error::Shape`] if the dimensions or the numbers of resamples differ; [`Error::Parameter`] if
    /// a side has fewer than two cells of positive weight, or the subsamples are empty;
    /// [`Error::Cancelled`].
    pub fn score(
        &self,
        predicted: &Snapshot,
        predicted_resamples: &Resamples,
        observed: &Snapshot,
        observed_resamples: &Resamples,
        seed: Seed,
        progress: &mut dyn Progress,
    ) -> Result<Score> {
        let target = self.target(observed, observed_resamples, seed)?;
        self.against(&target, predicted, predicted_resamples, progress)
    }

    /// Everything about the observed cells that does not depend on the prediction, for
    /// [`Scoring::against`]. `seed` determines subsamples and directions.
    ///
    /// # Errors
    /// As for [`Scoring::score`].
    pub(crate) fn target<'a>(
        &self,
        observed: &'a Snapshot,
        resamples: &Resamples,
        seed: Seed,
    ) -> Result<Target<'a>> {
        let weights = resamples.weights(observed);
        let (few, of_few) =
            few(Weighted { cells: observed, weights: weights.view() }, OBSERVED, seed)?;
        let within = |function| within(Weighted { cells: &few, weights: of_few.view() }, function);
        let (energy, mmd) = (within(PairFunction::Distance)?, within(self.gaussian())?);
        let variances = variances(Weighted { cells: observed, weights: weights.view() });
        Ok(Target { cells: observed, weights, few, of_few, within: [energy, mmd], variances, seed })
    }

    /// Scores `predicted` cells against a target; as [`Scoring::score`].
    ///
    /// # Errors
    /// As for [`Scoring::score`].
    pub(crate) fn against(
        &self,
        target: &Target<'_>,
        predicted: &Snapshot,
        resamples: &Resamples,
        progress: &mut dyn Progress,
    ) -> Result<Score> {
        let seed = target.seed;
        let of_x = resamples.weights(predicted);
        let x = Weighted { cells: predicted, weights: of_x.view() };
        let y = Weighted { cells: target.cells, weights: target.weights.view() };
        let (w1, n_used) = self.wasserstein(x, y, Order::One, seed, progress)?;
        let (w2, _) = self.wasserstein(x, y, Order::Two, seed, progress)?;
        let sliced_w2 = self.sliced(x, y, seed)?;
        let (some, of_some) = few(x, PREDICTED, seed)?;
        let some = Weighted { cells: &some, weights: of_some.view() };
        let others = Weighted { cells: &target.few, weights: target.of_few.view() };
        let paired = |function, within_target: &Array1<f64>| -> Result<Estimate> {
            let apart = between(some, others, function)? * 2.0;
            Ok(Estimate::of(&(apart - within(some, function)? - within_target)))
        };
        let energy = paired(PairFunction::Distance, &target.within[0])?;
        let mmd = paired(self.gaussian(), &target.within[1])?;
        let variance_ratio = Estimate::of(&(variances(x) / &target.variances));
        Ok(Score { w1, w2, sliced_w2, energy, mmd, variance_ratio, n_used })
    }

    /// The kernel of the maximum mean discrepancy.
    fn gaussian(&self) -> PairFunction {
        PairFunction::Gaussian { bandwidth: self.bandwidth }
    }

    /// The exact distance with its interval, and the numbers of cells of a subsample.
    fn wasserstein(
        &self,
        x: Weighted<'_>,
        y: Weighted<'_>,
        order: Order,
        seed: Seed,
        progress: &mut dyn Progress,
    ) -> Result<(Estimate, (usize, usize))> {
        let mut mean_cost = 0.0;
        let mut prices = Prices::zeros(x.cells.n_cells(), y.cells.n_cells());
        let mut distance = 0.0;
        let draws = self.draws(x.cells, y.cells, seed)?;
        let together = Together::new(progress);
        let solve = |(a, b): &(Snapshot, Snapshot)| priced(a, b, order, &mut together.unseen());
        let solved = draws.par_iter().map(solve).collect::<Result<Vec<_>>>()?;
        for ((a, b), found) in draws.iter().zip(&solved) {
            mean_cost += found.mean_cost;
            distance += order.distance(found.mean_cost);
            let source = found.at_sources(x.cells.points(), b, order);
            let target = found.at_targets(y.cells.points(), a, order);
            prices.add(&Prices { source, target });
        }
        let n = draws.len() as f64;
        let weighted = Distance { value: distance / n, mean_cost: mean_cost / n, order };
        let estimate = weighted.under(&prices.divided(n), x, y);
        Ok((estimate, (draws[0].0.n_cells(), draws[0].1.n_cells())))
    }

    /// The sliced W₂ with its interval; the directions are the same for all subsamples.
    fn sliced(&self, x: Weighted<'_>, y: Weighted<'_>, seed: Seed) -> Result<Estimate> {
        let (dim, seed_along) = (x.cells.dim(), seed.child("score/sliced", 0));
        let along = directions(self.n_projections, dim, seed_along);
        let along = along.view();
        let mut distance = 0.0;
        let draws = self.draws(x.cells, y.cells, seed)?;
        for (a, b) in &draws {
            distance += sliced_wasserstein_along(a, b, Order::Two, along)?;
        }
        distance /= draws.len() as f64;
        let prices = sliced_prices(x.cells, y.cells, Order::Two, along)?;
        let (value, mean_cost) = (distance, distance * distance);
        Ok(Distance { value, mean_cost, order: Order::Two }.under(&prices, x, y))
    }

    /// `n_draws` subsamples of `n_per_side` cells of both sides, or once all cells if it is `None`.
    fn draws(&self, x: &Snapshot, y: &Snapshot, seed: Seed) -> Result<Vec<(Snapshot, Snapshot)>> {
        let Some(n) = self.n_per_side else { return Ok(vec![(x.clone(), y.clone())]) };
        if n < 2 || self.n_draws == 0 {
            let (must, got) = ("at least 2 in at least 1 draw", format!("{n}"));
            return Err(Error::Parameter { name: "number of cells", must, got });
        }
        let draw = |number| {
            let of = |cells, name| subsample(cells, n, seed.child(name, number));
            Ok((of(x, "score/predicted")?, of(y, "score/observed")?))
        };
        (0..self.n_draws as u64).map(draw).collect()
    }
}

/// A distance averaged over subsamples.
struct Distance {
    /// The mean distance.
    value: f64,
    /// The mean of the mean costs.
    mean_cost: f64,
    order: Order,
}

impl Distance {
    /// The distance with its interval, from its first-order change under resampled weights.
    ///
    /// The change of the mean cost is the change of the weights times the prices.
    fn under(&self, prices: &Prices, x: Weighted<'_>, y: Weighted<'_>) -> Estimate {
        let Self { value, mean_cost, order } = *self;
        let costs = x.weights.t().dot(&prices.source) + y.weights.t().dot(&prices.target);
        let usual = costs.first().copied().unwrap_or(0.0);
        // The mean distance of the subsamples changes as the distance of the mean cost does.
        let change = |cost: &f64| {
            order.distance(mean_cost + cost - usual) - order.distance(mean_cost) + value
        };
        Estimate::of(&costs.iter().map(change).collect())
    }
}

/// Observed cells with everything that all scores against them share. [`Scoring::target`] makes it.
pub(crate) struct Target<'a> {
    /// The observed cells.
    cells: &'a Snapshot,
    /// Their weights in each resample.
    weights: Array2<f64>,
    /// At most 5000 of the cells, for distances over all pairs.
    few: Snapshot,
    /// The weights of these cells in each resample.
    of_few: Array2<f64>,
    /// Mean distance and mean kernel between two different of these cells, in each resample.
    within: [Array1<f64>; 2],
    /// The total variance in each resample.
    variances: Array1<f64>,
    /// The seed of subsamples and directions.
    seed: Seed,
}

/// The random stream by which predicted cells are thinned.
const PREDICTED: &str = "score/paired predicted";
/// The random stream by which observed cells are thinned.
const OBSERVED: &str = "score/paired observed";

/// The total variance under each column of the weights.
fn variances(Weighted { cells, weights }: Weighted<'_>) -> Array1<f64> {
    let of = |column: ndarray::ArrayView1<'_, f64>| total_variance(cells.points(), column);
    weights.columns().into_iter().map(of).collect()
}

/// At most 5000 of the cells with their weights, for distances over all pairs. `name` is that of the random
/// stream.
fn few(
    Weighted { cells, weights }: Weighted<'_>,
    name: &'static str,
    seed: Seed,
) -> Result<(Snapshot, Array2<f64>)> {
    if cells.n_cells() <= PAIRED_CELLS {
        return Ok((cells.clone(), weights.to_owned()));
    }
    let mut stream = seed.stream(name, 0);
    let mut rows = rand::seq::index::sample(&mut stream, cells.n_cells(), PAIRED_CELLS).into_vec();
    rows.sort_unstable();
    let axis = ndarray::Axis(0);
    Ok((Snapshot::new(cells.points().select(axis, &rows))?, weights.select(axis, &rows)))
}

#[cfg(test)]
mod tests {
    use rand_distr::{Distribution, StandardNormal};

    use super::*;
    use crate::metrics::{energy_distance, median_distance, wasserstein};
    use crate::progress::Silent;

    fn normal(n: usize, shift: f64, seed: u64) -> Snapshot {
        let mut rng = Seed(seed).stream("test", 0);
        let mut points: Array2<f64> =
            Array2::from_shape_simple_fn((n, 2), || StandardNormal.sample(&mut rng));
        points.column_mut(0).mapv_inplace(|value| value + shift);
        Snapshot::new(points).unwrap()
    }

    fn whole() -> Scoring {
        Scoring { n_per_side: None, n_draws: 1, n_projections: 50, bandwidth: 1.0 }
    }

    fn score(scoring: &Scoring, x: &Snapshot, y: &Snapshot, n_resamples: usize) -> Score {
        let of =
            |cells: &Snapshot, seed| Resamples::of_cells(cells.n_cells(), n_resamples, Seed(seed));
        scoring.score(x, &of(x, 1), y, &of(y, 2), Seed(0), &mut Silent).unwrap()
    }

    #[test]
    fn values_are_those_of_the_metrics_themselves() {
        let (x, y) = (normal(60, 1.0, 1), normal(80, 0.0, 2));
        let score = score(&whole(), &x, &y, 0);
        let w = |order| wasserstein(&x, &y, order, &mut Silent).unwrap();
        assert!((score.w1.value - w(Order::One)).abs() < 1e-12);
        assert!((score.w2.value - w(Order::Two)).abs() < 1e-12);
        assert!((score.energy.value - energy_distance(&x, &y).unwrap().value).abs() < 1e-12);
        assert_eq!(score.n_used, (60, 80));
        assert!(score.w1.lo.is_nan() && score.w1.hi.is_nan());
        let half = score.entries().into_iter().find(|entry| entry.0 == "energy_half").unwrap().1;
        assert!((half.value * 2.0 - score.energy.value).abs() < 1e-15);
    }

    /// Against resampling the cells themselves and solving the transport anew: the spread of the
    /// distance, though not its bias, which repeated cells raise.
    #[test]
    fn the_spread_of_w_under_resampling_is_that_of_its_prices() {
        let (x, y) = (normal(100, 1.0, 1), normal(120, 0.0, 2));
        let n_resamples = 200;
        let found = score(&whole(), &x, &y, n_resamples);
        let of = |cells: &Snapshot, seed| {
            Resamples::of_cells(cells.n_cells(), n_resamples, Seed(seed)).weights(cells)
        };
        let (w, v) = (of(&x, 1), of(&y, 2));
        let again = |b: usize, order| {
            let take = |cells: &Snapshot, weights: &Array2<f64>| {
                let column = weights.column(b).to_owned();
                Snapshot::weighted(cells.points().to_owned(), column).unwrap()
            };
            wasserstein(&take(&x, &w), &take(&y, &v), order, &mut Silent).unwrap()
        };
        let deviation = |values: &[f64]| Array1::from(values.to_vec()).std(1.0);
        for (order, estimate) in [(Order::One, &found.w1), (Order::Two, &found.w2)] {
            let direct: Vec<f64> = (1..=n_resamples).map(|b| again(b, order)).collect();
            let ratio = deviation(&estimate.resampled) / deviation(&direct);
            assert!((0.85..1.15).contains(&ratio), "{order:?} {ratio}");
            // Prices stay feasible, so that what they say is a lower bound of the cost.
            assert!(direct.iter().zip(&estimate.resampled).all(|(d, e)| d > &(e - 1e-9)));
        }
    }

    /// Energy distance of N(0, I) and N(s, I) in two dimensions, from a large sample.
    #[test]
    fn intervals_cover_the_truth_about_as_often_as_they_say() {
        let truth =
            energy_distance(&normal(20_000, 0.7, 91), &normal(20_000, 0.0, 92)).unwrap().value;
        let covers = (0..60).filter(|&run| {
            let (x, y) = (normal(70, 0.7, 100 + run), normal(90, 0.0, 300 + run));
            let scoring = Scoring { n_projections: 2, ..whole() };
            let energy = score(&scoring, &x, &y, 100).energy;
            energy.lo <= truth && truth <= energy.hi
        });
        let n_covers = covers.count();
        // 95 % nominal; 60 runs.
        assert!(n_covers >= 51, "{n_covers} of 60");
    }

    #[test]
    fn draws_are_of_equal_size_and_their_floor_too() {
        let (x, y) = (normal(300, 0.0, 1), normal(200, 0.0, 2));
        let scoring = Scoring { n_per_side: Some(50), n_draws: 4, ..whole() };
        let found = score(&scoring, &x, &y, 20);
        assert_eq!(found.n_used, (50, 50));
        let floor = scoring.floor(&y, 4, Seed(3), &mut Silent).unwrap();
        assert_eq!(floor.n_per_side, 50);
        assert!((found.w1.value / floor.mean("w1") - 1.0).abs() < 0.3, "{found:?} {floor:?}");
        assert!(floor.mean("energy").abs() < 0.05 && floor.mean("nothing").is_nan());
        // The interval is that of all cells, not of the few that are drawn.
        let few = Scoring { n_per_side: None, ..whole() };
        let narrow = |estimate: &Estimate| estimate.hi - estimate.lo;
        let (x, y) = (normal(50, 0.0, 1), normal(50, 0.0, 2));
        assert!(narrow(&found.w1) < 0.8 * narrow(&score(&few, &x, &y, 20).w1));
    }

    #[test]
    fn median_distance_is_a_width_in_the_units_of_the_points() {
        // The median of |N(0, 2 I)| in two dimensions: √2 √(2 ln 2) = 1.665.
        assert!((median_distance(&normal(900, 0.0, 5)) - 1.665).abs() < 0.1);
    }
}
