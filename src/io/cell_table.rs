//! Tables with one row for each cell: names in the first column, numbers or text in the others.

use std::collections::BTreeSet;
use std::path::Path;

use crate::data::Column;
use crate::error::{Error, Result};
use crate::io::table::{self, Cells, TableFormat};
use crate::io::text;

/// A table with one row for each cell.
///
/// ```
/// use sbcell::{data::Column, io::cell_table::CellTable};
/// # fn main() -> sbcell::Result<()> {
/// let folder = tempfile::tempdir().unwrap();
/// let path = folder.path().join("cells.csv");
/// std::fs::write(&path, "cell,type,score\nc1,stem,0.5\nc2,neuron,1.5\n").unwrap();
/// let table = CellTable::read(&path)?;
/// assert_eq!(table.cells, ["c1", "c2"]);
/// assert_eq!(table.columns[1], ("score".to_string(), Column::Floats(vec![0.5, 1.5])));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct CellTable {
    /// Names of the cells, each once.
    pub cells: Vec<String>,
    /// Name and values of the other columns, in order.
    pub columns: Vec<(String, Column)>,
}

impl CellTable {
    /// Reads a `.parquet` table, or a text table of any other suffix, separated by tabs if the first
    /// line contains one and by commas otherwise.
    ///
    /// The table has a header. The first column contains the names of the cells and may have any name.
    /// A column has the type integer if every entry is an integer, and floating-point if every entry
    /// is a number, empty, `NA`, `nan` or `None`; otherwise it is text.
    ///
    /// # Errors
    /// [`Error::Io`] or [`Error::NoFile`] if the file cannot be read; [`Error::Unreadable`] if it has no
    /// second column or no row, if a row has another length than the header, or if a cell or a column
    /// occurs twice.
    pub fn read(path: &Path) -> Result<Self> {
        let found = match TableFormat::of_suffix(path) {
            Some(TableFormat::Parquet) => of_parquet(path)?,
            _ => of_text(path)?,
        };
        let unreadable = |problem: String| {
            let path = path.to_path_buf();
            let way_out =
                "the first line must name the columns, and the first column the cells".to_string();
            Err(Error::Unreadable { path, problem, way_out: Some(way_out) })
        };
        if found.cells.is_empty() || found.columns.is_empty() {
            return unreadable("it has no column of values, or no row".into());
        }
        let mut seen = BTreeSet::new();
        if let Some(twice) = found.cells.iter().find(|cell| !seen.insert(*cell)) {
            return unreadable(format!("the cell `{twice}` occurs twice"));
        }
        let mut seen = BTreeSet::new();
        if let Some(twice) = found.columns.iter().map(|c| &c.0).find(|name| !seen.insert(*name)) {
            return unreadable(format!("there are two columns `{twice}`"));
        }
        Ok(found)
    }
}

/// Reads a parquet table. Empty strings are missing values.
fn of_parquet(path: &Path) -> Result<CellTable> {
    let table = table::read_parquet(path)?;
    let names = table.names();
    let mut columns = names.iter().filter_map(|name| Some((name.clone(), table.column(name)?)));
    let cells = match columns.next() {
        Some((_, cells)) => (0..table.n_rows()).map(|row| cells.text(row)).collect(),
        None => Vec::new(),
    };
    let column = |cells: &Cells| match cells {
        Cells::Floats(values) => Column::Floats(values.clone()),
        Cells::Integers(values) => Column::Integers(values.iter().copied().map(Some).collect()),
        Cells::Texts(values) => Column::Texts(
            values.iter().map(|text| Some(text.clone()).filter(|text| !text.is_empty())).collect(),
        ),
    };
    Ok(CellTable { cells, columns: columns.map(|(name, cells)| (name, column(cells))).collect() })
}

/// Reads a text table with a header.
fn of_text(path: &Path) -> Result<CellTable> {
    let mut columns = text::columns(path, None)?.into_iter();
    let cells = columns.next().map(|column| column.1).unwrap_or_default();
    Ok(CellTable { cells, columns: columns.map(|(name, e)| (name, typed(e))).collect() })
}

/// The column of the narrowest type that holds all `entries`.
fn typed(entries: Vec<String>) -> Column {
    let missing = |entry: &String| matches!(entry.as_str(), "" | "NA" | "nan" | "NaN" | "None");
    if entries.iter().all(|entry| entry.parse::<i64>().is_ok()) {
        return Column::Integers(entries.iter().map(|entry| entry.parse().ok()).collect());
    }
    if entries.iter().all(|entry| missing(entry) || entry.parse::<f64>().is_ok()) {
        let number = |entry: &String| entry.parse().unwrap_or(f64::NAN);
        return Column::Floats(entries.iter().map(number).collect());
    }
    Column::Texts(entries.into_iter().map(|e| Some(e).filter(|e| !missing(e))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::table::Table;

    fn read(text: &str) -> Result<CellTable> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.csv");
        std::fs::write(&path, text).unwrap();
        CellTable::read(&path)
    }

    #[test]
    fn columns_are_numbers_if_all_entries_are() {
        let table =
            read("\u{feff}id\tblood\tn\tkind\nc1\t0.25\t3\tA\n\"c 2\"\tNA\t-4\t\n").unwrap();
        assert_eq!(table.cells, ["c1", "c 2"]);
        let names: Vec<&str> = table.columns.iter().map(|column| column.0.as_str()).collect();
        assert_eq!(names, ["blood", "n", "kind"]);
        let Column::Floats(blood) = &table.columns[0].1 else { panic!("{:?}", table.columns[0]) };
        assert!((blood[0] - 0.25).abs() < 1e-15 && blood[1].is_nan());
        assert_eq!(table.columns[1].1, Column::Integers(vec![Some(3), Some(-4)]));
        assert_eq!(table.columns[2].1, Column::Texts(vec![Some("A".into()), None]));
    }

    #[test]
    fn parquet_holds_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.parquet");
        let written = Table::default()
            .with("id", Cells::Texts(vec!["a".into(), "b".into()]))
            .with("time", Cells::Floats(vec![0.5, f64::NAN]))
            .with("kind", Cells::Texts(vec!["x".into(), String::new()]));
        table::write(&path, &written, TableFormat::Parquet).unwrap();
        let found = CellTable::read(&path).unwrap();
        assert_eq!(found.cells, ["a", "b"]);
        assert_eq!(found.columns[1].1, Column::Texts(vec![Some("x".into()), None]));
    }

    #[test]
    fn names_what_is_wrong() {
        for (text, word) in [
            ("id,a\nx,1\nx,2\n", "`x` occurs twice"),
            ("id,a,a\nx,1,2\n", "two columns `a`"),
            ("id\nx\n", "no column"),
            ("id,a\n", "no row"),
            ("id,a\nx,1,2\n", "fields"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(word) && error.contains("t.csv"), "{error}");
        }
    }
}
