//! The one JSON object that a command prints with `--json`.
//!
//! ```json
//! {
//!   "command": "fates",
//!   "format": 1,
//!   "version": "0.1.0",
//!   "files": ["fates.csv"],
//!   "notes": ["the solver did not converge on 0 → 6 (1 of 8 intervals)"],
//!   "summary": {
//!     "n_cells": 2449,
//!     "sentences": ["wrote 2449 cells to fates.csv"],
//!     "tables": [{"title": "", "rows": [{"time": 0, "XEN": 0.84}]}]
//!   }
//! }
//! ```
//!
//! `files` are the files and folders that were written, as paths from the working folder. `notes` are the
//! remarks that also go to stderr. `summary` has numbers under names that belong to the command. Below
//! `tables` and `sentences` it has all that the command would print without `--json`; the numbers in these
//! tables are rounded to four digits, those in the files are not.

use std::path::Path;

use serde::Serialize;
use serde_json::{Map, Value};

/// The files, notes and numbers of a command, collected while it runs.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    /// Paths of files and folders, in the order of writing.
    files: Vec<String>,
    /// Remarks about the run, in the order of their appearance.
    notes: Vec<String>,
    /// Numbers of the command, by name.
    summary: Map<String, Value>,
    /// Fields beside those of every command.
    others: Map<String, Value>,
    /// Tables that the terminal would show.
    tables: Vec<Value>,
    /// Sentences that the terminal would show.
    sentences: Vec<String>,
}

/// The printed object.
#[derive(Serialize)]
struct Printed<'a> {
    /// Name of the command, such as `fit`.
    command: &'a str,
    /// Version of this layout.
    format: u32,
    /// Version of sbcell.
    version: &'a str,
    files: &'a [String],
    notes: &'a [String],
    summary: Map<String, Value>,
    #[serde(flatten)]
    others: &'a Map<String, Value>,
}

impl Answer {
    /// Adds a file or folder that was written; each once.
    pub(crate) fn wrote(&mut self, path: &Path) {
        let path = path.display().to_string();
        if !self.files.contains(&path) {
            self.files.push(path);
        }
    }

    /// Files and folders that were written so far.
    pub(crate) fn files(&self) -> &[String] {
        &self.files
    }

    /// Adds a remark about the run.
    pub(crate) fn note(&mut self, text: String) {
        self.notes.push(text);
    }

    /// Adds numbers of the command under a name. Numbers that are not finite become null.
    pub(crate) fn record(&mut self, name: &str, value: &impl Serialize) {
        let value = serde_json::to_value(value).unwrap_or(Value::Null);
        self.summary.insert(name.to_string(), value);
    }

    /// Adds the fields of a report beside those of every command.
    pub(crate) fn extend(&mut self, report: &impl Serialize) {
        if let Ok(Value::Object(fields)) = serde_json::to_value(report) {
            self.others.extend(fields);
        }
    }

    /// Adds a table that the terminal would show, with its title.
    ///
    /// `rows` is an array of objects, one for each row; a table without a title has an empty one.
    pub(crate) fn table(&mut self, title: &str, rows: Value) {
        self.tables.push(serde_json::json!({ "title": title, "rows": rows }));
    }

    /// Adds a sentence that the terminal would show.
    pub(crate) fn sentence(&mut self, text: &str) {
        let text = text.trim();
        if !text.is_empty() {
            self.sentences.push(text.to_string());
        }
    }

    /// The JSON text of the object of `command`.
    ///
    /// Parts of the summary that nothing was added to are left out. `None` if a number cannot be written.
    pub(crate) fn json(&self, command: &str) -> Option<String> {
        let mut summary = self.summary.clone();
        if !self.tables.is_empty() {
            summary.insert("tables".into(), Value::Array(self.tables.clone()));
        }
        if !self.sentences.is_empty() {
            summary.insert("sentences".into(), self.sentences.clone().into());
        }
        let printed = Printed {
            command,
            format: 1,
            version: env!("CARGO_PKG_VERSION"),
            files: &self.files,
            notes: &self.notes,
            summary,
            others: &self.others,
        };
        serde_json::to_string_pretty(&printed).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_object_has_the_fields_of_every_command() {
        let mut answer = Answer::default();
        answer.wrote(Path::new("a.csv"));
        answer.wrote(Path::new("a.csv"));
        answer.note("one cell is left out".into());
        answer.record("n", &f64::NAN);
        answer.sentence("  a sentence ");
        let read: Value = serde_json::from_str(&answer.json("fit").unwrap()).unwrap();
        let wanted = serde_json::json!({
            "command": "fit",
            "format": 1,
            "version": env!("CARGO_PKG_VERSION"),
            "files": ["a.csv"],
            "notes": ["one cell is left out"],
            "summary": {"n": null, "sentences": ["a sentence"]},
        });
        assert_eq!(read, wanted);
    }
}
