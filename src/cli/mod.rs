//! THE TERMINAL: parse, run, show the error, return the exit code.

mod annotate;
mod couplings;
mod course;
mod diagnose;
mod drivers;
mod evaluate;
mod fates;
mod fit;
mod flags;
mod formats;
mod grn;
mod grn_score;
mod growth;
mod inspect;
mod interpolate;
mod outputs;
mod perturb;
mod reference;
mod sample;
mod sets;
mod shared;
mod solver;
mod strip;
mod terminal;
mod times;
mod trajectory;
mod transitions;
mod trends;
mod velocity;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand};
use sbcell::error::Kind;

use crate::cli::outputs::Called;
use crate::cli::shared::Common;
use crate::cli::terminal::Terminal;

/// Schrödinger bridges for single-cell time courses.
///
/// From cells sampled on a few days to the process that connects them: where the cells were
/// between the samples, where they are going, which genes drive it.
#[derive(Debug, Parser)]
#[command(name = "sbcell", version, max_term_width = 100, propagate_version = false)]
struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Inspect(inspect::InspectArgs),
    Fit(Box<fit::FitArgs>),
    Evaluate(Box<evaluate::EvaluateArgs>),
    Interpolate(interpolate::InterpolateArgs),
    Trajectory(trajectory::TrajectoryArgs),
    Fates(fates::FatesArgs),
    Transitions(transitions::TransitionsArgs),
    Trends(trends::TrendsArgs),
    Drivers(drivers::DriversArgs),
    Couplings(couplings::CouplingsArgs),
    Perturb(perturb::PerturbArgs),
    Diagnose(diagnose::DiagnoseArgs),
    Sample(Box<sample::SampleArgs>),
    Velocity(velocity::VelocityArgs),
    Annotate(annotate::AnnotateArgs),
    Strip(strip::StripArgs),
    Grn(grn::GrnArgs),
    GrnScore(grn_score::GrnScoreArgs),
}

/// How a command that did not fail ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Everything is as asked.
    Done,
    /// Results are written and marked, but a solver did not converge.
    NotConverged,
}

pub(crate) fn main() -> ExitCode {
    let (cli, matches) = match parsed() {
        Ok(parsed) => parsed,
        Err(error) => {
            // Help and version go to stdout with code 0, usage errors to stderr with code 2.
            Terminal::show_usage(&error);
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let mut terminal = Terminal::new(&cli.common);
    let called = Called::of(&matches);
    if called.as_ref().is_some_and(Called::fills_stdout) {
        terminal.leave_stdout();
    }
    let overwrite = cli.common.overwrite;
    let ran = check_flags(&matches)
        .and_then(|()| called.map_or(Ok(()), |called| called.check(overwrite)))
        .and_then(|()| run(cli, &mut terminal));
    match ran {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::NotConverged) => ExitCode::from(4),
        Err(error) => {
            Terminal::show_error(&error);
            exit_code(error.kind())
        }
    }
}

/// The flags, and where each of them came from.
fn parsed() -> Result<(Cli, ArgMatches), clap::Error> {
    let matches = Cli::command().try_get_matches_from(std::env::args_os().map(hyphens))?;
    let cli = Cli::from_arg_matches(&matches)?;
    Ok((cli, matches))
}

/// Refuses flags that are valid each and mean nothing together.
fn check_flags(matches: &ArgMatches) -> sbcell::Result<()> {
    let with_solver = ["fit", "evaluate"].map(|name| matches.subcommand_matches(name));
    with_solver.into_iter().flatten().try_for_each(solver::check_flags)
}

fn run(cli: Cli, terminal: &mut Terminal) -> sbcell::Result<Outcome> {
    let Cli { common, command } = cli;
    common.set_threads(terminal)?;
    match command {
        Command::Inspect(args) => inspect::run(args),
        Command::Fit(args) => fit::run(*args, common.seed, terminal),
        Command::Evaluate(args) => evaluate::run(*args, &common, terminal),
        Command::Interpolate(args) => interpolate::run(args, common.seed, terminal),
        Command::Trajectory(args) => trajectory::run(args, common.seed, terminal),
        Command::Fates(args) => fates::run(args, common.seed, terminal),
        Command::Transitions(args) => transitions::run(args, common.seed, terminal),
        Command::Trends(args) => trends::run(args, common.seed, terminal),
        Command::Drivers(args) => drivers::run(args, common.seed, terminal),
        Command::Couplings(args) => couplings::run(args, common.seed, terminal),
        Command::Perturb(args) => perturb::run(args, common.seed, terminal),
        Command::Diagnose(args) => diagnose::run(args, common.seed, terminal),
        Command::Sample(args) => sample::run(*args, common.seed, terminal),
        Command::Velocity(args) => velocity::run(args, common.seed, terminal),
        Command::Annotate(args) => annotate::run(args, common.overwrite, terminal),
        Command::Strip(args) => strip::run(args, terminal),
        Command::Grn(args) => grn::run(args, common.seed, terminal),
        Command::GrnScore(args) => grn_score::run(args, terminal),
    }
}

fn exit_code(kind: Kind) -> ExitCode {
    ExitCode::from(match kind {
        Kind::Failed => 1,
        Kind::Usage => 2,
        Kind::Unreadable => 3,
        Kind::Cancelled => 130,
    })
}

/// Flags with underscores, as scanpy users type them: `--time_key` is `--time-key`.
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
    use super::*;

    /// clap's own check is empty in a release build, so flags are counted here too.
    #[test]
    fn the_flags_do_not_contradict_each_other() {
        Cli::command().debug_assert();
        for command in Cli::command().get_subcommands() {
            let mut taken = std::collections::BTreeSet::new();
            for argument in command.get_arguments() {
                let name = argument.get_id().to_string();
                assert!(taken.insert(name.clone()), "{}: {name} twice", command.get_name());
            }
        }
    }

    #[test]
    fn underscores_in_flags_are_hyphens_and_values_stay() {
        assert_eq!(hyphens("--time_key=my_col".into()), "--time-key=my_col");
        assert_eq!(hyphens("--n_pcs".into()), "--n-pcs");
        assert_eq!(hyphens("my_file.h5ad".into()), "my_file.h5ad");
    }
}
