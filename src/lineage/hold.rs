//! Genes held at given levels: the shortest move of the coordinates that gives this expression.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis};

use crate::error::{Error, Result};
use crate::linalg::Spectrum;

/// Smallest eigenvalue of the matrix of cosines between the loadings of genes that count as linearly
/// independent.
const APART: f64 = 1e-8;

/// Genes among the rows `genes` of `loadings` `(n_genes, dim)` that cannot be held at levels of their
/// own: those with zero loadings; if there are none, all genes if their loadings are linearly
/// dependent, otherwise none.
///
/// # Errors
/// [`Error::Numerical`] if loadings are not finite.
pub(crate) fn unheld(loadings: ArrayView2<'_, f64>, genes: &[usize]) -> Result<Vec<usize>> {
    let longest = lengths(loadings).iter().fold(0.0_f64, |a, b| a.max(*b));
    let rows = loadings.select(Axis(0), genes);
    let (even, lengths) = even(&rows);
    let none = |entry: &(&usize, &f64)| *entry.1 <= APART * longest;
    let none: Vec<usize> = genes.iter().zip(&lengths).filter(none).map(|entry| *entry.0).collect();
    if !none.is_empty() {
        return Ok(none);
    }
    let spectrum = Spectrum::new(even.dot(&even.t()).view())?;
    let together = spectrum.values.iter().any(|value| *value <= APART);
    Ok(if together { genes.to_vec() } else { Vec::new() })
}

/// Projection of coordinates onto those that give held genes their levels.
///
/// With expression `e = mean + W z`, a cell moves by `z ← z + W_Gᵀ (W_G W_Gᵀ)⁻¹ (levels − e_G)`. This
/// is the shortest move in the coordinates that gives the genes G their levels. Coordinates orthogonal
/// to the rows of `W_G` do not change. If the loadings of a gene have length one, only this gene
/// changes; the shorter they are, the longer is the move and the more other genes change with it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Hold {
    /// `W_G`, `(n_held, dim)`.
    rows: Array2<f64>,
    /// `(W_G W_Gᵀ)⁻¹ W_G`, `(n_held, dim)`.
    back: Array2<f64>,
    /// `levels − mean_G`, `n_held`.
    goals: Array1<f64>,
}

impl Hold {
    /// Holds the genes in the rows `genes` of `loadings` `(n_genes, dim)` at `levels`, one for each of
    /// them. `mean` `(n_genes)` is the expression at the origin.
    ///
    /// # Errors
    /// [`Error::Parameter`] if genes cannot have levels of their own ([`unheld`]); [`Error::Shape`] if
    /// there is not one level for each gene.
    pub(crate) fn new(
        loadings: ArrayView2<'_, f64>,
        mean: ArrayView1<'_, f64>,
        genes: &[usize],
        levels: &[f64],
    ) -> Result<Self> {
        if genes.len() != levels.len() {
            let (expected, got) = (genes.len(), levels.len());
            return Err(Error::Shape { what: "the levels", unit: "genes", expected, got });
        }
        if let [first, ..] = *unheld(loadings, genes)? {
            let must = "genes with linearly independent loadings";
            let got = format!("row {first} of the loadings");
            return Err(Error::Parameter { name: "knockout", must, got });
        }
        let rows = loadings.select(Axis(0), genes);
        let (even, lengths) = even(&rows);
        let spectrum = Spectrum::new(even.dot(&even.t()).view())?;
        let back = spectrum.map(f64::recip).dot(&even) / lengths.view().insert_axis(Axis(1));
        let goals = genes.iter().zip(levels).map(|(&gene, level)| level - mean[gene]).collect();
        Ok(Self { rows, back, goals })
    }

    /// Moves each row of `z` `(n, dim)` so that the genes have their levels. Time
    /// `O(n · dim · n_held)`.
    pub(crate) fn put(&self, z: &mut Array2<f64>) {
        let missing = &self.goals - &z.dot(&self.rows.t());
        *z += &missing.dot(&self.back);
    }

    /// Root mean square distance of the cells `z` `(n, dim)` from the level of each held gene, in
    /// standard deviations of the gene between these cells. Infinite if all cells have the same value
    /// and it is not the level.
    pub(crate) fn distances(&self, z: ArrayView2<'_, f64>) -> Vec<f64> {
        let missing = &self.goals - &z.dot(&self.rows.t());
        let far = |column: ArrayView1<'_, f64>| {
            let square = column.dot(&column) / column.len().max(1) as f64;
            let variance = if column.is_empty() { 0.0 } else { column.var(0.0) };
            if square > 0.0 { (square / variance).sqrt() } else { 0.0 }
        };
        missing.columns().into_iter().map(far).collect()
    }
}

/// Euclidean length of each row.
fn lengths(rows: ArrayView2<'_, f64>) -> Array1<f64> {
    rows.map_axis(Axis(1), |row| row.dot(&row).sqrt())
}

/// Rows divided by their lengths, and these lengths.
fn even(rows: &Array2<f64>) -> (Array2<f64>, Array1<f64>) {
    let lengths = lengths(rows.view());
    (rows / &lengths.view().insert_axis(Axis(1)), lengths)
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn the_move_is_the_shortest_that_reaches_the_level() {
        // One gene of length 0.05: w z = goal is a line, its nearest point is z + w (goal − w z)/‖w‖².
        let loadings = array![[0.03, 0.04], [1.0, 0.0]];
        let hold = Hold::new(loadings.view(), array![1.0, 0.0].view(), &[0], &[0.0]).unwrap();
        let mut z = array![[2.0, -1.0], [0.0, 0.0]];
        hold.put(&mut z);
        // For (2, −1): e = 1.02, so that the way is 1.02/0.05 = 20.4 against (0.6, 0.8).
        let wanted = array![[2.0 - 12.24, -1.0 - 16.32], [-12.0, -16.0]];
        assert!((&z - &wanted).iter().all(|off| off.abs() < 1e-12), "{z}");
        let before = z.clone();
        hold.put(&mut z);
        assert!((&z - &before).iter().all(|off| off.abs() < 1e-12));
    }

    #[test]
    fn distances_are_in_standard_deviations_between_cells() {
        let hold = Hold::new(array![[0.5, 0.0]].view(), array![4.0].view(), &[0], &[0.0]).unwrap();
        // e = 3, 5: mean 4, standard deviation 1; root mean square of 3 and 5.
        let distances = hold.distances(array![[-2.0, 7.0], [2.0, -7.0]].view());
        assert!((distances[0] - 17.0_f64.sqrt()).abs() < 1e-12, "{distances:?}");
    }

    #[test]
    fn distances_are_relative_to_the_deviation_of_the_gene() {
        let hold = Hold::new(array![[0.5, 0.0]].view(), array![4.0].view(), &[0], &[0.0]).unwrap();
        // e = 2, 6: root mean square √20, standard deviation 2.
        let distances = hold.distances(array![[-4.0, 7.0], [4.0, -7.0]].view());
        assert!((distances[0] - 5.0_f64.sqrt()).abs() < 1e-12, "{distances:?}");
    }

    #[test]
    fn loadings_are_nothing_only_beside_longer_ones() {
        let small = array![[3.0, 4.0], [1.0, 0.0]] * 1e-9;
        assert!(unheld(small.view(), &[0, 1]).unwrap().is_empty());
        assert_eq!(unheld(array![[1.0, 0.0], [0.0, 1e-10]].view(), &[0, 1]).unwrap(), [1]);
        // The lesser eigenvalue of the correlations is half the square of 1e-6.
        let together = array![[1.0, 0.0], [1.0, 1e-6]];
        assert_eq!(unheld(together.view(), &[0, 1]).unwrap(), [0, 1]);
    }
}
