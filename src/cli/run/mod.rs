//! `sbcell run`: file → model, scores, populations, fates, transitions, genes, edges, copy and page, in one folder.

mod config;
mod ending;
mod groups;
mod plan;
mod record;
mod runner;
mod steps;
mod template;
mod values;

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use sbcell::io::file::replace;
use sbcell::io::lock::FolderLock;
use sbcell::{Error, Result};

use crate::cli::Outcome;
use crate::cli::places::RESULTS_FOLDER;
use crate::cli::run::config::Config;
pub(crate) use crate::cli::run::config::FILE as CONFIG;
use crate::cli::run::plan::Job;
use crate::cli::run::record::ResultsRecord;
use crate::cli::run::runner::Runner;
use crate::cli::run::steps::Step;
use crate::cli::shared::{Common, shown};
use crate::cli::terminal::Terminal;

const EXAMPLES: &str = "\
Examples:
  sbcell run data.h5ad
      everything with defaults, into ./sbcell-results; open report.html there
  sbcell run data.h5ad --timepoints day --groupby cell_type --out results
      times from obs['day'], fates and transitions between cell types
  sbcell run data.h5ad --skip grn,annotate --set fit.n-pcs=20 --set interpolate.n-cells=500
      without edges and without a copy of the file; two flags of single steps
  sbcell run --init-config
      write ./sbcell.toml with all parameters of all steps; the next `sbcell run` reads it

Steps, each a command of its own with its own help: inspect, fit, evaluate, interpolate, fates,
transitions, trends, grn, annotate, report. A step that is done and whose input and parameters are the
same is not computed again, so that the same command goes on after an interruption, and a changed
parameter costs only the steps that it concerns. Edges have 3 resamples and no p-values by permuted times here;
--set grn.bootstrap=20 --set grn.permutations=20 gives those of `sbcell grn`. Groups of cells come from --groupby or --cells, otherwise
from a column such as cell_type or leiden, otherwise sbcell looks for terminal states itself.";

/// Do everything: model, scores, populations, fates, transitions, genes, edges, and a page of results
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct RunArgs {
    /// AnnData file with the cells, or a folder or list of such files
    #[arg(value_name = "DATA.h5ad")]
    data: Option<PathBuf>,
    /// Folder of the results [default: sbcell-results]
    #[arg(short, long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    course: RunCourseArgs,
    #[command(flatten)]
    choice: StepArgs,
}

/// The flags of single steps that most people need.
#[derive(Debug, Args)]
#[command(next_help_heading = "Input")]
struct RunCourseArgs {
    /// Column of `obs` with the times. Without this flag, sbcell finds the column
    #[arg(long, visible_alias = "time-key", value_name = "COL")]
    timepoints: Option<String>,
    /// Column of `obs` with the groups of cells. Without this flag, sbcell looks for one
    #[arg(long, value_name = "COL")]
    groupby: Option<String>,
    /// File with groups of cells, in place of --groupby: a cell and its group per line. You can give
    /// this flag several times
    #[arg(long, value_name = "FILE", conflicts_with = "groupby")]
    cells: Vec<PathBuf>,
    /// Read layers/NAME instead of X
    #[arg(long, value_name = "NAME", conflicts_with = "use_rep")]
    layer: Option<String>,
    /// Use the embedding obsm/KEY unchanged, without preprocessing and without genes
    #[arg(long, value_name = "KEY")]
    use_rep: Option<String>,
    /// Embedding of obsm on which cells are drawn [default: X_umap, or the first two coordinates of the
    /// model]
    #[arg(long, value_name = "KEY")]
    basis: Option<String>,
}

/// Which steps run, and with what.
#[derive(Debug, Args)]
#[command(next_help_heading = "Run")]
struct StepArgs {
    /// Steps to leave out. Results of an earlier run with the same parameters stay; others are moved to the
    /// folder earlier/ in that of the results
    #[arg(long, value_enum, value_name = "STEP,…", value_delimiter = ',')]
    skip: Vec<Step>,
    /// A flag of one step, as in `fit.n-pcs=20`. You can give this flag several times
    #[arg(long, value_name = "STEP.FLAG=VALUE")]
    set: Vec<String>,
    /// File of parameters [default: sbcell.toml in the current folder, if it is there]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Write the file of parameters with all keys, and do nothing else
    #[arg(long)]
    init_config: bool,
    /// Compute every step again
    #[arg(long)]
    fresh: bool,
}

/// Runs `sbcell run`: the steps one after the other, each with its line on the terminal.
///
/// # Errors
/// [`Error::Parameter`] without data; those of the file of parameters; the first error of a step, after the
/// steps that do not need it.
pub(crate) fn run(args: RunArgs, common: &Common, terminal: &mut Terminal) -> Result<Outcome> {
    let RunArgs { data, out, course, choice } = args;
    let StepArgs { skip, set, config, init_config, fresh } = choice;
    if init_config {
        let path = config.unwrap_or_else(|| config::FILE.into());
        return write_template(&path, common.overwrite, terminal);
    }
    let mut config = read_config(config, terminal)?;
    config.data = data.or(config.data);
    config.out = out.or(config.out);
    course.onto(&mut config)?;
    set.iter().try_for_each(|text| config.add(text))?;
    config.skip.extend(skip.into_iter().map(|step| step.name().to_string()));
    config.skip.sort();
    config.skip.dedup();
    let data = config.data.clone().ok_or_else(|| {
        let (name, must) =
            ("DATA.h5ad", "given, on the command line or as `data` in the file of parameters");
        Error::Parameter { name, must, got: "nothing".into() }
    })?;
    let out = config.out.clone().unwrap_or_else(|| RESULTS_FOLDER.into());
    let job = Job { data, out, config, seed: common.seed, overwrite: common.overwrite };
    let _lock = FolderLock::take(&job.out)?;
    let before = open_folder(&job.out, common.overwrite)?;
    let mut record = record_of(&job)?;
    record.arguments.extend(terminal.line.iter().flat_map(|line| line.arguments.clone()));
    Runner::new(job, before, record, fresh).run(terminal)
}

/// The record of a run before its first step.
///
/// # Errors
/// [`Error::Numerical`] if the parameters cannot be written as JSON.
fn record_of(job: &Job) -> Result<ResultsRecord> {
    let what = "writing the parameters";
    let parameters = serde_json::to_value(&job.config)
        .map_err(|error| Error::Numerical { what, why: error.to_string() })?;
    Ok(ResultsRecord::new(parameters))
}

impl RunCourseArgs {
    /// Adds the flags to the parameters of the steps.
    fn onto(self, config: &mut Config) -> Result<()> {
        let Self { timepoints, groupby, cells, layer, use_rep, basis } = self;
        if groupby.is_some() {
            config.cells.clear();
        }
        if !cells.is_empty() {
            (config.groupby, config.cells) = (None, cells);
        }
        config.groupby = groupby.or(config.groupby.take());
        config.basis = basis.or(config.basis.take());
        let flags = [("timepoints", timepoints), ("layer", layer), ("use-rep", use_rep)];
        for (flag, value) in flags {
            if let Some(value) = value {
                config.add(&format!("fit.{flag}={value}"))?;
            }
        }
        Ok(())
    }
}

/// The file of parameters that was named, or that of the current folder, or no parameters.
fn read_config(named: Option<PathBuf>, terminal: &Terminal) -> Result<Config> {
    let path = match named {
        Some(path) => path,
        None if Path::new(config::FILE).is_file() => config::FILE.into(),
        None => return Ok(Config::default()),
    };
    let config = Config::read(&path)?;
    terminal.say(&format!("parameters from {}", shown(&path)));
    Ok(config)
}

/// Writes the file of parameters.
fn write_template(path: &Path, overwrite: bool, terminal: &Terminal) -> Result<Outcome> {
    if path.exists() && !overwrite {
        return Err(Error::FileTaken { path: path.into() });
    }
    replace(path, |writer| writer.write_all(template::template().as_bytes()))?;
    terminal.wrote(path);
    let text = "remove the # before the keys to set, then run `sbcell run`";
    terminal.say(&format!("wrote {}: {text}", shown(path)));
    Ok(Outcome::Done)
}

/// Whether `folder` has results of a run.
pub(crate) fn is_of_run(folder: &Path) -> bool {
    ResultsRecord::read(folder).is_some()
}

/// The record of an earlier run in the folder of the results, which is made if it is not there.
///
/// # Errors
/// [`Error::OutputTaken`] if it has files and no record of a run.
fn open_folder(out: &Path, overwrite: bool) -> Result<Option<ResultsRecord>> {
    let io = |action, source| Error::Io { action, path: out.into(), source };
    let before = ResultsRecord::read(out);
    if out.is_dir() {
        let mut files = fs::read_dir(out).map_err(|source| io("read", source))?;
        if before.is_none() && files.next().is_some() && !overwrite {
            return Err(Error::OutputTaken { path: out.into() });
        }
    }
    fs::create_dir_all(out).map_err(|source| io("create", source))?;
    Ok(before)
}
