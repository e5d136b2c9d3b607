//! Finds the tables that sbcell wrote into a folder, and writes each in the wanted format.
//!
//! ```text
//! results/                          tables/
//!   fates.csv                         fates.parquet
//!   fates.csv.run.json                fates.parquet.run.json
//!   model/cells.parquet        →      model/cells.parquet
//!   model/fit.csv                     model/fit.parquet
//!   model/run.json                    …
//!   groups.csv (of the user)
//! ```

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::error::{Error, Kind, Result};
use crate::io::convert::convert;
use crate::io::output::{same_file, tables_below};
use crate::pipeline::export::TableExportOptions;
use crate::pipeline::shared::recorded::write_recorded_without_model;
use crate::progress::{self, Event, Progress};

/// An exported table. See [`export`] for an example.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportedTable {
    /// The table that was read.
    pub source: PathBuf,
    /// The table that was written.
    pub path: PathBuf,
    /// Its number of rows.
    pub n_rows: usize,
}

/// Writes every table that sbcell wrote into `folder` to the folder `out`, each with its run record.
///
/// A table was written by sbcell if its run record is beside it, or if it is in the folder of a model.
/// Subfolders of `folder` become subfolders of `out`. Columns keep their order and values their digits. Each
/// file is whole or absent. A table that cannot be read is left out; all others are written before the error names it.
///
/// ```
/// use sbcell::Silent;
/// use sbcell::pipeline::{ExportFormat, TableExportOptions, example_model, export};
///
/// # fn main() -> sbcell::Result<()> {
/// # let folder = tempfile::tempdir().unwrap();
/// example_model(folder.path())?;
/// let options = TableExportOptions::default().with_format(ExportFormat::Csv);
/// let tables = export(folder.path(), &folder.path().join("tables"), &options, &mut Silent)?;
/// assert!(tables.iter().any(|table| table.path.ends_with("tables/model/cells.csv")));
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`Error::NoFile`] or [`Error::Io`] if the folder cannot be read or a file cannot be written;
/// [`Error::Parameter`] if it has no table; [`Error::Unreadable`] that names the damaged tables, after all others are written;
/// [`Error::Cancelled`].
pub fn export(
    folder: &Path,
    out: &Path,
    options: &TableExportOptions,
    progress: &mut dyn Progress,
) -> Result<Vec<ExportedTable>> {
    let tables = planned(folder, out, options)?;
    if tables.is_empty() {
        let (name, must) = ("folder", "one with tables that sbcell wrote");
        return Err(Error::Parameter { name, must, got: folder.display().to_string() });
    }
    let format = options.format.table(options.spreadsheet_safe);
    let what = "writing tables".to_string();
    progress::report(progress, Event::Begin { what, total: tables.len() as u64 })?;
    let mut written = Vec::with_capacity(tables.len());
    let n_tables = tables.len();
    let mut left_out: Vec<String> = Vec::new();
    for (source, path) in tables {
        let write = |to: &Path| convert(&source, to, format);
        match write_recorded_without_model(&path, "export", &source, options, write) {
            Ok(n_rows) => written.push(ExportedTable { source, path, n_rows }),
            Err(error) if error.kind() == Kind::Unreadable => left_out.push(error.to_string()),
            Err(error) => return Err(error),
        }
        let done = (written.len() + left_out.len()) as u64;
        progress::report(progress, Event::Step { done })?;
    }
    progress::report(progress, Event::End)?;
    if left_out.is_empty() {
        return Ok(written);
    }
    let n = left_out.len();
    Err(Error::Unreadable {
        path: folder.to_path_buf(),
        problem: format!("{n} of {n_tables} tables were left out: {}", left_out.join("; ")),
        way_out: Some(format!(
            "the other tables are in {}; make the ones left out again, or remove them",
            out.display()
        )),
    })
}

/// The files that [`export`] writes.
///
/// # Errors
/// As [`export`], for a folder that cannot be read.
#[doc(hidden)]
pub fn export_files(
    folder: &Path,
    out: &Path,
    options: &TableExportOptions,
) -> Result<Vec<PathBuf>> {
    Ok(planned(folder, out, options)?.into_iter().map(|table| table.1).collect())
}

/// The tables of the folder, each with the file that is written from it.
///
/// Two tables that differ only in their suffix get it as part of their names.
fn planned(
    folder: &Path,
    out: &Path,
    options: &TableExportOptions,
) -> Result<Vec<(PathBuf, PathBuf)>> {
    if same_file(folder, out) {
        return Err(Error::OutputIsInput { path: out.to_path_buf() });
    }
    let suffix = options.format.table(options.spreadsheet_safe).suffix();
    let mut taken = BTreeSet::new();
    let mut planned = Vec::new();
    for source in tables_below(folder, out)? {
        let inner = source.strip_prefix(folder).unwrap_or(&source);
        let mut path = out.join(inner).with_extension(suffix);
        if !taken.insert(path.clone()) {
            let text = |part: Option<&std::ffi::OsStr>| {
                part.map(|part| part.to_string_lossy().into_owned()).unwrap_or_default()
            };
            let (stem, old) = (text(source.file_stem()), text(source.extension()));
            path.set_file_name(format!("{stem}.{old}.{suffix}"));
            taken.insert(path.clone());
        }
        planned.push((source, path));
    }
    Ok(planned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::{ExportFormat, example_model};
    use crate::progress::Silent;

    #[test]
    fn only_tables_of_sbcell_are_planned_and_none_twice() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("mine.csv"), "a\n1\n").unwrap();
        for name in ["edges.csv", "edges.tsv"] {
            std::fs::write(at(name), "a\n1\n").unwrap();
            std::fs::write(at(&format!("{name}.run.json")), "{}").unwrap();
        }
        let options = TableExportOptions::default().with_format(ExportFormat::Csv);
        let files = export_files(folder.path(), &at("out"), &options).unwrap();
        let names: Vec<_> = files.iter().map(|file| file.file_name().unwrap()).collect();
        assert_eq!(names, ["edges.csv", "edges.tsv.csv"]);
        assert!(export(folder.path(), folder.path(), &options, &mut Silent).is_err());
        let empty = tempfile::tempdir().unwrap();
        assert!(export(empty.path(), &at("out"), &options, &mut Silent).is_err());
        // An export into the folder itself is not exported again.
        example_model(&at("model")).unwrap();
        let first = export(folder.path(), &at("out"), &options, &mut Silent).unwrap();
        let second = export(folder.path(), &at("out"), &options, &mut Silent).unwrap();
        assert_eq!(first, second);
        assert!(first.iter().any(|table| table.path == at("out/model/model/cells.csv")));
    }
}
