//! Lineage signal: the information in a coupling, compared with permuted data, and its unusual cells.

use ndarray::{Array1, Array2, ArrayView2, Axis, s};
use rand::seq::SliceRandom;

use crate::bridge::Link;
use crate::data::Snapshot;
use crate::error::Result;
use crate::geometry::Epsilon;
use crate::rng::Seed;

/// How much a coupling knows of the future of cells, and the same quantities by chance: for permuted data.
/// See [`signal()`] for an example.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Signal {
    /// Mutual information of start and end cell in nats; 0 if all cells have the same distribution of
    /// descendants. Divided by ln 2 it is in bits: one bit halves the later cells to which a cell can go.
    pub information: f64,
    /// Upper bound of the information: the logarithm of the smaller number of cells.
    pub most: f64,
    /// Information by chance: its mean over couplings of cells with permuted coordinates, in nats.
    pub by_chance: f64,
    /// Standard deviation of the information by chance over permutations; NaN for fewer than two.
    pub by_chance_deviation: f64,
    /// Typical number of later cells to which a cell is coupled, its effective number of partners: `exp` of
    /// the mean entropy of rows, weighted by mass.
    pub partners: f64,
    /// Share of the squared distance in unseen coordinates that a coupling predicts: how much the coupling
    /// knows (0: nothing, 1: all). The coupling is computed from half of the coordinates; the share is
    /// `1 − Σ T_ij ‖d_ij‖² / Σ p_i q_j ‖d_ij‖²` over the other half, with `d_ij = y_j − x_i` minus its
    /// mean, averaged over both halves. 0 for a coupling without information on them, negative for a
    /// misleading one; NaN in one dimension.
    pub predicted: f64,
    /// The same share by chance: its mean for cells with permuted coordinates.
    pub predicted_by_chance: f64,
}

/// Largest number of cells on a side in couplings of permuted cells and of half of the coordinates.
const MOST_CELLS: usize = 1000;

/// Measures the information in the coupling `link` between the cells of `source` and `target`, and
/// compares it with `n_permutations` permutations of the coordinates.
///
/// A permutation exchanges the values of each coordinate among the cells of a snapshot, independently
/// for each coordinate. It preserves the distribution of every coordinate and removes their
/// dependence. Principal components learnt from the same cells raise neither number: they are uncorrelated
/// over all of these cells, so that chance makes `predicted` slightly negative. The couplings of permuted
/// cells, and of half of the coordinates, are entropic with `epsilon` and have at most 1000 cells on a side.
/// Information grows with the number of cells, so `information` and `by_chance` are comparable only up to 1000 cells. Time of `2 + 3 n_permutations` entropic
/// couplings.
///
/// # Errors
/// As [`Link::entropic`].
///
/// ```
/// use ndarray::array;
/// use sbcell::{Epsilon, Seed, bridge::Link, data::Snapshot, lineage::signal};
/// # fn main() -> sbcell::Result<()> {
/// // Two cell types that both coordinates distinguish.
/// let cells = Snapshot::new(array![[0.0, 0.0], [4.0, 4.0]])?;
/// let epsilon = Epsilon::new(0.1)?;
/// let link = Link::entropic(&cells, &cells, epsilon)?;
/// let found = signal(&link, &cells, &cells, epsilon, 2, Seed(0))?;
/// assert!((found.information - 2.0_f64.ln()).abs() < 1e-3);
/// assert!(found.predicted > 0.99);
/// # Ok(())
/// # }
/// ```
pub fn signal(
    link: &Link,
    source: &Snapshot,
    target: &Snapshot,
    epsilon: Epsilon,
    n_permutations: usize,
    seed: Seed,
) -> Result<Signal> {
    let (n, m) = link.shape();
    let (some, others) = (few(source)?, few(target)?);
    let (source, target) = (&some, &others);
    let predicted = predicted_share(source, target, epsilon)?;
    let (mut permuted, mut predicted_permuted) = (Vec::new(), Vec::new());
    for number in 0..n_permutations {
        let child = seed.child("lineage/deal", number as u64);
        let own = shuffled(source, child.child("source", 0))?;
        let others = shuffled(target, child.child("target", 0))?;
        permuted.push(Link::entropic(&own, &others, epsilon)?.information());
        predicted_permuted.push(predicted_share(&own, &others, epsilon)?);
    }
    let mean = |of: &[f64]| of.iter().sum::<f64>() / of.len() as f64;
    let centre = mean(&permuted);
    let squares = permuted.iter().map(|value| (value - centre).powi(2)).sum::<f64>();
    let masses = link.marginals().0;
    let partners = link.effective_partners();
    let entropy: f64 = masses
        .iter()
        .zip(&partners)
        .filter(|pair| *pair.1 > 0.0)
        .map(|(mass, partners)| mass * partners.ln())
        .sum();
    Ok(Signal {
        information: link.information().max(0.0),
        most: (n.min(m) as f64).ln(),
        by_chance: centre,
        // One permutation gives no standard deviation.
        by_chance_deviation: if n_permutations < 2 {
            f64::NAN
        } else {
            (squares / (n_permutations - 1) as f64).sqrt()
        },
        partners: (entropy / masses.sum()).exp(),
        predicted,
        predicted_by_chance: mean(&predicted_permuted),
    })
}

/// The cells thinned evenly to at most [`MOST_CELLS`].
fn few(cells: &Snapshot) -> Result<Snapshot> {
    let step = cells.n_cells().div_ceil(MOST_CELLS).max(1);
    let rows: Vec<usize> = (0..cells.n_cells()).step_by(step).collect();
    let weights = cells.marginal().select(Axis(0), &rows);
    Snapshot::weighted(cells.points().select(Axis(0), &rows), weights)
}

/// The cells with each coordinate permuted on its own; weights stay in place.
fn shuffled(cells: &Snapshot, seed: Seed) -> Result<Snapshot> {
    let mut points = cells.points().to_owned();
    for (d, mut column) in points.columns_mut().into_iter().enumerate() {
        let mut values = column.to_vec();
        values.shuffle(&mut seed.stream("lineage/coordinate", d as u64));
        column.assign(&Array1::from(values));
    }
    Snapshot::weighted(points, cells.marginal().to_owned())
}

/// Share of the squared distance in unseen coordinates that is predicted; see [`Signal::predicted`]. Even
/// and odd coordinates are the halves.
fn predicted_share(source: &Snapshot, target: &Snapshot, epsilon: Epsilon) -> Result<f64> {
    let dim = source.dim();
    if dim < 2 {
        return Ok(f64::NAN);
    }
    let half = |cells: &Snapshot, first: usize| {
        let points = cells.points().slice(s![.., first..; 2]).to_owned();
        Snapshot::weighted(points, cells.marginal().to_owned())
    };
    let mut total = 0.0;
    for first in [0, 1] {
        let plan = Link::entropic(&half(source, first)?, &half(target, first)?, epsilon)?;
        let (x, y) = (half(source, 1 - first)?, half(target, 1 - first)?);
        total += carried(&plan, x.points(), y.points())?;
    }
    Ok(total / 2.0)
}

/// `1 − Σ T ‖d‖² / Σ r c ‖d‖²` with the marginals r and c of the coupling; `x` `(n, dim)` and `y`
/// `(m, dim)` are centred by them.
fn carried(plan: &Link, x: ArrayView2<'_, f64>, y: ArrayView2<'_, f64>) -> Result<f64> {
    let (r, c) = plan.marginals();
    let x = &x - &(r.dot(&x) / r.sum());
    let y = &y - &(c.dot(&y) / c.sum());
    let squares = |points: &Array2<f64>| points.map_axis(Axis(1), |row| row.dot(&row));
    let apart = r.dot(&squares(&x)) / r.sum() + c.dot(&squares(&y)) / c.sum();
    let along = (&x * &plan.pull(y.view())?).sum() / r.sum();
    // Σ T ‖y − x‖² = Σ r ‖x‖² + Σ c ‖y‖² − 2 Σ T x·y, and the last is zero for Σ r c.
    Ok(2.0 * along / apart)
}

/// Long-range mass, partners and growth of each source cell of a coupling: a way to find unusual
/// cells. See [`far_cells`] for an example.
#[derive(Debug, Clone, PartialEq)]
pub struct FarCells {
    /// Distance that counts as far: the 90th percentile of the distances of random pairs of a source
    /// and a target cell.
    pub reach: f64,
    /// Share of the mass of each source cell that goes further than `reach`, `n`.
    pub beyond: Array1<f64>,
    /// Effective number of partners of each source cell, `n`.
    pub partners: Array1<f64>,
    /// Number of descendants of each source cell relative to the mean cell, `n`.
    pub growth: Array1<f64>,
}

/// Number of random pairs from which the far distance is estimated.
const PAIRS: usize = 4000;

/// Computes long-range mass, partners and growth of every source cell of the coupling `link` between
/// `source` and `target`. The random pairs for the far distance come from `seed`.
///
/// # Errors
/// [`crate::Error::Shape`] if the snapshots are not those of the coupling.
///
/// ```
/// use ndarray::array;
/// use sbcell::{Epsilon, Seed, bridge::Link, data::Snapshot, lineage::far_cells};
/// # fn main() -> sbcell::Result<()> {
/// let cells = Snapshot::new(array![[0.0], [4.0]])?;
/// let link = Link::entropic(&cells, &cells, Epsilon::new(0.1)?)?;
/// // Each cell stays where it is and has one partner.
/// let found = far_cells(&link, &cells, &cells, Seed(0))?;
/// assert!(found.beyond.iter().all(|share| *share < 0.01));
/// assert!(found.partners.iter().all(|partners| (partners - 1.0).abs() < 0.01));
/// # Ok(())
/// # }
/// ```
pub fn far_cells(
    link: &Link,
    source: &Snapshot,
    target: &Snapshot,
    seed: Seed,
) -> Result<FarCells> {
    let mut rows: Vec<usize> = (0..PAIRS).map(|p| p % source.n_cells()).collect();
    let mut columns: Vec<usize> = (0..PAIRS).map(|p| p % target.n_cells()).collect();
    rows.shuffle(&mut seed.stream("lineage/far", 0));
    columns.shuffle(&mut seed.stream("lineage/far", 1));
    let mut distances: Vec<f64> = rows
        .iter()
        .zip(&columns)
        .map(|(&i, &j)| {
            let off = &source.points().row(i) - &target.points().row(j);
            off.dot(&off).sqrt()
        })
        .collect();
    distances.sort_by(f64::total_cmp);
    let reach = distances[PAIRS * 9 / 10];
    let own = link.marginals().0;
    Ok(FarCells {
        reach,
        beyond: link.share_beyond(source, target, reach)?,
        partners: link.effective_partners(),
        growth: &own * (own.len() as f64 / own.sum()),
    })
}

#[cfg(test)]
mod tests {
    use rand_distr::{Distribution, StandardNormal};

    use super::*;
    use crate::bridge::Coupling;

    /// Two kinds of cells, told by every coordinate, that stay what they are.
    fn kinds(n: usize, apart: f64, seed: u64) -> Snapshot {
        let mut stream = Seed(seed).stream("kinds", 0);
        Snapshot::new(Array2::from_shape_fn((n, 4), |(i, _)| {
            let kind = if i % 2 == 0 { apart } else { -apart };
            let noise: f64 = StandardNormal.sample(&mut stream);
            kind + noise
        }))
        .unwrap()
    }

    fn told(apart: f64, epsilon: f64) -> Signal {
        let (source, target) = (kinds(80, apart, 1), kinds(100, apart, 2));
        let epsilon = Epsilon::new(epsilon).unwrap();
        let link = Link::entropic(&source, &target, epsilon).unwrap();
        signal(&link, &source, &target, epsilon, 3, Seed(1)).unwrap()
    }

    #[test]
    fn kinds_that_every_coordinate_tells_are_signal_and_permuted_coordinates_are_none() {
        let clear = told(2.0, 1.0);
        // Which of two kinds: ln 2 at least; and coordinates vouch for each other.
        assert!(clear.information > 0.69 && clear.predicted > 0.6, "{clear:?}");
        assert!(clear.predicted > clear.predicted_by_chance + 0.5, "{clear:?}");
        assert!(clear.most <= 80.0_f64.ln() + 1e-12);
        let none = told(0.0, 1.0);
        assert!(none.predicted.abs() < 0.1, "{none:?}");
    }

    #[test]
    fn too_much_noise_leaves_no_signal() {
        let lost = told(2.0, 1e4);
        assert!(lost.information < 0.01 && lost.partners > 95.0, "{lost:?}");
    }

    #[test]
    fn what_is_carried_is_as_defined() {
        let (source, target) = (kinds(6, 1.0, 1), kinds(6, 1.0, 2));
        let pairs = (0..6).map(|i| (i, (i * 5) % 6, 1.0 / 6.0));
        let plan = Link::pairs(Coupling::new(6, 6, pairs).unwrap()).unwrap();
        let found = carried(&plan, source.points(), target.points()).unwrap();
        let shift = target.points().mean_axis(Axis(0)).unwrap()
            - source.points().mean_axis(Axis(0)).unwrap();
        let square = |i: usize, j: usize| {
            let off = &target.points().row(j) - &source.points().row(i) - &shift;
            off.dot(&off)
        };
        let paired: f64 = (0..6).map(|i| square(i, (i * 5) % 6) / 6.0).sum();
        let apart: f64 = (0..6)
            .flat_map(|i| (0..6).map(move |j| (i, j)))
            .map(|(i, j)| square(i, j) / 36.0)
            .sum();
        assert!((found - (1.0 - paired / apart)).abs() < 1e-12);
    }

    #[test]
    fn far_mass_and_growth_are_told_cell_by_cell() {
        let line = |far: f64| {
            let place = |i: usize| if i == 39 { far } else { 0.01 * i as f64 };
            Snapshot::new(Array2::from_shape_fn((40, 1), |(i, _)| place(i))).unwrap()
        };
        let (source, target) = (line(0.39), line(9.0));
        // Each stays where it is; the last but one sends three quarters to the only one far away, and
        // the first leaves twice as many as it is.
        let mut pairs: Vec<(usize, usize, f64)> = (0..40).map(|i| (i, i, 0.02)).collect();
        pairs[0].2 = 0.04;
        pairs[38].2 = 0.005;
        pairs.insert(39, (38, 39, 0.015));
        let link = Link::pairs(Coupling::new(40, 40, pairs).unwrap()).unwrap();
        let far = far_cells(&link, &source, &target, Seed(0)).unwrap();
        // Nine of ten random pairs are within the line of near cells.
        assert!(0.2 < far.reach && far.reach < 0.39, "{}", far.reach);
        assert!((far.beyond[38] - 0.75).abs() < 1e-12 && (far.beyond[39] - 1.0).abs() < 1e-12);
        assert!(far.beyond.iter().take(38).all(|share| share.abs() < 1e-12));
        assert!((far.growth[0] / far.growth[1] - 2.0).abs() < 1e-12);
        assert!((far.growth.mean().unwrap() - 1.0).abs() < 1e-12);
    }
}
