//! Listeners that pass progress on: they keep notes for `run.json`, name the interval, or lower notes to details.

use std::ops::ControlFlow;

use crate::progress::{Event, Progress};
use crate::share::Sharing;

/// A [`Progress`] that passes every event on and keeps the texts of notes and details.
pub(crate) struct Recorder<'a> {
    inner: &'a mut dyn Progress,
    notes: Vec<String>,
}

impl<'a> Recorder<'a> {
    /// Listens before `inner`, with no notes yet.
    pub(crate) fn new(inner: &'a mut dyn Progress) -> Self {
        Self::after(&[], inner)
    }

    /// Listens before `inner`, and begins with notes of an earlier step. `inner` does not hear them
    /// again.
    pub(crate) fn after(notes: &[String], inner: &'a mut dyn Progress) -> Self {
        Self { inner, notes: notes.to_vec() }
    }

    /// The texts of all notes and details, in order.
    pub(crate) fn into_notes(self) -> Vec<String> {
        self.notes
    }
}

/// A [`Progress`] that puts a place, such as an interval, before every text.
pub(crate) struct Within<'a> {
    /// Hears the events.
    pub(crate) inner: &'a mut dyn Progress,
    /// The text before the colon.
    pub(crate) place: String,
}

impl Progress for Within<'_> {
    fn report(&mut self, event: &Event) -> ControlFlow<()> {
        let placed = |text: &str| format!("{}: {text}", self.place);
        match event {
            Event::Begin { what, total } => {
                let what = placed(what);
                self.inner.report(&Event::Begin { what, total: *total })
            }
            Event::Note { text } => self.inner.report(&Event::Note { text: placed(text) }),
            Event::Detail { text } => self.inner.report(&Event::Detail { text: placed(text) }),
            Event::Aside { text } => self.inner.report(&Event::Aside { text: placed(text) }),
            other => self.inner.report(other),
        }
    }

    fn sharing(&mut self) -> Option<&mut dyn Sharing> {
        self.inner.sharing()
    }
}

/// A [`Progress`] that passes notes on as details. Fits without some cells repeat the choices of the whole
/// fit, whose notes were shown.
pub(crate) struct Repeated<'a>(pub(crate) &'a mut dyn Progress);

impl Progress for Repeated<'_> {
    fn report(&mut self, event: &Event) -> ControlFlow<()> {
        match event {
            Event::Note { text } => self.0.report(&Event::Detail { text: text.clone() }),
            other => self.0.report(other),
        }
    }

    fn sharing(&mut self) -> Option<&mut dyn Sharing> {
        self.0.sharing()
    }
}

impl Progress for Recorder<'_> {
    fn report(&mut self, event: &Event) -> ControlFlow<()> {
        if let Event::Note { text } | Event::Detail { text } = event {
            self.notes.push(text.clone());
        }
        self.inner.report(event)
    }

    fn sharing(&mut self) -> Option<&mut dyn Sharing> {
        self.inner.sharing()
    }
}
