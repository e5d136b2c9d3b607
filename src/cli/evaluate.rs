//! `sbcell evaluate`: each time held out, predicted from the others, and scored.

use std::path::PathBuf;

use clap::Args;
use sbcell::Result;
use sbcell::bridge::Stop;
use sbcell::io::validation::Validation;
use sbcell::pipeline::{self, EvaluateOptions, Evaluated, FitOptions, Method, Protocol};

use crate::cli::Outcome;
use crate::cli::course::CourseArgs;
use crate::cli::shared::{Common, aligned, short, shown, up_to};
use crate::cli::solver::{Named, named};
use crate::cli::terminal::{Lines, Terminal};

const EXAMPLES: &str = "\
Examples:
  sbcell evaluate data.h5ad --timepoints
      hold out every inner time; scores, nulls and noise floors into ./sbcell-validation
  sbcell evaluate data.h5ad --timepoints --compare lightsb,sinkhorn,ot
      solvers side by side, on the same cells
  sbcell evaluate data.h5ad --timepoints day --batch-key donor --bootstrap 1000
      intervals over donors instead of cells
  sbcell evaluate data.h5ad --timepoints --use-rep X_pca --protocol sf2m --compare ot
      under the habits of a published table, with what they let leak

Letters: F, L the cells of the time before and after; FL both; M the time before, shifted by the
mean; R cells paired at random, Rg with growth; A the time before against the time after; P batches
of the held-out time against each other.

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 unreadable input, 4 not converged (scores are
written, the methods named).";

/// Score what bridges say of times they have not seen
///
/// Leaves out one time between the first and the last, finds the bridge over the gap without it,
/// carries the cells of the time before to it, and measures how far they are from the cells that
/// were observed there: for every such time. Genes, components, scale and noise come from the
/// other times only.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct EvaluateArgs {
    #[command(flatten)]
    course: CourseArgs,
    #[command(flatten)]
    scores: ScoreArgs,
    /// Folder to write validation.csv, .json, .svg and .png into
    #[arg(short, long, default_value = "sbcell-validation", value_name = "DIR")]
    out: PathBuf,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Scores")]
struct ScoreArgs {
    /// Solvers to score side by side [default: the one of --solver]
    #[arg(
        long,
        value_parser = named(),
        value_delimiter = ',',
        value_name = "SOLVER,…",
        conflicts_with = "solver"
    )]
    compare: Vec<Named>,
    /// Choose among the solvers of --compare for each held-out time, by holding out inner times of
    /// those that are left; scored as `selected`, the curve is printed
    #[arg(long)]
    select: bool,
    /// Times to hold out, or their labels [default: all but the first and the last]
    #[arg(long, value_name = "T,…", value_delimiter = ',', allow_negative_numbers = true)]
    at: Vec<String>,
    /// Whose habits to follow; only `honest` keeps the held-out cells out of everything
    #[arg(long, value_enum, default_value_t = Protocol::Honest)]
    protocol: Protocol,
    /// Cells on each side of a Wasserstein distance, at most
    #[arg(long, value_name = "N", default_value_t = 1000)]
    max_cells: usize,
    /// Draws of so many cells to average, and splits behind the noise floor
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = up_to::<10_000>)]
    draws: usize,
    /// Resamples behind each interval; 0 for none
    #[arg(long, value_name = "N", default_value_t = 100)]
    bootstrap: usize,
    /// Column of `obs` whose groups (batches, donors) are resampled instead of cells
    #[arg(long, value_name = "COL")]
    batch_key: Option<String>,
    /// Use at most this many cells of each time, drawn at random
    #[arg(long, value_name = "N")]
    cells_per_time: Option<usize>,
}

impl EvaluateArgs {
    fn options(self, seed: u64) -> Result<(PathBuf, EvaluateOptions, PathBuf)> {
        let Self { course, scores, out } = self;
        let ScoreArgs {
            compare,
            select,
            at,
            protocol,
            max_cells,
            draws,
            bootstrap,
            batch_key,
            cells_per_time,
        } = scores;
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
        let at = if at.is_empty() {
            Vec::new()
        } else {
            let known = pipeline::known_times(&data, &fit)?;
            at.iter().map(|text| known.observed("--at", text)).collect::<Result<_>>()?
        };
        let options = EvaluateOptions {
            fit,
            methods,
            protocol,
            at,
            max_cells,
            n_draws: draws,
            n_bootstrap: bootstrap,
            batch: batch_key,
            select,
            cells_per_time,
        };
        Ok((data, options, out))
    }
}

pub(crate) fn run(args: EvaluateArgs, common: &Common, terminal: &mut Terminal) -> Result<Outcome> {
    let (data, options, out) = args.options(common.seed)?;
    let _lock = pipeline::check_validation_output(&out, common.overwrite)?;
    options.check()?;
    let evaluated: Evaluated = pipeline::evaluate(&data, &options, terminal)?;
    pipeline::write_validation(&out, &evaluated, &options)?;
    let validation = &evaluated.validation;
    terminal.say(&format!("protocol {}", validation.protocol));
    for fact in &validation.facts {
        terminal.say(&format!("  {fact}"));
    }
    for leak in &validation.leaks {
        terminal.say(&format!("  leaks: {leak}"));
    }
    terminal.say(&tables(validation, options.protocol));
    terminal.say(&means(validation, options.protocol));
    terminal.say(&format!("wrote {}", shown(&out)));
    let open: Vec<String> = validation
        .held_out
        .iter()
        .flat_map(|held| held.solved.iter().map(move |solved| (held.time, solved)))
        .filter(|(_, solved)| solved.stop != Stop::Converged.to_string())
        .map(|(time, solved)| format!("{} without {time}", solved.name))
        .collect();
    if open.is_empty() {
        return Ok(Outcome::Done);
    }
    terminal.say(&format!("did not converge: {}", open.join(", ")));
    Ok(Outcome::NotConverged)
}

/// One table for each held-out time, with what it says in words.
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
                rows.push([name.to_string()].into_iter().chain(cells).collect());
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

/// The means over held-out times.
fn means(validation: &Validation, protocol: Protocol) -> Lines {
    let columns = columns(protocol);
    let mut rows = Vec::new();
    for name in validation.names() {
        let means = columns.map(|metric| validation.mean(name, metric));
        if means.iter().any(Option::is_some) {
            let cells = means.map(|mean| short(mean.unwrap_or(f64::NAN)));
            rows.push([name.to_string()].into_iter().chain(cells).collect());
        }
    }
    let header: Vec<&str> = ["name"].into_iter().chain(columns).collect();
    let title = format!("mean over {} held-out times", validation.held_out.len());
    Lines::titled(&title, &aligned(&header, &rows))
}

/// The metrics that are printed; all are in the files.
fn columns(protocol: Protocol) -> [&'static str; 5] {
    match protocol.headline() {
        "energy_half" => ["energy_half", "w1", "variance_ratio", "skill_energy", "skill_w1"],
        "w2" => ["energy", "w2", "variance_ratio", "skill_energy", "skill_w1"],
        _ => ["energy", "w1", "variance_ratio", "skill_energy", "skill_w1"],
    }
}
