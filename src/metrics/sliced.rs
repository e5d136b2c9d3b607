//! The sliced Wasserstein distance: exact distances of projections on many directions.

use ndarray::{Array2, ArrayView1, ArrayView2};
use rand_distr::{Distribution, StandardNormal};
use rayon::prelude::*;

use crate::data::Snapshot;
use crate::error::range::at_least_one;
use crate::error::{Error, Result};
use crate::linalg::product_nt;
use crate::metrics::distances::check_same_dim;
use crate::metrics::wasserstein::{Order, Prices};
use crate::rng::Seed;

/// Number of directions in one task, which computes their projections by one product.
const DIRECTIONS: usize = 16;

/// The sliced Wasserstein distance `(mean over directions of W_p^p of the projections)^{1/p}`.
///
/// Directions are uniform on the sphere. The distance is smaller than that of
/// [`crate::metrics::wasserstein()`] of the same order, for a shift by a factor of about `√dim`. Time
/// `O(n_projections · (n d + n log n))` on all threads, memory `O(n)` for each thread. Source:
/// Bonneel, Rabin, Peyré and Pfister 2015.
///
/// # Errors
/// [`Error::Shape`] if the dimensions differ; [`Error::Parameter`] if `n_projections` is 0.
///
/// ```
/// use ndarray::array;
/// use sbcell::Seed;
/// use sbcell::data::Snapshot;
/// use sbcell::metrics::{Order, sliced_wasserstein};
///
/// let x = Snapshot::new(array![[0.0], [1.0]])?;
/// let y = Snapshot::new(array![[3.0], [4.0]])?;
/// let distance = sliced_wasserstein(&x, &y, Order::One, 5, Seed(1))?;
/// assert!((distance - 3.0).abs() < 1e-12);
/// # sbcell::Result::Ok(())
/// ```
pub fn sliced_wasserstein(
    x: &Snapshot,
    y: &Snapshot,
    order: Order,
    n_projections: usize,
    seed: Seed,
) -> Result<f64> {
    let directions = directions(n_projections, x.dim(), seed);
    sliced_wasserstein_along(x, y, order, directions.view())
}

/// As [`sliced_wasserstein`], along given directions of length one, `(n_directions, dim)`.
///
/// # Errors
/// [`Error::Shape`] if the dimensions differ; [`Error::Parameter`] if there is no direction or the
/// length of one differs from one by more than 10⁻⁶.
pub fn sliced_wasserstein_along(
    x: &Snapshot,
    y: &Snapshot,
    order: Order,
    directions: ArrayView2<'_, f64>,
) -> Result<f64> {
    check_same_dim(x, y)?;
    check_directions(directions, x.dim())?;
    let costs = along_each(x, y, directions, |a, b| line_cost(sorted(a, x), &sorted(b, y), order));
    let total: f64 = costs.iter().sum();
    Ok(order.distance(total / directions.nrows() as f64))
}

/// The dual prices of the mean cost over directions at each cell of `x` and of `y`.
///
/// # Errors
/// As for [`sliced_wasserstein_along`].
pub(super) fn sliced_prices(
    x: &Snapshot,
    y: &Snapshot,
    order: Order,
    directions: ArrayView2<'_, f64>,
) -> Result<Prices> {
    check_same_dim(x, y)?;
    check_directions(directions, x.dim())?;
    let all = along_each(x, y, directions, |a, b| {
        let (a, b) = (Line::of(a, x), Line::of(b, y));
        // Prices are not unique if a source and a target are used up at the same time. The result
        // is the mean of both extremes.
        let mut prices = line_prices(&a, &b, order, true);
        prices.add(&line_prices(&a, &b, order, false));
        prices.divided(2.0)
    });
    let mut sum = Prices::zeros(x.n_cells(), y.n_cells());
    for prices in &all {
        sum.add(prices);
    }
    Ok(sum.divided(directions.nrows() as f64))
}

/// `n` directions uniform on the sphere, `(n, dim)`.
pub(super) fn directions(n: usize, dim: usize, seed: Seed) -> Array2<f64> {
    let mut rng = seed.stream("sliced/directions", 0);
    let mut directions: Array2<f64> =
        Array2::from_shape_simple_fn((n, dim), || StandardNormal.sample(&mut rng));
    for mut direction in directions.rows_mut() {
        let length = direction.dot(&direction).sqrt();
        direction /= length.max(f64::MIN_POSITIVE);
    }
    directions
}

/// `of(projection of x, projection of y)` for each direction, in order, on all threads.
fn along_each<T: Send>(
    x: &Snapshot,
    y: &Snapshot,
    directions: ArrayView2<'_, f64>,
    of: impl Fn(ArrayView1<'_, f64>, ArrayView1<'_, f64>) -> T + Sync,
) -> Vec<T> {
    let starts: Vec<usize> = (0..directions.nrows()).step_by(DIRECTIONS).collect();
    let found: Vec<Vec<T>> = starts
        .into_par_iter()
        .map(|start| {
            let end = (start + DIRECTIONS).min(directions.nrows());
            let some = directions.slice(ndarray::s![start..end, ..]);
            let (of_x, of_y) = (product_nt(some, x.points()), product_nt(some, y.points()));
            let lines = of_x.rows().into_iter().zip(of_y.rows());
            lines.map(|(a, b)| of(a, b)).collect()
        })
        .collect();
    found.into_iter().flatten().collect()
}

/// Checks the number, the dimension and the length of directions.
fn check_directions(directions: ArrayView2<'_, f64>, dim: usize) -> Result<()> {
    at_least_one("n_projections", directions.nrows())?;
    if directions.ncols() != dim {
        let (what, unit) = ("directions", "columns");
        return Err(Error::Shape { what, unit, expected: dim, got: directions.ncols() });
    }
    for direction in directions.rows() {
        let length = direction.dot(&direction).sqrt();
        if !(1.0 - 1e-6..=1.0 + 1e-6).contains(&length) {
            let got = length.to_string();
            return Err(Error::Parameter { name: "directions", must: "vectors of length 1", got });
        }
    }
    Ok(())
}

/// Positions on a line with their masses, by increasing position.
fn sorted(places: ArrayView1<'_, f64>, snapshot: &Snapshot) -> Vec<(f64, f64)> {
    let mut line: Vec<(f64, f64)> =
        places.iter().copied().zip(snapshot.marginal().iter().copied()).collect();
    line.sort_by(|a, b| a.0.total_cmp(&b.0));
    line
}

/// The minimal mean cost on a line, from quantile to quantile; both sides are sorted.
fn line_cost(x: Vec<(f64, f64)>, y: &[(f64, f64)], order: Order) -> f64 {
    let mut targets = y.iter().copied();
    let mut target = targets.next();
    let mut cost = 0.0;
    for (place, mass) in x {
        let mut left = mass;
        while let Some((other, open)) = target {
            let moved = left.min(open);
            let distance = (place - other).abs();
            cost += moved * if order == Order::One { distance } else { distance * distance };
            left -= moved;
            // The source moves on if it is used up, otherwise the target does.
            if left <= 0.0 {
                target = Some((other, open - moved));
                break;
            }
            target = targets.next();
        }
    }
    cost
}

/// The cells of positive mass on a line.
struct Line {
    /// Index, position and mass of each cell, by increasing position.
    cells: Vec<(usize, f64, f64)>,
    /// Number of all cells.
    n_cells: usize,
}

impl Line {
    /// The cells of a snapshot at these positions.
    fn of(places: ArrayView1<'_, f64>, snapshot: &Snapshot) -> Self {
        let all = places.iter().zip(snapshot.marginal()).enumerate();
        let mut cells: Vec<(usize, f64, f64)> = all
            .map(|(cell, (place, mass))| (cell, *place, *mass))
            .filter(|cell| cell.2 > 0.0)
            .collect();
        cells.sort_by(|a, b| a.1.total_cmp(&b.1));
        Self { cells, n_cells: places.len() }
    }
}

/// Dual prices on a line.
///
/// The coupling from quantile to quantile visits pairs of cells one after the other; for each of them
/// the prices sum to the cost, and one of the two prices is known from the previous pair. If a source
/// and a target are used up at the same time, `source_first` decides which one moves on first. Cells
/// of mass zero have the price 0.
fn line_prices(x: &Line, y: &Line, order: Order, source_first: bool) -> Prices {
    let mut prices = Prices::zeros(x.n_cells, y.n_cells);
    let (Some(&(first, _, mass)), Some(&(_, _, open))) = (x.cells.first(), y.cells.first()) else {
        return prices;
    };
    let cost = |i: usize, j: usize| {
        let distance = (x.cells[i].1 - y.cells[j].1).abs();
        if order == Order::One { distance } else { distance * distance }
    };
    let (mut i, mut j, mut left, mut open) = (0, 0, mass, open);
    prices.source[first] = 0.0;
    prices.target[y.cells[0].0] = cost(0, 0);
    while i + 1 < x.cells.len() || j + 1 < y.cells.len() {
        let tie = (left - open).abs() < 1e-12;
        let by_mass = if tie { source_first } else { left < open };
        if j + 1 == y.cells.len() || (by_mass && i + 1 < x.cells.len()) {
            open -= left;
            i += 1;
            left = x.cells[i].2;
            prices.source[x.cells[i].0] = cost(i, j) - prices.target[y.cells[j].0];
        } else {
            left -= open;
            j += 1;
            open = y.cells[j].2;
            prices.target[y.cells[j].0] = cost(i, j) - prices.source[x.cells[i].0];
        }
    }
    prices
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn a_shift_costs_its_shadow() {
        let points = Array2::from_shape_fn((40, 2), |(i, d)| ((i * 7 + d) as f64).sin());
        let x = Snapshot::new(points.clone()).unwrap();
        let y = Snapshot::new(points + &array![2.0, 0.0]).unwrap();
        let axes = array![[1.0, 0.0], [0.0, 1.0], [-0.6, 0.8]];
        let along = |order| sliced_wasserstein_along(&x, &y, order, axes.view()).unwrap();
        assert!((along(Order::One) - (2.0 + 0.0 + 1.2) / 3.0).abs() < 1e-14);
        assert!((along(Order::Two) - ((4.0 + 0.0 + 1.44) / 3.0_f64).sqrt()).abs() < 1e-14);
    }

    #[test]
    fn the_mean_over_directions_of_a_shift_is_known() {
        // E (u · s)² = |s|² / d for u uniform on the sphere; 4000 directions, 5 standard errors.
        let x = Snapshot::new(Array2::zeros((1, 5))).unwrap();
        let y = Snapshot::new(array![[1., 2., 0., -2., 0.]]).unwrap();
        let squared = sliced_wasserstein(&x, &y, Order::Two, 4000, Seed(1)).unwrap().powi(2);
        assert!((squared - 9.0 / 5.0).abs() < 5.0 * 9.0 * (8.0 / 175.0 / 4000.0_f64).sqrt());
        let again = sliced_wasserstein(&x, &y, Order::Two, 4000, Seed(1)).unwrap().powi(2);
        assert_eq!(squared.to_bits(), again.to_bits());
    }

    #[test]
    fn equal_shadows_cost_nothing_whatever_the_split_of_mass() {
        let x = Snapshot::weighted(array![[1.], [0.]], array![0.3, 0.7]).unwrap();
        let y = Snapshot::weighted(array![[0.], [1.], [0.]], array![0.4, 0.3, 0.3]).unwrap();
        let cost = sliced_wasserstein_along(&x, &y, Order::One, array![[1.0]].view()).unwrap();
        assert!(cost < 1e-15);
    }

    #[test]
    fn prices_prove_the_cost_and_say_how_it_answers_to_weights() {
        let cloud = |n: usize, f: f64| {
            let points = Array2::from_shape_fn((n, 2), |(i, d)| (f * (i * 2 + d) as f64).sin());
            Snapshot::weighted(points, (0..n).map(|i| 1.0 + (i % 3) as f64).collect()).unwrap()
        };
        let axes = array![[1.0, 0.0], [0.6, 0.8]];
        for (x, y) in [(cloud(23, 1.3), cloud(31, 0.7)), (cloud(12, 1.3), cloud(12, 0.9))] {
            for order in [Order::One, Order::Two] {
                let cost = |x: &Snapshot| {
                    let found = sliced_wasserstein_along(x, &y, order, axes.view()).unwrap();
                    if order == Order::One { found } else { found * found }
                };
                let Prices { source: u, target: v } =
                    sliced_prices(&x, &y, order, axes.view()).unwrap();
                let dual = u.dot(&x.marginal()) + v.dot(&y.marginal());
                assert!((dual - cost(&x)).abs() < 1e-12, "{dual} {}", cost(&x));
                // The cost is never below its first-order change, and near it for a small one.
                let mut weights = x.marginal().to_owned();
                weights[3] *= 1.0 + 1e-3;
                weights[8] *= 1.0 - 1e-3;
                let near = Snapshot::weighted(x.points().to_owned(), weights).unwrap();
                let said = cost(&x) + u.dot(&(&near.marginal() - &x.marginal()));
                let off = cost(&near) - said;
                assert!((-1e-12..1e-4).contains(&off), "{order:?} {off:e}");
            }
        }
    }

    #[test]
    fn refuses_bad_directions() {
        let x = Snapshot::new(array![[0., 0.], [1., 0.]]).unwrap();
        assert!(sliced_wasserstein(&x, &x, Order::One, 0, Seed(0)).is_err());
        let refuses = |directions: Array2<f64>| {
            assert!(sliced_wasserstein_along(&x, &x, Order::One, directions.view()).is_err());
        };
        refuses(array![[1.0]]);
        refuses(array![[1.0, 1.0]]);
        refuses(array![[f64::NAN, 1.0]]);
    }
}
