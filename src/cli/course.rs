//! Flags that say what is fitted and how: shared by `fit` and `evaluate`.

use std::path::{Path, PathBuf};

use clap::Args;
use sbcell::io::lists;
use sbcell::pipeline::{FitOptions, Noise, Source, TimeOptions, ValuesChoice};
use sbcell::{Error, Result};

use crate::cli::growth::GrowthArgs;
use crate::cli::reference::ReferenceArgs;
use crate::cli::solver::SolverArgs;

/// Everything about the data and the method.
#[derive(Debug, Args)]
pub(crate) struct CourseArgs {
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
    pub(crate) solver: SolverArgs,
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
    #[arg(long, value_enum, default_value_t = FitOptions::default().values)]
    values: ValuesChoice,
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
    /// where Δt is the median interval and the scale the standard deviation of the coordinates
    /// within a time, on average over times and coordinates: ε = 0.1 means that over a typical
    /// interval cells wander by a third of the width of a snapshot. Smaller: nearer to optimal transport, straighter, more certain.
    /// Larger: more mixing. 0.1 is the published choice for single-cell data in this scaling.
    #[arg(long, value_name = "E", conflicts_with = "sigma2", allow_negative_numbers = true)]
    epsilon: Option<f64>,
    /// The same noise as a variance per unit of time, in the units of the data
    #[arg(long, value_name = "V", allow_negative_numbers = true)]
    sigma2: Option<f64>,
}

impl CourseArgs {
    /// Flags → parameters; reads the small files that flags name.
    pub(crate) fn options(self, seed: u64) -> Result<(PathBuf, FitOptions)> {
        let Self { data, time, input, space, noise, reference, growth, solver } = self;
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
            values,
            genes: genes.map(|path| lists::read_names(&path)).transpose()?,
            filters: obs_filter,
            n_top_genes,
            n_pcs,
            noise,
            reference: reference.choice()?,
            growth: growth.options()?,
            solver: solver.choice()?,
            seed,
        };
        Ok((data, options))
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
