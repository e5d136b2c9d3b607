//! `sbcell interpolate`: model + times → the population at these times.

use clap::Args;
use sbcell::Result;
use sbcell::bridge::Property;
use sbcell::pipeline::{self, Dynamics, InterpolateOptions, solvers};

use crate::cli::Outcome;
use crate::cli::formats::PopulationArgs;
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
    #[command(flatten)]
    written: PopulationArgs,
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

pub(crate) fn run(args: InterpolateArgs, seed: u64, terminal: &mut Terminal) -> Result<Outcome> {
    let InterpolateArgs {
        model: ModelArgs { model: folder },
        at,
        n_cells,
        diffusion,
        backward,
        written,
    } = args;
    let dynamics = (diffusion.is_some() || backward)
        .then(|| Dynamics { diffusion: diffusion.unwrap_or(1.0), backward });
    let (out, format) = written.target(&folder, "interpolated", terminal)?;
    let space = written.space.space;
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
