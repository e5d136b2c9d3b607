//! Coordinates of the mixture in which the objective is well conditioned.

use ndarray::{Array1, Array2, ArrayView1};

use crate::bridge::lightsb::covariance::Covariance;
use crate::bridge::lightsb::frame::{Frame, Shape};
use crate::bridge::lightsb::mixture::{Cluster, Mixture};
use crate::bridge::lightsb::objective::{Evaluation, Objective};
use crate::error::Result;

/// Coordinates `(a', m, S)` of a mixture, each divided by its expected scale.
///
/// The fixed anchor `x̄_k` is the mean of the source cells of Gaussian k. `m_k = r_k + S_k x̄_k` is
/// the destination of those cells, and `a'_k = ln α̃_k(x̄_k)` the weight of the Gaussian at the
/// anchor. In the coordinates `(ln α, r, ln S)` a change of S would also move and reweight the
/// cluster, by amounts that grow as `|x̄|²/ε`. A number of a scalar or diagonal S is `floor + e^λ`;
/// a full S and its m are in the coordinates of a [`Frame`]. The scales are the inverse roots of
/// the diagonal of the Fisher information.
#[derive(Debug)]
pub(super) struct Anchored {
    /// The kind of the matrices.
    covariance: Covariance,
    /// The anchors `x̄_k`, K × d.
    anchors: Array2<f64>,
    /// One frame for each Gaussian if matrices are full.
    frames: Vec<Frame>,
    /// Coordinate = scaled coordinate · scale. First all `a'`, then all m, then all S.
    scale: Vec<f64>,
    /// Lower bound of S.
    floor: f64,
    /// ε of the problem.
    epsilon: f64,
}

impl Anchored {
    /// Anchors and scales from the responsibilities of `mixture`, and its scaled coordinates.
    ///
    /// # Errors
    /// [`crate::Error::Numerical`] if a decomposition of a full matrix fails.
    pub(super) fn new(
        mixture: &Mixture,
        evaluation: &Evaluation,
        epsilon: f64,
        floor: f64,
    ) -> Result<(Self, Vec<f64>)> {
        let (n_gaussians, dim) = mixture.r.dim();
        let covariance = mixture.covariance;
        let n_coordinates = n_gaussians * (1 + dim + covariance.n_entries(dim));
        let mut anchored = Self {
            covariance,
            anchors: Array2::zeros((n_gaussians, dim)),
            frames: Vec::new(),
            scale: vec![1.0; n_coordinates],
            floor,
            epsilon,
        };
        let mut point = vec![0.0; n_coordinates];
        for k in 0..n_gaussians {
            let Cluster { mean, covariance: variance } = evaluation.source.cluster(k);
            let mass = 0.5 * (evaluation.source.mass[k] + evaluation.target.mass[k]);
            // The scale of a Gaussian without cells must stay finite.
            let mass = mass.max(1e-3 / n_gaussians as f64);
            anchored.anchors.row_mut(k).assign(&mean);
            let mut moved = Array1::zeros(dim);
            covariance.add_times(mixture.s.row(k), mean.view(), moved.view_mut());
            let r = mixture.r.row(k);
            let tilt = mean.dot(&moved) + 2.0 * mean.dot(&r);
            moved += &r;
            anchored.scale[k] = 1.0 / mass.sqrt();
            point[k] = mixture.log_alpha[k] + tilt / (2.0 * epsilon);
            let (mu, lambda) = match covariance {
                Covariance::Full => {
                    let source = covariance.matrix(variance.view(), dim);
                    let (frame, mu) =
                        Frame::new(&mixture.matrix(k), &source, moved.view(), epsilon, floor)?;
                    let (places, entries) = frame.scales(epsilon);
                    anchored.set_scales(k, &(places / mass.sqrt()), &(entries / mass.sqrt()));
                    anchored.frames.push(frame);
                    (mu, Array1::zeros(covariance.n_entries(dim)))
                }
                Covariance::Scalar | Covariance::Diagonal => {
                    let s = mixture.s.row(k);
                    let (places, entries) = anchored.axis_scales(s, &variance, mass);
                    anchored.set_scales(k, &places, &entries);
                    (moved, s.mapv(|s| (s - floor).max(1e-6 * s).ln()))
                }
            };
            let (m, s) = anchored.ranges(k);
            point[m].copy_from_slice(&mu.to_vec());
            point[s].copy_from_slice(&lambda.to_vec());
        }
        for (value, scale) in point.iter_mut().zip(&anchored.scale) {
            *value /= scale;
        }
        Ok((anchored, point))
    }

    /// Scales of m and λ for a scalar or diagonal matrix.
    fn axis_scales(
        &self,
        s: ArrayView1<'_, f64>,
        variance: &Array1<f64>,
        mass: f64,
    ) -> (Array1<f64>, Array1<f64>) {
        let dim = self.anchors.ncols();
        let ratio = &s * variance / self.epsilon;
        let places = (0..dim).map(|d| {
            let e = self.axis(d);
            (self.epsilon * s[e] / (mass * (1.0 + ratio[e]))).sqrt()
        });
        let shared = dim as f64 / s.len() as f64;
        let spread = |ratio: f64| 0.5 * shared * (1.0 + ratio + ratio * ratio);
        (places.collect(), ratio.mapv(|ratio| 1.0 / (mass * spread(ratio)).sqrt()))
    }

    /// The entry of a scalar or diagonal matrix for dimension `d`.
    fn axis(&self, d: usize) -> usize {
        if self.covariance == Covariance::Scalar { 0 } else { d }
    }

    /// Positions of the coordinates of `m_k` and of `S_k`.
    fn ranges(&self, k: usize) -> (std::ops::Range<usize>, std::ops::Range<usize>) {
        let (n_gaussians, dim) = self.anchors.dim();
        let n_entries = self.covariance.n_entries(dim);
        let (m, s) = (n_gaussians + k * dim, n_gaussians * (1 + dim) + k * n_entries);
        (m..m + dim, s..s + n_entries)
    }

    /// Sets the scales of `m_k` and `S_k`.
    fn set_scales(&mut self, k: usize, places: &Array1<f64>, entries: &Array1<f64>) {
        let (m, s) = self.ranges(k);
        self.scale[m].copy_from_slice(&places.to_vec());
        self.scale[s].copy_from_slice(&entries.to_vec());
    }

    /// Unscaled coordinates of `m_k` and of `S_k`.
    fn coordinates(&self, point: &[f64], k: usize) -> (Array1<f64>, Array1<f64>) {
        let unscaled = |range: std::ops::Range<usize>| {
            range.map(|i| point[i] * self.scale[i]).collect::<Array1<f64>>()
        };
        let (m, s) = self.ranges(k);
        (unscaled(m), unscaled(s))
    }

    /// The mixture at scaled coordinates.
    pub(super) fn mixture(&self, point: &[f64]) -> Mixture {
        self.unfold(point).0
    }

    /// The mixture, and for full matrices the factors that derivatives need.
    fn unfold(&self, point: &[f64]) -> (Mixture, Vec<Shape>) {
        let (n_gaussians, dim) = self.anchors.dim();
        let mut mixture = Mixture {
            covariance: self.covariance,
            log_alpha: Array1::zeros(n_gaussians),
            r: Array2::zeros((n_gaussians, dim)),
            s: Array2::zeros((n_gaussians, self.covariance.n_entries(dim))),
        };
        let mut shapes = Vec::new();
        for k in 0..n_gaussians {
            let (mut m, coordinates) = self.coordinates(point, k);
            let entries = match self.frames.get(k) {
                Some(frame) => {
                    m = frame.place(m.view());
                    let shape = frame.shape(coordinates.view());
                    let entries = self.covariance.entries(shape.matrix.view());
                    shapes.push(shape);
                    entries
                }
                None => coordinates.mapv(|lambda| self.floor + lambda.exp()),
            };
            let anchor = self.anchors.row(k);
            let mut moved = Array1::zeros(dim);
            self.covariance.add_times(entries.view(), anchor, moved.view_mut());
            let r = &m - &moved;
            let tilt = anchor.dot(&moved) + 2.0 * anchor.dot(&r);
            mixture.log_alpha[k] = point[k] * self.scale[k] - tilt / (2.0 * self.epsilon);
            mixture.r.row_mut(k).assign(&r);
            mixture.s.row_mut(k).assign(&entries);
        }
        (mixture, shapes)
    }

    /// The objective at scaled coordinates; writes its gradient in these coordinates.
    ///
    /// From the moments of the responsibilities γ (source) and ρ (target): `∂L/∂a' = E γ − E ρ`,
    /// `∂L/∂m = (1/ε) [E γ (x−x̄) − S⁻¹ E ρ (y−m)]` and `∂L/∂S = (1/2ε) E γ (x−x̄)(x−x̄)ᵀ − ½ E ρ
    /// [S⁻¹(y−m)(y−m)ᵀS⁻¹/ε − S⁻¹]`.
    pub(super) fn value(
        &self,
        objective: &mut Objective<'_>,
        point: &[f64],
        gradient: &mut [f64],
    ) -> f64 {
        let (mixture, shapes) = self.unfold(point);
        let evaluation = objective.evaluate(&mixture);
        for k in 0..self.anchors.nrows() {
            gradient[k] = evaluation.source.mass[k] - evaluation.target.mass[k];
            let (by_m, by_s) = match (self.frames.get(k), shapes.get(k)) {
                (Some(frame), Some(shape)) => {
                    let (by_m, by_s) = self.full_derivatives(&mixture, &evaluation, k);
                    frame.pull_back(by_m.view(), by_s.view(), shape)
                }
                _ => self.axis_derivatives(&mixture, &evaluation, k),
            };
            let (m, s) = self.ranges(k);
            gradient[m].copy_from_slice(&by_m.to_vec());
            gradient[s].copy_from_slice(&by_s.to_vec());
        }
        for (value, scale) in gradient.iter_mut().zip(&self.scale) {
            *value *= scale;
        }
        evaluation.value
    }

    /// Derivatives by m and λ of a scalar or diagonal matrix.
    fn axis_derivatives(
        &self,
        mixture: &Mixture,
        evaluation: &Evaluation,
        k: usize,
    ) -> (Array1<f64>, Array1<f64>) {
        let (source, target) = (&evaluation.source, &evaluation.target);
        let (from, to) = (source.mass[k], target.mass[k]);
        let (s, anchor) = (mixture.s.row(k), self.anchors.row(k));
        let (x, y) = (source.firsts().row(k).to_owned(), target.firsts().row(k).to_owned());
        let (mut by_m, mut by_s) = (Array1::zeros(anchor.len()), Array1::zeros(s.len()));
        // For a scalar matrix this is the sum of the squares of all dimensions.
        by_s += &(&source.squares().row(k) / self.epsilon);
        let wide = &target.squares().row(k) / &(&s * &s * self.epsilon);
        by_s -= &wide;
        for d in 0..anchor.len() {
            let e = self.axis(d);
            let m = mixture.r[[k, d]] + s[e] * anchor[d];
            by_m[d] = ((x[d] - from * anchor[d]) - (y[d] - to * m) / s[e]) / self.epsilon;
            let x_part = anchor[d] * (2.0 * x[d] - from * anchor[d]);
            let y_part = m * (2.0 * y[d] - to * m);
            by_s[e] -= (x_part - y_part / (s[e] * s[e])) / self.epsilon - to / s[e];
        }
        (by_m, by_s * &s.mapv(|s| 0.5 * (s - self.floor)))
    }

    /// Derivatives by m and by a full S.
    fn full_derivatives(
        &self,
        mixture: &Mixture,
        evaluation: &Evaluation,
        k: usize,
    ) -> (Array1<f64>, Array2<f64>) {
        let (source, target) = (&evaluation.source, &evaluation.target);
        let (from, to) = (source.mass[k], target.mass[k]);
        let (anchor, dim) = (self.anchors.row(k), self.anchors.ncols());
        let inverse = self.covariance.matrix(evaluation.inverses.row(k), dim);
        let mut m = mixture.r.row(k).to_owned();
        self.covariance.add_times(mixture.s.row(k), anchor, m.view_mut());
        let (x, y) = (source.firsts(), target.firsts());
        let x_off = &x.row(k) - &(&anchor * from);
        let y_off = &y.row(k) - &(&m * to);
        let by_m = (&x_off - &inverse.dot(&y_off)) / self.epsilon;
        // E γ (x−x̄)(x−x̄)ᵀ = E γ xxᵀ − x̄ (E γ x)ᵀ − (E γ (x−x̄)) x̄ᵀ.
        let around = |squares: ArrayView1<'_, f64>, centre: ArrayView1<'_, f64>, first, off| {
            let (first, off): (ArrayView1<'_, f64>, &Array1<f64>) = (first, off);
            let mut spread = self.covariance.matrix(squares, dim);
            for ((i, j), value) in spread.indexed_iter_mut() {
                *value -= centre[i] * first[j] + off[i] * centre[j];
            }
            spread
        };
        let x_spread = around(source.squares().row(k), anchor, x.row(k), &x_off);
        let y_spread = around(target.squares().row(k), m.view(), y.row(k), &y_off);
        let pulled = inverse.dot(&y_spread).dot(&inverse);
        let by_s = ((x_spread - pulled) / self.epsilon + inverse * to) * 0.5;
        (by_m, by_s)
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Axis, array};
    use rand_distr::{Distribution, StandardNormal};

    use super::*;
    use crate::bridge::lightsb::start::Cells;
    use crate::rng::Seed;

    type Weighted = (Array2<f64>, Array1<f64>);

    fn example(covariance: Covariance) -> (Weighted, Weighted, Mixture) {
        let mut stream = Seed(1).stream("test/cells", 0);
        let mut cells =
            |n| Array2::<f64>::from_shape_simple_fn((n, 2), || StandardNormal.sample(&mut stream));
        // More cells than one chunk of the objective.
        let (x, y) = (cells(600), cells(40) * &array![0.5, 2.0]);
        let even = |n: usize| Array1::from_elem(n, 1.0 / n as f64);
        let r = array![[0.5, -0.3], [-1.0, 0.8], [0.1, 0.2]];
        let s = match covariance {
            Covariance::Scalar => array![[0.5], [1.1], [0.9]],
            Covariance::Diagonal => array![[0.5, 1.7], [1.1, 0.3], [0.9, 0.05]],
            Covariance::Full => array![[0.5, 0.4, 1.7], [1.1, -0.2, 0.3], [0.9, 0.1, 0.05]],
        };
        let mixture = Mixture { covariance, log_alpha: array![0.2, -0.4, 0.1], r, s };
        ((x, even(600)), (y, even(40)), mixture)
    }

    fn objective<'a>(source: &'a Weighted, target: &'a Weighted) -> Objective<'a> {
        let views = |cells: &'a Weighted| Cells { points: cells.0.view(), weights: cells.1.view() };
        Objective::new(views(source), views(target), 0.7)
    }

    const ALL: [Covariance; 3] = [Covariance::Scalar, Covariance::Diagonal, Covariance::Full];

    #[test]
    fn the_gradient_is_the_derivative_of_the_value() {
        ALL.into_iter().for_each(gradient_is_derivative);
    }

    fn gradient_is_derivative(covariance: Covariance) {
        let (source, target, mixture) = example(covariance);
        let mut objective = objective(&source, &target);
        let evaluation = objective.evaluate(&mixture);
        let (coordinates, mut point) = Anchored::new(&mixture, &evaluation, 0.7, 1e-3).unwrap();
        // Away from the start, where the frame of a full matrix is no longer the identity.
        for (i, value) in point.iter_mut().enumerate() {
            *value += 0.3 * (i as f64).sin();
        }
        let mut gradient = vec![0.0; point.len()];
        let mut ignored = gradient.clone();
        coordinates.value(&mut objective, &point, &mut gradient);
        let step = 1e-5;
        for i in 0..point.len() {
            let here = point[i];
            point[i] = here + step;
            let ahead = coordinates.value(&mut objective, &point, &mut ignored);
            point[i] = here - step;
            let behind = coordinates.value(&mut objective, &point, &mut ignored);
            point[i] = here;
            let slope = (ahead - behind) / (2.0 * step);
            let off = (gradient[i] - slope).abs();
            assert!(off < 1e-8, "{covariance:?} {i}: {} and {slope}", gradient[i]);
        }
    }

    #[test]
    fn coordinates_give_the_mixture_back() {
        for covariance in ALL {
            let (source, target, mixture) = example(covariance);
            let mut objective = objective(&source, &target);
            let evaluation = objective.evaluate(&mixture);
            let (coordinates, point) = Anchored::new(&mixture, &evaluation, 0.7, 1e-3).unwrap();
            let back = coordinates.mixture(&point);
            let pairs = [
                (&back.r, &mixture.r),
                (&back.s, &mixture.s),
                (&back.log_alpha.insert_axis(Axis(0)), &mixture.log_alpha.insert_axis(Axis(0))),
            ];
            for (a, b) in pairs {
                assert!(a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-12), "{a} and {b}");
            }
        }
    }
}
