//! A folder with one model for each condition of an experiment, published as a whole.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::io::file::{self, io_error};
use crate::io::model::exchange::{carry_over, exchange, names_in, partial_folder, remove_any};
use crate::io::model::publish::{PLAN, Published, is_foreign};
use crate::io::model::{HEADER, derived};
use crate::io::run::{json_text, read_json, write_json};

/// Name of the file that lists the conditions.
const CONDITIONS: &str = "conditions.json";

/// The version of the layout of `conditions.json` that this version of sbcell writes and reads.
const FORMAT: u32 = 1;

/// The content of `conditions.json`: the models in a folder, one for each condition.
///
/// ```
/// use sbcell::io::model::ConditionsRecord;
///
/// let text = r#"{ "format": 1, "sbcell": "0.1.0", "plan": "0f", "key": "medium",
///     "shared": ["before"], "time_column": "day", "time_unit": "d", "conditions": [
///     { "name": "A/1", "folder": "A_1", "values": ["A/1", "before"], "times": [0.0, 2.0], "n_cells": 90 }] }"#;
/// let record: ConditionsRecord = serde_json::from_str(text).unwrap();
/// assert_eq!(record.conditions[0].folder, "A_1");
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ConditionsRecord {
    /// Version of the layout.
    pub format: u32,
    /// Version of sbcell.
    pub sbcell: String,
    /// SHA-256 of input, parameters and version in lower-case hexadecimal.
    pub plan: String,
    /// Column of `obs` that contained the conditions or samples.
    pub key: String,
    /// Values of this column whose cells belong to every condition.
    #[serde(default)]
    pub shared: Vec<String>,
    /// Column of `obs` that contained the times.
    pub time_column: String,
    /// Unit of the times; empty if it is unknown.
    pub time_unit: String,
    /// The conditions, in the order of their names.
    pub conditions: Vec<ConditionRecord>,
}

/// One condition in `conditions.json`. [`ConditionsRecord`] has an example.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ConditionRecord {
    /// Name of the condition, as in the file.
    pub name: String,
    /// Folder of its model inside the folder of `conditions.json`.
    pub folder: String,
    /// Values of the column of conditions whose cells are in its course.
    pub values: Vec<String>,
    /// Times of its snapshots, increasing.
    pub times: Vec<f64>,
    /// Number of its cells.
    pub n_cells: usize,
}

/// Whether `folder` holds the models of several conditions.
///
/// ```
/// assert!(!sbcell::io::model::is_conditions("tests/fixtures/old-model/model".as_ref()));
/// ```
pub fn is_conditions(folder: &Path) -> bool {
    folder.join(CONDITIONS).is_file()
}

/// Reads the `conditions.json` of `folder`.
///
/// ```
/// let error = sbcell::io::model::read_conditions("tests/fixtures/old-model/model".as_ref());
/// assert!(error.unwrap_err().to_string().contains("several conditions"));
/// ```
///
/// # Errors
/// [`Error::Parameter`] if there is no such file; [`Error::Unreadable`] if it is damaged or has a newer layout.
pub fn read_conditions(folder: &Path) -> Result<ConditionsRecord> {
    if !is_conditions(folder) {
        let (name, must) = ("model", "a folder that was fitted with the parameter `condition_key`");
        let got =
            format!("`{}`, which does not hold the models of several conditions", folder.display());
        return Err(Error::Parameter { name, must, got });
    }
    let path = folder.join(CONDITIONS);
    let record: ConditionsRecord = read_json(&path)?;
    let unreadable = |problem: String| {
        let way_out = Some("fit again, or use the sbcell that wrote it".into());
        Err(Error::Unreadable { path: path.clone(), problem, way_out })
    };
    if record.format != FORMAT {
        return unreadable(format!("it has format {}, this sbcell reads {FORMAT}", record.format));
    }
    // A damaged or foreign file must not lead out of the folder.
    let inside =
        |folder: &str| !folder.is_empty() && !folder.contains(['/', '\\']) && folder != "..";
    match record.conditions.iter().find(|condition| !inside(&condition.folder)) {
        Some(condition) => unreadable(format!("`{}` is no folder beside it", condition.folder)),
        None => Ok(record),
    }
}

/// The error of a folder without a model of its own.
pub(super) fn instead_of_model(folder: &Path) -> Error {
    if !is_conditions(folder) {
        return Error::NoModel { folder: folder.to_path_buf() };
    }
    match read_conditions(folder) {
        Ok(found) => {
            let of = |of: ConditionRecord| format!("`{}`", folder.join(of.folder).display());
            let all: Vec<String> = found.conditions.into_iter().map(of).collect();
            let got = format!("`{}`, which holds {}", folder.display(), all.join(", "));
            Error::Parameter { name: "model", must: "the model of one condition", got }
        }
        Err(error) => error,
    }
}

/// The error that the output `path` holds a result of another kind, which `what` names.
pub(super) fn holds(path: &Path, what: &str) -> Error {
    let (name, must) = ("out", "another folder, or one without models of another kind");
    Error::Parameter { name, must, got: format!("`{}`, which holds {what}", path.display()) }
}

/// Checks that the models of several conditions may be written to `out`: it does not exist, is empty, or
/// holds such models; and `OUT.partial` holds nothing but an unfinished fit of this kind.
///
/// # Errors
/// [`Error::OutputTaken`] if one of the folders contains other files; [`Error::Parameter`] if `out` is the
/// model of one course.
pub(crate) fn check_conditions_output(out: &Path) -> Result<()> {
    let taken = |path: &Path| Err(Error::OutputTaken { path: path.to_path_buf() });
    if out.join(HEADER).exists() {
        return Err(holds(out, "the model of a single course"));
    }
    if out.is_file() || (!is_conditions(out) && !names_in(out)?.is_empty()) {
        return taken(out);
    }
    let partial = partial_folder(out);
    if partial.is_file() || (!is_begun(&partial) && !names_in(&partial)?.is_empty()) {
        return taken(&partial);
    }
    Ok(())
}

/// Whether `partial` is an unfinished fit of several conditions, or an older one that was replaced.
fn is_begun(partial: &Path) -> bool {
    let of_one_course = partial.join(HEADER).exists() || partial.join(super::BRIDGES).exists();
    (partial.join(PLAN).exists() && !of_one_course) || is_conditions(partial)
}

/// The folder of an unfinished fit of several conditions, `OUT.partial`.
///
/// If this value is dropped before [`PartialConditions::publish`], the folder stays on disk for the
/// parameter `resume` if it holds a model or a part of one, and is removed otherwise.
#[derive(Debug)]
pub(crate) struct PartialConditions {
    folder: PathBuf,
    out: PathBuf,
    plan: String,
}

impl Drop for PartialConditions {
    fn drop(&mut self) {
        let names = names_in(&self.folder).unwrap_or_default();
        if names.iter().all(|name| name == PLAN) {
            // An error is ignored: at most an empty folder stays, and the fit has its own error.
            let _ = remove_any(&self.folder);
        }
    }
}

impl PartialConditions {
    /// Creates the folder `OUT.partial`. With `resume`, continues an existing one of the same `plan`. The
    /// caller must hold the lock of `out`.
    ///
    /// # Errors
    /// Those of [`check_conditions_output`]; [`Error::OtherPlan`] if `resume` finds an unfinished fit of
    /// other data or parameters; [`Error::Io`] if the folder cannot be created.
    pub(crate) fn start(out: &Path, plan: &str, resume: bool) -> Result<Self> {
        check_conditions_output(out)?;
        let folder = partial_folder(out);
        let plan_file = folder.join(PLAN);
        match read_json::<String>(&plan_file) {
            Ok(started) if resume && started != plan => return Err(Error::OtherPlan { folder }),
            Ok(_) if resume => {}
            _ => {
                remove_any(&folder)?;
                file::create_folder(&folder)?;
                fs::write(&plan_file, json_text(&plan)?).map_err(io_error("write", &plan_file))?;
            }
        }
        Ok(Self { folder, out: out.to_path_buf(), plan: plan.to_string() })
    }

    /// Path of the folder to which the model of a condition is written before publication.
    pub(crate) fn of(&self, condition: &str) -> PathBuf {
        self.folder.join(condition)
    }

    /// Writes `conditions.json` and makes the folder `OUT`, as a whole. `record` has no plan yet.
    ///
    /// Foreign files of an older fit stay in its folders; unchanged results that were computed from an older
    /// model are removed with it.
    ///
    /// # Errors
    /// [`Error::Io`] if a file cannot be written or moved.
    pub(crate) fn publish(self, mut record: ConditionsRecord) -> Result<Published> {
        record.plan.clone_from(&self.plan);
        write_json(&self.folder.join(CONDITIONS), &record)?;
        let mut published = Published::default();
        let older = read_conditions(&self.out).ok();
        if let Some(older) = &older {
            published = self.keep_foreign(older, &record)?;
        }
        // The plan goes last, so that a run that dies before can be resumed.
        let plan = self.out.join(PLAN);
        if older.is_none() {
            // At most an empty folder is there.
            remove_any(&self.out)?;
            fs::rename(&self.folder, &self.out).map_err(io_error("create", &self.out))?;
            remove_any(&plan)?;
            return Ok(published);
        }
        if !exchange(&self.folder, &self.out) {
            let aside = self.folder.with_extension("older");
            remove_any(&aside)?;
            fs::rename(&self.out, &aside).map_err(io_error("replace", &self.out))?;
            fs::rename(&self.folder, &self.out).map_err(io_error("create", &self.out))?;
            remove_any(&aside)?;
        }
        remove_any(&self.folder)?;
        remove_any(&plan)?;
        Ok(published)
    }

    /// Links the foreign files of the `older` fit into the new folder.
    fn keep_foreign(&self, older: &ConditionsRecord, new: &ConditionsRecord) -> Result<Published> {
        let mut published = Published::default();
        for condition in &older.conditions {
            let (from, to) =
                (self.out.join(&condition.folder), self.folder.join(&condition.folder));
            let (found, dropped) = derived::of_older(&from)?;
            let named = |names: Vec<String>| {
                names.into_iter().map(|name| format!("{}/{name}", condition.folder))
            };
            published.removed.extend(named(found.removed));
            published.kept.extend(named(found.kept));
            let stays = |name: &str| is_foreign(name, &dropped);
            if names_in(&from)?.iter().any(|name| stays(name)) {
                file::create_folder(&to)?;
                keep(carry_over(&from, &to, &stays), &from)?;
            }
        }
        let of_fit = |name: &str| {
            let is = |condition: &ConditionRecord| condition.folder == name;
            name == CONDITIONS
                || name == PLAN
                || older.conditions.iter().chain(&new.conditions).any(is)
        };
        keep(carry_over(&self.out, &self.folder, &|name| !of_fit(name)), &self.out)?;
        Ok(published)
    }
}

/// Refuses to replace a folder whose foreign files could not be linked.
fn keep(linked: bool, folder: &Path) -> Result<()> {
    if linked {
        return Ok(());
    }
    Err(holds(folder, "other files, which cannot be kept on this file system"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(folders: &[&str]) -> ConditionsRecord {
        let condition = |folder: &&str| ConditionRecord {
            name: (*folder).into(),
            folder: (*folder).into(),
            values: vec![(*folder).into()],
            times: vec![0.0, 1.0],
            n_cells: 4,
        };
        ConditionsRecord {
            format: FORMAT,
            sbcell: String::new(),
            plan: String::new(),
            key: "medium".into(),
            shared: Vec::new(),
            time_column: "day".into(),
            time_unit: String::new(),
            conditions: folders.iter().map(condition).collect(),
        }
    }

    /// Publishes folders with a file each, as if they were models.
    fn publish(out: &Path, folders: &[&str], text: &str) -> Result<Published> {
        let partial = PartialConditions::start(out, text, false)?;
        for folder in folders {
            fs::create_dir(partial.of(folder)).unwrap();
            fs::write(partial.of(folder).join(HEADER), text).unwrap();
        }
        partial.publish(record(folders))
    }

    #[test]
    fn folders_are_replaced_as_a_whole_and_foreign_files_stay() {
        let place = tempfile::tempdir().unwrap();
        let out = place.path().join("models");
        publish(&out, &["A", "B"], "first").unwrap();
        assert_eq!(read_conditions(&out).unwrap().plan, "first");
        fs::write(out.join("notes.txt"), "mine").unwrap();
        fs::write(out.join("A").join("mine.csv"), "mine").unwrap();
        publish(&out, &["A", "C"], "second").unwrap();
        assert_eq!(read_conditions(&out).unwrap().conditions[1].folder, "C");
        assert_eq!(fs::read_to_string(out.join("A").join(HEADER)).unwrap(), "second");
        assert!(out.join("notes.txt").exists() && out.join("A").join("mine.csv").exists());
        assert!(!out.join("B").exists() && !partial_folder(&out).exists());
        assert!(!out.join(PLAN).exists());
    }

    #[test]
    fn other_results_are_not_replaced_and_one_model_is_asked_for() {
        let place = tempfile::tempdir().unwrap();
        let out = place.path().join("models");
        publish(&out, &["A", "B"], "first").unwrap();
        let error = crate::io::model::Model::read(&out).unwrap_err();
        assert!(error.to_string().contains("models/A`"), "{error}");
        assert!(crate::io::model::check_output(&out).is_err());
        let single = place.path().join("single");
        fs::create_dir(&single).unwrap();
        fs::write(single.join(HEADER), "{}").unwrap();
        assert!(
            check_conditions_output(&single).unwrap_err().to_string().contains("single course")
        );
        let mine = place.path().join("mine");
        fs::create_dir(&mine).unwrap();
        assert!(check_conditions_output(&mine).is_ok());
        fs::write(mine.join("thesis.txt"), "").unwrap();
        assert!(matches!(check_conditions_output(&mine), Err(Error::OutputTaken { .. })));
        // A folder outside is not followed.
        let mut bad = record(&["A"]);
        bad.conditions[0].folder = "../single".into();
        write_json(&out.join(CONDITIONS), &bad).unwrap();
        assert!(read_conditions(&out).unwrap_err().to_string().contains("no folder"));
    }

    #[test]
    fn an_unfinished_fit_is_continued_only_with_the_same_plan() {
        let place = tempfile::tempdir().unwrap();
        let out = place.path().join("models");
        drop(PartialConditions::start(&out, "plan", false).unwrap());
        assert!(!partial_folder(&out).exists());
        let partial = PartialConditions::start(&out, "plan", false).unwrap();
        fs::create_dir(partial.of("A")).unwrap();
        drop(partial);
        assert!(matches!(
            PartialConditions::start(&out, "other", true),
            Err(Error::OtherPlan { .. })
        ));
        assert!(PartialConditions::start(&out, "plan", true).unwrap().of("A").exists());
        assert!(!PartialConditions::start(&out, "plan", false).unwrap().of("A").exists());
    }
}
