//! The scale of coordinates: the standard deviation within a time, without outlying cells.

use ndarray::{Array1, Array2, ArrayView2, Axis};
use rayon::prelude::*;

use crate::data::TimeSeries;

/// A cell is outlying if its distance from the median of its time exceeds this multiple of the median
/// distance. In the sample data no cell is beyond 6.
pub(crate) const FAR: f64 = 10.0;

/// At most one cell in this number, and at least one, may be outlying. More far cells are a population
/// and count towards the scale.
const ONE_IN: usize = 100;

/// Times of fewer cells do not count towards the scale where there are others: the deviation of so
/// few cells is too uncertain.
const FEW: usize = 3;

/// The cells of a time count as identical if their deviation is below this share of the largest
/// deviation: the rest is rounding.
const NOTHING: f64 = 1e-9;

/// The width of each snapshot of a course, and the scale that follows.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Spread {
    /// The constant that divides all coordinates, in data units.
    pub(crate) scale: f64,
    /// For each snapshot the mean over dimensions of the variance, without outlying cells, in squared
    /// data units; 0 if its cells are identical.
    pub(crate) variances: Vec<f64>,
    /// Cells that do not count towards the scale, in the order of times and cells.
    pub(crate) outlying: Vec<Outlying>,
}

/// A cell that is far from the other cells of its time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Outlying {
    /// Number of the snapshot.
    pub(crate) snapshot: usize,
    /// Number of the cell in the snapshot.
    pub(crate) cell: usize,
    /// Its distance from the median of the time, divided by the median distance of the time's cells.
    pub(crate) distance: f64,
}

impl Spread {
    /// The spread of `series`. Its scale is the mean over times of the mean over dimensions of the
    /// standard deviation within the time.
    ///
    /// Differences between times (displacement, batches) do not enter the scale. Outlying cells
    /// ([`FAR`], [`ONE_IN`]) do not count. Times of fewer than three cells and times of identical
    /// cells do not count if there are others. If no time counts, the scale is the deviation over
    /// all cells, or 1 if nothing varies.
    ///
    /// Time `O(n d)` for n cells in d dimensions, in parallel over times.
    pub(crate) fn within(series: &TimeSeries) -> Self {
        let snapshots = series.snapshots();
        let looked: Vec<Looked> =
            snapshots.par_iter().map(|snapshot| Looked::at(snapshot.points())).collect();
        let widest = looked.iter().map(|time| time.deviation).fold(0.0, f64::max);
        let varies = |time: &&Looked| NOTHING * widest < time.deviation;
        let mean = |least: usize| {
            let of: Vec<f64> = looked
                .iter()
                .filter(varies)
                .filter(|time| time.n_cells >= least)
                .map(|time| time.deviation)
                .collect();
            (!of.is_empty()).then(|| of.iter().sum::<f64>() / of.len() as f64)
        };
        let scale = mean(FEW).or_else(|| mean(0)).unwrap_or_else(|| {
            let points: Vec<_> = snapshots.iter().map(crate::data::Snapshot::points).collect();
            ndarray::concatenate(Axis(0), &points).map_or(1.0, |points| pooled(&points))
        });
        let variance = |time: &Looked| if varies(&time) { time.variance } else { 0.0 };
        let outlying = looked.iter().enumerate().flat_map(|(snapshot, time)| {
            let of = move |&(cell, distance): &(usize, f64)| Outlying { snapshot, cell, distance };
            time.outlying.iter().map(of)
        });
        Self {
            scale,
            variances: looked.iter().map(variance).collect(),
            outlying: outlying.collect(),
        }
    }
}

/// The mean over dimensions of the standard deviation over all cells of `points` (n × d), 1 if nothing
/// varies. This convention of LightSB includes the differences between times.
pub(crate) fn pooled(points: &Array2<f64>) -> f64 {
    let scale = points.std_axis(Axis(0), 0.0).mean().unwrap_or(0.0);
    if 0.0 < scale { scale } else { 1.0 }
}

/// The width of one snapshot.
struct Looked {
    n_cells: usize,
    /// Mean over dimensions of the standard deviation.
    deviation: f64,
    /// Mean over dimensions of the variance.
    variance: f64,
    /// The numbers of the cells that do not count, increasing, with their relative distances.
    outlying: Vec<(usize, f64)>,
}

impl Looked {
    /// The width of the cells `points` (n × d).
    fn at(points: ArrayView2<'_, f64>) -> Self {
        let outlying = outlying(points);
        let kept: Vec<usize> = (0..points.nrows())
            .filter(|cell| outlying.binary_search_by_key(cell, |entry| entry.0).is_err())
            .collect();
        let variances = if outlying.is_empty() {
            points.var_axis(Axis(0), 0.0)
        } else {
            points.select(Axis(0), &kept).var_axis(Axis(0), 0.0)
        };
        Self {
            n_cells: points.nrows(),
            deviation: variances.mapv(f64::sqrt).mean().unwrap_or(0.0),
            variance: variances.mean().unwrap_or(0.0),
            outlying,
        }
    }
}

/// The outlying cells of `points` (n × d) with their distances from the coordinate-wise median, divided
/// by the median distance. None if more than one in [`ONE_IN`] cells is far.
fn outlying(points: ArrayView2<'_, f64>) -> Vec<(usize, f64)> {
    let middle: Array1<f64> =
        points.columns().into_iter().map(|column| median(column.to_vec())).collect();
    let distance =
        |row: ndarray::ArrayView1<'_, f64>| (&row - &middle).mapv(|x| x * x).sum().sqrt();
    let distances: Vec<f64> = points.rows().into_iter().map(distance).collect();
    let half = median(distances.clone());
    if half <= 0.0 {
        return Vec::new();
    }
    let found: Vec<(usize, f64)> = distances
        .into_iter()
        .map(|distance| distance / half)
        .enumerate()
        .filter(|entry| FAR < entry.1)
        .collect();
    if found.len() <= (points.nrows() / ONE_IN).max(1) { found } else { Vec::new() }
}

/// The median; the lower of two middle values; 0 of an empty list. Time `O(n)`.
fn median(mut values: Vec<f64>) -> f64 {
    if values.is_empty() {
        return 0.0;
    }
    let middle = (values.len() - 1) / 2;
    *values.select_nth_unstable_by(middle, f64::total_cmp).1
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    fn of(points: &Array2<f64>, times: &[f64]) -> Spread {
        Spread::within(&TimeSeries::new(points.view(), times).unwrap())
    }

    #[test]
    fn the_scale_is_the_mean_over_times_of_the_deviation_within_them() {
        // Deviations 1 and 2 within the times, 50 and more over all.
        let points = array![[0.0], [2.0], [1.0], [100.0], [104.0], [102.0]];
        let times = [0.0, 0.0, 0.0, 1.0, 1.0, 1.0];
        let spread = of(&points, &times);
        let within = [(2.0_f64 / 3.0).sqrt(), (8.0_f64 / 3.0).sqrt()];
        assert!((spread.scale - f64::midpoint(within[0], within[1])).abs() < 1e-12);
        assert!((spread.variances[1] - 8.0 / 3.0).abs() < 1e-12);
        assert!(spread.outlying.is_empty() && pooled(&points) > 50.0);
    }

    #[test]
    fn dimensions_count_by_their_deviation_and_not_by_their_variance() {
        let points = array![[0.0, 0.0], [2.0, 6.0], [0.0, 6.0], [2.0, 0.0]];
        let both = ndarray::concatenate![Axis(0), points, points.clone() + 9.0];
        let times = [0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0];
        assert!((of(&both, &times).scale - 2.0).abs() < 1e-12);
        assert!((of(&both, &times).variances[0] - 5.0).abs() < 1e-12);
    }

    #[test]
    fn few_far_cells_do_not_set_the_scale_and_a_far_population_does() {
        let cells = |n_far: usize| {
            Array2::from_shape_fn((60, 2), |(i, d)| {
                let far = if 40 <= i && i < 40 + n_far { 1e3 } else { 0.0 };
                far + ((i * 7 + d * 3) % 5) as f64
            })
        };
        let times: Vec<f64> = (0..60).map(|i| f64::from(u8::from(i < 30))).collect();
        let (none, one, many) =
            (of(&cells(0), &times), of(&cells(1), &times), of(&cells(9), &times));
        assert!(none.outlying.is_empty() && many.outlying.is_empty());
        assert_eq!((one.outlying[0].snapshot, one.outlying[0].cell), (0, 10));
        assert!(one.outlying[0].distance > 100.0);
        assert!((one.scale / none.scale - 1.0).abs() < 0.05 && many.scale > 100.0);
    }

    #[test]
    fn times_that_say_nothing_are_left_out_where_there_are_others() {
        let points = array![[0.0], [2.0], [4.0], [50.0], [50.0], [50.0], [9.0], [9.5]];
        let times = [0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 2.0, 2.0];
        let spread = of(&points, &times);
        assert!((spread.scale - (8.0_f64 / 3.0).sqrt()).abs() < 1e-12);
        assert!(spread.variances[1].abs() < 1e-15 && spread.variances[2] > 0.0);
        // Two single cells: what is between them is all there is.
        assert!((of(&array![[0.0], [4.0]], &[0.0, 1.0]).scale - 2.0).abs() < 1e-12);
        assert!((of(&array![[3.0], [3.0]], &[0.0, 1.0]).scale - 1.0).abs() < 1e-12);
    }

    /// The first of two times: 99 cells at −1, 0 and 1, whose median distance from the middle is 1, and
    /// `n_far` at this distance; `copies` times over.
    fn with_far(copies: usize, n_far: usize, distance: f64) -> Spread {
        let near = (0..99 * copies).map(|i| (i % 3) as f64 - 1.0);
        let far = (0..n_far).map(|i| if i % 2 == 0 { distance } else { -distance });
        let first: Vec<f64> = near.chain(far).collect();
        let times: Vec<f64> = first.iter().map(|_| 0.0).chain([1.0; 4]).collect();
        let all = first.into_iter().chain([-1.0, 1.0, -1.0, 1.0]).collect::<Array1<f64>>();
        of(&all.insert_axis(Axis(1)), &times)
    }

    #[test]
    fn outlying_is_beyond_ten_median_distances_and_one_in_a_hundred_at_most() {
        assert!(with_far(1, 1, 9.9).outlying.is_empty());
        let one = with_far(1, 1, 10.1);
        assert!((one.outlying[0].distance - 10.1).abs() < 1e-12 && one.outlying[0].cell == 99);
        // Of 300 cells three may be outlying, and four are a population.
        assert_eq!(with_far(3, 3, 50.0).outlying.len(), 3);
        assert!(with_far(3, 4, 50.0).outlying.is_empty());
    }

    #[test]
    fn deviations_of_rounding_are_left_out_and_small_ones_are_not() {
        for (small, scale) in [(1e-11, 1.0), (1e-5, 0.5 + 0.5e-5)] {
            let points = array![[-1.0], [1.0], [-1.0], [1.0], [-1.0], [1.0], [-1.0], [1.0]];
            let points =
                points * array![[1.], [1.], [1.], [1.], [small], [small], [small], [small]];
            let spread = of(&points, &[0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0]);
            assert!((spread.scale - scale).abs() < 1e-9, "{small}: {}", spread.scale);
        }
    }

    #[test]
    fn a_median_between_two_is_the_lower() {
        assert!((median(vec![4.0, 1.0, 2.0, 3.0]) - 2.0).abs() < 1e-15);
        assert!(
            (median(vec![3.0, 1.0, 2.0]) - 2.0).abs() < 1e-15 && median(Vec::new()).abs() < 1e-15
        );
    }
}
