//! Nearest neighbours in few dimensions by a k-d tree, in the same order as by other methods.

use std::num::NonZeroUsize;

use kiddo::{ImmutableKdTree, SquaredEuclidean};
use ndarray::{ArrayView2, Axis};
use rayon::prelude::*;

use super::lanes::squared_distance;
use super::{Found, nearest_of};
use crate::error::Result;
use crate::progress::{Event, Progress, report};

/// Largest number of dimensions for the tree; in more dimensions products are faster
/// (`docs/decisions/0009-neighbours.md`).
const MOST_DIMENSIONS: usize = 5;

/// Number of points between two progress reports.
const PER_REPORT: usize = 8192;

/// A relative difference far above that of two orders of summation of a few squares.
const ROUNDING: f64 = 1e-13;

/// The exact `k` nearest other points of each row of `points`, which must be distinct.
///
/// `None` in more than [`MOST_DIMENSIONS`] dimensions, or if no tree can be built. The function asks
/// the tree for `k + 2` points: the point itself, the neighbours, and one more, which shows whether
/// there are ties with the last neighbour up to rounding. If there are, it fetches all tied points.
/// [`squared_distance`] then determines the order, as in the search by products.
pub(super) fn search(
    points: ArrayView2<'_, f64>,
    k: usize,
    progress: &mut dyn Progress,
) -> Result<Option<Vec<Found>>> {
    const { assert!(MOST_DIMENSIONS == 5, "one line below for each number of dimensions") };
    match points.ncols() {
        1 => in_dimensions::<1>(points, k, progress),
        2 => in_dimensions::<2>(points, k, progress),
        3 => in_dimensions::<3>(points, k, progress),
        4 => in_dimensions::<4>(points, k, progress),
        5 => in_dimensions::<5>(points, k, progress),
        _ => Ok(None),
    }
}

/// [`search`] for a fixed number `D` of dimensions.
fn in_dimensions<const D: usize>(
    points: ArrayView2<'_, f64>,
    k: usize,
    progress: &mut dyn Progress,
) -> Result<Option<Vec<Found>>> {
    let rows: Vec<[f64; D]> =
        points.axis_iter(Axis(0)).map(|row| std::array::from_fn(|d| row[d])).collect();
    let Ok(tree) = ImmutableKdTree::<f64, D>::new_from_slice(&rows) else { return Ok(None) };
    let Some(asked) = NonZeroUsize::new(k + 2) else { return Ok(None) };
    let nearest = |own: usize| -> Found {
        let point = &rows[own];
        let ordered = |others: &mut dyn Iterator<Item = usize>| {
            let squares = others.map(|j| (squared_distance(point, &rows[j]), j as u32));
            nearest_of(squares, own, k)
        };
        let found = tree.query(point).nearest_n::<SquaredEuclidean<f64>>(asked).execute();
        let last = found.get(k).map_or(0.0, |entry| entry.distance) * (1.0 + ROUNDING);
        if found.get(k + 1).is_some_and(|entry| entry.distance <= last) {
            let tied = tree.query(point).within::<SquaredEuclidean<f64>>(last).execute();
            return ordered(&mut tied.iter().map(|entry| entry.item as usize));
        }
        ordered(&mut found.iter().map(|entry| entry.item as usize))
    };
    let mut all = Vec::with_capacity(rows.len());
    for first in (0..rows.len()).step_by(PER_REPORT) {
        let batch = first..rows.len().min(first + PER_REPORT);
        all.par_extend(batch.into_par_iter().map(nearest));
        report(progress, Event::Step { done: all.len() as u64 })?;
    }
    Ok(Some(all))
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::super::blocked;
    use super::*;
    use crate::progress::Silent;

    /// The same bits as by products, on a grid where nearly all distances are tied, on lines, and
    /// on waves, alone and with a k that takes all.
    #[test]
    fn trees_and_products_give_the_same_neighbours() {
        let grid = Array2::from_shape_fn((343, 3), |(i, d)| (i / 7_usize.pow(d as u32) % 7) as f64);
        let line =
            Array2::from_shape_fn((90, 2), |(i, d)| if d == 0 { 0.1 * i as f64 } else { 3.0 });
        let waves = |dim: usize| {
            Array2::from_shape_fn((700, dim), |(i, d)| (1.3 * (i * dim + d) as f64).sin() * 4.0)
        };
        let far = waves(4) * 1e-3 + 1e6;
        let all = [grid, line, waves(1), waves(2), waves(5), far];
        for points in &all {
            for k in [1, 6, 15, points.nrows() - 1] {
                let tree = search(points.view(), k, &mut Silent).unwrap().unwrap();
                let product = blocked::search(points.view(), k, &mut Silent).unwrap();
                assert!(tree == product, "{:?}, k = {k}", points.dim());
            }
        }
        assert!(search(waves(6).view(), 3, &mut Silent).unwrap().is_none());
    }
}
