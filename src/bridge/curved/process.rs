//! The bridge along the curve of its course.

use std::sync::Arc;

use ndarray::{Array2, ArrayView2};

use crate::bridge::inherit;
use crate::bridge::{Bridge, BridgeRecord, Curve, CurvedRecord, UnitTime};
use crate::data::Snapshot;
use crate::error::{Result, shape};
use crate::rng::Seed;

/// The process `Y(t) = X(t) + c(t)`: a bridge X whose population follows a [`Curve`] c.
///
/// Since c is zero at both ends, ends and coupling are those of X. Shape and width of the
/// population at each time are those of X; only its mean is moved. The drift is
/// `b(y − c(t), t) + c'(t)`, the Jacobian and the score are those of X at `y − c(t)`, and draws are
/// as exact as those of X.
///
/// ```
/// use std::sync::Arc;
///
/// use ndarray::array;
/// use sbcell::bridge::{Bridge, Curve, CurvedBridge, GaussianBridge, UnitTime};
/// use sbcell::{Epsilon, Seed, data::Snapshot};
///
/// # fn main() -> sbcell::Result<()> {
/// let (zero, unit) = (array![0.0], array![[1.0]]);
/// let (z, u) = (zero.view(), unit.view());
/// let bridge = GaussianBridge::between(z, u, z, u, Epsilon::new(0.2)?)?;
/// let curved = CurvedBridge::new(Arc::new(bridge), Curve::new(array![8.0], array![-8.0])?)?;
/// let cells = Snapshot::new(array![[-1.0], [0.0], [1.0]])?;
/// // The population leaves its mean and comes back: c(½) = 8/8 + 8/8 = 2.
/// let half = curved.population(&cells, UnitTime::new(0.5)?, 3000, Seed(0))?;
/// assert!((half.mean().unwrap() - 2.0).abs() < 0.1);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct CurvedBridge {
    /// The bridge along the straight line.
    inner: Arc<dyn Bridge>,
    /// The displacement of the population.
    curve: Curve,
}

/// The bridge without clocks and curves: the innermost bridge of a
/// [`crate::bridge::ClockedBridge`] or [`CurvedBridge`], any other bridge itself.
pub fn plain(bridge: &dyn Bridge) -> &dyn Bridge {
    let clocked = bridge.clocked().map(|clocked| clocked.bridge);
    match clocked.or_else(|| bridge.straightened()) {
        Some(inner) => plain(inner),
        None => bridge,
    }
}

impl CurvedBridge {
    /// Moves the population of `inner` by `curve`.
    ///
    /// # Errors
    /// [`crate::Error::Shape`] if they differ in dimension.
    pub fn new(inner: Arc<dyn Bridge>, curve: Curve) -> Result<Self> {
        shape::same("the curve of a bridge", "dimensions", inner.dim(), curve.dim())?;
        Ok(Self { inner, curve })
    }

    /// The rows of `y` at `t`, in the coordinates of the inner bridge.
    fn inside(&self, y: ArrayView2<'_, f64>, t: UnitTime) -> Result<Array2<f64>> {
        shape::points(y, self.inner.dim())?;
        Ok(&y - &self.curve.at(t.value()))
    }
}

impl Bridge for CurvedBridge {
    inherit!(inner: dim, epsilon, noise_variance, noise_factor, plan_marginal, growth_by, link);

    fn score(&self, y: ArrayView2<'_, f64>, t: UnitTime) -> Result<Option<Array2<f64>>> {
        self.inner.score(self.inside(y, t)?.view(), t)
    }

    fn score_from(
        &self,
        source: &Snapshot,
        y: ArrayView2<'_, f64>,
        t: UnitTime,
    ) -> Result<Option<Array2<f64>>> {
        self.inner.score_from(source, self.inside(y, t)?.view(), t)
    }

    fn drift(&self, y: ArrayView2<'_, f64>, t: UnitTime) -> Result<Array2<f64>> {
        let drift = self.inner.drift(self.inside(y, t)?.view(), t)?;
        Ok(drift + &self.curve.speed(t.value()))
    }

    fn mean_jacobian(&self, y: ArrayView2<'_, f64>, t: UnitTime) -> Result<Array2<f64>> {
        self.inner.mean_jacobian(self.inside(y, t)?.view(), t)
    }

    fn sample_transition(
        &self,
        y: ArrayView2<'_, f64>,
        from: UnitTime,
        to: UnitTime,
        seed: Seed,
    ) -> Result<Array2<f64>> {
        let x = self.inside(y, from)?;
        let moved = self.inner.sample_transition(x.view(), from, to, seed)?;
        Ok(moved + &self.curve.at(to.value()))
    }

    fn sample_transitions(
        &self,
        y: ArrayView2<'_, f64>,
        from: &[UnitTime],
        to: &[UnitTime],
        seed: Seed,
    ) -> Result<Array2<f64>> {
        shape::points(y, self.dim())?;
        for times in [from, to] {
            shape::same("times of rows", "numbers", y.nrows(), times.len())?;
        }
        let mut x = y.to_owned();
        for (mut row, t) in x.rows_mut().into_iter().zip(from) {
            row -= &self.curve.at(t.value());
        }
        let mut moved = self.inner.sample_transitions(x.view(), from, to, seed)?;
        for (mut row, t) in moved.rows_mut().into_iter().zip(to) {
            row += &self.curve.at(t.value());
        }
        Ok(moved)
    }

    fn straightened(&self) -> Option<&dyn Bridge> {
        Some(&*self.inner)
    }

    fn curve(&self) -> Option<&Curve> {
        Some(&self.curve)
    }

    fn sample_pinned(
        &self,
        y: ArrayView2<'_, f64>,
        end: ArrayView2<'_, f64>,
        from: UnitTime,
        to: UnitTime,
        seed: Seed,
    ) -> Result<Array2<f64>> {
        let x = self.inside(y, from)?;
        let moved = self.inner.sample_pinned(x.view(), end, from, to, seed)?;
        Ok(moved + &self.curve.at(to.value()))
    }

    fn record(&self) -> BridgeRecord {
        let [leave, arrive] = self.curve.ends().map(|end| end.to_vec());
        BridgeRecord::Curved(CurvedRecord { leave, arrive, inner: Box::new(self.inner.record()) })
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;
    use crate::bridge::{BridgeProblem, CellClock, ClockedBridge, LightSbBridge, Pace};
    use crate::geometry::Epsilon;

    fn straight() -> LightSbBridge {
        let (a, b, var) = (array![0.0, 1.0], array![2.0, -1.0], array![1.0, 0.5]);
        let epsilon = Epsilon::new(0.3).unwrap();
        LightSbBridge::from_gaussians(a.view(), var.view(), b.view(), var.view(), epsilon).unwrap()
    }

    fn curved() -> CurvedBridge {
        let curve = Curve::new(array![1.0, -2.0], array![0.5, 3.0]).unwrap();
        CurvedBridge::new(Arc::new(straight()), curve).unwrap()
    }

    #[test]
    fn small_steps_of_the_drift_have_the_law_of_draws() {
        let (bridge, n) = (curved(), 20_000);
        let x = crate::bridge::draws::noise((n, 2), Seed(1), "test/start")
            * &array![1.0, 0.5_f64.sqrt()]
            + &array![0.0, 1.0];
        let half = UnitTime::new(0.5).unwrap();
        let start = UnitTime::START;
        let stepped =
            crate::bridge::euler_maruyama(&bridge, x.view(), start, half, 100, Seed(2)).unwrap();
        let drawn = bridge.sample_transition(x.view(), start, half, Seed(3)).unwrap();
        let mean = |x: &Array2<f64>| x.mean_axis(ndarray::Axis(0)).unwrap();
        for (a, b) in mean(&stepped).iter().zip(&mean(&drawn)) {
            assert!((a - b).abs() < 0.04, "{a} {b}");
        }
        // The mean is on the curve: (m₀+m₁)/2 + a/8 − b/8.
        let wanted = array![1.0 + 0.125 - 0.0625, -0.25 - 0.375];
        for (a, b) in mean(&drawn).iter().zip(&wanted) {
            assert!((a - b).abs() < 0.03, "{a} {b}");
        }
    }

    #[test]
    fn ends_coupling_and_shape_are_those_of_the_straight_bridge() {
        let (bridge, straight) = (curved(), straight());
        let x = array![[0.1, 0.9], [-1.0, 2.0]];
        let (start, half, end) = (UnitTime::START, UnitTime::new(0.5).unwrap(), UnitTime::END);
        let ends = |bridge: &dyn Bridge| bridge.sample_transition(x.view(), start, end, Seed(4));
        assert_eq!(ends(&bridge).unwrap(), ends(&straight).unwrap());
        let shift = bridge.curve.at(0.5);
        let jacobian = bridge.mean_jacobian((&x + &shift).view(), half).unwrap();
        let wanted = straight.mean_jacobian(x.view(), half).unwrap();
        assert!((jacobian - wanted).iter().all(|error| error.abs() < 1e-12));
        // Each row at its own time.
        let each = bridge.sample_transitions(x.view(), &[start; 2], &[half, end], Seed(5)).unwrap();
        let inner = straight.sample_transitions(x.view(), &[start; 2], &[half, end], Seed(5));
        let difference = &each - &inner.unwrap();
        assert!((&difference.row(0) - &shift).iter().all(|error| error.abs() < 1e-12));
        assert!(difference.row(1).iter().all(|error| error.abs() < 1e-12));
    }

    #[test]
    fn records_and_layers_are_kept() {
        let clock = CellClock::new(2.0, Pace::new(2.0, 1.0).unwrap()).unwrap();
        let bridge = ClockedBridge::new(Arc::new(curved()), clock);
        let cells = Snapshot::new(array![[0.0, 1.0], [1.0, 0.0]]).unwrap();
        let problem =
            BridgeProblem::new(cells.clone(), cells.clone(), Epsilon::new(0.3).unwrap()).unwrap();
        let text = serde_json::to_string(&bridge.record()).unwrap();
        let record: BridgeRecord = serde_json::from_str(&text).unwrap();
        let again = record.restore(problem.source(), problem.target()).unwrap();
        assert_eq!(again.record(), bridge.record());
        let half = UnitTime::new(0.5).unwrap();
        let draw = |bridge: &dyn Bridge| bridge.population(&cells, half, 50, Seed(1)).unwrap();
        assert_eq!(draw(&*again), draw(&bridge));
        assert_eq!(plain(&*again).record(), straight().record());
        // Neither a clock nor a curve may contain another of its kind.
        for wrapped in [again.record(), bridge.clocked().unwrap().bridge.record()] {
            let twice = match wrapped {
                BridgeRecord::Clocked(record) => {
                    let inner = Box::new(BridgeRecord::Clocked(record.clone()));
                    BridgeRecord::Clocked(crate::bridge::ClockedRecord { inner, ..record })
                }
                BridgeRecord::Curved(record) => {
                    let inner = Box::new(BridgeRecord::Curved(record.clone()));
                    BridgeRecord::Curved(CurvedRecord { inner, ..record })
                }
                _ => panic!("neither a clock nor a curve"),
            };
            assert!(twice.restore(&cells, &cells).is_err());
        }
    }
}
