//! `sbcell plan`, `step` and `merge`: one command, done by several processes or machines.

use std::path::{Path, PathBuf};

use clap::Args;
use sbcell::io::work_plan::{Parts, PlannedInput, WorkPlan};
use sbcell::share::Duty;
use sbcell::{Error, Result};

use crate::cli::recorded::Line;
use crate::cli::shared::{Common, shown};
use crate::cli::terminal::Terminal;
use crate::cli::{Outcome, parsed_step, run_step};

/// Commands that can be divided, each with its units.
const DIVISIBLE: [(&str, &str); 3] = [
    ("fit", "a unit for each interval"),
    ("evaluate", "a unit for each held-out time"),
    ("grn", "up to 50 units of resamples, permutations and shuffles"),
];

const EXAMPLES: &str = "\
Examples:
  sbcell plan evaluate data.h5ad --timepoints day --compare lightsb,sinkhorn
      write plan.json: one unit for each held-out time
  sbcell step plan.json --unit 0
      do one unit, on any machine that sees the same files
  sbcell merge plan.json
      put the results together: the files that the command alone would write";

/// Divide a command into units that separate processes can do
///
/// Give the command as you would after `sbcell`; flags of `plan` stand before it. Divisible is `evaluate` (one
/// unit for each held-out time). Nothing is computed yet. Do the units with `sbcell step`, in any order and on any
/// machine with the same files, then put the results together with `sbcell merge`. The result has the same
/// bytes as that of the command alone on one machine of this type.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct PlanArgs {
    /// The command, with its arguments
    #[arg(
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "COMMAND"
    )]
    command: Vec<String>,
    /// File to write
    #[arg(short, long, value_name = "FILE", default_value = "plan.json")]
    out: PathBuf,
}

const STEP_EXAMPLES: &str = "\
Examples:
  sbcell step plan.json --unit 0
      do the first unit; a unit that is done is not done again
  sbcell step plan.json --unit $SLURM_ARRAY_TASK_ID --threads 4
      a task of a job array of Slurm

The result is one file in the folder of the plan's parts, written whole or not at all. It does not depend on the
machine (of one type), the number of threads, the order of units, or on how often a unit is tried.";

/// Do one unit of a plan
#[derive(Debug, Args)]
#[command(after_help = STEP_EXAMPLES)]
pub(crate) struct StepArgs {
    /// A plan that `sbcell plan` wrote
    #[arg(value_name = "PLAN")]
    plan: PathBuf,
    /// Number of the unit, from 0
    #[arg(long, value_name = "K")]
    unit: usize,
}

const MERGE_EXAMPLES: &str = "\
Examples:
  sbcell merge plan.json
      write the files that the planned command alone would write
  sbcell merge plan.json --json
      the same, with the summary of the command as JSON

Results that are missing, damaged or of another plan are named, and nothing is written.";

/// Put the results of all units of a plan together
#[derive(Debug, Args)]
#[command(after_help = MERGE_EXAMPLES)]
pub(crate) struct MergeArgs {
    /// A plan whose units are done
    #[arg(value_name = "PLAN")]
    plan: PathBuf,
}

/// Runs `sbcell plan`: writes the plan and prints its units.
///
/// # Errors
/// [`Error::Parameter`] for a command that cannot be divided or whose flags are wrong; those of the command before
/// its first unit; [`Error::Cancelled`].
pub(crate) fn plan(args: PlanArgs, common: &Common, terminal: &mut Terminal) -> Result<Outcome> {
    let PlanArgs { mut command, out } = args;
    if common.seed != 0 {
        command.push(format!("--seed={}", common.seed));
    }
    let name = divisible(&command)?;
    parsed_step(name, &command)?;
    let inputs = inputs(&command, terminal)?;
    let plan = WorkPlan::new(command.clone(), inputs);
    let parts = Parts::new(plan.clone(), &out, Duty::List);
    let announced = parts.announced();
    stopped(name, &command, parts, terminal)?;
    let division = announced.lock().ok().and_then(|mut found| found.take());
    let Some(division) = division else {
        let (parameter, must) = ("command", "one that has parts with these flags");
        return Err(Error::Parameter { name: parameter, must, got: command.join(" ") });
    };
    let folder = format!("{}.parts", out.file_stem().unwrap_or_default().to_string_lossy());
    let plan = plan.with_units(&division, Path::new(&folder));
    plan.write(&out)?;
    terminal.record("units", &plan.units);
    terminal.wrote(&out);
    let n = plan.units.len();
    terminal.say(&format!("{n} units ({}): {}", plan.work, division.parts.join(", ")));
    terminal.say(&format!("wrote {}", shown(&out)));
    terminal.say(&format!(
        "next: `sbcell step {0} --unit K` for K from 0 to {1}, then `sbcell merge {0}`",
        shown(&out),
        n.saturating_sub(1)
    ));
    Ok(Outcome::Done)
}

/// Runs `sbcell step`: writes the result of one unit.
///
/// # Errors
/// Those of reading the plan, of changed inputs, and of the command; [`Error::Cancelled`].
pub(crate) fn step(args: StepArgs, common: &Common, terminal: &mut Terminal) -> Result<Outcome> {
    let StepArgs { plan: path, unit } = args;
    let plan = WorkPlan::read(&path)?;
    let done = Parts::new(plan.clone(), &path, Duty::Collect);
    let Some(planned) = plan.units.get(unit) else {
        return done.result(unit).map(|_| Outcome::Done);
    };
    let file = path.parent().unwrap_or(Path::new("")).join(&planned.output);
    if !common.overwrite && done.result(unit).is_ok() {
        terminal.say(&format!("unit {unit} ({}) is done: {}", planned.part, shown(&file)));
        return Ok(Outcome::Done);
    }
    plan.check_inputs(terminal)?;
    let name = divisible(&plan.command)?;
    let parts = Parts::new(plan.clone(), &path, Duty::One(unit));
    stopped(name, &plan.command, parts, terminal)?;
    done.result(unit)?;
    terminal.wrote(&file);
    terminal.say(&format!("unit {unit} ({}): wrote {}", planned.part, shown(&file)));
    Ok(Outcome::Done)
}

/// Runs `sbcell merge`: the planned command, with the results of its units.
///
/// # Errors
/// [`Error::Unreadable`] if results are missing, damaged or of another plan; those of the command.
pub(crate) fn merge(args: MergeArgs, terminal: &mut Terminal) -> Result<Outcome> {
    let MergeArgs { plan: path } = args;
    let plan = WorkPlan::read(&path)?;
    plan.check_inputs(terminal)?;
    let parts = Parts::new(plan.clone(), &path, Duty::Collect);
    let open = parts.open();
    if let Some((first, why)) = open.first() {
        let units: Vec<String> = open.iter().map(|(unit, _)| unit.to_string()).collect();
        let (n, of) = (open.len(), plan.units.len());
        let problem = format!(
            "{n} of {of} units have no result that can be used: {} ({why})",
            units.join(", ")
        );
        let way_out = Some(format!("run `sbcell step {} --unit {first}`, and so on", shown(&path)));
        return Err(Error::Unreadable { path, problem, way_out });
    }
    let name = divisible(&plan.command)?;
    // The records are those of the command alone.
    let (_, matches) = parsed_step(name, &plan.command)?;
    terminal.line = Line::here(&matches);
    terminal.share(parts);
    run_step(name, &plan.command, terminal)
}

/// The name of the planned command.
///
/// # Errors
/// [`Error::Parameter`] if it cannot be divided.
fn divisible(command: &[String]) -> Result<&'static str> {
    let found = command.first().map(String::as_str).unwrap_or_default();
    DIVISIBLE.iter().find(|known| known.0 == found).map(|known| known.0).ok_or_else(|| {
        let (name, must) = ("command", "`evaluate`, the command that can be divided");
        Error::Parameter { name, must, got: format!("`{found}`") }
    })
}

/// The files that the arguments name, with their hashes.
fn inputs(command: &[String], terminal: &mut Terminal) -> Result<Vec<PlannedInput>> {
    let values = command.iter().skip(1).map(|argument| match argument.split_once('=') {
        Some((flag, value)) if flag.starts_with("--") => value,
        _ => argument,
    });
    let files = values.map(Path::new).filter(|path| path.is_file());
    files.map(|path| PlannedInput::of(path, terminal)).collect()
}

/// Runs a command that stops at its division, in a folder of its own for outputs.
///
/// # Errors
/// Those of the command before the division, and of a unit; [`Error::Cancelled`] if the user stopped it.
fn stopped(
    name: &'static str,
    command: &[String],
    parts: Parts,
    terminal: &mut Terminal,
) -> Result<()> {
    let scratch = tempfile::tempdir().map_err(|source| Error::Io {
        action: "create",
        path: std::env::temp_dir(),
        source,
    })?;
    let mut line = command.to_vec();
    line.push(format!("--out={}", scratch.path().join("out").display()));
    terminal.share(parts);
    match run_step(name, &line, terminal) {
        Err(Error::Cancelled) if !terminal.is_stopped() => Ok(()),
        Err(error) => Err(error),
        Ok(_) => {
            let (name, must) = ("command", "one that has parts with these flags");
            Err(Error::Parameter { name, must, got: command.join(" ") })
        }
    }
}
