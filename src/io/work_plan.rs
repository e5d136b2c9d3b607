//! The plan of a command that several processes do together, and the files that hold its parts.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::io::file;
use crate::io::run::{json_sha256, read_json, write_json};
use crate::platform::memory::peak_of_process;
use crate::progress::Progress;
use crate::share::{Division, Duty, Sharing};

/// A command, what it reads, and the units in which it can be done.
///
/// ```
/// use sbcell::io::work_plan::WorkPlan;
/// let plan = WorkPlan::new(vec!["evaluate".into(), "cells.h5ad".into()], Vec::new());
/// assert!(plan.units.is_empty() && plan.is_whole().unwrap());
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
    /// Number of threads that `seconds` of the units are for; `None` if no unit was tried.
    pub threads: Option<usize>,
    /// SHA-256 of all of the above without the estimates (`threads`, `memory_bytes`, `seconds`), which may be edited.
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
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Unit {
    /// Place among the units, from 0.
    pub unit: usize,
    /// Name of its part, such as the held-out time.
    pub part: String,
    /// The file of its result, relative to the plan.
    pub output: PathBuf,
    /// Foretold peak of the memory, in bytes.
    pub memory_bytes: Option<u64>,
    /// Foretold time in seconds.
    pub seconds: Option<f64>,
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
            threads: None,
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
            .map(|(unit, part)| Unit {
                unit,
                part: part.clone(),
                output: output(unit),
                memory_bytes: None,
                seconds: None,
            })
            .collect();
        self.sealed()
    }

    /// The plan with the memory and time of each unit, from those of the unit that was tried. What all units do before
    /// their part is the same; the rest goes with the work of the part.
    #[must_use]
    pub fn with_estimates(mut self, trial: &Trial, work: &[f64], threads: usize) -> Self {
        self.threads = Some(threads);
        let tried = work.get(trial.unit).copied().unwrap_or(1.0);
        for (unit, work) in self.units.iter_mut().zip(work) {
            let share = work / tried;
            unit.seconds = Some(trial.seconds[0] + share * (trial.seconds[1] - trial.seconds[0]));
            unit.memory_bytes = trial.peaks.map(|[before, after]| {
                (before as f64 + share * after.saturating_sub(before) as f64) as u64
            });
        }
        self
    }

    /// The hash of everything but the estimates and the hash.
    fn own_sha256(&self) -> Result<String> {
        let bare = |unit: &Unit| Unit { memory_bytes: None, seconds: None, ..unit.clone() };
        let units = self.units.iter().map(bare).collect();
        json_sha256(&Self { sha256: String::new(), threads: None, units, ..self.clone() })
    }

    /// Whether the file at `path` is a plan.
    pub fn is_at(path: &Path) -> bool {
        read_json::<Self>(path).is_ok_and(|plan| plan.is_whole().unwrap_or(false))
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

/// Memory and time of the unit that was done while the plan was made. See [`WorkPlan::with_estimates`].
///
/// ```
/// use sbcell::io::work_plan::{Trial, WorkPlan};
/// use sbcell::share::Division;
///
/// let division = Division { work: vec![1.0, 3.0], ..Division::even("times", vec!["1".into(), "2".into()]) };
/// let plan = WorkPlan::new(vec!["fates".into()], Vec::new()).with_units(&division, "parts".as_ref());
/// // The second unit had 2 s and 100 MB before its part, and 8 s and 160 MB after it.
/// let trial = Trial { unit: 1, seconds: [2.0, 8.0], peaks: Some([100_000_000, 160_000_000]) };
/// let plan = plan.with_estimates(&trial, &division.work, 2);
/// assert_eq!(plan.units[0].seconds, Some(4.0));
/// assert_eq!(plan.units[0].memory_bytes, Some(120_000_000));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Trial {
    /// Place of the unit.
    pub unit: usize,
    /// Seconds until its part began, and until it ended.
    pub seconds: [f64; 2],
    /// Peak of the memory until then, in bytes; `None` where the system does not tell.
    pub peaks: Option<[u64; 2]>,
}

/// A division, with the unit that was tried.
type Found = Option<(Division, Option<Trial>)>;

/// The division of a command, as soon as the command announces it.
#[derive(Debug, Clone, Default)]
pub struct Announced(Arc<Mutex<Found>>);

impl Announced {
    /// Takes the division, with the unit that was tried.
    pub fn take(&self) -> Option<(Division, Option<Trial>)> {
        self.0.lock().ok()?.take()
    }

    fn set(&self, division: &Division, trial: Option<Trial>) {
        if let Ok(mut announced) = self.0.lock() {
            *announced = Some((division.clone(), trial));
        }
    }
}

/// The role of this process for the parts of a plan.
#[derive(Debug)]
enum Role {
    /// Does this part of a plan that is made.
    Of(Duty),
    /// Makes the plan, in which the results of units are in the folder `parts`. With `trial` it also does the unit
    /// with the most work.
    Planning { parts: PathBuf, trial: bool, started: Instant, announced: Announced },
}

/// The files of the parts of a plan, with what this process does.
#[derive(Debug)]
pub struct Parts {
    plan: WorkPlan,
    /// The folder of the plan.
    folder: PathBuf,
    role: Role,
    /// Whether the command has announced its division.
    is_divided: bool,
}

impl Parts {
    /// The parts of `plan`, which is in the file `path`.
    pub fn new(plan: WorkPlan, path: &Path, duty: Duty) -> Self {
        let folder = path.parent().map(Path::to_path_buf).unwrap_or_default();
        Self { plan, folder, role: Role::Of(duty), is_divided: false }
    }

    /// The parts of a `plan` that is being made for the file `path`, and where its division will stand. Results of
    /// units are to be in the folder `parts`, relative to the plan. With `trial`, the unit with the most work is done.
    pub fn planning(plan: WorkPlan, path: &Path, parts: &Path, trial: bool) -> (Self, Announced) {
        let folder = path.parent().map(Path::to_path_buf).unwrap_or_default();
        let announced = Announced::default();
        let (parts, started) = (parts.to_path_buf(), Instant::now());
        let role = Role::Planning { parts, trial, started, announced: announced.clone() };
        (Self { plan, folder, role, is_divided: false }, announced)
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
        if std::mem::replace(&mut self.is_divided, true) {
            let (name, must) = ("command", "one with a single division");
            return Err(Error::Parameter { name, must, got: self.plan.command.join(" ") });
        }
        let duty = match &self.role {
            Role::Of(duty) => *duty,
            Role::Planning { parts, trial, started, announced } => {
                self.plan = self.plan.clone().with_units(division, parts);
                let tried = division.largest().filter(|_| *trial);
                let begun = |unit| Trial {
                    unit,
                    seconds: [started.elapsed().as_secs_f64(); 2],
                    peaks: peak_of_process().map(|peak| [peak; 2]),
                };
                announced.set(division, tried.map(begun));
                return Ok(tried.map_or(Duty::List, Duty::One));
            }
        };
        let same = self.plan.units.len() == division.parts.len()
            && self.plan.units.iter().zip(&division.parts).all(|(unit, part)| unit.part == *part);
        if same {
            return Ok(duty);
        }
        let must = "that of the command now: make the plan again";
        let got = format!("{} units, expected {}", self.plan.units.len(), division.parts.len());
        Err(Error::Parameter { name: "division of the plan", must, got })
    }

    fn keep(&mut self, part: usize, text: String) -> Result<()> {
        let output = self.plan.units.get(part).map(|unit| self.folder.join(&unit.output));
        let sha256 = file::hex(&Sha256::digest(text.as_bytes()));
        let part = PartFile { plan: self.plan.sha256.clone(), unit: part, sha256, result: text };
        output.map_or(Err(Error::Cancelled), |path| write_json(&path, &part))?;
        if let Role::Planning { started, announced, .. } = &self.role
            && let Some((division, Some(mut trial))) = announced.take()
        {
            trial.seconds[1] = started.elapsed().as_secs_f64();
            if let (Some(peaks), Some(peak)) = (&mut trial.peaks, peak_of_process()) {
                peaks[1] = peak;
            }
            announced.set(&division, Some(trial));
        }
        Ok(())
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
        let division = Division::even("times", vec!["1".into(), "2".into()]);
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
        let division = Division::even("times", vec!["1".into(), "2".into()]);
        let other = other.with_units(&division, Path::new("plan.parts"));
        let parts = Parts::new(other, &path, Duty::Collect);
        assert!(parts.result(1).unwrap_err().to_string().contains("another plan"));
    }

    #[test]
    fn estimates_can_be_edited_and_the_rest_cannot() {
        let folder = tempfile::tempdir().unwrap();
        let (plan, _) = planned(folder.path());
        let trial = Trial { unit: 0, seconds: [1.0, 3.0], peaks: None };
        let estimated = plan.clone().with_estimates(&trial, &[1.0, 0.5], 2);
        assert_eq!(estimated.units[1].seconds, Some(2.0));
        assert_eq!(estimated.units[1].memory_bytes, None);
        assert!(estimated.is_whole().unwrap() && estimated.sha256 == plan.sha256);
        let mut other = estimated;
        other.units[1].part = "3".into();
        assert!(!other.is_whole().unwrap());
    }

    #[test]
    fn the_unit_that_is_tried_is_kept_for_the_plan() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plan.json");
        let plan = WorkPlan::new(vec!["evaluate".into()], Vec::new());
        let (mut parts, announced) = Parts::planning(plan.clone(), &path, "parts".as_ref(), true);
        let parts_of = vec!["1".into(), "2".into()];
        let division = Division { work: vec![1.0, 2.0], ..Division::even("times", parts_of) };
        assert_eq!(parts.duty(&division).unwrap(), Duty::One(1));
        parts.keep(1, "[0.5]".into()).unwrap();
        let (found, trial) = announced.take().unwrap();
        let trial = trial.unwrap();
        assert!(found == division && trial.unit == 1 && trial.seconds[1] >= trial.seconds[0]);
        let plan = plan.with_units(&division, "parts".as_ref());
        let mut parts = Parts::new(plan, &path, Duty::Collect);
        assert_eq!(parts.result(1).unwrap(), "[0.5]");
        // Parts of a second division would be taken for those of the first.
        assert_eq!(parts.duty(&division).unwrap(), Duty::Collect);
        assert!(matches!(parts.duty(&division), Err(Error::Parameter { .. })));
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
