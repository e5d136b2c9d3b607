//! `sbcell transitions`: how much of which group becomes which.

use std::path::PathBuf;

use clap::Args;
use sbcell::data::time::KnownTimes;
use sbcell::io::output::is_stream;
use sbcell::pipeline::{self, TransitionOptions};
use sbcell::{Error, Result};

use crate::cli::Outcome;
use crate::cli::sets::{ResampleArgs, SetArgs};
use crate::cli::shared::{ModelArgs, aligned, open_model, shown};
use crate::cli::terminal::Terminal;
use crate::cli::times::times_of;
use crate::cli::trajectory::beside;

const EXAMPLES: &str = "\
Examples:
  sbcell transitions --groupby cell_type
      between all neighbouring times, and from the first to the last
  sbcell transitions --groupby cell_type --pairs 24:96,36:96 --out late.csv
      between any times, through all plans between them
  sbcell transitions --groupby cell_type --batch-key donor
      intervals from resampling donors instead of cells

Rows are sources (earlier), columns are targets (later). Columns of --out: t0, t1, source, target, mass
(of all cells at t0, what is in the source and has its descendants in the target), prob (the same as a
share of the source's descendants: sums to one over targets), their 95 % intervals (_lo, _hi), n_source,
n_target. Beside it, with `.wide` before the suffix, prob as a matrix.";

/// Transition tables between groups of cells at any two times, with intervals
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct TransitionsArgs {
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    sets: SetArgs,
    /// Pairs of times or their labels [default: neighbouring times, then the first and the last]
    #[arg(long, value_name = "FROM:TO,…", value_delimiter = ',', allow_hyphen_values = true)]
    pairs: Vec<String>,
    #[command(flatten)]
    resample: ResampleArgs,
    /// File to write: .csv, .tsv or .parquet, or - for standard output
    #[arg(short, long, value_name = "FILE", default_value = "transitions.csv")]
    out: PathBuf,
}

pub(crate) fn run(args: TransitionsArgs, seed: u64, terminal: &mut Terminal) -> Result<Outcome> {
    let TransitionsArgs { model: ModelArgs { model: folder }, sets, pairs, resample, out } = args;
    let ResampleArgs { bootstrap, batch_key } = resample;
    let format = terminal.table_format(&out)?;
    let sets = sets.all_or_none()?;
    let model = open_model(&folder, terminal)?;
    let known = times_of(&model);
    let pairs = pairs.iter().map(|text| pair(&known, text)).collect::<Result<_>>()?;
    let options = TransitionOptions { sets, pairs, bootstrap, batch: batch_key, seed };
    let found = pipeline::transitions(&model, &options, terminal)?;
    pipeline::write_table(&out, format, &found.long, &model, "transitions", &options)?;
    // What goes to standard output is one table.
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
    terminal.say("rows become columns; each row sums to 100 %");
    let also = wide.map(|wide| format!(" and {}", shown(&wide))).unwrap_or_default();
    terminal.say(&format!("wrote {}{also}", shown(&out)));
    Ok(Outcome::Done)
}

fn pair(known: &KnownTimes, text: &str) -> Result<(f64, f64)> {
    let (from, to) = known.before_colon("--pairs", text)?;
    let Some(from) = from else {
        let (name, must) = ("--pairs", "two times, such as 24:96, or labels of snapshots");
        return Err(Error::Parameter { name, must, got: text.into() });
    };
    Ok((from, known.observed("--pairs", to)?))
}
