//! Means of the columns of a matrix and its total variance, with a check for finite values.

use ndarray::Array1;
use rayon::prelude::*;

use crate::data::Matrix;
use crate::error::{Error, Result};

/// Number of parts with separate sums; fixed, since the rounding of the result depends on it.
const N_PARTS: usize = 32;

/// The means of the columns, and the sum of squares `Σᵢⱼ (x[i, j] − mean[j])²`.
///
/// Two passes over the stored values in parallel; memory 32 numbers for each column.
///
/// # Errors
/// [`Error::Parameter`] if a value is NaN or infinite.
pub(super) fn means_and_square(x: &Matrix) -> Result<(Array1<f64>, f64)> {
    refuse_not_finite(x)?;
    let (n, n_genes) = (x.n_cells(), x.n_genes());
    let parts =
        sum_parts(x, |sums: &mut Vec<f64>, j, value| sums[j] += value, &|| vec![0.0; n_genes]);
    let mut mean = Array1::zeros(n_genes);
    for part in parts {
        mean += &Array1::from(part);
    }
    mean /= n as f64;
    // All n zeros of a sparse column add n mean². A stored value replaces one of these terms.
    let add = |square: &mut f64, j: usize, value: f64| {
        let zero = if matches!(x, Matrix::Sparse(_)) { mean[j] * mean[j] } else { 0.0 };
        *square += (value - mean[j]).powi(2) - zero;
    };
    let mut square: f64 = sum_parts(x, add, &|| 0.0).iter().sum();
    if matches!(x, Matrix::Sparse(_)) {
        square += n as f64 * mean.dot(&mean);
    }
    Ok((mean, square))
}

/// The variance of each column, with the denominator `n_cells − 1`.
///
/// Two passes over the stored values in parallel; memory 33 numbers for each column.
///
/// # Errors
/// [`Error::Parameter`] for fewer than two cells or a value that is not finite.
pub(super) fn column_variances(x: &Matrix) -> Result<Array1<f64>> {
    let (n, n_genes) = (x.n_cells(), x.n_genes());
    if n < 2 {
        let (name, must) = ("number of cells", "two or more");
        return Err(Error::Parameter { name, must, got: n.to_string() });
    }
    let mean = means_and_square(x)?.0;
    let sparse = matches!(x, Matrix::Sparse(_));
    let add = |squares: &mut Vec<f64>, j: usize, value: f64| {
        let zero = if sparse { mean[j] * mean[j] } else { 0.0 };
        squares[j] += (value - mean[j]).powi(2) - zero;
    };
    let zero = if sparse { n as f64 } else { 0.0 };
    let mut squares = mean.mapv(|mean| zero * mean * mean);
    for part in sum_parts(x, add, &|| vec![0.0; n_genes]) {
        squares += &Array1::from(part);
    }
    Ok(squares.mapv(|square| square.max(0.0) / (n - 1) as f64))
}

/// Adds the stored values (column and value) of fixed parts of the cells to separate sums.
///
/// The sums start at `zero` and are returned in the order of the parts.
fn sum_parts<S: Send>(
    x: &Matrix,
    add: impl Fn(&mut S, usize, f64) + Sync,
    zero: &(dyn Fn() -> S + Sync),
) -> Vec<S> {
    let size = x.n_cells().div_ceil(N_PARTS).max(1);
    let starts: Vec<usize> = (0..x.n_cells()).step_by(size).collect();
    starts
        .into_par_iter()
        .map(|start| {
            let mut sum = zero();
            for i in start..x.n_cells().min(start + size) {
                match x {
                    Matrix::Dense(x) => {
                        for (j, &value) in x.row(i).iter().enumerate() {
                            add(&mut sum, j, f64::from(value));
                        }
                    }
                    Matrix::Sparse(x) => {
                        let (columns, values) = x.row(i);
                        for (&j, &value) in columns.iter().zip(values) {
                            add(&mut sum, j as usize, f64::from(value));
                        }
                    }
                }
            }
            sum
        })
        .collect()
}

/// Returns an error with the first value that is not finite.
fn refuse_not_finite(x: &Matrix) -> Result<()> {
    for cell in 0..x.n_cells() {
        let found = match x {
            Matrix::Dense(x) => x.row(cell).iter().copied().find(|value| !value.is_finite()),
            Matrix::Sparse(x) => x.row(cell).1.iter().copied().find(|value| !value.is_finite()),
        };
        if let Some(value) = found {
            let got = format!("{value} in cell {cell}");
            return Err(Error::Parameter { name: "matrix", must: "finite", got });
        }
    }
    Ok(())
}
