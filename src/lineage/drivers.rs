//! Driver genes: correlation of expression with a fate probability.

use ndarray::{Array1, ArrayView1, ArrayView2};

use crate::error::{Error, Result};

/// Correlation of one gene with one fate probability. See [`drivers()`] for an example.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Driver {
    /// Column of the gene.
    pub gene: usize,
    /// Pearson correlation of expression with the fate probability within times; NaN if either is
    /// constant.
    pub correlation: f64,
    /// Lower end of the 95 % interval of the correlation (Fisher's transform).
    pub lo: f64,
    /// Upper end of the 95 % interval.
    pub hi: f64,
    /// Slope of expression on the fate probability: the difference in expression between a cell with
    /// fate probability 1 and a cell with fate probability 0.
    pub effect: f64,
    /// Partial correlation given the summed expression of all other genes. It corrects for
    /// differences in sequencing depth between cells.
    pub beyond_depth: f64,
    /// Two-sided p-value of a correlation of zero (Fisher's transform).
    pub p_value: f64,
    /// Q-value of Benjamini and Hochberg over all genes of the call.
    pub q_value: f64,
    /// Number of cells that were used.
    pub n_cells: usize,
}

/// Correlates each column of `values` `(n_cells, n_genes)` with `fate` `(n_cells)`. The result is
/// sorted by correlation, the largest first.
///
/// `times` are those of the cells. The mean at each time is subtracted from expression and fate
/// probability, so that a gene that only rises with time does not correlate with a fate that only
/// becomes more likely. Cells with an unknown fate (NaN) are left out. With fewer than four degrees
/// of freedom there is no interval. Time `O(n_cells n_genes)`.
///
/// The p-value assumes independent cells with known fates. Fate probabilities are computed from the
/// expression itself, so p-values are too small for genes that contribute to the coordinates.
///
/// # Errors
/// [`Error::Shape`] if numbers of cells differ.
///
/// ```
/// use ndarray::array;
/// # fn main() -> sbcell::Result<()> {
/// // Gene 1 rises with the fate probability, gene 0 does not.
/// let values = array![[1.0, 0.0], [0.0, 1.0], [0.0, 2.0], [1.0, 3.0], [0.5, 4.0]];
/// let fate = array![0.1, 0.3, 0.5, 0.7, 0.9];
/// let found = sbcell::lineage::drivers(values.view(), fate.view(), &[1.0; 5])?;
/// assert_eq!(found[0].gene, 1);
/// assert!(found[0].correlation > 0.99);
/// # Ok(())
/// # }
/// ```
pub fn drivers(
    values: ArrayView2<'_, f32>,
    fate: ArrayView1<'_, f64>,
    times: &[f64],
) -> Result<Vec<Driver>> {
    let n = values.nrows();
    for (what, got) in [("fates", fate.len()), ("times", times.len())] {
        if got != n {
            return Err(Error::Shape { what, unit: "cells", expected: n, got });
        }
    }
    let rows: Vec<usize> = (0..n).filter(|&i| fate[i].is_finite()).collect();
    let mut at: Vec<f64> = rows.iter().map(|&i| times[i]).collect();
    at.sort_by(f64::total_cmp);
    at.dedup();
    let place: Vec<usize> =
        rows.iter().map(|&i| at.partition_point(|time| *time < times[i])).collect();
    let centred = |value: &dyn Fn(usize) -> f64| -> Array1<f64> {
        let mut sums = vec![(0.0, 0.0); at.len()];
        for (&row, &k) in rows.iter().zip(&place) {
            sums[k] = (sums[k].0 + value(row), sums[k].1 + 1.0);
        }
        rows.iter().zip(&place).map(|(&row, &k)| value(row) - sums[k].0 / sums[k].1).collect()
    };
    let y = centred(&|row| fate[row]);
    let y2 = y.dot(&y);
    let depth = centred(&|row| values.row(row).iter().map(|x| f64::from(*x)).sum());
    // One mean is subtracted for each time; the first one is counted by Fisher's transform.
    let freedom = rows.len() as f64 - at.len() as f64 + 1.0;
    let mut found: Vec<Driver> = (0..values.ncols())
        .map(|gene| {
            let x = centred(&|row| f64::from(values[[row, gene]]));
            let (x2, xy) = (x.dot(&x), x.dot(&y));
            // Below this the variance of a constant gene is only rounding.
            let tiny = 1e-12 * rows.len() as f64;
            let correlation = if x2 > tiny && y2 > tiny { xy / (x2 * y2).sqrt() } else { f64::NAN };
            let beyond_depth = partial(correlation, &x, &y, &(&depth - &x));
            let (lo, hi, p_value) = fisher(correlation, freedom);
            let effect = if y2 > tiny { xy / y2 } else { f64::NAN };
            let (q_value, n_cells) = (f64::NAN, rows.len());
            Driver { gene, correlation, lo, hi, effect, beyond_depth, p_value, q_value, n_cells }
        })
        .collect();
    step_up(&mut found);
    found.sort_by(|a, b| {
        let size = |of: &Driver| if of.correlation.is_nan() { -2.0 } else { of.correlation };
        size(b).total_cmp(&size(a)).then(a.gene.cmp(&b.gene))
    });
    Ok(found)
}

/// Partial correlation of x and y given z, from their plain `correlation`; all are centred.
fn partial(correlation: f64, x: &Array1<f64>, y: &Array1<f64>, z: &Array1<f64>) -> f64 {
    let with = |of: &Array1<f64>| of.dot(z) / (of.dot(of) * z.dot(z)).sqrt();
    let (a, b) = (with(x), with(y));
    if a.is_nan() || b.is_nan() {
        // There is no other gene, or the sum of the others does not vary.
        return correlation;
    }
    (correlation - a * b) / ((1.0 - a * a) * (1.0 - b * b)).sqrt()
}

/// Correlation of a fate probability with the summed expression of all genes within times; NaN if
/// either is constant. A large value indicates that sequencing depth and fate are confounded.
///
/// # Errors
/// As [`drivers()`].
pub(crate) fn goes_with_depth(
    values: ArrayView2<'_, f32>,
    fate: ArrayView1<'_, f64>,
    times: &[f64],
) -> Result<f64> {
    let depth = values.map_axis(ndarray::Axis(1), |row| row.sum()).insert_axis(ndarray::Axis(1));
    Ok(drivers(depth.view(), fate, times)?[0].correlation)
}

/// 95 % interval and p-value of a correlation with `n` degrees of freedom: `artanh r` is nearly
/// normal with variance `1/(n − 3)`.
fn fisher(correlation: f64, n: f64) -> (f64, f64, f64) {
    if correlation.is_nan() || n < 4.0 {
        return (f64::NAN, f64::NAN, f64::NAN);
    }
    let z = correlation.clamp(-1.0 + 1e-15, 1.0 - 1e-15).atanh();
    let error = 1.0 / (n - 3.0).sqrt();
    let p = libm::erfc(z.abs() / (error * std::f64::consts::SQRT_2));
    ((z - NORMAL * error).tanh(), (z + NORMAL * error).tanh(), p)
}

/// The 97.5th percentile of the standard normal.
const NORMAL: f64 = 1.959_963_984_540_054;

/// Fills in the q-values (Benjamini and Hochberg 1995). Genes without a p-value keep NaN and do not
/// count as tests.
fn step_up(found: &mut [Driver]) {
    let mut order: Vec<usize> =
        (0..found.len()).filter(|&g| found[g].p_value.is_finite()).collect();
    order.sort_by(|&a, &b| found[a].p_value.total_cmp(&found[b].p_value));
    let n = order.len() as f64;
    let mut least = 1.0_f64;
    for (rank, &g) in order.iter().enumerate().rev() {
        least = least.min(found[g].p_value * n / (rank + 1) as f64);
        found[g].q_value = least;
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array};

    use super::*;

    #[test]
    fn correlation_interval_and_p_value_are_those_of_another_implementation() {
        let fate = array![0.1, 0.4, 0.3, 0.8, 0.9, 0.7];
        let values =
            Array2::from_shape_vec((6, 1), vec![1.0_f32, 2.0, 2.5, 3.0, 5.0, 3.5]).unwrap();
        let found = drivers(values.view(), fate.view(), &[0.0; 6]).unwrap()[0];
        // scipy 1.17: `pearsonr(x, y)` and its `confidence_interval()`; values are stored in single precision.
        assert!((found.correlation - 0.900_986_160_7).abs() < 1e-6, "{}", found.correlation);
        assert!((found.lo - 0.332_688_636_5).abs() < 1e-6, "{}", found.lo);
        assert!((found.hi - 0.989_222_514_9).abs() < 1e-6, "{}", found.hi);
        // 2 Φ(−artanh(r) √3).
        assert!((found.p_value - 0.010_497_642).abs() < 1e-6, "{}", found.p_value);
        assert!((found.q_value - found.p_value).abs() < 1e-15);
    }

    #[test]
    fn what_only_rises_with_time_does_not_go_with_a_fate_that_only_becomes_likely() {
        let times: Vec<f64> = (0..100).map(|i| f64::from(i / 50)).collect();
        let fate: Array1<f64> =
            (0..100).map(|i| times[i] * 0.5 + 0.1 * (i as f64 * 1.3).sin()).collect();
        let values = Array2::from_shape_fn((100, 2), |(i, g)| {
            let wave = (i as f64 * if g == 0 { 2.1 } else { 1.3 }).sin();
            (times[i] + wave) as f32
        });
        let found = drivers(values.view(), fate.view(), &times).unwrap();
        assert_eq!(found[0].gene, 1);
        assert!(found[0].correlation > 0.99 && found[1].correlation.abs() < 0.3);
        // A cell with all of the fate: 1 / 0.1 waves higher.
        assert!((found[0].effect - 10.0).abs() < 0.1);
    }

    #[test]
    fn what_goes_with_a_fate_through_depth_alone_is_told_apart() {
        let wave = |i: usize, f: f64| (i as f64 * f).sin();
        // The fate is depth; gene 0 is depth and noise, gene 1 to 9 too.
        let fate: Array1<f64> = (0..300).map(|i| wave(i, 1.3)).collect();
        let values = Array2::from_shape_fn((300, 10), |(i, g)| {
            (wave(i, 1.3) + wave(i, 1.7 + 0.37 * g as f64)) as f32
        });
        let found = drivers(values.view(), fate.view(), &[0.0; 300]).unwrap();
        let first = found.iter().find(|driver| driver.gene == 0).unwrap();
        assert!(first.correlation > 0.6 && first.beyond_depth < 0.35, "{first:?}");
        assert!(goes_with_depth(values.view(), fate.view(), &[0.0; 300]).unwrap() > 0.9);
        // By residuals of two regressions, the definition.
        let column = |g: usize| values.column(g).mapv(f64::from);
        let centred = |of: Array1<f64>| &of - of.mean().unwrap();
        let z = centred((1..10).map(column).fold(Array1::zeros(300), |a, b| a + b));
        let rest = |of: Array1<f64>| {
            let of = centred(of);
            let slope = of.dot(&z) / z.dot(&z);
            of - &z * slope
        };
        let (x, y) = (rest(column(0)), rest(fate));
        let direct = x.dot(&y) / (x.dot(&x) * y.dot(&y)).sqrt();
        assert!((direct - first.beyond_depth).abs() < 1e-9);
    }

    #[test]
    fn q_values_step_up_and_constant_genes_have_none() {
        let fate: Array1<f64> = (0..30).map(|i| f64::from(i) / 30.0).collect();
        let values = Array2::from_shape_fn((30, 3), |(i, g)| match g {
            0 => 1.0,
            1 => i as f32,
            _ => (i as f32 * 1.7).sin(),
        });
        let mut fate = fate;
        fate[29] = f64::NAN;
        let found = drivers(values.view(), fate.view(), &[0.0; 30]).unwrap();
        assert_eq!((found[0].gene, found[2].gene, found[0].n_cells), (1, 0, 29));
        assert!(found[2].correlation.is_nan() && found[2].q_value.is_nan());
        assert!((found[1].q_value - found[1].p_value).abs() < 1e-12);
        assert!((found[0].q_value - 2.0 * found[0].p_value).abs() < 1e-12);
    }
}
