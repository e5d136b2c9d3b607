//! Tables of results with named columns, read as text or parquet.

use std::path::Path;

use crate::error::{Error, Result};
use crate::io::table::{self, TableFormat};
use crate::io::text;

/// A table of any number of rows, with all entries as text.
pub(crate) struct Rows {
    names: Vec<String>,
    /// The entries, column by column.
    columns: Vec<Vec<String>>,
}

impl Rows {
    /// Reads a `.parquet` table, or a text table of any other suffix.
    ///
    /// # Errors
    /// [`Error::Io`] or [`Error::NoFile`] if the file cannot be read; [`Error::Unreadable`] if it is no table,
    /// or lacks one of the columns `needed`.
    pub(crate) fn read(path: &Path, needed: &[&str]) -> Result<Self> {
        let found = match TableFormat::of_suffix(path) {
            Some(TableFormat::Parquet) => Self::of_parquet(path)?,
            _ => Self::of_text(path)?,
        };
        match needed.iter().find(|name| found.column(name).is_none()) {
            None => Ok(found),
            Some(name) => Err(Error::Unreadable {
                path: path.to_path_buf(),
                problem: format!("it has no column `{name}`"),
                way_out: Some("give a table that sbcell wrote".into()),
            }),
        }
    }

    fn of_parquet(path: &Path) -> Result<Self> {
        let table = table::read_parquet(path)?;
        let names = table.names();
        let columns = names
            .iter()
            .filter_map(|name| table.column(name))
            .map(|cells| (0..table.n_rows()).map(|row| cells.text(row)).collect())
            .collect();
        Ok(Self { names, columns })
    }

    fn of_text(path: &Path) -> Result<Self> {
        let text = text::read(path)?;
        let text = text.trim_start_matches('\u{feff}');
        let first = text.lines().next().unwrap_or_default();
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(text::delimiter_of(first))
            .from_reader(text.as_bytes());
        let unreadable = |error: csv::Error| Error::Unreadable {
            path: path.to_path_buf(),
            problem: error.to_string(),
            way_out: None,
        };
        let header = reader.headers().map_err(unreadable)?.clone();
        let mut columns: Vec<Vec<String>> = vec![Vec::new(); header.len()];
        for record in reader.records() {
            for (column, entry) in columns.iter_mut().zip(&record.map_err(unreadable)?) {
                column.push(entry.to_string());
            }
        }
        Ok(Self { names: header.iter().map(str::to_string).collect(), columns })
    }

    /// Names of the columns.
    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    /// Number of rows.
    pub(crate) fn len(&self) -> usize {
        self.columns.first().map_or(0, Vec::len)
    }

    /// The entries of the column `name`.
    pub(crate) fn column(&self, name: &str) -> Option<&[String]> {
        let place = self.names.iter().position(|other| other == name)?;
        self.columns.get(place).map(Vec::as_slice)
    }

    /// The texts of a column; empty ones if it is missing.
    pub(crate) fn texts(&self, name: &str) -> Vec<String> {
        self.column(name).map_or_else(|| vec![String::new(); self.len()], <[String]>::to_vec)
    }

    /// The numbers of a column; NaN where there is none.
    pub(crate) fn numbers(&self, name: &str) -> Vec<f64> {
        let number = |text: &String| text.trim().parse().unwrap_or(f64::NAN);
        self.column(name).map_or_else(
            || vec![f64::NAN; self.len()],
            |column| column.iter().map(number).collect(),
        )
    }
}
