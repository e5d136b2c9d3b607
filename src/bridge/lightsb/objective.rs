//! The LightSB objective over all cells, with the moments from which its gradient follows.

use ndarray::{Array1, Array2, ArrayView2, Axis, s};
use rayon::prelude::*;

use crate::bridge::lightsb::covariance::{Covariance, triangle};
use crate::bridge::lightsb::mixture::{Cluster, Mixture};
use crate::bridge::lightsb::start::Cells;
use crate::linalg::{add_product, product_nt, product_tn, softmax_rows};

/// Cells of one task. The size is fixed, so results do not depend on the number of threads.
const CHUNK: usize = 512;

/// Largest number of cells of each snapshot in the standard error of the objective. Beyond so many
/// the mixture deviates from the law of the cells by more than their number does.
const COUNTED: f64 = 1e4;

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
    /// Flops of all evaluations so far.
    flops: f64,
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
        Self { source: Side::new(source), target: Side::new(target), epsilon, flops: 0.0 }
    }

    /// Number of cells of both snapshots.
    pub(super) fn n_cells(&self) -> usize {
        self.source.points.nrows() + self.target.points.nrows()
    }

    /// Flops of all evaluations so far, as [`flops_of`] counts them.
    pub(super) fn flops(&self) -> f64 {
        self.flops
    }

    /// Standard error of the objective at the mixture of the last evaluation.
    ///
    /// The terms of a cell are `ln c(x) − |x|²/2ε` and `ln v(y) + |y|²/2ε`, the potentials for the
    /// cost `½|x − y|²`. Their sum over cells differs from the objective by a constant of the data,
    /// whose error no mixture changes. At most [`COUNTED`] cells of each snapshot are counted.
    pub(super) fn error(&self) -> f64 {
        let half = 0.5 / self.epsilon;
        (self.source.square_error(-half) + self.target.square_error(half)).sqrt()
    }

    /// For each Gaussian its covariance times its vector: with the responsibilities of the last
    /// evaluation, of the source cells or of the target cells around `means`. All three are K × d.
    pub(super) fn covariance_times(
        &self,
        end: End,
        means: ArrayView2<'_, f64>,
        vectors: ArrayView2<'_, f64>,
    ) -> Array2<f64> {
        match end {
            End::Source => self.source.covariance_times(means, vectors),
            End::Target => self.target.covariance_times(means, vectors),
        }
    }

    /// ε of the problem.
    pub(super) fn epsilon(&self) -> f64 {
        self.epsilon
    }

    /// The value and the moments of the responsibilities.
    pub(super) fn evaluate(&mut self, mixture: &Mixture) -> Evaluation {
        let covariance = mixture.covariance;
        self.flops +=
            flops_of(covariance, mixture.n_gaussians(), mixture.dim(), self.n_cells() as f64);
        let starts = mixture.start_coefficients(self.epsilon);
        let (ends, inverses) = mixture.end_coefficients(self.epsilon);
        let source = self.source.moments(covariance, starts.view());
        let target = self.target.moments(covariance, ends.view());
        Evaluation { value: source.value - target.value, source, target, inverses }
    }
}

/// Flops of one evaluation over `n_cells` cells of both snapshots: two products of `2 n K F` flops
/// and `n K` exponentials of about 20 flops, for K Gaussians of F features.
pub(super) fn flops_of(
    covariance: Covariance,
    n_gaussians: usize,
    dim: usize,
    n_cells: f64,
) -> f64 {
    n_cells * n_gaussians as f64 * (4.0 * covariance.n_features(dim) as f64 + 20.0)
}

/// One of the two snapshots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The earlier one.
    Source,
    /// The later one.
    Target,
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

    /// Squared standard error of the mean over cells of the logarithm of the sum over Gaussians, plus
    /// `factor` times the squared length of the cell.
    fn square_error(&self, factor: f64) -> f64 {
        let (mut mean, mut second, mut squares) = (0.0, 0.0, 0.0);
        for chunk in &self.chunks {
            let rows = self.points.slice(s![chunk.first.., ..]);
            let cells = rows.rows().into_iter().zip(&chunk.totals).zip(&chunk.weights);
            for ((row, total), weight) in cells {
                let value = total + factor * row.dot(&row);
                mean += weight * value;
                second += weight * value * value;
                squares += weight * weight;
            }
        }
        (second - mean * mean).max(0.0) * squares.max(1.0 / COUNTED)
    }

    /// For each Gaussian its covariance around its mean, times its vector.
    fn covariance_times(
        &self,
        means: ArrayView2<'_, f64>,
        vectors: ArrayView2<'_, f64>,
    ) -> Array2<f64> {
        let points = self.points;
        let offsets: Array1<f64> = (&means * &vectors).sum_axis(Axis(1));
        let sums: Vec<(Array2<f64>, Array1<f64>, Array1<f64>)> = self
            .chunks
            .par_iter()
            .map(|chunk| chunk.projected(points, vectors, &offsets))
            .collect();
        let mut total = Array2::zeros(means.dim());
        let (mut first, mut mass) = (Array1::zeros(means.nrows()), Array1::zeros(means.nrows()));
        for (sum, projected, shares) in &sums {
            total += sum;
            first += projected;
            mass += shares;
        }
        for (k, mut row) in total.rows_mut().into_iter().enumerate() {
            row.scaled_add(-first[k], &means.row(k));
            row /= mass[k].max(1e-300);
        }
        total
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
    /// With `p_k = v_kᵀx − offset_k`: the sums `E ρ_k p_k x` (K × d), `E ρ_k p_k` and `E ρ_k` over
    /// the cells.
    fn projected(
        &self,
        points: ArrayView2<'_, f64>,
        vectors: ArrayView2<'_, f64>,
        offsets: &Array1<f64>,
    ) -> (Array2<f64>, Array1<f64>, Array1<f64>) {
        let cells = points.slice(s![self.first..self.first + self.weights.len(), ..]);
        let mut values = product_nt(cells, vectors);
        values -= offsets;
        values *= &self.shares;
        let first = values.sum_axis(Axis(0));
        (product_tn(values.view(), cells), first, self.shares.sum_axis(Axis(0)))
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

    #[test]
    fn the_error_is_that_of_the_mean_over_cells() {
        let x = Array2::from_shape_fn((700, 2), |(i, d)| ((i * (d + 1)) as f64 * 0.37).sin());
        let weights = Array1::from_shape_fn(700, |i| 1.0 + (i % 3) as f64);
        let weights = &weights / weights.sum();
        let epsilon = 0.4;
        let mixture = Mixture {
            covariance: Covariance::Scalar,
            log_alpha: array![0.0],
            r: array![[0.2, -0.1]],
            s: array![[1.3]],
        };
        let cells = Cells { points: x.view(), weights: weights.view() };
        let mut objective = Objective::new(cells, cells, epsilon);
        objective.evaluate(&mixture);
        // ln c(x) − |x|²/2ε = ((s − 1)|x|² + 2 rᵀx)/2ε, and
        // ln v(y) + |y|²/2ε = (|y|² − |y − r|²/s)/2ε + const.
        let mut expected = 0.0;
        let source = |x: ArrayView1<'_, f64>| 0.3 * x.dot(&x) + 2.0 * (0.2 * x[0] - 0.1 * x[1]);
        let target = |y: ArrayView1<'_, f64>| {
            y.dot(&y) - ((y[0] - 0.2).powi(2) + (y[1] + 0.1).powi(2)) / 1.3
        };
        for at_source in [true, false] {
            let term = |row| if at_source { source(row) } else { target(row) };
            let values: Array1<f64> =
                x.rows().into_iter().map(|row| term(row) / (2.0 * epsilon)).collect();
            let mean = weights.dot(&values);
            let variance = weights.dot(&values.mapv(|value| (value - mean).powi(2)));
            expected += variance * weights.dot(&weights);
        }
        let found = objective.error();
        assert!((found - expected.sqrt()).abs() < 1e-12, "{found} {}", expected.sqrt());
    }

    #[test]
    fn covariances_times_vectors_are_those_of_each_gaussian() {
        let x = Array2::from_shape_fn((600, 3), |(i, d)| ((i * (d + 2)) as f64 * 0.61).sin());
        let weights = Array1::from_elem(600, 1.0 / 600.0);
        let cells = Cells { points: x.view(), weights: weights.view() };
        let mut objective = Objective::new(cells, cells, 0.5);
        let covariance = Covariance::Full;
        let unit = array![1.0, 0.0, 0.0, 1.0, 0.0, 1.0];
        let mixture = Mixture {
            covariance,
            log_alpha: array![0.0, 0.3],
            r: array![[0.4, 0.0, -0.2], [-0.5, 0.1, 0.0]],
            s: ndarray::stack![Axis(0), unit.clone() * 0.7, unit],
        };
        let evaluation = objective.evaluate(&mixture);
        let vectors = array![[1.0, -0.5, 0.2], [0.3, 0.8, -1.0]];
        for (end, moments) in [(End::Source, &evaluation.source), (End::Target, &evaluation.target)]
        {
            let clusters = [moments.cluster(0), moments.cluster(1)];
            let means = ndarray::stack![Axis(0), clusters[0].mean, clusters[1].mean];
            let found = objective.covariance_times(end, means.view(), vectors.view());
            for (k, cluster) in clusters.iter().enumerate() {
                let expected = covariance.matrix(cluster.covariance.view(), 3).dot(&vectors.row(k));
                let off = &found.row(k) - &expected;
                assert!(off.iter().all(|value| value.abs() < 1e-12), "{end:?} {k}: {off}");
            }
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
