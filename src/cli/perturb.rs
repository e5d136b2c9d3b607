//! `sbcell perturb`: what the fitted field says of genes that are held at levels.

use std::path::PathBuf;

use clap::Args;
use sbcell::metrics::Estimate;
use sbcell::pipeline::{self, GeneLevel, PerturbOptions, Perturbed};
use sbcell::{Error, Result};

use crate::cli::Outcome;
use crate::cli::sets::SetArgs;
use crate::cli::shared::{ModelArgs, aligned, open_model, short, shown, up_to};
use crate::cli::terminal::{Lines, Terminal};
use crate::cli::times::{self, times_of};

const EXAMPLES: &str = "\
Examples:
  sbcell perturb --knockout Sox2
      Sox2 held at zero from the first time to the last
  sbcell perturb --knockout Sox2,Pou5f1 --from 12 --until 48 --groupby cell_type --out ko.csv
      two genes between two times, and what becomes of the groups
  sbcell perturb --set Gata6=1.5 --knockout Sox2
      Gata6 held at 1.5, in the values that were fitted, and Sox2 at zero

Columns: gene, control (mean at the end without it), knockout, shift, lo, hi (95 % over resampled
cells), linear (shift by linear response), deviations (shift in standard deviations between cells),
held_down.

First it says what the coordinates hold of each gene: the share of its variance (if the file is found),
the share of a change of it alone, and how many standard deviations its level is from the cells at the
start. Cells are brought to the level by the least move of their coordinates, so that the less of a gene
they hold, the more other genes go with it.

MODEL-BASED, NOT VALIDATED. The bridge was fitted to cells in which nothing was knocked out: it pulls
cells to the later snapshots whatever happens to them, it takes what goes together for what acts, and no
knock-out has ever been compared with it on your data. The intervals hold the scatter of the cells, not
that. Take it as a hypothesis, and compare the simulated with the linear response.";

/// Simulated knock-outs: linear response and forward simulation of the fitted field (a hypothesis)
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct PerturbArgs {
    #[command(flatten)]
    model: ModelArgs,
    /// Genes to take to zero (to their lowest value, where values go below zero)
    #[arg(
        long,
        visible_alias = "ko",
        value_name = "GENE,…",
        value_delimiter = ',',
        required_unless_present = "set"
    )]
    knockout: Vec<String>,
    /// Genes to take to other levels, in the values that were fitted and are printed (of counts, the
    /// logarithm of normalised counts)
    #[arg(long, value_name = "GENE=LEVEL,…", value_delimiter = ',')]
    set: Vec<String>,
    /// When it begins, a time or label [default: the first time]
    #[arg(long, value_name = "TIME", allow_negative_numbers = true)]
    from: Option<String>,
    /// When it is looked at, a time or label [default: the last time]
    #[arg(long, value_name = "TIME", allow_negative_numbers = true)]
    until: Option<String>,
    /// Move the genes once and leave them to the field, rather than hold them there
    #[arg(long)]
    once: bool,
    /// Cells to follow, at most
    #[arg(long, value_name = "N", default_value_t = 2000)]
    n_cells: usize,
    /// Resamples of cells behind the intervals; 0 for none
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = up_to::<100_000>)]
    bootstrap: usize,
    #[command(flatten)]
    sets: SetArgs,
    /// File to write: .csv, .tsv or .parquet, or - for standard output
    #[arg(short, long, value_name = "FILE", default_value = "perturb.csv")]
    out: PathBuf,
}

/// Genes on the terminal beside those that are held.
const FIRST: usize = 12;

pub(crate) fn run(args: PerturbArgs, seed: u64, terminal: &mut Terminal) -> Result<Outcome> {
    let PerturbArgs {
        model: ModelArgs { model: folder },
        knockout,
        set,
        from,
        until,
        once,
        n_cells,
        bootstrap,
        sets,
        out,
    } = args;
    let format = terminal.table_format(&out)?;
    let sets = sets.all_or_none()?;
    let levels = set.iter().map(|text| level(text)).collect::<Result<_>>()?;
    let model = open_model(&folder, terminal)?;
    let known = times_of(&model);
    let from = times::observed(&known, "--from", from.as_ref())?;
    let until = times::observed(&known, "--until", until.as_ref())?;
    let options =
        PerturbOptions { knockout, levels, from, until, once, sets, n_cells, bootstrap, seed };
    let found = pipeline::perturb(&model, &options, terminal)?;
    pipeline::write_table(&out, format, &found.genes, &model, "perturb", &options)?;
    say(&found, terminal);
    for warning in &found.warnings {
        terminal.say(&format!("warning: {warning}"));
    }
    terminal.say("model-based, not validated: the bridge has seen no knock-out (see --help)");
    terminal.say(&format!("wrote {} genes to {}", found.rows.len(), shown(&out)));
    Ok(Outcome::Done)
}

/// `Sox2=1.5`: a gene, whose name may hold `=`, and its level.
fn level(text: &str) -> Result<GeneLevel> {
    let parsed = text.rsplit_once('=').and_then(|(gene, level)| {
        let level = level.trim().parse().ok().filter(|level: &f64| level.is_finite())?;
        (!gene.is_empty()).then(|| GeneLevel { gene: gene.to_string(), level })
    });
    let (name, must) = ("--set", "genes with their levels, such as Sox2=1.5");
    parsed.ok_or_else(|| Error::Parameter { name, must, got: text.into() })
}

/// What the coordinates hold of the genes that are held.
fn held(found: &Perturbed) -> Lines {
    let percent = |share: f64| format!("{:.1}", 100.0 * share);
    let rows: Vec<Vec<String>> = found
        .held
        .iter()
        .map(|held| {
            let variance = held.variance_held.map_or("–".into(), percent);
            let numbers = [short(held.level), variance, percent(held.shown)];
            let distance = format!("{:.1}", held.distance);
            [held.gene.clone()].into_iter().chain(numbers).chain([distance]).collect()
        })
        .collect();
    let columns = ["held", "level", "% of its variance", "% of a change", "sd from cells"];
    Lines::titled("in the coordinates of the model", &aligned(&columns, &rows))
}

fn interval(estimate: &Estimate, shown: impl Fn(f64) -> String) -> String {
    if !estimate.has_interval() {
        return "–".into();
    }
    format!("[{}, {}]", shown(estimate.lo), shown(estimate.hi))
}

fn say(found: &Perturbed, terminal: &Terminal) {
    terminal.say(&held(found));
    let (down, others): (Vec<_>, Vec<_>) = found.rows.iter().partition(|row| row.held_down);
    let rows: Vec<Vec<String>> = down
        .into_iter()
        .chain(others.into_iter().take(FIRST))
        .map(|row| {
            let name =
                if row.held_down { format!("{} (held)", row.gene) } else { row.gene.clone() };
            let interval = interval(&row.shift, short);
            let numbers = [row.control, row.knockout, row.shift.value].map(short);
            let rest = [interval, short(row.linear), format!("{:.2}", row.deviations)];
            [name].into_iter().chain(numbers).chain(rest).collect()
        })
        .collect();
    terminal
        .say(&aligned(&["gene", "control", "knockout", "shift", "95 %", "linear", "sd"], &rows));
    terminal.say(&format!(
        "linear response and simulation agree over genes with correlation {}",
        short(found.agreement)
    ));
    if found.groups.is_empty() {
        return;
    }
    let rows: Vec<Vec<String>> = found
        .groups
        .iter()
        .map(|of| {
            let points = |value: f64| format!("{:+.1}", 100.0 * value);
            let interval = interval(&of.change, points);
            let share = format!("{:.1}", 100.0 * of.share);
            vec![of.group.clone(), share, points(of.change.value), interval]
        })
        .collect();
    terminal.say(&aligned(&["group", "% of control", "change", "95 %"], &rows));
}
