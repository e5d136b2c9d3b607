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
//!
//! Several processes can do these steps, each for some methods at some times ([`units`]).

mod cells;
mod fold;
mod halves;
mod kept;
mod options;
mod part;
mod predict;
mod score;
mod select;
mod units;
mod words;
mod write;

use std::path::Path;

pub use options::{EvaluateOptions, Method, Protocol};
pub use write::{check_validation_output, validation_files, write_validation};

use crate::bridge::Property;
use crate::error::{Error, Result};
use crate::io::hashed::Hashed;
use crate::io::run::InputRecord;
use crate::io::validation::{FORMAT, Validation};
use crate::pipeline::evaluate::cells::Cells;
use crate::pipeline::evaluate::halves::FEWEST;
use crate::pipeline::fit::{FitSummary, Plan};
use crate::pipeline::shared::recorder::{Recorder, Repeated};
use crate::progress::{self, Progress};
use crate::share::{self, Whole};

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
    let division = units::division(&cells, options, &held_out);
    let is_repeated = known.is_some();
    let found = share::divided(&division, &mut progress, &mut |range, progress| {
        let mut repeated;
        let inner: &mut dyn Progress = if is_repeated {
            repeated = Repeated(&mut *progress);
            &mut repeated
        } else {
            progress
        };
        units::computed(&cells, options, &held_out, range, inner)
    })?;
    let (mut found, mut all) = (found.into_iter(), Vec::new());
    for _ in &held_out {
        let of_time = found.by_ref().take(units::per_time(options)).collect();
        all.extend(units::joined(of_time, options, &mut progress)?);
    }
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
