//! The verdict on each method in one line, and the summary over all held-out times.
//!
//! A verdict compares energy distances: a method is better than a null model if the bootstrap interval
//! of the gain is above zero, and worse if it is below. The first null model is `FL`, which is fixed
//! beforehand. The second is the best one in hindsight, an oracle.

use crate::io::validation::{GUESSES, HeldOutRecord, Spread, Verdict, VerdictRecord};
use crate::metrics::{Estimate, LEAST_RESAMPLES};
use crate::pipeline::evaluate::score::{Against, ScoredTime, Skill};

/// The description of a null model, for readers who do not know its letter.
pub(super) fn null_in_words(name: &str) -> &'static str {
    let found = GUESSES.iter().find(|guess| guess.0 == name);
    found.map_or("another prediction", |guess| guess.1)
}

/// The verdict on the method `name`, and its line: whether its energy distance is smaller than that of the
/// null models with confidence, its skill, and whether its population is too narrow or too wide. `None`
/// without scores.
pub(super) fn verdict(scored: &ScoredTime, name: &str) -> Option<(VerdictRecord, String)> {
    let pooled = scored.skill(name, "energy", Against::Pooled)?;
    let oracle = scored.skill(name, "energy", Against::Oracle)?;
    let model = &scored.scored.iter().find(|s| s.name == name)?.score;
    let record = VerdictRecord {
        name: name.to_string(),
        pooled: of(&pooled),
        oracle: of(&oracle),
        oracle_null: oracle.null.clone(),
    };
    let mut parts = vec![format!("{name}: {}", compared(&pooled, &model.energy))];
    if record.pooled == Verdict::Unknown {
        parts.push(few(pooled.gain.resampled.len(), scored.too_few));
    }
    if oracle.null != pooled.null {
        parts.push(format!("in hindsight (an oracle): {}", compared(&oracle, &model.energy)));
    }
    parts.extend(width(&model.variance_ratio));
    Some((record, parts.join("; ")))
}

/// The verdict that an interval allows.
fn of(skill: &Skill) -> Verdict {
    let Skill { gain, share, .. } = skill;
    if gain.resampled.len() < LEAST_RESAMPLES {
        Verdict::Unknown
    } else if gain.hi < 0.0 {
        Verdict::Worse
    } else if share.is_none() {
        Verdict::Nothing
    } else if gain.lo > 0.0 {
        Verdict::Better
    } else {
        Verdict::Equal
    }
}

/// The comparison with one null model in words, with numbers and their intervals.
fn compared(skill: &Skill, energy: &Estimate) -> String {
    let null = null_in_words(&skill.null);
    let [of_null, gain] = [&skill.of_null, &skill.gain].map(interval);
    let both = format!("energy distance {:.3} against {:.3}", energy.value, skill.of_null.value);
    match (of(skill), &skill.share) {
        (Verdict::Better, Some(share)) => {
            let percent = |value: f64| format!("{:.0} %", 100.0 * value);
            let [value, lo, hi] = share.with_ends().map(percent);
            format!("better than {null}, by {value} [{lo}, {hi}] of what can be explained")
        }
        (Verdict::Worse, _) => format!("worse than {null}: {both}, gain {gain}"),
        (Verdict::Nothing, _) => {
            format!("nothing to explain: {null} is at the noise floor, energy distance {of_null}")
        }
        (Verdict::Unknown, _) => format!("{both} of {null}"),
        _ => format!("no better and no worse than {null}: {both}, gain {gain}"),
    }
}

/// A number with its interval: `0.012 [-0.030, 0.051]`.
fn interval(estimate: &Estimate) -> String {
    let [value, lo, hi] = estimate.with_ends();
    format!("{value:.3} [{lo:.3}, {hi:.3}]")
}

/// The words for a population that is too narrow or too wide beyond its interval.
fn width(ratio: &Estimate) -> Option<String> {
    let [value, lo, hi] = ratio.with_ends();
    let ends = if ratio.has_interval() { [lo, hi] } else { [f64::NAN; 2] };
    let shown = shown(ratio);
    match Spread::of(value, ends) {
        Spread::Narrow => {
            Some(format!("too narrow (variance ratio {shown}), which W1 does not punish"))
        }
        Spread::Wide => Some(format!("too wide (variance ratio {shown})")),
        Spread::Right => None,
    }
}

/// A ratio with its interval, if there is one.
fn shown(ratio: &Estimate) -> String {
    let [value, lo, hi] = ratio.with_ends();
    if ratio.has_interval() {
        format!("{value:.2} [{lo:.2}, {hi:.2}]")
    } else {
        format!("{value:.2}")
    }
}

/// The reason why there is no verdict.
fn few(n_resamples: usize, too_few: bool) -> String {
    if too_few {
        return "too few cells or batches for an interval, so no verdict".into();
    }
    if n_resamples == 0 {
        return "no interval was asked for (the parameter `bootstrap = 0`), so no verdict".into();
    }
    format!("{n_resamples} resamples give no interval (the parameter `bootstrap`), so no verdict")
}

/// One line for each method: at how many held-out times it is better or worse than `FL`, and than the
/// oracle.
pub(super) fn summary(all: &[HeldOutRecord]) -> Vec<String> {
    let mut names: Vec<&str> = Vec::new();
    for verdict in all.iter().flat_map(|held| &held.verdicts) {
        if !names.contains(&verdict.name.as_str()) {
            names.push(&verdict.name);
        }
    }
    names.into_iter().map(|name| summary_of(all, name)).collect()
}

/// The line of [`summary`] for the method `name`.
fn summary_of(all: &[HeldOutRecord], name: &str) -> String {
    let found = || all.iter().flat_map(|held| &held.verdicts).filter(|found| found.name == name);
    let n = found().count();
    let times = if n == 1 { "time" } else { "times" };
    let count = |of: fn(&VerdictRecord) -> Verdict, verdict: Verdict| {
        found().filter(|record| of(record) == verdict).count()
    };
    let pooled = |verdict| count(|record| record.pooled, verdict);
    let oracle = |verdict| count(|record| record.oracle, verdict);
    let unknown = pooled(Verdict::Unknown);
    if unknown == n {
        return format!("{name}: no verdict at {n} held-out {times}, since there are no intervals");
    }
    let nothing = match pooled(Verdict::Nothing) {
        0 => String::new(),
        n => format!(" (nothing to explain at {n} of them)"),
    };
    let without = if unknown == 0 { String::new() } else { format!(", no verdict at {unknown}") };
    format!(
        "{name}: better than the two neighbouring times pooled at {} of {n} held-out {times}, not \
         distinguishable at {}{nothing}, worse at {}{without}; than the best simple guess in hindsight (an \
         oracle): better at {}, worse at {}",
        pooled(Verdict::Better),
        pooled(Verdict::Equal) + pooled(Verdict::Nothing),
        pooled(Verdict::Worse),
        oracle(Verdict::Better),
        oracle(Verdict::Worse),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An estimate with this value and 40 resamples from `lo` to `hi`.
    fn estimate(value: f64, lo: f64, hi: f64) -> Estimate {
        let step = |i: usize| lo + (hi - lo) * i as f64 / 39.0;
        Estimate::of(&std::iter::once(value).chain((0..40).map(step)).collect())
    }

    /// A gain over a null model whose distance is one, at the noise floor or above it.
    fn skill(gain: &Estimate, at_floor: bool) -> Skill {
        let share = (!at_floor).then(|| gain.clone());
        let of_null = estimate(1.0, 0.9, 1.1);
        Skill { null: "FL".into(), of_null, gain: gain.clone(), share }
    }

    #[test]
    fn a_verdict_needs_an_interval_without_zero_and_something_to_explain() {
        let (above, below) = (estimate(0.5, 0.2, 0.7), estimate(-0.5, -0.9, -0.1));
        let around = estimate(0.1, -0.1, 0.4);
        assert_eq!(of(&skill(&above, false)), Verdict::Better);
        assert_eq!(of(&skill(&around, false)), Verdict::Equal);
        assert_eq!(of(&skill(&below, false)), Verdict::Worse);
        assert_eq!(of(&skill(&above, true)), Verdict::Nothing);
        assert_eq!(of(&skill(&around, true)), Verdict::Nothing);
        // A method can be wrong where nothing is to be explained.
        assert_eq!(of(&skill(&below, true)), Verdict::Worse);
        assert_eq!(of(&skill(&above.without_interval(), false)), Verdict::Unknown);
        let words = compared(&skill(&above, false), &estimate(0.5, 0.3, 0.8));
        let pooled = "the two neighbouring times pooled";
        assert!(
            words.starts_with(&format!("better than {pooled}, by 50 % [21 %, 69 %]")),
            "{words}"
        );
        let words = compared(&skill(&below, true), &estimate(1.5, 1.3, 1.8));
        assert!(words.ends_with("1.500 against 1.000, gain -0.500 [-0.880, -0.120]"), "{words}");
    }

    #[test]
    fn a_width_is_said_if_its_interval_excludes_the_right_one() {
        assert_eq!(width(&estimate(0.8, 0.6, 1.1)), None);
        assert_eq!(width(&estimate(0.95, 0.93, 0.97)), None);
        assert!(width(&estimate(0.8, 0.7, 0.9)).unwrap().starts_with("too narrow"));
        assert!(width(&estimate(1.3, 1.1, 1.5)).unwrap().starts_with("too wide"));
        assert!(width(&estimate(1.3, 1.1, 1.5).without_interval()).is_some());
    }

    #[test]
    fn the_summary_counts_verdicts_for_each_method() {
        use Verdict::{Better, Equal, Nothing, Unknown, Worse};
        let held = |verdicts: &[(&str, Verdict, Verdict)]| HeldOutRecord {
            label: String::new(),
            start: 0.0,
            time: 1.0,
            end: 2.0,
            n_cells: 9,
            n_dims: 2,
            solved: Vec::new(),
            verdicts: verdicts
                .iter()
                .map(|&(name, pooled, oracle)| VerdictRecord {
                    name: name.into(),
                    pooled,
                    oracle,
                    oracle_null: "M".into(),
                })
                .collect(),
            words: Vec::new(),
        };
        let all = [
            held(&[("a", Better, Better), ("b", Unknown, Unknown)]),
            held(&[("a", Better, Worse), ("b", Unknown, Unknown)]),
            held(&[("a", Nothing, Nothing)]),
            held(&[("a", Equal, Equal)]),
            held(&[("a", Worse, Worse)]),
        ];
        let lines = summary(&all);
        let expected = "a: better than the two neighbouring times pooled at 2 of 5 held-out times, \
                        not distinguishable at 2 (nothing to explain at 1 of them), worse at 1; than the \
                        best simple guess in hindsight (an oracle): better at 1, worse at 2";
        assert_eq!(lines[0], expected);
        assert_eq!(lines[1], "b: no verdict at 2 held-out times, since there are no intervals");
    }
}
