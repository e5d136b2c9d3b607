//! The spline solver: transport with relaxed marginals, and cubic paths through the course.

use ndarray::{Array2, Axis};
use serde::{Deserialize, Serialize};

use crate::bridge::spline::bends::{Stretch, bend};
use crate::bridge::spline::couplings::{Couplings, partners};
use crate::bridge::spline::woven::{Woven, report_of};
use crate::bridge::{
    Attraction, Bend, Bridge, BridgeProblem, BridgeSolver, Course, CourseSolver, Ends, FitReport,
};
use crate::error::{Error, Result};
use crate::geometry::neighbours;
use crate::progress::{Event, Progress, Unseen, report};
use crate::rng::Seed;

/// Whether earlier cells keep their weight in the coupling of a spline.
///
/// ```
/// use sbcell::bridge::{Mass, SplineSolver};
///
/// let kept = SplineSolver::default().with_mass(Mass::Kept);
/// assert!(kept.check().is_ok());
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mass {
    /// Every earlier cell has a destination, in proportion to its weight. Later cells can be
    /// without a source.
    Kept,
    /// Cells of both times can be without a partner. The coupling implies how many descendants each
    /// earlier cell has.
    #[default]
    Relaxed,
}

/// How a spline preserves the width of the population between the snapshots.
///
/// ```
/// use sbcell::bridge::{SplineSolver, Width};
///
/// let solver = SplineSolver::default().with_width(Width::Ends);
/// assert!(solver.check().is_ok());
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Width {
    /// By noise, in the amount of [`SplineSolver::noise_back`]. The process remains a diffusion
    /// with a drift.
    #[default]
    Noise,
    /// Cells follow the movement of their neighbours and jump from their own end of the pair to
    /// that of the partner at a random time. Momentum and attraction have no effect.
    Ends,
    /// Cells follow the movement of their neighbours to the end, which is near the later snapshot
    /// but not in it. Momentum and attraction have no effect.
    Map,
}

/// One bridge of the mixture of a [`SplineSolver`].
///
/// ```
/// use sbcell::bridge::{Member, SplineSolver};
///
/// // The straight bridge of exact transport.
/// let straight = Member { relaxation: None, momentum: 0.0 };
/// let solver = SplineSolver::default().with_members(vec![straight]);
/// assert!(solver.check().is_ok());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Member {
    /// Price λ of deviating from a marginal, in units of the total variance of the course. `None`
    /// keeps both marginals, by exact transport.
    pub relaxation: Option<f64>,
    /// Momentum φ, the weight of the neighbouring intervals' velocities: 0 for straight lines, 1
    /// for a spline through the mean partners.
    pub momentum: f64,
}

/// Transport with relaxed marginals on cubic paths: a mixture of several such bridges in equal
/// shares.
///
/// **Problem.** For each [`Member`] cells are paired by a coupling for the cost ½‖x−y‖²: exact
/// transport, or entropic transport with the penalty `λ v KL` for deviating from a marginal, where
/// v is the total variance of the course. The pair (i, j) moves on the curve
///
/// ```text
/// c_ij(t) = (1−t) x_i + t y_j + φ (t(1−t)² a_i − t²(1−t) b_j),   a_i = h (u − v_i) h'/(h + h'), …
/// ```
///
/// where u is the mean velocity with which cell i arrives from the interval before (length h'), and
/// `v_i` the mean velocity with which it leaves (length h). The term `b_j` at the end uses the
/// interval after. Velocities come from couplings with λ = 0.5. With restored noise, curves are the
/// means of Brownian bridges with covariance `ρ R`, where R is the covariance of displacements
/// around the movement that neighbouring cells share. Without relaxation, momentum and noise the
/// result is the straight bridge of exact transport. `docs/METHODS.md` (section 3, Splines)
/// describes every part.
///
/// **Cost.** Time and memory of one coupling for each interval and each relaxation, plus one for
/// the velocities of each interval.
///
/// **Objective.** The mean over the couplings of their objectives.
///
/// ```
/// use ndarray::array;
/// use sbcell::bridge::{Bridge, BridgeProblem, Course, CourseSolver, SplineSolver, Member, UnitTime};
/// use sbcell::data::Snapshot;
/// use sbcell::{Epsilon, Seed, Silent};
///
/// # fn main() -> sbcell::Result<()> {
/// // One cell at 0, 1 and 4: it accelerates.
/// let cell = |x: f64| Snapshot::new(array![[x]]);
/// let epsilon = Epsilon::new(0.1)?;
/// let first = BridgeProblem::new(cell(0.0)?, cell(1.0)?, epsilon)?;
/// let second = BridgeProblem::new(cell(1.0)?, cell(4.0)?, epsilon)?;
/// let course = Course::new(vec![0.0, 1.0, 2.0], vec![first, second])?;
/// let members = vec![Member { relaxation: None, momentum: 1.0 }];
/// let solver = SplineSolver::default().with_members(members);
/// let (bridge, _) = solver.solve_one(&course, 0, Seed(0), &mut Silent)?;
/// let (start, half) = (UnitTime::START, UnitTime::new(0.5)?);
/// let middle = bridge.sample_transition(array![[0.0]].view(), start, half, Seed(1))?;
/// // Less than half-way after half of the time.
/// assert!(middle[[0, 0]] < 0.5);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, derive_setters::Setters)]
#[setters(prefix = "with_")]
#[non_exhaustive]
pub struct SplineSolver {
    /// The bridges that are mixed, at least one.
    pub members: Vec<Member>,
    /// Whether earlier cells keep their weight.
    pub mass: Mass,
    /// How the width of the population between the snapshots is preserved.
    #[serde(default)]
    pub width: Width,
    /// Restored noise ρ: the fraction of the noise in displacements that is returned to the paths;
    /// from 0 to 10.
    pub noise_back: f64,
    /// ε of relaxed couplings, in units of the total variance of the course; from 1e-4 to 10.
    pub blur: f64,
    /// Attraction κ: the fraction of the way to the data by which curves move half-way; from 0 to
    /// 1.
    pub pull: f64,
    /// Width of the kernel of the attraction, in median distances of the cells of both snapshots to
    /// their nearest neighbour; from 0.01 to 1000.
    pub pull_width: f64,
}

impl Default for SplineSolver {
    /// One member with λ = 0.5 and φ = 1, without restored noise and attraction.
    fn default() -> Self {
        let members = vec![Member { relaxation: Some(0.5), momentum: 1.0 }];
        Self {
            members,
            mass: Mass::default(),
            width: Width::default(),
            noise_back: 0.0,
            blur: 0.01,
            pull: 0.0,
            pull_width: 1.0,
        }
    }
}

/// Price λ of the couplings from which velocities are computed.
const PRICE_OF_VELOCITY: Option<f64> = Some(0.5);

impl SplineSolver {
    /// Checks the ranges of the hyperparameters.
    ///
    /// # Errors
    /// [`Error::Parameter`] for the first one that is out of its range.
    pub fn check(&self) -> Result<()> {
        let Self { members, mass: _, width: _, noise_back, blur, pull, pull_width } = self;
        let refuse =
            |name, must, got: f64| Err(Error::Parameter { name, must, got: got.to_string() });
        if members.is_empty() {
            return refuse("members", "at least one", 0.0);
        }
        for Member { relaxation, momentum } in members {
            if let Some(relaxation) = relaxation
                && !(1e-6..=1e6).contains(relaxation)
            {
                return refuse("relaxation", "from 1e-6 to 1e6", *relaxation);
            }
            if !(0.0..=10.0).contains(momentum) {
                return refuse("momentum", "from 0 to 10", *momentum);
            }
        }
        if !(0.0..=10.0).contains(noise_back) {
            return refuse("noise_back", "from 0 to 10", *noise_back);
        }
        if !(0.0..=1.0).contains(pull) {
            return refuse("pull", "from 0 to 1", *pull);
        }
        if !(0.01..=1000.0).contains(pull_width) {
            return refuse("pull_width", "from 0.01 to 1000", *pull_width);
        }
        if !(1e-4..=10.0).contains(blur) {
            return refuse("blur", "from 0.0001 to 10", *blur);
        }
        Ok(())
    }

    /// The relaxations of the members in order, without repetitions.
    fn relaxations(&self) -> Vec<Option<f64>> {
        let mut found: Vec<Option<f64>> = Vec::new();
        for member in &self.members {
            if !found.contains(&member.relaxation) {
                found.push(member.relaxation);
            }
        }
        found
    }

    /// The couplings and bends of interval `k` of a course, from which bridges of any of the
    /// members can be made.
    ///
    /// # Errors
    /// As [`CourseSolver::solve_course`].
    pub(crate) fn weave<'a>(
        &self,
        course: &'a Course,
        k: usize,
        seed: Seed,
        progress: &mut dyn Progress,
    ) -> Result<Woven<'a>> {
        self.check()?;
        let couplings = Couplings { variance: total_variance(course), blur: self.blur };
        let bent = self.members.iter().any(|member| member.momentum > 0.0);
        let last = course.problems().len() - 1;
        let around = k.saturating_sub(1)..=(k + 1).min(last);
        let n_around = if bent { around.clone().count() } else { 0 };
        let total = (self.relaxations().len() + n_around) as u64;
        report(progress, Event::Begin { what: "pairing cells".into(), total })?;
        let mut done = 0;
        let mut means = Vec::new();
        for interval in around.clone().take(n_around) {
            let problem = &course.problems()[interval];
            let seed = seed.child("spline/velocity", interval as u64);
            let (price, mass) = (PRICE_OF_VELOCITY, Mass::Relaxed);
            let found = couplings.plan(problem, price, mass, seed, progress)?;
            means.push(partners(problem, &found.coupling));
            done += 1;
            report(progress, Event::Step { done })?;
        }
        let problem = &course.problems()[k];
        let bend = bent.then(|| bend_of(course, k, *around.start(), &means));
        let mut plans = Vec::new();
        for relaxation in self.relaxations() {
            let seed = seed.child("spline/pairs", plans.len() as u64);
            let found = couplings.plan(problem, relaxation, self.mass, seed, progress)?;
            plans.push((relaxation, found));
            done += 1;
            report(progress, Event::Step { done })?;
        }
        report(progress, Event::End)?;
        let attraction = self.attraction(problem, progress)?;
        Ok(Woven {
            problem,
            plans,
            bend,
            variance: couplings.variance,
            mass: self.mass,
            residual: None,
            attraction,
            n_found: done,
        })
    }
}

impl SplineSolver {
    /// The attraction to the cells of both snapshots. `None` if κ is zero or the cells have no
    /// distance from each other.
    fn attraction(
        &self,
        problem: &BridgeProblem,
        progress: &mut dyn Progress,
    ) -> Result<Option<Attraction>> {
        if self.pull <= 0.0 {
            return Ok(None);
        }
        let (x, y) = (problem.source().points(), problem.target().points());
        let cells = ndarray::concatenate![Axis(0), x, y];
        let found = neighbours(cells.view(), 1, &mut Unseen(progress))?;
        let mut nearest: Vec<f64> = found.distances().iter().copied().collect();
        let middle = nearest.len() / 2;
        let median = *nearest.select_nth_unstable_by(middle, f64::total_cmp).1;
        let width = self.pull_width * median;
        // Cells in one position give no scale for the kernel.
        Ok((width > 0.0).then_some(Attraction { strength: self.pull, width }))
    }
}

impl CourseSolver for SplineSolver {
    fn solve_course(
        &self,
        course: &Course,
        seed: Seed,
        progress: &mut dyn Progress,
    ) -> Result<Vec<(Box<dyn Bridge>, FitReport)>> {
        (0..course.problems().len()).map(|k| self.solve_one(course, k, seed, progress)).collect()
    }

    /// One interval: it needs the couplings of this interval, and for the velocities those of its
    /// two neighbours.
    fn solve_one(
        &self,
        course: &Course,
        k: usize,
        seed: Seed,
        progress: &mut dyn Progress,
    ) -> Result<(Box<dyn Bridge>, FitReport)> {
        let mut woven = self.weave(course, k, seed.child("spline", k as u64), progress)?;
        let ends = match self.width {
            Width::Noise => None,
            Width::Ends => Some(Ends::Switched),
            Width::Map => Some(Ends::Own),
        };
        let bridge: Box<dyn Bridge> = match ends {
            None => Box::new(woven.bridge(&self.members, self.noise_back, progress)?),
            Some(ends) => Box::new(woven.by_ends(&self.members, ends, progress)?),
        };
        Ok((bridge, report_of(&woven)))
    }
}

impl BridgeSolver for SplineSolver {
    /// A single interval has no neighbours, so its paths are straight.
    fn solve(
        &self,
        problem: &BridgeProblem,
        seed: Seed,
        progress: &mut dyn Progress,
    ) -> Result<(Box<dyn Bridge>, FitReport)> {
        self.solve_one(&Course::of_one(problem)?, 0, seed, progress)
    }
}

/// The bend of interval `k`, from the mean partners of the intervals from `first` on.
fn bend_of(course: &Course, k: usize, first: usize, means: &[(Array2<f64>, Array2<f64>)]) -> Bend {
    let times = course.times();
    let stretch = |interval: usize| {
        let (of_source, of_target) = means.get(interval.checked_sub(first)?)?;
        Some(Stretch { of_source, of_target, length: times[interval + 1] - times[interval] })
    };
    let problem = &course.problems()[k];
    let (x, y) = (problem.source().points().to_owned(), problem.target().points().to_owned());
    let before = k.checked_sub(1).and_then(stretch);
    match stretch(k) {
        Some(here) => bend(&x, &y, &here, before.as_ref(), stretch(k + 1).as_ref()),
        None => Bend { source: Array2::zeros(x.dim()), target: Array2::zeros(y.dim()) },
    }
}

/// Trace of the covariance of all cells of a course; 1 if all cells are equal.
fn total_variance(course: &Course) -> f64 {
    let problems = course.problems();
    let last = problems.last().map(|problem| problem.target().points());
    let all: Vec<_> = problems.iter().map(|p| p.source().points()).chain(last).collect();
    let n: usize = all.iter().map(ndarray::ArrayView2::nrows).sum();
    let mut mean = ndarray::Array1::<f64>::zeros(course.dim());
    for points in &all {
        mean += &points.sum_axis(Axis(0));
    }
    mean /= n as f64;
    let spread: f64 = all.iter().map(|points| (points - &mean).mapv(|off| off * off).sum()).sum();
    // If all cells are equal, every unit is as good as another.
    if spread > 0.0 { spread / n as f64 } else { 1.0 }
}
