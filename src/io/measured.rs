//! Tables of measured values that users provide: cells in rows, measured quantities in columns.

use std::collections::BTreeSet;
use std::path::Path;

use ndarray::Array2;

use crate::error::{Error, Result};
use crate::io::lists::records;

/// Measured values of cells. See [`read_measured`] for an example.
#[derive(Debug, Clone, PartialEq)]
pub struct MeasuredTable {
    /// Names of the cells.
    pub cells: Vec<String>,
    /// Names of the measured quantities, such as genes.
    pub columns: Vec<String>,
    /// Values, `(n_cells, n_columns)`, all finite.
    pub values: Array2<f64>,
}

/// Reads a table separated by tabs or commas: a header, then for each cell its name and a number in
/// every column. Names of cells may repeat, names of columns may not.
///
/// # Errors
/// [`Error::Io`] or [`Error::NoFile`] if the file cannot be read; [`Error::Unreadable`] for an entry that
/// is not a finite number (with its cell and column), a row of another length than the header, a
/// repeated column, or an empty table.
///
/// ```
/// # fn main() -> sbcell::Result<()> {
/// let folder = tempfile::tempdir().unwrap();
/// let path = folder.path().join("measured.csv");
/// std::fs::write(&path, "cell,Sox2,Klf4\nc1,0.5,1\nc2,2,0\n").unwrap();
/// let table = sbcell::io::measured::read_measured(&path)?;
/// assert_eq!(table.columns, ["Sox2", "Klf4"]);
/// assert_eq!(table.values[[1, 0]], 2.0);
/// # Ok(())
/// # }
/// ```
pub fn read_measured(path: &Path) -> Result<MeasuredTable> {
    let unreadable = |problem: String| Error::Unreadable {
        path: path.to_path_buf(),
        problem,
        way_out: Some(
            "the file needs a header and, for each cell, its name and a number in every column, \
             such as `cell,Sox2,Klf4`; cells of which other genes were measured go to another file"
                .into(),
        ),
    };
    let mut rows = records(path)?.into_iter();
    let header = rows.next().unwrap_or_default();
    let columns: Vec<String> = header.iter().skip(1).cloned().collect();
    let mut seen = BTreeSet::new();
    if let Some(twice) = columns.iter().find(|name| !seen.insert(name.as_str())) {
        return Err(unreadable(format!("the column `{twice}` occurs twice")));
    }
    let (mut cells, mut values) = (Vec::new(), Vec::new());
    for row in rows {
        if row.len() != header.len() {
            let (has, wants) = (row.len(), header.len());
            return Err(unreadable(format!("`{}` has {has} fields, the header {wants}", row[0])));
        }
        for (name, text) in columns.iter().zip(&row[1..]) {
            match text.parse::<f64>() {
                Ok(value) if value.is_finite() => values.push(value),
                _ => {
                    let problem = format!("`{text}` is no number, for `{}` in `{name}`", row[0]);
                    return Err(unreadable(problem));
                }
            }
        }
        cells.push(row[0].clone());
    }
    if columns.is_empty() || cells.is_empty() {
        return Err(unreadable("it contains no cell with a number".into()));
    }
    let values = Array2::from_shape_vec((cells.len(), columns.len()), values)
        .map_err(|error| unreadable(error.to_string()))?;
    Ok(MeasuredTable { cells, columns, values })
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    fn read(text: &str) -> Result<MeasuredTable> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cells.csv");
        std::fs::write(&path, text).unwrap();
        read_measured(&path)
    }

    #[test]
    fn names_and_numbers_are_read_from_commas_or_tabs() {
        let table = read("cell,Sox2,Klf4\na,1.5,0\nb,-2,3e-1\n").unwrap();
        assert_eq!(table.cells, ["a", "b"]);
        assert_eq!(table.columns, ["Sox2", "Klf4"]);
        assert_eq!(table.values, array![[1.5, 0.0], [-2.0, 0.3]]);
        assert_eq!(read("\tSox2\na\t1\n").unwrap().columns, ["Sox2"]);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, words) in [
            ("", "no cell"),
            ("cell,Sox2\n", "no cell"),
            ("cell\na\n", "no cell"),
            ("cell,Sox2,Sox2\na,1,2\n", "`Sox2` occurs twice"),
            ("cell,Sox2\na,high\n", "`high` is no number, for `a` in `Sox2`"),
            ("cell,Sox2\na,\n", "is no number"),
            ("cell,Sox2\na,inf\n", "is no number"),
            ("cell,Sox2\na,1,2\n", "`a` has 3 fields, the header 2"),
        ] {
            let said = read(text).unwrap_err().to_string();
            assert!(said.contains(words), "{said}");
        }
    }
}
