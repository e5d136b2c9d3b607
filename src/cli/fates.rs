//! `sbcell fates`: fate probabilities of each cell of each earlier time.

use clap::Args;
use sbcell::data::time::KnownTimes;
use sbcell::io::output::is_stream;
use sbcell::pipeline::{self, FateOptions, FateTables, StateOptions, TerminalGroup};
use sbcell::{Error, Result};

use crate::cli::Outcome;
use crate::cli::clones::CloneCouplingArgs;
use crate::cli::formats::TableArgs;
use crate::cli::sets::SetArgs;
use crate::cli::shared::{
    BootstrapArgs, CouplingNoiseArgs, ModelArgs, ResampleArgs, aligned, open_model, short, shown,
    with_help,
};
use crate::cli::terminal::Terminal;
use crate::cli::times::{AtOneArgs, times_of};
use crate::cli::trajectory::{beside, say_left_out};

const EXAMPLES: &str = "\
Examples:
  sbcell fates --groupby cell_type
      the terminal states are the groups of the last time
  sbcell fates --groupby cell_type=XEN,ectoderm --at 96 --out fates.parquet
      two terminal states only
  sbcell fates --groupby cell_type --at 96 --terminal 72:ectoderm
      ectoderm cells at 72 count as arrived; their descendants do not count again
  sbcell fates --terminal auto --groupby cell_type
      terminal states without labels, each named after the group that it shares most cells with

Columns: id, time, the probability of every fate (among the descendants of a cell that reach any
terminal state), its 95 % interval (_lo, _hi), its share among the terminal cells that are
nearest to the cell (_neighbours: 80 cells, and at most a fifth of all), its log-odds (_log_odds),
entropy of the fates (natural logarithm), undecided (0: one fate, 1: as mixed as the terminal cells), reached
(share of descendants that reach any terminal state), descendants (at the end, relative to the
mean cell), terminal_cells (effective number n of terminal cells among the descendants; log-odds
end at those of 1/(n+2) and (n+1)/(n+2), because n cells cannot show more).

Two baselines stand beside the fates: the share of each fate among the terminal cells, which knows
nothing of the cell, and the nearest terminal cells, which know its state but no plan. Check a
plan that disagrees with them with clones, markers or another time.

With --terminal auto the table has three more columns: state (at the end; before it, the state in
whose region a cell is already), origin (the initial state of a cell of the first time) and
arrival_time (mean time from which on the descendants are in their final state for good; its
resolution is the spacing of the times). A second file, with `.states` before the suffix, has
state, kind (terminal or initial), time, n_cells, group, purity (share of the state that is in the
group), share (of the group that is in the state), stability (mean Jaccard index with the state
found in a resample), gap_p (dip test of the smallest gap to another state), kept (probability that
a cell with a common ancestor is in the same state) and genes (largest difference of means).

Limits: fates follow a coupling of each time with that of the terminal states. It moves the cells as
little as possible, so a fate shows which later cells are most similar to a cell. It does not show what
this cell would have done. In simulated courses with known fates, the order of the cells by these
probabilities agrees with the fates of late sisters somewhat better than that by their 80 nearest late
cells (correlation 0.52 and 0.43), and the probabilities are about right on average. The intervals
cover the variation between cells and the error that fates had in these courses. They are about cells
that are measured like this one: whether a single cell has decided may not show. They do not cover the
choice of coordinates.";

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
    /// default of --at. You can give this flag several times. `auto` finds the terminal states without
    /// labels: groups of late cells whose ancestors stay apart; --groupby then only gives them names
    #[arg(long, value_name = "TIME:GROUP|auto", allow_hyphen_values = true)]
    terminal: Vec<String>,
    #[command(flatten)]
    noise: CouplingNoiseArgs,
    #[command(flatten)]
    states: StateArgs,
}

/// The value of `--terminal` that asks for states without labels.
pub(crate) const AUTO: &str = "auto";

/// States without labels.
#[derive(Debug, Args)]
pub(crate) struct StateArgs {
    /// Number of terminal states with --terminal auto [default: as many as have gaps between them and
    /// are found again in resamples]
    #[arg(long, value_name = "N", requires = "terminal")]
    n_states: Option<usize>,
}

impl StateArgs {
    /// Options of states without labels.
    pub(crate) fn options(self, batch: Option<String>, seed: u64) -> StateOptions {
        let Self { n_states } = self;
        StateOptions::default().with_n_states(n_states).with_batch(batch).with_seed(seed)
    }
}

/// Refuses selected groups, if states without labels only take their names from groups.
///
/// # Errors
/// [`Error::Parameter`].
pub(crate) fn check_names_only(only: &[String]) -> Result<()> {
    if only.is_empty() {
        return Ok(());
    }
    let (name, must) = (
        "--groupby",
        "a column without groups with `--terminal auto`, which finds the states itself and takes only their \
         names from the column; leave out `--terminal auto` for groups as terminal states",
    );
    Err(Error::Parameter { name, must, got: format!("={}", only.join(",")) })
}

impl TerminalArgs {
    /// Options of fates. `known` holds the times of the model.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a terminal state without a time; as [`AtOneArgs::observed`] and
    /// [`check_names_only`].
    pub(crate) fn options(
        self,
        known: &KnownTimes,
        sets: SetArgs,
        resample: ResampleArgs,
        seed: u64,
    ) -> Result<FateOptions> {
        let Self { at, mut terminal, noise, states } = self;
        let at = at.observed(known)?;
        let ResampleArgs { bootstrap: BootstrapArgs { bootstrap }, batch_key } = resample;
        let (mut sets, only) = sets.sets();
        if terminal.iter().any(|text| text == AUTO) {
            check_names_only(&only)?;
            if terminal.len() > 1 {
                let (name, must) = ("--terminal", "auto alone, or times and groups");
                return Err(Error::Parameter { name, must, got: terminal.join(", ") });
            }
            terminal.clear();
            sets.states = Some(states.options(batch_key.clone(), seed));
        } else if states.n_states.is_some() {
            let (name, must) = ("--terminal", "auto with --n-states");
            return Err(Error::Parameter { name, must, got: terminal.join(", ") });
        }
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
            .with_coupling_epsilon(noise.coupling_epsilon)
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
    let states = found.states.as_ref().filter(|_| !is_stream(&out));
    let states = states.map(|table| (beside(&out, "states"), table));
    if let Some((path, table)) = &states {
        pipeline::write_table(path, format, table, &model, "fates", &options)?;
    }
    if found.states.is_some() && states.is_none() {
        say_left_out("states", terminal);
    }
    say(&found, terminal);
    for file in std::iter::once(&out).chain(states.as_ref().map(|states| &states.0)) {
        terminal.wrote(file);
    }
    terminal.record("n_cells", &found.cells.n_rows());
    terminal.record("fates", &found.names);
    terminal.record("shares", &found.shares);
    let also = states.map(|(path, table)| (table.n_rows(), shown(&path)));
    let also = also.map(|(n, path)| format!(", {n} states to {path}")).unwrap_or_default();
    terminal.say(&format!("wrote {} cells to {}{also}", found.cells.n_rows(), shown(&out)));
    Ok(Outcome::Done)
}

/// Prints the mean fates of each time, the share of the terminal cells, and the sentences.
fn say(found: &FateTables, terminal: &Terminal) {
    let mut header = vec!["time"];
    header.extend(found.names.iter().map(String::as_str));
    header.extend(["undecided", "reached", "like neighbours"]);
    let numbers = |of: &[f64]| of.iter().map(|p| short(*p)).collect::<Vec<_>>();
    let mut rows: Vec<Vec<String>> = found
        .summary
        .iter()
        .map(|row| {
            let after = numbers(&[row.undecided, row.reached, row.correlation]);
            [vec![row.time.to_string()], numbers(&row.mean), after].concat()
        })
        .collect();
    let shares = vec!["terminal cells".to_string()];
    rows.push([shares, numbers(&found.shares), vec!["–".into(); 3]].concat());
    terminal.say(&aligned(&header, &rows));
    terminal.say(
        "columns: mean probability of each fate, and in the last row its share of the terminal cells; \
         undecided: 0 = every cell has one fate, 1 = every cell is as mixed as the population; like \
         neighbours: correlation over cells with the nearest terminal cells",
    );
    for words in &found.words {
        terminal.say(words);
    }
}
