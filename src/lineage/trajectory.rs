//! Trajectories: the ancestors and descendants of sets of cells, as distributions over cells.

use std::ops::RangeInclusive;

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis};

use crate::error::Result;
use crate::lineage::Lineage;
use crate::lineage::course::normalised;

/// Size and uncertainty of one set's distribution over the cells of a time. See [`trajectory()`] for an
/// example.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// Number of descendants of the set relative to the same number of mean cells; 1 at the set's own
    /// time and before it.
    pub mass: f64,
    /// Entropy in nats: 0 for one cell, `ln n` for n cells of equal share.
    pub entropy: f64,
    /// Effective number of cells, `exp(entropy)`.
    pub effective_cells: f64,
    /// Number of cells at this time.
    pub n_cells: usize,
}

/// The ancestors or descendants of some sets of cells at one time. See [`trajectory()`] for an example.
#[derive(Debug, Clone, PartialEq)]
pub struct TrajectoryStep {
    /// Place of the time in the course.
    pub place: usize,
    /// Share of each cell in the distribution of each set, `(n_cells, n_sets)`. Columns sum to one; a
    /// column is zero if no mass leads between the set and this time.
    pub shares: Array2<f64>,
    /// Size and uncertainty of each set's distribution.
    pub spreads: Vec<Spread>,
}

impl TrajectoryStep {
    /// The sets themselves, columns of weights over the cells at the time of `place`, `(n_cells, n_sets)`.
    pub fn start(sets: ArrayView2<'_, f64>, place: usize) -> Self {
        let shares = normalised(sets.to_owned());
        let ones = Array1::ones(shares.ncols());
        step(place, shares, &ones)
    }
}

/// Computes the ancestors and descendants of sets of cells at the time of place `at`, for all times
/// whose places are in the range `places`. The result is in the order of time.
///
/// `sets` are columns of weights over the cells at this time, `(n_cells, n_sets)`, not negative.
/// Ancestors are `Σ_j T_ij v_j / Σ_i T_ij`, descendants `n Σ_i T_ij u_i`, coupling by coupling. Time of
/// one pass over all pairs of each interval for each set.
///
/// # Errors
/// [`crate::Error::Shape`] if `sets` has not one row for each cell of its time;
/// [`crate::Error::Parameter`] for descendants along couplings that go straight to the last time, unless
/// it is the only one.
///
/// ```
/// use ndarray::array;
/// use sbcell::lineage::{Lineage, trajectory};
/// use sbcell::{Epsilon, bridge::Link, data::Snapshot};
/// # fn main() -> sbcell::Result<()> {
/// let cells = Snapshot::new(array![[0.0], [4.0]])?;
/// let link = Link::entropic(&cells, &cells, Epsilon::new(0.1)?)?;
/// let lineage = Lineage::new(vec![0.0, 1.0], vec![link])?;
/// // The ancestor of the second cell of the later time is the second cell of the earlier time.
/// let steps = trajectory(&lineage, array![[0.0], [1.0]].view(), 1, 0..=1)?;
/// assert!(steps[0].shares[[1, 0]] > 0.99);
/// assert!((steps[0].spreads[0].effective_cells - 1.0).abs() < 0.01);
/// # Ok(())
/// # }
/// ```
pub fn trajectory(
    lineage: &Lineage,
    sets: ArrayView2<'_, f64>,
    at: usize,
    places: RangeInclusive<usize>,
) -> Result<Vec<TrajectoryStep>> {
    let (first, last) = (*places.start(), *places.end());
    let start = normalised(sets.to_owned());
    let mut earlier = Vec::new();
    let mut shares = start.clone();
    for k in (first..at).rev() {
        if lineage.end_of(k) == at {
            shares.clone_from(&start);
        }
        shares = normalised(lineage.ascend(k, shares.view())?);
        earlier.push(step(k, shares.clone(), &Array1::ones(shares.ncols())));
    }
    earlier.reverse();
    let mut steps = earlier;
    if places.contains(&at) {
        steps.push(TrajectoryStep::start(sets, at));
    }
    let mut mass = start;
    for k in lineage.route(at, last.max(at))? {
        mass = lineage.descend(k, mass.view())?;
        let after = lineage.end_of(k);
        if after >= first {
            let totals = mass.sum_axis(Axis(0));
            steps.push(step(after, normalised(mass.clone()), &totals));
        }
    }
    Ok(steps)
}

/// The step of one time from `shares` `(n_cells, n_sets)`, whose columns sum to one, and the number of
/// descendants of each set.
fn step(place: usize, shares: Array2<f64>, totals: &Array1<f64>) -> TrajectoryStep {
    let n_cells = shares.nrows();
    let spread = |(column, &mass): (ArrayView1<'_, f64>, &f64)| {
        let entropy = entropy(column);
        Spread { mass, entropy, effective_cells: entropy.exp(), n_cells }
    };
    let spreads = shares.columns().into_iter().zip(totals).map(spread).collect();
    TrajectoryStep { place, shares, spreads }
}

/// Entropy `−Σ p ln p` in nats; zero shares contribute nothing.
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
        let steps = trajectory(&lineage, sets.view(), 1, 0..=2).unwrap();
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
            (places(1..=2), places(0..=1), places(2..=2)),
            (vec![1, 2], vec![0, 1], vec![2])
        );
        assert!(trajectory(&lineage, array![[1.0]].view(), 1, 0..=2).is_err());
    }
}
