//! Scores of all predictions of fates at all times, in one order, and as a table.

use ndarray::{Array1, Array2};

use crate::error::Result;
use crate::io::table::{Cells, Table};
use crate::metrics::{Estimate, FateMetric, FateScores, FateScoring, LEAST_RESAMPLES};

/// A prediction of the late fates of cells.
///
/// ```
/// use sbcell::pipeline::ClonePredictor;
///
/// assert_eq!(ClonePredictor::Nearest(20).name(), "nearest20");
/// assert_eq!(ClonePredictor::Shares.words(), "the shares of the terminal groups");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClonePredictor {
    /// The fate probabilities of the model.
    Model,
    /// The share of each fate among the cells of the terminal time, the same for all cells.
    Shares,
    /// The share of each fate among so many nearest cells of the terminal time, in the coordinates of the
    /// model.
    Nearest(usize),
}

impl ClonePredictor {
    /// All predictors, the model first.
    pub const ALL: [Self; 4] = [Self::Model, Self::Shares, Self::Nearest(20), Self::Nearest(80)];

    /// Name in tables.
    pub fn name(self) -> String {
        match self {
            Self::Model => "model".into(),
            Self::Shares => "shares".into(),
            Self::Nearest(k) => format!("nearest{k}"),
        }
    }

    /// Name in sentences.
    pub fn words(self) -> String {
        match self {
            Self::Model => "the model".into(),
            Self::Shares => "the shares of the terminal groups".into(),
            Self::Nearest(k) => format!("the {k} nearest cells of the terminal time"),
        }
    }
}

/// One score of one prediction.
///
/// ```
/// use ndarray::array;
/// use sbcell::metrics::{Estimate, FateMetric};
/// use sbcell::pipeline::{ClonePredictor, CloneScore};
///
/// let model = Estimate::of(&array![0.5, 0.4, 0.6]);
/// let nearest = Estimate::of(&array![0.4, 0.4, 0.5]);
/// let score = CloneScore {
///     time: Some(2.0),
///     fate: None,
///     metric: FateMetric::Correlation,
///     predictor: ClonePredictor::Nearest(20),
///     difference: Some(model.with(&nearest, |a, b| a - b)),
///     value: nearest,
///     n_cells: 40,
///     n_clones: 12,
/// };
/// assert!((score.difference.unwrap().value - 0.1).abs() < 1e-12);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct CloneScore {
    /// Time of the cells; `None` for the mean over all times, weighted by their numbers of cells.
    pub time: Option<f64>,
    /// The fate; `None` for all fates together.
    pub fate: Option<String>,
    /// The metric.
    pub metric: FateMetric,
    /// The prediction.
    pub predictor: ClonePredictor,
    /// The score, with its interval over resampled clones.
    pub value: Estimate,
    /// The score of the model minus this one, in the same resamples; `None` for the model.
    pub difference: Option<Estimate>,
    /// Number of cells with late sisters.
    pub n_cells: usize,
    /// Number of clones of these cells. Of nested barcodes the coarsest counts.
    pub n_clones: usize,
}

/// The scored cells of one time with their predictions.
pub(super) struct Scored {
    /// The time.
    pub(super) time: f64,
    /// The cells with the fates of their sisters.
    pub(super) scoring: FateScoring,
    /// The probabilities of each predictor, in the order of [`ClonePredictor::ALL`].
    pub(super) predicted: Vec<Array2<f64>>,
    /// Smallest probability for the log-likelihood.
    pub(super) least: f64,
    /// Number of clones.
    pub(super) n_clones: usize,
}

/// All scores: time by time, then the means over times if there are several. Within a time all fates
/// together come first.
///
/// `n_clones` is the number of clones of all times.
///
/// # Errors
/// As [`FateScoring::scores`].
pub(super) fn scores(
    times: &[Scored],
    names: &[String],
    n_clones: usize,
) -> Result<Vec<CloneScore>> {
    let found: Vec<Vec<FateScores>> = times
        .iter()
        .map(|of| of.predicted.iter().map(|p| of.scoring.scores(p.view(), of.least)).collect())
        .collect::<Result<_>>()?;
    let fates: Vec<Option<usize>> = [None].into_iter().chain((0..names.len()).map(Some)).collect();
    let one = |scores: &FateScores, fate: Option<usize>, metric: FateMetric| match fate {
        None => scores.overall(metric).clone(),
        Some(fate) => scores.of_fate(fate, metric).clone(),
    };
    let mut all = Vec::new();
    let mut push =
        |time, n_cells, n_clones, of: &dyn Fn(usize, Option<usize>, FateMetric) -> Estimate| {
            for &fate in &fates {
                for metric in FateMetric::ALL {
                    let model = of(0, fate, metric);
                    for (p, predictor) in ClonePredictor::ALL.into_iter().enumerate() {
                        let value = of(p, fate, metric);
                        let difference = (p > 0).then(|| enough(model.with(&value, |a, b| a - b)));
                        let value = enough(value);
                        let fate = fate.map(|fate| names[fate].clone());
                        let score = CloneScore {
                            time,
                            fate,
                            metric,
                            predictor,
                            value,
                            difference,
                            n_cells,
                            n_clones,
                        };
                        all.push(score);
                    }
                }
            }
        };
    for (of, scores) in times.iter().zip(&found) {
        let of_time = |p: usize, fate: Option<usize>, metric| one(&scores[p], fate, metric);
        push(Some(of.time), of.scoring.n_cells(), of.n_clones, &of_time);
    }
    if times.len() > 1 {
        let weights: Vec<f64> = times.iter().map(|of| of.scoring.n_cells() as f64).collect();
        let mean = |p: usize, fate: Option<usize>, metric| {
            let of_times = found.iter().map(|scores| one(&scores[p], fate, metric)).collect();
            weighted_mean(of_times, &weights)
        };
        push(None, weights.iter().sum::<f64>() as usize, n_clones, &mean);
    }
    Ok(all)
}

/// The estimate, without its interval if fewer than [`LEAST_RESAMPLES`] resamples have a number.
fn enough(estimate: Estimate) -> Estimate {
    let n = estimate.resampled.iter().filter(|value| value.is_finite()).count();
    if n < LEAST_RESAMPLES { estimate.without_interval() } else { estimate }
}

/// The mean of estimates from the same resamples, over those that are defined.
fn weighted_mean(all: Vec<Estimate>, weights: &[f64]) -> Estimate {
    let mean = |values: &mut dyn Iterator<Item = f64>| {
        let (mut sum, mut total) = (0.0, 0.0);
        for (value, weight) in values.zip(weights).filter(|pair| pair.0.is_finite()) {
            sum += weight * value;
            total += weight;
        }
        if total > 0.0 { sum / total } else { f64::NAN }
    };
    let n = all.iter().map(|of| of.resampled.len()).min().unwrap_or(0);
    let mut values = vec![mean(&mut all.iter().map(|of| of.value))];
    values.extend((0..n).map(|b| mean(&mut all.iter().map(|of| of.resampled[b]))));
    Estimate::of(&Array1::from(values))
}

/// The scores as a table, one row for each. An empty time is the mean over times; `(all)` is all fates.
pub(super) fn table(scores: &[CloneScore], terminal_time: f64) -> Table {
    let gaps = |of: &dyn Fn(&CloneScore) -> f64| Cells::Floats(scores.iter().map(of).collect());
    let texts = |of: &dyn Fn(&CloneScore) -> String| Cells::Texts(scores.iter().map(of).collect());
    let counts = |of: &dyn Fn(&CloneScore) -> usize| {
        Cells::Integers(scores.iter().map(|score| of(score) as i64).collect())
    };
    let difference = |end: usize| {
        gaps(&|score| score.difference.as_ref().map_or(f64::NAN, |of| of.with_ends()[end]))
    };
    Table::default()
        .with("time", gaps(&|score| score.time.unwrap_or(f64::NAN)))
        .with("terminal_time", Cells::Floats(vec![terminal_time; scores.len()]))
        .with("fate", texts(&|score| score.fate.clone().unwrap_or_else(|| "(all)".into())))
        .with("metric", texts(&|score| score.metric.name().into()))
        .with("predictor", texts(&|score| score.predictor.name()))
        .with("value", gaps(&|score| score.value.value))
        .with("lo", gaps(&|score| score.value.lo))
        .with("hi", gaps(&|score| score.value.hi))
        .with("difference", difference(0))
        .with("difference_lo", difference(1))
        .with("difference_hi", difference(2))
        .with("n_cells", counts(&|score| score.n_cells))
        .with("n_clones", counts(&|score| score.n_clones))
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn a_few_resamples_are_no_interval() {
        let of = |n: usize| {
            let values = std::iter::once(0.5).chain((0..n).map(|b| b as f64)).chain([f64::NAN]);
            enough(Estimate::of(&values.collect()))
        };
        let (few, many) = (of(19), of(20));
        assert!(few.lo.is_nan() && few.resampled.is_empty() && (few.value - 0.5).abs() < 1e-12);
        assert!(many.lo < many.hi);
    }

    #[test]
    fn a_mean_over_times_has_the_weights_of_the_cells_and_leaves_out_what_is_not_defined() {
        let one = Estimate::of(&array![1.0, 0.0, f64::NAN]);
        let other = Estimate::of(&array![4.0, 4.0, 2.0]);
        let mean = weighted_mean(vec![one, other.clone()], &[2.0, 1.0]);
        assert_eq!((mean.value, mean.resampled), (2.0, vec![4.0 / 3.0, 2.0]));
        assert!(weighted_mean(vec![Estimate::of(&array![f64::NAN])], &[1.0]).value.is_nan());
    }
}
