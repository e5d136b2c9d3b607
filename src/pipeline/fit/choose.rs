//! The choice of a route by holding out the inner times of a course.

use std::sync::Arc;

use ndarray::{Array1, Array2, Axis, concatenate, s};

use crate::bridge::{Bridge, Property, UnitTime, draw_cells};
use crate::data::{Snapshot, TimeSeries};
use crate::error::Result;
use crate::linalg::first_least;
use crate::metrics::energy_distance;
use crate::pipeline::fit::growth::GrowthOptions;
use crate::pipeline::fit::options::FitOptions;
use crate::pipeline::fit::route::Route;
use crate::pipeline::fit::solve::Task;
use crate::pipeline::fit::units::Units;
use crate::progress::{self, Event, Progress, Unseen};
use crate::rng::Seed;

/// Number of imagined inner times at which all routes are as good as the first.
///
/// A course has few inner times, so the best of several routes is often best by chance.
pub(super) const PULL: f64 = 2.0;

/// How much lower than that of the first route the score of another one must be (`docs/decisions/0028`).
const MARGIN: f64 = 0.1;

/// The best route for `courses`, which have the same units, among those that `options` allow ([`Route::all`]).
///
/// Each inner time of each course is predicted with every route from the other times of this course. The score of a route is the mean of its
/// energy distances, each divided by that of the two neighbouring times pooled (the null model `FL`). All
/// distances are increased by the uncertainty of an energy distance, so that one of zero does not decide alone.
/// Another route than the first is used if its score is lower by [`MARGIN`], after the difference is multiplied
/// by `n/(n + 2)` for n inner times. Means, not logarithms, because one bad prediction outweighs one that is
/// near the noise floor.
///
/// # Errors
/// Those of the solvers and distances; [`crate::Error::Cancelled`].
pub(super) fn choose(
    courses: &[&TimeSeries],
    units: &Units,
    options: &FitOptions,
    progress: &mut dyn Progress,
) -> Result<Route> {
    let mut routes = Route::all(options);
    let inner = |series: &&TimeSeries| series.times().len().saturating_sub(2);
    let n_inner: usize = courses.iter().map(inner).sum();
    // An energy distance needs two cells.
    let mut snapshots = courses.iter().flat_map(|series| series.snapshots());
    let enough = snapshots.all(|snapshot| snapshot.n_cells() >= 2);
    if routes.len() == 1 || n_inner == 0 || !enough {
        let first = routes.swap_remove(0);
        if options.solver.has(Property::Chooses) {
            let why =
                if enough { "has no inner time to hold out" } else { "has a time of one cell" };
            progress::note(progress, format!("`{}` is used: the course {why}", first.name))?;
        }
        return Ok(first);
    }
    let what = "choosing by held-out times".to_string();
    progress::report(progress, Event::Begin { what, total: n_inner as u64 })?;
    let most = options.solver.choice_cells();
    let seed = Seed(options.seed).child("choice", 0);
    let plain = FitOptions { growth: GrowthOptions::default(), ..options.clone() };
    let mut scores = vec![0.0; routes.len()];
    let mut done = 0;
    for series in courses {
        let snapshots = some_cells(series, most, seed)?;
        for held in 1..=inner(series) {
            let fold = InnerFold::new(series, &snapshots, held)?;
            let seed = seed.child("fold", held as u64);
            let found = fold.ratios(units, &plain, &routes, seed, &mut Unseen(&mut *progress))?;
            let scored = scores.iter_mut().zip(&found);
            scored.for_each(|(score, ratio)| *score += ratio / n_inner as f64);
            done += 1;
            progress::report(progress, Event::Step { done })?;
        }
    }
    progress::report(progress, Event::End)?;
    let best = best(&scores, n_inner);
    progress::note(progress, said(&routes, &scores, best))?;
    Ok(routes.swap_remove(best))
}

/// The route with the least of `scores`, if it is clearly better than the first one.
fn best(scores: &[f64], n_inner: usize) -> usize {
    let n = n_inner as f64;
    let lead = |score: f64| (scores[0] - score) * n / (n + PULL);
    let least = first_least(scores.iter().copied()).unwrap_or(0);
    if lead(scores[least]) > MARGIN { least } else { 0 }
}

/// The choice in words, with the scores of all routes.
fn said(routes: &[Route], scores: &[f64], best: usize) -> String {
    let each = routes.iter().zip(scores).map(|(route, s)| format!("{}: {s:.2}", route.name));
    let each: Vec<String> = each.collect();
    let why = if best == 0 { "no other way is clearly better" } else { "it is clearly better" };
    format!(
        "`{}` is used: {why} at held-out inner times, by the energy distance over that of the neighbouring \
         times pooled ({})",
        routes[best].name,
        each.join(", ")
    )
}

/// The snapshots of `series` with at most `most` cells each.
///
/// # Errors
/// Those of [`Snapshot::new`].
fn some_cells(series: &TimeSeries, most: usize, seed: Seed) -> Result<Vec<Snapshot>> {
    let of = |(k, snapshot): (usize, &Snapshot)| {
        let n = snapshot.n_cells();
        let even = Array1::from_elem(n, 1.0 / n as f64);
        let rows = draw_cells(even.view(), n.min(most), seed.child("cells", k as u64));
        Snapshot::new(snapshot.points().select(Axis(0), &rows))
    };
    series.snapshots().iter().enumerate().map(of).collect()
}

/// A course without one of its inner times.
struct InnerFold<'a> {
    /// The other times.
    series: TimeSeries,
    /// The interval of `series` that contains the held-out time.
    interval: usize,
    /// The held-out time as local time of this interval.
    local: UnitTime,
    /// The cells of the held-out time.
    observed: &'a Snapshot,
}

impl<'a> InnerFold<'a> {
    /// Holds out time number `held` of `series`, whose cells are `snapshots`.
    ///
    /// # Errors
    /// Those of [`TimeSeries::new`].
    fn new(series: &TimeSeries, snapshots: &'a [Snapshot], held: usize) -> Result<Self> {
        let times = series.times();
        let left = || (0..times.len()).filter(|&k| k != held);
        let n = left().map(|k| snapshots[k].n_cells()).sum();
        let (mut points, mut cell_times) = (Array2::zeros((n, series.dim())), Vec::new());
        for k in left() {
            let rows = cell_times.len()..cell_times.len() + snapshots[k].n_cells();
            points.slice_mut(s![rows.clone(), ..]).assign(&snapshots[k].points());
            cell_times.extend(rows.map(|_| times[k]));
        }
        let local = (times[held] - times[held - 1]) / (times[held + 1] - times[held - 1]);
        Ok(Self {
            series: TimeSeries::new(points.view(), &cell_times)?,
            interval: held - 1,
            local: UnitTime::new(local)?,
            observed: &snapshots[held],
        })
    }

    /// The energy distance of each route's population from the held-out cells over that of the two neighbouring
    /// times pooled, both with their uncertainty added.
    ///
    /// Routes with the same solver share the bridge along the straight line.
    ///
    /// # Errors
    /// Those of the solvers and distances; [`crate::Error::Cancelled`].
    fn ratios(
        &self,
        units: &Units,
        options: &FitOptions,
        routes: &[Route],
        seed: Seed,
        progress: &mut dyn Progress,
    ) -> Result<Vec<f64>> {
        let observed = Snapshot::new(&self.observed.points() / units.scale)?;
        let pooled = at_least_noise(&self.pooled(units.scale)?, &observed)?;
        let mut solved: Vec<(usize, Arc<dyn Bridge>)> = Vec::new();
        let mut found = Vec::with_capacity(routes.len());
        for (number, route) in routes.iter().enumerate() {
            let task = Task::along(route.clone(), &self.series, units, options)?;
            let same = solved.iter().find(|(first, _)| routes[*first].solver == route.solver);
            let bare = if let Some((_, bare)) = same {
                Arc::clone(bare)
            } else {
                let bare = task.bare(self.interval, progress)?.bridge;
                solved.push((number, Arc::clone(&bare)));
                bare
            };
            let bridge = task.around(self.interval, bare, task.problem(self.interval))?;
            let source = task.problem(self.interval).source();
            let marginal = bridge.plan_marginal().unwrap_or_else(|| source.marginal());
            let rows = draw_cells(marginal, source.n_cells(), seed.child("drawn", 0));
            let start = source.points().select(Axis(0), &rows);
            let seed = seed.child("drawn", 1);
            let points =
                bridge.sample_transition(start.view(), UnitTime::START, self.local, seed)?;
            found.push(at_least_noise(&Snapshot::new(points)?, &observed)? / pooled);
        }
        Ok(found)
    }
    /// The cells of both neighbouring times, weighted by their distance in time, in the coordinates of bridges.
    ///
    /// # Errors
    /// Those of [`Snapshot::weighted`].
    fn pooled(&self, scale: f64) -> Result<Snapshot> {
        let [earlier, later] = [0, 1].map(|k| &self.series.snapshots()[self.interval + k]);
        pooled(earlier, later, self.local.value(), scale)
    }
}

/// The cells of two times together, weighted by their distance in time from local time `s`, in coordinates
/// divided by `scale`.
///
/// # Errors
/// Those of [`Snapshot::weighted`].
pub(super) fn pooled(earlier: &Snapshot, later: &Snapshot, s: f64, scale: f64) -> Result<Snapshot> {
    let points = concatenate![Axis(0), earlier.points(), later.points()] / scale;
    let weights = concatenate![Axis(0), &earlier.marginal() * (1.0 - s), &later.marginal() * s];
    Snapshot::weighted(points, weights)
}

/// The energy distance, at least zero, plus the uncertainty of one: twice the mean distance within `observed`
/// over its number of cells.
///
/// # Errors
/// Those of the energy distance.
pub(super) fn at_least_noise(predicted: &Snapshot, observed: &Snapshot) -> Result<f64> {
    let energy = energy_distance(predicted, observed)?;
    let noise = 2.0 * energy.within_y / observed.n_cells() as f64;
    Ok(energy.value.max(0.0) + noise.max(f64::MIN_POSITIVE))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::time::TimeUnit;
    use crate::pipeline::{Asynchrony, AutoSolver, SolverChoice};

    #[test]
    fn another_route_must_be_clearly_better_and_more_so_by_few_times() {
        // A lead of 0.15 counts as 0.05 by one inner time, as 0.1125 by six.
        let scores = [0.9, 0.75, 1.2];
        assert_eq!(best(&scores, 1), 0);
        assert_eq!(best(&scores, 6), 1);
        assert_eq!(best(&[0.9, 0.85, 0.88], 100), 0);
        assert_eq!(best(&[0.9, 0.9, 0.9], 6), 0);
        assert_eq!(best(&[0.9, f64::NAN, 0.9], 6), 0);
    }

    #[test]
    fn a_distance_of_zero_does_not_decide_alone() {
        let cells = Snapshot::new(ndarray::array![[0.0], [1.0], [3.0]]).unwrap();
        let moved = Snapshot::new(ndarray::array![[5.0], [6.0], [8.0]]).unwrap();
        let (same, far) = (at_least_noise(&cells, &cells), at_least_noise(&moved, &cells));
        // Mean distance between different cells: (1 + 3 + 2)/3 = 2; 2 · 2/3.
        assert!((same.unwrap() - 4.0 / 3.0).abs() < 1e-12);
        assert!(far.unwrap() > 5.0);
    }

    /// A course with these numbers of cells at the times 0, 1, 2, …, on a line.
    fn course(cells: &[usize]) -> TimeSeries {
        let times: Vec<f64> =
            cells.iter().enumerate().flat_map(|(k, n)| vec![k as f64; *n]).collect();
        let points = Array2::from_shape_fn((times.len(), 2), |(cell, d)| {
            times[cell] * (1.0 + d as f64) + 0.1 * (cell * 7 % 5) as f64
        });
        TimeSeries::new(points.view(), &times).unwrap()
    }

    /// The route that `options` take for a course with these numbers of cells.
    fn chosen(cells: &[usize], options: &FitOptions) -> Route {
        let series = course(cells);
        let units = Units::of(&series, 1.0, options.noise, TimeUnit::Unknown).unwrap();
        choose(&[&series], &units, options, &mut crate::Silent).unwrap()
    }

    #[test]
    fn times_of_one_cell_do_not_choose() {
        let options = FitOptions::default().with_solver(SolverChoice::of(AutoSolver::default()));
        for cells in [&[20, 1, 20, 20][..], &[1, 20, 20], &[20, 20]] {
            assert_eq!(chosen(cells, &options), Route::first(&options));
        }
        assert!(Route::all(&options).contains(&chosen(&[20, 2, 20, 20], &options)));
    }

    #[test]
    fn ways_that_the_options_make_equal_are_compared_once() {
        let auto = SolverChoice::of(AutoSolver::default());
        let options = FitOptions::default().with_solver(auto).with_asynchrony(Asynchrony::Off);
        let names: Vec<String> = Route::all(&options).into_iter().map(|route| route.name).collect();
        // `pooled` is `straight` and `shifted` is `clocked` if all cells move in step.
        assert_eq!(names, ["mixed", "clocked", "straight", "spline", "relaxed"]);
    }
}
