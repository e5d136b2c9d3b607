//! Options of a `PlanBridge`: relaxed marginals, bent curves, attraction and shaped noise.

use ndarray::{Array1, Array2, ArrayView2};

use crate::bridge::Bridge;
use crate::bridge::plan::attraction::{Attracted, Attraction};
use crate::bridge::plan::noise::{Noise, Shape};
use crate::bridge::plan::pairs::Bend;
use crate::bridge::plan::process::{Motion, PlanBridge};
use crate::error::{Error, Result};

impl PlanBridge {
    /// States that the coupling may deviate from the source marginal: [`Bridge::plan_marginal`] is
    /// then the marginal of the pairs.
    #[must_use]
    pub fn relaxed(mut self) -> Self {
        let mut shares = Array1::<f64>::zeros(self.pairs.source.nrows());
        for (&i, mass) in self.pairs.sources.iter().zip(&self.pairs.masses) {
            shares[i as usize] += mass;
        }
        let total = shares.sum();
        self.plan_marginal = Some(shares / total);
        self
    }

    /// States that all growth of the interval takes place at its start: the population inside the
    /// interval is that of the coupling at every time.
    #[must_use]
    pub(in crate::bridge) fn growing_at_once(mut self) -> Self {
        self.growth_at_once = true;
        self
    }

    /// Replaces straight lines by cubic curves, see [`Bend`]. A bend of zero leaves them straight.
    ///
    /// # Errors
    /// [`Error::Shape`] unless there is one row for each cell and one column for each dimension;
    /// [`Error::Parameter`] if a number is not finite.
    #[doc(hidden)]
    pub fn bent(mut self, bend: Bend) -> Result<Self> {
        let sides = [(&self.pairs.source, &bend.source), (&self.pairs.target, &bend.target)];
        for (cells, bends) in sides {
            let shapes =
                [cells.nrows(), cells.ncols()].into_iter().zip([bends.nrows(), bends.ncols()]);
            for ((expected, got), unit) in shapes.zip(["cells", "dimensions"]) {
                if expected != got {
                    return Err(Error::Shape { what: "a bend", unit, expected, got });
                }
            }
            if let Some(bad) = bends.iter().find(|value| !value.is_finite()) {
                let (name, must) = ("a bend", "finite");
                return Err(Error::Parameter { name, must, got: bad.to_string() });
            }
        }
        self.pairs.bend = Some(bend);
        Ok(self)
    }

    /// Moves the curves towards the cells of both snapshots, see [`Attraction`].
    ///
    /// # Errors
    /// [`Error::Parameter`] if strength or width is out of its range.
    #[doc(hidden)]
    pub fn attracted(mut self, how: Attraction) -> Result<Self> {
        let (source, target) = (self.pairs.source.view(), self.pairs.target.view());
        self.pairs.attracted = Some(Attracted::new(how, source, target)?);
        Ok(self)
    }

    /// The attraction of the curves, if there is one.
    pub(super) fn attraction(&self) -> Option<Attraction> {
        self.pairs.attracted.as_ref().map(|attracted| attracted.how)
    }

    /// Gives the paths noise with a covariance (per unit of local time, d × d) instead of ε in
    /// every direction. The covariance of `X_t` around the curve of a pair is `t(1−t)` times this
    /// covariance.
    ///
    /// # Errors
    /// [`Error::Shape`] unless the covariance is d × d; [`Error::Parameter`] unless it is positive
    /// definite.
    pub fn noisy(mut self, covariance: Array2<f64>) -> Result<Self> {
        let (expected, got) = (self.dim(), covariance.nrows());
        if expected != got || covariance.ncols() != got {
            let (what, unit) = ("the covariance of the noise", "dimensions");
            return Err(Error::Shape { what, unit, expected, got });
        }
        self.motion = Motion::Brownian;
        self.noise = Noise::Shaped(Shape::new(covariance)?);
        Ok(self)
    }

    /// The covariance of the noise, if [`PlanBridge::noisy`] set one.
    pub(super) fn noise_covariance(&self) -> Option<ArrayView2<'_, f64>> {
        match &self.noise {
            Noise::Shaped(shape) => Some(shape.covariance.view()),
            Noise::None | Noise::Even(_) => None,
        }
    }

    /// The bend of the curves, if there is one.
    pub(super) fn bend(&self) -> Option<&Bend> {
        self.pairs.bend.as_ref()
    }

    /// How cells move.
    pub fn motion(&self) -> Motion {
        self.motion
    }

    /// Whether all growth of the interval takes place at its start.
    pub(super) fn grows_at_once(&self) -> bool {
        self.growth_at_once
    }

    /// The factor φ of each pair in the order of [`PlanBridge::pairs`], see [`Bend`].
    pub(super) fn factors(&self) -> &[f64] {
        &self.pairs.factors
    }

    /// The pairs as (source cell, target cell, mass), sorted by source cell, then target cell. With
    /// several curves a pair of cells can appear more than once.
    pub fn pairs(&self) -> impl Iterator<Item = (usize, usize, f64)> + '_ {
        let ends = self.pairs.sources.iter().zip(&self.pairs.targets).zip(&self.pairs.masses);
        ends.map(|((&i, &j), &mass)| (i as usize, j as usize, mass))
    }
}
