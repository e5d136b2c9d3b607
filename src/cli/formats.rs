//! Formats of files: `--space`, `--format` and the suffix of `--out`, which must not contradict it.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use sbcell::pipeline::{PopulationFormat, Space};
use sbcell::{Error, Result};

use crate::cli::terminal::Terminal;

/// Coordinates of the cells that a command writes. `S` lists those that the command can write.
#[derive(Debug, Args)]
pub(crate) struct SpaceArgs<S>
where
    S: ValueEnum + Clone + Send + Sync + 'static,
{
    /// Coordinates to write
    #[arg(long, value_enum, default_value = "pca")]
    pub(crate) space: S,
}

/// What a command that draws populations writes, and where.
#[derive(Debug, Args)]
pub(crate) struct PopulationArgs {
    #[command(flatten)]
    pub(crate) space: SpaceArgs<Space>,
    /// Format [default: by the suffix of --out, else parquet]
    #[arg(long, value_enum)]
    format: Option<PopulationFormat>,
    /// File to write [default: interpolated or sample, with the suffix of the format, in the
    /// model's folder]
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl PopulationArgs {
    /// The file and its format: `STEM.parquet` in the model's `folder` without flags.
    ///
    /// # Errors
    /// [`Error::Parameter`] if the suffix of the file contradicts `--format`, or, without `--format`,
    /// names no format of populations.
    pub(crate) fn target(
        &self,
        folder: &Path,
        stem: &str,
        terminal: &Terminal,
    ) -> Result<(PathBuf, PopulationFormat)> {
        let format = match (self.format, &self.out) {
            (Some(format), Some(out)) => {
                check_population(out, format)?;
                format
            }
            (Some(format), None) => format,
            (None, Some(out)) => PopulationFormat::of(out)?,
            (None, None) => PopulationFormat::Parquet,
        };
        let format = format.for_spreadsheets(terminal.spreadsheet_safe);
        let named = || folder.join(format!("{stem}.{}", format.suffix()));
        Ok((self.out.clone().unwrap_or_else(named), format))
    }
}

/// Refuses a file of a population whose suffix says otherwise.
fn check_population(out: &Path, format: PopulationFormat) -> Result<()> {
    let (fitting, must): (&[&str], _) = match format {
        PopulationFormat::Parquet => {
            (&["parquet", "pq"], "a file that ends in .parquet, or another --format")
        }
        PopulationFormat::Csv | PopulationFormat::SpreadsheetCsv => {
            (&["csv"], "a file that ends in .csv, or another --format")
        }
        PopulationFormat::H5ad => (&["h5ad"], "a file that ends in .h5ad, or another --format"),
    };
    check_suffix(out, format.suffix(), fitting, must)
}

/// Suffixes that promise what is in a file.
const PROMISES: [&str; 18] = [
    "csv", "tsv", "txt", "tab", "parquet", "pq", "feather", "graphml", "xml", "json", "h5ad", "h5",
    "loom", "zarr", "xlsx", "gz", "zip", "zst",
];

/// Refuses a file whose suffix promises something else than `format`, whose files may have the suffixes
/// `fitting`; `must` says so in words. Other suffixes, or none, promise nothing.
pub(crate) fn check_suffix(
    out: &Path,
    format: &str,
    fitting: &[&str],
    must: &'static str,
) -> Result<()> {
    let suffix = out.extension().map(|suffix| suffix.to_string_lossy().to_ascii_lowercase());
    let Some(suffix) = suffix else { return Ok(()) };
    if fitting.contains(&suffix.as_str()) || !PROMISES.contains(&suffix.as_str()) {
        return Ok(());
    }
    let got = format!("`{}` with `--format {format}`", out.display());
    Err(Error::Parameter { name: "--out", must, got })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_suffix_that_promises_something_else_is_refused() {
        let check = |out: &str| check_suffix(Path::new(out), "csv", &["csv"], "a .csv");
        for out in ["a.csv", "a.CSV", "a", "a.links", "/dev/stdout", "-"] {
            assert!(check(out).is_ok(), "{out}");
        }
        for out in ["a.parquet", "a.csv.gz", "a.TSV"] {
            assert!(check(out).unwrap_err().to_string().contains("--format csv"), "{out}");
        }
    }
}
