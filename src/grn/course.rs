//! The cells of a course as edges are sought in them, and the steps along which they are followed.

use ndarray::{Array1, Array2, ArrayView1, Axis};
use rayon::prelude::*;

use crate::error::Result;
use crate::grn::expression::{Expression, THRESHOLDS};
use crate::grn::smoothed_time::{Smoothing, equal_bins, smoothed_time, whitened_columns};
use crate::grn::step::Step;

/// The two ways in which time is smoothed: over few neighbours, and over more with less weight.
const NEAR: Smoothing = Smoothing { n_neighbours: 8, own: 1.0 };
const WIDE: Smoothing = Smoothing { n_neighbours: 20, own: 2.0 };

/// Up to so many genes, cells are also compared by all their Hill functions.
pub const FEW_GENES: usize = 100;

/// Cells with their expression, times and weights.
#[derive(Debug, Clone)]
pub struct CourseCells<'a> {
    /// Expression of all cells.
    pub expression: &'a Expression,
    /// Places in which cells are near or far, `(n_cells, dim)`: for plans and neighbours.
    pub points: &'a Array2<f64>,
    /// Time of each cell, in the unit of the course.
    pub times: Array1<f64>,
    /// Weight of each cell, not negative: how often a resample took it.
    pub weights: Array1<f64>,
    /// Growth rate of each cell per unit of time, if something is known of it: an earlier cell
    /// counts for its descendants at the later time.
    pub growth: Option<Array1<f64>>,
}

/// Steps that belong together, and how long they are.
#[derive(Debug, Clone)]
pub struct Steps {
    /// The steps, by rising time.
    pub steps: Vec<Step>,
    /// Mean time from the earlier to the later cells, over the steps.
    pub lag: f64,
}

impl CourseCells<'_> {
    /// Rows of the cells of each time, increasing; cells of weight zero are left out.
    pub fn snapshots(&self) -> Vec<Vec<usize>> {
        let times = &self.times;
        let mut order: Vec<usize> =
            (0..times.len()).filter(|&cell| self.weights[cell] > 0.0).collect();
        order.sort_by(|&a, &b| times[a].total_cmp(&times[b]).then(a.cmp(&b)));
        let same = |a: &usize, b: &usize| times[*a].total_cmp(&times[*b]).is_eq();
        order.chunk_by(same).map(<[usize]>::to_vec).collect()
    }

    /// The snapshots; if there are more than `dense`, neighbouring ones merged to `most`, as even
    /// as can be.
    pub fn merged_snapshots(&self, (dense, most): (usize, usize)) -> Vec<Vec<usize>> {
        let snapshots = self.snapshots();
        let n = snapshots.len();
        if n <= dense {
            return snapshots;
        }
        let mut merged = vec![Vec::new(); most];
        for (k, rows) in snapshots.into_iter().enumerate() {
            merged[k * most / n].extend(rows);
        }
        merged
    }

    /// Time smoothed over the neighbours of each cell, in numbers of snapshots, with the rows of
    /// the cells that have weight: once over nearest `points`, once over cells whose Hill functions
    /// are near where genes are few.
    ///
    /// # Errors
    /// Those of [`smoothed_time`].
    pub fn smoothed(&self) -> Result<[(Vec<usize>, Array1<f64>); 2]> {
        let mut numbers = Array1::zeros(self.times.len());
        for (k, rows) in self.snapshots().iter().enumerate() {
            for &row in rows {
                numbers[row] = k as f64;
            }
        }
        let rows: Vec<usize> =
            (0..self.times.len()).filter(|&cell| self.weights[cell] > 0.0).collect();
        let numbers = numbers.select(Axis(0), &rows);
        let points = self.points.select(Axis(0), &rows);
        let near = smoothed_time(points.view(), &numbers, NEAR)?;
        let wide = if self.expression.n_genes() <= FEW_GENES {
            smoothed_time(self.shapes(&rows).view(), &numbers, WIDE)?
        } else {
            smoothed_time(points.view(), &numbers, WIDE)?
        };
        Ok([(rows.clone(), near), (rows, wide)])
    }

    /// The Hill functions of all genes in the cells `rows`, standardised.
    fn shapes(&self, rows: &[usize]) -> Array2<f64> {
        let n_shapes = THRESHOLDS.len();
        let width = self.expression.n_genes() * n_shapes;
        let shapes = Array2::from_shape_fn((rows.len(), width), |(i, column)| {
            self.expression.shape(rows[i], column / n_shapes, column % n_shapes)
        });
        whitened_columns(shapes.view())
    }

    /// Steps between neighbouring groups of cells, paired by entropic transport.
    ///
    /// # Errors
    /// Those of [`Step::paired`].
    pub fn steps_between(&self, groups: &[Vec<usize>]) -> Result<Steps> {
        let pairs: Vec<&[Vec<usize>]> = groups.windows(2).collect();
        let steps: Vec<Step> = pairs
            .into_par_iter()
            .map(|pair| {
                let sides = (pair[0].as_slice(), pair[1].as_slice());
                match &self.growth {
                    None => Step::paired(sides, self.points, self.weights.view()),
                    Some(rates) => {
                        let elapsed = self.mean_time(&pair[1]) - self.mean_time(&pair[0]);
                        let mut weights = self.weights.clone();
                        for &row in &pair[0] {
                            weights[row] *= (rates[row] * elapsed).exp();
                        }
                        Step::paired(sides, self.points, weights.view())
                    }
                }
            })
            .collect::<Result<_>>()?;
        Ok(self.timed(steps))
    }

    /// Steps between `n_bins` groups of equal size by rising smoothed time, as
    /// [`CourseCells::smoothed`] gives it.
    ///
    /// # Errors
    /// Those of [`Step::paired`].
    pub fn steps_of_bins(
        &self,
        (rows, tau): &(Vec<usize>, Array1<f64>),
        n_bins: usize,
    ) -> Result<Steps> {
        let bins = equal_bins(tau, n_bins.min(rows.len() / 2).max(2));
        let groups: Vec<Vec<usize>> =
            bins.iter().map(|bin| bin.iter().map(|&place| rows[place]).collect()).collect();
        self.steps_between(&groups)
    }

    fn mean_time(&self, rows: &[usize]) -> f64 {
        let total: f64 = rows.iter().map(|&row| self.weights[row]).sum();
        rows.iter().map(|&row| self.weights[row] * self.times[row]).sum::<f64>() / total
    }

    /// Steps with their mean length.
    pub fn timed(&self, steps: Vec<Step>) -> Steps {
        let mean = |rows: &[usize], masses: ArrayView1<'_, f64>| {
            let sum: f64 = rows.iter().zip(masses).map(|(&row, mass)| self.times[row] * mass).sum();
            sum / masses.sum()
        };
        let lengths = steps.iter().map(|step| {
            let (sources, targets) = step.coupling.marginals();
            mean(&step.targets, targets.view()) - mean(&step.sources, sources.view())
        });
        let lag = lengths.sum::<f64>() / steps.len().max(1) as f64;
        Steps { steps, lag }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_earlier_cell_counts_for_its_descendants_at_the_later_time() {
        let values = Array2::from_shape_fn((8, 1), |(i, _)| (i % 4) as f32);
        let expression = Expression::new(values, &[0]).unwrap();
        let points = expression.standardised(&[0, 1, 2, 3, 4, 5, 6, 7]);
        let mut growth = Array1::zeros(8);
        growth[1] = 2.0_f64.ln();
        let cells = CourseCells {
            expression: &expression,
            points: &points,
            times: Array1::from(vec![1.0, 1.0, 1.0, 1.0, 3.0, 3.0, 3.0, 3.0]),
            weights: Array1::ones(8),
            growth: Some(growth),
        };
        let steps = cells.steps_between(&cells.snapshots()).unwrap();
        assert!((steps.lag - 2.0).abs() < 1e-12);
        // Two doublings in two units of time.
        let (masses, _) = steps.steps[0].coupling.marginals();
        for (mass, expected) in masses.iter().zip([1.0, 4.0, 1.0, 1.0]) {
            assert!((mass - expected).abs() < 0.02, "{masses}");
        }
    }

    #[test]
    fn many_snapshots_are_merged_evenly() {
        let values = Array2::from_shape_fn((20, 1), |(i, _)| i as f32);
        let expression = Expression::new(values, &[0]).unwrap();
        let points = Array2::zeros((20, 1));
        let cells = CourseCells {
            expression: &expression,
            points: &points,
            times: (0..20).map(f64::from).collect(),
            weights: Array1::ones(20),
            growth: None,
        };
        assert_eq!(cells.merged_snapshots((20, 8)).len(), 20);
        let sizes: Vec<usize> = cells.merged_snapshots((12, 8)).iter().map(Vec::len).collect();
        assert_eq!((sizes.len(), sizes.iter().sum::<usize>()), (8, 20));
        assert!(sizes.iter().all(|size| (2..=3).contains(size)));
    }
}
