//! Exact Wasserstein distances between weighted snapshots, with their dual prices.

use ndarray::{Array1, ArrayView1, ArrayView2};

use crate::data::Snapshot;
use crate::error::{Error, Result};
use crate::linalg::{TransportPlan, exact_plan};
use crate::metrics::distances::{check_same_dim, pairwise};
use crate::progress::Progress;

/// Largest number of pairs of cells, 3.2 GB of costs.
const MAX_PAIRS: usize = 400_000_000;

/// The order of a Wasserstein distance with Euclidean ground distance.
///
/// ```
/// use ndarray::array;
/// use sbcell::Silent;
/// use sbcell::data::Snapshot;
/// use sbcell::metrics::{Order, wasserstein};
///
/// // One of two cells moves by 2, the other does not move.
/// let x = Snapshot::new(array![[0.0], [9.0]])?;
/// let y = Snapshot::new(array![[2.0], [9.0]])?;
/// let w = |order| wasserstein(&x, &y, order, &mut Silent);
/// assert!((w(Order::One)? - 1.0).abs() < 1e-12);
/// assert!((w(Order::Two)? - 2.0_f64.sqrt()).abs() < 1e-12);
/// # sbcell::Result::Ok(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// W₁, the mean distance.
    One,
    /// W₂, the root of the mean squared distance.
    Two,
}

impl Order {
    /// The function from a squared distance to the cost.
    pub(super) fn cost(self) -> fn(f64) -> f64 {
        match self {
            Self::One => f64::sqrt,
            Self::Two => |squared| squared,
        }
    }

    /// The distance from a mean cost, which rounding can make slightly negative.
    pub(super) fn distance(self, mean_cost: f64) -> f64 {
        match self {
            Self::One => mean_cost.max(0.0),
            Self::Two => mean_cost.max(0.0).sqrt(),
        }
    }
}

/// The exact Wasserstein distance `W_p(x, y) = (min Σ P_ij ‖x_i − y_j‖^p)^{1/p}`.
///
/// It has the unit of the points. Some programs call the mean squared distance, without the root, W₂.
/// With few cells in many dimensions the distance between samples of one population is far from 0, and
/// a snapshot that is too narrow can have a smaller distance than a true sample. Therefore compare with
/// [`crate::metrics::noise_floor`].
///
/// The method is the network simplex. Time about `O(n^2.7)` (0.03 s for 1000 cells on each side, 0.6 s
/// for 3000), memory 8 bytes per pair of cells. [`Order`] has an example.
///
/// # Errors
/// [`Error::Shape`] if the dimensions differ; [`Error::Parameter`] if there are more than 4·10⁸
/// pairs; [`Error::Cancelled`].
pub fn wasserstein(
    x: &Snapshot,
    y: &Snapshot,
    order: Order,
    progress: &mut dyn Progress,
) -> Result<f64> {
    Ok(order.distance(plan(x, y, order, progress)?.cost))
}

/// The mean cost (W₁, or W₂ squared) with its dual prices.
///
/// For other weights `w'` and `v'` the mean cost is `C + Σ (w'_i − w_i) u_i + Σ (v'_j − v_j) p_j` to
/// first order, where `u` and `p` are the prices. This value is also a lower bound.
///
/// # Errors
/// As for [`wasserstein`].
pub(super) fn priced(
    x: &Snapshot,
    y: &Snapshot,
    order: Order,
    progress: &mut dyn Progress,
) -> Result<Priced> {
    let plan = plan(x, y, order, progress)?;
    Ok(Priced {
        mean_cost: plan.cost,
        prices: Prices {
            source: Array1::from(plan.source_prices),
            target: Array1::from(plan.target_prices),
        },
    })
}

/// Dual prices: the change of a mean cost per unit of mass at each cell.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Prices {
    /// Price at each cell of the first snapshot.
    pub(super) source: Array1<f64>,
    /// Price at each cell of the second snapshot.
    pub(super) target: Array1<f64>,
}

impl Prices {
    /// Prices of zero for `n` source and `m` target cells.
    pub(super) fn zeros(n: usize, m: usize) -> Self {
        Self { source: Array1::zeros(n), target: Array1::zeros(m) }
    }

    /// Adds other prices of the same cells.
    pub(super) fn add(&mut self, other: &Self) {
        self.source += &other.source;
        self.target += &other.target;
    }

    /// All prices divided by `n`, the mean of a sum of `n`.
    pub(super) fn divided(self, n: f64) -> Self {
        Self { source: self.source / n, target: self.target / n }
    }
}

/// The least mean cost between two snapshots, with its dual prices.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Priced {
    pub(super) mean_cost: f64,
    pub(super) prices: Prices,
}

impl Priced {
    /// Prices at other source cells: the largest feasible ones, `min_j (c(·, y_j) − p_j)`.
    ///
    /// `y` is the second snapshot of this solution. Time `3 d` flops for each pair of cells.
    pub(super) fn at_sources(
        &self,
        cells: ArrayView2<'_, f64>,
        y: &Snapshot,
        order: Order,
    ) -> Array1<f64> {
        largest_prices(cells, y, &self.prices.target, order)
    }

    /// Prices at other target cells, as [`Priced::at_sources`]; `x` is the first snapshot.
    pub(super) fn at_targets(
        &self,
        cells: ArrayView2<'_, f64>,
        x: &Snapshot,
        order: Order,
    ) -> Array1<f64> {
        largest_prices(cells, x, &self.prices.source, order)
    }
}

/// The largest feasible prices at `cells`, given the prices of the cells of the other side.
fn largest_prices(
    cells: ArrayView2<'_, f64>,
    others: &Snapshot,
    prices: &Array1<f64>,
    order: Order,
) -> Array1<f64> {
    let costs = pairwise(cells, others.points(), order.cost());
    let least = |row: ArrayView1<'_, f64>| {
        row.iter().zip(prices).fold(f64::INFINITY, |least, (c, p)| least.min(c - p))
    };
    costs.rows().into_iter().map(least).collect()
}

/// The optimal coupling for costs of this order, after a check of dimensions and size.
fn plan(
    x: &Snapshot,
    y: &Snapshot,
    order: Order,
    progress: &mut dyn Progress,
) -> Result<TransportPlan> {
    check_same_dim(x, y)?;
    let n_pairs = x.n_cells().saturating_mul(y.n_cells());
    if n_pairs > MAX_PAIRS {
        let must = "at most 4e8 pairs for an exact distance; draw fewer cells";
        let got = format!("{} × {}", x.n_cells(), y.n_cells());
        return Err(Error::Parameter { name: "number of cells", must, got });
    }
    let cost = pairwise(x.points(), y.points(), order.cost());
    exact_plan(cost.view(), x.marginal(), y.marginal(), progress)
}

#[cfg(test)]
mod tests {
    use ndarray::{Array1, Array2, array};

    use super::*;
    use crate::metrics::sliced::sliced_wasserstein_along;
    use crate::progress::Silent;

    fn distance(x: &Snapshot, y: &Snapshot, order: Order) -> f64 {
        wasserstein(x, y, order, &mut Silent).unwrap()
    }

    fn cloud(n: usize, dim: usize) -> Array2<f64> {
        Array2::from_shape_fn((n, dim), |(i, d)| ((i * 37 + d * 11) as f64 * 0.7).sin())
    }

    #[test]
    fn a_shift_costs_its_length() {
        let x = Snapshot::new(cloud(60, 2)).unwrap();
        let y = Snapshot::new(cloud(60, 2) + &array![0.3, -0.4]).unwrap();
        assert!((distance(&x, &y, Order::Two) - 0.5).abs() < 1e-13);
        assert!((distance(&x, &y, Order::One) - 0.5).abs() < 1e-13);
    }

    #[test]
    fn the_order_of_cells_does_not_matter() {
        let points = cloud(50, 3);
        let turned: Vec<usize> = (0..50).map(|i| (i * 7 + 3) % 50).collect();
        let x = Snapshot::new(points.clone()).unwrap();
        let y = Snapshot::new(points.select(ndarray::Axis(0), &turned)).unwrap();
        assert!(distance(&x, &y, Order::One).abs() < 1e-15);
        assert!(distance(&x, &y, Order::Two).abs() < 1e-15);
    }

    #[test]
    fn in_one_dimension_quantiles_meet() {
        let x = Snapshot::weighted(array![[0.], [1.], [5.]], array![0.5, 0.25, 0.25]).unwrap();
        let y = Snapshot::new(array![[1.], [3.]]).unwrap();
        // Mass ½ from 0 to 1, ¼ from 1 to 3, ¼ from 5 to 3.
        assert!((distance(&x, &y, Order::One) - 1.5).abs() < 1e-14);
        assert!((distance(&x, &y, Order::Two) - 2.5_f64.sqrt()).abs() < 1e-14);
        let weights = |n: usize| Array1::from_shape_fn(n, |i| 1.0 + (i % 5) as f64);
        let x = Snapshot::weighted(cloud(41, 1), weights(41)).unwrap();
        let y = Snapshot::weighted(cloud(90, 1) * 1.5, weights(90)).unwrap();
        for order in [Order::One, Order::Two] {
            let along = sliced_wasserstein_along(&x, &y, order, array![[1.0]].view()).unwrap();
            assert!((distance(&x, &y, order) - along).abs() < 1e-12);
        }
    }

    #[test]
    fn refuses_clouds_of_different_dimension_and_too_many_pairs() {
        let x = Snapshot::new(cloud(3, 2)).unwrap();
        let y = Snapshot::new(cloud(3, 3)).unwrap();
        assert!(matches!(wasserstein(&x, &y, Order::One, &mut Silent), Err(Error::Shape { .. })));
        let many = Snapshot::new(Array2::zeros((20_001, 1))).unwrap();
        let result = wasserstein(&many, &many, Order::One, &mut Silent);
        assert!(matches!(result, Err(Error::Parameter { .. })));
    }
}
