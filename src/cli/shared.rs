//! Flags and words that several commands share.

use std::path::{Path, PathBuf};

use clap::Args;
use sbcell::bridge::Stop;
use sbcell::io::model::{Interval, Model};
use sbcell::{Error, Result};

use crate::cli::terminal::Terminal;

/// Where `fit` writes and the other commands read, unless told otherwise.
pub(crate) const MODEL_FOLDER: &str = "sbcell-out";

/// Flags of every command.
#[derive(Debug, Args)]
pub(crate) struct Common {
    /// Seed of everything random; the same seed gives the same bytes on any number of threads
    #[arg(
        long,
        visible_alias = "random-state",
        default_value_t = 0,
        global = true,
        value_name = "N"
    )]
    pub(crate) seed: u64,
    /// Threads to use [default: $SLURM_CPUS_PER_TASK, else all cores]
    #[arg(long, visible_alias = "n-jobs", global = true, value_name = "N")]
    pub(crate) threads: Option<usize>,
    /// Print nothing but errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Say how long each step took
    #[arg(short, long, global = true)]
    pub(crate) verbose: bool,
}

impl Common {
    /// Gives the process its threads; called once, before any work.
    pub(crate) fn set_threads(&self) -> Result<()> {
        let n_threads = self.threads.or_else(threads_of_the_job).unwrap_or(0);
        if self.threads == Some(0) {
            let must = "at least 1";
            return Err(Error::Parameter { name: "--threads", must, got: "0".into() });
        }
        rayon::ThreadPoolBuilder::new()
            .num_threads(n_threads)
            .build_global()
            .map_err(|error| Error::Numerical { what: "starting threads", why: error.to_string() })
    }
}

#[allow(clippy::disallowed_methods, reason = "the terminal is where the environment is read")]
fn threads_of_the_job() -> Option<usize> {
    std::env::var("SLURM_CPUS_PER_TASK").ok()?.parse().ok().filter(|&n| 0 < n)
}

/// The model folder of a command that reads one.
#[derive(Debug, Args)]
pub(crate) struct ModelArgs {
    /// Folder that `sbcell fit` wrote
    #[arg(short, long, default_value = MODEL_FOLDER, value_name = "DIR")]
    pub(crate) model: PathBuf,
}

/// Reads the model in `folder` and says which of its intervals did not converge: the door by which every
/// command that reads a model goes.
pub(crate) fn open_model(folder: &Path, terminal: &Terminal) -> Result<Model> {
    let model = Model::read(folder)?;
    if let Some(text) = not_converged(&model.intervals) {
        terminal.note(&text);
    }
    Ok(model)
}

/// One line that names the intervals whose solver did not converge, if there are any.
fn not_converged(intervals: &[Interval]) -> Option<String> {
    let open = intervals.iter().filter(|interval| interval.report.stop != Stop::Converged);
    let open: Vec<String> = open.map(|i| format!("{} → {}", i.from, i.to)).collect();
    if open.is_empty() {
        return None;
    }
    let named = open.join(", ");
    Some(format!(
        "the solver did not converge on {named} ({} of {} intervals): results that go through them are \
         not those of the bridge that was asked for",
        open.len(),
        intervals.len()
    ))
}

/// Lays rows out in columns; numbers to the right, text to the left.
pub(crate) fn aligned(header: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([header[column].chars().count()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..header.len()).map(width).collect();
    let right: Vec<bool> = (0..header.len())
        .map(|column| rows.iter().all(|row| looks_numeric(&row[column])))
        .collect();
    let line = |cells: Vec<&str>| {
        let padded: Vec<String> = cells
            .iter()
            .enumerate()
            .map(|(column, cell)| {
                let space = " ".repeat(widths[column] - cell.chars().count());
                if right[column] { format!("{space}{cell}") } else { format!("{cell}{space}") }
            })
            .collect();
        format!("  {}", padded.join("  ")).trim_end().to_string()
    };
    let mut lines = vec![line(header.to_vec())];
    lines.extend(rows.iter().map(|row| line(row.iter().map(String::as_str).collect())));
    lines.join("\n")
}

fn looks_numeric(cell: &str) -> bool {
    cell == "–" || cell.parse::<f64>().is_ok() || cell.split('/').all(|n| n.parse::<f64>().is_ok())
}

/// A number with four significant digits, or a dash where there is none.
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

/// A path as the user would type it.
pub(crate) fn shown(path: &Path) -> String {
    path.display().to_string()
}
