//! Snapshots → one bridge for each interval, each kept as soon as it is found.

use std::sync::Arc;

use ndarray::Array1;

use crate::bridge::{
    Bridge, BridgeProblem, BridgeSolver, Course, CourseSolver, FitReport, Stop, UnitTime,
};
use crate::data::{Snapshot, TimeSeries};
use crate::error::Result;
use crate::geometry::Epsilon;
use crate::io::model::{Header, Interval, PartialModel};
use crate::metrics::{CloudComparison, Comparison};
use crate::pipeline::config::{FitOptions, Solver};
use crate::pipeline::growth::Growing;
use crate::pipeline::recorder::Within;
use crate::progress::{self, Event, Progress, Unseen};
use crate::rng::Seed;

/// Cells of each side that are compared when a bridge is checked, at most.
const CHECKED_CELLS: usize = 500;

/// Solves every interval of `series` and keeps it in `partial`; what is there already is taken
/// over.
pub(super) fn solve(
    series: &TimeSeries,
    (header, options): (&Header, &FitOptions),
    (rates, cell_times): (Option<&Array1<f64>>, &[f64]),
    partial: &PartialModel,
    progress: &mut dyn Progress,
) -> Result<Vec<Interval>> {
    let problems = problems(series, header)?;
    let growing = problems
        .iter()
        .zip(series.times().windows(2))
        .enumerate()
        .map(|(k, (problem, ends))| Growing {
            observed: problem.source().clone(),
            prior: rates.map(|rates| Growing::rates(series, k, rates, cell_times)),
            length: ends[1] - ends[0],
        })
        .collect();
    let job = Job {
        times: series.times(),
        scale: header.scale,
        seed: options.seed,
        n_rounds: options.growth.iterations,
        growing,
        partial,
    };
    match options.solver.solver() {
        Solver::Each(solver) => {
            let solvers = options.reference.solvers(solver.into(), series, header, progress)?;
            job.each(&solvers, &problems, progress)
        }
        Solver::Joint(solver) => job.joint(&*solver, &problems, progress),
    }
}

/// The problem of each interval, in coordinates divided by the scale and local time.
fn problems(series: &TimeSeries, header: &Header) -> Result<Vec<BridgeProblem>> {
    // Built as the model is read back: a bridge is restored with the same bits.
    let scaled = |snapshot: &Snapshot| Snapshot::new(&snapshot.points() / header.scale);
    let snapshots: Vec<Snapshot> = series.snapshots().iter().map(scaled).collect::<Result<_>>()?;
    let lengths = series.times().windows(2).map(|pair| pair[1] - pair[0]);
    snapshots
        .windows(2)
        .zip(lengths)
        .map(|(ends, length)| {
            let epsilon = Epsilon::new(header.sigma2 * length / (header.scale * header.scale))?;
            BridgeProblem::new(ends[0].clone(), ends[1].clone(), epsilon)
        })
        .collect()
}

struct Job<'a> {
    times: &'a [f64],
    scale: f64,
    seed: u64,
    /// How often an interval is solved, each time with the growth that the last plan implied.
    n_rounds: usize,
    growing: Vec<Growing>,
    partial: &'a PartialModel,
}

impl Job<'_> {
    fn each(
        &self,
        solvers: &[Arc<dyn BridgeSolver>],
        problems: &[BridgeProblem],
        progress: &mut dyn Progress,
    ) -> Result<Vec<Interval>> {
        let mut intervals = Vec::with_capacity(problems.len());
        for (k, (problem, solver)) in problems.iter().zip(solvers).enumerate() {
            let progress = &mut Within { inner: &mut *progress, place: self.place(k) };
            if let Some(kept) = self.kept(k, progress)? {
                intervals.push(kept);
                continue;
            }
            let mut growing = self.growing[k].clone();
            let mut weighed = growing.problem(problem)?;
            let seed = self.interval_seed(k).child("solve", 0);
            let (mut bridge, mut report) = solver.solve(&weighed, seed, progress)?;
            for round in 1..self.n_rounds {
                let Some(growth) = growing.of(&*bridge)? else { break };
                growing.prior = Some(growth.posterior.into());
                weighed = growing.problem(problem)?;
                let seed = self.interval_seed(k).child("solve", round as u64);
                (bridge, report) = solver.solve(&weighed, seed, progress)?;
            }
            let found = (&*bridge, report);
            intervals.push(self.finish(k, (&weighed, &growing), found, progress)?);
        }
        Ok(intervals)
    }

    fn joint(
        &self,
        solver: &dyn CourseSolver,
        problems: &[BridgeProblem],
        progress: &mut dyn Progress,
    ) -> Result<Vec<Interval>> {
        let kept: Vec<Interval> = (0..problems.len())
            .map_while(|k| self.kept(k, progress).transpose())
            .collect::<Result<_>>()?;
        if kept.len() == problems.len() {
            return Ok(kept);
        }
        let mut growing = self.growing.clone();
        let mut round = 0;
        let (course, solved) = loop {
            let weighed = problems.iter().zip(&growing).map(|(problem, g)| g.problem(problem));
            let course = Course::new(self.times.to_vec(), weighed.collect::<Result<_>>()?)?;
            let seed = Seed(self.seed).child("course", round);
            let solved = solver.solve_course(&course, seed, progress)?;
            round += 1;
            if round as usize >= self.n_rounds {
                break (course, solved);
            }
            for (growing, (bridge, _)) in growing.iter_mut().zip(&solved) {
                if let Some(growth) = growing.of(&**bridge)? {
                    growing.prior = Some(growth.posterior.into());
                }
            }
        };
        let mut intervals = Vec::with_capacity(solved.len());
        for (k, (bridge, report)) in solved.into_iter().enumerate() {
            let progress = &mut Within { inner: &mut *progress, place: self.place(k) };
            let place = (&course.problems()[k], &growing[k]);
            intervals.push(self.finish(k, place, (&*bridge, report), progress)?);
        }
        Ok(intervals)
    }

    fn place(&self, k: usize) -> String {
        let (from, to, n) = (self.times[k], self.times[k + 1], self.times.len() - 1);
        format!("{from} → {to} ({} of {n})", k + 1)
    }

    fn kept(&self, k: usize, progress: &mut dyn Progress) -> Result<Option<Interval>> {
        let kept = self.partial.interval(self.times[k], self.times[k + 1])?;
        if kept.is_some() {
            progress::report(progress, Event::Aside { text: "found before, taken over".into() })?;
        }
        Ok(kept)
    }

    fn interval_seed(&self, k: usize) -> Seed {
        Seed(self.seed).child("interval", k as u64)
    }

    fn finish(
        &self,
        k: usize,
        (problem, growing): (&BridgeProblem, &Growing),
        (bridge, mut report): (&dyn Bridge, FitReport),
        progress: &mut dyn Progress,
    ) -> Result<Interval> {
        if report.stop == Stop::MaxIterations {
            let text = format!(
                "did not converge within {} iterations; the bridge is kept and marked",
                report.iterations
            );
            progress::note(progress, text)?;
        }
        let seed = self.interval_seed(k).child("check", 0);
        let fit = check_end(bridge, problem, self.scale, seed, progress)?;
        let growth = growing.of(bridge)?;
        if let Some(growth) = &growth {
            report.details.extend(growing.details(growth)?);
        }
        let interval = Interval {
            from: self.times[k],
            to: self.times[k + 1],
            epsilon: problem.epsilon().value(),
            report,
            fit,
            bridge: bridge.record(),
            growth,
        };
        self.partial.keep(&interval)?;
        Ok(interval)
    }
}

/// How far the bridge's end is from the target snapshot, in data units, beside what two halves
/// of the target are apart.
fn check_end(
    bridge: &dyn Bridge,
    problem: &BridgeProblem,
    scale: f64,
    seed: Seed,
    progress: &mut dyn Progress,
) -> Result<Vec<(String, Option<f64>)>> {
    // Where the solver relaxed the source marginal it is the plan's that leads to the target.
    let source = match bridge.plan_marginal() {
        None => problem.source().clone(),
        Some(plan) => Snapshot::weighted(problem.source().points().to_owned(), plan.to_owned())?,
    };
    let n = source.n_cells();
    let pushed = bridge.population(&source, UnitTime::END, n, seed.child("push", 0))?;
    let predicted = Snapshot::new(pushed * scale)?;
    let target = problem.target();
    let observed = Snapshot::weighted(&target.points() * scale, target.marginal().to_owned())?;
    if predicted.n_cells() < 2 || observed.n_cells() < 4 {
        progress::note(progress, "too few cells to say how well the bridge fits")?;
        return Ok(Comparison::NAMES.iter().map(|name| ((*name).to_string(), None)).collect());
    }
    let checked = CloudComparison { max_cells: CHECKED_CELLS, ..CloudComparison::default() };
    let begin = Event::Begin { what: "comparing its end with the snapshot".into(), total: 1 };
    progress::report(progress, begin)?;
    let unseen = &mut Unseen(&mut *progress);
    let found = checked.compare(&predicted, &observed, seed.child("compare", 0), unseen)?;
    progress::report(progress, Event::End)?;
    let entry =
        |(name, value): (&str, f64)| (name.to_string(), Some(value).filter(|v| v.is_finite()));
    Ok(found.rows().into_iter().map(entry).collect())
}
