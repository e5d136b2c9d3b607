//! `sbcell perturb`: simulated knock-outs, the effect of genes held at a level on the fitted drift.

use clap::Args;
use sbcell::metrics::Estimate;
use sbcell::pipeline::{self, GeneLevel, PerturbOptions, Perturbed};
use sbcell::{Error, Result};

use crate::cli::Outcome;
use crate::cli::formats::TableArgs;
use crate::cli::sets::SetArgs;
use crate::cli::shared::{BootstrapArgs, ModelArgs, aligned, open_model, short, shown, with_help};
use crate::cli::terminal::{Lines, Terminal};
use crate::cli::times::{AtOneArgs, observed, times_of};

const EXAMPLES: &str = "\
Examples:
  sbcell perturb --knockout Sox2
      Sox2 at zero from the first time to the last
  sbcell perturb --knockout Sox2,Pou5f1 --at 12 --until 48 --groupby cell_type --out ko.csv
      two genes between two times, and the change in the shares of groups
  sbcell perturb --set Gata6=1.5 --knockout Sox2
      Gata6 at 1.5, on the scale of the fit, and Sox2 at zero

Columns: gene, control (mean at the end without the perturbation), knockout (mean with it), shift,
lo and hi (95 % interval over resampled cells), linear (shift by linear response), deviations
(shift in standard deviations between cells), held_down.

sbcell first prints how well the coordinates represent each perturbed gene: the share of its
variance (if the file is found), the share of a change of this gene alone, and the distance of its
level from the cells at the start, in standard deviations. sbcell moves cells to the level by the
smallest change of their coordinates. The worse the coordinates represent a gene, the more other
genes change with it.

MODEL-BASED, NOT VALIDATED. The bridge was fitted to cells without any knock-out. It pulls cells
to the later snapshots whatever happens to them, and it treats correlation as regulation. No
simulated knock-out was compared with a real one on your data. The intervals cover the variation
between cells, and nothing of this. Use the result as a hypothesis, and compare the simulation
with the linear response.";

/// Simulate knock-outs with the fitted drift: linear response and forward simulation (a hypothesis)
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
#[command(mut_arg("at", |at| with_help(at.alias("from"), ": perturb its cells and follow them from \
    there [default: the first time]")))]
#[command(mut_arg("bootstrap", |n| n.default_value("200")))]
#[command(mut_arg("out", |out| out.default_value("perturb.csv")))]
pub(crate) struct PerturbArgs {
    #[command(flatten)]
    model: ModelArgs,
    /// Genes to set to zero (to their lowest value, where values are below zero)
    #[arg(
        long,
        visible_alias = "ko",
        value_name = "GENE,…",
        value_delimiter = ',',
        required_unless_present = "set"
    )]
    knockout: Vec<String>,
    /// Genes to set to other levels, on the scale of the fit (for counts, the logarithm of normalised
    /// counts), which the output also has
    #[arg(long, value_name = "GENE=LEVEL,…", value_delimiter = ',')]
    set: Vec<String>,
    #[command(flatten)]
    at: AtOneArgs,
    /// Time of a snapshot, or its label, at which the effect is measured [default: the last time]
    #[arg(long, value_name = "TIME", allow_negative_numbers = true)]
    until: Option<String>,
    /// Change the genes once at the start, and do not hold them at the level
    #[arg(long)]
    once: bool,
    /// Largest number of cells to follow
    #[arg(long, value_name = "N", default_value_t = 2000)]
    n_cells: usize,
    #[command(flatten)]
    sets: SetArgs,
    #[command(flatten)]
    resample: BootstrapArgs,
    #[command(flatten)]
    table: TableArgs,
}

/// Number of genes on the terminal besides the perturbed ones.
const FIRST: usize = 12;

/// Runs `sbcell perturb`: writes all genes and prints the genes with the largest shifts.
///
/// # Errors
/// As [`pipeline::perturb`]; [`Error::Parameter`] for a level that is not a number.
pub(crate) fn run(args: PerturbArgs, seed: u64, terminal: &mut Terminal) -> Result<Outcome> {
    let PerturbArgs {
        model: ModelArgs { model: folder },
        knockout,
        set,
        at,
        until,
        once,
        n_cells,
        sets,
        resample: BootstrapArgs { bootstrap },
        table,
    } = args;
    let (out, format) = table.target(terminal)?;
    let sets = sets.all_or_none()?;
    let levels = set.iter().map(|text| level(text)).collect::<Result<_>>()?;
    let model = open_model(&folder, terminal)?;
    let known = times_of(&model);
    let at = at.observed(&known)?;
    let until = observed(&known, "--until", until.as_ref())?;
    let options = PerturbOptions::default()
        .with_knockout(knockout)
        .with_levels(levels)
        .with_at(at)
        .with_until(until)
        .with_once(once)
        .with_sets(sets)
        .with_n_cells(n_cells)
        .with_bootstrap(bootstrap)
        .with_seed(seed);
    let found = pipeline::perturb(&model, &options, terminal)?;
    pipeline::write_table(&out, format, &found.genes, &model, "perturb", &options)?;
    say(&found, terminal);
    for warning in &found.warnings {
        terminal.say(&format!("warning: {warning}"));
    }
    terminal.say(
        "model-based, not validated: the bridge was fitted without any knock-out (see --help)",
    );
    terminal.wrote(&out);
    terminal.record("n_genes", &found.rows.len());
    terminal.record("agreement", &found.agreement);
    terminal.say(&format!("wrote {} genes to {}", found.rows.len(), shown(&out)));
    Ok(Outcome::Done)
}

/// Parses `Sox2=1.5`, a gene and its level. The name of the gene can contain `=`.
///
/// # Errors
/// [`Error::Parameter`] for a text without a gene or a finite level.
fn level(text: &str) -> Result<GeneLevel> {
    let parsed = text.rsplit_once('=').and_then(|(gene, level)| {
        let level = level.trim().parse().ok().filter(|level: &f64| level.is_finite())?;
        (!gene.is_empty()).then(|| GeneLevel { gene: gene.to_string(), level })
    });
    let (name, must) = ("--set", "genes with their levels, such as Sox2=1.5");
    parsed.ok_or_else(|| Error::Parameter { name, must, got: text.into() })
}

/// The table of how well the coordinates represent the perturbed genes.
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

/// `[lo, hi]` of an estimate, or a dash if it has no interval.
fn interval(estimate: &Estimate, shown: impl Fn(f64) -> String) -> String {
    if !estimate.has_interval() {
        return "–".into();
    }
    format!("[{}, {}]", shown(estimate.lo), shown(estimate.hi))
}

/// Prints the perturbed genes, those with the largest shifts, and the groups.
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
