//! Flags that several commands share, and the layout of numbers on the terminal.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use clap::{Arg, Args};
use sbcell::bridge::Stop;
use sbcell::error::nearest;
use sbcell::io::chart::ChartFormat;
use sbcell::io::lists::read_names;
use sbcell::io::model::{Interval, OpenModel};
use sbcell::pipeline::{CouplingEpsilon, Regulators};
use sbcell::preprocess::Species;
use sbcell::{Error, Result};

pub(crate) use crate::cli::layout::aligned;
use crate::cli::places::{FolderParser, MODEL_FOLDER};
use crate::cli::steps::Show;
use crate::cli::terminal::Terminal;

/// Flags of every command.
#[derive(Debug, Args)]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(crate) struct Common {
    /// Seed of all random numbers. The same seed gives the same bytes on any number of threads of
    /// one machine type
    #[arg(
        long,
        visible_alias = "random-state",
        default_value_t = 0,
        global = true,
        value_name = "N"
    )]
    pub(crate) seed: u64,
    /// Number of threads, at most one per core [default: $SLURM_CPUS_PER_TASK, then
    /// $RAYON_NUM_THREADS, then the number of cores]
    #[arg(long, visible_alias = "n-jobs", global = true, value_name = "N")]
    pub(crate) threads: Option<usize>,
    /// Replace existing files that sbcell did not write or that changed since; with `annotate` also
    /// existing keys of the file. sbcell never replaces inputs or files of a model
    #[arg(long, global = true)]
    pub(crate) overwrite: bool,
    /// Print errors only
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Print details: the duration of each step in seconds, what solvers compared, and with `fit` one
    /// row for each interval and held-out time
    #[arg(short, long, global = true)]
    pub(crate) verbose: bool,
    /// How progress is shown on standard error
    #[arg(long, global = true, value_enum, default_value_t, value_name = "HOW")]
    pub(crate) progress: Show,
    /// Print one JSON object to standard output in place of texts and tables: command, version, files,
    /// notes and summary. With `--version`: the build, the processor and the formats of files
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Make CSV and TSV files safe for spreadsheets: write ' before text that a spreadsheet would
    /// take for a formula (= + - @). Such names are no longer exact
    #[arg(long, global = true)]
    pub(crate) spreadsheet_safe: bool,
}

impl Common {
    /// Starts the thread pool of the process. Call it once, before any work.
    ///
    /// The pool has at most one thread per core: more threads are never faster, and a very large
    /// number stops the machine.
    ///
    /// # Errors
    /// [`Error::Parameter`] for zero threads; [`Error::Numerical`] if the system refuses the threads.
    pub(crate) fn set_threads(&self, terminal: &Terminal) -> Result<()> {
        if self.threads == Some(0) {
            let must = "at least 1";
            return Err(Error::Parameter { name: "--threads", must, got: "0".into() });
        }
        let asked = match self.threads {
            Some(n) => Some((n, "--threads")),
            None => threads_of_the_job(),
        };
        let n_cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let n_threads = asked.map_or(n_cores, |(n, _)| n.min(n_cores));
        if let Some((n, by)) = asked.filter(|asked| asked.0 > n_cores) {
            let cores = if n_cores == 1 { "core" } else { "cores" };
            terminal.note(&format!(
                "{by} asks for {n} threads; {n_threads} are used, as there are {n_cores} {cores}"
            ));
        }
        rayon::ThreadPoolBuilder::new()
            .num_threads(n_threads)
            .build_global()
            .map_err(|error| Error::Numerical { what: "starting threads", why: error.to_string() })
    }
}

/// The number of threads that the job scheduler granted, with the name of the variable.
#[allow(clippy::disallowed_methods, reason = "the terminal is where the environment is read")]
fn threads_of_the_job() -> Option<(usize, &'static str)> {
    ["SLURM_CPUS_PER_TASK", "RAYON_NUM_THREADS"].into_iter().find_map(|name| {
        let n = std::env::var(name).ok()?.parse().ok().filter(|&n| 0 < n)?;
        Some((n, name))
    })
}

/// Parses a count of at most `MOST`, so that no typing error asks for all memory or never ends.
pub(crate) fn up_to<const MOST: usize>(text: &str) -> std::result::Result<usize, String> {
    match text.parse::<usize>() {
        Ok(number) if number <= MOST => Ok(number),
        Ok(_) => Err(format!("must be at most {MOST}")),
        Err(error) => Err(error.to_string()),
    }
}

/// Adds `more` to the help of a flag that several commands share: the default of one command, or
/// its use there.
pub(crate) fn with_help(flag: Arg, more: &str) -> Arg {
    let shared = flag.get_help().map(ToString::to_string).unwrap_or_default();
    flag.help(format!("{shared}{more}"))
}

/// `--model`, the folder of a fitted model.
#[derive(Debug, Args)]
pub(crate) struct ModelArgs {
    /// Folder of a fitted model, or of results with the model in model/. Without this flag,
    /// sbcell-results is used where sbcell-out has no model
    #[arg(short, long, default_value = MODEL_FOLDER, value_parser = FolderParser { of_model: true })]
    #[arg(value_name = "DIR")]
    pub(crate) model: PathBuf,
}

/// `--coupling-epsilon`, the noise of the couplings between observed cells.
#[derive(Debug, Args)]
pub(crate) struct CouplingNoiseArgs {
    /// ε of the couplings between observed cells, on data divided by the scale: `auto` (the choice of
    /// the fit; cells choose among groups of later cells by means and covariance), `fit` (the couplings of
    /// the bridges, with their ε, chained over the intervals), or a number (plain couplings with this ε)
    #[arg(long, value_name = "E", default_value_t, allow_negative_numbers = true)]
    pub(crate) coupling_epsilon: CouplingEpsilon,
}

/// `--data`, the file with the cells of a fitted model.
#[derive(Debug, Args)]
pub(crate) struct DataArgs {
    /// The .h5ad file of the fit, or its folder or list of files [default: where the fit read it]
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
}

impl DataArgs {
    /// The path as text, as run records keep it.
    pub(crate) fn path(self) -> Option<String> {
        self.data.map(|path| path.to_string_lossy().into_owned())
    }
}

/// `--genes`, a file with names of genes.
#[derive(Debug, Args)]
pub(crate) struct GeneArgs {
    /// File with names of genes, one per line: use only these genes
    #[arg(long, value_name = "FILE")]
    genes: Option<PathBuf>,
}

impl GeneArgs {
    /// The names in the file, if one was given.
    ///
    /// # Errors
    /// As [`read_names`].
    pub(crate) fn names(self) -> Result<Option<Vec<String>>> {
        self.genes.map(|path| read_names(&path)).transpose()
    }
}

/// `--tfs`, the genes that may regulate.
#[derive(Debug, Args)]
pub(crate) struct RegulatorArgs {
    /// Regulators: `human` or `mouse` for the transcription factors of this species, or a file with one
    /// name per line [default: every gene]
    #[arg(long, value_name = "FILE|human|mouse")]
    tfs: Option<String>,
}

impl RegulatorArgs {
    /// The regulators. Reads the names in a file.
    ///
    /// # Errors
    /// As [`read_names`].
    pub(crate) fn regulators(self) -> Result<Regulators> {
        let Some(name) = self.tfs else { return Ok(Regulators::All) };
        Ok(match name.parse::<Species>() {
            Ok(species) => Regulators::Species(species),
            Err(_) => Regulators::Named(names_of_regulators(&name)?),
        })
    }
}

/// The names in the file of `--tfs`. If there is no such file, the error suggests a species with a
/// similar name.
///
/// # Errors
/// As [`read_names`].
fn names_of_regulators(name: &str) -> Result<Vec<String>> {
    let species = ["human", "mouse"].map(String::from);
    read_names(name.as_ref()).map_err(|error| match error {
        Error::NoFile { path, near, others } => {
            let meant = nearest(name, &species);
            let others =
                if others.is_empty() && near.is_empty() { species.to_vec() } else { others };
            Error::NoFile { path, near: [meant, near].concat(), others }
        }
        other => other,
    })
}

/// `--bootstrap`, the number of resamples. A command can set another default.
#[derive(Debug, Args)]
#[command(next_help_heading = "Bootstrap")]
pub(crate) struct BootstrapArgs {
    /// Number of bootstrap resamples; 0 for none
    #[arg(long, value_name = "N", default_value = "100", value_parser = up_to::<100_000>)]
    pub(crate) bootstrap: usize,
}

/// `--bootstrap` and `--batch-key`, the number and the units of resamples.
#[derive(Debug, Args)]
#[command(next_help_heading = "Bootstrap")]
pub(crate) struct ResampleArgs {
    #[command(flatten)]
    pub(crate) bootstrap: BootstrapArgs,
    /// Column of `obs` with batches or donors: resample these instead of single cells
    #[arg(long, value_name = "COL")]
    pub(crate) batch_key: Option<String>,
}

/// `--cells-per-time`, a random part of the cells.
#[derive(Debug, Args)]
pub(crate) struct CellsPerTimeArgs {
    /// Use at most N cells of each time, drawn at random
    #[arg(long, value_name = "N")]
    pub(crate) cells_per_time: Option<usize>,
}

/// `--plot` and `--plot-gene`, charts beside the table.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct PlotArgs {
    /// Chart to draw, .svg, .png or .pdf
    #[arg(long, value_name = "FILE")]
    pub(crate) plot: Option<PathBuf>,
    /// Gene to draw. You can give this flag several times
    #[arg(long, value_name = "GENE", requires = "plot")]
    pub(crate) plot_gene: Vec<String>,
}

impl PlotArgs {
    /// Checks the suffix of the chart before any long computation.
    ///
    /// # Errors
    /// As [`ChartFormat::of`].
    pub(crate) fn check(&self) -> Result<()> {
        self.plot.as_deref().map_or(Ok(()), |plot| ChartFormat::of(plot).map(|_| ()))
    }
}

/// Opens the model in `folder`, and notes the intervals whose solver did not converge.
///
/// Every command that reads a model opens it here.
///
/// # Errors
/// As [`OpenModel::read`].
pub(crate) fn open_model(folder: &Path, terminal: &Terminal) -> Result<OpenModel> {
    let model = OpenModel::read(folder)?;
    if let Some(text) = not_converged(&model.intervals) {
        terminal.note(&text);
    }
    Ok(model)
}

/// A line that lists the intervals whose solver did not converge; `None` if all converged.
fn not_converged(intervals: &[Interval]) -> Option<String> {
    let open = intervals.iter().filter(|interval| interval.report.stop != Stop::Converged);
    let open: Vec<String> = open.map(|i| format!("{} → {}", i.from, i.to)).collect();
    if open.is_empty() {
        return None;
    }
    let named = open.join(", ");
    Some(format!(
        "the solver did not converge on {named} ({} of {} intervals): results that use these intervals \
         do not belong to the bridge with the parameters of the fit",
        open.len(),
        intervals.len()
    ))
}

/// A number with four significant digits; a dash if it is not finite.
///
/// Numbers below 5e-13 in size are shown as 0. Numbers from 1e-5 to 1e9 have no exponent.
pub(crate) fn short(value: f64) -> String {
    if !value.is_finite() {
        return "–".into();
    }
    if value.abs() < 5e-13 {
        return "0".into();
    }
    let digits = 3 - value.abs().log10().floor() as i32;
    if (0..=8).contains(&digits) {
        format!("{value:.*}", digits as usize)
    } else if digits < 0 && value.abs() < 1e9 {
        format!("{value:.0}")
    } else {
        format!("{value:.3e}")
    }
}

/// A path as text, for messages.
pub(crate) fn shown(path: &Path) -> String {
    path.display().to_string()
}
