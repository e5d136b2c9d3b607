//! Covariances of one full Gaussian, shrunk towards their diagonal (Ledoit and Wolf).

use ndarray::{Array2, ArrayView2, Axis, s};

use crate::bridge::lightsb::covariance::{Covariance, triangle};
use crate::bridge::lightsb::mixture::Cluster;
use crate::bridge::lightsb::start::Cells;
use crate::linalg::product;

/// Rows of one matrix product.
const ROWS: usize = 1024;

/// Mean and covariance of cells, with off-diagonal entries reduced by the share of Ledoit and Wolf.
///
/// The sample covariance of few cells in many dimensions has small eigenvalues that are far too
/// small, and its inverse magnifies them. Each coordinate is divided by its standard deviation; the
/// covariance R of these coordinates is replaced by `(1 − share) R + share I`, where `share`
/// minimises the expected squared distance to the true covariance ([`share`]). The variances stay
/// the same. Without the division, the coordinates of large variance would decide alone. Takes `2 n
/// d²` flops for n cells in d dimensions. Source: Ledoit and Wolf 2004, J. Multivar. Anal. 88.
pub(super) fn shrunk(cells: Cells<'_>) -> Cluster {
    let Cells { points, weights } = cells;
    let mut cluster = Cluster::of(points, weights, Covariance::Full);
    let dim = points.ncols();
    let whole = Covariance::Full.matrix(cluster.covariance.view(), dim);
    // A coordinate that does not vary is left out.
    let largest = whole.diag().iter().fold(0.0, |most: f64, value| most.max(*value));
    let scale = whole.diag().mapv(|v| if v > 1e-12 * largest { 1.0 / v.sqrt() } else { 0.0 });
    let mut standard = &points - &cluster.mean;
    standard *= &scale;
    let weights = weights.to_vec();
    let share = share(standard.view(), &weights);
    for (entry, (i, j)) in cluster.covariance.iter_mut().zip(triangle(dim)) {
        if i != j {
            *entry *= 1.0 - share;
        }
    }
    cluster
}

/// The weight of the multiple of the identity in the shrunk covariance of centred points (n × d)
/// with weights that sum to one, between 0 and 1.
///
/// `share = b²/d²` with `d² = |S − m I|²`, `m = tr S / d`, `b² = min(d², Σ_i w_i² |x_i x_iᵀ −
/// S|²)`, and the squared Frobenius norm `|·|²`; the paper has equal weights `w_i = 1/n`. Source:
/// Ledoit and Wolf 2004.
fn share(points: ArrayView2<'_, f64>, weights: &[f64]) -> f64 {
    let dim = points.ncols();
    let mut covariance = Array2::zeros((dim, dim));
    let blocks = || points.axis_chunks_iter(Axis(0), ROWS).zip(weights.chunks(ROWS));
    for (rows, weights) in blocks() {
        let mut weighted = rows.to_owned();
        for (mut row, weight) in weighted.rows_mut().into_iter().zip(weights) {
            row *= *weight;
        }
        covariance += &product(weighted.t(), rows);
    }
    let square: f64 = covariance.iter().map(|value| value * value).sum();
    let mean = covariance.diag().sum() / dim as f64;
    let distance = square - dim as f64 * mean * mean;
    let mut error = 0.0;
    for (rows, weights) in blocks() {
        let turned = product(rows, covariance.view());
        for (i, weight) in weights.iter().enumerate() {
            let row = rows.slice(s![i, ..]);
            let length = row.dot(&row);
            // |x xᵀ − S|² = |x|⁴ − 2 xᵀSx + |S|².
            let spread = length * length - 2.0 * row.dot(&turned.row(i)) + square;
            error += weight * weight * spread;
        }
    }
    if distance > 0.0 { (error / distance).clamp(0.0, 1.0) } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array1, array};
    use rand_distr::{Distribution, StandardNormal};

    use super::*;
    use crate::rng::Seed;

    /// Cells whose second coordinate follows the first.
    fn cells(n: usize, dim: usize) -> Array2<f64> {
        let mut stream = Seed(4).stream("test/cells", 0);
        let mut points: Array2<f64> =
            Array2::from_shape_simple_fn((n, dim), || StandardNormal.sample(&mut stream));
        for mut row in points.rows_mut() {
            row[1] = 0.8 * row[0] + 0.6 * row[1] + 5.0;
            row[0] *= 10.0;
        }
        points
    }

    /// The estimator written out cell by cell, as in the paper, for cells of equal weight.
    fn written_out(points: &Array2<f64>) -> f64 {
        let (n, dim) = points.dim();
        let mut sample = Array2::<f64>::zeros((dim, dim));
        for x in points.rows() {
            for i in 0..dim {
                for j in 0..dim {
                    sample[[i, j]] += x[i] * x[j] / n as f64;
                }
            }
        }
        let inner = |a: &Array2<f64>, b: &Array2<f64>| (a * b).sum() / dim as f64;
        let m = inner(&sample, &Array2::eye(dim));
        let off = &sample - &(Array2::<f64>::eye(dim) * m);
        let d2 = inner(&off, &off);
        let mut b2 = 0.0;
        for x in points.rows() {
            let outer = Array2::from_shape_fn((dim, dim), |(i, j)| x[i] * x[j]);
            let off = &outer - &sample;
            b2 += inner(&off, &off) / (n * n) as f64;
        }
        b2.min(d2) / d2
    }

    #[test]
    fn the_share_is_that_of_the_paper() {
        // More rows than one product, and fewer cells than dimensions.
        for (n, dim) in [(1500, 3), (30, 5), (6, 9)] {
            let mut points = cells(n, dim);
            let mean = points.mean_axis(Axis(0)).unwrap();
            points -= &mean;
            let found = share(points.view(), &vec![1.0 / n as f64; n]);
            let expected = written_out(&points);
            assert!((found - expected).abs() < 1e-12, "{n} × {dim}: {found} and {expected}");
            assert!(0.0 < found && found < 1.0);
        }
    }

    #[test]
    fn variances_stay_and_correlations_shrink_less_with_more_cells() {
        let correlation = |n: usize| {
            let points = cells(n, 6);
            let weights = Array1::from_elem(n, 1.0 / n as f64);
            let view = Cells { points: points.view(), weights: weights.view() };
            let (whole, less) =
                (Cluster::of(view.points, view.weights, Covariance::Full), shrunk(view));
            let matrix = |cluster: &Cluster| Covariance::Full.matrix(cluster.covariance.view(), 6);
            let (whole, less) = (matrix(&whole), matrix(&less));
            assert!((&whole.diag() - &less.diag()).iter().all(|off| off.abs() < 1e-12));
            less[[0, 1]] / whole[[0, 1]]
        };
        let (few, many) = (correlation(12), correlation(2000));
        assert!(0.1 < few && few < 0.9 && 0.97 < many && many < 1.0, "{few} {many}");
    }

    #[test]
    fn coordinates_that_do_not_vary_and_weights_do_no_harm() {
        let mut points = cells(40, 4);
        points.column_mut(2).fill(7.0);
        let weights = Array1::from_elem(40, 1.0 / 40.0);
        let found = shrunk(Cells { points: points.view(), weights: weights.view() });
        assert!(found.covariance.iter().all(|value| value.is_finite()));
        // A cell of weight two is not two cells for the error of a covariance, but cells of weight
        // zero are none.
        let more = ndarray::concatenate![Axis(0), points, array![[900.0, -3.0, 7.0, 2.0]]];
        let weights = Array1::from_shape_fn(41, |i| if i < 40 { 1.0 / 40.0 } else { 0.0 });
        let same = shrunk(Cells { points: more.view(), weights: weights.view() });
        let off = &same.covariance - &found.covariance;
        assert!(off.iter().all(|value| value.abs() < 1e-9), "{off}");
    }
}
