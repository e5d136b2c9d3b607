//! Single paths of cells: free paths from cells of one time, and pinned paths between two times.

use ndarray::{Array2, ArrayView1, Axis};

use crate::bridge::{BridgeSeries, UnitTime, Walk, draw_cells};
use crate::data::Snapshot;
use crate::error::range::at_least_one;
use crate::error::{Error, Result};
use crate::lineage::Lineage;
use crate::rng::Seed;

/// The positions of a set of paths at one time. See [`free_paths`] for an example.
#[derive(Debug, Clone, PartialEq)]
pub struct Path {
    /// The time, in the unit of the course.
    pub time: f64,
    /// Position of each path, `(n_paths, dim)`, in the coordinates of the bridges.
    pub points: Array2<f64>,
    /// Observed cell at which each path is, by its row in the snapshot of this time; `None` where
    /// paths are not at observed cells.
    pub cells: Option<Vec<usize>>,
}

/// Number of paths, and the times at which they are recorded.
///
/// ```
/// use sbcell::lineage::PathGrid;
/// // Five paths, recorded at the start and at four times of each interval.
/// let grid = PathGrid { n_paths: 5, per_interval: 4 };
/// assert_eq!(1 + 3 * grid.per_interval, 13);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PathGrid {
    /// Number of paths.
    pub n_paths: usize,
    /// Number of recorded times in an interval, evenly spaced, the last at its end; at least 1.
    pub per_interval: usize,
}

/// The sets of cells in which pinned paths start and end.
///
/// ```
/// use ndarray::array;
/// use sbcell::lineage::PathEnds;
/// let (any, second) = (array![0.5, 0.5], array![0.0, 1.0]);
/// // From any cell of the first time to the second cell of the third time.
/// let ends = PathEnds { from: 0, to: 2, start: any.view(), end: second.view() };
/// assert!(ends.from < ends.to && ends.end[1] == 1.0);
/// ```
#[derive(Debug, Clone, Copy)]
pub struct PathEnds<'a> {
    /// Place of the time at which paths start.
    pub from: usize,
    /// Place of the time at which paths end, later than `from`.
    pub to: usize,
    /// Weight of each cell of the first time as a start, `n_cells`; not negative.
    pub start: ArrayView1<'a, f64>,
    /// Weight of each cell of the last time as an end, `n_cells`; not negative.
    pub end: ArrayView1<'a, f64>,
}

/// Draws free paths from cells of the time of place `at` to the last time of `series`.
///
/// Start cells are drawn from `source`, the snapshot of this time, with probabilities proportional to
/// `weights` `(n_cells)`. A path follows the transitions of the bridge of each interval and continues
/// in the next interval from its position. Later snapshots do not influence it. The result has one
/// entry for each recorded time, the start included.
///
/// # Errors
/// Those of [`crate::bridge::Bridge::sample_transition`]; [`Error::Parameter`] if `per_interval` is 0.
///
/// ```
/// use ndarray::array;
/// use sbcell::bridge::{BridgeProblem, BridgeSeries, BridgeSolver, GaussianSolver};
/// use sbcell::lineage::{PathGrid, free_paths};
/// use sbcell::{Epsilon, Seed, Silent, data::Snapshot};
/// # fn main() -> sbcell::Result<()> {
/// let source = Snapshot::new(array![[-0.1], [0.0], [0.1]])?;
/// let target = Snapshot::new(array![[4.9], [5.0], [5.1]])?;
/// let problem = BridgeProblem::new(source.clone(), target, Epsilon::new(0.01)?)?;
/// let (bridge, _) = GaussianSolver::default().solve(&problem, Seed(0), &mut Silent)?;
/// let series = BridgeSeries::new(vec![0.0, 2.0], vec![bridge])?;
/// let grid = PathGrid { n_paths: 3, per_interval: 2 };
/// let paths = free_paths(&series, &source, source.marginal(), 0, grid, Seed(1))?;
/// // Recorded at times 0, 1 and 2; the cells move from 0 to 5.
/// assert_eq!((paths.len(), paths[1].time), (3, 1.0));
/// assert!((paths[2].points[[0, 0]] - 5.0).abs() < 1.0);
/// # Ok(())
/// # }
/// ```
pub fn free_paths(
    series: &BridgeSeries,
    source: &Snapshot,
    weights: ArrayView1<'_, f64>,
    at: usize,
    grid: PathGrid,
    seed: Seed,
) -> Result<Vec<Path>> {
    let PathGrid { n_paths, per_interval } = grid;
    at_least_one("grid", per_interval)?;
    let (times, bridges) = (series.times(), series.bridges());
    let cells = draw_cells(weights, n_paths, seed.child("paths/start", 0));
    let x = source.points().select(Axis(0), &cells);
    let mut paths = vec![Path { time: times[at], points: x.clone(), cells: Some(cells) }];
    let mut start = x;
    for (k, bridge) in bridges.iter().enumerate().skip(at) {
        let mut walk = Walk::new(&**bridge, start.view());
        for step in 0..per_interval {
            let to = local(step + 1, per_interval)?;
            let seed = seed.child("paths/free", (k * per_interval + step) as u64);
            walk.step(to, seed)?;
            let time = between(times[k], times[k + 1], to);
            paths.push(Path { time, points: walk.points().to_owned(), cells: None });
        }
        start = walk.into_points();
    }
    Ok(paths)
}

/// Draws paths that start and end in given sets of cells and pass through observed cells between.
///
/// The cells on the way are drawn along the couplings given both ends. With `h_j` the mass that cell j
/// sends to the end, the successor of cell i is j with probability `T_ij h_j / Σ_j T_ij h_j`. This is
/// an exact draw of the Markov chain. Between two cells the path is the bridge pinned to both
/// ([`crate::bridge::Bridge::sample_pinned`]). `snapshots` are those of all times, in the coordinates
/// of the bridges of `series`.
///
/// # Errors
/// [`Error::Parameter`] if the end is not later than the start, if no mass leads from the start to the
/// end, or if `per_interval` is 0; those of the bridges.
pub fn pinned_paths(
    lineage: &Lineage,
    snapshots: &[Snapshot],
    series: &BridgeSeries,
    ends: PathEnds<'_>,
    grid: PathGrid,
    seed: Seed,
) -> Result<Vec<Path>> {
    let PathGrid { n_paths, per_interval } = grid;
    let PathEnds { from, to, start, end } = ends;
    at_least_one("grid", per_interval)?;
    if from >= to {
        let (name, must) = ("paths_to", "at a later time than the set of cells");
        return Err(Error::Parameter { name, must, got: format!("time {}", lineage.times()[to]) });
    }
    // The mass that each cell sends to the end, computed from the end back.
    let arrived = end.insert_axis(Axis(1)).to_owned();
    let mut brings = vec![arrived];
    for k in (from..to).rev() {
        let value = lineage.expect(k, brings[brings.len() - 1].view())?;
        brings.push(value);
    }
    brings.reverse();
    let start = &start * &brings[0].column(0);
    let total = start.sum();
    if total.is_nan() || total <= 0.0 {
        let (name, must) = ("paths_to", "reached by the set of cells");
        return Err(Error::Parameter { name, must, got: "cells that are not".into() });
    }
    let start = start / total;
    let mut cells = draw_cells(start.view(), n_paths, seed.child("paths/start", 0));
    let points = snapshots[from].points().select(Axis(0), &cells);
    let mut paths = vec![Path { time: lineage.times()[from], points, cells: Some(cells.clone()) }];
    for k in from..to {
        let child = seed.child("paths/cells", k as u64);
        let next = lineage.links()[k].draw(&cells, brings[k + 1 - from].column(0), child)?;
        let end = snapshots[k + 1].points().select(Axis(0), &next);
        let x = snapshots[k].points().select(Axis(0), &cells);
        let mut walk = Walk::new(&*series.bridges()[k], x.view());
        let (earlier, later) = (lineage.times()[k], lineage.times()[k + 1]);
        for step in 0..per_interval {
            let to = local(step + 1, per_interval)?;
            let last = step + 1 == per_interval;
            let seed = seed.child("paths/pinned", (k * per_interval + step) as u64);
            let points = if last {
                end.clone()
            } else {
                walk.step_pinned(end.view(), to, seed)?;
                walk.points().to_owned()
            };
            let cells = last.then(|| next.clone());
            paths.push(Path { time: between(earlier, later, to), points, cells });
        }
        cells = next;
    }
    Ok(paths)
}

/// Local time after `step` of `of` even steps.
fn local(step: usize, of: usize) -> Result<UnitTime> {
    UnitTime::new(step as f64 / of as f64)
}

/// Time at local time `t` of the interval from `from` to `to`; exactly `to` at the end.
fn between(from: f64, to: f64, t: UnitTime) -> f64 {
    if t == UnitTime::END { to } else { from + (to - from) * t.value() }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array1, array};

    use super::*;
    use crate::bridge::{Bridge, Coupling, Link, Motion, PlanBridge};
    use crate::geometry::Epsilon;
    use crate::lineage::course::tests::example;

    fn snapshots() -> Vec<Snapshot> {
        [array![[0.0], [1.0]], array![[0.0], [5.0], [9.0]], array![[-3.0], [20.0]]]
            .map(|points| Snapshot::new(points).unwrap())
            .to_vec()
    }

    fn bridges(motion: Motion) -> BridgeSeries {
        let all = snapshots();
        let lineage = example();
        let coupling = |k: usize| {
            let ones = Array2::eye(lineage.n_cells(k + 1));
            let plan = lineage.links()[k].pull(ones.view()).unwrap();
            let pairs = plan.indexed_iter().filter(|entry| *entry.1 > 0.0);
            let pairs: Vec<_> = pairs.map(|((i, j), mass)| (i, j, *mass)).collect();
            Coupling::new(plan.nrows(), plan.ncols(), pairs).unwrap()
        };
        let bridges = (0..2).map(|k| -> Box<dyn Bridge> {
            let epsilon = Epsilon::new(0.5).unwrap();
            let ends = (&all[k], &all[k + 1]);
            Box::new(PlanBridge::new(ends.0, ends.1, &coupling(k), epsilon, motion).unwrap())
        });
        BridgeSeries::new(vec![0.0, 1.0, 3.0], bridges.collect()).unwrap()
    }

    #[test]
    fn pinned_paths_pass_through_cells_as_often_as_the_plans_say() {
        let lineage = example();
        let (all, series) = (snapshots(), bridges(Motion::Brownian));
        let n = 20_000;
        let (start, end) = (Array1::from_elem(2, 0.5), array![0.0, 1.0]);
        let ends = PathEnds { from: 0, to: 2, start: start.view(), end: end.view() };
        let grid = PathGrid { n_paths: n, per_interval: 4 };
        let paths = pinned_paths(&lineage, &all, &series, ends, grid, Seed(3)).unwrap();
        assert_eq!(
            paths.iter().map(|path| path.time).collect::<Vec<_>>(),
            [0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 2.5, 3.0]
        );
        // All masses to the second of the last cells: through cell 1 (0.1/0.35 of it) or 2 (all).
        let mass = [[0.0, 0.2 * 0.3, 0.0], [0.0, 0.1 * 0.3, 0.3 * 1.2]];
        let total: f64 = mass.iter().flatten().sum();
        let (first, middle) = (paths[0].cells.clone().unwrap(), paths[4].cells.clone().unwrap());
        for (i, row) in mass.iter().enumerate() {
            for (j, mass) in row.iter().enumerate() {
                let seen = first.iter().zip(&middle).filter(|pair| *pair == (&i, &j)).count();
                let (share, wanted) = (seen as f64 / n as f64, mass / total);
                let error = 5.0 * (wanted / n as f64).sqrt() + 1e-9;
                assert!((share - wanted).abs() < error, "{i} {j}");
            }
        }
        assert!(paths[8].points.iter().all(|x| (x - 20.0).abs() < 1e-12));
        // Half-way from cell 2 at 9 to 20: mean 14.5, variance ε/4.
        let rows: Vec<usize> = (0..n).filter(|&p| middle[p] == 2).collect();
        let half = paths[6].points.select(Axis(0), &rows);
        let mean = half.mean().unwrap();
        let variance = half.mapv(|x| (x - mean).powi(2)).mean().unwrap();
        assert!((mean - 14.5).abs() < 0.02 && (variance - 0.125).abs() < 0.01, "{mean} {variance}");
    }

    #[test]
    fn free_paths_start_in_the_set_and_go_on_to_the_end() {
        let (all, series) = (snapshots(), bridges(Motion::Straight));
        let set = array![1.0, 0.0];
        let drawn = |n_paths, per_interval| {
            let grid = PathGrid { n_paths, per_interval };
            free_paths(&series, &all[0], set.view(), 0, grid, Seed(1))
        };
        let paths = drawn(50, 2).unwrap();
        assert_eq!(paths.len(), 5);
        assert!(paths[0].points.iter().all(|x| x.abs() < 1e-12));
        assert!(paths[4].points.iter().all(|x| (x + 3.0).abs() < 1e-9 || (x - 20.0).abs() < 1e-9));
        assert!(drawn(5, 0).is_err());
    }

    #[test]
    fn ends_that_nothing_leads_to_are_refused() {
        let matching = |n: usize| {
            let pairs = (0..n).map(|i| (i, i, 1.0 / n as f64));
            Link::pairs(Coupling::new(n, n, pairs).unwrap()).unwrap()
        };
        let lineage = Lineage::new(vec![0.0, 1.0], vec![matching(2)]).unwrap();
        let all = vec![snapshots().remove(0); 2];
        let epsilon = Epsilon::new(0.5).unwrap();
        let pairs = Coupling::new(2, 2, [(0, 0, 0.5), (1, 1, 0.5)]).unwrap();
        let bridge = PlanBridge::new(&all[0], &all[1], &pairs, epsilon, Motion::Straight).unwrap();
        let series = BridgeSeries::new(vec![0.0, 1.0], vec![Box::new(bridge)]).unwrap();
        let (start, end) = (array![1.0, 0.0], array![0.0, 1.0]);
        let asked = |from, to| {
            let ends = PathEnds { from, to, start: start.view(), end: end.view() };
            let grid = PathGrid { n_paths: 3, per_interval: 1 };
            pinned_paths(&lineage, &all, &series, ends, grid, Seed(1))
        };
        assert!(asked(0, 1).unwrap_err().to_string().contains("`paths_to`"));
        assert!(asked(1, 1).is_err());
    }
}
