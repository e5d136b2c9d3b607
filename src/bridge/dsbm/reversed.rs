//! The process of a flow backward in time, as a process that runs forward.

use ndarray::{Array2, ArrayView2};

use crate::bridge::{Bridge, BridgeRecord, FlowBridge, Simulation, UnitTime, simulate};
use crate::error::Result;
use crate::geometry::Epsilon;
use crate::rng::Seed;

/// The process `Y_t = X_{1−t}` of a flow X with noise ε.
///
/// Its drift is `ε s − b` at local time 1 − t, with the drift b and the score s of X: for the
/// Brownian path `−w + ε (1−t) s`. It starts from the target and ends at the source. The last step
/// of a simulation has the noise that is left there, as for every bridge.
#[derive(Debug)]
pub(super) struct Reversed<'a>(pub(super) &'a FlowBridge);

impl Reversed<'_> {
    /// Local time of the flow at local time t of this process, and the factor of the score in minus
    /// the drift, `−ε (1 − t)` at time t of the flow.
    fn at(&self, t: UnitTime) -> Result<(UnitTime, f64)> {
        let t = UnitTime::new(1.0 - t.value())?;
        Ok((t, -self.noise_variance() * (1.0 - t.value())))
    }
}

impl Bridge for Reversed<'_> {
    fn dim(&self) -> usize {
        self.0.dim()
    }

    fn epsilon(&self) -> Epsilon {
        self.0.epsilon()
    }

    fn noise_variance(&self) -> f64 {
        self.0.noise_variance()
    }

    fn score(&self, x: ArrayView2<'_, f64>, t: UnitTime) -> Result<Option<Array2<f64>>> {
        self.0.score(x, self.at(t)?.0)
    }

    fn drift(&self, x: ArrayView2<'_, f64>, t: UnitTime) -> Result<Array2<f64>> {
        let (t, factor) = self.at(t)?;
        Ok(-self.0.field_with(x, t, factor)?)
    }

    fn mean_jacobian(&self, x: ArrayView2<'_, f64>, t: UnitTime) -> Result<Array2<f64>> {
        let (t, factor) = self.at(t)?;
        Ok(-self.0.jacobian_with(x, t, factor)?)
    }

    /// Draws in small steps, as many in a whole interval as the flow takes.
    fn sample_transition(
        &self,
        x: ArrayView2<'_, f64>,
        from: UnitTime,
        to: UnitTime,
        seed: Seed,
    ) -> Result<Array2<f64>> {
        let n_steps = (self.0.n_steps() as f64 * from.until(to)?).ceil() as usize;
        simulate(self, x, from, to, Simulation { diffusion: 1.0, n_steps }, seed)
    }

    /// The record of the flow itself.
    fn record(&self) -> BridgeRecord {
        self.0.record()
    }
}
