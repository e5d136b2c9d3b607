//! Kinship of the cells of one time: how likely two of them have a common ancestor, or a common descendant.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2};

use crate::error::{Error, Result};
use crate::linalg::clearly_less;
use crate::lineage::Resampled;

/// The side from which the cells of a time are compared.
///
/// ```
/// use sbcell::lineage::Side;
/// // Late cells are compared by their ancestors, early cells by their descendants.
/// assert_ne!(Side::Ancestors, Side::Descendants);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// By the ancestors at all earlier times: groups of late cells (terminal states).
    Ancestors,
    /// By the descendants at all later times: groups of early cells (initial states).
    Descendants,
}

/// The kinship operator of the cells of one time, under some of the resamples of a course.
///
/// Let `A_k(i, j)` be the probability that the ancestor of cell j at the time of place k is cell i
/// (for [`Side::Descendants`]: the descendant), and `π_k = A_k q` its distribution for a cell j drawn
/// with the weights q. Two draws that share the ancestor have the joint probability `Σ_i A_k(i, j)
/// A_k(i, j') q_j q_j' / π_k(i)`. The kinship is its mean over all times k, each with the length of
/// the interval on its side of the cells. In the symmetric form
///
/// ```text
/// S(j, j') = Σ_k w_k Σ_i A_k(i, j) √q_j A_k(i, j') √q_j' / π_k(i)
/// ```
///
/// it is positive semidefinite with the largest eigenvalue 1, which belongs to `√q`. With one place k
/// the other eigenvalues are the squared singular values of the transition operator between the two
/// times (Froyland, Santitissadeekorn and Monahan 2010).
pub(super) struct Kinship<'a> {
    resampled: &'a Resampled<'a>,
    side: Side,
    steps: Vec<Step>,
    /// Weights of the cells, `(n, n_columns)`; zero for cells that no mass reaches.
    pub(super) weights: Array2<f64>,
}

/// One interval, from the side of the compared cells (near) to the other (far).
struct Step {
    /// Place of the interval.
    interval: usize,
    /// Share of the interval in the length of all.
    share: f64,
    /// Scaling of the near cells, divided by their mass.
    near: Array2<f64>,
    /// Scaling of the far cells.
    far: Array2<f64>,
    /// Distribution of the ancestors over the far cells.
    kin: Array2<f64>,
}

impl<'a> Kinship<'a> {
    /// The kinship of the cells at `place` in the columns `columns` of `resampled`. Takes two passes
    /// over all pairs of each interval on the chosen side.
    ///
    /// # Errors
    /// [`Error::Parameter`] if there is no interval on the chosen side.
    pub(super) fn new(
        resampled: &'a Resampled<'a>,
        place: usize,
        side: Side,
        columns: std::ops::Range<usize>,
    ) -> Result<Self> {
        let times = resampled.lineage().times();
        let intervals: Vec<usize> = match side {
            Side::Ancestors => (0..place.min(times.len() - 1)).rev().collect(),
            Side::Descendants => (place..times.len() - 1).collect(),
        };
        if intervals.is_empty() || place >= times.len() {
            let (name, must) = ("at", "a time with cells on the side that is asked for");
            let got = times.get(place).map_or_else(|| "none".into(), ToString::to_string);
            return Err(Error::Parameter { name, must, got });
        }
        let span: f64 = intervals.iter().map(|&k| times[k + 1] - times[k]).sum();
        let mut kinship = Self {
            resampled,
            side,
            steps: Vec::with_capacity(intervals.len()),
            weights: of_columns(resampled.weights(place), &columns),
        };
        for interval in intervals {
            let (alpha, beta) = resampled.scalings(interval);
            let (near, far) = match side {
                Side::Ancestors => (beta, alpha),
                Side::Descendants => (alpha, beta),
            };
            let (mut near, far) = (of_columns(near, &columns), of_columns(far, &columns));
            let mass = kinship.across(interval, far.view(), false)? * &near;
            ndarray::Zip::from(&mut near).and(&mass).for_each(|near, &mass| {
                *near = if mass > 0.0 { *near / mass } else { 0.0 };
            });
            if kinship.steps.is_empty() {
                kinship.weights = reached(kinship.weights, &near);
            }
            let before = kinship.steps.last().map_or(&kinship.weights, |step| &step.kin);
            let kin = kinship.across(interval, (before * &near).view(), true)? * &far;
            let share = (times[interval + 1] - times[interval]) / span;
            kinship.steps.push(Step { interval, share, near, far, kin });
        }
        Ok(kinship)
    }

    /// Number of compared cells.
    pub(super) fn n_cells(&self) -> usize {
        self.weights.nrows()
    }

    /// Number of columns of the resamples.
    pub(super) fn n_columns(&self) -> usize {
        self.weights.ncols()
    }

    /// Sums over the pairs of an interval: from near to far cells if `outward`, or back.
    fn across(&self, k: usize, values: ArrayView2<'_, f64>, outward: bool) -> Result<Array2<f64>> {
        let link = &self.resampled.lineage().links()[k];
        if outward == (self.side == Side::Ancestors) {
            link.pull(values)
        } else {
            link.push(values)
        }
    }

    /// `S h` for the columns of `h`, `(n, n_columns · c)` with the c columns of a resample side by side.
    /// Takes two passes over all pairs of each interval.
    ///
    /// # Errors
    /// [`Error::Shape`] unless there is one row for each cell.
    pub(super) fn apply(&self, h: ArrayView2<'_, f64>) -> Result<Array2<f64>> {
        let roots = self.weights.mapv(f64::sqrt);
        let mut masses: Vec<Array2<f64>> = Vec::with_capacity(self.steps.len());
        let mut mass = scaled(h.to_owned(), &roots);
        for step in &self.steps {
            let near = scaled(mass, &step.near);
            mass = scaled(self.across(step.interval, near.view(), true)?, &step.far);
            masses.push(mass.clone());
        }
        let mut values = Array2::zeros((0, 0));
        for (step, mass) in self.steps.iter().zip(masses).rev() {
            let shares = step.kin.mapv(|kin| if kin > 0.0 { step.share / kin } else { 0.0 });
            let own = scaled(mass, &shares);
            let all = if values.is_empty() { own } else { values + own };
            let far = scaled(all, &step.far);
            values = scaled(self.across(step.interval, far.view(), false)?, &step.near);
        }
        Ok(scaled(values, &roots))
    }

    /// The mean over the members of each of `sets` (columns of indicators, `(n, c)`) of the
    /// probability that the kin of a cell is in the same set. The first column of the resamples.
    ///
    /// # Errors
    /// As [`Kinship::apply`].
    pub(super) fn kept(&self, sets: ArrayView2<'_, f64>) -> Result<Array1<f64>> {
        let root = self.weights.column(0).mapv(f64::sqrt);
        let h = &sets * &root.view().insert_axis(ndarray::Axis(1));
        let image = self.apply(h.view())?;
        let inner = |of: (ArrayView1<'_, f64>, ArrayView1<'_, f64>)| of.0.dot(&of.1);
        let columns = h.columns().into_iter().zip(image.columns());
        let ratios = columns.map(|(h, image)| inner((h, image)) / inner((h, h)));
        Ok(ratios.collect())
    }
}

/// Some columns of a matrix.
fn of_columns(all: ArrayView2<'_, f64>, columns: &std::ops::Range<usize>) -> Array2<f64> {
    all.slice(ndarray::s![.., columns.clone()]).to_owned()
}

/// `values` `(n, n_columns · c)` with the rows of each resample scaled by its column of `factors`.
fn scaled(mut values: Array2<f64>, factors: &Array2<f64>) -> Array2<f64> {
    let each = (values.ncols() / factors.ncols().max(1)).max(1);
    for (c, mut column) in values.columns_mut().into_iter().enumerate() {
        column *= &factors.column(c / each);
    }
    values
}

/// The weights of the cells that have mass, with a sum of one in each column.
fn reached(mut weights: Array2<f64>, near: &Array2<f64>) -> Array2<f64> {
    ndarray::Zip::from(&mut weights).and(near).for_each(|weight, &near| {
        if !clearly_less(0.0, near) {
            *weight = 0.0;
        }
    });
    for mut column in weights.columns_mut() {
        let total = column.sum();
        if total > 0.0 {
            column /= total;
        }
    }
    weights
}
