//! `sbcell fates`: where each cell of each earlier time ends.

use std::path::PathBuf;

use clap::Args;
use sbcell::data::time::KnownTimes;
use sbcell::pipeline::{self, FateOptions, FateTables, TerminalGroup};
use sbcell::{Error, Result};

use crate::cli::Outcome;
use crate::cli::sets::{ResampleArgs, SetArgs};
use crate::cli::shared::{ModelArgs, aligned, open_model, short, shown};
use crate::cli::terminal::Terminal;
use crate::cli::times::{self, times_of};

const EXAMPLES: &str = "\
Examples:
  sbcell fates --groupby cell_type
      fates are the groups of the last time
  sbcell fates --groupby cell_type=XEN,ectoderm --at 96 --out fates.parquet
      only these two
  sbcell fates --groupby cell_type --at 96 --terminal 72:ectoderm
      ectoderm of 72 has arrived already: its cells stay, their own descendants do not count again

Columns: id, time, the probability of every fate (of the descendants of a cell that reach any fate),
its 95 % interval (_lo, _hi) and log-odds (_log_odds), entropy of the fates in nats, reached (share of
descendants that reach any fate), descendants (at the end, relative to the mean cell).

What to make of it: a fate is that of the plans between the snapshots. It says which later cells a cell
is most like, given that all cells move as little as they can; it does not know what the cell would have
done. The intervals hold the scatter of the cells, not the choice of coordinates or of ε.";

/// Fate probabilities of every cell of every earlier time
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct FatesArgs {
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    sets: SetArgs,
    #[command(flatten)]
    terminal: TerminalArgs,
    #[command(flatten)]
    resample: ResampleArgs,
    /// File to write: .csv, .tsv or .parquet, or - for standard output
    #[arg(short, long, value_name = "FILE", default_value = "fates.csv")]
    out: PathBuf,
}

/// Which groups are fates.
#[derive(Debug, Args)]
pub(crate) struct TerminalArgs {
    /// Time (or its label) at which groups are fates [default: the last]
    #[arg(long, value_name = "TIME", allow_negative_numbers = true)]
    at: Option<String>,
    /// A group that is terminal at a time of its own, beside those of --at (or of the last time,
    /// unless one of these is of the last time); may be given several times
    #[arg(long, value_name = "TIME:GROUP", allow_hyphen_values = true)]
    terminal: Vec<String>,
}

impl TerminalArgs {
    /// Times are those of `known`.
    pub(crate) fn options(
        self,
        known: &KnownTimes,
        sets: SetArgs,
        resample: ResampleArgs,
        seed: u64,
    ) -> Result<FateOptions> {
        let Self { at, terminal } = self;
        let at = times::observed(known, "--at", at.as_ref())?;
        let ResampleArgs { bootstrap, batch_key } = resample;
        let (sets, only) = sets.sets();
        let terminals = terminal
            .into_iter()
            .map(|text| {
                let (time, group) = known.before_colon("--terminal", &text)?;
                let group = group.to_string();
                time.map(|time| TerminalGroup { time, group }).ok_or_else(|| {
                    let (name, must) = ("--terminal", "a time and a group, such as 72:Neuron");
                    Error::Parameter { name, must, got: text.clone() }
                })
            })
            .collect::<Result<_>>()?;
        Ok(FateOptions { sets, at, only, terminals, bootstrap, batch: batch_key, seed })
    }
}

pub(crate) fn run(args: FatesArgs, seed: u64, terminal: &mut Terminal) -> Result<Outcome> {
    let FatesArgs { model: ModelArgs { model: folder }, sets, terminal: ends, resample, out } =
        args;
    let format = terminal.table_format(&out)?;
    let model = open_model(&folder, terminal)?;
    let options = ends.options(&times_of(&model), sets, resample, seed)?;
    let found = pipeline::fates(&model, &options, terminal)?;
    pipeline::write_table(&out, format, &found.cells, &model, "fates", &options)?;
    say(&found, terminal);
    terminal.say(&format!("wrote {} cells to {}", found.cells.n_rows(), shown(&out)));
    Ok(Outcome::Done)
}

fn say(found: &FateTables, terminal: &Terminal) {
    let mut header = vec!["time"];
    header.extend(found.names.iter().map(String::as_str));
    header.extend(["undecided", "reached"]);
    let rows: Vec<Vec<String>> = found
        .summary
        .iter()
        .map(|row| {
            let mut cells = vec![row.time.to_string()];
            cells.extend(row.mean.iter().map(|p| short(*p)));
            cells.extend([short(row.undecided), short(row.reached)]);
            cells
        })
        .collect();
    terminal.say(&aligned(&header, &rows));
    terminal.say(
        "mean probability of each fate; undecided: mean entropy of a cell relative to that of the \
         population (1: cells are as open as the population, 0: all are committed)",
    );
}
