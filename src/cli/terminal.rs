//! The only file that writes to stdout and stderr: results, progress, `error:` and `hint:`.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io::{ErrorKind, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use sbcell::error::{is_hidden, visible, visible_json, visible_lines};
use sbcell::io::table::TableFormat;
use sbcell::progress::{Event, Progress};
use sbcell::share::Sharing;
use sbcell::{Error, Result};

use crate::cli::answer::Answer;
use crate::cli::layout::Grid;
use crate::cli::recorded::Line;
use crate::cli::shared::Common;
use crate::cli::steps::{Show, Steps};
use crate::cli::{flags, layout, width};

/// Text that is safe to write to the terminal, without control characters. A string is one line; text
/// of several lines is [`Lines`].
pub(crate) trait Said {
    /// The text with control characters as visible escapes; tables are at most `width` characters wide.
    fn said(&self, width: usize) -> Cow<'_, str>;

    /// Adds the text to the answer of `--json`.
    fn collect(&self, answer: &mut Answer) {
        answer.sentence(&self.said(usize::MAX));
    }
}

impl Said for str {
    fn said(&self, width: usize) -> Cow<'_, str> {
        filled(visible(self), width)
    }
}

impl Said for String {
    fn said(&self, width: usize) -> Cow<'_, str> {
        filled(visible(self), width)
    }
}

/// Lines with flags for parameters, broken between words after at most `width` characters.
fn filled(text: Cow<'_, str>, width: usize) -> Cow<'_, str> {
    let text = flags::in_text(&text);
    if text.lines().all(|line| line.chars().count() <= width) {
        return text.into();
    }
    text.lines().map(|line| layout::filled(line, width)).collect::<Vec<_>>().join("\n").into()
}

impl Said for Lines {
    fn said(&self, width: usize) -> Cow<'_, str> {
        let texts: Vec<Cow<'_, str>> = self.0.iter().map(|part| part.said(width)).collect();
        texts.join("\n").into()
    }

    fn collect(&self, answer: &mut Answer) {
        let mut title = "";
        for part in &self.0 {
            match part {
                Part::Title(text) => title = text,
                Part::Text(text) | Part::Whole(text) => {
                    for line in text.lines() {
                        answer.sentence(&flags::in_text(line));
                    }
                }
                Part::Table(grid) => {
                    answer.table(title, grid.json());
                    title = "";
                }
            }
        }
    }
}

/// A piece of [`Lines`].
#[derive(Debug, Clone)]
enum Part {
    /// The line above a table.
    Title(String),
    /// Lines that are broken at the width of the terminal.
    Text(String),
    /// Text whose lines are never broken.
    Whole(String),
    Table(Grid),
}

impl Part {
    fn said(&self, width: usize) -> Cow<'_, str> {
        match self {
            Self::Title(text) | Self::Text(text) => filled(visible_lines(text), width),
            Self::Whole(text) => text.into(),
            Self::Table(grid) => grid.text(width).into(),
        }
    }
}

/// Lines of text and tables. A name within a line cannot begin a new line.
#[derive(Debug, Clone)]
pub(crate) struct Lines(Vec<Part>);

impl Lines {
    /// Makes each item of `lines` exactly one line.
    pub(crate) fn of(lines: impl IntoIterator<Item = String>) -> Self {
        let lines: Vec<String> =
            lines.into_iter().map(|line| visible(&line).into_owned()).collect();
        Self(vec![Part::Text(lines.join("\n"))])
    }

    /// A table.
    pub(crate) fn of_grid(grid: Grid) -> Self {
        Self(vec![Part::Table(grid)])
    }

    /// Puts a title line above other lines.
    pub(crate) fn titled(title: &str, below: &Self) -> Self {
        let title = Part::Title(visible(title).into_owned());
        Self(std::iter::once(title).chain(below.0.iter().cloned()).collect())
    }

    /// Joins parts with `between`, one or two line breaks.
    pub(crate) fn joined(parts: &[Self], between: &str) -> Self {
        let mut joined: Vec<Part> = Vec::new();
        for part in parts {
            if !joined.is_empty() && between.len() > 1 {
                joined.push(Part::Text(String::new()));
            }
            joined.extend(part.0.iter().cloned());
        }
        Self(joined)
    }

    /// Text of this program for other programs, such as a script. It is printed as it is.
    pub(crate) fn verbatim(text: &str) -> Self {
        Self(vec![Part::Whole(text.to_string())])
    }

    /// JSON text, in which line breaks stand only between values.
    pub(crate) fn json(json: &str) -> Self {
        Self(vec![Part::Whole(visible_json(json))])
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
    /// Whether stdout carries one JSON object, and no other text.
    json: bool,
    /// The files, notes and texts so far, for the JSON object.
    answer: RefCell<Answer>,
    /// Whether stdout carries a table, so that messages go to stderr.
    stdout_taken: bool,
    /// Whether CSV and TSV files are made safe for spreadsheets.
    pub(crate) spreadsheet_safe: bool,
    /// The command line, as run records have it.
    pub(crate) line: Option<Line>,
    /// The step of `run` whose command is running. Its lines and notes are details.
    stage: Option<&'static str>,
    /// Notes that `run` prints together later, if it asked for it.
    held: RefCell<Option<Vec<String>>>,
    /// The current step.
    steps: Steps,
    /// Notes that were printed; each is printed once.
    noted: BTreeSet<String>,
    /// Whether the user pressed Ctrl-C.
    stop: Arc<AtomicBool>,
    /// The parts of a divided command, where this process does some of them.
    sharing: Option<Box<dyn Sharing>>,
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
            json: common.json,
            answer: RefCell::default(),
            spreadsheet_safe,
            line: None,
            stdout_taken: false,
            stage: None,
            held: RefCell::default(),
            steps: Steps::new(if quiet { Show::None } else { common.progress }),
            noted: BTreeSet::new(),
            stop,
            sharing: None,
        }
    }

    /// Prints a result to stdout, or to stderr if stdout carries a table. A closed pipe is no error.
    pub(crate) fn say(&self, text: &(impl Said + ?Sized)) {
        if self.stage.is_some() && (self.json || !self.verbose) {
            return;
        }
        if self.json {
            return text.collect(&mut self.answer.borrow_mut());
        }
        if self.quiet {
            return;
        }
        let width = width::of_output(self.stdout_taken);
        let text = text.said(width);
        let write = if self.stdout_taken { write_error } else { write_out };
        self.steps.aside(|| write(&text));
    }

    /// Begins a step of `run`: what its command prints is a detail until [`Self::leave`].
    pub(crate) fn enter(&mut self, stage: &'static str) {
        self.stage = Some(stage);
    }

    /// Takes the parts of a divided command.
    pub(crate) fn share(&mut self, sharing: impl Sharing + 'static) {
        self.sharing = Some(Box::new(sharing));
    }

    /// Whether the user pressed Ctrl-C.
    pub(crate) fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }

    /// Keeps notes from now on until [`Self::held`], except with `--verbose`.
    pub(crate) fn hold(&self) {
        *self.held.borrow_mut() = Some(Vec::new());
    }

    /// The notes since [`Self::hold`], with flags for parameters.
    pub(crate) fn held(&self) -> Vec<String> {
        self.held.borrow_mut().take().unwrap_or_default()
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
    pub(crate) fn data(&self, text: &(impl Said + ?Sized)) {
        let text = text.said(width::of_output(false));
        self.steps.aside(|| write_out(&text));
    }

    /// Prints lines to stdout before there is a terminal.
    pub(crate) fn print(text: &Lines) {
        write_out(&text.said(width::of_output(false)));
    }

    /// Whether the user asked for JSON.
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// Takes a file or folder that was written.
    pub(crate) fn wrote(&self, path: &Path) {
        self.answer.borrow_mut().wrote(path);
    }

    /// Takes numbers of the command under a name of its summary. Only `--json` shows them.
    ///
    /// Tables and sentences are in the summary without this.
    pub(crate) fn record(&self, name: &str, value: &impl serde::Serialize) {
        if self.json && self.stage.is_none() {
            self.answer.borrow_mut().record(name, value);
        }
    }

    /// Takes the fields of a report that stand beside those of every command with `--json`.
    pub(crate) fn extend(&self, report: &impl serde::Serialize) {
        if self.stage.is_none() {
            self.answer.borrow_mut().extend(report);
        }
    }

    /// Adds the command line to the run records of the written files.
    ///
    /// # Errors
    /// As [`Line::keep`].
    pub(crate) fn record_line(&self) -> Result<()> {
        let files: Vec<PathBuf> = self.answer.borrow().files().iter().map(PathBuf::from).collect();
        self.line.as_ref().map_or(Ok(()), |line| line.keep(&files))
    }

    /// Whether everything that was printed has reached standard output.
    ///
    /// # Errors
    /// [`Error::Io`] with the first failure.
    pub(crate) fn check_written() -> Result<()> {
        let failed = UNWRITTEN.lock().ok().and_then(|mut first| first.take());
        let path = PathBuf::from("standard output");
        failed.map_or(Ok(()), |source| Err(Error::Io { action: "write", path, source }))
    }

    /// Prints the JSON object of `command`, if the user asked for it.
    ///
    /// # Errors
    /// [`Error::Numerical`] if the report cannot be written as JSON.
    pub(crate) fn answer(&self, command: &str) -> Result<()> {
        if !self.json {
            return Ok(());
        }
        let text = self.answer.borrow().json(command);
        let why = "a report has no form in JSON".to_string();
        let text = text.ok_or(Error::Numerical { what: "writing JSON", why })?;
        self.data(&Lines::json(&text));
        Ok(())
    }

    /// Prints a note to stderr.
    pub(crate) fn note(&self, text: &str) {
        if self.json && self.stage.is_none() {
            self.answer.borrow_mut().note(flags::in_text(&visible(text)));
        }
        if let Some(held) = self.held.borrow_mut().as_mut().filter(|_| !self.verbose) {
            held.push(flags::in_text(&visible(text)));
            return;
        }
        if !self.quiet && !self.is_inside() {
            let line = flags::in_text(&format!("note: {}", visible(text)));
            self.steps.aside(|| write_error(&line));
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

    /// Prints an error that does not end the command at once.
    pub(crate) fn fail(&self, text: &str) {
        self.steps.aside(|| write_error(text));
    }

    /// Begins a step of `total` units of work, and ends the one before.
    fn begin(&mut self, what: &str, total: u64) {
        self.end();
        match self.stage {
            Some(stage) => self.steps.begin(&format!("{stage}: {what}"), total),
            None => self.steps.begin(what, total),
        }
    }

    /// Ends the step; with `--verbose` prints its duration.
    pub(crate) fn end(&mut self) {
        let ended = self.steps.end();
        if let Some((what, took)) = ended.filter(|_| self.verbose) {
            write_error(&format!("{what}: {:.2} s", took.as_secs_f64()));
        }
    }
}

impl Progress for Terminal {
    fn report(&mut self, event: &Event) -> ControlFlow<()> {
        match event {
            Event::Begin { what, total } => self.begin(what, *total),
            Event::Step { done } => self.steps.step(*done),
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

    fn sharing(&mut self) -> Option<&mut dyn Sharing> {
        self.sharing.as_deref_mut().map(|sharing| sharing as &mut dyn Sharing)
    }
}

/// Ends the process with exit code 130, at the second Ctrl-C.
#[allow(clippy::disallowed_methods, reason = "the user asked twice; main cannot be reached")]
fn exit_at_once() -> ! {
    std::process::exit(130)
}

/// The first failure of writing to stdout, such as a full disk.
static UNWRITTEN: Mutex<Option<std::io::Error>> = Mutex::new(None);

/// Writes a line to stdout. A closed pipe is no error: the reader has stopped. Other errors are kept for
/// [`Terminal::check_written`].
fn write_out(text: &str) {
    let mut out = std::io::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            if let Ok(mut first) = UNWRITTEN.lock() {
                first.get_or_insert(error);
            }
        }
        _ => {}
    }
}

/// Writes a line to stderr.
fn write_error(line: &str) {
    // A closed stderr leaves nobody to tell.
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}
