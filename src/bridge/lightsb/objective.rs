//! The LightSB objective over all cells, with the moments its gradient is made of.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, ArrayViewMut2, s};
use rayon::prelude::*;

use crate::bridge::lightsb::mixture::{Mixture, write_features};
use crate::linalg::{add_product, product_tn, softmax_rows};

/// Cells that are worked on together; fixed, so that results do not depend on threads.
const CHUNK: usize = 512;

/// `L = E ln c(x) − E ln v(y)` in centred coordinates, exact over all cells.
///
/// One evaluation with its gradient is four products of `2 n K · 2 dim` flops and `2 n K`
/// exponentials, for `n` cells in each snapshot and `K` Gaussians; it reads each snapshot once
/// (`8 n dim` bytes) and makes the features `[x², x, 1]` of 512 cells at a time. It holds the
/// responsibilities, `8 n K` bytes for each snapshot.
#[derive(Debug)]
pub(super) struct Objective<'a> {
    source: Side<'a>,
    target: Side<'a>,
    epsilon: f64,
}

/// The value at a mixture and the moments of the responsibilities there.
#[derive(Debug, Clone)]
pub(super) struct Evaluation {
    pub(super) value: f64,
    /// Under `γ_k(x)`, the softmax of `ln α̃_k(x)`.
    pub(super) source: Moments,
    /// Under `ρ_k(y)`, the posterior of the mixture `v`.
    pub(super) target: Moments,
}

/// Weighted sums over cells for each Gaussian.
#[derive(Debug, Clone)]
pub(super) struct Moments {
    /// `E ρ_k`.
    pub(super) mass: Array1<f64>,
    /// `E ρ_k [y², y, 1]`, `(n_gaussians, 2 dim + 1)`.
    sums: Array2<f64>,
    /// `E LSE_k`.
    value: f64,
}

impl<'a> Objective<'a> {
    /// Takes centred points with marginals that sum to one.
    pub(super) fn new(
        source: (ArrayView2<'a, f64>, ArrayView1<'_, f64>),
        target: (ArrayView2<'a, f64>, ArrayView1<'_, f64>),
        epsilon: f64,
    ) -> Self {
        Self {
            source: Side::new(source.0, source.1),
            target: Side::new(target.0, target.1),
            epsilon,
        }
    }

    pub(super) fn epsilon(&self) -> f64 {
        self.epsilon
    }

    /// Covariances of source and target cells around given means, weighted by what Gaussian `k`
    /// was responsible for in the last evaluation; `(dim, dim)` each.
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
        let (epsilon, dim) = (self.epsilon, mixture.dim());
        let n_gaussians = mixture.n_gaussians();
        let mut linear = Array2::zeros((n_gaussians, 2 * dim + 1));
        linear.slice_mut(s![.., ..dim]).assign(&(&mixture.s / (2.0 * epsilon)));
        linear.slice_mut(s![.., dim..2 * dim]).assign(&(&mixture.r / epsilon));
        linear.column_mut(2 * dim).assign(&mixture.log_alpha);
        let source = self.source.moments(linear.view());

        let inverse = mixture.s.mapv(|s| 1.0 / (epsilon * s));
        let mut offset = mixture.log_alpha.clone();
        for k in 0..n_gaussians {
            offset[k] += inverse
                .row(k)
                .iter()
                .zip(mixture.r.row(k))
                .map(|(inverse, r)| {
                    0.5 * ((inverse / std::f64::consts::TAU).ln() - r * r * inverse)
                })
                .sum::<f64>();
        }
        linear.slice_mut(s![.., ..dim]).assign(&(&inverse * -0.5));
        linear.slice_mut(s![.., dim..2 * dim]).assign(&(&mixture.r * &inverse));
        linear.column_mut(2 * dim).assign(&offset);
        let target = self.target.moments(linear.view());
        Evaluation { value: source.value - target.value, source, target }
    }
}

impl Moments {
    /// `E ρ_k y_d²`, `(n_gaussians, dim)`.
    pub(super) fn squares(&self) -> ArrayView2<'_, f64> {
        self.sums.slice(s![.., ..self.sums.ncols() / 2])
    }

    /// `E ρ_k y_d`, `(n_gaussians, dim)`.
    pub(super) fn firsts(&self) -> ArrayView2<'_, f64> {
        {
            let dim = self.sums.ncols() / 2;
            self.sums.slice(s![.., dim..2 * dim])
        }
    }

    /// Mean and variance of the part of Gaussian `k`; zeros for a part without mass.
    pub(super) fn mean_and_variance(&self, k: usize) -> (Array1<f64>, Array1<f64>) {
        let inverse = if self.mass[k] > 1e-300 { 1.0 / self.mass[k] } else { 0.0 };
        let mean = &self.firsts().row(k) * inverse;
        let variance = &self.squares().row(k) * inverse - &mean * &mean;
        (mean, variance.mapv(|value| value.max(0.0)))
    }
}

/// One snapshot, cut into chunks with the memory each of them works in.
#[derive(Debug)]
struct Side<'a> {
    points: ArrayView2<'a, f64>,
    chunks: Vec<Chunk>,
}

#[derive(Debug)]
struct Chunk {
    first: usize,
    weights: Vec<f64>,
    /// Exponents, then shares times weight, `(rows, n_gaussians)`.
    shares: Array2<f64>,
    sums: Array2<f64>,
    totals: Vec<f64>,
    value: f64,
}

impl<'a> Side<'a> {
    fn new(points: ArrayView2<'a, f64>, weights: ArrayView1<'_, f64>) -> Self {
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

    /// With exponents `linear · [x², x, 1]`.
    fn moments(&mut self, linear: ArrayView2<'_, f64>) -> Moments {
        let points = self.points;
        let scratch = || Array2::ones((CHUNK, linear.ncols()));
        self.chunks.par_iter_mut().for_each_init(scratch, |scratch, chunk| {
            chunk.work(points, linear, scratch.view_mut());
        });
        let mut sums = Array2::zeros(linear.dim());
        let mut value = 0.0;
        for chunk in &self.chunks {
            sums += &chunk.sums;
            value += chunk.value;
        }
        let mass = sums.column(sums.ncols() - 1).to_owned();
        Moments { mass, sums, value }
    }
}

impl Chunk {
    /// Sum of outer products of deviations from `mean`, weighted by the shares of Gaussian `k`.
    fn scatter(&self, points: ArrayView2<'_, f64>, k: usize, mean: &Array1<f64>) -> Array2<f64> {
        let rows = self.first..self.first + self.weights.len();
        let mut deviations = &points.slice(s![rows, ..]) - mean;
        for (mut row, share) in deviations.rows_mut().into_iter().zip(self.shares.column(k)) {
            row *= share.sqrt();
        }
        product_tn(deviations.view(), deviations.view())
    }

    fn work(
        &mut self,
        points: ArrayView2<'_, f64>,
        linear: ArrayView2<'_, f64>,
        mut scratch: ArrayViewMut2<'_, f64>,
    ) {
        let shape = (self.weights.len(), linear.nrows());
        if self.shares.dim() != shape {
            self.shares = Array2::zeros(shape);
            self.sums = Array2::zeros(linear.dim());
            self.totals = vec![0.0; shape.0];
        }
        let mut rows = scratch.slice_mut(s![..shape.0, ..]);
        write_features(rows.view_mut(), points.slice(s![self.first..self.first + shape.0, ..]));
        self.shares.fill(0.0);
        add_product(self.shares.view_mut(), 1.0, rows.view(), linear.t());
        if let Some(logs) = self.shares.as_slice_mut() {
            softmax_rows(logs, shape.1, &self.weights, &mut self.totals);
        }
        self.value = self.weights.iter().zip(&self.totals).map(|(w, total)| w * total).sum();
        self.sums.fill(0.0);
        add_product(self.sums.view_mut(), 1.0, self.shares.t(), rows.view());
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn agrees_with_the_formulas_written_out_cell_by_cell() {
        let mixture = Mixture {
            log_alpha: array![0.2, -0.4],
            r: array![[0.5, -0.3], [-1.0, 0.8]],
            s: array![[0.5, 1.7], [1.1, 0.3]],
        };
        let epsilon = 0.7;
        let (x, y) = (array![[0.1, 1.0], [-0.4, 2.0], [3.0, 0.3]], array![[0.7, 0.7], [-2.0, 0.1]]);
        let (wx, wy) = (array![0.2, 0.5, 0.3], array![0.6, 0.4]);
        let log_alpha_tilde = |x: ArrayView1<'_, f64>, k: usize| {
            let quadratic = mixture.s.row(k).dot(&(&x * &x)) + 2.0 * mixture.r.row(k).dot(&x);
            mixture.log_alpha[k] + quadratic / (2.0 * epsilon)
        };
        let log_density = |y: ArrayView1<'_, f64>, k: usize| {
            let parts = (0..2).map(|d| {
                let (variance, z) = (epsilon * mixture.s[[k, d]], y[d] - mixture.r[[k, d]]);
                -0.5 * (std::f64::consts::TAU * variance).ln() - z * z / (2.0 * variance)
            });
            mixture.log_alpha[k] + parts.sum::<f64>()
        };
        let lse = |a: f64, b: f64| (a.exp() + b.exp()).ln();
        let mut value = 0.0;
        let mut first = 0.0;
        for (x, w) in x.rows().into_iter().zip(&wx) {
            let (a, b) = (log_alpha_tilde(x, 0), log_alpha_tilde(x, 1));
            value += w * lse(a, b);
            first += w * (b - lse(a, b)).exp() * x[1];
        }
        let mut square = 0.0;
        for (y, w) in y.rows().into_iter().zip(&wy) {
            let (a, b) = (log_density(y, 0), log_density(y, 1));
            value -= w * lse(a, b);
            square += w * (a - lse(a, b)).exp() * y[0] * y[0];
        }
        let mut objective = Objective::new((x.view(), wx.view()), (y.view(), wy.view()), epsilon);
        let evaluation = objective.evaluate(&mixture);
        assert!((evaluation.value - value).abs() < 1e-12, "{} and {value}", evaluation.value);
        assert!((evaluation.source.firsts()[[1, 1]] - first).abs() < 1e-13);
        assert!((evaluation.target.squares()[[0, 0]] - square).abs() < 1e-13);
        assert!((evaluation.target.mass.sum() - 1.0).abs() < 1e-14);
    }
}
