//! Where the descent begins: clusters of the target and the source cells that go to them.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis, s};
use rand::Rng;
use rand_distr::{Distribution, StandardUniform};
use rayon::prelude::*;

use crate::bridge::lightsb::mixture::{Mixture, closed_form};
use crate::linalg::{exp_in_place, product, product_nt};
use crate::rng::Seed;

/// Cells that are worked on together; fixed, so that results do not depend on threads.
const CHUNK: usize = 512;

/// Points and marginal.
pub(super) type Cells<'a> = (ArrayView2<'a, f64>, ArrayView1<'a, f64>);

/// The bridge between the two snapshots seen as one Gaussian each.
pub(super) fn one_gaussian(
    source: Cells<'_>,
    target: Cells<'_>,
    epsilon: f64,
    floor: f64,
) -> Mixture {
    let (source_mean, source_var) = mean_and_variance(source.0, source.1);
    let (target_mean, target_var) = mean_and_variance(target.0, target.1);
    let (r, s) = closed_form(
        (source_mean.view(), source_var.view()),
        (target_mean.view(), target_var.view()),
        epsilon,
        floor,
    );
    Mixture { log_alpha: Array1::zeros(1), r: r.insert_axis(Axis(0)), s: s.insert_axis(Axis(0)) }
}

/// One Gaussian for each cluster of the target, at most `n_gaussians`.
///
/// The target is clustered by k-means. A Sinkhorn coupling of `n_coupled` cells of each side says
/// which source cells go to each cluster, and how they pull apart: its potential gives `ln α`.
/// Mean and variance of both ends of a cluster give `r` and `S` in closed form. Time
/// `O((n_source + n_target) · (n_coupled + 10 n_gaussians) · dim)`, memory `O(n_coupled²)`.
pub(super) fn from_coupling(
    source: Cells<'_>,
    target: Cells<'_>,
    settings: StartSettings,
    seed: Seed,
) -> Mixture {
    let StartSettings { n_gaussians, n_coupled, epsilon, floor } = settings;
    let centres = k_means(target, n_gaussians, seed);
    let n_gaussians = centres.nrows();
    let (from, from_weights) = thinned(source, n_coupled, seed.stream("lightsb/thin source", 0));
    let (to, to_weights) = thinned(target, n_coupled, seed.stream("lightsb/thin target", 0));
    let coupling =
        Coupling::new((from.view(), from_weights.view()), (to.view(), to_weights.view()), epsilon);
    let clusters = nearest(to.view(), centres.view());
    let parts = coupling.parts(&clusters, n_gaussians);

    let all = nearest(target.0, centres.view());
    let member =
        Array2::from_shape_fn(
            (all.len(), n_gaussians),
            |(j, k)| {
                if all[j] == k { 1.0 } else { 0.0 }
            },
        );
    let mut mixture = Mixture {
        log_alpha: Array1::zeros(n_gaussians),
        r: Array2::zeros((n_gaussians, source.0.ncols())),
        s: Array2::zeros((n_gaussians, source.0.ncols())),
    };
    for k in 0..n_gaussians {
        let at_target = &target.1 * &member.column(k);
        let mut at_source = parts.column(k).to_owned();
        if at_source.sum() < 1e-12 {
            // No coupled cell is in this small cluster: it starts from everywhere.
            at_source.assign(&from_weights);
        }
        let (x, x_var) = mean_and_variance(from.view(), at_source.view());
        let (y, y_var) = mean_and_variance(target.0, at_target.view());
        let (r, s) =
            closed_form((x.view(), x_var.view()), (y.view(), y_var.view()), epsilon, floor);
        // ln α̃_k averaged over its cells is ln c, which the potential knows.
        let log_normaliser = (&at_source / at_source.sum()).dot(&coupling.log_normaliser);
        let tilt: f64 =
            (0..x.len()).map(|d| s[d] * (x_var[d] + x[d] * x[d]) + 2.0 * r[d] * x[d]).sum();
        mixture.log_alpha[k] = log_normaliser - tilt / (2.0 * epsilon);
        mixture.r.row_mut(k).assign(&r);
        mixture.s.row_mut(k).assign(&s);
    }
    mixture
}

/// What [`from_coupling`] needs to know.
#[derive(Debug, Clone, Copy)]
pub(super) struct StartSettings {
    pub(super) n_gaussians: usize,
    pub(super) n_coupled: usize,
    pub(super) epsilon: f64,
    pub(super) floor: f64,
}

/// Weighted mean and variance of each column; weights need not sum to one.
pub(super) fn mean_and_variance(
    points: ArrayView2<'_, f64>,
    weights: ArrayView1<'_, f64>,
) -> (Array1<f64>, Array1<f64>) {
    let total = weights.sum();
    let mean = weights.dot(&points) / total;
    let mut variance = Array1::zeros(points.ncols());
    for (row, weight) in points.rows().into_iter().zip(weights) {
        for ((variance, value), mean) in variance.iter_mut().zip(row).zip(&mean) {
            *variance += weight / total * (value - mean) * (value - mean);
        }
    }
    (mean, variance)
}

/// At most `limit` cells: all with their weights, or cells of equal weight at even steps of the
/// summed marginal from a random start, so that neighbours in order are not drawn together.
fn thinned(cells: Cells<'_>, limit: usize, mut stream: impl Rng) -> (Array2<f64>, Array1<f64>) {
    let (points, marginal) = cells;
    if points.nrows() <= limit {
        return (points.to_owned(), marginal.to_owned());
    }
    let offset: f64 = StandardUniform.sample(&mut stream);
    let mut chosen = Vec::with_capacity(limit);
    let mut sum = 0.0;
    for (i, weight) in marginal.iter().enumerate() {
        sum += weight * limit as f64;
        while chosen.len() < limit && (chosen.len() as f64 + offset) < sum {
            chosen.push(i);
        }
    }
    let weight = 1.0 / chosen.len().max(1) as f64;
    (points.select(Axis(0), &chosen), Array1::from_elem(chosen.len(), weight))
}

/// Centres by k-means++ and ten rounds of Lloyd's algorithm; fewer than `k` if there are not as
/// many different points.
fn k_means(cells: Cells<'_>, k: usize, seed: Seed) -> Array2<f64> {
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
        let clusters = nearest(points, centres.view());
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

/// The nearest centre of each point.
fn nearest(points: ArrayView2<'_, f64>, centres: ArrayView2<'_, f64>) -> Vec<usize> {
    let halves: Vec<f64> = centres.rows().into_iter().map(|row| 0.5 * row.dot(&row)).collect();
    let chunks: Vec<Vec<usize>> = (0..points.nrows().div_ceil(CHUNK))
        .into_par_iter()
        .map(|chunk| {
            let end = points.nrows().min((chunk + 1) * CHUNK);
            let inner = product_nt(points.slice(s![chunk * CHUNK..end, ..]), centres);
            let closest = |row: ArrayView1<'_, f64>| {
                let closer = |best: usize, k: usize| {
                    if halves[k] - row[k] < halves[best] - row[best] { k } else { best }
                };
                (0..halves.len()).fold(0, closer)
            };
            inner.rows().into_iter().map(closest).collect()
        })
        .collect();
    chunks.concat()
}

/// A rough entropic coupling of a few cells.
struct Coupling {
    /// The mass that goes from each cell to each, summing to one.
    plan: Array2<f64>,
    /// `ln c(x)` of each source cell of marginal `a`: `(½|x|² − f(x))/ε + ln a`, with the
    /// potential `f` in `plan = exp((f + g − cost)/ε)`.
    log_normaliser: Array1<f64>,
}

impl Coupling {
    /// Sinkhorn with a regularisation that falls to `epsilon`, or to a fiftieth of the mean cost
    /// if that is more: the plan only has to say which cells go where.
    fn new(source: Cells<'_>, target: Cells<'_>, epsilon: f64) -> Self {
        const ROUNDS: usize = 15;
        let (x, y) = (source.0, target.0);
        let half_square = |points: ArrayView2<'_, f64>| -> Array1<f64> {
            points.rows().into_iter().map(|row| 0.5 * row.dot(&row)).collect()
        };
        let (x_half, y_half) = (half_square(x), half_square(y));
        let mut cost = product_nt(x, y);
        for (mut row, half) in cost.rows_mut().into_iter().zip(&x_half) {
            row.zip_mut_with(&y_half, |value, other| *value = (half + other - *value).max(0.0));
        }
        let mean = source.1.dot(&cost.dot(&target.1));
        let last = epsilon.max(mean / 50.0);
        let (mut f, mut g) = reduced(&cost);
        let mut regularisation = last.max(mean / 3.0);
        loop {
            let mut kernel = cost.clone();
            absorb(&mut kernel, &f, &g, regularisation);
            let mut u = Array1::<f64>::ones(x.nrows());
            let mut v = Array1::<f64>::ones(y.nrows());
            for _ in 0..ROUNDS {
                v = &target.1 / &positive(u.dot(&kernel));
                u = &source.1 / &positive(kernel.dot(&v));
            }
            f = &f + &(u.mapv(f64::ln) * regularisation);
            g = &g + &(v.mapv(f64::ln) * regularisation);
            if regularisation <= last {
                break;
            }
            regularisation = (regularisation / 3.0).max(last);
        }
        let mut plan = cost;
        absorb(&mut plan, &f, &g, last);
        let total = plan.sum();
        let log_normaliser = (&x_half - &f) / epsilon + source.1.mapv(f64::ln);
        Self { plan: plan / total, log_normaliser }
    }

    /// The mass from each source cell to each cluster of target cells.
    fn parts(&self, clusters: &[usize], n_clusters: usize) -> Array2<f64> {
        let member = Array2::from_shape_fn((clusters.len(), n_clusters), |(j, k)| {
            if clusters[j] == k { 1.0 } else { 0.0 }
        });
        product(self.plan.view(), member.view())
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
