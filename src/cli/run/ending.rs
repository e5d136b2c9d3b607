//! The end of a run: the state of every step, and the errors of all that failed.

use std::collections::BTreeMap;

use sbcell::Error;
use sbcell::error::visible;
use serde_json::{Value, json};

use crate::cli::flags::in_text;
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
            all["error"] = in_text(&error.to_string()).into();
            all["hint"] = error.hint().map(|hint| in_text(&hint)).into();
        }
        all
    };
    Step::ALL.into_iter().map(of).collect()
}

/// Prints the error of every failed step, with the name of the step.
pub(super) fn say_errors(failed: &Failed, terminal: &Terminal) {
    for (step, error) in failed {
        let hint = error.hint();
        let hint = hint.map(|hint| format!("\nhint: {}", visible(&hint))).unwrap_or_default();
        let text = format!("error in {}: {}{hint}", step.name(), error.shown());
        terminal.fail(&in_text(&text));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::run::record::StepRecord;

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
        assert_eq!(of(Step::Fit)["error"], "`--n-pcs` must be at least 1, got 0");
        assert_eq!(
            (&of(Step::Grn)["state"], &of(Step::Grn)["not_done"]),
            (&json!("not done"), &json!("no genes"))
        );
        assert_eq!(of(Step::Fates)["state"], "left out");
        assert_eq!(of(Step::Report)["state"], "not reached");
    }
}
