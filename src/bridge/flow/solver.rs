//! Trains velocity and score of a course: `[SF]²M`, OT-CFM and I-CFM as settings of one solver.

use std::sync::Arc;

use ndarray::Array1;
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

use crate::bridge::course::boxed;
use crate::bridge::flow::affine::Affine;
use crate::bridge::flow::batch::{Field, Interval};
use crate::bridge::flow::couple::{Paired, Pairing, Split};
use crate::bridge::flow::process::FlowBridge;
use crate::bridge::flow::training::{Trained, train};
use crate::bridge::plan::course_ground;
use crate::bridge::{
    Bridge, BridgeProblem, BridgeSolver, CouplingKind, Course, CourseSolver, FitReport,
    Interpolant, PathShape, Stop,
};
use crate::data::Snapshot;
use crate::error::range::at_least_one;
use crate::error::{Error, Result};
use crate::geometry::CostChoice;
use crate::progress::{Event, Progress, Unseen, report};
use crate::rng::Seed;

/// With fewer held-out cells than this in any snapshot, no cell is held out.
const LEAST_HELD_OUT: usize = 20;

/// Flow matching and score matching along paths between coupled cells: one velocity network and one
/// score network for all intervals, in real time.
///
/// **Problem.** A pair `(x₀, x₁)` is drawn from a coupling and a point `x_t` from the path between
/// them. Two networks minimise
///
/// ```text
/// E ‖w(x_t, t) − (α' x₀ + β' x₁)‖²   and   E ‖γ s(x_t, t) + z‖²,     x_t = α x₀ + β x₁ + γ z
/// ```
///
/// The weight γ² of the score gives its target unit variance at every time. The optima are `w =
/// E[α' x₀ + β' x₁ | x_t]` and `s = ∇ log p_t`; [`FlowBridge`] derives the process from them. With
/// the noise of the reference and the entropic coupling for the same ε this process is the
/// Schrödinger bridge. With an exact coupling (`[SF]²M-Exact` in the paper) it is so only
/// approximately, for little noise. With a geodesic cost, cells are paired along the data and move
/// on straight lines (`[SF]²M-Geo`).
///
/// **Source.** Tong et al. 2024 (arXiv 2307.03672 for `[SF]²M`, arXiv 2302.00482 for OT-CFM and
/// I-CFM). The networks (three hidden layers of 64 units, SELU, AdamW) and the batches are theirs.
/// Differences:
///
/// - The singular term `γ' z` of the velocity is not regressed; it follows from the score (`v = w −
///   γγ' s`).
/// - The best affine prediction is subtracted from both targets.
/// - Couplings are those of whole snapshots where they fit into `block`.
/// - The learning rate decreases to zero along half a cosine.
/// - A part of the cells of each snapshot is held out, and the solver keeps the networks with the
///   lowest held-out loss.
///
/// **Objective.** The sum of both held-out losses. A prediction of zero has a loss of about 1 for
/// each network. [`FitReport::start_objective`] is the objective of the affine prediction alone.
/// Summed over all intervals of a course the objective never ends above it; in one of several
/// intervals it can.
///
/// **Cost.** A step takes `6 · batch · parameters` flops for each network, in chunks of 256 rows on
/// one thread each. Memory is 8 bytes for each value of the snapshots, the coupling, and `8 block²`
/// bytes during the computation of an exact coupling.
///
/// ```
/// use ndarray::Array2;
/// use sbcell::bridge::{Bridge, BridgeProblem, BridgeSolver, FlowSolver, UnitTime};
/// use sbcell::data::Snapshot;
/// use sbcell::{Epsilon, Seed, Silent};
///
/// # fn main() -> sbcell::Result<()> {
/// let cells = |x: f64| Array2::from_shape_fn((16, 1), |(i, _)| x + 0.1 * i as f64);
/// let (source, target) = (Snapshot::new(cells(0.0))?, Snapshot::new(cells(3.0))?);
/// let problem = BridgeProblem::new(source.clone(), target, Epsilon::new(0.1)?)?;
/// // Far too short for real data.
/// let solver = FlowSolver::sf2m().with_max_iterations(20).with_width(8);
/// let (bridge, report) = solver.solve(&problem, Seed(0), &mut Silent)?;
/// assert!(report.objective <= report.start_objective);
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
pub struct FlowSolver {
    /// How cells are paired.
    pub coupling: CouplingKind,
    /// The cost of the coupling.
    #[serde(default)]
    pub cost: CostChoice,
    /// Weights of the two ends along a path.
    pub path: PathShape,
    /// Whether paths have the noise of the reference process. Without noise there is no score, and
    /// the process is an ordinary differential equation.
    pub noise: bool,
    /// Largest number of cells of a snapshot in one coupling, ≥ 1. Larger snapshots are divided
    /// into random blocks.
    pub block: usize,
    /// Number of hidden layers of each network, ≥ 1.
    pub n_layers: usize,
    /// Number of units in each hidden layer, ≥ 1.
    pub width: usize,
    /// Initial learning rate, > 0.
    pub learning_rate: f64,
    /// Weight decay per step and unit of learning rate, ≥ 0.
    pub weight_decay: f64,
    /// Number of rows in a batch, over all intervals, ≥ 1.
    pub batch: usize,
    /// Largest number of steps, ≥ 1. The learning rate decreases to zero over this number.
    pub max_iterations: usize,
    /// Training ends after this number of evaluations on held-out cells (50 in a complete training)
    /// in which neither network improves, ≥ 1.
    pub patience: usize,
    /// Fraction of the cells of each snapshot that is held out, from 0 to ¼.
    pub held_out: f64,
    /// Whether the targets are residuals of the best affine prediction with slopes. Otherwise only
    /// means are subtracted.
    pub control_variate: bool,
    /// Number of steps of a draw over an interval, ≥ 1.
    pub n_steps: usize,
}

impl Default for FlowSolver {
    fn default() -> Self {
        Self {
            coupling: CouplingKind::Entropic,
            cost: CostChoice::default(),
            path: PathShape::Linear,
            noise: true,
            block: 16_384,
            n_layers: 3,
            width: 64,
            learning_rate: 1e-3,
            weight_decay: 1e-5,
            batch: 512,
            max_iterations: 10_000,
            patience: 10,
            held_out: 0.1,
            control_variate: true,
            n_steps: 50,
        }
    }
}

impl FlowSolver {
    /// `[SF]²M`: the entropic coupling and the noise of the reference process. Its optimum is the
    /// Schrödinger bridge.
    #[must_use]
    pub fn sf2m() -> Self {
        Self::default()
    }

    /// OT-CFM: an exact coupling without noise.
    #[must_use]
    pub fn ot_cfm() -> Self {
        Self { coupling: CouplingKind::Exact, noise: false, block: 4096, ..Self::default() }
    }

    /// I-CFM: independent pairs without noise.
    #[must_use]
    pub fn i_cfm() -> Self {
        Self { coupling: CouplingKind::Independent, noise: false, ..Self::default() }
    }

    /// Checks the ranges of the hyperparameters.
    ///
    /// # Errors
    /// [`Error::Parameter`] for the first one that is out of its range.
    pub fn check(&self) -> Result<()> {
        let Self {
            coupling,
            cost,
            path: _,
            noise: _,
            block,
            n_layers,
            width,
            learning_rate,
            weight_decay,
            batch,
            max_iterations,
            patience,
            held_out,
            control_variate: _,
            n_steps,
        } = self;
        cost.check()?;
        if *coupling == CouplingKind::Independent && cost.is_geodesic() {
            let must = "euclidean if cells are paired independently";
            return Err(Error::Parameter { name: "cost", must, got: "geodesic".into() });
        }
        for (name, value) in [
            ("block", block),
            ("n_layers", n_layers),
            ("width", width),
            ("batch", batch),
            ("max_iterations", max_iterations),
            ("patience", patience),
            ("n_steps", n_steps),
        ] {
            at_least_one(name, *value)?;
        }
        if !(0.0 < *learning_rate && *learning_rate < f64::INFINITY) {
            let (name, must) = ("learning_rate", "finite and > 0");
            return Err(Error::Parameter { name, must, got: learning_rate.to_string() });
        }
        if !(0.0 <= *weight_decay && *weight_decay < f64::INFINITY) {
            let (name, must) = ("weight_decay", "finite and ≥ 0");
            return Err(Error::Parameter { name, must, got: weight_decay.to_string() });
        }
        if !(0.0..=0.25).contains(held_out) {
            let (name, must) = ("held_out", "from 0 to 0.25");
            return Err(Error::Parameter { name, must, got: held_out.to_string() });
        }
        Ok(())
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
        self.check()?;
        let all = self.paired(course, seed, progress)?;
        let intervals = |held_out: bool| -> Vec<Interval<'_>> {
            let problems = course.problems().iter().zip(&all);
            problems
                .map(|(problem, (pairs, field))| {
                    let pairs = if held_out { &pairs.held_out } else { &pairs.training };
                    Interval { source: problem.source(), target: problem.target(), pairs, field }
                })
                .collect()
        };
        let (training, held_out) = (intervals(false), intervals(true));
        let (what, total) = ("training the networks".into(), self.max_iterations as u64);
        report(progress, Event::Begin { what, total })?;
        let trained = train(self, &training, &held_out, None, seed, progress)?;
        report(progress, Event::End)?;
        let networks = Arc::new(trained.networks.clone());
        let bridges = all.into_iter().enumerate().map(|(k, (pairs, field))| {
            let epsilon = course.problems()[k].epsilon();
            let bridge = FlowBridge::new(epsilon, field, self.n_steps, Arc::clone(&networks))?;
            let mut report = self.report(k, &trained);
            if !pairs.converged {
                report.stop = Stop::MaxIterations;
            }
            Ok((bridge, report))
        });
        bridges.collect()
    }

    /// Pairs of the cells of each interval, and the affine prediction of its field.
    fn paired(
        &self,
        course: &Course,
        seed: Seed,
        progress: &mut dyn Progress,
    ) -> Result<Vec<(Paired, Field)>> {
        let ground = course_ground(course, &self.cost, progress)?;
        let total = course.problems().len() as u64;
        report(progress, Event::Begin { what: "pairing cells".into(), total })?;
        let parts = self.parts(course, seed)?;
        let clocks = clocks(course.times());
        let mut all = Vec::with_capacity(course.problems().len());
        for (k, problem) in course.problems().iter().enumerate() {
            let unseen = &mut Unseen(&mut *progress);
            let pairing = Pairing {
                kind: self.coupling,
                cost: &*ground.cost(k, k + 1, unseen)?,
                epsilon: problem.epsilon(),
                block: self.block,
                seed: seed.child("flow/pairs", k as u64),
            };
            let (from, to) = (&parts[k], &parts[k + 1]);
            let pairs = pairing.pairs(problem, from, to, unseen)?;
            let (epsilon, known) = (problem.epsilon(), self.control_variate);
            let path_epsilon = if self.noise { epsilon.value() } else { 0.0 };
            let field = Field {
                affine: Affine::of(&from.training, &to.training, &pairs.training, epsilon, known),
                path: Interpolant { shape: self.path, epsilon: path_epsilon },
                clock: clocks[k],
            };
            all.push((pairs, field));
            report(progress, Event::Step { done: k as u64 + 1 })?;
        }
        report(progress, Event::End)?;
        Ok(all)
    }

    /// Training cells and held-out cells of each snapshot. If too few could be held out, both parts
    /// contain all cells.
    pub(in crate::bridge) fn parts(&self, course: &Course, seed: Seed) -> Result<Vec<Split>> {
        let problems = course.problems();
        let mut snapshots: Vec<&Snapshot> = problems.iter().map(BridgeProblem::source).collect();
        snapshots.extend(problems.last().map(BridgeProblem::target));
        let weighed = |snapshot: &Snapshot| -> Vec<usize> {
            let weights = snapshot.marginal();
            (0..snapshot.n_cells()).filter(|&i| weights[i] > 0.0).collect()
        };
        let n_held_out = |n: usize| (n as f64 * self.held_out) as usize;
        let enough =
            snapshots.iter().all(|snapshot| n_held_out(weighed(snapshot).len()) >= LEAST_HELD_OUT);
        let split = snapshots.into_iter().enumerate().map(|(index, snapshot)| {
            if !enough {
                return Ok(Split { training: snapshot.clone(), held_out: snapshot.clone() });
            }
            let mut cells = weighed(snapshot);
            cells.shuffle(&mut seed.stream("flow/held out cells", index as u64));
            let (held_out, training) = cells.split_at(n_held_out(cells.len()));
            let part = |cells: &[usize]| {
                let mut weights = Array1::zeros(snapshot.n_cells());
                for &cell in cells {
                    weights[cell] = snapshot.marginal()[cell];
                }
                Snapshot::weighted(snapshot.points().to_owned(), weights)
            };
            Ok(Split { training: part(training)?, held_out: part(held_out)? })
        });
        split.collect()
    }

    /// The report of one interval, from the held-out losses.
    fn report(&self, interval: usize, trained: &Trained) -> FitReport {
        let ([flow, score], [flow_start, score_start]) =
            (trained.end[interval], trained.start[interval]);
        let mut details = Vec::new();
        if self.noise {
            details.push(("flow_loss".into(), flow));
            details.push(("score_loss".into(), score));
        }
        FitReport {
            stop: Stop::Converged,
            iterations: trained.steps,
            objective: flow + score,
            start_objective: flow_start + score_start,
            details,
        }
    }
}

/// The networks' time at the start of each interval, and its length: zero in the middle of the
/// course, two for an interval of mean length.
pub(in crate::bridge) fn clocks(times: &[f64]) -> Vec<[f64; 2]> {
    let (first, last) = (times[0], times[times.len() - 1]);
    let unit = 0.5 * (last - first) / (times.len() - 1) as f64;
    let middle = f64::midpoint(first, last);
    times.windows(2).map(|pair| [(pair[0] - middle) / unit, (pair[1] - pair[0]) / unit]).collect()
}

impl CourseSolver for FlowSolver {
    fn solve_course(
        &self,
        course: &Course,
        seed: Seed,
        progress: &mut dyn Progress,
    ) -> Result<Vec<(Box<dyn Bridge>, FitReport)>> {
        self.fit(course, seed, progress).map(boxed)
    }
}

impl BridgeSolver for FlowSolver {
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
