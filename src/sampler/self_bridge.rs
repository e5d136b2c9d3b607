//! The bridge of a snapshot to itself: where a cell at any place is expected after one step.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis, s};
use rayon::prelude::*;

use crate::data::Snapshot;
use crate::error::{Error, Result};
use crate::geometry::Epsilon;
use crate::linalg::{add_product, log_sum_exp, product, softmax_rows};
use crate::progress::Progress;
use crate::sampler::kernel::{CHUNK, Kernel};
use crate::sampler::scaling::Scaling;

/// Cells with less than this share of a place's weight are left out of covariances.
const NOTHING: f64 = 1e-12;

/// Sum of absolute errors of the plan's marginal at which scaling ends.
const TOLERANCE: f64 = 1e-9;

/// The Schrödinger bridge between a snapshot and itself, with a place that need not be a cell.
///
/// `P = W v t v W` is the plan of the bridge over one step ([`Scaling`]). A place `x` goes to cell
/// `j` with probability `p_j(x) ∝ w_j v_j t(x, x_j)`; at a cell that is a row of the plan. Mean and
/// covariance of it are those of a step of `dX = (ε/2) ∇ ln p dt + √ε dW`, for which the snapshot
/// is at rest (Gottwald, Li, Marzouk, Reich 2024, arXiv 2401.04372, where ε is half of ours).
#[derive(Debug, Clone)]
pub struct SelfBridge {
    kernel: Kernel,
    scaling: Scaling,
    /// `ln w_j v_j`.
    offsets: Vec<f64>,
    /// Of the cells along each axis.
    variances: Array1<f64>,
}

impl SelfBridge {
    /// Scales the kernel of these cells. `neighbour`: see [`Kernel::new`].
    ///
    /// Time about `30 (2 n² dim flops + n² exponentials)`, memory `O(n dim)`.
    ///
    /// # Errors
    /// As [`Kernel::new`].
    pub fn new(
        cells: &Snapshot,
        epsilon: Epsilon,
        neighbour: Option<usize>,
        progress: &mut dyn Progress,
    ) -> Result<Self> {
        Self::of_kernel(Kernel::new(cells, epsilon, neighbour, progress)?, TOLERANCE, progress)
    }

    /// Scales a kernel to a tolerance.
    pub(super) fn of_kernel(
        kernel: Kernel,
        tolerance: f64,
        progress: &mut dyn Progress,
    ) -> Result<Self> {
        let scaling = Scaling::find(&kernel, tolerance, progress)?;
        let factors = scaling.log_factors.to_vec();
        let offsets = kernel.weighted(&factors);
        let weights: Array1<f64> = kernel.log_weights().iter().map(|log| log.exp()).collect();
        let variances = weights.dot(&kernel.points().mapv(|value| value * value));
        Ok(Self { kernel, scaling, offsets, variances })
    }

    /// `1/(1/ε + 1/c_d)` for each axis: the variance of a step of which nothing is known but the
    /// variances of the cells.
    pub(super) fn prior_step(&self, epsilon: f64) -> Array1<f64> {
        self.variances.mapv(|variance| variance * epsilon / (variance + epsilon))
    }

    /// The kernel.
    pub fn kernel(&self) -> &Kernel {
        &self.kernel
    }

    /// The factors that make it bistochastic, and how nearly.
    pub fn scaling(&self) -> &Scaling {
        &self.scaling
    }

    /// Variance of a step.
    pub fn epsilon(&self) -> Epsilon {
        self.kernel.epsilon()
    }

    /// `p(x)`: the probabilities of all cells from each row of `x` `(n, dim)`, `(n, n_cells)`.
    ///
    /// # Errors
    /// [`Error::Shape`] if `x` does not have as many columns as the cells.
    pub fn weights(&self, x: ArrayView2<'_, f64>) -> Result<Array2<f64>> {
        let x = self.kernel.centred(x)?;
        let mut weights = Array2::zeros((x.nrows(), self.kernel.n_cells()));
        let chunks = weights.axis_chunks_iter_mut(Axis(0), CHUNK);
        let pairs: Vec<_> = chunks.zip(x.axis_chunks_iter(Axis(0), CHUNK)).collect();
        pairs.into_par_iter().for_each(|(mut out, x)| {
            out.assign(&self.weights_at(x));
        });
        Ok(weights)
    }

    /// `p(x)` at centred places.
    pub(super) fn weights_at(&self, x: ArrayView2<'_, f64>) -> Array2<f64> {
        let mut block = self.kernel.log_block(x);
        block += &ArrayView1::from(&self.offsets);
        let (masses, mut totals) = (vec![1.0; x.nrows()], vec![0.0; x.nrows()]);
        if let Some(logs) = block.as_slice_mut() {
            softmax_rows(logs, self.kernel.n_cells(), &masses, &mut totals);
        }
        block
    }

    /// `m(x) = Σ_j p_j(x) x_j`: where a cell at each row of `x` is expected after one step,
    /// `(n, dim)`. It lies in the convex hull of the cells.
    ///
    /// # Errors
    /// As [`SelfBridge::weights`].
    pub fn mean(&self, x: ArrayView2<'_, f64>) -> Result<Array2<f64>> {
        let x = self.kernel.centred(x)?;
        let mut mean = Array2::zeros(x.dim());
        let chunks = mean.axis_chunks_iter_mut(Axis(0), CHUNK);
        let pairs: Vec<_> = chunks.zip(x.axis_chunks_iter(Axis(0), CHUNK)).collect();
        pairs.into_par_iter().for_each(|(mut out, x)| {
            out.assign(&product(self.weights_at(x).view(), self.kernel.points()));
        });
        Ok(mean + self.kernel.centre())
    }

    /// `Σ_j p_j (x_j − m)(x_j − m)ᵀ` for probabilities of the cells and their mean less the centre.
    pub(super) fn covariance_of(
        &self,
        p: ArrayView1<'_, f64>,
        mean: ArrayView1<'_, f64>,
    ) -> Array2<f64> {
        let rows = self.spread(p, mean);
        let mut covariance = Array2::zeros((mean.len(), mean.len()));
        add_product(covariance.view_mut(), 1.0, rows.view().reversed_axes(), rows.view());
        covariance
    }

    /// `√p_j (x_j − m)` for the cells that have weight: a matrix `A` with `AᵀA` the covariance.
    pub(super) fn spread(&self, p: ArrayView1<'_, f64>, mean: ArrayView1<'_, f64>) -> Array2<f64> {
        let near: Vec<usize> = (0..p.len()).filter(|&j| p[j] > NOTHING).collect();
        let mut rows = self.kernel.points().select(Axis(0), &near);
        for (mut row, &j) in rows.rows_mut().into_iter().zip(&near) {
            row -= &mean;
            row *= p[j].sqrt();
        }
        rows
    }

    /// The covariance of `p(x)` at one place, `(dim, dim)`.
    ///
    /// # Errors
    /// As [`SelfBridge::weights`].
    pub fn covariance(&self, x: ArrayView1<'_, f64>) -> Result<Array2<f64>> {
        let x = self.kernel.centred(x.insert_axis(Axis(0)))?;
        let p = self.weights_at(x.view());
        let mean = product(p.view(), self.kernel.points());
        Ok(self.covariance_of(p.row(0), mean.row(0)))
    }

    /// From how many cells a step draws: `1 / Σ_j p_j(x)²` at each row of `x`.
    ///
    /// # Errors
    /// As [`SelfBridge::weights`].
    pub fn effective_neighbours(&self, x: ArrayView2<'_, f64>) -> Result<Array1<f64>> {
        let x = self.kernel.centred(x)?;
        let chunks: Vec<_> = x.axis_chunks_iter(Axis(0), CHUNK).collect();
        let count = |p: ArrayView1<'_, f64>| 1.0 / p.dot(&p);
        let parts: Vec<Vec<f64>> = chunks
            .into_par_iter()
            .map(|x| self.weights_at(x).rows().into_iter().map(count).collect())
            .collect();
        Ok(Array1::from(parts.concat()))
    }

    /// The logarithm of the density at rest under the bridge's drift, at each row of `x`.
    ///
    /// The drift is `(m(x) − x)/ε = ∇ ln Σ_j w_j v_j t(x, x_j)`, and `dX = b dt + √ε dW` is at rest at
    /// `ln p = 2b/ε` integrated:
    ///
    /// `p(x) = (Σ_j w_j v_j t(x, x_j))² / Z`,
    /// `Z = (πε)^(dim/2) Σ_jk w_j v_j w_k v_k exp(−|x_j − x_k|² / 4ε)`
    ///
    /// (derived here: the product of two kernels is a kernel around their midpoint). For a fixed
    /// bandwidth; with a variable one the integral has no closed form.
    ///
    /// # Errors
    /// As [`SelfBridge::weights`]; [`Error::Parameter`] for a variable bandwidth.
    pub fn log_density(
        &self,
        x: ArrayView2<'_, f64>,
        progress: &mut dyn Progress,
    ) -> Result<Array1<f64>> {
        if self.kernel.is_variable() {
            let (name, must) = ("bandwidth", "fixed for a density");
            return Err(Error::Parameter { name, must, got: "variable".into() });
        }
        let x = self.kernel.centred(x)?;
        let epsilon = self.epsilon().value();
        // The kernel of twice the variance of a step is exp(−|x − y|² / 4ε).
        let wider = self.kernel.clone().with_epsilon(Epsilon::new(2.0 * epsilon)?);
        let factors = self.scaling.log_factors.to_vec();
        let sums = wider.log_sums(&factors, progress)?;
        let terms: Vec<f64> = sums.iter().zip(&self.offsets).map(|(sum, own)| sum + own).collect();
        let half_dim = 0.5 * self.kernel.dim() as f64;
        let log_z = half_dim * (std::f64::consts::PI * epsilon).ln() + log_sum_exp(&terms);
        let starts: Vec<usize> = (0..x.nrows()).step_by(CHUNK).collect();
        let parts: Vec<Vec<f64>> = starts
            .into_par_iter()
            .map(|first| {
                let rows = x.slice(s![first..x.nrows().min(first + CHUNK), ..]);
                self.kernel.log_sums_at(rows, &self.offsets)
            })
            .collect();
        Ok(Array1::from(parts.concat()) * 2.0 - log_z)
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;
    use rand_distr::{Distribution, StandardNormal};

    use super::*;
    use crate::Seed;
    use crate::progress::Silent;

    fn cells(n: usize, dim: usize) -> Snapshot {
        let mut stream = Seed(3).stream("test/cells", 0);
        let draw = || -> f64 { StandardNormal.sample(&mut stream) };
        Snapshot::new(Array2::from_shape_simple_fn((n, dim), draw)).unwrap()
    }

    fn bridge(cells: &Snapshot, epsilon: f64) -> SelfBridge {
        SelfBridge::new(cells, Epsilon::new(epsilon).unwrap(), None, &mut Silent).unwrap()
    }

    #[test]
    fn the_drift_is_the_gradient_of_half_the_log_density() {
        let cells = cells(40, 2);
        let bridge = bridge(&cells, 0.6);
        let x = array![[0.3, -0.7], [2.0, 1.0], [6.0, -4.0]];
        let score = (bridge.mean(x.view()).unwrap() - &x) * (2.0 / 0.6);
        let step = 1e-5;
        for d in 0..2 {
            let (mut up, mut down) = (x.clone(), x.clone());
            up.column_mut(d).mapv_inplace(|value| value + step);
            down.column_mut(d).mapv_inplace(|value| value - step);
            let up = bridge.log_density(up.view(), &mut Silent).unwrap();
            let down = bridge.log_density(down.view(), &mut Silent).unwrap();
            let slope = (up - down) / (2.0 * step);
            assert!((&slope - &score.column(d)).iter().all(|off| off.abs() < 1e-6));
        }
    }

    #[test]
    fn the_density_integrates_to_one() {
        let bridge = bridge(&cells(25, 2), 0.4);
        let step = 0.05;
        let grid = Array2::from_shape_fn((320 * 320, 2), |(i, d)| {
            step * ((if d == 0 { i / 320 } else { i % 320 }) as f64 - 159.5)
        });
        let density = bridge.log_density(grid.view(), &mut Silent).unwrap().mapv(f64::exp);
        let total = density.sum() * step * step;
        // The trapezium rule on an analytic function: no error but that of the tails.
        assert!((total - 1.0).abs() < 1e-9, "{total}");
    }

    #[test]
    fn the_jacobian_of_the_mean_is_the_covariance_over_epsilon() {
        let bridge = bridge(&cells(30, 2), 0.5);
        let x = array![0.4, 0.2];
        let covariance = bridge.covariance(x.view()).unwrap();
        let step = 1e-5;
        for d in 0..2 {
            let mut ends = Array2::zeros((2, 2));
            for (mut row, sign) in ends.rows_mut().into_iter().zip([1.0, -1.0]) {
                row.assign(&x);
                row[d] += sign * step;
            }
            let mean = bridge.mean(ends.view()).unwrap();
            let slope = (&mean.row(0) - &mean.row(1)) / (2.0 * step);
            let off = &slope - &(&covariance.column(d) / 0.5);
            assert!(off.iter().all(|value| value.abs() < 1e-8), "{off}");
        }
    }

    #[test]
    fn effective_neighbours_go_from_one_to_all() {
        let cells = cells(50, 2);
        let count = |epsilon| bridge(&cells, epsilon).effective_neighbours(cells.points()).unwrap();
        assert!(count(1e-6).iter().all(|n| (n - 1.0).abs() < 1e-6));
        assert!(count(1e6).iter().all(|n| (n - 50.0).abs() < 1e-3));
        let variable = SelfBridge::new(&cells, Epsilon::new(1.0).unwrap(), Some(5), &mut Silent);
        assert!(variable.unwrap().log_density(cells.points(), &mut Silent).is_err());
    }
}
