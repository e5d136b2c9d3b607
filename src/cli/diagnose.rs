//! `sbcell diagnose`: how much a fit can be trusted.

use std::f64::consts::LOG2_E;

use clap::Args;
use sbcell::Result;
use sbcell::io::output::is_stream;
use sbcell::pipeline::{self, DiagnoseOptions, Diagnosed};

use crate::cli::Outcome;
use crate::cli::formats::TableArgs;
use crate::cli::sets::SetArgs;
use crate::cli::shared::{CouplingNoiseArgs, ModelArgs, aligned, open_model, short, shown, up_to};
use crate::cli::terminal::Terminal;
use crate::cli::trajectory::{beside, say_left_out};

const EXAMPLES: &str = "\
Examples:
  sbcell diagnose
      every interval and inner time of ./sbcell-out
  sbcell diagnose --groupby cell_type --out diagnose.parquet
      also whether the coupling separates groups more than permuted groups

Columns, for each interval from t0 to t1:
  predicted             a coupling from half of the coordinates predicts this share of the other
                        half: 0 = the coupling knows nothing, 1 = it knows all
  information_bits      bits that the earlier cell tells of the later cell; one bit halves the
                        later cells to which a cell can go (_most: the largest possible value)
  later_cells           typical number of later cells to which a cell is coupled
  far_mass              share of the mass that goes further than nine of ten random pairs of
                        cells are apart (far_distance, in data units)
  dying                 share of cells with less than a tenth of the mean number of descendants
  group_bits            bits that the group of a cell tells of its later group
  sinkhorn_correlation  correlation of the displacements with those of this solver (also ot,
                        gaussian), and their relative difference
  _by_chance            the same number after the coordinates, or groups, were permuted

A second file, with `.cells` before the suffix, has one row for each cell: id, time, later_cells,
far_distance, far_mass, descendants (at the next time, relative to the mean cell), dying (1 or 0),
straight_on (cosine between the directions in which a cell arrives and leaves: 1 = straight on,
-1 = back).";

/// How much can the fit be trusted? Lineage signal, jumps, turns, dying cells, other solvers
///
/// sbcell answers three questions in plain sentences: do the couplings know more than chance, are there
/// jumps, do cells die or turn? It prints a warning for each suspicious result. The table has the
/// numbers behind them.
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

/// Runs `sbcell diagnose`: writes both tables and prints the intervals, the inner times, the warnings
/// and the three answers.
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
    if cells.is_none() {
        say_left_out("cells", terminal);
    }
    say(&found, terminal);
    for warning in &found.warnings {
        terminal.say(&format!("warning: {warning}"));
    }
    if found.warnings.is_empty() {
        terminal.say("no warnings");
    }
    for answer in &found.answers {
        terminal.say(answer);
    }
    terminal.record("warnings", &found.warnings);
    terminal.record("answers", &found.answers);
    for file in std::iter::once(&out).chain(&cells) {
        terminal.wrote(file);
    }
    let also = cells.map(|cells| format!(" and {}", shown(&cells))).unwrap_or_default();
    terminal.say(&format!("wrote {}{also}", shown(&out)));
    Ok(Outcome::Done)
}

/// Prints one row per interval, then one row per inner time.
fn say(found: &Diagnosed, terminal: &Terminal) {
    let mut header = vec![
        "interval",
        "predicted",
        "by chance",
        "bits",
        "by chance",
        "later cells",
        "far mass",
        "dying",
    ];
    let grouped = found.intervals.iter().any(|interval| interval.of_groups.is_some());
    if grouped {
        header.extend(["group bits", "by chance"]);
    }
    header.extend(found.intervals.iter().take(1).flat_map(|i| i.agreement.iter().map(|a| a.other)));
    // A sum with 0 has no negative zero.
    let rounded = |value: f64| (value * 100.0).round() / 100.0 + 0.0;
    let two = |value: f64| {
        if value.is_finite() { format!("{:.2}", rounded(value)) } else { "–".into() }
    };
    let bits = |nats: f64| two(nats * LOG2_E);
    let rows: Vec<Vec<String>> = found
        .intervals
        .iter()
        .map(|interval| {
            let signal = &interval.signal;
            let mut row = vec![format!("{} → {}", interval.times.0, interval.times.1)];
            row.extend([two(signal.predicted), two(signal.predicted_by_chance)]);
            row.extend([bits(signal.information), bits(signal.by_chance), short(signal.partners)]);
            row.extend([two(interval.far_mass), two(interval.dying)]);
            if grouped {
                let (own, by_chance) = interval.of_groups.unwrap_or((f64::NAN, f64::NAN));
                row.extend([bits(own), bits(by_chance)]);
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
        terminal.say(&aligned(&["time", "straight on", "speed after/before"], &kinks));
    }
}
