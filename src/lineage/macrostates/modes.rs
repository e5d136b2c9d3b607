//! The slow modes of the kinship operator: its leading eigenfunctions, scaled to coordinates.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, s};

use crate::error::Result;
use crate::linalg::{Lanczos, Spectrum, product, product_tn};
use crate::lineage::macrostates::kinship::Kinship;
use crate::rng::Seed;

/// Largest number of cells for which the operator is written out.
const FEW: usize = 128;
/// Number of power steps for the modes of a resample, from those of the course.
const ROUNDS: usize = 3;
/// Largest eigenvalue that is rounding.
const ROUNDING: f64 = 1e-9;
/// Smallest relative variance of a direction that counts in an orthonormal basis.
const NOTHING: f64 = 1e-12;

/// Leading modes of the cells of one time.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Modes {
    /// Eigenvalues after the trivial one, decreasing.
    pub(super) values: Array1<f64>,
    /// Coordinates `√λ φ` of the cells, one column for each eigenvalue; zero for cells without weight.
    /// The squared distance of two cells is that of their kinship. Weighted k-means in these
    /// coordinates maximises the sum over states of the probability that kin is in the same state.
    pub(super) places: Array2<f64>,
    /// Eigenvectors of the symmetric operator with the trivial one, `(n, n_modes)`.
    vectors: Array2<f64>,
}

impl Modes {
    /// The `n_modes` leading modes in the first column of the kinship, fewer for few cells.
    ///
    /// # Errors
    /// Those of [`Lanczos::solve`] and of the products.
    pub(super) fn of(kinship: &Kinship<'_>, n_modes: usize, seed: Seed) -> Result<Self> {
        let n = kinship.n_cells();
        let n_pairs = (n_modes + 1).min(n);
        let solver = Lanczos { n_pairs, tolerance: 1e-6, ..Lanczos::default() };
        if n <= FEW || !solver.fits(n) {
            let full = kinship.apply(Array2::eye(n).view())?;
            let spectrum = Spectrum::new(full.view())?;
            let values = spectrum.values.slice(s![..n_pairs]).to_owned();
            return Ok(Self::new(
                values,
                spectrum.vectors.slice(s![..n_pairs, ..]).t().to_owned(),
                kinship.weights.column(0),
            ));
        }
        let mut apply = |block: ArrayView2<'_, f64>| kinship.apply(block);
        let pairs = solver.solve(n, seed, &mut apply)?;
        Ok(Self::new(pairs.values, pairs.vectors.t().to_owned(), kinship.weights.column(0)))
    }

    /// The modes of every column of `kinship` (resamples), by power steps from these modes.
    ///
    /// # Errors
    /// Those of the products.
    pub(super) fn resampled(&self, kinship: &Kinship<'_>) -> Result<Vec<Self>> {
        let (n, each, columns) = (kinship.n_cells(), self.vectors.ncols(), kinship.n_columns());
        let mut vectors = Array2::zeros((n, each * columns));
        for b in 0..columns {
            vectors.slice_mut(s![.., b * each..(b + 1) * each]).assign(&self.vectors);
        }
        let mut values = vec![Array1::zeros(each); columns];
        for _ in 0..ROUNDS {
            for b in 0..columns {
                let mut own = vectors.slice_mut(s![.., b * each..(b + 1) * each]);
                let basis = orthonormal(own.view())?;
                own.assign(&basis);
            }
            let images = kinship.apply(vectors.view())?;
            for (b, values) in values.iter_mut().enumerate() {
                let mut own = vectors.slice_mut(s![.., b * each..(b + 1) * each]);
                let image = images.slice(s![.., b * each..(b + 1) * each]).to_owned();
                let ritz = Spectrum::new(product_tn(own.view(), image.view()).view())?;
                values.assign(&ritz.values);
                own.assign(&product(image.view(), ritz.vectors.t().to_owned().view()));
            }
        }
        let of_column = |(b, values): (usize, Array1<f64>)| {
            let own = vectors.slice(s![.., b * each..(b + 1) * each]);
            Ok(Self::new(values, orthonormal_columns(own), kinship.weights.column(b)))
        };
        values.into_iter().enumerate().map(of_column).collect()
    }

    /// From eigenvalues with the trivial one and eigenvectors in columns.
    fn new(values: Array1<f64>, vectors: Array2<f64>, weights: ArrayView1<'_, f64>) -> Self {
        let known = |value: f64| if value > ROUNDING { value.min(1.0) } else { 0.0 };
        let values = values.slice(s![1..]).mapv(known);
        let mut places = vectors.slice(s![.., 1..]).to_owned();
        for (mut row, &weight) in places.rows_mut().into_iter().zip(weights) {
            let root = weight.sqrt();
            let scale = |value: &f64| if root > 0.0 { value.sqrt() / root } else { 0.0 };
            row.iter_mut().zip(&values).for_each(|(place, value)| *place *= scale(value));
        }
        Self { values, places, vectors }
    }
}

/// An orthonormal basis of the columns; directions that vanish become columns of zeros.
fn orthonormal(columns: ArrayView2<'_, f64>) -> Result<Array2<f64>> {
    let columns = columns.to_owned();
    let gram = Spectrum::new(product_tn(columns.view(), columns.view()).view())?;
    let least = NOTHING * gram.values[0];
    let mut turned = product(columns.view(), gram.vectors.t().to_owned().view());
    for (mut column, &value) in turned.columns_mut().into_iter().zip(&gram.values) {
        column *= if value > least { 1.0 / value.sqrt() } else { 0.0 };
    }
    Ok(turned)
}

/// The columns scaled to length one; Ritz vectors after a power step are orthogonal up to its error.
fn orthonormal_columns(columns: ArrayView2<'_, f64>) -> Array2<f64> {
    let mut columns = columns.to_owned();
    for mut column in columns.columns_mut() {
        let length = column.dot(&column).sqrt();
        if length > 0.0 {
            column /= length;
        }
    }
    columns
}
