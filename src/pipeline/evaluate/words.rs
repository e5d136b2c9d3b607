//! The verdict on each method in one line.
//!
//! A verdict compares energy distances: a method is better than the best null model if the bootstrap
//! interval of the gain is above zero, and worse if it is below.

use crate::pipeline::evaluate::score::{ScoredTime, Skill};

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

/// The line for the method `name`: whether its energy distance is smaller than that of the best null model
/// with confidence, its skill, and whether its population is too narrow or too wide. `None` without scores.
pub(super) fn verdict(scored: &ScoredTime, name: &str) -> Option<String> {
    let Skill { null, gain, share: skill } = scored.skill(name, "energy")?;
    let best = null_in_words(&null);
    let share = |value: f64| format!("{:.0} %", 100.0 * value);
    let model = scored.scored.iter().find(|s| s.name == name)?;
    let ratio = model.score.variance_ratio.value;
    let width = match ratio {
        ratio if ratio < 0.9 => {
            format!("; too narrow (variance ratio {ratio:.2}), which W1 does not punish")
        }
        ratio if ratio > 1.1 => format!("; too wide (variance ratio {ratio:.2})"),
        _ => String::new(),
    };
    let Some(skill) = skill else {
        return Some(format!("{name}: nothing to explain, {best} ({null}) is at the noise floor"));
    };
    let n_resamples = gain.resampled.len();
    let verdict = if n_resamples < LEAST_RESAMPLES {
        let energy = model.score.energy.value;
        let (best_energy, why) = (energy + gain.value, few(n_resamples, scored.too_few));
        format!(
            "{name}: energy distance {energy:.3} against {best_energy:.3} of {best} ({null}); {why}"
        )
    } else if gain.lo > 0.0 {
        format!(
            "{name}: better than {best} ({null}), by {} of what can be explained [{}, {}]",
            share(skill.value),
            share(skill.lo),
            share(skill.hi)
        )
    } else if gain.hi < 0.0 {
        let energy = model.score.energy.value;
        format!(
            "{name}: worse than {best} ({null}): energy distance {energy:.3} against {:.3}",
            energy + gain.value
        )
    } else {
        format!("{name}: no better and no worse than {best} ({null}), as far as these cells tell")
    };
    Some(verdict + &width)
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
