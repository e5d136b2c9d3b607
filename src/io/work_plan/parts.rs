//! The files that hold the parts of a plan, and the memory and time of parts that are tried.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::io::file;
use crate::io::run::{read_json_of, write_json};
use crate::io::work_plan::{Unit, WorkPlan, unreadable};
use crate::platform::memory::{forget_peak, peak_of_process};
use crate::share::{Division, Duty, Sharing};

/// The result of a unit, as its file holds it.
#[derive(Debug, Serialize, Deserialize)]
struct PartFile {
    /// SHA-256 of the plan.
    plan: String,
    /// Place among the units.
    unit: usize,
    /// SHA-256 of the lines `plan` and `unit`, then `result`.
    sha256: String,
    /// The result as JSON.
    result: String,
}

impl PartFile {
    /// The result of unit `unit` of the plan with the hash `plan`.
    fn new(plan: String, unit: usize, result: String) -> Self {
        let mut part = Self { plan, unit, sha256: String::new(), result };
        part.sha256 = part.own_sha256();
        part
    }

    fn own_sha256(&self) -> String {
        let mut all = Sha256::new();
        all.update(format!("{}\n{}\n", self.plan, self.unit));
        all.update(self.result.as_bytes());
        file::hex(&all.finalize())
    }
}

/// Memory and time of a part that was tried while the plan was made. See [`WorkPlan::with_estimates`].
///
/// ```
/// use sbcell::io::work_plan::{Trial, WorkPlan};
/// use sbcell::share::Division;
///
/// let division = Division { work: vec![1.0, 3.0], ..Division::even("times", vec!["1".into(), "2".into()]) };
/// let plan = WorkPlan::new(vec!["fates".into()], Vec::new());
/// let plan = plan.with_units(std::slice::from_ref(&division), "parts".as_ref());
/// // The second unit had 2 s and 100 MB before its part, and 6 s and 60 MB more for its part.
/// let peaks = Some([100_000_000, 160_000_000]);
/// let trial = Trial { stage: 0, part: 1, before: 2.0, own: 6.0, peaks };
/// let plan = plan.with_estimates(&[trial], &[division], 2);
/// assert_eq!(plan.units[0].seconds, Some(4.0));
/// assert_eq!(plan.units[0].memory_bytes, Some(120_000_000));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Trial {
    /// Number of the stage.
    pub stage: usize,
    /// Place of the part in its stage.
    pub part: usize,
    /// Seconds of all work before the part that is no part itself.
    pub before: f64,
    /// Seconds of the part.
    pub own: f64,
    /// Peak of the memory until the part began, and until it ended, in bytes; `None` where the system does not tell.
    pub peaks: Option<[u64; 2]>,
}

/// The divisions of a command, with the parts that were tried.
type Found = (Vec<Division>, Vec<Trial>);

/// The divisions of a command, as soon as the command announces them.
#[derive(Debug, Clone, Default)]
pub struct Announced(Arc<Mutex<Found>>);

impl Announced {
    /// Takes the divisions, with the parts that were tried. There are none if the command was not divided.
    pub fn take(&self) -> Found {
        self.0.lock().map(|mut found| std::mem::take(&mut *found)).unwrap_or_default()
    }

    fn with(&self, change: impl FnOnce(&mut Found)) {
        if let Ok(mut found) = self.0.lock() {
            change(&mut found);
        }
    }
}

/// A plan that is being made, with what was measured so far.
#[derive(Debug)]
struct Planning {
    /// The folder of the results of units, relative to the plan.
    parts: PathBuf,
    /// Whether the largest unit of each kind is done.
    trial: bool,
    /// The moment at which the process began to plan.
    started: Instant,
    /// Time of all parts that were tried, and of reading them.
    tried: Duration,
    /// For each stage that was tried, the seconds to read the results of all of its parts.
    reading: Vec<f64>,
    /// The moment at which the last part began.
    begun: Duration,
    /// The largest memory before the first part.
    base: Option<u64>,
    /// Where the divisions and trials are collected.
    announced: Announced,
}

/// The role of this process for the parts of a plan.
#[derive(Debug)]
enum Role {
    /// Does this unit of a plan that is made.
    Unit(usize),
    /// Takes all results.
    Merge,
    /// Makes the plan.
    Planning(Planning),
}

/// The files of the parts of a plan, with what this process does.
#[derive(Debug)]
pub struct Parts {
    /// The plan, with its units if they are known.
    plan: WorkPlan,
    /// The folder of the plan.
    folder: PathBuf,
    /// The role of this process.
    role: Role,
    /// For each stage, whether the command has come to its division.
    seen: Vec<bool>,
}

impl Parts {
    /// The parts of `plan`, which is in the file `path`, for a process that does one unit.
    pub fn of_unit(plan: WorkPlan, path: &Path, unit: usize) -> Self {
        Self::new(plan, path, Role::Unit(unit))
    }

    /// The parts of `plan`, which is in the file `path`, for a process that puts them together.
    pub fn merging(plan: WorkPlan, path: &Path) -> Self {
        Self::new(plan, path, Role::Merge)
    }

    /// The parts of a `plan` that is being made for the file `path`, and where its divisions will stand. Results of
    /// units are to be in the folder `parts`, relative to the plan. With `trial`, the unit with the most work of each
    /// kind is done; units of the first stage are kept.
    pub fn planning(plan: WorkPlan, path: &Path, parts: &Path, trial: bool) -> (Self, Announced) {
        let announced = Announced::default();
        let role = Role::Planning(Planning {
            parts: parts.to_path_buf(),
            trial,
            started: Instant::now(),
            tried: Duration::ZERO,
            reading: Vec::new(),
            begun: Duration::ZERO,
            base: None,
            announced: announced.clone(),
        });
        (Self::new(plan, path, role), announced)
    }

    fn new(plan: WorkPlan, path: &Path, role: Role) -> Self {
        let folder = path.parent().map(Path::to_path_buf).unwrap_or_default();
        let seen = vec![false; plan.stages.len()];
        Self { plan, folder, role, seen }
    }

    /// Places of the units without a result that belongs to the plan and is whole, each with the reason.
    pub fn open(&self) -> Vec<(usize, Error)> {
        let units = 0..self.plan.units.len();
        units.filter_map(|unit| self.result(unit).err().map(|error| (unit, error))).collect()
    }

    /// Places of the units of the stages before `stage` that have no file of a result, each with the reason. A file
    /// that is needed is checked when it is read.
    pub fn missing_before(&self, stage: usize) -> Vec<(usize, Error)> {
        let units = self.plan.units.iter().take_while(|unit| unit.stage < stage);
        let missing = units.filter(|unit| !self.folder.join(&unit.output).is_file());
        let why = |unit: &Unit| Some((unit.unit, self.result(unit.unit).err()?));
        missing.filter_map(why).collect()
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
        let again = format!("do unit {unit} again with `sbcell step`");
        if path.exists() && !path.is_file() {
            return Err(unreadable(&path, "it is no file".into(), "remove it"));
        }
        let part: PartFile = read_json_of(&path, u64::MAX).map_err(|error| match error {
            Error::Unreadable { path, problem, way_out: None } => {
                unreadable(&path, problem, &again)
            }
            other => other,
        })?;
        let problem = if part.plan != self.plan.sha256 || part.unit != unit {
            "the file belongs to another plan or unit"
        } else if part.own_sha256() != part.sha256 {
            "the file is damaged"
        } else {
            return Ok(part.result);
        };
        Err(unreadable(&path, problem.into(), &again))
    }

    /// The number of the stage of the division `what`.
    fn stage(&self, what: &str) -> Result<usize> {
        self.plan.stages.iter().position(|stage| stage == what).ok_or_else(|| {
            let must = "that of the command now: make the plan again";
            Error::Parameter { name: "division of the plan", must, got: format!("no {what}") }
        })
    }

    /// The unit of a part of the division `what`.
    fn unit(&self, what: &str, part: usize) -> Result<usize> {
        Ok(self.plan.first_of(self.stage(what)?) + part)
    }

    /// Notes the time and memory of the part that was just kept, and the time to read its stage.
    fn measured(&mut self, stage: usize, path: &Path) -> Result<()> {
        let n = self.plan.units_of(stage).len();
        let peak = peak_of_process();
        let Role::Planning(planning) = &self.role else { return Ok(()) };
        let done = planning.started.elapsed();
        // The memory of reading a result counts for the next stage.
        forget_peak();
        let part: PartFile = read_json_of(path, u64::MAX)?;
        let _as_others_do = part.own_sha256();
        drop(part);
        let Role::Planning(planning) = &mut self.role else { return Ok(()) };
        let read = planning.started.elapsed().saturating_sub(done).as_secs_f64();
        planning.reading.resize(stage + 1, 0.0);
        planning.reading[stage] = read * n as f64;
        let begun = planning.begun;
        planning.announced.with(|found| {
            let Some(trial) = found.1.last_mut() else { return };
            trial.own = done.saturating_sub(begun).as_secs_f64();
            if let (Some(peaks), Some(peak)) = (&mut trial.peaks, peak) {
                peaks[1] = peak.max(peaks[0]);
            }
        });
        planning.tried += planning.started.elapsed().saturating_sub(begun);
        Ok(())
    }

    /// The share of a process that plans, in `division` of stage number `stage`.
    fn planned(planning: &Planning, division: &Division, stage: usize, n_stages: usize) -> Duty {
        // What the command announces early may be known better now.
        planning.announced.with(|found| found.0[stage].work.clone_from(&division.work));
        if !planning.trial {
            return Duty::List;
        }
        Duty::Try { parts: division.largest(), goes_on: stage + 1 < n_stages }
    }
}

impl Sharing for Parts {
    fn announced(&mut self, divisions: &[Division]) -> Result<()> {
        if let Role::Planning(planning) = &self.role {
            self.plan = self.plan.clone().with_units(divisions, &planning.parts);
            self.seen = vec![false; divisions.len()];
            planning.announced.with(|found| *found = (divisions.to_vec(), Vec::new()));
        }
        Ok(())
    }

    fn duty(&mut self, division: &Division) -> Result<Duty> {
        if self.plan.stages.is_empty() && matches!(self.role, Role::Planning(_)) {
            self.announced(std::slice::from_ref(division))?;
        }
        let stage = self.stage(division.what)?;
        if std::mem::replace(&mut self.seen[stage], true) {
            let (name, must) = ("command", "one whose divisions have different names");
            return Err(Error::Parameter { name, must, got: self.plan.command.join(" ") });
        }
        let units = self.plan.units_of(stage);
        let is_same = units.len() == division.parts.len()
            && units.iter().zip(&division.parts).all(|(unit, part)| unit.part == *part);
        if !is_same {
            let must = "that of the command now: make the plan again";
            let got = format!("{} units, expected {}", units.len(), division.parts.len());
            return Err(Error::Parameter { name: "division of the plan", must, got });
        }
        Ok(match &self.role {
            Role::Merge => Duty::Collect,
            Role::Planning(planning) => {
                Self::planned(planning, division, stage, self.plan.stages.len())
            }
            Role::Unit(unit) => {
                let own = self.plan.units.get(*unit).map_or(0, |unit| unit.stage);
                match stage.cmp(&own) {
                    std::cmp::Ordering::Less => Duty::Collect,
                    std::cmp::Ordering::Equal => Duty::One(unit - self.plan.first_of(stage)),
                    std::cmp::Ordering::Greater => Duty::Later,
                }
            }
        })
    }

    fn begin(&mut self, what: &str, part: usize) {
        let Ok(stage) = self.stage(what) else { return };
        if let Role::Planning(planning) = &mut self.role {
            let peak = peak_of_process();
            planning.base = planning.base.or(peak);
            planning.begun = planning.started.elapsed();
            let own = planning.started.elapsed().saturating_sub(planning.tried).as_secs_f64();
            // A stage with a single part adds the parts of the stage before; later stages read the sum alone.
            let sizes: Vec<usize> =
                (0..self.plan.stages.len()).map(|stage| self.plan.units_of(stage).len()).collect();
            let is_read = |other: usize| other + 1 == stage || sizes[other + 1] > 1;
            let reading = planning.reading.iter().enumerate().take(stage);
            let reading: f64 =
                reading.filter(|(k, _)| is_read(*k)).map(|(_, seconds)| seconds).sum();
            let before = own + reading;
            let peak = peak.zip(planning.base).map(|(peak, base)| peak.max(base));
            let trial = Trial { stage, part, before, own: 0.0, peaks: peak.map(|peak| [peak; 2]) };
            planning.announced.with(|found| found.1.push(trial));
        }
    }

    fn keep(&mut self, what: &str, part: usize, text: String) -> Result<()> {
        let (stage, unit) = (self.stage(what)?, self.unit(what, part)?);
        let path = self.plan.units.get(unit).map(|unit| self.folder.join(&unit.output));
        let Some(mut path) = path else { return Err(Error::Cancelled) };
        // A later part of a plan that is made was computed from some parts of the earlier stages alone.
        let is_trial = stage > 0 && matches!(self.role, Role::Planning(_));
        if is_trial {
            path.set_file_name(format!("trial-{}.json", std::process::id()));
        }
        refuse_foreign(&path)?;
        write_json(&path, &PartFile::new(self.plan.sha256.clone(), unit, text))?;
        if matches!(self.role, Role::Planning(_)) {
            self.measured(stage, &path)?;
        }
        if is_trial {
            std::fs::remove_file(&path).map_err(|source| {
                let action = "remove the trial result";
                Error::Io { action, path, source }
            })?;
        }
        Ok(())
    }

    fn kept(&mut self, what: &str, part: usize) -> Result<String> {
        self.result(self.unit(what, part)?)
    }

    fn undivided(&mut self) -> Result<()> {
        if !matches!(self.role, Role::Planning(_)) || !self.plan.stages.is_empty() {
            return Ok(());
        }
        let must = "one that can be divided with these flags (not: conditions, couplings of bridges, solvers of \
                    whole courses)";
        Err(Error::Parameter { name: "command", must, got: self.plan.command.join(" ") })
    }

    fn known_sha256(&self, path: &Path) -> Option<String> {
        let input = self.plan.inputs.iter().find(|input| input.path == path);
        input.map(|input| input.sha256.clone())
    }
}

/// Refuses to replace a file that is no result of a unit.
///
/// # Errors
/// [`Error::Unreadable`].
fn refuse_foreign(path: &Path) -> Result<()> {
    use std::io::Read;
    const BEGIN: &str = "{\n  \"plan\"";
    let Ok(file) = std::fs::File::open(path) else { return Ok(()) };
    let mut begin = String::new();
    // A result that was cut short may be replaced.
    let is_text = file.take(BEGIN.len() as u64).read_to_string(&mut begin).is_ok();
    if is_text && BEGIN.starts_with(&begin) {
        return Ok(());
    }
    let problem = "the file is no result of a unit, and would be replaced".to_string();
    Err(unreadable(path, problem, "move it, or give the plan another name by the parameter `out`"))
}
