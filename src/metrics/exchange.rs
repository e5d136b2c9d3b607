//! Tests by exchange of labels: p-values, q-values, and energy distances under many labellings.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis};

/// The p-value of the first of `values` among all of them, which are the same number under exchanged labels:
/// the share of labellings whose number is at least as large, `(1 + #{b: v_b ≥ v_0}) / (1 + B)`.
///
/// The observed labelling counts as one of them, so that the p-value is never zero and the test is exact
/// (Phipson and Smyth 2010). Equal numbers count, up to a relative difference of 1e-9. NaN if the first
/// value is not finite or there is no other.
///
/// ```
/// use sbcell::metrics::exchange_p;
/// // Two of four exchanged values are at least 3.
/// assert_eq!(exchange_p(&[3.0, 1.0, 3.0, 5.0, 2.0]), 3.0 / 5.0);
/// assert!(exchange_p(&[3.0]).is_nan());
/// ```
pub fn exchange_p(values: &[f64]) -> f64 {
    let [observed, exchanged @ ..] = values else { return f64::NAN };
    let finite: Vec<f64> = exchanged.iter().copied().filter(|value| value.is_finite()).collect();
    if !observed.is_finite() || finite.is_empty() {
        return f64::NAN;
    }
    let least = observed - 1e-9 * observed.abs() - f64::MIN_POSITIVE;
    let above = finite.iter().filter(|value| **value >= least).count();
    (1 + above) as f64 / (1 + finite.len()) as f64
}

/// The q-values of Benjamini and Hochberg (1995) of `p`. Entries without a p-value (NaN) stay NaN and do not
/// count as tests.
///
/// ```
/// use sbcell::metrics::q_values;
/// assert_eq!(q_values(&[0.04, f64::NAN, 0.01])[2], 0.02);
/// ```
pub fn q_values(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).filter(|&i| p[i].is_finite()).collect();
    order.sort_by(|&a, &b| p[a].total_cmp(&p[b]));
    let mut found = vec![f64::NAN; p.len()];
    let mut least = 1.0_f64;
    for (rank, &i) in order.iter().enumerate().rev() {
        least = least.min(p[i] * order.len() as f64 / (rank + 1) as f64);
        found[i] = least;
    }
    found
}

/// Euclidean distances between all pairs of rows of `points`, `(n, n)`.
pub(crate) fn all_distances(points: ArrayView2<'_, f64>) -> Array2<f64> {
    let n = points.nrows();
    let mut found = Array2::zeros((n, n));
    for i in 0..n {
        for j in 0..i {
            let off = &points.row(i) - &points.row(j);
            let distance = off.dot(&off).sqrt();
            found[[i, j]] = distance;
            found[[j, i]] = distance;
        }
    }
    found
}

/// The unbiased energy distance between the cells with weights in the columns of `first` and those with
/// weights in the same columns of `second`, one for each column. `distances` is n × n, the weights are
/// n × columns and not negative; columns are scaled to a sum of one.
///
/// As [`crate::metrics::energy_distance`], for many weights of the same cells. NaN where a side has fewer
/// than two cells. Time `2 n²` flops for each column and side.
pub(crate) fn energies(
    distances: ArrayView2<'_, f64>,
    first: ArrayView2<'_, f64>,
    second: ArrayView2<'_, f64>,
) -> Array1<f64> {
    let scaled = |weights: ArrayView2<'_, f64>| {
        let totals = weights.sum_axis(Axis(0));
        &weights / &totals
    };
    let (first, second) = (scaled(first), scaled(second));
    let (from_first, from_second) = (distances.dot(&first), distances.dot(&second));
    let within = |own: ArrayView1<'_, f64>, from: ArrayView1<'_, f64>| {
        let pairs = 1.0 - own.dot(&own);
        if pairs > 1e-12 { own.dot(&from) / pairs } else { f64::NAN }
    };
    (0..first.ncols())
        .map(|b| {
            let (one, other) = (first.column(b), second.column(b));
            2.0 * one.dot(&from_second.column(b))
                - within(one, from_first.column(b))
                - within(other, from_second.column(b))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use ndarray::{array, s};

    use super::*;
    use crate::data::Snapshot;
    use crate::metrics::energy_distance;

    #[test]
    fn energies_of_weights_are_energy_distances_of_the_weighted_cells() {
        let points = array![[0.0, 1.0], [2.0, -1.0], [0.5, 0.5], [3.0, 2.0], [1.0, 4.0]];
        let first = array![[1.0, 0.0], [1.0, 2.0], [1.0, 1.0], [0.0, 0.0], [0.0, 1.0]];
        let second = array![[0.0, 1.0], [0.0, 0.0], [0.0, 0.0], [1.0, 1.0], [1.0, 0.0]];
        let found = energies(all_distances(points.view()).view(), first.view(), second.view());
        let of = |rows: ndarray::Array2<f64>, weights: &[f64]| {
            Snapshot::weighted(rows, Array1::from(weights.to_vec())).unwrap()
        };
        let (x, y) = (points.slice(s![..3, ..]), points.slice(s![3.., ..]));
        let even = energy_distance(&of(x.to_owned(), &[1.; 3]), &of(y.to_owned(), &[1.; 2]));
        assert!((found[0] - even.unwrap().value).abs() < 1e-12);
        let x = points.select(Axis(0), &[1, 2, 4]);
        let y = points.select(Axis(0), &[0, 3]);
        let uneven = energy_distance(&of(x, &[2., 1., 1.]), &of(y, &[1., 1.])).unwrap();
        assert!((found[1] - uneven.value).abs() < 1e-12);
        let one = array![[1.0], [0.0], [0.0], [0.0], [0.0]];
        let all = all_distances(points.view());
        assert!(energies(all.view(), one.view(), second.slice(s![.., ..1]))[0].is_nan());
    }

    #[test]
    fn p_values_count_the_observed_labelling_and_ties() {
        assert!((exchange_p(&[2.0, 2.0, 1.0, 0.0]) - 0.5).abs() < 1e-12);
        assert!((exchange_p(&[9.0, 2.0, 1.0, 0.0]) - 0.25).abs() < 1e-12);
        assert!((exchange_p(&[0.0, 0.0, 0.0]) - 1.0).abs() < 1e-12);
        assert!((exchange_p(&[1.0, f64::NAN, 0.0]) - 0.5).abs() < 1e-12);
        assert!(exchange_p(&[f64::NAN, 1.0]).is_nan() && exchange_p(&[]).is_nan());
    }

    #[test]
    fn q_values_are_those_of_the_step_up_procedure() {
        // By hand: 4 tests, 0.01·4/1, 0.02·4/2, 0.03·4/3, 0.5.
        let q = q_values(&[0.02, 0.5, 0.01, f64::NAN, 0.03]);
        let wanted = [0.04, 0.5, 0.04, f64::NAN, 0.04];
        for (q, wanted) in q.iter().zip(wanted) {
            assert!((q - wanted).abs() < 1e-12 || q.is_nan() && wanted.is_nan(), "{q} {wanted}");
        }
        assert!(q_values(&[]).is_empty());
    }
}
