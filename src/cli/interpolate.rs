//! `sbcell interpolate`: model and times → the populations at these times.

use std::path::PathBuf;

use clap::Args;
use sbcell::Result;
use sbcell::bridge::Property;
use sbcell::pipeline::{self, Dynamics, InterpolateOptions, solvers};

use crate::cli::Outcome;
use crate::cli::populations::{NumberArgs, PopulationArgs, SpaceArgs};
use crate::cli::shared::{DataArgs, ModelArgs, aligned, open_model, shown, with_help};
use crate::cli::terminal::Terminal;
use crate::cli::times::{AtArgs, times_of};

const EXAMPLES: &str = "\
Examples:
  sbcell interpolate
      the middle of every interval of ./sbcell-out, to ./sbcell-out/interpolated.parquet
  sbcell interpolate --at 36,54 --space genes --format h5ad --out at-36-54.h5ad
      expression of the model's genes at two times, as an AnnData file for scanpy
  sbcell interpolate --at 36 --n-cells 500 --out cells.csv
      500 cells at one time, as text
  sbcell interpolate --at 36 --diffusion 0:1
      without noise at the earlier snapshot, with more and more noise later";

/// Draw the population at any time between the snapshots
///
/// sbcell moves cells of the earlier snapshot by the exact transition of the bridge, without time
/// steps. At the time of a snapshot it writes the observed cells.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
#[command(mut_arg("at", |at| with_help(at, " [default: the middle of every interval]")))]
#[command(mut_arg("n_cells", |n| with_help(n, " [default: the size of the earlier snapshot]")))]
#[command(mut_arg("out", |out| with_help(out, " [default: interpolated.parquet, or with the \
    suffix of --format, in the model's folder]")))]
pub(crate) struct InterpolateArgs {
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    at: AtArgs,
    #[command(flatten)]
    number: NumberArgs,
    /// Diffusion as a multiple of the diffusion of the process, in small time steps; 0 follows the
    /// probability flow [default: the process itself, by exact draws where the solver has them]
    #[arg(long, value_name = "G[:G]", allow_negative_numbers = true, long_help = diffusion())]
    diffusion: Option<String>,
    /// Diffusion that changes over an interval: a table with a header and the columns local time
    /// (0 to 1) and G, linear between its rows
    #[arg(long, value_name = "FILE", conflicts_with = "diffusion")]
    diffusion_file: Option<PathBuf>,
    /// Start from the later snapshot and go back in time, to the ancestors of its cells
    #[arg(long)]
    backward: bool,
    /// Embedding of the .h5ad file, such as umap: also write the places of the cells on it, each the
    /// mean place of its eight nearest observed cells
    #[arg(long, value_name = "KEY")]
    basis: Option<String>,
    #[command(flatten)]
    data: DataArgs,
    #[command(flatten)]
    written: PopulationArgs,
}

/// The long help of `--diffusion`, with the names of the solvers that know their score.
fn diffusion() -> String {
    let known = solvers::with(Property::KnowsScore).join(", ");
    format!(
        "Diffusion as a multiple of the diffusion of the process, in small time steps; 0 follows the \
         probability flow [default: the process itself, by exact draws where the solver has them]\n\n\
         0.5:1.5 rises from 0.5 at the earlier snapshot to 1.5 at the later one, also with --backward. \
         Every diffusion gives the same populations, up to errors of the score and of the steps. It \
         changes which cells descend from which.\n\n\
         A value other than 1, and --backward, need a solver that knows its score: {known}. The solvers \
         ot-cfm and i-cfm have no diffusion. For lightsb and sinkhorn the score is a sum over the cells \
         of the earlier snapshot, so the time grows with the square of their number."
    )
}

/// Runs `sbcell interpolate`: writes the populations and prints the number of cells at each time.
///
/// # Errors
/// As [`pipeline::interpolate`].
pub(crate) fn run(args: InterpolateArgs, seed: u64, terminal: &mut Terminal) -> Result<Outcome> {
    let InterpolateArgs {
        model: ModelArgs { model: folder },
        at,
        number: NumberArgs { n_cells },
        diffusion,
        diffusion_file,
        backward,
        basis,
        data,
        written,
    } = args;
    let diffusion = match (&diffusion, &diffusion_file) {
        (Some(text), _) => Some(pipeline::diffusion_of(text)?),
        (None, Some(file)) => Some(pipeline::read_diffusion(file)?),
        (None, None) => None,
    };
    let dynamics = (diffusion.is_some() || backward)
        .then(|| Dynamics { diffusion: diffusion.unwrap_or(1.0.into()), backward });
    let (out, format) = written.target(&folder, "interpolated", terminal)?;
    let SpaceArgs { space } = written.space;
    let model = open_model(&folder, terminal)?;
    let at = at.any(&times_of(&model))?;
    let options = InterpolateOptions::default()
        .with_at(at)
        .with_n_cells(n_cells)
        .with_space(space)
        .with_dynamics(dynamics)
        .with_basis(basis)
        .with_data(data.path())
        .with_seed(seed);
    let populations = pipeline::interpolate(&model, &options, terminal)?;
    pipeline::write_populations(&out, &model, &populations, &options, format, terminal)?;
    let rows: Vec<Vec<String>> = populations
        .iter()
        .map(|population| {
            let kind = if population.observed { "observed" } else { "bridge" };
            let n_cells = population.points.nrows().to_string();
            vec![population.time.to_string(), n_cells, kind.to_string()]
        })
        .collect();
    terminal.say(&aligned(&["time", "cells", "from"], &rows));
    terminal.wrote(&out);
    terminal.say(&format!("wrote {}", shown(&out)));
    Ok(Outcome::Done)
}
