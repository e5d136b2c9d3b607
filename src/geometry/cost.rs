//! The cost between source and target cells, computed block by block.

use std::ops::Range;

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, ArrayViewMut2, Axis, s};

use crate::error::{Error, Result};
use crate::linalg::add_product;

/// The cost `c_ij` between source cells `i` and target cells `j`, half a squared distance.
///
/// Solvers ask for blocks of the cost and never store the whole matrix. The cost ½‖x−y‖² is that
/// of [`crate::Epsilon`].
///
/// ```
/// use ndarray::{Array2, array};
/// use sbcell::geometry::{Cost, SquaredEuclidean};
///
/// let (x, y) = (array![[0.0], [1.0]], array![[3.0]]);
/// let cost = SquaredEuclidean::new(x.view(), y.view())?;
/// let mut whole = Array2::zeros(cost.shape());
/// cost.rows(0, whole.view_mut());
/// assert_eq!(whole, array![[4.5], [2.0]]);
/// # sbcell::Result::Ok(())
/// ```
pub trait Cost: std::fmt::Debug + Sync {
    /// Numbers of source and target cells.
    fn shape(&self) -> (usize, usize);

    /// Writes the costs of source cells from `source` on and target cells from `target` on to `out`.
    ///
    /// `out` is row-major; its shape determines the numbers of cells. Its old values are ignored.
    fn block(&self, source: usize, target: usize, out: ArrayViewMut2<'_, f64>);

    /// The same cost between the source cells `sources` and the target cells `targets`, in this order.
    ///
    /// All indices must be below those of [`Cost::shape`].
    fn select(&self, sources: &[usize], targets: &[usize]) -> Box<dyn Cost>;

    /// Writes the costs of source cells from `first` on and all target cells to `out`.
    fn rows(&self, first: usize, out: ArrayViewMut2<'_, f64>) {
        self.block(first, 0, out);
    }

    /// As [`Cost::block`], with target cells in the rows of `out` and source cells in its columns.
    fn block_transposed(&self, target: usize, source: usize, mut out: ArrayViewMut2<'_, f64>) {
        let mut block = Array2::zeros((out.ncols(), out.nrows()));
        self.block(source, target, block.view_mut());
        out.assign(&block.t());
    }
}

/// The cost `½ ‖x − y‖²` between points, computed by matrix products; never negative.
///
/// Both sets are shifted by the mean of the target. This does not change the differences and reduces
/// rounding errors. Memory `8 (n + m) (dim + 1)` bytes, `2 dim` flops for each pair.
///
/// ```
/// use ndarray::{Array2, array};
/// use sbcell::geometry::{Cost, SquaredEuclidean};
///
/// let (x, y) = (array![[0.0, 0.0], [1.0, 0.0]], array![[3.0, 4.0]]);
/// let cost = SquaredEuclidean::new(x.view(), y.view())?;
/// let mut block = Array2::zeros((1, 1));
/// cost.block(1, 0, block.view_mut());
/// assert_eq!(block[[0, 0]], 10.0);
/// # sbcell::Result::Ok(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct SquaredEuclidean {
    source: Array2<f64>,
    target: Array2<f64>,
    /// `½ ‖x‖²` of each source cell.
    source_half: Array1<f64>,
    /// `½ ‖y‖²` of each target cell.
    target_half: Array1<f64>,
}

impl SquaredEuclidean {
    /// The cost between the points `source`, `(n, dim)`, and `target`, `(m, dim)`.
    ///
    /// # Errors
    /// [`Error::Shape`] if they differ in dimension.
    pub fn new(source: ArrayView2<'_, f64>, target: ArrayView2<'_, f64>) -> Result<Self> {
        let (expected, got) = (source.ncols(), target.ncols());
        if expected != got {
            return Err(Error::Shape { what: "the target", unit: "dimensions", expected, got });
        }
        let centre = target.mean_axis(Axis(0)).unwrap_or_else(|| Array1::zeros(expected));
        let (source, target) = (&source - &centre, &target - &centre);
        let half = |points: &Array2<f64>| -> Array1<f64> {
            points.rows().into_iter().map(|row| 0.5 * row.dot(&row)).collect()
        };
        let (source_half, target_half) = (half(&source), half(&target));
        Ok(Self { source, target, source_half, target_half })
    }
}

impl Cost for SquaredEuclidean {
    fn shape(&self) -> (usize, usize) {
        (self.source.nrows(), self.target.nrows())
    }

    fn select(&self, sources: &[usize], targets: &[usize]) -> Box<dyn Cost> {
        Box::new(Self {
            source: self.source.select(Axis(0), sources),
            target: self.target.select(Axis(0), targets),
            source_half: self.source_half.select(Axis(0), sources),
            target_half: self.target_half.select(Axis(0), targets),
        })
    }

    fn block(&self, source: usize, target: usize, mut out: ArrayViewMut2<'_, f64>) {
        let (n, m) = out.dim();
        let own = Points::of(&self.source, &self.source_half, source..source + n);
        let other = Points::of(&self.target, &self.target_half, target..target + m);
        fill(&own, &other, out.view_mut());
    }

    fn block_transposed(&self, target: usize, source: usize, mut out: ArrayViewMut2<'_, f64>) {
        let (m, n) = out.dim();
        let own = Points::of(&self.target, &self.target_half, target..target + m);
        let other = Points::of(&self.source, &self.source_half, source..source + n);
        fill(&own, &other, out.view_mut());
    }
}

/// Some points with half their squared norms.
struct Points<'a> {
    points: ArrayView2<'a, f64>,
    half: ArrayView1<'a, f64>,
}

impl<'a> Points<'a> {
    /// The points in the range `rows`.
    fn of(points: &'a Array2<f64>, half: &'a Array1<f64>, rows: Range<usize>) -> Self {
        Self { points: points.slice(s![rows.clone(), ..]), half: half.slice(s![rows]) }
    }
}

/// Writes the costs between `own` (rows) and `other` (columns) to `out`.
fn fill(own: &Points<'_>, other: &Points<'_>, mut out: ArrayViewMut2<'_, f64>) {
    for (mut row, own) in out.rows_mut().into_iter().zip(own.half) {
        row.zip_mut_with(&other.half, |cost, half| *cost = own + half);
    }
    add_product(out.view_mut(), -1.0, own.points, other.points.t());
    // Rounding can make the cost of equal points slightly negative.
    out.mapv_inplace(|cost| if cost < 0.0 { 0.0 } else { cost });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_half_the_squared_distances_in_both_orders_and_never_negative() {
        let x = Array2::from_shape_fn((9, 3), |(i, d)| ((i * 3 + d) as f64).sin() + 50.0);
        let y = Array2::from_shape_fn((7, 3), |(j, d)| ((j + 2 * d) as f64).cos() + 49.0);
        let cost = SquaredEuclidean::new(x.view(), y.view()).unwrap();
        assert_eq!(cost.shape(), (9, 7));
        let (mut block, mut turned) = (Array2::zeros((4, 5)), Array2::zeros((5, 4)));
        cost.block(3, 1, block.view_mut());
        cost.block_transposed(1, 3, turned.view_mut());
        for ((i, j), value) in block.indexed_iter() {
            let difference = &x.row(i + 3) - &y.row(j + 1);
            // Numbers up to 4 with 1e-16 each, in a sum of a few.
            assert!((value - 0.5 * difference.dot(&difference)).abs() < 1e-14);
            assert!((value - turned[[j, i]]).abs() < 1e-14);
        }
        let mut rows = Array2::zeros((2, 7));
        cost.rows(6, rows.view_mut());
        assert!((rows[[0, 1]] - block[[3, 0]]).abs() < 1e-14);
        let (some, others) = ([8, 0, 3], [6, 1]);
        let part = cost.select(&some, &others);
        let mut chosen = Array2::zeros(part.shape());
        part.rows(0, chosen.view_mut());
        for ((i, j), value) in chosen.indexed_iter() {
            let difference = &x.row(some[i]) - &y.row(others[j]);
            assert!((value - 0.5 * difference.dot(&difference)).abs() < 1e-14);
        }
        let own = SquaredEuclidean::new(x.view(), x.view()).unwrap();
        let mut whole = Array2::zeros((9, 9));
        own.rows(0, whole.view_mut());
        assert!(whole.iter().all(|cost| *cost >= 0.0));
        assert!(SquaredEuclidean::new(x.view(), y.slice(s![.., ..2])).is_err());
    }

    /// A cost that knows only what it must.
    #[derive(Debug)]
    struct Numbered;

    impl Cost for Numbered {
        fn shape(&self) -> (usize, usize) {
            (6, 4)
        }

        fn select(&self, _sources: &[usize], _targets: &[usize]) -> Box<dyn Cost> {
            Box::new(Self)
        }

        fn block(&self, source: usize, target: usize, mut out: ArrayViewMut2<'_, f64>) {
            for ((i, j), value) in out.indexed_iter_mut() {
                *value = (10 * (i + source) + j + target) as f64;
            }
        }
    }

    #[test]
    fn what_is_not_written_out_follows_from_blocks() {
        let mut out = Array2::zeros((2, 3));
        Numbered.block_transposed(1, 2, out.view_mut());
        assert_eq!(out, ndarray::array![[21.0, 31.0, 41.0], [22.0, 32.0, 42.0]]);
    }
}
