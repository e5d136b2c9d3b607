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
use crate::pipeline::evaluate::score::Scored;
use crate::pipeline::solvers::SolverChoice;
use crate::pipeline::solvers::inner_score::{Distances, score};
use crate::progress::{self, Event, Progress, Unseen};
use crate::rng::Seed;

/// Largest number of cells of each time that the choice uses.
const CELLS: usize = 1500;

/// The distances of the predictions of one method on each inner time of a fold, by the name of the prediction
/// (strict or weighted). Empty if the fold has no inner time.
pub(super) type Inner = Vec<(String, Vec<Distances>)>;

/// The straight bridge, which is the unit of scores.
pub(super) fn straight() -> Method {
    let solver = SolverChoice::of(OtSolver::default());
    Method { name: solver.name().into(), solver }
}

/// The distances of each of `methods` on the inner times of a fold.
///
/// Costs one fit of every method for each inner time.
///
/// # Errors
/// Those of the solvers and distances; [`crate::Error::Cancelled`].
pub(super) fn inner_distances(
    fold: &Fold,
    methods: &[Method],
    options: &EvaluateOptions,
    progress: &mut dyn Progress,
) -> Result<Vec<Inner>> {
    let inner = fold.inner(CELLS, Seed(options.fit.seed).child("evaluate/select", 0))?;
    let total = (inner.len() * methods.len()) as u64;
    let what = "choosing by held-out times".to_string();
    progress::report(progress, Event::Begin { what, total })?;
    let mut done = 0;
    let mut all = Vec::with_capacity(methods.len());
    for method in methods {
        let mut found: Inner = Vec::new();
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
        all.push(found);
    }
    progress::report(progress, Event::End)?;
    Ok(all)
}

/// The score of each prediction, by its name: the mean over the parts of the cross-fit. `methods` has the distances
/// of each method in each part, `straight` those of the straight bridge in each part.
///
/// The straight bridge has the score 1, better methods less. Empty without inner times.
pub(super) fn scores(methods: &[Vec<Inner>], straight: &[Inner]) -> Vec<(String, f64)> {
    let mut scores: Vec<(String, f64)> = Vec::new();
    for (part, unit) in straight.iter().enumerate() {
        let unit = unit.first().map_or(&[][..], |entry| &entry.1);
        for (name, found) in methods.iter().filter_map(|parts| parts.get(part)).flatten() {
            let share = score(found, unit) / straight.len() as f64;
            match scores.iter_mut().find(|entry| entry.0 == *name) {
                Some(entry) => entry.1 += share,
                None => scores.push((name.clone(), share)),
            }
        }
    }
    scores
}

/// The predictions with the best scores as `selected` (among strict ones) and `selected:weighted`. They are copies,
/// with the same distances to the held-out cells. Without scores, the first prediction of each kind is taken.
pub(super) fn selected(scores: &[(String, f64)], scored: &[Scored]) -> Vec<Scored> {
    let scores: Vec<(&str, f64)> = if scores.is_empty() {
        scored.iter().map(|scored| (scored.name.as_str(), 1.0)).collect()
    } else {
        scores.iter().map(|(name, score)| (name.as_str(), *score)).collect()
    };
    let weighted = |name: &str| name.ends_with(":weighted");
    let best = |with_growth: bool| {
        let of_kind = scores.iter().filter(|entry| weighted(entry.0) == with_growth);
        let of_kind: Vec<&(&str, f64)> = of_kind.collect();
        let name = of_kind[first_least(of_kind.iter().map(|entry| entry.1))?].0;
        let found = scored.iter().find(|scored| scored.name == *name)?;
        let name = if with_growth { "selected:weighted" } else { "selected" };
        Some(Scored { name: name.into(), ..found.clone() })
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{Estimate, Score};
    use crate::pipeline::evaluate::predict::Kind;
    use crate::share::Packed;

    /// A prediction with these distances at its only inner time; energy distance and uncertainty are those of the
    /// straight bridge, so that the score is half of W1 and one half.
    fn inner(name: &str, w1: f64) -> (String, Vec<Distances>) {
        (name.into(), vec![Distances::try_from(Packed(vec![w1, 0.5, 0.5])).unwrap()])
    }

    fn scored(name: &str, value: f64) -> Scored {
        let all = || Estimate::of(&ndarray::array![value]);
        let score = Score {
            w1: all(),
            w2: all(),
            sliced_w2: all(),
            energy: all(),
            mmd: all(),
            variance_ratio: all(),
            n_used: (9, 9),
        };
        Scored { name: name.into(), kind: Kind::Method, score }
    }

    #[test]
    fn the_choice_is_by_the_mean_over_parts_and_takes_the_scores_of_the_best() {
        let straight = [vec![inner("ot", 1.0)], vec![inner("ot", 2.0)]];
        let a = [
            vec![inner("a", 2.0), inner("a:weighted", 1.0)],
            vec![inner("a", 2.0), inner("a:weighted", 2.0)],
        ];
        let b = [
            vec![inner("b", 1.0), inner("b:weighted", 3.0)],
            vec![inner("b", 3.0), inner("b:weighted", 2.0)],
        ];
        let found = scores(&[a.to_vec(), b.to_vec()], &straight);
        // W1 relative to the straight bridge: 2 and 1 of `a`, 1 and 1.5 of `b`.
        let expected = [("a", 1.25), ("a:weighted", 1.0), ("b", 1.125), ("b:weighted", 1.5)];
        assert_eq!(found.len(), 4);
        for ((name, score), (wanted, value)) in found.iter().zip(expected) {
            assert!(name == wanted && (score - value).abs() < 1e-15, "{name} {score}");
        }
        let all = ["a", "a:weighted", "b", "b:weighted"];
        let all: Vec<Scored> = (0..4).map(|k| scored(all[k], k as f64)).collect();
        let of = |scores: &[(String, f64)]| {
            let chosen = selected(scores, &all).into_iter();
            chosen.map(|one| (one.name, one.score.w1.value)).collect::<Vec<_>>()
        };
        let named = |strict, weighted| {
            vec![("selected".to_string(), strict), ("selected:weighted".to_string(), weighted)]
        };
        assert_eq!(of(&found), named(2.0, 1.0));
        // Without inner times, the first method.
        let none =
            scores(&[vec![Inner::new(); 2], vec![Inner::new(); 2]], &[Inner::new(), Inner::new()]);
        assert!(none.is_empty());
        assert_eq!(of(&none), named(0.0, 1.0));
    }
}
