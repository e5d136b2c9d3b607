//! The Schrödinger bridge between two Gaussians: moments, drift, Jacobian and exact draws.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis, Zip};
use rand_distr::{Distribution, StandardNormal};
use serde::{Deserialize, Serialize};

use crate::bridge::record::BridgeRecord;
use crate::bridge::{Bridge, Link, UnitTime};
use crate::data::Snapshot;
use crate::error::{Error, Result, shape};
use crate::geometry::Epsilon;
use crate::linalg::{Eigenpairs, dense_eigenpairs, product, product_nt};
use crate::progress::Progress;
use crate::rng::Seed;

/// Rows that share a stream of random numbers. The size is fixed, so draws do not depend on the
/// number of threads.
const CHUNK: usize = 256;

/// Largest deviation of a covariance from a symmetric, positive semidefinite matrix, relative to
/// its largest entry.
const SLACK: f64 = 1e-9;

/// The Schrödinger bridge between `N(m₀, A)` and `N(m₁, B)`, for covariances of any rank.
///
/// The coupling is Gaussian: `X₁ | X₀ = x ~ N(m₁ + S (x − m₀), ε S)`, with the symmetric slope
///
/// ```text
/// S = B^½ h(B^½ A B^½) B^½,   h(μ) = 1 / (ε/2 + √(μ + ε²/4))
/// ```
///
/// so that `Cov(X₀, X₁) = A S`. For invertible A this is the closed form of Bunne, Hsieh, Cuturi,
/// Krause (AISTATS 2023, with `σ² = ε`). This form needs no inverse and is therefore also valid for
/// singular covariances. With `Σ(t) = (1−t) I + t S`, in the eigenvectors of S,
///
/// ```text
/// b(x, t)       = m₁ − m₀ + Σ(t)⁻¹ (S − I) (x − m(t)),   m(t) = (1−t) m₀ + t m₁
/// X_s | X_t = x ~ N(x + (s−t) b(x, t),  ε (s−t) Σ(s) Σ(t)⁻¹)
/// Cov(X_s, X_t) = (1−s)(1−t) A + s t B + (1−s) t A S + s (1−t) S A + ε s (1−t) I,   s ≤ t
/// ```
///
/// In a direction in which the target has no variance, the process ends in a point: S is zero, a
/// draw at time 1 has no noise, and the drift at time 1 itself is that of the mean. A batch of n
/// points takes `O(n d²)` time; the bridge takes `O(d²)` memory.
///
/// ```
/// use ndarray::array;
/// use sbcell::Epsilon;
/// use sbcell::bridge::{Bridge, GaussianBridge, UnitTime};
///
/// # fn main() -> sbcell::Result<()> {
/// let (m0, a) = (array![0.0], array![[1.0]]);
/// let (m1, b) = (array![3.0], array![[2.0]]);
/// let epsilon = Epsilon::new(0.5)?;
/// let bridge = GaussianBridge::between(m0.view(), a.view(), m1.view(), b.view(), epsilon)?;
/// // In one dimension s solves a s² + ε s = b.
/// let s = bridge.slope()[[0, 0]];
/// assert!((s * s + 0.5 * s - 2.0).abs() < 1e-12);
/// assert!((bridge.covariance(UnitTime::END)[[0, 0]] - 2.0).abs() < 1e-12);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct GaussianBridge {
    /// Mean `m₀` of the source.
    source_mean: Array1<f64>,
    /// Mean `m₁` of the target.
    target_mean: Array1<f64>,
    /// Covariance A of the source.
    source_covariance: Array2<f64>,
    /// Slope S of the coupling.
    slope: Array2<f64>,
    /// Eigenvalues of S; zero where they are rounding errors.
    stretch: Array1<f64>,
    /// Eigenvectors of S as rows.
    axes: Array2<f64>,
    /// ε of the problem.
    epsilon: Epsilon,
}

/// The numbers of a [`GaussianBridge`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GaussianRecord {
    /// Variance of the reference process per unit of local time.
    pub epsilon: f64,
    /// Mean of the source, d numbers.
    pub source_mean: Vec<f64>,
    /// Mean of the target, d numbers.
    pub target_mean: Vec<f64>,
    /// Covariance A of the source, d rows.
    pub source_covariance: Vec<Vec<f64>>,
    /// Slope S of the coupling, d rows.
    pub slope: Vec<Vec<f64>>,
}

impl GaussianBridge {
    /// The bridge between two Gaussians: means of d numbers, covariances d × d. Covariances must be
    /// symmetric and positive semidefinite; they may be singular. Takes `O(d³)` time.
    ///
    /// # Errors
    /// [`Error::Shape`] if shapes contradict each other; [`Error::Parameter`] if a number is not
    /// finite, or a covariance is not symmetric and positive semidefinite.
    pub fn between(
        source_mean: ArrayView1<'_, f64>,
        source_covariance: ArrayView2<'_, f64>,
        target_mean: ArrayView1<'_, f64>,
        target_covariance: ArrayView2<'_, f64>,
        epsilon: Epsilon,
    ) -> Result<Self> {
        let dim = source_mean.len();
        shape::same("the mean of the target", "dimensions", dim, target_mean.len())?;
        eigenpairs(dim, source_covariance)?;
        let root = square_root(&eigenpairs(dim, target_covariance)?);
        let middle = product(product(root.view(), source_covariance).view(), root.view());
        let pairs =
            dense_eigenpairs(dim, dim, |i, j| f64::midpoint(middle[[i, j]], middle[[j, i]]))?;
        let half = 0.5 * epsilon.value();
        let weights = pairs.values.mapv(|mu| (half + (mu.max(0.0) + half * half).sqrt()).recip());
        // Rows of `factor` are eigenvectors times B^½ times √h: S = factorᵀ factor.
        let mut factor = product(pairs.vectors.view(), root.view());
        for (mut row, weight) in factor.rows_mut().into_iter().zip(&weights) {
            row *= weight.sqrt();
        }
        let slope = symmetric(&factor.t().dot(&factor));
        let covariance = symmetric(&source_covariance.to_owned());
        Self::new(source_mean.to_owned(), target_mean.to_owned(), covariance, slope, epsilon)
    }

    /// From the means, the covariance of the source and the slope of the coupling.
    fn new(
        source_mean: Array1<f64>,
        target_mean: Array1<f64>,
        source_covariance: Array2<f64>,
        slope: Array2<f64>,
        epsilon: Epsilon,
    ) -> Result<Self> {
        let dim = source_mean.len();
        shape::same("the mean of the target", "dimensions", dim, target_mean.len())?;
        if let Some(value) = source_mean.iter().chain(&target_mean).find(|v| !v.is_finite()) {
            let got = value.to_string();
            return Err(Error::Parameter { name: "mean", must: "finite", got });
        }
        eigenpairs(dim, source_covariance.view())?;
        let pairs = eigenpairs(dim, slope.view())?;
        let least = rounding(&pairs.values);
        let stretch = pairs.values.mapv(|value| if value > least { value } else { 0.0 });
        let axes = pairs.vectors;
        Ok(Self { source_mean, target_mean, source_covariance, slope, stretch, axes, epsilon })
    }

    /// Slope S of the coupling (d × d): `E[X₁ | X₀ = x] = m₁ + S (x − m₀)`, `Cov(X₁ | X₀) = ε S`.
    pub fn slope(&self) -> ArrayView2<'_, f64> {
        self.slope.view()
    }

    /// Mean of `X_t`, d numbers.
    pub fn mean(&self, t: UnitTime) -> Array1<f64> {
        &self.source_mean * (1.0 - t.value()) + &self.target_mean * t.value()
    }

    /// Covariance of `X_t`, d × d.
    pub fn covariance(&self, t: UnitTime) -> Array2<f64> {
        self.cross_covariance(t, t)
    }

    /// `Cov(X_s, X_t)`, d × d. Rows belong to s. The times may be in either order.
    pub fn cross_covariance(&self, s: UnitTime, t: UnitTime) -> Array2<f64> {
        let (s, t) = (s.value(), t.value());
        let (a, slope) = (self.source_covariance.view(), self.slope.view());
        let ahead = product(a, slope);
        let end = product(slope, ahead.view()) + &(&slope * self.epsilon.value());
        let mut all = &a * ((1.0 - s) * (1.0 - t)) + end * (s * t);
        all.scaled_add((1.0 - s) * t, &ahead);
        all.scaled_add(s * (1.0 - t), &ahead.t());
        let noise = self.epsilon.value() * s.min(t) * (1.0 - s.max(t));
        all.diag_mut().map_inplace(|value| *value += noise);
        all
    }

    /// The LightSB objective of this bridge, `E log c(x) − E log v(y)` over the two Gaussians, in
    /// nats: KL(true coupling ‖ this coupling) up to a constant of the data.
    ///
    /// Directions in which the target has no variance have no density and are left out.
    pub(super) fn objective(&self) -> f64 {
        let epsilon = self.epsilon.value();
        let logs = self.stretch.iter().filter(|s| **s > 0.0);
        let logs: Vec<f64> =
            logs.map(|s| (2.0 * std::f64::consts::PI * epsilon * s).ln()).collect();
        let (log_det, dim) = (logs.iter().sum::<f64>(), logs.len() as f64);
        let trace = (&self.source_covariance * &self.slope).sum();
        // Centring removed this part of the scalar product `E xᵀy` under the coupling.
        let moved = self.source_mean.dot(&self.target_mean);
        (trace + moved) / epsilon + 0.5 * log_det + 0.5 * dim
    }

    /// `x Q f(S) Qᵀ`, with the values of f at the eigenvalues of S.
    fn apply(&self, x: ArrayView2<'_, f64>, f: &Array1<f64>) -> Array2<f64> {
        let turned = product_nt(x, self.axes.view()) * f;
        product(turned.view(), self.axes.view())
    }

    /// The eigenvalues of `Σ(t) = (1−t) I + t S`.
    fn spread(&self, t: UnitTime) -> Array1<f64> {
        self.stretch.mapv(|s| 1.0 - t.value() + t.value() * s)
    }

    /// The eigenvalues of `Σ(t)⁻¹ (S − I)`; zero where the eigenvalue of `Σ(t)` is zero.
    fn pull(&self, t: UnitTime) -> Array1<f64> {
        let pull = |s: f64, spread: f64| if spread > 0.0 { (s - 1.0) / spread } else { 0.0 };
        Zip::from(&self.stretch).and(&self.spread(t)).map_collect(|&s, &spread| pull(s, spread))
    }

    /// The eigenvalues of `Σ(to) Σ(from)⁻¹`; one where both are zero.
    fn ratio(&self, from: UnitTime, to: UnitTime) -> Array1<f64> {
        let ratio = |from: f64, to: f64| if from > 0.0 { to / from } else { 1.0 };
        Zip::from(&self.spread(from))
            .and(&self.spread(to))
            .map_collect(|&from, &to| ratio(from, to))
    }
}

impl Bridge for GaussianBridge {
    fn dim(&self) -> usize {
        self.source_mean.len()
    }

    fn epsilon(&self) -> Epsilon {
        self.epsilon
    }

    /// `−Cov(X_t)⁻¹ (x − m(t))`, the score of the Gaussian at time t, whatever cells the bridge was
    /// fitted to. `None` at an end that has no variance in some direction.
    fn score(&self, x: ArrayView2<'_, f64>, t: UnitTime) -> Result<Option<Array2<f64>>> {
        shape::points(x, self.dim())?;
        let pairs = eigenpairs(self.dim(), self.covariance(t).view())?;
        let least = rounding(&pairs.values);
        if pairs.values.iter().any(|value| *value <= least) {
            return Ok(None);
        }
        let centred = &x - &self.mean(t);
        let turned = product_nt(centred.view(), pairs.vectors.view()) / &pairs.values;
        Ok(Some(product((-turned).view(), pairs.vectors.view())))
    }

    fn drift(&self, x: ArrayView2<'_, f64>, t: UnitTime) -> Result<Array2<f64>> {
        shape::points(x, self.dim())?;
        let centred = &x - &self.mean(t);
        Ok(self.apply(centred.view(), &self.pull(t)) + &self.target_mean - &self.source_mean)
    }

    fn mean_jacobian(&self, x: ArrayView2<'_, f64>, t: UnitTime) -> Result<Array2<f64>> {
        shape::points(x, self.dim())?;
        if x.nrows() == 0 {
            return Ok(Array2::zeros((self.dim(), self.dim())));
        }
        Ok(self.apply(Array2::eye(self.dim()).view(), &self.pull(t)))
    }

    fn sample_transition(
        &self,
        x: ArrayView2<'_, f64>,
        from: UnitTime,
        to: UnitTime,
        seed: Seed,
    ) -> Result<Array2<f64>> {
        shape::points(x, self.dim())?;
        let span = from.until(to)?;
        if span <= 0.0 {
            return Ok(x.to_owned());
        }
        let ratio = self.ratio(from, to);
        let deviation = ratio.mapv(|ratio| (self.epsilon.value() * span * ratio).sqrt());
        let mut noise = Array2::zeros(x.dim());
        for (chunk, mut rows) in noise.axis_chunks_iter_mut(Axis(0), CHUNK).enumerate() {
            let mut stream = seed.stream("gaussian/transition", chunk as u64);
            rows.map_inplace(|value: &mut f64| *value = StandardNormal.sample(&mut stream));
        }
        // Relative to the mean, `x + (s−t) b(x, t) = m(s) + Σ(s) Σ(t)⁻¹ (x − m(t))`. The left-hand side
        // would lose digits to cancellation for a narrow target.
        let centred = &x - &self.mean(from);
        let draws = product_nt(centred.view(), self.axes.view()) * ratio + noise * &deviation;
        Ok(product(draws.view(), self.axes.view()) + &self.mean(to))
    }

    fn draws_by_ends(&self) -> bool {
        true
    }

    /// The entropic coupling between the cells, with the ε of the bridge.
    fn link(
        &self,
        source: &Snapshot,
        target: &Snapshot,
        _: Seed,
        progress: &mut dyn Progress,
    ) -> Result<Link> {
        Link::entropic_with(source, target, self.epsilon, progress)
    }

    fn record(&self) -> BridgeRecord {
        let rows = |a: &Array2<f64>| a.rows().into_iter().map(|row| row.to_vec()).collect();
        BridgeRecord::Gaussian(GaussianRecord {
            epsilon: self.epsilon.value(),
            source_mean: self.source_mean.to_vec(),
            target_mean: self.target_mean.to_vec(),
            source_covariance: rows(&self.source_covariance),
            slope: rows(&self.slope),
        })
    }
}

impl GaussianRecord {
    /// The bridge of these numbers.
    ///
    /// # Errors
    /// [`Error::Shape`] if lengths contradict each other; [`Error::Parameter`] if a number is out
    /// of its range.
    pub fn restore(self) -> Result<GaussianBridge> {
        let Self { epsilon, source_mean, target_mean, source_covariance, slope } = self;
        let dim = source_mean.len();
        let covariance = square("a covariance", &source_covariance, dim)?;
        let slope = square("the slope of the plan", &slope, dim)?;
        let (source_mean, target_mean) = (Array1::from(source_mean), Array1::from(target_mean));
        GaussianBridge::new(source_mean, target_mean, covariance, slope, Epsilon::new(epsilon)?)
    }
}

/// Rows of a file as a matrix of `dim` × `dim`.
fn square(what: &'static str, rows: &[Vec<f64>], dim: usize) -> Result<Array2<f64>> {
    for got in rows.iter().map(Vec::len).chain([rows.len()]) {
        shape::same(what, "dimensions", dim, got)?;
    }
    Ok(Array2::from_shape_fn((dim, dim), |(i, j)| rows[i][j]))
}

/// The eigenvalues and eigenvectors of a covariance.
///
/// # Errors
/// [`Error::Shape`] for another shape; [`Error::Parameter`] if the matrix is not finite, not
/// symmetric, or has a negative eigenvalue beyond rounding.
fn eigenpairs(dim: usize, a: ArrayView2<'_, f64>) -> Result<Eigenpairs> {
    shape::same("a covariance", "dimensions", dim, a.nrows())?;
    shape::same("a covariance", "dimensions", dim, a.ncols())?;
    let largest = a.iter().fold(0.0, |most: f64, value| most.max(value.abs()));
    let even = |((i, j), v): ((usize, usize), &f64)| (v - a[[j, i]]).abs() <= SLACK * largest;
    let refused = |got: String| {
        let must = "finite, symmetric and positive semidefinite";
        Err(Error::Parameter { name: "covariance", must, got })
    };
    if !(a.iter().all(|value| value.is_finite()) && a.indexed_iter().all(even)) {
        return refused(format!("{a}"));
    }
    let pairs = dense_eigenpairs(dim, dim, |i, j| f64::midpoint(a[[i, j]], a[[j, i]]))?;
    match pairs.values.iter().find(|&&value| value < -SLACK * largest) {
        None => Ok(pairs),
        Some(value) => refused(format!("an eigenvalue of {value}")),
    }
}

/// The largest size that rounding alone gives an eigenvalue, relative to the largest one.
fn rounding(values: &Array1<f64>) -> f64 {
    let largest = values.iter().fold(0.0_f64, |most, value| most.max(value.abs()));
    f64::EPSILON * values.len() as f64 * largest
}

/// The symmetric part of a matrix.
fn symmetric(a: &Array2<f64>) -> Array2<f64> {
    Array2::from_shape_fn(a.dim(), |(i, j)| f64::midpoint(a[[i, j]], a[[j, i]]))
}

/// The symmetric root of a covariance.
fn square_root(pairs: &Eigenpairs) -> Array2<f64> {
    let mut turned = pairs.vectors.clone();
    for (mut row, value) in turned.rows_mut().into_iter().zip(&pairs.values) {
        row *= value.max(0.0).sqrt();
    }
    pairs.vectors.t().dot(&turned)
}
