//! Reading of the files that figures show, with the unit of time of the model that they come from.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::error::{Error, Result};
use crate::io::columns::Columns;
use crate::io::missing::no_file;
use crate::io::model::{OpenModel, read_header};
use crate::io::output::run_record;
use crate::io::run::{RunRecord, json_sha256, read_json};
use crate::pipeline::plot::{PlotKind, PlotOptions};
use crate::pipeline::shared::advice::Advice;
use crate::pipeline::shared::embedding::ColouredGroups;
use crate::progress::Progress;

/// A file to draw, and the folder of the model beside it.
pub(super) struct Source<'a> {
    /// The options.
    pub(super) options: &'a PlotOptions,
    /// The folder of the model, which need not exist.
    pub(super) model: &'a Path,
}

impl Source<'_> {
    /// The path of the file that the kind reads, and the command that writes it.
    ///
    /// Without a named file it is the one in the current folder (of the model, for files of a fit), or else the one in
    /// the folder around the model, as in the results of `run`.
    pub(super) fn path(&self) -> (PathBuf, &'static str) {
        let kind = self.options.kind;
        let (name, command) = kind.reads().unwrap_or_default();
        match &self.options.input {
            // A folder of a validation or a model is meant for the file in it.
            Some(given) if kind.is_in_model() && given.extension().is_none() => {
                (given.join(name), command)
            }
            Some(given) => (given.clone(), command),
            None => (usual_place(self.model, kind), command),
        }
    }

    /// The path of the file that the kind reads, which exists, and the command that writes it.
    ///
    /// # Errors
    /// [`Error::NoFile`] if the named file is missing and other files are there; [`Error::Unreadable`] with the command
    /// line that writes the file otherwise.
    pub(super) fn file(&self) -> Result<(PathBuf, &'static str)> {
        let (path, command) = self.path();
        if path.exists() {
            return Ok((path, command));
        }
        match no_file(&path) {
            error @ Error::NoFile { .. } if self.options.input.is_some() && names_files(&error) => {
                Err(error)
            }
            _ if self.options.input.is_some() => Err(Error::Unreadable {
                problem: "there is no such file".into(),
                way_out: Some(format!("give the path of a table that `sbcell {command}` wrote")),
                path,
            }),
            _ => Err(Error::Unreadable {
                problem: "there is no such file".into(),
                way_out: Some(format!(
                    "{} writes it; or give the path of another one",
                    Advice::of_model(self.model).line(command)
                )),
                path,
            }),
        }
    }

    /// The table that the kind reads.
    ///
    /// # Errors
    /// As [`Columns::read`].
    pub(super) fn table(&self) -> Result<Columns> {
        let (path, command) = self.file()?;
        Columns::read(&path, command)
    }

    /// The run record of the file, if there is one that can be read.
    pub(super) fn record(&self) -> Option<RunRecord> {
        read_json(&run_record(&self.path().0)).ok()
    }

    /// The parameters of the command that wrote the file; null if they are unknown.
    pub(super) fn parameters(&self) -> Value {
        self.record().map_or(Value::Null, |record| record.parameters)
    }

    /// The unit of time of the model, if the file comes from this model; empty otherwise.
    pub(super) fn unit(&self) -> String {
        let Ok(header) = read_header(self.model) else { return String::new() };
        let same = |record: RunRecord| {
            json_sha256(&header).is_ok_and(|sha256| sha256 == record.input.sha256)
        };
        if self.record().is_some_and(same) { header.time_unit } else { String::new() }
    }

    /// Groups with the colours of the fitted file, if groups are named.
    ///
    /// # Errors
    /// Those of reading the model and [`ColouredGroups::read`].
    pub(super) fn groups(&self, progress: &mut dyn Progress) -> Result<Option<ColouredGroups>> {
        if !self.options.sets.is_named() {
            return Ok(None);
        }
        let model = OpenModel::read(self.model)?;
        ColouredGroups::read(&model, &self.options.sets, progress).map(Some)
    }
}

/// Whether the error of a missing file names files that may be meant.
fn names_files(error: &Error) -> bool {
    matches!(error, Error::NoFile { near, others, .. } if !(near.is_empty() && others.is_empty()))
}

/// The path of the file of `kind` for the folder of a model: see [`Source::path`].
pub(super) fn usual_place(model: &Path, kind: PlotKind) -> PathBuf {
    let (name, _) = kind.reads().unwrap_or_default();
    let first = if kind.is_in_model() { model } else { Path::new("") };
    let around = model.parent().unwrap_or(Path::new(""));
    let places = [first.join(name), around.join(name), around.join("validation").join(name)];
    places.iter().find(|path| path.is_file()).unwrap_or(&places[0]).clone()
}

/// The distinct texts in the order of first appearance.
pub(super) fn distinct(texts: &[String]) -> Vec<String> {
    let mut seen = std::collections::BTreeSet::new();
    texts.iter().filter(|text| seen.insert(*text)).cloned().collect()
}

/// The distinct finite numbers, increasing.
pub(super) fn times_of(numbers: &[f64]) -> Vec<f64> {
    let mut all: Vec<f64> = numbers.iter().copied().filter(|x| x.is_finite()).collect();
    all.sort_by(f64::total_cmp);
    all.dedup();
    all
}
