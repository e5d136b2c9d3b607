//! How a long computation tells how far it is, and is told to stop.

use std::ops::ControlFlow;
use std::sync::Mutex;

use crate::error::{Error, Result};

/// One thing worth telling.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A piece of work begins; `total` steps are expected at most.
    Begin {
        /// What is being done, in words that follow "sbcell:".
        what: String,
        /// Steps expected at most.
        total: u64,
    },
    /// `done` steps of the current piece of work are done.
    Step {
        /// Steps done since `Begin`.
        done: u64,
    },
    /// Work goes on, with nothing to tell: asks whether to stop.
    Pulse,
    /// The current piece of work is done.
    End,
    /// Something about this run and not about its result, such as work taken over from before;
    /// it does not go into the run record.
    Aside {
        /// One sentence, lower case, without full stop.
        text: String,
    },
    /// Something the user should know, such as cells that were left out.
    Note {
        /// One sentence, lower case, without full stop.
        text: String,
    },
}

/// Receives events; the answer `Break` stops the computation with [`Error::Cancelled`].
pub trait Progress: Send {
    /// Called at every step.
    fn report(&mut self, event: &Event) -> ControlFlow<()>;
}

/// Ignores everything.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn report(&mut self, _event: &Event) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

/// Shows nothing and still passes the stop button on: for many small pieces of work that are one
/// to the user.
pub struct Unseen<'a>(pub &'a mut dyn Progress);

impl std::fmt::Debug for Unseen<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Unseen")
    }
}

impl Progress for Unseen<'_> {
    fn report(&mut self, _event: &Event) -> ControlFlow<()> {
        self.0.report(&Event::Pulse)
    }
}

/// One receiver for work on several threads.
pub struct Together<'a>(Mutex<&'a mut dyn Progress>);

impl std::fmt::Debug for Together<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Together")
    }
}

impl<'a> Together<'a> {
    /// Hands events on to `progress`.
    pub fn new(progress: &'a mut dyn Progress) -> Self {
        Self(Mutex::new(progress))
    }

    /// Reports an event, whichever thread this is.
    ///
    /// # Errors
    /// [`Error::Cancelled`] if the receiver asks to stop, or panicked.
    pub fn report(&self, event: Event) -> Result<()> {
        self.0.lock().map_or(Err(Error::Cancelled), |mut progress| report(&mut **progress, event))
    }

    /// For one piece of the work: shows nothing, as [`Unseen`], and passes the stop button on.
    pub fn unseen(&self) -> impl Progress {
        struct Piece<'a, 'b>(&'a Together<'b>);
        impl Progress for Piece<'_, '_> {
            fn report(&mut self, _event: &Event) -> ControlFlow<()> {
                match self.0.report(Event::Pulse) {
                    Ok(()) => ControlFlow::Continue(()),
                    Err(_) => ControlFlow::Break(()),
                }
            }
        }
        Piece(self)
    }
}

/// Reports `event`, turning `Break` into [`Error::Cancelled`].
///
/// # Errors
/// [`Error::Cancelled`] if the receiver asks to stop.
pub fn report(progress: &mut dyn Progress, event: Event) -> Result<()> {
    match progress.report(&event) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(Error::Cancelled),
    }
}

/// Reports a [`Event::Note`].
///
/// # Errors
/// [`Error::Cancelled`] if the receiver asks to stop.
pub fn note(progress: &mut dyn Progress, text: impl Into<String>) -> Result<()> {
    report(progress, Event::Note { text: text.into() })
}
