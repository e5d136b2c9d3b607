//! `sbcell trends`: genes along trajectories.

use std::path::PathBuf;

use clap::Args;
use sbcell::Result;
use sbcell::io::chart::ChartFormat;
use sbcell::io::lists::read_names;
use sbcell::pipeline::{self, TrendOptions};

use crate::cli::Outcome;
use crate::cli::sets::SetArgs;
use crate::cli::shared::{ModelArgs, open_model, shown, up_to};
use crate::cli::terminal::Terminal;
use crate::cli::times::times_of;
use crate::cli::trajectory::WayArgs;

const EXAMPLES: &str = "\
Examples:
  sbcell trends --groupby cell_type
      every gene of the model along the trajectory of every group
  sbcell trends --groupby cell_type=XEN,ectoderm --at 96 --plot trends.svg --plot-gene Gata6
      two groups of one time; Gata6 along both drawn to trends.svg

Columns: set, time, gene, mean, lo, hi (95 % interval of the mean over resampled cells), deviation
(between cells), effective_cells (so many cells of even share would be as uncertain; fewer than ten are
said, and hollow in the picture). Expression is on the scale that was fitted (log1p for counts).";

/// Mean expression along the ancestors and descendants of sets of cells, with bands
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct TrendsArgs {
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    sets: SetArgs,
    #[command(flatten)]
    way: WayArgs,
    /// Genes, names one a line [default: those of the model]
    #[arg(long, value_name = "FILE")]
    genes: Option<PathBuf>,
    /// Resamples of cells behind the bands; 0 for none
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = up_to::<100_000>)]
    bootstrap: usize,
    /// Picture to draw, .svg or .png
    #[arg(long, value_name = "FILE", requires = "plot_gene")]
    plot: Option<PathBuf>,
    /// Gene to draw; may be given several times
    #[arg(long, value_name = "GENE", requires = "plot")]
    plot_gene: Vec<String>,
    /// File to write: .csv, .tsv or .parquet, or - for standard output
    #[arg(short, long, value_name = "FILE", default_value = "trends.csv")]
    out: PathBuf,
}

pub(crate) fn run(args: TrendsArgs, seed: u64, terminal: &mut Terminal) -> Result<Outcome> {
    let TrendsArgs {
        model: ModelArgs { model: folder },
        sets,
        way,
        genes,
        bootstrap,
        plot,
        plot_gene,
        out,
    } = args;
    let format = terminal.table_format(&out)?;
    if let Some(plot) = &plot {
        ChartFormat::of(plot)?;
    }
    let genes = genes.map(|file| read_names(&file)).transpose()?;
    let model = open_model(&folder, terminal)?;
    let trajectory = way.options(&times_of(&model), sets, seed)?;
    let options = TrendOptions { trajectory, genes, bootstrap };
    let found = pipeline::trends(&model, &options, terminal)?;
    let chart = match &plot {
        Some(plot) => Some((plot, found.draw(&plot_gene)?)),
        None => None,
    };
    pipeline::write_table(&out, format, &found.long, &model, "trends", &options)?;
    if let Some((plot, chart)) = chart {
        pipeline::write_recorded(plot, "trends", &model, &options, |plot| chart.write(plot))?;
        terminal.say(&format!("drew {}", shown(plot)));
    }
    terminal.say(&format!("wrote {} rows to {}", found.long.n_rows(), shown(&out)));
    Ok(Outcome::Done)
}
