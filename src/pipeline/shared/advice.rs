//! Commands to run next, for one model and one folder of results, as texts that name parameters.

use std::path::{Path, PathBuf};

use crate::error::shell_word;
use crate::io::model::{Header, Source, read_header};
use crate::io::run::{RunRecord, read_json};
use crate::pipeline::shared::cell_sets::CellSets;

/// The command lines that continue from a model. Messages, pages and errors take them from here, so that each of
/// them works as printed.
///
/// ```
/// use std::path::Path;
/// use sbcell::pipeline::Advice;
///
/// let advice = Advice::new(Path::new("results/model"), Path::new("results"));
/// assert_eq!(
///     advice.line("grn"),
///     "`sbcell grn` with the parameter `model = results` and the parameter `out = results/edges.csv`"
/// );
/// assert!(advice.line("evaluate").starts_with("`sbcell evaluate DATA.h5ad` with"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advice {
    /// The folder that `model` takes: that of the results if the model is in it.
    model: PathBuf,
    /// The folder of the results.
    results: PathBuf,
    /// The file of the fit, or the folder or list of files.
    data: String,
    /// One file, for commands that take no more: the first of several.
    file: String,
    /// Parameters with which the fit has read it.
    reading: Vec<[String; 2]>,
    /// Parameters that name groups of cells.
    groups: Vec<[String; 2]>,
}

impl Advice {
    /// The commands for the model in the folder `model`, which write to the folder `results`.
    ///
    /// A folder without a model gives commands with `DATA.h5ad` in place of the file.
    pub fn new(model: &Path, results: &Path) -> Self {
        let header = read_header(model).ok();
        let inside = results.join("model") == model;
        let input = read_json::<RunRecord>(&model.join("run.json")).ok().map(|run| run.input);
        let first = input.as_ref().and_then(|of| of.files.first()).map(|file| file.file.clone());
        let data = input.map(|of| if of.path.is_empty() { of.file } else { of.path });
        let data = data.unwrap_or_else(|| "DATA.h5ad".into());
        Self {
            model: if inside { results } else { model }.to_path_buf(),
            results: results.to_path_buf(),
            file: first.unwrap_or_else(|| data.clone()),
            data,
            reading: header.map(|header| reading_of(&header, model)).unwrap_or_default(),
            groups: vec![["groupby".into(), "COLUMN".into()]],
        }
    }

    /// The commands for the model in the folder `model`. Results go to the folder around it if it is called `model`,
    /// as in the results of `run`, and to the current folder otherwise.
    pub fn of_model(model: &Path) -> Self {
        let around = model.parent().filter(|_| model.ends_with("model"));
        Self::new(model, around.unwrap_or(Path::new("")))
    }

    /// The same commands for the groups of `sets`, if it names any. Without groups, the text has `COLUMN` in their
    /// place.
    #[must_use]
    pub fn with_sets(mut self, sets: &CellSets) -> Self {
        if sets.is_named() {
            let column = sets.groupby.iter().map(|name| ["groupby".into(), name.clone()]);
            let files = sets.files.iter().map(|file| ["cells".into(), file.clone()]);
            self.groups = column.chain(files).collect();
        }
        self
    }

    /// The command line of `command` for this model, with all that it needs.
    ///
    /// The text has the form `` `sbcell NAME` with the parameter `a = 1` and the parameter `b = 2` ``.
    pub fn line(&self, command: &str) -> String {
        let model = ["model".to_string(), self.model.display().to_string()];
        let (first, mut more) = match command {
            "evaluate" => (format!("evaluate {}", shell_word(&self.data)), self.reading.clone()),
            "annotate" => (format!("annotate {}", shell_word(&self.file)), vec![model]),
            "report" | "export" => {
                let folder = self.folder().display().to_string();
                (format!("{command} {}", shell_word(&folder)), vec![])
            }
            "fit" | "run" => (format!("{command} {}", shell_word(&self.data)), vec![]),
            other => (other.to_string(), vec![model]),
        };
        if matches!(command, "fates" | "transitions" | "trends" | "trajectory" | "drivers") {
            more.extend(self.groups.iter().cloned());
        }
        if command == "trajectory" {
            let paths = self.results.join("paths.csv").display().to_string();
            more.extend([["paths".into(), "20".into()], ["paths_out".into(), paths]]);
        }
        if let Some(name) = output_of(command) {
            more.push(["out".into(), self.results.join(name).display().to_string()]);
        }
        joined(&first, &more)
    }

    /// The folder of the page and of the tables to export: that of the results, or of the model without results.
    fn folder(&self) -> &Path {
        if self.results.as_os_str().is_empty() { &self.model } else { &self.results }
    }

    /// The command line of the page with the scores of held-out times in the folder `validation`.
    ///
    /// ```
    /// use std::path::Path;
    /// use sbcell::pipeline::Advice;
    ///
    /// let advice = Advice::new(Path::new("results/model"), Path::new("results"));
    /// let line = advice.report_with(Path::new("results/validation"));
    /// assert_eq!(line, "`sbcell report results`");
    /// let line = advice.report_with(Path::new("scores"));
    /// assert_eq!(line, "`sbcell report results` with the parameter `validation = scores`");
    /// ```
    pub fn report_with(&self, validation: &Path) -> String {
        let folder = self.folder();
        let is_found = folder.join("validation") == validation;
        let named = ["validation".to_string(), validation.display().to_string()];
        let more = if is_found { vec![] } else { vec![named] };
        joined(&format!("report {}", shell_word(&folder.display().to_string())), &more)
    }

    /// The command line that draws the scores of held-out times in the folder `validation`. Without a model, times have
    /// no unit.
    pub fn plot_scores(validation: &Path, model: Option<&Path>) -> String {
        if let Some(model) = model {
            return Self::of_model(model).plot("validation", Some(validation));
        }
        let folder = shell_word(&validation.display().to_string());
        joined(&format!("plot validation {folder}"), &[])
    }

    /// The command line that draws a figure of `kind`, from the file `input` unless it is `None`.
    pub fn plot(&self, kind: &str, input: Option<&Path>) -> String {
        let file = input.map(|path| format!(" {}", shell_word(&path.display().to_string())));
        let model = ["model".to_string(), self.model.display().to_string()];
        joined(&format!("plot {kind}{}", file.unwrap_or_default()), &[model])
    }
}

/// A command with parameters as one text.
fn joined(first: &str, parameters: &[[String; 2]]) -> String {
    let one = |[name, value]: &[String; 2]| match value.as_str() {
        "" => format!("the parameter `{name}`"),
        _ => format!("the parameter `{name} = {}`", shell_word(value)),
    };
    let all: Vec<String> = parameters.iter().map(one).collect();
    let with = if all.is_empty() { "" } else { " with " };
    format!("`sbcell {first}`{with}{}", all.join(" and "))
}

/// The name of the file or folder of a command in a folder of results, as `run` calls it.
fn output_of(command: &str) -> Option<&'static str> {
    match command {
        "evaluate" => Some("validation"),
        "interpolate" => Some("populations.parquet"),
        "fates" => Some("fates.csv"),
        "transitions" => Some("transitions.csv"),
        "trends" => Some("trends.csv"),
        "grn" => Some("edges.csv"),
        "annotate" => Some("annotated.h5ad"),
        _ => None,
    }
}

/// The parameters of the times and of the matrix, which a validation shares with the fit.
fn reading_of(header: &Header, model: &Path) -> Vec<[String; 2]> {
    let Ok(reading) = header.reading(model) else { return Vec::new() };
    let mut all = vec![["timepoints".to_string(), header.time_column.clone()]];
    match reading.source {
        Source::X => {}
        Source::Layer(name) => all.push(["layer".into(), name]),
        Source::Raw => all.push(["use_raw".into(), String::new()]),
        Source::Rep(key) => all.push(["use_rep".into(), key]),
    }
    let filters = reading.filters.iter().map(|filter| ["obs_filter".into(), filter.clone()]);
    all.extend(filters);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(with: &[(&str, &str)]) -> String {
        let one = |(name, value): &(&str, &str)| match *value {
            "" => format!("the parameter `{name}`"),
            value => format!("the parameter `{name} = {value}`"),
        };
        with.iter().map(one).collect::<Vec<_>>().join(" and ")
    }

    #[test]
    fn commands_name_the_model_the_groups_and_the_file_of_the_fit() {
        let model = Path::new("tests/fixtures/old-model/model");
        let results = Path::new("tests/fixtures/old-model");
        let sets = CellSets::default().with_files(vec!["my groups.csv".into()]);
        let advice = Advice::of_model(model);
        assert_eq!(advice, Advice::new(model, results));
        let folder = "tests/fixtures/old-model";
        let (out, fates) = (format!("{folder}/validation"), format!("{folder}/fates.csv"));
        let line = advice.line("evaluate");
        assert!(line.starts_with("`sbcell evaluate "), "{line}");
        let with = text(&[
            ("timepoints", "time"),
            ("layer", "counts"),
            ("obs_filter", "'time<=24'"),
            ("out", &out),
        ]);
        assert!(line.ends_with(&format!(" with {with}")), "{line}");
        assert!(!line.contains("DATA.h5ad"), "{line}");
        let wanted = text(&[("model", folder), ("groupby", "COLUMN"), ("out", &fates)]);
        assert_eq!(advice.line("fates"), format!("`sbcell fates` with {wanted}"));
        let wanted = text(&[("model", folder), ("cells", "'my groups.csv'"), ("out", &fates)]);
        let advice = advice.with_sets(&sets);
        assert_eq!(advice.line("fates"), format!("`sbcell fates` with {wanted}"));
        assert_eq!(advice.line("report"), format!("`sbcell report {folder}`"));
        let drawn = advice.plot("fates", Some(Path::new(&fates)));
        let wanted = text(&[("model", folder)]);
        assert_eq!(drawn, format!("`sbcell plot fates {fates}` with {wanted}"));
        // A model of `fit`: results go to the current folder.
        let advice = Advice::of_model(Path::new("sbcell-out"));
        assert!(advice.line("grn").ends_with("and the parameter `out = edges.csv`"));
        assert_eq!(advice.line("report"), "`sbcell report sbcell-out`");
        assert!(advice.line("diagnose").ends_with("with the parameter `model = sbcell-out`"));
    }
}
