//! Scores of held-out times: `validation.csv` and `validation.json`.

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::io::run::write_json;
use crate::io::table::{self, Cells, Table, TableFormat};

use std::path::Path;

/// The version of the layout of `validation.json`.
pub const FORMAT: u32 = 1;

/// One number of a validation: a row of `validation.csv`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ValidationRow {
    /// The time before the held-out one.
    pub interval_start: f64,
    /// The held-out time.
    pub interval_mid: f64,
    /// The time after the held-out one.
    pub interval_end: f64,
    /// A method; `NAME:weighted` with growth in the weights; a null (`F`, `L`, `M`, `FL`, `R`,
    /// `Rg`); `A`, earlier against later; `P`, batches against each other; or `floor`.
    pub name: String,
    /// `energy`, `energy_half`, `w1`, `w2`, `sliced_w2`, `mmd`, `variance_ratio`, `skill_energy` or
    /// `skill_w1`.
    pub metric: String,
    /// The number, if there is one.
    pub value: Option<f64>,
    /// Lower end of the 95 % bootstrap interval; of the range over splits for `floor`.
    pub lo: Option<f64>,
    /// Upper end.
    pub hi: Option<f64>,
    /// Cells on each side, the smaller one.
    pub n: usize,
    /// Draws (of a Wasserstein distance) or splits (of a floor) that were averaged.
    pub rep: usize,
}

/// One held-out time in `validation.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HeldOutRecord {
    /// The label of the time in the file.
    pub label: String,
    /// The time before, in the unit of the file.
    pub start: f64,
    /// The held-out time.
    pub time: f64,
    /// The time after.
    pub end: f64,
    /// Observed cells at the held-out time.
    pub n_cells: usize,
    /// Dimensions that were compared.
    pub n_dims: usize,
    /// How methods were found: their name and what they reported.
    pub solved: Vec<SolvedRecord>,
    /// What the numbers say, one line for each method.
    pub words: Vec<String>,
}

/// How a method was found without the held-out time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SolvedRecord {
    /// The method.
    pub name: String,
    /// Why the solver stopped.
    pub stop: String,
    /// Steps it took.
    pub iterations: usize,
    /// The hyperparameters, also those that were chosen.
    pub parameters: serde_json::Value,
}

/// What `validation.json` holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Validation {
    /// Version of the layout.
    pub format: u32,
    /// Version of sbcell.
    pub sbcell: String,
    /// The protocol's name.
    pub protocol: String,
    /// The facts without which no two scores can be compared.
    pub facts: Vec<String>,
    /// What of the held-out cells the predictions could know; empty if nothing.
    pub leaks: Vec<String>,
    /// The held-out times.
    pub held_out: Vec<HeldOutRecord>,
    /// All numbers.
    pub rows: Vec<ValidationRow>,
}

impl Validation {
    /// The row of a name and metric at a held-out time.
    pub fn row(&self, time: f64, name: &str, metric: &str) -> Option<&ValidationRow> {
        self.rows.iter().find(|row| {
            row.interval_mid.total_cmp(&time).is_eq() && row.name == name && row.metric == metric
        })
    }

    /// The mean of a name's numbers over the held-out times; `None` if one is missing.
    pub fn mean(&self, name: &str, metric: &str) -> Option<f64> {
        let found: Option<Vec<f64>> = self
            .held_out
            .iter()
            .map(|held| self.row(held.time, name, metric).and_then(|row| row.value))
            .collect();
        let found = found.filter(|values| !values.is_empty())?;
        Some(found.iter().sum::<f64>() / found.len() as f64)
    }

    /// The names of the rows, in order of first appearance.
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

/// Writes `validation.csv`.
///
/// # Errors
/// [`crate::Error::Io`] if the file cannot be written.
pub fn write_table(path: &Path, validation: &Validation) -> Result<()> {
    let rows = &validation.rows;
    let floats = |of: fn(&ValidationRow) -> Option<f64>| {
        Cells::Gaps(rows.iter().map(|row| of(row).unwrap_or(f64::NAN)).collect())
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

/// Writes `validation.json`.
///
/// # Errors
/// [`crate::Error::Io`] if the file cannot be written.
pub fn write(path: &Path, validation: &Validation) -> Result<()> {
    write_json(path, validation)
}

#[cfg(test)]
mod tests {
    use super::*;

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
            words: Vec::new(),
        };
        let validation = Validation {
            format: FORMAT,
            sbcell: String::new(),
            protocol: "honest".into(),
            facts: Vec::new(),
            leaks: Vec::new(),
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
