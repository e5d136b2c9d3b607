//! The choice among splines by the inner times of a course, and the mixture of the best.

use ndarray::{Array2, Axis};
use serde::{Deserialize, Serialize};

use crate::bridge::{
    Bridge, BridgeProblem, Course, Mass, Member, PlanBridge, SplineSolver, UnitTime, draw_cells,
};
use crate::data::Snapshot;
use crate::error::{Error, Result};
use crate::linalg::at_most;
use crate::pipeline::solvers::inner_score::{Distances, score};
use crate::progress::{self, Event, Progress, Unseen};
use crate::rng::Seed;

/// Splines chosen by nested hold-out: each inner time of the course is predicted with every
/// combination of relaxation and momentum, and the best combinations are mixed.
///
/// A combination counts as good if its score is within `tolerance` of the best. Courses have few
/// times, so chance decides which combination is the single best. A mixture depends less on chance,
/// and both parts of the score are convex: the score of a mixture is at most the mean of its members.
///
/// A course of two times has no inner time. It gets the straight bridge.
///
/// ```
/// use sbcell::pipeline::{AutoSolver, SolverChoice};
///
/// let auto = AutoSolver::default().with_cells_per_time(500);
/// auto.check().unwrap();
/// assert_eq!(SolverChoice::of(auto).name(), "auto");
/// assert!(AutoSolver::default().with_cells_per_time(2).check().is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, derive_setters::Setters)]
#[setters(prefix = "with_")]
#[non_exhaustive]
pub struct AutoSolver {
    /// Whether earlier cells keep their weight in the coupling.
    pub mass: Mass,
    /// Largest relative excess over the best score with which a combination is part of the mixture, from
    /// 0 to 100.
    pub tolerance: f64,
    /// Largest number of cells of each time that the choice uses, at least 10.
    pub cells_per_time: usize,
}

impl Default for AutoSolver {
    fn default() -> Self {
        Self { mass: Mass::default(), tolerance: 0.15, cells_per_time: 1500 }
    }
}

/// The relaxations of the grid, in units of the total variance; `None` is the exact coupling.
const RELAXATIONS: [Option<f64>; 5] = [None, Some(1.0), Some(0.5), Some(0.2), Some(0.1)];

/// The momenta φ of the grid.
const MOMENTA: [f64; 3] = [0.0, 1.0, 2.0];

/// The shares ρ of restored noise from which one is chosen.
const NOISES: [f64; 3] = [0.0, 0.5, 1.0];

/// Two amounts of restored noise count as equally good if their scores differ by at most this.
const ENOUGH: f64 = 0.01;

/// The straight bridge, whose score is 1.
const STRAIGHT: Member = Member { relaxation: None, momentum: 0.0 };

impl AutoSolver {
    /// Checks the ranges of `tolerance` and `cells_per_time`.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a value out of range.
    pub fn check(&self) -> Result<()> {
        let Self { mass: _, tolerance, cells_per_time } = self;
        if !(0.0..=100.0).contains(tolerance) {
            let (name, must) = ("auto_tolerance", "from 0 to 100");
            return Err(Error::Parameter { name, must, got: tolerance.to_string() });
        }
        if *cells_per_time < 10 {
            let (name, must) = ("auto_cells", "at least 10");
            return Err(Error::Parameter { name, must, got: cells_per_time.to_string() });
        }
        Ok(())
    }

    /// The straight bridge, for a course without inner times.
    pub(super) fn unsettled(&self) -> SplineSolver {
        let members = vec![STRAIGHT];
        SplineSolver { members, mass: self.mass, ..SplineSolver::default() }
    }

    /// All combinations of relaxation and momentum.
    fn grid(&self) -> Vec<Member> {
        // Only the later marginal is relaxed where earlier cells keep their weight: the strongest
        // relaxation would leave too much of the later snapshot without mass.
        let n = if self.mass == Mass::Kept { 4 } else { 5 };
        let relaxations = RELAXATIONS.into_iter().take(n);
        relaxations
            .flat_map(|relaxation| MOMENTA.map(|momentum| Member { relaxation, momentum }))
            .collect()
    }

    /// Chooses the mixture and the restored noise by the inner times of `course`, and notes all scores.
    ///
    /// Each inner time costs one set of couplings (one for each relaxation) and, for each of the 12 or
    /// 15 combinations and the three amounts of noise, one exact Wasserstein distance.
    ///
    /// # Errors
    /// Those of the couplings and distances; [`Error::Cancelled`].
    pub(super) fn choose(
        &self,
        course: &Course,
        seed: Seed,
        progress: &mut dyn Progress,
    ) -> Result<SplineSolver> {
        let n_inner = course.times().len().saturating_sub(2);
        if n_inner == 0 {
            let text =
                "auto: the course has no inner time to hold out: the straight bridge is used";
            progress::note(progress, text)?;
            return Ok(self.unsettled());
        }
        let grid = self.grid();
        let solver = SplineSolver { members: grid.clone(), ..self.unsettled() };
        let what = "choosing by held-out times".to_string();
        progress::report(progress, Event::Begin { what, total: 2 * n_inner as u64 })?;
        let folds = inner_folds(course, self.cells_per_time, seed)?;
        let mut tried: Vec<Vec<Distances>> = Vec::new();
        let mut straight = Vec::new();
        let mut all_woven = Vec::new();
        for (number, fold) in folds.iter().enumerate() {
            let silent = &mut Unseen(&mut *progress);
            let seed = seed.child("auto/fold", number as u64);
            straight.push(fold.straight(seed, silent)?);
            let mut woven = solver.weave(&fold.course, fold.interval, seed, silent)?;
            let mut found = Vec::with_capacity(grid.len());
            for member in &grid {
                let bridge = woven.bridge(&[*member], 0.0, silent)?;
                found.push(fold.distances(&bridge, seed, silent)?);
            }
            tried.push(found);
            all_woven.push(woven);
            progress::report(progress, Event::Step { done: number as u64 + 1 })?;
        }
        let scores: Vec<f64> = (0..grid.len())
            .map(|m| score(&tried.iter().map(|fold| fold[m]).collect::<Vec<_>>(), &straight))
            .collect();
        let best = scores.iter().copied().fold(f64::INFINITY, f64::min);
        let limit = best * (1.0 + self.tolerance);
        let members: Vec<Member> =
            grid.iter().zip(&scores).filter(|e| at_most(*e.1, limit)).map(|e| *e.0).collect();
        let mut noises = NOISES.map(|_| Vec::new());
        for (number, (fold, woven)) in folds.iter().zip(&mut all_woven).enumerate() {
            let silent = &mut Unseen(&mut *progress);
            let seed = seed.child("auto/fold", number as u64);
            for (noise, found) in NOISES.iter().zip(&mut noises) {
                let bridge = woven.bridge(&members, *noise, silent)?;
                found.push(fold.distances(&bridge, seed, silent)?);
            }
            progress::report(progress, Event::Step { done: (n_inner + number) as u64 + 1 })?;
        }
        progress::report(progress, Event::End)?;
        let noise_scores = noises.map(|found| score(&found, &straight));
        // The smallest amount that is as good as the best: noise must improve the score to be added.
        let best = noise_scores.iter().copied().fold(f64::INFINITY, f64::min);
        let enough = noise_scores.iter().position(|score| at_most(*score, best + ENOUGH));
        let noise_back = NOISES[enough.unwrap_or(0)];
        for text in said(&grid, &scores, limit, noise_back, &noise_scores) {
            progress::note(progress, text)?;
        }
        Ok(SplineSolver { members, noise_back, ..solver })
    }
}

/// Two notes: every combination with its score and whether it is mixed; the amounts of noise with theirs.
fn said(
    grid: &[Member],
    scores: &[f64],
    limit: f64,
    noise_back: f64,
    noise_scores: &[f64; 3],
) -> [String; 2] {
    let mut curve = Vec::new();
    for relaxation in RELAXATIONS {
        let of: Vec<String> = grid
            .iter()
            .zip(scores)
            .filter(|entry| entry.0.relaxation == relaxation)
            .map(|(member, score)| {
                let kept = if at_most(*score, limit) { "*" } else { "" };
                format!("{} {score:.3}{kept}", member.momentum)
            })
            .collect();
        if !of.is_empty() {
            let name = relaxation.map_or("exact".to_string(), |value| format!("relax {value}"));
            curve.push(format!("{name}: {}", of.join(", ")));
        }
    }
    let noises: Vec<String> =
        NOISES.iter().zip(noise_scores).map(|(noise, s)| format!("{noise} {s:.3}")).collect();
    [
        format!(
            "auto: score by momentum on held-out inner times, 1 is the straight bridge (* mixed): {}",
            curve.join("; ")
        ),
        format!("auto: restored noise {noise_back}, of {}", noises.join(", ")),
    ]
}

/// A course without one of its inner times.
struct InnerFold {
    course: Course,
    /// The interval of `course` that contains the held-out time.
    interval: usize,
    /// The held-out time as local time of this interval.
    local: f64,
    /// The cells of the held-out time.
    observed: Snapshot,
}

/// One fold for each inner time of `course`, with at most `most` cells of each time.
///
/// ε of the joined interval keeps the variance per unit of time of the course. The same cells take part
/// in all folds.
///
/// # Errors
/// [`Error::Parameter`] if ε of a joined interval is out of range.
fn inner_folds(course: &Course, most: usize, seed: Seed) -> Result<Vec<InnerFold>> {
    let times = course.times();
    let problems = course.problems();
    let snapshots: Vec<Snapshot> = problems
        .iter()
        .map(BridgeProblem::source)
        .chain(problems.last().map(BridgeProblem::target))
        .enumerate()
        .map(|(k, snapshot)| {
            // Equal weights: the growth prior does not take part in the choice.
            let n = snapshot.n_cells();
            let rows = draw_cells(
                ndarray::Array1::from_elem(n, 1.0 / n as f64).view(),
                n.min(most),
                seed.child("auto/cells", k as u64),
            );
            Snapshot::new(snapshot.points().select(Axis(0), &rows))
        })
        .collect::<Result<_>>()?;
    let length = |from: usize, to: usize| times[to] - times[from];
    let per_time = problems[0].epsilon().value() / length(0, 1);
    (1..times.len() - 1)
        .map(|held| {
            let left: Vec<usize> = (0..times.len()).filter(|&k| k != held).collect();
            let problems = left
                .windows(2)
                .map(|ends| {
                    let epsilon = per_time * length(ends[0], ends[1]);
                    let (source, target) = (&snapshots[ends[0]], &snapshots[ends[1]]);
                    let epsilon = crate::geometry::Epsilon::new(epsilon)?;
                    BridgeProblem::new(source.clone(), target.clone(), epsilon)
                })
                .collect::<Result<Vec<_>>>()?;
            let left_times = left.iter().map(|&k| times[k]).collect();
            Ok(InnerFold {
                course: Course::new(left_times, problems)?,
                interval: held - 1,
                local: length(held - 1, held) / length(held - 1, held + 1),
                observed: snapshots[held].clone(),
            })
        })
        .collect()
}

impl InnerFold {
    /// The distances of the straight bridge by the exact coupling, with equal weights of earlier cells.
    fn straight(&self, seed: Seed, progress: &mut dyn Progress) -> Result<Distances> {
        let members = vec![STRAIGHT];
        let solver = SplineSolver { members, mass: Mass::Kept, ..SplineSolver::default() };
        let mut woven = solver.weave(&self.course, self.interval, seed, progress)?;
        let bridge = woven.bridge(&solver.members, 0.0, progress)?;
        self.distances(&bridge, seed, progress)
    }

    /// The distances between the held-out cells and the population of `bridge` at their time: as many
    /// draws as there are earlier cells, by the weights of the coupling.
    fn distances(
        &self,
        bridge: &PlanBridge,
        seed: Seed,
        progress: &mut dyn Progress,
    ) -> Result<Distances> {
        let source = self.course.problems()[self.interval].source();
        let marginal = bridge.plan_marginal().unwrap_or_else(|| source.marginal());
        let n = source.n_cells();
        let rows = draw_cells(marginal, n, seed.child("auto/drawn", 0));
        let start: Array2<f64> = source.points().select(Axis(0), &rows);
        let local = UnitTime::new(self.local)?;
        let seed = seed.child("auto/drawn", 1);
        let points = bridge.sample_transition(start.view(), UnitTime::START, local, seed)?;
        Distances::of(&Snapshot::new(points)?, &self.observed, progress)
    }
}
