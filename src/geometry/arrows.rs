//! Arrows on a grid: the mean direction of the cells around each node.

use ndarray::ArrayView2;

use crate::error::{Error, Result, shape};

/// Arrows of the mean direction of cells on a grid over the plane.
///
/// The arrow at a node is the mean `Σ_i w_i v_i / Σ_i w_i` of the directions `v_i` of the cells, with
/// `w_i = exp(−d_i²/2)` and `d_i` the distance of the cell to the node in spacings of the grid (cells beyond `√6`
/// spacings have no weight). Nodes whose weights sum to less than `least` have no arrow.
///
/// Lengths are drawn, not measured: the 95th percentile of all lengths spans 1.15 spacings, longer arrows are cut to
/// it, and the square root of the others keeps slow arrows visible.
///
/// This is the way of scVelo's `velocity_embedding_grid` (Bergen et al. 2020), which takes the nearest cells of a node
/// instead of a fixed width. Results do not depend on threads.
///
/// ```
/// use ndarray::Array2;
/// use sbcell::geometry::ArrowGrid;
///
/// let points = Array2::from_shape_fn((400, 2), |(i, d)| [(i % 20) as f64, (i / 20) as f64][d]);
/// let right = Array2::from_shape_fn((400, 2), |(_, d)| [1.0, 0.0][d]);
/// let arrows = ArrowGrid { per_side: 10, least: 3.0 }.arrows(points.view(), right.view(), &[])?;
/// assert!((arrows[0].to[0] - arrows[0].at[0] - 1.15 * 1.9).abs() < 1e-9);
/// # sbcell::Result::Ok(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ArrowGrid {
    /// Number of spacings along each side, ≥ 1.
    pub per_side: usize,
    /// Least sum of weights at a node with an arrow, in cells.
    pub least: f64,
}

/// An arrow in the coordinates of the cells.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GridArrow {
    /// The node at which it begins.
    pub at: [f64; 2],
    /// Where it ends.
    pub to: [f64; 2],
    /// Weighted mean of the values of the cells around the node; zero without values.
    pub value: f64,
}

/// Square of the distance in spacings beyond which cells have no weight.
const FAR: f64 = 6.0;
/// Length of the 95th percentile, in spacings.
const LONG: f64 = 1.15;

impl ArrowGrid {
    /// The arrows of cells at `points` with these `directions`, both `(n, 2)`. `values` has a number for each
    /// cell, such as its time, or is empty. Cells with a coordinate that is not finite are left out.
    ///
    /// There are no arrows if all cells are on a line along an axis, or no cell moves.
    ///
    /// # Errors
    /// [`Error::Shape`] if the shapes differ; [`Error::Parameter`] if the grid is too small.
    pub fn arrows(
        self,
        points: ArrayView2<'_, f64>,
        directions: ArrayView2<'_, f64>,
        values: &[f64],
    ) -> Result<Vec<GridArrow>> {
        shape::rows("the directions", points.nrows(), directions.nrows())?;
        shape::columns("the points", 2, points.ncols())?;
        shape::columns("the directions", 2, directions.ncols())?;
        if !values.is_empty() {
            shape::rows("the values", points.nrows(), values.len())?;
        }
        if self.per_side < 1 {
            let (name, must) = ("per_side", "at least 1");
            return Err(Error::Parameter { name, must, got: self.per_side.to_string() });
        }
        let known =
            |i: &usize| points.row(*i).iter().chain(directions.row(*i)).all(|x| x.is_finite());
        let cells: Vec<Cell> = (0..points.nrows())
            .filter(known)
            .map(|i| Cell {
                at: [points[[i, 0]], points[[i, 1]]],
                direction: [directions[[i, 0]], directions[[i, 1]]],
                value: values.get(i).copied().unwrap_or(0.0),
            })
            .collect();
        Ok(self.of(&cells))
    }

    /// The arrows of cells.
    fn of(self, cells: &[Cell]) -> Vec<GridArrow> {
        let end = |d: usize, start: f64, of: fn(f64, f64) -> f64| {
            cells.iter().map(|cell| cell.at[d]).fold(start, of)
        };
        let low = [0, 1].map(|d| end(d, f64::INFINITY, f64::min));
        let high = [0, 1].map(|d| end(d, f64::NEG_INFINITY, f64::max));
        let step = [0, 1].map(|d| (high[d] - low[d]) / self.per_side as f64);
        if !step.iter().all(|step| *step > 0.0 && step.is_finite()) {
            return Vec::new();
        }
        let nodes = (0..=self.per_side).flat_map(|i| (0..=self.per_side).map(move |j| [i, j]));
        let found: Vec<Mean> = nodes
            .filter_map(|node| {
                let at = [0, 1].map(|d| low[d] + step[d] * node[d] as f64);
                mean(cells, at, step).filter(|mean| mean.weight >= self.least)
            })
            .collect();
        // Lengths in spacings.
        let length = |mean: &Mean| (mean.direction[0] / step[0]).hypot(mean.direction[1] / step[1]);
        let mut lengths: Vec<f64> = found.iter().map(length).collect();
        lengths.sort_by(f64::total_cmp);
        let long = lengths.get(lengths.len() * 19 / 20).or(lengths.last()).copied().unwrap_or(0.0);
        if long <= 0.0 {
            return Vec::new();
        }
        let drawn = |mean: Mean| {
            let own = length(&mean);
            let scale = LONG * (own / long).min(1.0).sqrt() / own.max(1e-300);
            let to = [0, 1].map(|d| mean.at[d] + mean.direction[d] * scale);
            GridArrow { at: mean.at, to, value: mean.value }
        };
        found.into_iter().map(drawn).collect()
    }
}

/// A cell with its direction and value.
struct Cell {
    at: [f64; 2],
    direction: [f64; 2],
    value: f64,
}

/// The mean of the cells around a node.
struct Mean {
    at: [f64; 2],
    direction: [f64; 2],
    value: f64,
    weight: f64,
}

/// The weighted mean of the cells around the place `at`, if any has weight. `step` are the spacings.
fn mean(cells: &[Cell], at: [f64; 2], step: [f64; 2]) -> Option<Mean> {
    let mut sum = Mean { at, direction: [0.0; 2], value: 0.0, weight: 0.0 };
    for cell in cells {
        let [a, b] = [0, 1].map(|d| (cell.at[d] - at[d]) / step[d]);
        let square = a * a + b * b;
        if square < FAR {
            let weight = (-0.5 * square).exp();
            sum.weight += weight;
            sum.value += weight * cell.value;
            sum.direction = [0, 1].map(|d| sum.direction[d] + weight * cell.direction[d]);
        }
    }
    (sum.weight > 0.0).then(|| Mean {
        direction: sum.direction.map(|part| part / sum.weight),
        value: sum.value / sum.weight,
        ..sum
    })
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array};

    use super::*;

    #[test]
    fn an_arrow_is_the_weighted_mean_written_out() {
        // The cells are at the corners of the grid, whose spacings are 2 and 1.
        let points = array![[0.0, 0.0], [2.0, 0.0], [0.0, 1.0], [2.0, 1.0], [f64::NAN, 1.0]];
        let directions = array![[1.0, 0.0], [0.0, 3.0], [0.0, 0.0], [2.0, 2.0], [9.0, 9.0]];
        let values = [1.0, 2.0, 3.0, 4.0, 9.0];
        let grid = ArrowGrid { per_side: 1, least: 0.0 };
        let found = grid.arrows(points.view(), directions.view(), &values).unwrap();
        assert_eq!(found.len(), 4);
        // Neighbours along each axis are one spacing away, the cell across √2.
        let (near, far) = ((-0.5_f64).exp(), (-1.0_f64).exp());
        let total = 1.0 + 2.0 * near + far;
        let mean = [(1.0 + 2.0 * far) / total, (3.0 * near + 2.0 * far) / total];
        let value = (1.0 + 5.0 * near + 4.0 * far) / total;
        let arrow = found[0];
        assert!(arrow.at.iter().all(|x| x.abs() < 1e-12));
        assert!((arrow.value - value).abs() < 1e-12, "{arrow:?}");
        assert!((arrow.to[1] / arrow.to[0] - mean[1] / mean[0]).abs() < 1e-12, "{arrow:?}");
        // The longest arrow, of the cell with the direction (2, 2), spans 1.15 spacings; this one by its root.
        let at_last = [(2.0 + far) / total, (2.0 + 3.0 * near) / total];
        let length = |v: [f64; 2]| (v[0] / 2.0).hypot(v[1]);
        let longest = [at_last, [(near + 2.0 * near) / total, (3.0 + 2.0 * near) / total]]
            .map(length)
            .into_iter()
            .fold(0.0, f64::max);
        let wanted = 1.15 * (length(mean) / longest).sqrt();
        assert!((length(arrow.to) - wanted).abs() < 1e-12, "{} {wanted}", length(arrow.to));
    }

    #[test]
    fn many_cells_have_no_longer_arrows_than_few() {
        // Five cells at one corner, one at each other corner, all equally fast.
        let mut points = array![[0.0, 0.0], [2.0, 0.0], [0.0, 2.0], [2.0, 2.0]];
        for _ in 0..4 {
            points.push_row(array![2.0, 2.0].view()).unwrap();
        }
        let right = Array2::from_shape_fn((8, 2), |(_, d)| [0.3, 0.0][d]);
        let grid = ArrowGrid { per_side: 1, least: 0.0 };
        let found = grid.arrows(points.view(), right.view(), &[]).unwrap();
        assert_eq!(found.len(), 4);
        for arrow in found {
            assert!((arrow.to[0] - arrow.at[0] - 1.15 * 2.0).abs() < 1e-9, "{arrow:?}");
        }
    }

    #[test]
    fn arrows_follow_the_cells_and_stay_where_they_are() {
        let at = |i: usize, d: usize| [(i % 20) as f64, (i / 20) as f64][d];
        let points = Array2::from_shape_fn((400, 2), |(i, d)| at(i, d));
        let left = Array2::from_shape_fn((400, 2), |(_, d)| [-2.0, 0.0][d]);
        let times: Vec<f64> = points.column(0).to_vec();
        let grid = ArrowGrid { per_side: 26, least: 3.0 };
        let arrows = grid.arrows(points.view(), left.view(), &times).unwrap();
        assert!(arrows.len() > 100);
        for arrow in &arrows {
            assert!(arrow.to[0] < arrow.at[0] && (arrow.to[1] - arrow.at[1]).abs() < 1e-12);
            assert!((arrow.value - arrow.at[0]).abs() < 1.2, "{arrow:?}");
        }
        // A cloud far away: no arrows between.
        let mut two = points.clone();
        two.column_mut(0).iter_mut().skip(200).for_each(|x| *x += 60.0);
        let arrows = grid.arrows(two.view(), left.view(), &[]).unwrap();
        assert!(arrows.iter().all(|arrow| !(30.0..50.0).contains(&arrow.at[0])));
        assert!(grid.arrows(points.view(), (&left * 0.0).view(), &[]).unwrap().is_empty());
        let none = Array2::zeros((0, 2));
        assert!(grid.arrows(none.view(), none.view(), &[]).unwrap().is_empty());
        assert!(grid.arrows(points.view(), none.view(), &[]).is_err());
        assert!(grid.arrows(points.view(), left.view(), &[1.0]).is_err());
    }
}
