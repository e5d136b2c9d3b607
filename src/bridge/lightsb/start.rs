//! Where the descent begins: clusters of the target and the source cells that go to them.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis};
use rand_distr::{Distribution, StandardUniform};

use crate::bridge::draw_cells;
use crate::bridge::lightsb::covariance::Covariance;
use crate::bridge::lightsb::mixture::{Mixture, closed_form};
use crate::error::Result;
use crate::geometry::nearest_rows;
use crate::linalg::{Lbfgs, exp_in_place, product, product_nt, product_tn, softmax_rows};
use crate::rng::Seed;

/// Points and marginal.
pub(super) type Cells<'a> = (ArrayView2<'a, f64>, ArrayView1<'a, f64>);

/// The bridge between the two snapshots seen as one Gaussian each.
///
/// # Errors
/// [`crate::Error::Numerical`] if a decomposition of a full matrix fails.
pub(super) fn one_gaussian(
    source: Cells<'_>,
    target: Cells<'_>,
    settings: StartSettings,
) -> Result<Mixture> {
    let StartSettings { covariance, epsilon, floor, .. } = settings;
    let (source_mean, source_var) = mean_and_covariance(source.0, source.1, covariance);
    let (target_mean, target_var) = mean_and_covariance(target.0, target.1, covariance);
    let (r, s) = closed_form(
        covariance,
        (source_mean.view(), source_var.view()),
        (target_mean.view(), target_var.view()),
        epsilon,
        floor,
    )?;
    let (r, s) = (r.insert_axis(Axis(0)), s.insert_axis(Axis(0)));
    Ok(Mixture { covariance, log_alpha: Array1::zeros(1), r, s })
}

/// Mixtures to choose from, of at most `n_gaussians` Gaussians, one for each cluster of the target.
///
/// The target is clustered by k-means; the coupling of some cells says where the cells of each
/// cluster come from. `S` is the closed form for the mean covariances
/// within clusters, the same for all, `r` takes each cluster's source to its target, and `ln α`
/// gives each Gaussian its share of the source, so that none begins without cells. A second
/// mixture is a third of the way from one Gaussian to that: in many dimensions a start far from
/// the data loses Gaussians on its way. Time
/// `O((n_source + n_target) · 10 n_gaussians · dim)`.
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
    let StartSettings { covariance, n_gaussians, epsilon, floor } = settings;
    let centres = k_means(target, n_gaussians, seed);
    let from = (coupling.source.0.view(), coupling.source.1.view());
    let came =
        product(coupling.plan.view(), members(coupling.target.view(), centres.view()).view());
    let clusters = Clusters::new((from.0, came.view()), target, centres.view(), covariance);

    let dim = centres.ncols();
    let (_, s) = closed_form(
        covariance,
        (clusters.source_mean.row(0), clusters.source_var.view()),
        (clusters.target_mean.row(0), clusters.target_var.view()),
        epsilon,
        floor,
    )?;
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

/// An entropic coupling of some cells of each side; rough, for it only has to say which cells go
/// where. It does not depend on what is started from it.
#[derive(Debug)]
pub(super) struct RoughCoupling {
    /// Source cells and their weights.
    source: (Array2<f64>, Array1<f64>),
    /// Target cells.
    target: Array2<f64>,
    plan: Array2<f64>,
}

impl RoughCoupling {
    /// Of `n_coupled` cells of each side. Time `O(n_coupled² · dim)`, memory `O(n_coupled²)`.
    pub(super) fn new(
        source: Cells<'_>,
        target: Cells<'_>,
        n_coupled: usize,
        epsilon: f64,
        seed: Seed,
    ) -> Self {
        let source = thinned(source, n_coupled, seed.child("lightsb/thin source", 0));
        let target = thinned(target, n_coupled, seed.child("lightsb/thin target", 0));
        let (from, to) = ((source.0.view(), source.1.view()), (target.0.view(), target.1.view()));
        let plan = coupled(from, to, epsilon);
        Self { source, target: target.0, plan }
    }
}

/// What is known of each cluster: where its cells are and where they come from.
struct Clusters {
    mass: Vec<f64>,
    source_mean: Array2<f64>,
    target_mean: Array2<f64>,
    /// Entries of the mean covariance within clusters.
    source_var: Array1<f64>,
    target_var: Array1<f64>,
}

impl Clusters {
    /// `source.1` is the mass that goes from each source cell to each cluster.
    fn new(
        source: (ArrayView2<'_, f64>, ArrayView2<'_, f64>),
        target: Cells<'_>,
        centres: ArrayView2<'_, f64>,
        covariance: Covariance,
    ) -> Self {
        let n_entries = covariance.n_entries(centres.ncols());
        let mut at_target = members(target.0, centres);
        for (mut row, weight) in at_target.rows_mut().into_iter().zip(target.1) {
            row *= *weight;
        }
        let everywhere = source.1.sum_axis(Axis(1));
        let mut clusters = Self {
            mass: at_target.sum_axis(Axis(0)).to_vec(),
            source_mean: Array2::zeros(centres.dim()),
            target_mean: Array2::zeros(centres.dim()),
            source_var: Array1::zeros(n_entries),
            target_var: Array1::zeros(n_entries),
        };
        for (k, &mass) in clusters.mass.iter().enumerate() {
            let came = source.1.column(k);
            // A small cluster without a coupled cell may come from everywhere.
            let came = if came.sum() > 1e-12 { came } else { everywhere.view() };
            let (mean, variance) = mean_and_covariance(source.0, came, covariance);
            clusters.source_mean.row_mut(k).assign(&mean);
            clusters.source_var.scaled_add(mass, &variance);
            if mass > 0.0 {
                let (mean, variance) =
                    mean_and_covariance(target.0, at_target.column(k), covariance);
                clusters.target_mean.row_mut(k).assign(&mean);
                clusters.target_var.scaled_add(mass, &variance);
            }
        }
        clusters
    }
}

/// 1 where a point (row) is nearest to a centre (column), else 0.
fn members(points: ArrayView2<'_, f64>, centres: ArrayView2<'_, f64>) -> Array2<f64> {
    let mut members = Array2::zeros((points.nrows(), centres.nrows()));
    for (i, k) in nearest_rows(points, centres).into_iter().enumerate() {
        members[[i, k]] = 1.0;
    }
    members
}

/// The `ln α` with which each Gaussian takes up `mass` of the source cells: the minimum of the
/// convex function `E ln c(x) − Σ_k mass_k ln α_k`.
fn balanced(mixture: &Mixture, cells: Cells<'_>, mass: &[f64], epsilon: f64) -> Array1<f64> {
    const MOST_STEPS: usize = 200;
    let n_gaussians = mass.len();
    let linear = mixture.start_coefficients(epsilon);
    let mut features = Array2::ones((cells.0.nrows(), linear.ncols()));
    mixture.covariance.write_features(features.view_mut(), cells.0);
    let exponents = product_nt(features.view(), linear.view());
    let mut logs = exponents.clone();
    let mut totals = vec![0.0; cells.1.len()];
    let mut f = |log_alpha: &[f64], gradient: &mut [f64]| {
        logs.assign(&exponents);
        logs += &ArrayView1::from(log_alpha);
        let mut value = -log_alpha.iter().zip(mass).map(|(a, mass)| a * mass).sum::<f64>();
        for (gradient, mass) in gradient.iter_mut().zip(mass) {
            *gradient = -mass;
        }
        if let (Some(logs), Some(masses)) = (logs.as_slice_mut(), cells.1.as_slice()) {
            softmax_rows(logs, n_gaussians, masses, &mut totals);
        }
        value += cells.1.iter().zip(&totals).map(|(mass, total)| mass * total).sum::<f64>();
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

/// What [`from_coupling`] needs to know.
#[derive(Debug, Clone, Copy)]
pub(super) struct StartSettings {
    pub(super) covariance: Covariance,
    pub(super) n_gaussians: usize,
    pub(super) epsilon: f64,
    pub(super) floor: f64,
}

/// Weighted mean and the entries of the covariance; weights need not sum to one.
pub(super) fn mean_and_covariance(
    points: ArrayView2<'_, f64>,
    weights: ArrayView1<'_, f64>,
    covariance: Covariance,
) -> (Array1<f64>, Array1<f64>) {
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
        return (mean, covariance.entries(product_tn(off.view(), off.view()).view()));
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
    (mean, entries)
}

/// At most `limit` cells: all with their weights, or drawn cells of equal weight.
fn thinned(cells: Cells<'_>, limit: usize, seed: Seed) -> (Array2<f64>, Array1<f64>) {
    let (points, marginal) = cells;
    if points.nrows() <= limit {
        return (points.to_owned(), marginal.to_owned());
    }
    let chosen = draw_cells(marginal, limit, seed);
    (points.select(Axis(0), &chosen), Array1::from_elem(limit, 1.0 / limit as f64))
}

/// Centres by k-means++ and ten rounds of Lloyd's algorithm; fewer than `k` if there are not as
/// many different points.
pub(super) fn k_means(cells: Cells<'_>, k: usize, seed: Seed) -> Array2<f64> {
    const ROUNDS: usize = 10;
    let (points, weights) = cells;
    let mut stream = seed.stream("lightsb/k-means", 0);
    let mut nearest_square = Array1::from_elem(points.nrows(), f64::INFINITY);
    let mut chances = weights.to_owned();
    let mut centres = Array2::zeros((0, points.ncols()));
    while centres.nrows() < k && chances.sum() > 0.0 {
        let uniform: f64 = StandardUniform.sample(&mut stream);
        let goal = chances.sum() * uniform;
        let mut sum = 0.0;
        let passes = |chance: &f64| {
            sum += chance;
            *chance > 0.0 && goal < sum
        };
        let last = || chances.iter().rposition(|chance| *chance > 0.0);
        let Some(chosen) = chances.iter().position(passes).or_else(last) else { break };
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

/// The plan of a rough entropic coupling, summing to one.
///
/// Sinkhorn with a regularisation that falls to `epsilon`, or to a fiftieth of the mean cost if
/// that is more: the plan only has to say which cells go where.
fn coupled(source: Cells<'_>, target: Cells<'_>, epsilon: f64) -> Array2<f64> {
    const ROUNDS: usize = 15;
    let mut cost = product_nt(source.0, target.0) * -1.0;
    let half_square = |row: ArrayView1<'_, f64>| 0.5 * row.dot(&row);
    let x: Vec<f64> = source.0.rows().into_iter().map(half_square).collect();
    let y: Array1<f64> = target.0.rows().into_iter().map(half_square).collect();
    for (mut row, x) in cost.rows_mut().into_iter().zip(x) {
        row.zip_mut_with(&y, |cost, y| *cost = (x + y + *cost).max(0.0));
    }
    let mean = source.1.dot(&cost.dot(&target.1));
    let last = epsilon.max(mean / 50.0);
    let mut regularisation = last.max(mean / 3.0);
    let (mut f, mut g) = reduced(&cost);
    loop {
        let mut kernel = cost.clone();
        absorb(&mut kernel, &f, &g, regularisation);
        let mut u = Array1::<f64>::ones(f.len());
        let mut v = Array1::<f64>::ones(g.len());
        for _ in 0..ROUNDS {
            v = &target.1 / &positive(u.dot(&kernel));
            u = &source.1 / &positive(kernel.dot(&v));
        }
        if regularisation <= last {
            kernel *= &v;
            kernel *= &u.insert_axis(Axis(1));
            let total = kernel.sum();
            return kernel / total;
        }
        f.scaled_add(regularisation, &u.mapv(f64::ln));
        g.scaled_add(regularisation, &v.mapv(f64::ln));
        regularisation = (regularisation / 3.0).max(last);
    }
}

/// Potentials that leave a zero in every row and column of `cost − f − g` and nothing negative:
/// no row or column of its exponential vanishes.
fn reduced(cost: &Array2<f64>) -> (Array1<f64>, Array1<f64>) {
    let smallest =
        |values: ArrayView1<'_, f64>| values.iter().fold(f64::INFINITY, |a, &b| a.min(b));
    let f: Array1<f64> = cost.rows().into_iter().map(smallest).collect();
    let g = cost.columns().into_iter().map(|column| smallest((&column - &f).view())).collect();
    (f, g)
}

/// `exp((f + g − cost) / regularisation)` in place.
fn absorb(cost: &mut Array2<f64>, f: &Array1<f64>, g: &Array1<f64>, regularisation: f64) {
    for (mut row, f) in cost.rows_mut().into_iter().zip(f) {
        row.zip_mut_with(g, |value, g| *value = (f + g - *value) / regularisation);
        if let Some(row) = row.as_slice_mut() {
            exp_in_place(row);
        }
    }
}

fn positive(values: Array1<f64>) -> Array1<f64> {
    values.mapv(|value| value.max(1e-290))
}

#[cfg(test)]
mod tests {
    use ndarray::array;
    use rand_distr::StandardNormal;

    use super::*;
    use crate::bridge::lightsb::objective::Objective;

    /// Of six cells in a row, which group each belongs to.
    const GROUP: [usize; 6] = [0, 0, 0, 1, 2, 2];

    /// Three groups that move by the same step, and the weights of the cells.
    fn groups() -> (Array2<f64>, Array2<f64>, Array1<f64>) {
        let mut stream = Seed(1).stream("test/groups", 0);
        let mut x: Array2<f64> =
            Array2::from_shape_simple_fn((90, 2), || StandardNormal.sample(&mut stream)) * 0.2;
        for (i, mut cell) in x.rows_mut().into_iter().enumerate() {
            cell[0] += 3.0 * GROUP[i % 6] as f64 - 3.0;
        }
        let y = &x + &array![0.5, -0.5];
        (x, y, Array1::from_elem(90, 1.0 / 90.0))
    }

    #[test]
    fn the_coupling_keeps_marginals_and_takes_cells_to_their_group() {
        let (x, y, even) = groups();
        let plan = coupled((x.view(), even.view()), (y.view(), even.view()), 0.1);
        // The last half step is that of the source.
        assert!(plan.sum_axis(Axis(1)).iter().all(|mass| (mass * 90.0 - 1.0).abs() < 1e-9));
        assert!(plan.sum_axis(Axis(0)).iter().all(|mass| (mass * 90.0 - 1.0).abs() < 0.1));
        let astray: f64 = plan
            .indexed_iter()
            .filter(|((i, j), _)| GROUP[i % 6] != GROUP[j % 6])
            .map(|entry| entry.1)
            .sum();
        assert!(astray < 1e-6, "{astray}");
    }

    #[test]
    fn the_coupling_takes_far_cells_without_overflow() {
        let (x, y, even) = groups();
        let far = (&x * 1e4, &y * 1e4 + 1e6);
        let plan = coupled((far.0.view(), even.view()), (far.1.view(), even.view()), 1e-3);
        assert!(plan.iter().all(|mass| mass.is_finite()) && (plan.sum() - 1.0).abs() < 1e-9);
    }

    #[test]
    fn every_gaussian_begins_with_its_share_of_the_cells() {
        let (x, y, even) = groups();
        let (source, target) = ((x.view(), even.view()), (y.view(), even.view()));
        for covariance in [Covariance::Scalar, Covariance::Diagonal, Covariance::Full] {
            let settings = StartSettings { covariance, n_gaussians: 3, epsilon: 0.1, floor: 1e-4 };
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
        let mut firsts = k_means((x.view(), even.view()), 3, Seed(3)).column(0).to_vec();
        firsts.sort_by(f64::total_cmp);
        assert!(
            firsts.iter().zip([-3.0, 0.0, 3.0]).all(|(a, b)| (a - b).abs() < 0.2),
            "{firsts:?}"
        );
        let same = Array2::from_shape_fn((90, 2), |(i, _)| if i < 45 { 1.0 } else { 2.0 });
        assert_eq!(k_means((same.view(), even.view()), 5, Seed(3)).nrows(), 2);
    }
}
