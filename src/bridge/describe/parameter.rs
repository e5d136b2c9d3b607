//! A parameter of a solver: its texts, its values, and the field that it sets.

use crate::bridge::Choice;
use crate::error::{Error, Result};

/// The name and texts of a parameter. In all texts `{name}` stands for the parameter of this name,
/// in the form in which the reader sets it.
///
/// ```
/// use sbcell::bridge::describe::{About, Kind};
///
/// const N_TREES: About =
///     About::new("n_trees", Kind::Count { most: 1000 }, "Number of trees").value("N").with_default();
/// assert_eq!((N_TREES.name, N_TREES.shows_default), ("n_trees", true));
/// ```
#[derive(Debug, Clone, Copy)]
pub struct About {
    /// The name, as in error messages.
    pub name: &'static str,
    /// One sentence.
    pub help: &'static str,
    /// Further sentences; may be empty.
    pub more: &'static str,
    /// The kind of value.
    pub kind: Kind,
    /// The word for a value in the help.
    pub placeholder: &'static str,
    /// Parameters with the same group are shown together; empty for parameters of solvers in
    /// general.
    pub group: &'static str,
    /// Whether the help shows the default. Only for parameters with the same default in all solvers
    /// that have them.
    pub shows_default: bool,
    /// A value that is accepted for a solver without this parameter, because the solver behaves as
    /// if it were set.
    pub neutral: Option<&'static str>,
}

impl About {
    /// A parameter with one sentence of help. Its default is that of the solver and is not shown.
    #[must_use]
    pub const fn new(name: &'static str, kind: Kind, help: &'static str) -> Self {
        Self {
            name,
            help,
            more: "",
            kind,
            placeholder: "N",
            group: "",
            shows_default: false,
            neutral: None,
        }
    }

    /// The same with another word for a value.
    #[must_use]
    pub const fn value(self, placeholder: &'static str) -> Self {
        Self { placeholder, ..self }
    }

    /// The same as part of a group.
    #[must_use]
    pub const fn of(self, group: &'static str) -> Self {
        Self { group, ..self }
    }

    /// The same with the default shown.
    #[must_use]
    pub const fn with_default(self) -> Self {
        Self { shows_default: true, ..self }
    }
}

/// The kind of value of a parameter. The solver itself checks the range.
///
/// ```
/// use sbcell::bridge::describe::Kind;
///
/// assert!(matches!(Kind::ANY_COUNT, Kind::Count { most: usize::MAX }));
/// ```
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// A number of items that are stored or repeated. A number above `most` is a typing error.
    Count {
        /// The largest plausible number.
        most: usize,
    },
    /// A number of items, or `auto`.
    CountOrAuto,
    /// Any number.
    Number {
        /// Whether the number may be negative.
        signed: bool,
    },
    /// One of these words.
    OneOf(fn() -> Vec<Word>),
}

impl Kind {
    /// A number of items without a limit.
    pub const ANY_COUNT: Self = Self::Count { most: usize::MAX };
}

/// A word that a parameter accepts, and its meaning. The meaning is empty if the word is clear by
/// itself.
///
/// ```
/// use sbcell::bridge::Mass;
/// use sbcell::bridge::describe::Worded;
///
/// let words: Vec<_> = Mass::words().iter().map(|word| word.name).collect();
/// assert!(words.contains(&"kept") && words.contains(&"relaxed"));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Word {
    /// The word.
    pub name: &'static str,
    /// The meaning of the word.
    pub about: &'static str,
}

/// A value of a parameter.
///
/// ```
/// use sbcell::bridge::describe::Value;
///
/// assert_eq!(Value::Auto.to_string(), "auto");
/// assert_eq!(Value::Count(3).to_string(), "3");
/// ```
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Choose the value by the data.
    Auto,
    /// A number of items.
    Count(usize),
    /// A number.
    Number(f64),
    /// A word.
    Word(String),
}

impl std::fmt::Display for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Count(count) => count.fmt(f),
            Self::Number(number) => number.fmt(f),
            Self::Word(word) => f.write_str(word),
        }
    }
}

/// A parameter with access to the field of the solver `S` that it sets.
///
/// ```
/// use sbcell::bridge::OuSolver;
/// use sbcell::bridge::describe::{About, Field, Kind, Parameter};
///
/// const PULL: About = About::new("pull", Kind::Number { signed: true }, "The pull");
/// let pull: Parameter<OuSolver> = Parameter {
///     about: &PULL,
///     own: "",
///     get: |solver| solver.pull.value(),
///     set: |solver, value| solver.pull.put(PULL.name, value),
/// };
/// assert_eq!(pull.about.name, "pull");
/// ```
#[derive(Debug)]
pub struct Parameter<S: 'static> {
    /// Name and texts.
    pub about: &'static About,
    /// A remark for this solver alone; may be empty.
    pub own: &'static str,
    /// Reads the value; `None` if there is none.
    pub get: fn(&S) -> Option<Value>,
    /// Sets the value. Fails for a value of another kind.
    pub set: fn(&mut S, &Value) -> Result<()>,
}

/// `parameter!(ABOUT, field)`: a [`Parameter`] that is one field of a solver. `parameter!(ABOUT,
/// field, "remark")` adds a remark for this solver.
macro_rules! parameter {
    ($about:expr, $($field:ident).+ $(,)?) => {
        $crate::bridge::describe::parameter!($about, $($field).+, "")
    };
    ($about:expr, $($field:ident).+, $own:expr $(,)?) => {
        $crate::bridge::describe::Parameter {
            about: &$about,
            own: $own,
            get: |solver| $crate::bridge::describe::Field::value(&solver.$($field).+),
            set: |solver, value| {
                $crate::bridge::describe::Field::put(&mut solver.$($field).+, $about.name, value)
            },
        }
    };
}
pub(crate) use parameter;

/// A type of a solver's field that can be a parameter.
///
/// ```
/// use sbcell::bridge::describe::{Field, Value};
///
/// # fn main() -> sbcell::Result<()> {
/// let mut tolerance = 0.1_f64;
/// tolerance.put("tolerance", &Value::Number(0.5))?;
/// assert_eq!(tolerance.value(), Some(Value::Number(0.5)));
/// assert!(tolerance.put("tolerance", &Value::Auto).is_err());
/// # Ok(())
/// # }
/// ```
pub trait Field {
    /// The value, if there is one.
    fn value(&self) -> Option<Value>;

    /// Sets the value. `name` is the name of the parameter for the error.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a value of another kind.
    fn put(&mut self, name: &'static str, value: &Value) -> Result<()>;
}

/// The error for a value of another kind.
fn refused<T>(name: &'static str, must: &'static str, value: &Value) -> Result<T> {
    Err(Error::Parameter { name, must, got: value.to_string() })
}

impl Field for usize {
    fn value(&self) -> Option<Value> {
        Some(Value::Count(*self))
    }

    fn put(&mut self, name: &'static str, value: &Value) -> Result<()> {
        let &Value::Count(count) = value else { return refused(name, "a whole number", value) };
        *self = count;
        Ok(())
    }
}

impl Field for f64 {
    fn value(&self) -> Option<Value> {
        Some(Value::Number(*self))
    }

    fn put(&mut self, name: &'static str, value: &Value) -> Result<()> {
        let &Value::Number(number) = value else { return refused(name, "a number", value) };
        *self = number;
        Ok(())
    }
}

impl Field for Option<f64> {
    fn value(&self) -> Option<Value> {
        self.map(Value::Number)
    }

    fn put(&mut self, name: &'static str, value: &Value) -> Result<()> {
        let &Value::Number(number) = value else { return refused(name, "a number", value) };
        *self = Some(number);
        Ok(())
    }
}

impl Field for Choice<usize> {
    fn value(&self) -> Option<Value> {
        Some(match self {
            Self::Auto => Value::Auto,
            Self::Is(count) => Value::Count(*count),
        })
    }

    fn put(&mut self, name: &'static str, value: &Value) -> Result<()> {
        *self = match value {
            Value::Auto => Self::Auto,
            Value::Count(count) => Self::Is(*count),
            Value::Number(_) | Value::Word(_) => {
                return refused(name, "a whole number, or `auto`", value);
            }
        };
        Ok(())
    }
}

/// An enum whose variants have words on the command line. It is a [`Field`] by this trait. See
/// [`Word`] for an example.
pub trait Worded: Copy + PartialEq + 'static {
    /// The variants with their words.
    const WORDS: &'static [(Self, Word)];

    /// The words, in the order of [`Worded::WORDS`].
    fn words() -> Vec<Word> {
        Self::WORDS.iter().map(|entry| entry.1).collect()
    }
}

impl<T: Worded> Field for T {
    fn value(&self) -> Option<Value> {
        let entry = T::WORDS.iter().find(|entry| entry.0 == *self)?;
        Some(Value::Word(entry.1.name.into()))
    }

    fn put(&mut self, name: &'static str, value: &Value) -> Result<()> {
        let text = value.to_string();
        match T::WORDS.iter().find(|entry| entry.1.name == text) {
            Some(entry) => {
                *self = entry.0;
                Ok(())
            }
            None => refused(name, "one of its words", value),
        }
    }
}

/// The limit of iterations, for solvers that iterate.
pub const MAX_ITERATIONS: About = About::new(
    "max_iterations",
    Kind::ANY_COUNT,
    "Largest number of iterations; a bridge that needs more is kept and marked [default: by solver]",
);

/// The stopping criterion, for solvers that approach an optimum.
pub const TOLERANCE: About = About::new(
    "tolerance",
    Kind::Number { signed: false },
    "Stopping criterion, in the unit of the solver [default: by solver]",
)
.value("T");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_take_values_of_their_kind_and_no_other() {
        let (mut count, mut number, mut price) = (1_usize, 1.0_f64, None::<f64>);
        count.put("n", &Value::Count(7)).unwrap();
        number.put("x", &Value::Number(0.1)).unwrap();
        assert!(price.value().is_none());
        price.put("price", &Value::Number(2.0)).unwrap();
        assert_eq!((count, number, price), (7, 0.1, Some(2.0)));
        let error = count.put("n", &Value::Number(7.0)).unwrap_err().to_string();
        assert_eq!(error, "the parameter `n` must be a whole number, got 7");
        assert!(number.put("x", &Value::Auto).is_err());
        assert!(price.put("price", &Value::Word("much".into())).is_err());
        let mut some = Choice::Is(3_usize);
        some.put("k", &Value::Auto).unwrap();
        assert_eq!(some.value(), Some(Value::Auto));
        assert!(some.put("k", &Value::Number(1.0)).is_err());
    }
}
