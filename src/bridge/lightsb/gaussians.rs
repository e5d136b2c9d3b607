//! Gaussian mixtures as distributions of cells, given or fitted by maximum likelihood.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis, s};

use crate::bridge::lightsb::covariance::Covariance;
use crate::bridge::lightsb::ends::Centred;
use crate::bridge::lightsb::held_out::{FOLDS, JUDGED, dealt};
use crate::bridge::lightsb::mixture::{Cluster, Mixture};
use crate::bridge::lightsb::objective::Side;
use crate::bridge::lightsb::solver::most_gaussians;
use crate::bridge::lightsb::start::{Cells, k_means};
use crate::data::Snapshot;
use crate::error::{Error, Result, shape};
use crate::linalg::{log_sum_exp, product_nt, softmax_rows};
use crate::rng::Seed;

/// Rows of one pass.
const CHUNK: usize = 256;

/// Largest number of rounds of expectation maximisation.
const MOST_ROUNDS: usize = 500;

/// A fit ends when a round gains less than this, in nats per cell.
const LEAST_GAIN: f64 = 1e-7;

/// Variance that is added to every Gaussian, as a fraction of the mean variance of the cells.
/// Without it a Gaussian could collapse onto one cell.
const FLOOR: f64 = 1e-4;

/// The distribution `Σ_j weights_j N(means_j, covariances_j)`.
///
/// ```
/// use ndarray::array;
/// use sbcell::bridge::{Covariance, GaussianMixture};
///
/// # fn main() -> sbcell::Result<()> {
/// let weights = array![1.0, 3.0];
/// let (means, variances) = (array![[0.0], [5.0]], array![[1.0], [1.0]]);
/// let mixture = GaussianMixture::new(Covariance::Diagonal, weights.view(), means, variances)?;
/// assert!((mixture.weights()[1] - 0.75).abs() < 1e-12);
/// let logs = mixture.log_density(array![[0.0], [5.0]].view())?;
/// // Three times as dense at the second mean.
/// assert!((logs[1] - logs[0] - 3.0_f64.ln()).abs() < 1e-4);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct GaussianMixture {
    /// The Gaussians relative to the centre: `ln α` are logarithms of weights that sum to one, `r`
    /// the means, `s` the covariances.
    parts: Mixture,
    /// The centre, d numbers.
    centre: Array1<f64>,
    /// Coefficients of the features of `x` in the logarithm of each part.
    coefficients: Array2<f64>,
}

impl GaussianMixture {
    /// From weights (scaled to sum to one), means (K × d) and the entries of the covariances, one
    /// row for each Gaussian.
    ///
    /// # Errors
    /// [`Error::Shape`] if the arrays do not fit together; [`Error::Parameter`] if a number is not
    /// finite, a weight is not above zero, or a covariance is not positive definite.
    pub fn new(
        kind: Covariance,
        weights: ArrayView1<'_, f64>,
        means: Array2<f64>,
        covariances: Array2<f64>,
    ) -> Result<Self> {
        if let Some(weight) = weights.iter().find(|&&w| !(0.0 < w && w < f64::INFINITY)) {
            let got = weight.to_string();
            return Err(Error::Parameter { name: "weights", must: "finite and > 0", got });
        }
        let log_alpha = weights.mapv(f64::ln);
        let parts = Mixture { covariance: kind, log_alpha, r: means, s: covariances };
        parts.check()?;
        // The features of points far from the origin would lose digits.
        let shares = &weights / weights.sum();
        let centre = shares.dot(&parts.r);
        Ok(Self::centred(Mixture { r: &parts.r - &centre, ..parts }, centre))
    }

    /// Normalises the weights and computes the coefficients of the features.
    fn centred(mut parts: Mixture, centre: Array1<f64>) -> Self {
        parts.log_alpha -= log_sum_exp(&parts.log_alpha.to_vec());
        let coefficients = parts.end_coefficients(1.0).0;
        Self { parts, centre, coefficients }
    }

    /// Fits a mixture to the weighted cells of a snapshot by expectation maximisation, initialised
    /// by k-means++.
    ///
    /// The number of Gaussians doubles from one as long as this raises the mean log density of a
    /// held-out fifth of the cells (of each fifth in turn if there are fewer than 2 000 cells).
    /// Takes `O(rounds · n · K · entries of a matrix)` time.
    ///
    /// # Errors
    /// [`Error::Parameter`] if all cells are equal: such a distribution has no density.
    pub fn fit(cells: &Snapshot, kind: Covariance, seed: Seed) -> Result<Self> {
        let Centred { cells, mean } = Centred::new(cells)?;
        let (points, marginal) = (cells.points(), cells.marginal());
        let variance = Cluster::of(points, marginal, Covariance::Scalar).covariance[0];
        // Rounding of the mean can leave a small variance for equal cells.
        if variance <= 0.0 || points.rows().into_iter().all(|row| row == points.row(0)) {
            let (must, got) = ("at least two different cells", "one".into());
            return Err(Error::Parameter { name: "snapshot", must, got });
        }
        let how = Fit { kind, floor: FLOOR * variance, seed };
        let n_gaussians = how.number(&cells)?;
        Ok(Self::centred(how.fitted(&cells, n_gaussians).0, mean))
    }

    /// Number of Gaussians K.
    pub fn n_gaussians(&self) -> usize {
        self.parts.n_gaussians()
    }

    /// Number of dimensions d.
    pub fn dim(&self) -> usize {
        self.parts.dim()
    }

    /// The weights, K numbers that sum to one.
    #[must_use]
    pub fn weights(&self) -> Array1<f64> {
        self.parts.log_alpha.mapv(f64::exp)
    }

    /// The means, K × d.
    #[must_use]
    pub fn means(&self) -> Array2<f64> {
        &self.parts.r + &self.centre
    }

    /// The covariance of Gaussian `j`, d × d.
    #[must_use]
    pub fn covariance(&self, j: usize) -> Array2<f64> {
        self.parts.matrix(j)
    }

    /// Logarithm of the density at each row of `x` (n × d), n numbers.
    ///
    /// # Errors
    /// [`Error::Shape`] unless `x` has d columns.
    pub fn log_density(&self, x: ArrayView2<'_, f64>) -> Result<Array1<f64>> {
        shape::points(x, self.dim())?;
        let kind = self.parts.covariance;
        let mut values = Vec::with_capacity(x.nrows());
        for first in (0..x.nrows()).step_by(CHUNK) {
            let end = x.nrows().min(first + CHUNK);
            let z = &x.slice(s![first..end, ..]) - &self.centre;
            let mut features = Array2::ones((z.nrows(), kind.n_features(self.dim())));
            kind.write_features(features.view_mut(), z.view());
            let mut logs = product_nt(features.view(), self.coefficients.view());
            let (mut totals, ones) = (vec![0.0; z.nrows()], vec![1.0; z.nrows()]);
            if let Some(logs) = logs.as_slice_mut() {
                softmax_rows(logs, self.n_gaussians(), &ones, &mut totals);
            }
            values.append(&mut totals);
        }
        Ok(Array1::from(values))
    }
}

/// Settings of a fit.
struct Fit {
    /// The kind of the covariances.
    kind: Covariance,
    /// Variance that is added to every Gaussian.
    floor: f64,
    /// Seed of the initialisation.
    seed: Seed,
}

impl Fit {
    /// The number of Gaussians with the highest density of held-out cells; `cells` are centred and
    /// sorted.
    fn number(&self, cells: &Snapshot) -> Result<usize> {
        let fold = dealt(cells, self.seed.child("gaussians/parts", 0));
        let fewest = (0..FOLDS).map(|f| fold.iter().filter(|&&other| other == f).count()).min();
        if fewest.unwrap_or(0) < 2 {
            return Ok(1);
        }
        let n_parts = (JUDGED * FOLDS).div_ceil(cells.n_cells()).clamp(1, FOLDS);
        let take = |part: usize, held: bool| {
            let rows: Vec<usize> = (0..fold.len()).filter(|&i| (fold[i] == part) == held).collect();
            let points = cells.points().select(Axis(0), &rows);
            Snapshot::weighted(points, cells.marginal().select(Axis(0), &rows))
        };
        let parts = (0..n_parts).map(|part| Ok((take(part, false)?, take(part, true)?)));
        let parts = parts.collect::<Result<Vec<_>>>()?;
        let fitted = parts.iter().map(|part| part.0.n_cells()).min().unwrap_or(1);
        let most = most_gaussians(self.kind, fitted, cells.dim());
        let (mut best, mut number) = (f64::NEG_INFINITY, 1);
        for n_gaussians in (0..).map(|power| 1 << power).take_while(|&n| n <= most) {
            let mut held_out = 0.0;
            for (fitted, held) in &parts {
                let parts = self.fitted(fitted, n_gaussians).0;
                let mixture = GaussianMixture::centred(parts, Array1::zeros(cells.dim()));
                held_out += held.marginal().dot(&mixture.log_density(held.points())?);
            }
            if held_out <= best {
                break;
            }
            (best, number) = (held_out, n_gaussians);
        }
        Ok(number)
    }

    /// The mixture of at most `n_gaussians`, and the mean log density after each round.
    fn fitted(&self, cells: &Snapshot, n_gaussians: usize) -> (Mixture, Vec<f64>) {
        let (points, marginal) = (cells.points(), cells.marginal());
        let seed = self.seed.child("gaussians/centres", n_gaussians as u64);
        let centres = k_means(Cells::of(cells), n_gaussians, seed);
        let whole = Cluster::of(points, marginal, self.kind);
        let Cluster { mean, covariance: mut entries } = whole;
        self.widen(&mut entries, mean.len());
        let mut parts = Mixture {
            covariance: self.kind,
            log_alpha: Array1::from_elem(centres.nrows(), -(centres.nrows() as f64).ln()),
            s: Array2::from_shape_fn((centres.nrows(), entries.len()), |(_, e)| entries[e]),
            r: centres,
        };
        if parts.n_gaussians() == 1 {
            parts.r.row_mut(0).assign(&mean);
            return (parts, Vec::new());
        }
        let mut side = Side::new(Cells::of(cells));
        let mut values: Vec<f64> = Vec::new();
        while values.len() < MOST_ROUNDS {
            let moments = side.moments(self.kind, parts.end_coefficients(1.0).0.view());
            let gained = values.last().is_none_or(|last| moments.value - last > LEAST_GAIN);
            values.push(moments.value);
            if !gained {
                break;
            }
            let live = (0..parts.n_gaussians()).filter(|&k| moments.mass[k] > 0.0);
            let live: Vec<usize> = live.collect();
            for &k in &live {
                let Cluster { mean, covariance: mut entries } = moments.cluster(k);
                self.widen(&mut entries, mean.len());
                parts.log_alpha[k] = moments.mass[k].ln();
                parts.r.row_mut(k).assign(&mean);
                parts.s.row_mut(k).assign(&entries);
            }
            parts = parts.select(&live);
        }
        (parts, values)
    }

    /// Adds the floor to a covariance.
    fn widen(&self, entries: &mut Array1<f64>, dim: usize) {
        let floor = Array2::from_diag(&Array1::from_elem(dim, self.floor));
        *entries += &self.kind.entries(floor.view());
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;
    use rand_distr::{Distribution, StandardNormal};

    use super::*;

    const KINDS: [Covariance; 3] = [Covariance::Scalar, Covariance::Diagonal, Covariance::Full];

    /// Two groups of which the first has three quarters of the cells.
    fn groups(n: usize) -> Array2<f64> {
        let mut stream = Seed(1).stream("test/groups", 0);
        let mut x: Array2<f64> =
            Array2::from_shape_simple_fn((n, 2), || StandardNormal.sample(&mut stream)) * 0.4;
        for (i, mut cell) in x.rows_mut().into_iter().enumerate() {
            cell += &if i % 4 == 0 { array![103.0, -2.0] } else { array![100.0, 1.0] };
        }
        x
    }

    #[test]
    fn the_density_is_that_of_its_gaussians_and_integrates_to_one() {
        let means = array![[0.5, -1.0], [-1.0, 0.3]];
        let full = array![[0.5, 0.2, 0.4], [1.0, -0.3, 0.6]];
        let weights = array![2.0, 1.0];
        let law =
            GaussianMixture::new(Covariance::Full, weights.view(), means.clone(), full).unwrap();
        // Written out, by the inverse of a matrix of two rows.
        let x = array![0.3, 0.9];
        let expected: f64 = (0..2)
            .map(|j| {
                let c = law.covariance(j);
                let det = c[[0, 0]] * c[[1, 1]] - c[[0, 1]] * c[[0, 1]];
                let z = &x - &means.row(j);
                let square = c[[1, 1]] * z[0] * z[0] - 2.0 * c[[0, 1]] * z[0] * z[1]
                    + c[[0, 0]] * z[1] * z[1];
                weights[j] / 3.0 * (-0.5 * square / det).exp()
                    / (std::f64::consts::TAU * det.sqrt())
            })
            .sum();
        let found = law.log_density(x.view().insert_axis(Axis(0))).unwrap()[0];
        assert!((found.exp() - expected).abs() < 1e-14, "{found} {expected}");
        let step = 0.05;
        let grid = Array2::from_shape_fn((400 * 400, 2), |(i, d)| {
            step * ((if d == 0 { i / 400 } else { i % 400 }) as f64 - 199.5)
        });
        let total = law.log_density(grid.view()).unwrap().mapv(f64::exp).sum() * step * step;
        assert!((total - 1.0).abs() < 1e-10, "{total}");
    }

    #[test]
    fn two_groups_are_found_wherever_they_are() {
        let cells = Snapshot::new(groups(1200)).unwrap();
        for kind in KINDS {
            let law = GaussianMixture::fit(&cells, kind, Seed(3)).unwrap();
            let large = usize::from(law.weights()[0] <= 0.5);
            assert_eq!(law.n_gaussians(), 2, "{kind:?}");
            // Five standard errors of 900 cells of deviation 0.4.
            let off = &law.means().row(large) - &array![100.0, 1.0];
            assert!(off.iter().all(|value| value.abs() < 0.07), "{kind:?}: {off}");
            assert!((law.weights()[large] - 0.75).abs() < 0.01);
            assert!((law.covariance(large)[[0, 0]] - 0.16).abs() < 0.04);
        }
    }

    #[test]
    fn every_round_raises_the_likelihood_and_weights_count() {
        let x = groups(300);
        let even = Centred::new(&Snapshot::new(x.clone()).unwrap()).unwrap().cells;
        let how = Fit { kind: Covariance::Full, floor: 1e-9, seed: Seed(1) };
        let values = how.fitted(&even, 4).1;
        assert!(values.len() > 3 && values.windows(2).all(|pair| pair[1] > pair[0] - 1e-9));
        let rows: Vec<usize> = (0..300).chain(0..100).collect();
        let twice = Snapshot::new(x.select(Axis(0), &rows)).unwrap();
        let weights = (0..300).map(|i| if i < 100 { 2.0 } else { 1.0 }).collect();
        let weighted = Snapshot::weighted(x.clone(), weights).unwrap();
        let fit = |cells: &Snapshot| {
            let law = GaussianMixture::fit(cells, Covariance::Diagonal, Seed(1)).unwrap();
            law.log_density(x.view()).unwrap()
        };
        let off = fit(&twice) - fit(&weighted);
        assert!(off.iter().all(|value| value.abs() < 0.05), "{off}");
    }

    #[test]
    fn refuses_what_is_no_law() {
        let same = Snapshot::new(Array2::from_elem((9, 2), 4.0)).unwrap();
        assert!(GaussianMixture::fit(&same, Covariance::Full, Seed(1)).is_err());
        let new = |weight: f64, variance: f64| {
            let (means, covariances) = (array![[0.0]], array![[variance]]);
            GaussianMixture::new(Covariance::Scalar, array![weight].view(), means, covariances)
        };
        assert!(new(1.0, 1.0).is_ok());
        assert!(new(0.0, 1.0).is_err() && new(1.0, 0.0).is_err() && new(f64::NAN, 1.0).is_err());
        assert!(new(1.0, 1.0).unwrap().log_density(array![[0.0, 1.0]].view()).is_err());
    }
}
