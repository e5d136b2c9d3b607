//! Exact Wasserstein distances between weighted clouds.

use ndarray::{Array1, ArrayView1, ArrayView2};

use crate::data::Snapshot;
use crate::error::{Error, Result};
use crate::linalg::{TransportPlan, exact_plan};
use crate::metrics::distances::{check_same_dim, pairwise};
use crate::progress::Progress;

/// Pairs of cells at most: 3.2 GB of costs.
const MAX_PAIRS: usize = 400_000_000;

/// The order of a Wasserstein distance with Euclidean ground distance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// W₁: the mean distance a cell moves.
    One,
    /// W₂: the root of the mean squared distance.
    Two,
}

impl Order {
    /// The cost of a squared distance.
    pub(super) fn cost(self) -> fn(f64) -> f64 {
        match self {
            Self::One => f64::sqrt,
            Self::Two => |squared| squared,
        }
    }

    /// The distance that a mean cost is. Rounding may leave a cost of zero just below it.
    pub(super) fn distance(self, mean_cost: f64) -> f64 {
        match self {
            Self::One => mean_cost.max(0.0),
            Self::Two => mean_cost.max(0.0).sqrt(),
        }
    }
}

/// `W_p(x, y) = (min Σ P_ij ‖x_i − y_j‖^p)^{1/p}`, exactly (see [`exact_plan`]).
///
/// In the units of the points. Other codes may mean the mean squared distance, without the root,
/// by W₂. With few cells in many dimensions W is far from 0 between samples of one population,
/// and a cloud that is too narrow can be nearer than a true one: compare with
/// [`crate::metrics::noise_floor`].
///
/// Time about `O(n^2.7)` (0.03 s for 1000 cells a side, 0.6 s for 3000), memory 8 bytes per pair
/// of cells.
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

/// As [`wasserstein`] with the dual prices, which say how the distance answers to weights.
///
/// The mean cost `C` (W₁, or W₂ squared) of weights near those of the snapshots is
/// `C + Σ (w'_i − w_i) u_i + Σ (v'_j − v_j) p_j` to first order, and never less.
///
/// # Errors
/// As [`wasserstein`].
pub(super) fn priced(
    x: &Snapshot,
    y: &Snapshot,
    order: Order,
    progress: &mut dyn Progress,
) -> Result<Priced> {
    let plan = plan(x, y, order, progress)?;
    Ok(Priced {
        mean_cost: plan.cost,
        source: Array1::from(plan.source_prices),
        target: Array1::from(plan.target_prices),
    })
}

/// A mean cost with the price of mass at each cell.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Priced {
    /// The least mean cost of moving one cloud onto the other.
    pub(super) mean_cost: f64,
    /// Price of mass at each cell of the first cloud.
    pub(super) source: Array1<f64>,
    /// Price of mass at each cell of the second.
    pub(super) target: Array1<f64>,
}

impl Priced {
    /// The prices at all cells of two clouds of which `x` and `y` are draws: the largest that are
    /// still feasible, `min_j (c(·, y_j) − p_j)` for the first.
    ///
    /// Time `3 d` flops for each pair of a cell and a drawn cell.
    pub(super) fn spread(
        &self,
        (x, y): (&Snapshot, &Snapshot),
        all: (ArrayView2<'_, f64>, ArrayView2<'_, f64>),
        order: Order,
    ) -> (Array1<f64>, Array1<f64>) {
        let of = |cells, drawn, prices: &Array1<f64>| -> Array1<f64> {
            let costs = pairwise(cells, drawn, order.cost());
            let least = |row: ArrayView1<'_, f64>| {
                row.iter().zip(prices).fold(f64::INFINITY, |least, (c, p)| least.min(c - p))
            };
            costs.rows().into_iter().map(least).collect()
        };
        (of(all.0, y.points(), &self.target), of(all.1, x.points(), &self.source))
    }
}

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
