//! One column of `obs`, in the type that it has in the file.

use std::collections::BTreeMap;

/// A column of annotation, with one entry per cell; missing entries are `None`, or NaN in floats.
///
/// ```
/// use sbcell::data::Column;
///
/// let column = Column::Categories {
///     codes: vec![Some(0), Some(1), None],
///     categories: Box::new(Column::Integers(vec![Some(6), Some(12)])),
/// };
/// assert_eq!(column.label(1).as_deref(), Some("12"));
/// assert_eq!(column.number(0), Some(6.0));
/// assert_eq!(column.label(2), None);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub enum Column {
    /// Floating-point numbers; a missing entry is NaN.
    Floats(Vec<f64>),
    /// Integers.
    Integers(Vec<Option<i64>>),
    /// Truth values.
    Bools(Vec<Option<bool>>),
    /// Strings.
    Texts(Vec<Option<String>>),
    /// A categorical column, as in pandas.
    Categories {
        /// For each cell the position of its category.
        codes: Vec<Option<u32>>,
        /// The categories, which are not categorical themselves.
        categories: Box<Column>,
    },
}

impl Column {
    /// Number of entries.
    pub fn len(&self) -> usize {
        match self {
            Self::Floats(values) => values.len(),
            Self::Integers(values) => values.len(),
            Self::Bools(values) => values.len(),
            Self::Texts(values) => values.len(),
            Self::Categories { codes, .. } => codes.len(),
        }
    }

    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Entry `i` as text in the notation of pandas (`6.0`, `True`); `None` if missing or out of range.
    pub fn label(&self, i: usize) -> Option<String> {
        match self {
            Self::Floats(values) => {
                values.get(i).filter(|value| !value.is_nan()).map(|value| format!("{value:?}"))
            }
            Self::Integers(values) => values.get(i)?.map(|value| value.to_string()),
            Self::Bools(values) => {
                values.get(i)?.map(|value| if value { "True" } else { "False" }.to_string())
            }
            Self::Texts(values) => values.get(i)?.clone(),
            Self::Categories { codes, categories } => {
                (*codes.get(i)?).and_then(|code| categories.label(code as usize))
            }
        }
    }

    /// Entry `i` as a number; `None` for text, truth values, and missing entries.
    pub fn number(&self, i: usize) -> Option<f64> {
        match self {
            Self::Floats(values) => values.get(i).copied().filter(|value| !value.is_nan()),
            Self::Integers(values) => values.get(i)?.map(|value| value as f64),
            Self::Bools(_) | Self::Texts(_) => None,
            Self::Categories { codes, categories } => {
                (*codes.get(i)?).and_then(|code| categories.number(code as usize))
            }
        }
    }

    /// Whether the entries (or the categories) are numbers.
    pub fn is_numeric(&self) -> bool {
        match self {
            Self::Floats(_) | Self::Integers(_) => true,
            Self::Bools(_) | Self::Texts(_) => false,
            Self::Categories { categories, .. } => categories.is_numeric(),
        }
    }

    /// The entries `rows`, in that order; an entry out of range is missing.
    #[must_use]
    pub fn select(&self, rows: &[usize]) -> Self {
        fn pick<T: Clone>(values: &[Option<T>], rows: &[usize]) -> Vec<Option<T>> {
            rows.iter().map(|&row| values.get(row).cloned().flatten()).collect()
        }
        match self {
            Self::Floats(values) => Self::Floats(
                rows.iter().map(|&row| values.get(row).copied().unwrap_or(f64::NAN)).collect(),
            ),
            Self::Integers(values) => Self::Integers(pick(values, rows)),
            Self::Bools(values) => Self::Bools(pick(values, rows)),
            Self::Texts(values) => Self::Texts(pick(values, rows)),
            Self::Categories { codes, categories } => {
                Self::Categories { codes: pick(codes, rows), categories: categories.clone() }
            }
        }
    }

    /// The distinct labels with their numbers of cells, sorted by label, without missing entries.
    pub fn counts(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for label in (0..self.len()).filter_map(|i| self.label(i)) {
            *counts.entry(label).or_insert(0) += 1;
        }
        counts
    }

    /// Numbers the distinct entries from 0 in order of appearance.
    ///
    /// Returns the number of each cell's entry (`None` if missing), and the first cell of each
    /// distinct entry. Time `O(n log k)` for `k` distinct entries.
    pub fn distinct(&self) -> (Vec<Option<usize>>, Vec<usize>) {
        match self {
            Self::Floats(values) => {
                number_entries(values.iter().map(|v| (!v.is_nan()).then(|| v.to_bits())))
            }
            Self::Integers(values) => number_entries(values.iter().copied()),
            Self::Bools(values) => number_entries(values.iter().copied()),
            Self::Texts(values) => number_entries(values.iter().map(Option::as_ref)),
            Self::Categories { codes, categories } => {
                let known: Vec<bool> =
                    (0..categories.len()).map(|code| categories.label(code).is_some()).collect();
                number_entries(codes.iter().map(|code| {
                    code.filter(|&code| known.get(code as usize).is_some_and(|known| *known))
                }))
            }
        }
    }
}

/// The double-precision number of the shortest decimal that reads as `value` in single precision.
///
/// A plain conversion would turn 0.3 into 0.30000001192092896.
pub(crate) fn shortest_of_single(value: f32) -> f64 {
    // Display writes the shortest decimal that is read back as the same number.
    value.to_string().parse().unwrap_or(f64::from(value))
}

/// The work of [`Column::distinct`] for one type of entries.
fn number_entries<K: Ord>(
    entries: impl Iterator<Item = Option<K>>,
) -> (Vec<Option<usize>>, Vec<usize>) {
    let mut numbers = BTreeMap::new();
    let mut first_cells = Vec::new();
    let of_cells = entries
        .enumerate()
        .map(|(cell, entry)| {
            entry.map(|entry| {
                *numbers.entry(entry).or_insert_with(|| {
                    first_cells.push(cell);
                    first_cells.len() - 1
                })
            })
        })
        .collect();
    (of_cells, first_cells)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_of_single_precision_are_those_that_were_written() {
        for text in ["0.3", "-0.7", "0.1", "16777216", "1e-7", "3.4028235e38", "-0", "inf"] {
            let stored: f32 = text.parse().unwrap();
            let written: f64 = text.parse().unwrap();
            assert_eq!(shortest_of_single(stored).to_bits(), written.to_bits(), "{text}");
        }
        assert!(shortest_of_single(f32::NAN).is_nan());
    }

    #[test]
    fn distinct_entries_are_numbered_as_they_appear() {
        let floats = Column::Floats(vec![2.0, f64::NAN, 1.0, 2.0]);
        assert_eq!(floats.distinct(), (vec![Some(0), None, Some(1), Some(0)], vec![0, 2]));
        let bools = Column::Bools(vec![None, Some(true)]);
        assert_eq!(bools.distinct(), (vec![None, Some(0)], vec![1]));
        let text = |label: &str| Some(label.to_string());
        let categories = Box::new(Column::Texts(vec![text("a"), None, text("b")]));
        let codes = vec![Some(2), Some(1), Some(9), None, Some(0), Some(2)];
        let column = Column::Categories { codes, categories };
        let numbers = vec![Some(0), None, None, None, Some(1), Some(0)];
        assert_eq!(column.distinct(), (numbers, vec![0, 4]));
    }
}
