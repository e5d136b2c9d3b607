//! Whether the labels of a column can be groups of cells.

use crate::error::{Error, Result};

/// Number of groups up to which any column is taken.
pub(crate) const MOST_GROUPS: usize = 50;

/// Refuses a column of groups with more than 50 labels that are numbers, or of which most belong to one cell: it is a
/// measurement, or has names of cells.
///
/// `numbers` are the distinct labels of the column `name` and its cells with a label. The error names the `likely`
/// columns.
///
/// ```
/// use sbcell::pipeline::check_labels;
///
/// let likely = ["cell_type".to_string()];
/// assert!(check_labels("leiden", [60, 5000], false, &likely).is_ok());
/// let error = check_labels("n_counts", [4200, 5000], true, &likely).unwrap_err();
/// assert!(error.to_string().contains("4200 different numbers; likely columns are cell_type"));
/// assert!(check_labels("barcode", [4900, 5000], false, &[]).is_err());
/// ```
///
/// # Errors
/// [`Error::Parameter`].
pub fn check_labels(
    name: &str,
    numbers: [usize; 2],
    is_numeric: bool,
    likely: &[String],
) -> Result<()> {
    let [n_labels, n_cells] = numbers;
    if n_labels <= MOST_GROUPS || !(is_numeric || 2 * n_labels > n_cells) {
        return Ok(());
    }
    let what = if is_numeric { "numbers" } else { "labels" };
    let others = if likely.is_empty() {
        String::new()
    } else {
        format!("; likely columns are {}", likely.join(", "))
    };
    let got = format!("`{name}` with {n_labels} different {what}{others}");
    Err(Error::Parameter { name: "groupby", must: "a column with groups of cells", got })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn measurements_and_names_of_cells_are_no_groups() {
        let fine = |numbers, is_numeric| check_labels("a", numbers, is_numeric, &[]).is_ok();
        assert!(fine([50, 60], true) && fine([50, 50], false));
        assert!(!fine([51, 9000], true) && fine([51, 9000], false));
        assert!(fine([60, 120], false) && !fine([61, 120], false));
    }
}
