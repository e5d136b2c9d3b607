//! Flags of the data and the method, shared by `fit` and `evaluate`.

use std::path::{Path, PathBuf};

use clap::Args;
use sbcell::io::lists;
use sbcell::pipeline::{CouplingEpsilon, FitOptions, Noise, Source, TimeOptions, ValuesChoice};
use sbcell::preprocess::NPcs;
use sbcell::{Error, Result};

use crate::cli::clock::ClockArgs;
use crate::cli::growth::GrowthArgs;
use crate::cli::reference::ReferenceArgs;
use crate::cli::shared::{GeneArgs, with_help};
use crate::cli::solver::SolverArgs;

/// Everything about the data and the method.
#[derive(Debug, Args)]
pub(crate) struct CourseArgs {
    /// AnnData file with the cells, or a folder or list of such files
    ///
    /// A folder stands for all .h5ad files directly in it, sorted by name. A list is a text file with one
    /// path per line, relative to the list. The files must have the same genes. The column `file` of obs
    /// has the name of the file of each cell.
    #[arg(value_name = "DATA.h5ad", required_unless_present = "timepoints")]
    data: Option<PathBuf>,
    #[command(flatten)]
    time: TimeArgs,
    #[command(flatten)]
    input: InputArgs,
    #[command(flatten)]
    space: DimensionArgs,
    #[command(flatten)]
    noise: NoiseArgs,
    #[command(flatten)]
    reference: ReferenceArgs,
    #[command(flatten)]
    clock: ClockArgs,
    #[command(flatten)]
    growth: GrowthArgs,
    #[command(flatten)]
    pub(crate) solver: SolverArgs,
}

/// The times of the cells.
#[derive(Debug, Args)]
#[command(next_help_heading = "Time")]
struct TimeArgs {
    /// Column of `obs` with the times. Without COL, or without this flag, sbcell finds the column
    ///
    /// The column has numbers, categories of numbers, or labels such as D10, E7.5, 48h, P0, "day 3",
    /// 2wk or 3mo. sbcell uses the real spacing of times: an interval that is three times as long has
    /// three times the noise.
    #[arg(long, visible_alias = "time-key", alias = "cell-days-field", value_name = "COL",
          num_args = 0..=1, default_missing_value = "")]
    timepoints: Option<String>,
    /// Table with two columns, label and time, for labels that contain no number
    #[arg(long, value_name = "FILE")]
    time_map: Option<PathBuf>,
}

/// The matrix, the cells and the genes that take part.
#[derive(Debug, Args)]
#[command(next_help_heading = "Input")]
#[command(mut_arg("genes", |genes| with_help(genes, ", if they vary [default: highly variable genes]")))]
struct InputArgs {
    /// Read layers/NAME instead of X
    #[arg(long, value_name = "NAME", conflicts_with_all = ["use_raw", "use_rep"])]
    layer: Option<String>,
    /// Read raw/X instead of X
    #[arg(long, conflicts_with = "use_rep")]
    use_raw: bool,
    /// Use the embedding obsm/KEY unchanged, without preprocessing and without genes
    #[arg(long, value_name = "KEY", conflicts_with_all = ["genes", "n_pcs", "n_top_genes"])]
    use_rep: Option<String>,
    #[command(flatten)]
    genes: GeneArgs,
    /// Use only cells that meet the condition: COL==VALUE, COL!=VALUE, "COL in A,B" or COL<=NUMBER.
    /// You can give this flag several times; a cell must meet all conditions
    #[arg(long = "obs-filter", value_name = "CONDITION")]
    obs_filter: Vec<String>,
    /// Kind of values in the matrix
    #[arg(long, value_enum, default_value_t = FitOptions::default().values)]
    values: ValuesChoice,
}

/// The coordinates of the fit.
#[derive(Debug, Args)]
#[command(next_help_heading = "Coordinates")]
struct DimensionArgs {
    /// Number of highly variable genes to select (scanpy's flavour "seurat")
    #[arg(long, value_name = "N", default_value_t = FitOptions::default().n_top_genes)]
    n_top_genes: usize,
    /// Number of principal components, or `auto`: those above the noise edge of the data, at most 50
    #[arg(long, visible_alias = "n-comps", value_name = "N", default_value_t = FitOptions::default().n_pcs)]
    n_pcs: NPcs,
}

/// The noise of the reference process.
#[derive(Debug, Args)]
#[command(next_help_heading = "Noise")]
struct NoiseArgs {
    /// Variance ε of the reference process over the median interval, on data divided by the scale
    /// [default: 0.1]
    ///
    /// The reference process is dX = σ dW, with one σ² per unit of real time. ε = σ²Δt/scale², where
    /// Δt is the median interval. The scale is the standard deviation of the coordinates within a
    /// time, averaged over times and coordinates. With ε = 0.1, cells move over a median interval
    /// by a third of the width of a snapshot. A smaller ε is nearer to optimal transport: paths are
    /// straighter and couplings more certain. A larger ε mixes cells more. 0.1 is the published
    /// choice for single-cell data with this scale.
    #[arg(long, value_name = "E", conflicts_with = "sigma2", allow_negative_numbers = true)]
    epsilon: Option<f64>,
    /// The same noise as σ²: variance per unit of time, in squared units of the data
    #[arg(long, value_name = "V", allow_negative_numbers = true)]
    sigma2: Option<f64>,
    /// ε of the couplings between observed cells, on data divided by the scale: `auto`, `fit` or a
    /// number
    ///
    /// Fates, transitions and trajectories follow these couplings. The bridges, and populations, do
    /// not depend on this number. With `auto`, sbcell couples the cells by each of two halves of the
    /// genes, and takes the ε at which both predict the same futures; `coupling.csv` and
    /// `coupling.svg` show the choice. For an embedding it is 0.7 for each dimension. With `fit`, the
    /// couplings are those of the bridges.
    #[arg(long, value_name = "E", default_value_t = FitOptions::default().coupling_epsilon,
          allow_negative_numbers = true)]
    coupling_epsilon: CouplingEpsilon,
}

impl CourseArgs {
    /// ε of the couplings between observed cells.
    pub(crate) fn coupling_epsilon(&self) -> CouplingEpsilon {
        self.noise.coupling_epsilon
    }

    /// The first argument, if it was given.
    pub(crate) fn data(self) -> Option<PathBuf> {
        self.data
    }

    /// The data file and the options of the fit. Reads the small files that flags name.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a value out of range; those of reading the files.
    pub(crate) fn options(self, seed: u64) -> Result<(PathBuf, FitOptions)> {
        let Self { data, time, input, space, noise, reference, clock, growth, solver } = self;
        let TimeArgs { timepoints, time_map } = time;
        let InputArgs { layer, use_raw, use_rep, genes, obs_filter, values } = input;
        let DimensionArgs { n_top_genes, n_pcs } = space;
        let NoiseArgs { epsilon, sigma2, coupling_epsilon } = noise;
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
        let options = FitOptions::default()
            .with_time(
                TimeOptions::default()
                    .with_column(timepoints.filter(|name| !name.is_empty()))
                    .with_map(time_map.map(|path| lists::read_time_map(&path)).transpose()?),
            )
            .with_source(source)
            .with_values(values)
            .with_genes(genes.names()?)
            .with_filters(obs_filter)
            .with_n_top_genes(n_top_genes)
            .with_n_pcs(n_pcs)
            .with_noise(noise)
            .with_coupling_epsilon(coupling_epsilon)
            .with_reference(reference.choice()?)
            .with_asynchrony(clock.asynchrony)
            .with_timing(clock.timing)
            .with_bend(clock.bend)
            .with_growth(growth.options()?)
            .with_solver(solver.choice()?)
            .with_seed(seed);
        Ok((data, options))
    }
}

/// The data file and the time column. In `--timepoints data.h5ad` clap takes the file for the column;
/// the suffix shows this mistake, and the function corrects it.
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
