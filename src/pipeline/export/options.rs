//! Options of the export of tables.

use serde::{Deserialize, Serialize};

use crate::io::table::TableFormat;

/// The format of exported tables.
///
/// ```
/// use sbcell::pipeline::ExportFormat;
/// assert_eq!(ExportFormat::XlsxSafe.table(false).suffix(), "tsv");
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "kebab-case")]
pub enum ExportFormat {
    /// Comma-separated text
    #[default]
    Csv,
    /// Tab-separated text
    Tsv,
    /// Apache parquet
    Parquet,
    /// Tab-separated text that spreadsheets open without running names as formulas
    XlsxSafe,
}

impl ExportFormat {
    /// The format of the files. With `safe`, text is written for spreadsheets.
    pub fn table(self, safe: bool) -> TableFormat {
        match self {
            Self::Csv => TableFormat::Csv.for_spreadsheets(safe),
            Self::Tsv => TableFormat::Tsv.for_spreadsheets(safe),
            Self::Parquet => TableFormat::Parquet,
            Self::XlsxSafe => TableFormat::SpreadsheetTsv,
        }
    }
}

/// Options of [`crate::pipeline::export()`].
///
/// ```
/// use sbcell::pipeline::{ExportFormat, TableExportOptions};
/// let options = TableExportOptions::default().with_format(ExportFormat::Parquet);
/// assert!(!options.spreadsheet_safe);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, derive_setters::Setters)]
#[setters(prefix = "with_")]
#[non_exhaustive]
pub struct TableExportOptions {
    /// Format of all files.
    pub format: ExportFormat,
    /// Whether text that a spreadsheet would take for a formula gets an apostrophe.
    pub spreadsheet_safe: bool,
}
