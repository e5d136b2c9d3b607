//! Growth and revival: Gaussians are halved along their principal axes.

use ndarray::{Array1, Array2, Axis};

use crate::bridge::lightsb::covariance::Covariance;
use crate::bridge::lightsb::mixture::{Cluster, Mixture, closed_form};
use crate::bridge::lightsb::objective::{End, Evaluation, Moments, Objective};
use crate::error::Result;

/// Fraction of an equal share of the target below which a Gaussian counts as without cells.
pub(super) const LEAST_SHARE: f64 = 1e-2;

/// Power iterations for the principal axes. A rough direction is enough.
const ROUNDS: usize = 8;

/// Distances of the halves from the mean of the whole, in standard deviations along the axis.
const APART: [f64; 3] = [0.25, 0.5, 0.8];

/// The mixture in which Gaussians are halved, at most `most` Gaussians in all.
///
/// Gaussian k has cells at both ends, with means `x̄`, `ȳ` and covariances `C_x`, `C_y`. Its halves
/// lie at `ȳ ± l a` along the principal axis of its target cells, where `a = C_y w` and `wᵀ C_y w =
/// 1`. The source cells follow by the regression of x on `wᵀy` under Gaussian k: their halves lie
/// at `x̄ ± l b` with `b = C_x S w / q` and `q² = wᵀ(ε S + S C_x S) w`. The covariances that remain
/// are `C_y − l² a aᵀ` and `C_x − l² b bᵀ`, so that both halves together keep the moments of the
/// whole. r and S of a half are the closed form for its means and covariances. Three distances
/// l are tried, and the lower objective is taken. If there are not enough places, the Gaussians
/// with the largest variance along their axis, times their mass, are halved. Takes as long as
/// about eight evaluations.
///
/// # Errors
/// [`crate::Error::Numerical`] if a decomposition of a full matrix fails.
pub(super) fn grown(
    objective: &mut Objective<'_>,
    mixture: &Mixture,
    most: usize,
    floor: f64,
) -> Result<Mixture> {
    let evaluation = objective.evaluate(mixture);
    let whole = Whole::new(objective, mixture, evaluation);
    let places = most.saturating_sub(mixture.n_gaussians());
    let least = LEAST_SHARE / mixture.n_gaussians() as f64;
    let gain = |k: &usize| whole.evaluation.target.mass[*k] * whole.variances[*k];
    let mut halved: Vec<usize> = (0..mixture.n_gaussians())
        .filter(|&k| whole.evaluation.target.mass[k] > least && whole.variances[k] > 0.0)
        .collect();
    halved.sort_by(|a, b| gain(b).total_cmp(&gain(a)));
    halved.truncate(places);
    let mut best: Option<(f64, Mixture)> = None;
    for apart in APART {
        let next = whole.halved(&halved, apart, objective.epsilon(), floor)?;
        let value = objective.evaluate(&next).value;
        if best.as_ref().is_none_or(|best| value < best.0) {
            best = Some((value, next));
        }
    }
    Ok(best.map_or_else(|| mixture.clone(), |best| best.1))
}

/// The mixture in which the places of Gaussians without cells are taken by halves of others. `None`
/// if no Gaussian is empty, or if this does not lower the objective.
///
/// # Errors
/// As [`grown`].
pub(super) fn revived(
    objective: &mut Objective<'_>,
    mixture: &Mixture,
    floor: f64,
) -> Result<Option<Mixture>> {
    let evaluation = objective.evaluate(mixture);
    let n_gaussians = mixture.n_gaussians();
    let least = LEAST_SHARE / n_gaussians as f64;
    let live: Vec<usize> =
        (0..n_gaussians).filter(|&k| evaluation.target.mass[k] >= least).collect();
    if live.is_empty() || live.len() == n_gaussians {
        return Ok(None);
    }
    let next = grown(objective, &mixture.select(&live), n_gaussians, floor)?;
    let value = objective.evaluate(&next).value;
    Ok((value < evaluation.value).then_some(next))
}

/// A mixture with the axes along which its Gaussians are halved.
struct Whole<'a> {
    /// The mixture.
    mixture: &'a Mixture,
    /// Its moments.
    evaluation: Evaluation,
    /// The means of the source cells, K × d.
    source_means: Array2<f64>,
    /// The means of the target cells, K × d.
    target_means: Array2<f64>,
    /// The shifts `b` of the source cells, K × d.
    source_axes: Array2<f64>,
    /// The shifts `a` of the target cells, K × d.
    target_axes: Array2<f64>,
    /// Variances of the target cells along their axes.
    variances: Array1<f64>,
}

impl<'a> Whole<'a> {
    /// The principal axes by power iteration, from the responsibilities of the last evaluation.
    fn new(objective: &Objective<'_>, mixture: &'a Mixture, evaluation: Evaluation) -> Self {
        let shape = mixture.r.dim();
        let means = |moments: &Moments| {
            let mut means = moments.firsts().to_owned();
            for (mut row, mass) in means.rows_mut().into_iter().zip(&moments.mass) {
                row /= mass.max(1e-300);
            }
            means
        };
        let (source_means, target_means) = (means(&evaluation.source), means(&evaluation.target));
        let times = |end: End, vectors: &Array2<f64>| {
            let means = if end == End::Source { &source_means } else { &target_means };
            objective.covariance_times(end, means.view(), vectors.view())
        };
        let mut vectors = Array2::from_shape_fn(shape, |(_, d)| 1.0 + 0.1 * (d as f64).sin());
        for _ in 0..ROUNDS {
            vectors = times(End::Target, &vectors);
            for mut row in vectors.rows_mut() {
                let length = row.dot(&row).sqrt();
                row /= length.max(1e-300);
            }
        }
        let mut target_axes = times(End::Target, &vectors);
        let variances = (&vectors * &target_axes).sum_axis(Axis(1));
        let roots = variances.mapv(|value| value.max(1e-300).sqrt());
        // From here on `vectors` are w.
        for (k, root) in roots.iter().enumerate() {
            vectors.row_mut(k).mapv_inplace(|value| value / root);
            target_axes.row_mut(k).mapv_inplace(|value| value / root);
        }
        let mut carried = Array2::zeros(shape);
        for k in 0..shape.0 {
            let s = mixture.s.row(k);
            mixture.covariance.add_times(s, vectors.row(k), carried.row_mut(k));
        }
        let mut source_axes = times(End::Source, &carried);
        let epsilon = objective.epsilon();
        for k in 0..shape.0 {
            let noise = epsilon * vectors.row(k).dot(&carried.row(k));
            let square = noise + carried.row(k).dot(&source_axes.row(k));
            let q = square.max(1e-300).sqrt();
            source_axes.row_mut(k).mapv_inplace(|value| value / q);
        }
        Self {
            mixture,
            evaluation,
            source_means,
            target_means,
            source_axes,
            target_axes,
            variances,
        }
    }

    /// The mixture with these Gaussians halved at a distance of `apart` deviations.
    fn halved(&self, halved: &[usize], apart: f64, epsilon: f64, floor: f64) -> Result<Mixture> {
        let n_gaussians = self.mixture.n_gaussians();
        let order: Vec<usize> = (0..n_gaussians).chain(halved.iter().copied()).collect();
        let mut next = self.mixture.select(&order);
        for (i, &k) in halved.iter().enumerate() {
            for (into, sign) in [(k, apart), (n_gaussians + i, -apart)] {
                let source = self.half(End::Source, k, sign);
                let target = self.half(End::Target, k, sign);
                let kind = self.mixture.covariance;
                let (r, s) = closed_form(kind, &source, &target, epsilon, floor)?;
                // Each half is half as strong as the whole at the mean of its source cells.
                let anchor = &self.source_means.row(k);
                let strength = |mixture_r: &Array1<f64>, mixture_s: &Array1<f64>| {
                    let mut carried = mixture_r * 2.0;
                    kind.add_times(mixture_s.view(), *anchor, carried.view_mut());
                    anchor.dot(&carried) / (2.0 * epsilon)
                };
                let whole_r = self.mixture.r.row(k).to_owned();
                let whole_s = self.mixture.s.row(k).to_owned();
                next.log_alpha[into] = self.mixture.log_alpha[k] - std::f64::consts::LN_2
                    + strength(&whole_r, &whole_s)
                    - strength(&r, &s);
                next.r.row_mut(into).assign(&r);
                next.s.row_mut(into).assign(&s);
            }
        }
        Ok(next)
    }

    /// Mean and remaining covariance of one half of Gaussian `k` at one end.
    fn half(&self, end: End, k: usize, apart: f64) -> Cluster {
        let (moments, mean, axis) = match end {
            End::Source => (&self.evaluation.source, &self.source_means, &self.source_axes),
            End::Target => (&self.evaluation.target, &self.target_means, &self.target_axes),
        };
        let axis = &axis.row(k) * apart;
        let kind = self.mixture.covariance;
        let removed = match kind {
            Covariance::Scalar => Array1::from_elem(1, axis.dot(&axis) / axis.len() as f64),
            Covariance::Diagonal => &axis * &axis,
            Covariance::Full => {
                let column = axis.view().insert_axis(Axis(1));
                kind.entries((&column * &axis).view())
            }
        };
        let mut covariance = moments.cluster(k).covariance - removed;
        if kind != Covariance::Full {
            covariance.mapv_inplace(|value| value.max(0.0));
        }
        Cluster { mean: &mean.row(k) + &axis, covariance }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;
    use rand_distr::{Distribution, StandardNormal};

    use super::*;
    use crate::bridge::lightsb::start::{Cells, StartSettings, one_gaussian};
    use crate::rng::Seed;

    /// Cells around zero, and cells of which half lie at ±2 along a line.
    fn ends(n: usize) -> (Array2<f64>, Array2<f64>, Array1<f64>) {
        let mut stream = Seed(1).stream("test/cells", 0);
        let mut draw =
            || Array2::<f64>::from_shape_simple_fn((n, 2), || StandardNormal.sample(&mut stream));
        let (x, mut y) = (draw(), draw() * 0.4);
        for (i, mut cell) in y.rows_mut().into_iter().enumerate() {
            let side = if i % 2 == 0 { 2.0 } else { -2.0 };
            cell += &array![side, 0.7 * side];
        }
        let centre = |cells: Array2<f64>| &cells - &cells.mean_axis(Axis(0)).unwrap();
        (centre(x), centre(y), Array1::from_elem(n, 1.0 / n as f64))
    }

    #[test]
    fn halves_part_along_the_principal_axis_and_keep_the_moments() {
        let (x, y, even) = ends(800);
        let source = Cells { points: x.view(), weights: even.view() };
        let target = Cells { points: y.view(), weights: even.view() };
        for covariance in [Covariance::Scalar, Covariance::Diagonal, Covariance::Full] {
            let settings = StartSettings {
                covariance,
                n_gaussians: 1,
                epsilon: 0.2,
                floor: 1e-6,
                shrinks: false,
            };
            let single = one_gaussian(source, target, settings).unwrap();
            let mut objective = Objective::new(source, target, 0.2);
            let before = objective.evaluate(&single).value;
            let two = grown(&mut objective, &single, 2, 1e-6).unwrap();
            assert_eq!(two.n_gaussians(), 2);
            let after = objective.evaluate(&two);
            assert!(after.value < before - 0.1, "{covariance:?}: {before} to {}", after.value);
            assert!(after.target.mass.iter().all(|mass| (mass - 0.5).abs() < 0.05));
            let evaluation = objective.evaluate(&single);
            let whole = Whole::new(&objective, &single, evaluation);
            let direction = whole.target_axes[[0, 1]] / whole.target_axes[[0, 0]];
            assert!((direction - 0.7).abs() < 0.05, "{direction}");
            // Mean of both halves, and covariance within plus between.
            let (a, b) = (whole.half(End::Target, 0, 0.5), whole.half(End::Target, 0, -0.5));
            assert!((&a.mean + &b.mean).iter().all(|value| value.abs() < 1e-12));
            let between = (&a.mean - &b.mean) * 0.5;
            let outer = Array2::from_shape_fn((2, 2), |(i, j)| between[i] * between[j]);
            let total = &a.covariance + &covariance.entries(outer.view());
            let expected = whole.evaluation.target.cluster(0).covariance;
            assert!((total - expected).iter().all(|value| value.abs() < 1e-10));
        }
    }

    #[test]
    fn a_gaussian_without_cells_takes_half_of_one_that_cannot_follow_a_tilt() {
        let mut stream = Seed(1).stream("test/cells", 0);
        let cells: Array2<f64> =
            Array2::from_shape_simple_fn((2000, 2), || StandardNormal.sample(&mut stream));
        let x = cells.slice(ndarray::s![..1000, ..]).to_owned();
        let mut y = cells.slice(ndarray::s![1000.., ..]).to_owned();
        for mut cell in y.rows_mut() {
            cell[1] = 0.9 * cell[0] + 0.4 * cell[1];
        }
        let even = Array1::from_elem(1000, 1e-3);
        let source = Cells { points: x.view(), weights: even.view() };
        let target = Cells { points: y.view(), weights: even.view() };
        let mut objective = Objective::new(source, target, 0.5);
        let mixture = Mixture {
            covariance: Covariance::Diagonal,
            log_alpha: array![0.0, -200.0],
            r: array![[0.0, 0.0], [3.0, 3.0]],
            s: array![[0.8, 0.8], [1.0, 1.0]],
        };
        let before = objective.evaluate(&mixture);
        let moved = revived(&mut objective, &mixture, 1e-6).unwrap().unwrap();
        let after = objective.evaluate(&moved);
        assert!(after.value < before.value - 0.01, "{} to {}", before.value, after.value);
        assert!(before.target.mass[1] < 1e-10 && after.target.mass[1] > 0.3);
        assert!(revived(&mut objective, &moved, 1e-6).unwrap().is_none());
    }

    #[test]
    fn no_more_gaussians_than_asked_for() {
        let (x, y, even) = ends(200);
        let source = Cells { points: x.view(), weights: even.view() };
        let target = Cells { points: y.view(), weights: even.view() };
        let covariance = Covariance::Diagonal;
        let settings =
            StartSettings { covariance, n_gaussians: 1, epsilon: 0.2, floor: 1e-6, shrinks: false };
        let single = one_gaussian(source, target, settings).unwrap();
        let mut objective = Objective::new(source, target, 0.2);
        let two = grown(&mut objective, &single, 4, 1e-6).unwrap();
        assert_eq!(grown(&mut objective, &two, 3, 1e-6).unwrap().n_gaussians(), 3);
        assert_eq!(grown(&mut objective, &two, 2, 1e-6).unwrap(), two);
    }
}
