//! Scores of held-out times, in words.
//!
//! Scores are energy distances to the held-out cells. The files name simple guesses by letters, the page by words.

use std::path::Path;

use crate::error::Result;
use crate::io::report::{HeldOutScore, Interval95};
use crate::io::run::read_json;
use crate::io::validation::{HeldOutRecord, POOLED, Spread, Validation, ValidationRow, Verdict};

/// Reads `validation.json` in `place`, which may also be the file itself.
///
/// # Errors
/// Those of reading JSON.
pub(super) fn scores(place: &Path) -> Result<Vec<HeldOutScore>> {
    let path = if place.is_dir() { place.join("validation.json") } else { place.to_path_buf() };
    let validation: Validation = read_json(&path)?;
    Ok(validation.held_out.iter().filter_map(|held| score(&validation, held)).collect())
}

/// The score of the first method at one time; `None` without a verdict or a score.
fn score(all: &Validation, held: &HeldOutRecord) -> Option<HeldOutScore> {
    let verdict = held.verdicts.first()?;
    let of = |name: &str| all.row(held.time, name, "energy").and_then(interval);
    let none = Interval95 { value: f64::NAN, lo: f64::NAN, hi: f64::NAN };
    let best = all.best_guess(held.time, "energy");
    let best_name = best.map_or("", |best| best.0);
    let best = best.and_then(|best| interval(best.1)).unwrap_or(none);
    let ratio = all.row(held.time, &verdict.name, "variance_ratio").and_then(interval);
    let ratio = ratio.unwrap_or(none);
    let (sign, verdict_words) = match verdict.pooled {
        Verdict::Better => (1, "better than the simple guess"),
        Verdict::Equal => (0, "no better and no worse than the simple guess"),
        Verdict::Worse => (-1, "worse than the simple guess"),
        Verdict::Nothing => (0, "nothing to explain: the simple guess is at the noise floor"),
        Verdict::Unknown => (0, "unknown: too few cells for an interval"),
    };
    Some(HeldOutScore {
        time: held.time,
        method: verdict.name.clone(),
        n_cells: held.n_cells,
        prediction: of(&verdict.name)?,
        pooled: of(POOLED).unwrap_or(none),
        best: (best_name.to_string(), best),
        floor: of("floor").map_or(f64::NAN, |floor| floor.value),
        ratio,
        too_narrow: Spread::of(ratio.value, [ratio.lo, ratio.hi]) == Spread::Narrow,
        verdict: verdict_words.into(),
        sign,
    })
}

/// A score with its interval, if it could be computed.
fn interval(row: &ValidationRow) -> Option<Interval95> {
    let or_nan = |value: Option<f64>| value.unwrap_or(f64::NAN);
    Some(Interval95 { value: row.value?, lo: or_nan(row.lo), hi: or_nan(row.hi) })
}
