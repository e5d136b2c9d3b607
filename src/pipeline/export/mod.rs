//! The command `export`: all tables of a folder in one format.

mod options;
mod run;

pub use options::{ExportFormat, TableExportOptions};
pub use run::{ExportedTable, export, export_files};
