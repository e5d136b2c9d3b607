//! Passes progress on: keeps the notes for `run.json`, says which interval is at work.

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

/// A [`Progress`] that says where a piece of work belongs.
pub(crate) struct Within<'a> {
    pub(crate) inner: &'a mut dyn Progress,
    pub(crate) place: String,
}

impl Progress for Within<'_> {
    fn report(&mut self, event: &Event) -> ControlFlow<()> {
        match event {
            Event::Begin { what, total } => {
                let what = format!("{}: {what}", self.place);
                self.inner.report(&Event::Begin { what, total: *total })
            }
            Event::Note { text } => {
                self.inner.report(&Event::Note { text: format!("{}: {text}", self.place) })
            }
            Event::Aside { text } => {
                self.inner.report(&Event::Aside { text: format!("{}: {text}", self.place) })
            }
            other => self.inner.report(other),
        }
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
