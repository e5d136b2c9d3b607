//! NEAREST NEIGHBOURS: exact search by a k-d tree in few dimensions, by matrix products in many.

mod among;
mod blocked;
mod lanes;
mod trees;

use ndarray::{Array2, ArrayView2, Axis};

pub use among::neighbours_among;
pub(crate) use lanes::Lanes;

use crate::error::range::at_least_one;
use crate::error::{Error, Result};
use crate::progress::{Event, Progress, report};

/// The neighbours of one point as squared distances and indices, the nearest first.
type Found = Vec<(f64, u32)>;

/// The nearest points of every point, from [`neighbours`] or [`neighbours_among`].
///
/// ```
/// use ndarray::array;
/// use sbcell::Silent;
/// use sbcell::geometry::neighbours;
///
/// let points = array![[0.0, 0.0], [3.0, 4.0], [0.0, 1.0]];
/// let near = neighbours(points.view(), 2, &mut Silent)?;
/// assert_eq!(near.indices().row(0), array![2_u32, 1]);
/// assert_eq!(near.distances().row(0), array![1.0, 5.0]);
/// # sbcell::Result::Ok(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Neighbours {
    indices: Array2<u32>,
    distances: Array2<f64>,
}

impl Neighbours {
    /// Indices of the neighbours, `(n_points, k)`, the nearest first.
    pub fn indices(&self) -> ArrayView2<'_, u32> {
        self.indices.view()
    }

    /// Euclidean distances of the neighbours, `(n_points, k)`, not decreasing along a row.
    pub fn distances(&self) -> ArrayView2<'_, f64> {
        self.distances.view()
    }

    /// Number of points.
    pub fn n_points(&self) -> usize {
        self.indices.nrows()
    }

    /// Number of neighbours of each point.
    pub fn k(&self) -> usize {
        self.indices.ncols()
    }
}

/// Finds the exact `k` nearest other points of each row of `points`, `(n, dim)`.
///
/// If there are fewer than `k` other points, all of them are neighbours. The order is that of the
/// sum of squared differences in double precision; ties go to the smaller index. A point is not its
/// own neighbour, but another point at the same place is. The result does not depend on threads.
///
/// In up to five dimensions the search uses a k-d tree and takes about `O(n k log n)`. In more
/// dimensions it takes `2 n² (dim + 1)` flops in single precision. Both use all cores; memory
/// `O(n (k + dim))`.
///
/// # Errors
/// [`Error::Parameter`] if `k` is zero, there are fewer than two points or 2³² or more, or a
/// value is not finite; [`Error::Cancelled`].
pub fn neighbours(
    points: ArrayView2<'_, f64>,
    k: usize,
    progress: &mut dyn Progress,
) -> Result<Neighbours> {
    check(points, k)?;
    let n = points.nrows();
    let k = k.min(n - 1);
    let total = n as u64;
    report(progress, Event::Begin { what: format!("{k} neighbours of {n} cells"), total })?;
    let places = Places::new(points);
    let distinct = places.distinct(points);
    let wanted = k.min(distinct.nrows() - 1);
    let found = match trees::search(distinct.view(), wanted, progress)? {
        Some(found) => found,
        None => blocked::search(distinct.view(), wanted, progress)?,
    };
    report(progress, Event::End)?;
    Ok(places.neighbours(&found, k))
}

/// Checks `k`, the shape, and that all values are finite.
fn check(points: ArrayView2<'_, f64>, k: usize) -> Result<()> {
    at_least_one("k", k)?;
    if !(2..u32::MAX as usize).contains(&points.nrows()) || points.ncols() == 0 {
        let must = "at least two, in at least one dimension";
        let got = format!("{} × {}", points.nrows(), points.ncols());
        return Err(Error::Parameter { name: "points", must, got });
    }
    refuse_not_finite("points", points)
}

/// Checks that all values are finite.
fn refuse_not_finite(name: &'static str, points: ArrayView2<'_, f64>) -> Result<()> {
    match points.iter().find(|value| !value.is_finite()) {
        Some(value) => Err(Error::Parameter { name, must: "finite", got: value.to_string() }),
        None => Ok(()),
    }
}

/// The `k` nearest of `candidates` (squared distance and index) without point `own` itself.
fn nearest_of(candidates: impl Iterator<Item = (f64, u32)>, own: usize, k: usize) -> Found {
    let mut found: Found = candidates.filter(|entry| entry.1 as usize != own).collect();
    let order = |a: &(f64, u32), b: &(f64, u32)| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1));
    if k < found.len() {
        found.select_nth_unstable_by(k, order);
        found.truncate(k);
    }
    found.sort_unstable_by(order);
    found
}

/// The distinct places of the points; the search runs on places.
///
/// A thousand copies of one point would all tie, which makes trees and blocks slow.
struct Places {
    /// The points at each place, by index; places are sorted by their first point.
    members: Vec<Vec<u32>>,
    /// The place of each point.
    of_point: Vec<u32>,
}

impl Places {
    /// Groups equal points by sorting, in `O(n log n)`.
    fn new(points: ArrayView2<'_, f64>) -> Self {
        let mut order: Vec<u32> = (0..points.nrows() as u32).collect();
        let compare = |a: &u32, b: &u32| {
            let (a, b) = (points.row(*a as usize), points.row(*b as usize));
            // Adding zero turns −0 into 0, so that both are equal.
            let pairs = a.into_iter().zip(b).map(|(a, b)| (a + 0.0).total_cmp(&(b + 0.0)));
            pairs.fold(std::cmp::Ordering::Equal, std::cmp::Ordering::then)
        };
        order.sort_by(compare);
        let mut groups: Vec<Vec<u32>> = Vec::new();
        for &i in &order {
            match groups.last_mut() {
                Some(group) if compare(&group[0], &i).is_eq() => group.push(i),
                _ => groups.push(vec![i]),
            }
        }
        groups.sort_by_key(|group| group[0]);
        let mut of_point = vec![0; points.nrows()];
        for (place, group) in groups.iter().enumerate() {
            for &i in group {
                of_point[i as usize] = place as u32;
            }
        }
        Self { members: groups, of_point }
    }

    /// One point for each place, `(n_places, dim)`.
    fn distinct(&self, points: ArrayView2<'_, f64>) -> Array2<f64> {
        let firsts: Vec<usize> = self.members.iter().map(|group| group[0] as usize).collect();
        points.select(Axis(0), &firsts)
    }

    /// The `k` neighbours of each point from the neighbours `found` of each place.
    fn neighbours(&self, found: &[Found], k: usize) -> Neighbours {
        let n = self.of_point.len();
        let (mut indices, mut distances) = (Array2::zeros((n, k)), Array2::zeros((n, k)));
        for (i, &place) in self.of_point.iter().enumerate() {
            let first = |place: u32| self.members[place as usize].iter().take(k + 1);
            let copies = first(place).map(|&j| (0.0, j));
            let others = found[place as usize]
                .iter()
                .flat_map(|&(square, other)| first(other).map(move |&j| (square, j)));
            let entries = copies.chain(others).filter(|entry| entry.1 as usize != i);
            // Entries come in order of distance. Points of places at equal distance are sorted by
            // index below, which needs all entries with the distance of the last one.
            let mut taken: Found = Vec::with_capacity(k);
            for entry in entries {
                if taken.len() >= k && taken[k - 1].0 < entry.0 {
                    break;
                }
                taken.push(entry);
            }
            taken.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            for (rank, &(square, j)) in taken.iter().take(k).enumerate() {
                (indices[[i, rank]], distances[[i, rank]]) = (j, square.sqrt());
            }
        }
        Neighbours { indices, distances }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::lanes::squared_distance;
    use super::*;
    use crate::progress::Silent;

    /// Every pair, sorted by distance, then index.
    fn by_all_pairs(points: ArrayView2<'_, f64>, k: usize) -> Vec<Vec<(f64, u32)>> {
        let rows: Vec<Vec<f64>> = points.rows().into_iter().map(|row| row.to_vec()).collect();
        (0..rows.len())
            .map(|i| {
                let mut all: Vec<(f64, u32)> = (0..rows.len())
                    .filter(|&j| j != i)
                    .map(|j| (squared_distance(&rows[i], &rows[j]), j as u32))
                    .collect();
                all.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
                all.truncate(k);
                all.iter().map(|&(square, j)| (square.sqrt(), j)).collect()
            })
            .collect()
    }

    fn assert_exact(points: &Array2<f64>, k: usize) {
        let expected = by_all_pairs(points.view(), k);
        {
            let found = neighbours(points.view(), k, &mut Silent).unwrap();
            assert_eq!((found.n_points(), found.k()), (points.nrows(), k.min(points.nrows() - 1)));
            for (i, expected) in expected.iter().enumerate() {
                let row: Vec<(f64, u32)> = found
                    .distances()
                    .row(i)
                    .iter()
                    .copied()
                    .zip(found.indices().row(i).iter().copied())
                    .collect();
                assert_eq!(&row, expected, "point {i}");
            }
        }
    }

    fn cloud(n: usize, dim: usize) -> Array2<f64> {
        Array2::from_shape_fn((n, dim), |(i, d)| ((i * 37 + d * 101 + i * i) as f64 * 0.7).sin())
    }

    #[test]
    fn finds_the_neighbours_of_all_pairs() {
        for (n, dim) in [(2, 1), (40, 2), (300, 6), (260, 10), (400, 23)] {
            for k in [1, 5, 30, 1000] {
                assert_exact(&cloud(n, dim), k);
            }
        }
    }

    #[test]
    fn ties_go_to_the_smaller_index() {
        // A grid, where most neighbours are tied, and copies of it.
        let grid = Array2::from_shape_fn((216, 3), |(i, d)| (i / 6_usize.pow(d as u32) % 6) as f64);
        for k in [1, 3, 7, 20] {
            assert_exact(&grid, k);
            let twice = ndarray::concatenate(Axis(0), &[grid.view(), grid.view()]).unwrap();
            assert_exact(&twice, k);
        }
        assert_exact(&Array2::from_elem((50, 2), 3.0), 4);
        assert_exact(&Array2::from_elem((50, 12), -0.0), 60);
    }

    #[test]
    fn single_precision_is_never_believed_where_it_does_not_suffice() {
        // Tight groups far from each other and an outlier: scores of neighbours agree to more
        // digits than single precision has.
        let mut points = cloud(200, 8) * 1e-5;
        for (i, mut row) in points.rows_mut().into_iter().enumerate() {
            row += (i % 4) as f64 * 100.0;
        }
        points.row_mut(7).fill(1e9);
        assert_exact(&points, 6);
        assert_exact(&(cloud(150, 12) * 1e-200), 6);
        assert_exact(&(cloud(150, 12) * 1e120 + 1e120), 6);
    }

    #[test]
    fn refuses_what_has_no_neighbours() {
        let refused = |points: Array2<f64>, k| neighbours(points.view(), k, &mut Silent).is_err();
        assert!(refused(cloud(5, 2), 0));
        assert!(refused(cloud(1, 2), 1));
        assert!(refused(Array2::zeros((4, 0)), 1));
        assert!(refused(Array2::from_elem((4, 2), f64::NAN), 1));
    }

    proptest! {
        #[test]
        fn agrees_on_points_with_few_digits(
            digits in proptest::collection::vec(0_i8..4, 6..120),
            dim in 1_usize..5,
            k in 1_usize..9,
        ) {
            let n = digits.len() / dim;
            prop_assume!(n >= 2);
            let points = Array2::from_shape_fn((n, dim), |(i, d)| f64::from(digits[i * dim + d]));
            assert_exact(&points, k);
        }
    }
}
