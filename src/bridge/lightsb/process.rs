//! The fitted LightSB process: drift, Jacobian, coupling and exact draws in closed form.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, ArrayViewMut2, Axis};
use rand_distr::{Distribution, StandardNormal, StandardUniform};
use rayon::prelude::*;

use crate::bridge::chunks::in_chunks;
use crate::bridge::lightsb::at_time::MixtureAtTime;
use crate::bridge::lightsb::covariance::{Covariance, Eigen};
use crate::bridge::lightsb::mixture::{Cluster, Mixture, closed_form};
use crate::bridge::{Bridge, BridgeRecord, LightSbRecord, Link, UnitTime};
use crate::data::Snapshot;
use crate::error::{Error, Result, shape};
use crate::geometry::Epsilon;
use crate::linalg::{add_product, log_sum_exp};
use crate::progress::Progress;
use crate::rng::{Seed, weighted_index};

/// Rows of one task. The size is fixed, so results do not depend on the number of threads.
const CHUNK: usize = 256;

/// The process `dX = ∇ψ(X, t) dt + √ε dW` whose potential ψ belongs to a Gaussian mixture.
///
/// With `Σ_k(t) = (1−t) I + t S_k`, the shares `p_k(x, t)` and the pulls `u_k(x, t)` of
/// `docs/METHODS.md` (section 3, LightSB),
///
/// ```text
/// drift      b(x,t) = Σ_k p_k u_k,   u_k = Σ_k⁻¹[(S_k − I)x + r_k]
/// Jacobian   ∂b/∂x  = Σ_k p_k Σ_k⁻¹(S_k − I) + (1/ε)(Σ_k p_k u_k u_kᵀ − b bᵀ)
/// draw       X_s | X_t=x  ~  Σ_k p_k N(x + (s−t) u_k,  ε(s−t) Σ_k(s) Σ_k(t)⁻¹)
/// ```
///
/// The mixture refers to coordinates `z = x − (1−t) m₀ − t m₁` with the means `m₀` and `m₁` of the
/// snapshots. The bridge is equivariant under a shift of each end, and no digits are lost if the
/// cells are far from the origin. A batch of n points takes `O(n K d)` time, with full matrices
/// `O(n K d²)`.
///
/// ```
/// use ndarray::array;
/// use sbcell::bridge::{Bridge, Covariance, LightSbBridge, Mixture, UnitTime};
/// use sbcell::{Epsilon, Seed};
///
/// # fn main() -> sbcell::Result<()> {
/// // Cells at the origin split into two groups, around −2 and 2.
/// let mixture = Mixture {
///     covariance: Covariance::Diagonal,
///     log_alpha: array![0.0, 0.0],
///     r: array![[-2.0], [2.0]],
///     s: array![[0.1], [0.1]],
/// };
/// let bridge = LightSbBridge::new(mixture, array![0.0], array![0.0], Epsilon::new(0.5)?)?;
/// let x = array![[0.0], [0.0], [0.0], [0.0]];
/// let ends = bridge.sample_transition(x.view(), UnitTime::START, UnitTime::END, Seed(1))?;
/// assert!(ends.iter().all(|end| end.abs() > 0.5));
/// // Half-way between the groups no side is preferred.
/// assert!(bridge.drift(array![[0.0]].view(), UnitTime::START)?[[0, 0]].abs() < 1e-12);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct LightSbBridge {
    /// The mixture, in centred coordinates.
    pub(super) mixture: Mixture,
    /// Eigenvalues of every `S_k`, from which all functions of `S_k` and time are computed.
    eigen: Vec<Eigen>,
    /// Mean `m₀` of the source.
    pub(super) source_mean: Array1<f64>,
    /// Mean `m₁` of the target.
    pub(super) target_mean: Array1<f64>,
    /// ε of the problem.
    pub(super) epsilon: Epsilon,
}

impl LightSbBridge {
    /// From a mixture in centred coordinates, and the means of source and target.
    ///
    /// # Errors
    /// As [`Mixture::check`]; [`Error::Shape`] if a mean does not have the dimension of the
    /// mixture; [`Error::Parameter`] if a mean is not finite; [`Error::Numerical`] if the
    /// decomposition of a full matrix fails.
    pub fn new(
        mut mixture: Mixture,
        source_mean: Array1<f64>,
        target_mean: Array1<f64>,
        epsilon: Epsilon,
    ) -> Result<Self> {
        mixture.check()?;
        for mean in [&source_mean, &target_mean] {
            shape::columns("the mean of a snapshot", mixture.dim(), mean.len())?;
            if let Some(value) = mean.iter().find(|value| !value.is_finite()) {
                let got = value.to_string();
                return Err(Error::Parameter { name: "mean", must: "finite", got });
            }
        }
        // Only differences of ln α matter. Normalised values stay as they are, so that a bridge that
        // is written and read again is the same to the last bit.
        let total = log_sum_exp(&mixture.log_alpha.to_vec());
        if total.abs() > 1e-9 {
            mixture.log_alpha -= total;
        }
        let eigen = mixture.eigen()?;
        Ok(Self { mixture, eigen, source_mean, target_mean, epsilon })
    }

    /// The exact bridge between `N(m₀, diag σ₀²)` and `N(m₁, diag σ₁²)`. Means and variances have d
    /// entries.
    ///
    /// # Errors
    /// As [`LightSbBridge::between`].
    pub fn from_gaussians(
        source_mean: ArrayView1<'_, f64>,
        source_variance: ArrayView1<'_, f64>,
        target_mean: ArrayView1<'_, f64>,
        target_variance: ArrayView1<'_, f64>,
        epsilon: Epsilon,
    ) -> Result<Self> {
        let source = Array2::from_diag(&source_variance);
        let target = Array2::from_diag(&target_variance);
        Self::between(source_mean, source.view(), target_mean, target.view(), epsilon)
    }

    /// The exact bridge between the Gaussians `N(m₀, A)` and `N(m₁, B)`: means of d numbers,
    /// covariances d × d. A may be singular.
    ///
    /// The mixture is one Gaussian with the positive solution of `S A S + ε S = B` and `r = m₁ − S
    /// m₀`. [`crate::bridge::GaussianBridge`] is the same process for covariances of any rank.
    ///
    /// # Errors
    /// [`Error::Shape`] if shapes differ; [`Error::Parameter`] if a value is not finite or B is not
    /// positive definite.
    pub fn between(
        source_mean: ArrayView1<'_, f64>,
        source_covariance: ArrayView2<'_, f64>,
        target_mean: ArrayView1<'_, f64>,
        target_covariance: ArrayView2<'_, f64>,
        epsilon: Epsilon,
    ) -> Result<Self> {
        let (from, to) = (source_covariance, target_covariance);
        let dim = source_mean.len();
        for other in [from.nrows(), from.ncols(), target_mean.len(), to.nrows(), to.ncols()] {
            shape::columns("a mean or covariance", dim, other)?;
        }
        if let Some(value) = from.iter().chain(to).find(|value| !value.is_finite()) {
            let got = value.to_string();
            return Err(Error::Parameter { name: "covariance", must: "finite", got });
        }
        let kind = Covariance::Full;
        let centre = Array1::zeros(dim);
        let source = Cluster { mean: centre.clone(), covariance: kind.entries(from) };
        let target = Cluster { mean: centre, covariance: kind.entries(to) };
        let (r, s) = closed_form(kind, &source, &target, epsilon.value(), 0.0)?;
        let (r, s) = (r.insert_axis(Axis(0)), s.insert_axis(Axis(0)));
        let mixture = Mixture { covariance: kind, log_alpha: Array1::zeros(1), r, s };
        Self::new(mixture, source_mean.to_owned(), target_mean.to_owned(), epsilon)
    }

    /// The mixture, in centred coordinates.
    pub fn mixture(&self) -> &Mixture {
        &self.mixture
    }

    /// The formulas at local time t.
    pub(super) fn at(&self, t: UnitTime) -> MixtureAtTime {
        MixtureAtTime::new(&self.mixture, &self.eigen, t.value(), self.epsilon.value())
    }

    /// Points in the coordinates z of local time t.
    pub(super) fn centred(&self, x: ArrayView2<'_, f64>, t: UnitTime) -> Array2<f64> {
        let centre = &self.source_mean * (1.0 - t.value()) + &self.target_mean * t.value();
        &x - &centre
    }
}

impl Bridge for LightSbBridge {
    fn dim(&self) -> usize {
        self.mixture.dim()
    }

    fn epsilon(&self) -> Epsilon {
        self.epsilon
    }

    /// See [`LightSbBridge::marginal_score`].
    fn score_from(
        &self,
        source: &Snapshot,
        x: ArrayView2<'_, f64>,
        t: UnitTime,
    ) -> Result<Option<Array2<f64>>> {
        if t == UnitTime::START {
            return Ok(None);
        }
        self.marginal_score(source, x, t).map(Some)
    }

    /// `Σ_k p_k u_k` in centred coordinates, plus the shift of the means.
    fn drift(&self, x: ArrayView2<'_, f64>, t: UnitTime) -> Result<Array2<f64>> {
        shape::points(x, self.dim())?;
        let formulas = self.at(t);
        let shift = &self.target_mean - &self.source_mean;
        Ok(row_by_row(x, |_, x, mut drift| {
            let z = self.centred(x, t);
            let shares = formulas.shares(z.view()).0;
            drift.assign(&(formulas.drift(z.view(), &shares) + &shift));
        }))
    }

    /// `J = Σ_k p_k Σ_k⁻¹(S_k − I) + (1/ε) Σ_k p_k (u_k − b)(u_k − b)ᵀ`, averaged. Takes `O(n K
    /// d²)` time and `O(d²)` memory for each chunk of 256 points.
    fn mean_jacobian(&self, x: ArrayView2<'_, f64>, t: UnitTime) -> Result<Array2<f64>> {
        shape::points(x, self.dim())?;
        let formulas = self.at(t);
        let inverse = 1.0 / self.epsilon.value();
        let chunks = in_chunks(x, CHUNK, |_, x| {
            let z = self.centred(x, t);
            let z = z.view();
            let shares = formulas.shares(z).0;
            let drift = formulas.drift(z, &shares);
            let mut sum = formulas.slope_sum(&shares);
            for k in 0..shares.ncols() {
                let rows = formulas.deviations(z, &shares, &drift, k);
                add_product(sum.view_mut(), inverse, rows.t(), rows.view());
            }
            sum
        });
        let mut mean = Array2::zeros((self.dim(), self.dim()));
        for chunk in &chunks {
            mean += chunk;
        }
        Ok(mean / x.nrows().max(1) as f64)
    }

    /// `X_s | X_t = x ~ Σ_k p_k(x, t) N(x + (s−t) u_k, ε (s−t) Σ_k(s) Σ_k(t)⁻¹)`: one choice of a
    /// Gaussian and one Gaussian draw, without time steps.
    fn sample_transition(
        &self,
        x: ArrayView2<'_, f64>,
        from: UnitTime,
        to: UnitTime,
        seed: Seed,
    ) -> Result<Array2<f64>> {
        shape::points(x, self.dim())?;
        let span = from.until(to)?;
        let start = self.at(from);
        let variance = self.epsilon.value() * span;
        let spread = |s: f64, t: UnitTime| 1.0 - t.value() + t.value() * s;
        let roots: Vec<Array1<f64>> = self
            .eigen
            .iter()
            .map(|eigen| eigen.map(|s| (variance * spread(s, to) / spread(s, from)).sqrt()))
            .collect();
        let shift = &self.target_mean - &self.source_mean;
        Ok(row_by_row(x, |chunk, x, mut draws| {
            let mut stream = seed.stream("lightsb/transition", chunk as u64);
            let z = self.centred(x, from);
            let shares = start.shares(z.view()).0;
            draws.assign(&x);
            for ((mut draw, z), shares) in
                draws.rows_mut().into_iter().zip(z.rows()).zip(shares.rows())
            {
                let level: f64 = StandardUniform.sample(&mut stream);
                let k = weighted_index(shares.iter().copied(), level).unwrap_or(0);
                draw.scaled_add(span, &(start.pull(z, k) + &shift));
                let noise =
                    Array1::from_shape_simple_fn(draw.len(), || StandardNormal.sample(&mut stream));
                self.mixture.covariance.add_times(roots[k].view(), noise.view(), draw);
            }
        }))
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
        BridgeRecord::LightSb(LightSbRecord {
            epsilon: self.epsilon.value(),
            covariance: self.mixture.covariance,
            source_mean: self.source_mean.to_vec(),
            target_mean: self.target_mean.to_vec(),
            log_alpha: self.mixture.log_alpha.to_vec(),
            r: self.mixture.r.rows().into_iter().map(|row| row.to_vec()).collect(),
            s: self.mixture.s.rows().into_iter().map(|row| row.to_vec()).collect(),
        })
    }
}

/// One row of results for each of `rows`, of the same width: `work(number of the chunk, rows,
/// results)` for chunks of fixed size, in parallel.
fn row_by_row(
    rows: ArrayView2<'_, f64>,
    work: impl Fn(usize, ArrayView2<'_, f64>, ArrayViewMut2<'_, f64>) + Sync,
) -> Array2<f64> {
    let mut all = Array2::zeros(rows.dim());
    let chunks = rows.axis_chunks_iter(Axis(0), CHUNK);
    let chunks: Vec<_> = chunks.zip(all.axis_chunks_iter_mut(Axis(0), CHUNK)).collect();
    chunks.into_par_iter().enumerate().for_each(|(chunk, (rows, results))| {
        work(chunk, rows, results);
    });
    all
}
