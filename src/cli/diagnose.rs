//! `sbcell diagnose`: how much a fit can be trusted.

use clap::Args;
use sbcell::Result;
use sbcell::io::output::is_stream;
use sbcell::pipeline::{self, DiagnoseOptions, Diagnosed};

use crate::cli::Outcome;
use crate::cli::formats::TableArgs;
use crate::cli::sets::SetArgs;
use crate::cli::shared::{CouplingNoiseArgs, ModelArgs, aligned, open_model, short, shown, up_to};
use crate::cli::terminal::Terminal;
use crate::cli::trajectory::beside;

const EXAMPLES: &str = "\
Examples:
  sbcell diagnose
      every interval and inner time of ./sbcell-out
  sbcell diagnose --groupby cell_type --out diagnose.parquet
      also whether the coupling separates groups more than permuted groups

Columns: t0, t1; information (mutual information between the position of a cell and its target, in
nats), its largest possible value, and its value for permuted coordinates; partners of a cell;
unseen (how well the coupling from half of the coordinates predicts the other half: 0 not at all,
1 fully), and its value for permuted coordinates; far_mass (share of mass that moves further than
nine of ten random pairs); dead (share of cells with less than a tenth of the mean number of
descendants); correlation and difference of the displacements with those of other solvers. A
second file, with `.cells` before the suffix, has id, time, partners, far_reach, far_mass, growth,
dead, turn (cosine between the directions in which a cell arrives and leaves).";

/// How much can the fit be trusted? Lineage signal, far moves, kinks, dead cells, other solvers
///
/// sbcell prints a warning for each suspicious result. The table has the numbers behind it.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
#[command(mut_arg("out", |out| out.default_value("diagnose.csv")))]
pub(crate) struct DiagnoseArgs {
    #[command(flatten)]
    model: ModelArgs,
    /// Number of permutations of the coordinates (and groups) for comparison
    #[arg(long, alias = "deals", value_name = "N", default_value_t = 5, value_parser = up_to::<100_000>)]
    permutations: usize,
    #[command(flatten)]
    sets: SetArgs,
    #[command(flatten)]
    noise: CouplingNoiseArgs,
    #[command(flatten)]
    table: TableArgs,
}

/// Runs `sbcell diagnose`: writes both tables and prints the intervals, the inner times and the
/// warnings.
///
/// # Errors
/// As [`pipeline::diagnose`]; [`sbcell::Error::Parameter`] for flags without an effect.
pub(crate) fn run(args: DiagnoseArgs, seed: u64, terminal: &mut Terminal) -> Result<Outcome> {
    let DiagnoseArgs { model: ModelArgs { model: folder }, permutations, sets, noise, table } =
        args;
    let (out, format) = table.target(terminal)?;
    if permutations == 0 {
        let (name, must) = ("--permutations", "at least 1");
        return Err(sbcell::Error::Parameter { name, must, got: "0".into() });
    }
    let sets = sets.all_or_none()?;
    if sets.data.is_some() && sets.groupby.is_none() {
        let (name, must) =
            ("--data", "given with --groupby; this command reads only groups from it");
        return Err(sbcell::Error::Parameter { name, must, got: "alone".into() });
    }
    let options = DiagnoseOptions::default()
        .with_sets(sets)
        .with_permutations(permutations)
        .with_coupling_epsilon(noise.coupling_epsilon)
        .with_seed(seed);
    let model = open_model(&folder, terminal)?;
    let found = pipeline::diagnose(&model, &options, terminal)?;
    pipeline::write_table(&out, format, &found.table, &model, "diagnose", &options)?;
    // Standard output takes one table only.
    let cells = (!is_stream(&out)).then(|| beside(&out, "cells"));
    if let Some(cells) = &cells {
        pipeline::write_table(cells, format, &found.cells, &model, "diagnose", &options)?;
    }
    say(&found, terminal);
    for warning in &found.warnings {
        terminal.say(&format!("warning: {warning}"));
    }
    if found.warnings.is_empty() {
        terminal.say("no warnings");
    }
    let also = cells.map(|cells| format!(" and {}", shown(&cells))).unwrap_or_default();
    terminal.say(&format!("wrote {}{also}", shown(&out)));
    Ok(Outcome::Done)
}

/// Prints one row per interval, then one row per inner time.
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
