//! Scores of held-out times, in words.

use std::path::Path;

use crate::error::Result;
use crate::io::report::{HeldOutScore, Interval95};
use crate::io::run::read_json;
use crate::io::validation::{HeldOutRecord, Validation, Verdict};

/// Simple guesses by their names in a validation, in words.
const GUESSES: [(&str, &str); 6] = [
    ("F", "the cells of the time before"),
    ("L", "the cells of the time after"),
    ("M", "the time before, shifted by the mean"),
    ("FL", POOLED),
    ("R", "midpoints of random pairs"),
    ("Rg", "midpoints of random pairs, weighted by growth"),
];

/// The guess that is fixed beforehand.
const POOLED: &str = "both neighbouring times pooled";

/// Reads `validation.json` in `place`, which may also be the file itself.
///
/// # Errors
/// Those of reading JSON.
pub(super) fn scores(place: &Path) -> Result<Vec<HeldOutScore>> {
    let path = if place.is_dir() { place.join("validation.json") } else { place.to_path_buf() };
    let validation: Validation = read_json(&path)?;
    Ok(validation.held_out.iter().filter_map(|held| score(&validation, held)).collect())
}

/// The score of the first method at one time.
fn score(all: &Validation, held: &HeldOutRecord) -> Option<HeldOutScore> {
    let verdict = held.verdicts.first()?;
    let of = |name: &str| -> Option<Interval95> {
        let row = all.row(held.time, name, "energy")?;
        let or_nan = |value: Option<f64>| value.unwrap_or(f64::NAN);
        Some(Interval95 { value: row.value?, lo: or_nan(row.lo), hi: or_nan(row.hi) })
    };
    let none = Interval95 { value: f64::NAN, lo: f64::NAN, hi: f64::NAN };
    let best = GUESSES
        .iter()
        .filter_map(|(name, words)| Some((*words, of(name)?)))
        .min_by(|one, other| one.1.value.total_cmp(&other.1.value));
    let (best_name, best) = best.unwrap_or(("", none));
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
        pooled: of("FL").unwrap_or(none),
        best: (best_name.to_string(), best),
        floor: of("floor").map_or(f64::NAN, |floor| floor.value),
        verdict: verdict_words.into(),
        sign,
    })
}
