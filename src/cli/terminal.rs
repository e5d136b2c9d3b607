//! The only place that writes to stdout and stderr: results, progress, `error:` and `hint:`.

use std::io::Write;

use sbcell::Error;

/// The terminal of this run.
#[derive(Debug)]
pub(crate) struct Terminal {}

impl Terminal {
    pub(crate) fn new() -> Self {
        Self {}
    }

    /// Writes `error:` and, after a blank line, `hint:`.
    pub(crate) fn show_error(&self, error: &Error) {
        let mut stderr = std::io::stderr().lock();
        // A closed stderr leaves nobody to tell.
        let _ = writeln!(stderr, "error: {error}");
        if let Some(hint) = error.hint() {
            let _ = writeln!(stderr, "\nhint: {hint}");
        }
    }
}
