//! `sbcell drivers`: genes whose expression correlates with a fate probability.

use clap::Args;
use sbcell::Result;
use sbcell::pipeline::{self, DriverOptions, DriverRow};

use crate::cli::Outcome;
use crate::cli::clones::CloneCouplingArgs;
use crate::cli::fates::TerminalArgs;
use crate::cli::formats::TableArgs;
use crate::cli::sets::SetArgs;
use crate::cli::shared::{
    BootstrapArgs, GeneArgs, ModelArgs, ResampleArgs, aligned, open_model, short, shown, with_help,
};
use crate::cli::terminal::Terminal;
use crate::cli::times::{all_observed, times_of};

const EXAMPLES: &str = "\
Examples:
  sbcell drivers --groupby cell_type
      genes for the groups of the last time, over all earlier cells
  sbcell drivers --groupby cell_type=XEN,ectoderm --at 96 --times 24,36,48 --out drivers.csv
      genes for two groups, over the cells of three times

Columns: fate, gene, correlation with the fate probability (within each time), lo and hi (95 %
interval), effect (difference in expression between a cell that has the fate for certain and one
that does not), beyond_depth (partial correlation given the sum of all other genes), pvalue,
qvalue (Benjamini-Hochberg over the genes of a fate), n_cells.

Limits: fates are computed from expression. Genes with a large weight in the coordinates therefore
correlate with fates by construction, and their p-values are too small. The order of the genes,
the effect, and the earliest time of a correlation say more. A correlation does not show that a
gene causes the fate.";

/// Genes whose expression correlates with a fate probability: 95 % interval, effect size and FDR
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
#[command(mut_arg("genes", |genes| with_help(genes, " [default: the genes of the model]")))]
#[command(mut_arg("out", |out| out.default_value("drivers.csv")))]
pub(crate) struct DriversArgs {
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    terminal: TerminalArgs,
    /// Times or labels of snapshots whose cells enter the correlation [default: all times before the
    /// last terminal state]
    #[arg(long, value_name = "TIME,…", value_delimiter = ',', allow_negative_numbers = true)]
    times: Vec<String>,
    #[command(flatten)]
    genes: GeneArgs,
    #[command(flatten)]
    sets: SetArgs,
    #[command(flatten)]
    clones: CloneCouplingArgs,
    #[command(flatten)]
    table: TableArgs,
}

/// Largest number of genes per fate on the terminal.
const FIRST: usize = 8;

/// Runs `sbcell drivers`: writes all genes and prints the first ones of each fate.
///
/// # Errors
/// As [`pipeline::drivers`].
pub(crate) fn run(args: DriversArgs, seed: u64, terminal: &mut Terminal) -> Result<Outcome> {
    let DriversArgs {
        model: ModelArgs { model: folder },
        terminal: ends,
        times,
        genes,
        sets,
        clones,
        table,
    } = args;
    let (out, format) = table.target(terminal)?;
    let genes = genes.names()?;
    let model = open_model(&folder, terminal)?;
    let known = times_of(&model);
    // The intervals of drivers have a closed form.
    let no_resamples = ResampleArgs { bootstrap: BootstrapArgs { bootstrap: 0 }, batch_key: None };
    let fates = ends.options(&known, sets, no_resamples, seed)?;
    let clones = clones.coupling(fates.sets.data.clone());
    let fates = fates.with_clones(clones);
    let times = all_observed(&known, "--times", &times)?;
    let options = DriverOptions::default().with_fates(fates).with_times(times).with_genes(genes);
    let found = pipeline::drivers(&model, &options, terminal)?;
    let table = DriverRow::table(&found);
    pipeline::write_table(&out, format, &table, &model, "drivers", &options)?;
    let mut rows: Vec<Vec<String>> = Vec::new();
    let (mut fate, mut said) = ("", 0);
    for row in &found {
        if row.fate != fate {
            (fate, said) = (&row.fate, 0);
        }
        said += 1;
        if said > FIRST || row.driver.correlation.is_nan() {
            continue;
        }
        let d = &row.driver;
        let known = d.lo.is_finite() && d.hi.is_finite();
        let interval = if known { format!("[{:.2}, {:.2}]", d.lo, d.hi) } else { "–".into() };
        let two = |value: f64| format!("{value:.2}");
        let numbers =
            [two(d.correlation), interval, two(d.beyond_depth), short(d.effect), short(d.q_value)];
        rows.push([row.fate.clone(), row.gene.clone()].into_iter().chain(numbers).collect());
    }
    terminal.say(&aligned(
        &["fate", "gene", "correlation", "95 %", "beyond depth", "effect", "q"],
        &rows,
    ));
    terminal.wrote(&out);
    terminal.record("n_rows", &found.len());
    terminal.say(&format!("wrote {} rows to {}", found.len(), shown(&out)));
    Ok(Outcome::Done)
}
