//! `sbcell plan`, `step` and `merge`: one command, done by several processes or machines.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::{ArgMatches, Args};
use sbcell::error::{UnitMemory, bytes_in_words, did_you_mean, nearest};
use sbcell::io::work_plan::{Parts, PlannedInput, Unit, WorkPlan};
use sbcell::platform::memory::{Memory, of_slurm};
use sbcell::progress::note;
use sbcell::{Error, Result};

use crate::cli::fit::duration;
use crate::cli::itself::machine::variable;
use crate::cli::outputs::Called;
use crate::cli::recorded::Line;
use crate::cli::shared::{Common, shown};
use crate::cli::terminal::Terminal;
use crate::cli::{Cli, Outcome, check_flags, parsed_line, run_parsed};

/// Commands that can be divided.
const DIVISIBLE: [&str; 6] = ["fit", "evaluate", "interpolate", "grn", "fates", "transitions"];

const EXAMPLES: &str = "\
Examples:
  sbcell plan evaluate data.h5ad --timepoints day --compare lightsb,sinkhorn
      write plan.json, with a unit for each solver at each held-out time, and do the largest
  sbcell step plan.json --unit 0
      do one unit, on any machine that sees the same files
  sbcell merge plan.json
      put the results together: the files that the command alone would write";

/// Divide a command into units that separate processes can do
///
/// Give the command as you would after `sbcell`; flags of `plan` stand before it. These commands can be divided: `fit`
/// (a unit for each interval; with more than 100 352 cells also for each shard of them), `evaluate` (for each solver at
/// each held-out time, and for the null models there), `interpolate` (for each time), `grn` (up to 50 units of resamples
/// and permuted times), `fates` (for each time) and `transitions` (for each pair of times). Units are in stages: those of
/// a stage need the results of all stages before it.
///
/// Of each kind of unit, the one with the most work is done at once. From it, the plan foretells the memory and time of
/// the others (`memory_bytes`, `seconds`). Do the others with `sbcell step`, within a stage in any order and on any
/// machine with the same files, then put the results together with `sbcell merge`. The result has the same bytes as that
/// of the command alone on one machine of this type.
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
    /// File to write. Results of units go to a folder beside it (`plan.parts` for `plan.json`)
    #[arg(short, long, value_name = "FILE", default_value = "plan.json")]
    out: PathBuf,
    /// Do no unit yet. The plan then has neither memory nor time of its units
    #[arg(long)]
    no_trial: bool,
}

const STEP_EXAMPLES: &str = "\
Examples:
  sbcell step plan.json --unit 0
      do the first unit; a unit that is done is not done again
  sbcell step plan.json --unit $SLURM_ARRAY_TASK_ID --threads 4
      a task of a job array of Slurm

The result is one file in the folder of the plan's parts, written whole or not at all. It does not depend on the
machine (of one type), the number of threads, the order of units, or on how often a unit is tried. Notes are said by
`sbcell merge`.

Exit codes: 0 done, 2 wrong usage, 3 the plan, an input or a result cannot be used, 5 the machine, its container or the
job of Slurm has less memory than the plan foretells for the unit.";

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
    let PlanArgs { mut command, out, no_trial } = args;
    divisible(&command)?;
    let (inner, _) = parsed(&command)?;
    if inner.common.json {
        let must = "before the planned command: `sbcell plan --json COMMAND`";
        return Err(Error::Parameter { name: "--json", must, got: "after it".into() });
    }
    // Flags of every command may stand before the planned one or after it.
    if common.seed != 0 {
        if inner.common.seed != 0 && inner.common.seed != common.seed {
            let got = format!("{} and {}", common.seed, inner.common.seed);
            return Err(Error::Parameter { name: "seed", must: "given once", got });
        }
        command.push(format!("--seed={}", common.seed));
    }
    if common.spreadsheet_safe {
        command.push("--spreadsheet-safe".into());
    }
    let (_, matches) = parsed(&command)?;
    let files = input_paths(&matches);
    refuse_own(&out, &files, &matches)?;
    let inputs = files.iter().map(|path| PlannedInput::of(path, terminal));
    let bare = WorkPlan::new(command, inputs.collect::<Result<_>>()?);
    let plan = divided(bare, &out, !no_trial, terminal)?;
    plan.write(&out)?;
    terminal.record("units", &plan.units);
    terminal.wrote(&out);
    let n = plan.units.len();
    terminal.say(&units_in_words(&plan));
    if let Some(needs) = needs(&plan) {
        terminal.say(&needs);
    }
    terminal.say(&format!("wrote {}", shown(&out)));
    terminal.say(&format!(
        "next: `sbcell step {0} --unit K` for K from 0 to {1}{2}, then `sbcell merge {0}`",
        shown(&out),
        n.saturating_sub(1),
        if plan.stages.len() > 1 { ", each stage after the one before" } else { "" }
    ));
    Ok(Outcome::Done)
}

/// The plan with its units for the file `out`. With `trial`, the largest unit of each kind is done.
///
/// # Errors
/// [`Error::Parameter`] for a command that is not divided; those of the command; [`Error::Cancelled`].
fn divided(plan: WorkPlan, out: &Path, trial: bool, terminal: &mut Terminal) -> Result<WorkPlan> {
    let folder = format!("{}.parts", out.file_stem().unwrap_or_default().to_string_lossy());
    let folder = Path::new(&folder);
    let (parts, announced) = Parts::planning(plan.clone(), out, folder, trial);
    let tried = stopped(&plan.command, parts, terminal);
    let (divisions, trials) = announced.take();
    if let Err(error) = tried {
        // A trial of later stages has some cells of the course alone, which may be too few.
        let is_last = matches!(
            error,
            Error::Memory { .. } | Error::NotFinite { .. } | Error::Io { .. } | Error::Cancelled
        );
        if terminal.is_stopped() || divisions.len() < 2 || trials.len() < 2 || is_last {
            return Err(error);
        }
        let text =
            format!("memory and time of later units are not known: their trial failed ({error})");
        note(terminal, text)?;
    }
    if divisions.is_empty() {
        return Err(not_divided(&plan.command));
    }
    let plan = plan.with_units(&divisions, folder);
    if trials.is_empty() {
        return Ok(plan);
    }
    Ok(plan.with_estimates(&trials, &divisions, rayon::current_num_threads()))
}

/// Runs `sbcell step`: writes the result of one unit.
///
/// # Errors
/// Those of reading the plan, of changed inputs, and of the command; [`Error::Cancelled`].
pub(crate) fn step(args: StepArgs, common: &Common, terminal: &mut Terminal) -> Result<Outcome> {
    let StepArgs { plan: path, unit } = args;
    no_seed(common)?;
    let plan = WorkPlan::read(&path)?;
    let done = Parts::merging(plan.clone(), &path);
    let Some(planned) = plan.units.get(unit) else {
        return done.result(unit).map(|_| Outcome::Done);
    };
    let file = path.parent().unwrap_or(Path::new("")).join(&planned.output);
    if !common.overwrite && done.result(unit).is_ok() {
        terminal.say(&format!("unit {unit} ({}) is done: {}", planned.part, shown(&file)));
        return Ok(Outcome::Done);
    }
    check_memory(planned)?;
    divisible(&plan.command)?;
    plan.check_paths(&input_paths(&parsed(&plan.command)?.1))?;
    plan.look_at_inputs(terminal)?;
    let before = plan.units.iter().filter(|unit| unit.stage < planned.stage).count();
    let which = format!("of {before} units of earlier stages");
    refuse_open(&done.missing_before(planned.stage), &which, &path)?;
    let parts = Parts::of_unit(plan.clone(), &path, unit);
    stopped(&plan.command, parts, terminal)?;
    done.result(unit)?;
    terminal.wrote(&file);
    terminal.say(&format!("unit {unit} ({}): wrote {}", planned.part, shown(&file)));
    Ok(Outcome::Done)
}

/// Runs `sbcell merge`: the planned command, with the results of its units.
///
/// # Errors
/// [`Error::Unreadable`] if results are missing, damaged or of another plan; those of the command.
pub(crate) fn merge(args: MergeArgs, common: &Common, terminal: &mut Terminal) -> Result<Outcome> {
    let MergeArgs { plan: path } = args;
    no_seed(common)?;
    let plan = WorkPlan::read(&path)?;
    divisible(&plan.command)?;
    plan.check_paths(&input_paths(&parsed(&plan.command)?.1))?;
    plan.check_inputs(terminal)?;
    let parts = Parts::merging(plan.clone(), &path);
    refuse_open(&parts.open(), &format!("of {} units", plan.units.len()), &path)?;
    let mut command = plan.command;
    if common.overwrite {
        command.push("--overwrite".into());
    }
    let (cli, matches) = parsed(&command)?;
    // The records are those of the command alone.
    terminal.line = Line::here(&matches);
    terminal.share(parts);
    run_parsed(cli, &matches, terminal)
}

/// Refuses a plan with `open` units among those that are named by `which`.
///
/// # Errors
/// [`Error::Unreadable`].
fn refuse_open(open: &[(usize, Error)], which: &str, path: &Path) -> Result<()> {
    let Some((first, why)) = open.first() else { return Ok(()) };
    let units: Vec<String> = open.iter().map(|(unit, _)| unit.to_string()).collect();
    let (n, units) = (open.len(), units.join(", "));
    let problem = format!("{n} {which} have no result that can be used: {units} ({why})");
    let way_out = Some(format!("run `sbcell step {} --unit {first}`, and so on", shown(path)));
    Err(Error::Unreadable { path: path.to_path_buf(), problem, way_out })
}

/// The planned command.
///
/// # Errors
/// [`Error::Parameter`] with the problem of the first flag that is wrong.
fn parsed(command: &[String]) -> Result<(Cli, ArgMatches)> {
    let (cli, matches) = parsed_line(command).map_err(|got| {
        let (name, must) = ("command", "a command line that sbcell takes");
        let got = format!("`sbcell {}`: {got}", command.join(" "));
        Error::Parameter { name, must, got }
    })?;
    check_flags(&matches)?;
    Ok((cli, matches))
}

/// Refuses a seed beside a plan, which has its own.
///
/// # Errors
/// [`Error::Parameter`].
fn no_seed(common: &Common) -> Result<()> {
    if common.seed == 0 {
        return Ok(());
    }
    let (name, must) = ("seed", "given to `sbcell plan`: the plan has the seed of all its units");
    Err(Error::Parameter { name, must, got: common.seed.to_string() })
}

/// Checks the name of the planned command.
///
/// # Errors
/// [`Error::Parameter`] if it cannot be divided.
fn divisible(command: &[String]) -> Result<()> {
    let found = command.first().map(String::as_str).unwrap_or_default();
    if DIVISIBLE.contains(&found) {
        return Ok(());
    }
    let must = "one that can be divided: fit, evaluate, interpolate, grn, fates or transitions";
    let known = DIVISIBLE.map(String::from);
    let meant = did_you_mean(&nearest(found, &known)).map(|text| format!("; {text}"));
    let got = format!("`{found}`{}", meant.unwrap_or_default());
    Err(Error::Parameter { name: "command", must, got })
}

/// The error for a command that was done without a division.
fn not_divided(command: &[String]) -> Error {
    let must = "one that can be divided with these flags (not: couplings of bridges, solvers of whole courses)";
    Error::Parameter { name: "command", must, got: command.join(" ") }
}

/// The units of a plan in words: by name, or by number where there are several stages.
fn units_in_words(plan: &WorkPlan) -> String {
    let n = plan.units.len();
    if let [what] = plan.stages.as_slice() {
        let parts: Vec<&str> = plan.units.iter().map(|unit| unit.part.as_str()).collect();
        let units = if n == 1 { "unit" } else { "units" };
        return format!("{n} {units} ({what}): {}", parts.join(", "));
    }
    let counted = |(stage, what): (usize, &String)| match plan
        .units
        .iter()
        .filter(|unit| unit.stage == stage)
        .count()
    {
        1 => what.clone(),
        n => format!("{what} ({n})"),
    };
    let stages: Vec<String> = plan.stages.iter().enumerate().map(counted).collect();
    format!("{n} units in {} stages: {}", stages.len(), stages.join(", then "))
}

/// Memory and time of the units of a plan, in words.
fn needs(plan: &WorkPlan) -> Option<String> {
    let threads = plan.threads?;
    let most = |values: Vec<f64>| values.into_iter().reduce(f64::max);
    let seconds: Vec<f64> = plan.units.iter().filter_map(|unit| unit.seconds).collect();
    let all: f64 = seconds.iter().sum();
    let is_complete = seconds.len() == plan.units.len();
    let memory = plan.units.iter().filter_map(|unit| unit.memory_bytes.map(|bytes| bytes as f64));
    let memory =
        most(memory.collect()).map(|bytes| format!(" and {} of memory", bytes_in_words(bytes)));
    let threads = if threads == 1 { "1 thread".into() } else { format!("{threads} threads") };
    let (which, all) = if is_complete {
        ("a unit needs", format!("; all units together {} with {threads}", duration(all)))
    } else {
        ("units that could be tried need", format!(" with {threads}; the others are not known"))
    };
    let most = duration(most(seconds)?);
    Some(format!("{which} up to {most}{}{all}", memory.unwrap_or_default()))
}

/// Refuses a unit that needs more memory than there is.
///
/// # Errors
/// [`Error::UnitMemory`].
fn check_memory(unit: &Unit) -> Result<()> {
    let Some(needed) = unit.memory_bytes else { return Ok(()) };
    let Memory { total, limit, .. } = Memory::now();
    let job = of_slurm(&variable);
    let places = [(job, "this job of Slurm"), (limit, "this container"), (total, "this machine")];
    let known = places.into_iter().filter_map(|(bytes, place)| Some((bytes?, place)));
    match known.min_by_key(|(bytes, _)| *bytes) {
        Some((given, place)) if given < needed => {
            let (needed, given) = (needed as f64, given as f64);
            Err(Error::UnitMemory(UnitMemory { unit: unit.unit, needed, given, place }))
        }
        _ => Ok(()),
    }
}

/// The files that the command reads. Of a model it is the header, which has the hashes of the rest.
fn input_paths(matches: &ArgMatches) -> BTreeSet<PathBuf> {
    let Some(called) = Called::of(matches) else { return BTreeSet::new() };
    let header = called.model().map(|model| model.join("model.json"));
    let named = called.named_inputs().into_iter().chain(called.data_parts()).chain(header);
    named.filter(|path| path.is_file()).collect()
}

/// Refuses a plan in the place of a file that the command reads or writes.
///
/// # Errors
/// [`Error::Parameter`].
fn refuse_own(out: &Path, inputs: &BTreeSet<PathBuf>, matches: &ArgMatches) -> Result<()> {
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    let name = out.file_name().map(|name| name.to_string_lossy().into_owned());
    let is_output = Called::of(matches).is_some_and(|called| {
        called.output_names().into_iter().any(|(_, written)| Some(written) == name)
    });
    if is_output || inputs.iter().any(|input| real(input) == real(out)) {
        let must = "another file than those that the planned command reads and writes";
        return Err(Error::Parameter { name: "out", must, got: shown(out) });
    }
    Ok(())
}

/// Runs a command that stops at its division, in a folder of its own for outputs. Its notes are left to `merge`.
///
/// # Errors
/// Those of the command before the division, and of a unit; [`Error::Cancelled`] if the user stopped it.
fn stopped(command: &[String], parts: Parts, terminal: &mut Terminal) -> Result<()> {
    let scratch = tempfile::Builder::new()
        .prefix("sbcell-plan-")
        .tempdir()
        .map_err(|source| Error::Io { action: "create", path: std::env::temp_dir(), source })?;
    let (_, matches) = parsed(command)?;
    let file = Called::of(&matches).map_or_else(Default::default, |called| {
        let names = called.output_names();
        let own = names.into_iter().find(|(flag, _)| *flag == "out").map(|(_, name)| name);
        let other = if called.writes_folder() { "out" } else { "out.csv" };
        own.unwrap_or_else(|| other.to_string())
    });
    let mut line = command.to_vec();
    line.push(format!("--out={}", scratch.path().join(file).display()));
    terminal.share(parts);
    let (cli, matches) = parsed(&line)?;
    terminal.hold();
    let ran = run_parsed(cli, &matches, terminal);
    terminal.held();
    match ran {
        Err(Error::Cancelled) if !terminal.is_stopped() => Ok(()),
        Err(error) => Err(error),
        Ok(_) => Err(not_divided(command)),
    }
}
