//! `sbcell evaluate`: hold out each inner time, predict it from the others, and score the prediction.

use std::path::PathBuf;

use clap::Args;
use sbcell::Result;
use sbcell::bridge::Stop;
use sbcell::io::validation::{Validation, row_in_words};
use sbcell::pipeline::{self, EvaluateOptions, Evaluated, FitOptions, Method, Plan, Protocol};

use crate::cli::Outcome;
use crate::cli::clones::CloneArgs;
use crate::cli::course::CourseArgs;
use crate::cli::shared::{
    CellsPerTimeArgs, Common, ResampleArgs, aligned, short, shown, up_to, with_help,
};
use crate::cli::solver::{Named, named};
use crate::cli::terminal::{Lines, Terminal};
use crate::cli::times::AtArgs;

const EXAMPLES: &str = "\
Examples:
  sbcell evaluate data.h5ad --timepoints
      hold out every inner time; write scores, null models and noise floors to ./sbcell-validation
  sbcell evaluate data.h5ad --timepoints --compare lightsb,sinkhorn,ot
      three solvers on the same cells
  sbcell evaluate data.h5ad --timepoints day --batch-key donor --bootstrap 1000
      confidence intervals from resampled donors
  sbcell evaluate data.h5ad --timepoints --use-rep X_pca --protocol sf2m --compare ot
      the protocol of a published table; sbcell prints which held-out information it uses
  sbcell evaluate sbcell-out --clones --clone-key barcode --groupby cell_type
      the fates of a fitted model against lineage barcodes

Rows of the tables, with their names in the files: the simple guess pools the cells of the time before and
after (FL); other guesses are the time before (F), the time after (L), the time before shifted by the mean (M),
and cells paired at random (R), with growth (Rg). For scale: the distance from the time before to the time
after (A), the distance between batches of the held-out time (P), and the noise floor, the distance between
two halves of the held-out time (floor).

With --clones, sbcell scores the fates of a fitted model instead. Each cell of an earlier time with
sisters (cells of its clone) at the terminal time has predicted fate probabilities and the observed
shares of its sisters' fates. Metrics: correlation of both, AUROC for the most frequent fate,
log_likelihood of a sister (natural logarithm), Brier score. Predictions: model; shares, those of the terminal
groups; nearest20 and nearest80, the nearest cells of the terminal time. Intervals and differences
(model minus prediction) resample clones. Files: clones.csv with the columns time (empty: mean over
times), terminal_time, fate, metric, predictor, value, lo, hi, difference, difference_lo,
difference_hi, n_cells, n_clones; clones.cells.csv with each scored cell.

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 unreadable input, 4 not converged (scores are
written, and the solvers listed).";

/// Hold out each inner time, predict it from the other times, and score the prediction
///
/// For each time between the first and the last, sbcell fits the bridge over the gap without this
/// time. It moves the cells of the time before along the bridge, and measures their distance from the
/// cells that were observed. Genes and components come from one half of the other cells, bridges,
/// scale and noise from the other half; the halves are exchanged, and scores averaged.
///
/// The first lines say at how many held-out times each solver is better or worse than the simple guess that is
/// fixed beforehand (the neighbouring times pooled), and than the best simple guess in hindsight, an oracle.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
#[command(mut_arg("at", |at| with_help(at, ", to hold out in turn [default: all inner times]; with \
    --clones times whose cells are scored [default: all before the terminal time]")))]
#[command(mut_arg("data", |data| with_help(data.required_unless_present_any(["timepoints", "clones"]),
    "; with --clones the folder of a fitted model, or the file of the fit")))]
#[command(mut_arg("clone_key", |key| key.requires("clones")))]
#[command(mut_arg("groupby", |column| column.requires("clones")))]
#[command(mut_arg("cells", |files| files.requires("clones")))]
pub(crate) struct EvaluateArgs {
    #[command(flatten)]
    course: CourseArgs,
    #[command(flatten)]
    scores: ScoreArgs,
    #[command(flatten)]
    resample: ResampleArgs,
    #[command(flatten)]
    clones: CloneArgs,
    /// Folder for validation.csv, .json, .svg and .png, or with --clones for clones.csv and
    /// clones.cells.csv
    #[arg(
        short,
        long,
        default_value = "sbcell-validation",
        value_name = "DIR",
        help_heading = "Output"
    )]
    out: PathBuf,
}

/// The held-out times, the methods and their scores.
#[derive(Debug, Args)]
#[command(next_help_heading = "Scores")]
struct ScoreArgs {
    /// Solvers to score on the same cells [default: the solver of --solver]
    #[arg(
        long,
        value_parser = named(),
        value_delimiter = ',',
        value_name = "SOLVER,…",
        conflicts_with = "solver"
    )]
    compare: Vec<Named>,
    /// Choose among the solvers of --compare for each held-out time, by a second evaluation on the
    /// remaining inner times. The choice is scored as `selected`
    #[arg(long)]
    select: bool,
    #[command(flatten)]
    at: AtArgs,
    /// Protocol of the evaluation. Only `honest` uses the held-out cells for the scores alone
    #[arg(long, value_enum, default_value_t = Protocol::Honest)]
    protocol: Protocol,
    /// Largest number of cells on each side of a Wasserstein distance
    #[arg(long, value_name = "N", default_value_t = 1000)]
    max_cells: usize,
    /// Number of random subsets of --max-cells cells over which scores are averaged, and of splits
    /// for the noise floor
    #[arg(long, alias = "draws", value_name = "N", default_value_t = 5, value_parser = up_to::<10_000>)]
    repeats: usize,
    #[command(flatten)]
    cells_per_time: CellsPerTimeArgs,
}

impl EvaluateArgs {
    /// The plan, the options and the output folder. The plan is read first, because it gives the times of
    /// labels.
    ///
    /// # Errors
    /// As [`CourseArgs::options`] and [`Plan::read`]; those of the labels in `--at`.
    fn job(self, seed: u64, terminal: &mut Terminal) -> Result<(Plan, EvaluateOptions, PathBuf)> {
        let Self { course, scores, resample, clones: _, out } = self;
        let ScoreArgs { compare, select, at, protocol, max_cells, repeats, cells_per_time } =
            scores;
        let ResampleArgs { bootstrap, batch_key } = resample;
        let one = || course.solver.named().into_iter().collect();
        let named = if compare.is_empty() { one() } else { compare };
        let mut methods: Vec<Method> = Vec::with_capacity(named.len());
        for solver in named {
            let name = solver.name().to_string();
            if methods.iter().all(|method| method.name != name) {
                methods.push(Method { name, solver: course.solver.choice_of(solver)? });
            }
        }
        let (data, fit): (PathBuf, FitOptions) = course.options(seed)?;
        let plan = Plan::read(&data, &fit, terminal)?;
        let at = at.observed(&plan.known_times())?;
        let options = EvaluateOptions::new(fit, methods)
            .with_protocol(protocol)
            .with_at(at)
            .with_max_cells(max_cells)
            .with_n_draws(repeats)
            .with_n_bootstrap(bootstrap.bootstrap)
            .with_batch(batch_key)
            .with_select(select)
            .with_cells_per_time(cells_per_time.cells_per_time);
        Ok((plan, options, out))
    }
}

/// Runs `sbcell evaluate`: writes the scores and prints a table per held-out time, and the means.
///
/// The outcome is [`Outcome::NotConverged`] if a solver did not converge on some fold.
///
/// # Errors
/// As [`pipeline::evaluate`], or [`pipeline::score_clones`].
pub(crate) fn run(args: EvaluateArgs, common: &Common, terminal: &mut Terminal) -> Result<Outcome> {
    if args.clones.is_asked() {
        let EvaluateArgs { course, scores, resample, mut clones, out } = args;
        clones.coupling_epsilon = course.coupling_epsilon();
        let (data, at, n_bootstrap) = (course.data(), scores.at, resample.bootstrap.bootstrap);
        return clones.run(data, &at, n_bootstrap, &out, common, terminal);
    }
    let (plan, options, out) = args.job(common.seed, terminal)?;
    let _lock = pipeline::check_validation_output(&out, common.overwrite)?;
    let evaluated: Evaluated = plan.evaluate(&options, terminal)?;
    pipeline::write_validation(&out, &evaluated, &options)?;
    let validation = &evaluated.validation;
    for line in &validation.summary {
        terminal.say(line);
    }
    terminal.say(&format!("protocol {}", validation.protocol));
    for fact in &validation.facts {
        terminal.say(&format!("  {fact}"));
    }
    for leak in &validation.leaks {
        terminal.say(&format!("  leaks: {leak}"));
    }
    terminal.say(&tables(validation, options.protocol));
    terminal.say(&means(validation, options.protocol));
    for file in pipeline::validation_files(&out).iter().filter(|file| file.exists()) {
        terminal.wrote(file);
    }
    terminal.record("validation", validation);
    terminal.say(&format!("wrote {}", shown(&out)));
    let mut open: Vec<String> = validation
        .held_out
        .iter()
        .flat_map(|held| held.solved.iter().map(move |solved| (held.time, solved)))
        .filter(|(_, solved)| solved.stop != Stop::Converged.to_string())
        .map(|(time, solved)| format!("{} without {time}", solved.name))
        .collect();
    open.dedup();
    if open.is_empty() {
        return Ok(Outcome::Done);
    }
    terminal.say(&format!("did not converge: {}", open.join(", ")));
    Ok(Outcome::NotConverged)
}

/// One table per held-out time, and the verdicts on its methods.
fn tables(validation: &Validation, protocol: Protocol) -> Lines {
    let columns = columns(protocol);
    let mut parts = Vec::new();
    for held in &validation.held_out {
        let mut rows = Vec::new();
        for name in validation.names() {
            let cells = columns.map(|metric| match validation.row(held.time, name, metric) {
                Some(row) => match (row.value, row.lo, row.hi) {
                    (Some(value), Some(lo), Some(hi)) if name != "floor" && lo < hi => {
                        format!("{} [{}, {}]", short(value), short(lo), short(hi))
                    }
                    (value, ..) => short(value.unwrap_or(f64::NAN)),
                },
                None => "–".into(),
            });
            if cells.iter().any(|cell| cell != "–") {
                rows.push([row_in_words(name).to_string()].into_iter().chain(cells).collect());
            }
        }
        let header: Vec<&str> = ["name"].into_iter().chain(columns).collect();
        let title = format!(
            "{} held out, between {} and {}: {} cells, {} dimensions",
            held.time, held.start, held.end, held.n_cells, held.n_dims
        );
        parts.push(Lines::titled(&title, &aligned(&header, &rows)));
        parts.extend(held.words.iter().map(|line| Lines::of([format!("  {line}")])));
    }
    Lines::joined(&parts, "\n")
}

/// The table of means over the held-out times.
fn means(validation: &Validation, protocol: Protocol) -> Lines {
    let columns = columns(protocol);
    let mut rows = Vec::new();
    for name in validation.names() {
        let means = columns.map(|metric| validation.mean(name, metric));
        if means.iter().any(Option::is_some) {
            let cells = means.map(|mean| short(mean.unwrap_or(f64::NAN)));
            rows.push([row_in_words(name).to_string()].into_iter().chain(cells).collect());
        }
    }
    let header: Vec<&str> = ["name"].into_iter().chain(columns).collect();
    let n_times = validation.held_out.len();
    let title =
        format!("mean over {n_times} held-out {}", if n_times == 1 { "time" } else { "times" });
    Lines::titled(&title, &aligned(&header, &rows))
}

/// The metrics of the printed tables. The files have all metrics.
fn columns(protocol: Protocol) -> [&'static str; 5] {
    match protocol.headline() {
        "energy_half" => ["energy_half", "w1", "variance_ratio", "skill_energy", "skill_w1"],
        "w2" => ["energy", "w2", "variance_ratio", "skill_energy", "skill_w1"],
        _ => ["energy", "w1", "variance_ratio", "skill_energy", "skill_w1"],
    }
}
