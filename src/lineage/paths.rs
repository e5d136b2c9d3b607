//! Single paths: free, from cells of one time; or pinned, between cells of two times.

use ndarray::{Array2, ArrayView1, Axis};

use crate::bridge::{Bridge, UnitTime, draw_cells};
use crate::data::Snapshot;
use crate::error::{Error, Result};
use crate::lineage::Lineage;
use crate::rng::Seed;

/// Paths at one time.
#[derive(Debug, Clone, PartialEq)]
pub struct Path {
    /// The time.
    pub time: f64,
    /// One row for each path, `(n_paths, dim)`, in the coordinates of the bridges.
    pub points: Array2<f64>,
    /// The cell that each path is at, where it is at one: its row in the snapshot of this time.
    pub cells: Option<Vec<usize>>,
}

/// `n` paths from cells of the time of place `at`, drawn by `weights`, to the last time: each interval
/// by the bridge's own transitions, at `per_interval` times after its start. Later snapshots are not
/// touched: paths go on from where they are.
///
/// # Errors
/// As [`Bridge::sample_transition`]; [`Error::Parameter`] if `per_interval` is zero.
pub fn free_paths(
    (times, bridges): (&[f64], &[Box<dyn Bridge>]),
    (source, weights): (&Snapshot, ArrayView1<'_, f64>),
    at: usize,
    (n, per_interval): (usize, usize),
    seed: Seed,
) -> Result<Vec<Path>> {
    check_grid(per_interval)?;
    let cells = draw_cells(weights, n, seed.child("paths/start", 0));
    let mut x = source.points().select(Axis(0), &cells);
    let mut paths = vec![Path { time: times[at], points: x.clone(), cells: Some(cells) }];
    for (k, bridge) in bridges.iter().enumerate().skip(at) {
        for step in 0..per_interval {
            let span = (local(step, per_interval)?, local(step + 1, per_interval)?);
            let seed = seed.child("paths/free", (k * per_interval + step) as u64);
            x = bridge.sample_transition(x.view(), span.0, span.1, seed)?;
            let time = between((times[k], times[k + 1]), span.1);
            paths.push(Path { time, points: x.clone(), cells: None });
        }
    }
    Ok(paths)
}

/// `n` paths that start in the cells of the time of place `span.0` by `ends.0` and end in those of
/// `span.1` by `ends.1` (weights over the cells there).
///
/// The cells on the way are drawn from the plans given both ends: with `h_j` the mass that a cell will
/// bring to the end, the next cell of `i` is `j` with `T_ij h_j / Σ_j T_ij h_j`, which is exact for the
/// chain. Between two cells the path is the bridge pinned to them ([`Bridge::sample_pinned`]), at
/// `per_interval` times.
///
/// # Errors
/// [`Error::Parameter`] unless the end is later, or nothing leads from the one to the other.
pub fn pinned_paths(
    lineage: &Lineage,
    (snapshots, bridges): (&[Snapshot], &[Box<dyn Bridge>]),
    ((from, to), ends): ((usize, usize), (ArrayView1<'_, f64>, ArrayView1<'_, f64>)),
    (n, per_interval): (usize, usize),
    seed: Seed,
) -> Result<Vec<Path>> {
    check_grid(per_interval)?;
    if from >= to {
        let (name, must) = ("paths_to", "at a later time than the set of cells");
        return Err(Error::Parameter { name, must, got: format!("time {}", lineage.times()[to]) });
    }
    // What each cell brings to the end, from there back.
    let arrived = ends.1.insert_axis(Axis(1)).to_owned();
    let mut brings = vec![arrived];
    for k in (from..to).rev() {
        let value = lineage.expect(k, brings[brings.len() - 1].view())?;
        brings.push(value);
    }
    brings.reverse();
    let start = &ends.0 * &brings[0].column(0);
    let total = start.sum();
    if total.is_nan() || total <= 0.0 {
        let (name, must) = ("paths_to", "reached by the set of cells");
        return Err(Error::Parameter { name, must, got: "cells that are not".into() });
    }
    let start = start / total;
    let mut cells = draw_cells(start.view(), n, seed.child("paths/start", 0));
    let points = snapshots[from].points().select(Axis(0), &cells);
    let mut paths = vec![Path { time: lineage.times()[from], points, cells: Some(cells.clone()) }];
    for k in from..to {
        let child = seed.child("paths/cells", k as u64);
        let next = lineage.links()[k].draw(&cells, brings[k + 1 - from].column(0), child)?;
        let end = snapshots[k + 1].points().select(Axis(0), &next);
        let mut x = snapshots[k].points().select(Axis(0), &cells);
        let times = (lineage.times()[k], lineage.times()[k + 1]);
        for step in 0..per_interval {
            let span = (local(step, per_interval)?, local(step + 1, per_interval)?);
            let last = step + 1 == per_interval;
            let seed = seed.child("paths/pinned", (k * per_interval + step) as u64);
            x = if last {
                end.clone()
            } else {
                bridges[k].sample_pinned(x.view(), end.view(), span, seed)?
            };
            let cells = last.then(|| next.clone());
            paths.push(Path { time: between(times, span.1), points: x.clone(), cells });
        }
        cells = next;
    }
    Ok(paths)
}

fn check_grid(per_interval: usize) -> Result<()> {
    if per_interval > 0 {
        return Ok(());
    }
    Err(Error::Parameter { name: "grid", must: "at least 1", got: "0".into() })
}

fn local(step: usize, of: usize) -> Result<UnitTime> {
    UnitTime::new(step as f64 / of as f64)
}

fn between((from, to): (f64, f64), t: UnitTime) -> f64 {
    if t == UnitTime::END { to } else { from + (to - from) * t.value() }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array1, array};

    use super::*;
    use crate::bridge::Motion;
    use crate::bridge::{Coupling, Link, PlanBridge};
    use crate::geometry::Epsilon;
    use crate::lineage::course::tests::example;

    fn snapshots() -> Vec<Snapshot> {
        [array![[0.0], [1.0]], array![[0.0], [5.0], [9.0]], array![[-3.0], [20.0]]]
            .map(|points| Snapshot::new(points).unwrap())
            .to_vec()
    }

    fn bridges(motion: Motion) -> Vec<Box<dyn Bridge>> {
        let all = snapshots();
        let lineage = example();
        let coupling = |k: usize| {
            let ones = Array2::eye(lineage.n_cells(k + 1));
            let plan = lineage.links()[k].pull(ones.view()).unwrap();
            let pairs = plan.indexed_iter().filter(|entry| *entry.1 > 0.0);
            let pairs: Vec<_> = pairs.map(|((i, j), mass)| (i, j, *mass)).collect();
            Coupling::new(plan.dim(), pairs).unwrap()
        };
        (0..2)
            .map(|k| -> Box<dyn Bridge> {
                let epsilon = Epsilon::new(0.5).unwrap();
                let ends = (&all[k], &all[k + 1]);
                Box::new(PlanBridge::new(ends, &coupling(k), epsilon, motion).unwrap())
            })
            .collect()
    }

    #[test]
    fn pinned_paths_pass_through_cells_as_often_as_the_plans_say() {
        let lineage = example();
        let (all, bridges) = (snapshots(), bridges(Motion::Brownian));
        let n = 20_000;
        let (start, end) = (Array1::from_elem(2, 0.5), array![0.0, 1.0]);
        let paths = pinned_paths(
            &lineage,
            (&all, &bridges),
            ((0, 2), (start.view(), end.view())),
            (n, 4),
            Seed(3),
        )
        .unwrap();
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
        let (all, bridges) = (snapshots(), bridges(Motion::Straight));
        let set = array![1.0, 0.0];
        let paths =
            free_paths((&[0.0, 1.0, 3.0], &bridges), (&all[0], set.view()), 0, (50, 2), Seed(1))
                .unwrap();
        assert_eq!(paths.len(), 5);
        assert!(paths[0].points.iter().all(|x| x.abs() < 1e-12));
        assert!(paths[4].points.iter().all(|x| (x + 3.0).abs() < 1e-9 || (x - 20.0).abs() < 1e-9));
        assert!(
            free_paths((&[0.0, 1.0, 3.0], &bridges), (&all[0], set.view()), 0, (5, 0), Seed(1))
                .is_err()
        );
    }

    #[test]
    fn ends_that_nothing_leads_to_are_refused() {
        let matching = |n: usize| {
            let pairs = (0..n).map(|i| (i, i, 1.0 / n as f64));
            Link::pairs(Coupling::new((n, n), pairs).unwrap()).unwrap()
        };
        let lineage = Lineage::new(vec![0.0, 1.0], vec![matching(2)]).unwrap();
        let all = vec![snapshots().remove(0); 2];
        let epsilon = Epsilon::new(0.5).unwrap();
        let pairs = Coupling::new((2, 2), [(0, 0, 0.5), (1, 1, 0.5)]).unwrap();
        let bridge =
            PlanBridge::new((&all[0], &all[1]), &pairs, epsilon, Motion::Straight).unwrap();
        let bridges: Vec<Box<dyn Bridge>> = vec![Box::new(bridge)];
        let ends = (array![1.0, 0.0], array![0.0, 1.0]);
        let asked = |span| {
            let ends = (ends.0.view(), ends.1.view());
            pinned_paths(&lineage, (&all, &bridges), (span, ends), (3, 1), Seed(1))
        };
        assert!(asked((0, 1)).unwrap_err().to_string().contains("`to`"));
        assert!(asked((1, 1)).is_err());
    }
}
