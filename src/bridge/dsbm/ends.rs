//! Pairs of ends between which a projection is made: cells at random, or both ends of simulated paths.

use ndarray::{Array2, Axis};

use crate::bridge::dsbm::reversed::Reversed;
use crate::bridge::flow::Pairs;
use crate::bridge::{
    Bridge, FlowBridge, Simulation, UnitTime, brownian_bridge_sample, draw_cells, simulate,
};
use crate::data::Snapshot;
use crate::error::Result;
use crate::rng::Seed;

/// Steps of a simulation from one end of an interval to the other. With steps of second order, the
/// error of 20 steps is below that of the networks.
const STEPS: usize = 20;

/// Pairs and times at which the energy of a process is measured.
const MEASURED: [usize; 2] = [2048, 8];

/// The direction in which paths are simulated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    /// From source cells.
    Forward,
    /// From target cells.
    Backward,
}

/// The points at both ends of one interval, and the distribution of pairs of them.
#[derive(Debug)]
pub(super) struct Ends {
    /// Points at local time 0.
    pub(super) source: Snapshot,
    /// Points at local time 1.
    pub(super) target: Snapshot,
    /// The pairs.
    pub(super) pairs: Pairs,
}

impl Ends {
    /// The cells themselves, paired at random.
    pub(super) fn independent(source: &Snapshot, target: &Snapshot) -> Self {
        let pairs = Pairs::independent(source, target);
        Self { source: source.clone(), target: target.clone(), pairs }
    }

    /// Both ends of `n` paths of `bridge`, simulated in 20 steps from `cells`, which are drawn by
    /// their weights.
    pub(super) fn simulated(
        bridge: &FlowBridge,
        cells: &Snapshot,
        n: usize,
        direction: Direction,
        seed: Seed,
    ) -> Result<Self> {
        let rows = draw_cells(cells.marginal(), n, seed.child("dsbm/cells", 0));
        let from = cells.points().select(Axis(0), &rows);
        let how = Simulation { diffusion: 1.0, n_steps: STEPS };
        let (start, end) = (UnitTime::START, UnitTime::END);
        let run = |process: &dyn Bridge| -> Result<Array2<f64>> {
            simulate(process, from.view(), start, end, how, seed.child("dsbm/path", 0))
        };
        let (source, target) = match direction {
            Direction::Forward => (Snapshot::new(from.clone())?, Snapshot::new(run(bridge)?)?),
            Direction::Backward => {
                (Snapshot::new(run(&Reversed(bridge))?)?, Snapshot::new(from.clone())?)
            }
        };
        Ok(Self { source, target, pairs: Pairs::rows(n) })
    }

    /// The energy `∫ E‖b(X_t, t)‖² dt / 2ε` of `bridge` along Brownian paths between these pairs, in
    /// nats: from 2048 pairs at eight times.
    ///
    /// This is the KL divergence of the process to the reference process from the same source, the
    /// quantity that the Schrödinger bridge minimises.
    pub(super) fn energy(&self, bridge: &FlowBridge, seed: Seed) -> Result<f64> {
        let [n, n_times] = MEASURED;
        let mut stream = seed.stream("dsbm/energy pairs", 0);
        let (rows, columns): (Vec<usize>, Vec<usize>) =
            (0..n).map(|_| self.pairs.draw(&mut stream)).unzip();
        let x0 = self.source.points().select(Axis(0), &rows);
        let x1 = self.target.points().select(Axis(0), &columns);
        let epsilon = bridge.epsilon();
        let mut sum = 0.0;
        for k in 0..n_times {
            let t = UnitTime::new((k as f64 + 0.5) / n_times as f64)?;
            let seed = seed.child("dsbm/energy", k as u64);
            let x = brownian_bridge_sample(x0.view(), x1.view(), t, epsilon, seed)?;
            sum += bridge.drift(x.view(), t)?.mapv(|b| b * b).sum();
        }
        Ok(sum / ((n * n_times) as f64 * 2.0 * epsilon.value()))
    }
}
