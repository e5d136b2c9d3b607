//! Output files of commands, each with a run record beside it.

use std::path::Path;

use serde::Serialize;

use crate::error::Result;
use crate::io::file;
use crate::io::model::Model;
use crate::io::output::is_stream;
use crate::io::recorded;
use crate::io::run::{InputRecord, RunRecord, json_sha256, to_value};
use crate::io::table::{self, Table, TableFormat};
use crate::pipeline::fit::selection::file_name;
use crate::progress::Silent;

/// Writes the file `out` with the closure `write` and puts its run record beside it.
///
/// `write` receives the path of a temporary file, which then replaces `out` as a whole. The run record
/// (`NAME.run.json`) contains `command`, `options` and the hash of the header of `model`; it contains no time
/// stamps, so that the same run gives the same bytes. `out` may be a stream such as `/dev/stdout`, which gets
/// no record.
///
/// # Errors
/// Those of `write`; [`crate::Error::Io`] if a file cannot be put in its place.
#[doc(hidden)]
pub fn write_recorded<T>(
    out: &Path,
    command: &str,
    model: &Model,
    options: &impl Serialize,
    write: impl FnOnce(&Path) -> Result<T>,
) -> Result<T> {
    let input = InputRecord {
        file: "model.json".into(),
        path: String::new(),
        sha256: json_sha256(&model.header)?,
        files: Vec::new(),
        cells: model.cells.len(),
        genes: model.genes.len(),
    };
    recorded::publish(out, RunRecord::new(command, input, to_value(options)?), write)
}

/// As [`write_recorded`], for an output that is made from the file `source` without a model.
///
/// The record contains the SHA-256 of `source`, unless the source or the output is a stream.
///
/// # Errors
/// As [`write_recorded`]; [`crate::Error::Io`] if `source` cannot be read.
#[doc(hidden)]
pub fn write_recorded_without_model<T>(
    out: &Path,
    command: &str,
    source: &Path,
    options: &impl Serialize,
    write: impl FnOnce(&Path) -> Result<T>,
) -> Result<T> {
    let hash = || file::sha256(source, &mut Silent);
    let unread = is_stream(out) || is_stream(source);
    let sha256 = if unread { String::new() } else { hash()? };
    let (file, path) = (file_name(source), source.to_string_lossy().into_owned());
    let input = InputRecord { file, path, sha256, files: Vec::new(), cells: 0, genes: 0 };
    recorded::publish(out, RunRecord::new(command, input, to_value(options)?), write)
}

/// Writes `table`, a result of `command` with `options` on `model`, to `out`, and its run record beside it.
///
/// # Errors
/// [`crate::Error::Io`] if a file cannot be written.
pub fn write_table(
    out: &Path,
    format: TableFormat,
    table: &Table,
    model: &Model,
    command: &str,
    options: &impl Serialize,
) -> Result<()> {
    write_recorded(out, command, model, options, |out| table::write(out, table, format))
}
