//! A rough entropic coupling of some cells, which assigns source cells to clusters of the target.

use ndarray::{Array1, Array2, ArrayView1, Axis};

use crate::bridge::draw_cells;
use crate::bridge::lightsb::start::Cells;
use crate::linalg::{exp_in_place, product_nt};
use crate::rng::Seed;

/// Kernel below which a pair carries no mass. Its products would be subnormal, for which some
/// processors take about a hundred times as long.
const NEGLIGIBLE: f64 = 1e-150;

/// An entropic coupling of some cells of each snapshot. A rough result is enough, because it only
/// assigns source cells to clusters. All initialisations share it.
#[derive(Debug)]
pub(super) struct RoughCoupling {
    /// Source cells, `(n, dim)`.
    pub(super) source: Array2<f64>,
    /// Weights of the source cells.
    pub(super) weights: Array1<f64>,
    /// Target cells.
    pub(super) target: Array2<f64>,
    /// Masses of the pairs, summing to one.
    pub(super) plan: Array2<f64>,
}

impl RoughCoupling {
    /// The coupling of at most `n_coupled` cells of each snapshot. Takes `O(n_coupled² d)` time and
    /// `O(n_coupled²)` memory.
    pub(super) fn new(
        source: Cells<'_>,
        target: Cells<'_>,
        n_coupled: usize,
        epsilon: f64,
        seed: Seed,
    ) -> Self {
        let seeds = ["lightsb/thin source", "lightsb/thin target"].map(|name| seed.child(name, 0));
        let (source, weights) = thinned(source, n_coupled, seeds[0]);
        let (target, target_weights) = thinned(target, n_coupled, seeds[1]);
        let from = Cells { points: source.view(), weights: weights.view() };
        let to = Cells { points: target.view(), weights: target_weights.view() };
        let plan = coupled(from, to, epsilon);
        Self { source, weights, target, plan }
    }
}

/// At most `limit` cells: all with their weights, or drawn cells of equal weight.
fn thinned(cells: Cells<'_>, limit: usize, seed: Seed) -> (Array2<f64>, Array1<f64>) {
    let Cells { points, weights } = cells;
    if points.nrows() <= limit {
        return (points.to_owned(), weights.to_owned());
    }
    let chosen = draw_cells(weights, limit, seed);
    (points.select(Axis(0), &chosen), Array1::from_elem(limit, 1.0 / limit as f64))
}

/// The masses of a rough entropic coupling, summing to one.
///
/// The regularisation decreases to `epsilon`, or to a fiftieth of the mean cost if that is more,
/// with fifteen Sinkhorn iterations each.
fn coupled(source: Cells<'_>, target: Cells<'_>, epsilon: f64) -> Array2<f64> {
    /// Sinkhorn iterations for each regularisation.
    const ROUNDS: usize = 15;
    let mut cost = product_nt(source.points, target.points) * -1.0;
    let half_square = |row: ArrayView1<'_, f64>| 0.5 * row.dot(&row);
    let x: Vec<f64> = source.points.rows().into_iter().map(half_square).collect();
    let y: Array1<f64> = target.points.rows().into_iter().map(half_square).collect();
    for (mut row, x) in cost.rows_mut().into_iter().zip(x) {
        row.zip_mut_with(&y, |cost, y| *cost = (x + y + *cost).max(0.0));
    }
    let mean = source.weights.dot(&cost.dot(&target.weights));
    let last = epsilon.max(mean / 50.0);
    let mut regularisation = last.max(mean / 3.0);
    let (mut f, mut g) = reduced(&cost);
    loop {
        let mut kernel = cost.clone();
        absorb(&mut kernel, &f, &g, regularisation);
        let mut u = Array1::<f64>::ones(f.len());
        let mut v = Array1::<f64>::ones(g.len());
        for _ in 0..ROUNDS {
            v = &target.weights / &positive(u.dot(&kernel));
            u = &source.weights / &positive(kernel.dot(&v));
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

/// Potentials with which every row and column of `cost − f − g` contains a zero and no entry is
/// negative. No row or column of the kernel then vanishes.
fn reduced(cost: &Array2<f64>) -> (Array1<f64>, Array1<f64>) {
    let smallest =
        |values: ArrayView1<'_, f64>| values.iter().fold(f64::INFINITY, |a, &b| a.min(b));
    let f: Array1<f64> = cost.rows().into_iter().map(smallest).collect();
    let g = cost.columns().into_iter().map(|column| smallest((&column - &f).view())).collect();
    (f, g)
}

/// `exp((f + g − cost)/regularisation)` in place.
fn absorb(cost: &mut Array2<f64>, f: &Array1<f64>, g: &Array1<f64>, regularisation: f64) {
    for (mut row, f) in cost.rows_mut().into_iter().zip(f) {
        row.zip_mut_with(g, |value, g| *value = (f + g - *value) / regularisation);
        if let Some(row) = row.as_slice_mut() {
            exp_in_place(row);
            for value in row.iter_mut().filter(|value| **value < NEGLIGIBLE) {
                *value = 0.0;
            }
        }
    }
}

/// Values bounded away from zero, as divisors.
fn positive(values: Array1<f64>) -> Array1<f64> {
    values.mapv(|value| value.max(1e-290))
}

#[cfg(test)]
pub(super) mod tests {
    use ndarray::array;
    use rand_distr::{Distribution, StandardNormal};

    use super::*;

    pub(in crate::bridge::lightsb) fn cells<'a>(
        points: &'a Array2<f64>,
        weights: &'a Array1<f64>,
    ) -> Cells<'a> {
        Cells { points: points.view(), weights: weights.view() }
    }

    /// Of six cells in a row, which group each belongs to.
    const GROUP: [usize; 6] = [0, 0, 0, 1, 2, 2];

    /// Three groups that move by the same step, and the weights of the cells.
    pub(in crate::bridge::lightsb) fn groups() -> (Array2<f64>, Array2<f64>, Array1<f64>) {
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
        let plan = coupled(cells(&x, &even), cells(&y, &even), 0.1);
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
        let (x, y) = (&x * 1e4, &y * 1e4 + 1e6);
        let plan = coupled(cells(&x, &even), cells(&y, &even), 1e-3);
        assert!(plan.iter().all(|mass| mass.is_finite()) && (plan.sum() - 1.0).abs() < 1e-9);
    }
}
