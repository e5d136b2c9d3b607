//! The plan of a command that several processes do together, and the files that hold its parts.

mod parts;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::io::file;
use crate::io::run::{json_sha256, read_json, write_json};
use crate::progress::Progress;
use crate::share::Division;
pub use parts::{Announced, Parts, Trial};

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
    /// Names of the divided work, such as `held-out times`, in the order in which it is done. The units of a stage need
    /// the results of all earlier stages.
    pub stages: Vec<String>,
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
    /// Size in bytes.
    pub bytes: u64,
    /// Time of the last change, in nanoseconds since 1970; `None` where the file system does not tell.
    pub modified_ns: Option<u64>,
}

/// A unit of a plan. See [`WorkPlan`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Unit {
    /// Place among the units, from 0.
    pub unit: usize,
    /// Number of its stage, from 0.
    pub stage: usize,
    /// Name of its part, such as the held-out time.
    pub part: String,
    /// The file of its result, relative to the plan.
    pub output: PathBuf,
    /// Foretold peak of the memory, in bytes.
    pub memory_bytes: Option<u64>,
    /// Foretold time in seconds.
    pub seconds: Option<f64>,
}

impl PlannedInput {
    /// The file at `path` with its hash.
    ///
    /// # Errors
    /// Those of [`file::sha256`].
    pub fn of(path: &Path, progress: &mut dyn Progress) -> Result<Self> {
        let (bytes, modified_ns) = size_and_change(path);
        let sha256 = file::sha256(path, progress)?;
        Ok(Self { path: path.to_path_buf(), sha256, bytes, modified_ns })
    }

    /// Whether size and time of the last change are those of the plan.
    fn looks_the_same(&self) -> bool {
        self.modified_ns.is_some() && size_and_change(&self.path) == (self.bytes, self.modified_ns)
    }

    /// Checks that the content is that of the plan.
    fn check(&self, progress: &mut dyn Progress) -> Result<()> {
        if file::sha256(&self.path, progress)? == self.sha256 {
            return Ok(());
        }
        let problem = "the file changed after the plan was made".to_string();
        Err(unreadable(&self.path, problem, "make the plan again"))
    }
}

/// Size of a file in bytes, and the time of its last change in nanoseconds since 1970.
fn size_and_change(path: &Path) -> (u64, Option<u64>) {
    let Ok(found) = std::fs::metadata(path) else { return (0, None) };
    let since = found.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    (found.len(), since.and_then(|since| u64::try_from(since.as_nanos()).ok()))
}

impl WorkPlan {
    /// The version of the layout that this sbcell writes and reads.
    pub const FORMAT: u32 = 2;

    /// A plan without units.
    pub fn new(command: Vec<String>, inputs: Vec<PlannedInput>) -> Self {
        let plan = Self {
            format: Self::FORMAT,
            sbcell: env!("CARGO_PKG_VERSION").to_string(),
            command,
            stages: Vec::new(),
            inputs,
            units: Vec::new(),
            threads: None,
            sha256: String::new(),
        };
        plan.sealed()
    }

    /// The plan with the units of all `divisions`. Results are to be in the folder `parts`, relative to the plan.
    #[must_use]
    pub fn with_units(mut self, divisions: &[Division], parts: &Path) -> Self {
        self.stages = divisions.iter().map(|division| division.what.to_string()).collect();
        let places = divisions.iter().enumerate();
        let named = places.flat_map(|(stage, division)| {
            division.parts.iter().map(move |part| (stage, part.clone()))
        });
        let unit = |(unit, (stage, part)): (usize, (usize, String))| Unit {
            unit,
            stage,
            part,
            output: parts.join(format!("{unit}.json")),
            memory_bytes: None,
            seconds: None,
        };
        self.units = named.enumerate().map(unit).collect();
        self.sealed()
    }

    /// The plan with the memory and time of each unit, from those of the unit of its kind that was tried. What all
    /// units do before their part is the same; the rest goes with the work of the part. Units of a kind that was not
    /// tried keep theirs.
    #[must_use]
    pub fn with_estimates(
        mut self,
        trials: &[Trial],
        divisions: &[Division],
        threads: usize,
    ) -> Self {
        self.threads = Some(threads);
        for (stage, division) in divisions.iter().enumerate() {
            let first = self.first_of(stage);
            for (part, work) in division.work.iter().enumerate() {
                let of_kind = |trial: &&Trial| {
                    trial.stage == stage && division.kinds[trial.part] == division.kinds[part]
                };
                let Some(trial) = trials.iter().find(of_kind) else { continue };
                let Some(unit) = self.units.get_mut(first + part) else { continue };
                let share = work / division.work[trial.part];
                unit.seconds = Some(trial.before + share * trial.own);
                unit.memory_bytes = trial.peaks.map(|[before, after]| {
                    (before as f64 + share * after.saturating_sub(before) as f64) as u64
                });
            }
        }
        self
    }

    /// The first unit of a stage.
    fn first_of(&self, stage: usize) -> usize {
        self.units.partition_point(|unit| unit.stage < stage)
    }

    /// The units of a stage.
    fn units_of(&self, stage: usize) -> &[Unit] {
        &self.units[self.first_of(stage)..self.first_of(stage + 1)]
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
                "the plan was made by sbcell {} in format {}, this is {} with format {}",
                plan.sbcell,
                plan.format,
                env!("CARGO_PKG_VERSION"),
                Self::FORMAT
            )
        } else if plan.is_whole()? {
            return Ok(plan);
        } else {
            "the plan was changed after it was made".into()
        };
        Err(unreadable(path, problem, "make the plan again"))
    }

    /// Checks that all inputs are those of the plan, by their content.
    ///
    /// # Errors
    /// [`Error::Unreadable`] for a file that changed; those of reading; [`Error::Cancelled`].
    pub fn check_inputs(&self, progress: &mut dyn Progress) -> Result<()> {
        self.inputs.iter().try_for_each(|input| input.check(progress))
    }

    /// Checks that the command still reads the files `paths`, such as those of a folder.
    ///
    /// # Errors
    /// [`Error::Unreadable`] with the first file that is new or gone.
    pub fn check_paths(&self, paths: &BTreeSet<PathBuf>) -> Result<()> {
        let planned: BTreeSet<PathBuf> =
            self.inputs.iter().map(|input| input.path.clone()).collect();
        let Some(path) = planned.symmetric_difference(paths).next() else { return Ok(()) };
        let what = if planned.contains(path) { "is no longer there" } else { "is new" };
        let problem = format!("the file {what}: the command would read other files than the plan");
        Err(unreadable(path, problem, "restore the files of the plan, or make the plan again"))
    }

    /// As [`WorkPlan::check_inputs`], without reading files whose size and time of the last change are those of the
    /// plan. A unit checks in this way, so that it need not read a course of which it uses a shard.
    ///
    /// # Errors
    /// As [`WorkPlan::check_inputs`].
    pub fn look_at_inputs(&self, progress: &mut dyn Progress) -> Result<()> {
        let mut others = self.inputs.iter().filter(|input| !input.looks_the_same());
        others.try_for_each(|input| input.check(progress))
    }
}

fn unreadable(path: &Path, problem: String, way_out: &str) -> Error {
    let (path, way_out) = (path.to_path_buf(), Some(way_out.to_string()));
    Error::Unreadable { path, problem, way_out }
}
