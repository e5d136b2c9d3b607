//! A coupling as the pairs that carry mass, in sparse rows.

use ndarray::{Array1, Array2, ArrayView2, Axis};
use rand_distr::{Distribution, StandardUniform};
use rayon::prelude::*;

use crate::error::{Error, Result};
use crate::linalg::TransportPlan;
use crate::rng::Seed;

/// Rows of one task of a product.
const ROWS: usize = 128;
/// Columns of one task of a transposed product.
const COLUMNS: usize = 32;

/// A coupling between source and target cells: the pairs that carry mass, sorted by source cell,
/// then target cell.
///
/// The masses of a complete coupling sum to one, or to the mass of an unbalanced coupling. If pairs
/// were left out, [`Coupling::kept`] is the mass of the others. Storage is in compressed rows, 12
/// bytes for each pair.
///
/// ```
/// use ndarray::array;
/// use sbcell::bridge::Coupling;
///
/// # fn main() -> sbcell::Result<()> {
/// let pairs = [(0, 0, 0.25), (0, 1, 0.25), (1, 1, 0.5)];
/// let coupling = Coupling::new(2, 2, pairs)?;
/// let (source, target) = coupling.marginals();
/// assert_eq!((source, target), (array![0.5, 0.5], array![0.25, 0.75]));
/// // The mean partner of each source cell.
/// let means = coupling.conditional_mean(array![[0.0], [4.0]].view())?;
/// assert_eq!(means, array![[2.0], [4.0]]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Coupling {
    /// Number of target cells.
    n_target: usize,
    /// Position of the first pair of each source cell, n_source + 1 numbers.
    starts: Vec<usize>,
    /// Target cell of each pair.
    targets: Vec<u32>,
    /// Mass of each pair.
    masses: Vec<f64>,
}

impl Coupling {
    /// Creates a coupling from triplets (source cell, target cell, mass), sorted by source cell,
    /// then target cell.
    ///
    /// # Errors
    /// [`Error::Parameter`] if pairs are out of order or repeated, a cell does not exist, a mass is
    /// not finite and > 0, or there is no pair.
    pub fn new(
        n_source: usize,
        n_target: usize,
        pairs: impl IntoIterator<Item = (usize, usize, f64)>,
    ) -> Result<Self> {
        let refuse = |must, got: String| Err(Error::Parameter { name: "the coupling", must, got });
        let mut coupling =
            Self { n_target, starts: vec![0], targets: Vec::new(), masses: Vec::new() };
        let mut last = None;
        for (i, j, mass) in pairs {
            if i >= n_source || j >= n_target || u32::try_from(j).is_err() {
                return refuse("pairs of cells that exist", format!("({i}, {j})"));
            }
            if last >= Some((i, j)) {
                return refuse(
                    "pairs sorted by source, then target",
                    format!("({i}, {j}) out of order"),
                );
            }
            if !(0.0 < mass && mass < f64::INFINITY) {
                return refuse("masses that are finite and > 0", mass.to_string());
            }
            last = Some((i, j));
            coupling.starts.resize(i + 1, coupling.targets.len());
            coupling.targets.push(j as u32);
            coupling.masses.push(mass);
        }
        if last.is_none() {
            return refuse("at least one pair", "none".into());
        }
        coupling.starts.resize(n_source + 1, coupling.targets.len());
        Ok(coupling)
    }

    /// From an exact coupling; pairs without mass are left out.
    ///
    /// # Errors
    /// As [`Coupling::new`].
    pub(crate) fn from_exact(
        n_source: usize,
        n_target: usize,
        plan: &TransportPlan,
    ) -> Result<Self> {
        Self::new(n_source, n_target, plan.entries.iter().copied().filter(|entry| entry.2 > 0.0))
    }

    /// Number of source cells and number of target cells.
    pub fn shape(&self) -> (usize, usize) {
        (self.starts.len() - 1, self.n_target)
    }

    /// Number of pairs.
    pub fn n_pairs(&self) -> usize {
        self.targets.len()
    }

    /// Sum of the masses of all pairs.
    pub fn kept(&self) -> f64 {
        self.masses.iter().sum()
    }

    /// The target cells of source cell `i` and their masses; two empty slices if there is no such
    /// cell.
    pub fn row(&self, i: usize) -> (&[u32], &[f64]) {
        let start = self.starts.get(i).copied().unwrap_or(self.targets.len());
        let end = self.starts.get(i + 1).copied().unwrap_or(self.targets.len());
        (&self.targets[start..end], &self.masses[start..end])
    }

    /// All pairs as (source cell, target cell, mass), sorted by source cell, then target cell.
    pub fn pairs(&self) -> impl Iterator<Item = (usize, usize, f64)> + '_ {
        (0..self.shape().0).flat_map(|i| {
            let (targets, masses) = self.row(i);
            targets.iter().zip(masses).map(move |(j, mass)| (i, *j as usize, *mass))
        })
    }

    /// Mass of each source cell (n_source) and mass of each target cell (n_target).
    pub fn marginals(&self) -> (Array1<f64>, Array1<f64>) {
        let (n, m) = self.shape();
        let (mut source, mut target) = (Array1::zeros(n), Array1::zeros(m));
        for (i, j, mass) in self.pairs() {
            source[i] += mass;
            target[j] += mass;
        }
        (source, target)
    }

    /// The barycentric projection: for each source cell the mean of `target` (n_target × d) over
    /// its partners, weighted by mass; n_source × d. NaN for a source cell without partners.
    ///
    /// # Errors
    /// [`Error::Shape`] unless there is one row for each target cell.
    pub fn conditional_mean(&self, target: ArrayView2<'_, f64>) -> Result<Array2<f64>> {
        let (expected, got) = (self.n_target, target.nrows());
        if expected != got {
            return Err(Error::Shape { what: "the target", unit: "cells", expected, got });
        }
        let mut means = Array2::zeros((self.shape().0, target.ncols()));
        for (i, mut mean) in means.rows_mut().into_iter().enumerate() {
            let (targets, masses) = self.row(i);
            for (j, mass) in targets.iter().zip(masses) {
                mean.scaled_add(*mass, &target.row(*j as usize));
            }
            mean /= masses.iter().sum::<f64>();
        }
        Ok(means)
    }

    /// `T V` for `values` V (n_target × k); n_source × k. One row for each target cell is needed.
    pub(in crate::bridge) fn times(&self, values: ArrayView2<'_, f64>) -> Array2<f64> {
        let mut sums = Array2::zeros((self.shape().0, values.ncols()));
        let tasks: Vec<_> = sums.axis_chunks_iter_mut(Axis(0), ROWS).enumerate().collect();
        tasks.into_par_iter().for_each(|(task, mut sums)| {
            for (row, mut sum) in sums.rows_mut().into_iter().enumerate() {
                let (targets, masses) = self.row(task * ROWS + row);
                for (j, mass) in targets.iter().zip(masses) {
                    sum.scaled_add(*mass, &values.row(*j as usize));
                }
            }
        });
        sums
    }

    /// `Tᵀ U` for `values` U (n_source × k); n_target × k. One row for each source cell is needed.
    pub(in crate::bridge) fn transposed_times(&self, values: ArrayView2<'_, f64>) -> Array2<f64> {
        let mut sums = Array2::zeros((self.n_target, values.ncols()));
        // Several pairs add to one row, so tasks have columns of their own.
        let columns = values.axis_chunks_iter(Axis(1), COLUMNS);
        let tasks: Vec<_> = sums.axis_chunks_iter_mut(Axis(1), COLUMNS).zip(columns).collect();
        tasks.into_par_iter().for_each(|(mut sums, values)| {
            for (i, j, mass) in self.pairs() {
                sums.row_mut(j).scaled_add(mass, &values.row(i));
            }
        });
        sums
    }

    /// Draws `n` pairs (source cell, target cell) independently, with probabilities proportional to
    /// their masses. Takes `O(n_pairs + n log n_pairs)` time.
    pub fn draw(&self, n: usize, seed: Seed) -> Vec<(usize, usize)> {
        let mut sums = Vec::with_capacity(self.masses.len());
        let mut total = 0.0;
        for mass in &self.masses {
            total += mass;
            sums.push(total);
        }
        let mut stream = seed.stream("coupling/draw", 0);
        (0..n)
            .map(|_| {
                let uniform: f64 = StandardUniform.sample(&mut stream);
                let place = sums.partition_point(|sum| *sum <= uniform * total);
                let place = place.min(self.targets.len() - 1);
                let source = self.starts.partition_point(|start| *start <= place) - 1;
                (source, self.targets[place] as usize)
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    fn example() -> Coupling {
        let pairs = [(0, 1, 0.25), (2, 0, 0.3), (2, 2, 0.2), (3, 2, 0.25)];
        Coupling::new(5, 3, pairs).unwrap()
    }

    #[test]
    fn rows_marginals_and_means_are_those_of_the_pairs() {
        let coupling = example();
        assert_eq!((coupling.shape(), coupling.n_pairs()), ((5, 3), 4));
        assert!((coupling.kept() - 1.0).abs() < 1e-15);
        assert_eq!(coupling.row(2), (&[0, 2][..], &[0.3, 0.2][..]));
        assert_eq!((coupling.row(1).0.len(), coupling.row(4).0.len()), (0, 0));
        let (source, target) = coupling.marginals();
        assert_eq!(source, array![0.25, 0.0, 0.5, 0.25, 0.0]);
        assert!((&target - &array![0.3, 0.25, 0.45]).iter().all(|off| off.abs() < 1e-15));
        let means = coupling.conditional_mean(array![[0.0], [1.0], [5.0]].view()).unwrap();
        assert!((means[[2, 0]] - 2.0).abs() < 1e-15 && means[[1, 0]].is_nan());
        assert!(coupling.conditional_mean(array![[0.0]].view()).is_err());
    }

    #[test]
    fn pairs_are_drawn_as_often_as_their_mass() {
        let n = 40_000;
        let drawn = example().draw(n, Seed(3));
        for (i, j, mass) in example().pairs() {
            let share = drawn.iter().filter(|pair| **pair == (i, j)).count() as f64 / n as f64;
            // Five standard errors of a share.
            assert!((share - mass).abs() < 5.0 * (mass / n as f64).sqrt(), "{i} {j} {share}");
        }
        assert!(drawn.iter().all(|pair| *pair != (0, 0)));
    }

    #[test]
    fn refuses_pairs_out_of_order_twice_or_of_no_cell() {
        for bad in [
            vec![(1, 0, 0.5), (0, 0, 0.5)],
            vec![(0, 1, 0.5), (0, 1, 0.5)],
            vec![(0, 3, 1.0)],
            vec![(5, 0, 1.0)],
            vec![(0, 0, 0.0)],
            vec![(0, 0, f64::NAN)],
            vec![],
        ] {
            assert!(Coupling::new(5, 3, bad.clone()).is_err(), "{bad:?}");
        }
    }
}
