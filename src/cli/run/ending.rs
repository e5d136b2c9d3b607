//! The end of a run: the state of every step, and the errors of all that failed.

use std::collections::BTreeMap;

use sbcell::Error;
use sbcell::error::visible;
use serde_json::{Value, json};

use crate::cli::flags::in_text_of_run;
use crate::cli::run::record::ResultsRecord;
use crate::cli::run::steps::Step;
use crate::cli::terminal::Terminal;

/// The errors of the steps that failed, in their order.
pub(super) type Failed = Vec<(Step, Error)>;

/// The steps with their state: `done`, `failed` (with error and hint), `not done` (with the reason), `left out`, or
/// `not reached` after a failed fit. `states` are those that the run has set.
pub(super) fn states(
    record: &ResultsRecord,
    states: &BTreeMap<Step, &'static str>,
    failed: &Failed,
) -> Value {
    let of = |step: Step| {
        let old = record.of(step).and_then(|record| serde_json::to_value(record).ok());
        let mut all = old.unwrap_or_else(|| json!({ "step": step.name() }));
        let error = failed.iter().find(|failed| failed.0 == step).map(|failed| &failed.1);
        let state = states.get(&step).copied().unwrap_or("not reached");
        all["state"] = if error.is_some() { "failed" } else { state }.into();
        if let Some(error) = error {
            all["error"] = in_text_of_run(&error.to_string(), step.name()).into();
            all["hint"] = error.hint().map(|hint| in_text_of_run(&hint, step.name())).into();
        }
        all
    };
    Step::ALL.into_iter().map(of).collect()
}

/// Largest number of notes that are printed.
const MOST_NOTES: usize = 3;

/// The lines of notes: at most three sentences, and how many more the record of the run has.
pub(super) fn notes_in_words(notes: &[String]) -> Vec<String> {
    let mut lines: Vec<String> = notes.iter().take(MOST_NOTES).map(|note| sentence(note)).collect();
    if MOST_NOTES < notes.len() {
        lines.push(format!("{} more in run.json.", notes.len() - MOST_NOTES));
    }
    lines
}

/// A note as a sentence, with a capital letter and a full stop.
fn sentence(note: &str) -> String {
    let mut chars = note.trim_end_matches('.').chars();
    let first: String = chars.next().map(|c| c.to_uppercase().collect()).unwrap_or_default();
    format!("Note: {first}{}.", chars.as_str())
}

/// Prints the error of every failed step, with the name of the step.
pub(super) fn say_errors(failed: &Failed, terminal: &Terminal) {
    for (step, error) in failed {
        let hint = error.hint();
        let hint = hint.map(|hint| format!("\nhint: {}", visible(&hint))).unwrap_or_default();
        let text = format!("error in {}: {}{hint}", step.name(), error.shown());
        terminal.fail(&in_text_of_run(&text, step.name()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::run::record::StepRecord;

    #[test]
    fn notes_are_at_most_three_sentences() {
        let notes = ["the file has no X_umap", "`a` is b.", "2 cells", "c", "d"].map(String::from);
        let lines = notes_in_words(&notes);
        let wanted = [
            "Note: The file has no X_umap.",
            "Note: `a` is b.",
            "Note: 2 cells.",
            "2 more in run.json.",
        ];
        assert_eq!(lines, wanted);
        assert!(notes_in_words(&notes[..3]).len() == 3 && notes_in_words(&[]).is_empty());
    }

    #[test]
    fn every_step_has_a_state_and_a_failed_one_its_error() {
        let mut record = ResultsRecord::new(Value::Null);
        record.set(StepRecord::not_done(Step::Grn, "no genes"));
        let known = [(Step::Inspect, "done"), (Step::Grn, "not done"), (Step::Fates, "left out")];
        let wrong = Error::Parameter { name: "n_pcs", must: "at least 1", got: "0".into() };
        let all = states(&record, &known.into_iter().collect(), &vec![(Step::Fit, wrong)]);
        let of = |step: Step| {
            let found = all.as_array().unwrap().iter().find(|one| one["step"] == step.name());
            found.unwrap().clone()
        };
        assert_eq!(all.as_array().unwrap().len(), Step::ALL.len());
        assert_eq!(of(Step::Inspect)["state"], "done");
        assert_eq!(of(Step::Fit)["state"], "failed");
        assert_eq!(of(Step::Fit)["error"], "`--set fit.n-pcs=…` must be at least 1, got 0");
        assert_eq!(
            (&of(Step::Grn)["state"], &of(Step::Grn)["not_done"]),
            (&json!("not done"), &json!("no genes"))
        );
        assert_eq!(of(Step::Fates)["state"], "left out");
        assert_eq!(of(Step::Report)["state"], "not reached");
    }
}
