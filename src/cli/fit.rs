//! `sbcell fit`: .h5ad → one bridge for each interval.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use sbcell::io::h5ad::H5ad;
use sbcell::io::model::{Interval, detail_names, partial_folder};
use sbcell::io::{lists, model};
use sbcell::pipeline::{
    self, Estimate, FitOptions, FitSummary, Noise, Source, TimeOptions, ValuesChoice,
};
use sbcell::{Error, Result};

use crate::cli::Outcome;
use crate::cli::growth::GrowthArgs;
use crate::cli::reference::ReferenceArgs;
use crate::cli::shared::{MODEL_FOLDER, aligned, short, shown};
use crate::cli::solver::SolverArgs;
use crate::cli::terminal::Terminal;

const EXAMPLES: &str = "\
Examples:
  sbcell fit data.h5ad --timepoints
      find the time column, fit one bridge for each interval, write ./sbcell-out
  sbcell fit data.h5ad --timepoints day --layer counts --out day-model
      times from obs['day'], counts from a layer
  sbcell fit data.h5ad --timepoints time --use-rep X_pca
      bridges in an embedding of the file, no preprocessing
  sbcell fit data.h5ad --timepoints --growth-genes mouse --out growing
      cells that divide more weigh more: proliferation and apoptosis from the genes
  sbcell fit data.h5ad --timepoints --solver sinkhorn --cost geodesic-path --out along
      couple all cells by their distance along the data
  sbcell fit data.h5ad --timepoints --solver sf2m --out learned
      one velocity and one score for the whole course, as networks
  sbcell fit data.h5ad --timepoints --dry-run
      say what would be done, and what it would take

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 unreadable input, 4 not converged (results are
written and marked).";

/// Fit one Schrödinger bridge for each interval between neighbouring time points
///
/// Reads what is needed of the file, normalises counts, selects genes, takes principal
/// components, and fits a bridge between each pair of neighbouring snapshots with the solver that
/// `--solver` names. Writes a folder with the model; `interpolate` and `grn` read it.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct FitArgs {
    /// The cells: an AnnData file
    #[arg(value_name = "DATA.h5ad", required_unless_present = "timepoints")]
    data: Option<PathBuf>,
    #[command(flatten)]
    time: TimeArgs,
    #[command(flatten)]
    input: InputArgs,
    #[command(flatten)]
    space: SpaceArgs,
    #[command(flatten)]
    noise: NoiseArgs,
    #[command(flatten)]
    reference: ReferenceArgs,
    #[command(flatten)]
    growth: GrowthArgs,
    #[command(flatten)]
    solver: SolverArgs,
    /// Folder to write; an older model in it is replaced when the new one is complete
    #[arg(short, long, default_value = MODEL_FOLDER, value_name = "DIR")]
    out: PathBuf,
    /// Take up an interrupted fit of the same data and parameters
    #[arg(long)]
    resume: bool,
    /// Read only what is needed to say what would be done and what it would take
    #[arg(long)]
    dry_run: bool,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Time")]
struct TimeArgs {
    /// Column of `obs` with the times; without COL (or without the flag) it is found
    ///
    /// Numbers, categories of numbers, and labels such as D10, E7.5, 48h, P0, "day 3", 2wk or
    /// 3mo. Real spacing is used: an interval three times as long has three times the noise.
    #[arg(long, visible_alias = "time-key", alias = "cell-days-field", value_name = "COL",
          num_args = 0..=1, default_missing_value = "")]
    timepoints: Option<String>,
    /// Table of two columns, label and time, for labels that are no numbers
    #[arg(long, value_name = "FILE")]
    time_map: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Input")]
struct InputArgs {
    /// Use layers/NAME instead of X
    #[arg(long, value_name = "NAME", conflicts_with_all = ["use_raw", "use_rep"])]
    layer: Option<String>,
    /// Use raw/X instead of X
    #[arg(long, conflicts_with = "use_rep")]
    use_raw: bool,
    /// Use the embedding obsm/KEY as it is; no preprocessing, no genes
    #[arg(long, value_name = "KEY", conflicts_with_all = ["genes", "n_pcs", "n_top_genes"])]
    use_rep: Option<String>,
    /// Use only the genes in this file (one name a line), and all of them that vary
    #[arg(long, value_name = "FILE")]
    genes: Option<PathBuf>,
    /// Use only cells for which this holds: COL==VALUE, COL!=VALUE, "COL in A,B", COL<=NUMBER;
    /// may be given several times, all must hold
    #[arg(long = "obs-filter", value_name = "CONDITION")]
    obs_filter: Vec<String>,
    /// What the values of the matrix are
    #[arg(long, value_enum, default_value = "auto")]
    values: ValuesArg,
}

/// What the values of the matrix are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ValuesArg {
    /// Found from the values
    Auto,
    /// Counts: scale every cell to the median depth, then log1p
    Counts,
    /// Use them as they are
    AsIs,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Coordinates")]
struct SpaceArgs {
    /// Highly variable genes to keep (scanpy's flavour "seurat")
    #[arg(long, value_name = "N", default_value_t = FitOptions::default().n_top_genes)]
    n_top_genes: usize,
    /// Principal components to keep, at most
    #[arg(long, visible_alias = "n-comps", value_name = "N", default_value_t = FitOptions::default().n_pcs)]
    n_pcs: usize,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Noise")]
struct NoiseArgs {
    /// Noise of the reference process: ε of the median interval, on data divided by one constant
    /// [default: 0.1]
    ///
    /// The reference process is dX = σ dW with one σ² per unit of real time. ε = σ²Δt/scale²,
    /// where Δt is the median interval and the scale the mean standard deviation of the
    /// coordinates: ε = 0.1 means that over a typical interval cells wander by a third of a
    /// standard deviation. Smaller: nearer to optimal transport, straighter, more certain.
    /// Larger: more mixing. 0.1 is the published choice for single-cell data in this scaling.
    #[arg(long, value_name = "E", conflicts_with = "sigma2", allow_negative_numbers = true)]
    epsilon: Option<f64>,
    /// The same noise as a variance per unit of time, in the units of the data
    #[arg(long, value_name = "V", allow_negative_numbers = true)]
    sigma2: Option<f64>,
}

impl From<ValuesArg> for ValuesChoice {
    fn from(values: ValuesArg) -> Self {
        match values {
            ValuesArg::Auto => Self::Auto,
            ValuesArg::Counts => Self::Counts,
            ValuesArg::AsIs => Self::AsIs,
        }
    }
}

impl FitArgs {
    /// Flags → parameters; reads the small files that flags name.
    fn options(self, seed: u64) -> Result<(FitOptions, PathBuf, PathBuf, bool, bool)> {
        let Self {
            data,
            time,
            input,
            space,
            noise,
            reference,
            growth,
            solver,
            out,
            resume,
            dry_run,
        } = self;
        let TimeArgs { timepoints, time_map } = time;
        let InputArgs { layer, use_raw, use_rep, genes, obs_filter, values } = input;
        let SpaceArgs { n_top_genes, n_pcs } = space;
        let NoiseArgs { epsilon, sigma2 } = noise;
        let (data, timepoints) = data_and_column(data, timepoints)?;
        let noise = match (epsilon, sigma2) {
            (Some(epsilon), _) => Noise::Epsilon(epsilon),
            (None, Some(sigma2)) => Noise::Sigma2(sigma2),
            (None, None) => FitOptions::default().noise,
        };
        let source = match (layer, use_raw, use_rep) {
            (Some(name), _, _) => Source::Layer(name),
            (None, true, _) => Source::Raw,
            (None, false, Some(key)) => Source::Rep(key),
            (None, false, None) => Source::X,
        };
        let options = FitOptions {
            time: TimeOptions {
                column: timepoints.filter(|name| !name.is_empty()),
                map: time_map.map(|path| lists::read_time_map(&path)).transpose()?,
            },
            source,
            values: values.into(),
            genes: genes.map(|path| lists::read_names(&path)).transpose()?,
            filters: obs_filter,
            n_top_genes,
            n_pcs,
            noise,
            reference: reference.choice()?,
            growth: growth.options()?,
            solver: solver.choice(),
            seed,
        };
        Ok((options, data, out, resume, dry_run))
    }
}

/// `--timepoints data.h5ad` takes the file for its column: seen by the suffix, and put right.
fn data_and_column(
    data: Option<PathBuf>,
    column: Option<String>,
) -> Result<(PathBuf, Option<String>)> {
    match (data, column) {
        (Some(data), column) => Ok((data, column)),
        (None, Some(file)) if Path::new(&file).extension().is_some_and(|end| end == "h5ad") => {
            Ok((file.into(), None))
        }
        (None, _) => Err(Error::Parameter {
            name: "DATA.h5ad",
            must: "given, as in `sbcell fit data.h5ad --timepoints COL`",
            got: "none".into(),
        }),
    }
}

pub(crate) fn run(args: FitArgs, seed: u64, terminal: &mut Terminal) -> Result<Outcome> {
    let (options, data, out, resume, dry_run) = args.options(seed)?;
    if dry_run {
        let estimate = pipeline::estimate(&data, &options, terminal)?;
        say_estimate(&estimate, terminal);
        return Ok(Outcome::Done);
    }
    model::check_output(&out)?;
    options.check()?;
    say_times(&data, &options, terminal)?;
    let summary = pipeline::fit(&data, &out, &options, resume, terminal).inspect_err(|error| {
        let partial = partial_folder(&out);
        let resumable = partial.exists() && !matches!(error, Error::OtherPlan { .. });
        if resumable {
            let text = "finished intervals are kept in";
            terminal.note(&format!("{text} `{}`; add `--resume` to go on", shown(&partial)));
        }
    })?;
    say_summary(&summary, terminal);
    if summary.converged() { Ok(Outcome::Done) } else { Ok(Outcome::NotConverged) }
}

/// Prints the resolved times before anything long begins.
fn say_times(data: &Path, options: &FitOptions, terminal: &mut Terminal) -> Result<()> {
    let file = H5ad::open(data)?;
    let selection = pipeline::select(&file, options, &mut sbcell::Silent)?;
    terminal.say(&times_table(&selection));
    Ok(())
}

fn times_table(selection: &pipeline::Selection) -> String {
    let axis = &selection.axis;
    let unit = axis.unit.to_string();
    let unit = if unit.is_empty() { "unit unknown".into() } else { format!("in {unit}") };
    let rows: Vec<Vec<String>> = axis
        .levels
        .iter()
        .map(|level| vec![level.label.clone(), level.time.to_string(), level.n_cells.to_string()])
        .collect();
    format!(
        "times from obs['{}'], {unit}\n{}",
        axis.column,
        aligned(&["label", "time", "cells"], &rows)
    )
}

fn say_summary(summary: &FitSummary, terminal: &Terminal) {
    let header = &summary.header;
    let per = if header.time_unit.is_empty() { "unit of time" } else { &header.time_unit };
    terminal.say(&format!(
        "noise: σ² = {} per {per} in data units; ε = {} over the median interval, on data divided \
         by {}",
        short(header.sigma2),
        short(header.epsilon),
        short(header.scale)
    ));
    let details = detail_names(&summary.intervals);
    let rows: Vec<Vec<String>> =
        summary.intervals.iter().map(|interval| interval_row(interval, &details)).collect();
    let mut columns = vec!["interval", "ε", "stop", "iterations"];
    columns.extend(details.iter().map(String::as_str));
    columns.extend(["W1", "floor", "energy", "floor", "var ratio"]);
    terminal.say(&aligned(&columns, &rows));
    terminal.say(
        "W1, energy: the bridge's end against the later snapshot; floor: two halves of that \
         snapshot",
    );
    terminal.say(&format!("wrote {}", shown(&summary.out)));
}

fn interval_row(interval: &Interval, details: &[String]) -> Vec<String> {
    let found = |name: &str| {
        let entry = interval.fit.iter().find(|entry| entry.0 == name);
        short(entry.and_then(|entry| entry.1).unwrap_or(f64::NAN))
    };
    let report = &interval.report;
    let mut row = vec![
        format!("{} → {}", interval.from, interval.to),
        short(interval.epsilon),
        report.stop.to_string(),
        report.iterations.to_string(),
    ];
    row.extend(details.iter().map(|name| match report.detail(name) {
        Some(value) if value.fract().abs() < f64::MIN_POSITIVE => value.to_string(),
        value => short(value.unwrap_or(f64::NAN)),
    }));
    let names = ["w1", "w1_floor", "energy", "energy_floor", "variance_ratio"];
    row.extend(names.map(found));
    row
}

fn say_estimate(estimate: &Estimate, terminal: &Terminal) {
    terminal.say(&times_table(&estimate.selection));
    let Estimate { selection: _, source, n_cells, n_genes, n_dims, bytes, seconds } = estimate;
    let genes = if *n_genes == 0 { String::new() } else { format!(" × {n_genes} genes") };
    terminal.say(&format!("would read {source}: {n_cells} cells{genes}"));
    terminal.say(&format!("would fit in {n_dims} dimensions"));
    terminal.say(&format!(
        "estimate: {:.0} MB of memory, {} of one core",
        (bytes / 1e6).max(1.0),
        duration(*seconds)
    ));
}

fn duration(seconds: f64) -> String {
    if seconds < 120.0 {
        format!("{:.0} s", seconds.max(1.0))
    } else {
        format!("{:.0} min", seconds / 60.0)
    }
}
