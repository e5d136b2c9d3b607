//! Densities of a LightSB bridge: transition kernel, coupling, and distribution at one time.

use ndarray::{Array1, Array2, ArrayView2, Axis, s};

use crate::bridge::lightsb::covariance::Covariance;
use crate::bridge::lightsb::gaussians::GaussianMixture;
use crate::bridge::lightsb::process::LightSbBridge;
use crate::bridge::{Bridge, UnitTime};
use crate::data::Snapshot;
use crate::error::{Error, Result, shape};
use crate::linalg::{product, product_nt, softmax_rows};

/// Points whose distances to all source cells are in memory together.
const CHUNK: usize = 32;

impl LightSbBridge {
    /// `ln p(X_to = y | X_from = x)` for the rows of `x` and `y`, pair by pair; n numbers.
    ///
    /// The process is Brownian motion weighted by its potential `ψ = ε ln Σ_k e^{ℓ_k}`. In centred
    /// coordinates
    ///
    /// ```text
    /// ln p = ln N(y | x, ε (s−t) I) + ln Σ_k e^{ℓ_k(y, s)} − ln Σ_k e^{ℓ_k(x, t)}
    /// ```
    ///
    /// From time 0 to time 1 this is the coupling given the start (Proposition 3.2). Takes `O(n K
    /// d)` time.
    ///
    /// # Errors
    /// [`Error::Shape`] unless `x` and `y` have d columns and the same number of rows;
    /// [`Error::Parameter`] unless `to` is after `from`.
    pub fn log_transition(
        &self,
        x: ArrayView2<'_, f64>,
        y: ArrayView2<'_, f64>,
        from: UnitTime,
        to: UnitTime,
    ) -> Result<Array1<f64>> {
        shape::points(x, self.dim())?;
        shape::columns("y", self.dim(), y.ncols())?;
        shape::rows("y", x.nrows(), y.nrows())?;
        let variance = self.variance(from, to)?;
        let (x, y) = (self.centred(x, from), self.centred(y, to));
        let before = Array1::from(self.at(from).shares(x.view()).1);
        let after = Array1::from(self.at(to).shares(y.view()).1);
        let off = y - x;
        let squares = (&off * &off).sum_axis(Axis(1));
        Ok(after - before - squares / (2.0 * variance) - self.log_constant(variance))
    }

    /// `ln π(x, y)` of the coupling for the rows of `x` and `y`, pair by pair: `ln p₀(x) + ln π(y |
    /// x)`, with the density `p₀` of the source.
    ///
    /// LightSB itself knows the coupling only given the start. [`GaussianMixture::fit`] fits a
    /// density to the cells of the source.
    ///
    /// # Errors
    /// As [`LightSbBridge::log_transition`].
    pub fn log_plan(
        &self,
        source: &GaussianMixture,
        x: ArrayView2<'_, f64>,
        y: ArrayView2<'_, f64>,
    ) -> Result<Array1<f64>> {
        let given = self.log_transition(x, y, UnitTime::START, UnitTime::END)?;
        Ok(given + source.log_density(x)?)
    }

    /// `ln p_t` at each row of `x`, for the process that starts from the weighted cells of
    /// `source`: `ln Σ_i p_i p(X_t = x | X_0 = x_i)`. The result is exact for these cells.
    ///
    /// Takes `O(n · n_cells · d)` time and `O(n_cells)` memory (32 points at a time).
    ///
    /// # Errors
    /// As [`LightSbBridge::log_transition`]; [`Error::Parameter`] at t = 0, where cells have no
    /// density.
    pub fn log_marginal(
        &self,
        source: &Snapshot,
        x: ArrayView2<'_, f64>,
        t: UnitTime,
    ) -> Result<Array1<f64>> {
        let (variance, cells, points) = self.starts(source, x, t)?;
        let half_squares = (&points * &points).sum_axis(Axis(1)) * (0.5 / variance);
        let mut values = Array1::from(self.at(t).shares(points.view()).1) - half_squares;
        self.each_chunk(source, cells.view(), points.view(), variance, |first, _, totals| {
            let rows = values.slice_mut(s![first..first + totals.len()]);
            rows.into_iter().zip(totals).for_each(|(value, total)| *value += total);
        });
        Ok(values - self.log_constant(variance))
    }

    /// `∇ ln p_t` of [`LightSbBridge::log_marginal`] at each row of `x`, n × d: `∇ψ(z, t)/ε + (Σ_i
    /// q_i z_i − z)/(εt)` in centred coordinates z. `q_i` is the probability that the process at x
    /// started from cell i.
    ///
    /// Time and memory are those of [`LightSbBridge::log_marginal`].
    ///
    /// # Errors
    /// As [`LightSbBridge::log_marginal`].
    pub fn marginal_score(
        &self,
        source: &Snapshot,
        x: ArrayView2<'_, f64>,
        t: UnitTime,
    ) -> Result<Array2<f64>> {
        let (variance, cells, points) = self.starts(source, x, t)?;
        let at = self.at(t);
        let mut score = at.drift(points.view(), &at.shares(points.view()).0) / self.epsilon.value();
        score.scaled_add(-1.0 / variance, &points);
        self.each_chunk(source, cells.view(), points.view(), variance, |first, shares, _| {
            let mut rows = score.slice_mut(s![first..first + shares.nrows(), ..]);
            rows.scaled_add(1.0 / variance, &product(shares, cells.view()));
        });
        Ok(score)
    }

    /// The variance of the reference process up to t, and the cells of the source and the points in
    /// centred coordinates.
    fn starts(
        &self,
        source: &Snapshot,
        x: ArrayView2<'_, f64>,
        t: UnitTime,
    ) -> Result<(f64, Array2<f64>, Array2<f64>)> {
        shape::points(x, self.dim())?;
        shape::columns("the source", self.dim(), source.dim())?;
        let variance = self.variance(UnitTime::START, t)?;
        Ok((variance, self.centred(source.points(), UnitTime::START), self.centred(x, t)))
    }

    /// Calls `work` for every 32 of `points`: the first row, the probabilities of the `cells` from
    /// which the points come, and `ln Σ_i p_i exp(z·z_i/v − ½‖z_i‖²/v − LSE ℓ(z_i, 0))` for the
    /// variance v.
    fn each_chunk(
        &self,
        source: &Snapshot,
        cells: ArrayView2<'_, f64>,
        points: ArrayView2<'_, f64>,
        variance: f64,
        mut work: impl FnMut(usize, ArrayView2<'_, f64>, &[f64]),
    ) {
        let start = self.at(UnitTime::START);
        let half_squares = (&cells * &cells).sum_axis(Axis(1)) * (0.5 / variance);
        let own =
            source.marginal().mapv(f64::ln) - Array1::from(start.shares(cells).1) - half_squares;
        for first in (0..points.nrows()).step_by(CHUNK) {
            let rows = first..points.nrows().min(first + CHUNK);
            let chunk = points.slice(s![rows.clone(), ..]);
            let mut logs = product_nt(chunk, cells) / variance + &own;
            let (mut totals, ones) = (vec![0.0; rows.len()], vec![1.0; rows.len()]);
            if let Some(logs) = logs.as_slice_mut() {
                softmax_rows(logs, cells.nrows(), &ones, &mut totals);
            }
            work(first, logs.view(), &totals);
        }
    }

    /// The distribution at time t of the process that starts from the distribution `source`, if it
    /// is a Gaussian mixture.
    ///
    /// This is the case if the potential is a single Gaussian. Its transition kernel `N(Σ(t) z + t
    /// r, ε t Σ(t))` with `Σ(t) = (1−t) I + t S` is then affine in the start z. With more Gaussians
    /// the shares depend on the start, there is no closed form, and the result is `None`.
    ///
    /// # Errors
    /// [`Error::Shape`] if the dimension of `source` differs.
    pub fn marginal(
        &self,
        source: &GaussianMixture,
        t: UnitTime,
    ) -> Result<Option<GaussianMixture>> {
        shape::columns("the source", self.dim(), source.dim())?;
        if self.mixture.n_gaussians() != 1 {
            return Ok(None);
        }
        let (dim, kind) = (self.dim(), Covariance::Full);
        let spread =
            self.mixture.matrix(0) * t.value() + Array2::<f64>::eye(dim) * (1.0 - t.value());
        let noise = &spread * (self.epsilon.value() * t.value());
        let centre = &self.source_mean * (1.0 - t.value())
            + (&self.target_mean + &self.mixture.r.row(0)) * t.value();
        let means = (source.means() - &self.source_mean).dot(&spread) + &centre;
        let mut covariances = Array2::zeros((source.n_gaussians(), kind.n_entries(dim)));
        for (j, mut row) in covariances.rows_mut().into_iter().enumerate() {
            let moved = spread.dot(&source.covariance(j)).dot(&spread) + &noise;
            row.assign(&kind.entries(moved.view()));
        }
        GaussianMixture::new(kind, source.weights().view(), means, covariances).map(Some)
    }

    /// Variance of the reference process from one time to a later one.
    fn variance(&self, from: UnitTime, to: UnitTime) -> Result<f64> {
        if from < to {
            return Ok(self.epsilon.value() * (to.value() - from.value()));
        }
        let got = format!("{} to {}", from.value(), to.value());
        Err(Error::Parameter { name: "to", must: "after `from`", got })
    }

    /// `½ ln det(2π variance I)`.
    fn log_constant(&self, variance: f64) -> f64 {
        0.5 * self.dim() as f64 * (std::f64::consts::TAU * variance).ln()
    }
}
