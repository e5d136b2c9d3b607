//! The command `evaluate`: each time held out, predicted from the others, and scored.
//!
//! For each held-out time:
//!
//! 1. [`fold`]: genes, components, scale and ε are learnt without the time. Its cells are brought to the
//!    same coordinates.
//! 2. [`predict`]: each method fits one bridge over the gap and carries the cells of the time before to
//!    the held-out time. Null models predict without a fit.
//! 3. [`score`]: distances between predicted and observed cells, beside the noise floor, with bootstrap
//!    intervals by cell or by batch.
//! 4. [`words`]: a verdict on each method. [`select`]: the choice of a method by inner times.

mod cells;
mod fold;
mod options;
mod predict;
mod score;
mod select;
mod words;
mod write;

use std::path::Path;

pub use options::{EvaluateOptions, Method, Protocol};
pub use write::{check_validation_output, validation_files, write_validation};

use crate::bridge::Property;
use crate::error::{Error, Result};
use crate::io::run::InputRecord;
use crate::io::validation::{FORMAT, HeldOutRecord, Validation};
use crate::metrics::{Drawn, Resamples};
use crate::pipeline::evaluate::cells::Cells;
use crate::pipeline::evaluate::fold::Fold;
use crate::pipeline::evaluate::predict::{Kind, Prediction, Sources, by_method, nulls};
use crate::pipeline::evaluate::score::{Observed, ScoredTime, between_batches, score_all, scoring};
use crate::pipeline::evaluate::select::{inner_scores, selected};
use crate::pipeline::fit::{FitSummary, Plan};
use crate::pipeline::shared::recorder::{Recorder, Within};
use crate::progress::{self, Progress, Unseen};
use crate::rng::Seed;

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
    /// Under [`Protocol::Honest`] gene selection, depth, components, scale and ε come from the other
    /// times only. The held-out cells are brought to these coordinates afterwards.
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
    /// [`Property::TakesLong`] is therefore scored at the middle time only.
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
            ..EvaluateOptions::new(fit.clone(), methods)
        };
        options.check()?;
        let evaluated = evaluate_plan(self, &options, Some(&fitted.input_sha256), progress)?;
        Ok((evaluated, options))
    }
}

/// Evaluates `plan`. `sha256` is the hash of its file, if a fit has taken it already.
fn evaluate_plan(
    plan: &Plan,
    options: &EvaluateOptions,
    sha256: Option<&str>,
    progress: &mut dyn Progress,
) -> Result<Evaluated> {
    let mut progress = Recorder::after(plan.notes(), progress);
    let cells = Cells::read(plan, options, sha256, &mut progress)?;
    let mut validation = Validation {
        format: FORMAT,
        sbcell: env!("CARGO_PKG_VERSION").to_string(),
        protocol: options.protocol.name().to_string(),
        facts: options.protocol.facts(&options.fit.source, options.max_cells),
        leaks: options.protocol.leaks(&options.fit.source),
        held_out: Vec::new(),
        rows: Vec::new(),
    };
    for k in cells.held_out(&options.at)? {
        let place = format!("without {}", cells.times()[k]);
        let progress = &mut Within { inner: &mut progress, place };
        hold_out(&cells, options, k, &mut validation, progress)?;
    }
    Ok(Evaluated { validation, input: cells.input, notes: progress.into_notes() })
}

/// Holds out time number `k` and adds its scores to `validation`.
///
/// # Errors
/// Those of fitting and scoring; [`Error::Cancelled`].
fn hold_out(
    cells: &Cells,
    options: &EvaluateOptions,
    k: usize,
    validation: &mut Validation,
    progress: &mut dyn Progress,
) -> Result<()> {
    let seed = Seed(options.fit.seed).child("evaluate", k as u64);
    // The notes on the values are the same for each held-out time and are sent once.
    let said = !validation.held_out.is_empty();
    let quiet: &mut dyn Progress = if said { &mut Unseen(&mut *progress) } else { &mut *progress };
    let fold = Fold::new(cells, options, k, quiet)?;
    if fold.n_per_side(options.max_cells) < 4 {
        return progress::note(progress, "too few cells to score: left out");
    }
    let n_bootstrap = resamples_of(cells, &fold, options, progress)?;
    let too_few = n_bootstrap < options.n_bootstrap;
    let [earlier, held, later] = resamples(cells, &fold, n_bootstrap, seed);
    let sources = Sources { earlier: &earlier, later: &later };
    let mut predictions = Vec::new();
    let mut solved = Vec::new();
    for method in &options.methods {
        let progress = &mut Within { inner: &mut *progress, place: method.name.clone() };
        let (found, records) = by_method(&fold, method, options, &sources, progress)?;
        predictions.extend(found);
        solved.extend(records);
    }
    if options.select {
        let mut scores = inner_scores(&fold, options, progress)?;
        progress::note(progress, select::said(&scores))?;
        if scores.is_empty() {
            scores = predictions.iter().map(|prediction| (prediction.name.clone(), 1.0)).collect();
        }
        predictions.extend(selected(&scores, &predictions));
    }
    predictions.extend(nulls(&fold, &sources, seed)?);
    let names: Vec<String> =
        predictions.iter().filter(|p| p.kind == Kind::Method).map(|p| p.name.clone()).collect();
    let scoring = scoring(&fold, options);
    let observed = Observed { cells: &fold.cells[1], resamples: &held };
    let found = score_all(&scoring, predictions, observed, seed, progress)?;
    let floor_seed = seed.child("evaluate/floor", 0);
    let floor =
        scoring.floor(observed.cells, options.n_draws, floor_seed, &mut Unseen(progress))?;
    // Row `A`: the distance between the two neighbouring times.
    let (name, kind) = ("A".to_string(), Kind::Scale);
    let apart = Prediction { name, cells: fold.cells[0].clone(), resamples: earlier, kind };
    let after = Observed { cells: &fold.cells[2], resamples: &later };
    let apart = score_all(&scoring, vec![apart], after, seed, progress)?;
    let scored =
        ScoredTime { scored: found.into_iter().chain(apart).collect(), floor, scoring, too_few };
    let batches = match &cells.batches {
        Some(batches) => {
            between_batches(&fold, batches, &scoring, options.max_cells, seed, progress)?
        }
        None => None,
    };
    let words = names.iter().filter_map(|name| words::verdict(&scored, name)).collect();
    validation.rows.extend(scored.rows(&fold, batches.as_ref()));
    validation.held_out.push(HeldOutRecord {
        label: fold.label.clone(),
        start: fold.real[0],
        time: fold.real[1],
        end: fold.real[2],
        n_cells: fold.cells[1].n_cells(),
        n_dims: fold.cells[1].dim(),
        solved,
        words,
    });
    Ok(())
}

/// The number of bootstrap resamples. It is 0, with a note, if one of the three times has too few cells or
/// batches to be resampled.
fn resamples_of(
    cells: &Cells,
    fold: &Fold,
    options: &EvaluateOptions,
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
    if few.is_empty() || options.n_bootstrap == 0 {
        return Ok(options.n_bootstrap);
    }
    let (label, few) = (&fold.label, few.join(", "));
    let text = format!("too few to be drawn again, so no confidence interval for {label}: {few}");
    progress::note(progress, text)?;
    Ok(0)
}

/// Resamples of the cells before, at and after the held-out time: by cell, or by batch if a column of
/// batches is named.
fn resamples(cells: &Cells, fold: &Fold, n_bootstrap: usize, seed: Seed) -> [Resamples; 3] {
    [0, 1, 2].map(|place| {
        let rows = &fold.rows[place];
        let seed = seed.child("evaluate/resample", place as u64);
        match &cells.batches {
            None => Resamples::of_cells(rows.len(), n_bootstrap, seed),
            Some(batches) => {
                let groups: Vec<&String> = rows.iter().map(|&row| &batches[row]).collect();
                Resamples::of_groups(&groups, n_bootstrap, seed)
            }
        }
    })
}
