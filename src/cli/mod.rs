//! THE TERMINAL: parse, run, show the error, return the exit code.

mod annotate;
mod answer;
mod clock;
mod clones;
mod compare;
mod conditions;
mod couplings;
mod course;
mod diagnose;
mod drivers;
mod evaluate;
mod export;
mod fates;
mod fit;
mod fit_summary;
mod flags;
mod formats;
mod grn;
mod grn_score;
mod growth;
mod help;
mod help_order;
mod inspect;
mod interpolate;
mod itself;
mod layout;
mod next;
mod outputs;
mod perturb;
mod places;
mod plan;
mod plot;
mod populations;
mod recorded;
mod reference;
mod report;
mod run;
mod sample;
mod sets;
mod shared;
mod solver;
mod steps;
mod strip;
mod terminal;
mod times;
mod trajectory;
mod transitions;
mod trends;
mod velocity;
mod verify;
mod width;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand};
use sbcell::Error;
use sbcell::error::Kind;

use crate::cli::itself::{completions, doctor, machine, manual, version};
use crate::cli::outputs::Called;
use crate::cli::shared::Common;
use crate::cli::terminal::Terminal;

/// Schrödinger bridges for single-cell time courses.
///
/// sbcell fits the process that connects snapshots of cells from a few time points. The process
/// gives the cells between the snapshots, their ancestors and descendants, and the genes whose
/// expression predicts both.
#[derive(Debug, Parser)]
#[command(name = "sbcell", version, max_term_width = 100, propagate_version = false)]
struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

/// The commands; each has a file of its own.
#[derive(Debug, Subcommand)]
enum Command {
    Run(Box<run::RunArgs>),
    Inspect(inspect::InspectArgs),
    Fit(Box<fit::FitArgs>),
    Evaluate(Box<evaluate::EvaluateArgs>),
    Interpolate(interpolate::InterpolateArgs),
    Trajectory(trajectory::TrajectoryArgs),
    Fates(fates::FatesArgs),
    Transitions(transitions::TransitionsArgs),
    Trends(trends::TrendsArgs),
    Drivers(drivers::DriversArgs),
    Compare(Box<compare::CompareArgs>),
    Couplings(couplings::CouplingsArgs),
    Perturb(perturb::PerturbArgs),
    Diagnose(diagnose::DiagnoseArgs),
    Sample(Box<sample::SampleArgs>),
    Velocity(velocity::VelocityArgs),
    Plot(Box<plot::PlotArgs>),
    Annotate(annotate::AnnotateArgs),
    Strip(strip::StripArgs),
    Grn(grn::GrnArgs),
    GrnScore(grn_score::GrnScoreArgs),
    Report(report::ReportArgs),
    Export(export::ExportArgs),
    Plan(plan::PlanArgs),
    Step(plan::StepArgs),
    Merge(plan::MergeArgs),
    Completions(completions::CompletionArgs),
    Man(manual::ManArgs),
    Doctor(doctor::DoctorArgs),
    Verify(verify::VerifyArgs),
}

impl Command {
    /// Whether the command writes nothing but the outputs that it names, so that `verify --rerun` may repeat it.
    ///
    /// Every command is named, so that a new one is decided on here.
    fn writes_only_outputs(&self) -> bool {
        match self {
            Self::Run(_)
            | Self::Fit(_)
            | Self::Evaluate(_)
            | Self::Interpolate(_)
            | Self::Trajectory(_)
            | Self::Fates(_)
            | Self::Transitions(_)
            | Self::Trends(_)
            | Self::Drivers(_)
            | Self::Compare(_)
            | Self::Couplings(_)
            | Self::Perturb(_)
            | Self::Diagnose(_)
            | Self::Sample(_)
            | Self::Velocity(_)
            | Self::Plot(_)
            | Self::Annotate(_)
            | Self::Strip(_)
            | Self::Grn(_)
            | Self::GrnScore(_)
            | Self::Report(_)
            | Self::Export(_) => true,
            // They print, or fill a folder of other files, or repeat others themselves.
            Self::Inspect(_)
            | Self::Completions(_)
            | Self::Man(_)
            | Self::Doctor(_)
            | Self::Plan(_)
            | Self::Step(_)
            | Self::Merge(_)
            | Self::Verify(_) => false,
        }
    }
}

/// The result of a command that did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The command did everything.
    Done,
    /// The results are written and marked, but a solver did not converge.
    NotConverged,
    /// The command checked something, and the answer is no.
    No,
    /// Steps of `run` failed. Their errors are printed, and the results of the others are written.
    Failed(Kind),
}

/// Parses the command line, runs the command, shows its error, and returns the exit code.
pub(crate) fn main() -> ExitCode {
    let (cli, matches) = match parsed() {
        Ok(parsed) => parsed,
        Err(error) if error.kind() == ErrorKind::DisplayVersion => return show_version(&error),
        Err(error) => return shown_usage(&error),
    };
    let mut terminal = Terminal::new(&cli.common);
    let called = Called::of(&matches);
    let name = matches.subcommand_name().unwrap_or_default().to_string();
    if called.as_ref().is_some_and(Called::fills_stdout) {
        terminal.leave_stdout();
    }
    let overwrite = cli.common.overwrite;
    terminal.line = recorded::Line::here(&matches);
    let next = matches.subcommand().and_then(|(name, flags)| next::line(name, flags));
    let noted = matches.subcommand().and_then(|(_, flags)| places::note(flags));
    if let Some(text) = noted {
        terminal.note(&text);
    }
    let ran = machine::restrict_processor()
        .and_then(|()| check_flags(&matches))
        .and_then(|()| called.map_or(Ok(()), |called| called.check(overwrite, terminal.is_json())))
        .and_then(|()| run(cli, &mut terminal))
        .and_then(|outcome| terminal.record_line().map(|()| outcome))
        .inspect(|_| {
            if let Some(line) = &next {
                terminal.say(line);
            }
        })
        .and_then(|outcome| terminal.answer(&name).map(|()| outcome))
        .and_then(|outcome| Terminal::check_written().map(|()| outcome));
    // No bar stays on the screen.
    terminal.end();
    match ran {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::NotConverged) => ExitCode::from(4),
        Ok(Outcome::No) => exit_code(Kind::Failed),
        Ok(Outcome::Failed(kind)) => exit_code(kind),
        Err(error) => failed(&error),
    }
}

/// Shows what clap says, and gives its exit code: help and version go to stdout with code 0, usage errors to stderr
/// with code 2.
fn shown_usage(error: &clap::Error) -> ExitCode {
    Terminal::show_usage(error);
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}

/// Shows the version as a line or as JSON, and gives the exit code. `line` is what clap shows.
fn show_version(line: &clap::Error) -> ExitCode {
    match version::is_json(std::env::args_os().map(hyphens)) {
        Ok(false) => shown_usage(line),
        Ok(true) => version::show_json()
            .and_then(|()| Terminal::check_written())
            .map_or_else(|error| failed(&error), |()| ExitCode::SUCCESS),
        Err(error) => shown_usage(&error),
    }
}

/// Shows an error, and gives its exit code.
fn failed(error: &Error) -> ExitCode {
    Terminal::show_error(error);
    exit_code(error.kind())
}

/// The parsed flags, and the matches that also tell which flags stand on the command line.
fn parsed() -> Result<(Cli, ArgMatches), clap::Error> {
    let matches =
        help::arranged(Cli::command()).try_get_matches_from(std::env::args_os().map(hyphens))?;
    let cli = Cli::from_arg_matches(&matches)?;
    Ok((cli, matches))
}

/// Refuses flags that are valid on their own but have no effect together.
fn check_flags(matches: &ArgMatches) -> sbcell::Result<()> {
    if let Some(evaluate) = matches.subcommand_matches("evaluate") {
        clones::check_flags(evaluate)?;
    }
    let with_solver = ["fit", "evaluate"].map(|name| matches.subcommand_matches(name));
    with_solver.into_iter().flatten().try_for_each(solver::check_flags)
}

/// Starts the threads and runs the command.
fn run(cli: Cli, terminal: &mut Terminal) -> sbcell::Result<Outcome> {
    cli.common.set_threads(terminal)?;
    run_command(cli, terminal)
}

/// Runs the command.
fn run_command(cli: Cli, terminal: &mut Terminal) -> sbcell::Result<Outcome> {
    let Cli { common, command } = cli;
    match command {
        Command::Run(args) => run::run(*args, &common, terminal),
        Command::Inspect(args) => inspect::run(args, terminal),
        Command::Fit(args) => fit::run(*args, common.seed, terminal),
        Command::Evaluate(args) => evaluate::run(*args, &common, terminal),
        Command::Interpolate(args) => interpolate::run(args, common.seed, terminal),
        Command::Trajectory(args) => trajectory::run(args, common.seed, terminal),
        Command::Fates(args) => fates::run(args, common.seed, terminal),
        Command::Transitions(args) => transitions::run(args, common.seed, terminal),
        Command::Trends(args) => trends::run(args, common.seed, terminal),
        Command::Drivers(args) => drivers::run(args, common.seed, terminal),
        Command::Compare(args) => compare::run(*args, common.seed, terminal),
        Command::Couplings(args) => couplings::run(args, common.seed, terminal),
        Command::Perturb(args) => perturb::run(args, common.seed, terminal),
        Command::Diagnose(args) => diagnose::run(args, common.seed, terminal),
        Command::Sample(args) => sample::run(*args, common.seed, terminal),
        Command::Velocity(args) => velocity::run(args, common.seed, terminal),
        Command::Plot(args) => plot::run(*args, terminal),
        Command::Annotate(args) => annotate::run(args, common.overwrite, terminal),
        Command::Strip(args) => strip::run(args, terminal),
        Command::Grn(args) => grn::run(args, common.seed, terminal),
        Command::GrnScore(args) => grn_score::run(args, terminal),
        Command::Export(args) => export::run(args, terminal),
        Command::Report(args) => report::run(args, common.seed, terminal),
        Command::Plan(args) => plan::plan(args, &common, terminal),
        Command::Step(args) => plan::step(args, &common, terminal),
        Command::Merge(args) => plan::merge(args, &common, terminal),
        Command::Completions(args) => Ok(completions::run(args, terminal)),
        Command::Man(args) => manual::run(args, terminal),
        Command::Doctor(args) => Ok(doctor::run(args, &common, terminal)),
        Command::Verify(args) => verify::run(args, terminal),
    }
}

/// Parses the arguments of a step of `run`, without running it.
///
/// # Errors
/// [`Error::Parameter`] with the problem of the first flag that is wrong.
fn parsed_step(step: &'static str, arguments: &[String]) -> sbcell::Result<(Cli, ArgMatches)> {
    let wrong = |got: String| {
        let (name, must) = ("--set or sbcell.toml", "flags of each step with valid values");
        Error::Parameter { name, must, got: format!("for {step}: {got}") }
    };
    let matches = parsed_again(arguments).map_err(wrong)?;
    let cli = Cli::from_arg_matches(&matches).map_err(|error| wrong(error.to_string()))?;
    check_flags(&matches)?;
    Ok((cli, matches))
}

/// Parses arguments as if they stood on the command line, except that the last of two values of a flag counts.
///
/// # Errors
/// The first line of clap's message.
fn parsed_line(arguments: &[String]) -> Result<(Cli, ArgMatches), String> {
    let matches = matches_of(Cli::command().args_override_self(true), arguments)?;
    let cli = Cli::from_arg_matches(&matches).map_err(|error| error.to_string())?;
    Ok((cli, matches))
}

/// Parses a recorded command line.
///
/// # Errors
/// The first line of clap's message.
fn parsed_again(arguments: &[String]) -> Result<ArgMatches, String> {
    matches_of(Cli::command(), arguments)
}

/// The matches of arguments, with the commands of `program`.
///
/// # Errors
/// The first line of clap's message.
fn matches_of(program: clap::Command, arguments: &[String]) -> Result<ArgMatches, String> {
    let line = std::iter::once("sbcell").chain(arguments.iter().map(String::as_str));
    program.try_get_matches_from(line).map_err(|error| {
        let text = error.render().to_string();
        // The names of missing arguments are on lines of their own.
        let lines = text.lines().take_while(|line| !line.trim().is_empty()).map(str::trim);
        let problem = lines.collect::<Vec<_>>().join(" ");
        problem.strip_prefix("error: ").unwrap_or(&problem).to_string()
    })
}

/// Runs a step of `run` as if its arguments stood on the command line.
///
/// # Errors
/// As [`parsed_step`]; those of the command.
fn run_step(
    step: &'static str,
    arguments: &[String],
    terminal: &mut Terminal,
) -> sbcell::Result<Outcome> {
    let (cli, matches) = parsed_step(step, arguments)?;
    run_parsed(cli, &matches, terminal)
}

/// Runs a parsed command line inside of another command.
///
/// # Errors
/// Those of its outputs and of the command.
fn run_parsed(cli: Cli, matches: &ArgMatches, terminal: &mut Terminal) -> sbcell::Result<Outcome> {
    Called::of(matches).map_or(Ok(()), |called| called.check(cli.common.overwrite, false))?;
    run_command(cli, terminal)
}

/// The exit code of a kind of error; `docs/CONTRIBUTING.md` lists them.
fn exit_code(kind: Kind) -> ExitCode {
    ExitCode::from(match kind {
        Kind::Failed => 1,
        Kind::Usage => 2,
        Kind::Unreadable => 3,
        Kind::Memory => 5,
        Kind::Cancelled => 130,
    })
}

/// Replaces underscores in the name of a flag, since scanpy has them: `--time_key` is `--time-key`.
fn hyphens(argument: OsString) -> OsString {
    match argument.to_str() {
        Some(text) if text.starts_with("--") => {
            let (flag, value) = text.split_once('=').map_or((text, None), |(f, v)| (f, Some(v)));
            let flag = flag.replace('_', "-");
            value.map_or(flag.clone(), |value| format!("{flag}={value}")).into()
        }
        _ => argument,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// clap's own check is empty in a release build, so flags are counted here too.
    #[test]
    fn the_flags_do_not_contradict_each_other() {
        Cli::command().debug_assert();
        help::arranged(Cli::command()).debug_assert();
        for command in Cli::command().get_subcommands() {
            let mut taken = BTreeSet::new();
            for argument in command.get_arguments() {
                let name = argument.get_id().to_string();
                assert!(taken.insert(name.clone()), "{}: {name} twice", command.get_name());
            }
        }
    }

    /// Names that flags had: command, old name, present name. Scripts still use them.
    const OLD: [(&str, &str, &str); 15] = [
        ("annotate", "key-added", "key"),
        ("annotate", "layers", "add-layer"),
        ("couplings", "export", "format"),
        ("diagnose", "deals", "permutations"),
        ("evaluate", "draws", "repeats"),
        ("evaluate", "layers", "n-layers"),
        ("evaluate", "steps", "n-steps"),
        ("fit", "layers", "n-layers"),
        ("fit", "steps", "n-steps"),
        ("grn", "group", "groupby"),
        ("grn", "plot-target", "plot-gene"),
        ("perturb", "from", "at"),
        ("sample", "steps", "n-steps"),
        ("trajectory", "to", "paths-to"),
        ("velocity", "genes", "gene"),
    ];

    #[test]
    fn old_names_of_flags_are_read_as_the_present_ones_and_not_listed() {
        for (command, old, present) in OLD {
            let line = |flag: &str| -> Vec<String> {
                let (rest, value) = match (command, present) {
                    ("annotate", "add-layer") => ("data.h5ad -o out.h5ad", "velocity"),
                    ("annotate", _) => ("data.h5ad -o out.h5ad", "7"),
                    ("couplings", _) => ("", "wot"),
                    ("evaluate" | "fit", _) => ("data.h5ad", "7"),
                    ("grn", "plot-gene") => ("--plot edges.svg", "7"),
                    ("perturb", _) => ("--knockout Sox2", "7"),
                    ("trajectory", _) => ("--paths 3 --paths-out paths.csv", "7"),
                    _ => ("", "7"),
                };
                let text = format!("sbcell {command} {rest} --{flag} {value}");
                text.split_whitespace().map(str::to_string).collect()
            };
            let parsed = |flag: &str| format!("{:?}", Cli::try_parse_from(line(flag)).unwrap());
            assert_eq!(parsed(old), parsed(present), "{command} --{old}");
            let program = Cli::command();
            let own = program.find_subcommand(command).unwrap();
            let listed = own.get_arguments().flat_map(|flag| {
                let names = flag.get_long_and_visible_aliases().unwrap_or_default();
                names.into_iter().map(str::to_string).collect::<Vec<_>>()
            });
            assert!(listed.into_iter().all(|name| name != old), "{command} --{old} is listed");
        }
    }

    #[test]
    fn only_commands_that_write_their_outputs_alone_are_repeated() {
        let of = |line: &str| {
            let cli = Cli::try_parse_from(line.split(' ')).unwrap();
            cli.command.writes_only_outputs()
        };
        for line in ["run a.h5ad", "fit a.h5ad", "strip a.h5ad -o b.h5ad", "grn", "export a"] {
            assert!(of(&format!("sbcell {line}")), "{line}");
        }
        for line in ["man pages", "completions bash", "doctor", "verify --rerun", "inspect a.h5ad"]
        {
            assert!(!of(&format!("sbcell {line}")), "{line}");
        }
    }

    #[test]
    fn underscores_in_flags_are_hyphens_and_values_stay() {
        assert_eq!(hyphens("--time_key=my_col".into()), "--time-key=my_col");
        assert_eq!(hyphens("--n_pcs".into()), "--n-pcs");
        assert_eq!(hyphens("my_file.h5ad".into()), "my_file.h5ad");
    }
}
