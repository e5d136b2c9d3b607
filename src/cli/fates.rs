//! `sbcell fates`: fate probabilities of each cell of each earlier time.

use clap::Args;
use sbcell::data::time::KnownTimes;
use sbcell::pipeline::{self, FateOptions, FateTables, TerminalGroup};
use sbcell::{Error, Result};

use crate::cli::Outcome;
use crate::cli::clones::CloneCouplingArgs;
use crate::cli::formats::TableArgs;
use crate::cli::sets::SetArgs;
use crate::cli::shared::{
    BootstrapArgs, ModelArgs, ResampleArgs, aligned, open_model, short, shown, with_help,
};
use crate::cli::terminal::Terminal;
use crate::cli::times::{AtOneArgs, times_of};

const EXAMPLES: &str = "\
Examples:
  sbcell fates --groupby cell_type
      the terminal states are the groups of the last time
  sbcell fates --groupby cell_type=XEN,ectoderm --at 96 --out fates.parquet
      two terminal states only
  sbcell fates --groupby cell_type --at 96 --terminal 72:ectoderm
      ectoderm cells at 72 count as arrived; their descendants do not count again

Columns: id, time, the probability of every fate (among the descendants of a cell that reach any
terminal state), its 95 % interval (_lo, _hi) and log-odds (_log_odds), entropy of the fates in
nats, reached (share of descendants that reach any terminal state), descendants (at the end,
relative to the mean cell).

Limits: fates follow the couplings between the snapshots. A coupling moves the cells as little as
possible, so a fate shows which later cells are most similar to a cell. It does not show what this
cell would have done. The intervals cover the variation between cells. They do not cover the
choice of coordinates or of ε.";

/// Fate probabilities of every cell of every earlier time
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
#[command(mut_arg("out", |out| out.default_value("fates.csv")))]
pub(crate) struct FatesArgs {
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    terminal: TerminalArgs,
    #[command(flatten)]
    sets: SetArgs,
    #[command(flatten)]
    resample: ResampleArgs,
    #[command(flatten)]
    clones: CloneCouplingArgs,
    #[command(flatten)]
    table: TableArgs,
}

/// The terminal states.
#[derive(Debug, Args)]
#[command(mut_arg("at", |at| with_help(at, ": its groups are the terminal states [default: the last \
    time]")))]
pub(crate) struct TerminalArgs {
    #[command(flatten)]
    at: AtOneArgs,
    /// A further terminal state, with a time of its own. A group of the last time replaces the
    /// default of --at. You can give this flag several times
    #[arg(long, value_name = "TIME:GROUP", allow_hyphen_values = true)]
    terminal: Vec<String>,
}

impl TerminalArgs {
    /// Options of fates. `known` holds the times of the model.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a terminal state without a time; as [`AtOneArgs::observed`].
    pub(crate) fn options(
        self,
        known: &KnownTimes,
        sets: SetArgs,
        resample: ResampleArgs,
        seed: u64,
    ) -> Result<FateOptions> {
        let Self { at, terminal } = self;
        let at = at.observed(known)?;
        let ResampleArgs { bootstrap: BootstrapArgs { bootstrap }, batch_key } = resample;
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
        Ok(FateOptions::default()
            .with_sets(sets)
            .with_at(at)
            .with_only(only)
            .with_terminals(terminals)
            .with_bootstrap(bootstrap)
            .with_batch(batch_key)
            .with_seed(seed))
    }
}

/// Runs `sbcell fates`: writes the fates of each cell and prints the means of each time.
///
/// # Errors
/// As [`pipeline::fates`].
pub(crate) fn run(args: FatesArgs, seed: u64, terminal: &mut Terminal) -> Result<Outcome> {
    let FatesArgs {
        model: ModelArgs { model: folder },
        terminal: ends,
        sets,
        resample,
        clones,
        table,
    } = args;
    let (out, format) = table.target(terminal)?;
    let model = open_model(&folder, terminal)?;
    let options = ends.options(&times_of(&model), sets, resample, seed)?;
    let clones = clones.coupling(options.sets.data.clone());
    let options = options.with_clones(clones);
    let found = pipeline::fates(&model, &options, terminal)?;
    pipeline::write_table(&out, format, &found.cells, &model, "fates", &options)?;
    say(&found, terminal);
    terminal.say(&format!("wrote {} cells to {}", found.cells.n_rows(), shown(&out)));
    Ok(Outcome::Done)
}

/// Prints the mean fates of each time.
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
        "columns: mean probability of each fate; undecided: mean entropy of a cell, relative to that of \
         the population (1: each cell is as undecided as the population; 0: every cell has one fate)",
    );
}
