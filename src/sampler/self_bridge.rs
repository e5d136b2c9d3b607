//! The Schrödinger bridge of a snapshot to itself, with steps from any place to the cells.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis, s};
use rayon::prelude::*;

use crate::data::Snapshot;
use crate::error::{Error, Result};
use crate::geometry::Epsilon;
use crate::linalg::{add_product, log_sum_exp, product, softmax_rows};
use crate::progress::Progress;
use crate::sampler::kernel::{CHUNK, Kernel};
use crate::sampler::scaling::Scaling;

/// Probability below which a cell is omitted from covariances.
const NOTHING: f64 = 1e-12;

/// Marginal error at which scaling stops.
const TOLERANCE: f64 = 1e-9;

/// The Schrödinger bridge between a snapshot and itself over one step of variance ε.
///
/// Its coupling is `P_ij = w_i v_i t(x_i, x_j) v_j w_j` with weights `w`, the kernel `t` of the
/// reference process, and factors `v` from symmetric Sinkhorn scaling. From any place `x` a step goes
/// to cell `j` with probability `p_j(x) ∝ w_j v_j t(x, x_j)`; for a cell this is its row of `P`. Mean
/// and covariance of the step are those of a step of `dX = (ε/2) ∇ ln p dt + √ε dW`, of which the
/// distribution of the snapshot is stationary (Gottwald, Li, Marzouk, Reich 2024, arXiv 2401.04372,
/// with ε/2 for ε).
///
/// ```
/// use ndarray::array;
/// use sbcell::data::Snapshot;
/// use sbcell::sampler::SelfBridge;
/// use sbcell::{Epsilon, Silent};
///
/// let cells = Snapshot::new(array![[-1.0], [1.0]])?;
/// let bridge = SelfBridge::new(&cells, Epsilon::new(1.0)?, None, &mut Silent)?;
/// let places = array![[0.0], [1.0]];
/// let mean = bridge.mean(places.view())?;
/// assert!(mean[[0, 0]].abs() < 1e-9 && mean[[1, 0]] < 1.0);
/// # sbcell::Result::Ok(())
/// ```
#[derive(Debug, Clone)]
pub struct SelfBridge {
    kernel: Kernel,
    scaling: Scaling,
    /// `ln w_j v_j`.
    offsets: Vec<f64>,
    /// Variances of the cells along the axes.
    variances: Array1<f64>,
}

impl SelfBridge {
    /// The bridge of these cells.
    ///
    /// With `neighbour = None` the bandwidth is fixed. With `neighbour = Some(k)` it is variable: the
    /// variance of a step from `x` is proportional to the squared distance from `x` to the `k`-th
    /// nearest cell, within a factor of 100 of ε. Time about 30 rounds of `2 n² dim` flops and `n²`
    /// exponentials, memory `O(n dim)`.
    ///
    /// # Errors
    /// [`Error::Parameter`] if `neighbour` is zero or not below the number of cells, or if most cells
    /// are copies of others and the bandwidth is variable; [`Error::Cancelled`].
    pub fn new(
        cells: &Snapshot,
        epsilon: Epsilon,
        neighbour: Option<usize>,
        progress: &mut dyn Progress,
    ) -> Result<Self> {
        Self::of_kernel(Kernel::new(cells, epsilon, neighbour, progress)?, TOLERANCE, progress)
    }

    /// The bridge of a kernel, scaled to this marginal error.
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

    /// The prior variance of a step along each axis, `1/(1/ε + 1/c_d)`, from the variances `c_d`.
    pub(super) fn prior_step(&self, epsilon: f64) -> Array1<f64> {
        self.variances.mapv(|variance| variance * epsilon / (variance + epsilon))
    }

    /// The kernel.
    pub(crate) fn kernel(&self) -> &Kernel {
        &self.kernel
    }

    /// The factors `v` and the remaining marginal error.
    #[doc(hidden)]
    pub fn scaling(&self) -> &Scaling {
        &self.scaling
    }

    /// The variance ε of a step.
    pub fn epsilon(&self) -> Epsilon {
        self.kernel.epsilon()
    }

    /// The probabilities `p_j(x)` of all cells for each row of `x`, `(n, dim)`, as `(n, n_cells)`.
    ///
    /// # Errors
    /// [`Error::Shape`] if the dimension of `x` differs from that of the cells.
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

    /// The probabilities `p_j(x)` at centred places.
    pub(super) fn weights_at(&self, x: ArrayView2<'_, f64>) -> Array2<f64> {
        let mut block = self.kernel.log_block(x);
        block += &ArrayView1::from(&self.offsets);
        let (masses, mut totals) = (vec![1.0; x.nrows()], vec![0.0; x.nrows()]);
        if let Some(logs) = block.as_slice_mut() {
            softmax_rows(logs, self.kernel.n_cells(), &masses, &mut totals);
        }
        block
    }

    /// The expected positions `m(x) = Σ_j p_j(x) x_j` after a step from each row of `x`, `(n, dim)`.
    ///
    /// `m` is the barycentric projection; it lies in the convex hull of the cells.
    ///
    /// # Errors
    /// As for [`SelfBridge::weights`].
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

    /// The covariance `Σ_j p_j (x_j − m)(x_j − m)ᵀ` for probabilities `p` and their centred mean.
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

    /// Rows `√p_j (x_j − m)` for the cells with probability: a matrix `A` with covariance `AᵀA`.
    pub(super) fn spread(&self, p: ArrayView1<'_, f64>, mean: ArrayView1<'_, f64>) -> Array2<f64> {
        let near: Vec<usize> = (0..p.len()).filter(|&j| p[j] > NOTHING).collect();
        let mut rows = self.kernel.points().select(Axis(0), &near);
        for (mut row, &j) in rows.rows_mut().into_iter().zip(&near) {
            row -= &mean;
            row *= p[j].sqrt();
        }
        rows
    }

    /// The covariance of a step from one place `x`, `(dim, dim)`.
    ///
    /// # Errors
    /// As for [`SelfBridge::weights`].
    pub fn covariance(&self, x: ArrayView1<'_, f64>) -> Result<Array2<f64>> {
        let x = self.kernel.centred(x.insert_axis(Axis(0)))?;
        let p = self.weights_at(x.view());
        let mean = product(p.view(), self.kernel.points());
        Ok(self.covariance_of(p.row(0), mean.row(0)))
    }

    /// The number of effective neighbours `1 / Σ_j p_j(x)²` of each row of `x`.
    ///
    /// # Errors
    /// As for [`SelfBridge::weights`].
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

    /// The logarithm of the stationary density of the bridge's drift at each row of `x`.
    ///
    /// The drift is `b(x) = m(x) − x = ε ∇ ln Σ_j w_j v_j t(x, x_j)`. The stationary density of
    /// `dX = b dt + √ε dW` satisfies `∇ ln p = 2b/ε`, hence
    ///
    /// ```text
    /// p(x) = (Σ_j w_j v_j t(x, x_j))² / Z
    /// Z = (πε)^(dim/2) Σ_jk w_j v_j w_k v_k exp(−|x_j − x_k|² / 4ε)
    /// ```
    ///
    /// The constant `Z` follows because the product of two kernels is a kernel around their midpoint
    /// (own derivation). It has a closed form only for a fixed bandwidth. Time that of a round of
    /// scaling and `2 n n_cells dim` flops for `n` rows.
    ///
    /// # Errors
    /// As for [`SelfBridge::weights`]; [`Error::Parameter`] for a variable bandwidth.
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
        // The kernel with twice the variance of a step is exp(−|x − y|² / 4ε).
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
