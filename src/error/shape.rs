//! Checks that arrays have the sizes that go together.

use ndarray::ArrayView2;

use crate::error::{Error, Result};

/// Refuses `what` unless it has as many `unit` as expected.
///
/// # Errors
/// [`Error::Shape`] with both numbers.
pub(crate) fn same(
    what: &'static str,
    unit: &'static str,
    expected: usize,
    got: usize,
) -> Result<()> {
    if expected == got { Ok(()) } else { Err(Error::Shape { what, unit, expected, got }) }
}

/// [`same`] for columns.
pub(crate) fn columns(what: &'static str, expected: usize, got: usize) -> Result<()> {
    same(what, "columns", expected, got)
}

/// [`same`] for rows.
pub(crate) fn rows(what: &'static str, expected: usize, got: usize) -> Result<()> {
    same(what, "rows", expected, got)
}

/// Refuses points `x` unless they are `(n, dim)`.
pub(crate) fn points(x: ArrayView2<'_, f64>, dim: usize) -> Result<()> {
    columns("x", dim, x.ncols())
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;

    #[test]
    fn a_wrong_size_is_named_with_both_numbers() {
        assert!(same("a plan", "times", 3, 3).is_ok() && rows("a plan", 0, 0).is_ok());
        let said = same("a plan", "times", 3, 2).unwrap_err().to_string();
        assert_eq!(said, "a plan has 2 times, expected 3");
        let x = Array2::zeros((4, 2));
        assert!(points(x.view(), 2).is_ok());
        assert_eq!(points(x.view(), 4).unwrap_err().to_string(), "x has 2 columns, expected 4");
    }
}
