//! The projection of velocities on an embedding by directions to neighbouring cells.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2};
use rayon::prelude::*;

use crate::error::range::at_least_one;
use crate::error::{Error, Result, shape};
use crate::geometry::neighbours;
use crate::progress::Progress;

/// Projects velocities on an embedding by the directions to neighbouring cells.
///
/// With `δ_ij = x_j − x_i` to the `k` nearest cells, weights
/// `π_ij = exp(cos(δ_ij, v_i)/h) / Σ_j exp(cos(δ_ij, v_i)/h)` and unit vectors `u_ij` from `y_i` to
/// `y_j` on the embedding, the projection is
///
/// ```text
/// e_i = L Σ_j (π_ij − 1/k) u_ij
/// ```
///
/// The term `1/k` subtracts the mean direction to the neighbours. Without it a cell at the margin
/// would point inwards, since all its neighbours lie there. `L` is the mean of `‖y_j − y_i‖` over all
/// cells and neighbours; only directions and relative lengths of the result have a meaning. The
/// length of a velocity has no effect.
///
/// Source: La Manno et al. 2018, in the form of scVelo's `velocity_embedding` (Bergen et al. 2020,
/// version 0.3.4), whose scale of 10 is `1/h`. scVelo instead weights neighbours of positive cosine by
/// `exp(10 cos) − 1` and scales the lengths to the figure.
///
/// ```
/// use ndarray::array;
/// use sbcell::Silent;
/// use sbcell::geometry::Projection;
///
/// let points = array![[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]];
/// let velocity = array![[1.0, 0.0], [0.0, 0.0], [0.0, 0.0]];
/// let embedding = points.clone();
/// let projection = Projection { n_neighbours: 2, width: 0.1 };
/// let arrows =
///     projection.project(points.view(), velocity.view(), embedding.view(), &mut Silent)?;
/// assert!(arrows[[0, 0]] > 0.0 && arrows[[1, 0]] == 0.0);
/// # sbcell::Result::Ok(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Projection {
    /// Number `k` of neighbours of each cell, ≥ 1.
    pub n_neighbours: usize,
    /// Width `h` of the weights in units of the cosine, > 0.
    pub width: f64,
}

impl Default for Projection {
    fn default() -> Self {
        Self { n_neighbours: 30, width: 0.1 }
    }
}

impl Projection {
    /// Checks the ranges of both parameters.
    fn check(self) -> Result<()> {
        let Self { n_neighbours, width } = self;
        at_least_one("n_neighbours", n_neighbours)?;
        if !(0.0 < width && width < f64::INFINITY) {
            let (must, got) = ("finite and > 0", width.to_string());
            return Err(Error::Parameter { name: "width", must, got });
        }
        Ok(())
    }

    /// Projects `velocity` at `points`, both `(n, dim)`, on `embedding`, `(n, q)`, as `(n, q)`.
    ///
    /// Neighbours are those of `points`. The projection is zero for a velocity of zero or NaN. Most of
    /// the time is that of [`neighbours()`].
    ///
    /// # Errors
    /// [`Error::Shape`] if the shapes differ; [`Error::Parameter`] if a coordinate is not finite,
    /// there are fewer than two cells, or a parameter is out of range.
    pub fn project(
        self,
        points: ArrayView2<'_, f64>,
        velocity: ArrayView2<'_, f64>,
        embedding: ArrayView2<'_, f64>,
        progress: &mut dyn Progress,
    ) -> Result<Array2<f64>> {
        self.check()?;
        let n = points.nrows();
        shape::rows("the velocity", n, velocity.nrows())?;
        shape::columns("the velocity", points.ncols(), velocity.ncols())?;
        shape::rows("the embedding", n, embedding.nrows())?;
        if let Some(value) = embedding.iter().find(|value| !value.is_finite()) {
            let got = value.to_string();
            return Err(Error::Parameter { name: "the embedding", must: "finite", got });
        }
        let found = neighbours(points, self.n_neighbours, progress)?;
        let near = found.indices();
        let cells: Vec<(Array1<f64>, f64)> = (0..n)
            .into_par_iter()
            .map(|i| self.of_cell(i, points, velocity.row(i), embedding, near.row(i)))
            .collect();
        // A sum in the order of cells does not depend on threads.
        let length = cells.iter().map(|cell| cell.1).sum::<f64>() / (n * found.k()) as f64;
        let mut projected = Array2::zeros(embedding.dim());
        for (mut row, cell) in projected.rows_mut().into_iter().zip(&cells) {
            row.assign(&(&cell.0 * length));
        }
        Ok(projected)
    }

    /// `Σ_j (π_ij − 1/k) u_ij` for cell `i`, and the sum of `‖y_j − y_i‖` over its neighbours `near`.
    fn of_cell(
        self,
        i: usize,
        points: ArrayView2<'_, f64>,
        velocity: ArrayView1<'_, f64>,
        embedding: ArrayView2<'_, f64>,
        near: ArrayView1<'_, u32>,
    ) -> (Array1<f64>, f64) {
        let k = near.len() as f64;
        let mut arrow = Array1::zeros(embedding.ncols());
        let mut even = Array1::zeros(embedding.ncols());
        let (mut total, mut distances) = (0.0, 0.0);
        for &j in near {
            let ahead = &points.row(j as usize) - &points.row(i);
            let size = (ahead.dot(&ahead) * velocity.dot(&velocity)).sqrt();
            let cosine = if size > 0.0 { ahead.dot(&velocity) / size } else { 0.0 };
            // Division by exp(1/h) keeps the weight between exp(−2/h) and 1.
            let weight = ((cosine - 1.0) / self.width).exp();
            total += weight;
            let seen = &embedding.row(j as usize) - &embedding.row(i);
            let distance = seen.dot(&seen).sqrt();
            distances += distance;
            if distance > 0.0 {
                arrow.scaled_add(weight / distance, &seen);
                even.scaled_add(1.0 / distance, &seen);
            }
        }
        let moves = velocity.dot(&velocity) > 0.0;
        if !(moves && total > 0.0) {
            return (Array1::zeros(embedding.ncols()), distances);
        }
        (arrow / total - even / k, distances)
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;
    use rand_distr::{Distribution, StandardUniform};

    use super::*;
    use crate::progress::Silent;
    use crate::rng::Seed;

    fn cloud(n: usize) -> Array2<f64> {
        let mut stream = Seed(5).stream("test/cloud", 0);
        Array2::from_shape_simple_fn((n, 2), || StandardUniform.sample(&mut stream))
    }

    fn rotation(angle: f64) -> Array2<f64> {
        let (sin, cos) = angle.sin_cos();
        array![[cos, -sin], [sin, cos]]
    }

    #[test]
    fn an_embedding_that_turns_the_cells_turns_their_velocities() {
        let points = cloud(2000);
        // Around the middle of the square.
        let velocity = Array2::from_shape_fn(points.dim(), |(i, d)| match d {
            0 => 0.5 - points[[i, 1]],
            _ => points[[i, 0]] - 0.5,
        });
        let turned = rotation(0.7);
        let embedding = points.dot(&turned.t()) * 3.0 + 8.0;
        let projection = Projection { n_neighbours: 60, ..Projection::default() };
        let seen = projection
            .project(points.view(), velocity.view(), embedding.view(), &mut Silent)
            .unwrap();
        let wanted = velocity.dot(&turned.t());
        let (mut cosines, mut n) = (0.0, 0.0);
        for ((seen, wanted), point) in seen.rows().into_iter().zip(wanted.rows()).zip(points.rows())
        {
            if point.iter().any(|x| !(0.1..0.9).contains(x)) {
                continue;
            }
            let cosine = seen.dot(&wanted) / (seen.dot(&seen) * wanted.dot(&wanted)).sqrt();
            // Sixty neighbours at random places: some degrees.
            assert!(cosine > 0.9, "{cosine}");
            cosines += cosine;
            n += 1.0;
        }
        assert!(cosines / n > 0.99, "{}", cosines / n);
    }

    #[test]
    fn it_is_the_formula_written_out() {
        let points = array![[0.0, 0.0], [1.0, 0.0], [0.0, 2.0], [5.0, 5.0]];
        let velocity = array![[0.3, 0.1], [0.0, 0.0], [f64::NAN, 1.0], [-2.0, -2.0]];
        let embedding = array![[0.0, 1.0], [2.0, 1.0], [0.0, -3.0], [4.0, 4.0]];
        let projection = Projection { n_neighbours: 2, width: 0.5 };
        let seen = projection
            .project(points.view(), velocity.view(), embedding.view(), &mut Silent)
            .unwrap();
        // Neighbours of the first cell: the second, along x, and the third, along y.
        let size = 0.1_f64.sqrt();
        let (a, b) = ((0.3 / size / 0.5_f64).exp(), (0.1 / size / 0.5_f64).exp());
        let (first, second) = (a / (a + b) - 0.5, b / (a + b) - 0.5);
        // Distances to the neighbours on the embedding: 2, 4; 2, √20; 4, √20; and of the last √13, √65.
        let distances =
            [2.0, 4.0, 2.0, 20_f64.sqrt(), 4.0, 20_f64.sqrt(), 13_f64.sqrt(), 65_f64.sqrt()];
        let length = distances.iter().sum::<f64>() / 8.0;
        assert!((seen[[0, 0]] - length * first).abs() < 1e-12, "{seen}");
        assert!((seen[[0, 1]] + length * second).abs() < 1e-12, "{seen}");
        assert!(seen.row(1).iter().chain(seen.row(2)).all(|value| *value == 0.0));
    }

    #[test]
    fn refuses_what_does_not_fit_together() {
        let (points, other) = (cloud(5), cloud(4));
        let project = |projection: Projection, v: &Array2<f64>, e: &Array2<f64>| {
            projection.project(points.view(), v.view(), e.view(), &mut Silent)
        };
        let good = Projection::default();
        assert!(project(good, &points, &points).is_ok());
        assert!(project(good, &other, &points).is_err());
        assert!(project(good, &points, &other).is_err());
        assert!(project(good, &points, &(&points * f64::NAN)).is_err());
        assert!(project(Projection { width: f64::NAN, ..good }, &points, &points).is_err());
        assert!(project(Projection { n_neighbours: 0, ..good }, &points, &points).is_err());
    }
}
