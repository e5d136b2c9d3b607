//! `sbcell velocity`: model → drift, probability flow, score and growth rate of every cell.

use std::path::PathBuf;

use clap::Args;
use sbcell::pipeline::{self, VelocityOptions, VelocitySpace};
use sbcell::{Error, Result};

use crate::cli::Outcome;
use crate::cli::populations::SpaceArgs;
use crate::cli::shared::{ModelArgs, aligned, open_model, short, shown, with_help};
use crate::cli::terminal::Terminal;
use crate::cli::times::{AtArgs, times_of};

const EXAMPLES: &str = "\
Examples:
  sbcell velocity
      every cell of ./sbcell-out at its own time, to ./sbcell-out/velocity.parquet
  sbcell velocity --space genes --gene Sox2,Pou5f1 --out velocity.csv
      how fast two genes change in every cell
  sbcell velocity --at 30 --out at-30.csv
      the population between two snapshots

Columns: velocity_* is the drift, the expected direction of a cell, in units of the data per unit
of time. flow_* is the velocity of the probability flow, which moves the population without noise.
score_* is the gradient of the log density. flow_* and score_* are written where the solver knows
them: sf2m and dsbm at all times, lightsb and gaussian from the second time on, sinkhorn between the
snapshots. Genes are on the scale of the fit (log1p for counts).";

/// Velocity of every cell: drift, probability flow, score, growth rate
///
/// A cell has the velocity of the interval that begins at its time. Cells of the last time have the
/// velocity at the end of the last interval; with --solver sinkhorn this velocity has no meaning.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
#[command(mut_arg("at", |at| with_help(at, ": draw the populations there \
    [default: the cells of the model, each at its own time]")))]
pub(crate) struct VelocityArgs {
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    at: AtArgs,
    #[command(flatten)]
    space: SpaceArgs<VelocitySpace>,
    /// Genes to write, with --space genes or both [default: all genes of the model]
    #[arg(long = "gene", alias = "genes", value_name = "GENE,…", value_delimiter = ',')]
    genes: Vec<String>,
    /// Table to write: .csv, .tsv or .parquet, or - for standard output [default: velocity.parquet in
    /// the model's folder]
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Runs `sbcell velocity`: writes the velocities and prints the median speed at each time.
///
/// # Errors
/// As [`pipeline::velocity`]; [`Error::Parameter`] for `--gene` without genes in `--space`.
pub(crate) fn run(args: VelocityArgs, seed: u64, terminal: &mut Terminal) -> Result<Outcome> {
    let VelocityArgs {
        model: ModelArgs { model: folder },
        at,
        space: SpaceArgs { space },
        genes,
        out,
    } = args;
    if !genes.is_empty() && !space.has_genes() {
        let must = "given with `--space genes` or `--space both`";
        return Err(Error::Parameter { name: "--gene", must, got: "`--space pca`".into() });
    }
    let out = out.unwrap_or_else(|| folder.join("velocity.parquet"));
    let format = terminal.table_format(&out)?;
    let model = open_model(&folder, terminal)?;
    let at = at.any(&times_of(&model))?;
    let options =
        VelocityOptions::default().with_at(at).with_space(space).with_genes(genes).with_seed(seed);
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
        "speed: length of the drift, median over cells; drift × Δt: the same over the interval of \
         length Δt; noise: displacement by noise alone, √(dim σ² Δt)",
    );
    if let Some(last) = found.speeds.iter().find(|at| at.arriving) {
        terminal.say(&format!("at {}: velocity at the end of the last interval", last.time));
    }
    terminal.wrote(&out);
    terminal.say(&format!("wrote {}", shown(&out)));
    Ok(Outcome::Done)
}
