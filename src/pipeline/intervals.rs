//! Each interval solved, checked against its snapshot, and kept as soon as it is found.

use crate::bridge::{Bridge, BridgeProblem, Stop, UnitTime};
use crate::data::Snapshot;
use crate::error::{Error, Result};
use crate::io::model::{Interval, PartialModel};
use crate::metrics::{CloudComparison, Comparison};
use crate::pipeline::recorder::Within;
use crate::pipeline::solve::{Solved, Solvers, Task};
use crate::progress::{self, Event, Progress, Unseen};
use crate::rng::Seed;

/// Cells of each side that are compared when a bridge is checked, at most.
const CHECKED_CELLS: usize = 500;

/// Solves every interval of `task` and keeps it in `partial`; what is there already is taken over.
pub(super) fn intervals(
    task: &Task<'_>,
    partial: &PartialModel,
    progress: &mut dyn Progress,
) -> Result<Vec<Interval>> {
    let job = Job { task, partial };
    match task.solvers(progress)? {
        Solvers::Each(solvers) => {
            let mut intervals = Vec::with_capacity(solvers.len());
            for (k, solver) in solvers.iter().enumerate() {
                let progress = &mut Within { inner: &mut *progress, place: job.place(k) };
                if let Some(kept) = job.kept(k, progress)? {
                    intervals.push(kept);
                    continue;
                }
                let solved = task.interval(k, &**solver, progress)?;
                intervals.push(job.finish(k, solved, progress)?);
            }
            Ok(intervals)
        }
        Solvers::Joint(solver) => {
            let kept: Vec<Interval> = (0..task.n_intervals())
                .map_while(|k| job.kept(k, progress).transpose())
                .collect::<Result<_>>()?;
            if kept.len() == task.n_intervals() {
                return Ok(kept);
            }
            let solved = task.course(&*solver, progress)?;
            let mut intervals = Vec::with_capacity(solved.len());
            for (k, solved) in solved.into_iter().enumerate() {
                let progress = &mut Within { inner: &mut *progress, place: job.place(k) };
                intervals.push(job.finish(k, solved, progress)?);
            }
            Ok(intervals)
        }
    }
}

struct Job<'a> {
    task: &'a Task<'a>,
    partial: &'a PartialModel,
}

impl Job<'_> {
    fn place(&self, k: usize) -> String {
        let (from, to) = self.task.ends(k);
        format!("{from} → {to} ({} of {})", k + 1, self.task.n_intervals())
    }

    fn kept(&self, k: usize, progress: &mut dyn Progress) -> Result<Option<Interval>> {
        let (from, to) = self.task.ends(k);
        let (text, kept) = match self.partial.interval(from, to, self.task.problem(k)) {
            Ok(None) => return Ok(None),
            Ok(kept) => ("found before, taken over".to_string(), kept),
            Err(error @ (Error::Unreadable { .. } | Error::NoFile { .. })) => {
                (format!("what was found before cannot be used and is fitted anew: {error}"), None)
            }
            Err(error) => return Err(error),
        };
        // Not a note: the record of the run is the same whatever was there before.
        progress::report(progress, Event::Aside { text })?;
        Ok(kept)
    }

    fn finish(&self, k: usize, solved: Solved, progress: &mut dyn Progress) -> Result<Interval> {
        let Solved { problem, growing, bridge, mut report } = solved;
        if report.stop == Stop::MaxIterations {
            let text = format!(
                "did not converge within {} iterations; the bridge is kept and marked",
                report.iterations
            );
            progress::note(progress, text)?;
        }
        let seed = self.task.seed(k).child("check", 0);
        let fit = check_end(&*bridge, &problem, self.task.scale(), seed, progress)?;
        let growth = growing.of(&*bridge)?;
        if let Some(growth) = &growth {
            report.details.extend(growing.details(growth)?);
        }
        let (from, to) = self.task.ends(k);
        let epsilon = problem.epsilon().value();
        let bridge = bridge.record();
        let interval = Interval { from, to, epsilon, report, fit, bridge, growth };
        self.partial.keep(&interval, self.task.problem(k))?;
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
    // All cells are carried, since their variance is compared too.
    let pushed = {
        // Where the solver relaxed the source marginal it is the plan's that leads to the target.
        let source = match bridge.plan_marginal() {
            None => problem.source().clone(),
            Some(plan) => {
                Snapshot::weighted(problem.source().points().to_owned(), plan.to_owned())?
            }
        };
        bridge.population(&source, UnitTime::END, source.n_cells(), seed.child("push", 0))?
    };
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
