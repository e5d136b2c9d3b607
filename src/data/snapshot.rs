//! Snapshots (points with a marginal) and their series in time.

use ndarray::{ArcArray1, ArcArray2, Array1, Array2, ArrayView1, ArrayView2};

use crate::error::{Error, Result};

/// A time in the unit of the time column.
pub type TimePoint = f64;

/// The cells sampled at one time: points and their marginal, weights that sum to one.
///
/// A clone shares the memory of both arrays.
///
/// ```
/// use ndarray::array;
/// use sbcell::data::Snapshot;
///
/// let even = Snapshot::new(array![[0.0, 0.0], [1.0, 0.0], [0.0, 2.0]])?;
/// assert_eq!((even.n_cells(), even.dim()), (3, 2));
/// let weighted = Snapshot::weighted(array![[0.0], [1.0]], array![1.0, 3.0])?;
/// assert_eq!(weighted.marginal(), array![0.25, 0.75]);
/// # sbcell::Result::Ok(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    points: ArcArray2<f64>,
    marginal: ArcArray1<f64>,
}

impl Snapshot {
    /// A snapshot of cells with equal weights; `points` has shape `(n_cells, dim)`.
    ///
    /// # Errors
    /// [`Error::Parameter`] if there is no cell, no dimension, or a value is not finite.
    pub fn new(points: Array2<f64>) -> Result<Self> {
        let n = points.nrows();
        Self::weighted(points, Array1::from_elem(n, 1.0 / n.max(1) as f64))
    }

    /// A snapshot of cells with `weights`, which are divided by their sum.
    ///
    /// # Errors
    /// Those of [`Snapshot::new`]; [`Error::Shape`] if the number of weights is not that of cells;
    /// [`Error::Parameter`] if a weight is negative or not finite, or all are zero.
    pub fn weighted(points: Array2<f64>, weights: Array1<f64>) -> Result<Self> {
        if points.is_empty() {
            let must = "at least one cell in at least one dimension";
            return Err(Error::Parameter {
                name: "snapshot",
                must,
                got: format!("{} × {}", points.nrows(), points.ncols()),
            });
        }
        if weights.len() != points.nrows() {
            return Err(Error::Shape {
                what: "the marginal",
                unit: "weights",
                expected: points.nrows(),
                got: weights.len(),
            });
        }
        if let Some(((cell, _), value)) = points.indexed_iter().find(|entry| !entry.1.is_finite()) {
            let got = format!("{value} in cell {cell}");
            return Err(Error::Parameter { name: "snapshot", must: "finite", got });
        }
        let total = weights.sum();
        let valid = weights.iter().all(|weight| (0.0..f64::INFINITY).contains(weight));
        if !(valid && 0.0 < total && total < f64::INFINITY) {
            let must = "weights that are finite, not negative and not all zero";
            return Err(Error::Parameter { name: "marginal", must, got: format!("sum {total}") });
        }
        let points = if points.is_standard_layout() {
            points
        } else {
            points.as_standard_layout().into_owned()
        };
        Ok(Self { points: points.into_shared(), marginal: (weights / total).into_shared() })
    }

    /// The points, row-major `(n_cells, dim)`.
    pub fn points(&self) -> ArrayView2<'_, f64> {
        self.points.view()
    }

    /// The weights of the `n_cells` cells, which sum to one.
    pub fn marginal(&self) -> ArrayView1<'_, f64> {
        self.marginal.view()
    }

    /// Number of cells.
    pub fn n_cells(&self) -> usize {
        self.points.nrows()
    }

    /// Number of dimensions.
    pub fn dim(&self) -> usize {
        self.points.ncols()
    }
}

/// A time course: snapshots of the same dimension at two or more times.
///
/// ```
/// use ndarray::array;
/// use sbcell::data::TimeSeries;
///
/// let cells = array![[0.0], [1.0], [0.5], [2.0]];
/// let series = TimeSeries::new(cells.view(), &[0.0, 0.0, 6.0, 6.0])?;
/// assert_eq!(series.times(), [0.0, 6.0]);
/// assert_eq!(series.snapshots()[1].points(), array![[0.5], [2.0]]);
/// # sbcell::Result::Ok(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct TimeSeries {
    times: Vec<TimePoint>,
    snapshots: Vec<Snapshot>,
}

impl TimeSeries {
    /// Groups cells with `points`, `(n_cells, dim)`, into snapshots by their times.
    ///
    /// Cells of a snapshot keep their order and have equal weights.
    ///
    /// # Errors
    /// [`Error::Shape`] if the number of times is not that of cells; [`Error::Parameter`] if a time
    /// or a coordinate is not finite, or there are fewer than two different times.
    pub fn new(points: ArrayView2<'_, f64>, cell_times: &[TimePoint]) -> Result<Self> {
        if cell_times.len() != points.nrows() {
            return Err(Error::Shape {
                what: "the time column",
                unit: "entries",
                expected: points.nrows(),
                got: cell_times.len(),
            });
        }
        if let Some(time) = cell_times.iter().find(|time| !time.is_finite()) {
            let got = time.to_string();
            return Err(Error::Parameter { name: "times of the cells", must: "finite", got });
        }
        let mut times = cell_times.to_vec();
        times.sort_by(f64::total_cmp);
        times.dedup();
        if times.len() < 2 {
            let got = times.len().to_string();
            return Err(Error::Parameter {
                name: "times of the course",
                must: "at least two",
                got,
            });
        }
        let snapshots = times
            .iter()
            .map(|time| {
                let rows: Vec<usize> = (0..cell_times.len())
                    .filter(|&i| cell_times[i].total_cmp(time).is_eq())
                    .collect();
                Snapshot::new(points.select(ndarray::Axis(0), &rows))
            })
            .collect::<Result<_>>()?;
        Ok(Self { times, snapshots })
    }

    /// The first `n` times of the course.
    ///
    /// # Errors
    /// [`Error::Parameter`] for fewer than two times or more than the course has.
    pub(crate) fn first(&self, n: usize) -> Result<Self> {
        if n < 2 || n > self.times.len() {
            let (name, must) = ("times of the course", "at least two, and not more than there are");
            return Err(Error::Parameter { name, must, got: n.to_string() });
        }
        Ok(Self { times: self.times[..n].to_vec(), snapshots: self.snapshots[..n].to_vec() })
    }

    /// The times, strictly increasing.
    pub fn times(&self) -> &[TimePoint] {
        &self.times
    }

    /// The snapshots, one for each time.
    pub fn snapshots(&self) -> &[Snapshot] {
        &self.snapshots
    }

    /// Number of dimensions.
    pub fn dim(&self) -> usize {
        self.snapshots[0].dim()
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn sorts_cells_into_snapshots() {
        let points = array![[1.], [2.], [3.], [4.]];
        let series = TimeSeries::new(points.view(), &[7., 2., 7., 2.]).unwrap();
        assert_eq!(series.times(), &[2., 7.]);
        assert_eq!(series.snapshots()[0].points(), array![[2.], [4.]]);
        assert_eq!(series.snapshots()[1].points(), array![[1.], [3.]]);
    }

    #[test]
    fn scales_weights_and_refuses_what_is_not_a_marginal() {
        let points = array![[1.], [2.]];
        let weighted = Snapshot::weighted(points.clone(), array![1., 3.]).unwrap();
        assert_eq!(weighted.marginal(), array![0.25, 0.75]);
        for bad in [array![1., -1.], array![0., 0.], array![f64::NAN, 1.], array![1.]] {
            assert!(Snapshot::weighted(points.clone(), bad).is_err());
        }
        assert!(Snapshot::new(array![[f64::NAN]]).is_err());
        assert!(Snapshot::new(Array2::zeros((0, 2))).is_err());
        assert!(TimeSeries::new(points.view(), &[1., 1.]).is_err());
        assert!(TimeSeries::new(points.view(), &[1., f64::NAN]).is_err());
    }
}
