//! Coordinates of some cells from each of two halves of the genes.

use ndarray::{Array1, Array2, Axis};
use rand::seq::SliceRandom;

use crate::data::{Matrix, Snapshot, TimeSeries};
use crate::error::Result;
use crate::lineage::Halved;
use crate::pipeline::fit::scale::Spread;
use crate::preprocess::Pca;
use crate::rng::Seed;

/// Largest number of cells of a time that are halved.
const MOST_CELLS: usize = 500;

/// Fewest genes that can be halved.
const FEWEST_GENES: usize = 4;

/// Coordinates of some cells from each half of the genes.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::pipeline) struct Halves {
    /// The cells, increasing.
    pub(in crate::pipeline) rows: Vec<usize>,
    /// Their coordinates by the genes of each half, `(rows.len(), dim)`.
    pub(in crate::pipeline) points: [Array2<f64>; 2],
    /// The sum of their expression over all genes, `rows.len()`.
    pub(in crate::pipeline) depth: Array1<f64>,
}

impl Halves {
    /// Splits the genes of `matrix` at random into two halves of the same size, and computes the part of
    /// the coordinates of the cells `rows` that each half contributes. `None` without cells, or with
    /// fewer than four genes.
    ///
    /// # Errors
    /// Those of [`Pca::transform_by`].
    pub(in crate::pipeline) fn of(
        matrix: &Matrix,
        pca: &Pca,
        rows: Vec<usize>,
        seed: Seed,
    ) -> Result<Option<Self>> {
        let n_genes = pca.n_genes();
        if rows.is_empty() || n_genes < FEWEST_GENES {
            return Ok(None);
        }
        let mut is_first: Vec<bool> = (0..n_genes).map(|gene| gene < n_genes / 2).collect();
        is_first.shuffle(&mut seed.stream("coupling/halves", 0));
        let cells = matrix.select_cells(&rows);
        let points = [
            pca.transform_by(&cells, |gene| is_first[gene])?,
            pca.transform_by(&cells, |gene| !is_first[gene])?,
        ];
        let depth = sums(&cells);
        Ok(Some(Self { rows, points, depth }))
    }

    /// The halved cells of each time of `times` (one for each cell of the course). All coordinates are
    /// divided by their standard deviation within a time; `points` are those of all cells.
    ///
    /// # Errors
    /// Those of [`TimeSeries::new`] and [`Snapshot::new`].
    pub(in crate::pipeline) fn course(
        &self,
        points: &Array2<f64>,
        times: &[f64],
    ) -> Result<Vec<Halved>> {
        let own: Vec<f64> = self.rows.iter().map(|&row| times[row]).collect();
        let series = |points: &Array2<f64>| -> Result<Vec<Snapshot>> {
            let series = TimeSeries::new(points.view(), &own)?;
            let scale = Spread::within(&series).scale;
            series.snapshots().iter().map(|cells| Snapshot::new(&cells.points() / scale)).collect()
        };
        let [first, second] = [series(&self.points[0])?, series(&self.points[1])?];
        let whole = series(&points.select(Axis(0), &self.rows))?;
        let mut known = own.clone();
        known.sort_by(f64::total_cmp);
        known.dedup_by(|a, b| a.total_cmp(b).is_eq());
        let depths = known.iter().map(|time| -> Array1<f64> {
            let here = own.iter().zip(&self.depth).filter(|(at, _)| at.total_cmp(time).is_eq());
            here.map(|(_, depth)| *depth).collect()
        });
        let each = first.into_iter().zip(second).zip(whole).zip(depths);
        let of_time = |(((a, b), whole), depth)| Halved { halves: [a, b], whole, depth };
        Ok(each.map(of_time).collect())
    }
}

/// The sum of the values of each cell.
fn sums(cells: &Matrix) -> Array1<f64> {
    match cells {
        Matrix::Dense(values) => {
            values.map_axis(Axis(1), |row| row.iter().map(|x| f64::from(*x)).sum())
        }
        Matrix::Sparse(values) => (0..values.n_rows())
            .map(|row| values.row(row).1.iter().map(|x| f64::from(*x)).sum())
            .collect(),
    }
}

/// The cells of each time that are halved, thinned evenly to at most 500 at a time; increasing. `times`
/// has one entry for each cell.
pub(in crate::pipeline) fn halved_rows(times: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..times.len()).collect();
    order.sort_by(|&a, &b| times[a].total_cmp(&times[b]).then(a.cmp(&b)));
    let mut rows: Vec<usize> = order
        .chunk_by(|&a, &b| times[a].total_cmp(&times[b]).is_eq())
        .flat_map(|cells| cells.iter().copied().step_by(cells.len().div_ceil(MOST_CELLS)))
        .collect();
    rows.sort_unstable();
    rows
}

#[cfg(test)]
mod tests {
    use ndarray::{Array1, array};

    use super::*;

    #[test]
    fn halves_of_genes_sum_to_the_coordinates() {
        let loadings = array![[0.8, 0.0], [0.6, 0.0], [0.0, 0.6], [0.0, 0.0], [0.0, -0.8]];
        let mean = Array1::from(vec![1.0, 2.0, 3.0, 4.0, 5.0]);
        let pca = Pca::new(mean, loadings, array![2.0, 1.0], 4.0).unwrap();
        let cells = Matrix::Dense(Array2::from_shape_fn((6, 5), |(i, j)| (i * j % 4) as f32));
        let halves = Halves::of(&cells, &pca, vec![0, 2, 5], Seed(3)).unwrap().unwrap();
        let whole = pca.transform(&cells).unwrap().select(Axis(0), &halves.rows);
        let off = &halves.points[0] + &halves.points[1] - whole;
        assert!(off.iter().all(|off| off.abs() < 1e-12), "{off}");
        assert_ne!(halves.points[0], halves.points[1]);
        assert!(Halves::of(&cells, &pca, Vec::new(), Seed(3)).unwrap().is_none());
    }

    #[test]
    fn cells_are_thinned_time_by_time() {
        let times: Vec<f64> = (0..1300).map(|i| if i % 13 == 0 { 0.0 } else { 1.0 }).collect();
        let rows = halved_rows(&times);
        assert!(rows.is_sorted());
        let early = rows.iter().filter(|row| **row % 13 == 0).count();
        assert_eq!((early, rows.len() - early), (100, 400));
    }
}
