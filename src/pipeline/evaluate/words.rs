//! The verdict on each method in one line, and the summary over all held-out times.
//!
//! A verdict compares energy distances: a method is better than a null model if the bootstrap interval
//! of the gain is above zero, and worse if it is below. The first null model is `FL`, which is fixed
//! beforehand. The second is the best one in hindsight, an oracle.

use crate::io::validation::{HeldOutRecord, Verdict, VerdictRecord};
use crate::metrics::Estimate;
use crate::pipeline::evaluate::score::{Against, ScoredTime, Skill};

/// The description of a null model, for readers who do not know its letter.
pub(super) fn null_in_words(name: &str) -> &'static str {
    match name {
        "F" => "the cells of the time before",
        "L" => "the cells of the time after",
        "M" => "the time before, shifted by the mean",
        "FL" => "the two neighbouring times pooled",
        "R" => "cells paired at random",
        "Rg" => "cells paired at random, with growth",
        _ => "another prediction",
    }
}

/// Smallest number of resamples with a 2.5th percentile.
const LEAST_RESAMPLES: usize = 20;

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
    let null = format!("{} ({})", null_in_words(&skill.null), skill.null);
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
        _ => format!(
            "no better and no worse than {null}, as far as these cells tell: {both}, gain {gain}"
        ),
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
    let beyond = |excluded: bool| excluded || !ratio.has_interval();
    if value < 0.9 && beyond(hi < 1.0) {
        let shown = shown(ratio);
        return Some(format!("too narrow (variance ratio {shown}), which W1 does not punish"));
    }
    let wide = value > 1.1 && beyond(lo > 1.0);
    wide.then(|| format!("too wide (variance ratio {})", shown(ratio)))
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
    let count = |of: fn(&VerdictRecord) -> Verdict, verdict: Verdict| {
        found().filter(|record| of(record) == verdict).count()
    };
    let pooled = |verdict| count(|record| record.pooled, verdict);
    let oracle = |verdict| count(|record| record.oracle, verdict);
    let unknown = pooled(Verdict::Unknown);
    if unknown == n {
        return format!("{name}: no verdict at {n} held-out times, since there are no intervals");
    }
    let nothing = match pooled(Verdict::Nothing) {
        0 => String::new(),
        n => format!(" (nothing to explain at {n} of them)"),
    };
    let without = if unknown == 0 { String::new() } else { format!(", no verdict at {unknown}") };
    format!(
        "{name}: better than the two neighbouring times pooled (FL) at {} of {n} held-out times, not \
         distinguishable at {}{nothing}, worse at {}{without}; than the best simple guess in hindsight (an \
         oracle): better at {}, worse at {}",
        pooled(Verdict::Better),
        pooled(Verdict::Equal) + pooled(Verdict::Nothing),
        pooled(Verdict::Worse),
        oracle(Verdict::Better),
        oracle(Verdict::Worse),
    )
}
