//! `sbcell interpolate`: model + times → the population at these times.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use sbcell::Result;
use sbcell::bridge::Property;
use sbcell::pipeline::{self, Dynamics, InterpolateOptions, PopulationFormat, Space, solvers};

use crate::cli::Outcome;
use crate::cli::formats::check_suffix;
use crate::cli::shared::{ModelArgs, aligned, open_model, shown, up_to};
use crate::cli::terminal::Terminal;
use crate::cli::times::{self, times_of};

const EXAMPLES: &str = "\
Examples:
  sbcell interpolate
      the middle of every interval of ./sbcell-out, into ./sbcell-out/interpolated.parquet
  sbcell interpolate --at 36,54 --space genes --format h5ad --out at-36-54.h5ad
      expression of the model's genes at two times, for scanpy
  sbcell interpolate --at 36 --n-cells 500 --out cells.csv
      500 cells at one time, for anything";

/// The population at any time between the snapshots
///
/// Cells of the earlier snapshot are carried by the bridge's exact transition, without error of
/// time discretisation. At the time of a snapshot its own cells are written.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct InterpolateArgs {
    #[command(flatten)]
    model: ModelArgs,
    /// Times, in the unit of the file, or labels of snapshots [default: the middle of every interval]
    #[arg(long, value_name = "T,…", value_delimiter = ',', allow_negative_numbers = true)]
    at: Vec<String>,
    /// Cells at each time [default: as many as in the earlier snapshot]
    #[arg(long, value_name = "N", value_parser = up_to::<10_000_000>)]
    n_cells: Option<usize>,
    /// Diffusion in units of the process's own, in small steps: 0 follows its probability flow
    /// [default: the process itself, exactly where it can be]
    #[arg(long, value_name = "G", allow_negative_numbers = true, long_help = diffusion())]
    diffusion: Option<f64>,
    /// Start from the later snapshot and go back in time: ancestors of its cells
    #[arg(long)]
    backward: bool,
    /// Coordinates to write: those of the fit, or genes (on the scale that was fitted)
    #[arg(long, value_enum, default_value = "pca")]
    space: SpaceArg,
    /// Format [default: by the suffix of --out, else parquet]
    #[arg(long, value_enum)]
    format: Option<FormatArg>,
    /// File to write [default: interpolated.parquet (or .csv, .h5ad) in the model's folder]
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// What there is to read of `--diffusion`, with the solvers that know their score.
fn diffusion() -> String {
    let known = solvers::with(Property::KnowsScore).join(", ");
    format!(
        "Diffusion in units of the process's own, in small steps: 0 follows its probability flow \
         [default: the process itself, exactly where it can be]\n\nValues other than 1, and \
         --backward, need a solver whose score is known: {known}; ot-cfm and i-cfm have no diffusion. \
         Where a score is made of the cells of the earlier snapshot (lightsb, sinkhorn), it takes time \
         with the square of their number."
    )
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SpaceArg {
    Pca,
    Genes,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FormatArg {
    Parquet,
    Csv,
    H5ad,
}

impl FormatArg {
    /// Refuses a file whose suffix says otherwise.
    fn check(self, out: &Path) -> Result<()> {
        match self {
            Self::Parquet => {
                let must = "a file that ends in .parquet, or another --format";
                check_suffix(out, "parquet", &["parquet", "pq"], must)
            }
            Self::Csv => {
                check_suffix(out, "csv", &["csv"], "a file that ends in .csv, or another --format")
            }
            Self::H5ad => check_suffix(
                out,
                "h5ad",
                &["h5ad"],
                "a file that ends in .h5ad, or another --format",
            ),
        }
    }
}

impl From<FormatArg> for PopulationFormat {
    fn from(format: FormatArg) -> Self {
        match format {
            FormatArg::Parquet => Self::Parquet,
            FormatArg::Csv => Self::Csv,
            FormatArg::H5ad => Self::H5ad,
        }
    }
}

pub(crate) fn run(args: InterpolateArgs, seed: u64, terminal: &mut Terminal) -> Result<Outcome> {
    let InterpolateArgs {
        model: ModelArgs { model: folder },
        at,
        n_cells,
        diffusion,
        backward,
        space,
        format,
        out,
    } = args;
    let dynamics = (diffusion.is_some() || backward)
        .then(|| Dynamics { diffusion: diffusion.unwrap_or(1.0), backward });
    if let (Some(format), Some(out)) = (format, &out) {
        format.check(out)?;
    }
    let format = match (format, &out) {
        (Some(format), _) => format.into(),
        (None, Some(out)) => PopulationFormat::of(out)?,
        (None, None) => PopulationFormat::Parquet,
    }
    .for_spreadsheets(terminal.spreadsheet_safe);
    let out = out.unwrap_or_else(|| folder.join(format!("interpolated.{}", format.suffix())));
    let space = match space {
        SpaceArg::Pca => Space::Pca,
        SpaceArg::Genes => Space::Genes,
    };
    let model = open_model(&folder, terminal)?;
    let at = times::any(&times_of(&model), "--at", &at)?;
    let options = InterpolateOptions { at, n_cells, space, dynamics, seed };
    let populations = pipeline::interpolate(&model, &options, terminal)?;
    pipeline::write_populations(&out, &model, &populations, &options, format)?;
    let rows: Vec<Vec<String>> = populations
        .iter()
        .map(|population| {
            let kind = if population.observed { "observed" } else { "bridge" };
            let n_cells = population.points.nrows().to_string();
            vec![population.time.to_string(), n_cells, kind.to_string()]
        })
        .collect();
    terminal.say(&aligned(&["time", "cells", "from"], &rows));
    terminal.say(&format!("wrote {}", shown(&out)));
    Ok(Outcome::Done)
}
