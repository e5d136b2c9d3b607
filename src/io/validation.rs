//! Scores of held-out times, as written in `validation.csv` and `validation.json`.

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::io::run::{known_format, write_json};
use crate::io::table::{self, Cells, Table, TableFormat};

use std::path::Path;

/// Version of the layout of `validation.json`.
pub(crate) const FORMAT: u32 = 2;

/// Simple guesses (null models) by their names in the files, in words.
pub(crate) const GUESSES: [(&str, &str); 6] = [
    ("F", "the cells of the time before"),
    ("L", "the cells of the time after"),
    ("M", "the time before, shifted by the mean"),
    (POOLED, "the two neighbouring times pooled"),
    ("R", "cells paired at random"),
    ("Rg", "cells paired at random, with growth"),
];

/// Rows of tables by their names in the files, in words.
const ROWS: [(&str, &str); 9] = [
    (POOLED, "simple guess (pooled)"),
    ("F", "time before"),
    ("L", "time after"),
    ("M", "time before, shifted"),
    ("R", "pairs at random"),
    ("Rg", "pairs at random, with growth"),
    ("A", "before against after"),
    ("P", "batches of this time"),
    ("floor", "noise floor"),
];

/// The words for the row `name` of a table of scores; the name itself for a method.
///
/// ```
/// use sbcell::io::validation::row_in_words;
/// assert_eq!(row_in_words("FL"), "simple guess (pooled)");
/// assert_eq!(row_in_words("lightsb"), "lightsb");
/// ```
pub fn row_in_words(name: &str) -> &str {
    ROWS.iter().find(|row| row.0 == name).map_or(name, |row| row.1)
}

/// Name of the guess that is fixed beforehand: the two neighbouring times pooled.
pub(crate) const POOLED: &str = "FL";

/// How the spread of a predicted population compares with that of the observed cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spread {
    /// The population is too narrow: predicted cells vary less than observed ones.
    Narrow,
    /// No difference beyond the interval, or one of less than a tenth.
    Right,
    /// The population is too wide.
    Wide,
}

impl Spread {
    /// The spread by a variance ratio (predicted over observed) `value`, with the ends of its 95 % interval, NaN
    /// without one. A ratio counts if it is below 0.9 or above 1.1 and its interval leaves out 1.
    pub(crate) fn of(value: f64, [lo, hi]: [f64; 2]) -> Self {
        let unknown = !(lo.is_finite() && hi.is_finite());
        if value < 0.9 && (unknown || hi < 1.0) {
            Self::Narrow
        } else if value > 1.1 && (unknown || lo > 1.0) {
            Self::Wide
        } else {
            Self::Right
        }
    }
}

/// One score: a row of `validation.csv`. See [`Validation`] for an example.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ValidationRow {
    /// Time before the held-out one, in the unit of the file.
    pub interval_start: f64,
    /// The held-out time.
    pub interval_mid: f64,
    /// Time after the held-out one.
    pub interval_end: f64,
    /// Name of what is scored: a method; `NAME:weighted`, the method with growth in the weights; a null
    /// model (`F`, `L`, `M`, `FL`, `R`, `Rg`); `A`, the earlier against the later time; `P`, batches
    /// against each other; or `floor`, the noise floor.
    pub name: String,
    /// Name of the metric: `energy`, `energy_half`, `w1`, `w2`, `sliced_w2`, `mmd`, `variance_ratio`,
    /// `skill_energy`, `skill_w1` (against the null model `FL`), `skill_energy_oracle` or
    /// `skill_w1_oracle` (against the best null model in hindsight).
    pub metric: String,
    /// The score, if it could be computed.
    pub value: Option<f64>,
    /// Lower end of the 95 % bootstrap interval; for `floor`, of the range over splits.
    pub lo: Option<f64>,
    /// Upper end of the interval or range.
    pub hi: Option<f64>,
    /// Number of cells on each side, the smaller of both.
    pub n: usize,
    /// Number of draws (of a Wasserstein distance) or splits (of a floor) in the average.
    pub rep: usize,
}

/// One held-out time in `validation.json`. See [`Validation`] for an example.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HeldOutRecord {
    /// Label of the time in the file.
    pub label: String,
    /// Time before the held-out one, in the unit of the file.
    pub start: f64,
    /// The held-out time.
    pub time: f64,
    /// Time after the held-out one.
    pub end: f64,
    /// Number of observed cells at the held-out time.
    pub n_cells: usize,
    /// Number of dimensions in which cells were compared; the larger one of two halves.
    pub n_dims: usize,
    /// Report of each method, for each half of the training cells.
    pub solved: Vec<SolvedRecord>,
    /// The verdict on each method.
    #[serde(default)]
    pub verdicts: Vec<VerdictRecord>,
    /// Summary of the scores in words, one line for each method.
    pub words: Vec<String>,
}

/// The comparison of a method with a null model by the interval of the gain in energy distance. See
/// [`Validation`] for an example.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The method has the smaller energy distance, beyond the interval.
    Better,
    /// The interval of the difference contains zero.
    Equal,
    /// The null model has the smaller energy distance, beyond the interval.
    Worse,
    /// The null model is at the noise floor, so that there is nothing to explain.
    Nothing,
    /// There is no interval.
    Unknown,
}

/// The verdict on a method at a held-out time. See [`Validation`] for an example.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerdictRecord {
    /// Name of the method.
    pub name: String,
    /// Against `FL`, the two neighbouring times pooled: a null model fixed beforehand.
    pub pooled: Verdict,
    /// Against the null model with the smallest energy distance in hindsight: an oracle.
    pub oracle: Verdict,
    /// The name of this null model.
    pub oracle_null: String,
}

/// Report of a method that was fitted without the held-out time. See [`Validation`] for an example.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SolvedRecord {
    /// Name of the method.
    pub name: String,
    /// The half of the training cells that the bridge is made from: 0, or 0 and 1 where coordinates are
    /// learnt from the other half.
    #[serde(default)]
    pub part: usize,
    /// Reason why the solver stopped.
    pub stop: String,
    /// Number of iterations of the solver.
    pub iterations: usize,
    /// Hyperparameters, including those that were chosen from the data.
    pub parameters: serde_json::Value,
}

/// The content of `validation.json`: scores of methods at held-out times.
///
/// ```
/// use sbcell::io::validation::{HeldOutRecord, SolvedRecord, Validation, ValidationRow};
/// use sbcell::io::validation::{Verdict, VerdictRecord};
/// let solved = SolvedRecord {
///     name: "lightsb".into(),
///     part: 0,
///     stop: "converged".into(),
///     iterations: 12,
///     parameters: serde_json::json!({ "n_gaussians": 10 }),
/// };
/// let verdict = VerdictRecord {
///     name: "lightsb".into(),
///     pooled: Verdict::Better,
///     oracle: Verdict::Equal,
///     oracle_null: "L".into(),
/// };
/// let held = HeldOutRecord {
///     label: "day 2".into(),
///     start: 1.0,
///     time: 2.0,
///     end: 3.0,
///     n_cells: 100,
///     n_dims: 5,
///     solved: vec![solved],
///     verdicts: vec![verdict],
///     words: Vec::new(),
/// };
/// let row = ValidationRow {
///     interval_start: 1.0,
///     interval_mid: 2.0,
///     interval_end: 3.0,
///     name: "lightsb".into(),
///     metric: "w1".into(),
///     value: Some(0.7),
///     lo: None,
///     hi: None,
///     n: 100,
///     rep: 1,
/// };
/// let validation = Validation {
///     format: 2,
///     sbcell: "0.1.0".into(),
///     protocol: "strict".into(),
///     facts: Vec::new(),
///     leaks: Vec::new(),
///     summary: Vec::new(),
///     held_out: vec![held],
///     rows: vec![row],
/// };
/// assert_eq!(validation.mean("lightsb", "w1"), Some(0.7));
/// assert!(validation.row(2.0, "lightsb", "energy").is_none());
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Validation {
    /// Version of the layout. Scores of a later layout are not read.
    #[serde(deserialize_with = "known_format::<FORMAT, _>")]
    pub format: u32,
    /// Version of sbcell.
    pub sbcell: String,
    /// Name of the protocol.
    pub protocol: String,
    /// Settings on which scores depend. Scores are comparable only if these are the same.
    pub facts: Vec<String>,
    /// Information on the held-out cells that was available to the methods; empty if there was none.
    pub leaks: Vec<String>,
    /// One line for each method over all held-out times.
    #[serde(default)]
    pub summary: Vec<String>,
    /// The held-out times.
    pub held_out: Vec<HeldOutRecord>,
    /// All scores.
    pub rows: Vec<ValidationRow>,
}

impl Validation {
    /// The score of `name` in `metric` at the held-out time `time`, if there is one.
    pub fn row(&self, time: f64, name: &str, metric: &str) -> Option<&ValidationRow> {
        self.rows.iter().find(|row| {
            row.interval_mid.total_cmp(&time).is_eq() && row.name == name && row.metric == metric
        })
    }

    /// Mean score of `name` in `metric` over the held-out times; `None` if a score is missing.
    pub fn mean(&self, name: &str, metric: &str) -> Option<f64> {
        let found: Option<Vec<f64>> = self
            .held_out
            .iter()
            .map(|held| self.row(held.time, name, metric).and_then(|row| row.value))
            .collect();
        let found = found.filter(|values| !values.is_empty())?;
        Some(found.iter().sum::<f64>() / found.len() as f64)
    }

    /// The simple guess with the smallest score in `metric` at the held-out time `time`, in hindsight: its words
    /// and its row.
    pub(crate) fn best_guess(
        &self,
        time: f64,
        metric: &str,
    ) -> Option<(&'static str, &ValidationRow)> {
        let scored = GUESSES.iter().filter_map(|(name, words)| {
            let row = self.row(time, name, metric)?;
            Some((*words, row, row.value?))
        });
        scored.min_by(|one, other| one.2.total_cmp(&other.2)).map(|best| (best.0, best.1))
    }

    /// Names of all that is scored, in order of first appearance.
    pub fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for row in &self.rows {
            if !names.contains(&row.name.as_str()) {
                names.push(&row.name);
            }
        }
        names
    }
}

/// Writes the rows as a table: `validation.csv`.
///
/// # Errors
/// [`crate::Error::Io`] if the file cannot be written.
pub(crate) fn write_table(path: &Path, validation: &Validation) -> Result<()> {
    let rows = &validation.rows;
    let floats = |of: fn(&ValidationRow) -> Option<f64>| {
        Cells::Floats(rows.iter().map(|row| of(row).unwrap_or(f64::NAN)).collect())
    };
    let texts = |of: fn(&ValidationRow) -> &String| {
        Cells::Texts(rows.iter().map(|r| of(r).clone()).collect())
    };
    let table = Table::default()
        .with("interval_start", floats(|row| Some(row.interval_start)))
        .with("interval_mid", floats(|row| Some(row.interval_mid)))
        .with("interval_end", floats(|row| Some(row.interval_end)))
        .with("name", texts(|row| &row.name))
        .with("metric", texts(|row| &row.metric))
        .with("value", floats(|row| row.value))
        .with("lo", floats(|row| row.lo))
        .with("hi", floats(|row| row.hi))
        .with("n", Cells::Integers(rows.iter().map(|row| row.n as i64).collect()))
        .with("rep", Cells::Integers(rows.iter().map(|row| row.rep as i64).collect()));
    table::write(path, &table, TableFormat::Csv)
}

/// Writes the whole validation as JSON: `validation.json`.
///
/// # Errors
/// [`crate::Error::Io`] if the file cannot be written.
pub(crate) fn write(path: &Path, validation: &Validation) -> Result<()> {
    write_json(path, validation)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_counts_beyond_its_interval() {
        assert_eq!(Spread::of(0.8, [0.7, 0.9]), Spread::Narrow);
        assert_eq!(Spread::of(0.8, [0.7, 1.1]), Spread::Right);
        assert_eq!(Spread::of(0.95, [0.92, 0.98]), Spread::Right);
        assert_eq!(Spread::of(1.5, [1.1, 1.9]), Spread::Wide);
        assert_eq!(Spread::of(0.5, [f64::NAN; 2]), Spread::Narrow);
        assert_eq!(Spread::of(f64::NAN, [f64::NAN; 2]), Spread::Right);
    }

    #[test]
    fn means_are_over_all_held_out_times_or_there_is_none() {
        let row = |time: f64, name: &str, value| ValidationRow {
            interval_start: 0.0,
            interval_mid: time,
            interval_end: 9.0,
            name: name.into(),
            metric: "w1".into(),
            value,
            lo: None,
            hi: None,
            n: 5,
            rep: 1,
        };
        let held = |time: f64| HeldOutRecord {
            label: String::new(),
            start: 0.0,
            time,
            end: 9.0,
            n_cells: 5,
            n_dims: 2,
            solved: Vec::new(),
            verdicts: Vec::new(),
            words: Vec::new(),
        };
        let validation = Validation {
            format: FORMAT,
            sbcell: String::new(),
            protocol: "honest".into(),
            facts: Vec::new(),
            leaks: Vec::new(),
            summary: Vec::new(),
            held_out: vec![held(1.0), held(2.0)],
            rows: vec![
                row(1.0, "a", Some(1.0)),
                row(2.0, "a", Some(4.0)),
                row(1.0, "b", Some(1.0)),
            ],
        };
        assert_eq!(validation.mean("a", "w1"), Some(2.5));
        assert_eq!(validation.mean("b", "w1"), None);
        assert_eq!(validation.mean("a", "w2"), None);
        assert_eq!(validation.names(), ["a", "b"]);
    }
}
