//! The command line in run records, so that `verify` can repeat it, with hashes of the files that it read.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command, CommandFactory};
use sbcell::Result;
use sbcell::io::output::{is_stream, run_record};
use sbcell::io::run::{OutputRecord, RunRecord, read_json, write_json};

use crate::cli::Cli;
use crate::cli::outputs::{Called, OUTPUTS};
use crate::cli::run::CONFIG;

/// Flags on which no result depends.
const NO_EFFECT: [&str; 11] = [
    "threads",
    "overwrite",
    "quiet",
    "verbose",
    "progress",
    "json",
    "resume",
    "memory",
    "fresh",
    "help",
    "dry_run",
];

/// Largest number of bytes of an input whose hash is computed only for the record.
const LARGE: u64 = 1_000_000_000;

/// A command line as records have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    /// Name of the command.
    name: String,
    /// The arguments after `sbcell`. Flags are long and have their values after `=`.
    pub(crate) arguments: Vec<String>,
    /// Files that the command line names as inputs.
    inputs: Vec<PathBuf>,
}

impl Line {
    /// The line of a parsed command.
    pub(crate) fn of(matches: &ArgMatches) -> Option<Self> {
        let (name, flags) = matches.subcommand()?;
        let called = Called::of(matches)?;
        let mut program = Cli::command();
        program.build();
        let command = program.find_subcommand(name)?;
        let mut arguments = vec![name.to_string()];
        for arg in command.get_arguments() {
            let id = arg.get_id().as_str();
            let given = flags.value_source(id) == Some(ValueSource::CommandLine);
            if given && !NO_EFFECT.contains(&id) && !OUTPUTS.contains(&id) {
                arguments.extend(typed(arg, flags));
            }
        }
        for (id, file) in called.output_names() {
            let flag = flag_of(command, id)?;
            arguments.push(format!("--{flag}={file}"));
        }
        let inputs = [called.named_inputs(), called.data_parts()].concat();
        Some(Self { name: name.to_string(), arguments, inputs })
    }

    /// The line of a parsed command in the working folder. `run` reads a file of parameters there without a flag.
    pub(crate) fn here(matches: &ArgMatches) -> Option<Self> {
        let mut line = Self::of(matches)?;
        let is_named = line.arguments.iter().any(|argument| argument.starts_with("--config="));
        if line.name == "run" && !is_named && Path::new(CONFIG).is_file() {
            line.arguments.push(format!("--config={CONFIG}"));
            line.inputs.push(CONFIG.into());
        }
        Some(line)
    }

    /// Adds the line and the hashes of its inputs to the records of `files` that this command wrote.
    ///
    /// # Errors
    /// [`sbcell::Error::Io`] if an input cannot be read or a record cannot be written.
    pub(crate) fn keep(&self, files: &[PathBuf]) -> Result<()> {
        let mut found: Vec<PathBuf> = files.iter().flat_map(|file| records_of(file)).collect();
        found.sort();
        found.dedup();
        let read = found.into_iter().filter_map(|path| {
            let run: RunRecord = read_json(&path).ok()?;
            (run.command == self.name).then_some((path, run))
        });
        let mut runs: Vec<(PathBuf, RunRecord)> = read.collect();
        if runs.is_empty() {
            return Ok(());
        }
        let small = |path: &&PathBuf| {
            !is_stream(path) && fs::metadata(path).is_ok_and(|of| of.is_file() && of.len() <= LARGE)
        };
        let mut inputs = Vec::new();
        for path in self.inputs.iter().filter(small) {
            let OutputRecord { sha256, .. } = OutputRecord::of(Path::new(""), &text(path))?;
            inputs.push(OutputRecord { file: text(path), sha256 });
        }
        for (path, run) in &mut runs {
            run.arguments.clone_from(&self.arguments);
            // The record has the files with the cells already.
            let is_part = |input: &OutputRecord| {
                run.input.files.iter().any(|part| part.sha256 == input.sha256)
            };
            let other = |input: &&OutputRecord| input.sha256 != run.input.sha256 && !is_part(input);
            run.inputs = inputs.iter().filter(other).cloned().collect();
            write_json(path, run)?;
        }
        Ok(())
    }
}

/// Run records of a written file, or of a written folder.
fn records_of(file: &Path) -> Vec<PathBuf> {
    if !file.is_dir() {
        return vec![run_record(file), file.with_extension("run.json")]
            .into_iter()
            .filter(|path| path.is_file())
            .collect();
    }
    let entries = fs::read_dir(file).into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    found.retain(|path| path.is_file() && text(path).ends_with("run.json"));
    found.sort();
    found
}

/// An argument as it can be typed again.
fn typed(arg: &Arg, flags: &ArgMatches) -> Vec<String> {
    let words = |value: &OsStr| value.to_string_lossy().into_owned();
    let id = arg.get_id().as_str();
    if !matches!(arg.get_action(), ArgAction::Set | ArgAction::Append) {
        return arg.get_long().map(|long| format!("--{long}")).into_iter().collect();
    }
    let Ok(Some(occurrences)) = flags.try_get_raw_occurrences(id) else { return Vec::new() };
    let mut found = Vec::new();
    for values in occurrences {
        let mut values: Vec<String> = values.map(words).collect();
        if let Some(delimiter) = arg.get_value_delimiter() {
            values = vec![values.join(&delimiter.to_string())];
        }
        match arg.get_long() {
            Some(long) => {
                let mut values = values.into_iter();
                // A flag whose value may be left out, and was.
                let first = values.next().filter(|value| !value.is_empty());
                found.push(first.map_or(format!("--{long}"), |value| format!("--{long}={value}")));
                found.extend(values);
            }
            None => found.extend(values),
        }
    }
    found
}

/// The long name of a flag.
fn flag_of<'c>(command: &'c Command, id: &str) -> Option<&'c str> {
    let arg = command.get_arguments().find(|arg| arg.get_id() == id)?;
    Some(arg.get_long().unwrap_or_default())
}

/// A path as text.
fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::help;

    fn line(text: &str) -> Vec<String> {
        let program = help::arranged(Cli::command());
        let matches = program.try_get_matches_from(text.split(' ')).unwrap();
        Line::of(&matches).unwrap().arguments
    }

    #[test]
    fn a_line_has_what_decides_the_result_and_parses_to_itself() {
        let given = "sbcell trajectory -q --threads 3 --groupby type=A,B --cells a.csv --cells b.csv --at 3 \
                     --paths 4 --paths-out deep/p.csv -o there/t.csv --json --seed 7";
        let given = given.replace("--cells a.csv --cells b.csv ", "");
        let found = line(&given.split_whitespace().collect::<Vec<_>>().join(" "));
        let wanted = ["trajectory", "--groupby=type=A,B", "--at=3", "--paths=4", "--seed=7"];
        for part in wanted.iter().chain(&["--out=t.csv", "--paths-out=p.csv"]) {
            assert!(found.iter().any(|word| word == part), "{part}: {found:?}");
        }
        assert_eq!(found.len(), 7, "{found:?}");
        let again = line(&format!("sbcell {}", found.join(" ")));
        assert_eq!(again, found);
    }

    #[test]
    fn lists_switches_and_outputs_by_default_are_kept() {
        let found = line("sbcell velocity --at 3 --model m");
        assert!(found.contains(&"--out=velocity.parquet".to_string()), "{found:?}");
        let found = line(
            "sbcell fit a.h5ad --timepoints --obs-filter a==1 --obs-filter b==2 -o x --resume",
        );
        let wanted = ["fit", "a.h5ad", "--timepoints", "--obs-filter=a==1", "--obs-filter=b==2"];
        let mut sorted = found.clone();
        sorted.sort();
        let mut expected = wanted.map(String::from).to_vec();
        expected.sort();
        assert_eq!(sorted, expected, "{found:?}");
        let found = line("sbcell run a.h5ad --skip grn,report");
        assert!(found.contains(&"--skip=grn,report".to_string()), "{found:?}");
    }
}
