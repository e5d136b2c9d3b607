//! What it costs to move each source cell to each target cell, block by block.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, ArrayViewMut2, Axis, s};

use crate::error::{Error, Result};
use crate::linalg::add_product;

/// The static cost between two sets of cells, for couplings that never hold it whole.
///
/// In the convention of [`crate::Epsilon`] a cost is half a squared distance.
pub trait Cost: std::fmt::Debug + Sync {
    /// Numbers of source and target cells.
    fn shape(&self) -> (usize, usize);

    /// Fills `out`, row-major, with the costs of the source cells from `first.0` and the target
    /// cells from `first.1` on; nothing that was in `out` matters.
    fn block(&self, first: (usize, usize), out: ArrayViewMut2<'_, f64>);

    /// The same cost between some of the source and some of the target cells, in this order.
    ///
    /// Asks only for cells that are there.
    fn select(&self, sources: &[usize], targets: &[usize]) -> Box<dyn Cost>;

    /// Fills `out` with whole rows, those of the source cells from `first` on.
    fn rows(&self, first: usize, out: ArrayViewMut2<'_, f64>) {
        self.block((first, 0), out);
    }

    /// As [`Cost::block`] with rows and columns exchanged: `first.0` and the rows of `out` are
    /// target cells.
    fn block_transposed(&self, first: (usize, usize), mut out: ArrayViewMut2<'_, f64>) {
        let mut block = Array2::zeros((out.ncols(), out.nrows()));
        self.block((first.1, first.0), block.view_mut());
        out.assign(&block.t());
    }
}

/// `½ ‖x − y‖²` from the points, by matrix products; never negative.
///
/// Both sets are moved by the mean of the target, which changes no difference and keeps digits.
#[derive(Debug, Clone, PartialEq)]
pub struct SquaredEuclidean {
    source: Array2<f64>,
    target: Array2<f64>,
    source_half: Array1<f64>,
    target_half: Array1<f64>,
}

impl SquaredEuclidean {
    /// From the points, `(n, dim)` and `(m, dim)`.
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

    fn block(&self, first: (usize, usize), out: ArrayViewMut2<'_, f64>) {
        let own = (self.source.view(), self.source_half.view());
        let other = (self.target.view(), self.target_half.view());
        fill(own, other, first, out);
    }

    fn block_transposed(&self, first: (usize, usize), out: ArrayViewMut2<'_, f64>) {
        let own = (self.target.view(), self.target_half.view());
        let other = (self.source.view(), self.source_half.view());
        fill(own, other, first, out);
    }
}

/// Points and half their squared norms.
type Points<'a> = (ArrayView2<'a, f64>, ArrayView1<'a, f64>);

fn fill(
    own: Points<'_>,
    other: Points<'_>,
    first: (usize, usize),
    mut out: ArrayViewMut2<'_, f64>,
) {
    let (rows, columns) = (first.0..first.0 + out.nrows(), first.1..first.1 + out.ncols());
    let half = other.1.slice(s![columns.clone()]);
    for (mut row, own) in out.rows_mut().into_iter().zip(own.1.slice(s![rows.clone()])) {
        row.zip_mut_with(&half, |cost, half| *cost = own + half);
    }
    let (x, y) = (own.0.slice(s![rows, ..]), other.0.slice(s![columns, ..]));
    add_product(out.view_mut(), -1.0, x, y.t());
    // Equal points may come out a rounding below zero.
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
        cost.block((3, 1), block.view_mut());
        cost.block_transposed((1, 3), turned.view_mut());
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

        fn block(&self, first: (usize, usize), mut out: ArrayViewMut2<'_, f64>) {
            for ((i, j), value) in out.indexed_iter_mut() {
                *value = (10 * (i + first.0) + j + first.1) as f64;
            }
        }
    }

    #[test]
    fn what_is_not_written_out_follows_from_blocks() {
        let mut out = Array2::zeros((2, 3));
        Numbered.block_transposed((1, 2), out.view_mut());
        assert_eq!(out, ndarray::array![[21.0, 31.0, 41.0], [22.0, 32.0, 42.0]]);
    }
}
