//! Division of a long computation into parts that separate processes do.
//!
//! A command that can be divided calls `divided` or `summed`, with the number of its parts and a function that
//! computes one of them. Alone, it computes all. A receiver of progress with [`Progress::sharing`] may instead
//! list the parts, have one of them computed and kept, or hand over those that others have kept. The code before
//! and after is the same in all cases, so that the results are the same bytes.
//!
//! A command may divide its work several times, one division after the other. It announces all of them before
//! the first.

mod packed;
#[cfg(test)]
mod tests;

use std::ops::{ControlFlow, Range};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::progress::{self, Event, Progress};
pub(crate) use packed::{Numbers, Packed};

/// The share of a process in a computation that was divided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Duty {
    /// Computes all parts.
    All,
    /// Computes this part, hands it over, and stops.
    One(usize),
    /// Takes the parts that others have computed.
    Collect,
    /// Stops before the first part, since only their number was asked for.
    List,
    /// Computes these parts to measure them.
    Try {
        /// The parts, increasing.
        parts: Vec<usize>,
        /// Whether the computation goes on with the results of these parts alone, to measure later divisions. It
        /// stops otherwise.
        goes_on: bool,
    },
    /// Computes nothing: this process stops in an earlier division.
    Later,
}

/// The parts of a computation, before any of them is computed.
#[derive(Debug, Clone, PartialEq)]
pub struct Division {
    /// Name of the work, such as `held-out times`. The divisions of a command have different names.
    pub what: &'static str,
    /// Name of each part, in order.
    pub parts: Vec<String>,
    /// Work of each part relative to others of its kind, such as the number of pairs of cells; greater than 0.
    pub work: Vec<f64>,
    /// The kind of each part. Memory and time of parts of one kind depend on their work alone.
    pub kinds: Vec<usize>,
}

impl Division {
    /// Parts of one kind and of equal work.
    pub fn even(what: &'static str, parts: Vec<String>) -> Self {
        let (work, kinds) = (vec![1.0; parts.len()], vec![0; parts.len()]);
        Self { what, parts, work, kinds }
    }

    /// A single part.
    pub fn single(what: &'static str) -> Self {
        Self::even(what, vec![what.to_string()])
    }

    /// For each kind the part with the most work, the first of several; increasing.
    ///
    /// ```
    /// use sbcell::share::Division;
    /// let parts = vec!["0 → 6".into(), "6 → 12".into(), "12 → 24".into()];
    /// let division = Division { work: vec![1.0, 4.0, 2.0], ..Division::even("intervals", parts) };
    /// assert_eq!(division.largest(), [1]);
    /// assert_eq!(Division { kinds: vec![0, 1, 0], ..division }.largest(), [1, 2]);
    /// ```
    pub fn largest(&self) -> Vec<usize> {
        let mut found: Vec<usize> = Vec::new();
        for part in 0..self.parts.len() {
            match found.iter_mut().find(|other| self.kinds[**other] == self.kinds[part]) {
                Some(other) if self.work[*other] < self.work[part] => *other = part,
                Some(_) => {}
                None => found.push(part),
            }
        }
        found.sort_unstable();
        found
    }
}

/// Stands between a divided computation and the files that hold its parts.
///
/// ```
/// use sbcell::share::{Division, Duty, Sharing};
///
/// /// Counts the parts, and has none computed.
/// #[derive(Debug, Default)]
/// struct Count(usize);
///
/// impl Sharing for Count {
///     fn duty(&mut self, division: &Division) -> sbcell::Result<Duty> {
///         self.0 = division.parts.len();
///         Ok(Duty::List)
///     }
///     fn keep(&mut self, _what: &str, _part: usize, _text: String) -> sbcell::Result<()> {
///         Ok(())
///     }
///     fn kept(&mut self, _what: &str, _part: usize) -> sbcell::Result<String> {
///         Ok(String::new())
///     }
/// }
/// ```
pub trait Sharing: std::fmt::Debug + Send {
    /// Hears all divisions of a command that has several, before the first of them.
    ///
    /// # Errors
    /// Those of the receiver.
    fn announced(&mut self, _divisions: &[Division]) -> Result<()> {
        Ok(())
    }

    /// The share of this process in the computation.
    ///
    /// # Errors
    /// Those of the receiver, such as parts that do not belong to its plan.
    fn duty(&mut self, division: &Division) -> Result<Duty>;

    /// Hears that a part of the division `what` is about to be computed.
    fn begin(&mut self, _what: &str, _part: usize) {}

    /// Keeps the result of a part of the division `what`, as JSON.
    ///
    /// # Errors
    /// Those of writing.
    fn keep(&mut self, what: &str, part: usize, text: String) -> Result<()>;

    /// The result of a part of the division `what` that was kept.
    ///
    /// # Errors
    /// Those of reading.
    fn kept(&mut self, what: &str, part: usize) -> Result<String>;

    /// Hears that the rest of the command is not divided.
    ///
    /// # Errors
    /// That of a receiver that wants parts.
    fn undivided(&mut self) -> Result<()> {
        Ok(())
    }

    /// The SHA-256 of the file at `path` in hexadecimal, if it was computed or checked before.
    fn known_sha256(&self, _path: &std::path::Path) -> Option<String> {
        None
    }
}

/// The result of one part, with what it told.
#[derive(Debug, Serialize, Deserialize)]
struct Kept<T> {
    notes: Vec<Told>,
    result: T,
}

/// A remark of a part that the record of the run contains.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum Told {
    Note(String),
    Detail(String),
}

/// A function that computes the parts of a range.
type Compute<'c, T> = dyn FnMut(Range<usize>, &mut dyn Progress) -> Result<Vec<T>> + 'c;

/// Announces all divisions of a command that has several.
///
/// # Errors
/// Those of the receiver.
pub(crate) fn announce(divisions: &[Division], progress: &mut dyn Progress) -> Result<()> {
    progress.sharing().map_or(Ok(()), |sharing| sharing.announced(divisions))
}

/// Tells a receiver that wants parts that there are none, before the work begins.
///
/// # Errors
/// That of the receiver.
pub(crate) fn undivided(progress: &mut dyn Progress) -> Result<()> {
    progress.sharing().map_or(Ok(()), Sharing::undivided)
}

/// The results of all parts of `division`, in order. `compute` returns those of a range of parts. Where parts are
/// tried and the computation goes on, they are the results of these parts alone.
///
/// Remarks of a part are repeated where its result is taken over, so that records do not depend on who computed
/// it. A part cannot be divided again.
///
/// # Errors
/// Those of `compute` and of the receiver; [`Error::Cancelled`] after a part that was asked for alone, and after
/// a list; [`Error::Numerical`] if a result cannot be written as JSON.
pub(crate) fn divided<T: Serialize + DeserializeOwned>(
    division: &Division,
    progress: &mut dyn Progress,
    compute: &mut Compute<'_, T>,
) -> Result<Vec<T>> {
    let n = division.parts.len();
    let mut one = |part: usize, progress: &mut dyn Progress| {
        let results = compute(part..part + 1, progress)?;
        let [result] = <[T; 1]>::try_from(results)
            .map_err(|all| not_kept(&format!("{} results of one part", all.len())))?;
        Ok(result)
    };
    match duty_in(division, progress)? {
        Duty::All => compute(0..n, &mut Alone { inner: progress, told: Vec::new() }),
        Duty::List | Duty::Later => Err(Error::Cancelled),
        Duty::One(part) => {
            handed_over(division.what, part, progress, &mut |progress| one(part, progress))?;
            Err(Error::Cancelled)
        }
        Duty::Try { parts, goes_on } => {
            let mut results = Vec::with_capacity(parts.len());
            for part in parts {
                let mut one = |progress: &mut dyn Progress| one(part, progress);
                results.push(handed_over(division.what, part, progress, &mut one)?);
            }
            if goes_on { Ok(results) } else { Err(Error::Cancelled) }
        }
        Duty::Collect => (0..n).map(|part| taken_over(division.what, part, progress)).collect(),
    }
}

/// A result that is made of parts, such as a sum over shards of the cells.
pub(crate) trait Summed {
    /// The result of a part.
    type Part: Serialize + DeserializeOwned;
    /// The result of all.
    type Whole: Serialize + DeserializeOwned;

    /// Computes a part.
    fn part(&mut self, part: usize, progress: &mut dyn Progress) -> Result<Self::Part>;

    /// Adds a part; they come in order, each once.
    fn add(&mut self, part: usize, result: Self::Part) -> Result<()>;

    /// The result of all, after the last part.
    fn whole(&mut self, progress: &mut dyn Progress) -> Result<Self::Whole>;
}

/// The result of all `parts`, which are added one by one. The result itself is the single part of `whole`, so that
/// a process that needs only the result does not read the parts.
///
/// # Errors
/// As [`divided`].
pub(crate) fn summed<S: Summed>(
    sum: &mut S,
    [parts, whole]: [&Division; 2],
    progress: &mut dyn Progress,
) -> Result<S::Whole> {
    let last = duty_in(whole, progress)?;
    if last == Duty::Collect {
        return taken_over(whole.what, 0, progress);
    }
    match duty_in(parts, progress)? {
        Duty::All => {
            for part in 0..parts.parts.len() {
                let result =
                    sum.part(part, &mut Alone { inner: &mut *progress, told: Vec::new() })?;
                sum.add(part, result)?;
            }
        }
        Duty::List | Duty::Later => return Err(Error::Cancelled),
        Duty::One(part) => {
            handed_over(parts.what, part, progress, &mut |progress| sum.part(part, progress))?;
            return Err(Error::Cancelled);
        }
        Duty::Try { parts: tried, goes_on } => {
            for part in tried {
                let mut one = |progress: &mut dyn Progress| sum.part(part, progress);
                let result = handed_over(parts.what, part, progress, &mut one)?;
                sum.add(part, result)?;
            }
            if !goes_on {
                return Err(Error::Cancelled);
            }
        }
        Duty::Collect => {
            for part in 0..parts.parts.len() {
                sum.add(part, taken_over(parts.what, part, progress)?)?;
            }
        }
    }
    match last {
        Duty::All => sum.whole(&mut Alone { inner: progress, told: Vec::new() }),
        Duty::One(_) | Duty::Try { goes_on: false, .. } => {
            handed_over(whole.what, 0, progress, &mut |progress| sum.whole(progress))?;
            Err(Error::Cancelled)
        }
        Duty::Try { goes_on: true, .. } => {
            handed_over(whole.what, 0, progress, &mut |progress| sum.whole(progress))
        }
        Duty::List | Duty::Later | Duty::Collect => Err(Error::Cancelled),
    }
}

/// The share of this process in `division`; all of it without a receiver.
fn duty_in(division: &Division, progress: &mut dyn Progress) -> Result<Duty> {
    progress.sharing().map_or(Ok(Duty::All), |sharing| sharing.duty(division))
}

/// The error for a result that cannot be kept.
fn not_kept(why: &str) -> Error {
    Error::Numerical { what: "keeping a part of a computation", why: why.to_string() }
}

/// Computes a part of the division `what` and hands it over, with its remarks.
fn handed_over<T: Serialize + DeserializeOwned>(
    what: &str,
    part: usize,
    progress: &mut dyn Progress,
    compute: &mut dyn FnMut(&mut dyn Progress) -> Result<T>,
) -> Result<T> {
    if let Some(sharing) = progress.sharing() {
        sharing.begin(what, part);
    }
    let mut alone = Alone { inner: &mut *progress, told: Vec::new() };
    let result = compute(&mut alone)?;
    let kept = Kept { notes: alone.told, result };
    let text = serde_json::to_string(&kept).map_err(|error| not_kept(&error.to_string()))?;
    // What cannot be read back, such as an infinite number, must fail here and not where parts are collected.
    serde_json::from_str::<Kept<T>>(&text).map_err(|error| not_kept(&error.to_string()))?;
    if let Some(sharing) = progress.sharing() {
        sharing.keep(what, part, text)?;
    }
    Ok(kept.result)
}

/// The result of a part that was kept. Its remarks go to `progress`.
fn taken_over<T: DeserializeOwned>(
    what: &str,
    part: usize,
    progress: &mut dyn Progress,
) -> Result<T> {
    let text =
        progress.sharing().map_or(Err(Error::Cancelled), |sharing| sharing.kept(what, part))?;
    let Kept { notes, result } = serde_json::from_str(&text).map_err(|error| Error::Numerical {
        what: "reading a part of a computation",
        why: error.to_string(),
    })?;
    for told in notes {
        match told {
            Told::Note(text) => progress::note(progress, text)?,
            Told::Detail(text) => progress::detail(progress, text)?,
        }
    }
    Ok(result)
}

/// A receiver that passes events on, but not the question whether to divide: for a part of a command that is not
/// divided although it calls one that is.
pub(crate) struct Whole<'a>(pub(crate) &'a mut dyn Progress);

impl Progress for Whole<'_> {
    fn report(&mut self, event: &Event) -> ControlFlow<()> {
        self.0.report(event)
    }
}

/// A receiver that passes events on, keeps remarks, and does not divide what is inside of a part.
struct Alone<'a> {
    inner: &'a mut dyn Progress,
    told: Vec<Told>,
}

impl Progress for Alone<'_> {
    fn report(&mut self, event: &Event) -> ControlFlow<()> {
        match event {
            Event::Note { text } => self.told.push(Told::Note(text.clone())),
            Event::Detail { text } => self.told.push(Told::Detail(text.clone())),
            _ => {}
        }
        self.inner.report(event)
    }
}
