//! `sbcell sample`: more cells like those of a time, the rest of measured cells, or a null model.

use std::path::PathBuf;

use clap::Args;
use sbcell::Result;
use sbcell::io::measured::read_measured;
use sbcell::pipeline::{self, BandwidthChoice, MeasuredOptions, Null, SampleOptions, SampleReport};
use sbcell::sampler::Scheme;

use crate::cli::Outcome;
use crate::cli::populations::{NumberArgs, PopulationArgs};
use crate::cli::shared::{ModelArgs, aligned, open_model, short, shown, up_to, with_help};
use crate::cli::terminal::{Lines, Terminal};
use crate::cli::times::{AtArgs, times_of};

const EXAMPLES: &str = "\
Examples:
  sbcell sample --at 36 --n-cells 1000
      1000 cells like those at 36, to ./sbcell-out/sample.parquet
  sbcell sample --at 30 --space genes --out between.h5ad
      cells at a time between two snapshots, as gene expression, for scanpy
  sbcell sample --at 36 --given panel.csv --space genes --out rest.csv
      the genes that panel.csv does not contain, for its cells: mean and standard deviation of each
  sbcell sample --at 36 --observe panel.csv --observe-sd 0.5 --space genes --out rest.csv
      the same for measurements with errors
  sbcell sample --at 36 --likelihood loglik.csv
      cells like those at 36 for which other data (a label, a lineage, a measurement) are likely
  sbcell sample --null pooled --space genes --out null.h5ad
      a course without change over time, for `sbcell fit null.h5ad`";

/// Draw more cells like those of a time, the unmeasured genes of measured cells, or a null model
///
/// The Schrödinger bridge of a snapshot to itself gives, for each position, the expected position of
/// a cell after one step. Steps of this bridge with noise draw from the distribution of the snapshot.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
#[command(mut_arg("at", |at| with_help(at, "; between two snapshots sbcell samples the population \
    of the bridge [default: all snapshots]")))]
#[command(mut_arg("n_cells", |n| with_help(n, " [default: the number of observed cells; between \
    snapshots, that of the earlier one]")))]
#[command(mut_arg("out", |out| with_help(out, " [default: sample.parquet, or with the suffix of \
    --format, in the model's folder]")))]
pub(crate) struct SampleArgs {
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    at: AtArgs,
    #[command(flatten)]
    number: NumberArgs,
    /// How a step uses the noise and the conditional mean, the expected position after the step
    #[arg(long, value_enum, default_value_t = SampleOptions::default().scheme)]
    scheme: Scheme,
    /// Variance ε of a step, on data divided by the scale of the fit [default: chosen by --bandwidth]
    #[arg(long, value_name = "E", conflicts_with = "bandwidth", allow_negative_numbers = true)]
    epsilon: Option<f64>,
    /// How sbcell chooses the variance of a step [default: held-out; with measured cells, the best
    /// prediction of the unmeasured part of held-out cells]
    #[arg(long, value_enum)]
    bandwidth: Option<BandwidthChoice>,
    /// Take longer steps where cells are sparse
    #[arg(long)]
    variable: bool,
    /// Number of steps from a cell to a draw. More steps make a draw more independent of its cell and
    /// add up the errors of the scheme [default: 1; 10 with measured cells]
    #[arg(long, alias = "steps", value_name = "N", value_parser = up_to::<1_000_000>)]
    n_steps: Option<usize>,
    /// CSV file with measured cells: a column of names, then genes (on the scale of the fit) or
    /// coordinates. Draws keep these values
    #[arg(long, value_name = "FILE", conflicts_with = "observe")]
    given: Option<PathBuf>,
    /// The same file for measurements with errors: draws need not keep the values
    #[arg(long, value_name = "FILE", requires = "observe_sd")]
    observe: Option<PathBuf>,
    /// Standard deviation of the error of each measurement in --observe
    #[arg(long, value_name = "S", requires = "observe", allow_negative_numbers = true)]
    observe_sd: Option<f64>,
    /// Number of draws for each measured cell [default: 100]
    #[arg(long, value_name = "N", value_parser = up_to::<100_000>)]
    draws: Option<usize>,
    /// Draw a null model: the whole course without some of its information
    #[arg(long, value_enum, conflicts_with_all = ["at", "n_cells", "given", "observe"])]
    null: Option<Null>,
    /// Table with the log likelihood of every cell at the time of --at: a column of names, then one of
    /// numbers (-inf for zero). sbcell draws from the distribution of the cells times this likelihood
    #[arg(long, value_name = "FILE", requires = "at", conflicts_with_all = ["given", "observe", "null"])]
    likelihood: Option<PathBuf>,
    #[command(flatten)]
    written: PopulationArgs,
}

/// Runs `sbcell sample`: writes the draws, or the prediction for measured cells, and prints how each
/// distribution was sampled.
///
/// # Errors
/// As [`pipeline::sample`] and [`pipeline::impute`].
pub(crate) fn run(mut args: SampleArgs, seed: u64, terminal: &mut Terminal) -> Result<Outcome> {
    let folder = args.model.model.clone();
    let likelihood_file = args.likelihood.clone();
    let table_file = args.given.clone().or_else(|| args.observe.clone());
    let at = AtArgs { at: std::mem::take(&mut args.at.at) };
    let written = args.written.target(&folder, "sample", terminal);
    let mut options = options(args, seed)?;
    let (out, format) = written?;
    let model = open_model(&folder, terminal)?;
    options.at = at.any(&times_of(&model))?;
    let reports = if let Some(file) = table_file {
        let table = read_measured(&file)?;
        let imputed = pipeline::impute(&model, &table, &options, terminal)
            .map_err(|error| pipeline::with_genes_of_file(error, &model, None))?;
        pipeline::write_imputed(&out, &model, &imputed, &options, format)?;
        vec![imputed.report]
    } else if let Some(file) = likelihood_file {
        let likelihood = pipeline::read_likelihood(&file)?;
        let sampled = pipeline::sample_posterior(&model, &likelihood, &options, terminal)?;
        pipeline::write_samples(&out, &model, &sampled, &options, format)?;
        sampled.reports
    } else {
        let sampled = pipeline::sample(&model, &options, terminal)?;
        pipeline::write_samples(&out, &model, &sampled, &options, format)?;
        sampled.reports
    };
    terminal.say(&table(&reports, &options));
    terminal.say(words(&options));
    terminal.wrote(&out);
    terminal.say(&format!("wrote {}", shown(&out)));
    Ok(Outcome::Done)
}

/// The options of the flags, without the times, which need the model.
///
/// # Errors
/// [`sbcell::Error::Parameter`] for a flag that does nothing without another, or is out of range.
fn options(args: SampleArgs, seed: u64) -> Result<SampleOptions> {
    let SampleArgs {
        model: _,
        at: _,
        number: NumberArgs { n_cells },
        scheme,
        epsilon,
        bandwidth,
        variable,
        n_steps,
        given,
        observe,
        observe_sd,
        draws,
        null,
        likelihood,
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
            "finite and > 0 (use --given for exact values)",
            deviation.to_string(),
        );
    }
    let name = |file: PathBuf| {
        file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    };
    let measured = file.map(|file| MeasuredOptions {
        file: name(file),
        deviation: observe_sd.unwrap_or(0.0),
        n_draws: draws.unwrap_or(MeasuredOptions::N_DRAWS),
    });
    let default_steps = match &measured {
        Some(_) => MeasuredOptions::N_STEPS,
        None => SampleOptions::default().n_steps,
    };
    let bandwidth =
        epsilon.map_or(bandwidth.unwrap_or(BandwidthChoice::Auto), BandwidthChoice::Given);
    Ok(SampleOptions::default()
        .with_at(Vec::new())
        .with_n_cells(n_cells)
        .with_scheme(scheme)
        .with_n_steps(n_steps.unwrap_or(default_steps))
        .with_bandwidth(bandwidth)
        .with_variable(variable)
        .with_space(written.space.space)
        .with_null(null)
        .with_measured(measured)
        .with_likelihood(likelihood.map(name))
        .with_seed(seed))
}

/// One row per distribution that was sampled.
fn table(reports: &[SampleReport], options: &SampleOptions) -> Lines {
    let measured = options.measured.is_some();
    let mut header = vec!["time", "cells", "from", "draws", "epsilon", "neighbours", "error"];
    let weighted = options.likelihood.is_some();
    if weighted {
        header.push("effective cells");
    }
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
            if weighted {
                row.push(format!("{:.1}", report.effective_cells));
            }
            if let Some(copies) = report.copies {
                row.extend([percent(copies.draws), percent(copies.held_out)]);
            }
            row
        })
        .collect();
    aligned(&header, &rows)
}

/// The line below the table that explains its columns.
fn words(options: &SampleOptions) -> &'static str {
    match (options.bandwidth, options.measured.is_some()) {
        (BandwidthChoice::Given(_), _) => {
            "epsilon: the given value; neighbours: effective number of cells from which a step draws; \
             error: marginal error of the plan"
        }
        (BandwidthChoice::Growth, _) => {
            "epsilon: where the sum of the kernel grows fastest; neighbours: effective number of cells \
             from which a step draws; error: marginal error of the plan"
        }
        (BandwidthChoice::Auto, true) => {
            "epsilon: best prediction of the unmeasured part of held-out cells; neighbours: effective \
             number of cells from which a step draws; error: marginal error of the plan"
        }
        (BandwidthChoice::Auto | BandwidthChoice::HeldOut, _) => {
            "epsilon: largest likelihood of held-out cells; neighbours: effective number of cells from \
             which a step draws; error: marginal error of the plan"
        }
    }
}
