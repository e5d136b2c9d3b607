//! Means and variances of the columns of a matrix, checked for values that are not finite.

use ndarray::Array1;
use rayon::prelude::*;

use crate::data::Matrix;
use crate::error::{Error, Result};

/// Parts that are summed apart; part of the result, since it rounds.
const N_PARTS: usize = 32;

/// Means of the columns, and `Σᵢⱼ (x[i, j] − mean[j])²` over all of `x`.
///
/// Two passes; memory 32 numbers for each column.
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
    // What zeros that are not stored would add, less what the stored values add in their place.
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

/// Goes through the stored values of fixed parts of the cells, each with a sum of its own.
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
