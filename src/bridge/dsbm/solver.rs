//! Iterated Markovian fitting: networks between pairs, paths of these networks as new pairs, again.

use std::ops::ControlFlow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::bridge::course::boxed;
use crate::bridge::dsbm::ends::{Direction, Ends};
use crate::bridge::flow::{Field, Interval, Split, Trained, clocks, train};
use crate::bridge::{
    Affine, Bridge, BridgeProblem, BridgeSolver, CouplingKind, Course, CourseSolver, FitReport,
    FlowBridge, FlowNetworks, FlowSolver, Interpolant, PathShape, Stop,
};
use crate::error::range::at_least_one;
use crate::error::{Error, Result};
use crate::progress::{Event, Progress, report};
use crate::rng::Seed;

/// Diffusion Schrödinger bridge matching (DSBM): the bridge as the fixed point of two projections,
/// without any coupling that is computed in advance.
///
/// **Problem.** A process is the Schrödinger bridge if it has the snapshots as marginals, is
/// Markov, and is a mixture of Brownian bridges between its ends. Iterated Markovian fitting
/// alternates between the last two properties:
///
/// 1. Pair the ends: cells at random in the first projection, later both ends of simulated paths.
///    Brownian bridges between these pairs are a mixture, but not Markov.
/// 2. Find the Markov process with the same marginals. Its drift forward in time is `E[(X₁ −
///    X_t)/(1−t) | X_t]` and backward `E[(X₀ − X_t)/t | X_t]`. In terms of the velocity `w = E[X₁ −
///    X₀ | X_t]` and the score s they are `w + ε t s` and `−w + ε (1−t) s`, so that both follow from
///    the two networks of [`FlowSolver`], whose targets have no singular term.
/// 3. Simulate this process for the next pairs, in turn forward from the source cells and backward
///    from the target cells. The cells are exact at one end each time, so errors of one marginal do
///    not add up. The pairs of the last projection come from backward paths.
///
/// The KL divergence to the Schrödinger bridge decreases in every exact projection. Networks start
/// from those of the projection before, with a smaller learning rate each time.
///
/// **Source.** Shi, De Bortoli, Campbell, Doucet 2023 (arXiv 2303.16852); Peluchetti 2023 (arXiv
/// 2304.00917). Differences: both networks are trained in each projection on one set of pairs,
/// whereas DSBM trains one direction at a time; networks, batches, affine predictions and held-out
/// cells are those of [`FlowSolver`].
///
/// **Objective.** The sum of both held-out losses on the pairs of the last projection;
/// [`FitReport::start_objective`] is this sum before the last training. The detail `path_energy` is
/// `∫ E‖b‖² dt / 2ε` in nats, the KL divergence to the reference process, which the Schrödinger
/// bridge minimises; `path_energy_first` is that after the first projection and `path_energy_change`
/// the relative change in the last. Differences of energies are estimates of the divergence to the
/// bridge, as far as the marginals are met.
///
/// **Cost.** `n_projections` trainings of at most `max_iterations` steps, and as many simulations
/// less one of `1.25 n_pairs` paths in 20 steps. Memory is `20 n_pairs d` bytes.
///
/// ```
/// use ndarray::Array2;
/// use sbcell::bridge::{Bridge, BridgeProblem, BridgeSolver, DsbmSolver, UnitTime};
/// use sbcell::data::Snapshot;
/// use sbcell::{Epsilon, Seed, Silent};
///
/// # fn main() -> sbcell::Result<()> {
/// let cells = |x: f64| Array2::from_shape_fn((16, 1), |(i, _)| x + 0.1 * i as f64);
/// let (source, target) = (Snapshot::new(cells(0.0))?, Snapshot::new(cells(3.0))?);
/// let problem = BridgeProblem::new(source.clone(), target, Epsilon::new(0.1)?)?;
/// // Far too short for real data.
/// let solver = DsbmSolver::default().with_n_projections(2).with_max_iterations(20).with_width(8);
/// let solver = solver.with_n_pairs(64);
/// let (bridge, report) = solver.solve(&problem, Seed(0), &mut Silent)?;
/// assert!(report.detail("path_energy").is_some());
/// let ends = bridge.sample_transition(source.points(), UnitTime::START, UnitTime::END, Seed(1))?;
/// assert!((ends.mean().unwrap() - 3.75).abs() < 0.5);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[derive(derive_setters::Setters)]
#[setters(prefix = "with_")]
#[non_exhaustive]
pub struct DsbmSolver {
    /// Number of Markovian projections, ≥ 1. One projection is bridge matching between cells that
    /// are paired at random.
    pub n_projections: usize,
    /// Number of simulated pairs for one projection, over all intervals, ≥ 1.
    pub n_pairs: usize,
    /// Number of hidden layers of each network, ≥ 1.
    pub n_layers: usize,
    /// Number of units in each hidden layer, ≥ 1.
    pub width: usize,
    /// Initial learning rate of the first projection, > 0. It decreases linearly over the
    /// projections.
    pub learning_rate: f64,
    /// Weight decay per step and unit of learning rate, ≥ 0.
    pub weight_decay: f64,
    /// Number of rows in a batch, over all intervals, ≥ 1.
    pub batch: usize,
    /// Largest number of steps in one projection, ≥ 1. The learning rate decreases to zero over
    /// this number.
    pub max_iterations: usize,
    /// A projection ends after this number of evaluations on held-out pairs (50 in a complete one)
    /// in which neither network improves, ≥ 1.
    pub patience: usize,
    /// Fraction of the cells of each snapshot that is held out, from 0 to ¼.
    pub held_out: f64,
    /// Number of steps of a draw over an interval, ≥ 1.
    pub n_steps: usize,
}

impl Default for DsbmSolver {
    fn default() -> Self {
        let FlowSolver {
            n_layers,
            width,
            learning_rate,
            weight_decay,
            batch,
            patience,
            held_out,
            n_steps,
            ..
        } = FlowSolver::sf2m();
        Self {
            n_projections: 12,
            n_pairs: 4096,
            n_layers,
            width,
            learning_rate,
            weight_decay,
            batch,
            max_iterations: 1000,
            patience,
            held_out,
            n_steps,
        }
    }
}

/// The fit of one interval after one projection.
type Fitted = (FlowBridge, FitReport);

/// One projection while it is prepared: for each interval the pairs and the units of the networks.
struct Prepared {
    /// Pairs for training.
    training: Vec<Ends>,
    /// Pairs for evaluation.
    held_out: Vec<Ends>,
    /// Units of the networks.
    fields: Vec<Field>,
}

impl DsbmSolver {
    /// Checks the ranges of the hyperparameters.
    ///
    /// # Errors
    /// [`Error::Parameter`] for the first one that is out of its range.
    pub fn check(&self) -> Result<()> {
        at_least_one("n_projections", self.n_projections)?;
        at_least_one("n_pairs", self.n_pairs)?;
        self.flow().check()
    }

    /// The solver of one projection.
    fn flow(&self) -> FlowSolver {
        let Self {
            n_projections: _,
            n_pairs: _,
            n_layers,
            width,
            learning_rate,
            weight_decay,
            batch,
            max_iterations,
            patience,
            held_out,
            n_steps,
        } = self.clone();
        FlowSolver {
            coupling: CouplingKind::Independent,
            n_layers,
            width,
            learning_rate,
            weight_decay,
            batch,
            max_iterations,
            patience,
            held_out,
            n_steps,
            ..FlowSolver::sf2m()
        }
    }

    /// As [`CourseSolver::solve_course`], with the concrete type of the bridges.
    ///
    /// # Errors
    /// As [`CourseSolver::solve_course`].
    pub fn fit(
        &self,
        course: &Course,
        seed: Seed,
        progress: &mut dyn Progress,
    ) -> Result<Vec<(FlowBridge, FitReport)>> {
        self.projections(course, seed, progress)?.pop().ok_or(Error::Numerical {
            what: "iterated fitting",
            why: "there is no projection".into(),
        })
    }

    /// The fit of all intervals after each projection, the last being the result.
    ///
    /// # Errors
    /// As [`CourseSolver::solve_course`].
    #[doc(hidden)]
    pub fn projections(
        &self,
        course: &Course,
        seed: Seed,
        progress: &mut dyn Progress,
    ) -> Result<Vec<Vec<(FlowBridge, FitReport)>>> {
        self.check()?;
        let mut flow = self.flow();
        let parts = flow.parts(course, seed)?;
        let total = (self.n_projections * self.max_iterations) as u64;
        report(progress, Event::Begin { what: "training the networks".into(), total })?;
        let mut all: Vec<Vec<Fitted>> = Vec::with_capacity(self.n_projections);
        let mut steps = 0;
        for k in 0..self.n_projections {
            let seed = seed.child("dsbm/projection", k as u64);
            let before = all.last().map(Vec::as_slice);
            let prepared = self.prepare(course, &parts, before, k, seed, progress)?;
            let initial = before.map(|fitted| fitted[0].0.networks().as_ref());
            let (training, held_out) = prepared.intervals();
            // Later projections change less, and with smaller steps they average over more pairs.
            flow.learning_rate = self.learning_rate * (1.0 - k as f64 / self.n_projections as f64);
            let mut counted = Counted { progress: &mut *progress, before: steps };
            let mut trained = train(&flow, &training, &held_out, initial, seed, &mut counted)?;
            trained.networks = continued(initial, trained.networks, steps)?;
            steps += trained.steps;
            trained.steps = steps;
            let fitted = self.fitted(course, prepared, &trained, &all, seed)?;
            all.push(fitted);
        }
        report(progress, Event::End)?;
        Ok(all)
    }

    /// The pairs of projection `k` (from 0) in each interval: cells at random, or the ends of paths
    /// of the bridges of the projection `before`.
    fn prepare(
        &self,
        course: &Course,
        parts: &[Split],
        before: Option<&[Fitted]>,
        k: usize,
        seed: Seed,
        progress: &mut dyn Progress,
    ) -> Result<Prepared> {
        let n_intervals = course.problems().len();
        let backward = (self.n_projections - 1 - k).is_multiple_of(2);
        let direction = if backward { Direction::Backward } else { Direction::Forward };
        let n = self.n_pairs.div_ceil(n_intervals);
        let clocks = clocks(course.times());
        let mut prepared = Prepared { training: vec![], held_out: vec![], fields: vec![] };
        for (i, problem) in course.problems().iter().enumerate() {
            report(progress, Event::Pulse)?;
            let (source, target) = (&parts[i], &parts[i + 1]);
            let (training, held_out) = match before {
                None => (
                    Ends::independent(&source.training, &target.training),
                    Ends::independent(&source.held_out, &target.held_out),
                ),
                Some(fitted) => {
                    let cells = if backward { target } else { source };
                    let simulated = |cells, n, name| {
                        let seed = seed.child(name, i as u64);
                        Ends::simulated(&fitted[i].0, cells, n, direction, seed)
                    };
                    let fewer = n.div_ceil(4);
                    (
                        simulated(&cells.training, n, "dsbm/training")?,
                        simulated(&cells.held_out, fewer, "dsbm/held out")?,
                    )
                }
            };
            let Ends { source, target, pairs } = &training;
            let epsilon = problem.epsilon();
            let path = Interpolant { shape: PathShape::Linear, epsilon: epsilon.value() };
            let affine = Affine::of(source, target, pairs, epsilon, true);
            prepared.fields.push(Field { affine, path, clock: clocks[i] });
            prepared.training.push(training);
            prepared.held_out.push(held_out);
        }
        Ok(prepared)
    }

    /// The bridges of the trained networks with their reports; `all` contains the projections
    /// before.
    fn fitted(
        &self,
        course: &Course,
        prepared: Prepared,
        trained: &Trained,
        all: &[Vec<Fitted>],
        seed: Seed,
    ) -> Result<Vec<Fitted>> {
        let networks = Arc::new(trained.networks.clone());
        let fields = prepared.fields.into_iter().enumerate();
        fields
            .map(|(i, field)| {
                let epsilon = course.problems()[i].epsilon();
                let bridge = FlowBridge::new(epsilon, field, self.n_steps, Arc::clone(&networks))?;
                let energy = prepared.training[i].energy(&bridge, seed.child("dsbm", i as u64))?;
                let energy_of = |fitted: &Vec<Fitted>| fitted[i].1.detail("path_energy");
                let first = all.first().and_then(energy_of).unwrap_or(energy);
                let before = all.last().and_then(energy_of).unwrap_or(energy);
                let change = (energy - before) / before.abs().max(f64::MIN_POSITIVE);
                let ([flow, score], [flow_start, score_start]) = (trained.end[i], trained.start[i]);
                let details = [
                    ("flow_loss", flow),
                    ("score_loss", score),
                    ("path_energy", energy),
                    ("path_energy_first", first),
                    ("path_energy_change", change),
                ];
                let report = FitReport {
                    stop: Stop::Converged,
                    iterations: trained.steps,
                    objective: flow + score,
                    start_objective: flow_start + score_start,
                    details: details.map(|(name, value)| (name.to_string(), value)).to_vec(),
                };
                Ok((bridge, report))
            })
            .collect()
    }
}

impl Prepared {
    /// The intervals for training, and those for evaluation.
    fn intervals(&self) -> (Vec<Interval<'_>>, Vec<Interval<'_>>) {
        (intervals(&self.training, &self.fields), intervals(&self.held_out, &self.fields))
    }
}

/// Ends with the units of the networks, as a training takes them.
fn intervals<'a>(ends: &'a [Ends], fields: &'a [Field]) -> Vec<Interval<'a>> {
    ends.iter()
        .zip(fields)
        .map(|(Ends { source, target, pairs }, field)| Interval { source, target, pairs, field })
        .collect()
}

/// The networks `after` a training that began with `before`, after `steps` steps in all: with the
/// learning curves of both.
fn continued(
    before: Option<&FlowNetworks>,
    after: FlowNetworks,
    steps: usize,
) -> Result<FlowNetworks> {
    let mut curve = before.map(|networks| networks.curve().to_vec()).unwrap_or_default();
    curve.extend(after.curve().iter().map(|point| {
        let mut point = *point;
        point.step += steps;
        point
    }));
    FlowNetworks::new(after.flow().clone(), after.score().cloned(), curve)
}

/// A receiver that counts the steps of a training on top of those `before`.
struct Counted<'a> {
    /// The receiver of all events.
    progress: &'a mut dyn Progress,
    /// Steps of the trainings before.
    before: usize,
}

impl Progress for Counted<'_> {
    fn report(&mut self, event: &Event) -> ControlFlow<()> {
        match event {
            Event::Step { done } => {
                self.progress.report(&Event::Step { done: done + self.before as u64 })
            }
            other => self.progress.report(other),
        }
    }
}

impl CourseSolver for DsbmSolver {
    fn solve_course(
        &self,
        course: &Course,
        seed: Seed,
        progress: &mut dyn Progress,
    ) -> Result<Vec<(Box<dyn Bridge>, FitReport)>> {
        self.fit(course, seed, progress).map(boxed)
    }
}

impl BridgeSolver for DsbmSolver {
    /// A course of one interval.
    fn solve(
        &self,
        problem: &BridgeProblem,
        seed: Seed,
        progress: &mut dyn Progress,
    ) -> Result<(Box<dyn Bridge>, FitReport)> {
        self.solve_one(&Course::of_one(problem)?, 0, seed, progress)
    }
}
