//! The initial mixture: clusters of the target, and the source cells from which they come.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis};
use rand_distr::{Distribution, StandardUniform};

use crate::bridge::lightsb::covariance::Covariance;
use crate::bridge::lightsb::mixture::{Cluster, Mixture, closed_form};
use crate::bridge::lightsb::rough::RoughCoupling;
use crate::bridge::lightsb::shrunk::shrunk;
use crate::data::Snapshot;
use crate::error::Result;
use crate::geometry::nearest_rows;
use crate::linalg::{Lbfgs, product, product_nt, product_tn, softmax_rows};
use crate::rng::{Seed, weighted_index};

/// Points with their weights.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cells<'a> {
    /// The points, `(n, dim)`.
    pub(super) points: ArrayView2<'a, f64>,
    /// The weights, `n`, summing to one.
    pub(super) weights: ArrayView1<'a, f64>,
}

impl<'a> Cells<'a> {
    /// The cells of a snapshot.
    pub(super) fn of(snapshot: &'a Snapshot) -> Self {
        Self { points: snapshot.points(), weights: snapshot.marginal() }
    }
}

/// The bridge between the two snapshots, each represented by one Gaussian.
///
/// # Errors
/// [`crate::Error::Numerical`] if a decomposition of a full matrix fails.
pub(super) fn one_gaussian(
    source: Cells<'_>,
    target: Cells<'_>,
    settings: StartSettings,
) -> Result<Mixture> {
    let StartSettings { covariance, epsilon, floor, .. } = settings;
    let cluster = |cells: Cells<'_>| {
        if settings.shrinks && covariance == Covariance::Full {
            shrunk(cells)
        } else {
            Cluster::of(cells.points, cells.weights, covariance)
        }
    };
    let (source, target) = (cluster(source), cluster(target));
    let (r, s) = closed_form(covariance, &source, &target, epsilon, floor)?;
    let (r, s) = (r.insert_axis(Axis(0)), s.insert_axis(Axis(0)));
    Ok(Mixture { covariance, log_alpha: Array1::zeros(1), r, s })
}

/// Initial mixtures of at most `n_gaussians` Gaussians, one for each cluster of the target.
///
/// k-means clusters the target, and the coupling of some cells assigns source cells to each
/// cluster. S is the closed form for the mean covariances within clusters, the same for all
/// Gaussians. r moves the source cells of a cluster to the cluster. `ln α` gives each Gaussian its
/// share of the source, so that none starts without cells. The second mixture is a third of the way
/// from a single Gaussian to the first: in many dimensions an initial mixture far from the data
/// loses Gaussians. Takes `O((n_source + n_target) · 10 K d)` time.
///
/// # Errors
/// As [`one_gaussian`].
pub(super) fn from_coupling(
    coupling: &RoughCoupling,
    source: Cells<'_>,
    target: Cells<'_>,
    settings: StartSettings,
    seed: Seed,
) -> Result<Vec<Mixture>> {
    let StartSettings { covariance, n_gaussians, epsilon, floor, .. } = settings;
    let centres = k_means(target, n_gaussians, seed);
    let from = Cells { points: coupling.source.view(), weights: coupling.weights.view() };
    let came =
        product(coupling.plan.view(), members(coupling.target.view(), centres.view()).view());
    let clusters = Clusters::new(from.points, came.view(), target, centres.view(), covariance);

    let dim = centres.ncols();
    let first = |means: &Array2<f64>, covariance: &Array1<f64>| Cluster {
        mean: means.row(0).to_owned(),
        covariance: covariance.clone(),
    };
    let within_source = first(&clusters.source_mean, &clusters.source_var);
    let within_target = first(&clusters.target_mean, &clusters.target_var);
    let (_, s) = closed_form(covariance, &within_source, &within_target, epsilon, floor)?;
    let log = |s: ArrayView1<'_, f64>| covariance.eigen(s, dim).map(|s| s.map(f64::ln));
    let single = log(one_gaussian(source, target, settings)?.s.row(0))?;
    let s = log(s.view())?;
    let towards = |way: f64| {
        let between = &s * way + &single * (1.0 - way);
        let s = covariance.eigen(between.view(), dim)?.map(f64::exp);
        let back = s.mapv(|value| -value);
        let mut r = clusters.target_mean.clone();
        for (mean, r) in clusters.source_mean.rows().into_iter().zip(r.rows_mut()) {
            covariance.add_times(back.view(), mean, r);
        }
        r *= way;
        let s = Array2::from_shape_fn((r.nrows(), s.len()), |(_, e)| s[e]);
        let mut mixture = Mixture { covariance, log_alpha: Array1::zeros(r.nrows()), r, s };
        mixture.log_alpha = balanced(&mixture, from, &clusters.mass, epsilon);
        Ok(mixture)
    };
    [1.0, 0.3].into_iter().map(towards).collect()
}

/// Mean and covariance of each cluster, at the target and at the source.
struct Clusters {
    /// Weight of the cluster at the target.
    mass: Vec<f64>,
    /// Mean of the source cells of each cluster, K × d.
    source_mean: Array2<f64>,
    /// Mean of each cluster, K × d.
    target_mean: Array2<f64>,
    /// Entries of the mean covariance within clusters, at the source.
    source_var: Array1<f64>,
    /// The same at the target.
    target_var: Array1<f64>,
}

impl Clusters {
    /// `source` are the coupled source cells and `came` the mass that moves from each of them to
    /// each cluster.
    fn new(
        source: ArrayView2<'_, f64>,
        came: ArrayView2<'_, f64>,
        target: Cells<'_>,
        centres: ArrayView2<'_, f64>,
        covariance: Covariance,
    ) -> Self {
        let n_entries = covariance.n_entries(centres.ncols());
        let mut at_target = members(target.points, centres);
        for (mut row, weight) in at_target.rows_mut().into_iter().zip(target.weights) {
            row *= *weight;
        }
        let everywhere = came.sum_axis(Axis(1));
        let mut clusters = Self {
            mass: at_target.sum_axis(Axis(0)).to_vec(),
            source_mean: Array2::zeros(centres.dim()),
            target_mean: Array2::zeros(centres.dim()),
            source_var: Array1::zeros(n_entries),
            target_var: Array1::zeros(n_entries),
        };
        for (k, &mass) in clusters.mass.iter().enumerate() {
            let came = came.column(k);
            // A small cluster without a coupled cell counts as coming from all source cells.
            let came = if came.sum() > 1e-12 { came } else { everywhere.view() };
            let from = Cluster::of(source, came, covariance);
            clusters.source_mean.row_mut(k).assign(&from.mean);
            clusters.source_var.scaled_add(mass, &from.covariance);
            if mass > 0.0 {
                let to = Cluster::of(target.points, at_target.column(k), covariance);
                clusters.target_mean.row_mut(k).assign(&to.mean);
                clusters.target_var.scaled_add(mass, &to.covariance);
            }
        }
        clusters
    }
}

/// 1 if a point (row) is nearest to a centre (column), else 0.
fn members(points: ArrayView2<'_, f64>, centres: ArrayView2<'_, f64>) -> Array2<f64> {
    let mut members = Array2::zeros((points.nrows(), centres.nrows()));
    for (i, k) in nearest_rows(points, centres).into_iter().enumerate() {
        members[[i, k]] = 1.0;
    }
    members
}

/// The `ln α` with which each Gaussian takes `mass` of the source cells: the minimum of the convex
/// function `E ln c(x) − Σ_k mass_k ln α_k`, by L-BFGS.
fn balanced(mixture: &Mixture, cells: Cells<'_>, mass: &[f64], epsilon: f64) -> Array1<f64> {
    /// Largest number of L-BFGS steps.
    const MOST_STEPS: usize = 200;
    let n_gaussians = mass.len();
    let linear = mixture.start_coefficients(epsilon);
    let mut features = Array2::ones((cells.points.nrows(), linear.ncols()));
    mixture.covariance.write_features(features.view_mut(), cells.points);
    let exponents = product_nt(features.view(), linear.view());
    let mut logs = exponents.clone();
    let mut totals = vec![0.0; cells.weights.len()];
    let mut f = |log_alpha: &[f64], gradient: &mut [f64]| {
        logs.assign(&exponents);
        logs += &ArrayView1::from(log_alpha);
        let mut value = -log_alpha.iter().zip(mass).map(|(a, mass)| a * mass).sum::<f64>();
        for (gradient, mass) in gradient.iter_mut().zip(mass) {
            *gradient = -mass;
        }
        if let (Some(logs), Some(masses)) = (logs.as_slice_mut(), cells.weights.as_slice()) {
            softmax_rows(logs, n_gaussians, masses, &mut totals);
        }
        value += cells.weights.iter().zip(&totals).map(|(mass, total)| mass * total).sum::<f64>();
        for (gradient, shares) in gradient.iter_mut().zip(logs.columns()) {
            *gradient += shares.sum();
        }
        value
    };
    let mut search = Lbfgs::new(vec![0.0; n_gaussians], 20, &mut f);
    for _ in 0..MOST_STEPS {
        let worst = search.gradient().iter().fold(0.0, |worst: f64, g| worst.max(g.abs()));
        if worst < 1e-2 / n_gaussians as f64 || !search.step(&mut f) {
            break;
        }
    }
    Array1::from(search.point().to_vec())
}

/// Settings of an initial mixture.
#[derive(Debug, Clone, Copy)]
pub(super) struct StartSettings {
    /// The kind of the matrices.
    pub(super) covariance: Covariance,
    /// Largest number of Gaussians.
    pub(super) n_gaussians: usize,
    /// ε of the problem.
    pub(super) epsilon: f64,
    /// Lower bound of S.
    pub(super) floor: f64,
    /// Whether the covariances of one full Gaussian are shrunk towards their diagonal.
    pub(super) shrinks: bool,
}

impl Cluster {
    /// Weighted mean and covariance of points; weights need not sum to one.
    pub(super) fn of(
        points: ArrayView2<'_, f64>,
        weights: ArrayView1<'_, f64>,
        covariance: Covariance,
    ) -> Self {
        let total = weights.sum();
        let mean = weights.dot(&points) / total;
        let dim = points.ncols();
        let mut entries = Array1::zeros(covariance.n_entries(dim));
        if covariance == Covariance::Full {
            let used = |row: &usize| weights[*row] > 0.0;
            let rows: Vec<usize> = (0..points.nrows()).filter(used).collect();
            let mut off = points.select(Axis(0), &rows) - &mean;
            for (mut row, &i) in off.rows_mut().into_iter().zip(&rows) {
                row *= (weights[i] / total).sqrt();
            }
            let entries = covariance.entries(product_tn(off.view(), off.view()).view());
            return Self { mean, covariance: entries };
        }
        let mut variance = Array1::zeros(dim);
        for (row, weight) in points.rows().into_iter().zip(weights) {
            for ((variance, value), mean) in variance.iter_mut().zip(row).zip(&mean) {
                *variance += weight / total * (value - mean) * (value - mean);
            }
        }
        match covariance {
            Covariance::Scalar => entries[0] = variance.sum() / dim as f64,
            Covariance::Diagonal | Covariance::Full => entries = variance,
        }
        Self { mean, covariance: entries }
    }
}

/// Centres by k-means++ and ten rounds of Lloyd's algorithm; k × d, or fewer rows if there are
/// fewer different points. Takes `O(10 n k d)` time.
pub(super) fn k_means(cells: Cells<'_>, k: usize, seed: Seed) -> Array2<f64> {
    /// Rounds of Lloyd's algorithm.
    const ROUNDS: usize = 10;
    let Cells { points, weights } = cells;
    let mut stream = seed.stream("lightsb/k-means", 0);
    let mut nearest_square = Array1::from_elem(points.nrows(), f64::INFINITY);
    let mut chances = weights.to_owned();
    let mut centres = Array2::zeros((0, points.ncols()));
    while centres.nrows() < k && chances.sum() > 0.0 {
        let uniform: f64 = StandardUniform.sample(&mut stream);
        let goal = chances.sum() * uniform;
        let Some(chosen) = weighted_index(chances.iter().copied(), goal) else { break };
        let centre = points.row(chosen);
        if centres.push_row(centre).is_err() {
            break;
        }
        for (i, row) in points.rows().into_iter().enumerate() {
            let square: f64 = row.iter().zip(centre).map(|(a, b)| (a - b) * (a - b)).sum();
            nearest_square[i] = square.min(nearest_square[i]);
            chances[i] = weights[i] * nearest_square[i];
        }
    }
    for _ in 0..ROUNDS {
        let clusters = nearest_rows(points, centres.view());
        let mut mass = Array1::<f64>::zeros(centres.nrows());
        let mut sums = Array2::<f64>::zeros(centres.dim());
        for ((row, &cluster), &weight) in points.rows().into_iter().zip(&clusters).zip(weights) {
            mass[cluster] += weight;
            sums.row_mut(cluster).scaled_add(weight, &row);
        }
        for (cluster, mass) in mass.iter().enumerate().filter(|entry| *entry.1 > 0.0) {
            centres.row_mut(cluster).assign(&(&sums.row(cluster) / *mass));
        }
    }
    centres
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bridge::lightsb::objective::Objective;
    use crate::bridge::lightsb::rough::tests::{cells, groups};

    #[test]
    fn every_gaussian_begins_with_its_share_of_the_cells() {
        let (x, y, even) = groups();
        let (source, target) = (cells(&x, &even), cells(&y, &even));
        for covariance in [Covariance::Scalar, Covariance::Diagonal, Covariance::Full] {
            let settings = StartSettings {
                covariance,
                n_gaussians: 3,
                epsilon: 0.1,
                floor: 1e-4,
                shrinks: false,
            };
            let coupling = RoughCoupling::new(source, target, 200, 0.1, Seed(2));
            for mixture in from_coupling(&coupling, source, target, settings, Seed(2)).unwrap() {
                let mass = Objective::new(source, target, 0.1).evaluate(&mixture).source.mass;
                let mut shares = mass.to_vec();
                shares.sort_by(f64::total_cmp);
                let expected = [1.0 / 6.0, 1.0 / 3.0, 0.5];
                let close = shares.iter().zip(expected).all(|(a, b)| (a - b).abs() < 0.01);
                assert!(close, "{covariance:?}: {shares:?}");
            }
        }
    }

    #[test]
    fn clusters_are_the_groups_and_no_more_than_different_points() {
        let (x, _, even) = groups();
        let mut firsts = k_means(cells(&x, &even), 3, Seed(3)).column(0).to_vec();
        firsts.sort_by(f64::total_cmp);
        assert!(
            firsts.iter().zip([-3.0, 0.0, 3.0]).all(|(a, b)| (a - b).abs() < 0.2),
            "{firsts:?}"
        );
        let same = Array2::from_shape_fn((90, 2), |(i, _)| if i < 45 { 1.0 } else { 2.0 });
        assert_eq!(k_means(cells(&same, &even), 5, Seed(3)).nrows(), 2);
    }
}
