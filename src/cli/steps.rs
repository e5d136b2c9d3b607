//! Progress on stderr: a bar on a terminal, or plain lines for log files.
//!
//! Plain lines look like this; a line without a share belongs to a step of unknown length:
//!
//! ```text
//! sbcell: 0 → 6 (1 of 8): fitting the mixture
//! sbcell: looking at every interval: 3/8, about 67 s left
//! sbcell: computing the hash of the file: 10 s so far
//! ```
//!
//! The computation reports steps from its own thread. A second thread looks at the current step five times a
//! second. It draws the bar, so that a step that reports nothing for a long time is still seen to run. Both
//! share the step behind a mutex. Whatever else is printed takes the bar off the screen first.

use std::io::{IsTerminal, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use sbcell::error::visible;

/// Steps shorter than this show no progress bar.
const PATIENCE: Duration = Duration::from_secs(1);

/// Time between two plain lines of one step.
const BETWEEN: Duration = Duration::from_secs(10);

/// Time between two looks at a running step.
const TICK: Duration = Duration::from_millis(200);

/// The text of work between two named steps.
const UNNAMED: &str = "computing";

/// How progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Show {
    /// A bar with the time left on a terminal, otherwise nothing
    #[default]
    Auto,
    /// One line when a step begins, and one every 10 seconds with the time left, as for log files
    Plain,
    /// Nothing
    None,
}

/// A step of the computation.
#[derive(Debug)]
struct Task {
    /// Name of the step, without control characters.
    what: String,
    /// Expected number of pieces; less than two if it is not known.
    total: u64,
    /// Number of finished pieces.
    done: u64,
    /// When the step began.
    begun: Instant,
    /// The bar, once the step has taken longer than [`PATIENCE`].
    bar: Option<ProgressBar>,
    /// When the last plain line was written.
    told: Instant,
}

impl Task {
    /// A step that begins now. A `total` of `u64::MAX` means that it is not known.
    fn new(what: &str, total: u64) -> Self {
        let now = Instant::now();
        // The largest number stands for a number that is not known.
        let total = if total == u64::MAX { 0 } else { total };
        Self { what: visible(what).into_owned(), total, done: 0, begun: now, bar: None, told: now }
    }

    /// The line of a step that has run for `elapsed`.
    ///
    /// The time left assumes that all pieces take the same time.
    fn line(&self, elapsed: Duration) -> String {
        let Self { what, total, done, .. } = self;
        let seconds = elapsed.as_secs_f64();
        if *total < 2 || *done == 0 {
            return format!("sbcell: {what}: {seconds:.0} s so far");
        }
        let done = (*done).min(*total);
        let left = seconds * (*total - done) as f64 / done as f64;
        format!("sbcell: {what}: {done}/{total}, about {left:.0} s left")
    }
}

/// The state that the computation and the watching thread share.
#[derive(Debug)]
struct State {
    /// Whether stderr is a terminal on which bars are drawn.
    bars: bool,
    /// Whether plain lines are written.
    lines: bool,
    /// The current step; `None` between two steps.
    task: Option<Task>,
}

impl State {
    /// Shows a bar if the step takes long, or writes its plain line if the last one is old.
    fn look(&mut self) {
        let Self { bars, lines, task } = self;
        let task = task.get_or_insert_with(|| Task::new(UNNAMED, 0));
        let elapsed = task.begun.elapsed();
        if *bars {
            if task.bar.is_none() && PATIENCE < elapsed {
                task.bar = Some(bar(task));
            }
            if let Some(bar) = &task.bar {
                bar.tick();
            }
        }
        if *lines && BETWEEN <= task.told.elapsed() {
            task.told = Instant::now();
            write_line(&task.line(elapsed));
        }
    }
}

/// The steps of this run. A thread looks at them, so that a step that reports nothing is seen as well.
#[derive(Debug)]
pub(crate) struct Steps(Arc<Mutex<State>>);

impl Steps {
    /// Shows steps as `show` says.
    ///
    /// The watching thread is started only if there is something to show. It ends with this value.
    pub(crate) fn new(show: Show) -> Self {
        let bars = show == Show::Auto && std::io::stderr().is_terminal();
        let lines = show == Show::Plain;
        let state = Arc::new(Mutex::new(State { bars, lines, task: None }));
        if bars || lines {
            let seen = Arc::downgrade(&state);
            // Without the thread, steps are shown when they report.
            let _ = std::thread::Builder::new().spawn(move || watch(&seen));
        }
        Self(state)
    }

    /// Begins a step of `total` units of work. The step before has ended.
    pub(crate) fn begin(&self, what: &str, total: u64) {
        let mut state = self.state();
        let task = Task::new(what, total);
        if state.lines {
            write_line(&format!("sbcell: {}", task.what));
        }
        state.task = Some(task);
    }

    /// Takes the number of finished units.
    pub(crate) fn step(&self, done: u64) {
        let mut state = self.state();
        let Some(task) = state.task.as_mut() else { return };
        task.done = done;
        if let Some(bar) = &task.bar {
            bar.set_position(done);
        }
    }

    /// Ends the step, and tells its name and duration; `None` for work without a name.
    pub(crate) fn end(&self) -> Option<(String, Duration)> {
        let task = self.state().task.take()?;
        if let Some(bar) = task.bar {
            bar.finish_and_clear();
        }
        (task.what != UNNAMED).then(|| (task.what, task.begun.elapsed()))
    }

    /// Runs `write` while no bar is on the screen.
    pub(crate) fn aside(&self, write: impl FnOnce()) {
        // The lock keeps the watching thread away.
        match self.state().task.as_ref().and_then(|task| task.bar.as_ref()) {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }

    /// The shared state. A thread that panicked leaves it usable, as every change of it is complete.
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Steps {
    fn drop(&mut self) {
        self.end();
    }
}

/// Looks at the steps until they are gone.
fn watch(seen: &Weak<Mutex<State>>) {
    loop {
        std::thread::sleep(TICK);
        let Some(state) = seen.upgrade() else { return };
        state.lock().unwrap_or_else(PoisonError::into_inner).look();
    }
}

/// A bar with the time left; without a known number of pieces, the time so far.
fn bar(task: &Task) -> ProgressBar {
    let known = 1 < task.total;
    let template = if known {
        "{msg} {wide_bar} {pos}/{len}, {eta} left"
    } else {
        "{spinner} {msg}, {elapsed} so far"
    };
    let style =
        ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar =
        ProgressBar::with_draw_target(known.then_some(task.total), ProgressDrawTarget::stderr());
    bar.with_style(style)
        .with_message(task.what.clone())
        .with_position(task.done)
        .with_elapsed(task.begun.elapsed())
}

/// Writes a line to stderr. A closed stderr leaves nobody to tell.
fn write_line(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_lines_show_the_share_and_the_time_left() {
        let mut task = Task::new("transport", 40);
        let after = Duration::from_secs(10);
        assert_eq!(task.line(after), "sbcell: transport: 10 s so far");
        task.done = 10;
        assert_eq!(task.line(after), "sbcell: transport: 10/40, about 30 s left");
        task.done = 50;
        assert_eq!(task.line(after), "sbcell: transport: 40/40, about 0 s left");
        let hashing = Task::new("hashing\u{7}", u64::MAX);
        assert_eq!(hashing.total, 0);
        assert!(!hashing.what.contains('\u{7}'), "{}", hashing.what);
    }

    #[test]
    fn work_between_steps_has_no_name_to_tell() {
        let steps = Steps::new(Show::None);
        steps.begin("a step", 3);
        steps.step(2);
        assert_eq!(steps.state().task.as_ref().unwrap().done, 2);
        assert_eq!(steps.end().unwrap().0, "a step");
        steps.state().look();
        assert_eq!(steps.state().task.as_ref().unwrap().what, UNNAMED);
        assert_eq!(steps.end(), None);
    }
}
