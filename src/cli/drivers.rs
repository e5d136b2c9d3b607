//! `sbcell drivers`: genes that go with a fate.

use std::path::PathBuf;

use clap::Args;
use sbcell::Result;
use sbcell::io::lists::read_names;
use sbcell::pipeline::{self, DriverOptions, DriverRow};

use crate::cli::Outcome;
use crate::cli::fates::TerminalArgs;
use crate::cli::sets::{ResampleArgs, SetArgs};
use crate::cli::shared::{ModelArgs, aligned, open_model, short, shown};
use crate::cli::terminal::Terminal;
use crate::cli::times::times_of;

const EXAMPLES: &str = "\
Examples:
  sbcell drivers --groupby cell_type
      genes that go with the fates of the last time, over all earlier cells
  sbcell drivers --groupby cell_type=XEN,ectoderm --at 96 --times 24,36,48 --out drivers.csv
      in the cells of three times only

Columns: fate, gene, correlation with the probability of the fate (within each time), lo, hi (95 %),
effect (how much higher the gene is in a cell that is sure of the fate), beyond_depth (correlation given
the sum of all other genes), pvalue, qvalue
(Benjamini-Hochberg over the genes of a fate), n_cells.

What to make of it: fates are computed from expression, so genes that weigh in the coordinates go with
fates by construction, and p-values are too small for them. The order of genes, the effect and the time
from which on it is there say more; a gene that goes with a fate need not bring it about.";

/// Genes that go with a fate: correlation with its interval, effect size and FDR
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct DriversArgs {
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    sets: SetArgs,
    #[command(flatten)]
    terminal: TerminalArgs,
    /// Times (or their labels) whose cells are compared [default: all before the last terminal one]
    #[arg(long, value_name = "T,…", value_delimiter = ',', allow_negative_numbers = true)]
    times: Vec<String>,
    /// Genes, names one a line [default: those of the model]
    #[arg(long, value_name = "FILE")]
    genes: Option<PathBuf>,
    /// File to write: .csv, .tsv or .parquet, or - for standard output
    #[arg(short, long, value_name = "FILE", default_value = "drivers.csv")]
    out: PathBuf,
}

/// Genes of each fate on the terminal.
const FIRST: usize = 8;

pub(crate) fn run(args: DriversArgs, seed: u64, terminal: &mut Terminal) -> Result<Outcome> {
    let DriversArgs { model: ModelArgs { model: folder }, sets, terminal: ends, times, genes, out } =
        args;
    let format = terminal.table_format(&out)?;
    let genes = genes.map(|file| read_names(&file)).transpose()?;
    let model = open_model(&folder, terminal)?;
    let known = times_of(&model);
    let fates = ends.options(&known, sets, ResampleArgs { bootstrap: 0, batch_key: None }, seed)?;
    let times = times.iter().map(|text| known.observed("--times", text)).collect::<Result<_>>()?;
    let options = DriverOptions { fates, times, genes };
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
    terminal.say(&format!("wrote {} rows to {}", found.len(), shown(&out)));
    Ok(Outcome::Done)
}
