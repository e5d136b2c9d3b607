//! Tables in another format: the same columns and values, as CSV, TSV or parquet.
//!
//! - Text to text: each entry is copied as it is; delimiter and quotes change.
//! - Parquet to text: numbers become the shortest decimals that read back as the same numbers. A missing number
//!   becomes an empty entry.
//! - Text to parquet: columns of numbers are found by their entries, and an empty entry becomes a missing number.
//! - Parquet to parquet: the columns are written again as sbcell writes them.
//!
//! A table that goes from one format to another and back has the same values as before.

use std::path::Path;

use crate::error::{Error, Result};
use crate::io::file;
use crate::io::table::{self, Cells, Table, TableFormat, TextWriter};

/// Writes the table `from` to `to` in `format`, and returns its number of rows.
///
/// The suffix of `from` gives its format. From text to text, rows are read and written one by one. From text
/// to parquet, a column becomes numbers if each of its entries is the text that sbcell writes for a number;
/// all other columns stay text, such as names with leading zeros. Memory: one row, or the table if one of the
/// two is parquet.
///
/// # Errors
/// [`Error::Io`] or [`Error::NoFile`] if a file cannot be read or written; [`Error::Unreadable`] if `from` is
/// no table.
pub(crate) fn convert(from: &Path, to: &Path, format: TableFormat) -> Result<usize> {
    let is_parquet = TableFormat::of_suffix(from) == Some(TableFormat::Parquet);
    if !is_parquet && format != TableFormat::Parquet {
        return text_to_text(from, to, format);
    }
    let table = if is_parquet { table::read_parquet(from)? } else { of_text(from)? };
    table::write(to, &table, format)?;
    Ok(table.n_rows())
}

/// A reader of the text table `path`.
fn reader(path: &Path) -> Result<csv::Reader<std::fs::File>> {
    let is_comma = TableFormat::of_suffix(path) == Some(TableFormat::Csv);
    let (opened, _) = file::open(path)?;
    let delimiter = if is_comma { b',' } else { b'\t' };
    Ok(csv::ReaderBuilder::new().delimiter(delimiter).from_reader(opened))
}

/// The error for a text that is no table.
fn broken(path: &Path) -> impl Fn(csv::Error) -> Error {
    let path = path.to_path_buf();
    move |error| Error::Unreadable {
        path: path.clone(),
        problem: error.to_string(),
        way_out: Some("each line needs as many entries as the header".into()),
    }
}

/// Copies the rows of a text table one by one.
fn text_to_text(from: &Path, to: &Path, format: TableFormat) -> Result<usize> {
    let mut reader = reader(from)?;
    let broken = broken(from);
    let header = reader.headers().map_err(&broken)?.clone();
    let (mut n_rows, mut wrong) = (0, None);
    file::replace(to, |writer| {
        let mut text = TextWriter::new(writer, format);
        text.row(header.iter())?;
        for record in reader.records() {
            match record {
                Ok(record) => text.row(record.iter())?,
                Err(error) => {
                    wrong = Some(broken(error));
                    return Err(std::io::Error::other("the table ends too early"));
                }
            }
            n_rows += 1;
        }
        text.finish()
    })
    .map_err(|error| wrong.take().unwrap_or(error))?;
    Ok(n_rows)
}

/// Reads a text table with numbers where all entries of a column are numbers as sbcell writes them.
fn of_text(path: &Path) -> Result<Table> {
    let mut reader = reader(path)?;
    let broken = broken(path);
    let header = reader.headers().map_err(&broken)?.clone();
    let mut columns: Vec<Vec<String>> = vec![Vec::new(); header.len()];
    for record in reader.records() {
        for (column, entry) in columns.iter_mut().zip(&record.map_err(&broken)?) {
            column.push(entry.to_string());
        }
    }
    let mut table = Table::default();
    for (name, column) in header.iter().zip(columns) {
        table.push(name, typed(column));
    }
    Ok(table)
}

/// A column as integers or numbers, if that loses nothing; otherwise as it is.
fn typed(texts: Vec<String>) -> Cells {
    let whole = |text: &String| text.parse::<i64>().ok().filter(|n| n.to_string() == *text);
    if let Some(values) = texts.iter().map(whole).collect::<Option<Vec<_>>>()
        && !values.is_empty()
    {
        return Cells::Integers(values);
    }
    let number = |text: &String| {
        if text.is_empty() {
            return Some(f64::NAN);
        }
        let number = text.parse::<f64>().ok()?;
        // `NaN` stays text: sbcell writes an empty entry.
        (is_plain(text, number) && !number.is_nan()).then_some(number)
    };
    let is_empty = texts.iter().all(String::is_empty);
    match texts.iter().map(number).collect::<Option<Vec<_>>>() {
        Some(values) if !is_empty => Cells::Floats(values),
        _ => Cells::Texts(texts),
    }
}

/// Whether `text` is how sbcell writes `number`: the shortest decimal, with or without `.0`.
fn is_plain(text: &str, number: f64) -> bool {
    let [written, short] = [format!("{number:?}"), number.to_string()];
    text == written || text == short
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "cell,n,share,lo,code,mixed\n\"a,b\",1,0.1,,007,NaN\nc,-2,1e-300,0.5,1,\n";

    #[test]
    fn every_way_between_the_formats_gives_the_same_text() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("a.csv"), TEXT).unwrap();
        for (first, format) in [("b.parquet", TableFormat::Parquet), ("b.tsv", TableFormat::Tsv)] {
            assert_eq!(convert(&at("a.csv"), &at(first), format).unwrap(), 2);
            assert_eq!(convert(&at(first), &at("c.csv"), TableFormat::Csv).unwrap(), 2);
            assert_eq!(std::fs::read_to_string(at("c.csv")).unwrap(), TEXT, "by {first}");
        }
        convert(&at("b.parquet"), &at("d.parquet"), TableFormat::Parquet).unwrap();
        assert_eq!(
            std::fs::read(at("d.parquet")).unwrap(),
            std::fs::read(at("b.parquet")).unwrap()
        );
    }

    #[test]
    fn columns_become_numbers_only_if_nothing_is_lost() {
        let column = |texts: &[&str]| typed(texts.iter().map(ToString::to_string).collect());
        assert_eq!(column(&["1", "-2"]), Cells::Integers(vec![1, -2]));
        assert_eq!(column(&["0.5", "2.0", "3"]), Cells::Floats(vec![0.5, 2.0, 3.0]));
        assert!(matches!(column(&["0.5", ""]), Cells::Floats(_)));
        for kept in
            [vec!["007"], vec!["+1"], vec!["0.50"], vec!["", ""], vec!["", "NaN"], vec!["a"]]
        {
            assert!(matches!(column(&kept), Cells::Texts(_)), "{kept:?}");
        }
    }

    #[test]
    fn spreadsheets_get_an_apostrophe_and_broken_tables_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("a.csv"), "gene,d\n=1+1,-2.5\n").unwrap();
        convert(&at("a.csv"), &at("b.tsv"), TableFormat::SpreadsheetTsv).unwrap();
        assert_eq!(std::fs::read_to_string(at("b.tsv")).unwrap(), "gene\td\n'=1+1\t-2.5\n");
        std::fs::write(at("c.csv"), "gene,d\nx\n").unwrap();
        for format in [TableFormat::Tsv, TableFormat::Parquet] {
            let error = convert(&at("c.csv"), &at("d"), format).unwrap_err();
            assert!(matches!(error, Error::Unreadable { .. }), "{error}");
            assert!(!at("d").exists());
        }
    }
}
