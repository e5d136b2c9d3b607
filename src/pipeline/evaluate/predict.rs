//! What is said of a held-out time without having seen it: by methods, and by simple nulls.

use ndarray::{Array1, Array2, Axis, concatenate};
use rand::seq::SliceRandom;

use crate::bridge::{Mass, UnitTime, draw_cells};
use crate::data::{Snapshot, grown};
use crate::error::Result;
use crate::io::validation::SolvedRecord;
use crate::metrics::Resamples;
use crate::pipeline::choice::SolverChoice;
use crate::pipeline::config::FitOptions;
use crate::pipeline::evaluate::fold::Fold;
use crate::pipeline::evaluate::options::{EvaluateOptions, Method};
use crate::pipeline::fit::to_value;
use crate::pipeline::solve::{Solved, Task};
use crate::progress::Progress;
use crate::rng::Seed;

/// Predicted cells, in data units.
#[derive(Clone)]
pub(super) struct Prediction {
    pub(super) name: String,
    pub(super) cells: Snapshot,
    /// How often each of them is taken in each resample: as often as the cell it comes from.
    pub(super) resamples: Resamples,
    pub(super) kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A method.
    Method,
    /// Something simple that a method should beat.
    Null,
    /// No prediction: how far apart other things are.
    Scale,
}

/// The resamples of the cells before and after.
pub(super) struct Sources<'a> {
    pub(super) earlier: &'a Resamples,
    pub(super) later: &'a Resamples,
}

/// Cells that the population of a growing method is drawn as where whole populations are compared.
const N_DRAWN: usize = 10_000;

/// `method` without the held-out time: every cell of the time before carried to it, with equal
/// weights; and, if it knows growth, the population with growth in it.
///
/// A solver that can keep the earlier weights or leave them is asked for both.
pub(super) fn by_method(
    fold: &Fold,
    (method, options): (&Method, &EvaluateOptions),
    sources: &Sources<'_>,
    progress: &mut dyn Progress,
) -> Result<(Vec<Prediction>, Vec<SolvedRecord>)> {
    let weighted_name = format!("{}:weighted", method.name);
    let (kept, relaxed) =
        (method.solver.with_mass(Mass::Kept), method.solver.with_mass(Mass::Relaxed));
    if let (Some(kept), Some(relaxed)) = (kept, relaxed) {
        let strict = solve(fold, (&method.name, kept), options, progress)?;
        let weighted = solve(fold, (&weighted_name, relaxed), options, progress)?;
        let mut predictions = vec![strict.carried(fold, method.name.clone(), sources)?];
        predictions.extend(weighted.grown(fold, weighted_name, (sources, options))?);
        return Ok((predictions, vec![strict.record, weighted.record]));
    }
    let found = solve(fold, (&method.name, method.solver.clone()), options, progress)?;
    let mut predictions = vec![found.carried(fold, method.name.clone(), sources)?];
    predictions.extend(found.grown(fold, weighted_name, (sources, options))?);
    Ok((predictions, vec![found.record]))
}

/// A method's bridge over the gap.
struct Bridged {
    solved: Solved,
    record: SolvedRecord,
    seed: Seed,
}

fn solve(
    fold: &Fold,
    (name, solver): (&str, SolverChoice),
    options: &EvaluateOptions,
    progress: &mut dyn Progress,
) -> Result<Bridged> {
    let options = FitOptions { solver, ..options.fit.clone() };
    let known = (fold.growth.as_ref(), fold.cell_times.as_slice());
    let mut task = Task::new(&fold.series, (&fold.units, &options), known)?;
    let parameters = to_value(task.settle(progress)?)?;
    let solved = task.only(fold.interval, progress)?;
    let record = SolvedRecord {
        name: name.to_string(),
        stop: solved.report.stop.to_string(),
        iterations: solved.report.iterations,
        parameters,
    };
    let seed = Seed(options.seed).child("evaluate/carried", fold.interval as u64);
    Ok(Bridged { solved, record, seed })
}

impl Bridged {
    /// Every cell of the time before, once, with equal weights.
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

    /// The population with growth in it, if growth is known: draws of the cells of the time before
    /// by the weights they have at the held-out time.
    fn grown(
        &self,
        fold: &Fold,
        name: String,
        (sources, options): (&Sources<'_>, &EvaluateOptions),
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

/// What costs nothing to predict, under the names that Waddington-OT gave, and those of a kind.
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

/// Every earlier cell with a later one that is drawn at random, and the point between them.
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
