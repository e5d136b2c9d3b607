//! The command `evaluate`: each time held out, predicted from the others, and scored.
//!
//! For each held-out time:
//!
//! 1. [`fold`]: genes, components, scale and ε are learnt without the time, from one of two [`halves`] of
//!    the other cells. The other half and the held-out cells are brought to these coordinates. The
//!    halves are then exchanged, so that each time has two [`part`]s, whose scores are averaged.
//! 2. [`predict`]: each method fits one bridge over the gap and carries the cells of the time before to
//!    the held-out time. Null models predict without a fit.
//! 3. [`score`]: distances between predicted and observed cells, beside the noise floor, with bootstrap
//!    intervals by cell or by batch.
//! 4. [`words`]: a verdict on each method. [`select`]: the choice of a method by inner times.

mod cells;
mod fold;
mod halves;
mod options;
mod part;
mod predict;
mod score;
mod select;
mod words;
mod write;

use std::path::Path;

use serde::{Deserialize, Serialize};

pub use options::{EvaluateOptions, Method, Protocol};
pub use write::{check_validation_output, validation_files, write_validation};

use crate::bridge::Property;
use crate::error::{Error, Result};
use crate::io::hashed::Hashed;
use crate::io::run::InputRecord;
use crate::io::validation::{FORMAT, HeldOutRecord, Validation, ValidationRow};
use crate::metrics::Drawn;
use crate::pipeline::evaluate::cells::Cells;
use crate::pipeline::evaluate::fold::Fold;
use crate::pipeline::evaluate::halves::FEWEST;
use crate::pipeline::evaluate::part::{Drawing, Part, Settings, add_selected};
use crate::pipeline::evaluate::score::ScoredTime;
use crate::pipeline::fit::{FitSummary, Plan};
use crate::pipeline::shared::recorder::{Recorder, Repeated, Within};
use crate::progress::{self, Progress};
use crate::rng::Seed;
use crate::share::{self, Division, Whole};

/// The scores of an evaluation, with its input and notes.
///
/// [`evaluate`] has an example.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluated {
    /// The scores of all methods at all held-out times.
    pub validation: Validation,
    /// The record of the input file.
    pub input: InputRecord,
    /// The notes of the evaluation, for the run record.
    pub notes: Vec<String>,
}

/// Scores the predictions of several methods for each held-out time of `input`: [`Plan::read`] and
/// [`Plan::evaluate`] in one call.
///
/// ```
/// use sbcell::bridge::GaussianSolver;
/// use sbcell::pipeline::{
///     EvaluateOptions, FitOptions, Method, SolverChoice, TimeOptions, evaluate,
/// };
///
/// # fn main() -> sbcell::Result<()> {
/// let data = "data-samples/semrau2017_mesc_ra.h5ad".as_ref();
/// let time = TimeOptions::default().with_column(Some("time".into())).with_map(None);
/// let fit = FitOptions::default().with_time(time).with_n_pcs(2);
/// let solver = SolverChoice::of(GaussianSolver::default());
/// let methods = vec![Method { name: "gaussian".into(), solver }];
/// let options = EvaluateOptions::new(fit, methods).with_at(vec![24.0]).with_cells_per_time(Some(30)).with_n_bootstrap(0);
/// let validation = evaluate(data, &options, &mut sbcell::Silent)?.validation;
/// let energy = |name| validation.row(24.0, name, "energy").unwrap().value.unwrap();
/// // Better than the cells of the time before (null model `F`).
/// assert!(energy("gaussian") < energy("F"));
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// Those of [`Plan::read`] and of [`Plan::evaluate`].
pub fn evaluate(
    input: &Path,
    options: &EvaluateOptions,
    progress: &mut dyn Progress,
) -> Result<Evaluated> {
    options.check()?;
    Plan::read(input, &options.fit, progress)?.evaluate(options, progress)
}

impl Plan {
    /// Holds out each time in turn, finds the bridge of each method without it, and scores the
    /// predicted cells against the cells of this time.
    ///
    /// Under [`Protocol::Honest`] gene selection, depth and components come from one half of the cells of
    /// the other times; bridges, null models, scale and ε from the other half. The halves are then
    /// exchanged, and scores are means of both. No cell that is compared has therefore taken part in
    /// learning its coordinates. Where some other time has fewer than 40 cells, there are no halves, and
    /// a note says it.
    ///
    /// # Errors
    /// [`Error::Parameter`] for options out of range, for options of another fit than this plan, and
    /// for a course of fewer than three times; [`Error::NotObserved`] for a time that the course
    /// does not have; those of reading and fitting; [`Error::Cancelled`].
    pub fn evaluate(
        &self,
        options: &EvaluateOptions,
        progress: &mut dyn Progress,
    ) -> Result<Evaluated> {
        options.check()?;
        if options.fit != *self.options() {
            let must = "the options that the plan was read with";
            return Err(Error::Parameter { name: "fit", must, got: "others".into() });
        }
        evaluate_plan(self, options, None, progress)
    }

    /// A short evaluation after [`Plan::run`]: at most 500 cells of each time and fewer draws than
    /// [`Plan::evaluate`]. It should not take longer than the fit. A solver with
    /// [`Property::TakesLong`] is therefore scored at the middle time only, in one half of the cells.
    ///
    /// Returns the scores with the options that they were made with.
    ///
    /// # Errors
    /// As [`Plan::evaluate`].
    pub fn validate(
        &self,
        fitted: &FitSummary,
        progress: &mut dyn Progress,
    ) -> Result<(Evaluated, EvaluateOptions)> {
        let fit = self.options();
        let name = fit.solver.name().to_string();
        let methods = vec![Method { name, solver: fit.solver.clone() }];
        let times = &fitted.header.snapshots;
        let middle = times.get(times.len() / 2).filter(|_| fit.solver.has(Property::TakesLong));
        let options = EvaluateOptions {
            at: middle.map(|at| at.time).into_iter().collect(),
            max_cells: 250,
            n_draws: 3,
            cells_per_time: Some(500),
            exchange: middle.is_none(),
            ..EvaluateOptions::new(fit.clone(), methods)
        };
        options.check()?;
        let mut whole = Whole(progress);
        let evaluated = evaluate_plan(self, &options, Some(&fitted.input), &mut whole)?;
        Ok((evaluated, options))
    }
}

/// Evaluates `plan`. `known` is the hash of its file, if a fit has taken it already and has shown the notes on its
/// choices.
fn evaluate_plan(
    plan: &Plan,
    options: &EvaluateOptions,
    known: Option<&Hashed>,
    progress: &mut dyn Progress,
) -> Result<Evaluated> {
    let mut progress = Recorder::after(plan.notes(), progress);
    let cells = Cells::read(plan, options, known, &mut progress)?;
    let held_out = cells.held_out(&options.at)?;
    let parts = held_out.iter().map(|&k| cells.times()[k].to_string()).collect();
    let division = Division::even("held-out times", parts);
    let all = share::divided(&division, &mut progress, &mut |range, progress| {
        let is_repeated = known.is_some();
        let asked = range.map(|number| (number, held_out[number]));
        asked
            .map(|(number, k)| {
                let place = format!("without {}", cells.times()[k]);
                let mut repeated;
                let inner: &mut dyn Progress = if is_repeated {
                    repeated = Repeated(&mut *progress);
                    &mut repeated
                } else {
                    &mut *progress
                };
                hold_out(&cells, options, k, number, &mut Within { inner, place })
            })
            .collect()
    })?;
    let all: Vec<HeldOut> = all.into_iter().flatten().collect();
    let splits = options.splits();
    let n_whole = all.iter().filter(|held| splits && !held.halved).count();
    if n_whole > 0 {
        let text = format!(
            "{n_whole} of {} held-out times: some time has fewer than {} cells, too few to learn coordinates \
             from half of them; held-out cells then look narrow",
            all.len(),
            2 * FEWEST
        );
        progress::note(&mut progress, text)?;
    }
    let mut validation = Validation {
        format: FORMAT,
        sbcell: env!("CARGO_PKG_VERSION").to_string(),
        protocol: options.protocol.name().to_string(),
        facts: options.facts(n_whole, all.len()),
        leaks: options.protocol.leaks(&options.fit.source),
        summary: Vec::new(),
        held_out: Vec::new(),
        rows: Vec::new(),
    };
    for held in all {
        validation.rows.extend(held.rows);
        validation.held_out.push(held.record);
    }
    validation.summary = words::summary(&validation.held_out);
    Ok(Evaluated { validation, input: cells.input, notes: progress.into_notes() })
}

/// The scores of one held-out time.
#[derive(Serialize, Deserialize)]
struct HeldOut {
    /// Whether coordinates were learnt from one half of the training cells, for the other half.
    halved: bool,
    record: HeldOutRecord,
    rows: Vec<ValidationRow>,
}

/// Holds out time number `k` and scores all methods; `None`, with a note, if there are too few cells.
/// `n_before` is the number of times that are held out before it.
///
/// Scores are means over the parts of the cross-fit, within each resample too.
///
/// # Errors
/// Those of fitting and scoring; [`Error::Cancelled`].
fn hold_out(
    cells: &Cells,
    options: &EvaluateOptions,
    k: usize,
    n_before: usize,
    progress: &mut dyn Progress,
) -> Result<Option<HeldOut>> {
    let seed = Seed(options.fit.seed).child("evaluate", k as u64);
    // The notes on the values are the same for each held-out time and are sent once.
    let folds = Fold::all(cells, options, k, n_before == 0, progress)?;
    let n_per_side = folds.iter().map(|fold| fold.n_per_side(options.max_cells)).min().unwrap_or(0);
    if n_per_side < 4 {
        progress::note(progress, "too few cells to score: left out")?;
        return Ok(None);
    }
    let mut n_bootstrap = options.n_bootstrap;
    for fold in &folds {
        n_bootstrap = resamples_of(cells, fold, n_bootstrap, progress)?;
    }
    let too_few = n_bootstrap < options.n_bootstrap;
    let (n_parts, halved) = (folds.len(), folds.iter().all(|fold| fold.halved));
    let mut parts = Vec::with_capacity(n_parts);
    for (number, fold) in folds.into_iter().enumerate() {
        parts.push(Part::predict(
            cells,
            options,
            fold,
            Drawing { number, n_bootstrap, seed },
            progress,
        )?);
    }
    if options.select {
        add_selected(&mut parts, options, progress)?;
    }
    let methods = parts[0].methods();
    let solved = parts.iter_mut().flat_map(|part| std::mem::take(&mut part.solved)).collect();
    let n_dims = parts.iter().map(|part| part.fold.cells[1].dim()).max().unwrap_or(0);
    let real = parts[0].fold.real;
    let mut record = HeldOutRecord {
        label: parts[0].fold.label.clone(),
        start: real[0],
        time: real[1],
        end: real[2],
        n_cells: parts[0].fold.cells[1].n_cells(),
        n_dims,
        solved,
        verdicts: Vec::new(),
        words: Vec::new(),
    };
    let settings = Settings { n_per_side, n_parts, too_few };
    let scored = parts
        .into_iter()
        .map(|part| part.score(cells, options, settings, progress))
        .collect::<Result<Vec<_>>>()?;
    let Some(scored) = ScoredTime::mean(&scored) else { return Ok(None) };
    for (verdict, words) in methods.iter().filter_map(|name| words::verdict(&scored, name)) {
        record.verdicts.push(verdict);
        record.words.push(words);
    }
    Ok(Some(HeldOut { halved, record, rows: scored.rows(real) }))
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
