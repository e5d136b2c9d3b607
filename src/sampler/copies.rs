//! The share of draws that are near copies of the cells.

use ndarray::{Array2, ArrayView2, Axis};
use rand::seq::SliceRandom;
use rayon::prelude::*;

use crate::error::Result;
use crate::linalg::product_nt;
use crate::progress::{Event, Progress, report};
use crate::rng::Seed;

/// Number of points in one task.
const CHUNK: usize = 64;

/// Number of folds of the cells; each is compared with the others.
const FOLDS: usize = 5;

/// Largest number of cells and of draws that are compared.
const MOST: usize = 5_000;

/// The share of near copies among draws, and among held-out cells for comparison.
///
/// A near copy is nearer to a cell than this cell's nearest other cell.
///
/// ```
/// use ndarray::Array2;
/// use sbcell::sampler::Copies;
/// use sbcell::{Seed, Silent};
///
/// let cells = Array2::from_shape_fn((50, 2), |(i, d)| ((7 * i + 3 * d) as f64).sin());
/// let copies = Copies::among(cells.view(), cells.view(), Seed(1), &mut Silent)?;
/// assert_eq!(copies.draws, 1.0);
/// let far = &cells + 10.0;
/// assert_eq!(Copies::among(far.view(), cells.view(), Seed(1), &mut Silent)?.draws, 0.0);
/// # sbcell::Result::Ok(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Copies {
    /// Share of near copies among the draws.
    pub draws: f64,
    /// Share of near copies among held-out cells, compared with the remaining cells. New cells from
    /// the same population would have this share.
    pub held_out: f64,
}

impl Copies {
    /// Compares `draws`, `(m, dim)`, with `cells`, `(n, dim)`.
    ///
    /// The function uses at most 5 000 of each; `seed` selects the cells. Time `2 n (n + m) dim` flops
    /// for the draws, and the same again for the cells.
    ///
    /// # Errors
    /// [`crate::Error::Cancelled`] if `progress` stops the computation.
    pub fn among(
        draws: ArrayView2<'_, f64>,
        cells: ArrayView2<'_, f64>,
        seed: Seed,
        progress: &mut dyn Progress,
    ) -> Result<Self> {
        report(progress, Event::Pulse)?;
        let mut rows: Vec<usize> = (0..cells.nrows()).collect();
        rows.shuffle(&mut seed.stream("sampler/copies", 0));
        rows.truncate(MOST);
        let cells = cells.select(Axis(0), &rows);
        let centre = cells.mean_axis(Axis(0)).unwrap_or_default();
        let cells = cells - &centre;
        let draws = &draws.slice(ndarray::s![..draws.nrows().min(MOST), ..]) - &centre;
        let mut counted = (0, 0);
        for fold in 0..FOLDS {
            let part = |held: bool| -> Array2<f64> {
                let rows = (0..cells.nrows()).filter(|i| (i % FOLDS == fold) == held);
                cells.select(Axis(0), &rows.collect::<Vec<usize>>())
            };
            let held = part(true);
            counted.0 += near(held.view(), part(false).view());
            counted.1 += held.nrows();
        }
        report(progress, Event::Pulse)?;
        let share = |near: usize, of: usize| near as f64 / of.max(1) as f64;
        Ok(Self {
            draws: share(near(draws.view(), cells.view()), draws.nrows()),
            held_out: share(counted.0, counted.1),
        })
    }

    /// Whether draws have clearly more near copies than held-out cells.
    ///
    /// Their share must be larger by 0.1 and by a factor of 1.5.
    pub fn too_many(&self) -> bool {
        self.draws > self.held_out + 0.1 && self.draws > 1.5 * self.held_out
    }
}

/// Number of near copies among `points`; 0 if there are fewer than two cells.
fn near(points: ArrayView2<'_, f64>, cells: ArrayView2<'_, f64>) -> usize {
    if cells.nrows() < 2 {
        return 0;
    }
    let reach: Vec<f64> = nearest(cells, cells, true).into_iter().map(|found| found.1).collect();
    nearest(points, cells, false).into_iter().filter(|(j, square)| *square < reach[*j]).count()
}

/// The nearest cell of each point and its squared distance, in parallel over points.
///
/// With `own` the points are the cells, and a cell is not its own neighbour.
fn nearest(
    points: ArrayView2<'_, f64>,
    cells: ArrayView2<'_, f64>,
    own: bool,
) -> Vec<(usize, f64)> {
    let squares: Vec<f64> = cells.rows().into_iter().map(|row| row.dot(&row)).collect();
    let starts: Vec<usize> = (0..points.nrows()).step_by(CHUNK).collect();
    let parts: Vec<Vec<(usize, f64)>> = starts
        .into_par_iter()
        .map(|first| {
            let end = points.nrows().min(first + CHUNK);
            let x = points.slice(ndarray::s![first..end, ..]);
            let products = product_nt(x, cells);
            let rows = x.rows().into_iter().zip(products.rows()).enumerate();
            rows.map(|(place, (x, row))| {
                let mut best = (0, f64::INFINITY);
                for (j, (product, square)) in row.iter().zip(&squares).enumerate() {
                    let distance = square - 2.0 * product;
                    if distance < best.1 && !(own && j == first + place) {
                        best = (j, distance);
                    }
                }
                (best.0, (best.1 + x.dot(&x)).max(0.0))
            })
            .collect()
        })
        .collect();
    parts.concat()
}

#[cfg(test)]
mod tests {
    use ndarray::array;
    use rand_distr::{Distribution, StandardNormal};

    use super::*;
    use crate::progress::Silent;

    #[test]
    fn copies_are_found_and_fresh_cells_are_not() {
        let mut stream = Seed(2).stream("test", 0);
        let mut draw = |n: usize| -> Array2<f64> {
            Array2::from_shape_simple_fn((n, 4), || StandardNormal.sample(&mut stream))
        };
        let (cells, fresh) = (draw(500), draw(500));
        let copied = &cells + &(draw(500) * 0.01);
        let found = |draws: &Array2<f64>| {
            Copies::among(draws.view(), cells.view(), Seed(1), &mut Silent).unwrap()
        };
        assert!(found(&copied).draws > 0.99 && found(&copied).too_many());
        let fresh = found(&fresh);
        // Three standard errors of a share of 500.
        assert!((fresh.draws - fresh.held_out).abs() < 0.09, "{fresh:?}");
        assert!(!fresh.too_many());
    }

    #[test]
    fn near_is_nearer_than_the_nearest_other_cell() {
        let cells = array![[0.0], [1.0], [5.0]];
        let points = array![[0.9], [2.1], [8.9], [9.1], [-1.5]];
        assert_eq!(near(points.view(), cells.view()), 2);
    }
}
