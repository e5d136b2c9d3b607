//! The choice of a method by inner times of the remaining course.
//!
//! The held-out time of the evaluation takes no part in the choice (nested hold-out). Scores are those
//! of `inner_score`, with the straight bridge of the solver `ot` as the unit.

use crate::bridge::OtSolver;
use crate::error::Result;
use crate::linalg::first_least;
use crate::metrics::Resamples;
use crate::pipeline::evaluate::fold::Fold;
use crate::pipeline::evaluate::options::{EvaluateOptions, Method};
use crate::pipeline::evaluate::predict::{Prediction, Sources, by_method};
use crate::pipeline::solvers::SolverChoice;
use crate::pipeline::solvers::inner_score::{Distances, score};
use crate::progress::{self, Event, Progress, Unseen};
use crate::rng::Seed;

/// Largest number of cells of each time that the choice uses.
const CELLS: usize = 1500;

/// The score of each method on the inner times of a fold, by the name of the prediction (strict or
/// weighted). The straight bridge has the score 1, better methods less. Empty if the fold has no inner
/// time.
///
/// Costs one fit of every method for each inner time.
///
/// # Errors
/// Those of the solvers and distances; [`crate::Error::Cancelled`].
pub(super) fn inner_scores(
    fold: &Fold,
    options: &EvaluateOptions,
    progress: &mut dyn Progress,
) -> Result<Vec<(String, f64)>> {
    let inner = fold.inner(CELLS, Seed(options.fit.seed).child("evaluate/select", 0))?;
    let total = (inner.len() * (options.methods.len() + 1)) as u64;
    let what = "choosing by held-out times".to_string();
    progress::report(progress, Event::Begin { what, total })?;
    let solver = SolverChoice::of(OtSolver::default());
    let straight = Method { name: solver.name().into(), solver };
    let mut done = 0;
    let mut distances = |method: &Method, progress: &mut dyn Progress| -> Result<_> {
        let mut found: Vec<(String, Vec<Distances>)> = Vec::new();
        for fold in &inner {
            let none = |place: usize| Resamples::of_cells(fold.cells[place].n_cells(), 0, Seed(0));
            let (earlier, later) = (none(0), none(2));
            let sources = Sources { earlier: &earlier, later: &later };
            let silent = &mut Unseen(&mut *progress);
            let predictions = by_method(fold, method, options, &sources, silent)?.0;
            for Prediction { name, cells, .. } in predictions {
                let distances = Distances::of(&cells, &fold.cells[1], silent)?;
                match found.iter_mut().find(|entry| entry.0 == name) {
                    Some(entry) => entry.1.push(distances),
                    None => found.push((name, vec![distances])),
                }
            }
            done += 1;
            progress::report(progress, Event::Step { done })?;
        }
        Ok(found)
    };
    let straight = distances(&straight, progress)?.swap_remove(0).1;
    let mut scores = Vec::new();
    for method in &options.methods {
        for (name, found) in distances(method, progress)? {
            scores.push((name, score(&found, &straight)));
        }
    }
    progress::report(progress, Event::End)?;
    Ok(scores)
}

/// The predictions with the best scores as `selected` (among strict ones) and `selected:weighted`.
pub(super) fn selected(scores: &[(String, f64)], predictions: &[Prediction]) -> Vec<Prediction> {
    let weighted = |name: &str| name.ends_with(":weighted");
    let best = |with_growth: bool| {
        let of_kind = scores.iter().filter(|entry| weighted(&entry.0) == with_growth);
        let of_kind: Vec<&(String, f64)> = of_kind.collect();
        let name = &of_kind[first_least(of_kind.iter().map(|entry| entry.1))?].0;
        let found = predictions.iter().find(|prediction| prediction.name == *name)?;
        let name = if with_growth { "selected:weighted" } else { "selected" };
        Some(Prediction { name: name.into(), ..found.clone() })
    };
    [false, true].into_iter().filter_map(best).collect()
}

/// The note with all scores.
pub(super) fn said(scores: &[(String, f64)]) -> String {
    if scores.is_empty() {
        return "no inner time is left to choose by: the first method is taken".into();
    }
    let each: Vec<String> = scores.iter().map(|(name, s)| format!("{name} {s:.3}")).collect();
    format!("score on held-out inner times, 1 is the straight bridge: {}", each.join(", "))
}
