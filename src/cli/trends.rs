//! `sbcell trends`: mean expression of genes along trajectories.

use clap::Args;
use sbcell::Result;
use sbcell::pipeline::{self, TrendOptions};

use crate::cli::Outcome;
use crate::cli::clones::CloneCouplingArgs;
use crate::cli::formats::TableArgs;
use crate::cli::sets::SetArgs;
use crate::cli::shared::{
    BootstrapArgs, GeneArgs, ModelArgs, PlotArgs, open_model, shown, with_help,
};
use crate::cli::terminal::Terminal;
use crate::cli::times::times_of;
use crate::cli::trajectory::WayArgs;

const EXAMPLES: &str = "\
Examples:
  sbcell trends --groupby cell_type
      every gene of the model along the trajectory of every group
  sbcell trends --groupby cell_type=XEN,ectoderm --at 96 --plot trends.svg --plot-gene Gata6
      two groups at one time; trends.svg shows Gata6 along both trajectories

Columns: set, time, gene, mean, lo and hi (95 % interval of the mean over resampled cells),
deviation (standard deviation between cells), effective_cells (number of cells with equal shares
that have the same entropy; sbcell notes sets with fewer than ten, and draws them with hollow
points). Expression is on the scale of the fit (log1p for counts).";

/// Mean expression along the ancestors and descendants of sets of cells, with 95 % intervals
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
#[command(mut_arg("genes", |genes| with_help(genes, " [default: the genes of the model]")))]
#[command(mut_arg("bootstrap", |n| n.default_value("200")))]
#[command(mut_arg("plot", |plot| with_help(plot.requires("plot_gene"), ", with the genes of \
    --plot-gene")))]
#[command(mut_arg("out", |out| out.default_value("trends.csv")))]
pub(crate) struct TrendsArgs {
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    way: WayArgs,
    #[command(flatten)]
    genes: GeneArgs,
    #[command(flatten)]
    sets: SetArgs,
    #[command(flatten)]
    resample: BootstrapArgs,
    #[command(flatten)]
    charts: PlotArgs,
    #[command(flatten)]
    clones: CloneCouplingArgs,
    #[command(flatten)]
    table: TableArgs,
}

/// Runs `sbcell trends`: writes the table and draws the chart.
///
/// # Errors
/// As [`pipeline::trends`].
pub(crate) fn run(args: TrendsArgs, seed: u64, terminal: &mut Terminal) -> Result<Outcome> {
    let TrendsArgs {
        model: ModelArgs { model: folder },
        way,
        genes,
        sets,
        resample,
        charts,
        clones,
        table,
    } = args;
    let BootstrapArgs { bootstrap } = resample;
    let (out, format) = table.target(terminal)?;
    charts.check()?;
    let PlotArgs { plot, plot_gene } = charts;
    let genes = genes.names()?;
    let model = open_model(&folder, terminal)?;
    let trajectory = way.options(&times_of(&model), sets, seed)?;
    let clones = clones.coupling(trajectory.sets.data.clone());
    let trajectory = trajectory.with_clones(clones);
    let options = TrendOptions::default()
        .with_trajectory(trajectory)
        .with_genes(genes)
        .with_bootstrap(bootstrap);
    let found = pipeline::trends(&model, &options, terminal)?;
    let chart = match &plot {
        Some(plot) => Some((plot, found.draw(&plot_gene)?)),
        None => None,
    };
    pipeline::write_table(&out, format, &found.long, &model, "trends", &options)?;
    if let Some((plot, chart)) = chart {
        pipeline::write_recorded(plot, "trends", &model, &options, |plot| chart.write(plot))?;
        terminal.wrote(plot);
        terminal.say(&format!("drew {}", shown(plot)));
    }
    terminal.wrote(&out);
    terminal.record("n_rows", &found.long.n_rows());
    terminal.say(&format!("wrote {} rows to {}", found.long.n_rows(), shown(&out)));
    Ok(Outcome::Done)
}
