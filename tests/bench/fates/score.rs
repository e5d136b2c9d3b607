//! Scores of predicted fates against clones and against the truth, and the baselines beside them.

use std::collections::BTreeMap;

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis};

use crate::simulate::Course;

/// Fewest late sisters of a cell from which the bias of its clone is read.
const LEAST_SISTERS: f64 = 2.0;

/// Scores of predicted fates of the early cells.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scores {
    /// Correlation with the shares of the fates among late sisters, mean over fates. NaN for a constant.
    pub(crate) bias: f64,
    /// Correlation with the true shares, mean over fates.
    pub(crate) truth: f64,
    /// Mean log-likelihood of a late sister's fate, in nats.
    pub(crate) likelihood: f64,
    /// Slope of the regression of the true shares on the predicted ones, all fates together: 1 if predictions are
    /// calibrated, less if they are too sure.
    pub(crate) slope: f64,
}

/// Scores `predicted`, the probability of each fate of each cell of the first time, `(n_early, n_fates)`, fates in
/// the order of the course.
///
/// Cells with fewer than two late sisters count for the comparison with the truth only. A row that is not known
/// (NaN) is replaced by the shares of the late cells. For the likelihood, probabilities are at least
/// `1 / (n_late + 2)`; every cell has the same weight.
pub(crate) fn score(course: &Course, predicted: &Array2<f64>) -> Scores {
    let shares = course.late_fates().mean_axis(Axis(0)).unwrap();
    let mut predicted = predicted.clone();
    for mut row in predicted.rows_mut() {
        if row.iter().any(|p| !p.is_finite()) {
            row.assign(&shares);
        }
    }
    let sisters = sisters(course);
    let counted = sisters.sum_axis(Axis(1));
    let cells: Vec<usize> =
        (0..course.n_early).filter(|&cell| counted[cell] >= LEAST_SISTERS).collect();
    let mut bias = sisters.select(Axis(0), &cells);
    for mut row in bias.rows_mut() {
        row /= row.sum();
    }
    let of_cells = predicted.select(Axis(0), &cells);
    let truth = course.shares.slice(ndarray::s![..course.n_early, ..]);
    let least = 1.0 / (course.n_late as f64 + 2.0);
    let likelihood = bias.rows().into_iter().zip(of_cells.rows()).map(|(bias, p)| {
        let total: f64 = p.iter().map(|p| p.max(least)).sum();
        bias.iter().zip(p).map(|(bias, p)| bias * (p.max(least) / total).ln()).sum::<f64>()
    });
    Scores {
        bias: mean_correlation(of_cells.view(), bias.view()),
        truth: mean_correlation(predicted.view(), truth),
        likelihood: likelihood.sum::<f64>() / cells.len() as f64,
        slope: slope(predicted.view(), truth),
    }
}

/// Slope of the regression of `b` on `a`, both centred column by column; NaN if `a` is constant.
fn slope(a: ArrayView2<'_, f64>, b: ArrayView2<'_, f64>) -> f64 {
    let mut sums = [0.0, 0.0];
    for (a, b) in a.columns().into_iter().zip(b.columns()) {
        let a = centred(a);
        sums = [sums[0] + a.dot(&b), sums[1] + a.dot(&a)];
    }
    sums[0] / sums[1]
}

/// Number of late sisters of each early cell by fate, `(n_early, n_fates)`.
fn sisters(course: &Course) -> Array2<f64> {
    let n_fates = course.fate_names.len();
    let mut of_clones: BTreeMap<&String, Vec<f64>> = BTreeMap::new();
    for cell in course.late() {
        if let (Some(clone), Some(fate)) = (&course.clones[cell], course.fates[cell]) {
            of_clones.entry(clone).or_insert_with(|| vec![0.0; n_fates])[fate] += 1.0;
        }
    }
    let mut found = Array2::zeros((course.n_early, n_fates));
    for (cell, mut row) in found.rows_mut().into_iter().enumerate() {
        let clone = course.clones[cell].as_ref();
        if let Some(counts) = clone.and_then(|clone| of_clones.get(clone)) {
            row.assign(&ArrayView1::from(counts));
        }
    }
    found
}

/// Mean over columns of the correlation of `a` with `b`; NaN if a column is constant.
fn mean_correlation(a: ArrayView2<'_, f64>, b: ArrayView2<'_, f64>) -> f64 {
    let of = |(a, b)| correlation(a, b);
    a.columns().into_iter().zip(b.columns()).map(of).sum::<f64>() / a.ncols() as f64
}

/// Pearson's correlation; NaN for a constant.
pub(crate) fn correlation(a: ArrayView1<'_, f64>, b: ArrayView1<'_, f64>) -> f64 {
    let (a, b) = (centred(a), centred(b));
    a.dot(&b) / (a.dot(&a) * b.dot(&b)).sqrt()
}

/// `x` less its mean; NaN for a constant.
fn centred(x: ArrayView1<'_, f64>) -> Array1<f64> {
    let (size, centred) = (x.dot(&x), &x - x.mean().unwrap());
    // Rounding leaves about 1e-32 of a constant's square.
    if centred.dot(&centred) > 1e-24 * size { centred } else { centred * f64::NAN }
}

/// The shares of the late cells for every early cell.
pub(crate) fn shares(course: &Course) -> Array2<f64> {
    let shares = course.late_fates().mean_axis(Axis(0)).unwrap();
    shares.broadcast((course.n_early, shares.len())).unwrap().to_owned()
}

/// Shares of the fates among the `k` nearest late cells of each early cell, for each `k`. `points` are coordinates
/// of all cells in the order of the course.
pub(crate) fn nearest<const N: usize>(
    course: &Course,
    points: &Array2<f64>,
    k: [usize; N],
) -> [Array2<f64>; N] {
    let late = points.slice(ndarray::s![course.late(), ..]);
    let fates = course.late_fates();
    let squares: Array1<f64> = late.map_axis(Axis(1), |row| row.dot(&row));
    let mut found = k.map(|_| Array2::zeros((course.n_early, fates.ncols())));
    for cell in 0..course.n_early {
        let distances = &squares - 2.0 * late.dot(&points.row(cell));
        let mut order: Vec<usize> = (0..course.n_late).collect();
        order.sort_by(|&a, &b| distances[a].total_cmp(&distances[b]));
        for (found, k) in found.iter_mut().zip(k) {
            let k = k.min(course.n_late);
            let near = fates.select(Axis(0), &order[..k]);
            found.row_mut(cell).assign(&near.mean_axis(Axis(0)).unwrap());
        }
    }
    found
}

/// Mean of the finite `values` and its standard error, which is NaN for a single value.
pub(crate) fn mean_with_error(values: &[f64]) -> [f64; 2] {
    let known: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
    let n = known.len() as f64;
    let mean = known.iter().sum::<f64>() / n;
    let variance = known.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / (n - 1.0);
    [mean, (variance / n).sqrt()]
}

/// Compares scores of `course` with those of predictions whose scores are known.
pub(crate) fn check(course: &Course) {
    let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-9, "{a} is not {b}");
    let truth = course.shares.slice(ndarray::s![..course.n_early, ..]).to_owned();
    let of_truth = score(course, &truth);
    close(of_truth.truth, 1.0);
    close(of_truth.slope, 1.0);
    // Predictions twice as far from the middle, and mirrored ones.
    let middle = 1.0 / course.fate_names.len() as f64;
    close(score(course, &truth.mapv(|p| middle + 2.0 * (p - middle))).slope, 0.5);
    close(score(course, &truth.mapv(|p| 2.0 * middle - p)).bias, -of_truth.bias);
    // All late cells are nearest: the shares, whose likelihood counts the late sisters by hand.
    let of_all = shares(course);
    let [all] = nearest(course, &course.shares, [course.n_late]);
    assert!((&all - &of_all).iter().all(|off| off.abs() < 1e-12), "not the shares");
    let (mut sum, mut n) = (0.0, 0.0);
    for cell in 0..course.n_early {
        let Some(clone) = &course.clones[cell] else { continue };
        let is_sister = |late: &usize| course.clones[*late].as_ref() == Some(clone);
        let late: Vec<usize> = course.late().filter(is_sister).collect();
        if late.len() >= 2 {
            let of_sister = |&late: &usize| of_all[[0, course.fates[late].unwrap()]].ln();
            sum += late.iter().map(of_sister).sum::<f64>() / late.len() as f64;
            n += 1.0;
        }
    }
    close(score(course, &of_all).likelihood, sum / n);
    println!("scores: those of known predictions, {n} early cells with late sisters");
}
