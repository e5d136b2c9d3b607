//! The kernel of a snapshot: transition densities of the reference process from places to cells.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis, s};
use rayon::prelude::*;

use crate::data::Snapshot;
use crate::error::{Error, Result};
use crate::geometry::Epsilon;
use crate::linalg::{LogSums, product_nt};
use crate::progress::{Event, Progress, report};

/// Number of places in one task. A block of logarithms has this number of rows and a column for each
/// cell, `512 n_cells` bytes on each thread; no larger array exists.
pub(super) const CHUNK: usize = 64;

/// Largest local scale, and inverse of the smallest.
const MOST_UNEVEN: f64 = 100.0;

/// The transition density of the reference process over one step, without its constant factor.
///
/// ```text
/// t(x, y) = exp(−|x − y|² / (ε (ρ(x) + ρ(y))))
/// ```
///
/// For a fixed bandwidth `ρ = 1`, and `t` is that of `dX = √ε dW` over one unit of time. For a
/// variable bandwidth `ρ(x)` is the squared distance from `x` to the `k`-th nearest cell, divided by
/// its geometric mean over the cells, so that steps are longer where cells are sparse. Source:
/// Gottwald, Li, Marzouk, Reich 2024, arXiv 2401.04372, with `4ε` for `2ε` here.
#[derive(Debug, Clone)]
pub(crate) struct Kernel {
    /// Cells minus their mean, `(n_cells, dim)`, which reduces rounding errors of squares.
    points: Array2<f64>,
    /// The weighted mean of the cells.
    centre: Array1<f64>,
    /// Squared norms of `points`.
    squares: Vec<f64>,
    /// Logarithms of the weights of the cells.
    log_weights: Vec<f64>,
    epsilon: Epsilon,
    /// The local scale of a variable bandwidth.
    local: Option<Local>,
}

/// The local scale ρ of a variable bandwidth.
#[derive(Debug, Clone)]
struct Local {
    /// The number `k`.
    neighbour: usize,
    /// Geometric mean of the squared distances of cells to their `k`-th nearest cell.
    typical: f64,
    /// ρ of each cell.
    of_cells: Vec<f64>,
}

impl Kernel {
    /// The kernel of these cells; `neighbour` is the `k` of a variable bandwidth, or `None`.
    ///
    /// Time `2 n² dim` flops for a variable bandwidth, `O(n dim)` for a fixed one.
    ///
    /// # Errors
    /// [`Error::Parameter`] if `neighbour` is zero or not below the number of cells, or if most cells
    /// are copies of others; [`Error::Cancelled`].
    pub(crate) fn new(
        cells: &Snapshot,
        epsilon: Epsilon,
        neighbour: Option<usize>,
        progress: &mut dyn Progress,
    ) -> Result<Self> {
        let centre = cells.marginal().dot(&cells.points());
        let points = &cells.points() - &centre;
        let squares = points.rows().into_iter().map(|row| row.dot(&row)).collect();
        let log_weights = cells.marginal().iter().map(|weight| weight.ln()).collect();
        let mut kernel = Self { points, centre, squares, log_weights, epsilon, local: None };
        if let Some(neighbour) = neighbour {
            kernel.local = Some(kernel.local_scale(neighbour, progress)?);
        }
        Ok(kernel)
    }

    /// The kernel of the same cells with another ε.
    #[must_use]
    pub(crate) fn with_epsilon(mut self, epsilon: Epsilon) -> Self {
        self.epsilon = epsilon;
        self
    }

    /// Computes the local scales of all cells for `k` = `neighbour`.
    fn local_scale(&self, neighbour: usize, progress: &mut dyn Progress) -> Result<Local> {
        if !(1..self.n_cells()).contains(&neighbour) {
            let must = "at least 1 and less than the number of cells";
            return Err(Error::Parameter { name: "neighbour", must, got: neighbour.to_string() });
        }
        let reach = self.by_chunks(progress, |chunk| self.reach(chunk, neighbour))?;
        let log = |square: &f64| if *square > 0.0 { Some(square.ln()) } else { None };
        let logs: Vec<f64> = reach.iter().filter_map(log).collect();
        if 2 * logs.len() < reach.len() {
            let (name, must) =
                ("values of the cells", "mostly different, for a variable bandwidth");
            let got = format!("{} copies of other cells", reach.len() - logs.len());
            return Err(Error::Parameter { name, must, got });
        }
        let typical = (logs.iter().sum::<f64>() / logs.len() as f64).exp();
        let of_cells = reach.iter().map(|square| bounded(square / typical)).collect();
        Ok(Local { neighbour, typical, of_cells })
    }

    /// Squared distances of centred places to their `k`-th nearest cells, `k` = `neighbour`.
    ///
    /// A cell is its own nearest cell number 0.
    fn reach(&self, x: ArrayView2<'_, f64>, neighbour: usize) -> Vec<f64> {
        let mut squares = self.squared_distances(x);
        let row = |mut row: ndarray::ArrayViewMut1<'_, f64>| match row.as_slice_mut() {
            Some(row) => *row.select_nth_unstable_by(neighbour, f64::total_cmp).1,
            None => f64::NAN,
        };
        squares.rows_mut().into_iter().map(row).collect()
    }

    /// Squared distances of centred places to all cells, `(n, n_cells)`, by a matrix product.
    fn squared_distances(&self, x: ArrayView2<'_, f64>) -> Array2<f64> {
        let mut block = product_nt(x, self.points.view());
        for (mut row, x) in block.rows_mut().into_iter().zip(x.rows()) {
            let own = x.dot(&x);
            for (value, square) in row.iter_mut().zip(&self.squares) {
                let distance = own + square - 2.0 * *value;
                *value = if distance < 0.0 { 0.0 } else { distance };
            }
        }
        block
    }

    /// `ln t(x, x_j)` for centred places `x`, `(n, dim)`, as `(n, n_cells)`.
    pub(super) fn log_block(&self, x: ArrayView2<'_, f64>) -> Array2<f64> {
        let epsilon = self.epsilon.value();
        let mut block = self.squared_distances(x);
        match &self.local {
            None => block *= -0.5 / epsilon,
            Some(local) => {
                let own = self.local_scales(x);
                for (mut row, own) in block.rows_mut().into_iter().zip(own) {
                    for (value, other) in row.iter_mut().zip(&local.of_cells) {
                        *value /= -epsilon * (own + other);
                    }
                }
            }
        }
        block
    }

    /// The local scale ρ at each of the centred places `x`.
    pub(super) fn local_scales(&self, x: ArrayView2<'_, f64>) -> Vec<f64> {
        match &self.local {
            None => vec![1.0; x.nrows()],
            Some(local) => {
                let reach = self.reach(x, local.neighbour);
                reach.into_iter().map(|square| bounded(square / local.typical)).collect()
            }
        }
    }

    /// `ln Σ_j w_j t(x_i, x_j) exp(offset_j)` for each cell `i`.
    ///
    /// Time `2 n² dim` flops and `n²` exponentials, on all threads.
    pub(super) fn log_sums(
        &self,
        offsets: &[f64],
        progress: &mut dyn Progress,
    ) -> Result<Array1<f64>> {
        let offsets = self.weighted(offsets);
        let sums = self.by_chunks(progress, |chunk| self.log_sums_at(chunk, &offsets))?;
        Ok(Array1::from(sums))
    }

    /// `ln Σ_j t(x, x_j) exp(offset_j)` at each of the centred places `x`.
    pub(super) fn log_sums_at(&self, x: ArrayView2<'_, f64>, offsets: &[f64]) -> Vec<f64> {
        let mut block = self.log_block(x);
        let mut sums = LogSums::new(x.nrows());
        if let Some(block) = block.as_slice_mut() {
            sums.add(block, offsets);
        }
        sums.finish()
    }

    /// `ln w_j + offset_j` for each cell.
    pub(super) fn weighted(&self, offsets: &[f64]) -> Vec<f64> {
        self.log_weights.iter().zip(offsets).map(|(weight, offset)| weight + offset).collect()
    }

    /// The results of `work` for chunks of the cells, computed in parallel, in the order of cells.
    fn by_chunks(
        &self,
        progress: &mut dyn Progress,
        work: impl Fn(ArrayView2<'_, f64>) -> Vec<f64> + Sync,
    ) -> Result<Vec<f64>> {
        report(progress, Event::Pulse)?;
        let starts: Vec<usize> = (0..self.n_cells()).step_by(CHUNK).collect();
        let parts: Vec<Vec<f64>> = starts
            .into_par_iter()
            .map(|first| {
                let end = self.n_cells().min(first + CHUNK);
                work(self.points.slice(s![first..end, ..]))
            })
            .collect();
        Ok(parts.concat())
    }

    /// Number of cells.
    pub(crate) fn n_cells(&self) -> usize {
        self.points.nrows()
    }

    /// Number of dimensions.
    pub(crate) fn dim(&self) -> usize {
        self.points.ncols()
    }

    /// The variance of a step of the reference process.
    pub(crate) fn epsilon(&self) -> Epsilon {
        self.epsilon
    }

    /// Whether the bandwidth is variable.
    pub(crate) fn is_variable(&self) -> bool {
        self.local.is_some()
    }

    /// The local scale ρ of each cell; 1 for a fixed bandwidth.
    #[must_use]
    pub(crate) fn scales(&self) -> Array1<f64> {
        match &self.local {
            None => Array1::ones(self.n_cells()),
            Some(local) => Array1::from(local.of_cells.clone()),
        }
    }

    /// The weighted mean of the cells.
    pub(crate) fn centre(&self) -> ArrayView1<'_, f64> {
        self.centre.view()
    }

    /// The cells minus the centre, `(n_cells, dim)`.
    pub(super) fn points(&self) -> ArrayView2<'_, f64> {
        self.points.view()
    }

    /// Logarithms of the weights of the cells.
    pub(super) fn log_weights(&self) -> &[f64] {
        &self.log_weights
    }

    /// The places `x` minus the centre.
    ///
    /// # Errors
    /// [`Error::Shape`] if the dimension differs from that of the cells.
    pub(super) fn centred(&self, x: ArrayView2<'_, f64>) -> Result<Array2<f64>> {
        if x.ncols() != self.dim() {
            let (expected, got) = (self.dim(), x.ncols());
            return Err(Error::Shape { what: "the places", unit: "columns", expected, got });
        }
        Ok(&x - &self.centre.view().insert_axis(Axis(0)))
    }
}

/// `scale` between `1 / MOST_UNEVEN` and `MOST_UNEVEN`.
fn bounded(scale: f64) -> f64 {
    scale.clamp(1.0 / MOST_UNEVEN, MOST_UNEVEN)
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;
    use crate::progress::Silent;

    fn cells() -> Snapshot {
        let points = array![[100.0, 2.0], [101.0, 2.5], [99.0, 4.0], [103.0, 0.0], [100.5, 1.0]];
        Snapshot::weighted(points, array![1.0, 2.0, 1.0, 1.0, 3.0]).unwrap()
    }

    #[test]
    fn a_fixed_kernel_is_the_transition_of_brownian_motion() {
        let epsilon = Epsilon::new(0.7).unwrap();
        let kernel = Kernel::new(&cells(), epsilon, None, &mut Silent).unwrap();
        let x = array![[100.2, 1.0], [98.0, 5.0]];
        let block = kernel.log_block(kernel.centred(x.view()).unwrap().view());
        for ((i, j), log) in block.indexed_iter() {
            let difference = &x.row(i) - &cells().points().row(j);
            let expected = -difference.dot(&difference) / (2.0 * 0.7);
            assert!((log - expected).abs() < 1e-10, "{log} {expected}");
        }
    }

    #[test]
    fn a_variable_kernel_is_symmetric_and_wider_where_cells_are_sparse() {
        let epsilon = Epsilon::new(0.7).unwrap();
        let kernel = Kernel::new(&cells(), epsilon, Some(2), &mut Silent).unwrap();
        let block = kernel.log_block(kernel.points());
        let scales = kernel.scales();
        for ((i, j), log) in block.indexed_iter() {
            let difference = &cells().points().row(i) - &cells().points().row(j);
            let expected = -difference.dot(&difference) / (0.7 * (scales[i] + scales[j]));
            assert!((log - expected).abs() < 1e-10);
        }
        // Squared distances to the second nearest other cells, by hand.
        let by_hand: Array1<f64> = array![1.25, 2.5, 6.25, 10.25, 2.5];
        let typical = by_hand.mapv(f64::ln).mean().unwrap().exp();
        assert!((&scales * typical - by_hand).iter().all(|off| off.abs() < 1e-9), "{scales}");
        assert!((scales.mapv(f64::ln).sum()).abs() < 1e-12, "the geometric mean is one");
    }

    #[test]
    fn refuses_a_neighbour_that_is_not_there() {
        let epsilon = Epsilon::new(1.0).unwrap();
        for k in [0, 5] {
            assert!(Kernel::new(&cells(), epsilon, Some(k), &mut Silent).is_err());
        }
        let copies = Snapshot::new(Array2::zeros((6, 2))).unwrap();
        assert!(Kernel::new(&copies, epsilon, Some(2), &mut Silent).is_err());
    }
}
