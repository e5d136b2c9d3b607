//! The ε of couplings: the noise at which both halves of the data predict the same futures.

use std::sync::atomic::{AtomicU64, Ordering};

use ndarray::{Array1, Array2, ArrayView2, Axis};
use rayon::prelude::*;

use crate::bridge::Link;
use crate::data::Snapshot;
use crate::error::{Error, Result, shape};
use crate::geometry::Epsilon;
use crate::progress::{Event, Progress, Together, report};

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
/// let depth = array![0.0, 0.0];
/// let cells = Halved { halves: [half(1.0)?, half(0.9)?], whole: half(0.95)?, depth };
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
    /// How much was measured of each cell, in any unit (such as the sum of its expression), `n_cells`.
    /// Both halves share it, so that what follows it is not counted as agreement. Zeros if it is not
    /// known.
    pub depth: Array1<f64>,
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
    /// Share of the variance of the predicted futures that goes with the depth of cells, at the chosen
    /// ε. NaN if all cells have the same future.
    pub of_depth: f64,
}

/// The ε that are tried, as powers of √2 times [`snapshot_width`].
const POWERS: std::ops::RangeInclusive<i32> = -7..=3;

/// Marginal error of the couplings.
const TOLERANCE: f64 = 1e-3;

/// Chooses the ε of the couplings between the snapshots of `course`, from couplings of each half.
///
/// The future of a cell is the mean over its descendants at the last time, by the coupling that goes
/// straight there: `ŷ_i = Σ_j T_ij y_j / Σ_j T_ij`, with the coordinates y of the last cells. It is
/// predicted twice, by the couplings of each half; what is linear in the depth of cells is subtracted
/// from both predictions. Too small an ε couples cells by their noise, and the predictions disagree; too
/// large an ε gives all cells the same future, and the rest is noise. Among the ε whose agreement is
/// within one standard error of the best, the one nearest to [`snapshot_width`] is chosen, on a log
/// scale. So the data decide where they can, and the width of a snapshot where they cannot.
///
/// Time of 22 entropic couplings for each interval.
///
/// # Errors
/// [`Error::Parameter`] for fewer than two times; [`Error::Shape`] if the halves have other numbers of
/// cells; those of [`Link::entropic`]; [`Error::Cancelled`].
///
/// ```
/// use ndarray::{Array1, Array2};
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
/// let (whole, depth) = (half(1.5)?, Array1::zeros(20));
/// let cells = Halved { halves: [half(0.0)?, half(3.0)?], whole, depth };
/// let found = coupling_noise(&[cells.clone(), cells], &mut sbcell::Silent)?;
/// assert!(found.curve.iter().all(|point| point.agreement > 0.9));
/// assert!(found.curve.iter().any(|point| point.epsilon == found.epsilon));
/// # Ok(())
/// # }
/// ```
pub fn coupling_noise(course: &[Halved], progress: &mut dyn Progress) -> Result<CouplingNoise> {
    let [first, _, ..] = course else {
        let (name, must) = ("course", "at least two times");
        return Err(Error::Parameter { name, must, got: course.len().to_string() });
    };
    for cells in course {
        for half in &cells.halves {
            shape::rows("a half of the data", cells.whole.n_cells(), half.n_cells())?;
        }
        shape::rows("depth of cells", cells.whole.n_cells(), cells.depth.len())?;
    }
    let width = snapshot_width(first.whole.dim());
    let tried: Vec<f64> = POWERS.map(|power| width * 2_f64.powf(f64::from(power) / 2.0)).collect();
    let (what, total) = ("choosing the noise of couplings".to_string(), tried.len() as u64);
    report(progress, Event::Begin { what, total })?;
    let (together, done) = (Together::new(progress), AtomicU64::new(0));
    let at = |epsilon: f64| {
        let Products { of_times, of_depth } = products(course, Epsilon::new(epsilon)?)?;
        together.report(Event::Step { done: 1 + done.fetch_add(1, Ordering::Relaxed) })?;
        Ok((point(epsilon, &of_times), of_depth))
    };
    let found = tried.into_par_iter().map(at).collect::<Result<Vec<_>>>()?;
    report(progress, Event::End)?;
    let (curve, of_depth): (Vec<HalvesAgreement>, Vec<f64>) = found.into_iter().unzip();
    let epsilon = chosen(&curve, width);
    let place = curve.iter().position(|point| point.epsilon.total_cmp(&epsilon).is_eq());
    let of_depth = place.map_or(f64::NAN, |place| of_depth[place]);
    Ok(CouplingNoise { epsilon, curve, of_depth })
}

/// The ε at which a coupling in `dim` coordinates is about as wide as a snapshot, `dim`, in squared units
/// of the standard deviation within a time.
///
/// The mean squared distance of two cells of a time is twice the number of coordinates (the median
/// heuristic of kernel methods).
///
/// ```
/// assert_eq!(sbcell::lineage::snapshot_width(10), 10.0);
/// ```
pub fn snapshot_width(dim: usize) -> f64 {
    dim.max(1) as f64
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

/// The products of both predicted futures at one ε.
struct Products {
    /// For each cell before the last time `a·b`, `a·a`, `b·b`, centred over the cells of its time and
    /// without what goes with depth: `(n, 3)` for each time.
    of_times: Vec<Array2<f64>>,
    /// Share of the variance of the futures that goes with depth.
    of_depth: f64,
}

/// The products of the futures that both halves predict with `epsilon`.
fn products(course: &[Halved], epsilon: Epsilon) -> Result<Products> {
    let mut of_times = Vec::new();
    let mut squares = [0.0, 0.0];
    if let Some((last, before)) = course.split_last() {
        for cells in before {
            let future = |half: usize| -> Result<Array2<f64>> {
                let (x, y) = (&cells.halves[half], &last.halves[half]);
                let link = Link::entropic_within(x, y, epsilon, TOLERANCE)?;
                let ends = link.pull(last.whole.points())?;
                Ok(centred(&(ends / link.marginals().0.insert_axis(Axis(1)))))
            };
            let futures = [future(0)?, future(1)?];
            let [a, b] = futures.each_ref().map(|of| without(of, &cells.depth));
            for (whole, rest) in futures.iter().zip([&a, &b]) {
                squares[0] += (whole * whole).sum();
                squares[1] += (rest * rest).sum();
            }
            let mut sums = Array2::zeros((a.nrows(), 3));
            for ((mut row, a), b) in sums.rows_mut().into_iter().zip(a.rows()).zip(b.rows()) {
                row.assign(&Array1::from(vec![a.dot(&b), a.dot(&a), b.dot(&b)]));
            }
            of_times.push(sums);
        }
    }
    Ok(Products { of_times, of_depth: 1.0 - squares[1] / squares[0] })
}

/// Centred `rows` less their regression on `depth`.
fn without(rows: &Array2<f64>, depth: &Array1<f64>) -> Array2<f64> {
    let depth = depth - depth.mean().unwrap_or(0.0);
    let square = depth.dot(&depth);
    if square <= 0.0 {
        return rows.clone();
    }
    let slope = rows.t().dot(&depth) / square;
    rows - &(depth.insert_axis(Axis(1)) * slope.insert_axis(Axis(0)))
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
    use crate::progress::Silent;
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
        Halved { halves: [scaled(&a), scaled(&b)], whole, depth: Array1::zeros(n) }
    }

    #[test]
    fn the_agreement_is_the_correlation_written_out_and_its_error_that_of_the_jackknife() {
        let (a, b) = (cells(30, 3, 2, 2.0, 1), cells(40, 3, 2, 2.0, 2));
        let epsilon = Epsilon::new(0.7).unwrap();
        let sums = products(&[a.clone(), b.clone()], epsilon).unwrap().of_times;
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
        let sharp = coupling_noise(&course(5, 10.0), &mut Silent).unwrap();
        assert!(sharp.epsilon < 0.5 * snapshot_width(6), "{sharp:?}");
        let wide = coupling_noise(&course(1, 0.0), &mut Silent).unwrap();
        is(wide.epsilon, snapshot_width(6));
        assert_eq!(sharp.curve.len(), 11);
    }

    #[test]
    fn futures_are_those_at_the_last_time_without_what_goes_with_depth() {
        let mut course: Vec<Halved> = (0..3).map(|k| cells(12, 2, 2, 1.0, 20 + k)).collect();
        course[0].depth = Array1::from_shape_fn(12, |i| (i * i) as f64);
        let epsilon = Epsilon::new(0.9).unwrap();
        let found = products(&course, epsilon).unwrap();
        // Slowly, for the first half and the first time: the plan straight to the last time, and the
        // residuals of a regression on depth.
        let link = Link::entropic(&course[0].halves[0], &course[2].halves[0], epsilon).unwrap();
        let plan = link.pull(Array2::eye(12).view()).unwrap() * 12.0;
        let future = plan.dot(&course[2].whole.points());
        let depth = &course[0].depth;
        let slope = |column: usize| {
            let (mean, middle) = (future.column(column).mean().unwrap(), depth.mean().unwrap());
            let both = |i: usize| (future[[i, column]] - mean) * (depth[i] - middle);
            let own = |i: usize| (depth[i] - middle) * (depth[i] - middle);
            let sum = |of: &dyn Fn(usize) -> f64| (0..12).map(of).sum::<f64>();
            (mean, middle, sum(&both) / sum(&own))
        };
        for i in 0..12 {
            let rest = |column: usize| {
                let (mean, middle, slope) = slope(column);
                future[[i, column]] - mean - slope * (depth[i] - middle)
            };
            let square = rest(0) * rest(0) + rest(1) * rest(1);
            assert!((found.of_times[0][[i, 1]] - square).abs() < 3e-3, "{square}");
        }
        assert!(found.of_depth > 0.0 && found.of_depth < 1.0);
    }

    #[test]
    fn halves_that_share_depth_alone_do_not_agree() {
        // Noise in both halves and a depth that shifts every coordinate of both, at both times.
        let with_depth = |seed: u64| {
            let mut of = cells(200, 3, 1, 0.0, seed);
            let depth = Array1::from_shape_fn(200, |i| (i % 20) as f64 / 3.0);
            let shift = |cells: &Snapshot| {
                Snapshot::new(&cells.points() + &depth.clone().insert_axis(Axis(1))).unwrap()
            };
            of.halves = of.halves.each_ref().map(shift);
            of.whole = shift(&of.whole);
            of.depth = depth;
            of
        };
        let course = [with_depth(30), with_depth(31)];
        let agreed = |course: &[Halved]| {
            let found = coupling_noise(course, &mut Silent).unwrap();
            let best = found.curve.iter().map(|point| point.agreement).fold(f64::NAN, f64::max);
            (best, found.of_depth)
        };
        let (best, of_depth) = agreed(&course);
        assert!(best < 0.3 && of_depth > 0.9, "{best} {of_depth}");
        let unknown = course.map(|of| Halved { depth: Array1::zeros(200), ..of });
        assert!(agreed(&unknown).0 > 0.9);
    }

    #[test]
    fn a_course_needs_two_times_and_halves_the_same_cells() {
        let one = cells(5, 2, 1, 0.0, 1);
        assert!(coupling_noise(std::slice::from_ref(&one), &mut Silent).is_err());
        let other = Halved { whole: cells(6, 2, 1, 0.0, 2).whole, ..one.clone() };
        assert!(coupling_noise(&[one, other], &mut Silent).is_err());
    }
}
