//! How many columns the terminal has.
//!
//! Where output goes to a file or a pipe there is no terminal. Lines then have at most 100 columns, whatever the
//! terminal of the caller is, so that the same command gives the same file everywhere.

use terminal_size::{Width, terminal_size_of};

/// Columns of text that goes to a file or a pipe, and at most those of help.
const COLUMNS: usize = 100;

/// The narrowest text that is laid out.
const LEAST: usize = 40;

/// Columns of the terminal that stdout, or with `on_stderr` stderr, goes to; [`COLUMNS`] if it is none.
pub(crate) fn of_output(on_stderr: bool) -> usize {
    let size = if on_stderr {
        terminal_size_of(std::io::stderr())
    } else {
        terminal_size_of(std::io::stdout())
    };
    size.map_or(COLUMNS, |(Width(columns), _)| usize::from(columns).max(LEAST))
}

/// Columns of help: those of the terminal, at most [`COLUMNS`].
pub(crate) fn of_help() -> usize {
    of_output(false).min(COLUMNS)
}
