//! `sbcell doctor`: whether sbcell works on this machine, and with what.

use std::io::IsTerminal;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use clap::Args;
use sbcell::error::bytes_in_words;
use sbcell::pipeline;
use sbcell::platform::memory::{Memory, free_space, processor_limit};
use sbcell::platform::system;
use serde::Serialize;

use crate::cli::itself::machine::{self, Build, Processor, variable};
use crate::cli::shared::{Common, aligned, shown};
use crate::cli::steps::Show;
use crate::cli::terminal::{Lines, Terminal};
use crate::cli::{Outcome, width};

const EXAMPLES: &str = "\
Examples:
  sbcell doctor
      a table of findings, with the way out of each problem
  sbcell doctor --json
      the same as JSON, for a report of an error

`loops` are the vector instructions of sbcell's own loops. The environment variable SBCELL_CPU=plain, avx2, avx512
or neon restricts them to narrower ones, to run the code of another machine. It does not restrict `products`
(matrix products and decompositions), which a library chooses by itself.

The self-test fits two problems whose answers are known in closed form: an entropic coupling of 256 cells on a
circle, and a bridge between two Gaussians with 16 coordinates.

Exit codes: 0 no problem, 1 at least one problem.";

/// Memory in bytes below which hardly any data set can be fitted.
const LITTLE_MEMORY: u64 = 500_000_000;

/// Space on a disk in bytes below which a model may not fit.
const LITTLE_SPACE: u64 = 200_000_000;

/// Check whether sbcell works on this machine: processor, memory, disk, terminal, and a self-test
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct DoctorArgs {}

/// One line of the table.
#[derive(Debug, Clone, Serialize)]
struct Finding {
    /// Name of the check.
    check: &'static str,
    /// The finding in words.
    found: String,
    /// Whether sbcell cannot work with this.
    problem: bool,
    /// How to solve the problem, or what to know about the finding.
    #[serde(skip_serializing_if = "Option::is_none")]
    way_out: Option<String>,
}

impl Finding {
    fn fine(check: &'static str, found: String) -> Self {
        Self { check, found, problem: false, way_out: None }
    }

    /// A finding that is a problem if `way_out` has a text.
    fn judged(check: &'static str, found: String, way_out: Option<String>) -> Self {
        Self { check, found, problem: way_out.is_some(), way_out }
    }
}

/// The fields of `doctor --json` beside those of every command.
#[derive(Debug, Serialize)]
struct Report {
    #[serde(flatten)]
    build: Build,
    system: String,
    cpu: Processor,
    threads: ThreadReport,
    memory: MemoryReport,
    findings: Vec<Finding>,
}

/// How many threads can run.
#[derive(Debug, Serialize)]
struct ThreadReport {
    /// ThreadReport that sbcell uses now.
    used: usize,
    /// ThreadReport that the system grants this process.
    available: usize,
    /// Processors that the control group allows; null without a limit.
    cgroup_limit: Option<f64>,
    /// The variables `SLURM_CPUS_PER_TASK` and `RAYON_NUM_THREADS`; null where they are not set.
    slurm_cpus_per_task: Option<String>,
    rayon_num_threads: Option<String>,
}

/// Memory in bytes; null where the system does not tell.
#[derive(Debug, Serialize)]
struct MemoryReport {
    total: Option<u64>,
    available: Option<u64>,
    cgroup_limit: Option<u64>,
    /// Memory that this process can have.
    free: Option<u64>,
}

/// Runs `sbcell doctor`: prints the findings. The outcome is [`Outcome::No`] if one is a problem.
pub(crate) fn run(_: DoctorArgs, common: &Common, terminal: &Terminal) -> Outcome {
    let report = report(common);
    let problems = report.findings.iter().filter(|finding| finding.problem).count();
    if terminal.is_json() {
        terminal.extend(&report);
    } else {
        terminal.data(&lines(&report.findings));
    }
    terminal.record("n_problems", &problems);
    if 0 < problems {
        return Outcome::No;
    }
    terminal.say("no problem found");
    Outcome::Done
}

/// The table, and below it the way out of each problem.
fn lines(findings: &[Finding]) -> Lines {
    let row = |finding: &Finding| {
        let state = if finding.problem { "PROBLEM" } else { "ok" };
        vec![finding.check.to_string(), state.to_string(), finding.found.clone()]
    };
    let rows: Vec<Vec<String>> = findings.iter().map(row).collect();
    let advice =
        |finding: &Finding| Some(format!("{}: {}", finding.check, finding.way_out.as_ref()?));
    let advice: Vec<String> = findings.iter().filter_map(advice).collect();
    let table = aligned(&["check", "", "found"], &rows);
    if advice.is_empty() { table } else { Lines::joined(&[table, Lines::of(advice)], "\n\n") }
}

/// All findings.
fn report(common: &Common) -> Report {
    let (build, cpu, system) = (Build::of_this_program(), Processor::now(), system::name());
    let memory = Memory::now();
    let threads = ThreadReport {
        used: rayon::current_num_threads(),
        available: std::thread::available_parallelism().map_or(1, NonZeroUsize::get),
        cgroup_limit: processor_limit(),
        slurm_cpus_per_task: variable("SLURM_CPUS_PER_TASK"),
        rayon_num_threads: variable("RAYON_NUM_THREADS"),
    };
    let mut findings = vec![
        Finding::fine("version", format!("sbcell {}, {}", env!("CARGO_PKG_VERSION"), build.target)),
        of_build(&build),
        Finding::fine("system", system.clone()),
        Finding::fine("C library", build.libc.clone()),
        Finding::fine("processor", cpu.model.clone().unwrap_or_else(|| "unknown".into())),
        Finding::fine("features", cpu.detected.join(" ")),
        of_loops(&cpu),
        Finding::fine("products", in_words(cpu.products).to_string()),
        of_threads(&threads),
        of_memory(&memory),
        of_folder("temporary folder", &std::env::temp_dir()),
        of_folder(
            "current folder",
            &std::env::current_dir().unwrap_or_else(|_| PathBuf::from(".")),
        ),
        of_terminal(common),
    ];
    findings.extend(self_test());
    let Memory { total, available, limit, .. } = memory;
    let free = memory.free();
    let memory = MemoryReport { total, available, cgroup_limit: limit, free };
    Report { build, system, cpu, threads, memory, findings }
}

fn of_build(build: &Build) -> Finding {
    let slow = "this program has checks and no optimisation, and is many times slower: build it with `cargo build --release`";
    let way_out = (build.profile == "debug").then(|| slow.to_string());
    let found = format!("{}, models of format {}", build.profile, build.model_format);
    Finding { problem: false, ..Finding::judged("build", found, way_out) }
}

/// Instructions as words.
fn in_words(name: &str) -> &str {
    match name {
        "avx512" => "AVX-512",
        "avx2" => "AVX2 with FMA",
        "neon" => "NEON",
        other => other,
    }
}

fn of_loops(cpu: &Processor) -> Finding {
    let found = in_words(cpu.loops).to_string();
    if cpu.restricted {
        let widest = cpu.available.last().copied().unwrap_or("plain");
        let widest = in_words(widest);
        let way_out = format!(
            "restricted by SBCELL_CPU; the processor has {widest}: unset the variable for speed"
        );
        return Finding { way_out: Some(way_out), ..Finding::fine("loops", found) };
    }
    Finding::fine("loops", found)
}

fn of_threads(threads: &ThreadReport) -> Finding {
    let ThreadReport { used, available, cgroup_limit, slurm_cpus_per_task, rayon_num_threads } =
        threads;
    let mut found = vec![format!("{used} used"), format!("{available} available")];
    if let Some(limit) = cgroup_limit {
        found.push(format!("limit of the control group {limit}"));
    }
    let variables =
        [("SLURM_CPUS_PER_TASK", slurm_cpus_per_task), ("RAYON_NUM_THREADS", rayon_num_threads)];
    for (name, value) in variables {
        if let Some(value) = value {
            found.push(format!("{name}={value}"));
        }
    }
    Finding::fine("threads", found.join(", "))
}

fn of_memory(memory: &Memory) -> Finding {
    let words = |bytes: u64| bytes_in_words(bytes as f64);
    let parts = [("total", memory.total), ("available", memory.available)];
    let mut found: Vec<String> = parts
        .iter()
        .filter_map(|(name, bytes)| Some(format!("{} {name}", words((*bytes)?))))
        .collect();
    if let Some(limit) = memory.limit {
        let used = memory.used_of_limit.map(|used| format!(" ({} in use)", words(used)));
        found.push(format!(
            "limit of the control group {}{}",
            words(limit),
            used.unwrap_or_default()
        ));
    }
    let found = if found.is_empty() { "the system does not tell".into() } else { found.join(", ") };
    let little = memory.free().filter(|free| *free < LITTLE_MEMORY);
    let way_out = little.map(|free| {
        let free = words(free);
        format!("only {free} can be used: end other programs, or ask for more memory in the batch job or container; `sbcell fit --dry-run` estimates what a fit needs")
    });
    Finding::judged("memory", found, way_out)
}

/// Space and writability of a folder.
fn of_folder(check: &'static str, folder: &Path) -> Finding {
    let space = free_space(folder);
    let free = space.map(|bytes| format!(", {} free", bytes_in_words(bytes as f64)));
    let found = format!("{}{}", shown(folder), free.unwrap_or_default());
    let other = match check {
        "temporary folder" => "set TMPDIR to a folder of yours",
        _ => "work in a folder of yours, or give another one with `--out`",
    };
    let way_out = match (machine::can_write(folder), space) {
        (Err(error), _) => Some(format!("{error}: {other}")),
        (Ok(()), Some(bytes)) if bytes < LITTLE_SPACE => {
            Some(format!("hardly any space is left: free some, or {other}"))
        }
        _ => None,
    };
    Finding::judged(check, found, way_out)
}

fn of_terminal(common: &Common) -> Finding {
    let on_stdout = std::io::stdout().is_terminal();
    let on_stderr = std::io::stderr().is_terminal();
    let columns = width::of_output(false);
    let kind = if on_stdout { "terminal" } else { "file or pipe" };
    let plain = variable("NO_COLOR").is_some() || variable("TERM").as_deref() == Some("dumb");
    let colour = if on_stdout && !plain { "with colours" } else { "without colours" };
    let progress = match common.progress {
        _ if common.quiet => "no progress",
        Show::Auto if on_stderr => "progress as a bar",
        Show::Plain => "progress as lines",
        _ => "no progress",
    };
    Finding::fine("terminal", format!("{kind}, {columns} columns, {colour}, {progress}"))
}

/// One finding for each known answer.
fn self_test() -> Vec<Finding> {
    const WRONG: &str = "results on this machine cannot be trusted: try SBCELL_CPU=plain; if this helps, report the processor, otherwise test the memory of the machine";
    match pipeline::self_test() {
        Ok(answers) => answers
            .iter()
            .map(|answer| {
                let pipeline::KnownAnswer { what, expected, found, tolerance } = answer;
                let text =
                    format!("{what}: {found:.9}, must be {expected:.9} within {tolerance:e}");
                Finding::judged("self-test", text, (!answer.agrees()).then(|| WRONG.to_string()))
            })
            .collect(),
        Err(error) => {
            vec![Finding::judged("self-test", error.to_string(), Some(WRONG.to_string()))]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn little_memory_and_a_missing_folder_are_problems_with_a_way_out() {
        let memory = Memory { available: Some(1_000_000), ..Memory::default() };
        let finding = of_memory(&memory);
        assert!(finding.problem && finding.way_out.unwrap().contains("--dry-run"));
        assert!(!of_memory(&Memory::default()).problem);
        let folder = tempfile::tempdir().unwrap();
        assert!(!of_folder("temporary folder", folder.path()).problem);
        let finding = of_folder("temporary folder", &folder.path().join("none"));
        assert!(finding.problem && finding.way_out.unwrap().contains("TMPDIR"));
    }

    #[test]
    fn the_self_test_of_this_machine_names_what_it_compares() {
        let findings = self_test();
        assert_eq!(findings.len(), 2);
        for finding in findings {
            assert!(!finding.problem && finding.found.contains("within 1e-"), "{finding:?}");
        }
    }
}
