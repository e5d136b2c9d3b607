//! Scores of predictions against the held-out cells, and the rows of `validation.csv`.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use ndarray::Axis;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::data::Snapshot;
use crate::error::Result;
use crate::io::validation::ValidationRow;
use crate::metrics::{Estimate, Resamples, Score, ScoreFloor, Scoring, median_distance};
use crate::pipeline::evaluate::fold::Fold;
use crate::pipeline::evaluate::kept::{KeptScored, KeptTime};
use crate::pipeline::evaluate::options::EvaluateOptions;
use crate::pipeline::evaluate::part::Settings;
use crate::pipeline::evaluate::predict::{Kind, Prediction};
use crate::progress::{Event, Progress, Together, Unseen, report};
use crate::rng::Seed;

/// The scores of one prediction.
#[derive(Clone, Serialize, Deserialize)]
#[serde(into = "KeptScored", try_from = "KeptScored")]
pub(super) struct Scored {
    /// The name of the prediction.
    pub(super) name: String,
    /// A method, a null model or a scale.
    pub(super) kind: Kind,
    /// Distances to the observed cells with their intervals.
    pub(super) score: Score,
}

/// All scores at one held-out time.
#[derive(Clone, Serialize, Deserialize)]
#[serde(into = "KeptTime", try_from = "KeptTime")]
pub(super) struct ScoredTime {
    /// The scores of all predictions.
    pub(super) scored: Vec<Scored>,
    /// The noise floor: distances between two halves of the observed cells.
    pub(super) floor: ScoreFloor,
    /// Number of draws behind a Wasserstein distance.
    pub(super) n_draws: usize,
    /// Whether there are too few cells or batches for resamples.
    pub(super) too_few: bool,
    /// For each metric the distances of all pairs of batches of the held-out time.
    pub(super) batches: Option<BTreeMap<&'static str, Vec<f64>>>,
}

/// The null model that a method is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Against {
    /// `FL`, the two neighbouring times pooled: fixed beforehand.
    Pooled,
    /// The null model with the smallest distance to the held-out cells: an oracle, since nobody knows
    /// beforehand which it is.
    Oracle,
}

/// The gain of a method over a null model.
pub(super) struct Skill {
    /// The name of the null model.
    pub(super) null: String,
    /// The distance of the null model.
    pub(super) of_null: Estimate,
    /// The gain `null − model`.
    pub(super) gain: Estimate,
    /// The skill `(null − model)/(null − floor)`; `None` if the null model cannot be told from the noise
    /// floor.
    pub(super) share: Option<Estimate>,
}

/// Number of directions of sliced distances.
const N_PROJECTIONS: usize = 100;

/// The metrics with a skill, each with the null model and the name of the skill's row.
const SKILLS: [(&str, Against, &str); 4] = [
    ("energy", Against::Pooled, "skill_energy"),
    ("w1", Against::Pooled, "skill_w1"),
    ("energy", Against::Oracle, "skill_energy_oracle"),
    ("w1", Against::Oracle, "skill_w1_oracle"),
];

/// The settings of the scores of a fold.
///
/// All predictions and the floor are compared at the same number of cells, since distances between
/// small samples are larger. Protocols that compare whole populations are the exception. The parts of a
/// cross-fit share the draws. The bandwidth of the kernel metric is the median distance between held-out
/// cells.
pub(super) fn scoring(fold: &Fold, options: &EvaluateOptions, settings: Settings) -> Scoring {
    let whole = options.protocol.whole();
    Scoring {
        n_per_side: (!whole).then_some(settings.n_per_side),
        n_draws: if whole { 1 } else { options.n_draws.div_ceil(settings.n_parts) },
        n_projections: N_PROJECTIONS,
        bandwidth: median_distance(&fold.cells[1]).max(f64::MIN_POSITIVE),
    }
}

/// The cells that predictions are scored against.
#[derive(Clone, Copy)]
pub(super) struct Observed<'a> {
    /// The cells of the held-out time in data units.
    pub(super) cells: &'a Snapshot,
    /// How often each cell is taken in each resample.
    pub(super) resamples: &'a Resamples,
}

/// Scores predictions against `observed`, in parallel over predictions.
///
/// # Errors
/// Those of the distances; [`crate::Error::Cancelled`].
pub(super) fn score_all(
    scoring: &Scoring,
    predictions: Vec<Prediction>,
    observed: Observed<'_>,
    seed: Seed,
    progress: &mut dyn Progress,
) -> Result<Vec<Scored>> {
    let (what, total) = ("scoring".into(), predictions.len() as u64);
    report(progress, Event::Begin { what, total })?;
    let (together, done) = (Together::new(progress), AtomicU64::new(0));
    // One seed for all: differences between methods are not those of the draws.
    let seed = seed.child("evaluate/score", 0);
    let target = scoring.target(observed.cells, observed.resamples, seed)?;
    let one = |Prediction { name, cells, resamples, kind }: Prediction| {
        let unseen = &mut together.unseen();
        let score = scoring.against(&target, &cells, &resamples, unseen)?;
        together.report(Event::Step { done: 1 + done.fetch_add(1, Ordering::Relaxed) })?;
        Ok(Scored { name, kind, score })
    };
    let scored = predictions.into_par_iter().map(one).collect::<Result<_>>()?;
    report(progress, Event::End)?;
    Ok(scored)
}

/// Row `P` of Waddington-OT: for each metric the distances of all pairs of batches of the held-out time.
/// `None` if fewer than two batches have four cells.
///
/// # Errors
/// Those of the distances; [`crate::Error::Cancelled`].
pub(super) fn between_batches(
    fold: &Fold,
    batches: &[String],
    scoring: &Scoring,
    max_cells: usize,
    seed: Seed,
    progress: &mut dyn Progress,
) -> Result<Option<BTreeMap<&'static str, Vec<f64>>>> {
    let observed = &fold.cells[1];
    let mut members: BTreeMap<&String, Vec<usize>> = BTreeMap::new();
    for (place, &row) in fold.rows[1].iter().enumerate() {
        members.entry(&batches[row]).or_default().push(place);
    }
    let clouds: Vec<Snapshot> = members
        .values()
        .filter(|places| places.len() >= 4)
        .map(|places| Snapshot::new(observed.points().select(Axis(0), places)))
        .collect::<Result<_>>()?;
    if clouds.len() < 2 {
        return Ok(None);
    }
    let mut found: BTreeMap<&'static str, Vec<f64>> = BTreeMap::new();
    for (a, x) in clouds.iter().enumerate() {
        for y in &clouds[a + 1..] {
            let n = x.n_cells().min(y.n_cells()).min(max_cells);
            let scoring = Scoring { n_per_side: Some(n), ..*scoring };
            let [of_x, of_y] = [x, y].map(|cells| Resamples::of_cells(cells.n_cells(), 0, seed));
            let score = scoring.score(x, &of_x, y, &of_y, seed, &mut Unseen(progress))?;
            for (name, estimate) in score.entries() {
                found.entry(name).or_default().push(estimate.value);
            }
        }
    }
    Ok(Some(found))
}

/// The means of the scores of several parts, by prediction. The parts have the same predictions in the same order.
pub(super) fn means(parts: &[&[Scored]]) -> Option<Vec<Scored>> {
    let of = |(place, Scored { name, kind, .. }): (usize, &Scored)| {
        let all = parts.iter().filter_map(|part| part.get(place));
        let all: Vec<Score> = all.map(|scored| scored.score.clone()).collect();
        Some(Scored { name: name.clone(), kind: *kind, score: Score::averaged(&all)? })
    };
    parts.first()?.iter().enumerate().map(of).collect()
}

impl ScoredTime {
    /// The scores of the prediction `name`.
    fn of(&self, name: &str) -> Option<&Score> {
        self.scored.iter().find(|scored| scored.name == name).map(|scored| &scored.score)
    }

    /// The means of the scores of several parts, by prediction. The parts have the same predictions in the
    /// same order.
    pub(super) fn mean(parts: &[Self]) -> Option<Self> {
        let first = parts.first()?;
        let floors: Vec<ScoreFloor> = parts.iter().map(|part| part.floor.clone()).collect();
        let floor = ScoreFloor::averaged(&floors)?;
        let scored: Vec<&[Scored]> = parts.iter().map(|part| part.scored.as_slice()).collect();
        let scored = means(&scored)?;
        let n = parts.len() as f64;
        let mut batches = first.batches.clone();
        for (metric, values) in batches.iter_mut().flatten() {
            for (pair, value) in values.iter_mut().enumerate() {
                let others = parts.iter().filter_map(|part| part.batches.as_ref()?.get(metric));
                *value = others.filter_map(|values| values.get(pair)).sum::<f64>() / n;
            }
        }
        Some(Self { scored, floor, n_draws: first.n_draws, too_few: first.too_few, batches })
    }

    /// The skill of the method `name` by `metric`; `None` without scores or null models.
    ///
    /// Gain and skill are computed within each resample, so that the dependence between both distances
    /// and the error of the noise floor enter the interval.
    pub(super) fn skill(&self, name: &str, metric: &str, against: Against) -> Option<Skill> {
        let of = |score: &Score| score.entries().into_iter().find(|e| e.0 == metric).map(|e| e.1);
        let model = of(self.of(name)?)?;
        let fair = |name: &str| match against {
            Against::Pooled => name == "FL",
            // Random pairs make a narrow cloud, for which W1 is too small.
            Against::Oracle => metric != "w1" || !["R", "Rg"].contains(&name),
        };
        let nulls = self.scored.iter().filter(|s| s.kind == Kind::Null && fair(&s.name));
        let mut named: Vec<(String, Estimate)> =
            nulls.filter_map(|scored| Some((scored.name.clone(), of(&scored.score)?))).collect();
        named.sort_by(|a, b| a.1.value.total_cmp(&b.1.value));
        let (null, of_null) = named.into_iter().next()?;
        let gain = of_null.with(&model, |null, model| null - model);
        let floor = self.floor.estimate(metric, of_null.resampled.len(), Seed(0));
        let explainable = of_null.with(&floor, |null, floor| null - floor);
        let least = if explainable.has_interval() { explainable.lo } else { explainable.value };
        let share = (least > 0.0).then(|| gain.with(&explainable, |gain, all| gain / all));
        Some(Skill { null, of_null, gain, share })
    }

    /// The rows of `validation.csv`: all metrics of all predictions, the skills of methods, the noise
    /// floor, and row `P` if there are distances between batches. `real` are the time before, the held-out
    /// time and the time after.
    ///
    /// `n` is the smaller number of cells of a distance, `rep` the number of draws behind the value.
    pub(super) fn rows(&self, real: [f64; 3]) -> Vec<ValidationRow> {
        let [interval_start, interval_mid, interval_end] = real;
        let row = |name: &str, metric: &str, [value, lo, hi]: [f64; 3], n, rep| {
            let finite = |value: f64| Some(value).filter(|value| value.is_finite());
            ValidationRow {
                interval_start,
                interval_mid,
                interval_end,
                name: name.into(),
                metric: metric.into(),
                value: finite(value),
                lo: finite(lo),
                hi: finite(hi),
                n,
                rep,
            }
        };
        let mut rows = Vec::new();
        for scored in &self.scored {
            let n = scored.score.n_used.0.min(scored.score.n_used.1);
            for (metric, found) in scored.score.entries() {
                let numbers = found.with_ends();
                rows.push(row(&scored.name, metric, numbers, n, self.n_draws));
            }
            if scored.kind != Kind::Method {
                continue;
            }
            for (metric, against, skill_metric) in SKILLS {
                let found = self.skill(&scored.name, metric, against);
                if let Some(skill) = found.and_then(|found| found.share) {
                    rows.push(row(&scored.name, skill_metric, skill.with_ends(), n, self.n_draws));
                }
            }
        }
        for (metric, values) in &self.floor.entries {
            let [lo, hi] = ends(values);
            let numbers = [self.floor.mean(metric), lo, hi];
            rows.push(row("floor", metric, numbers, self.floor.n_per_side, values.len()));
        }
        for (metric, values) in self.batches.iter().flatten() {
            let mean = values.iter().sum::<f64>() / values.len() as f64;
            let [lo, hi] = ends(values);
            let numbers = [mean, lo, hi];
            rows.push(row("P", metric, numbers, self.floor.n_per_side, values.len()));
        }
        rows
    }
}

/// The smallest and the largest of several values; NaN for fewer than two values.
fn ends(values: &[f64]) -> [f64; 2] {
    if values.len() < 2 {
        return [f64::NAN; 2];
    }
    let each = || values.iter().copied();
    [each().fold(f64::INFINITY, f64::min), each().fold(f64::NEG_INFINITY, f64::max)]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A score whose metrics are all `values`.
    fn score(values: &[f64]) -> Score {
        let all = || Estimate::of(&values.iter().copied().collect());
        Score {
            w1: all(),
            w2: all(),
            sliced_w2: all(),
            energy: all(),
            mmd: all(),
            variance_ratio: all(),
            n_used: (9, 9),
        }
    }

    /// A method `m` and the null models `FL` and `R`; W1 has a floor of 1, 2 and 3.
    fn scored(model: &[f64], pooled: &[f64], random: &[f64]) -> ScoredTime {
        let of =
            |name: &str, kind, values| Scored { name: name.into(), kind, score: score(values) };
        let values = vec![1.0, 2.0, 3.0];
        ScoredTime {
            scored: vec![
                of("m", Kind::Method, model),
                of("FL", Kind::Null, pooled),
                of("R", Kind::Null, random),
            ],
            floor: ScoreFloor {
                entries: vec![("energy", values.clone()), ("w1", values)],
                n_per_side: 9,
            },
            n_draws: 1,
            too_few: false,
            batches: Some(BTreeMap::from([("w1", vec![4.0])])),
        }
    }

    #[test]
    fn skills_are_against_the_pool_or_the_best_and_contain_the_floor() {
        let time = scored(&[4.0, 4.0, 4.0], &[8.0, 8.0, 8.0], &[6.0, 6.0, 6.0]);
        let share = |metric, against| {
            let skill = time.skill("m", metric, against).unwrap();
            (skill.null, skill.share.unwrap())
        };
        let (null, energy) = share("energy", Against::Pooled);
        assert_eq!((null.as_str(), energy.value, energy.lo), ("FL", 0.5, 0.5));
        let (null, energy) = share("energy", Against::Oracle);
        assert_eq!(null, "R");
        assert!((energy.value - 1.0 / 3.0).abs() < 1e-12);
        // Random pairs are no standard for W1; its floor of 2 has an error, so the skill has one.
        let (null, w1) = share("w1", Against::Oracle);
        assert_eq!(null, "FL");
        assert!((w1.value - 4.0 / 6.0).abs() < 1e-12 && w1.lo < w1.hi);
    }

    #[test]
    fn there_is_no_skill_where_the_null_model_may_be_perfect() {
        let share = |pooled: &[f64]| {
            let time = scored(&[0.1, 0.1, 0.1], pooled, &[9.0, 9.0, 9.0]);
            time.skill("m", "energy", Against::Pooled).unwrap().share
        };
        assert!(share(&[0.3, -0.1, 0.6]).is_none());
        assert!(share(&[0.3, 0.1, 0.6]).is_some());
        // Without resamples, by the value alone.
        assert!(share(&[0.3]).is_some() && share(&[-0.3]).is_none());
    }

    #[test]
    fn parts_are_averaged_within_each_resample() {
        let parts = vec![
            scored(&[4.0, 1.0], &[8.0, 2.0], &[6.0, 3.0]),
            scored(&[2.0, 5.0], &[0.0, 4.0], &[6.0, 1.0]),
        ];
        let mean = ScoredTime::mean(&parts).unwrap();
        let of = |name: &str| mean.of(name).unwrap().energy.clone();
        assert_eq!((of("m").value, of("m").resampled), (3.0, vec![3.0]));
        assert_eq!((of("FL").value, of("FL").resampled), (4.0, vec![3.0]));
        assert_eq!(mean.floor.entries[1].1, [1.0, 2.0, 3.0]);
        assert_eq!(mean.batches.unwrap()["w1"], [4.0]);
        assert!(ScoredTime::mean(&[]).is_none());
    }
}
