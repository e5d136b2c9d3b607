//! One part of a held-out time: a fold with its resamples, predictions and scores.

use std::collections::BTreeMap;

use crate::error::Result;
use crate::io::validation::SolvedRecord;
use crate::metrics::{Resamples, ScoreFloor};
use crate::pipeline::evaluate::cells::Cells;
use crate::pipeline::evaluate::fold::Fold;
use crate::pipeline::evaluate::options::EvaluateOptions;
use crate::pipeline::evaluate::predict::{Kind, Prediction, Sources, by_method, nulls};
use crate::pipeline::evaluate::score::{Observed, ScoredTime, between_batches, score_all, scoring};
use crate::pipeline::evaluate::select::{inner_scores, said, selected};
use crate::pipeline::shared::recorder::Within;
use crate::progress::{self, Progress, Unseen};
use crate::rng::Seed;

/// One part of a held-out time: a fold with the predictions of all methods.
pub(super) struct Part {
    /// The course without the held-out time.
    pub(super) fold: Fold,
    /// Resamples of the cells before, at and after the held-out time.
    resamples: [Resamples; 3],
    /// The predictions of all methods.
    predictions: Vec<Prediction>,
    /// The record of each run of a solver.
    pub(super) solved: Vec<SolvedRecord>,
    /// The seed of this part.
    seed: Seed,
}

/// The random numbers of a part.
#[derive(Debug, Clone, Copy)]
pub(super) struct Drawing {
    /// The number of the part, counted from zero.
    pub(super) number: usize,
    /// Number of bootstrap resamples.
    pub(super) n_bootstrap: usize,
    /// The seed of the held-out time.
    pub(super) seed: Seed,
}

/// The settings of scores that all parts of a held-out time share.
#[derive(Debug, Clone, Copy)]
pub(super) struct Settings {
    /// Number of cells on each side of a Wasserstein distance.
    pub(super) n_per_side: usize,
    /// Number of parts, which share the draws of cells.
    pub(super) n_parts: usize,
    /// Whether there are too few cells or batches for resamples.
    pub(super) too_few: bool,
}

impl Part {
    /// Fits all methods on `fold` and predicts the held-out time.
    ///
    /// The resamples of held-out cells are the same in all parts, those of other cells are not.
    ///
    /// # Errors
    /// Those of the solvers; [`crate::Error::Cancelled`].
    pub(super) fn predict(
        cells: &Cells,
        options: &EvaluateOptions,
        fold: Fold,
        drawing: Drawing,
        progress: &mut dyn Progress,
    ) -> Result<Self> {
        let Drawing { number, n_bootstrap, seed: of_time } = drawing;
        let own = of_time.child("evaluate/part", number as u64);
        let seed = if number == 0 { of_time } else { own };
        let resamples = resamples(cells, &fold, n_bootstrap, [seed, of_time, seed]);
        let sources = Sources { earlier: &resamples[0], later: &resamples[2] };
        let mut predictions = Vec::new();
        let mut solved = Vec::new();
        for method in &options.methods {
            let progress = &mut Within { inner: &mut *progress, place: method.name.clone() };
            // Notes of a solver are those of its first part.
            let mut unseen = Unseen(&mut *progress);
            let listener: &mut dyn Progress = if number == 0 { progress } else { &mut unseen };
            let (found, records) = by_method(&fold, method, options, &sources, listener)?;
            predictions.extend(found);
            solved
                .extend(records.into_iter().map(|record| SolvedRecord { part: number, ..record }));
        }
        Ok(Self { fold, resamples, predictions, solved, seed })
    }

    /// The names of the predictions of methods.
    pub(super) fn methods(&self) -> Vec<String> {
        self.predictions.iter().map(|prediction| prediction.name.clone()).collect()
    }

    /// Scores all predictions, the null models, the distance between the neighbouring times, and batches.
    ///
    /// # Errors
    /// Those of the distances; [`crate::Error::Cancelled`].
    pub(super) fn score(
        self,
        cells: &Cells,
        options: &EvaluateOptions,
        settings: Settings,
        progress: &mut dyn Progress,
    ) -> Result<ScoredTime> {
        let Self { fold, resamples: [earlier, held, later], mut predictions, seed, .. } = self;
        let sources = Sources { earlier: &earlier, later: &later };
        predictions.extend(nulls(&fold, &sources, seed)?);
        let scoring = scoring(&fold, options, settings);
        let observed = Observed { cells: &fold.cells[1], resamples: &held };
        let mut scored = score_all(&scoring, predictions, observed, seed, progress)?;
        let unseen = &mut Unseen(&mut *progress);
        let floor_seed = seed.child("evaluate/floor", 0);
        let floor: ScoreFloor =
            scoring.floor(observed.cells, options.n_draws, floor_seed, unseen)?;
        // Row `A`: the distance between the two neighbouring times.
        let (name, kind) = ("A".to_string(), Kind::Scale);
        let apart = Prediction { name, cells: fold.cells[0].clone(), resamples: earlier, kind };
        let after = Observed { cells: &fold.cells[2], resamples: &later };
        scored.extend(score_all(&scoring, vec![apart], after, seed, unseen)?);
        let batches: Option<BTreeMap<&'static str, Vec<f64>>> = match &cells.batches {
            Some(batches) => {
                between_batches(&fold, batches, &scoring, options.max_cells, seed, unseen)?
            }
            None => None,
        };
        let n_draws = scoring.n_draws * settings.n_parts;
        Ok(ScoredTime { scored, floor, n_draws, too_few: settings.too_few, batches })
    }
}

/// Adds the predictions `selected` to all parts: the methods with the best mean score on inner times.
///
/// # Errors
/// As for [`inner_scores`].
pub(super) fn add_selected(
    parts: &mut [Part],
    options: &EvaluateOptions,
    progress: &mut dyn Progress,
) -> Result<()> {
    let mut scores: Vec<(String, f64)> = Vec::new();
    for part in &*parts {
        for (name, score) in inner_scores(&part.fold, options, progress)? {
            let share = score / parts.len() as f64;
            match scores.iter_mut().find(|entry| entry.0 == name) {
                Some(entry) => entry.1 += share,
                None => scores.push((name, share)),
            }
        }
    }
    progress::note(progress, said(&scores))?;
    if scores.is_empty() {
        scores = parts[0].methods().into_iter().map(|name| (name, 1.0)).collect();
    }
    for part in parts {
        let found = selected(&scores, &part.predictions);
        part.predictions.extend(found);
    }
    Ok(())
}

/// Resamples of the cells before, at and after the held-out time: by cell, or by batch if a column of
/// batches is named. Each place has its own seed.
fn resamples(cells: &Cells, fold: &Fold, n_bootstrap: usize, seeds: [Seed; 3]) -> [Resamples; 3] {
    [0, 1, 2].map(|place| {
        let rows = &fold.rows[place];
        let seed = seeds[place].child("evaluate/resample", place as u64);
        match &cells.batches {
            None => Resamples::of_cells(rows.len(), n_bootstrap, seed),
            Some(batches) => {
                let groups: Vec<&String> = rows.iter().map(|&row| &batches[row]).collect();
                Resamples::of_groups(&groups, n_bootstrap, seed)
            }
        }
    })
}
