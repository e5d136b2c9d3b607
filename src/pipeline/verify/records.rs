//! Run records of commands and of whole runs, with the places where their files may be.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use serde::Deserialize;

use crate::error::{Error, Result};
use crate::io::file::{folder_entries, read_text};
use crate::io::identity::annotated;
use crate::io::run::{LONGEST_JSON, OutputRecord, RunRecord, damaged, read_json};

/// The input of commands that read a model: its header.
const HEADER: &str = "model.json";

/// Folders of models that are tried if a record does not name its model.
const MODELS: [&str; 3] = ["", MODEL, "sbcell-out"];

/// The folder of the model in that of a run.
const MODEL: &str = "model";

/// Last format of the record of a whole run that is read.
const WHOLE_FORMAT: u32 = 1;

/// A file of a record: where it may be, and its recorded hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// Paths to try, the most probable first.
    pub(super) candidates: Vec<PathBuf>,
    /// Further paths, at which only a file with the recorded hash counts.
    pub(super) elsewhere: Vec<PathBuf>,
    pub(super) is_output: bool,
    /// The recorded SHA-256; empty if there is none.
    pub(super) sha256: String,
    /// Hashes that the file has after an annotation by sbcell.
    pub(super) annotated: Vec<String>,
    /// Whether it is a course in several files: a folder, or a list of files.
    pub(super) is_course: bool,
}

impl Place {
    /// The place of an input that nothing annotates.
    fn read(candidates: Vec<PathBuf>, sha256: String) -> Self {
        let (elsewhere, annotated) = (Vec::new(), Vec::new());
        Self { candidates, elsewhere, is_output: false, sha256, annotated, is_course: false }
    }

    /// The place of an input that its record names `path`, for a record in `folder`.
    fn named(path: &str, sha256: String, folder: &Path) -> Self {
        let elsewhere = by_name(path, folder);
        Self { elsewhere, ..Self::read(around(path, folder), sha256) }
    }
}

/// The parts of a record that verification needs.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) command: String,
    pub(super) sbcell: String,
    pub(super) cpu: Option<String>,
    pub(super) arguments: Vec<String>,
    /// The folder of results of a whole run, as the command named it.
    pub(super) named: Option<PathBuf>,
    /// Inputs, then outputs.
    pub(super) places: Vec<Place>,
}

/// The name of the command in a record of any kind.
#[derive(Debug, Deserialize)]
struct Named {
    #[serde(default)]
    command: Option<String>,
}

/// The record of `sbcell run`, as far as verification needs it.
#[derive(Debug, Deserialize)]
struct WholeRun {
    #[serde(default)]
    format: u32,
    sbcell: String,
    command: String,
    #[serde(default)]
    arguments: Vec<String>,
    #[serde(default)]
    cpu: Option<String>,
    parameters: WholeParameters,
    steps: Vec<Step>,
}

/// The file with the cells, and the folder of results as the command named it.
#[derive(Debug, Deserialize)]
struct WholeParameters {
    #[serde(default)]
    data: Option<String>,
    #[serde(default)]
    out: Option<PathBuf>,
}

/// The files of a step: `data` and `model` stand for the file with the cells and the header of the model.
#[derive(Debug, Deserialize)]
struct Step {
    #[serde(default)]
    inputs: BTreeMap<String, String>,
    #[serde(default)]
    outputs: Vec<OutputRecord>,
}

/// All run records in `folder` and its subfolders: that of the folder itself first, then in order of their paths.
///
/// # Errors
/// [`crate::Error::NoFile`] or [`crate::Error::Io`] if a folder cannot be read.
pub(super) fn records_in(folder: &Path) -> Result<Vec<PathBuf>> {
    let (mut found, mut below) = (Vec::new(), Vec::new());
    for path in folder_entries(folder)? {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() && !path.is_symlink() {
            if !name.starts_with('.') && !name.ends_with(".partial") && name != "earlier" {
                below.extend(records_in(&path)?);
            }
        } else if !name.starts_with('.') && (name == "run.json" || name.ends_with(".run.json")) {
            found.push(path);
        }
    }
    found.sort_by_key(|path| (!path.ends_with("run.json"), path.clone()));
    below.sort();
    found.extend(below);
    Ok(found)
}

impl Record {
    /// Reads the record of a command or of a whole run.
    ///
    /// # Errors
    /// [`crate::Error::Unreadable`] if it is damaged; [`crate::Error::Io`].
    pub(super) fn read(path: &Path) -> Result<Self> {
        let text = read_text(path, LONGEST_JSON)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let wrong = |error: serde_json::Error| damaged(path, &error);
        let Named { command } = serde_json::from_str(&text).map_err(wrong)?;
        if command.as_deref() != Some("run") {
            return Ok(Self::of_command(serde_json::from_str(&text).map_err(wrong)?, folder));
        }
        let run: WholeRun = serde_json::from_str(&text).map_err(wrong)?;
        if run.format <= WHOLE_FORMAT {
            return Ok(Self::of_run(run, folder));
        }
        Err(Error::Unreadable {
            path: path.to_path_buf(),
            problem: format!(
                "format {}, written by a later version of sbcell; this version reads formats up to {WHOLE_FORMAT}",
                run.format
            ),
            way_out: None,
        })
    }

    /// The files of the record of a command.
    fn of_command(run: RunRecord, folder: &Path) -> Self {
        let RunRecord { command, sbcell, cpu, arguments, input, inputs, outputs, .. } = run;
        let (candidates, elsewhere) = if input.file == HEADER {
            (headers(&arguments, folder), Vec::new())
        } else {
            let given = if input.path.is_empty() { &input.file } else { &input.path };
            (around(given, folder), by_name(&input.file, folder))
        };
        // An output of the same name is not the input.
        let own: Vec<PathBuf> = outputs.iter().map(|output| folder.join(&output.file)).collect();
        let candidates = candidates.into_iter().filter(|path| !own.contains(path)).collect();
        let elsewhere = elsewhere.into_iter().filter(|path| !own.contains(path)).collect();
        let annotated = if command == "fit" { annotated(folder) } else { Vec::new() };
        let is_course = !input.files.is_empty();
        let first =
            Place { elsewhere, annotated, is_course, ..Place::read(candidates, input.sha256) };
        // A file of a course counts only where the course is.
        let parts = input.files.into_iter();
        let parts = parts.map(|part| Place::read(around(&part.file, folder), part.sha256));
        let others = parts
            .chain(inputs.into_iter().map(|input| Place::named(&input.file, input.sha256, folder)));
        let written = outputs.into_iter().map(|output| written(output, folder));
        let places = std::iter::once(first).chain(others).chain(written).collect();
        Self { command, sbcell, cpu, arguments, named: None, places }
    }

    /// The files of all steps of a run.
    fn of_run(run: WholeRun, folder: &Path) -> Self {
        let WholeRun { sbcell, command, arguments, cpu, parameters, steps, .. } = run;
        let WholeParameters { data, out: named } = parameters;
        let data = data.unwrap_or_default();
        let made: Vec<String> =
            steps.iter().flat_map(|step| &step.outputs).map(|output| output.file.clone()).collect();
        let (mut read, mut wrote) = (Vec::new(), Vec::new());
        for Step { inputs, outputs } in steps {
            // What another step wrote is checked as its output.
            for (name, sha256) in inputs.into_iter().filter(|input| !made.contains(&input.0)) {
                if name == "model" {
                    continue;
                }
                let is_data = name == "data";
                let path = if is_data { &data } else { &name };
                let annotated = if is_data { annotated(&folder.join(MODEL)) } else { Vec::new() };
                let is_course = is_data && has_course(&folder.join(MODEL));
                read.push(Place { annotated, is_course, ..Place::named(path, sha256, folder) });
            }
            wrote.extend(outputs.into_iter().map(|output| written(output, folder)));
        }
        Self { command, sbcell, cpu, arguments, named, places: [read, wrote].concat() }
    }
}

/// Whether the model in `folder` was fitted on a course in several files.
fn has_course(folder: &Path) -> bool {
    read_json::<RunRecord>(&folder.join("run.json")).is_ok_and(|run| !run.input.files.is_empty())
}

/// The place of an output, which its record names relative to itself.
fn written(output: OutputRecord, folder: &Path) -> Place {
    let OutputRecord { file, sha256 } = output;
    Place { is_output: true, ..Place::read(vec![folder.join(file)], sha256) }
}

/// `folder` and the two folders above it. A relative path goes on with `..` where it has no more parts.
#[doc(hidden)]
pub fn folders_around(folder: &Path) -> Vec<PathBuf> {
    const MOST: usize = 3;
    let mut found: Vec<PathBuf> = folder.ancestors().take(MOST).map(Path::to_path_buf).collect();
    let ends_with_dots = |path: &Path| {
        matches!(
            path.components().next_back(),
            None | Some(Component::CurDir | Component::ParentDir)
        )
    };
    if let Some(place) = found.iter().position(|path| ends_with_dots(path)) {
        found.truncate(place + 1);
        // `.` and the empty path are the working folder.
        let last = found[place]
            .components()
            .filter(|part| *part != Component::CurDir)
            .collect::<PathBuf>();
        for n in 1..MOST.saturating_sub(place) {
            found.push(last.join(std::iter::repeat_n("..", n).collect::<PathBuf>()));
        }
    }
    found
}

/// A path from the working folder, from `folder`, and from the folders above it; then its name alone.
fn around(path: &str, folder: &Path) -> Vec<PathBuf> {
    let path = Path::new(path);
    let mut found = vec![path.to_path_buf()];
    found.extend(folders_around(folder).into_iter().map(|folder| folder.join(path)));
    found.extend(path.file_name().map(|name| folder.join(name)));
    found
}

/// The name of `path` alone, in the working folder, in `folder` and in the folders above it: where a file is looked for
/// that has moved together with the results.
fn by_name(path: &str, folder: &Path) -> Vec<PathBuf> {
    let Some(name) = Path::new(path).file_name() else { return Vec::new() };
    let above = folders_around(folder).into_iter().map(|folder| folder.join(name));
    std::iter::once(PathBuf::from(name)).chain(above).collect()
}

/// Where the header of the model of a command may be.
fn headers(arguments: &[String], folder: &Path) -> Vec<PathBuf> {
    let named =
        arguments.iter().find_map(|argument| argument.strip_prefix("--")?.strip_prefix("model="));
    let named = named.map(|model| around(model, folder)).unwrap_or_default();
    let usual =
        folder.ancestors().take(2).flat_map(|folder| MODELS.map(|model| folder.join(model)));
    let here = MODELS.map(PathBuf::from);
    named.into_iter().chain(usual).chain(here).map(|model| model.join(HEADER)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_above_are_found_from_inside() {
        let of = |folder: &str| -> Vec<String> {
            let found = folders_around(Path::new(folder));
            found.iter().map(|path| path.display().to_string()).collect()
        };
        assert_eq!(of("a/b/c/d"), ["a/b/c/d", "a/b/c", "a/b"]);
        assert_eq!(of("/a/b"), ["/a/b", "/a", "/"]);
        assert_eq!(of("results"), ["results", "", ".."]);
        assert_eq!(of("."), [".", "..", "../.."]);
        assert_eq!(of(""), ["", "..", "../.."]);
        assert_eq!(of("../x"), ["../x", "..", "../.."]);
        let found = by_name("raw/a.h5ad", Path::new("results"));
        let wanted = ["a.h5ad", "results/a.h5ad", "a.h5ad", "../a.h5ad"].map(PathBuf::from);
        assert_eq!(found, wanted);
    }
}
