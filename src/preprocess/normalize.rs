//! Normalisation of cells to one depth, and the logarithm of one plus the value.

use ndarray::Array1;
use rayon::prelude::*;

use crate::data::Matrix;
use crate::error::{Error, Result};

/// Number of values in one task.
const CHUNK: usize = 1 << 16;

/// The depth of every cell: the sum of its values, in double precision.
fn depths(x: &Matrix) -> Array1<f64> {
    (0..x.n_cells())
        .map(|i| match x {
            Matrix::Dense(x) => x.row(i).iter().map(|&value| f64::from(value)).sum(),
            Matrix::Sparse(x) => x.row(i).1.iter().map(|&value| f64::from(value)).sum::<f64>(),
        })
        .collect()
}

/// Scales every cell of `x` to the depth `target` in place, and returns this depth.
///
/// `x[i, j] ← x[i, j] · target / Σⱼ x[i, j]`. Without `target` the depth is the median of the cells
/// with counts, the default of `scanpy.pp.normalize_total`. For sparse input scanpy 1.11 includes
/// empty cells in the median; sbcell does not, so that sparse and dense input agree. Empty cells
/// remain empty; if all are empty, the function returns 0. Sums are in double precision. Time
/// `O(stored values)`, memory 8 bytes per cell.
///
/// # Errors
/// [`Error::Parameter`] if `target` is not positive and finite; [`Error::Negative`] if a value is
/// negative or NaN. In both cases `x` remains unchanged.
///
/// ```
/// use ndarray::array;
/// use sbcell::data::Matrix;
/// use sbcell::preprocess::{log1p, normalize_total};
///
/// let mut counts = Matrix::Dense(array![[1.0, 3.0], [4.0, 4.0]]);
/// assert_eq!(normalize_total(&mut counts, Some(4.0))?, 4.0);
/// assert_eq!(counts, Matrix::Dense(array![[1.0, 3.0], [2.0, 2.0]]));
/// log1p(&mut counts)?;
/// # sbcell::Result::Ok(())
/// ```
pub fn normalize_total(x: &mut Matrix, target: Option<f64>) -> Result<f64> {
    if let Some(target) = target
        && !(0.0 < target && target < f64::INFINITY)
    {
        let got = target.to_string();
        return Err(Error::Parameter { name: "target depth", must: "positive and finite", got });
    }
    refuse_negative(x, "normalisation")?;
    let depths = depths(x);
    let target = target.unwrap_or_else(|| median_of_positive(depths.as_slice().unwrap_or(&[])));
    for (i, &depth) in depths.iter().enumerate() {
        let scale = |value: &mut f32| *value = at_depth(*value, depth, target);
        match x {
            Matrix::Dense(x) => x.row_mut(i).iter_mut().for_each(scale),
            Matrix::Sparse(x) => x.row_mut(i).1.iter_mut().for_each(scale),
        }
    }
    Ok(target)
}

/// Replaces every value of `x` by `ln(1 + value)` in place, on all threads.
///
/// # Errors
/// [`Error::Negative`] if a value is negative or NaN; `x` then remains unchanged.
pub fn log1p(x: &mut Matrix) -> Result<()> {
    refuse_negative(x, "log1p")?;
    let log = |value: &mut f32| *value = log1p_of(*value);
    let all = |values: &mut [f32]| {
        values.par_chunks_mut(CHUNK).for_each(|chunk| chunk.iter_mut().for_each(log));
    };
    match x {
        Matrix::Dense(x) => match x.as_slice_memory_order_mut() {
            Some(values) => all(values),
            None => x.iter_mut().for_each(log),
        },
        Matrix::Sparse(x) => all(x.values_mut()),
    }
    Ok(())
}

/// `value · target / depth`, rounded to single precision; unchanged for a cell of depth 0.
pub(super) fn at_depth(value: f32, depth: f64, target: f64) -> f32 {
    if depth > 0.0 { (f64::from(value) * target / depth) as f32 } else { value }
}

/// `ln(1 + value)`, computed in double precision and rounded to single precision.
pub(super) fn log1p_of(value: f32) -> f32 {
    f64::from(value).ln_1p() as f32
}

/// Returns an error with the first value that is negative or NaN, in the order of cells.
pub(super) fn refuse_negative(x: &Matrix, step: &'static str) -> Result<()> {
    let fits = |value: &f32| 0.0 <= *value;
    for cell in 0..x.n_cells() {
        let found = match x {
            Matrix::Dense(x) => {
                x.row(cell).iter().position(|value| !fits(value)).map(|j| (j, x[[cell, j]]))
            }
            Matrix::Sparse(x) => {
                let (columns, values) = x.row(cell);
                let place = values.iter().position(|value| !fits(value));
                place.map(|place| (columns[place] as usize, values[place]))
            }
        };
        if let Some((gene, got)) = found {
            return Err(Error::Negative { step, cell, gene, got });
        }
    }
    Ok(())
}

/// The median of the positive entries; 0 without any.
///
/// For an even number of entries it is the mean of the middle two.
pub(super) fn median_of_positive(depths: &[f64]) -> f64 {
    let mut positive: Vec<f64> = depths.iter().copied().filter(|&depth| depth > 0.0).collect();
    positive.sort_by(f64::total_cmp);
    let middle = positive.len() / 2;
    match positive.len() {
        0 => 0.0,
        n if n % 2 == 1 => positive[middle],
        _ => f64::midpoint(positive[middle - 1], positive[middle]),
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use crate::linalg::Csr;

    use super::*;

    fn dense() -> Matrix {
        Matrix::Dense(array![[1., 3.], [0., 0.], [6., 4.], [0., 2.]])
    }

    fn sparse() -> Matrix {
        let (indptr, indices) = (vec![0, 2, 2, 4, 5], vec![0, 1, 0, 1, 1]);
        Matrix::Sparse(Csr::new(2, indptr, indices, vec![1., 3., 6., 4., 2.]).unwrap())
    }

    #[test]
    fn the_median_leaves_empty_cells_out() {
        for mut x in [dense(), sparse()] {
            // Depths 4, 0, 10, 2: the median of 2, 4, 10 is 4.
            assert!((normalize_total(&mut x, None).unwrap() - 4.0).abs() < 1e-15);
            let expected = [4.0, 0.0, 4.0, 4.0];
            assert!(depths(&x).iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6));
        }
        assert!((median_of_positive(&[1., 0., 2.]) - 1.5).abs() < 1e-15);
        assert!(median_of_positive(&[0.]).abs() < 1e-15);
    }

    #[test]
    fn scales_to_a_given_depth_and_takes_the_logarithm() {
        let mut x = dense();
        normalize_total(&mut x, Some(8.0)).unwrap();
        log1p(&mut x).unwrap();
        let Matrix::Dense(x) = x else { panic!("stays dense") };
        let expected = array![[3_f32, 7.], [1., 1.], [5.8, 4.2], [1., 9.]].mapv(f32::ln);
        assert!(x.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-6), "{x}");
    }

    #[test]
    fn refuses_negative_values_nan_and_bad_targets_without_a_change() {
        let mut x = Matrix::Dense(array![[1., 2.], [3., -0.5]]);
        let before = x.clone();
        let message = log1p(&mut x).unwrap_err().to_string();
        assert!(message.contains("-0.5") && message.contains("cell 1"), "{message}");
        assert!(normalize_total(&mut x, None).is_err());
        assert_eq!(x, before);
        assert!(log1p(&mut Matrix::Dense(array![[f32::NAN]])).is_err());
        for target in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(normalize_total(&mut dense(), Some(target)).is_err());
        }
    }
}
