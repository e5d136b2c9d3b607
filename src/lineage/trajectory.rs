//! Where sets of cells came from and where they go: a distribution over cells at every time.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis};

use crate::error::Result;
use crate::lineage::Lineage;
use crate::lineage::course::normalised;

/// How spread out a distribution over cells is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// Descendants of the set relative to as many mean cells; 1 at the set's own time and before it.
    pub mass: f64,
    /// Entropy in nats: 0 for one cell, `ln n` for all of `n` cells evenly.
    pub entropy: f64,
    /// `exp(entropy)`: as many cells of even share would be as uncertain.
    pub effective_cells: f64,
    /// Cells at that time.
    pub n_cells: usize,
}

/// A distribution over the cells of each time.
#[derive(Debug, Clone, PartialEq)]
pub struct TrajectoryStep {
    /// Place of the time in the lineage.
    pub place: usize,
    /// Share of each cell, `(n_cells, n_sets)`, columns of sum one; a set that nothing leads to or from
    /// has zeros.
    pub shares: Array2<f64>,
    /// Of each set.
    pub spreads: Vec<Spread>,
}

/// Ancestors and descendants of sets of cells at the time of place `at`.
///
/// `sets` are columns of weights `(n_cells, n_sets)` over the cells there, not negative. Earlier times
/// hold the ancestors (`Σ_j T_ij v_j / Σ_i T_ij`, interval by interval), later ones the descendants
/// (`n Σ_i T_ij u_i`), from `first` to `last`. Steps are in the order of time.
///
/// # Errors
/// [`crate::Error::Shape`] if there is not one row for each cell of that time.
pub fn trajectory(
    lineage: &Lineage,
    sets: ArrayView2<'_, f64>,
    at: usize,
    (first, last): (usize, usize),
) -> Result<Vec<TrajectoryStep>> {
    let start = normalised(sets.to_owned());
    let mut earlier = Vec::new();
    let mut shares = start.clone();
    for k in (first..at).rev() {
        shares = normalised(lineage.ascend(k, shares.view())?);
        earlier.push(step(k, shares.clone(), &Array1::ones(shares.ncols())));
    }
    earlier.reverse();
    let mut steps = earlier;
    if (first..=last).contains(&at) {
        steps.push(step(at, start.clone(), &Array1::ones(start.ncols())));
    }
    let mut mass = start;
    for k in at..last {
        mass = lineage.descend(k, mass.view())?;
        if k + 1 >= first {
            let totals = mass.sum_axis(Axis(0));
            steps.push(step(k + 1, normalised(mass.clone()), &totals));
        }
    }
    Ok(steps)
}

fn step(place: usize, shares: Array2<f64>, totals: &Array1<f64>) -> TrajectoryStep {
    let n_cells = shares.nrows();
    let spread = |(column, &mass): (ArrayView1<'_, f64>, &f64)| {
        let entropy = entropy(column);
        Spread { mass, entropy, effective_cells: entropy.exp(), n_cells }
    };
    let spreads = shares.columns().into_iter().zip(totals).map(spread).collect();
    TrajectoryStep { place, shares, spreads }
}

/// `−Σ p ln p`.
pub(super) fn entropy(shares: ArrayView1<'_, f64>) -> f64 {
    shares.iter().filter(|share| **share > 0.0).map(|share| -share * share.ln()).sum()
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;
    use crate::lineage::course::tests::example;

    #[test]
    fn ancestors_and_descendants_are_those_of_the_plans_written_out() {
        let lineage = example();
        // The middle cell of the middle time.
        let sets = array![[0.0], [5.0], [0.0]];
        let steps = trajectory(&lineage, sets.view(), 1, (0, 2)).unwrap();
        let shares: Vec<Vec<f64>> = steps.iter().map(|s| s.shares.column(0).to_vec()).collect();
        let close = |a: &[f64], b: &[f64]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-12);
        assert!(close(&shares[0], &[2.0 / 3.0, 1.0 / 3.0]));
        assert!(close(&shares[1], &[0.0, 1.0, 0.0]));
        assert!(close(&shares[2], &[0.25 / 0.35, 0.1 / 0.35]));
        // 3 · 0.35 descendants of a cell of mass one.
        assert!((steps[2].spreads[0].mass - 1.05).abs() < 1e-12);
        let h = -(2.0 / 3.0_f64 * (2.0 / 3.0_f64).ln() + 1.0 / 3.0 * (1.0 / 3.0_f64).ln());
        assert!((steps[0].spreads[0].entropy - h).abs() < 1e-12);
        assert!((steps[0].spreads[0].effective_cells - h.exp()).abs() < 1e-12);
        let places = |range| -> Vec<usize> {
            let steps = trajectory(&lineage, sets.view(), 1, range).unwrap();
            steps.iter().map(|step| step.place).collect()
        };
        assert_eq!(
            (places((1, 2)), places((0, 1)), places((2, 2))),
            (vec![1, 2], vec![0, 1], vec![2])
        );
        assert!(trajectory(&lineage, array![[1.0]].view(), 1, (0, 2)).is_err());
    }
}
