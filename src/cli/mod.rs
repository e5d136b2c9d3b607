//! THE TERMINAL: parse, run, show the error, return the exit code.

mod terminal;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use sbcell::error::Kind;

use terminal::Terminal;

/// Schrödinger bridges for single-cell time courses.
#[derive(Debug, Parser)]
#[command(name = "sbcell", version, about, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {}

pub(crate) fn main() -> ExitCode {
    let cli = Cli::parse();
    let terminal = Terminal::new();
    let result: sbcell::Result<()> = match cli.command {};
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            terminal.show_error(&error);
            exit_code(error.kind())
        }
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
