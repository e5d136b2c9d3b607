//! Conditions on a column of `obs` that select cells: `batch==d1`, `day in 2,3`, `n_genes>=200`.

use crate::data::Column;
use crate::error::{Error, Result, nearest};

/// A condition on one column of `obs`.
///
/// ```
/// use sbcell::data::{Column, ObsFilter};
///
/// let filter = ObsFilter::parse("n_genes >= 200")?;
/// assert_eq!(filter.column(), "n_genes");
/// let n_genes = Column::Integers(vec![Some(150), Some(200), None]);
/// assert_eq!(filter.keep(&n_genes)?, [false, true, false]);
/// # sbcell::Result::Ok(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct ObsFilter {
    /// The filter as it was written, for messages.
    text: String,
    column: String,
    test: Test,
}

/// The condition on an entry.
#[derive(Debug, Clone, PartialEq)]
enum Test {
    /// It is equal to one of these values.
    OneOf(Vec<String>),
    /// It is not equal to this value.
    Not(String),
    /// It compares with this number.
    Compare(Comparison, f64),
}

/// The operator of a comparison with a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl ObsFilter {
    /// Parses `COL==VALUE`, `COL!=VALUE`, `COL in A,B,C`, or `<`, `<=`, `>`, `>=` with a number.
    ///
    /// Spaces around the operator do not matter. The column or a value may be in `"` or `'`; the
    /// text between the quotes is taken literally.
    ///
    /// # Errors
    /// [`Error::FilterSyntax`] if the text has no operator, one side of it is empty, a quote is not
    /// closed, or a comparison has no number.
    pub fn parse(text: &str) -> Result<Self> {
        let (column, test) = parse_parts(text)
            .map_err(|problem| Error::FilterSyntax { filter: text.to_string(), problem })?;
        Ok(Self { text: text.to_string(), column, test })
    }

    /// The name of the column.
    pub fn column(&self) -> &str {
        &self.column
    }

    /// Whether each cell satisfies the condition; a cell with a missing entry never does.
    ///
    /// Values are compared as text, or as numbers if both are numbers (`6` equals `6.0`). Truth
    /// values are compared without regard to case. Time `O(n log k)` for `k` distinct entries.
    ///
    /// # Errors
    /// [`Error::FilterValue`] if a value does not occur in the column, a comparison meets an entry
    /// that is not a number, or no cell satisfies the condition.
    pub fn keep(&self, column: &Column) -> Result<Vec<bool>> {
        let (cells, entries) = column.distinct();
        let entries: Vec<Entry> = entries.into_iter().map(|cell| Entry::of(column, cell)).collect();
        let kept: Vec<bool> = match &self.test {
            Test::OneOf(values) => {
                let places = self.find_all(values, &entries)?;
                (0..entries.len()).map(|i| places.contains(&i)).collect()
            }
            Test::Not(value) => {
                let places = self.find_all(std::slice::from_ref(value), &entries)?;
                (0..entries.len()).map(|i| !places.contains(&i)).collect()
            }
            Test::Compare(comparison, limit) => {
                let holds = |entry: &Entry| {
                    let number = entry
                        .number
                        .ok_or_else(|| self.misfit(format!("`{}` is not a number", entry.label)))?;
                    Ok(comparison.holds(number, *limit))
                };
                entries.iter().map(holds).collect::<Result<_>>()?
            }
        };
        if !kept.contains(&true) {
            return Err(self.misfit(format!("no cell is left; the column has {}", list(&entries))));
        }
        Ok(cells.into_iter().map(|entry| entry.is_some_and(|i| kept[i])).collect())
    }

    /// The positions of the entries that equal one of `values`; every value must occur.
    fn find_all(&self, values: &[String], entries: &[Entry]) -> Result<Vec<usize>> {
        let mut places = Vec::new();
        for value in values {
            let before = places.len();
            places.extend((0..entries.len()).filter(|&i| entries[i].is(value)));
            if places.len() == before {
                let labels: Vec<String> = entries.iter().map(|entry| entry.label.clone()).collect();
                return Err(Error::FilterValue {
                    filter: self.text.clone(),
                    problem: format!("there is no `{value}`; the column has {}", list(entries)),
                    near: nearest(value, &labels),
                });
            }
        }
        Ok(places)
    }

    /// An error with this filter and `problem`.
    fn misfit(&self, problem: String) -> Error {
        Error::FilterValue { filter: self.text.clone(), problem, near: Vec::new() }
    }
}

impl Comparison {
    /// Whether `number` compares with `limit` in this way.
    fn holds(self, number: f64, limit: f64) -> bool {
        match self {
            Self::Less => number < limit,
            Self::LessOrEqual => number <= limit,
            Self::Greater => number > limit,
            Self::GreaterOrEqual => number >= limit,
        }
    }
}

/// A distinct entry of a column.
struct Entry {
    label: String,
    /// The entry as a number, also if it is text.
    number: Option<f64>,
    is_bool: bool,
}

impl Entry {
    /// The entry of `cell`.
    fn of(column: &Column, cell: usize) -> Self {
        let label = column.label(cell).unwrap_or_default();
        let is_bool = match column {
            Column::Bools(_) => true,
            Column::Categories { categories, .. } => matches!(**categories, Column::Bools(_)),
            _ => false,
        };
        let number = column.number(cell).or_else(|| number_in(&label));
        Self { label, number, is_bool }
    }

    /// Whether the entry equals a value of the filter.
    fn is(&self, value: &str) -> bool {
        let same_number = |number: f64| {
            number_in(value).is_some_and(|value| (value + 0.0).total_cmp(&(number + 0.0)).is_eq())
        };
        self.label == value
            || (self.is_bool && self.label.eq_ignore_ascii_case(value))
            || self.number.is_some_and(same_number)
    }
}

/// The number that a text consists of, unless it is NaN.
fn number_in(text: &str) -> Option<f64> {
    text.trim().parse().ok().filter(|value: &f64| !value.is_nan())
}

/// At most twenty entries of a column for a message, numbers in increasing order.
fn list(entries: &[Entry]) -> String {
    if entries.is_empty() {
        return "only missing entries".into();
    }
    let mut sorted: Vec<&Entry> = entries.iter().collect();
    let key = |entry: &Entry| entry.number.unwrap_or(f64::INFINITY);
    sorted.sort_by(|a, b| key(a).total_cmp(&key(b)).then_with(|| a.label.cmp(&b.label)));
    let shown: Vec<String> =
        sorted.iter().take(20).map(|entry| format!("`{}`", entry.label)).collect();
    let rest = entries.len().saturating_sub(20);
    let more = if rest > 0 { format!(" and {rest} more") } else { String::new() };
    format!("{}{more}", shown.join(", "))
}

/// A result with a problem in words.
type Parsed<T> = std::result::Result<T, &'static str>;

/// The column and the condition of a filter.
fn parse_parts(text: &str) -> Parsed<(String, Test)> {
    let (column, operator, rest) = split_at_operator(text)?;
    if column.is_empty() {
        return Err("there is no column before the operator");
    }
    let test = match operator {
        "in" => Test::OneOf(values(rest)?),
        "==" => Test::OneOf(vec![value(rest)?]),
        "!=" => Test::Not(value(rest)?),
        _ => {
            let limit = number_in(&value(rest)?).ok_or("there is no number after the operator")?;
            let comparison = match operator {
                "<" => Comparison::Less,
                "<=" => Comparison::LessOrEqual,
                ">" => Comparison::Greater,
                _ => Comparison::GreaterOrEqual,
            };
            Test::Compare(comparison, limit)
        }
    };
    Ok((column, test))
}

/// The column, the first operator after it, and the rest of the text.
fn split_at_operator(text: &str) -> Parsed<(String, &'static str, &str)> {
    let text = text.trim_start();
    let quote = text.chars().next().filter(|c| ['"', '\''].contains(c));
    let (quoted, rest) = match quote {
        Some(quote) => {
            let (name, rest) = text[1..].split_once(quote).ok_or("a quote is not closed")?;
            (Some(name), rest)
        }
        None => (None, text),
    };
    let found = rest.char_indices().find_map(|(place, _)| {
        let here = &rest[place..];
        let word_in = here.trim_start().starts_with("in ") && here.starts_with(char::is_whitespace);
        let sign =
            ["==", "!=", "<=", ">=", "<", ">"].into_iter().find(|sign| here.starts_with(sign));
        sign.map(|sign| (place, sign, &here[sign.len()..]))
            .or_else(|| word_in.then(|| (place, "in", &here.trim_start()["in ".len()..])))
    });
    let Some((place, operator, after)) = found else {
        return Err(if rest.contains('=') {
            "`=` is not an operator; equality is `==`"
        } else {
            "there is no operator"
        });
    };
    let before = rest[..place].trim();
    match quoted {
        Some(_) if !before.is_empty() => Err("there is text between the column and the operator"),
        Some(name) => Ok((name.to_string(), operator, after)),
        None => Ok((before.to_string(), operator, after)),
    }
}

/// One value without its quotes; it may contain commas.
fn value(text: &str) -> Parsed<String> {
    let text = text.trim();
    let Some(quote) = text.chars().next().filter(|c| ['"', '\''].contains(c)) else {
        let refused = text.is_empty() || text.starts_with('=');
        return if refused {
            Err("there is no value after the operator")
        } else {
            Ok(text.to_string())
        };
    };
    let (inside, rest) = text[1..].split_once(quote).ok_or("a quote is not closed")?;
    if rest.is_empty() { Ok(inside.to_string()) } else { Err("there is text after a quote") }
}

/// Values separated by commas; commas within quotes do not separate.
fn values(text: &str) -> Parsed<Vec<String>> {
    let mut parts = vec![String::new()];
    let mut open = None;
    for c in text.chars() {
        let fresh = parts.last().is_some_and(|part| part.trim().is_empty());
        match open {
            Some(quote) if quote == c => open = None,
            None if fresh && ['"', '\''].contains(&c) => open = Some(c),
            _ => {}
        }
        if c == ',' && open.is_none() {
            parts.push(String::new());
        } else if let Some(part) = parts.last_mut() {
            part.push(c);
        }
    }
    parts.iter().map(|part| value(part)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(labels: &[Option<&str>]) -> Column {
        Column::Texts(labels.iter().map(|label| label.map(str::to_string)).collect())
    }

    fn keep(filter: &str, column: &Column) -> Vec<bool> {
        ObsFilter::parse(filter).unwrap().keep(column).unwrap()
    }

    fn problem(filter: &str, column: &Column) -> String {
        ObsFilter::parse(filter).unwrap().keep(column).unwrap_err().to_string()
    }

    #[test]
    fn keeps_by_text_and_never_the_missing() {
        let column = texts(&[Some("d1"), Some("d2"), None, Some("a, b")]);
        assert_eq!(keep("batch==d1", &column), [true, false, false, false]);
        assert_eq!(keep("batch != d1", &column), [false, true, false, true]);
        assert_eq!(keep("batch in d1, d2", &column), [true, true, false, false]);
        assert_eq!(keep("batch in d1,\"a, b\"", &column), [true, false, false, true]);
        assert_eq!(keep("batch == 'a, b'", &column), [false, false, false, true]);
        assert_eq!(keep("batch==a, b", &column), [false, false, false, true]);
    }

    #[test]
    fn keeps_by_number() {
        let column = Column::Floats(vec![1., 2., f64::NAN, 10.]);
        assert_eq!(keep("x<2", &column), [true, false, false, false]);
        assert_eq!(keep("x<=2", &column), [true, true, false, false]);
        assert_eq!(keep("x > 2", &column), [false, false, false, true]);
        assert_eq!(keep("x>= 2e0", &column), [false, true, false, true]);
        assert_eq!(keep("x==2", &column), [false, true, false, false]);
        assert_eq!(keep("x in 1,10", &column), [true, false, false, true]);
        assert_eq!(keep("x!=10", &column), [true, true, false, false]);
        let codes = vec![Some(1), Some(0), None];
        let categories = Box::new(texts(&[Some("0.0"), Some("12.0")]));
        assert_eq!(keep("x>5", &Column::Categories { codes, categories }), [true, false, false]);
        let truth = Column::Bools(vec![Some(true), Some(false), None]);
        assert_eq!(keep("x==true", &truth), [true, false, false]);
    }

    #[test]
    fn column_names_may_hold_spaces_and_operators() {
        let name = |text: &str| ObsFilter::parse(text).unwrap().column().to_string();
        assert_eq!(name("Time point == 3"), "Time point");
        assert_eq!(name("'born in' in a,b"), "born in");
        assert_eq!(name("\"a==b\"==c"), "a==b");
        assert_eq!(name("origin in a"), "origin");
        assert_eq!(name("zellgröße>3"), "zellgröße");
    }

    #[test]
    fn refuses_what_it_does_not_understand() {
        for (text, problem) in [
            ("batch", "no operator"),
            ("batch=d1", "`=` is not"),
            ("==d1", "no column"),
            ("batch==", "no value"),
            ("batch===d1", "no value"),
            ("batch in a,,b", "no value"),
            ("x<abc", "no number"),
            ("x<nan", "no number"),
            ("'x==1", "quote is not closed"),
            ("x=='1", "quote is not closed"),
            ("x=='1'2", "after a quote"),
            ("'x' y==1", "between the column"),
            ("", "no operator"),
        ] {
            let error = ObsFilter::parse(text).unwrap_err();
            assert!(error.to_string().contains(problem), "{text}: {error}");
            assert!(error.hint().is_some());
        }
    }

    #[test]
    fn says_which_values_there_are() {
        let column = texts(&[Some("d2"), Some("d1"), None]);
        assert!(problem("b==d3", &column).ends_with("there is no `d3`; the column has `d1`, `d2`"));
        assert!(problem("b!=d3", &column).contains("no `d3`"));
        assert!(problem("b in d1,d3", &column).contains("no `d3`"));
        assert!(problem("b<3", &column).contains("is not a number"));
        let numbers = Column::Integers(vec![Some(10), Some(9)]);
        assert!(problem("b>10", &numbers).ends_with("no cell is left; the column has `9`, `10`"));
        assert!(problem("b==1", &Column::Floats(vec![])).contains("only missing"));
    }
}
