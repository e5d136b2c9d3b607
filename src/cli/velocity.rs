//! `sbcell velocity`: model → where every cell is going, how fast, and how sure that is.

use std::path::PathBuf;

use clap::Args;
use sbcell::pipeline::{self, VelocityOptions, VelocitySpace};
use sbcell::{Error, Result};

use crate::cli::Outcome;
use crate::cli::formats::SpaceArgs;
use crate::cli::shared::{ModelArgs, aligned, open_model, short, shown};
use crate::cli::terminal::Terminal;
use crate::cli::times::{self, times_of};

const EXAMPLES: &str = "\
Examples:
  sbcell velocity
      every cell of ./sbcell-out at its own time, into ./sbcell-out/velocity.parquet
  sbcell velocity --space genes --genes Sox2,Pou5f1 --out velocity.csv
      how fast two genes change in every cell
  sbcell velocity --at 30 --out at-30.csv
      the population between two snapshots

velocity_* is the drift: where a cell is expected to go, per unit of time. flow_* is the velocity
of the probability flow, which moves the population without noise; score_* is the gradient of the
log density. These are there where the solver knows them: sf2m everywhere, lightsb and gaussian
from the second time on, sinkhorn between the snapshots. Genes are on the scale that was fitted
(log1p for counts).";

/// Velocity of every cell: drift, probability flow, score, growth rate
///
/// A cell takes the bridge of the interval that begins at its time; at the last time, where none begins,
/// that of the last interval at its end. With --solver sinkhorn that end has no meaningful velocity.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct VelocityArgs {
    #[command(flatten)]
    model: ModelArgs,
    /// Times, or labels of snapshots: the population there instead of the cells of the file
    #[arg(long, value_name = "T,…", value_delimiter = ',', allow_negative_numbers = true)]
    at: Vec<String>,
    #[command(flatten)]
    space: SpaceArgs<VelocitySpace>,
    /// Genes to write, with --space genes or both [default: all of the model]
    #[arg(long, value_name = "GENE,…", value_delimiter = ',')]
    genes: Vec<String>,
    /// File to write: .parquet, .csv or .tsv [default: velocity.parquet in the model's folder]
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(crate) fn run(args: VelocityArgs, seed: u64, terminal: &mut Terminal) -> Result<Outcome> {
    let VelocityArgs { model: ModelArgs { model: folder }, at, space, genes, out } = args;
    let SpaceArgs { space } = space;
    if !genes.is_empty() && !space.has_genes() {
        let must = "given with `--space genes` or `--space both`";
        return Err(Error::Parameter { name: "--genes", must, got: "`--space pca`".into() });
    }
    let out = out.unwrap_or_else(|| folder.join("velocity.parquet"));
    let format = terminal.table_format(&out)?;
    let model = open_model(&folder, terminal)?;
    let at = times::any(&times_of(&model), "--at", &at)?;
    let options = VelocityOptions { at, space, genes, seed };
    let found = pipeline::velocity(&model, &options, terminal)
        .map_err(|error| pipeline::with_genes_of_file(error, &model, None))?;
    pipeline::write_velocities(&out, &model, &found, &options, format)?;
    let rows: Vec<Vec<String>> = found
        .speeds
        .iter()
        .map(|at| {
            let n_cells = at.n_cells.to_string();
            vec![
                at.time.to_string(),
                n_cells,
                short(at.speed),
                short(at.travelled),
                short(at.noise),
            ]
        })
        .collect();
    terminal.say(&aligned(&["time", "cells", "speed", "drift × Δt", "noise"], &rows));
    terminal.say(
        "speed, drift × Δt: median over cells, of the interval's length Δt; noise: √(dim σ² Δt)",
    );
    if let Some(last) = found.speeds.iter().find(|at| at.arriving) {
        terminal.say(&format!("at {}: the velocity with which cells arrive", last.time));
    }
    terminal.say(&format!("wrote {}", shown(&out)));
    Ok(Outcome::Done)
}
