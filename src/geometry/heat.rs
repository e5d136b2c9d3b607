//! Heat diffusion on the neighbour graph: `exp(−τL)` by Chebyshev polynomials, logarithms by series.

use ndarray::{Array2, ArrayView2};
use rayon::prelude::*;

use super::graph::NeighbourGraph;
use super::neighbours::Neighbours;
use crate::error::{Error, Result};
use crate::linalg::scaled_bessel;
use crate::platform::cpu;

/// Number of columns in a block; fixed, so that results do not depend on threads.
pub(super) const COLUMNS: usize = 16;

/// Largest exponent of an affinity, so that heat can pass links between components.
const MAX_EXPONENT: f64 = 10.0;

/// Largest time; `e^{−600}` is still a normal number.
const MAX_TIME: f64 = 600.0;

/// Smallest density; smaller ones are set to this value.
const LEAST: f64 = 1e-290;

/// Largest remainder of the series relative to the smallest density, and thus the largest error of
/// its logarithm.
const REMAINDER: f64 = 1e-6;

/// The operator of heat diffusion on a neighbour graph.
///
/// An edge has the affinity `A_ij = (k_ij + k_ji)/2` with `k_ij = exp(−(d_ij/σ_i)^α)`, `α = 20`,
/// where `σ_i` is the distance of cell i to its k-th neighbour (Moon et al. 2019). Thus affinities of
/// neighbours are nearly one at any local density. The exponent is at most 10. The normalised
/// Laplacian `L = I − S` with `S = D^{−½} A D^{−½}` has eigenvalues in [0, 2].
#[derive(Debug, Clone, PartialEq)]
pub struct HeatKernel {
    /// The entries of row `i` of `S` have the positions `starts[i]..starts[i + 1]`.
    starts: Vec<usize>,
    /// The columns of the entries.
    nodes: Vec<u32>,
    /// The values of the entries.
    weights: Vec<f64>,
    /// The diagonal of `D`.
    degrees: Vec<f64>,
}

impl HeatKernel {
    /// Exponent `α` of the decay of affinities.
    const ALPHA: i32 = 20;

    /// The operator on `graph`, with bandwidths `σ_i` from the `neighbours` that define the graph.
    ///
    /// # Errors
    /// [`Error::Shape`] if they have different numbers of cells.
    pub fn new(graph: &NeighbourGraph, neighbours: &Neighbours) -> Result<Self> {
        let (expected, got) = (graph.n_nodes(), neighbours.n_points());
        if expected != got {
            return Err(Error::Shape { what: "the neighbours", unit: "cells", expected, got });
        }
        let widths = neighbours.distances().column(neighbours.k() - 1).to_vec();
        let affinity = |i: usize, length: f64| {
            let ratio = length / widths[i].max(f64::MIN_POSITIVE);
            (-ratio.powi(Self::ALPHA).min(MAX_EXPONENT)).exp()
        };
        let mut kernel = Self {
            starts: vec![0],
            nodes: Vec::new(),
            weights: Vec::new(),
            degrees: Vec::with_capacity(expected),
        };
        for i in 0..expected {
            let (nodes, lengths) = graph.edges_of(i);
            let first = kernel.weights.len();
            kernel.nodes.extend_from_slice(nodes);
            kernel.weights.extend(
                nodes.iter().zip(lengths).map(|(&j, &length)| {
                    0.5 * (affinity(i, length) + affinity(j as usize, length))
                }),
            );
            kernel.degrees.push(kernel.weights[first..].iter().sum());
            kernel.starts.push(kernel.nodes.len());
        }
        for i in 0..expected {
            for edge in kernel.starts[i]..kernel.starts[i + 1] {
                let other = kernel.degrees[kernel.nodes[edge] as usize];
                kernel.weights[edge] /= (kernel.degrees[i] * other).sqrt();
            }
        }
        Ok(kernel)
    }

    /// The sums of affinities of each node, the diagonal of `D`; the stationary measure of diffusion.
    pub fn degrees(&self) -> &[f64] {
        &self.degrees
    }

    /// `exp(−τL) f` for each column of `f`, `(n_nodes, n_columns)`, with τ = `time`.
    ///
    /// The error is at most `tolerance` times the Euclidean norm of the column. With Chebyshev
    /// polynomials `T_k`, `exp(−τL) = Σ_k (2 − δ_k0) e^{−τ} I_k(τ) T_k(S)`. All coefficients are
    /// positive and sum to one, and `‖T_k(S)‖ ≤ 1`. The sum of the omitted coefficients is therefore
    /// a bound of the error. The order is the least with a bound below `tolerance`, a few times
    /// `√τ`. Time `O(order · n_edges · n_columns)`.
    ///
    /// # Errors
    /// [`Error::Shape`] if the number of rows of `f` is not that of nodes; [`Error::Parameter`] if
    /// `time` is not between 0 and 600 or `tolerance` is not positive.
    pub fn apply(&self, f: ArrayView2<'_, f64>, time: f64, tolerance: f64) -> Result<Array2<f64>> {
        check_time(time)?;
        if !(f64::MIN_POSITIVE..).contains(&tolerance) {
            let got = tolerance.to_string();
            return Err(Error::Parameter { name: "tolerance", must: "> 0", got });
        }
        let (expected, got) = (self.degrees.len(), f.nrows());
        if expected != got {
            return Err(Error::Shape { what: "the heat", unit: "nodes", expected, got });
        }
        let mut coefficients = scaled_bessel(time);
        coefficients.iter_mut().skip(1).for_each(|value| *value *= 2.0);
        let mut tail = 0.0;
        while coefficients.len() > 1 && tail + coefficients[coefficients.len() - 1] < tolerance {
            tail += coefficients.pop().unwrap_or(0.0);
        }
        let blocks: Vec<Vec<f64>> = (0..f.ncols().div_ceil(COLUMNS))
            .into_par_iter()
            .map(|block| self.chebyshev(&Block::of(f, block), &coefficients).values)
            .collect();
        Ok(Array2::from_shape_fn(f.dim(), |(i, c)| blocks[c / COLUMNS][i * COLUMNS + c % COLUMNS]))
    }

    /// `Σ_k coefficients_k T_k(S) f` by the recurrence `T_{k+1} = 2 S T_k − T_{k−1}`.
    fn chebyshev(&self, f: &Block, coefficients: &[f64]) -> Block {
        let mut sum = f.scaled(coefficients[0]);
        let (mut before, mut now) = (f.clone(), self.times(f));
        for &coefficient in &coefficients[1..] {
            sum.add(coefficient, &now);
            let mut next = self.times(&now);
            for (next, before) in next.values.iter_mut().zip(&before.values) {
                *next = 2.0 * *next - before;
            }
            before = std::mem::replace(&mut now, next);
        }
        sum
    }

    /// Logarithms of the densities of heat, `ln (exp(−τL)_ij / √(D_i D_j))`.
    ///
    /// Rows are at most [`COLUMNS`] `sources` i, columns are `targets` j. The series
    /// `exp(−τL) = Σ_k e^{−τ} τ^k/k! S^k` has no negative terms. Small entries therefore keep their
    /// relative precision, which Chebyshev polynomials lose below 10⁻¹⁶. Entries of `S^k` are at most
    /// one, which bounds the remainder. The sum ends as soon as the remainder is below 10⁻⁶ of the
    /// smallest requested density, or of 10⁻²⁹⁰ ([`LEAST`]).
    pub(super) fn log_densities(
        &self,
        sources: &[usize],
        targets: &[usize],
        time: f64,
    ) -> Array2<f64> {
        let mut power = Block::zeros(self.degrees.len());
        for (column, &source) in sources.iter().enumerate() {
            power.values[source * COLUMNS + column] = 1.0;
        }
        let mut weight = (-time).exp();
        let mut sum = power.scaled(weight);
        for k in 1.. {
            power = self.times(&power);
            weight *= time / k as f64;
            sum.add(weight, &power);
            if (k as f64) < time || k % 4 != 0 {
                continue;
            }
            // A geometric series with the ratio of the next two weights bounds the remainder.
            let ratio = time / (k + 1) as f64;
            let rest = weight * ratio / (1.0 - ratio);
            let least = targets.iter().flat_map(|&j| {
                sum.values[j * COLUMNS..j * COLUMNS + sources.len()].iter().copied()
            });
            let least = least.fold(f64::INFINITY, f64::min);
            if rest < REMAINDER * least || rest < LEAST * REMAINDER {
                break;
            }
        }
        Array2::from_shape_fn((sources.len(), targets.len()), |(row, j)| {
            let (i, j) = (sources[row], targets[j]);
            let heat = sum.values[j * COLUMNS + row].max(LEAST);
            heat.ln() - 0.5 * (self.degrees[i] * self.degrees[j]).ln()
        })
    }

    /// The product `S x`, on one thread.
    fn times(&self, x: &Block) -> Block {
        let mut out = Block::zeros(self.degrees.len());
        let multiply = Multiply { kernel: self, x: &x.values, out: &mut out.values };
        cpu::arch().dispatch(multiply);
        out
    }
}

/// Checks the range of the diffusion time.
///
/// # Errors
/// [`Error::Parameter`] unless `time` is > 0 and at most 600.
pub(super) fn check_time(time: f64) -> Result<()> {
    if 0.0 < time && time <= MAX_TIME {
        return Ok(());
    }
    let must = "> 0 and at most 600";
    Err(Error::Parameter { name: "heat_time", must, got: time.to_string() })
}

/// The loop of [`HeatKernel::times`], compiled once for each width of vectors.
struct Multiply<'a> {
    kernel: &'a HeatKernel,
    x: &'a [f64],
    out: &'a mut [f64],
}

impl pulp::NullaryFnOnce for Multiply<'_> {
    type Output = ();

    #[expect(clippy::inline_always, reason = "only code inlined into `dispatch` is vectorised")]
    #[inline(always)]
    fn call(self) {
        let rows = self.x.as_chunks::<COLUMNS>().0;
        for (i, out) in self.out.as_chunks_mut::<COLUMNS>().0.iter_mut().enumerate() {
            let mut sums = [0.0; COLUMNS];
            for edge in self.kernel.starts[i]..self.kernel.starts[i + 1] {
                let weight = self.kernel.weights[edge];
                let row = &rows[self.kernel.nodes[edge] as usize];
                for column in 0..COLUMNS {
                    sums[column] += weight * row[column];
                }
            }
            *out = sums;
        }
    }
}

/// A matrix with a row for each node and [`COLUMNS`] columns.
#[derive(Debug, Clone)]
struct Block {
    /// Its entries in rows.
    values: Vec<f64>,
}

impl Block {
    /// A matrix of zeros.
    fn zeros(n_nodes: usize) -> Self {
        Self { values: vec![0.0; n_nodes * COLUMNS] }
    }

    /// The columns of `f` from `block · COLUMNS` on; missing columns are zero.
    fn of(f: ArrayView2<'_, f64>, block: usize) -> Self {
        let mut out = Self::zeros(f.nrows());
        for (row, values) in f.rows().into_iter().zip(out.values.chunks_exact_mut(COLUMNS)) {
            for (value, x) in values.iter_mut().zip(row.iter().skip(block * COLUMNS)) {
                *value = *x;
            }
        }
        out
    }

    /// This matrix times `factor`.
    fn scaled(&self, factor: f64) -> Self {
        Self { values: self.values.iter().map(|value| factor * value).collect() }
    }

    /// Adds `factor · other`.
    fn add(&mut self, factor: f64, other: &Self) {
        for (value, other) in self.values.iter_mut().zip(&other.values) {
            *value += factor * other;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::neighbours;
    use crate::linalg::dense_eigenpairs;
    use crate::progress::Silent;

    fn kernel(n: usize, k: usize) -> HeatKernel {
        let points =
            Array2::from_shape_fn((n, 3), |(i, d)| ((i * i + 31 * i + 7 * d) as f64).sin());
        let near = neighbours(points.view(), k, &mut Silent).unwrap();
        let graph = NeighbourGraph::new(points.view(), &near, &mut Silent).unwrap();
        HeatKernel::new(&graph, &near).unwrap()
    }

    /// `S` written out.
    fn dense(kernel: &HeatKernel) -> Array2<f64> {
        let n = kernel.degrees.len();
        let mut s = Array2::zeros((n, n));
        for i in 0..n {
            for edge in kernel.starts[i]..kernel.starts[i + 1] {
                s[[i, kernel.nodes[edge] as usize]] = kernel.weights[edge];
            }
        }
        s
    }

    /// `exp(−τ(I − S))` by all eigenpairs.
    fn by_eigenpairs(kernel: &HeatKernel, time: f64) -> Array2<f64> {
        let s = dense(kernel);
        let pairs = dense_eigenpairs(s.nrows(), s.nrows(), |i, j| s[[i, j]]).unwrap();
        let growth = pairs.values.mapv(|value| (time * (value - 1.0)).exp());
        (&pairs.vectors.t() * &growth).dot(&pairs.vectors)
    }

    #[test]
    fn chebyshev_agrees_with_all_eigenpairs_within_its_bound() {
        let kernel = kernel(70, 5);
        let f = Array2::from_shape_fn((70, 19), |(i, c)| ((i * 3 + c * c) as f64).sin());
        for time in [0.3, 5.0, 60.0, 500.0] {
            let exact = by_eigenpairs(&kernel, time).dot(&f);
            for tolerance in [1e-1, 1e-4, 1e-8, 1e-13] {
                let found = kernel.apply(f.view(), time, tolerance).unwrap();
                for (column, (found, exact)) in
                    found.columns().into_iter().zip(exact.columns()).enumerate()
                {
                    let error = (&found - &exact).mapv(|e| e * e).sum().sqrt();
                    let norm = f.column(column).mapv(|x| x * x).sum().sqrt();
                    // Beside the bound, rounding of both sides.
                    assert!(error < (tolerance + 2e-13) * norm, "{time} {tolerance}: {error}");
                }
            }
        }
    }

    #[test]
    fn heat_is_symmetric_positive_conserved_and_a_semigroup() {
        let kernel = kernel(90, 4);
        let unit = Array2::<f64>::eye(90);
        let apply = |f: &Array2<f64>, time| kernel.apply(f.view(), time, 1e-15).unwrap();
        let heat = apply(&unit, 7.0);
        assert!((&heat - &heat.t()).iter().all(|off| off.abs() < 1e-14));
        assert!(heat.iter().all(|value| *value > -1e-15));
        // √D is the eigenvector of L to 0: heat as a density against D sums to one.
        let roots = Array2::from_shape_fn((90, 1), |(i, _)| kernel.degrees[i].sqrt());
        let after = apply(&roots, 7.0);
        assert!((&after - &roots).iter().all(|off| off.abs() < 1e-13));
        let (two, five) = (apply(&unit, 2.0), apply(&unit, 5.0));
        assert!((two.dot(&five) - &heat).iter().all(|off| off.abs() < 1e-14));
    }

    #[test]
    fn logarithms_agree_with_all_eigenpairs_and_go_on_where_those_end() {
        let kernel = kernel(120, 3);
        let all: Vec<usize> = (0..120).collect();
        for time in [0.5, 6.0, 40.0] {
            let exact = by_eigenpairs(&kernel, time);
            let logs = kernel.log_densities(&[3, 50, 119], &all, time);
            for (row, &i) in [3, 50, 119].iter().enumerate() {
                for j in 0..120 {
                    let (a, b) = (kernel.degrees[i], kernel.degrees[j]);
                    let heat = (logs[[row, j]] + 0.5 * (a * b).ln()).exp();
                    // The remainder of the series, and the rounding of the eigenpairs.
                    let close = (heat - exact[[i, j]]).abs() < 2e-6 * heat + 1e-14;
                    assert!(close && heat > 0.0, "{time} {i} {j}");
                }
            }
        }
        // A chain: at small τ the heat h steps away is that of the shortest way,
        // e^{−τ} τ^h/h! times the entries of S along it, up to a relative O(τ²).
        let line = Array2::from_shape_fn((40, 1), |(i, _)| i as f64 + 0.01 * (i as f64).sin());
        let near = neighbours(line.view(), 1, &mut Silent).unwrap();
        let graph = NeighbourGraph::new(line.view(), &near, &mut Silent).unwrap();
        let kernel = HeatKernel::new(&graph, &near).unwrap();
        let time = 1e-3;
        let logs = kernel.log_densities(&[0], &(0..40).collect::<Vec<_>>(), time);
        let s = dense(&kernel);
        let mut expected = -time;
        for h in 1..40 {
            expected += (time * s[[h - 1, h]] / h as f64).ln();
            let ends = 0.5 * (kernel.degrees[0] * kernel.degrees[h]).ln();
            assert!((logs[[0, h]] + ends - expected).abs() < 1e-5, "{h}");
        }
    }

    #[test]
    fn refuses_times_and_shapes_that_cannot_be() {
        let kernel = kernel(20, 3);
        let f = Array2::zeros((20, 1));
        for time in [0.0, -1.0, f64::NAN, 601.0] {
            assert!(kernel.apply(f.view(), time, 1e-6).is_err());
        }
        assert!(kernel.apply(f.view(), 1.0, f64::NAN).is_err());
        assert!(kernel.apply(f.slice(ndarray::s![..19, ..]), 1.0, 1e-6).is_err());
    }
}
