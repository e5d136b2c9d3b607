//! Division of a long computation into parts that separate processes do.
//!
//! A command that can be divided calls `divided` once, with the number of its parts and a function that
//! computes some of them. Alone, it computes all. A receiver of progress with [`Progress::sharing`] may instead
//! list the parts, have one of them computed and kept, or hand over those that others have kept. The code before
//! and after is the same in all four cases, so that the results are the same bytes.

use std::ops::{ControlFlow, Range};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::progress::{self, Event, Progress};

/// The share of a process in a computation that was divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Duty {
    /// Computes all parts.
    All,
    /// Computes this part, hands it over, and stops.
    One(usize),
    /// Takes the parts that others have computed.
    Collect,
    /// Stops before the first part, since only their number was asked for.
    List,
}

/// The parts of a computation, before any of them is computed.
#[derive(Debug, Clone, PartialEq)]
pub struct Division {
    /// Name of the work, such as `held-out times`.
    pub what: &'static str,
    /// Name of each part, in order.
    pub parts: Vec<String>,
    /// Work of each part relative to the others, such as the number of pairs of cells; greater than 0.
    pub work: Vec<f64>,
}

impl Division {
    /// Parts of equal work.
    pub fn even(what: &'static str, parts: Vec<String>) -> Self {
        let work = vec![1.0; parts.len()];
        Self { what, parts, work }
    }

    /// The part with the most work, the first of several; `None` without parts.
    ///
    /// ```
    /// use sbcell::share::Division;
    /// let parts = vec!["0 → 6".into(), "6 → 12".into()];
    /// assert_eq!(Division { work: vec![1.0, 4.0], ..Division::even("intervals", parts) }.largest(), Some(1));
    /// ```
    pub fn largest(&self) -> Option<usize> {
        (0..self.parts.len()).rev().max_by(|&a, &b| self.work[a].total_cmp(&self.work[b]))
    }
}

/// Stands between a divided computation and the files that hold its parts.
///
/// ```
/// use std::ops::ControlFlow;
/// use sbcell::progress::{Event, Progress};
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
///     fn keep(&mut self, _part: usize, _text: String) -> sbcell::Result<()> {
///         Ok(())
///     }
///     fn kept(&mut self, _part: usize) -> sbcell::Result<String> {
///         Ok(String::new())
///     }
/// }
/// ```
pub trait Sharing: std::fmt::Debug + Send {
    /// The share of this process in the computation.
    ///
    /// # Errors
    /// Those of the receiver, such as parts that do not belong to its plan.
    fn duty(&mut self, division: &Division) -> Result<Duty>;

    /// Keeps the result of a part, as JSON.
    ///
    /// # Errors
    /// Those of writing.
    fn keep(&mut self, part: usize, text: String) -> Result<()>;

    /// The result of a part that was kept.
    ///
    /// # Errors
    /// Those of reading.
    fn kept(&mut self, part: usize) -> Result<String>;
}

/// The result of one part, with what it told.
#[derive(Debug, Serialize, Deserialize)]
struct Kept<T> {
    notes: Vec<Told>,
    result: T,
}

/// Numbers of a result, in JSON `null` where they are not finite. Those are NaN when they are read again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Numbers(Vec<Option<f64>>);

impl FromIterator<f64> for Numbers {
    fn from_iter<I: IntoIterator<Item = f64>>(values: I) -> Self {
        Self(
            values.into_iter().map(|value| Some(value).filter(|value| value.is_finite())).collect(),
        )
    }
}

impl IntoIterator for Numbers {
    type Item = f64;
    type IntoIter = std::iter::Map<std::vec::IntoIter<Option<f64>>, fn(Option<f64>) -> f64>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter().map(|value| value.unwrap_or(f64::NAN))
    }
}

/// A remark of a part that the record of the run contains.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum Told {
    Note(String),
    Detail(String),
}

/// A function that computes the parts of a range.
type Compute<'c, T> = dyn FnMut(Range<usize>, &mut dyn Progress) -> Result<Vec<T>> + 'c;

/// The results of all parts of `division`, in order. `compute` returns those of a range of parts.
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
    let duty = progress.sharing().map_or(Ok(Duty::All), |sharing| sharing.duty(division))?;
    let n = division.parts.len();
    match duty {
        Duty::All => compute(0..n, &mut Alone { inner: progress, told: Vec::new() }),
        Duty::List => Err(Error::Cancelled),
        Duty::One(part) => {
            let mut alone = Alone { inner: &mut *progress, told: Vec::new() };
            let results = compute(part..part + 1, &mut alone)?;
            let notes = alone.told;
            let what = "keeping a part of a computation";
            let wrong = |why: String| Error::Numerical { what, why };
            let [result] = <[T; 1]>::try_from(results)
                .map_err(|all| wrong(format!("{} results of one part", all.len())))?;
            let text = serde_json::to_string(&Kept { notes, result })
                .map_err(|error| wrong(error.to_string()))?;
            // What cannot be read back, such as an infinite number, must fail here and not where parts are collected.
            serde_json::from_str::<Kept<T>>(&text).map_err(|error| wrong(error.to_string()))?;
            if let Some(sharing) = progress.sharing() {
                sharing.keep(part, text)?;
            }
            Err(Error::Cancelled)
        }
        Duty::Collect => (0..n).map(|part| taken_over(part, progress)).collect(),
    }
}

/// The result of a part that was kept. Its remarks go to `progress`.
fn taken_over<T: DeserializeOwned>(part: usize, progress: &mut dyn Progress) -> Result<T> {
    let text = progress.sharing().map_or(Err(Error::Cancelled), |sharing| sharing.kept(part))?;
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// Keeps parts in memory, and notes.
    #[derive(Debug)]
    struct Memory {
        duty: Duty,
        kept: BTreeMap<usize, String>,
        notes: Vec<String>,
    }

    impl Memory {
        fn new(duty: Duty) -> Self {
            Self { duty, kept: BTreeMap::new(), notes: Vec::new() }
        }
    }

    impl Sharing for Memory {
        fn duty(&mut self, _division: &Division) -> Result<Duty> {
            Ok(self.duty)
        }
        fn keep(&mut self, part: usize, text: String) -> Result<()> {
            self.kept.insert(part, text);
            Ok(())
        }
        fn kept(&mut self, part: usize) -> Result<String> {
            Ok(self.kept[&part].clone())
        }
    }

    impl Progress for Memory {
        fn report(&mut self, event: &Event) -> ControlFlow<()> {
            if let Event::Note { text } | Event::Detail { text } = event {
                self.notes.push(text.clone());
            }
            ControlFlow::Continue(())
        }
        fn sharing(&mut self) -> Option<&mut dyn Sharing> {
            Some(self)
        }
    }

    fn thirds(progress: &mut dyn Progress) -> Result<Vec<f64>> {
        let parts = (0..4).map(|k| k.to_string()).collect();
        divided(&Division::even("thirds", parts), progress, &mut |range, progress| {
            range
                .map(|k| {
                    progress::note(progress, format!("part {k}"))?;
                    // Inside of a part, nothing is divided.
                    assert!(progress.sharing().is_none());
                    Ok(k as f64 / 3.0)
                })
                .collect()
        })
    }

    #[test]
    fn parts_of_several_processes_are_those_of_one() {
        let mut whole = Memory::new(Duty::All);
        let expected = thirds(&mut whole).unwrap();
        assert_eq!(expected.len(), 4);
        let mut collecting = Memory::new(Duty::Collect);
        for part in [3, 0, 2, 1] {
            let mut one = Memory::new(Duty::One(part));
            assert!(matches!(thirds(&mut one), Err(Error::Cancelled)));
            assert_eq!(one.notes, [format!("part {part}")]);
            collecting.kept.append(&mut one.kept);
        }
        let bits = |of: &[f64]| of.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&thirds(&mut collecting).unwrap()), bits(&expected));
        assert_eq!(collecting.notes, whole.notes);
    }

    #[test]
    fn numbers_are_the_same_bits_again_and_missing_ones_stay_missing() {
        let values = [0.1 + 0.2, f64::NAN, -1e-320, 5.0, 1.0 / 3.0];
        let text = serde_json::to_string(&values.into_iter().collect::<Numbers>()).unwrap();
        let read: Vec<f64> = serde_json::from_str::<Numbers>(&text).unwrap().into_iter().collect();
        let same = |(a, b): (&f64, &f64)| a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan());
        assert!(values.iter().zip(&read).all(same), "{text}");
    }

    #[test]
    fn a_list_computes_nothing_and_an_infinite_result_is_refused_where_it_is_made() {
        let mut list = Memory::new(Duty::List);
        assert!(matches!(thirds(&mut list), Err(Error::Cancelled)));
        assert!(list.notes.is_empty());
        let mut one = Memory::new(Duty::One(0));
        let division = Division::even("numbers", vec!["0".into()]);
        let found = divided(&division, &mut one, &mut |_, _| Ok(vec![f64::INFINITY]));
        assert!(matches!(found, Err(Error::Numerical { .. })));
        assert!(one.kept.is_empty());
    }
}
