//! Progress reports of long computations, and the request to stop them.
//!
//! A long function takes a `&mut dyn Progress`. It reports [`Event`]s to it and stops with
//! [`Error::Cancelled`] as soon as the receiver answers [`ControlFlow::Break`].

use std::ops::ControlFlow;
use std::sync::Mutex;

use crate::error::{Error, Result};
use crate::share::Sharing;

/// A report of a running computation.
///
/// A piece of work sends [`Event::Begin`], any number of [`Event::Step`] and [`Event::End`].
///
/// ```
/// use std::ops::ControlFlow;
/// use sbcell::progress::{Event, Progress};
///
/// struct Notes(Vec<String>);
///
/// impl Progress for Notes {
///     fn report(&mut self, event: &Event) -> ControlFlow<()> {
///         if let Event::Note { text } = event {
///             self.0.push(text.clone());
///         }
///         ControlFlow::Continue(())
///     }
/// }
/// let mut notes = Notes(Vec::new());
/// sbcell::progress::note(&mut notes, "3 cells are left out")?;
/// assert_eq!(notes.0, ["3 cells are left out"]);
/// # sbcell::Result::Ok(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A piece of work begins.
    Begin {
        /// Name of the work, in words that follow "sbcell:".
        what: String,
        /// Largest expected number of steps.
        total: u64,
    },
    /// The number of finished steps of the current piece of work.
    Step {
        /// Steps since `Begin`.
        done: u64,
    },
    /// A question whether to stop, without any news.
    Pulse,
    /// The current piece of work ends.
    End,
    /// A remark about this run that does not concern the result, such as intervals taken from an
    /// earlier run. The run record does not contain it.
    Aside {
        /// One sentence, lower case, without full stop.
        text: String,
    },
    /// A detail of a choice, such as the objectives of all sizes that a solver compared. The run record
    /// contains it; the terminal shows it on request.
    Detail {
        /// One sentence, lower case, without full stop.
        text: String,
    },
    /// A remark about the result, such as the number of cells left out. The run record contains it.
    Note {
        /// One sentence, lower case, without full stop.
        text: String,
    },
}

/// A receiver of [`Event`]s, such as a progress bar.
///
/// ```
/// use std::ops::ControlFlow;
/// use sbcell::error::Error;
/// use sbcell::progress::{Event, Progress, report};
///
/// /// Stops the computation after 10 steps.
/// struct Limit;
///
/// impl Progress for Limit {
///     fn report(&mut self, event: &Event) -> ControlFlow<()> {
///         match event {
///             Event::Step { done } if *done > 10 => ControlFlow::Break(()),
///             _ => ControlFlow::Continue(()),
///         }
///     }
/// }
/// assert!(report(&mut Limit, Event::Step { done: 5 }).is_ok());
/// assert!(matches!(report(&mut Limit, Event::Step { done: 11 }), Err(Error::Cancelled)));
/// ```
pub trait Progress: Send {
    /// Receives an event; `Break` stops the computation with [`Error::Cancelled`].
    fn report(&mut self, event: &Event) -> ControlFlow<()>;

    /// The receiver of the parts of a divided computation, where there is one. A receiver that passes events on
    /// passes this question on too, unless its caller is a part itself.
    fn sharing(&mut self) -> Option<&mut dyn Sharing> {
        None
    }
}

/// A receiver that ignores all events and never stops the computation.
///
/// ```
/// use sbcell::Silent;
/// use sbcell::progress::{Event, report};
///
/// assert!(report(&mut Silent, Event::Pulse).is_ok());
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn report(&mut self, _event: &Event) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

/// A receiver that hides all events and passes on only the question whether to stop.
///
/// A caller that reports its own progress gives it to the functions it calls.
pub(crate) struct Unseen<'a>(pub(crate) &'a mut dyn Progress);

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

/// A receiver that shows the steps of one piece of work as part of a larger one, whose caller reports
/// `Begin` and `End`. Notes are hidden.
pub(crate) struct Within<'a> {
    /// The receiver of the larger piece.
    progress: &'a mut dyn Progress,
    /// Steps of the larger piece before and after this one.
    steps: (u64, u64),
    /// Expected steps of the piece itself.
    total: u64,
    /// Steps that were reported.
    done: u64,
}

impl std::fmt::Debug for Within<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Within")
    }
}

impl<'a> Within<'a> {
    /// A receiver for the piece between the steps `from` and `to` of the larger one.
    pub(crate) fn new(progress: &'a mut dyn Progress, from: u64, to: u64) -> Self {
        Self { progress, steps: (from, to), total: 1, done: from }
    }
}

impl Progress for Within<'_> {
    fn report(&mut self, event: &Event) -> ControlFlow<()> {
        match event {
            Event::Begin { total, .. } => self.total = (*total).max(1),
            Event::Step { done } => {
                let (from, to) = self.steps;
                let share = (*done as f64 / self.total as f64).min(1.0);
                let done = from + (share * to.saturating_sub(from) as f64) as u64;
                // A second piece begins at zero again.
                self.done = self.done.max(done);
            }
            _ => return self.progress.report(&Event::Pulse),
        }
        self.progress.report(&Event::Step { done: self.done })
    }
}

/// One receiver that several threads share, behind a mutex.
pub(crate) struct Together<'a>(Mutex<&'a mut dyn Progress>);

impl std::fmt::Debug for Together<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Together")
    }
}

impl<'a> Together<'a> {
    /// A shared receiver that passes events on to `progress`.
    pub(crate) fn new(progress: &'a mut dyn Progress) -> Self {
        Self(Mutex::new(progress))
    }

    /// Reports an event from any thread.
    ///
    /// # Errors
    /// [`Error::Cancelled`] if the receiver stops the computation, or if it panicked.
    pub(crate) fn report(&self, event: Event) -> Result<()> {
        self.0.lock().map_or(Err(Error::Cancelled), |mut progress| report(&mut **progress, event))
    }

    /// A receiver for one thread that hides all events, as [`Unseen`] does.
    pub(crate) fn unseen(&self) -> impl Progress {
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

/// Sends `event` to `progress`.
///
/// # Errors
/// [`Error::Cancelled`] if the receiver answers [`ControlFlow::Break`].
pub fn report(progress: &mut dyn Progress, event: Event) -> Result<()> {
    match progress.report(&event) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(Error::Cancelled),
    }
}

/// Sends `text` to `progress` as an [`Event::Note`].
///
/// # Errors
/// [`Error::Cancelled`] if the receiver answers [`ControlFlow::Break`].
pub fn note(progress: &mut dyn Progress, text: impl Into<String>) -> Result<()> {
    report(progress, Event::Note { text: text.into() })
}

/// Sends `text` to `progress` as an [`Event::Detail`].
///
/// # Errors
/// [`Error::Cancelled`] if the receiver answers [`ControlFlow::Break`].
pub fn detail(progress: &mut dyn Progress, text: impl Into<String>) -> Result<()> {
    report(progress, Event::Detail { text: text.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_move_the_larger_piece_between_their_ends_and_never_back() {
        struct Steps(Vec<u64>);
        impl Progress for Steps {
            fn report(&mut self, event: &Event) -> ControlFlow<()> {
                match event {
                    Event::Step { done } => self.0.push(*done),
                    event => assert_eq!(*event, Event::Pulse),
                }
                ControlFlow::Continue(())
            }
        }
        let mut steps = Steps(Vec::new());
        let mut piece = Within::new(&mut steps, 100, 200);
        let begin = |total| Event::Begin { what: "piece".into(), total };
        let step = |done| Event::Step { done };
        for event in [begin(4), step(1), step(9), Event::End, begin(10), step(1)] {
            assert!(piece.report(&event).is_continue());
        }
        assert_eq!(steps.0, [100, 125, 200, 200, 200]);
    }
}
