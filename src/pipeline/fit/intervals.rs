//! The bridge of each interval: solved, compared with the later snapshot, and written at once.

use crate::bridge::{Bridge, BridgeProblem, Stop, UnitTime};
use crate::data::Snapshot;
use crate::error::{Error, Result, number};
use crate::io::model::{Interval, PartialModel};
use crate::metrics::{CloudComparison, Comparison};
use crate::pipeline::fit::selection::Selection;
use crate::pipeline::fit::solve::{Solved, Solvers, Task};
use crate::pipeline::shared::recorder::Within;
use crate::progress::{self, Event, Progress, Unseen};
use crate::rng::Seed;
use crate::share::{self, Division};

/// Largest number of cells on each side of the comparison of a bridge's end with the snapshot.
const CHECKED_CELLS: usize = 500;

/// A bridge misses its end if both W1 and the energy distance exceed this multiple of the noise floor.
/// Chance, or a bridge that is a little too narrow, gives much less.
const FLOORS: f64 = 3.0;
/// A bridge also misses its end if the variance ratio exceeds this number or is below its inverse.
const SPREAD: f64 = 2.0;

/// Solves every interval of `task` and writes each to `partial` as soon as it is found. Intervals that
/// `partial` has already are not solved again.
///
/// A solver of whole courses solves all intervals, unless `partial` has all of them.
///
/// # Errors
/// Those of the solver, the comparison and the files; [`Error::Cancelled`].
pub(super) fn intervals(
    task: &Task<'_>,
    partial: &PartialModel,
    progress: &mut dyn Progress,
) -> Result<Vec<Interval>> {
    let job = Job { task, partial };
    match task.solvers(progress)? {
        Solvers::Each(solvers) => {
            let sizes = task.series().snapshots().iter().map(Snapshot::n_cells).collect::<Vec<_>>();
            let division = division_of(task.series().times(), &sizes);
            let all = share::divided(&division, progress, &mut |range, progress| {
                let one = |k: usize| {
                    let progress = &mut Within { inner: &mut *progress, place: job.place(k) };
                    match job.kept(k, progress)? {
                        Some(kept) => Ok(kept),
                        None => job.finish(k, task.interval(k, &*solvers[k], progress)?, progress),
                    }
                };
                range.map(one).collect()
            })?;
            job.complete(&all)?;
            Ok(all)
        }
        Solvers::Joint(solver) => {
            share::undivided(progress)?;
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

/// The division of the intervals between the times of `selection`.
pub(super) fn division(selection: &Selection) -> Division {
    let levels = &selection.axis.levels;
    let times: Vec<f64> = levels.iter().map(|level| level.time).collect();
    let sizes: Vec<usize> = levels.iter().map(|level| level.n_cells).collect();
    division_of(&times, &sizes)
}

/// The division of the intervals between `times` with `sizes` cells. Work is the number of pairs of cells.
fn division_of(times: &[f64], sizes: &[usize]) -> Division {
    let parts = times.windows(2).map(|ends| name(ends[0], ends[1])).collect();
    let work = sizes.windows(2).map(|ends| ends[0] as f64 * ends[1] as f64).collect();
    Division { work, ..Division::even("intervals", parts) }
}

/// The name of the interval between two times.
fn name(from: f64, to: f64) -> String {
    format!("{from} → {to}")
}

/// The task with the folder of the unfinished model.
struct Job<'a> {
    task: &'a Task<'a>,
    partial: &'a PartialModel,
}

impl Job<'_> {
    /// The times at the ends of interval `k`.
    fn name(&self, k: usize) -> String {
        let (from, to) = self.task.ends(k);
        name(from, to)
    }

    /// The words for interval `k` before every message.
    fn place(&self, k: usize) -> String {
        format!("{} ({} of {})", self.name(k), k + 1, self.task.n_intervals())
    }

    /// Writes those of all `intervals` that another process has found.
    fn complete(&self, intervals: &[Interval]) -> Result<()> {
        for (k, interval) in intervals.iter().enumerate() {
            let problem = self.task.problem(k);
            if self.partial.interval(interval.from, interval.to, problem)?.is_none() {
                self.partial.keep(interval, problem)?;
            }
        }
        Ok(())
    }

    /// Interval `k` as an earlier run has written it; `None` if there is none that can be read.
    fn kept(&self, k: usize, progress: &mut dyn Progress) -> Result<Option<Interval>> {
        let (from, to) = self.task.ends(k);
        let (text, kept) = match self.partial.interval(from, to, self.task.problem(k)) {
            Ok(None) => return Ok(None),
            Ok(kept) => ("found before, taken over".to_string(), kept),
            Err(error @ (Error::Unreadable { .. } | Error::NoFile { .. })) => {
                (format!("the earlier result cannot be used and is fitted again: {error}"), None)
            }
            Err(error) => return Err(error),
        };
        // An aside, since the record of the run must not depend on earlier runs.
        progress::report(progress, Event::Aside { text })?;
        Ok(kept)
    }

    /// Compares the bridge's end with the later snapshot, notes a failure, and writes the interval.
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
        let found = check_end(&*bridge, &problem, self.task.scale(), seed, progress)?;
        let (from, to) = self.task.ends(k);
        if let Some(text) = found.as_ref().and_then(|found| missed(found, to)) {
            progress::note(progress, text)?;
        }
        let fit = found.map_or_else(nothing_known, |found| {
            let finite = |value: f64| Some(value).filter(|value| value.is_finite());
            found.rows().map(|(name, value)| (name.to_string(), finite(value))).to_vec()
        });
        let growth = growing.of(&*bridge)?;
        if let Some(growth) = &growth {
            report.details.extend(growing.details(growth)?);
        }
        let (share, coupling_growth) = self.task.coupling_growth(k).unzip();
        report.details.extend(share.map(|share| ("growth_share".to_string(), share)));
        let epsilon = problem.epsilon().value();
        let bridge = bridge.record();
        let interval = Interval { from, to, epsilon, report, fit, bridge, growth, coupling_growth };
        self.partial.keep(&interval, self.task.problem(k))?;
        Ok(interval)
    }
}

/// The distances between the bridge's end and the later snapshot in data units, with the noise floor.
/// `None`, with a note, if a side has too few cells.
///
/// The components of a fit are learnt from both sides alike, so that their overfit widens both. A cross-fit
/// as in `evaluate`, where held-out cells take no part in learning, is not needed here.
///
/// All source cells are carried, since the variance of the end is compared too. Distances use at most
/// [`CHECKED_CELLS`] cells of each side.
///
/// # Errors
/// Those of the bridge and of the comparison; [`Error::Cancelled`].
fn check_end(
    bridge: &dyn Bridge,
    problem: &BridgeProblem,
    scale: f64,
    seed: Seed,
    progress: &mut dyn Progress,
) -> Result<Option<Comparison>> {
    let pushed = {
        // With a relaxed source marginal, only the marginal of the coupling leads to the target.
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
        progress::note(progress, "too few cells to measure how well the bridge fits")?;
        return Ok(None);
    }
    let checked = CloudComparison { max_cells: CHECKED_CELLS, ..CloudComparison::default() };
    let begin = Event::Begin { what: "comparing its end with the snapshot".into(), total: 1 };
    progress::report(progress, begin)?;
    let unseen = &mut Unseen(&mut *progress);
    let found = checked.compare(&predicted, &observed, seed.child("compare", 0), unseen)?;
    progress::report(progress, Event::End)?;
    Ok(Some(found))
}

/// The columns of a comparison that could not be made.
fn nothing_known() -> Vec<(String, Option<f64>)> {
    Comparison::NAMES.iter().map(|name| ((*name).to_string(), None)).collect()
}

/// The note that the bridge's end is far from the snapshot at `to`, if it is. A solver can converge and
/// still miss the snapshot, for example by a local optimum.
fn missed(found: &Comparison, to: f64) -> Option<String> {
    let far =
        found.w1 > FLOORS * found.floor_w1 && found.energy > FLOORS * found.floor_energy.abs();
    let spread = found.variance_ratio > SPREAD || found.variance_ratio < 1.0 / SPREAD;
    (far || spread).then(|| {
        format!(
            "the end of the bridge misses the snapshot at {to}: energy distance {} (noise floor {}), W1 {} \
             (noise floor {}), variance ratio {}; look for outlying cells, or try another solver",
            number(found.energy),
            number(found.floor_energy),
            number(found.w1),
            number(found.floor_w1),
            number(found.variance_ratio)
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bridge_that_ends_elsewhere_is_said_and_chance_is_not() {
        let near = Comparison {
            w1: 2.4,
            w2: 2.5,
            energy: 0.011,
            sliced_w2: 1.0,
            floor_w1: 2.0,
            floor_w2: 2.1,
            floor_energy: -0.004,
            floor_sliced_w2: 0.9,
            variance_ratio: 0.88,
            n_used: 500,
            n_floor: 250,
        };
        assert_eq!(missed(&near, 2.0), None);
        // Wide by a few cells that are far away, which distances between most cells do not show.
        let wide = Comparison { variance_ratio: 246.0, ..near.clone() };
        let said = missed(&wide, 2.0).unwrap();
        assert!(said.contains("misses the snapshot at 2") && said.contains("variance ratio 246"));
        let narrow = Comparison { variance_ratio: 0.4, ..near.clone() };
        assert!(missed(&narrow, 2.0).is_some());
        let elsewhere = Comparison { w1: 6.1, energy: 0.5, ..near.clone() };
        assert!(missed(&elsewhere, 2.0).unwrap().contains("energy distance 0.500"));
        // One of the two distances alone may be chance.
        assert_eq!(missed(&Comparison { energy: 0.5, ..near }, 2.0), None);
    }
}
