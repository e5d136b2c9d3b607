//! `sbcell --version`: one line, or with `--json` the build, the processor and the formats of files.

use std::ffi::OsString;

use clap::{Arg, ArgAction, CommandFactory};
use serde::Serialize;

use crate::cli::answer::Answer;
use crate::cli::itself::machine::{self, Build, Processor};
use crate::cli::terminal::{Lines, Terminal};
use crate::cli::{Cli, help};

/// The fields of `--version --json` beside those of every command.
#[derive(Debug, Serialize)]
struct Version {
    #[serde(flatten)]
    build: Build,
    cpu: Processor,
}

/// Whether the command line `line`, which has `--version`, also has `--json`.
///
/// clap stops at `--version`, so that the other flags are parsed here, as if it were a flag like them. A command that
/// follows is ignored.
///
/// # Errors
/// Those of clap, such as the one of an unknown flag.
pub(crate) fn is_json(line: impl Iterator<Item = OsString>) -> Result<bool, clap::Error> {
    let version =
        Arg::new("version").short('V').long("version").action(ArgAction::SetTrue).hide(true);
    let program = help::arranged(Cli::command())
        .disable_version_flag(true)
        .arg(version)
        .subcommand_required(false)
        .arg_required_else_help(false);
    let names: Vec<String> =
        program.get_subcommands().map(|command| command.get_name().to_string()).collect();
    let is_command = |word: &OsString| names.iter().any(|name| word == name.as_str());
    let found = program.try_get_matches_from(line.take_while(|word| !is_command(word)));
    match found {
        Ok(matches) => Ok(matches.get_flag("json")),
        // Help beside the version: the version is shown, since it came first.
        Err(error) if !error.use_stderr() => Ok(false),
        Err(error) => Err(error),
    }
}

/// Prints the JSON object.
///
/// # Errors
/// [`sbcell::Error::Parameter`] for a `SBCELL_CPU` that this processor cannot run.
pub(crate) fn show_json() -> sbcell::Result<()> {
    machine::restrict_processor()?;
    let mut answer = Answer::default();
    answer.extend(&Version { build: Build::of_this_program(), cpu: Processor::now() });
    Terminal::print(&Lines::json(&answer.json("version").unwrap_or_default()));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_beside_the_version_are_checked() {
        let of = |line: &str| is_json(line.split(' ').map(OsString::from));
        assert!(!of("sbcell --version").unwrap());
        assert!(!of("sbcell -Vq").unwrap());
        for line in ["sbcell --version --json", "sbcell --json -V", "sbcell -V --seed 3 --json"] {
            assert!(of(line).unwrap(), "{line}");
        }
        assert!(!of("sbcell --version fit --json").unwrap());
        assert!(!of("sbcell --version --help").unwrap());
        for line in ["sbcell --version --jsonn", "sbcell --version --seed three", "sbcell -V --"] {
            let refused = of(line).map_err(|error| error.exit_code());
            assert_eq!(refused, if line.ends_with("--") { Ok(false) } else { Err(2) }, "{line}");
        }
        let said = of("sbcell --version --jsonn").unwrap_err().render().to_string();
        assert!(said.contains("'--jsonn'") && said.contains("'--json'"), "{said}");
    }
}
