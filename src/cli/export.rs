//! `sbcell export`: all tables of a folder in one format.

use std::path::PathBuf;

use clap::Args;
use sbcell::Result;
use sbcell::pipeline::{self, ExportFormat, TableExportOptions};

use crate::cli::Outcome;
use crate::cli::places::{FolderParser, MODEL_FOLDER};
use crate::cli::shared::{aligned, shown};
use crate::cli::terminal::Terminal;

const EXAMPLES: &str = "\
Examples:
  sbcell export
      every table of ./sbcell-out as CSV, to ./tables
  sbcell export . --format xlsx-safe --out for-excel
      the tables of this folder and its subfolders, for a spreadsheet
  sbcell export sbcell-out --format parquet --out parquet
      the same as parquet

Tables are the .csv, .tsv and .parquet files that sbcell wrote: those of a model, and those with a run record
beside them. Subfolders stay. Columns keep their order, and numbers all their digits. In parquet, a column of a
text table becomes numbers if each of its entries is a number as sbcell writes it.";

/// Write all tables of a model or of results in one format
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ExportArgs {
    /// Folder of a fitted model, or of results. Without it, sbcell-results is used where sbcell-out has
    /// no model
    #[arg(default_value = MODEL_FOLDER, value_parser = FolderParser { of_model: false })]
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    /// Format of the tables
    #[arg(long, value_enum, default_value_t)]
    format: ExportFormat,
    /// Folder to write
    #[arg(short, long, value_name = "DIR", default_value = "tables")]
    out: PathBuf,
}

/// Runs `sbcell export`: writes the tables and prints their names and numbers of rows.
///
/// # Errors
/// As [`pipeline::export()`].
pub(crate) fn run(args: ExportArgs, terminal: &mut Terminal) -> Result<Outcome> {
    let ExportArgs { folder, format, out } = args;
    let options = TableExportOptions::default()
        .with_format(format)
        .with_spreadsheet_safe(terminal.spreadsheet_safe);
    let tables = pipeline::export(&folder, &out, &options, terminal)?;
    let row = |table: &pipeline::ExportedTable| {
        let name = table.path.strip_prefix(&out).unwrap_or(&table.path);
        vec![shown(name), table.n_rows.to_string()]
    };
    terminal.say(&aligned(&["table", "rows"], &tables.iter().map(row).collect::<Vec<_>>()));
    for table in &tables {
        terminal.wrote(&table.path);
    }
    terminal.say(&format!("wrote {} tables to {}", tables.len(), shown(&out)));
    Ok(Outcome::Done)
}
