//! `sbcell trajectory`: ancestors and descendants of sets of cells, and single paths.

use std::path::{Path, PathBuf};

use clap::Args;
use sbcell::data::time::KnownTimes;
use sbcell::io::output::is_stream;
use sbcell::io::table::{Cells, Table};
use sbcell::pipeline::{self, Direction, PathScheme, TrajectoryOptions};
use sbcell::{Error, Result};

use crate::cli::Outcome;
use crate::cli::clones::CloneCouplingArgs;
use crate::cli::fates::{AUTO, StateArgs, check_names_only};
use crate::cli::formats::TableArgs;
use crate::cli::sets::SetArgs;
use crate::cli::shared::{
    CouplingNoiseArgs, ModelArgs, aligned, open_model, short, shown, up_to, with_help,
};
use crate::cli::terminal::Terminal;
use crate::cli::times::{AtOneArgs, times_of};

const EXAMPLES: &str = "\
Examples:
  sbcell trajectory --groupby cell_type
      ancestors and descendants of every group, from the last time at which it has cells
  sbcell trajectory --groupby cell_type=XEN --at 72 --backward --out ancestors.csv
      ancestors of the XEN cells at 72: the share of every earlier cell
  sbcell trajectory --groupby cell_type --at 24 --paths 50 --paths-to 96:XEN --paths-out paths.csv
      50 paths from every group at 24 to XEN cells at 96, through the times between

Columns of --out: id, time, then for every set the share of each cell (the shares of one time sum
to one). A second file, with `.summary` before the suffix, has set, time, mass (descendants
relative to the same number of mean cells), entropy, effective_cells (number of cells with equal
shares that have this entropy) and n_cells. Columns of paths: set, path, time, cell (where a path
is at an observed cell), coordinates.";

/// Ancestors and descendants of sets of cells, and single paths
///
/// sbcell multiplies the shares of a set with the coupling of its time with each other time. The
/// couplings of the bridges (--coupling-epsilon fit) are chained over the intervals. Single paths follow
/// the bridges.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
#[command(mut_arg("out", |out| out.default_value("trajectory.csv")))]
pub(crate) struct TrajectoryArgs {
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    way: WayArgs,
    #[command(flatten)]
    sets: SetArgs,
    #[command(flatten)]
    paths: PathArgs,
    #[command(flatten)]
    clones: CloneCouplingArgs,
    #[command(flatten)]
    table: TableArgs,
}

/// Single paths, drawn from the sets.
#[derive(Debug, Args)]
#[command(next_help_heading = "Paths")]
struct PathArgs {
    /// Number of single paths to draw from each set, written to --paths-out
    #[arg(long, value_name = "N", requires = "paths_out", value_parser = up_to::<100_000>)]
    paths: Option<usize>,
    /// File for the paths: .csv, .tsv or .parquet
    #[arg(long, value_name = "FILE", requires = "paths")]
    paths_out: Option<PathBuf>,
    /// Group in which all paths end, at TIME or at the last time. Without this flag, paths end
    /// anywhere
    #[arg(long, alias = "to", value_name = "[TIME:]GROUP", requires = "paths")]
    paths_to: Option<String>,
    /// Number of times on a path in each interval
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = up_to::<10_000>)]
    grid: usize,
    /// How paths without --paths-to are drawn
    #[arg(long, value_enum, default_value_t, requires = "paths", conflicts_with = "paths_to")]
    scheme: PathScheme,
    /// Number of Euler-Maruyama steps in each interval, with --scheme em [default: 100]
    #[arg(long, alias = "steps", value_name = "N", value_parser = up_to::<1_000_000>)]
    n_steps: Option<usize>,
}

/// Time and direction of trajectories.
#[derive(Debug, Args)]
#[command(mut_arg("at", |at| with_help(at, ": take the sets there [default: for each set, the last \
    time at which it has cells]")))]
pub(crate) struct WayArgs {
    #[command(flatten)]
    at: AtOneArgs,
    /// Compute descendants only
    #[arg(long, conflicts_with = "backward")]
    forward: bool,
    /// Compute ancestors only
    #[arg(long)]
    backward: bool,
    #[command(flatten)]
    noise: CouplingNoiseArgs,
    /// `auto`: the sets are the terminal states that are found without labels, as with `sbcell fates`;
    /// --groupby then only gives them names
    #[arg(long, value_name = "auto", value_parser = [AUTO])]
    terminal: Option<String>,
    #[command(flatten)]
    states: StateArgs,
}

impl WayArgs {
    /// Options of trajectories without paths. `known` holds the times of the model.
    ///
    /// # Errors
    /// As [`AtOneArgs::observed`] and [`check_names_only`].
    pub(crate) fn options(
        self,
        known: &KnownTimes,
        sets: SetArgs,
        seed: u64,
    ) -> Result<TrajectoryOptions> {
        let Self { at, forward, backward, noise, terminal, states } = self;
        let at = at.observed(known)?;
        let direction = match (forward, backward) {
            (true, _) => Direction::Forward,
            (_, true) => Direction::Backward,
            _ => Direction::Both,
        };
        let (mut sets, only) = sets.sets();
        if terminal.is_some() {
            check_names_only(&only)?;
        }
        sets.states = terminal.map(|_| states.options(None, seed));
        Ok(TrajectoryOptions::default()
            .with_sets(sets)
            .with_only(only)
            .with_at(at)
            .with_direction(direction)
            .with_paths(0)
            .with_grid(1)
            .with_paths_to(None)
            .with_coupling_epsilon(noise.coupling_epsilon)
            .with_seed(seed))
    }
}

/// Runs `sbcell trajectory`: writes the shares, the summary and the paths, and prints the summary.
///
/// # Errors
/// As [`pipeline::trajectory`]; [`Error::Parameter`] for flags out of range.
pub(crate) fn run(args: TrajectoryArgs, seed: u64, terminal: &mut Terminal) -> Result<Outcome> {
    let TrajectoryArgs { model: ModelArgs { model: folder }, way, sets, paths, clones, table } =
        args;
    let PathArgs { paths, paths_out, paths_to, grid, scheme, n_steps } = paths;
    let (out, format) = table.target(terminal)?;
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
    options.clones = clones.coupling(options.sets.data.clone());
    options.paths = paths.unwrap_or(0);
    options.grid = grid;
    options.scheme = scheme;
    if let Some(n_steps) = n_steps {
        if scheme == PathScheme::Exact {
            let (name, must) = ("--n-steps", "used with --scheme em");
            return Err(Error::Parameter { name, must, got: n_steps.to_string() });
        }
        options.n_steps = n_steps;
    }
    if let Some(text) = &paths_to {
        let (time, group) = known.before_colon("--paths-to", text)?;
        options.paths_to = Some((group.to_string(), time));
    }
    let found = pipeline::trajectory(&model, &options, terminal)?;
    pipeline::write_table(&out, format, &found.shares, &model, "trajectory", &options)?;
    // Standard output takes one table only.
    let summary = (!is_stream(&out)).then(|| beside(&out, "summary"));
    if let Some(summary) = &summary {
        pipeline::write_table(summary, format, &found.spreads, &model, "trajectory", &options)?;
    }
    if summary.is_none() {
        say_left_out("summary", terminal);
    }
    say(&found.spreads, terminal);
    if let (Some(paths), Some((format, file))) = (&found.paths, &paths_out) {
        pipeline::write_table(file, *format, paths, &model, "trajectory", &options)?;
        terminal.wrote(file);
        terminal.say(&format!("wrote {}", shown(file)));
    }
    for file in std::iter::once(&out).chain(&summary) {
        terminal.wrote(file);
    }
    let also = summary.map(|summary| format!(" and {}", shown(&summary))).unwrap_or_default();
    terminal.say(&format!("wrote {}{also}", shown(&out)));
    Ok(Outcome::Done)
}

/// The second file of a command: `a/b.csv` → `a/b.NAME.csv`.
pub(crate) fn beside(out: &Path, name: &str) -> PathBuf {
    let suffix = out.extension().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
    out.with_extension(format!("{name}.{suffix}"))
}

/// Notes that the second table of a command, with the name `name` in [`beside`], is not written because the
/// first one goes to standard output.
pub(crate) fn say_left_out(name: &str, terminal: &Terminal) {
    terminal.note(&format!(
        "the table of {name} is not written, as standard output takes one table: `--out FILE.csv` also \
         writes FILE.{name}.csv"
    ));
}

/// Prints the summary of every set and time.
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
