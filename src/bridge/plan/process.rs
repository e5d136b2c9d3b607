//! The bridge of a coupling: cells move to their partners on Brownian bridges or on curves.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, ArrayViewMut1, Axis};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal, StandardUniform};
use serde::{Deserialize, Serialize};

use crate::bridge::chunks::{in_chunks, stacked};
use crate::bridge::plan::noise::Noise;
use crate::bridge::plan::pairs::{AllShares, Both, Pair, Pairs, Parts};
use crate::bridge::plan::posterior::Posterior;
use crate::bridge::plan::record::PlanRecord;
use crate::bridge::{Bridge, BridgeRecord, Coupling, Link, UnitTime};
use crate::data::Snapshot;
use crate::error::{Error, Result, shape};
use crate::geometry::Epsilon;
use crate::linalg::{add_product, product_tn};
use crate::progress::Progress;
use crate::rng::{Seed, weighted_index};

/// Rows of one task. The size is fixed, so results do not depend on the number of threads.
pub(super) const CHUNK: usize = 64;

/// Smallest remaining fraction of the interval at which drift and Jacobian of Brownian paths are
/// evaluated. The paths end in the target cells, where the drift has no limit.
const LEAST_LEFT: f64 = 0.01;

/// How a cell moves to its partner.
///
/// ```
/// use ndarray::array;
/// use sbcell::bridge::{Bridge, Coupling, Motion, PlanBridge};
/// use sbcell::data::Snapshot;
/// use sbcell::Epsilon;
///
/// # fn main() -> sbcell::Result<()> {
/// let cells = Snapshot::new(array![[0.0], [1.0]])?;
/// let coupling = Coupling::new(2, 2, [(0, 0, 0.5), (1, 1, 0.5)])?;
/// let epsilon = Epsilon::new(0.1)?;
/// let straight = PlanBridge::new(&cells, &cells, &coupling, epsilon, Motion::Straight)?;
/// let brownian = PlanBridge::new(&cells, &cells, &coupling, epsilon, Motion::Brownian)?;
/// assert!(straight.noise_variance() < brownian.noise_variance());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Motion {
    /// On a Brownian bridge of variance ε.
    Brownian,
    /// On the straight line at constant speed, without noise (McCann's interpolation).
    Straight,
}

/// The process that moves the pairs of a coupling π to each other.
///
/// **Brownian**: `X_t ~ Σ_ij π_ij N((1−t) x_i + t y_j, ε t(1−t) I)`. With the shares `w_ij(x, t)`
/// of the pairs in this mixture at x, the drift `b = (Σ w_ij y_j − x)/(1−t)` has this distribution
/// at every t. A transition draws a pair by w and continues on its Brownian bridge. If π is the
/// entropic coupling for ½‖x−y‖² and the same ε, this is the Schrödinger bridge between the cells.
/// For any other π the process is not Markov: two transitions in sequence have the correct
/// distribution at each time, but another dependence than one transition.
///
/// **Straight**: `X_t = (1−t) x_i + t y_j`. [`Bridge::noise_variance`] is zero, while
/// [`Bridge::epsilon`] is that of the problem. The drift at x is the velocity `y_j − x_i` of the
/// pair that is nearest at this time, averaged by mass if several are equally near. It is constant
/// around each line, so the Jacobian is zero.
///
/// **Curves** (splines): the mean `(1−t) x_i + t y_j` is replaced by a cubic curve `c_p` of the
/// pair, and `y_j` in the drift by `c_p + (1−t) ċ_p`.
///
/// **Ends.** At t = 0 the pairs are those of the source cell `x_i` nearest to x, with noise
/// weighted by `exp((x−x_i)·(y_j−x_i)/ε)`, the limit of w. For t > 0.99 the Brownian drift and its
/// Jacobian are those at 0.99. Draws are exact up to t = 1.
///
/// A batch of k points takes `2 k (n + m) d` flops and an exponential for each pair and point
/// (Brownian), or `3 k d` flops for each pair (straight).
///
/// ```
/// use ndarray::array;
/// use sbcell::bridge::{Bridge, Coupling, Motion, PlanBridge, UnitTime};
/// use sbcell::data::Snapshot;
/// use sbcell::{Epsilon, Seed};
///
/// # fn main() -> sbcell::Result<()> {
/// let source = Snapshot::new(array![[0.0], [1.0]])?;
/// let target = Snapshot::new(array![[2.0], [5.0]])?;
/// let coupling = Coupling::new(2, 2, [(0, 0, 0.5), (1, 1, 0.5)])?;
/// let epsilon = Epsilon::new(0.1)?;
/// let bridge = PlanBridge::new(&source, &target, &coupling, epsilon, Motion::Straight)?;
/// let (start, half) = (UnitTime::START, UnitTime::new(0.5)?);
/// let middle = bridge.sample_transition(source.points(), start, half, Seed(0))?;
/// assert_eq!(middle, array![[1.0], [3.0]]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct PlanBridge {
    /// The pairs, relative to the centre.
    pub(super) pairs: Pairs,
    /// Mean of the target cells without weights.
    pub(super) centre: Array1<f64>,
    /// ε of the problem.
    pub(super) epsilon: Epsilon,
    /// How cells move.
    pub(super) motion: Motion,
    /// Noise of the paths.
    pub(super) noise: Noise,
    /// Source marginal of the coupling, if it was relaxed.
    pub(super) plan_marginal: Option<Array1<f64>>,
    /// Whether all growth takes place at the start.
    pub(super) growth_at_once: bool,
}

impl PlanBridge {
    /// Between the cells of `source` and `target`, by `coupling`.
    ///
    /// # Errors
    /// [`Error::Shape`] if the coupling has other numbers of cells, or the snapshots differ in
    /// dimension.
    pub fn new(
        source: &Snapshot,
        target: &Snapshot,
        coupling: &Coupling,
        epsilon: Epsilon,
        motion: Motion,
    ) -> Result<Self> {
        let (n, m) = coupling.shape();
        for (what, unit, expected, got) in [
            ("the plan", "source cells", source.n_cells(), n),
            ("the plan", "target cells", target.n_cells(), m),
        ] {
            if expected != got {
                return Err(Error::Shape { what, unit, expected, got });
            }
        }
        let pairs = coupling.pairs().map(|(i, j, mass)| Pair { i, j, mass, factor: 1.0 });
        Self::of_pairs(source, target, pairs, epsilon, motion)
    }

    /// From pairs with their factors φ, sorted by source cell, then target cell, then φ.
    pub(in crate::bridge) fn of_pairs(
        source: &Snapshot,
        target: &Snapshot,
        all: impl IntoIterator<Item = Pair>,
        epsilon: Epsilon,
        motion: Motion,
    ) -> Result<Self> {
        let (expected, got) = (source.dim(), target.dim());
        if expected != got {
            let (what, unit) = ("the target snapshot", "dimensions");
            return Err(Error::Shape { what, unit, expected, got });
        }
        let centre = target.points().sum_axis(Axis(0)) / target.n_cells() as f64;
        let pairs = Pairs::new(&source.points() - &centre, &target.points() - &centre, all)?;
        let noise = match motion {
            Motion::Brownian => Noise::Even(epsilon.value()),
            Motion::Straight => Noise::None,
        };
        let growth_at_once = false;
        Ok(Self { pairs, centre, epsilon, motion, noise, plan_marginal: None, growth_at_once })
    }

    /// The time at which drift and Jacobian are evaluated.
    fn inside(&self, t: UnitTime) -> f64 {
        match self.motion {
            Motion::Brownian => t.value().min(1.0 - LEAST_LEFT),
            Motion::Straight => t.value(),
        }
    }

    /// Adds a draw of the noise times `spread`.
    fn add_noise(&self, x: &mut ArrayViewMut1<'_, f64>, spread: f64, stream: &mut ChaCha8Rng) {
        if spread <= 0.0 || self.noise.is_none() {
            return;
        }
        let draw = Array1::from_shape_simple_fn(x.len(), || {
            let noise: f64 = StandardNormal.sample(stream);
            noise * spread
        });
        match &self.noise {
            Noise::Shaped(shape) => *x += &shape.factor().dot(&draw),
            Noise::Even(variance) => x.scaled_add(variance.sqrt(), &draw),
            Noise::None => {}
        }
    }

    /// `work(number of the chunk, rows relative to the centre)` for chunks of fixed size, in
    /// parallel; results in order.
    fn in_chunks<T: Send>(
        &self,
        x: ArrayView2<'_, f64>,
        work: impl Fn(usize, Array2<f64>) -> T + Sync,
    ) -> Vec<T> {
        in_chunks(x, CHUNK, |chunk, x| work(chunk, &x - &self.centre))
    }

    /// Shares of the pairs for the rows of `x`.
    fn shares(&self, posterior: &Posterior<'_>, x: &Array2<f64>) -> AllShares {
        let mut all = AllShares::none(x.nrows(), &self.pairs);
        posterior.each_row(x.view(), |row, shares| all.add(row, &self.pairs, shares));
        all
    }

    /// `Σ_x (Σ_p w_p g_p z_pᵀ − (Σ_p w_p g_p)(Σ_p w_p z_p)ᵀ)` over the rows of `x`, with the goals
    /// g and `z_p = ∂ ln w_p/∂x`: the summed derivative of the mean goal; d × d.
    fn covariance(&self, posterior: &Posterior<'_>, goals: &Parts, x: &Array2<f64>) -> Array2<f64> {
        let Some(slopes) = posterior.slopes() else {
            return Array2::zeros((x.ncols(), x.ncols()));
        };
        let pairs = &self.pairs;
        let mut totals = vec![0.0; pairs.sources.len()];
        posterior.each_row(x.view(), |_, shares| {
            totals.iter_mut().zip(shares).for_each(|(total, share)| *total += share);
        });
        let shares = self.shares(posterior, x);
        // For each cell the sum of its pairs' slopes times shares, and the same times φ.
        let none = || Both {
            source: Array2::zeros(pairs.source.dim()),
            target: Array2::zeros(pairs.target.dim()),
        };
        let mut pulls = [none(), none()];
        let mut own = Array2::zeros((goals.own.as_ref().map_or(0, Array2::nrows), x.ncols()));
        for (p, &total) in totals.iter().enumerate().filter(|entry| *entry.1 > 0.0) {
            let (i, j, factor) = pairs.of(p);
            let slope = pairs.sum(slopes, p);
            for (pull, weight) in pulls.iter_mut().zip([total, total * factor]) {
                pull.source.row_mut(i).scaled_add(weight, &slope);
                pull.target.row_mut(j).scaled_add(weight, &slope);
            }
            if goals.own.is_some() {
                own.row_mut(p).scaled_add(total, &slope);
            }
        }
        let mut sum = Array2::zeros((x.ncols(), x.ncols()));
        for (goals, pull) in [Some(&goals.ends), goals.bends.as_ref()].into_iter().zip(&pulls) {
            let Some(goals) = goals else { continue };
            sum += &product_tn(goals.source.view(), pull.source.view());
            sum += &product_tn(goals.target.view(), pull.target.view());
        }
        if let Some(goals) = &goals.own {
            sum += &product_tn(goals.view(), own.view());
        }
        let means = Pairs::mean(goals, &shares);
        let slopes = Pairs::mean(slopes, &shares);
        add_product(sum.view_mut(), -1.0, means.t(), slopes.view());
        sum
    }
}

impl Bridge for PlanBridge {
    fn dim(&self) -> usize {
        self.centre.len()
    }

    fn epsilon(&self) -> Epsilon {
        self.epsilon
    }

    /// ε, the mean variance of the given covariance, or 0 for straight lines and curves.
    fn noise_variance(&self) -> f64 {
        self.noise.variance()
    }

    fn noise_factor(&self) -> Option<ArrayView2<'_, f64>> {
        match &self.noise {
            Noise::Shaped(shape) => Some(shape.factor()),
            Noise::None | Noise::Even(_) => None,
        }
    }

    /// `(Σ_p w_p g_p − x)/(1−t)` with at least a hundredth of the interval left (Brownian), or the
    /// velocity of the nearest pairs (straight).
    fn drift(&self, x: ArrayView2<'_, f64>, t: UnitTime) -> Result<Array2<f64>> {
        shape::points(x, self.dim())?;
        let t = self.inside(t);
        let posterior = Posterior::new(&self.pairs, t, &self.noise);
        let parts = match self.motion {
            Motion::Brownian => self.pairs.goals(t),
            Motion::Straight => self.pairs.velocities(t),
        };
        let chunks = self.in_chunks(x, |_, x| {
            let mean = Pairs::mean(&parts, &self.shares(&posterior, &x));
            match self.motion {
                Motion::Brownian => (mean - x) / (1.0 - t),
                Motion::Straight => mean,
            }
        });
        Ok(stacked(&chunks, x.dim()))
    }

    /// `(Cov_w(g, ∂ ln w/∂x) − I)/(1−t)`, averaged (Brownian); zero (straight).
    fn mean_jacobian(&self, x: ArrayView2<'_, f64>, t: UnitTime) -> Result<Array2<f64>> {
        shape::points(x, self.dim())?;
        let mut sum = Array2::zeros((self.dim(), self.dim()));
        if self.motion == Motion::Straight {
            return Ok(sum);
        }
        let t = self.inside(t);
        let posterior = Posterior::new(&self.pairs, t, &self.noise);
        let goals = self.pairs.goals(t);
        for chunk in self.in_chunks(x, |_, x| self.covariance(&posterior, &goals, &x)) {
            sum += &chunk;
        }
        sum /= x.nrows().max(1) as f64;
        sum.diag_mut().mapv_inplace(|value| value - 1.0);
        Ok(sum / (1.0 - t))
    }

    /// Draws a pair by its share at x and continues on its path, without time steps. With noise,
    /// the deviation from the curve shrinks by the factor `(1−to)/(1−from)` and gets new noise.
    fn sample_transition(
        &self,
        x: ArrayView2<'_, f64>,
        from: UnitTime,
        to: UnitTime,
        seed: Seed,
    ) -> Result<Array2<f64>> {
        shape::points(x, self.dim())?;
        let span = from.until(to)?;
        let (from, to) = (from.value(), to.value());
        if span < f64::MIN_POSITIVE {
            return Ok(x.to_owned());
        }
        let posterior = Posterior::new(&self.pairs, from, &self.noise);
        let spread = (span * (1.0 - to) / (1.0 - from)).sqrt();
        let (here, there) = (self.pairs.places(from), self.pairs.places(to));
        // The deviation of a Brownian bridge from its curve shrinks towards the end.
        let kept = match self.motion {
            Motion::Straight => 1.0,
            Motion::Brownian => (1.0 - to) / (1.0 - from),
        };
        let chunks = self.in_chunks(x, |chunk, mut x| {
            let mut stream = seed.stream("plan/transition", chunk as u64);
            let mut chosen = Vec::with_capacity(x.nrows());
            posterior.each_row(x.view(), |_, shares| {
                let level = StandardUniform.sample(&mut stream);
                chosen.push(weighted_index(shares.iter().copied(), level).unwrap_or(0));
            });
            for (mut row, pair) in x.rows_mut().into_iter().zip(chosen) {
                let (start, end) = (self.pairs.sum(&here, pair), self.pairs.sum(&there, pair));
                let moved = (&row - &start) * kept + &end;
                row.assign(&moved);
                self.add_noise(&mut row, spread, &mut stream);
            }
            x + &self.centre
        });
        Ok(stacked(&chunks, x.dim()))
    }

    /// Pairs on lines or on Brownian bridges; not pairs on curves.
    fn draws_by_ends(&self) -> bool {
        self.pairs.is_straight()
    }

    fn plan_marginal(&self) -> Option<ArrayView1<'_, f64>> {
        self.plan_marginal.as_ref().map(|shares| shares.view())
    }

    /// The pairs of this bridge; masses of equal pairs are added.
    fn link(
        &self,
        source: &Snapshot,
        target: &Snapshot,
        _: Seed,
        _: &mut dyn Progress,
    ) -> Result<Link> {
        // A pair of cells can appear more than once, with different factors of the bend.
        let mut pairs: Vec<(usize, usize, f64)> = self.pairs().collect();
        pairs.dedup_by(|next, kept| {
            let same = (next.0, next.1) == (kept.0, kept.1);
            if same {
                kept.2 += next.2;
            }
            same
        });
        Coupling::new(source.n_cells(), target.n_cells(), pairs).and_then(Link::pairs)
    }

    /// 1 at every time after the start if all growth takes place there, else t.
    fn growth_by(&self, t: UnitTime) -> f64 {
        if self.growth_at_once && t.value() > 0.0 { 1.0 } else { t.value() }
    }

    fn record(&self) -> BridgeRecord {
        PlanRecord::of(self)
    }
}
