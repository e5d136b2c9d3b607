//! The hash of the data of a fit, computed in parallel to other work on them.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::mpsc::{Sender, channel};

use crate::error::Result;
use crate::io::h5ad::DataFiles;
use crate::io::hashed::Hashed;
use crate::progress::{Event, Progress, report};

/// Does `work` and computes the SHA-256 of `input` in a second thread. After the work, `progress`
/// hears the events of the hashing that is left. Nothing is computed if a plan has the hashes.
///
/// Returns the hash and the result of `work`.
///
/// # Errors
/// Those of `work` and of [`Hashed::of`]; [`crate::Error::Cancelled`]. The first error also ends the
/// hashing.
pub(super) fn beside_hash<T>(
    input: &DataFiles,
    progress: &mut dyn Progress,
    work: impl FnOnce(&mut dyn Progress) -> Result<T>,
) -> Result<(Hashed, T)> {
    let known = |path: &Path, progress: &mut dyn Progress| {
        progress.sharing().and_then(|sharing| sharing.known_sha256(path))
    };
    if input.paths().iter().all(|path| known(path, progress).is_some()) {
        let hashed = Hashed::with(input, |path| Ok(known(path, progress).unwrap_or_default()))?;
        return Ok((hashed, work(progress)?));
    }
    beside(progress, work, |progress| Hashed::of(input, progress))
}

/// Does `work` in this thread and `aside` in a second one. The events of `aside` wait in a channel
/// until `work` is done, so that the user sees one bar at a time.
fn beside<T, A: Send>(
    progress: &mut dyn Progress,
    work: impl FnOnce(&mut dyn Progress) -> Result<T>,
    aside: impl FnOnce(&mut dyn Progress) -> Result<A> + Send,
) -> Result<(A, T)> {
    std::thread::scope(|scope| {
        let (tell, told) = channel();
        let aside = scope.spawn(move || aside(&mut Listened(tell)));
        let done = work(&mut *progress).and_then(|done| {
            told.iter().try_for_each(|event| report(&mut *progress, event))?;
            Ok(done)
        });
        // Without a receiver, `aside` stops at its next event.
        drop(told);
        let found = aside.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        let done = done?;
        Ok((found?, done))
    })
}

/// Sends every event to a channel, and asks to stop when the channel has no receiver any more.
struct Listened(Sender<Event>);

impl Progress for Listened {
    fn report(&mut self, event: &Event) -> ControlFlow<()> {
        match self.0.send(event.clone()) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;
    use crate::progress::Silent;

    /// Hashing of a file without end.
    fn endless(progress: &mut dyn Progress) -> Result<()> {
        report(progress, Event::Begin { what: "hashing".into(), total: u64::MAX })?;
        (1..).try_for_each(|done| report(progress, Event::Step { done }))
    }

    /// Keeps all events, and asks to stop at the step `last`.
    struct Stopping {
        last: u64,
        told: Vec<Event>,
    }

    impl Progress for Stopping {
        fn report(&mut self, event: &Event) -> ControlFlow<()> {
            self.told.push(event.clone());
            match event {
                Event::Step { done } if *done >= self.last => ControlFlow::Break(()),
                _ => ControlFlow::Continue(()),
            }
        }
    }

    #[test]
    fn the_stop_button_ends_what_is_left_of_hashing() {
        // The test fails by not ending.
        let mut progress = Stopping { last: 1, told: Vec::new() };
        let stopped = beside(&mut progress, |_| Ok(()), endless);
        assert!(matches!(stopped, Err(Error::Cancelled)));
        assert_eq!(progress.told.len(), 2, "{:?}", progress.told);
    }

    #[test]
    fn an_error_in_the_work_ends_hashing_and_is_the_one_that_is_told() {
        let mut progress = Stopping { last: 1, told: Vec::new() };
        let failed: Result<((), ())> =
            beside(&mut progress, |_| Err(Error::Memory { needed: 2.0, promised: 1.0 }), endless);
        assert!(matches!(failed, Err(Error::Memory { .. })));
        assert!(progress.told.is_empty());
    }

    #[test]
    fn hashing_is_told_after_the_work_with_its_bar() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("zeros");
        std::fs::File::create(&path).unwrap().set_len(3 << 20).unwrap();
        let mut progress = Stopping { last: u64::MAX, told: Vec::new() };
        let work = |progress: &mut dyn Progress| {
            report(progress, Event::Note { text: "read".into() })?;
            Ok(7)
        };
        let data = DataFiles::find(&path).unwrap();
        let (hash, seven) = beside_hash(&data, &mut progress, work).unwrap();
        assert_eq!((hash, seven), (Hashed::of(&data, &mut Silent).unwrap(), 7));
        let steps = progress.told.iter().filter(|event| matches!(event, Event::Step { .. }));
        assert_eq!(steps.count(), 3);
        assert!(matches!(progress.told[0], Event::Note { .. }));
        assert_eq!(progress.told.last(), Some(&Event::End));
        let none = DataFiles::find(&folder.path().join("none")).unwrap();
        assert!(beside_hash(&none, &mut progress, |_| Ok(())).is_err());
    }
}
