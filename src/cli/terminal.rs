//! The only file that writes to stdout and stderr: results, progress, `error:` and `hint:`.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io::{IsTerminal, Write};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use sbcell::error::{is_hidden, visible, visible_json, visible_lines};
use sbcell::io::table::TableFormat;
use sbcell::progress::{Event, Progress};
use sbcell::{Error, Result};

use crate::cli::flags;
use crate::cli::shared::Common;

/// Steps shorter than this show no progress bar.
const PATIENCE: Duration = Duration::from_secs(1);

/// Text that is safe to write to the terminal, without control characters. A string is one line; text
/// of several lines is [`Lines`].
pub(crate) trait Said {
    /// The text with control characters as visible escapes.
    fn said(&self) -> Cow<'_, str>;
}

impl Said for str {
    fn said(&self) -> Cow<'_, str> {
        visible(self)
    }
}

impl Said for String {
    fn said(&self) -> Cow<'_, str> {
        visible(self)
    }
}

impl Said for Lines {
    fn said(&self) -> Cow<'_, str> {
        visible_lines(&self.0)
    }
}

/// Lines of text. A name within a line cannot begin a new line.
#[derive(Debug, Clone)]
pub(crate) struct Lines(String);

impl Lines {
    /// Makes each item of `lines` exactly one line.
    pub(crate) fn of(lines: impl IntoIterator<Item = String>) -> Self {
        let lines: Vec<String> =
            lines.into_iter().map(|line| visible(&line).into_owned()).collect();
        Self(lines.join("\n"))
    }

    /// Puts a title line above other lines.
    pub(crate) fn titled(title: &str, below: &Self) -> Self {
        Self(format!("{}\n{}", visible(title), below.0))
    }

    /// Joins parts with `between`.
    pub(crate) fn joined(parts: &[Self], between: &str) -> Self {
        let parts: Vec<&str> = parts.iter().map(|part| part.0.as_str()).collect();
        Self(parts.join(between))
    }

    /// JSON text, in which line breaks stand only between values.
    pub(crate) fn json(json: &str) -> Self {
        Self(visible_json(json))
    }
}

/// The terminal of this run: where texts go, and whether the user pressed Ctrl-C.
#[derive(Debug)]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(crate) struct Terminal {
    /// Whether only errors are printed.
    quiet: bool,
    /// Whether details are printed: the duration of each step, and what solvers compared.
    verbose: bool,
    /// Whether stdout carries a table, so that messages go to stderr.
    stdout_taken: bool,
    /// Whether CSV and TSV files are made safe for spreadsheets.
    pub(crate) spreadsheet_safe: bool,
    /// The step of `run` whose command is running. Its lines and notes are details.
    stage: Option<&'static str>,
    /// The current step.
    task: Option<Task>,
    /// Notes that were printed; each is printed once.
    noted: BTreeSet<String>,
    /// Whether the user pressed Ctrl-C.
    stop: Arc<AtomicBool>,
}

/// A step of the computation, with a progress bar once it has taken longer than [`PATIENCE`].
#[derive(Debug)]
struct Task {
    what: String,
    total: u64,
    begun: Instant,
    bar: Option<ProgressBar>,
}

impl Terminal {
    /// The terminal with the flags of every command. Installs the handler of Ctrl-C.
    pub(crate) fn new(common: &Common) -> Self {
        let (quiet, verbose) = (common.quiet, common.verbose);
        let spreadsheet_safe = common.spreadsheet_safe;
        let stop = Arc::new(AtomicBool::new(false));
        let pressed = Arc::clone(&stop);
        // Without a handler Ctrl-C ends the process at once, which loses no finished file.
        let _ = ctrlc::set_handler(move || {
            if pressed.swap(true, Ordering::SeqCst) {
                exit_at_once();
            }
            let _ = writeln!(std::io::stderr(), "\nstopping (press Ctrl-C again to force)");
        });
        Self {
            quiet,
            verbose,
            spreadsheet_safe,
            stdout_taken: false,
            stage: None,
            task: None,
            noted: BTreeSet::new(),
            stop,
        }
    }

    /// Prints a result to stdout, or to stderr if stdout carries a table. A closed pipe is no error.
    pub(crate) fn say(&self, text: &(impl Said + ?Sized)) {
        if self.quiet || self.is_inside() {
            return;
        }
        if self.stdout_taken {
            write_error(&flags::in_text(&text.said()));
        } else {
            write_out(&flags::in_text(&text.said()));
        }
    }

    /// Begins a step of `run`: what its command prints is a detail until [`Self::leave`].
    pub(crate) fn enter(&mut self, stage: &'static str) {
        self.stage = Some(stage);
    }

    /// Ends a step of `run`.
    pub(crate) fn leave(&mut self) {
        self.end();
        self.stage = None;
        self.noted.clear();
    }

    /// Whether a step of `run` prints, and the user did not ask for details.
    fn is_inside(&self) -> bool {
        self.stage.is_some() && !self.verbose
    }

    /// Whether the user asked for details.
    pub(crate) fn is_verbose(&self) -> bool {
        self.verbose
    }

    /// Sends messages to stderr from now on, since stdout carries a table.
    pub(crate) fn leave_stdout(&mut self) {
        self.stdout_taken = true;
    }

    /// Prints requested data to stdout, also with `--quiet`.
    pub(crate) fn data(text: &(impl Said + ?Sized)) {
        write_out(&text.said());
    }

    /// Prints a note to stderr.
    pub(crate) fn note(&self, text: &str) {
        if !self.quiet && !self.is_inside() {
            let line = flags::in_text(&format!("note: {}", visible(text)));
            match self.task.as_ref().and_then(|task| task.bar.as_ref()) {
                Some(bar) => bar.suspend(|| write_error(&line)),
                None => write_error(&line),
            }
        }
    }

    /// The table format that the suffix of `path` names, safe for spreadsheets if the user asked for it.
    ///
    /// # Errors
    /// As [`TableFormat::of`].
    pub(crate) fn table_format(&self, path: &Path) -> Result<TableFormat> {
        Ok(TableFormat::of(path)?.for_spreadsheets(self.spreadsheet_safe))
    }

    /// Prints the help, or the error of the command line.
    pub(crate) fn show_usage(error: &clap::Error) {
        let plain = error.render().to_string();
        if plain.contains(|c| c != '\n' && is_hidden(c)) {
            // An argument has control characters: print it without colours, as visible escapes.
            write_error(&visible_lines(&plain));
        } else {
            // Help goes to stdout, errors to stderr. A closed pipe leaves nobody to tell.
            let _ = error.print();
        }
    }

    /// Prints `error:` and, after a blank line, `hint:`.
    pub(crate) fn show_error(error: &Error) {
        write_error(&format!("error: {}", flags::in_text(&error.shown())));
        if let Some(hint) = error.hint() {
            write_error(&flags::in_text(&format!("\nhint: {}", visible(&hint))));
        }
    }

    /// Begins a step of `total` units of work, and ends the one before.
    fn begin(&mut self, what: &str, total: u64) {
        self.end();
        let what = visible(what).into_owned();
        let what = self.stage.map_or(what.clone(), |stage| format!("{stage}: {what}"));
        self.task = Some(Task { what, total, begun: Instant::now(), bar: None });
    }

    /// Moves the progress bar, and shows it once the step has taken longer than [`PATIENCE`].
    fn step(&mut self, done: u64) {
        let quiet = self.quiet;
        let Some(task) = self.task.as_mut() else { return };
        if task.bar.is_none() && !quiet && task.begun.elapsed() > PATIENCE {
            task.bar = Some(bar(task));
        }
        if let Some(bar) = &task.bar {
            bar.set_position(done);
        }
    }

    /// Ends the step; with `--verbose` prints its duration.
    fn end(&mut self) {
        let Some(task) = self.task.take() else { return };
        if let Some(bar) = task.bar {
            bar.finish_and_clear();
        }
        if self.verbose {
            write_error(&format!("{}: {:.2} s", task.what, task.begun.elapsed().as_secs_f64()));
        }
    }
}

impl Progress for Terminal {
    fn report(&mut self, event: &Event) -> ControlFlow<()> {
        match event {
            Event::Begin { what, total } => self.begin(what, *total),
            Event::Step { done } => self.step(*done),
            Event::End => self.end(),
            Event::Note { text } | Event::Aside { text } if self.noted.insert(text.clone()) => {
                self.note(text);
            }
            Event::Detail { text } if self.verbose && self.noted.insert(text.clone()) => {
                self.note(text);
            }
            _ => {}
        }
        if self.stop.load(Ordering::SeqCst) {
            self.end();
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }
}

/// A progress bar on stderr, hidden if stderr is not a terminal.
fn bar(task: &Task) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len}, {eta} left")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    let target = if std::io::stderr().is_terminal() {
        ProgressDrawTarget::stderr()
    } else {
        ProgressDrawTarget::hidden()
    };
    ProgressBar::with_draw_target(Some(task.total), target)
        .with_style(style)
        .with_message(task.what.clone())
        .with_elapsed(task.begun.elapsed())
}

/// Ends the process with exit code 130, at the second Ctrl-C.
#[allow(clippy::disallowed_methods, reason = "the user asked twice; main cannot be reached")]
fn exit_at_once() -> ! {
    std::process::exit(130)
}

/// Writes a line to stdout. A closed pipe is no error: the reader has stopped.
fn write_out(text: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

/// Writes a line to stderr.
fn write_error(line: &str) {
    // A closed stderr leaves nobody to tell.
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}
