//! Scores as JSON, for the processes that compute them: every number is read with the bits that it was written with.

use serde::{Deserialize, Serialize};

use crate::metrics::{Estimate, Score, ScoreFloor};
use crate::pipeline::evaluate::predict::Kind;
use crate::pipeline::evaluate::score::{Scored, ScoredTime};
use crate::share::Packed;

/// The names of all metrics.
const METRICS: [&str; 7] =
    ["energy", "energy_half", "w1", "w2", "sliced_w2", "mmd", "variance_ratio"];

/// Numbers with their names.
type Named = Vec<(String, Packed<f64>)>;

/// The scores of one prediction as JSON.
#[derive(Serialize, Deserialize)]
pub(super) struct KeptScored {
    name: String,
    kind: Kind,
    w1: Packed<f64>,
    w2: Packed<f64>,
    sliced_w2: Packed<f64>,
    energy: Packed<f64>,
    mmd: Packed<f64>,
    variance_ratio: Packed<f64>,
    n_used: (usize, usize),
}

/// All scores at one held-out time as JSON.
#[derive(Serialize, Deserialize)]
pub(super) struct KeptTime {
    scored: Vec<Scored>,
    floor: Named,
    n_per_side: usize,
    n_draws: usize,
    too_few: bool,
    batches: Option<Named>,
}

impl From<Scored> for KeptScored {
    fn from(Scored { name, kind, score }: Scored) -> Self {
        Self {
            name,
            kind,
            w1: packed(score.w1),
            w2: packed(score.w2),
            sliced_w2: packed(score.sliced_w2),
            energy: packed(score.energy),
            mmd: packed(score.mmd),
            variance_ratio: packed(score.variance_ratio),
            n_used: score.n_used,
        }
    }
}

impl TryFrom<KeptScored> for Scored {
    type Error = String;

    fn try_from(kept: KeptScored) -> Result<Self, String> {
        let score = Score {
            w1: estimate(kept.w1)?,
            w2: estimate(kept.w2)?,
            sliced_w2: estimate(kept.sliced_w2)?,
            energy: estimate(kept.energy)?,
            mmd: estimate(kept.mmd)?,
            variance_ratio: estimate(kept.variance_ratio)?,
            n_used: kept.n_used,
        };
        Ok(Self { name: kept.name, kind: kept.kind, score })
    }
}

impl From<ScoredTime> for KeptTime {
    fn from(of: ScoredTime) -> Self {
        let ScoredTime { scored, floor, n_draws, too_few, batches } = of;
        Self {
            scored,
            floor: named(floor.entries),
            n_per_side: floor.n_per_side,
            n_draws,
            too_few,
            batches: batches.map(named),
        }
    }
}

impl TryFrom<KeptTime> for ScoredTime {
    type Error = String;

    fn try_from(kept: KeptTime) -> Result<Self, String> {
        let KeptTime { scored, floor, n_per_side, n_draws, too_few, batches } = kept;
        let floor = ScoreFloor { entries: by_metric(floor)?, n_per_side };
        let batches = batches.map(by_metric).transpose()?;
        Ok(Self { scored, floor, n_draws, too_few, batches })
    }
}

/// Value, both ends, and the value in each resample.
fn packed(of: Estimate) -> Packed<f64> {
    Packed([of.value, of.lo, of.hi].into_iter().chain(of.resampled).collect())
}

/// The inverse of [`packed`].
fn estimate(Packed(mut numbers): Packed<f64>) -> Result<Estimate, String> {
    let [value, lo, hi] = *numbers.first_chunk().ok_or("a number has no interval")?;
    Ok(Estimate { value, lo, hi, resampled: numbers.split_off(3) })
}

/// Numbers with their names as text.
fn named(of: impl IntoIterator<Item = (&'static str, Vec<f64>)>) -> Named {
    of.into_iter().map(|(name, values)| (name.to_string(), Packed(values))).collect()
}

/// The inverse of [`named`].
fn by_metric<C: FromIterator<(&'static str, Vec<f64>)>>(of: Named) -> Result<C, String> {
    let known = |name: &str| METRICS.into_iter().find(|metric| *metric == name);
    let one = |(name, Packed(values)): (String, Packed<f64>)| {
        Ok((known(&name).ok_or_else(|| format!("no metric {name}"))?, values))
    };
    of.into_iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// A number that is not finite, and one with all its digits.
    fn number(value: f64) -> Estimate {
        let resampled = vec![f64::INFINITY, value / 3.0, f64::NAN];
        Estimate { value, lo: f64::NAN, hi: -0.0, resampled }
    }

    #[test]
    fn scores_are_the_same_bits_again() {
        let score = Score {
            w1: number(0.1),
            w2: number(0.7),
            sliced_w2: number(f64::NEG_INFINITY),
            energy: number(-1e-320),
            mmd: number(f64::NAN),
            variance_ratio: number(f64::INFINITY),
            n_used: (3, 4),
        };
        // All metrics that there are have a name that can be read.
        let all = score.entries().into_iter().map(|(name, of)| (name, of.resampled));
        let entries: Vec<_> = all.collect();
        let batches = Some(entries.iter().cloned().collect::<BTreeMap<_, _>>());
        let floor = ScoreFloor { entries, n_per_side: 5 };
        let scored = vec![Scored { name: "a".into(), kind: Kind::Null, score }];
        let time = ScoredTime { scored, floor, n_draws: 6, too_few: true, batches };
        let text = serde_json::to_string(&time).unwrap();
        let read: ScoredTime = serde_json::from_str(&text).unwrap();
        // The text has the bits of all numbers; the names of fields are in their order.
        assert_eq!(serde_json::to_string(&read).unwrap(), text);
        let values = |of: &ScoredTime| {
            let numbers = of.scored[0].score.entries().map(|(name, of)| {
                let all = of.with_ends().into_iter().chain(of.resampled);
                (name, all.map(f64::to_bits).collect::<Vec<_>>())
            });
            let lists = of.floor.entries.iter().cloned().chain(of.batches.clone().unwrap());
            let lists =
                lists.map(|(name, all)| (name, all.into_iter().map(f64::to_bits).collect()));
            numbers.into_iter().chain(lists).collect::<Vec<(_, Vec<u64>)>>()
        };
        assert_eq!(values(&read), values(&time));
        let unknown = text.replace("\"energy_half\"", "\"energie\"");
        assert!(serde_json::from_str::<ScoredTime>(&unknown).is_err());
    }
}
