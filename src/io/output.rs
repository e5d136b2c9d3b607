//! Rules for output paths: a result replaces no input, no file of a model and no foreign file.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::io::file;
use crate::io::model::{HEADER, OWN_NAMES, PLAN, VALIDATION};
use crate::io::run::{RunRecord, read_json};
use crate::io::temporary::short_name;
use crate::io::work_plan::WorkPlan;
use crate::platform::files;
use crate::progress::Silent;

/// The path that stands for standard output.
pub(crate) const STANDARD_OUTPUT: &str = "-";

/// Largest number of bytes of a file name that the name of its run record keeps.
const MOST: usize = 200;

/// Inputs of a command, and whether it may replace files that sbcell has not written.
#[derive(Debug, Clone, Default)]
pub struct OutputRule {
    /// Files that the command reads.
    pub inputs: Vec<PathBuf>,
    /// Whether the command may replace a file that sbcell has not written.
    pub overwrite: bool,
}

impl OutputRule {
    /// Checks that a result may be written to the file `path`, with its run record beside it. Standard
    /// output, devices and pipes are always allowed.
    ///
    /// # Errors
    /// [`Error::OutputIsInput`] and [`Error::OutputInModel`] in any case; [`Error::FileTaken`] if the
    /// file exists, sbcell has not written it, and `overwrite` is false; [`Error::OutputTaken`] if it is
    /// a folder.
    pub fn check(&self, path: &Path) -> Result<()> {
        if is_stream(path) {
            return Ok(());
        }
        if path.is_dir() {
            return Err(Error::OutputTaken { path: path.to_path_buf() });
        }
        let record = run_record(path);
        for file in [path, &record] {
            self.check_apart(file)?;
        }
        if self.overwrite || !exists(path) && !exists(&record) {
            return Ok(());
        }
        if exists(path) && !is_ours(path) {
            return Err(Error::FileTaken { path: path.to_path_buf() });
        }
        if exists(&record) && !is_empty(&record) && read_json::<RunRecord>(&record).is_err() {
            return Err(Error::FileTaken { path: record });
        }
        Ok(())
    }

    /// Checks that `path` is neither an input nor a file of a model.
    ///
    /// # Errors
    /// [`Error::OutputIsInput`] or [`Error::OutputInModel`] if it is one.
    pub fn check_apart(&self, path: &Path) -> Result<()> {
        if self.inputs.iter().any(|input| same_file(input, path)) {
            return Err(Error::OutputIsInput { path: path.to_path_buf() });
        }
        if is_of_model(path) {
            return Err(Error::OutputInModel { path: path.to_path_buf() });
        }
        Ok(())
    }
}

/// Whether `path` is standard output, a device or a pipe, which do not keep what is written to them.
pub fn is_stream(path: &Path) -> bool {
    stream_of(path).is_some()
}

/// All tables that sbcell wrote into `folder` and its subfolders, in order of their paths.
///
/// A table is a .csv, .tsv or .parquet file. sbcell wrote it if a run record is beside it, under its whole name
/// or without its suffix, or if the folder has the run record of a model. Hidden and unfinished folders, and
/// the folder `except`, are left out.
///
/// # Errors
/// [`Error::NoFile`] or [`Error::Io`] if a folder cannot be read.
pub(crate) fn tables_below(folder: &Path, except: &Path) -> Result<Vec<PathBuf>> {
    const SUFFIXES: [&str; 3] = ["csv", "tsv", "parquet"];
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(file::io_error("read", folder))? {
        let path = entry.map_err(file::io_error("read", folder))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() && !path.is_symlink() {
            let is_left_out = name.starts_with('.') || name.ends_with(".partial");
            if !is_left_out && !same_file(&path, except) {
                found.extend(tables_below(&path, except)?);
            }
            continue;
        }
        let suffix = path.extension().unwrap_or_default().to_string_lossy().into_owned();
        let records = [run_record(&path), path.with_extension("run.json"), folder.join("run.json")];
        if SUFFIXES.contains(&suffix.as_str()) && records.iter().any(|record| record.exists()) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// Path of the run record of the file `out`.
pub fn run_record(out: &Path) -> PathBuf {
    let name = out.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    out.with_file_name(format!("{}.run.json", short_name(&name, MOST)))
}

/// Path of the run record of a result that is being moved to `out`.
pub(crate) fn next_record(out: &Path) -> PathBuf {
    let name = out.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    out.with_file_name(format!(".{}.sbcell-next", short_name(&name, MOST)))
}

/// The path that must be opened to write to `path` if it is a stream; `None` for a file.
pub(crate) fn stream_of(path: &Path) -> Option<PathBuf> {
    if path == Path::new(STANDARD_OUTPUT) {
        return Some(PathBuf::from(files::STANDARD_OUTPUT));
    }
    let special = || fs::metadata(path).is_ok_and(|found| !found.is_file() && !found.is_dir());
    (files::is_beneath_devices(path) || special()).then(|| path.to_path_buf())
}

/// Paths at which the fitted data file of the model in `folder` may be, from its run record: the path
/// given to the fit, and the same name beside the folder.
pub fn data_of_model(folder: &Path) -> Vec<PathBuf> {
    let Ok(run) = read_json::<RunRecord>(&folder.join("run.json")) else { return Vec::new() };
    let named = [run.input.path.as_str(), run.input.file.as_str()];
    let mut found: Vec<PathBuf> =
        named.iter().filter(|name| !name.is_empty()).map(PathBuf::from).collect();
    if let Some(beside) = folder.parent().filter(|_| !run.input.file.is_empty()) {
        found.push(beside.join(&run.input.file));
    }
    found
}

/// Paths of the files of a course on which the model in `folder` was fitted; none for a course in one file.
pub fn data_parts_of_model(folder: &Path) -> Vec<PathBuf> {
    let Ok(run) = read_json::<RunRecord>(&folder.join("run.json")) else { return Vec::new() };
    run.input.files.iter().map(|of| PathBuf::from(&of.file)).collect()
}

/// Whether two paths lead to the same existing file, also by links.
pub fn same_file(one: &Path, other: &Path) -> bool {
    files::same(one, other)
}

/// Whether something has this name; a dangling link counts.
fn exists(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

fn is_empty(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| found.is_file() && found.len() == 0)
}

/// Whether the file is empty, or has the content that its run record lists. A run that died before it
/// moved the record has left it under another name, which is also considered.
fn is_ours(path: &Path) -> bool {
    if is_empty(path) || WorkPlan::is_at(path) {
        return true;
    }
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
    let runs = [run_record(path), next_record(path)].map(|file| read_json::<RunRecord>(&file));
    let listed: Vec<String> = runs
        .into_iter()
        .flatten()
        .flat_map(|run| run.outputs)
        .filter(|output| Some(&output.file) == name.as_ref())
        .map(|output| output.sha256)
        .collect();
    !listed.is_empty() && file::sha256(path, &mut Silent).is_ok_and(|hash| listed.contains(&hash))
}

/// Whether `path` is that of a file of a finished or unfinished model.
fn is_of_model(path: &Path) -> bool {
    // Follow links, because the name of a link may be harmless.
    let path = fs::canonicalize(path).unwrap_or_else(|_| {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = fs::canonicalize(folder.unwrap_or(Path::new(".")));
        let name = path.file_name().unwrap_or_default();
        folder.map_or_else(|_| path.to_path_buf(), |folder| folder.join(name))
    });
    path.ancestors().skip(1).take(2).any(|folder| {
        let inside = path.strip_prefix(folder).ok().and_then(|rest| rest.components().next());
        let name = inside.map(|part| part.as_os_str().to_string_lossy().into_owned());
        name.is_some_and(|name| is_reserved(&name)) && has_model(folder)
    })
}

/// Whether `name` is that of a file or folder of a model.
fn is_reserved(name: &str) -> bool {
    OWN_NAMES.iter().chain(&VALIDATION).chain([&HEADER, &PLAN]).any(|own| *own == name)
}

/// Whether `folder` contains a finished or unfinished model.
fn has_model(folder: &Path) -> bool {
    let ours = |run: RunRecord| run.command == "fit";
    // The plan of a divided command has the same name as that of an unfinished fit, which is in `OUT.partial`.
    let is_partial = folder.extension().is_some_and(|end| end == "partial");
    folder.join(HEADER).is_file()
        || is_partial && folder.join(PLAN).is_file()
        || read_json(&folder.join("run.json")).is_ok_and(ours)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_told_from_files() {
        assert!(is_stream(Path::new("-")));
        assert!(!is_stream(Path::new("./-")) && !is_stream(Path::new("a.csv")));
        if cfg!(unix) {
            assert!(is_stream(Path::new("/dev/null")));
        }
    }

    #[test]
    fn inputs_are_known_by_any_name() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("a"), "a").unwrap();
        fs::hard_link(at("a"), at("b")).unwrap();
        let rule = OutputRule { inputs: vec![at("a")], overwrite: true };
        assert!(matches!(rule.check(&at("b")), Err(Error::OutputIsInput { .. })));
        rule.check(&at("c")).unwrap();
        fs::write(at("c"), "by hand").unwrap();
        let careful = OutputRule::default();
        assert!(matches!(careful.check(&at("c")), Err(Error::FileTaken { .. })));
        OutputRule { overwrite: true, ..careful }.check(&at("c")).unwrap();
    }

    #[test]
    fn the_plan_of_a_divided_command_is_no_unfinished_model() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        WorkPlan::new(vec!["fates".into()], Vec::new()).write(&at(PLAN)).unwrap();
        // Another plan may take its place, and results may lie beside it.
        OutputRule::default().check(&at(PLAN)).unwrap();
        OutputRule::default().check(&at("fit.csv")).unwrap();
        // One that was cut short may be replaced if the user says so.
        fs::write(at(PLAN), "{").unwrap();
        OutputRule::default().check(&at("fit.csv")).unwrap();
        let refused = OutputRule::default().check(&at(PLAN));
        assert!(refused.is_err() && !matches!(refused, Err(Error::OutputInModel { .. })));
        // The folder of an unfinished fit has such a file from the beginning.
        let partial = at("out.partial");
        fs::create_dir(&partial).unwrap();
        fs::write(partial.join(PLAN), "{}").unwrap();
        let refused = OutputRule::default().check(&partial.join("fit.csv"));
        assert!(matches!(refused, Err(Error::OutputInModel { .. })));
    }
}
