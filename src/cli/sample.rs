//! `sbcell sample`: more cells like those of a time, the rest of measured cells, or a null.

use std::path::PathBuf;

use clap::Args;
use sbcell::Result;
use sbcell::io::measured::read_measured;
use sbcell::pipeline::{self, BandwidthChoice, MeasuredOptions, Null, SampleOptions, SampleReport};
use sbcell::sampler::Scheme;

use crate::cli::Outcome;
use crate::cli::formats::PopulationArgs;
use crate::cli::shared::{ModelArgs, aligned, open_model, short, shown, up_to};
use crate::cli::terminal::{Lines, Terminal};
use crate::cli::times::{self, times_of};

const EXAMPLES: &str = "\
Examples:
  sbcell sample --at 36 --n-cells 1000
      1000 cells like those at 36, in ./sbcell-out/sample.parquet
  sbcell sample --at 30 --space genes --out between.h5ad
      cells of a time between two snapshots, as genes, for scanpy
  sbcell sample --at 36 --given panel.csv --space genes --out rest.csv
      the genes that were not measured in the cells of panel.csv: mean and deviation for each
  sbcell sample --at 36 --observe panel.csv --observe-sd 0.5 --space genes --out rest.csv
      the same where the measurements have errors
  sbcell sample --null pooled --space genes --out null.h5ad
      a course whose times mean nothing, for `sbcell fit null.h5ad`";

/// More cells like those of a time, the unmeasured genes of measured cells, or a null
///
/// The Schrödinger bridge of a snapshot to itself says where a cell at any place is expected after
/// a step; adding noise and taking that step, over and over, draws from the law of the snapshot.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct SampleArgs {
    #[command(flatten)]
    model: ModelArgs,
    /// Times, in the unit of the file, or labels of snapshots; between two snapshots the population that the bridge gives
    /// there [default: all snapshots]
    #[arg(long, value_name = "T,…", value_delimiter = ',', allow_negative_numbers = true)]
    at: Vec<String>,
    /// Cells to draw at each time [default: as many as are there]
    #[arg(long, value_name = "N", value_parser = up_to::<10_000_000>)]
    n_cells: Option<usize>,
    /// How a step is made
    #[arg(long, value_enum, default_value_t = SampleOptions::default().scheme)]
    scheme: Scheme,
    /// Variance of a step on data divided by the scale of the fit [default: chosen]
    #[arg(long, value_name = "E", conflicts_with = "bandwidth", allow_negative_numbers = true)]
    epsilon: Option<f64>,
    /// What the variance of a step is chosen by [default: held-out; with measured cells, how well
    /// the rest of cells held out is foretold]
    #[arg(long, value_enum)]
    bandwidth: Option<BandwidthChoice>,
    /// Longer steps where cells are sparse
    #[arg(long)]
    variable: bool,
    /// Steps from a cell to a draw: more of them forget the cell, and add up what the scheme gets
    /// wrong [default: 1; 10 with measured cells]
    #[arg(long, value_name = "N", value_parser = up_to::<1_000_000>)]
    steps: Option<usize>,
    /// Measured cells: a CSV of names and of genes (on the scale that was fitted) or coordinates,
    /// which draws keep
    #[arg(long, value_name = "FILE", conflicts_with = "observe")]
    given: Option<PathBuf>,
    /// As --given, for measurements with an error
    #[arg(long, value_name = "FILE", requires = "observe_sd")]
    observe: Option<PathBuf>,
    /// Standard deviation of the error of each measurement
    #[arg(long, value_name = "S", requires = "observe", allow_negative_numbers = true)]
    observe_sd: Option<f64>,
    /// Draws for each measured cell [default: 100]
    #[arg(long, value_name = "N", value_parser = up_to::<100_000>)]
    draws: Option<usize>,
    /// A course that keeps less than the data: every time drawn anew from its own law, or from the
    /// law of all times together
    #[arg(long, value_enum, conflicts_with_all = ["at", "n_cells", "given", "observe"])]
    null: Option<Null>,
    #[command(flatten)]
    written: PopulationArgs,
}

pub(crate) fn run(mut args: SampleArgs, seed: u64, terminal: &mut Terminal) -> Result<Outcome> {
    let folder = args.model.model.clone();
    let table_file = args.given.clone().or_else(|| args.observe.clone());
    let at = std::mem::take(&mut args.at);
    let written = args.written.target(&folder, "sample", terminal);
    let mut options = options(args, seed)?;
    let (out, format) = written?;
    let model = open_model(&folder, terminal)?;
    options.at = times::any(&times_of(&model), "--at", &at)?;
    let reports = if let Some(file) = table_file {
        let table = read_measured(&file)?;
        let imputed = pipeline::impute(&model, &table, &options, terminal)
            .map_err(|error| pipeline::with_genes_of_file(error, &model, None))?;
        pipeline::write_imputed(&out, &model, &imputed, &options, format)?;
        vec![imputed.report]
    } else {
        let sampled = pipeline::sample(&model, &options, terminal)?;
        pipeline::write_samples(&out, &model, &sampled, &options, format)?;
        sampled.reports
    };
    terminal.say(&table(&reports, &options));
    terminal.say(words(&options));
    terminal.say(&format!("wrote {}", shown(&out)));
    Ok(Outcome::Done)
}

fn options(args: SampleArgs, seed: u64) -> Result<SampleOptions> {
    let SampleArgs {
        model: _,
        at: _,
        n_cells,
        scheme,
        epsilon,
        bandwidth,
        variable,
        steps,
        given,
        observe,
        observe_sd,
        draws,
        null,
        written,
    } = args;
    let refuse = |name, must, got: String| Err(sbcell::Error::Parameter { name, must, got });
    let file = given.or(observe);
    if let (None, Some(draws)) = (&file, draws) {
        return refuse("--draws", "together with --given or --observe", draws.to_string());
    }
    if let Some(deviation) = observe_sd
        && !(0.0 < deviation && deviation < f64::INFINITY)
    {
        return refuse(
            "--observe-sd",
            "finite and > 0 (--given holds values)",
            deviation.to_string(),
        );
    }
    let measured = file.map(|file| MeasuredOptions {
        file: file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
        deviation: observe_sd.unwrap_or(0.0),
        n_draws: draws.unwrap_or(MeasuredOptions::N_DRAWS),
    });
    let default_steps = match &measured {
        Some(_) => MeasuredOptions::N_STEPS,
        None => SampleOptions::default().n_steps,
    };
    let bandwidth =
        epsilon.map_or(bandwidth.unwrap_or(BandwidthChoice::Auto), BandwidthChoice::Given);
    Ok(SampleOptions {
        at: Vec::new(),
        n_cells,
        scheme,
        n_steps: steps.unwrap_or(default_steps),
        bandwidth,
        variable,
        space: written.space.space,
        null,
        measured,
        seed,
    })
}

/// One line for each law that was learnt.
fn table(reports: &[SampleReport], options: &SampleOptions) -> Lines {
    let measured = options.measured.is_some();
    let mut header = vec!["time", "cells", "from", "draws", "epsilon", "neighbours", "error"];
    if !measured {
        header.extend(["near copies", "new cells"]);
    }
    let percent = |share: f64| format!("{:.0} %", 100.0 * share);
    let rows: Vec<Vec<String>> = reports
        .iter()
        .map(|report| {
            let mut row = vec![
                report.time.map_or("all".into(), |time| time.to_string()),
                report.n_cells.to_string(),
                if report.observed { "observed" } else { "bridge" }.to_string(),
                report.n_draws.to_string(),
                short(report.bandwidth.epsilon.value()),
                format!("{:.1}", report.neighbours),
                format!("{:.0e}", report.error),
            ];
            if let Some(copies) = report.copies {
                row.extend([percent(copies.draws), percent(copies.held_out)]);
            }
            row
        })
        .collect();
    aligned(&header, &rows)
}

fn words(options: &SampleOptions) -> &'static str {
    match (options.bandwidth, options.measured.is_some()) {
        (BandwidthChoice::Given(_), _) => {
            "epsilon: as given; neighbours: cells that a step draws from; error: of the plan's marginal"
        }
        (BandwidthChoice::Growth, _) => {
            "epsilon: where the kernel's sum grows fastest; neighbours: cells that a step draws from; \
             error: of the plan's marginal"
        }
        (BandwidthChoice::Auto, true) => {
            "epsilon: foretells best what was not measured, of cells held out; neighbours: cells \
             that a step draws from; error: of the plan's marginal"
        }
        (BandwidthChoice::Auto | BandwidthChoice::HeldOut, _) => {
            "epsilon: by the likelihood of cells held out; neighbours: cells that a step draws from; \
             error: of the plan's marginal"
        }
    }
}
