//! The record of `sbcell run`: which steps are done, from which files, so that a later run goes on there.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use sbcell::io::file::sha256;
use sbcell::io::run::{OutputRecord, RunRecord, read_json, write_json};
use sbcell::platform::cpu;
use sbcell::{Result, Silent};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::cli::run::steps::Step;

/// Version of the layout of the record.
const FORMAT: u32 = 1;

/// Name of the record in the folder of the results.
const FILE: &str = "run.json";

/// The state of a folder of results.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct ResultsRecord {
    /// Version of this layout.
    format: u32,
    /// Version of sbcell.
    pub(super) sbcell: String,
    /// Always `run`: by this word a folder of results is recognised.
    command: String,
    /// The parameters of the file of parameters and of the flags.
    pub(super) parameters: Value,
    /// The arguments after `sbcell`, without those on which no result depends. Empty in older records.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) arguments: Vec<String>,
    /// Vector instructions of the processor; absent in older records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cpu: Option<String>,
    /// Notes of the page: what it leaves out or shows in another way.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) notes: Vec<String>,
    /// The steps, in their order.
    pub(super) steps: Vec<StepRecord>,
}

/// One step of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StepRecord {
    /// Name of the step.
    pub(super) step: String,
    /// The command line of the step, as it can be given in the folder of the results.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) arguments: Vec<String>,
    /// SHA-256 of each input.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) inputs: BTreeMap<String, String>,
    /// The written files.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) outputs: Vec<OutputRecord>,
    /// Whether a solver did not converge.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) not_converged: bool,
    /// Why the step was not done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) not_done: Option<String>,
}

impl ResultsRecord {
    /// A record without steps, of this version of sbcell.
    pub(super) fn new(parameters: Value) -> Self {
        let sbcell = env!("CARGO_PKG_VERSION").to_string();
        let (command, cpu) = ("run".into(), Some(cpu::path()));
        let (arguments, notes, steps) = (Vec::new(), Vec::new(), Vec::new());
        Self { format: FORMAT, sbcell, command, parameters, arguments, cpu, notes, steps }
    }

    /// The record in the folder `out`; `None` if it is not the folder of a run.
    pub(super) fn read(out: &Path) -> Option<Self> {
        read_json::<Self>(&out.join(FILE))
            .ok()
            .filter(|record| record.command == "run" && record.format == FORMAT)
    }

    /// Writes the record to the folder `out`.
    ///
    /// # Errors
    /// [`sbcell::Error::Io`] if the file cannot be written.
    pub(super) fn write(&self, out: &Path) -> Result<()> {
        write_json(&out.join(FILE), self)
    }

    /// The record of a step.
    pub(super) fn of(&self, step: Step) -> Option<&StepRecord> {
        self.steps.iter().find(|record| record.step == step.name())
    }

    /// Sets the record of a step, in the place of an older one.
    pub(super) fn set(&mut self, record: StepRecord) {
        self.steps.retain(|old| old.step != record.step);
        self.steps.push(record);
        let place = |record: &StepRecord| Step::of(&record.step);
        self.steps.sort_by_key(place);
    }

    /// Whether this version of sbcell has done `wanted` before, and its files are still the same.
    pub(super) fn has(&self, wanted: &StepRecord, out: &Path) -> bool {
        let Some(old) = Step::of(&wanted.step).and_then(|step| self.of(step)) else { return false };
        let same = self.sbcell == env!("CARGO_PKG_VERSION")
            && old.not_done.is_none()
            && old.arguments == wanted.arguments
            && old.inputs == wanted.inputs;
        let unchanged = |file: &OutputRecord| {
            OutputRecord::of(out, &file.file).is_ok_and(|now| now.sha256 == file.sha256)
        };
        same && !old.outputs.is_empty() && old.outputs.iter().all(unchanged)
    }
}

impl StepRecord {
    /// A step that was not done, and the reason.
    pub(super) fn not_done(step: Step, why: &str) -> Self {
        let none = Self::before(step, Vec::new(), BTreeMap::new());
        Self { not_done: Some(why.to_string()), ..none }
    }

    /// A step before it is done.
    pub(super) fn before(
        step: Step,
        arguments: Vec<String>,
        inputs: BTreeMap<String, String>,
    ) -> Self {
        let step = step.name().to_string();
        let (outputs, not_converged) = (Vec::new(), false);
        Self { step, arguments, inputs, outputs, not_converged, not_done: None }
    }

    /// The step after it was done: with the hashes of its files in the folder `out`.
    ///
    /// # Errors
    /// [`sbcell::Error::Io`] if a file cannot be read.
    pub(super) fn done(mut self, out: &Path) -> Result<Self> {
        let files = Step::of(&self.step).map(|step| written(step, out)).unwrap_or_default();
        for file in files.into_iter().filter(|file| out.join(file).is_file()) {
            self.outputs.push(OutputRecord::of(out, &file)?);
        }
        Ok(self)
    }
}

/// The files that a step has written, relative to the folder `out` of the results: those by which it is known, and
/// those in its own run record, such as every bridge of a model.
fn written(step: Step, out: &Path) -> BTreeSet<String> {
    let mut files: BTreeSet<String> = step.files().into_iter().map(str::to_string).collect();
    let (folder, record) = match step {
        Step::Fit => ("model/", "model/run.json".to_string()),
        Step::Evaluate => ("validation/", "validation/validation.run.json".into()),
        _ => ("", format!("{}.run.json", step.output())),
    };
    if let Ok(run) = read_json::<RunRecord>(&out.join(record)) {
        files.extend(run.outputs.into_iter().map(|output| format!("{folder}{}", output.file)));
    }
    files
}

/// The hash of a file; empty if it cannot be read.
pub(super) fn hash(path: &Path) -> String {
    sha256(path, &mut Silent).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_step_is_done_as_long_as_line_inputs_and_files_are_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path();
        fs::write(out.join("fates.csv"), "id\n").unwrap();
        let inputs = BTreeMap::from([("model".to_string(), "1".to_string())]);
        let wanted = StepRecord::before(Step::Fates, vec!["fates".into()], inputs);
        let mut record = ResultsRecord::new(Value::Null);
        assert!(!record.has(&wanted, out));
        record.set(wanted.clone().done(out).unwrap());
        record.write(out).unwrap();
        let record = ResultsRecord::read(out).unwrap();
        assert!(record.has(&wanted, out));
        let mut other = wanted.clone();
        other.arguments.push("--seed=1".into());
        assert!(!record.has(&other, out));
        let mut other = wanted.clone();
        other.inputs.insert("model".into(), "2".into());
        assert!(!record.has(&other, out));
        let older = ResultsRecord { sbcell: "0.0.1".into(), ..record.clone() };
        assert!(!older.has(&wanted, out));
        fs::write(out.join("fates.csv"), "id,time\n").unwrap();
        assert!(!record.has(&wanted, out));
        fs::remove_file(out.join("fates.csv")).unwrap();
        assert!(!record.has(&wanted, out));
    }

    #[test]
    fn steps_stand_in_their_order_and_once() {
        let mut record = ResultsRecord::new(Value::Null);
        for step in [Step::Report, Step::Fit, Step::Report, Step::Grn] {
            record.set(StepRecord::not_done(step, "why"));
        }
        let names: Vec<&str> = record.steps.iter().map(|step| step.step.as_str()).collect();
        assert_eq!(names, ["fit", "grn", "report"]);
    }
}
