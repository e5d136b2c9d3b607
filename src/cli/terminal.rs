//! The only place that writes to stdout and stderr: results, progress, `error:` and `hint:`.

use std::io::{IsTerminal, Write};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use sbcell::Error;
use sbcell::progress::{Event, Progress};

/// Work shorter than this shows no bar.
const PATIENCE: Duration = Duration::from_secs(1);

/// The terminal of this run: what is said where, and the stop button.
#[derive(Debug)]
pub(crate) struct Terminal {
    quiet: bool,
    verbose: bool,
    /// Whether stdout carries a table, so that words go to stderr.
    stdout_taken: bool,
    task: Option<Task>,
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
    pub(crate) fn new(quiet: bool, verbose: bool) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let pressed = Arc::clone(&stop);
        // Without a handler Ctrl-C ends the process at once, which loses no finished file.
        let _ = ctrlc::set_handler(move || {
            if pressed.swap(true, Ordering::SeqCst) {
                exit_at_once();
            }
            let _ = writeln!(std::io::stderr(), "\nstopping (press Ctrl-C again to force)");
        });
        Self { quiet, verbose, stdout_taken: false, task: None, stop }
    }

    /// Writes a result to stdout. A closed pipe is no error: the reader had enough.
    pub(crate) fn say(&self, text: &str) {
        if self.quiet {
            return;
        }
        if self.stdout_taken {
            write_error(text);
        } else {
            let _ = writeln!(std::io::stdout().lock(), "{text}");
        }
    }

    /// Keeps words off stdout, where a table is asked for.
    pub(crate) fn leave_stdout(&mut self) {
        self.stdout_taken = true;
    }

    /// Writes data that was asked for to stdout, also when quiet.
    pub(crate) fn data(text: &str) {
        let _ = writeln!(std::io::stdout().lock(), "{text}");
    }

    /// Writes a remark to stderr.
    pub(crate) fn note(&self, text: &str) {
        if !self.quiet {
            let line = format!("note: {text}");
            match self.task.as_ref().and_then(|task| task.bar.as_ref()) {
                Some(bar) => bar.suspend(|| write_error(&line)),
                None => write_error(&line),
            }
        }
    }

    /// Writes `error:` and, after a blank line, `hint:`.
    pub(crate) fn show_error(error: &Error) {
        write_error(&format!("error: {error}"));
        if let Some(hint) = error.hint() {
            write_error(&format!("\nhint: {hint}"));
        }
    }

    fn begin(&mut self, what: &str, total: u64) {
        self.end();
        self.task = Some(Task { what: what.to_string(), total, begun: Instant::now(), bar: None });
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
            Event::Note { text } | Event::Aside { text } => self.note(text),
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

fn write_error(line: &str) {
    // A closed stderr leaves nobody to tell.
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}
