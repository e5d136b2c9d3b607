//! The process of trained networks: velocity, score, drift, Jacobian, and draws in small steps.

use std::sync::Arc;

use ndarray::{Array1, Array2, ArrayView2, s};
use serde::{Deserialize, Serialize};

use crate::bridge::chunks::{in_chunks, stacked};
use crate::bridge::flow::affine::{Affine, AffineAt, PathAt};
use crate::bridge::flow::batch::Field;
use crate::bridge::flow::networks::FlowNetworks;
use crate::bridge::{Bridge, BridgeRecord, Interpolant, PathShape, Simulation, UnitTime, simulate};
use crate::error::{Error, Result, shape};
use crate::geometry::Epsilon;
use crate::linalg::PreciseMlp;
use crate::rng::Seed;

/// Rows of one task. The size is fixed, so results do not depend on the number of threads.
const CHUNK: usize = 256;

/// One interval of a course whose velocity and score are neural networks.
///
/// Let w and s be the outputs of the networks plus the affine prediction. The velocity of the
/// population is `v = w − γγ' s`, and the drift of the process with noise ε is `b = v + (ε/2) s`.
/// For the Brownian path (`γ² = ε t(1−t)`) this is `b = w + ε t s`, which has no singular term at
/// either end. Paths without noise have no score, and `b = v = w`.
///
/// The networks are evaluated in double precision. One evaluation of the drift takes `4 ·
/// parameters` flops for each row and network.
///
/// ```
/// use ndarray::array;
/// use sbcell::bridge::{Bridge, BridgeProblem, Course, FlowSolver, UnitTime};
/// use sbcell::data::Snapshot;
/// use sbcell::{Epsilon, Seed, Silent};
///
/// # fn main() -> sbcell::Result<()> {
/// let cells = |x: f64| Snapshot::new(array![[x], [x + 1.0], [x + 2.0]]);
/// let problem = BridgeProblem::new(cells(0.0)?, cells(4.0)?, Epsilon::new(0.1)?)?;
/// let course = Course::new(vec![0.0, 1.0], vec![problem])?;
/// let solver = FlowSolver::sf2m().with_max_iterations(20).with_width(8);
/// let (bridge, _) = solver.fit(&course, Seed(0), &mut Silent)?.remove(0);
/// let x = array![[3.0]];
/// let half = UnitTime::new(0.5)?;
/// // For the Brownian path the drift is v + (ε/2) s.
/// let (velocity, score) = (bridge.velocity(x.view(), half)?, bridge.score(x.view(), half)?.unwrap());
/// let drift = bridge.drift(x.view(), half)?;
/// assert!((drift[[0, 0]] - velocity[[0, 0]] - 0.05 * score[[0, 0]]).abs() < 1e-9);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct FlowBridge {
    /// ε of the problem.
    epsilon: Epsilon,
    /// Affine prediction, path and units.
    field: Field,
    /// Number of steps of a draw over the whole interval.
    n_steps: usize,
    /// The networks, shared with the other intervals.
    networks: Arc<FlowNetworks>,
}

/// The numbers of a [`FlowBridge`] without its networks. The intervals of a course share the
/// networks; they are attached to the record and not written with it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlowRecord {
    /// Variance of the reference process per unit of local time.
    pub epsilon: f64,
    /// Weights of the two ends along a path.
    pub path: PathShape,
    /// Whether paths have the noise of the reference process.
    pub noise: bool,
    /// The networks' time at local time 0, and its length over the interval.
    pub clock: [f64; 2],
    /// Number of steps of a draw over the whole interval.
    pub n_steps: usize,
    /// The affine part of the field.
    pub affine: Affine,
    /// The networks.
    #[serde(skip)]
    pub networks: Option<Arc<FlowNetworks>>,
}

impl FlowRecord {
    /// The bridge of these numbers.
    ///
    /// # Errors
    /// [`Error::Parameter`] if no networks are attached or a number is out of its range;
    /// [`Error::Shape`] if lengths contradict each other.
    pub fn restore(self) -> Result<FlowBridge> {
        let Self { epsilon, path, noise, clock, n_steps, affine, networks } = self;
        let epsilon = Epsilon::new(epsilon)?;
        let Some(networks) = networks else {
            let (name, must) = ("networks", "attached to the record of a flow");
            return Err(Error::Parameter { name, must, got: "none".into() });
        };
        let variance = if noise { epsilon.value() } else { 0.0 };
        let path = Interpolant { shape: path, epsilon: variance };
        FlowBridge::new(epsilon, Field { affine, path, clock }, n_steps, networks)
    }
}

/// The field at one local time.
struct FieldAt<'a> {
    /// The affine prediction.
    known: AffineAt,
    /// The networks' time.
    time: f64,
    /// Units of the outputs of the networks.
    reach: f64,
    /// Unit of the score network.
    score_unit: f64,
    /// Networks of the velocity and of the score.
    networks: (&'a PreciseMlp, Option<&'a PreciseMlp>),
}

impl FlowBridge {
    /// From the networks and their units in this interval.
    ///
    /// # Errors
    /// [`Error::Shape`] and [`Error::Parameter`] if they do not fit together.
    pub(in crate::bridge) fn new(
        epsilon: Epsilon,
        field: Field,
        n_steps: usize,
        networks: Arc<FlowNetworks>,
    ) -> Result<Self> {
        field.affine.check()?;
        shape::columns("the networks of a flow", field.affine.dim(), networks.dim())?;
        if !(field.clock.iter().all(|value| value.is_finite()) && n_steps > 0) {
            let (name, must) = ("clock, n_steps", "finite and at least 1");
            return Err(Error::Parameter { name, must, got: format!("{:?}", field.clock) });
        }
        if networks.score().is_some() != (field.path.epsilon > 0.0) {
            let (name, must) = ("networks", "with a score if and only if paths have noise");
            return Err(Error::Parameter { name, must, got: "otherwise".into() });
        }
        Ok(Self { epsilon, field, n_steps, networks })
    }

    /// The networks, shared with the other intervals of the course.
    pub fn networks(&self) -> &Arc<FlowNetworks> {
        &self.networks
    }

    /// Number of steps of a draw over the whole interval.
    pub(in crate::bridge) fn n_steps(&self) -> usize {
        self.n_steps
    }

    /// The velocity `v(x, t)` of the probability flow, which moves the source distribution to the
    /// target distribution, at each row of `x` (n × d); same shape.
    ///
    /// # Errors
    /// As [`Bridge::drift`].
    pub fn velocity(&self, x: ArrayView2<'_, f64>, t: UnitTime) -> Result<Array2<f64>> {
        self.field_with(x, t, -self.field.path.noise_pull(t.value()))
    }

    /// `w + factor · s` at each row of `x`.
    pub(in crate::bridge) fn field_with(
        &self,
        x: ArrayView2<'_, f64>,
        t: UnitTime,
        factor: f64,
    ) -> Result<Array2<f64>> {
        shape::points(x, self.dim())?;
        let at = self.at(t);
        Ok(row_by_row(x, |x| {
            let (centred, input) = at.inputs(x);
            let mut out = at.networks.0.output(input.view()) * at.reach;
            out += &(&centred * &at.known.slope);
            out += &at.known.speed;
            if let Some(network) = at.networks.1 {
                out.scaled_add(factor, &at.score(network, &centred, &input));
            }
            out
        }))
    }

    /// The derivative of `w + factor · s`, averaged over the rows of `x`.
    pub(in crate::bridge) fn jacobian_with(
        &self,
        x: ArrayView2<'_, f64>,
        t: UnitTime,
        factor: f64,
    ) -> Result<Array2<f64>> {
        shape::points(x, self.dim())?;
        let (at, dim) = (self.at(t), self.dim());
        let sums = in_chunks(x, CHUNK, |_, x| {
            let (_, input) = at.inputs(x);
            let mut sum = at.networks.0.summed_jacobian(input.view(), dim) * at.reach;
            if let Some(network) = at.networks.1 {
                let jacobian = network.summed_jacobian(input.view(), dim);
                sum.scaled_add(factor * at.score_unit, &jacobian);
            }
            sum
        });
        let mut mean = Array2::zeros((dim, dim));
        for sum in &sums {
            mean += sum;
        }
        mean /= x.nrows().max(1) as f64 * at.known.spread;
        let noisy = at.networks.1.is_some();
        let known: Array1<f64> = if noisy {
            &at.known.slope - &(&at.known.precision * factor)
        } else {
            at.known.slope.clone()
        };
        mean.diag_mut().scaled_add(1.0, &known);
        Ok(mean)
    }

    /// The factor of the score in the drift, `ε/2 − γγ'`; zero without noise.
    fn score_share(&self, t: UnitTime) -> f64 {
        0.5 * self.field.path.epsilon - self.field.path.noise_pull(t.value())
    }

    /// Affine prediction, units and networks at local time t.
    fn at(&self, t: UnitTime) -> FieldAt<'_> {
        let path = PathAt::new(&self.field.path, t.value());
        FieldAt {
            known: self.field.affine.at(&path),
            time: self.field.clock[0] + t.value() * self.field.clock[1],
            reach: self.field.affine.reach(),
            score_unit: self.field.score_unit(),
            networks: self.networks.precise(),
        }
    }
}

impl FieldAt<'_> {
    /// The points minus the mean at this time, and the inputs of the networks.
    fn inputs(&self, x: ArrayView2<'_, f64>) -> (Array2<f64>, Array2<f64>) {
        let centred = &x - &self.known.mean;
        let mut input = Array2::from_elem((x.nrows(), x.ncols() + 1), self.time);
        input.slice_mut(s![.., ..x.ncols()]).assign(&(&centred / self.known.spread));
        (centred, input)
    }

    /// The score: output of the network plus affine prediction.
    fn score(
        &self,
        network: &PreciseMlp,
        centred: &Array2<f64>,
        input: &Array2<f64>,
    ) -> Array2<f64> {
        network.output(input.view()) * self.score_unit - centred * &self.known.precision
    }
}

impl Bridge for FlowBridge {
    fn dim(&self) -> usize {
        self.field.affine.dim()
    }

    fn epsilon(&self) -> Epsilon {
        self.epsilon
    }

    /// ε for paths with noise, else 0.
    fn noise_variance(&self) -> f64 {
        self.field.path.epsilon
    }

    /// `w + (ε/2 − γγ') s`, or w without noise.
    fn drift(&self, x: ArrayView2<'_, f64>, t: UnitTime) -> Result<Array2<f64>> {
        self.field_with(x, t, self.score_share(t))
    }

    /// The score network plus its affine prediction; `None` for paths without noise.
    fn score(&self, x: ArrayView2<'_, f64>, t: UnitTime) -> Result<Option<Array2<f64>>> {
        shape::points(x, self.dim())?;
        let at = self.at(t);
        let Some(network) = at.networks.1 else { return Ok(None) };
        Ok(Some(row_by_row(x, |x| {
            let (centred, input) = at.inputs(x);
            at.score(network, &centred, &input)
        })))
    }

    /// The exact derivative of the networks, averaged. Takes `2 n · d · parameters` flops for each
    /// network.
    fn mean_jacobian(&self, x: ArrayView2<'_, f64>, t: UnitTime) -> Result<Array2<f64>> {
        self.jacobian_with(x, t, self.score_share(t))
    }

    /// Draws in small steps ([`simulate`]), `n_steps` for a whole interval. The error is of second
    /// order in the length of a step, in addition to the error of the networks.
    fn sample_transition(
        &self,
        x: ArrayView2<'_, f64>,
        from: UnitTime,
        to: UnitTime,
        seed: Seed,
    ) -> Result<Array2<f64>> {
        shape::points(x, self.dim())?;
        let span = from.until(to)?;
        let n_steps = (self.n_steps as f64 * span).ceil() as usize;
        let how = Simulation { diffusion: 1.0, n_steps };
        simulate(self, x, from, to, how, seed.child("flow/transition", 0))
    }

    fn record(&self) -> BridgeRecord {
        BridgeRecord::Flow(FlowRecord {
            epsilon: self.epsilon.value(),
            path: self.field.path.shape,
            noise: self.field.path.epsilon > 0.0,
            clock: self.field.clock,
            n_steps: self.n_steps,
            affine: self.field.affine.clone(),
            networks: Some(Arc::clone(&self.networks)),
        })
    }
}

/// One row of `work`'s result for each row, of the same width.
fn row_by_row(
    rows: ArrayView2<'_, f64>,
    work: impl Fn(ArrayView2<'_, f64>) -> Array2<f64> + Sync,
) -> Array2<f64> {
    stacked(&in_chunks(rows, CHUNK, |_, rows| work(rows)), rows.dim())
}
