//! Conditions on draws: measured coordinates, or a general likelihood.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, ArrayViewMut1, ArrayViewMut2, Axis, s};
use rand::Rng;
use rand_distr::{Distribution, StandardNormal};

use crate::error::{Error, Result};
use crate::linalg::{Spectrum, add_product, product, product_nt};

/// Smallest eigenvalue of independent measurements, relative to the largest.
const SAME: f64 = 1e-10;

/// A function from places, `(n, dim)`, to the gradients of a log likelihood there, `(n, dim)`.
pub type Gradient<'a> = dyn Fn(ArrayView2<'_, f64>) -> Array2<f64> + Sync + 'a;

/// A condition on draws, for [`crate::sampler::Sampler::sample_updated`].
///
/// ```
/// use ndarray::{Array2, ArrayView2, array};
/// use sbcell::data::Snapshot;
/// use sbcell::sampler::{Condition, Sampler, SelfBridge};
/// use sbcell::{Epsilon, Seed, Silent};
///
/// let cells = Snapshot::new(array![[-1.0], [0.0], [1.0]])?;
/// let bridge = SelfBridge::new(&cells, Epsilon::new(0.2)?, None, &mut Silent)?;
/// // The likelihood of a measurement 1 with variance 0.5.
/// let gradient = |x: ArrayView2<'_, f64>| x.mapv(|x| (1.0 - x) / 0.5);
/// let condition = Condition::Likelihood(&gradient);
/// let (sampler, start) = (Sampler { n_steps: 20, ..Sampler::default() }, Array2::zeros((50, 1)));
/// let draws =
///     sampler.sample_updated(&bridge, start.view(), condition, Seed(1), &mut Silent)?;
/// assert!(draws.mean().unwrap() > 0.0);
/// # sbcell::Result::Ok(())
/// ```
#[derive(Clone, Copy)]
pub enum Condition<'a> {
    /// No condition.
    Free,
    /// Measured coordinates, exact or with an error.
    Observed(&'a Observed),
    /// A likelihood, given by the gradient of its logarithm.
    ///
    /// Steps along the gradient are explicit. They are stable if ε times the curvature of the log
    /// likelihood is below four.
    Likelihood(&'a Gradient<'a>),
}

impl std::fmt::Debug for Condition<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Free => "Free",
            Self::Observed(_) => "Observed",
            Self::Likelihood(_) => "Likelihood",
        })
    }
}

/// Linear measurements `y = G x + noise`, with values `y` for each cell.
///
/// For a standard deviation `s = 0` of the noise the draws have exactly the measured coordinates.
/// Otherwise the measurement is a Gaussian likelihood (Gottwald et al. 2024, conditional sampling and
/// Bayesian inference). One formula covers both cases: an implicit step of length τ along the
/// likelihood, which is stable for every τ, is
///
/// ```text
/// x + τ Gᵀ (τ G Gᵀ + s² I)⁻¹ (y − G x)
/// ```
///
/// For `s = 0` it is the projection onto `G x = y`.
///
/// ```
/// use ndarray::array;
/// use sbcell::sampler::Observed;
///
/// // Coordinate 0 of two cells in three dimensions.
/// let observed = Observed::columns(&[0], 3, array![[0.5], [1.5]], 0.1)?;
/// assert_eq!((observed.n_cells(), observed.dim(), observed.rank()?), (2, 3, 1));
/// assert_eq!(observed.repeated(10).n_cells(), 20);
/// # sbcell::Result::Ok(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Observed {
    /// `G`, `(n_measured, dim)`.
    map: Array2<f64>,
    /// `y`, `(n_cells, n_measured)`.
    values: Array2<f64>,
    /// `s²`.
    variance: f64,
    /// `G Gᵀ`.
    gram: Array2<f64>,
}

impl Observed {
    /// Measurements with the matrix `map`, `(n_measured, dim)`, and `values`, `(n_cells, n_measured)`.
    ///
    /// `deviation` is the standard deviation `s` of every measurement; 0 for exact values.
    ///
    /// # Errors
    /// [`Error::Shape`] if the numbers of measurements differ; [`Error::Parameter`] if a number is
    /// not finite, the deviation is negative, or there are no measurements.
    pub fn new(map: Array2<f64>, values: Array2<f64>, deviation: f64) -> Result<Self> {
        if map.nrows() != values.ncols() {
            let (expected, got) = (map.nrows(), values.ncols());
            return Err(Error::Shape {
                what: "the measured values",
                unit: "columns",
                expected,
                got,
            });
        }
        if map.is_empty() || values.is_empty() {
            let (name, must) = ("measured", "at least one coordinate of one cell");
            return Err(Error::Parameter { name, must, got: "none".into() });
        }
        if let Some(bad) = map.iter().chain(&values).find(|value| !value.is_finite()) {
            let (name, must) = ("measured", "finite");
            return Err(Error::Parameter { name, must, got: bad.to_string() });
        }
        if !(0.0..f64::INFINITY).contains(&deviation) {
            let (name, must) = ("deviation", "finite and ≥ 0");
            return Err(Error::Parameter { name, must, got: deviation.to_string() });
        }
        let gram = product_nt(map.view(), map.view());
        Ok(Self { map, values, variance: deviation * deviation, gram })
    }

    /// Measurements of the coordinates `columns` of a space with `dim` dimensions.
    ///
    /// # Errors
    /// Those of [`Observed::new`]; [`Error::Parameter`] if a column is not below `dim`.
    pub fn columns(
        columns: &[usize],
        dim: usize,
        values: Array2<f64>,
        deviation: f64,
    ) -> Result<Self> {
        if let Some(column) = columns.iter().find(|&&column| column >= dim) {
            let (name, must) = ("column", "less than the number of dimensions");
            return Err(Error::Parameter { name, must, got: column.to_string() });
        }
        let mut map = Array2::zeros((columns.len(), dim));
        for (mut row, &column) in map.rows_mut().into_iter().zip(columns) {
            row[column] = 1.0;
        }
        Self::new(map, values, deviation)
    }

    /// Number of measured cells.
    pub fn n_cells(&self) -> usize {
        self.values.nrows()
    }

    /// Number of dimensions of the space of cells.
    pub fn dim(&self) -> usize {
        self.map.ncols()
    }

    /// The measurements with each cell repeated `n` times in succession, for `n` draws of each.
    #[must_use]
    pub fn repeated(&self, n: usize) -> Self {
        let rows: Vec<usize> =
            (0..self.n_cells()).flat_map(|row| std::iter::repeat_n(row, n)).collect();
        Self { values: self.values.select(Axis(0), &rows), ..self.clone() }
    }

    /// The rank of `G`: the number of independent measurements.
    ///
    /// # Errors
    /// [`Error::Numerical`] if the eigendecomposition of `G Gᵀ` fails.
    pub fn rank(&self) -> Result<usize> {
        let spectrum = Spectrum::new(self.gram.view())?;
        let least = SAME * spectrum.values[0];
        Ok(spectrum.values.iter().filter(|&&value| value > least).count())
    }

    /// The measurements in coordinates relative to `centre`.
    pub(super) fn centred(&self, centre: ArrayView1<'_, f64>) -> Self {
        Self { values: &self.values - &self.map.dot(&centre), ..self.clone() }
    }

    /// The transposed gain `(τ Gᵀ (τ G Gᵀ + s² I)⁻¹)ᵀ`, `(n_measured, dim)`, for τ = `step`.
    pub(super) fn gain(&self, step: f64) -> Result<Array2<f64>> {
        let inverse = self.inverse(&(&self.gram * step))?;
        Ok(product(inverse.view(), self.map.view()) * step)
    }

    /// The pseudoinverse of `A + s² I` for a symmetric `A`, without directions of zero eigenvalue.
    fn inverse(&self, matrix: &Array2<f64>) -> Result<Array2<f64>> {
        let spectrum = Spectrum::new(matrix.view())?;
        let least = SAME * spectrum.values[0].max(self.variance);
        Ok(spectrum.map(|value| {
            let value = value + self.variance;
            if value > least { 1.0 / value } else { 0.0 }
        }))
    }

    /// Moves the places `x` along the likelihood; they belong to the cells from `first` on.
    ///
    /// `gain` comes from [`Observed::gain`] and determines the length of the step.
    pub(super) fn advance(
        &self,
        mut x: ArrayViewMut2<'_, f64>,
        first: usize,
        gain: ArrayView2<'_, f64>,
    ) {
        let values = self.values.slice(s![first..first + x.nrows(), ..]);
        let missing = &values - &product_nt(x.view(), self.map.view());
        let mut moved = x.to_owned();
        add_product(moved.view_mut(), 1.0, missing.view(), gain);
        x.assign(&moved);
    }

    /// Converts a draw of `N(0, covariance)` to a draw of `N(0, (covariance⁻¹ + Gᵀ G / s²)⁻¹)`.
    ///
    /// The function subtracts the regression of the draw on a noisy measurement of itself. For
    /// `s = 0` the result has no component along the measured directions.
    pub(super) fn settle(
        &self,
        mut draw: ArrayViewMut1<'_, f64>,
        covariance: ArrayView2<'_, f64>,
        stream: &mut impl Rng,
    ) -> Result<()> {
        let spread = product(self.map.view(), covariance);
        let inverse = self.inverse(&product_nt(spread.view(), self.map.view()))?;
        let mut seen = self.map.dot(&draw);
        let deviation = self.variance.sqrt();
        seen.mapv_inplace(|value| {
            let noise: f64 = StandardNormal.sample(stream);
            value + deviation * noise
        });
        draw -= &inverse.dot(&seen).dot(&spread);
        Ok(())
    }

    /// Log likelihood of the measurements of cell `row` at each of `points`, relative to the centre.
    ///
    /// The variance includes one step of the reference process; a constant is omitted.
    pub(super) fn log_fit(
        &self,
        points: ArrayView2<'_, f64>,
        row: usize,
        step: &Fit,
    ) -> Array1<f64> {
        let missing = &self.values.row(row) - &product_nt(points, self.map.view());
        let whitened = product(missing.view(), step.root.view());
        whitened.rows().into_iter().map(|row| -0.5 * row.dot(&row)).collect()
    }

    /// The matrix for [`Observed::log_fit`] with steps of variance `epsilon`.
    pub(super) fn fit(&self, epsilon: f64) -> Result<Fit> {
        let inverse = self.inverse(&(&self.gram * epsilon))?;
        Ok(Fit { root: Spectrum::new(inverse.view())?.map(|value| value.max(0.0).sqrt()) })
    }
}

/// The weights of measurements in [`Observed::log_fit`].
pub(super) struct Fit {
    /// The square root of `(ε G Gᵀ + s² I)⁻¹`.
    root: Array2<f64>,
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;
    use crate::Seed;

    #[test]
    fn without_error_a_step_is_the_projection_also_of_repeated_measurements() {
        let map = array![[1.0, 1.0, 0.0], [2.0, 2.0, 0.0], [0.0, 0.0, 1.0]];
        let observed = Observed::new(map, array![[3.0, 6.0, -1.0]], 0.0).unwrap();
        assert_eq!(observed.rank().unwrap(), 2);
        let mut x = array![[0.5, -0.5, 4.0]];
        let gain = observed.gain(0.3).unwrap();
        observed.advance(x.view_mut(), 0, gain.view());
        let off = x - array![[2.0, 1.0, -1.0]];
        assert!(off.iter().all(|value| value.abs() < 1e-9), "{off}");
    }

    #[test]
    fn with_error_a_step_is_the_implicit_one() {
        let map = array![[1.0, 0.5]];
        let observed = Observed::new(map.clone(), array![[2.0]], 0.4).unwrap();
        let start = array![[0.3, -1.0]];
        let mut x = start.clone();
        let gain = observed.gain(0.7).unwrap();
        observed.advance(x.view_mut(), 0, gain.view());
        // x = start + τ Gᵀ (y − G x)/s² at the new place.
        let slope = (2.0 - x.row(0).dot(&map.row(0))) / 0.16;
        let off = &x - &(&start + &(&map * (0.7 * slope)));
        assert!(off.iter().all(|value| value.abs() < 1e-12), "{off}");
    }

    #[test]
    fn settled_noise_has_the_covariance_of_both_precisions() {
        let observed = Observed::new(array![[1.0, 1.0]], array![[0.0]], 0.5).unwrap();
        let covariance = array![[1.0, 0.3], [0.3, 0.5]];
        let factor = Spectrum::new(covariance.view()).unwrap().map(f64::sqrt);
        let mut stream = Seed(1).stream("test", 0);
        let n = 40_000;
        let mut found = Array2::<f64>::zeros((2, 2));
        for _ in 0..n {
            let white: Array1<f64> =
                Array1::from_shape_simple_fn(2, || StandardNormal.sample(&mut stream));
            let mut draw = factor.dot(&white);
            observed.settle(draw.view_mut(), covariance.view(), &mut stream).unwrap();
            for (i, j) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
                found[[i, j]] += draw[i] * draw[j] / f64::from(n);
            }
        }
        // By Sherman and Morrison: C − C g gᵀ C / (gᵀ C g + s²), g = (1, 1).
        let column = array![1.3, 0.8];
        for ((i, j), value) in found.indexed_iter() {
            let expected = covariance[[i, j]] - column[i] * column[j] / (2.1 + 0.25);
            assert!((value - expected).abs() < 0.015, "{value} {expected}");
        }
    }

    #[test]
    fn refuses_what_does_not_fit() {
        assert!(Observed::columns(&[0, 5], 3, array![[1.0, 2.0]], 0.0).is_err());
        assert!(Observed::columns(&[0], 3, array![[1.0, 2.0]], 0.0).is_err());
        assert!(Observed::columns(&[0], 3, array![[f64::NAN]], 0.0).is_err());
        assert!(Observed::columns(&[0], 3, array![[1.0]], -1.0).is_err());
        assert!(Observed::columns(&[], 3, Array2::zeros((1, 0)), 0.0).is_err());
    }
}
