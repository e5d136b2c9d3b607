//! Tables that commands wrote, read by the names of their columns.

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::io::table::{self, Cells, Table, TableFormat};
use crate::io::text;

/// A table whose columns are asked for by name.
#[derive(Debug)]
pub(crate) struct Columns {
    path: PathBuf,
    table: Table,
    /// The command that writes such a table.
    command: &'static str,
}

impl Columns {
    /// Reads the table at `path`, which `sbcell COMMAND` writes: `.parquet`, or text with a header.
    ///
    /// # Errors
    /// [`Error::Unreadable`] if the file does not exist (with the command that writes it), is damaged, or has
    /// no row; [`Error::Io`].
    pub(crate) fn read(path: &Path, command: &'static str) -> Result<Self> {
        let columns = Self::read_any(path, command)?;
        if columns.table.n_rows() == 0 {
            return Err(columns.unreadable("it has a header and no rows".into()));
        }
        Ok(columns)
    }

    /// As [`Columns::read`], also for a table without rows, such as one of no edges.
    ///
    /// # Errors
    /// [`Error::Unreadable`] if the file does not exist or is damaged; [`Error::Io`].
    pub(crate) fn read_any(path: &Path, command: &'static str) -> Result<Self> {
        let read = match TableFormat::of_suffix(path) {
            Some(TableFormat::Parquet) => table::read_parquet(path),
            _ => of_text(path),
        };
        let table = read.map_err(|error| written_by(error, command))?;
        Ok(Self { path: path.to_path_buf(), table, command })
    }

    /// Number of rows.
    pub(crate) fn n_rows(&self) -> usize {
        self.table.n_rows()
    }

    /// Names of the columns.
    pub(crate) fn names(&self) -> Vec<String> {
        self.table.names()
    }

    /// Whether there are columns of all these names.
    pub(crate) fn has(&self, names: &[&str]) -> bool {
        names.iter().all(|name| self.table.column(name).is_some())
    }

    /// The texts of a column.
    ///
    /// # Errors
    /// [`Error::Unreadable`] with all columns if there is none of this name.
    pub(crate) fn texts(&self, name: &str) -> Result<Vec<String>> {
        let cells = self.column(name)?;
        Ok((0..self.n_rows()).map(|row| cells.text(row)).collect())
    }

    /// The numbers of a column; NaN for an empty entry and for `NaN`.
    ///
    /// # Errors
    /// As [`Columns::texts`]; [`Error::Unreadable`] with the line for any other text.
    pub(crate) fn numbers(&self, name: &str) -> Result<Vec<f64>> {
        let texts = match self.column(name)? {
            Cells::Floats(values) => return Ok(values.clone()),
            Cells::Integers(values) => return Ok(values.iter().map(|v| *v as f64).collect()),
            Cells::Texts(texts) => texts,
        };
        let number = |(row, text): (usize, &String)| match text.as_str() {
            "" | "NA" | "nan" => Ok(f64::NAN),
            text => text.parse::<f64>().map_err(|_| {
                self.unreadable(format!("`{text}` in line {} is no number in `{name}`", row + 2))
            }),
        };
        texts.iter().enumerate().map(number).collect()
    }

    /// As [`Columns::numbers`], and NaN for all rows of a table without this column.
    ///
    /// # Errors
    /// [`Error::Unreadable`] with the line for a text that is no number.
    pub(crate) fn numbers_or_nan(&self, name: &str) -> Result<Vec<f64>> {
        if self.has(&[name]) { self.numbers(name) } else { Ok(vec![f64::NAN; self.n_rows()]) }
    }

    /// As [`Columns::texts`], and empty texts for a table without this column.
    pub(crate) fn texts_or_empty(&self, name: &str) -> Vec<String> {
        self.texts(name).unwrap_or_else(|_| vec![String::new(); self.n_rows()])
    }

    /// The fates of a table of `sbcell fates`: the columns that also have log-odds.
    pub(crate) fn fate_names(&self) -> Vec<String> {
        let odds = |name: &String| self.has(&[&format!("{name}_log_odds")]);
        self.names().into_iter().filter(odds).collect()
    }

    /// An error about the contents of this table, with the command that writes it.
    pub(crate) fn unreadable(&self, problem: String) -> Error {
        Error::Unreadable {
            path: self.path.clone(),
            problem,
            way_out: Some(format!("give the table that `sbcell {}` writes", self.command)),
        }
    }

    fn column(&self, name: &str) -> Result<&Cells> {
        self.table.column(name).ok_or_else(|| {
            let names = self.names().join(", ");
            self.unreadable(format!("it has no column `{name}`; its columns are {names}"))
        })
    }
}

/// The error for a file that `sbcell COMMAND` writes: without the file, the command is the way out.
pub(crate) fn written_by(error: Error, command: &str) -> Error {
    match error {
        Error::NoFile { path, .. } => Error::Unreadable {
            path,
            problem: "there is no such file".into(),
            way_out: Some(format!("`sbcell {command}` writes it; or give the path of another one")),
        },
        other => other,
    }
}

/// Reads a text table. All columns are texts.
fn of_text(path: &Path) -> Result<Table> {
    let columns = text::columns(path, Some("each line needs as many entries as the header"))?;
    let mut table = Table::default();
    for (name, column) in columns {
        table.push(&name, Cells::Texts(column));
    }
    Ok(table)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    fn read(text: &str) -> Result<Columns> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.csv");
        std::fs::write(&path, text).unwrap();
        Columns::read(&path, "fates")
    }

    #[test]
    fn columns_are_found_by_name_in_text_and_parquet() {
        let columns = read("\u{feff}id,share\nc1,0.5\n\"c,2\",\n").unwrap();
        assert_eq!(columns.texts("id").unwrap(), ["c1", "c,2"]);
        let shares = columns.numbers("share").unwrap();
        assert!((shares[0] - 0.5).abs() < 1e-15 && shares[1].is_nan());
        assert!(columns.has(&["id", "share"]) && !columns.has(&["id", "other"]));
        assert!(columns.numbers_or_nan("other").unwrap().iter().all(|x| x.is_nan()));
        assert_eq!(columns.texts_or_empty("other"), ["", ""]);
        assert!(columns.fate_names().is_empty());
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.parquet");
        let table = Table::default().with("n", Cells::Integers(vec![3]));
        table::write(&path, &table, TableFormat::Parquet).unwrap();
        let columns = Columns::read(&path, "fates").unwrap();
        assert_eq!(columns.numbers("n").unwrap(), [3.0]);
    }

    #[test]
    fn errors_name_the_problem_and_the_command() {
        let hint =
            |error: Error| (error.to_string(), error.hint().unwrap_or_default(), error.kind());
        let missing = Columns::read(Path::new("/nowhere/fates.csv"), "fates").unwrap_err();
        let (_, way_out, kind) = hint(missing);
        assert!(way_out.contains("sbcell fates") && kind == Kind::Unreadable, "{way_out}");
        let columns = read("id,share\nc1,a\n").unwrap();
        let (text, way_out, _) = hint(columns.numbers("share").unwrap_err());
        assert!(text.contains("`a` in line 2") && way_out.contains("sbcell fates"), "{text}");
        let (text, ..) = hint(columns.texts("time").unwrap_err());
        assert!(text.contains("no column `time`") && text.contains("id, share"), "{text}");
        for damaged in ["", "id,share\n", "id,share\nc1\n", "\u{0}\u{1}"] {
            assert!(read(damaged).is_err(), "{damaged:?}");
        }
    }
}
