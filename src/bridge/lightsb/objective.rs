//! The LightSB objective over all cells, with the moments from which its gradient follows.

use ndarray::{Array1, Array2, ArrayView2, s};
use rayon::prelude::*;

use crate::bridge::lightsb::covariance::{Covariance, triangle};
use crate::bridge::lightsb::mixture::{Cluster, Mixture};
use crate::bridge::lightsb::start::Cells;
use crate::linalg::{add_product, product_tn, softmax_rows};

/// Cells of one task. The size is fixed, so results do not depend on the number of threads.
const CHUNK: usize = 512;

/// Features that are in memory at a time: one megabyte, which stays in the cache.
const FEATURES: usize = 1 << 17;

/// `L = E ln c(x) − E ln v(y)` in centred coordinates, exact over all cells.
///
/// One evaluation with its gradient takes four matrix products of `2 n K F` flops and `2 n K`
/// exponentials, for n cells in each snapshot, K Gaussians and F features: `d + 2` for scalar, `2 d
/// + 1` for diagonal and `(d + 1)(d + 2)/2` for full matrices. It reads each snapshot once (`8 n d`
/// bytes) and computes the features of at most 512 cells at a time. Memory is that of the
/// responsibilities, `8 n K` bytes for each snapshot.
#[derive(Debug)]
pub(super) struct Objective<'a> {
    /// The source in chunks.
    source: Side<'a>,
    /// The target in chunks.
    target: Side<'a>,
    /// ε of the problem.
    epsilon: f64,
}

/// The value at a mixture, and the moments of the responsibilities.
#[derive(Debug, Clone)]
pub(super) struct Evaluation {
    /// The objective, in nats.
    pub(super) value: f64,
    /// Moments under `γ_k(x)`, the softmax of `ln α̃_k(x)`.
    pub(super) source: Moments,
    /// Moments under `ρ_k(y)`, the posterior of the mixture v.
    pub(super) target: Moments,
    /// Entries of `S_k⁻¹`.
    pub(super) inverses: Array2<f64>,
}

/// Weighted sums over cells for each Gaussian.
#[derive(Debug, Clone)]
pub(super) struct Moments {
    /// `E ρ_k`.
    pub(super) mass: Array1<f64>,
    /// The kind of the matrices.
    covariance: Covariance,
    /// Number of dimensions d.
    dim: usize,
    /// `E ρ_k` times the features of y, one row for each Gaussian.
    sums: Array2<f64>,
    /// `E LSE_k`, the mean of the logarithm of the sum over Gaussians.
    pub(super) value: f64,
}

impl<'a> Objective<'a> {
    /// `source` and `target` are centred, with weights that sum to one.
    pub(super) fn new(source: Cells<'a>, target: Cells<'a>, epsilon: f64) -> Self {
        Self { source: Side::new(source), target: Side::new(target), epsilon }
    }

    /// ε of the problem.
    pub(super) fn epsilon(&self) -> f64 {
        self.epsilon
    }

    /// Covariances of source and target cells around the given means, weighted by the
    /// responsibilities of Gaussian `k` in the last evaluation; d × d each.
    pub(super) fn covariances(
        &self,
        k: usize,
        source_mean: &Array1<f64>,
        target_mean: &Array1<f64>,
    ) -> (Array2<f64>, Array2<f64>) {
        (self.source.covariance(k, source_mean), self.target.covariance(k, target_mean))
    }

    /// The value and the moments of the responsibilities.
    pub(super) fn evaluate(&mut self, mixture: &Mixture) -> Evaluation {
        let covariance = mixture.covariance;
        let starts = mixture.start_coefficients(self.epsilon);
        let (ends, inverses) = mixture.end_coefficients(self.epsilon);
        let source = self.source.moments(covariance, starts.view());
        let target = self.target.moments(covariance, ends.view());
        Evaluation { value: source.value - target.value, source, target, inverses }
    }
}

impl Moments {
    /// `E ρ_k` times the quadratic features of y: `y_d y_e`, `y_d²` or `|y|²`.
    pub(super) fn squares(&self) -> ArrayView2<'_, f64> {
        self.sums.slice(s![.., ..self.covariance.n_entries(self.dim)])
    }

    /// `E ρ_k y_d`, K × d.
    pub(super) fn firsts(&self) -> ArrayView2<'_, f64> {
        let first = self.covariance.n_entries(self.dim);
        self.sums.slice(s![.., first..first + self.dim])
    }

    /// Mean and covariance of the cells of Gaussian `k`; zeros without mass.
    pub(super) fn cluster(&self, k: usize) -> Cluster {
        let inverse = if self.mass[k] > 1e-300 { 1.0 / self.mass[k] } else { 0.0 };
        let mean = &self.firsts().row(k) * inverse;
        let mut entries = &self.squares().row(k) * inverse;
        match self.covariance {
            Covariance::Scalar => {
                entries[0] = ((entries[0] - mean.dot(&mean)) / self.dim as f64).max(0.0);
            }
            Covariance::Diagonal => {
                entries = (entries - &mean * &mean).mapv(|value| value.max(0.0));
            }
            Covariance::Full => {
                for (entry, (i, j)) in entries.iter_mut().zip(triangle(self.dim)) {
                    *entry -= mean[i] * mean[j];
                }
            }
        }
        Cluster { mean, covariance: entries }
    }
}

/// One snapshot in chunks, with the memory of each chunk.
#[derive(Debug)]
pub(super) struct Side<'a> {
    /// The centred points.
    points: ArrayView2<'a, f64>,
    /// Chunks of 512 cells.
    chunks: Vec<Chunk>,
}

/// The cells of one task.
#[derive(Debug)]
struct Chunk {
    /// The first cell.
    first: usize,
    /// Weights of the cells.
    weights: Vec<f64>,
    /// Exponents, then responsibilities times weight, rows × K.
    shares: Array2<f64>,
    /// Sums of responsibilities times features, K × F.
    sums: Array2<f64>,
    /// Logarithm of the sum over Gaussians, for each cell.
    totals: Vec<f64>,
    /// Weighted sum of the totals.
    value: f64,
}

impl<'a> Side<'a> {
    /// Divides the cells into chunks.
    pub(super) fn new(cells: Cells<'a>) -> Self {
        let Cells { points, weights } = cells;
        let chunks = (0..points.nrows())
            .step_by(CHUNK)
            .map(|first| Chunk {
                first,
                weights: weights.iter().skip(first).take(CHUNK).copied().collect(),
                shares: Array2::zeros((0, 0)),
                sums: Array2::zeros((0, 0)),
                totals: Vec::new(),
                value: 0.0,
            })
            .collect();
        Self { points, chunks }
    }

    /// Covariance around `mean` weighted by the responsibilities of Gaussian `k`.
    fn covariance(&self, k: usize, mean: &Array1<f64>) -> Array2<f64> {
        let points = self.points;
        let sums: Vec<Array2<f64>> =
            self.chunks.par_iter().map(|chunk| chunk.scatter(points, k, mean)).collect();
        let mass: f64 = self.chunks.iter().map(|chunk| chunk.shares.column(k).sum()).sum();
        let mut total = Array2::zeros((mean.len(), mean.len()));
        for sum in &sums {
            total += sum;
        }
        total / mass.max(1e-300)
    }

    /// The moments of the responsibilities whose exponents are `linear` times the features.
    pub(super) fn moments(
        &mut self,
        covariance: Covariance,
        linear: ArrayView2<'_, f64>,
    ) -> Moments {
        let (points, dim) = (self.points, self.points.ncols());
        let n_rows = (FEATURES / linear.ncols()).clamp(32, CHUNK);
        let scratch = || Array2::ones((n_rows, linear.ncols()));
        self.chunks.par_iter_mut().for_each_init(scratch, |scratch, chunk| {
            chunk.work(points, covariance, linear, scratch);
        });
        let mut sums = Array2::zeros(linear.dim());
        let mut value = 0.0;
        for chunk in &self.chunks {
            sums += &chunk.sums;
            value += chunk.value;
        }
        let mass = sums.column(sums.ncols() - 1).to_owned();
        Moments { mass, covariance, dim, sums, value }
    }
}

impl Chunk {
    /// Sum of outer products of deviations from `mean`, weighted by the responsibilities of
    /// Gaussian `k`.
    fn scatter(&self, points: ArrayView2<'_, f64>, k: usize, mean: &Array1<f64>) -> Array2<f64> {
        let rows = self.first..self.first + self.weights.len();
        let mut deviations = &points.slice(s![rows, ..]) - mean;
        for (mut row, share) in deviations.rows_mut().into_iter().zip(self.shares.column(k)) {
            row *= share.sqrt();
        }
        product_tn(deviations.view(), deviations.view())
    }

    /// Responsibilities, their total and their sums, for as many rows at a time as `scratch` has.
    fn work(
        &mut self,
        points: ArrayView2<'_, f64>,
        covariance: Covariance,
        linear: ArrayView2<'_, f64>,
        scratch: &mut Array2<f64>,
    ) {
        let shape = (self.weights.len(), linear.nrows());
        if self.shares.dim() != shape {
            self.shares = Array2::zeros(shape);
            self.totals = vec![0.0; shape.0];
        }
        self.shares.fill(0.0);
        self.sums = Array2::zeros(linear.dim());
        for start in (0..shape.0).step_by(scratch.nrows()) {
            let end = shape.0.min(start + scratch.nrows());
            let mut rows = scratch.slice_mut(s![..end - start, ..]);
            let cells = points.slice(s![self.first + start..self.first + end, ..]);
            covariance.write_features(rows.view_mut(), cells);
            let mut shares = self.shares.slice_mut(s![start..end, ..]);
            add_product(shares.view_mut(), 1.0, rows.view(), linear.t());
            if let Some(logs) = shares.as_slice_mut() {
                let (weights, totals) = (&self.weights[start..end], &mut self.totals[start..end]);
                softmax_rows(logs, shape.1, weights, totals);
            }
            add_product(self.sums.view_mut(), 1.0, shares.t(), rows.view());
        }
        self.value = self.weights.iter().zip(&self.totals).map(|(w, total)| w * total).sum();
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{ArrayView1, array};

    use super::*;

    #[test]
    fn agrees_with_the_formulas_written_out_cell_by_cell() {
        for (covariance, s) in [
            (Covariance::Scalar, array![[0.5], [1.1]]),
            (Covariance::Diagonal, array![[0.5, 1.7], [1.1, 0.3]]),
            (Covariance::Full, array![[0.5, 0.4, 1.7], [1.1, -0.2, 0.3]]),
        ] {
            let r = array![[0.5, -0.3], [-1.0, 0.8]];
            agrees(&Mixture { covariance, log_alpha: array![0.2, -0.4], r, s });
        }
    }

    fn agrees(mixture: &Mixture) {
        let epsilon = 0.7;
        let (x, y) = (array![[0.1, 1.0], [-0.4, 2.0], [3.0, 0.3]], array![[0.7, 0.7], [-2.0, 0.1]]);
        let (wx, wy) = (array![0.2, 0.5, 0.3], array![0.6, 0.4]);
        let log_alpha_tilde = |x: ArrayView1<'_, f64>, k: usize| {
            let quadratic = x.dot(&mixture.matrix(k).dot(&x)) + 2.0 * mixture.r.row(k).dot(&x);
            mixture.log_alpha[k] + quadratic / (2.0 * epsilon)
        };
        let log_density = |y: ArrayView1<'_, f64>, k: usize| {
            let (m, z) = (mixture.matrix(k) * epsilon, &y - &mixture.r.row(k));
            let det = m[[0, 0]] * m[[1, 1]] - m[[0, 1]] * m[[0, 1]];
            let square =
                m[[1, 1]] * z[0] * z[0] - 2.0 * m[[0, 1]] * z[0] * z[1] + m[[0, 0]] * z[1] * z[1];
            let two_pi = std::f64::consts::TAU;
            mixture.log_alpha[k] - 0.5 * (two_pi * two_pi * det).ln() - 0.5 * square / det
        };
        let lse = |a: f64, b: f64| (a.exp() + b.exp()).ln();
        let mut value = 0.0;
        let mut first = 0.0;
        for (x, w) in x.rows().into_iter().zip(&wx) {
            let (a, b) = (log_alpha_tilde(x, 0), log_alpha_tilde(x, 1));
            value += w * lse(a, b);
            first += w * (b - lse(a, b)).exp() * x[1];
        }
        let mut square = Array2::<f64>::zeros((2, 2));
        for (y, w) in y.rows().into_iter().zip(&wy) {
            let (a, b) = (log_density(y, 0), log_density(y, 1));
            value -= w * lse(a, b);
            let share = w * (a - lse(a, b)).exp();
            square += &(&y.insert_axis(ndarray::Axis(1)) * &y * share);
        }
        let source = Cells { points: x.view(), weights: wx.view() };
        let target = Cells { points: y.view(), weights: wy.view() };
        let mut objective = Objective::new(source, target, epsilon);
        let evaluation = objective.evaluate(mixture);
        assert!((evaluation.value - value).abs() < 1e-12, "{} and {value}", evaluation.value);
        assert!((evaluation.source.firsts()[[1, 1]] - first).abs() < 1e-13);
        let expected = match mixture.covariance {
            Covariance::Scalar => array![square.diag().sum()],
            other => other.entries(square.view()),
        };
        let off = &evaluation.target.squares().row(0) - &expected;
        assert!(off.iter().all(|value| value.abs() < 1e-13), "{off}");
        assert!((evaluation.target.mass.sum() - 1.0).abs() < 1e-14);
    }
}
