//! Couplings of the cells of several conditions together, restricted to the cells of one labelling.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Zip};

use crate::error::{Error, Result};
use crate::lineage::Lineage;

/// The couplings of a course under given weights of its cells. Each column of the weights is one labelling:
/// the cells of one condition have equal weights, all others none.
///
/// The coupling of a labelling is the given one rescaled to its weights (Sinkhorn scaling). For an entropic
/// coupling this is the entropic coupling of the labelled cells alone: rows and columns of the kernel that
/// are left out do not change the others, and the scaling to given marginals is unique.
///
/// ```
/// use ndarray::{Array2, array};
/// use sbcell::lineage::{Lineage, Relabelled};
/// use sbcell::{Epsilon, bridge::Link, data::Snapshot};
/// # fn main() -> sbcell::Result<()> {
/// let cells = Snapshot::new(array![[0.0], [0.1], [4.0]])?;
/// let link = Link::entropic(&cells, &cells, Epsilon::new(0.1)?)?;
/// let lineage = Lineage::new(vec![0.0, 1.0], vec![link])?;
/// // Only the first and the last cell belong to the condition.
/// let weights = array![[1.0], [0.0], [1.0]];
/// let relabelled = Relabelled::new(&lineage, &[weights.clone(), weights])?;
/// let last = array![[0.0], [0.0], [1.0]];
/// let found = relabelled.descendants(0, 1, last.view())?;
/// assert!(found[[2, 0]] > 0.99 && found[[0, 0]] < 0.01);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Relabelled<'a> {
    lineage: &'a Lineage,
    /// Weights of the cells of each time, `(n, columns)`; columns sum to one.
    weights: Vec<Array2<f64>>,
    /// Scalings of the columns of the coupling of each interval, `(m, columns)`.
    scalings: Vec<Array2<f64>>,
}

/// Largest number of scalings of rows and columns.
const MOST_SCALINGS: usize = 60;
/// Marginal error of the source, as a sum over cells, at which they stop.
const ROWS_OFF: f64 = 1e-3;

impl<'a> Relabelled<'a> {
    /// Rescales all couplings of `lineage` to `weights` (not negative, one array of n × columns for each
    /// time). A column without weight at a time has no coupling there.
    ///
    /// Time of some tens of scalings, each of two passes over all pairs for all columns.
    ///
    /// # Errors
    /// [`Error::Shape`] if there is not one row for each cell or not one array for each time.
    pub fn new(lineage: &'a Lineage, weights: &[Array2<f64>]) -> Result<Self> {
        let (expected, got) = (lineage.times().len(), weights.len());
        if expected != got {
            return Err(Error::Shape { what: "weights of a course", unit: "times", expected, got });
        }
        let columns = weights.first().map_or(0, Array2::ncols);
        for (k, weights) in weights.iter().enumerate() {
            let sizes = [(lineage.n_cells(k), weights.nrows()), (columns, weights.ncols())];
            for (expected, got) in sizes {
                if expected != got {
                    let (what, unit) = ("weights of a time", "cells or columns");
                    return Err(Error::Shape { what, unit, expected, got });
                }
            }
        }
        let weights: Vec<Array2<f64>> = weights.iter().cloned().map(normal).collect();
        let mut scalings = Vec::with_capacity(lineage.links().len());
        for (k, link) in lineage.links().iter().enumerate() {
            let (source, target) = (&weights[k], &weights[k + 1]);
            let mut beta: Array2<f64> = Array2::ones(target.dim());
            // Cells without weight get none.
            Zip::from(&mut beta).and(target).for_each(|beta, &of| *beta *= f64::from(of > 0.0));
            let mut sums = link.pull(beta.view())?;
            for _ in 0..MOST_SCALINGS {
                let alpha = ratios(source, &sums);
                beta = ratios(target, &link.push(alpha.view())?);
                sums = link.pull(beta.view())?;
                let off = (&sums * &alpha - source).iter().map(|off| off.abs()).sum::<f64>();
                if off <= ROWS_OFF * columns as f64 {
                    break;
                }
            }
            scalings.push(beta);
        }
        Ok(Self { lineage, weights, scalings })
    }

    /// Number of labellings.
    pub fn n_columns(&self) -> usize {
        self.weights.first().map_or(0, Array2::ncols)
    }

    /// Weights of the cells at place `k`, `(n, columns)`. Columns sum to one, or are zero.
    pub fn weights(&self, k: usize) -> ArrayView2<'_, f64> {
        self.weights[k].view()
    }

    /// Weights of the target cells of interval `k` in labelling `column`, with which
    /// [`crate::bridge::Link::draw`] draws the end of a source cell.
    pub fn ends(&self, k: usize, column: usize) -> ArrayView1<'_, f64> {
        self.scalings[k].column(column)
    }

    /// For each cell at place `from` the mean of `values` `(n_to, c)` over its descendants at place `to`, in
    /// each labelling: `(n_from, columns · c)` with the c columns of a labelling side by side. The values of
    /// cells without descendants are zero.
    ///
    /// # Errors
    /// [`Error::Shape`] unless there is one row for each cell.
    pub fn descendants(
        &self,
        from: usize,
        to: usize,
        values: ArrayView2<'_, f64>,
    ) -> Result<Array2<f64>> {
        let each = values.ncols();
        let shape = (values.nrows(), each * self.n_columns());
        let mut carried = Array2::from_shape_fn(shape, |(i, c)| values[[i, c % each]]);
        for k in (from..to).rev() {
            let beta = &self.scalings[k];
            for (column, mut value) in carried.columns_mut().into_iter().enumerate() {
                value *= &beta.column(column / each);
            }
            let link = &self.lineage.links()[k];
            let totals = link.pull(beta.view())?;
            carried = link.pull(carried.view())?;
            for (column, mut value) in carried.columns_mut().into_iter().enumerate() {
                let whole = totals.column(column / each);
                Zip::from(&mut value).and(&whole).for_each(|value, &whole| {
                    *value = if whole > 0.0 { *value / whole } else { 0.0 }
                });
            }
        }
        Ok(carried)
    }

    /// The mean of column `value` of [`Relabelled::descendants`] over the cells `members` at place `from`, in
    /// each labelling; NaN where none of them has the label.
    pub fn mean_over(
        &self,
        from: usize,
        members: &[bool],
        descendants: ArrayView2<'_, f64>,
        value: usize,
    ) -> Array1<f64> {
        let columns = self.n_columns();
        let each = descendants.ncols() / columns.max(1);
        (0..columns)
            .map(|b| {
                let weights = self.weights[from].column(b);
                let (mut sum, mut whole) = (0.0, 0.0);
                for (i, _) in members.iter().enumerate().filter(|(_, member)| **member) {
                    sum += weights[i] * descendants[[i, b * each + value]];
                    whole += weights[i];
                }
                if whole > 0.0 { sum / whole } else { f64::NAN }
            })
            .collect()
    }
}

/// Columns scaled to a sum of one; a column of zeros stays.
fn normal(mut weights: Array2<f64>) -> Array2<f64> {
    for mut column in weights.columns_mut() {
        let total: f64 = column.sum();
        if total > 0.0 {
            column /= total;
        }
    }
    weights
}

/// `wanted / sums`, and zero where one of them is zero.
fn ratios(wanted: &Array2<f64>, sums: &Array2<f64>) -> Array2<f64> {
    Zip::from(wanted)
        .and(sums)
        .map_collect(|wanted, sum| if *sum > 0.0 && *wanted > 0.0 { wanted / sum } else { 0.0 })
}

#[cfg(test)]
mod tests {
    use ndarray::Axis;
    use rand_distr::{Distribution, StandardNormal};

    use super::*;
    use crate::bridge::Link;
    use crate::data::Snapshot;
    use crate::geometry::Epsilon;
    use crate::rng::Seed;

    fn cells(n: usize, at: f64, number: u64) -> Array2<f64> {
        let mut stream = Seed(5).stream("test", number);
        Array2::from_shape_simple_fn((n, 2), || {
            let x: f64 = StandardNormal.sample(&mut stream);
            at + x
        })
    }

    #[test]
    fn a_rescaled_entropic_coupling_is_that_of_the_labelled_cells_alone() {
        let epsilon = Epsilon::new(0.4).unwrap();
        let points = [cells(14, 0.0, 0), cells(18, 0.5, 1), cells(11, 1.0, 2)];
        let lineage = |points: &[Array2<f64>]| {
            let of = |points: &Array2<f64>| Snapshot::new(points.clone()).unwrap();
            let links = points.windows(2);
            let links = links.map(|p| Link::entropic(&of(&p[0]), &of(&p[1]), epsilon).unwrap());
            Lineage::new(vec![0.0, 1.0, 2.0], links.collect()).unwrap()
        };
        let all = lineage(&points);
        let own: Vec<Vec<usize>> = points
            .iter()
            .map(|points| (0..points.nrows()).filter(|i| i % 3 != 1).collect())
            .collect();
        let weights: Vec<Array2<f64>> = points
            .iter()
            .map(|points| {
                Array2::from_shape_fn((points.nrows(), 2), |(i, column)| {
                    if column == 0 || i % 3 != 1 { 1.0 } else { 0.0 }
                })
            })
            .collect();
        let relabelled = Relabelled::new(&all, &weights).unwrap();
        let values = Array2::from_shape_fn((11, 1), |(i, _)| (i as f64).sin());
        let found = relabelled.descendants(0, 2, values.view()).unwrap();
        let alone: Vec<Array2<f64>> =
            points.iter().zip(&own).map(|(points, own)| points.select(Axis(0), own)).collect();
        let (direct, whole) = (lineage(&alone), &all);
        let mean = |lineage: &Lineage, values: Array2<f64>| {
            let of = |k: usize, values: &Array2<f64>| {
                let sums = lineage.links()[k].pull(values.view()).unwrap();
                sums / lineage.links()[k].marginals().0.insert_axis(Axis(1)).to_owned()
            };
            of(0, &of(1, &values))
        };
        let (of_own, of_all) =
            (mean(&direct, values.select(Axis(0), &own[2])), mean(whole, values));
        for (place, &i) in own[0].iter().enumerate() {
            assert!((found[[i, 1]] - of_own[[place, 0]]).abs() < 2e-3, "{i}");
        }
        for i in 0..14 {
            assert!((found[[i, 0]] - of_all[[i, 0]]).abs() < 2e-3, "{i}");
        }
        let members: Vec<bool> = (0..14).map(|i| i < 7).collect();
        let means = relabelled.mean_over(0, &members, found.view(), 0);
        let wanted = own[0].iter().enumerate().filter(|(_, i)| **i < 7);
        let wanted: Vec<f64> = wanted.map(|(place, _)| of_own[[place, 0]]).collect();
        assert!((means[1] - wanted.iter().sum::<f64>() / wanted.len() as f64).abs() < 2e-3);
    }

    #[test]
    fn labellings_without_cells_have_no_mean() {
        let snapshot = Snapshot::new(cells(4, 0.0, 0)).unwrap();
        let link = Link::entropic(&snapshot, &snapshot, Epsilon::new(1.0).unwrap()).unwrap();
        let lineage = Lineage::new(vec![0.0, 1.0], vec![link]).unwrap();
        let weights = [Array2::zeros((4, 1)), Array2::ones((4, 1))];
        let relabelled = Relabelled::new(&lineage, &weights).unwrap();
        let found = relabelled.descendants(0, 1, Array2::ones((4, 1)).view()).unwrap();
        assert!(relabelled.mean_over(0, &[true; 4], found.view(), 0)[0].is_nan());
        assert!(Relabelled::new(&lineage, &weights[..1]).is_err());
    }
}
