//! The output of `grn-score`: a table of scores.

use std::path::Path;

use crate::error::Result;
use crate::io::table::{self, Table, TableFormat};
use crate::pipeline::grn_score::GrnScoreOptions;
use crate::pipeline::shared::recorded::write_recorded_without_model;

/// Writes a table of scores against the network in the file `truth` to `out`, and its run record beside it.
///
/// # Errors
/// [`crate::Error::Io`] if a file cannot be read or written.
#[doc(hidden)]
pub fn write_scores(
    out: &Path,
    table: &Table,
    format: TableFormat,
    truth: &Path,
    options: &GrnScoreOptions,
) -> Result<()> {
    write_recorded_without_model(out, "grn-score", truth, &options.recorded(), |out| {
        table::write(out, table, format)
    })
}
