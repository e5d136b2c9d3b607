//! `sbcell verify`: whether files are still those that run records describe, and whether they can be made again.

mod rerun;
mod workplace;

use std::path::PathBuf;

use clap::Args;
use sbcell::Result;
use sbcell::pipeline::{self, CheckedRecord, FileState};
use sbcell::platform::cpu;
use serde::Serialize;

use crate::cli::Outcome;
use crate::cli::places::{FolderParser, MODEL_FOLDER};
use crate::cli::shared::{aligned, shown};
use crate::cli::terminal::{Lines, Terminal};
use crate::cli::verify::rerun::{Again, repeated};

const EXAMPLES: &str = "\
Examples:
  sbcell verify
      the files of the model in ./sbcell-out and their inputs
  sbcell verify sbcell-out/interpolated.parquet --rerun
      one table and its inputs; also make it again in a temporary folder, and compare the bytes

Each file is `same`, `changed`, `missing`, or `annotated`, which is the fitted file after `annotate` or `strip` with
--in-place and counts as the same. A file is `not recorded`, which is neither good nor bad: records of the
library and of older versions have no command line and no hashes of small inputs. A record that cannot be read is
`unreadable`; the others are checked all the same.

An input is looked for at its recorded path: from the working folder, from the folder of the record, and from the two
folders above it; then under its name alone in these folders.

With --rerun, `identical` means that the recorded command gave the same bytes again. Another version or other
vector instructions of the processor may change the last digits; sbcell then says so. Pages name the folder of
results; where it cannot have this name again (a full path), the page is compared with the recorded name in it.

Nothing is changed, also with --rerun. Exit codes: 0 all is the same, 1 something is changed, missing, unreadable or
not identical, 3 no run record.";

/// Check whether results and their inputs are unchanged, and whether they can be made again
///
/// sbcell compares each file with the hash in its run record, `run.json` or `NAME.run.json`. FOLDER is a model, the
/// folder of `sbcell run`, any folder with results, or one file with its record beside it.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct VerifyArgs {
    /// Folder or file to check
    #[arg(
        default_value = MODEL_FOLDER,
        value_name = "FOLDER",
        value_parser = FolderParser { of_model: false }
    )]
    folder: PathBuf,
    /// Make the outputs again from the recorded command lines in a temporary folder, and compare the bytes
    #[arg(long)]
    rerun: bool,
}

/// The fields of `verify --json` beside those of every command.
#[derive(Debug, Serialize)]
struct Report<'a> {
    /// The run records with their files.
    records: &'a [CheckedRecord],
    /// The outputs that were made again; empty without `--rerun`.
    rerun: &'a [Again],
}

/// Runs `sbcell verify`. The outcome is [`Outcome::No`] if a file is changed or missing, or not made again.
///
/// # Errors
/// As [`pipeline::verify`] and [`repeated`].
pub(crate) fn run(args: VerifyArgs, terminal: &mut Terminal) -> Result<Outcome> {
    let VerifyArgs { folder, rerun } = args;
    let records = pipeline::verify(&folder, terminal)?;
    let again = if rerun { repeated(&records, terminal)? } else { Vec::new() };
    let states = records.iter().flat_map(|record| &record.files).map(|file| file.state);
    let count = |wanted| states.clone().filter(|state| *state == wanted).count();
    // The fitted file with an annotation counts as the fitted file, as in all commands.
    let same = count(FileState::Same) + count(FileState::Annotated);
    let [changed, missing, not_recorded] =
        [FileState::Changed, FileState::Missing, FileState::NotRecorded].map(count);
    let n_unreadable = records.iter().filter(|record| record.problem.is_some()).count();
    for (name, count) in [
        ("n_same", same),
        ("n_changed", changed),
        ("n_missing", missing),
        ("n_not_recorded", not_recorded),
        ("n_unreadable", n_unreadable),
    ] {
        terminal.record(name, &count);
    }
    if terminal.is_json() {
        terminal.extend(&Report { records: &records, rerun: &again });
    } else {
        terminal.data(&table(&records));
        if !again.is_empty() {
            terminal.data(&table_again(&again));
        }
    }
    for text in others(&records).into_iter().chain(sought(&records)) {
        terminal.note(&text);
    }
    let records_in_words = match n_unreadable {
        0 => String::new(),
        1 => ", 1 record unreadable".into(),
        n => format!(", {n} records unreadable"),
    };
    terminal.say(&format!(
        "{same} same, {changed} changed, {missing} missing, {not_recorded} not recorded{records_in_words}"
    ));
    let mut is_good = changed == 0 && missing == 0 && n_unreadable == 0;
    if rerun {
        let n_identical = again.iter().filter(|file| file.is_identical == Some(true)).count();
        let n_unknown = again.iter().filter(|file| file.is_identical.is_none()).count();
        let n_other = again.len() - n_identical - n_unknown;
        is_good &= n_other == 0;
        terminal.record("n_identical", &n_identical);
        terminal.record("n_not_identical", &n_other);
        terminal.say(&format!(
            "made again: {n_identical} identical, {n_other} not identical, {n_unknown} not repeatable"
        ));
    }
    Ok(if is_good { Outcome::Done } else { Outcome::No })
}

/// One line for each file, and for each record that cannot be read.
fn table(records: &[CheckedRecord]) -> Lines {
    let rows = records.iter().flat_map(|record| {
        let unreadable = record
            .problem
            .iter()
            .map(|problem| vec!["UNREADABLE".to_string(), shown(&record.record), problem.clone()]);
        let files = record.files.iter().map(|file| {
            let state = match file.state {
                FileState::Same => "same",
                FileState::Annotated => "annotated",
                FileState::Changed => "CHANGED",
                FileState::Missing => "MISSING",
                FileState::NotRecorded => "not recorded",
            };
            let role = if file.is_output { "written by" } else { "read by" };
            vec![state.to_string(), shown(&file.path), format!("{role} {}", record.command)]
        });
        unreadable.chain(files).collect::<Vec<_>>()
    });
    aligned(&["state", "file", "role"], &rows.collect::<Vec<_>>())
}

/// One line for each output that was made again.
fn table_again(again: &[Again]) -> Lines {
    let row = |file: &Again| {
        let state = match file.is_identical {
            Some(true) => "identical",
            Some(false) => "DIFFERENT",
            None => "not repeatable",
        };
        vec![state.into(), shown(&file.path), file.remark.clone()]
    };
    let table = aligned(&["made again", "file", ""], &again.iter().map(row).collect::<Vec<_>>());
    Lines::joined(&[Lines::of([String::new()]), table], "\n")
}

/// Notes on records of other versions or other processors than those of this process.
fn others(records: &[CheckedRecord]) -> Vec<String> {
    let (version, here) = (env!("CARGO_PKG_VERSION"), cpu::path());
    let mut notes: Vec<String> = Vec::new();
    for record in records.iter().filter(|record| record.problem.is_none()) {
        let other_cpu = record.cpu.as_ref().filter(|cpu| **cpu != here);
        if record.sbcell == version && other_cpu.is_none() {
            continue;
        }
        let cpu = other_cpu.map(|cpu| format!(" with {cpu}")).unwrap_or_default();
        let here = if other_cpu.is_some() { format!(" with {here}") } else { String::new() };
        let recorded = &record.sbcell;
        let text = format!(
            "results of `{}` are of sbcell {recorded}{cpu}, this is sbcell {version}{here}: repeated results may \
             differ in the last digits",
            record.command
        );
        if !notes.contains(&text) {
            notes.push(text);
        }
    }
    notes
}

/// For each missing input, where it was looked for and how to say where it is now.
fn sought(records: &[CheckedRecord]) -> Vec<String> {
    let mut notes = Vec::new();
    for record in records {
        for file in record.files.iter().filter(|file| !file.tried.is_empty()) {
            let tried: Vec<String> =
                file.tried.iter().map(|path| format!("`{}`", path.display())).collect();
            notes.push(format!(
                "`{}`, which {} read, was looked for at {}: put the file or a link to it at one of these places, or \
                 start `sbcell verify` in the folder from which the first path leads to it",
                file.path.display(),
                record.command,
                tried.join(", ")
            ));
        }
    }
    notes
}
