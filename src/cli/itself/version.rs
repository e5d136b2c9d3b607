//! `sbcell --version`: one line, or with `--json` the build, the processor and the formats of files.

use std::ffi::OsStr;

use sbcell::Result;
use serde::Serialize;

use crate::cli::answer::Answer;
use crate::cli::itself::machine::{self, Build, Processor};
use crate::cli::terminal::{Lines, Terminal};

/// The fields of `--version --json` beside those of every command.
#[derive(Debug, Serialize)]
struct Version {
    #[serde(flatten)]
    build: Build,
    cpu: Processor,
}

/// Whether the user gave `--json`. clap stops at `--version`, so that the other flags are not parsed.
pub(crate) fn is_json() -> bool {
    let is = |argument: &OsStr| argument == "--json";
    std::env::args_os().take_while(|argument| argument != "--").any(|argument| is(&argument))
}

/// Prints the JSON object.
///
/// # Errors
/// [`sbcell::Error::Parameter`] for a `SBCELL_CPU` that this processor cannot run.
pub(crate) fn show_json() -> Result<()> {
    machine::restrict_processor()?;
    let mut answer = Answer::default();
    answer.extend(&Version { build: Build::of_this_program(), cpu: Processor::now() });
    Terminal::print(&Lines::json(&answer.json("version").unwrap_or_default()));
    Ok(())
}
