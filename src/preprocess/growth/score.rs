//! The expression of a set of genes as one score for each cell.

use ndarray::Array1;
use rayon::prelude::*;

use crate::data::Matrix;
use crate::error::{Error, Result};

/// Largest z-score of one gene, in standard deviations.
const CLIP: f64 = 5.0;

/// Number of cells in one task.
const CHUNK: usize = 256;

/// The mean z-score of each cell over the genes `columns`, with z-scores clipped at ±5.
///
/// `score_i = (1/m) Σ_j clip((x_ij − mean_j) / sd_j)` over the `m` genes that vary. Means and
/// standard deviations (denominator `n_cells`) are over all cells of `x`, which should be on a log
/// scale. The growth curves of Waddington-OT were made for this score. Unlike
/// `scanpy.tl.score_genes` it needs no random reference genes. If no gene varies, all scores are
/// zero. Time `O(stored values of these genes)`; a sparse matrix remains sparse.
///
/// # Errors
/// [`Error::Parameter`] if a value of these genes is not finite.
///
/// ```
/// use ndarray::array;
/// use sbcell::data::Matrix;
/// use sbcell::preprocess::mean_z_score;
///
/// let x = Matrix::Dense(array![[0.0, 7.0], [2.0, 7.0]]);
/// let scores = mean_z_score(&x, &[0, 1])?;
/// assert!((scores[0] + 1.0).abs() < 1e-12 && (scores[1] - 1.0).abs() < 1e-12);
/// # sbcell::Result::Ok(())
/// ```
pub fn mean_z_score(x: &Matrix, columns: &[usize]) -> Result<Array1<f64>> {
    let mut columns = columns.to_vec();
    columns.sort_unstable();
    columns.dedup();
    let x = x.select_genes(&columns);
    let n = x.n_cells() as f64;
    let mut sum = vec![0.0; columns.len()];
    for i in 0..x.n_cells() {
        each(&x, i, |j, value| sum[j] += value);
    }
    if let Some(total) = sum.iter().find(|sum| !sum.is_finite()) {
        let got = format!("a sum of {total}");
        return Err(Error::Parameter { name: "expression", must: "finite", got });
    }
    let mean: Vec<f64> = sum.iter().map(|sum| sum / n).collect();
    // A value that is not stored is zero, at the distance `mean` from the mean.
    let mut square: Vec<f64> = mean.iter().map(|mean| n * mean * mean).collect();
    for i in 0..x.n_cells() {
        each(&x, i, |j, value| square[j] += (value - mean[j]).powi(2) - mean[j] * mean[j]);
    }
    // The reciprocal of the standard deviation; zero for a gene that is constant up to rounding.
    let inverse: Vec<f64> = square
        .iter()
        .map(|square| (square / n).sqrt())
        .zip(&mean)
        .map(|(sd, mean)| if 1e-6 * mean.abs() < sd { sd.recip() } else { 0.0 })
        .collect();
    let z = |j: usize, value: f64| ((value - mean[j]) * inverse[j]).clamp(-CLIP, CLIP);
    let zero: Vec<f64> = (0..columns.len()).map(|j| z(j, 0.0)).collect();
    let base: f64 = zero.iter().sum();
    let n_varying = inverse.iter().filter(|&&inverse| 0.0 < inverse).count().max(1) as f64;
    let rows: Vec<usize> = (0..x.n_cells()).collect();
    let scores: Vec<Vec<f64>> = rows
        .par_chunks(CHUNK)
        .map(|rows| {
            let score = |&i: &usize| {
                let mut score = base;
                each(&x, i, |j, value| score += z(j, value) - zero[j]);
                score / n_varying
            };
            rows.iter().map(score).collect()
        })
        .collect();
    Ok(scores.concat().into())
}

/// Calls `see` with the column and the value of every stored value of cell `i`.
fn each(x: &Matrix, i: usize, mut see: impl FnMut(usize, f64)) {
    match x {
        Matrix::Dense(x) => {
            x.row(i).iter().enumerate().for_each(|(j, &value)| see(j, f64::from(value)));
        }
        Matrix::Sparse(x) => {
            let (columns, values) = x.row(i);
            columns.iter().zip(values).for_each(|(&j, &value)| see(j as usize, f64::from(value)));
        }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;
    use crate::linalg::Csr;

    #[test]
    fn scores_are_those_of_numpy_dense_or_sparse() {
        let x = array![
            [0.0_f32, 1.0, 3.0, 0.0],
            [2.0, 0.0, 3.0, 0.0],
            [0.0, 0.0, 3.0, 0.0],
            [1.0, 4.0, 3.0, 0.5],
            [0.0, 0.0, 3.0, 0.0]
        ];
        let indices = vec![1_u32, 2, 0, 2, 2, 0, 1, 2, 3, 2];
        let values = vec![1.0, 3.0, 2.0, 3.0, 3.0, 1.0, 4.0, 3.0, 0.5, 3.0];
        let sparse = Csr::new(4, vec![0, 2, 4, 5, 9, 10], indices, values).unwrap();
        // numpy: ((X − X.mean(0)) / X.std(0)).clip(−5, 5).mean(1) over the genes that vary.
        let expected = [
            -0.416_666_666_666_666_7,
            0.201_500_925_210_699_1,
            -0.631_832_408_122_634_2,
            1.478_830_557_701_236,
            -0.631_832_408_122_634_2,
        ];
        for x in [Matrix::Dense(x), Matrix::Sparse(sparse)] {
            let scores = mean_z_score(&x, &[3, 0, 1, 2]).unwrap();
            for (score, expected) in scores.iter().zip(expected) {
                assert!((score - expected).abs() < 1e-12, "{scores}");
            }
            assert_eq!(mean_z_score(&x, &[2]).unwrap(), Array1::<f64>::zeros(5));
            assert_eq!(mean_z_score(&x, &[]).unwrap(), Array1::<f64>::zeros(5));
        }
    }

    #[test]
    fn one_gene_adds_no_more_than_five_deviations() {
        let mut x = ndarray::Array2::zeros((100, 2));
        x[[7, 0]] = 1.0_f32;
        x.column_mut(1).iter_mut().enumerate().for_each(|(i, v)| *v = (i % 2) as f32);
        let scores = mean_z_score(&Matrix::Dense(x), &[0, 1]).unwrap();
        // Alone it would be (1 − 0.01)/√0.0099 = 9.95 deviations; cell 7 has the other gene.
        assert!((scores[7] - f64::midpoint(5.0, 1.0)).abs() < 1e-6, "{}", scores[7]);
    }

    #[test]
    fn values_that_are_not_finite_are_refused() {
        let x = Matrix::Dense(array![[1.0, f32::NAN], [0.0, 1.0]]);
        assert!(mean_z_score(&x, &[0, 1]).is_err());
        assert!(mean_z_score(&x, &[0]).is_ok());
    }
}
