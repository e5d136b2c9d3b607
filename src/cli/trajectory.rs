//! `sbcell trajectory`: where sets of cells came from and where they go.

use std::path::{Path, PathBuf};

use clap::Args;
use sbcell::data::time::KnownTimes;
use sbcell::io::output::is_stream;
use sbcell::io::table::{Cells, Table};
use sbcell::pipeline::{self, Direction, TrajectoryOptions};
use sbcell::{Error, Result};

use crate::cli::Outcome;
use crate::cli::sets::SetArgs;
use crate::cli::shared::{ModelArgs, aligned, open_model, short, shown, up_to};
use crate::cli::terminal::Terminal;
use crate::cli::times::{self, times_of};

const EXAMPLES: &str = "\
Examples:
  sbcell trajectory --groupby cell_type
      ancestors and descendants of every group, each at the last time it is seen
  sbcell trajectory --groupby cell_type=XEN --at 72 --backward --out ancestors.csv
      where the XEN cells of 72 came from: the share of every earlier cell
  sbcell trajectory --groupby cell_type --at 24 --paths 50 --to 96:XEN --paths-out paths.csv
      50 paths from every group of 24 to XEN cells of 96, through the cells between

Columns of --out: id, time, then for every set the share of each cell (sums to one at each time).
Beside it, with `.summary` before the suffix: set, time, mass (descendants relative to as many mean
cells), entropy, effective_cells (so many cells of even share would be as uncertain), n_cells.
Columns of paths: set, path, time, cell (where a path is at one), coordinates.";

/// Ancestors and descendants of sets of cells, and single paths
///
/// Sets are pushed forward and pulled back through the plans between the observed cells, interval by
/// interval; no matrix between distant times is formed. Chaining assumes that where a cell goes does not
/// depend on where it came from.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct TrajectoryArgs {
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    sets: SetArgs,
    #[command(flatten)]
    way: WayArgs,
    /// Single paths of each set to draw, written to --paths-out
    #[arg(long, value_name = "N", requires = "paths_out", value_parser = up_to::<100_000>)]
    paths: Option<usize>,
    /// File for the paths: .csv, .tsv or .parquet
    #[arg(long, value_name = "FILE", requires = "paths")]
    paths_out: Option<PathBuf>,
    /// Group that paths are to end in, at TIME or the last time; without it they go where they go
    #[arg(long, value_name = "[TIME:]GROUP", requires = "paths")]
    to: Option<String>,
    /// Times of a path in each interval
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = up_to::<10_000>)]
    grid: usize,
    /// File to write: .csv, .tsv or .parquet, or - for standard output
    #[arg(short, long, value_name = "FILE", default_value = "trajectory.csv")]
    out: PathBuf,
}

/// Time and direction of trajectories.
#[derive(Debug, Args)]
pub(crate) struct WayArgs {
    /// Time (or its label) of the sets [default: of each the last with cells of it]
    #[arg(long, value_name = "TIME", allow_negative_numbers = true)]
    at: Option<String>,
    /// Descendants only
    #[arg(long, conflicts_with = "backward")]
    forward: bool,
    /// Ancestors only
    #[arg(long)]
    backward: bool,
}

impl WayArgs {
    /// Options of trajectories without paths; times are those of `known`.
    pub(crate) fn options(
        self,
        known: &KnownTimes,
        sets: SetArgs,
        seed: u64,
    ) -> Result<TrajectoryOptions> {
        let Self { at, forward, backward } = self;
        let at = times::observed(known, "--at", at.as_ref())?;
        let direction = match (forward, backward) {
            (true, _) => Direction::Forward,
            (_, true) => Direction::Backward,
            _ => Direction::Both,
        };
        let (sets, only) = sets.sets();
        Ok(TrajectoryOptions { sets, only, at, direction, paths: 0, grid: 1, to: None, seed })
    }
}

pub(crate) fn run(args: TrajectoryArgs, seed: u64, terminal: &mut Terminal) -> Result<Outcome> {
    let TrajectoryArgs {
        model: ModelArgs { model: folder },
        sets,
        way,
        paths,
        paths_out,
        to,
        grid,
        out,
    } = args;
    let format = terminal.table_format(&out)?;
    let paths_out = match paths_out {
        None => None,
        Some(file) => Some((terminal.table_format(&file)?, file)),
    };
    if paths == Some(0) {
        return Err(Error::Parameter { name: "--paths", must: "at least 1", got: "0".into() });
    }
    let model = open_model(&folder, terminal)?;
    let known = times_of(&model);
    let mut options = way.options(&known, sets, seed)?;
    options.paths = paths.unwrap_or(0);
    options.grid = grid;
    if let Some(text) = &to {
        let (time, group) = known.before_colon("--to", text)?;
        options.to = Some((group.to_string(), time));
    }
    let found = pipeline::trajectory(&model, &options, terminal)?;
    pipeline::write_table(&out, format, &found.shares, &model, "trajectory", &options)?;
    // What goes to standard output is one table.
    let summary = (!is_stream(&out)).then(|| beside(&out, "summary"));
    if let Some(summary) = &summary {
        pipeline::write_table(summary, format, &found.spreads, &model, "trajectory", &options)?;
    }
    say(&found.spreads, terminal);
    if let (Some(paths), Some((format, file))) = (&found.paths, &paths_out) {
        pipeline::write_table(file, *format, paths, &model, "trajectory", &options)?;
        terminal.say(&format!("wrote {}", shown(file)));
    }
    let also = summary.map(|summary| format!(" and {}", shown(&summary))).unwrap_or_default();
    terminal.say(&format!("wrote {}{also}", shown(&out)));
    Ok(Outcome::Done)
}

/// `a/b.csv` → `a/b.NAME.csv`.
pub(crate) fn beside(out: &Path, name: &str) -> PathBuf {
    let suffix = out.extension().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
    out.with_extension(format!("{name}.{suffix}"))
}

fn say(spreads: &Table, terminal: &Terminal) {
    let header = ["set", "time", "mass", "entropy", "effective cells", "cells"];
    let names = ["set", "time", "mass", "entropy", "effective_cells", "n_cells"];
    let cell = |name: &str, row: usize| match spreads.column(name) {
        Some(Cells::Floats(values)) if name == "time" => values[row].to_string(),
        Some(Cells::Floats(values)) => short(values[row]),
        Some(other) => other.text(row),
        None => String::new(),
    };
    let rows: Vec<Vec<String>> =
        (0..spreads.n_rows()).map(|row| names.map(|name| cell(name, row)).to_vec()).collect();
    terminal.say(&aligned(&header, &rows));
}
