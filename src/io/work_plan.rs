//! The plan of a command that several processes do together, and the files that hold its parts.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::io::file;
use crate::io::run::{json_sha256, read_json, write_json};
use crate::progress::Progress;
use crate::share::{Division, Duty, Sharing};

/// A command, what it reads, and the units in which it can be done.
///
/// ```
/// use sbcell::io::work_plan::WorkPlan;
/// let plan = WorkPlan::new(vec!["evaluate".into(), "cells.h5ad".into()], Vec::new());
/// assert!(plan.units.is_empty() && plan.is_whole().unwrap());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkPlan {
    /// Version of this layout.
    pub format: u32,
    /// Version of sbcell. Other versions may divide differently.
    pub sbcell: String,
    /// The command and its arguments, as after `sbcell`.
    pub command: Vec<String>,
    /// Name of the divided work, such as `held-out times`.
    pub work: String,
    /// The files that the command reads.
    pub inputs: Vec<PlannedInput>,
    /// The units, in order. A unit is named by its place, from 0.
    pub units: Vec<Unit>,
    /// SHA-256 of all of the above.
    pub sha256: String,
}

/// A file that a plan reads. See [`WorkPlan`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedInput {
    /// Path as it stands in the command.
    pub path: PathBuf,
    /// SHA-256 in lower-case hexadecimal.
    pub sha256: String,
}

/// A unit of a plan. See [`WorkPlan`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unit {
    /// Place among the units, from 0.
    pub unit: usize,
    /// What it computes, such as the held-out time.
    pub part: String,
    /// The file of its result, relative to the plan.
    pub output: PathBuf,
}

/// The result of a unit, as its file holds it.
#[derive(Debug, Serialize, Deserialize)]
struct PartFile {
    /// SHA-256 of the plan.
    plan: String,
    /// Place among the units.
    unit: usize,
    /// SHA-256 of `result`.
    sha256: String,
    /// The result as JSON.
    result: String,
}

impl PlannedInput {
    /// The file at `path` with its hash.
    ///
    /// # Errors
    /// Those of [`file::sha256`].
    pub fn of(path: &Path, progress: &mut dyn Progress) -> Result<Self> {
        Ok(Self { path: path.to_path_buf(), sha256: file::sha256(path, progress)? })
    }
}

impl WorkPlan {
    /// The version of the layout that this sbcell writes and reads.
    pub const FORMAT: u32 = 1;

    /// A plan without units.
    pub fn new(command: Vec<String>, inputs: Vec<PlannedInput>) -> Self {
        let plan = Self {
            format: Self::FORMAT,
            sbcell: env!("CARGO_PKG_VERSION").to_string(),
            command,
            work: String::new(),
            inputs,
            units: Vec::new(),
            sha256: String::new(),
        };
        plan.sealed()
    }

    /// The plan with the units of `division`. Results are to be in the folder `parts`, relative to the plan.
    #[must_use]
    pub fn with_units(mut self, division: &Division, parts: &Path) -> Self {
        self.work = division.what.to_string();
        let output = |unit: usize| parts.join(format!("{unit}.json"));
        let units = division.parts.iter().enumerate();
        self.units = units
            .map(|(unit, part)| Unit { unit, part: part.clone(), output: output(unit) })
            .collect();
        self.sealed()
    }

    /// The hash of everything but the hash.
    fn own_sha256(&self) -> Result<String> {
        json_sha256(&Self { sha256: String::new(), ..self.clone() })
    }

    fn sealed(mut self) -> Self {
        self.sha256 = self.own_sha256().unwrap_or_default();
        self
    }

    /// Whether the content agrees with the hash.
    ///
    /// # Errors
    /// [`Error::Numerical`] if the plan cannot be written as JSON.
    pub fn is_whole(&self) -> Result<bool> {
        Ok(self.own_sha256()? == self.sha256)
    }

    /// Writes the plan.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        write_json(path, self)
    }

    /// Reads a plan of this version of sbcell.
    ///
    /// # Errors
    /// [`Error::Unreadable`] if it was edited, or written by another version; those of reading.
    pub fn read(path: &Path) -> Result<Self> {
        let plan: Self = read_json(path)?;
        let problem = if plan.format != Self::FORMAT || plan.sbcell != env!("CARGO_PKG_VERSION") {
            format!(
                "the plan was made by sbcell {}, this is {}",
                plan.sbcell,
                env!("CARGO_PKG_VERSION")
            )
        } else if plan.is_whole()? {
            return Ok(plan);
        } else {
            "the plan was changed after it was made".into()
        };
        Err(unreadable(path, problem, "make the plan again"))
    }

    /// Checks that all inputs are those of the plan.
    ///
    /// # Errors
    /// [`Error::Unreadable`] for a file that changed; those of reading; [`Error::Cancelled`].
    pub fn check_inputs(&self, progress: &mut dyn Progress) -> Result<()> {
        for input in &self.inputs {
            if file::sha256(&input.path, progress)? != input.sha256 {
                let problem = "the file changed after the plan was made".to_string();
                return Err(unreadable(&input.path, problem, "make the plan again"));
            }
        }
        Ok(())
    }
}

fn unreadable(path: &Path, problem: String, way_out: &str) -> Error {
    let (path, way_out) = (path.to_path_buf(), Some(way_out.to_string()));
    Error::Unreadable { path, problem, way_out }
}

/// The files of the parts of a plan, with what this process does.
#[derive(Debug)]
pub struct Parts {
    plan: WorkPlan,
    /// The folder of the plan.
    folder: PathBuf,
    duty: Duty,
    /// The division that the command announced, with [`Duty::List`].
    announced: std::sync::Arc<std::sync::Mutex<Option<Division>>>,
}

impl Parts {
    /// The parts of `plan`, which is in the file `path`.
    pub fn new(plan: WorkPlan, path: &Path, duty: Duty) -> Self {
        let folder = path.parent().map(Path::to_path_buf).unwrap_or_default();
        Self { plan, folder, duty, announced: std::sync::Arc::default() }
    }

    /// Where the division will stand as soon as the command announces it.
    pub fn announced(&self) -> std::sync::Arc<std::sync::Mutex<Option<Division>>> {
        std::sync::Arc::clone(&self.announced)
    }

    /// Places of the units without a result that belongs to the plan and is whole, each with the reason.
    pub fn open(&self) -> Vec<(usize, Error)> {
        let units = 0..self.plan.units.len();
        units.filter_map(|unit| self.result(unit).err().map(|error| (unit, error))).collect()
    }

    /// The result of a unit.
    ///
    /// # Errors
    /// [`Error::NoFile`] if it is not there; [`Error::Unreadable`] if it is damaged or of another plan.
    pub fn result(&self, unit: usize) -> Result<String> {
        let planned = self.plan.units.get(unit).ok_or_else(|| Error::Parameter {
            name: "unit",
            must: "one of the plan, counted from 0",
            got: format!("{unit} of {} units", self.plan.units.len()),
        })?;
        let path = self.folder.join(&planned.output);
        let part: PartFile = read_json(&path)?;
        let problem = if part.plan != self.plan.sha256 || part.unit != unit {
            "the file belongs to another plan or unit"
        } else if file::hex(&Sha256::digest(part.result.as_bytes())) != part.sha256 {
            "the file is damaged"
        } else {
            return Ok(part.result);
        };
        Err(unreadable(&path, problem.into(), "remove it and do the unit again"))
    }
}

impl Sharing for Parts {
    fn duty(&mut self, division: &Division) -> Result<Duty> {
        if self.duty == Duty::List {
            if let Ok(mut announced) = self.announced.lock() {
                *announced = Some(division.clone());
            }
            return Ok(self.duty);
        }
        let same = self.plan.units.len() == division.parts.len()
            && self.plan.units.iter().zip(&division.parts).all(|(unit, part)| unit.part == *part);
        if same {
            return Ok(self.duty);
        }
        let must = "that of the command now: make the plan again";
        let got = format!("{} units, expected {}", self.plan.units.len(), division.parts.len());
        Err(Error::Parameter { name: "division of the plan", must, got })
    }

    fn keep(&mut self, part: usize, text: String) -> Result<()> {
        let output = self.plan.units.get(part).map(|unit| self.folder.join(&unit.output));
        let sha256 = file::hex(&Sha256::digest(text.as_bytes()));
        let part = PartFile { plan: self.plan.sha256.clone(), unit: part, sha256, result: text };
        output.map_or(Err(Error::Cancelled), |path| write_json(&path, &part))
    }

    fn kept(&mut self, part: usize) -> Result<String> {
        self.result(part)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Silent;

    fn planned(folder: &Path) -> (WorkPlan, PathBuf) {
        let data = folder.join("cells.h5ad");
        std::fs::write(&data, "cells").unwrap();
        let inputs = vec![PlannedInput::of(&data, &mut Silent).unwrap()];
        let division = Division { what: "times", parts: vec!["1".into(), "2".into()] };
        let plan = WorkPlan::new(vec!["evaluate".into()], inputs);
        let path = folder.join("plan.json");
        let plan = plan.with_units(&division, Path::new("plan.parts"));
        plan.write(&path).unwrap();
        (plan, path)
    }

    #[test]
    fn a_part_is_read_back_only_if_it_is_whole_and_of_this_plan() {
        let folder = tempfile::tempdir().unwrap();
        let (plan, path) = planned(folder.path());
        assert_eq!(WorkPlan::read(&path).unwrap(), plan);
        let mut parts = Parts::new(plan.clone(), &path, Duty::One(1));
        parts.keep(1, "[0.5]".into()).unwrap();
        assert_eq!(parts.result(1).unwrap(), "[0.5]");
        assert_eq!(parts.open().iter().map(|open| open.0).collect::<Vec<_>>(), [0]);
        assert!(matches!(parts.result(0), Err(Error::NoFile { .. })));
        assert!(matches!(parts.result(2), Err(Error::Parameter { .. })));

        let file = folder.path().join("plan.parts/1.json");
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, text.replace("[0.5]", "[0.6]")).unwrap();
        assert!(parts.result(1).unwrap_err().to_string().contains("damaged"));
        // The part of unit 1 under the name of unit 0, and under another plan.
        std::fs::write(folder.path().join("plan.parts/0.json"), &text).unwrap();
        assert!(parts.result(0).unwrap_err().to_string().contains("another plan or unit"));
        std::fs::write(&file, &text).unwrap();
        let other = WorkPlan::new(vec!["grn".into()], Vec::new());
        let division = Division { what: "times", parts: vec!["1".into(), "2".into()] };
        let other = other.with_units(&division, Path::new("plan.parts"));
        let parts = Parts::new(other, &path, Duty::Collect);
        assert!(parts.result(1).unwrap_err().to_string().contains("another plan"));
    }

    #[test]
    fn changed_plans_and_inputs_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let (plan, path) = planned(folder.path());
        plan.check_inputs(&mut Silent).unwrap();
        std::fs::write(folder.path().join("cells.h5ad"), "other cells").unwrap();
        let changed = plan.check_inputs(&mut Silent).unwrap_err().to_string();
        assert!(changed.contains("cells.h5ad") && changed.contains("changed"), "{changed}");
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replace("evaluate", "grn")).unwrap();
        assert!(
            WorkPlan::read(&path).unwrap_err().to_string().contains("changed after it was made")
        );
        std::fs::write(&path, text.replace(env!("CARGO_PKG_VERSION"), "9.9.9")).unwrap();
        assert!(WorkPlan::read(&path).unwrap_err().to_string().contains("made by sbcell 9.9.9"));
    }
}
