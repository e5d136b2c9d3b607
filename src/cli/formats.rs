//! The suffix of `--out` gives the format of a file, and must not contradict `--format`.

use std::path::{Path, PathBuf};

use clap::Args;
use sbcell::io::table::TableFormat;
use sbcell::{Error, Result};

use crate::cli::terminal::Terminal;

/// Suffixes of known formats. A file with another suffix, or without one, can have any format.
const KNOWN: [&str; 18] = [
    "csv", "tsv", "txt", "tab", "parquet", "pq", "feather", "graphml", "xml", "json", "h5ad", "h5",
    "loom", "zarr", "xlsx", "gz", "zip", "zst",
];

/// `--out` of a command that writes a table. Each command sets its own default.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct TableArgs {
    /// Table to write: .csv, .tsv or .parquet, or - for standard output
    #[arg(short, long, value_name = "FILE", default_value = "table.csv")]
    pub(crate) out: PathBuf,
}

impl TableArgs {
    /// The file and the format that its suffix names.
    ///
    /// # Errors
    /// As [`TableFormat::of`].
    pub(crate) fn target(self, terminal: &Terminal) -> Result<(PathBuf, TableFormat)> {
        let format = terminal.table_format(&self.out)?;
        Ok((self.out, format))
    }
}

/// Refuses a file whose suffix belongs to another format than `format`.
///
/// Files of this format can have the suffixes in `fitting`; `must` lists them in words.
///
/// # Errors
/// [`Error::Parameter`] for the suffix of another known format.
pub(crate) fn check_suffix(
    out: &Path,
    format: &str,
    fitting: &[&str],
    must: &'static str,
) -> Result<()> {
    let suffix = out.extension().map(|suffix| suffix.to_string_lossy().to_ascii_lowercase());
    let Some(suffix) = suffix else { return Ok(()) };
    if fitting.contains(&suffix.as_str()) || !KNOWN.contains(&suffix.as_str()) {
        return Ok(());
    }
    let got = format!("`{}` with `--format {format}`", out.display());
    Err(Error::Parameter { name: "--out", must, got })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_suffix_of_another_known_format_is_refused() {
        let check = |out: &str| check_suffix(Path::new(out), "csv", &["csv"], "a .csv");
        for out in ["a.csv", "a.CSV", "a", "a.links", "/dev/stdout", "-"] {
            assert!(check(out).is_ok(), "{out}");
        }
        for out in ["a.parquet", "a.csv.gz", "a.TSV"] {
            assert!(check(out).unwrap_err().to_string().contains("--format csv"), "{out}");
        }
    }
}
