//! Flags and words that several commands share.

use std::borrow::Cow;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use clap::Args;
use sbcell::bridge::Stop;
use sbcell::error::visible;
use sbcell::io::model::{Interval, OpenModel};
use sbcell::{Error, Result};

use crate::cli::terminal::Lines;
use crate::cli::terminal::Terminal;

/// Where `fit` writes and the other commands read, unless told otherwise.
pub(crate) const MODEL_FOLDER: &str = "sbcell-out";

/// Flags of every command.
#[derive(Debug, Args)]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(crate) struct Common {
    /// Seed of everything random; the same seed gives the same bytes on any number of threads of
    /// one machine type
    #[arg(
        long,
        visible_alias = "random-state",
        default_value_t = 0,
        global = true,
        value_name = "N"
    )]
    pub(crate) seed: u64,
    /// Threads to use, at most one for each core [default: $SLURM_CPUS_PER_TASK, else all cores]
    #[arg(long, visible_alias = "n-jobs", global = true, value_name = "N")]
    pub(crate) threads: Option<usize>,
    /// Replace files that are there and not as sbcell wrote them (for annotate also keys in the file);
    /// what is read and what belongs to a model is never replaced
    #[arg(long, global = true)]
    pub(crate) overwrite: bool,
    /// Print nothing but errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Say how long each step took
    #[arg(short, long, global = true)]
    pub(crate) verbose: bool,
    /// In CSV and TSV, write ' before text that a spreadsheet would take for a formula (= + - @); names
    /// are then no longer exact
    #[arg(long, global = true)]
    pub(crate) spreadsheet_safe: bool,
}

impl Common {
    /// Gives the process its threads; called once, before any work. No more than there are cores: more
    /// are never faster, and very many stop a machine.
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

#[allow(clippy::disallowed_methods, reason = "the terminal is where the environment is read")]
fn threads_of_the_job() -> Option<(usize, &'static str)> {
    ["SLURM_CPUS_PER_TASK", "RAYON_NUM_THREADS"].into_iter().find_map(|name| {
        let n = std::env::var(name).ok()?.parse().ok().filter(|&n| 0 < n)?;
        Some((n, name))
    })
}

/// A count of what is held in memory or repeated, at most `MOST`: no typing error asks for all memory.
pub(crate) fn up_to<const MOST: usize>(text: &str) -> std::result::Result<usize, String> {
    match text.parse::<usize>() {
        Ok(number) if number <= MOST => Ok(number),
        Ok(_) => Err(format!("must be at most {MOST}")),
        Err(error) => Err(error.to_string()),
    }
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
pub(crate) fn open_model(folder: &Path, terminal: &Terminal) -> Result<OpenModel> {
    let model = OpenModel::read(folder)?;
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
pub(crate) fn aligned(header: &[&str], rows: &[Vec<String>]) -> Lines {
    // What is not printed as itself has to be counted as what is printed in its place.
    let seen = |row: &Vec<String>| row.iter().map(|cell| visible(cell).into_owned()).collect();
    let rows: Vec<Vec<String>> = rows.iter().map(seen).collect();
    let header: Vec<Cow<'_, str>> = header.iter().map(|name| visible(name)).collect();
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
    let mut lines = vec![line(header.iter().map(AsRef::as_ref).collect())];
    lines.extend(rows.iter().map(|row| line(row.iter().map(String::as_str).collect())));
    Lines::of(lines)
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
