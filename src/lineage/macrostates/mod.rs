//! Macrostates: groups of late cells with separate ancestors, and of early cells with separate descendants.

mod arrival;
mod dip;
mod kinship;
mod modes;
mod partition;
#[cfg(test)]
mod tests;

use ndarray::{Array1, ArrayView2};
use rayon::prelude::*;

pub use arrival::{arrival_times, regions};
pub use kinship::Side;

use crate::error::{Error, Result, shape};
use crate::lineage::Resampled;
use crate::lineage::macrostates::kinship::Kinship;
use crate::lineage::macrostates::modes::Modes;
use crate::lineage::macrostates::partition::{
    Cells, Labels, Separation, indicators, members, merge, n_states, recovered,
};
use crate::rng::Seed;

/// Number of resamples whose modes are computed together; fixed, so that memory does not depend on
/// their number.
const TOGETHER: usize = 8;

/// Parameters of [`Macrostates::of`].
///
/// ```
/// use sbcell::lineage::MacrostateOptions;
/// let three = MacrostateOptions::default().with_n_states(Some(3));
/// assert_eq!((three.min_cells, three.min_stability), (10, 0.6));
/// ```
#[derive(Debug, Clone, PartialEq, derive_setters::Setters)]
#[setters(prefix = "with_")]
#[non_exhaustive]
pub struct MacrostateOptions {
    /// Number of states. If `None`, as many as have gaps between them and are found again in resamples.
    pub n_states: Option<usize>,
    /// Number of slow modes, ≥ 1.
    pub n_modes: usize,
    /// Number of pieces that are merged into states, ≥ 1: the largest number of states.
    pub n_pieces: usize,
    /// Smallest number of cells of a state.
    pub min_cells: usize,
    /// Smallest stability of a state: less stable ones are merged with the closest state.
    pub min_stability: f64,
    /// Smallest `√n · dip` of a gap between two states. The default is exceeded with probability 0.1
    /// by a sample with an even distribution, and far more rarely by a bell-shaped one.
    pub least_dip: f64,
}

impl Default for MacrostateOptions {
    fn default() -> Self {
        Self {
            n_states: None,
            n_modes: 12,
            n_pieces: 12,
            min_cells: 10,
            min_stability: 0.6,
            least_dip: 0.4875,
        }
    }
}

/// Macrostates of the cells of one time of a course.
///
/// Two late cells are kin as far as they have ancestors in common, over all earlier times. The slow
/// modes are the leading eigenfunctions of this kinship: functions that differ between cells whose
/// ancestors stayed apart for long (coherent sets). Weighted k-means in the modes cuts the cells into
/// pieces that keep most of their kin. Two pieces remain separate states if the cells along the line
/// between them have a gap by the dip test; others are merged, so that a continuum is one state. Early
/// cells are treated alike, by their descendants.
///
/// Time of some tens of passes over all pairs of each interval, and of `6 n_modes` columns for each
/// resample. Source of the operator: Froyland, Santitissadeekorn and Monahan 2010; of the test:
/// Hartigan and Hartigan 1985; of the stability: Hennig 2007.
///
/// ```
/// use ndarray::{Array2, array};
/// use sbcell::lineage::{Lineage, MacrostateOptions, Macrostates, Resampled, Side};
/// use sbcell::{Epsilon, Seed, Silent, bridge::Link, data::Snapshot};
/// # fn main() -> sbcell::Result<()> {
/// // Forty cells in two groups, at 0 and at 10, which stay apart.
/// let points = Array2::from_shape_fn((40, 1), |(i, _)| (i / 20 * 10) as f64 + 0.1 * (i % 20) as f64);
/// let cells = Snapshot::new(points.clone())?;
/// let link = Link::entropic(&cells, &cells, Epsilon::new(1.0)?)?;
/// let lineage = Lineage::new(vec![0.0, 1.0], vec![link])?;
/// let resampled = Resampled::new(&lineage, None, 5, Seed(0), &mut Silent)?;
/// let options = MacrostateOptions::default();
/// let found = Macrostates::of(&resampled, 1, Side::Ancestors, points.view(), &options, Seed(0))?;
/// assert_eq!(found.n_states(), 2);
/// assert_ne!(found.of_cells[0], found.of_cells[39]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Macrostates {
    /// Place of the time of the cells.
    pub place: usize,
    /// The state of each cell, `n_cells`; `None` for cells that no mass of the couplings reaches.
    /// States are numbered by decreasing number of cells.
    pub of_cells: Vec<Option<usize>>,
    /// Eigenvalues of the slow modes, decreasing, without the trivial one: the share of time for which
    /// the populations that the mode separates stay apart, between 0 and 1.
    pub eigenvalues: Array1<f64>,
    /// Probability, for each state, of its least gap to another state in a sample with one mode. NaN
    /// for a single state.
    pub gap_probability: Vec<f64>,
    /// Stability of each state: its mean Jaccard index with the closest state of a resample. NaN
    /// without resamples.
    pub stability: Vec<f64>,
    /// Probability that the kin of a cell of a state is in the same state: its share if kin were drawn
    /// at random, 1 if ancestors of the states never mix.
    pub kept: Vec<f64>,
}

impl Macrostates {
    /// The macrostates of the cells at `place`. `points` are their coordinates, `(n_cells, n_dims)`.
    /// The resamples give the stability; some tens suffice.
    ///
    /// # Errors
    /// [`Error::Parameter`] for options out of range, for more states than cells that mass of the couplings
    /// reaches, and if there is no other time on `side`;
    /// [`Error::Shape`] unless there is one row of points for each cell.
    pub fn of(
        resampled: &Resampled<'_>,
        place: usize,
        side: Side,
        points: ArrayView2<'_, f64>,
        options: &MacrostateOptions,
        seed: Seed,
    ) -> Result<Self> {
        check(options)?;
        let kinship = Kinship::new(resampled, place, side, 0..1)?;
        shape::rows("coordinates", kinship.n_cells(), points.nrows())?;
        let n_live = kinship.weights.column(0).iter().filter(|weight| **weight > 0.0).count();
        if let Some(n) = options.n_states.filter(|&n| n > n_live) {
            let (name, must) =
                ("n_states", "at most the number of cells at the time of the states");
            let got = format!("{n}, with {n_live} cells");
            return Err(Error::Parameter { name, must, got });
        }
        let modes = Modes::of(&kinship, options.n_modes, seed.child("macrostates", 0))?;
        let weights = kinship.weights.column(0);
        let cells = Cells { places: modes.places.view(), points, weights };
        let mut labels = states(&cells, options, 1.0)?;
        let mut again = Vec::new();
        if n_states(&labels) > 1 {
            for from in (1..resampled.n_columns()).step_by(TOGETHER) {
                let to = resampled.n_columns().min(from + TOGETHER);
                let kinship = Kinship::new(resampled, place, side, from..to)?;
                let all = modes.resampled(&kinship)?;
                let one = |(b, modes): (usize, &Modes)| {
                    let weights = kinship.weights.column(b);
                    let share = weights.iter().filter(|weight| **weight > 0.0).count() as f64
                        / weights.len().max(1) as f64;
                    let cells = Cells { places: modes.places.view(), points, weights };
                    states(&cells, options, share.sqrt())
                };
                let found: Result<Vec<Labels>> = all.par_iter().enumerate().map(one).collect();
                again.extend(found?);
            }
        }
        let mut stability = stability(&labels, &again);
        while options.n_states.is_none() && n_states(&labels) > 1 {
            let Some(least) = least_stable(&stability, options.min_stability) else { break };
            let others = (0..n_states(&labels)).filter(|&other| other != least);
            let near = |&a: &usize, &b: &usize| {
                cells.distance(&labels, least, a).total_cmp(&cells.distance(&labels, least, b))
            };
            let Some(into) = others.min_by(near) else { break };
            merge(&mut labels, least.max(into), least.min(into));
            stability = self::stability(&labels, &again);
        }
        let order = by_size(&mut labels);
        let kept = kinship.kept(indicators(&labels).view())?.to_vec();
        Ok(Self {
            place,
            gap_probability: cells.gap_probabilities(&labels),
            of_cells: labels,
            eigenvalues: modes.values.clone(),
            stability: order.into_iter().map(|state| stability[state]).collect(),
            kept,
        })
    }

    /// Number of states.
    pub fn n_states(&self) -> usize {
        self.kept.len()
    }

    /// The cells of each state, increasing.
    pub fn members(&self) -> Vec<Vec<usize>> {
        members(&self.of_cells, self.n_states())
    }
}

/// Checks the ranges of `options`.
fn check(options: &MacrostateOptions) -> Result<()> {
    let MacrostateOptions { n_states, n_modes, n_pieces, min_cells, min_stability, least_dip } =
        options;
    let one = |name, value: usize| crate::error::range::at_least_one(name, value);
    one("n_modes", *n_modes)?;
    one("n_pieces", *n_pieces)?;
    one("min_cells", *min_cells)?;
    if let Some(n) = n_states.filter(|&n| n < 2) {
        let (name, must) = ("n_states", "at least 2");
        return Err(Error::Parameter { name, must, got: n.to_string() });
    }
    if !(0.0..=1.0).contains(min_stability) {
        let (name, must) = ("min_stability", "between 0 and 1");
        return Err(Error::Parameter { name, must, got: min_stability.to_string() });
    }
    if !(least_dip.is_finite() && *least_dip >= 0.0) {
        let (name, must) = ("least_dip", "a number of at least 0");
        return Err(Error::Parameter { name, must, got: least_dip.to_string() });
    }
    Ok(())
}

/// The states of `cells`; `scale` is the root of the share of
/// distinct cells, with which √n · dip decreases.
fn states(cells: &Cells<'_>, options: &MacrostateOptions, scale: f64) -> Result<Labels> {
    if let Some(n) = options.n_states {
        return cells.pieces(n);
    }
    // A resample has fewer distinct cells of a state.
    let min_cells = (options.min_cells as f64 * scale * scale).ceil() as usize;
    cells.separate(options.n_pieces, Separation { min_cells, least_dip: options.least_dip * scale })
}

/// Mean of [`recovered`] over the resamples; NaN without resamples, 1 for a single state.
fn stability(labels: &Labels, again: &[Labels]) -> Vec<f64> {
    let n = n_states(labels);
    if n < 2 {
        return vec![1.0; n];
    }
    let mut mean = vec![0.0; n];
    for others in again {
        for (mean, own) in mean.iter_mut().zip(recovered(labels, others)) {
            *mean += own;
        }
    }
    mean.into_iter().map(|sum| sum / again.len() as f64).collect()
}

/// The least stable state, if its stability is below `least`.
fn least_stable(stability: &[f64], least: f64) -> Option<usize> {
    let place = crate::linalg::first_least(stability.iter().copied())?;
    (stability[place] < least).then_some(place)
}

/// Renumbers the states by decreasing number of cells; returns the old number of each new one.
fn by_size(labels: &mut Labels) -> Vec<usize> {
    let sizes: Vec<usize> = members(labels, n_states(labels)).iter().map(Vec::len).collect();
    let mut order: Vec<usize> = (0..sizes.len()).collect();
    order.sort_by_key(|&state| std::cmp::Reverse(sizes[state]));
    let mut new = vec![0; order.len()];
    order.iter().enumerate().for_each(|(place, &state)| new[state] = place);
    labels.iter_mut().flatten().for_each(|state| *state = new[*state]);
    order
}
