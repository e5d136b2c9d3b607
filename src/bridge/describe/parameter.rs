//! A parameter of a solver: what it is called, what it may be, and the field that it sets.

use crate::bridge::Choice;
use crate::error::{Error, Result};

/// What is said of a parameter. In all texts `{name}` stands for the parameter of that name, however it
/// is set where the text is read.
#[derive(Debug, Clone, Copy)]
pub struct About {
    /// The name, as in errors.
    pub name: &'static str,
    /// One sentence.
    pub help: &'static str,
    /// More to read; empty if that is all.
    pub more: &'static str,
    /// What it may be.
    pub kind: Kind,
    /// What stands for a value in help.
    pub placeholder: &'static str,
    /// Parameters with the same word are shown together; empty for those of solvers in general.
    pub group: &'static str,
    /// Whether one default holds for all solvers that know the parameter, and is shown.
    pub shows_default: bool,
    /// A value that may be given to solvers that do not know the parameter, as it is what they do.
    pub neutral: Option<&'static str>,
}

impl About {
    /// A parameter with nothing more to read, whose default is that of the solver.
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

    /// With another word for a value.
    #[must_use]
    pub const fn value(self, placeholder: &'static str) -> Self {
        Self { placeholder, ..self }
    }

    /// As one of a group.
    #[must_use]
    pub const fn of(self, group: &'static str) -> Self {
        Self { group, ..self }
    }

    /// With the default shown.
    #[must_use]
    pub const fn with_default(self) -> Self {
        Self { shows_default: true, ..self }
    }
}

/// What a parameter may be. Ranges are checked by the solver.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// A number of things that are held in memory or repeated; more than `most` is a typing error.
    Count {
        /// The most that can be meant.
        most: usize,
    },
    /// A number of things, or `auto`.
    CountOrAuto,
    /// Any number.
    Number {
        /// Whether it may be typed with a minus sign.
        signed: bool,
    },
    /// One of these words.
    OneOf(fn() -> Vec<Word>),
}

impl Kind {
    /// A number of things, as large as it gets.
    pub const ANY_COUNT: Self = Self::Count { most: usize::MAX };
}

/// A word that a parameter may be, and what it means; nothing where the word says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Word {
    /// The word.
    pub name: &'static str,
    /// What it means.
    pub about: &'static str,
}

/// A value of a parameter.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// To be found from the data.
    Auto,
    /// A number of things.
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

/// A parameter with the field of the solver `S` that it is.
#[derive(Debug)]
pub struct Parameter<S: 'static> {
    /// What is said of it.
    pub about: &'static About,
    /// What is to be said of it for this solver alone; may be empty.
    pub own: &'static str,
    /// The value, if it has one.
    pub get: fn(&S) -> Option<Value>,
    /// Sets the value.
    pub set: fn(&mut S, &Value) -> Result<()>,
}

/// `parameter!(ABOUT, field)`: the parameter that is a field of a solver.
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

/// A type that a field of a solver may have.
pub trait Field {
    /// What it is, if it is given.
    fn value(&self) -> Option<Value>;

    /// Sets it.
    ///
    /// # Errors
    /// [`Error::Parameter`] by `name` for a value of another kind.
    fn put(&mut self, name: &'static str, value: &Value) -> Result<()>;
}

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

/// An enum whose variants have words.
pub trait Worded: Copy + PartialEq + 'static {
    /// The variants with their words and what these mean.
    const WORDS: &'static [(Self, Word)];

    /// The words.
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

/// Iterations, for solvers that have some.
pub const MAX_ITERATIONS: About = About::new(
    "max_iterations",
    Kind::ANY_COUNT,
    "Iterations at most; a bridge that needs more is kept and marked [default: by solver]",
);

/// When to stop, for solvers that approach an optimum.
pub const TOLERANCE: About = About::new(
    "tolerance",
    Kind::Number { signed: false },
    "When to stop, in the unit of the solver [default: by solver]",
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
