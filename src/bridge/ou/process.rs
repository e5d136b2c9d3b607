//! The bridge for an Ornstein-Uhlenbeck reference, made from a Brownian bridge in its coordinates.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2};

use crate::bridge::inherit;
use crate::bridge::ou::clock::Clock;
use crate::bridge::ou::record::OuRecord;
use crate::bridge::{Bridge, BridgeRecord, Link, UnitTime};
use crate::data::Snapshot;
use crate::error::{Error, Result, shape};
use crate::progress::Progress;
use crate::rng::Seed;

/// The bridge that differs least from `dX = −b (X − m) dt + √ε dW`.
///
/// Let `z = g(t) (x − m)` with
///
/// ```text
/// g(t) = √(b / sinh b) e^{b (t − ½)},    τ(t) = (e^{2bt} − 1) / (e^{2b} − 1)
/// ```
///
/// and let `b_Z`, `J_Z` and `s_Z` be the drift, its Jacobian and the score of the bridge of z,
/// whose reference is Brownian. Then
///
/// ```text
/// drift      −b (x − m) + g(t) b_Z(z, τ(t))
/// Jacobian   −b I + g(t)² J_Z(z, τ(t))
/// score      g(t) s_Z(z, τ(t))
/// draw       m + z' / g(s),   z' drawn by the bridge of z from τ(t) to τ(s)
/// ```
///
/// because `x = m + z/g`, `g' = b g` and `dτ = g² dt`. The noise of z divided by g has variance ε
/// per unit of local time; a bridge without noise remains one. Time and memory are those of the
/// bridge of z.
///
/// ```
/// use std::sync::Arc;
/// use ndarray::array;
/// use sbcell::bridge::{Bridge, BridgeProblem, GaussianSolver, OuSolver, UnitTime};
/// use sbcell::data::Snapshot;
/// use sbcell::{Epsilon, Seed, Silent};
///
/// # fn main() -> sbcell::Result<()> {
/// let cells = Snapshot::new(array![[-1.0], [0.0], [1.0]])?;
/// let problem = BridgeProblem::new(cells.clone(), cells, Epsilon::new(0.2)?)?;
/// let solver = OuSolver {
///     inner: Arc::new(GaussianSolver::default()),
///     pull: 0.5,
///     centre: array![0.0].into(),
/// };
/// let (bridge, _) = solver.fit(&problem, Seed(0), &mut Silent)?;
/// assert_eq!(bridge.centre(), array![0.0]);
/// // By symmetry the drift at the centre is zero.
/// let drift = bridge.drift(array![[0.0]].view(), UnitTime::new(0.5)?)?;
/// assert!(drift[[0, 0]].abs() < 1e-9);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct OuBridge {
    /// The bridge of z.
    inner: Box<dyn Bridge>,
    /// The coordinates of z.
    place: Place,
}

/// The coordinates of z.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Place {
    /// Scale and time.
    pub(super) clock: Clock,
    /// The centre m, d numbers.
    pub(super) centre: Array1<f64>,
}

impl Place {
    /// Checks the pull and the centre.
    ///
    /// # Errors
    /// [`Error::Shape`] unless the centre has `dim` entries; [`Error::Parameter`] if an entry is
    /// not finite or the pull is out of its range.
    pub(super) fn new(pull: f64, centre: Array1<f64>, dim: usize) -> Result<Self> {
        let clock = Clock::new(pull)?;
        if centre.len() != dim {
            let (what, unit, got) = ("the centre", "dimensions", centre.len());
            return Err(Error::Shape { what, unit, expected: dim, got });
        }
        if let Some(value) = centre.iter().find(|value| !value.is_finite()) {
            let got = value.to_string();
            return Err(Error::Parameter { name: "centre", must: "finite", got });
        }
        Ok(Self { clock, centre })
    }

    /// z of each row of `x` (n × d) at local time t.
    fn points(&self, x: ArrayView2<'_, f64>, t: UnitTime) -> Array2<f64> {
        (&x - &self.centre) * self.clock.scale(t)
    }

    /// The cells of a snapshot at local time t, in the coordinates z.
    pub(super) fn snapshot(&self, cells: &Snapshot, t: UnitTime) -> Result<Snapshot> {
        Snapshot::weighted(self.points(cells.points(), t), cells.marginal().to_owned())
    }
}

impl OuBridge {
    /// From `inner`, the bridge of z.
    pub(super) fn new(inner: Box<dyn Bridge>, place: Place) -> Self {
        Self { inner, place }
    }

    /// The bridge of z, whose reference process is Brownian motion.
    pub fn inner(&self) -> &dyn Bridge {
        &*self.inner
    }

    /// The centre m of the reference process, d numbers.
    pub fn centre(&self) -> ArrayView1<'_, f64> {
        self.place.centre.view()
    }
}

impl Bridge for OuBridge {
    inherit!(inner: epsilon, noise_variance, plan_marginal);

    fn dim(&self) -> usize {
        self.place.centre.len()
    }

    fn score(&self, x: ArrayView2<'_, f64>, t: UnitTime) -> Result<Option<Array2<f64>>> {
        shape::points(x, self.dim())?;
        let Place { clock, .. } = self.place;
        let score = self.inner.score(self.place.points(x, t).view(), clock.time(t))?;
        Ok(score.map(|score| score * clock.scale(t)))
    }

    fn score_from(
        &self,
        source: &Snapshot,
        x: ArrayView2<'_, f64>,
        t: UnitTime,
    ) -> Result<Option<Array2<f64>>> {
        shape::points(x, self.dim())?;
        shape::points(source.points(), self.dim())?;
        let Place { clock, .. } = self.place;
        let (source, z) = (self.place.snapshot(source, UnitTime::START)?, self.place.points(x, t));
        let score = self.inner.score_from(&source, z.view(), clock.time(t))?;
        Ok(score.map(|score| score * clock.scale(t)))
    }

    fn drift(&self, x: ArrayView2<'_, f64>, t: UnitTime) -> Result<Array2<f64>> {
        shape::points(x, self.dim())?;
        let Place { clock, centre } = &self.place;
        let inner = self.inner.drift(self.place.points(x, t).view(), clock.time(t))?;
        Ok(inner * clock.scale(t) - (&x - centre) * clock.pull())
    }

    fn mean_jacobian(&self, x: ArrayView2<'_, f64>, t: UnitTime) -> Result<Array2<f64>> {
        shape::points(x, self.dim())?;
        let Place { clock, .. } = self.place;
        let inner = self.inner.mean_jacobian(self.place.points(x, t).view(), clock.time(t))?;
        let mut jacobian = inner * clock.scale(t).powi(2);
        if x.nrows() > 0 {
            jacobian.diag_mut().map_inplace(|value| *value -= clock.pull());
        }
        Ok(jacobian)
    }

    fn sample_transition(
        &self,
        x: ArrayView2<'_, f64>,
        from: UnitTime,
        to: UnitTime,
        seed: Seed,
    ) -> Result<Array2<f64>> {
        shape::points(x, self.dim())?;
        if from.until(to)? <= 0.0 {
            return Ok(x.to_owned());
        }
        let Place { clock, centre } = &self.place;
        let z = self.place.points(x, from);
        let span = (clock.time(from), clock.time(to));
        let draws = self.inner.sample_transition(z.view(), span.0, span.1, seed)?;
        Ok(draws / clock.scale(to) + centre)
    }

    /// The coupling of the bridge of z, between the cells in the coordinates z.
    fn link(
        &self,
        source: &Snapshot,
        target: &Snapshot,
        seed: Seed,
        progress: &mut dyn Progress,
    ) -> Result<Link> {
        let source = self.place.snapshot(source, UnitTime::START)?;
        let target = self.place.snapshot(target, UnitTime::END)?;
        self.inner.link(&source, &target, seed, progress)
    }

    /// The pinned path of the bridge of z, between the two positions in the coordinates z.
    fn sample_pinned(
        &self,
        x: ArrayView2<'_, f64>,
        end: ArrayView2<'_, f64>,
        from: UnitTime,
        to: UnitTime,
        seed: Seed,
    ) -> Result<Array2<f64>> {
        shape::points(x, self.dim())?;
        shape::points(end, self.dim())?;
        let Place { clock, centre } = &self.place;
        let (z, goal) = (self.place.points(x, from), self.place.points(end, UnitTime::END));
        let (start, end) = (clock.time(from), clock.time(to));
        let drawn = self.inner.sample_pinned(z.view(), goal.view(), start, end, seed)?;
        Ok(drawn / clock.scale(to) + centre)
    }

    fn record(&self) -> BridgeRecord {
        BridgeRecord::OrnsteinUhlenbeck(OuRecord {
            pull: self.place.clock.pull(),
            centre: self.place.centre.to_vec(),
            inner: Box::new(self.inner.record()),
        })
    }
}
