//! Predictions of a held-out time from the other times: by methods and by null models.

use ndarray::{Array1, Array2, Axis, concatenate};
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

use crate::bridge::{Mass, UnitTime, draw_cells};
use crate::data::{Snapshot, grown};
use crate::error::Result;
use crate::io::run::to_value;
use crate::io::validation::SolvedRecord;
use crate::metrics::Resamples;
use crate::pipeline::evaluate::fold::Fold;
use crate::pipeline::evaluate::options::{EvaluateOptions, Method};
use crate::pipeline::fit::options::FitOptions;
use crate::pipeline::fit::solve::{Solved, Task};
use crate::pipeline::solvers::SolverChoice;
use crate::progress::Progress;
use crate::rng::Seed;

/// The predicted cells of a held-out time.
pub(super) struct Prediction {
    /// The name in tables and files.
    pub(super) name: String,
    /// The predicted cells in data units.
    pub(super) cells: Snapshot,
    /// How often each predicted cell is taken in each resample: as often as the cell that it comes from.
    pub(super) resamples: Resamples,
    /// A method, a null model or a scale.
    pub(super) kind: Kind,
}

/// The role of a row in the tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Kind {
    /// A method.
    Method,
    /// A null model: a simple prediction that a method should beat.
    Null,
    /// A distance for comparison, which is no prediction.
    Scale,
}

/// The resamples of the cells that predictions come from.
pub(super) struct Sources<'a> {
    /// Of the cells of the time before.
    pub(super) earlier: &'a Resamples,
    /// Of the cells of the time after.
    pub(super) later: &'a Resamples,
}

/// Number of draws that represent a population with growth where whole populations are compared.
const N_DRAWN: usize = 10_000;

/// The predictions of `method`. The strict one carries every cell of the time before to the held-out
/// time, with equal weights. The weighted one, named `NAME:weighted`, is the population with growth; it
/// exists if the method knows growth.
///
/// A solver that can keep or relax the earlier weights is run in both ways. Returns a record of each run
/// beside the predictions.
///
/// # Errors
/// Those of the solver; [`crate::Error::Cancelled`].
pub(super) fn by_method(
    fold: &Fold,
    method: &Method,
    options: &EvaluateOptions,
    sources: &Sources<'_>,
    progress: &mut dyn Progress,
) -> Result<(Vec<Prediction>, Vec<SolvedRecord>)> {
    let weighted_name = format!("{}:weighted", method.name);
    let (kept, relaxed) =
        (method.solver.with_mass(Mass::Kept), method.solver.with_mass(Mass::Relaxed));
    if let (Some(kept), Some(relaxed)) = (kept, relaxed) {
        let strict = solve(fold, &method.name, kept, options, progress)?;
        let weighted = solve(fold, &weighted_name, relaxed, options, progress)?;
        let mut predictions = vec![strict.carried(fold, method.name.clone(), sources)?];
        predictions.extend(weighted.grown(fold, weighted_name, sources, options)?);
        return Ok((predictions, vec![strict.record, weighted.record]));
    }
    let found = solve(fold, &method.name, method.solver.clone(), options, progress)?;
    let mut predictions = vec![found.carried(fold, method.name.clone(), sources)?];
    predictions.extend(found.grown(fold, weighted_name, sources, options)?);
    Ok((predictions, vec![found.record]))
}

/// The bridge of a method over the gap.
struct Bridged {
    /// The bridge with its problem and report.
    solved: Solved,
    /// The record for `validation.json`.
    record: SolvedRecord,
    /// The seed of the draws from the bridge.
    seed: Seed,
}

/// Fits the bridge of `solver` over the interval that contains the held-out time.
///
/// A solver of single intervals solves this interval only. A solver of whole courses sees all remaining
/// times. A solver that chooses from the data chooses by inner times of the remaining course.
///
/// # Errors
/// Those of the solver; [`crate::Error::Cancelled`].
fn solve(
    fold: &Fold,
    name: &str,
    solver: SolverChoice,
    options: &EvaluateOptions,
    progress: &mut dyn Progress,
) -> Result<Bridged> {
    let options = FitOptions { solver, ..options.fit.clone() };
    let growth = fold.growth.as_ref();
    let mut task = Task::new(&fold.series, &fold.units, &options, growth, &fold.cell_times)?;
    let parameters = to_value(task.settle(progress)?)?;
    let solved = task.only(fold.interval, progress)?;
    let record = SolvedRecord {
        name: name.to_string(),
        part: 0,
        stop: solved.report.stop.to_string(),
        iterations: solved.report.iterations,
        parameters,
    };
    let seed = Seed(options.seed).child("evaluate/carried", fold.interval as u64);
    Ok(Bridged { solved, record, seed })
}

impl Bridged {
    /// The strict prediction: one draw at the held-out time for every cell of the time before.
    ///
    /// # Errors
    /// Those of the bridge's transition kernel.
    fn carried(&self, fold: &Fold, name: String, sources: &Sources<'_>) -> Result<Prediction> {
        let observed = &self.solved.growing.observed;
        let local = UnitTime::new(fold.local())?;
        let points = self.solved.bridge.sample_transition(
            observed.points(),
            UnitTime::START,
            local,
            self.seed,
        )?;
        let cells = Snapshot::new(points * fold.units.scale)?;
        Ok(Prediction { name, cells, resamples: sources.earlier.clone(), kind: Kind::Method })
    }

    /// The weighted prediction, if growth is known: cells of the time before, drawn by the weights of
    /// their descendants at the held-out time, and carried there. There are as many draws as cells, or
    /// [`N_DRAWN`] where whole populations are compared.
    ///
    /// # Errors
    /// Those of the bridge's transition kernel; [`crate::Error::Parameter`] if a rate is not finite.
    fn grown(
        &self,
        fold: &Fold,
        name: String,
        sources: &Sources<'_>,
        options: &EvaluateOptions,
    ) -> Result<Option<Prediction>> {
        let Solved { growing, bridge, .. } = &self.solved;
        let Some(growth) = growing.of(&**bridge)? else { return Ok(None) };
        let (observed, local) = (&growing.observed, UnitTime::new(fold.local())?);
        let rates = Array1::from(growth.posterior);
        let weighed = grown(observed, rates.view(), growing.length * bridge.growth_by(local))?;
        let n = if options.protocol.whole() { N_DRAWN } else { observed.n_cells() };
        let rows = draw_cells(weighed.marginal(), n, self.seed.child("evaluate/drawn", 0));
        let start = observed.points().select(Axis(0), &rows);
        let seed = self.seed.child("evaluate/drawn", 1);
        let points = bridge.sample_transition(start.view(), UnitTime::START, local, seed)?;
        let cells = Snapshot::new(points * fold.units.scale)?;
        let resamples = sources.earlier.select(&rows);
        Ok(Some(Prediction { name, cells, resamples, kind: Kind::Method }))
    }
}

/// The predictions of the null models, some with the names of Waddington-OT.
///
/// - `F`: the cells of the time before; `L`: of the time after
/// - `M`: the time before, shifted along the line between the two means
/// - `FL`: both neighbouring times pooled, weighted by their distance in time
/// - `R`: cells of both times paired at random, at the point between them
/// - `Rg`: as `R`, weighted by the growth prior, if there is one
///
/// # Errors
/// [`crate::Error::Parameter`] if a growth rate is not finite.
pub(super) fn nulls(fold: &Fold, sources: &Sources<'_>, seed: Seed) -> Result<Vec<Prediction>> {
    let [earlier, _, later] = &fold.cells;
    let s = fold.local();
    let null = |name: &str, cells: Snapshot, resamples: Resamples| Prediction {
        name: name.into(),
        cells,
        resamples,
        kind: Kind::Null,
    };
    let of_earlier = || sources.earlier.clone();
    let means = [earlier, later].map(|cells| cells.marginal().dot(&cells.points()));
    let shifted = &earlier.points() + &((&means[1] - &means[0]) * s);
    let pool = {
        let points = concatenate![Axis(0), earlier.points(), later.points()];
        let weights = concatenate![Axis(0), &earlier.marginal() * (1.0 - s), &later.marginal() * s];
        Snapshot::weighted(points, weights)?
    };
    let paired = random_pairs(earlier, later, s, seed);
    let mut all = vec![
        null("F", earlier.clone(), of_earlier()),
        null("L", later.clone(), sources.later.clone()),
        null("M", Snapshot::new(shifted)?, of_earlier()),
        null("FL", pool, sources.earlier.followed_by(sources.later)),
        null("R", Snapshot::new(paired.clone())?, of_earlier()),
    ];
    if let Some(rates) = &fold.growth {
        let time = fold.series.times()[fold.interval];
        let here = |cell: &usize| fold.cell_times[*cell].total_cmp(&time).is_eq();
        let rates: Array1<f64> =
            (0..fold.cell_times.len()).filter(here).map(|cell| rates[cell]).collect();
        let weights = grown(earlier, rates.view(), fold.at - time)?.marginal().to_owned();
        all.push(null("Rg", Snapshot::weighted(paired, weights)?, of_earlier()));
    }
    Ok(all)
}

/// For every earlier cell the point `(1−s) x + s y`, with a later cell y drawn at random without
/// replacement until all later cells are used.
fn random_pairs(earlier: &Snapshot, later: &Snapshot, s: f64, seed: Seed) -> Array2<f64> {
    let mut stream = seed.stream("evaluate/random pairs", 0);
    let mut partners: Vec<usize> = Vec::with_capacity(earlier.n_cells());
    while partners.len() < earlier.n_cells() {
        let mut round: Vec<usize> = (0..later.n_cells()).collect();
        round.shuffle(&mut stream);
        partners.extend(round);
    }
    partners.truncate(earlier.n_cells());
    &earlier.points() * (1.0 - s) + &later.points().select(Axis(0), &partners) * s
}
