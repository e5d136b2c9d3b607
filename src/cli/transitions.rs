//! `sbcell transitions`: mass from each group of an earlier time to each group of a later time.

use clap::Args;
use sbcell::data::time::KnownTimes;
use sbcell::io::output::is_stream;
use sbcell::pipeline::{self, TransitionOptions};
use sbcell::{Error, Result};

use crate::cli::Outcome;
use crate::cli::clones::CloneCouplingArgs;
use crate::cli::formats::TableArgs;
use crate::cli::sets::SetArgs;
use crate::cli::shared::{
    BootstrapArgs, CouplingNoiseArgs, ModelArgs, ResampleArgs, aligned, open_model, shown,
};
use crate::cli::terminal::Terminal;
use crate::cli::times::times_of;
use crate::cli::trajectory::beside;

const EXAMPLES: &str = "\
Examples:
  sbcell transitions --groupby cell_type
      between all neighbouring times, and from the first to the last
  sbcell transitions --groupby cell_type --pairs 24:96,36:96 --out late.csv
      between any two times, through all couplings between them
  sbcell transitions --groupby cell_type --batch-key donor
      95 % intervals from resampled donors

Rows are sources (earlier time), columns are targets (later time). Columns of --out: t0, t1,
source, target, mass (of all cells at t0, the share that is in the source and has its descendants
in the target), prob (the same as a share of the source's descendants; it sums to one over
targets), 95 % intervals of both (_lo, _hi), n_source, n_target. A second file, with `.wide`
before the suffix, has prob as a matrix.";

/// Transitions between groups of cells at any two times, with 95 % intervals
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
#[command(mut_arg("out", |out| out.default_value("transitions.csv")))]
pub(crate) struct TransitionsArgs {
    #[command(flatten)]
    model: ModelArgs,
    /// Pairs of an earlier and a later time, each a time or the label of a snapshot [default:
    /// neighbouring times, then the first and the last time]
    #[arg(long, value_name = "FROM:TO,…", value_delimiter = ',', allow_hyphen_values = true)]
    pairs: Vec<String>,
    #[command(flatten)]
    sets: SetArgs,
    #[command(flatten)]
    noise: CouplingNoiseArgs,
    #[command(flatten)]
    resample: ResampleArgs,
    #[command(flatten)]
    clones: CloneCouplingArgs,
    #[command(flatten)]
    table: TableArgs,
}

/// Runs `sbcell transitions`: writes both tables and prints a matrix for each pair of times.
///
/// # Errors
/// As [`pipeline::transitions`].
pub(crate) fn run(args: TransitionsArgs, seed: u64, terminal: &mut Terminal) -> Result<Outcome> {
    let TransitionsArgs {
        model: ModelArgs { model: folder },
        pairs,
        sets,
        noise,
        resample,
        clones,
        table,
    } = args;
    let ResampleArgs { bootstrap: BootstrapArgs { bootstrap }, batch_key } = resample;
    let (out, format) = table.target(terminal)?;
    let sets = sets.all_or_none()?;
    let model = open_model(&folder, terminal)?;
    let known = times_of(&model);
    let pairs = pairs.iter().map(|text| pair(&known, text)).collect::<Result<_>>()?;
    let clones = clones.coupling(sets.data.clone());
    let options = TransitionOptions::default()
        .with_sets(sets)
        .with_clones(clones)
        .with_pairs(pairs)
        .with_bootstrap(bootstrap)
        .with_batch(batch_key)
        .with_coupling_epsilon(noise.coupling_epsilon)
        .with_seed(seed);
    let found = pipeline::transitions(&model, &options, terminal)?;
    pipeline::write_table(&out, format, &found.long, &model, "transitions", &options)?;
    // Standard output takes one table only.
    let wide = (!is_stream(&out)).then(|| beside(&out, "wide"));
    if let Some(wide) = &wide {
        pipeline::write_table(wide, format, &found.wide, &model, "transitions", &options)?;
    }
    for table in &found.shown {
        let title = format!("{} → {}", table.times.0, table.times.1);
        let mut header = vec![title.as_str(), "cells"];
        header.extend(table.targets.iter().map(String::as_str));
        let rows: Vec<Vec<String>> = table
            .rows
            .iter()
            .map(|row| {
                let mut cells = vec![row.source.clone(), row.n_cells.to_string()];
                cells.extend(row.shares.iter().map(|share| {
                    let percent = |value: f64| format!("{:.0}", 100.0 * value);
                    if !share.has_interval() {
                        return format!("{} %", percent(share.value));
                    }
                    let (lo, hi) = (percent(share.lo), percent(share.hi));
                    format!("{} % [{lo}, {hi}]", percent(share.value))
                }));
                cells
            })
            .collect();
        terminal.say(&aligned(&header, &rows));
    }
    terminal.say("rows: earlier groups; columns: later groups; each row sums to 100 %");
    for file in std::iter::once(&out).chain(&wide) {
        terminal.wrote(file);
    }
    let also = wide.map(|wide| format!(" and {}", shown(&wide))).unwrap_or_default();
    terminal.say(&format!("wrote {}{also}", shown(&out)));
    Ok(Outcome::Done)
}

/// Parses `24:96`, a pair of times or labels.
///
/// # Errors
/// [`Error::Parameter`] for a text without a colon; as [`KnownTimes::observed`].
fn pair(known: &KnownTimes, text: &str) -> Result<(f64, f64)> {
    let (from, to) = known.before_colon("--pairs", text)?;
    let Some(from) = from else {
        let (name, must) = ("--pairs", "two times, such as 24:96, or labels of snapshots");
        return Err(Error::Parameter { name, must, got: text.into() });
    };
    Ok((from, known.observed("--pairs", to)?))
}
