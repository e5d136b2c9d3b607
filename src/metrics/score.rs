//! Predicted against observed cells with intervals: every distance, and how sure it is.

use ndarray::{Array1, Array2};
use rayon::prelude::*;

use crate::data::Snapshot;
use crate::error::{Error, Result};
use crate::metrics::comparison::total_variance;
use crate::metrics::discrepancy::{PairFunction, discrepancies};
use crate::metrics::floor::{Metric, Splits, noise_floor, subsample};
use crate::metrics::resample::{Estimate, Resamples};
use crate::metrics::sliced::{directions, sliced_prices, sliced_wasserstein_along};
use crate::metrics::wasserstein::{Order, priced};
use crate::progress::{Progress, Together};
use crate::rng::Seed;

/// Cells of each side that all pairs are formed of, at most.
const PAIRED_CELLS: usize = 5000;

/// How to score predicted cells.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scoring {
    /// Cells on each side of a Wasserstein distance; both sides whole if `None`.
    pub n_per_side: Option<usize>,
    /// Draws of so many cells that are averaged.
    pub n_draws: usize,
    /// Directions of the sliced distance.
    pub n_projections: usize,
    /// Width of the kernel of the maximum mean discrepancy, in the units of the points.
    pub bandwidth: f64,
}

/// Distances between predicted and observed cells with bootstrap intervals, in the units of the
/// points.
///
/// Energy distance and MMD are without bias at any number of cells and taken over all cells (at
/// most 5000 a side). Wasserstein distances fall with the number of cells: they are the mean over
/// draws of equal size, and comparable only at that size. Their intervals are those of the
/// distance's first-order change under resampled weights, by the dual prices of each draw, carried
/// to all cells (the central limit theorem of del Barrio, González-Sanz and Loubes 2024).
#[derive(Debug, Clone, PartialEq)]
pub struct Score {
    /// Exact W₁.
    pub w1: Estimate,
    /// Exact W₂ (with the root).
    pub w2: Estimate,
    /// Sliced W₂.
    pub sliced_w2: Estimate,
    /// Unbiased energy distance; half of it is what LightSB reports.
    pub energy: Estimate,
    /// Unbiased squared maximum mean discrepancy, Gaussian kernel.
    pub mmd: Estimate,
    /// Trace of the covariance of the predicted over that of the observed cells.
    pub variance_ratio: Estimate,
    /// Cells on each side of the Wasserstein distances.
    pub n_used: (usize, usize),
}

impl Score {
    /// The metrics with their names in output files.
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
}

/// The noise floor of each metric: two disjoint random parts of the observed cells against each
/// other, over several splits.
#[derive(Debug, Clone, PartialEq)]
pub struct ScoreFloor {
    /// Name of the metric and its floor at each split.
    pub entries: Vec<(&'static str, Vec<f64>)>,
    /// Cells in each part.
    pub n_per_side: usize,
}

impl ScoreFloor {
    /// The mean over splits; not a number for a metric without floor.
    pub fn mean(&self, metric: &str) -> f64 {
        let values = self.entries.iter().find(|entry| entry.0 == metric);
        values.map_or(f64::NAN, |(_, values)| values.iter().sum::<f64>() / values.len() as f64)
    }
}

impl Scoring {
    /// Scores `predicted` against `observed`; `resamples` are those of the cells of each.
    ///
    /// # Errors
    /// [`Error::Shape`] if dimensions or numbers differ; [`Error::Parameter`] if a side has fewer
    /// than two cells of positive weight or nothing is drawn; [`Error::Cancelled`].
    pub fn score(
        &self,
        (predicted, observed): (&Snapshot, &Snapshot),
        resamples: (&Resamples, &Resamples),
        seed: Seed,
        progress: &mut dyn Progress,
    ) -> Result<Score> {
        let weights = (resamples.0.weights(predicted), resamples.1.weights(observed));
        let both = (predicted, observed);
        let (w1, n_used) = self.wasserstein(both, &weights, (Order::One, seed), progress)?;
        let (w2, _) = self.wasserstein(both, &weights, (Order::Two, seed), progress)?;
        let sliced_w2 = self.sliced(both, &weights, seed)?;
        let pair = |function| paired(both, &weights, function, seed);
        let energy = pair(PairFunction::Distance)?;
        let mmd = pair(PairFunction::Gaussian { bandwidth: self.bandwidth })?;
        let variance = |cells: &Snapshot, weights: &Array2<f64>| -> Array1<f64> {
            let of = |column: ndarray::ArrayView1<'_, f64>| total_variance(cells.points(), column);
            weights.columns().into_iter().map(of).collect()
        };
        let ratio = variance(predicted, &weights.0) / variance(observed, &weights.1);
        let variance_ratio = Estimate::of(&ratio);
        Ok(Score { w1, w2, sliced_w2, energy, mmd, variance_ratio, n_used })
    }

    /// The floor that belongs to these scores: parts of `n_per_side` cells, half of the observed
    /// cells if that is not given.
    ///
    /// # Errors
    /// As [`noise_floor`].
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

    fn wasserstein(
        &self,
        (x, y): (&Snapshot, &Snapshot),
        weights: &(Array2<f64>, Array2<f64>),
        (order, seed): (Order, Seed),
        progress: &mut dyn Progress,
    ) -> Result<(Estimate, (usize, usize))> {
        let mut mean_cost = 0.0;
        let mut prices = (Array1::<f64>::zeros(x.n_cells()), Array1::<f64>::zeros(y.n_cells()));
        let mut distance = 0.0;
        let draws = self.draws(x, y, seed)?;
        let together = Together::new(progress);
        let solve = |(a, b): &(Snapshot, Snapshot)| priced(a, b, order, &mut together.unseen());
        let solved = draws.par_iter().map(solve).collect::<Result<Vec<_>>>()?;
        for ((a, b), found) in draws.iter().zip(&solved) {
            mean_cost += found.mean_cost;
            distance += order.distance(found.mean_cost);
            let (of_x, of_y) = found.spread((a, b), (x.points(), y.points()), order);
            prices.0 += &of_x;
            prices.1 += &of_y;
        }
        let n = draws.len() as f64;
        let prices = (prices.0 / n, prices.1 / n);
        let estimate = linear(distance / n, mean_cost / n, &prices, weights, order);
        Ok((estimate, (draws[0].0.n_cells(), draws[0].1.n_cells())))
    }

    fn sliced(
        &self,
        (x, y): (&Snapshot, &Snapshot),
        weights: &(Array2<f64>, Array2<f64>),
        seed: Seed,
    ) -> Result<Estimate> {
        let along = directions(self.n_projections, x.dim(), seed.child("score/sliced", 0));
        let along = along.view();
        let mut distance = 0.0;
        let draws = self.draws(x, y, seed)?;
        for (a, b) in &draws {
            distance += sliced_wasserstein_along(a, b, Order::Two, along)?;
        }
        distance /= draws.len() as f64;
        let prices = sliced_prices(x, y, Order::Two, along)?;
        Ok(linear(distance, distance * distance, &prices, weights, Order::Two))
    }

    /// Equal numbers of cells of both sides, several times; both sides whole, once, if no number
    /// is given.
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

/// A distance whose mean cost changes by the prices of mass as weights are resampled.
fn linear(
    distance: f64,
    mean_cost: f64,
    prices: &(Array1<f64>, Array1<f64>),
    weights: &(Array2<f64>, Array2<f64>),
    order: Order,
) -> Estimate {
    let costs = weights.0.t().dot(&prices.0) + weights.1.t().dot(&prices.1);
    let usual = costs.first().copied().unwrap_or(0.0);
    // The mean distance of the draws, moved by as much as the distance of the mean cost.
    let change = |cost: &f64| {
        order.distance(mean_cost + cost - usual) - order.distance(mean_cost) + distance
    };
    Estimate::of(&costs.iter().map(change).collect())
}

fn paired(
    (x, y): (&Snapshot, &Snapshot),
    weights: &(Array2<f64>, Array2<f64>),
    function: PairFunction,
    seed: Seed,
) -> Result<Estimate> {
    let some = |cells: &Snapshot, weights: &Array2<f64>, name| -> Result<_> {
        if cells.n_cells() <= PAIRED_CELLS {
            return Ok((cells.clone(), weights.clone()));
        }
        let mut stream = seed.stream(name, 0);
        let n = cells.n_cells();
        let mut rows = rand::seq::index::sample(&mut stream, n, PAIRED_CELLS).into_vec();
        rows.sort_unstable();
        let axis = ndarray::Axis(0);
        let points = cells.points().select(axis, &rows);
        Ok((Snapshot::new(points)?, weights.select(axis, &rows)))
    };
    let (x, w) = some(x, &weights.0, "score/paired predicted")?;
    let (y, v) = some(y, &weights.1, "score/paired observed")?;
    Ok(Estimate::of(&discrepancies((&x, &y), (w.view(), v.view()), function)?))
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
        scoring.score((x, y), (&of(x, 1), &of(y, 2)), Seed(0), &mut Silent).unwrap()
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
