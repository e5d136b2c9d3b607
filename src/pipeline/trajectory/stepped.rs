//! A bridge whose draws are Euler–Maruyama steps of its drift, beside its own exact draws.

use ndarray::{Array1, Array2, ArrayView2};

use crate::bridge::inherit;
use crate::bridge::{Bridge, BridgeRecord, BridgeSeries, ClockedBridge, UnitTime, euler_maruyama};
use crate::error::Result;
use crate::pipeline::shared::process::Process;
use crate::rng::Seed;

/// A bridge that draws transitions in Euler–Maruyama steps of its drift, `n_steps` for a whole
/// interval and at least one for each draw. All else is that of the bridge.
#[derive(Debug)]
struct Stepped {
    /// The bridge.
    inner: Box<dyn Bridge>,
    /// Number of steps for a whole interval.
    n_steps: usize,
}

/// The bridges of `process`, with transitions in Euler–Maruyama steps.
///
/// # Errors
/// As [`Process::restore`].
pub(super) fn stepped(process: &Process, n_steps: usize) -> Result<BridgeSeries> {
    let times = process.series.times();
    let bridges = process.series.bridges().iter().enumerate().map(|(k, bridge)| {
        let source = process.source(k, times[k + 1])?;
        let target = &process.snapshots[k + 1];
        let stepped = |record: BridgeRecord| -> Result<Box<dyn Bridge>> {
            Ok(Box::new(Stepped { inner: record.restore(&source, target)?, n_steps }))
        };
        // Steps are those of the bridge on its own clock, where its noise is even.
        match bridge.record() {
            BridgeRecord::Clocked(record) => {
                let clock = record.clock()?;
                let inner = stepped(*record.inner)?;
                let bridge = ClockedBridge::new(inner.into(), clock);
                let bridge = bridge.about_the_mean(record.displacement.map(Array1::from))?;
                Ok(Box::new(bridge) as Box<dyn Bridge>)
            }
            record => stepped(record),
        }
    });
    BridgeSeries::new(times.to_vec(), bridges.collect::<Result<_>>()?)
}

impl Bridge for Stepped {
    inherit!(inner: dim, epsilon, noise_variance, noise_factor, drift, mean_jacobian, curve, plan_marginal, growth_by, link, record);

    fn sample_transition(
        &self,
        x: ArrayView2<'_, f64>,
        from: UnitTime,
        to: UnitTime,
        seed: Seed,
    ) -> Result<Array2<f64>> {
        let span = from.until(to)?;
        let n_steps = ((self.n_steps as f64 * span).ceil() as usize).max(1);
        euler_maruyama(&*self.inner, x, from, to, n_steps, seed)
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;
    use crate::bridge::GaussianBridge;
    use crate::data::Snapshot;
    use crate::geometry::Epsilon;

    /// Between normal laws both ways to draw have the law of the target, and the covariance with
    /// the start.
    #[test]
    fn small_steps_approach_exact_draws() {
        let (m0, c0, m1, c1) = (array![1.0], array![[0.5]], array![-2.0], array![[1.5]]);
        let epsilon = Epsilon::new(0.6).unwrap();
        let exact =
            GaussianBridge::between(m0.view(), c0.view(), m1.view(), c1.view(), epsilon).unwrap();
        let n = 20_000;
        let (start, end) = (UnitTime::START, UnitTime::END);
        // Quantile-like starts: even, with variance 1/2 around 1.
        let width = 6.0_f64.sqrt();
        let x = Array2::from_shape_fn((n, 1), |(i, _)| {
            1.0 + width * ((i as f64 + 0.5) / n as f64 - 0.5)
        });
        let covariance = exact.cross_covariance(start, end)[[0, 0]];
        let found = |n_steps: usize| {
            let inner = exact
                .record()
                .restore(&Snapshot::new(x.clone()).unwrap(), &Snapshot::new(x.clone()).unwrap());
            let stepped = Stepped { inner: inner.unwrap(), n_steps };
            let y = stepped.sample_transition(x.view(), start, end, Seed(1)).unwrap();
            let (mx, my) = (x.mean().unwrap(), y.mean().unwrap());
            x.iter().zip(&y).map(|(x, y)| (x - mx) * (y - my)).sum::<f64>() / n as f64
        };
        // A standard error is √(0.5 · 1.5 / n) = 0.006.
        assert!((found(200) - covariance).abs() < 0.03, "{} {covariance}", found(200));
        // One step takes the drift of the start for the whole interval: it is exact in the mean.
        assert!((found(1) - covariance).abs() < 0.03, "{} {covariance}", found(1));
    }
}
