//! Flags of commands that write populations of cells: number, coordinates, format and file.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use sbcell::Result;
use sbcell::pipeline::{PopulationFormat, Space};

use crate::cli::formats::check_suffix;
use crate::cli::shared::up_to;
use crate::cli::terminal::Terminal;

/// `--n-cells`, the size of each population. The command states the default in the help.
#[derive(Debug, Args)]
pub(crate) struct NumberArgs {
    /// Number of cells to draw at each time
    #[arg(long, value_name = "N", value_parser = up_to::<10_000_000>)]
    pub(crate) n_cells: Option<usize>,
}

/// `--space`, the coordinates of the output. `S` lists the coordinates that the command can write.
#[derive(Debug, Args)]
pub(crate) struct SpaceArgs<S>
where
    S: ValueEnum + Clone + Send + Sync + 'static,
{
    // Not `default_value_t`: clap keeps its text in a static, which all `S` would share.
    /// Coordinates to write
    #[arg(long, value_enum, default_value = "pca")]
    pub(crate) space: S,
}

/// Coordinates, format and file of the populations that a command writes.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct PopulationArgs {
    #[command(flatten)]
    pub(crate) space: SpaceArgs<Space>,
    /// File format [default: the suffix of --out, else parquet]
    #[arg(long, value_enum)]
    format: Option<PopulationFormat>,
    /// File to write, or - for standard output
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl PopulationArgs {
    /// The file to write and its format. Without flags this is `STEM.parquet` in the model's `folder`.
    ///
    /// # Errors
    /// [`sbcell::Error::Parameter`] if the suffix of the file contradicts `--format`, or, without `--format`,
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

/// Refuses a file whose suffix belongs to another format.
///
/// # Errors
/// [`sbcell::Error::Parameter`], as [`check_suffix`].
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
