//! Principal components from means and Gram matrices of shards of the cells.

use ndarray::Array1;
use serde::{Deserialize, Serialize};

use crate::data::Matrix;
use crate::error::Result;
use crate::linalg::Gram;
use crate::preprocess::pca::Pca;
use crate::preprocess::pca::covariance::gram_of_genes;
use crate::preprocess::pca::moments::means_and_square;
use crate::preprocess::pca::number::{NPcs, Scree, noise_edge};
use crate::preprocess::pca::solver::{Count, PcaSolver, of_gram, scree_of};
use crate::progress::{Event, Progress, report};
use crate::rng::Seed;
use crate::share::Packed;

/// Number of cells, mean of each gene, and the Gram matrix `Xcᵀ Xc` of the centred genes, of some cells.
///
/// Moments of shards are joined without a second pass over the cells. With `δ` the difference of the two means,
/// `G = G₁ + G₂ + (n₁ n₂ / n) δ δᵀ`. Source: Chan, Golub and LeVeque 1983, equation 2.1.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub(crate) struct Moments {
    /// Number of cells.
    n_cells: usize,
    /// The mean of each gene.
    mean: Array1<f64>,
    /// The sum of squares of the centred values.
    square: f64,
    /// The Gram matrix, `(n_genes, n_genes)`.
    gram: Gram,
}

/// [`Moments`] as they are written.
#[derive(Serialize, Deserialize)]
struct Stored {
    /// Number of cells.
    n_cells: usize,
    /// The mean of each gene.
    mean: Packed<f64>,
    /// One number: the sum of squares of the centred values.
    square: Packed<f64>,
    /// The stored entries of the Gram matrix.
    gram: Packed<f64>,
}

impl From<Moments> for Stored {
    fn from(Moments { n_cells, mean, square, gram }: Moments) -> Self {
        let (mean, gram) = (Packed(mean.to_vec()), Packed(gram.entries()));
        Self { n_cells, mean, square: Packed(vec![square]), gram }
    }
}

impl TryFrom<Stored> for Moments {
    type Error = String;

    fn try_from(stored: Stored) -> std::result::Result<Self, String> {
        let Stored { n_cells, mean, square, gram } = stored;
        let gram =
            Gram::of_entries(mean.0.len(), &gram.0).ok_or("the Gram matrix has another size")?;
        let square = *square.0.first().ok_or("the sum of squares is missing")?;
        Ok(Self { n_cells, mean: mean.0.into(), square, gram })
    }
}

impl Moments {
    /// The moments of the cells `x`, `(n_cells, n_genes)`.
    ///
    /// Memory and time of the Gram matrix of the genes, see [`PcaSolver`].
    ///
    /// # Errors
    /// [`crate::Error::Parameter`] if a value is not finite; [`crate::Error::Cancelled`].
    pub(crate) fn of(x: &Matrix, progress: &mut dyn Progress) -> Result<Self> {
        let (mean, square) = means_and_square(x)?;
        let (what, total) = ("principal components".to_string(), x.n_cells() as u64);
        report(progress, Event::Begin { what, total })?;
        let gram = gram_of_genes(x, mean.view(), progress)?;
        report(progress, Event::End)?;
        Ok(Self { n_cells: x.n_cells(), mean, square, gram })
    }

    /// Number of genes.
    pub(crate) fn n_genes(&self) -> usize {
        self.mean.len()
    }

    /// Adds the moments of further cells, of the same genes.
    pub(crate) fn join(&mut self, other: &Self) {
        let [n, m] = [self.n_cells, other.n_cells].map(|n| n as f64);
        let apart = &other.mean - &self.mean;
        let weight = n * m / (n + m);
        self.gram.add_matrix(&other.gram);
        self.gram.add(|i, j| weight * apart[i] * apart[j]);
        self.square += other.square + weight * apart.dot(&apart);
        self.mean.scaled_add(m / (n + m), &apart);
        self.n_cells += other.n_cells;
    }
}

impl PcaSolver {
    /// As [`PcaSolver::fit_number`], from the moments of the cells. The Gram matrix of the genes is used, whatever
    /// the method of the solver.
    ///
    /// # Errors
    /// As [`PcaSolver::fit`].
    pub(crate) fn fit_moments(
        &self,
        moments: &Moments,
        n_pcs: NPcs,
        seed: Seed,
        progress: &mut dyn Progress,
    ) -> Result<(Pca, Option<Scree>)> {
        let Moments { n_cells, mean, square, gram } = moments;
        let n_genes = mean.len();
        self.number(*n_cells, n_genes, n_pcs, progress, &mut |solver, count, progress| {
            let n_found = solver.wanted(*n_cells, n_genes, mean, *square)?;
            let pairs = of_gram(gram, None, n_found, seed)?;
            let scree = match count {
                Count::All => None,
                Count::AboveEdge => {
                    let squares = gram.diagonal();
                    let inverse = squares.mapv(|s| if s > 0.0 { 1.0 / s.sqrt() } else { 0.0 });
                    let n_varying = squares.iter().filter(|&&square| square > 0.0).count();
                    let seed = seed.child("correlations", 0);
                    let pairs = of_gram(gram, Some(&inverse), n_found, seed)?;
                    Some(scree_of(pairs, noise_edge(*n_cells, n_varying)))
                }
            };
            let pca = solver.components(pairs, mean.clone(), *n_cells, *square, count, progress)?;
            Ok((pca, scree))
        })
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, Axis, s};

    use super::*;
    use crate::error::Error;
    use crate::linalg::Csr;
    use crate::progress::Silent;

    /// Cells with three strong directions and means far from zero; every third value is stored if `sparse`.
    fn cells(sparse: bool) -> Array2<f32> {
        Array2::from_shape_fn((230, 17), |(i, j)| {
            let state = [(i as f64 * 0.37).sin(), (i as f64 * 1.1).cos(), (i % 7) as f64];
            let load = [1.0 + j as f64 * 0.1, (j as f64).sin() * 2.0, (j % 3) as f64];
            let noise = ((i * 31 + j * 17) % 13) as f64 * 0.03;
            let value = 4.0 + state.iter().zip(load).map(|(a, b)| a * b).sum::<f64>() + noise;
            if sparse && (i + j) % 3 > 0 { 0.0 } else { value as f32 }
        })
    }

    #[test]
    fn moments_of_shards_are_those_of_all_cells() {
        for sparse in [false, true] {
            let all = cells(sparse);
            let as_matrix = |x: &Array2<f32>| {
                if sparse { Matrix::Sparse(Csr::of_dense(x)) } else { Matrix::Dense(x.clone()) }
            };
            let of = |rows: std::ops::Range<usize>| {
                let part = all.slice(s![rows, ..]).to_owned();
                Moments::of(&as_matrix(&part), &mut Silent).unwrap()
            };
            let mut joined = of(0..60);
            joined.join(&of(60..61));
            joined.join(&of(61..230));
            // The slow direct way, in double precision.
            let x = all.mapv(f64::from);
            let mean = x.mean_axis(Axis(0)).unwrap();
            let centred = &x - &mean;
            let gram = centred.t().dot(&centred);
            let scale = gram.iter().fold(0.0_f64, |most, x| most.max(x.abs()));
            assert!(joined.mean.iter().zip(&mean).all(|(a, b)| (a - b).abs() < 1e-12));
            let off =
                |((i, j), entry): ((usize, usize), &f64)| (joined.gram.get(i, j) - entry).abs();
            assert!(gram.indexed_iter().all(|entry| off(entry) < 1e-12 * scale));
            assert!((joined.square - gram.diag().sum()).abs() < 1e-12 * joined.square);

            for number in [NPcs::Auto, NPcs::Is(3)] {
                let solver = PcaSolver { n_pcs: number.most(), ..PcaSolver::default() };
                let seed = Seed(1);
                let found = solver.fit_moments(&joined, number, seed, &mut Silent).unwrap();
                let x = as_matrix(&all);
                let expected = solver.fit_number(&x, number, seed, &mut Silent).unwrap();
                assert_eq!(found.0.n_pcs(), expected.0.n_pcs());
                let close = |a: &f64, b: &f64| (a - b).abs() < 1e-10;
                let pairs = |a: &Pca, b: &Pca| {
                    let loadings = (a.loadings().to_owned(), b.loadings().to_owned());
                    loadings.0.iter().zip(&loadings.1).all(|(a, b)| close(a, b))
                        && (a.total_variance() / b.total_variance() - 1.0).abs() < 1e-12
                };
                assert!(pairs(&found.0, &expected.0));
                assert_eq!(found.1.is_some(), expected.1.is_some());
                if let (Some(found), Some(expected)) = (&found.1, &expected.1) {
                    assert!((found.edge - expected.edge).abs() < 1e-12);
                    let values = found.eigenvalues.iter().zip(&expected.eigenvalues);
                    assert!(values.into_iter().all(|(a, b)| close(a, b)));
                }
            }
        }
    }

    #[test]
    fn moments_are_read_as_they_were_written() {
        let moments = Moments::of(&Matrix::Dense(cells(false)), &mut Silent).unwrap();
        let text = serde_json::to_string(&moments).unwrap();
        let read: Moments = serde_json::from_str(&text).unwrap();
        assert_eq!((read.n_cells, &read.mean), (moments.n_cells, &moments.mean));
        assert_eq!(read.square.to_bits(), moments.square.to_bits());
        assert_eq!(read.gram.entries(), moments.gram.entries());
        let shorter = text.replace("\"n_cells\":230", "\"n_cells\":230,\"x\":0");
        assert!(serde_json::from_str::<Moments>(&shorter).is_ok());
        let mut value: serde_json::Value = serde_json::from_str(&text).unwrap();
        value["mean"] = serde_json::to_value(Packed(vec![0.0; 3])).unwrap();
        assert!(serde_json::from_value::<Moments>(value).is_err());
    }

    #[test]
    fn constant_cells_and_a_single_cell_are_refused() {
        let fit = |x: Array2<f32>| {
            let moments = Moments::of(&Matrix::Dense(x), &mut Silent).unwrap();
            PcaSolver::default().fit_moments(&moments, NPcs::Is(2), Seed(0), &mut Silent)
        };
        assert!(matches!(fit(Array2::ones((5, 3))), Err(Error::Parameter { name: "matrix", .. })));
        assert!(fit(Array2::ones((1, 3))).is_err());
    }
}
