//! The division of an evaluation among processes: one unit for each method at each held-out time, and one for its null
//! models.
//!
//! Units of one held-out time that one process does share its folds. [`joined`] puts their results together.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::io::validation::{HeldOutRecord, SolvedRecord, ValidationRow};
use crate::metrics::Drawn;
use crate::pipeline::evaluate::cells::Cells;
use crate::pipeline::evaluate::fold::Fold;
use crate::pipeline::evaluate::options::{EvaluateOptions, Method};
use crate::pipeline::evaluate::part::{Drawing, Part, Settings};
use crate::pipeline::evaluate::score::{Scored, ScoredTime, means, scoring};
use crate::pipeline::evaluate::select::{Inner, inner_distances, said, scores, selected, straight};
use crate::pipeline::evaluate::words;
use crate::pipeline::shared::recorder::Within;
use crate::progress::{self, Progress, Unseen};
use crate::rng::Seed;
use crate::share::Division;

/// The units of the times `held_out`: for each time the null models, then the methods in their order.
pub(super) fn division(cells: &Cells, options: &EvaluateOptions, held_out: &[usize]) -> Division {
    let (times, mut parts) = (cells.times(), Vec::new());
    for &k in held_out {
        let names = options.methods.iter().map(|method| method.name.as_str());
        let all = std::iter::once("null models").chain(names);
        parts.extend(all.map(|name| format!("{name} at {}", times[k])));
    }
    let n = per_time(options);
    let kinds = (0..parts.len()).map(|unit| unit % n).collect();
    Division { kinds, ..Division::even("methods at held-out times", parts) }
}

/// Number of units of each held-out time.
pub(super) fn per_time(options: &EvaluateOptions) -> usize {
    1 + options.methods.len()
}

/// The results of the units `range` of [`division`].
///
/// # Errors
/// Those of fitting and scoring; [`crate::Error::Cancelled`].
pub(super) fn computed(
    cells: &Cells,
    options: &EvaluateOptions,
    held_out: &[usize],
    range: Range<usize>,
    progress: &mut dyn Progress,
) -> Result<Vec<Unit>> {
    let n = per_time(options);
    let mut all = Vec::with_capacity(range.len());
    let mut from = range.start;
    while from < range.end {
        let number = from / n;
        let to = range.end.min((number + 1) * n);
        let units = from - number * n..to - number * n;
        let (k, is_first) = (held_out[number], number == 0);
        let place = format!("without {}", cells.times()[k]);
        let progress = &mut Within { inner: &mut *progress, place };
        all.extend(Time { cells, options, k, is_first, units }.results(progress)?);
        from = to;
    }
    Ok(all)
}

/// The result of a unit.
#[derive(Serialize, Deserialize)]
pub(super) enum Unit {
    /// The time is left out, since it has too few cells.
    LeftOut,
    /// The null models with all that does not depend on a method.
    Nulls(Box<OfNulls>),
    /// A method.
    Method(OfMethod),
}

/// The result of the unit of null models.
#[derive(Serialize, Deserialize)]
pub(super) struct OfNulls {
    /// Whether coordinates were learnt from one half of the training cells, for the other half.
    halved: bool,
    /// The record without methods.
    record: HeldOutRecord,
    /// The scores without methods.
    scored: ScoredTime,
    /// The distances of the straight bridge at inner times in each part, if a method is chosen.
    straight: Vec<Inner>,
}

/// The result of the unit of a method.
#[derive(Serialize, Deserialize)]
pub(super) struct OfMethod {
    /// The scores of its predictions.
    scored: Vec<Scored>,
    /// The record of each run of its solver.
    solved: Vec<SolvedRecord>,
    /// Its distances at inner times in each part, if a method is chosen.
    inner: Vec<Inner>,
}

/// Units of one held-out time that one process does.
struct Time<'a> {
    cells: &'a Cells,
    options: &'a EvaluateOptions,
    /// The number of the time.
    k: usize,
    /// Whether no time is held out before it.
    is_first: bool,
    /// The units: 0 for the null models, 1 for the first method and so on.
    units: Range<usize>,
}

/// The results of a unit in one part of the cross-fit.
struct InPart {
    scored: Vec<Scored>,
    solved: Vec<SolvedRecord>,
    inner: Inner,
    /// All that does not depend on a method, for the unit of null models.
    beside: Option<ScoredTime>,
}

impl Time<'_> {
    /// The results of the units, in order.
    ///
    /// # Errors
    /// Those of fitting and scoring; [`crate::Error::Cancelled`].
    fn results(&self, progress: &mut dyn Progress) -> Result<Vec<Unit>> {
        let Some((parts, settings)) = self.parts(progress)? else {
            return Ok(self.units.clone().map(|_| Unit::LeftOut).collect());
        };
        let mut of_units: Vec<Vec<InPart>> = self.units.clone().map(|_| Vec::new()).collect();
        for part in &parts {
            let found = self.in_part(part, settings, progress)?;
            of_units.iter_mut().zip(found).for_each(|(unit, found)| unit.push(found));
        }
        Ok(of_units.into_iter().map(|found| unit(&parts, found)).collect())
    }

    /// The parts of the cross-fit; `None` if there are too few cells. Notes on them belong to the null models.
    ///
    /// # Errors
    /// Those of [`Fold::all`].
    fn parts(&self, progress: &mut dyn Progress) -> Result<Option<(Vec<Part>, Settings)>> {
        let &Self { cells, options, k, is_first, .. } = self;
        let mut unseen = Unseen(&mut *progress);
        let says = self.units.contains(&0);
        let progress: &mut dyn Progress = if says { progress } else { &mut unseen };
        // The notes on the values are the same for each held-out time and are sent once.
        let folds = Fold::all(cells, options, k, is_first && says, progress)?;
        let sizes = folds.iter().map(|fold| fold.n_per_side(options.max_cells));
        let n_per_side = sizes.min().unwrap_or(0);
        if n_per_side < 4 {
            progress::note(progress, "too few cells to score: left out")?;
            return Ok(None);
        }
        let mut n_bootstrap = options.n_bootstrap;
        for fold in &folds {
            n_bootstrap = resamples_of(cells, fold, n_bootstrap, progress)?;
        }
        let too_few = n_bootstrap < options.n_bootstrap;
        let settings = Settings { n_per_side, n_parts: folds.len(), too_few };
        let seed = Seed(options.fit.seed).child("evaluate", k as u64);
        let part = |(number, fold)| Part::new(cells, fold, Drawing { number, n_bootstrap, seed });
        Ok(Some((folds.into_iter().enumerate().map(part).collect(), settings)))
    }

    /// The results of the units in one part. All predictions are scored together, since that is done in parallel.
    ///
    /// # Errors
    /// Those of fitting and scoring; [`crate::Error::Cancelled`].
    fn in_part(
        &self,
        part: &Part,
        settings: Settings,
        progress: &mut dyn Progress,
    ) -> Result<Vec<InPart>> {
        let &Self { cells, options, .. } = self;
        let method = |unit: usize| unit.checked_sub(1).map(|place| &options.methods[place]);
        let (mut predictions, mut runs) = (Vec::new(), Vec::new());
        for unit in self.units.clone() {
            let (found, solved) = match method(unit) {
                Some(method) => part.predict(method, options, progress)?,
                None => (part.nulls()?, Vec::new()),
            };
            runs.push((found.len(), solved));
            predictions.extend(found);
        }
        let inner = if options.select {
            let compared = self.units.clone().map(|unit| method(unit).cloned());
            let compared: Vec<Method> = compared.map(|of| of.unwrap_or_else(straight)).collect();
            inner_distances(&part.fold, &compared, options, progress)?
        } else {
            vec![Inner::new(); self.units.len()]
        };
        let scoring = scoring(&part.fold, options, settings);
        let mut scored = part.score(&scoring, predictions, progress)?.into_iter();
        let mut all = Vec::with_capacity(self.units.len());
        for ((unit, (n, solved)), inner) in self.units.clone().zip(runs).zip(inner) {
            let mut scored: Vec<Scored> = scored.by_ref().take(n).collect();
            let mut beside = None;
            if unit == 0 {
                let nulls = std::mem::take(&mut scored);
                beside = Some(part.beside(nulls, cells, options, &scoring, settings, progress)?);
            }
            all.push(InPart { scored, solved, inner, beside });
        }
        Ok(all)
    }
}

/// The result of a unit from its results in all parts: means of scores, within each resample too.
fn unit(parts: &[Part], mut found: Vec<InPart>) -> Unit {
    let beside = found.iter_mut().filter_map(|one| one.beside.take());
    let beside: Vec<ScoredTime> = beside.collect();
    if let Some(scored) = ScoredTime::mean(&beside) {
        return Unit::Nulls(Box::new(OfNulls {
            halved: parts.iter().all(|part| part.fold.halved),
            record: record(parts),
            scored,
            straight: found.into_iter().map(|one| one.inner).collect(),
        }));
    }
    let scored: Vec<&[Scored]> = found.iter().map(|one| one.scored.as_slice()).collect();
    let scored = means(&scored).unwrap_or_default();
    let (mut solved, mut inner) = (Vec::new(), Vec::new());
    for one in found {
        solved.extend(one.solved);
        inner.push(one.inner);
    }
    Unit::Method(OfMethod { scored, solved, inner })
}

/// The record of a held-out time without methods.
fn record(parts: &[Part]) -> HeldOutRecord {
    let Fold { label, real, cells, .. } = &parts[0].fold;
    HeldOutRecord {
        label: label.clone(),
        start: real[0],
        time: real[1],
        end: real[2],
        n_cells: cells[1].n_cells(),
        n_dims: parts.iter().map(|part| part.fold.cells[1].dim()).max().unwrap_or(0),
        solved: Vec::new(),
        verdicts: Vec::new(),
        words: Vec::new(),
    }
}

/// The scores of one held-out time.
pub(super) struct HeldOut {
    /// Whether coordinates were learnt from one half of the training cells, for the other half.
    pub(super) halved: bool,
    /// The record with all methods.
    pub(super) record: HeldOutRecord,
    /// The rows of `validation.csv`.
    pub(super) rows: Vec<ValidationRow>,
}

/// The scores of a held-out time from the results of its units, in order; `None` if it is left out. Notes the scores by
/// which a method is chosen.
///
/// # Errors
/// [`crate::Error::Cancelled`].
pub(super) fn joined(
    units: Vec<Unit>,
    options: &EvaluateOptions,
    progress: &mut dyn Progress,
) -> Result<Option<HeldOut>> {
    let (mut nulls, mut methods) = (None, Vec::new());
    for unit in units {
        match unit {
            Unit::LeftOut => {}
            Unit::Nulls(found) => nulls = Some(*found),
            Unit::Method(found) => methods.push(found),
        }
    }
    let Some(OfNulls { halved, mut record, scored: mut time, straight }) = nulls else {
        return Ok(None);
    };
    let mut scored: Vec<Scored> = Vec::new();
    let mut inner: Vec<Vec<Inner>> = Vec::new();
    for method in methods {
        scored.extend(method.scored);
        record.solved.extend(method.solved);
        inner.push(method.inner);
    }
    // All methods of the first part, then of the second.
    record.solved.sort_by_key(|solved| solved.part);
    if options.select {
        let scores = scores(&inner, &straight);
        let place = format!("without {}", record.time);
        progress::note(&mut Within { inner: progress, place }, said(&scores))?;
        scored.extend(selected(&scores, &scored));
    }
    let names: Vec<String> = scored.iter().map(|scored| scored.name.clone()).collect();
    time.scored.splice(0..0, scored);
    for (verdict, words) in names.iter().filter_map(|name| words::verdict(&time, name)) {
        record.verdicts.push(verdict);
        record.words.push(words);
    }
    let rows = time.rows([record.start, record.time, record.end]);
    Ok(Some(HeldOut { halved, record, rows }))
}

/// The number of bootstrap resamples. It is 0, with a note, if one of the three times has too few cells or
/// batches to be resampled.
fn resamples_of(
    cells: &Cells,
    fold: &Fold,
    n_bootstrap: usize,
    progress: &mut dyn Progress,
) -> Result<usize> {
    let drawn = |rows: &Vec<usize>| match &cells.batches {
        None => Drawn::cells(rows.len()),
        Some(batches) => Drawn::batches(rows.iter().map(|&row| &batches[row])),
    };
    let all = fold.real.iter().zip(fold.rows.iter().map(drawn));
    let few: Vec<String> = all
        .filter(|(_, drawn)| !drawn.is_enough())
        .map(|(time, drawn)| format!("time {time} ({})", drawn.words()))
        .collect();
    if few.is_empty() || n_bootstrap == 0 {
        return Ok(n_bootstrap);
    }
    let (label, few) = (&fold.label, few.join(", "));
    let text = format!("too few to be drawn again, so no confidence interval for {label}: {few}");
    progress::note(progress, text)?;
    Ok(0)
}
