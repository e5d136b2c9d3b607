//! Passes progress on and keeps the notes, for `run.json`.

use std::ops::ControlFlow;

use crate::progress::{Event, Progress};

/// A [`Progress`] that remembers every note.
pub(crate) struct Recorder<'a> {
    inner: &'a mut dyn Progress,
    notes: Vec<String>,
}

impl<'a> Recorder<'a> {
    pub(crate) fn new(inner: &'a mut dyn Progress) -> Self {
        Self { inner, notes: Vec::new() }
    }

    pub(crate) fn into_notes(self) -> Vec<String> {
        self.notes
    }
}

impl Progress for Recorder<'_> {
    fn report(&mut self, event: &Event) -> ControlFlow<()> {
        if let Event::Note { text } = event {
            self.notes.push(text.clone());
        }
        self.inner.report(event)
    }
}
