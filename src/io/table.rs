//! Tables with named columns: written as CSV, TSV or parquet, and read from parquet.

use std::io::Write;
use std::path::Path;

use ndarray::{Array2, ArrayView1, ArrayView2};

use crate::error::{Error, Result};
use crate::io::output::is_stream;
use crate::io::{file, parquet};

/// The values of one column of a table.
///
/// ```
/// use sbcell::io::table::Cells;
/// // A missing number is an empty cell in text.
/// let scores = Cells::Floats(vec![0.1, f64::NAN]);
/// assert_eq!((scores.text(0).as_str(), scores.text(1).as_str()), ("0.1", ""));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub enum Cells {
    /// Numbers. NaN is a missing number: an empty cell in text, and null in parquet.
    Floats(Vec<f64>),
    /// Integers.
    Integers(Vec<i64>),
    /// Strings.
    Texts(Vec<String>),
}

impl Cells {
    /// Number of rows.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Floats(values) => values.len(),
            Self::Integers(values) => values.len(),
            Self::Texts(values) => values.len(),
        }
    }

    /// The value in `row` as it is written in a text table. A number is the shortest decimal that reads
    /// back as the same number.
    pub fn text(&self, row: usize) -> String {
        match self {
            Self::Floats(values) if values[row].is_nan() => String::new(),
            // The shortest decimal that reads back as the same number.
            Self::Floats(values) => format!("{:?}", values[row]),
            Self::Integers(values) => values[row].to_string(),
            Self::Texts(values) => values[row].clone(),
        }
    }
}

/// File format of a table. This is the only place that relates formats of tables to suffixes.
///
/// ```
/// use std::path::Path;
/// use sbcell::io::table::TableFormat;
/// # fn main() -> sbcell::Result<()> {
/// assert_eq!(TableFormat::of(Path::new("edges.tsv"))?, TableFormat::Tsv);
/// assert!(TableFormat::of(Path::new("edges.xlsx")).is_err());
/// assert_eq!(TableFormat::Parquet.suffix(), "parquet");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TableFormat {
    /// Comma-separated text with a header.
    Csv,
    /// Tab-separated text with a header.
    Tsv,
    /// As [`TableFormat::Csv`], with an apostrophe before text that a spreadsheet program would
    /// evaluate as a formula.
    SpreadsheetCsv,
    /// As [`TableFormat::Tsv`], with the same apostrophes.
    SpreadsheetTsv,
    /// Apache parquet with zstd compression.
    Parquet,
}

/// Suffixes of the formats; the first one of a format is used for names of files.
const SUFFIXES: [(&str, TableFormat); 4] = [
    ("csv", TableFormat::Csv),
    ("tsv", TableFormat::Tsv),
    ("txt", TableFormat::Tsv),
    ("parquet", TableFormat::Parquet),
];

impl TableFormat {
    /// The format of an output file, from its suffix. Standard output, devices and pipes without a
    /// suffix get CSV.
    ///
    /// # Errors
    /// [`Error::Parameter`] if the suffix is none of `csv`, `tsv`, `txt`, `parquet`.
    pub fn of(path: &Path) -> Result<Self> {
        match Self::of_suffix(path) {
            Some(format) => Ok(format),
            None if path.extension().is_none() && is_stream(path) => Ok(Self::Csv),
            None => Err(Error::Parameter {
                name: "out",
                must: "a file that ends in .csv, .tsv or .parquet",
                got: path.display().to_string(),
            }),
        }
    }

    /// The format with the suffix of `path`, in lower case; `None` for any other suffix or none.
    pub fn of_suffix(path: &Path) -> Option<Self> {
        let suffix = path.extension().and_then(|suffix| suffix.to_str());
        SUFFIXES.iter().find(|entry| Some(entry.0) == suffix).map(|entry| entry.1)
    }

    /// The suffix of files in this format, without the dot.
    pub fn suffix(self) -> &'static str {
        match self {
            Self::Csv | Self::SpreadsheetCsv => "csv",
            Self::Tsv | Self::SpreadsheetTsv => "tsv",
            Self::Parquet => "parquet",
        }
    }

    /// The variant of this format that is safe for spreadsheet programs if `safe`; otherwise, and for
    /// parquet, the format itself.
    #[must_use]
    pub fn for_spreadsheets(self, safe: bool) -> Self {
        match self {
            Self::Csv if safe => Self::SpreadsheetCsv,
            Self::Tsv if safe => Self::SpreadsheetTsv,
            other => other,
        }
    }
}

/// A table: named columns of equal length.
///
/// ```
/// use sbcell::io::table::{self, Cells, Table, TableFormat};
/// # fn main() -> sbcell::Result<()> {
/// let written = Table::default()
///     .with("cell", Cells::Texts(vec!["c1".into(), "c2".into()]))
///     .with("time", Cells::Floats(vec![0.0, 1.5]));
/// let folder = tempfile::tempdir().unwrap();
/// let path = folder.path().join("table.parquet");
/// table::write(&path, &written, TableFormat::of(&path)?)?;
/// let read = table::read_parquet(&path)?;
/// assert_eq!(read, written);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Table {
    columns: Vec<(String, Cells)>,
}

impl Table {
    /// The table with one more column on the right. All columns must have the same length.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, cells: Cells) -> Self {
        self.push(name, cells);
        self
    }

    /// Adds a column on the right. All columns must have the same length.
    pub fn push(&mut self, name: impl Into<String>, cells: Cells) {
        let same = self.columns.first().is_none_or(|column| column.1.len() == cells.len());
        assert!(same, "columns of a table have equal length");
        self.columns.push((name.into(), cells));
    }

    /// Adds one column of numbers for each column of `points` `(n_rows, n_names)`, with these `names`.
    pub fn push_points(&mut self, names: &[String], points: ArrayView2<'_, f64>) {
        for (name, column) in names.iter().zip(points.columns()) {
            self.push(name.clone(), Cells::Floats(column.to_vec()));
        }
    }

    /// Number of rows.
    pub fn n_rows(&self) -> usize {
        self.columns.first().map_or(0, |column| column.1.len())
    }

    /// Names of the columns, from left to right.
    pub fn names(&self) -> Vec<String> {
        self.columns.iter().map(|column| column.0.clone()).collect()
    }

    /// The column `name`, if there is one.
    pub fn column(&self, name: &str) -> Option<&Cells> {
        self.columns.iter().find(|column| column.0 == name).map(|column| &column.1)
    }

    /// The columns `names` as numbers, `(n_rows, names.len())`; `None` if a column is missing or does
    /// not contain floating-point numbers.
    pub fn floats(&self, names: &[String]) -> Option<Array2<f64>> {
        let mut points = Array2::zeros((self.n_rows(), names.len()));
        for (name, mut column) in names.iter().zip(points.columns_mut()) {
            let Cells::Floats(values) = self.column(name)? else {
                return None;
            };
            column.assign(&ArrayView1::from(values));
        }
        Some(points)
    }
}

/// Writes `table` to `path`, which is replaced as a whole. Time and bytes O(values).
///
/// # Errors
/// [`Error::Io`] if the file cannot be written.
pub fn write(path: &Path, table: &Table, format: TableFormat) -> Result<()> {
    file::replace(path, |writer| match format {
        TableFormat::Csv => {
            write_text(writer, table, Text { delimiter: b',', for_spreadsheets: false })
        }
        TableFormat::Tsv => {
            write_text(writer, table, Text { delimiter: b'\t', for_spreadsheets: false })
        }
        TableFormat::SpreadsheetCsv => {
            write_text(writer, table, Text { delimiter: b',', for_spreadsheets: true })
        }
        TableFormat::SpreadsheetTsv => {
            write_text(writer, table, Text { delimiter: b'\t', for_spreadsheets: true })
        }
        TableFormat::Parquet => parquet::write(writer, &table.columns),
    })
}

/// Reads a parquet table of columns of numbers and strings.
///
/// A missing number is NaN, or 0 in a column of 64-bit integers; a missing string is empty.
///
/// # Errors
/// [`Error::Io`] or [`Error::NoFile`] if the file cannot be opened; [`Error::Unreadable`] if it is not
/// parquet or contains columns of other types.
pub fn read_parquet(path: &Path) -> Result<Table> {
    let unreadable =
        |problem: String| Error::Unreadable { path: path.to_path_buf(), problem, way_out: None };
    let (opened, _) = file::open(path)?;
    let columns = parquet::read(opened).map_err(|error| unreadable(error.to_string()))?;
    Ok(Table { columns })
}

/// A writer of delimited text, row by row.
///
/// It serves tables that are too large for the memory, or that are text already. Tables in memory are written
/// by [`write`].
pub(crate) struct TextWriter<W: Write> {
    /// Adds delimiters and quotes.
    text: csv::Writer<W>,
    /// Whether text that a spreadsheet program would evaluate as a formula gets an apostrophe.
    for_spreadsheets: bool,
}

impl<W: Write> std::fmt::Debug for TextWriter<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TextWriter")
    }
}

impl<W: Write> TextWriter<W> {
    /// A writer in the text format `format`; parquet, which is no text, is written as CSV.
    pub(crate) fn new(writer: W, format: TableFormat) -> Self {
        let is_tab = matches!(format, TableFormat::Tsv | TableFormat::SpreadsheetTsv);
        let delimiter = if is_tab { b'\t' } else { b',' };
        let for_spreadsheets =
            matches!(format, TableFormat::SpreadsheetCsv | TableFormat::SpreadsheetTsv);
        let text = csv::WriterBuilder::new().delimiter(delimiter).from_writer(writer);
        Self { text, for_spreadsheets }
    }

    /// Writes a row of texts. Numbers are texts that parse as such.
    pub(crate) fn row<'a>(
        &mut self,
        entries: impl Iterator<Item = &'a str>,
    ) -> std::io::Result<()> {
        if self.for_spreadsheets {
            let safe = entries.map(|entry| no_formula(entry.to_string()));
            return self.text.write_record(safe).map_err(system);
        }
        self.text.write_record(entries).map_err(system)
    }

    /// Writes what is left in memory.
    pub(crate) fn finish(mut self) -> std::io::Result<()> {
        self.text.flush()
    }
}

/// Writes a table as delimited text with a header.
fn write_text(writer: &mut dyn Write, table: &Table, how: Text) -> std::io::Result<()> {
    let mut text = csv::WriterBuilder::new().delimiter(how.delimiter).from_writer(writer);
    let word = |word: String| if how.for_spreadsheets { no_formula(word) } else { word };
    text.write_record(table.columns.iter().map(|column| word(column.0.clone()))).map_err(system)?;
    for row in 0..table.n_rows() {
        text.write_record(table.columns.iter().map(|(_, cells)| match cells {
            Cells::Texts(_) => word(cells.text(row)),
            _ => cells.text(row),
        }))
        .map_err(system)?;
    }
    text.flush()
}

/// The system error inside an error of the CSV writer.
fn system(error: csv::Error) -> std::io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => std::io::Error::other(format!("{other:?}")),
    }
}

/// Options of a text table.
struct Text {
    delimiter: u8,
    /// Whether text that a spreadsheet program would evaluate as a formula gets an apostrophe.
    for_spreadsheets: bool,
}

/// `text` with an apostrophe before it if a spreadsheet program would evaluate it as a formula. The
/// first characters of formulas are those that OWASP lists (CWE-1236). Numbers stay as they are.
fn no_formula(text: String) -> String {
    const BEGINNINGS: &str = "=+-@\t\r\n＝＋－＠";
    let formula = text.starts_with(|c| BEGINNINGS.contains(c)) && text.parse::<f64>().is_err();
    if formula { format!("'{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    fn small() -> Table {
        let mut table = Table::default()
            .with("cell", Cells::Texts(vec!["a".into(), "b,\"c\"".into()]))
            .with("n", Cells::Integers(vec![1, -2]));
        table.push_points(
            &["PC1".into(), "PC2".into()],
            array![[0.1, 1e-300], [f64::NAN, 3.0]].view(),
        );
        table
    }

    #[test]
    fn parquet_reads_back_bit_for_bit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.parquet");
        write(&path, &small(), TableFormat::Parquet).unwrap();
        let back = read_parquet(&path).unwrap();
        assert_eq!(back.names(), ["cell", "n", "PC1", "PC2"]);
        let points = back.floats(&["PC1".into(), "PC2".into()]).unwrap();
        assert!(back.floats(&["PC3".into()]).is_none());
        assert_eq!(points[[0, 0]].to_bits(), 0.1_f64.to_bits());
        assert_eq!(points[[0, 1]].to_bits(), 1e-300_f64.to_bits());
        assert!(points[[1, 0]].is_nan());
        assert_eq!(back.column("cell"), small().column("cell"));
    }

    #[test]
    fn csv_quotes_what_needs_it_and_keeps_every_digit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.csv");
        write(&path, &small(), TableFormat::Csv).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text, "cell,n,PC1,PC2\na,1,0.1,1e-300\n\"b,\"\"c\"\"\",-2,,3.0\n");
    }

    #[test]
    fn an_unknown_suffix_says_what_is_possible() {
        let error = TableFormat::of(Path::new("edges.xlsx")).unwrap_err().to_string();
        assert!(error.contains(".csv") && error.contains("edges.xlsx"));
        assert_eq!(TableFormat::of(Path::new("a.parquet")).unwrap(), TableFormat::Parquet);
    }

    #[test]
    fn gaps_are_empty_in_text_and_null_in_parquet() {
        use ::parquet::file::reader::{FileReader, SerializedFileReader};
        let folder = tempfile::tempdir().unwrap();
        let gaps = Table::default().with("lo", Cells::Floats(vec![f64::NAN, 0.5, f64::NAN]));
        let gaps = gaps.with("n", Cells::Integers(vec![1, 2, 3]));
        let (text, path) = (folder.path().join("t.csv"), folder.path().join("t.parquet"));
        write(&text, &gaps, TableFormat::Csv).unwrap();
        assert_eq!(std::fs::read_to_string(text).unwrap(), "lo,n\n,1\n0.5,2\n,3\n");
        write(&path, &gaps, TableFormat::Parquet).unwrap();
        let reader = SerializedFileReader::new(std::fs::File::open(&path).unwrap()).unwrap();
        let column = reader.metadata().row_group(0).column(0).clone();
        assert_eq!(column.statistics().unwrap().null_count_opt(), Some(2));
        let found = read_parquet(&path).unwrap();
        let Some(Cells::Floats(found)) = found.column("lo") else { panic!("no floats") };
        assert!(found[0].is_nan() && found[2].is_nan() && (found[1] - 0.5).abs() < 1e-15);
    }
}
