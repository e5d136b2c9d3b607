//! Methods and settings that are compared on the families, and their scores.

use sbcell::grn::{EdgeMatrix, EdgeSearch, Estimator, Lag, MomentFit, correlations};
use sbcell::metrics::EdgeScores;

use crate::simulated::Simulated;

pub(super) type Method = (&'static str, fn(&Simulated) -> EdgeMatrix);

fn of(course: &Simulated, estimator: Estimator, lag: Lag) -> EdgeMatrix {
    course.search(&EdgeSearch::default().with_estimator(estimator).with_lag(lag))
}

/// Methods of the tables.
pub(super) fn methods() -> Vec<Method> {
    vec![
        ("default", |course| course.search(&EdgeSearch::default())),
        ("hill", |course| of(course, Estimator::Hill, Lag::Auto)),
        ("linear", |course| of(course, Estimator::Linear, Lag::Auto)),
        ("lasso", lasso),
        ("lasso, snapshots", |course| of(course, Estimator::Lasso, Lag::Intervals(1))),
        ("refit", refit),
        ("correlation", correlation),
    ]
}

pub(super) fn lasso(course: &Simulated) -> EdgeMatrix {
    of(course, Estimator::Lasso, Lag::Auto)
}

pub(super) fn refit(course: &Simulated) -> EdgeMatrix {
    of(course, Estimator::ReferenceFitting, Lag::Auto)
}

pub(super) fn correlation(course: &Simulated) -> EdgeMatrix {
    course.with(|cells| {
        let found = correlations(cells.expression, &cells.snapshots(), cells.weights.view());
        EdgeMatrix::of_correlations(found, cells.expression.regulators())
    })
}

/// Settings among which one is chosen on all families but one. Add to this list.
pub(super) fn settings() -> Vec<(&'static str, EdgeSearch)> {
    let plain = EdgeSearch::default;
    let penalty = |penalty: f64| {
        let mut search = EdgeSearch::default();
        search.ridge.penalty = penalty;
        search
    };
    let weights = |snapshots: f64, information: f64| {
        plain().with_snapshot_weight(snapshots).with_information_weight(information)
    };
    let moments = |penalty: f64, rounds: usize| {
        let fit = MomentFit { penalty, held_out: false, rounds, ..MomentFit::default() };
        plain().with_moment_fit(fit)
    };
    vec![
        ("default", plain()),
        ("penalty 0.1", penalty(0.1)),
        ("penalty 1", penalty(1.0)),
        ("no snapshots", weights(0.0, 0.25)),
        ("snapshots 0.5", weights(0.5, 0.25)),
        ("snapshots 1", weights(1.0, 0.25)),
        ("no information", weights(0.25, 0.0)),
        ("information 0.5", weights(0.25, 0.5)),
        ("no moments", plain().with_moment_weight(0.0)),
        ("moments 0.5", plain().with_moment_weight(0.5)),
        ("moments 2", plain().with_moment_weight(2.0)),
        ("moments, penalty 0.03", moments(0.03, 3)),
        ("moments, penalty 0.1", moments(0.1, 3)),
        ("moments, penalty 0.3", moments(0.3, 3)),
        ("moments, no adaptive rounds", moments(0.1, 0)),
        ("no change", plain().with_change_weight(0.0)),
        ("change 0.7", plain().with_change_weight(0.7)),
        ("across targets", plain().with_across_targets(true)),
        ("hill", plain().with_estimator(Estimator::Hill)),
        ("moments alone", plain().with_estimator(Estimator::Moments)),
    ]
}

/// Scores of a course.
pub(super) struct Scored {
    pub(super) scores: EdgeScores,
    /// Share of the one-way edges that come before the same edge turned round; ties are half right.
    pub(super) direction: f64,
}

impl Scored {
    pub(super) fn of(course: &Simulated, found: &EdgeMatrix) -> Self {
        let place = |gene: &String| course.genes.iter().position(|other| other == gene).unwrap();
        let one_way = course.network.keys().filter(|(from, to)| {
            from != to && !course.network.contains_key(&(to.clone(), from.clone()))
        });
        let right: Vec<f64> = one_way
            .map(|(from, to)| {
                let (from, to) = (place(from), place(to));
                let (right, turned) = (found.importance[[from, to]], found.importance[[to, from]]);
                // A symmetric importance may differ by rounding.
                let tie = (right - turned).abs() <= 1e-9 * right.abs();
                if tie { 0.5 } else { f64::from(right > turned) }
            })
            .collect();
        let direction = right.iter().sum::<f64>() / right.len() as f64;
        Self { scores: course.score(found), direction }
    }
}

/// Mean of the values that are numbers.
pub(super) fn mean(of: impl Iterator<Item = f64>) -> f64 {
    let finite: Vec<f64> = of.filter(|value| value.is_finite()).collect();
    finite.iter().sum::<f64>() / finite.len() as f64
}
