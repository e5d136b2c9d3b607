//! Coordinates of one full matrix `S` and of the destination of its cells.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2};

use crate::bridge::lightsb::covariance::{Covariance, triangle};
use crate::error::Result;
use crate::linalg::{Spectrum, product};

/// A basis C in which S is the identity (up to the floor) and the covariance of the source cells is
/// diagonal: `S = floor I + C T Tᵀ Cᵀ`, with T lower triangular and exponentials of coordinates on
/// its diagonal, and `m = C μ`. Initially `T = I`. In this basis the Fisher information of all
/// coordinates is known, so that L-BFGS starts well scaled.
#[derive(Debug)]
pub(super) struct Frame {
    /// The basis C, d × d.
    basis: Array2<f64>,
    /// Variances of the source cells along the basis, divided by ε.
    ratios: Array1<f64>,
    /// Lower bound of S.
    floor: f64,
}

/// S at some coordinates, with the factors that its derivative needs.
pub(super) struct Shape {
    /// `T`.
    factor: Array2<f64>,
    /// `C T`.
    root: Array2<f64>,
    /// `S`.
    pub(super) matrix: Array2<f64>,
}

impl Frame {
    /// The basis for S and the covariance `source` of the source cells, and the coordinates μ of m.
    /// Takes `O(d³)` time.
    ///
    /// # Errors
    /// [`crate::Error::Numerical`] if a decomposition fails.
    pub(super) fn new(
        s: &Array2<f64>,
        source: &Array2<f64>,
        m: ArrayView1<'_, f64>,
        epsilon: f64,
        floor: f64,
    ) -> Result<(Self, Array1<f64>)> {
        let spectrum = Spectrum::new(s.view())?;
        let above = |value: f64| (value - floor).max(1e-6 * value.abs()).max(1e-300).sqrt();
        let root = spectrum.map(above);
        let inverse_root = spectrum.map(|value| 1.0 / above(value));
        let within = Spectrum::new((root.dot(source).dot(&root) / epsilon).view())?;
        let mu = within.vectors.dot(&inverse_root.dot(&m));
        let basis = root.dot(&within.vectors.t());
        let ratios = within.values.mapv(|value| value.max(0.0));
        Ok((Self { basis, ratios, floor }, mu))
    }

    /// Inverse roots of the Fisher information of μ and of the entries of T, for a Gaussian with
    /// one unit of cells.
    pub(super) fn scales(&self, epsilon: f64) -> (Array1<f64>, Array1<f64>) {
        let ratio = &self.ratios;
        let places = ratio.mapv(|ratio| (epsilon / (1.0 + ratio)).sqrt());
        let entries = triangle(ratio.len()).map(|(i, j)| {
            let product = 1.0 + 0.5 * (ratio[i] + ratio[j]) + ratio[i] * ratio[j];
            let count = if i == j { 2.0 } else { 1.0 };
            1.0 / (count * product).sqrt()
        });
        (places, entries.collect())
    }

    /// `m = C μ`.
    pub(super) fn place(&self, mu: ArrayView1<'_, f64>) -> Array1<f64> {
        self.basis.dot(&mu)
    }

    /// S at the coordinates `t`, the lower triangle of T column by column.
    pub(super) fn shape(&self, t: ArrayView1<'_, f64>) -> Shape {
        let dim = self.ratios.len();
        let mut factor = Array2::zeros((dim, dim));
        for ((i, j), &value) in triangle(dim).zip(t) {
            factor[[j, i]] = if i == j { value.exp() } else { value };
        }
        let root = product(self.basis.view(), factor.view());
        let mut matrix = product(root.view(), root.t());
        matrix.diag_mut().map_inplace(|value| *value += self.floor);
        Shape { factor, root, matrix }
    }

    /// Derivatives by μ and by the coordinates of T from those by m and by S.
    pub(super) fn pull_back(
        &self,
        by_m: ArrayView1<'_, f64>,
        by_s: ArrayView2<'_, f64>,
        shape: &Shape,
    ) -> (Array1<f64>, Array1<f64>) {
        let inner = product(by_s, shape.root.view());
        let mut by_factor = product(self.basis.t(), inner.view()) * 2.0;
        for i in 0..by_factor.nrows() {
            by_factor[[i, i]] *= shape.factor[[i, i]];
        }
        let entries = Covariance::Full.entries(by_factor.t());
        (self.basis.t().dot(&by_m), entries)
    }
}
