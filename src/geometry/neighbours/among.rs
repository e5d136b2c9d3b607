//! The nearest of a set of candidates to each of other points, by all distances in double precision.

use ndarray::{Array2, ArrayView2};
use rayon::prelude::*;

use super::lanes::Lanes;
use super::{Neighbours, nearest_of, refuse_not_finite};
use crate::error::range::at_least_one;
use crate::error::{Error, Result};
use crate::progress::{Event, Progress, report};

/// Number of points in one task; fixed, so that results do not depend on threads.
const CHUNK: usize = 256;
/// Number of tasks between two progress reports.
const PER_REPORT: usize = 16;

/// No candidate has this index, so that none is left out as the point itself.
const NOBODY: usize = usize::MAX;

/// Finds the exact `k` nearest of `candidates`, `(m, dim)`, for each row of `points`, `(n, dim)`.
///
/// If there are fewer than `k` candidates, all of them are neighbours. The order is that of
/// [`neighbours`](crate::geometry::neighbours()): by the sum of squared differences in double precision,
/// ties to the smaller index. Indices count the rows of `candidates`. Time `3 n m dim` flops on all cores;
/// memory `O(n k + m dim)`.
///
/// ```
/// use ndarray::array;
/// use sbcell::Silent;
/// use sbcell::geometry::neighbours_among;
///
/// let later = array![[0.0, 1.0], [9.0, 9.0], [3.0, 4.0]];
/// let near = neighbours_among(array![[0.0, 0.0]].view(), later.view(), 2, &mut Silent)?;
/// assert_eq!(near.indices().row(0), array![0_u32, 2]);
/// assert_eq!(near.distances().row(0), array![1.0, 5.0]);
/// # sbcell::Result::Ok(())
/// ```
///
/// # Errors
/// [`Error::Parameter`] if `k` is zero, there is no candidate or 2³² or more, or a value is not finite;
/// [`Error::Shape`] if points and candidates differ in their dimensions; [`Error::Cancelled`].
pub fn neighbours_among(
    points: ArrayView2<'_, f64>,
    candidates: ArrayView2<'_, f64>,
    k: usize,
    progress: &mut dyn Progress,
) -> Result<Neighbours> {
    at_least_one("k", k)?;
    let (m, expected) = candidates.dim();
    if !(1..u32::MAX as usize).contains(&m) || expected == 0 {
        let must = "at least one, in at least one dimension";
        return Err(Error::Parameter {
            name: "candidates",
            must,
            got: format!("{m} × {expected}"),
        });
    }
    if points.ncols() != expected {
        let got = points.ncols();
        return Err(Error::Shape { what: "points", unit: "dimensions", expected, got });
    }
    refuse_not_finite("points", points)?;
    refuse_not_finite("candidates", candidates)?;
    let (n, k) = (points.nrows(), k.min(m));
    let what = format!("{k} nearest of {m} cells to each of {n}");
    report(progress, Event::Begin { what, total: n as u64 })?;
    let lanes = Lanes::new(candidates);
    let (mut indices, mut distances) = (Array2::zeros((n, k)), Array2::zeros((n, k)));
    let chunks: Vec<usize> = (0..n.div_ceil(CHUNK)).collect();
    let mut i = 0;
    for batch in chunks.chunks(PER_REPORT) {
        let found: Vec<Vec<Vec<(f64, u32)>>> = batch
            .par_iter()
            .map(|&chunk| {
                let mut squares = Vec::new();
                let nearest = |i: usize| {
                    lanes.squared_distances(&points.row(i).to_vec(), &mut squares);
                    nearest_of(squares.iter().zip(0..).map(|(&square, j)| (square, j)), NOBODY, k)
                };
                (chunk * CHUNK..n.min((chunk + 1) * CHUNK)).map(nearest).collect()
            })
            .collect();
        for row in found.into_iter().flatten() {
            for (rank, (square, j)) in row.into_iter().enumerate() {
                (indices[[i, rank]], distances[[i, rank]]) = (j, square.sqrt());
            }
            i += 1;
        }
        report(progress, Event::Step { done: i as u64 })?;
    }
    report(progress, Event::End)?;
    Ok(Neighbours { indices, distances })
}

#[cfg(test)]
mod tests {
    use ndarray::Axis;

    use super::*;
    use crate::progress::Silent;

    fn cloud(n: usize, dim: usize, shift: usize) -> Array2<f64> {
        Array2::from_shape_fn((n, dim), |(i, d)| ((i * 37 + d * 101 + i * i + shift) as f64).sin())
    }

    #[test]
    fn the_nearest_candidates_are_found_by_looking_at_all() {
        for (n, m, dim, k) in [(1, 1, 1, 3), (40, 30, 2, 5), (600, 70, 7, 80), (30, 300, 20, 11)] {
            let (points, candidates) = (cloud(n, dim, 0), cloud(m, dim, 7));
            let found = neighbours_among(points.view(), candidates.view(), k, &mut Silent).unwrap();
            assert_eq!((found.n_points(), found.k()), (n, k.min(m)));
            for (i, point) in points.axis_iter(Axis(0)).enumerate() {
                let square = |j: usize| (&point - &candidates.row(j)).mapv(|x| x * x).sum();
                let mut all: Vec<(f64, usize)> = (0..m).map(|j| (square(j), j)).collect();
                all.sort_by(|a, b| a.0.total_cmp(&b.0));
                for (rank, (square, _)) in all.iter().take(k).enumerate() {
                    assert!((found.distances()[[i, rank]] - square.sqrt()).abs() < 1e-12);
                    let own = found.indices()[[i, rank]] as usize;
                    assert!(all.iter().any(|(s, j)| *j == own && (s - square).abs() < 1e-12));
                }
            }
        }
    }

    #[test]
    fn ties_go_to_the_smaller_index_and_a_candidate_at_the_same_place_counts() {
        let candidates = ndarray::array![[1.0], [0.0], [-1.0], [1.0]];
        let found =
            neighbours_among(ndarray::array![[0.0]].view(), candidates.view(), 3, &mut Silent);
        assert_eq!(found.unwrap().indices().row(0), ndarray::array![1_u32, 0, 2]);
    }

    #[test]
    fn candidates_that_are_none_or_of_another_space_are_refused() {
        let refused = |points: Array2<f64>, candidates: Array2<f64>, k| {
            neighbours_among(points.view(), candidates.view(), k, &mut Silent).is_err()
        };
        assert!(refused(cloud(3, 2, 0), cloud(3, 2, 1), 0));
        assert!(refused(cloud(3, 2, 0), Array2::zeros((0, 2)), 1));
        assert!(refused(cloud(3, 2, 0), cloud(3, 3, 1), 1));
        assert!(refused(cloud(3, 2, 0), Array2::from_elem((2, 2), f64::NAN), 1));
        assert!(refused(Array2::from_elem((2, 2), f64::INFINITY), cloud(3, 2, 0), 1));
    }
}
