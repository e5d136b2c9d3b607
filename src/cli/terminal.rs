//! The only place that writes to stdout and stderr: results, progress, `error:` and `hint:`.

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

/// Work shorter than this shows no bar.
const PATIENCE: Duration = Duration::from_secs(1);

/// What may be written to the terminal: nothing in it steers it. A text is one line; what has several
/// is made of [`Lines`].
pub(crate) trait Said {
    /// The text with characters that steer a terminal made visible.
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

/// Lines of text: a name within one of them cannot begin another.
#[derive(Debug, Clone)]
pub(crate) struct Lines(String);

impl Lines {
    /// Each of `lines` as one.
    pub(crate) fn of(lines: impl IntoIterator<Item = String>) -> Self {
        let lines: Vec<String> =
            lines.into_iter().map(|line| visible(&line).into_owned()).collect();
        Self(lines.join("\n"))
    }

    /// A line above others.
    pub(crate) fn titled(title: &str, below: &Self) -> Self {
        Self(format!("{}\n{}", visible(title), below.0))
    }

    /// Parts one below the other, with `between` between them.
    pub(crate) fn joined(parts: &[Self], between: &str) -> Self {
        let parts: Vec<&str> = parts.iter().map(|part| part.0.as_str()).collect();
        Self(parts.join(between))
    }

    /// JSON: line breaks stand between values only.
    pub(crate) fn json(json: &str) -> Self {
        Self(visible_json(json))
    }
}

/// The terminal of this run: what is said where, and the stop button.
#[derive(Debug)]
#[allow(clippy::struct_excessive_bools, reason = "each is a way of speaking that was asked for")]
pub(crate) struct Terminal {
    quiet: bool,
    verbose: bool,
    /// Whether stdout carries a table, so that words go to stderr.
    stdout_taken: bool,
    /// Whether tables are written for spreadsheets.
    pub(crate) spreadsheet_safe: bool,
    task: Option<Task>,
    /// Remarks that were made: each is made once.
    noted: BTreeSet<String>,
    stop: Arc<AtomicBool>,
}

/// The piece of work going on, and its bar once it has taken longer than [`PATIENCE`].
#[derive(Debug)]
struct Task {
    what: String,
    total: u64,
    begun: Instant,
    bar: Option<ProgressBar>,
}

impl Terminal {
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
            task: None,
            noted: BTreeSet::new(),
            stop,
        }
    }

    /// Writes a result to stdout. A closed pipe is no error: the reader had enough.
    pub(crate) fn say(&self, text: &(impl Said + ?Sized)) {
        if self.quiet {
            return;
        }
        if self.stdout_taken {
            write_error(&flags::in_text(&text.said()));
        } else {
            write_out(&flags::in_text(&text.said()));
        }
    }

    /// Keeps words off stdout, where a table is asked for.
    pub(crate) fn leave_stdout(&mut self) {
        self.stdout_taken = true;
    }

    /// Writes data that was asked for to stdout, also when quiet.
    pub(crate) fn data(text: &(impl Said + ?Sized)) {
        write_out(&text.said());
    }

    /// Writes a remark to stderr.
    pub(crate) fn note(&self, text: &str) {
        if !self.quiet {
            let line = flags::in_text(&format!("note: {}", visible(text)));
            match self.task.as_ref().and_then(|task| task.bar.as_ref()) {
                Some(bar) => bar.suspend(|| write_error(&line)),
                None => write_error(&line),
            }
        }
    }

    /// The format that the suffix of a table's file names, for spreadsheets if so asked.
    ///
    /// # Errors
    /// As [`TableFormat::of`].
    pub(crate) fn table_format(&self, path: &Path) -> Result<TableFormat> {
        Ok(TableFormat::of(path)?.for_spreadsheets(self.spreadsheet_safe))
    }

    /// Writes help, or what is wrong with the flags.
    pub(crate) fn show_usage(error: &clap::Error) {
        let plain = error.render().to_string();
        if plain.contains(|c| c != '\n' && is_hidden(c)) {
            // An argument holds what steers a terminal: without colours, and visible.
            write_error(&visible_lines(&plain));
        } else {
            // Help goes to stdout, errors to stderr. A closed pipe leaves nobody to tell.
            let _ = error.print();
        }
    }

    /// Writes `error:` and, after a blank line, `hint:`.
    pub(crate) fn show_error(error: &Error) {
        write_error(&format!("error: {}", flags::in_text(&error.shown())));
        if let Some(hint) = error.hint() {
            write_error(&flags::in_text(&format!("\nhint: {}", visible(&hint))));
        }
    }

    fn begin(&mut self, what: &str, total: u64) {
        self.end();
        let what = visible(what).into_owned();
        self.task = Some(Task { what, total, begun: Instant::now(), bar: None });
    }

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
            _ => {}
        }
        if self.stop.load(Ordering::SeqCst) {
            self.end();
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }
}

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

#[allow(clippy::disallowed_methods, reason = "the user asked twice; main cannot be reached")]
fn exit_at_once() -> ! {
    std::process::exit(130)
}

fn write_out(text: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

fn write_error(line: &str) {
    // A closed stderr leaves nobody to tell.
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}
