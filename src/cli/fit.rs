//! `sbcell fit`: .h5ad file → one bridge per interval.

use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use sbcell::error::bytes_in_words;
use sbcell::io::model::{self, partial_folder};
use sbcell::pipeline::{
    self, ConditionOptions, Conditions, FitEstimate, FitOptions, FitSummary, FittedCondition, Plan,
    Running,
};
use sbcell::{Error, Result};

use crate::cli::Outcome;
use crate::cli::conditions::{ConditionArgs, conditions_table};
use crate::cli::course::CourseArgs;
use crate::cli::fit_summary::{say_next, say_summary, say_times, say_validation};
use crate::cli::places::MODEL_FOLDER;
use crate::cli::shared::shown;
use crate::cli::terminal::Terminal;

const EXAMPLES: &str = "\
Examples:
  sbcell fit data.h5ad --timepoints
      find the time column, fit one bridge per interval, write ./sbcell-out
  sbcell fit data.h5ad --timepoints day --layer counts --out day-model
      times from obs['day'], counts from a layer
  sbcell fit data.h5ad --timepoints time --use-rep X_pca
      bridges in an embedding of the file, without preprocessing
  sbcell fit data.h5ad --timepoints --growth-genes mouse --out growing
      growth from the expression of proliferation and apoptosis genes
  sbcell fit data.h5ad --timepoints --solver sinkhorn --cost geodesic-path --out along
      couple all cells by their distance along the neighbour graph
  sbcell fit data.h5ad --timepoints --solver sf2m --out learned
      one network for the velocity and one for the score of the whole course
  sbcell fit data.h5ad --timepoints day --condition-key medium --shared before --out media
      one model for each medium in the same coordinates; cells of `before` belong to all of them
  sbcell fit data.h5ad --timepoints --dry-run
      print the times, the size of the data, and estimates of memory and time

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 unreadable input, 4 not converged (the model is
written, and marks these intervals), 5 the fit needs more memory than --memory allows.";

/// Fit one Schrödinger bridge per interval between neighbouring time points
///
/// sbcell reads the cells, normalises counts, selects genes and computes principal components. The
/// solver of `--solver` then fits a bridge between each pair of neighbouring snapshots. sbcell writes
/// the model into a folder, which the other commands read. With `--n-pcs auto`, the files `scree.csv`
/// and `scree.svg` in this folder show how the number of components was chosen.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct FitArgs {
    #[command(flatten)]
    course: CourseArgs,
    #[command(flatten)]
    conditions: ConditionArgs,
    #[command(flatten)]
    job: JobArgs,
}

/// How the fit runs, and where the model goes.
#[derive(Debug, Args)]
#[command(next_help_heading = "Run")]
struct JobArgs {
    /// Folder to write. An older model in it is replaced when the new one is complete
    #[arg(short, long, default_value = MODEL_FOLDER, value_name = "DIR")]
    out: PathBuf,
    /// Continue an interrupted fit of the same data with the same parameters
    #[arg(long)]
    resume: bool,
    /// Skip the evaluation on held-out times after the fit
    ///
    /// With three or more times, `fit` ends with an evaluation. It holds out each inner time in turn,
    /// on at most 500 cells of each time, and writes `validation.csv` and a chart into the model's
    /// folder. `sbcell evaluate` does the same on all cells, with more options.
    #[arg(long)]
    no_validation: bool,
    /// Do not fit. Print the times and sizes, and estimate memory and time from a trial on some cells
    #[arg(long)]
    dry_run: bool,
    /// Limit for the memory of the fit, such as 4G or 800M. sbcell stays within it or refuses to
    /// start
    ///
    /// With and without a limit, sbcell reads a large matrix in blocks. A matrix that is stored by
    /// columns (CSC) is an exception: sbcell always reads it whole. Results do not depend on the
    /// limit. The evaluation after the fit needs less memory than the fit.
    #[arg(long, value_name = "SIZE", value_parser = bytes)]
    memory: Option<f64>,
}

/// Parses `4G`, `800M` or `2.5 GB` to bytes; units are powers of ten.
fn bytes(text: &str) -> std::result::Result<f64, String> {
    let number = text.trim_end_matches(|c: char| c.is_alphabetic() || c == ' ');
    let unit = match text[number.len()..].trim().to_ascii_uppercase().as_str() {
        "K" | "KB" => 1e3,
        "M" | "MB" => 1e6,
        "G" | "GB" => 1e9,
        "T" | "TB" => 1e12,
        _ => return Err("give a number with K, M, G or T, such as 4G".into()),
    };
    match number.parse::<f64>() {
        Ok(number) if number > 0.0 && number.is_finite() => Ok(number * unit),
        _ => Err("give a number above 0 with K, M, G or T, such as 4G".into()),
    }
}

impl FitArgs {
    /// The parameters of the flags. Reads the small files that flags name.
    ///
    /// # Errors
    /// As [`CourseArgs::options`].
    fn job(self, seed: u64) -> Result<Job> {
        let Self { course, conditions, job } = self;
        let JobArgs { out, resume, dry_run, no_validation, memory } = job;
        let running = Running { resume, memory };
        let conditions = conditions.options()?;
        let (data, options) = course.options(seed)?;
        Ok(Job { data, options, conditions, out, running, dry_run, validate: !no_validation })
    }
}

/// A fit that can start.
struct Job {
    data: PathBuf,
    options: FitOptions,
    conditions: Option<ConditionOptions>,
    out: PathBuf,
    running: Running,
    dry_run: bool,
    validate: bool,
}

/// Runs `sbcell fit`: prints the times, fits, prints the result of each interval, and evaluates the
/// model on held-out times.
///
/// A failed evaluation is a note, since the model itself is complete. The outcome is
/// [`Outcome::NotConverged`] if the solver did not converge on some interval.
///
/// # Errors
/// As [`pipeline::fit`], or [`pipeline::estimate`] with `--dry-run`.
pub(crate) fn run(args: FitArgs, seed: u64, terminal: &mut Terminal) -> Result<Outcome> {
    let Job { data, options, conditions, out, running, dry_run, validate } = args.job(seed)?;
    if conditions.is_none() {
        model::check_output(&out)?;
    }
    options.check()?;
    let plan = Plan::read(&data, &options, terminal)?;
    say_times(plan.selection(), dry_run, terminal);
    let conditions = match conditions {
        None => None,
        Some(options) => Some(Conditions::read(&plan, &options, terminal)?),
    };
    if let Some(conditions) = &conditions {
        let levels = plan.selection().axis.levels.iter();
        let times: Vec<_> = levels.map(|level| (level.label.clone(), level.time)).collect();
        terminal.say(&conditions_table(conditions, &times));
    }
    if dry_run {
        let begun = Instant::now();
        let clock = || begun.elapsed().as_secs_f64();
        let estimate = plan.estimate(running, &clock)?;
        say_estimate(&estimate, terminal);
        estimate.check(running)?;
        return Ok(Outcome::Done);
    }
    let Some(conditions) = conditions else {
        let found = plan.run(&out, running, terminal);
        let summary = found.inspect_err(|error| say_kept(&out, error, terminal))?;
        say_summary(&summary, terminal);
        validated(&plan, &summary, validate, terminal)?;
        say_next(&summary, terminal);
        return Ok(outcome(summary.converged()));
    };
    let found = plan.run_conditions(&conditions, &out, running, terminal);
    let summary = found.inspect_err(|error| say_kept(&out, error, terminal))?;
    for FittedCondition { name, plan, summary } in &summary.conditions {
        terminal.say(&format!("condition {name}"));
        say_summary(summary, terminal);
        validated(plan, summary, validate, terminal)?;
        terminal.wrote(&summary.out);
        terminal.say(&format!("wrote {}: fit.csv has one row per interval", shown(&summary.out)));
    }
    let text = "a model for each condition; compare them with `sbcell compare`";
    terminal.wrote(&out);
    terminal.say(&format!("wrote {}: {text}", shown(&out)));
    Ok(outcome(summary.conditions.iter().all(|condition| condition.summary.converged())))
}

/// The outcome of fits that converged or not.
fn outcome(converged: bool) -> Outcome {
    if converged { Outcome::Done } else { Outcome::NotConverged }
}

/// Notes that an interrupted fit can be resumed.
fn say_kept(out: &Path, error: &Error, terminal: &Terminal) {
    let partial = partial_folder(out);
    let other = matches!(error, Error::OtherPlan { .. } | Error::InUse { .. });
    if partial.exists() && !other {
        let text = "finished intervals are kept in";
        terminal.note(&format!("{text} `{}`; add `--resume` to go on", shown(&partial)));
    }
}

/// Evaluates a model on held-out times, if it has any and the user wants it.
///
/// # Errors
/// [`Error::Cancelled`]; those of writing.
fn validated(
    plan: &Plan,
    summary: &FitSummary,
    wanted: bool,
    terminal: &mut Terminal,
) -> Result<()> {
    if !wanted || summary.header.snapshots.len() < 3 {
        return Ok(());
    }
    match plan.validate(summary, terminal) {
        Ok((evaluated, how)) => {
            pipeline::write_validation(&summary.out, &evaluated, &how)?;
            terminal.record("validation", &evaluated.validation);
            say_validation(&evaluated.validation, terminal);
        }
        Err(Error::Cancelled) => return Err(Error::Cancelled),
        // The model is whole, and may be wanted all the more.
        Err(error) => terminal.note(&format!("held-out times were not scored: {error}")),
    }
    Ok(())
}

fn say_estimate(estimate: &FitEstimate, terminal: &Terminal) {
    let FitEstimate { source, n_cells, n_genes, n_dims, bytes, .. } = estimate;
    let FitEstimate { seconds_reading: reading, seconds_solving: solving, tried, .. } = estimate;
    let genes = if *n_genes == 0 { String::new() } else { format!(" × {n_genes} genes") };
    terminal.say(&format!("would read {source}: {n_cells} cells{genes}"));
    terminal.say(&format!("would fit in {n_dims} dimensions"));
    let how =
        if *tried { "from a trial on some cells" } else { "roughly, from the speed of products" };
    terminal.say(&format!(
        "estimate: {} of memory; {}, {how}: {} to coordinates, {} for bridges",
        bytes_in_words(*bytes),
        duration(reading + solving),
        duration(*reading),
        duration(*solving)
    ));
}

/// Seconds below two minutes, else minutes.
pub(crate) fn duration(seconds: f64) -> String {
    if seconds < 120.0 {
        format!("{:.0} s", seconds.max(1.0))
    } else {
        format!("{:.0} min", seconds / 60.0)
    }
}
