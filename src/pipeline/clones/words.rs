//! Plain sentences on the scores of fates by clones.

use crate::metrics::{Estimate, FateMetric, LEAST_RESAMPLES};
use crate::pipeline::clones::scored::{ClonePredictor, CloneScore};

/// One sentence for each baseline: whether the fates of the model agree better with the clones.
///
/// The measure is the correlation; where it is not defined, as for a constant, it is the log-likelihood. The
/// scores are those of all fates, over all times if there are several.
///
/// `n_resamples` is the number of resamples that was asked for.
pub(super) fn summary(scores: &[CloneScore], n_resamples: usize) -> Vec<String> {
    let last = scores.last().and_then(|score| score.time);
    let find = |predictor: ClonePredictor, metric: FateMetric| {
        scores.iter().find(|score| {
            score.time == last
                && score.fate.is_none()
                && (score.predictor, score.metric) == (predictor, metric)
        })
    };
    let one = |baseline: ClonePredictor| {
        [FateMetric::Correlation, FateMetric::LogLikelihood].into_iter().find_map(|metric| {
            let (model, other) = (find(ClonePredictor::Model, metric)?, find(baseline, metric)?);
            let difference = other.difference.as_ref()?;
            let defined = model.value.value.is_finite() && other.value.value.is_finite();
            defined.then(|| sentence(model, other, difference, n_resamples))
        })
    };
    ClonePredictor::ALL.into_iter().skip(1).filter_map(one).collect()
}

/// The sentence for one baseline.
fn sentence(
    model: &CloneScore,
    other: &CloneScore,
    difference: &Estimate,
    n_resamples: usize,
) -> String {
    let measure = match model.metric {
        FateMetric::Correlation => "correlation",
        _ => "log-likelihood of a sister",
    };
    let verdict = match (difference.lo, difference.hi) {
        (lo, _) if lo > 0.0 => "agree better with the clones than".into(),
        (_, hi) if hi < 0.0 => "agree worse with the clones than".into(),
        (lo, hi) if lo.is_finite() && hi.is_finite() => {
            "cannot be told from chance to agree better or worse with the clones than".into()
        }
        _ => format!("have no confidence interval ({}), against", without_interval(n_resamples)),
    };
    let interval = if difference.lo.is_finite() {
        format!(" [{:.2}, {:.2}]", difference.lo, difference.hi)
    } else {
        String::new()
    };
    format!(
        "The fates {verdict} {}: {measure} {:.2} against {:.2}, difference {:.2}{interval}",
        other.predictor.words(),
        model.value.value,
        other.value.value,
        difference.value
    )
}

/// Why there is no confidence interval.
fn without_interval(n_resamples: usize) -> String {
    match n_resamples {
        0 => "no resamples were asked for".into(),
        n if n < LEAST_RESAMPLES => {
            format!("too few resamples: {n}, and at least {LEAST_RESAMPLES} are needed")
        }
        _ => "too few clones".into(),
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn the_sentence_follows_the_interval_of_the_difference() {
        let scored = |other: Estimate, n_resamples: usize| {
            let model = Estimate::of(&array![0.57, 0.5, 0.6]);
            let score = |predictor, value: &Estimate, difference| CloneScore {
                time: None,
                fate: None,
                metric: FateMetric::Correlation,
                predictor,
                value: value.clone(),
                difference,
                n_cells: 9,
                n_clones: 5,
            };
            let difference = model.with(&other, |a, b| a - b);
            let scores = [
                score(ClonePredictor::Model, &model, None),
                score(ClonePredictor::Nearest(20), &other, Some(difference)),
            ];
            summary(&scores, n_resamples)
        };
        let words = |other: [f64; 3]| scored(Estimate::of(&other.to_vec().into()), 100);
        let better = words([0.43, 0.4, 0.4]);
        assert_eq!(
            better,
            [
                "The fates agree better with the clones than the 20 nearest cells of the terminal time: \
              correlation 0.57 against 0.43, difference 0.14 [0.10, 0.20]"
            ]
        );
        assert!(words([0.7, 0.7, 0.9])[0].contains("agree worse"));
        assert!(words([0.57, 0.6, 0.5])[0].contains("cannot be told from chance"));
        assert!(words([f64::NAN; 3]).is_empty());
        let reason = |n_resamples: usize| scored(Estimate::of(&array![0.4]), n_resamples).concat();
        assert!(reason(0).contains("(no resamples were asked for), against"), "{}", reason(0));
        assert!(reason(1).contains("(too few resamples: 1, and at least 20 are needed)"));
        assert!(reason(100).contains("(too few clones)"));
    }
}
