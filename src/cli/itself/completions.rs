//! `sbcell completions`: the script by which a shell completes commands and flags of sbcell.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::cli::terminal::{Lines, Terminal};
use crate::cli::{Cli, Outcome};

const EXAMPLES: &str = "\
Examples:
  sbcell completions bash
      the script for bash, to standard output
  sbcell completions zsh
      the script for zsh

Write the script to a file that your shell reads when it starts:

  bash        ~/.local/share/bash-completion/completions/sbcell, which needs the package bash-completion;
              without it, a file that ~/.bashrc reads by `source FILE`
  zsh         a file _sbcell in a folder of $fpath, such as ~/.zfunc; ~/.zshrc needs
              `fpath=(~/.zfunc $fpath)` before `autoload -U compinit; compinit`
  fish        ~/.config/fish/completions/sbcell.fish
  powershell  a file that the file $PROFILE reads by `. FILE`
  elvish      a file in ~/.config/elvish/lib, which rc.elv reads by `use NAME`

Write it again after an update of sbcell. It completes commands, flags and values of flags from lists; file names
are completed as in other commands.";

/// Print the script by which a shell completes commands and flags
///
/// The script goes to standard output. It contains all commands and flags of this version.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CompletionArgs {
    /// The shell
    #[arg(value_enum, value_name = "SHELL")]
    shell: Shell,
}

/// Runs `sbcell completions`: prints the script, also with `--quiet`.
pub(crate) fn run(args: CompletionArgs, terminal: &Terminal) -> Outcome {
    let CompletionArgs { shell } = args;
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "sbcell", &mut script);
    let script = String::from_utf8_lossy(&script);
    if terminal.is_json() {
        terminal.record("shell", &shell.to_string());
        terminal.record("script", &script);
    } else {
        terminal.data(&Lines::verbatim(script.trim_end()));
    }
    Outcome::Done
}
