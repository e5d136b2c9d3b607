//! The recorded commands again, in a temporary folder, with the bytes of their outputs compared.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::{ArgMatches, FromArgMatches};
use sbcell::io::file::{sha256, sha256_of};
use sbcell::pipeline::{CheckedRecord, folders_around};
use sbcell::{Error, Result, Silent};
use serde::Serialize;

use crate::cli::outputs::{Called, OUTPUTS};
use crate::cli::recorded::Line;
use crate::cli::terminal::Terminal;
use crate::cli::verify::workplace::{Workplace, is_inside};
use crate::cli::{Cli, parsed_again};

/// The folder for outputs in the temporary folder.
const AGAIN: &str = "sbcell-again";

/// Exit codes of commands that wrote their outputs: done, and not converged.
const WROTE: [i32; 2] = [0, 4];

/// Flags with which a command writes to a file that it reads.
const CHANGING: [&str; 2] = ["--in-place", "--init-config"];

/// An output after the recorded command was repeated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Again {
    /// The output that the record names.
    pub(super) path: PathBuf,
    /// Whether the command gave the recorded bytes again; null if it cannot be repeated.
    pub(super) is_identical: Option<bool>,
    /// The reason if it was not made again.
    pub(super) remark: String,
}

/// Outputs of one command line.
struct Group<'r> {
    /// The records with this line.
    records: Vec<&'r CheckedRecord>,
    /// Outputs of other records without a line of their own, below the written folder.
    others: Vec<PathBuf>,
}

/// Repeats the command line of every record, each line once, and compares the outputs.
///
/// Outputs of records without a command line are compared if another command writes them too, as those of the steps of
/// `run`. Otherwise they cannot be repeated.
///
/// # Errors
/// [`Error::Io`] if there is no temporary folder or the program cannot be started.
pub(super) fn repeated(records: &[CheckedRecord], terminal: &mut Terminal) -> Result<Vec<Again>> {
    let mut groups: BTreeMap<&[String], Group<'_>> = BTreeMap::new();
    for record in records.iter().filter(|record| !record.arguments.is_empty()) {
        let empty = || Group { records: Vec::new(), others: Vec::new() };
        groups.entry(&record.arguments).or_insert_with(empty).records.push(record);
    }
    let mut open: Vec<PathBuf> =
        records.iter().filter(|record| record.arguments.is_empty()).flat_map(outputs).collect();
    for group in groups.values_mut() {
        let folders: Vec<PathBuf> = group.records.iter().map(|record| folder_of(record)).collect();
        let is_below = |path: &PathBuf| folders.iter().any(|folder| path.starts_with(folder));
        let (mine, rest) = open.into_iter().partition(is_below);
        (group.others, open) = (mine, rest);
    }
    let mut found = Vec::new();
    for (arguments, group) in groups {
        found.extend(repeat(arguments, &group, terminal)?);
    }
    found.extend(open.into_iter().map(|path| Again {
        path,
        is_identical: None,
        remark: "its record has no command line".into(),
    }));
    Ok(found)
}

/// Paths of the outputs of a record.
fn outputs(record: &CheckedRecord) -> Vec<PathBuf> {
    let files = record.files.iter().filter(|file| file.is_output);
    files.map(|file| file.path.clone()).collect()
}

/// The folder of a record.
fn folder_of(record: &CheckedRecord) -> PathBuf {
    record.record.parent().unwrap_or(Path::new("")).to_path_buf()
}

/// Repeats one line.
fn repeat(arguments: &[String], group: &Group<'_>, terminal: &mut Terminal) -> Result<Vec<Again>> {
    let Some(first) = group.records.first() else { return Ok(Vec::new()) };
    let all: Vec<PathBuf> = group.records.iter().flat_map(|record| outputs(record)).collect();
    let refused = |remark: String, is_identical| {
        let of =
            |path: &PathBuf| Again { path: path.clone(), is_identical, remark: remark.clone() };
        Ok(all.iter().map(of).collect())
    };
    let matches = match parsed_again(arguments) {
        Ok(matches) => matches,
        Err(problem) => {
            return refused(format!("this version does not know the line: {problem}"), None);
        }
    };
    // As the record may be anyone's, only outputs in the temporary folder are left of the line.
    let line = Line::of(&matches).map(|line| line.arguments).unwrap_or_default();
    let writes_only_outputs =
        Cli::from_arg_matches(&matches).is_ok_and(|cli| cli.command.writes_only_outputs());
    if !writes_only_outputs || CHANGING.iter().any(|flag| line.iter().any(|of| of == flag)) {
        return refused("the command changes its input, or writes no file of its own".into(), None);
    }
    let arguments = line.as_slice();
    // As a shell takes it.
    let word = |argument: &String| {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_=./,:@%+".contains(c);
        if argument.chars().all(plain) {
            argument.clone()
        } else {
            format!("'{}'", argument.replace('\'', "'\\''"))
        }
    };
    let shown: Vec<String> = arguments.iter().map(word).collect();
    terminal.say(&format!("again: sbcell {}", shown.join(" ")));
    let place = Workplace::new()?;
    let Prepared { line, made, renamed } = match prepared(arguments, &matches, first, &place)? {
        Ok(prepared) => prepared,
        Err(missing) => return refused(format!("the input {missing} is missing"), None),
    };
    let program = std::env::current_exe().map_err(|source| Error::Io {
        action: "start",
        path: "sbcell".into(),
        source,
    })?;
    let ran = Command::new(program)
        .args(&line)
        .args(["--quiet", "--progress=none"])
        .current_dir(place.path())
        .stdin(Stdio::null())
        .output()
        .map_err(|source| Error::Io { action: "start", path: "sbcell".into(), source })?;
    if !ran.status.code().is_some_and(|code| WROTE.contains(&code)) {
        let said = String::from_utf8_lossy(&ran.stderr).into_owned();
        let line = said.lines().next().unwrap_or("it did not end well").to_string();
        return refused(line, Some(false));
    }
    Ok(compared(group, &place.path().join(made), &renamed))
}

/// The outputs of a group against the files in `made`, in which folders are `renamed`.
fn compared(group: &Group<'_>, made: &Path, renamed: &[Renamed]) -> Vec<Again> {
    let mut found = Vec::new();
    for record in &group.records {
        let folder = folder_of(record);
        for file in record.files.iter().filter(|file| file.is_output) {
            let again = made.join(file.path.strip_prefix(&folder).unwrap_or(&file.path));
            found.push(one(&file.path, &again, Some(&file.recorded), renamed));
        }
    }
    for path in &group.others {
        let folders = group.records.iter().map(|record| folder_of(record));
        let inside = folders.filter_map(|folder| path.strip_prefix(folder).ok().map(PathBuf::from));
        let again = inside.map(|inside| made.join(inside)).find(|again| again.is_file());
        match again {
            Some(again) => found.push(one(path, &again, None, renamed)),
            None => found.push(Again {
                path: path.clone(),
                is_identical: None,
                remark: "its record has no command line".into(),
            }),
        }
    }
    found
}

/// An output against the file that was made again: by its recorded hash, or by that of the file.
///
/// A page names the folders of results. Where they have other names in the temporary folder, the page is compared with
/// the recorded names in their place.
fn one(path: &Path, again: &Path, recorded: Option<&str>, renamed: &[Renamed]) -> Again {
    let hash = |path: &Path| sha256(path, &mut Silent).ok();
    let wanted = recorded.map(str::to_string).or_else(|| hash(path));
    let of = |is_identical, remark: String| Again { path: path.into(), is_identical, remark };
    let found = hash(again);
    if found.is_none() {
        return of(Some(false), "the command did not write it".into());
    }
    if wanted == found {
        return of(Some(true), String::new());
    }
    let is_page = path.extension().is_some_and(|suffix| suffix == "html");
    let Some(first) = renamed.first().filter(|_| is_page) else {
        return of(Some(false), "other bytes than those recorded".into());
    };
    if with_names(again, renamed).is_some_and(|page| Some(sha256_of(page.as_bytes())) == wanted) {
        return of(Some(true), format!("with the name of the folder `{}`", first.named));
    }
    of(None, format!("cannot be compared from here: the page names the folder `{}`", first.named))
}

/// The text of the page `again` with the recorded names of folders.
fn with_names(again: &Path, renamed: &[Renamed]) -> Option<String> {
    let page = std::fs::read_to_string(again).ok()?;
    Some(renamed.iter().fold(page, |page, Renamed { here, named }| page.replace(here, named)))
}

/// A folder whose name in the temporary folder is not the one on the recorded command line.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Renamed {
    here: String,
    /// The recorded name.
    named: String,
}

/// A command line for the temporary folder.
struct Prepared {
    line: Vec<String>,
    /// The folder of its outputs.
    made: PathBuf,
    renamed: Vec<Renamed>,
}

/// The line with its inputs in the place and its outputs in a folder of their own, or the name of a missing input.
///
/// Pages name the folder of results. The new one has the same name where that is possible.
fn prepared(
    arguments: &[String],
    matches: &ArgMatches,
    record: &CheckedRecord,
    place: &Workplace,
) -> Result<std::result::Result<Prepared, String>> {
    let mut line = arguments.to_vec();
    let (mut made, mut renamed) = (PathBuf::from(AGAIN), Vec::new());
    let Some(called) = Called::of(matches) else { return Ok(Ok(Prepared { line, made, renamed })) };
    for named in called.named_inputs() {
        let text = named.display().to_string();
        let is_model = called.model().as_ref() == Some(&named);
        let model = if is_model { model_of(record) } else { None };
        let Some(found) = model.or_else(|| found(&named, record)) else {
            // Lists that sbcell contains are no files.
            if arguments.iter().any(|argument| *argument == format!("--tfs={text}")) {
                continue;
            }
            return Ok(Err(text));
        };
        let is_data = called.data().as_ref() == Some(&named);
        let brought =
            if is_data { place.bring_data(&named, &found) } else { place.bring(&named, &found) };
        let here = brought?.display().to_string();
        if here != text && found.is_dir() {
            renamed.push(Renamed { here: here.clone(), named: text.clone() });
        }
        for argument in &mut line {
            if *argument == text {
                argument.clone_from(&here);
            } else if let Some(flag) = argument.strip_suffix(&format!("={text}")).map(String::from)
            {
                *argument = format!("{flag}={here}");
            }
        }
    }
    let flags = OUTPUTS.map(|flag| format!("--{}=", flag.replace('_', "-")));
    for argument in &mut line {
        if let Some(flag) = flags.iter().find(|flag| argument.starts_with(flag.as_str())) {
            *argument = format!("{flag}{AGAIN}/{}", argument.get(flag.len()..).unwrap_or_default());
        }
    }
    if called.writes_folder() {
        // Records of older versions do not have the name.
        let folder = record.named.clone().unwrap_or_else(|| folder_of(record));
        let is_new = !folder.as_os_str().is_empty() && !place.path().join(&folder).exists();
        if is_inside(&folder) && is_new {
            made = folder;
        } else {
            renamed.push(Renamed { here: AGAIN.into(), named: folder.display().to_string() });
        }
        line.push(format!("--out={}", made.display()));
    }
    Ok(Ok(Prepared { line, made, renamed }))
}

/// The folder of the model whose header was checked.
fn model_of(record: &CheckedRecord) -> Option<PathBuf> {
    let inputs = record.files.iter().filter(|file| !file.is_output);
    let header = inputs.map(|file| &file.path).find(|path| path.ends_with("model.json"))?;
    header.parent().filter(|_| header.is_file()).map(Path::to_path_buf)
}

/// Where an input of a command line is now: from the working folder, or from that of the record and those above it.
/// Then a checked file of the same name. A file that was checked comes before others.
fn found(named: &Path, record: &CheckedRecord) -> Option<PathBuf> {
    let around = folders_around(&folder_of(record)).into_iter().map(|folder| folder.join(named));
    let checked = record.files.iter().filter(|file| !file.is_output).map(|file| &file.path);
    let same_name = checked.clone().filter(|path| path.file_name() == named.file_name()).cloned();
    let places: Vec<PathBuf> = std::iter::once(named.to_path_buf())
        .chain(around)
        .chain(same_name)
        .filter(|path| path.exists())
        .collect();
    let real: Vec<PathBuf> = checked.filter_map(|path| path.canonicalize().ok()).collect();
    let is_checked = |path: &&PathBuf| path.canonicalize().is_ok_and(|path| real.contains(&path));
    places.iter().find(is_checked).or(places.first()).cloned()
}
