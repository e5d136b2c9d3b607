//! One part of a held-out time: a fold with its resamples, which predicts and scores.

use crate::error::Result;
use crate::io::validation::SolvedRecord;
use crate::metrics::{Resamples, Scoring};
use crate::pipeline::evaluate::cells::Cells;
use crate::pipeline::evaluate::fold::Fold;
use crate::pipeline::evaluate::options::{EvaluateOptions, Method};
use crate::pipeline::evaluate::predict::{Kind, Prediction, Sources, by_method, nulls};
use crate::pipeline::evaluate::score::{Observed, Scored, ScoredTime, between_batches, score_all};
use crate::pipeline::shared::recorder::Within;
use crate::progress::{Progress, Unseen};
use crate::rng::Seed;

/// One part of a held-out time: a fold with its resamples.
pub(super) struct Part {
    /// The course without the held-out time.
    pub(super) fold: Fold,
    /// The number of the part, counted from zero.
    number: usize,
    /// Resamples of the cells before, at and after the held-out time.
    resamples: [Resamples; 3],
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
    /// The part of `fold`.
    ///
    /// The resamples of held-out cells are the same in all parts, those of other cells are not.
    pub(super) fn new(cells: &Cells, fold: Fold, drawing: Drawing) -> Self {
        let Drawing { number, n_bootstrap, seed: of_time } = drawing;
        let own = of_time.child("evaluate/part", number as u64);
        let seed = if number == 0 { of_time } else { own };
        let resamples = resamples(cells, &fold, n_bootstrap, [seed, of_time, seed]);
        Self { fold, number, resamples, seed }
    }

    /// The resamples of the cells that predictions come from.
    fn sources(&self) -> Sources<'_> {
        Sources { earlier: &self.resamples[0], later: &self.resamples[2] }
    }

    /// The predictions of `method`, and the record of each run of its solver.
    ///
    /// # Errors
    /// Those of the solver; [`crate::Error::Cancelled`].
    pub(super) fn predict(
        &self,
        method: &Method,
        options: &EvaluateOptions,
        progress: &mut dyn Progress,
    ) -> Result<(Vec<Prediction>, Vec<SolvedRecord>)> {
        let progress = &mut Within { inner: progress, place: method.name.clone() };
        // Notes of a solver are those of its first part.
        let mut unseen = Unseen(&mut *progress);
        let listener: &mut dyn Progress = if self.number == 0 { progress } else { &mut unseen };
        let (found, mut records) =
            by_method(&self.fold, method, options, &self.sources(), listener)?;
        for record in &mut records {
            record.part = self.number;
        }
        Ok((found, records))
    }

    /// The predictions of the null models.
    ///
    /// # Errors
    /// As for [`nulls`].
    pub(super) fn nulls(&self) -> Result<Vec<Prediction>> {
        nulls(&self.fold, &self.sources(), self.seed)
    }

    /// The scores of predictions against the held-out cells.
    ///
    /// # Errors
    /// Those of the distances; [`crate::Error::Cancelled`].
    pub(super) fn score(
        &self,
        scoring: &Scoring,
        predictions: Vec<Prediction>,
        progress: &mut dyn Progress,
    ) -> Result<Vec<Scored>> {
        let observed = Observed { cells: &self.fold.cells[1], resamples: &self.resamples[1] };
        score_all(scoring, predictions, observed, self.seed, progress)
    }

    /// The scores `nulls` of the null models with the distance between the neighbouring times (row `A`), the
    /// noise floor and the distances between batches.
    ///
    /// # Errors
    /// Those of the distances; [`crate::Error::Cancelled`].
    pub(super) fn beside(
        &self,
        mut nulls: Vec<Scored>,
        cells: &Cells,
        options: &EvaluateOptions,
        scoring: &Scoring,
        settings: Settings,
        progress: &mut dyn Progress,
    ) -> Result<ScoredTime> {
        let Self { fold, resamples: [earlier, _, later], seed, .. } = self;
        let unseen = &mut Unseen(&mut *progress);
        let floor_seed = seed.child("evaluate/floor", 0);
        let floor = scoring.floor(&fold.cells[1], options.n_draws, floor_seed, unseen)?;
        let (name, kind, resamples) = ("A".to_string(), Kind::Scale, earlier.clone());
        let apart = Prediction { name, cells: fold.cells[0].clone(), resamples, kind };
        let after = Observed { cells: &fold.cells[2], resamples: later };
        nulls.extend(score_all(scoring, vec![apart], after, *seed, unseen)?);
        let batches = match &cells.batches {
            Some(batches) => {
                between_batches(fold, batches, scoring, options.max_cells, *seed, unseen)?
            }
            None => None,
        };
        let n_draws = scoring.n_draws * settings.n_parts;
        Ok(ScoredTime { scored: nulls, floor, n_draws, too_few: settings.too_few, batches })
    }
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
