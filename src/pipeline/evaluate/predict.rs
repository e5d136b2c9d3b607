//! What is said of a held-out time without having seen it: by methods, and by simple nulls.

use ndarray::{Array1, Array2, Axis, concatenate};
use rand::seq::SliceRandom;

use crate::bridge::UnitTime;
use crate::data::{Snapshot, grown};
use crate::error::Result;
use crate::io::validation::SolvedRecord;
use crate::metrics::Resamples;
use crate::pipeline::config::FitOptions;
use crate::pipeline::evaluate::fold::Fold;
use crate::pipeline::evaluate::options::Method;
use crate::pipeline::fit::to_value;
use crate::pipeline::solve::{Solved, Task};
use crate::progress::Progress;
use crate::rng::Seed;

/// Predicted cells, in data units.
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

/// `method` without the held-out time: every cell of the time before carried to it, with equal
/// weights, and with the weights of growth if it knows growth.
pub(super) fn by_method(
    fold: &Fold,
    (method, fit): (&Method, &FitOptions),
    sources: &Sources<'_>,
    progress: &mut dyn Progress,
) -> Result<(Vec<Prediction>, SolvedRecord)> {
    let options = FitOptions { solver: method.solver.clone(), ..fit.clone() };
    let known = (fold.growth.as_ref(), fold.cell_times.as_slice());
    let task = Task::new(&fold.series, (&fold.units, &options), known)?;
    let solved = task.only(fold.interval, progress)?;
    let seed = Seed(fit.seed).child("evaluate/carried", fold.interval as u64);
    let Solved { problem: _, growing, bridge, report } = &solved;
    let observed = &growing.observed;
    let local = UnitTime::new(fold.local())?;
    let carried = bridge.sample_transition(observed.points(), UnitTime::START, local, seed)?;
    let points = carried * fold.units.scale;
    let prediction = |name: String, cells: Snapshot| Prediction {
        name,
        cells,
        resamples: sources.earlier.clone(),
        kind: Kind::Method,
    };
    let mut predictions = vec![prediction(method.name.clone(), Snapshot::new(points.clone())?)];
    if let Some(growth) = growing.of(&**bridge)? {
        let rates = Array1::from(growth.posterior);
        let weighed = grown(observed, rates.view(), growing.length * fold.local())?;
        let cells = Snapshot::weighted(points, weighed.marginal().to_owned())?;
        predictions.push(prediction(format!("{}:weighted", method.name), cells));
    }
    let record = SolvedRecord {
        name: method.name.clone(),
        stop: report.stop.to_string(),
        iterations: report.iterations,
        parameters: to_value(&method.solver)?,
    };
    Ok((predictions, record))
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
