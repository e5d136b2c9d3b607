//! The choice of the bandwidth by the likelihood of held-out cells, or by the growth of a kernel sum.

use ndarray::{Array1, ArrayView1, Axis, s};
use rand::seq::SliceRandom;

use crate::data::Snapshot;
use crate::error::{Error, Result};
use crate::geometry::Epsilon;
use crate::linalg::clearly_less;
use crate::progress::{Event, Progress, Unseen, report};
use crate::rng::Seed;
use crate::sampler::kernel::Kernel;
use crate::sampler::self_bridge::SelfBridge;

/// Number of folds of the cells.
pub(super) const FOLDS: usize = 5;

/// Number of held-out cells after which no further fold is held out.
const JUDGED: usize = 1_000;

/// Tolerance of the scaling of kernels that are only compared.
const ROUGH: f64 = 1e-3;

/// Share of the weight of the least likely held-out cells, which are ignored.
///
/// Otherwise a few outliers would determine the choice and widen the kernel for all cells.
const OUTLIERS: f64 = 0.05;

/// Ratio of neighbouring bandwidths on the grid.
const FACTOR: f64 = std::f64::consts::SQRT_2;

/// The smallest and the largest ε on the grid, in units of the mean variance of the cells.
const RANGE: (f64, f64) = (1e-4, 64.0);

/// ε divided by the variance of a kernel density estimate with the same smoothing.
///
/// To first order the stationary distribution of the bridge's drift is wider than the cells by `ε/4`.
const OF_DENSITY: f64 = 4.0;

/// The method that determines the bandwidth ε, the variance of a step.
///
/// ```
/// use ndarray::Array2;
/// use sbcell::data::Snapshot;
/// use sbcell::sampler::Bandwidth;
/// use sbcell::{Seed, Silent};
///
/// let cells = Array2::from_shape_fn((40, 1), |(i, _)| (i as f64 * 0.7).sin());
/// let cells = Snapshot::new(cells)?;
/// let chosen = Bandwidth::HeldOut.choose(&cells, None, Seed(1), &mut Silent)?;
/// let tried = |place: usize| chosen.tried[place].0;
/// let range = tried(0)..=tried(chosen.tried.len() - 1);
/// assert!(range.contains(&chosen.epsilon.value()));
/// # sbcell::Result::Ok(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Bandwidth {
    /// This value.
    Given(Epsilon),
    /// The value with the largest mean log density of held-out cells.
    ///
    /// The density is the stationary one ([`SelfBridge::log_density`]), or for a variable bandwidth
    /// that of a kernel density estimate with the same smoothing. The 5 % least likely cells are
    /// ignored.
    HeldOut,
    /// The value where `ln S(ε)` grows fastest with `ln ε`, for `S(ε) = Σ_ij w_i w_j t(x_i, x_j)`.
    ///
    /// ε is then between the squared distances of neighbours and the extent of the cells (Coifman,
    /// Shkolnisky, Sigworth, Singer 2008; Berry and Harlim 2016). No cells are held out.
    Growth,
}

/// A bandwidth with the values of the criterion that determined it.
///
/// ```
/// use ndarray::array;
/// use sbcell::data::Snapshot;
/// use sbcell::sampler::Bandwidth;
/// use sbcell::{Epsilon, Seed, Silent};
///
/// let cells = Snapshot::new(array![[0.0], [1.0]])?;
/// let given = Bandwidth::Given(Epsilon::new(0.1)?);
/// let chosen = given.choose(&cells, None, Seed(1), &mut Silent)?;
/// assert!(chosen.tried.is_empty() && !chosen.at_limit);
/// # sbcell::Result::Ok(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct ChosenBandwidth {
    /// The variance of a step.
    pub epsilon: Epsilon,
    /// Each ε on the grid with the value of the criterion, by increasing ε.
    pub tried: Vec<(f64, f64)>,
    /// Whether the best ε is at an end of the grid.
    pub at_limit: bool,
}

impl Bandwidth {
    /// The bandwidth for these cells.
    ///
    /// `neighbour` is the number `k` of a variable bandwidth, or `None` for a fixed one (see
    /// [`SelfBridge::new`]). [`Bandwidth::HeldOut`] holds out a fifth of the cells in turn, until 1 000
    /// cells were held out, and evaluates about eight bandwidths around the best. Each of them takes
    /// about 12 rounds of scaling.
    ///
    /// # Errors
    /// [`Error::Parameter`] if all cells are equal or there are fewer than ten; those of
    /// [`SelfBridge::new`].
    pub fn choose(
        self,
        cells: &Snapshot,
        neighbour: Option<usize>,
        seed: Seed,
        progress: &mut dyn Progress,
    ) -> Result<ChosenBandwidth> {
        if let Self::Given(epsilon) = self {
            return Ok(ChosenBandwidth { epsilon, tried: Vec::new(), at_limit: false });
        }
        let variance = mean_variance(cells);
        if variance <= 0.0 || cells.points().rows().into_iter().all(|x| x == cells.points().row(0))
        {
            let (name, must) = ("values of the cells", "different, to choose a bandwidth");
            return Err(Error::Parameter { name, must, got: "equal cells".into() });
        }
        begin(cells, progress)?;
        let silent = &mut Unseen(progress);
        let chosen = if self == Self::Growth {
            let kernel = Kernel::new(cells, Epsilon::new(1.0)?, neighbour, silent)?;
            climb(cells, variance, |epsilon| growth(&kernel, epsilon, silent))
        } else {
            let folds = Folds::new(cells, neighbour, seed, silent)?;
            climb(cells, variance, |epsilon| folds.log_density(epsilon, silent))
        };
        report(progress, Event::End)?;
        chosen
    }
}

/// Refuses fewer than two cells for each fold, and reports that the choice begins.
pub(super) fn begin(cells: &Snapshot, progress: &mut dyn Progress) -> Result<()> {
    if cells.n_cells() < 2 * FOLDS {
        let (name, must) = (
            "number of cells",
            "at least ten to choose a bandwidth (or give the parameter `epsilon`)",
        );
        return Err(Error::Parameter { name, must, got: cells.n_cells().to_string() });
    }
    report(progress, Event::Begin { what: "choosing the bandwidth".into(), total: 0 })
}

/// Hill climbing on a geometric grid of ε, with a parabola through the best value and its neighbours.
///
/// The climb starts at a rule of thumb for normal distributions. It stops where no value within two
/// grid points is clearly higher ([`clearly_less`]). `height` is the criterion.
pub(super) fn climb(
    cells: &Snapshot,
    variance: f64,
    mut height: impl FnMut(Epsilon) -> Result<f64>,
) -> Result<ChosenBandwidth> {
    let (n, dim) = (cells.n_cells() as f64, cells.dim() as f64);
    let start = OF_DENSITY * variance * n.powf(-2.0 / (dim + 4.0));
    let steps = |share: f64| (share * variance / start).ln() / FACTOR.ln();
    let (least, most) = (steps(RANGE.0).ceil() as i64, steps(RANGE.1).floor() as i64);
    let epsilon = |place: i64| start * FACTOR.powi(place as i32);
    let mut tried: Vec<(i64, f64)> = Vec::new();
    let mut at = |place: i64, tried: &mut Vec<(i64, f64)>| -> Result<f64> {
        if let Some(known) = tried.iter().find(|entry| entry.0 == place) {
            return Ok(known.1);
        }
        let value = height(Epsilon::new(epsilon(place))?)?;
        tried.push((place, value));
        Ok(value)
    };
    let mut best = 0_i64.clamp(least, most);
    loop {
        let here = at(best, &mut tried)?;
        // Two grid points in each direction, so that a small local maximum does not end the climb.
        let mut next = None;
        for place in [best + 1, best - 1, best + 2, best - 2] {
            if (least..=most).contains(&place) && clearly_less(here, at(place, &mut tried)?) {
                next = Some(place);
                break;
            }
        }
        match next {
            Some(place) => best = place,
            None => break,
        }
    }
    tried.sort_by_key(|entry| entry.0);
    let value = |place: i64| tried.iter().find(|entry| entry.0 == place).map(|entry| entry.1);
    let shift = match (value(best - 1), value(best), value(best + 1)) {
        (Some(below), Some(here), Some(above)) => summit(below, here, above),
        _ => 0.0,
    };
    Ok(ChosenBandwidth {
        epsilon: Epsilon::new(epsilon(best) * FACTOR.powf(shift))?,
        tried: tried.iter().map(|&(place, value)| (epsilon(place), value)).collect(),
        at_limit: best == least || best == most,
    })
}

/// The position of the maximum of the parabola through values at −1, 0 and 1, within ±½.
///
/// 0 if the parabola has no maximum.
fn summit(below: f64, here: f64, above: f64) -> f64 {
    let bend = below - 2.0 * here + above;
    if bend < 0.0 { (0.5 * (below - above) / bend).clamp(-0.5, 0.5) } else { 0.0 }
}

/// The criterion of [`Bandwidth::Growth`], `d ln S / d ln ε`, by a central difference.
fn growth(kernel: &Kernel, epsilon: Epsilon, progress: &mut dyn Progress) -> Result<f64> {
    let step = 1.05;
    let mut log_sum = |factor: f64| -> Result<f64> {
        let kernel = kernel.clone().with_epsilon(Epsilon::new(epsilon.value() * factor)?);
        let rows = kernel.log_sums(&vec![0.0; kernel.n_cells()], progress)?;
        let terms = rows.iter().zip(kernel.log_weights()).map(|(row, weight)| row + weight);
        Ok(crate::linalg::log_sum_exp(&terms.collect::<Vec<f64>>()))
    };
    let (above, below) = (log_sum(step)?, log_sum(1.0 / step)?);
    Ok((above - below) / (2.0 * step.ln()))
}

/// The folds of the cells that are held out in turn.
struct Folds {
    /// The kernel of the remaining cells, and the held-out cells.
    parts: Vec<(Kernel, Snapshot)>,
}

impl Folds {
    /// Random folds of equal size; only as many as [`JUDGED`] needs.
    fn new(
        cells: &Snapshot,
        neighbour: Option<usize>,
        seed: Seed,
        progress: &mut dyn Progress,
    ) -> Result<Self> {
        let mut fold: Vec<usize> = (0..cells.n_cells()).map(|i| i % FOLDS).collect();
        fold.shuffle(&mut seed.stream("sampler/folds", 0));
        let n_parts = (JUDGED * FOLDS).div_ceil(cells.n_cells()).clamp(1, FOLDS);
        let take = |part: usize, held: bool| {
            let rows: Vec<usize> = (0..fold.len()).filter(|&i| (fold[i] == part) == held).collect();
            let points = cells.points().select(Axis(0), &rows);
            Snapshot::weighted(points, cells.marginal().select(Axis(0), &rows))
        };
        let mut parts = Vec::with_capacity(n_parts);
        for part in 0..n_parts {
            let fitted = take(part, false)?;
            let neighbour = neighbour.map(|k| k.min(fitted.n_cells() - 1));
            let kernel = Kernel::new(&fitted, Epsilon::new(1.0)?, neighbour, progress)?;
            parts.push((kernel, take(part, true)?));
        }
        Ok(Self { parts })
    }

    /// The criterion of [`Bandwidth::HeldOut`]: the mean log density of held-out cells.
    fn log_density(&self, epsilon: Epsilon, progress: &mut dyn Progress) -> Result<f64> {
        let mut sum = 0.0;
        for (kernel, held) in &self.parts {
            let densities = if kernel.is_variable() {
                kernel_density(kernel, held, epsilon.value() / OF_DENSITY)?
            } else {
                let kernel = kernel.clone().with_epsilon(epsilon);
                let bridge = SelfBridge::of_kernel(kernel, ROUGH, progress)?;
                bridge.log_density(held.points(), progress)?
            };
            sum += trimmed_mean(&densities, held.marginal());
        }
        Ok(sum / self.parts.len() as f64)
    }
}

/// The weighted mean without the least values, whose weight is the share [`OUTLIERS`] of the total.
fn trimmed_mean(values: &Array1<f64>, weights: ArrayView1<'_, f64>) -> f64 {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let (mut left_out, mut sum, mut kept) = (OUTLIERS * weights.sum(), 0.0, 0.0);
    for i in order {
        let out = weights[i].min(left_out);
        left_out -= out;
        let weight = weights[i] - out;
        if weight > 0.0 {
            sum += weight * values[i];
            kept += weight;
        }
    }
    sum / kept
}

/// The log density `ln Σ_j w_j N(x; x_j, variance ρ_j I)` at the held-out cells.
fn kernel_density(kernel: &Kernel, held: &Snapshot, variance: f64) -> Result<Array1<f64>> {
    let scales = kernel.scales();
    let half_dim = 0.5 * kernel.dim() as f64;
    let x = kernel.centred(held.points())?;
    Ok(x.rows()
        .into_iter()
        .map(|x| {
            let term = |j: usize, cell: ArrayView1<'_, f64>| {
                let difference = &x - &cell;
                let width = variance * scales[j];
                kernel.log_weights()[j]
                    - half_dim * (std::f64::consts::TAU * width).ln()
                    - 0.5 * difference.dot(&difference) / width
            };
            let cells = kernel.points();
            let terms: Vec<f64> = (0..cells.nrows()).map(|j| term(j, cells.row(j))).collect();
            crate::linalg::log_sum_exp(&terms)
        })
        .collect())
}

/// The weighted variance of the cells, averaged over the dimensions.
pub(super) fn mean_variance(cells: &Snapshot) -> f64 {
    let mean = cells.marginal().dot(&cells.points());
    let mut sum = 0.0;
    for (row, weight) in cells.points().rows().into_iter().zip(cells.marginal()) {
        let difference = &row - &mean.slice(s![..]);
        sum += weight * difference.dot(&difference);
    }
    sum / cells.dim() as f64
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;
    use rand_distr::{Distribution, StandardNormal};

    use super::*;
    use crate::progress::Silent;

    fn normal(n: usize, dim: usize, seed: u64) -> Snapshot {
        let mut stream = Seed(seed).stream("test/cells", 0);
        let draw = || -> f64 { StandardNormal.sample(&mut stream) };
        Snapshot::new(Array2::from_shape_simple_fn((n, dim), draw)).unwrap()
    }

    #[test]
    fn more_cells_want_a_narrower_kernel_and_the_unit_does_not_matter() {
        let choose = |n, unit: f64, how: Bandwidth, k| {
            let cells = Snapshot::new(&normal(n, 2, 1).points() * unit).unwrap();
            how.choose(&cells, k, Seed(1), &mut Silent).unwrap().epsilon.value()
        };
        for k in [None, Some(7)] {
            let (few, many) =
                (choose(60, 1.0, Bandwidth::HeldOut, k), choose(1500, 1.0, Bandwidth::HeldOut, k));
            assert!(many < 0.7 * few, "{few} {many}");
            let scaled = choose(60, 10.0, Bandwidth::HeldOut, k) / 100.0;
            assert!((scaled / few - 1.0).abs() < 1e-6, "{scaled} {few}");
        }
        let rule = choose(400, 1.0, Bandwidth::Growth, None);
        assert!(0.01 < rule && rule < 2.0, "{rule}");
    }

    #[test]
    fn what_is_held_out_is_judged_better_than_by_other_bandwidths() {
        let (cells, fresh) = (normal(400, 2, 1), normal(4000, 2, 2));
        let chosen = Bandwidth::HeldOut.choose(&cells, None, Seed(1), &mut Silent).unwrap();
        let judge = |factor: f64| {
            let epsilon = Epsilon::new(chosen.epsilon.value() * factor).unwrap();
            let bridge = SelfBridge::new(&cells, epsilon, None, &mut Silent).unwrap();
            let densities = bridge.log_density(fresh.points(), &mut Silent).unwrap();
            (trimmed_mean(&densities, fresh.marginal()), densities.mean().unwrap())
        };
        assert!(judge(1.0).0 > judge(4.0).0 && judge(1.0).0 > judge(0.25).0);
        // The entropy of the normal law is a bound that is nearly reached, with the tails that
        // were not judged by, too.
        let truth = -(std::f64::consts::TAU.ln() + 1.0);
        assert!(judge(1.0).1 > truth - 0.15, "{:?} {truth}", judge(1.0));
    }

    #[test]
    fn a_few_outliers_do_not_decide() {
        let mut points = normal(400, 2, 1).points().to_owned();
        let choose = |points: &Array2<f64>| {
            let cells = Snapshot::new(points.clone()).unwrap();
            Bandwidth::HeldOut.choose(&cells, None, Seed(1), &mut Silent).unwrap().epsilon.value()
        };
        let clean = choose(&points);
        points.row_mut(7).fill(25.0);
        points.row_mut(200).fill(-30.0);
        let dirty = choose(&points);
        assert!((0.6..1.7).contains(&(dirty / clean)), "{clean} {dirty}");
        let values = Array1::from_iter((0..20).map(f64::from));
        let weights = Array1::from_elem(20, 0.05);
        assert!((trimmed_mean(&values, weights.view()) - 10.0).abs() < 1e-12);
    }

    #[test]
    fn refuses_cells_that_say_nothing() {
        let same = Snapshot::new(Array2::from_elem((40, 2), 3.0)).unwrap();
        for how in [Bandwidth::HeldOut, Bandwidth::Growth] {
            assert!(how.choose(&same, None, Seed(0), &mut Silent).is_err());
            assert!(how.choose(&normal(6, 2, 1), None, Seed(0), &mut Silent).is_err());
        }
        let given = Epsilon::new(0.3).unwrap();
        let chosen = Bandwidth::Given(given).choose(&same, None, Seed(0), &mut Silent).unwrap();
        assert_eq!(chosen.epsilon, given);
    }
}
