//! `sbcell diagnose`: whether to believe a fit.

use std::path::PathBuf;

use clap::Args;
use sbcell::Result;
use sbcell::io::output::is_stream;
use sbcell::pipeline::{self, DiagnoseOptions, Diagnosed};

use crate::cli::Outcome;
use crate::cli::sets::SetArgs;
use crate::cli::shared::{ModelArgs, aligned, open_model, short, shown, up_to};
use crate::cli::terminal::Terminal;
use crate::cli::trajectory::beside;

const EXAMPLES: &str = "\
Examples:
  sbcell diagnose
      every interval and inner time of ./sbcell-out
  sbcell diagnose --groupby cell_type --out diagnose.parquet
      also whether groups split in proportion, as if nothing were known of them

Columns: t0, t1; information (mutual, of where a cell is and where it goes, in nats), the most it could
be, and for cells whose coordinates were dealt anew; partners of a cell; unseen (how well the plan from
half of the coordinates carries the other half, 0 none, 1 all), and when dealt anew; far_mass (share that
goes further than nine of ten random pairs); dead (share of cells with less than a tenth of the mean cell's
descendants); correlation and difference of the displacements with other solvers. Beside it, with
`.cells` before the suffix: id, time, partners, far_reach, far_mass, growth, dead, turn (cosine between
where a cell came from and where it goes).";

/// Is there any lineage signal? Long ways, kinks, dead cells, agreement of solvers
///
/// Warns in words where something is to be wary of; the numbers behind each are in the table.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct DiagnoseArgs {
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    sets: SetArgs,
    /// Deals of coordinates (and groups) that plans are compared with
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = up_to::<100_000>)]
    deals: usize,
    /// File to write: .csv, .tsv or .parquet, or - for standard output
    #[arg(short, long, value_name = "FILE", default_value = "diagnose.csv")]
    out: PathBuf,
}

pub(crate) fn run(args: DiagnoseArgs, seed: u64, terminal: &mut Terminal) -> Result<Outcome> {
    let DiagnoseArgs { model: ModelArgs { model: folder }, sets, deals, out } = args;
    let format = terminal.table_format(&out)?;
    if deals == 0 {
        let (name, must) = ("--deals", "at least 1");
        return Err(sbcell::Error::Parameter { name, must, got: "0".into() });
    }
    let sets = sets.all_or_none()?;
    if sets.data.is_some() && sets.groupby.is_none() {
        let (name, must) = ("--data", "given with --groupby: nothing else is read from it");
        return Err(sbcell::Error::Parameter { name, must, got: "alone".into() });
    }
    let options = DiagnoseOptions { sets, deals, seed };
    let model = open_model(&folder, terminal)?;
    let found = pipeline::diagnose(&model, &options, terminal)?;
    pipeline::write_table(&out, format, &found.table, &model, "diagnose", &options)?;
    // What goes to standard output is one table.
    let cells = (!is_stream(&out)).then(|| beside(&out, "cells"));
    if let Some(cells) = &cells {
        pipeline::write_table(cells, format, &found.cells, &model, "diagnose", &options)?;
    }
    say(&found, terminal);
    for warning in &found.warnings {
        terminal.say(&format!("warning: {warning}"));
    }
    if found.warnings.is_empty() {
        terminal.say("nothing to be wary of was found");
    }
    let also = cells.map(|cells| format!(" and {}", shown(&cells))).unwrap_or_default();
    terminal.say(&format!("wrote {}{also}", shown(&out)));
    Ok(Outcome::Done)
}

fn say(found: &Diagnosed, terminal: &Terminal) {
    let mut header =
        vec!["interval", "nats", "dealt", "partners", "unseen", "dealt", "far", "dead"];
    let grouped = found.intervals.iter().any(|interval| interval.of_groups.is_some());
    if grouped {
        header.extend(["groups", "dealt"]);
    }
    header.extend(found.intervals.iter().take(1).flat_map(|i| i.agreement.iter().map(|a| a.other)));
    let rows: Vec<Vec<String>> = found
        .intervals
        .iter()
        .map(|interval| {
            let signal = &interval.signal;
            let mut row = vec![format!("{} → {}", interval.times.0, interval.times.1)];
            let two =
                |value: f64| if value.is_finite() { format!("{value:.2}") } else { "–".into() };
            row.extend([two(signal.information), two(signal.permuted), short(signal.partners)]);
            row.extend([two(signal.unseen), two(signal.unseen_permuted)]);
            row.extend([two(interval.beyond), two(interval.dead)]);
            if grouped {
                let (own, dealt) = interval.of_groups.unwrap_or((f64::NAN, f64::NAN));
                row.extend([two(own), two(dealt)]);
            }
            row.extend(interval.agreement.iter().map(|other| two(other.correlation)));
            row
        })
        .collect();
    terminal.say(&aligned(&header, &rows));
    let kinks: Vec<Vec<String>> = found
        .kinks
        .iter()
        .map(|(time, kink)| {
            vec![time.to_string(), format!("{:.2}", kink.mean_cosine), short(kink.speed_ratio)]
        })
        .collect();
    if !kinks.is_empty() {
        terminal.say(&aligned(&["time", "straight on", "speed ratio"], &kinks));
    }
}
