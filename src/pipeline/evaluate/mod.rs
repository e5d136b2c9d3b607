//! Each time held out, predicted from the others, and scored beside nulls and the noise floor.

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
use crate::error::Result;
use crate::io::run::InputRecord;
use crate::io::validation::{FORMAT, HeldOutRecord, Validation};
use crate::metrics::{Drawn, Resamples};
use crate::pipeline::config::FitOptions;
use crate::pipeline::evaluate::cells::Cells;
use crate::pipeline::evaluate::fold::Fold;
use crate::pipeline::evaluate::predict::{Kind, Prediction, Sources, by_method, nulls};
use crate::pipeline::evaluate::score::{ScoredTime, between_batches, score_all, scoring};
use crate::pipeline::evaluate::select::{inner_scores, selected};
use crate::pipeline::fit::FitSummary;
use crate::pipeline::recorder::{Recorder, Within};
use crate::progress::{self, Progress, Unseen};
use crate::rng::Seed;

/// The scores of a course, and what they were made of.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluated {
    /// The scores.
    pub validation: Validation,
    /// The file that was read.
    pub input: InputRecord,
    /// What was found out on the way.
    pub notes: Vec<String>,
}

/// Holds out each time of `input` in turn, finds every method's bridge without it, and scores what
/// is predicted for it.
///
/// Under [`Protocol::Honest`] gene selection, depth, components, scale and ε come from the other
/// times only, and the held-out cells are brought to these coordinates afterwards.
///
/// # Errors
/// Whatever is wrong with the input or the parameters; fewer than three times; the stop button.
pub fn evaluate(
    input: &Path,
    options: &EvaluateOptions,
    progress: &mut dyn Progress,
) -> Result<Evaluated> {
    evaluate_file((input, None), options, progress)
}

/// As [`evaluate`], with the hash of the file if it is known.
fn evaluate_file(
    input: (&Path, Option<&str>),
    options: &EvaluateOptions,
    progress: &mut dyn Progress,
) -> Result<Evaluated> {
    options.check()?;
    let mut progress = Recorder::new(progress);
    let cells = Cells::read(input, options, &mut progress)?;
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

/// The short form at the end of a fit of `input`: at most 500 cells of each time, fewer draws; with a
/// solver that takes long (it trains networks, or chooses by held-out times itself) the middle time only,
/// to cost no more than the fit did.
///
/// # Errors
/// As [`evaluate`].
pub fn validate(
    input: &Path,
    fit: &FitOptions,
    fitted: &FitSummary,
    progress: &mut dyn Progress,
) -> Result<(Evaluated, EvaluateOptions)> {
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
    let input = (input, Some(fitted.input_sha256.as_str()));
    Ok((evaluate_file(input, &options, progress)?, options))
}

/// Holds out time number `k` and adds its scores.
fn hold_out(
    cells: &Cells,
    options: &EvaluateOptions,
    k: usize,
    validation: &mut Validation,
    progress: &mut dyn Progress,
) -> Result<()> {
    let seed = Seed(options.fit.seed).child("evaluate", k as u64);
    // What is found out about the values is the same each time, and said once.
    let said = !validation.held_out.is_empty();
    let quiet: &mut dyn Progress = if said { &mut Unseen(&mut *progress) } else { &mut *progress };
    let fold = Fold::new(cells, (&options.fit, options.protocol), k, quiet)?;
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
        let (found, records) = by_method(&fold, (method, options), &sources, progress)?;
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
    let observed = &fold.cells[1];
    let found = score_all(&scoring, predictions, (observed, &held), seed, progress)?;
    let floor_seed = seed.child("evaluate/floor", 0);
    let floor = scoring.floor(observed, options.n_draws, floor_seed, &mut Unseen(progress))?;
    // The two neighbours against each other: the scale of what happens in between.
    let (name, kind) = ("A".to_string(), Kind::Scale);
    let apart = Prediction { name, cells: fold.cells[0].clone(), resamples: earlier, kind };
    let apart = score_all(&scoring, vec![apart], (&fold.cells[2], &later), seed, progress)?;
    let scored =
        ScoredTime { scored: found.into_iter().chain(apart).collect(), floor, scoring, too_few };
    let batches = match &cells.batches {
        Some(batches) => {
            let how = (&scoring, options.max_cells);
            between_batches(&fold, batches, how, seed, progress)?
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

/// How many resamples there are: none, which is said, if there are too few cells or batches before, at
/// or after the held-out time to draw them again.
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
    let text = format!("too few to be drawn again, so no interval for {label}: {few}");
    progress::note(progress, text)?;
    Ok(0)
}

/// Resamples of the cells before, at and after the held-out time: by cell, or by batch.
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
