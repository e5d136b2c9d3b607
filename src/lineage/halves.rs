//! The ε of couplings: the noise at which both halves of the data predict the same futures.

use ndarray::{Array1, Array2, ArrayView2, Axis};
use rayon::prelude::*;

use crate::bridge::Link;
use crate::data::Snapshot;
use crate::error::{Error, Result, shape};
use crate::geometry::Epsilon;

/// The cells of one time, in coordinates from each half of the data and from all of it.
///
/// The halves are disjoint sets of genes, so that a cell's noise in one half says nothing of its noise
/// in the other. Each half has the scale of [`CouplingNoise`]: the standard deviation within a time is
/// one, as a mean over times and coordinates.
///
/// ```
/// use ndarray::array;
/// use sbcell::data::Snapshot;
/// use sbcell::lineage::Halved;
/// # fn main() -> sbcell::Result<()> {
/// let half = |x: f64| Snapshot::new(array![[x, 0.0], [0.0, 1.0]]);
/// let cells = Halved { halves: [half(1.0)?, half(0.9)?], whole: half(0.95)? };
/// assert_eq!(cells.whole.n_cells(), 2);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Halved {
    /// The same cells in the coordinates of each half.
    pub halves: [Snapshot; 2],
    /// The same cells in all coordinates.
    pub whole: Snapshot,
}

/// How well the halves agree at one ε. See [`coupling_noise`] for an example.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HalvesAgreement {
    /// ε of the couplings, in squared units of the coordinates.
    pub epsilon: f64,
    /// Correlation between the futures at the last time that the couplings of both halves predict, over
    /// cells, coordinates and times. NaN if a half predicts the same future for all cells.
    pub agreement: f64,
    /// Standard error of the agreement over cells.
    pub error: f64,
}

/// The chosen ε of the couplings of a course, with the agreement at every ε that was tried. See
/// [`coupling_noise`] for an example.
#[derive(Debug, Clone, PartialEq)]
pub struct CouplingNoise {
    /// The chosen ε, in squared units of the coordinates.
    pub epsilon: f64,
    /// The agreement by increasing ε.
    pub curve: Vec<HalvesAgreement>,
}

/// The ε that are tried, as powers of √2 times [`chain_width`].
const POWERS: std::ops::RangeInclusive<i32> = -7..=3;

/// Marginal error of the couplings.
const TOLERANCE: f64 = 1e-3;

/// Chooses the ε of the couplings between the snapshots of `course`, from couplings of each half.
///
/// The future of a cell is the mean over its descendants at the last time, along the chain of
/// couplings: `ŷ_i = Σ_j T_ij ŷ_j / Σ_j T_ij`, with the coordinates y of the last cells. It is
/// predicted twice, by the couplings of each half. Too small an ε couples cells by their noise, and the
/// predictions disagree; too large an ε gives all cells the same future, and the rest is noise. Among
/// the ε whose agreement is within one standard error of the best, the one nearest to [`chain_width`]
/// is chosen, on a log scale. So the data decide where they can, and the width of a snapshot where they
/// cannot.
///
/// Time of 22 entropic couplings for each interval.
///
/// # Errors
/// [`Error::Parameter`] for fewer than two times; [`Error::Shape`] if the halves have other numbers of
/// cells; those of [`Link::entropic`].
///
/// ```
/// use ndarray::Array2;
/// use sbcell::data::Snapshot;
/// use sbcell::lineage::{Halved, coupling_noise};
/// # fn main() -> sbcell::Result<()> {
/// // Two cell types at -2 and 2, which both halves tell apart.
/// let half = |shift: f64| {
///     Snapshot::new(Array2::from_shape_fn((20, 1), |(i, _)| {
///         let side = if i % 2 == 0 { 2.0 } else { -2.0 };
///         side + (i as f64 + shift).sin()
///     }))
/// };
/// let cells = Halved { halves: [half(0.0)?, half(3.0)?], whole: half(1.5)? };
/// let found = coupling_noise(&[cells.clone(), cells])?;
/// assert!(found.curve.iter().all(|point| point.agreement > 0.9));
/// assert!(found.curve.iter().any(|point| point.epsilon == found.epsilon));
/// # Ok(())
/// # }
/// ```
pub fn coupling_noise(course: &[Halved]) -> Result<CouplingNoise> {
    let [first, _, ..] = course else {
        let (name, must) = ("course", "at least two times");
        return Err(Error::Parameter { name, must, got: course.len().to_string() });
    };
    for cells in course {
        for half in &cells.halves {
            shape::rows("a half of the data", cells.whole.n_cells(), half.n_cells())?;
        }
    }
    let width = chain_width(first.whole.dim(), course.len() - 1);
    let tried: Vec<f64> = POWERS.map(|power| width * 2_f64.powf(f64::from(power) / 2.0)).collect();
    let curve = tried
        .into_par_iter()
        .map(|epsilon| Ok(point(epsilon, &products(course, Epsilon::new(epsilon)?)?)))
        .collect::<Result<Vec<_>>>()?;
    Ok(CouplingNoise { epsilon: chosen(&curve, width), curve })
}

/// The ε at which a chain of `n_intervals` couplings in `dim` coordinates is about as wide as a
/// snapshot, `dim / √n_intervals`, in squared units of the standard deviation within a time.
///
/// The mean squared distance of two cells of a time is twice the number of coordinates, so that one
/// coupling with ε = `dim` is as wide as a snapshot (the median heuristic of kernel methods). Every
/// interval adds noise, which the cells at its end partly remove again (`docs/decisions/0030`).
///
/// ```
/// use sbcell::lineage::chain_width;
/// assert_eq!((chain_width(10, 1), chain_width(10, 4)), (10.0, 5.0));
/// ```
pub fn chain_width(dim: usize, n_intervals: usize) -> f64 {
    dim as f64 / (n_intervals.max(1) as f64).sqrt()
}

/// The ε nearest to `width` on a log scale among those within one standard error of the best agreement.
fn chosen(curve: &[HalvesAgreement], width: f64) -> f64 {
    let known = || curve.iter().filter(|point| point.agreement.is_finite());
    let Some(best) = known().max_by(|a, b| a.agreement.total_cmp(&b.agreement)) else {
        return width;
    };
    let least = best.agreement - best.error.max(0.0);
    let off = |point: &&HalvesAgreement| (point.epsilon / width).ln().abs();
    known()
        .filter(|point| point.agreement >= least)
        .min_by(|a, b| off(a).total_cmp(&off(b)))
        .map_or(width, |point| point.epsilon)
}

/// For each cell before the last time the products of its two predicted futures, centred over the cells
/// of its time: `a·b`, `a·a`, `b·b`, `(n, 3)` for each time from the last but one to the first.
fn products(course: &[Halved], epsilon: Epsilon) -> Result<Vec<Array2<f64>>> {
    let Some(last) = course.last() else { return Ok(Vec::new()) };
    let mut futures = [0, 1].map(|_| last.whole.points().to_owned());
    let mut all = Vec::with_capacity(course.len() - 1);
    for pair in course.windows(2).rev() {
        for (half, future) in futures.iter_mut().enumerate() {
            let (x, y) = (&pair[0].halves[half], &pair[1].halves[half]);
            let link = Link::entropic_within(x, y, epsilon, TOLERANCE)?;
            let ends = link.pull(future.view())?;
            *future = ends / link.marginals().0.insert_axis(Axis(1));
        }
        let [a, b] = [centred(&futures[0]), centred(&futures[1])];
        let mut sums = Array2::zeros((a.nrows(), 3));
        for ((mut row, a), b) in sums.rows_mut().into_iter().zip(a.rows()).zip(b.rows()) {
            row.assign(&Array1::from(vec![a.dot(&b), a.dot(&a), b.dot(&b)]));
        }
        all.push(sums);
    }
    Ok(all)
}

/// Rows less their mean.
fn centred(rows: &Array2<f64>) -> Array2<f64> {
    let mean = rows.sum_axis(Axis(0)) / rows.nrows().max(1) as f64;
    rows - &mean
}

/// The correlation of both futures from the [`products`] of all times, with its standard error by
/// the delta method: the influence of a cell on `Σab / √(Σaa Σbb)`.
fn point(epsilon: f64, products: &[Array2<f64>]) -> HalvesAgreement {
    let views: Vec<ArrayView2<'_, f64>> = products.iter().map(|of| of.view()).collect();
    let all = ndarray::concatenate(Axis(0), &views).unwrap_or_default();
    let n = all.nrows() as f64;
    let mean = all.sum_axis(Axis(0)) / n;
    let size = (mean[1] * mean[2]).sqrt();
    let agreement = mean[0] / size;
    let influence = |row: ndarray::ArrayView1<'_, f64>| {
        row[0] / size - 0.5 * agreement * (row[1] / mean[1] + row[2] / mean[2])
    };
    let squares: f64 = all.rows().into_iter().map(|row| influence(row).powi(2)).sum();
    HalvesAgreement { epsilon, agreement, error: squares.sqrt() / n }
}

#[cfg(test)]
mod tests {
    use rand_distr::{Distribution, StandardNormal};

    use super::*;
    use crate::rng::Seed;

    /// `n` cells of `kinds` kinds on the corners of a simplex of size `apart`, with unit noise in every
    /// half, in `dim` coordinates of standard deviation one.
    fn cells(n: usize, dim: usize, kinds: usize, apart: f64, seed: u64) -> Halved {
        let mut stream = Seed(seed).stream("halves", 0);
        let mut draw = |_: usize| -> Array2<f64> {
            Array2::from_shape_fn((n, dim), |(i, d)| {
                let noise: f64 = StandardNormal.sample(&mut stream);
                let place = if i % kinds == d { apart } else { 0.0 };
                place + noise
            })
        };
        let (a, b) = (draw(0), draw(1));
        let scaled = |points: &Array2<f64>| {
            let scale = points.std_axis(Axis(0), 0.0).mean().unwrap();
            Snapshot::new(points / scale).unwrap()
        };
        let whole = scaled(&(&a + &b));
        Halved { halves: [scaled(&a), scaled(&b)], whole }
    }

    #[test]
    fn the_agreement_is_the_correlation_written_out_and_its_error_that_of_the_jackknife() {
        let (a, b) = (cells(30, 3, 2, 2.0, 1), cells(40, 3, 2, 2.0, 2));
        let epsilon = Epsilon::new(0.7).unwrap();
        let sums = products(&[a.clone(), b.clone()], epsilon).unwrap();
        // Slowly: the plan as a matrix, futures cell by cell.
        let future = |half: usize| {
            let link = Link::entropic(&a.halves[half], &b.halves[half], epsilon).unwrap();
            let plan = link.pull(Array2::eye(40).view()).unwrap();
            let mut ends = Array2::<f64>::zeros((30, 3));
            for i in 0..30 {
                for j in 0..40 {
                    let share = plan[[i, j]] / plan.row(i).sum();
                    ends.row_mut(i).scaled_add(share, &b.whole.points().row(j));
                }
            }
            &ends - &ends.mean_axis(Axis(0)).unwrap()
        };
        let (u, v) = (future(0), future(1));
        let wanted = (&u * &v).sum() / ((&u * &u).sum() * (&v * &v).sum()).sqrt();
        let found = point(0.7, &sums);
        assert!((found.agreement - wanted).abs() < 1e-3, "{} {wanted}", found.agreement);
        // The jackknife over cells, with the means of the futures held.
        let without = |left: usize| {
            let rows: Vec<usize> = (0..30).filter(|&row| row != left).collect();
            point(0.7, &[sums[0].select(Axis(0), &rows)]).agreement
        };
        let values: Array1<f64> = (0..30).map(without).collect();
        let jackknife = (values.var(0.0) * 29.0).sqrt();
        assert!((found.error / jackknife - 1.0).abs() < 0.1, "{} {jackknife}", found.error);
    }

    fn is(found: f64, wanted: f64) {
        assert!(found.total_cmp(&wanted).is_eq(), "{found} {wanted}");
    }

    #[test]
    fn the_nearest_to_the_width_is_chosen_among_those_as_good_as_the_best() {
        let curve = |values: [f64; 5]| -> Vec<HalvesAgreement> {
            let points = values.iter().zip([1.0, 2.0, 4.0, 8.0, 16.0]);
            points
                .map(|(&agreement, epsilon)| HalvesAgreement { epsilon, agreement, error: 0.02 })
                .collect()
        };
        let of = |values: [f64; 5]| chosen(&curve(values), 8.0);
        is(of([0.80, 0.90, 0.80, 0.70, 0.60]), 2.0);
        is(of([0.80, 0.90, 0.885, 0.70, 0.60]), 4.0);
        is(of([0.80, 0.90, 0.90, 0.89, 0.895]), 8.0);
        is(of([0.10, 0.20, 0.30, 0.40, 0.50]), 16.0);
        is(of([f64::NAN; 5]), 8.0);
    }

    #[test]
    fn kinds_far_apart_are_coupled_sharply_and_a_cloud_as_widely_as_a_snapshot() {
        let course = |kinds: usize, apart: f64| -> Vec<Halved> {
            (0..2).map(|k| cells(120, 6, kinds, apart, 10 + k)).collect()
        };
        // Five kinds, ten standard deviations apart: a coupling as wide as a snapshot mixes them.
        let sharp = coupling_noise(&course(5, 10.0)).unwrap();
        assert!(sharp.epsilon < 0.5 * chain_width(6, 1), "{sharp:?}");
        let wide = coupling_noise(&course(1, 0.0)).unwrap();
        is(wide.epsilon, chain_width(6, 1));
        assert_eq!(sharp.curve.len(), 11);
    }

    #[test]
    fn futures_are_those_at_the_last_time_along_the_chain() {
        let course: Vec<Halved> = (0..3).map(|k| cells(12, 2, 2, 1.0, 20 + k)).collect();
        let epsilon = Epsilon::new(0.9).unwrap();
        let found = products(&course, epsilon).unwrap();
        // Slowly, for the first half and the first time: two matrices.
        let step = |k: usize| {
            let (x, y) = (&course[k].halves[0], &course[k + 1].halves[0]);
            let link = Link::entropic(x, y, epsilon).unwrap();
            let plan = link.pull(Array2::eye(12).view()).unwrap();
            &plan / &plan.sum_axis(Axis(1)).insert_axis(Axis(1))
        };
        let future = step(0).dot(&step(1)).dot(&course[2].whole.points());
        let future = &future - &future.mean_axis(Axis(0)).unwrap();
        for (row, future) in found[1].rows().into_iter().zip(future.rows()) {
            assert!((row[1] - future.dot(&future)).abs() < 2e-3, "{row} {future}");
        }
    }

    #[test]
    fn a_course_needs_two_times_and_halves_the_same_cells() {
        let one = cells(5, 2, 1, 0.0, 1);
        assert!(coupling_noise(std::slice::from_ref(&one)).is_err());
        let other = Halved { whole: cells(6, 2, 1, 0.0, 2).whole, ..one.clone() };
        assert!(coupling_noise(&[one, other]).is_err());
    }
}
