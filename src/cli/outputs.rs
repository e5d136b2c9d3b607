//! One rule for all outputs of commands, checked on the command line before any work.
//!
//! A flag that takes a path is an input unless [`OUTPUTS`] names it. A new command therefore cannot
//! overwrite its inputs by mistake.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use clap::{ArgMatches, ValueEnum};
use sbcell::io::h5ad::DataFiles;
use sbcell::io::model::{read_conditions, read_header};
use sbcell::io::output::{OutputRule, data_of_model, data_parts_of_model, is_stream, same_file};
use sbcell::pipeline::{self, Export, ExportFormat, ReportOptions, TableExportOptions};
use sbcell::{Error, Result};

use crate::cli::fates::AUTO;
use crate::cli::grn::default_out;
use crate::cli::plot::default_out as default_of;
use crate::cli::report::default_page;
use crate::cli::trajectory::beside;

/// Flags that name a file or folder to write.
pub(crate) const OUTPUTS: [&str; 5] = ["out", "plot", "plot_network", "plot_heatmap", "paths_out"];

/// Those of them that name a chart, with the flag as the user types it.
const CHARTS: [(&str, &str); 3] =
    [("plot", "--plot"), ("plot_network", "--plot-network"), ("plot_heatmap", "--plot-heatmap")];

/// Commands whose `--out` is a folder, an `.h5ad` or a figure in every case.
const NO_TABLE: [(&str, &str); 10] = [
    ("run", "a folder"),
    ("man", "a folder"),
    ("fit", "a folder"),
    ("evaluate", "a folder"),
    ("couplings", "a folder"),
    ("export", "a folder"),
    ("annotate", "an .h5ad file"),
    ("strip", "an .h5ad file"),
    ("report", "a file that ends in .html"),
    ("plot", "a file that ends in .svg, .png or .pdf"),
];

/// The name and the flags of the command that was called.
pub(crate) struct Called<'m> {
    name: &'m str,
    flags: &'m ArgMatches,
}

impl<'m> Called<'m> {
    /// The command of the parsed command line.
    pub(crate) fn of(matches: &'m ArgMatches) -> Option<Self> {
        matches.subcommand().map(|(name, flags)| Self { name, flags })
    }

    /// Refuses outputs that would overwrite an input, a model, or a file of the user.
    ///
    /// # Errors
    /// Those of [`OutputRule::check`]; [`Error::Parameter`] for an output that standard output cannot take.
    pub(crate) fn check(&self, overwrite: bool, json: bool) -> Result<()> {
        self.check_streams()?;
        if json && self.fills_stdout() {
            let (name, must) = ("--json", "given without a table on standard output");
            return Err(Error::Parameter { name, must, got: "both".into() });
        }
        if ["run", "man"].contains(&self.name) {
            // The command checks its folder; each step of `run` checks its files.
            return Ok(());
        }
        let rule = OutputRule { inputs: self.inputs(), overwrite };
        if ["annotate", "strip"].contains(&self.name) && self.writes_its_input() {
            // The command refuses this itself, with a hint.
            return Ok(());
        }
        if ["fit", "evaluate"].contains(&self.name) {
            // The command checks the contents of its folder. Here only inputs are protected.
            let out = self.path("out").unwrap_or_default();
            let of = |path: &Path| match rule.check_apart(path) {
                Err(Error::OutputInModel { .. }) => Ok(()),
                other => other,
            };
            return [out.clone()]
                .into_iter()
                .chain(pipeline::validation_files(&out))
                .chain(pipeline::clone_score_files(&out))
                .try_for_each(|path| of(&path));
        }
        self.files().iter().try_for_each(|file| rule.check(file))
    }

    /// Whether a result goes to standard output, so that messages go to standard error.
    pub(crate) fn fills_stdout(&self) -> bool {
        self.outputs().iter().any(|(_, path)| is_stdout(path))
    }

    /// The value of a flag that takes one path.
    fn path(&self, flag: &str) -> Option<PathBuf> {
        self.flags.try_get_one::<PathBuf>(flag).ok().flatten().cloned()
    }

    /// Whether `--out` is the file that the command reads.
    fn writes_its_input(&self) -> bool {
        let paths = self.path("data").zip(self.path("out"));
        paths.is_some_and(|(data, out)| same_file(&data, &out))
    }

    /// All inputs: the paths that are not outputs, and the data file of the model.
    fn inputs(&self) -> Vec<PathBuf> {
        let mut found = self.named_inputs();
        found.extend(self.data_parts());
        let of_model =
            |folder: &Path| [data_of_model(folder), data_parts_of_model(folder)].concat();
        if let Some(folder) = self.path("folder") {
            found.extend(of_model(&ReportOptions::in_folder(&folder).model));
        }
        if let Some(model) = self.path("model") {
            found.extend(of_model(&model));
            if let Ok(record) = read_conditions(&model) {
                let of = record.conditions.iter();
                found.extend(of.flat_map(|of| of_model(&model.join(&of.folder))));
            }
        }
        found
    }

    /// The files for which the data of the command line stand, if they are a folder or a list.
    pub(crate) fn data_parts(&self) -> Vec<PathBuf> {
        let data = self.path("data").and_then(|data| DataFiles::find(&data).ok());
        let course = data.filter(DataFiles::is_course);
        course.map(|course| course.paths().to_vec()).unwrap_or_default()
    }

    /// The inputs that the command line names, and the default model.
    pub(crate) fn named_inputs(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let ids = self.flags.ids().map(clap::Id::as_str);
        for id in ids.filter(|id| !OUTPUTS.contains(id)) {
            if let Ok(Some(paths)) = self.flags.try_get_many::<PathBuf>(id) {
                found.extend(paths.cloned());
            }
        }
        // `--tfs` is the path of a file or the name of a built-in list.
        if let Ok(Some(list)) = self.flags.try_get_one::<String>("tfs") {
            found.push(PathBuf::from(list));
        }
        found
    }

    /// The flags of outputs, each with the name of its file. A folder has no name here, since nothing in it depends on
    /// its name.
    pub(crate) fn output_names(&self) -> Vec<(&'static str, String)> {
        let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
        let given = self.outputs().into_iter().filter(|(_, path)| !is_stream(path));
        let mut found: Vec<(&str, String)> =
            given.filter_map(|(flag, path)| Some((flag, name(&path)?))).collect();
        if self.writes_folder() {
            found.retain(|output| output.0 != "out");
        } else if !found.iter().any(|output| output.0 == "out") {
            found.extend(self.default_out().and_then(|path| Some(("out", name(&path)?))));
        }
        found
    }

    /// The folder of the model that the command reads.
    pub(crate) fn model(&self) -> Option<PathBuf> {
        self.path("model")
    }

    /// The file with the cells, or the folder or list of files, that the command line names.
    pub(crate) fn data(&self) -> Option<PathBuf> {
        self.path("data")
    }

    /// Whether the command writes a folder.
    pub(crate) fn writes_folder(&self) -> bool {
        NO_TABLE.iter().any(|(name, what)| *name == self.name && *what == "a folder")
    }

    /// The main output of a command whose user did not name it, if it is a file.
    fn default_out(&self) -> Option<PathBuf> {
        let folder = self.path("model").unwrap_or_default();
        match self.name {
            "interpolate" | "sample" => {
                let stem = if self.name == "sample" { "sample" } else { "interpolated" };
                let format = self.raw("format").unwrap_or_else(|| "parquet".into());
                Some(folder.join(format!("{stem}.{format}")))
            }
            "plot" => Some(default_of(&self.raw("kind")?).into()),
            "grn" => Some(default_out(self.raw("format").as_deref()).into()),
            "velocity" => Some(folder.join("velocity.parquet")),
            "report" => Some(default_page(&self.path("folder").unwrap_or_default())),
            _ => None,
        }
    }

    /// The outputs that flags name, with these flags.
    fn outputs(&self) -> Vec<(&'static str, PathBuf)> {
        OUTPUTS.iter().filter_map(|&flag| Some((flag, self.path(flag)?))).collect()
    }

    /// All files that the command will write, as far as their names are known before it runs.
    fn files(&self) -> Vec<PathBuf> {
        if self.name == "report" {
            let folder = self.path("folder").unwrap_or_default();
            let out = self.path("out").unwrap_or_else(|| default_page(&folder));
            return vec![pipeline::multiqc_beside(&out), out];
        }
        let mut files = Vec::new();
        let folder = self.path("model").unwrap_or_default();
        match (self.name, self.path("out")) {
            ("couplings", Some(out)) => files.extend(self.couplings(&folder, &out)),
            ("export", Some(out)) => files.extend(self.tables(&out)),
            (_, Some(out)) => {
                let also = match self.name {
                    "trajectory" => Some("summary"),
                    "transitions" => Some("wide"),
                    "diagnose" => Some("cells"),
                    "fates" if self.raw("terminal").as_deref() == Some(AUTO) => Some("states"),
                    _ => None,
                };
                files.extend(also.filter(|_| !is_stream(&out)).map(|name| beside(&out, name)));
                files.push(out);
            }
            (_, None) => files.extend(self.default_out()),
        }
        let others = ["paths_out", "plot_network", "plot_heatmap"];
        files.extend(others.iter().filter_map(|flag| self.path(flag)));
        if let Some(plot) = self.path("plot") {
            if let (Ok(Some(genes)), "grn") =
                (self.flags.try_get_many::<String>("plot_gene"), self.name)
            {
                files.extend(genes.map(|gene| pipeline::picture_of(&plot, gene)));
            }
            files.push(plot);
        }
        files
    }

    /// The files of `sbcell couplings`.
    fn couplings(&self, folder: &Path, out: &Path) -> Vec<PathBuf> {
        let format = self.raw("format").and_then(|name| Export::from_str(&name, true).ok());
        let format = format.unwrap_or_default();
        // Without a model the command ends before it writes.
        let header = read_header(folder).ok();
        let times: Vec<f64> =
            header.iter().flat_map(|header| &header.snapshots).map(|of| of.time).collect();
        pipeline::coupling_files(out, &times, format)
    }

    /// The files of `sbcell export`.
    fn tables(&self, out: &Path) -> Vec<PathBuf> {
        let format = self.raw("format").and_then(|name| ExportFormat::from_str(&name, true).ok());
        let options = TableExportOptions::default().with_format(format.unwrap_or_default());
        // Without the folder the command ends before it writes.
        let folder = self.path("folder").unwrap_or_default();
        pipeline::export_files(&folder, out, &options).unwrap_or_default()
    }

    /// The value of a flag as the user typed it.
    fn raw(&self, flag: &str) -> Option<String> {
        let given = self.flags.try_get_raw(flag).ok().flatten()?.next_back()?;
        Some(given.to_string_lossy().into_owned())
    }

    /// Refuses standard output for outputs that are not tables, and for two tables at once.
    ///
    /// # Errors
    /// [`Error::Parameter`].
    fn check_streams(&self) -> Result<()> {
        for (flag, path) in self.outputs().into_iter().filter(|(_, path)| is_stream(path)) {
            let refused =
                |name, must| Err(Error::Parameter { name, must, got: path.display().to_string() });
            if let Some((_, what)) = NO_TABLE.iter().find(|(name, _)| *name == self.name) {
                return refused("--out", what);
            }
            let chart = CHARTS.iter().find(|chart| chart.0 == flag && is_stdout(&path));
            if let Some((_, name)) = chart {
                return refused(name, "a file: a chart is not written to standard output");
            }
            let format = if flag == "out" { self.raw("format") } else { None };
            match format.as_deref() {
                Some("h5ad") if is_stdout(&path) => {
                    return refused("--out", "a file for --format h5ad");
                }
                Some("parquet") if is_stdout(&path) && std::io::stdout().is_terminal() => {
                    return refused("--out", "a file or a pipe for --format parquet");
                }
                _ => {}
            }
        }
        let n_stdout = self.outputs().iter().filter(|(_, path)| is_stdout(path)).count();
        if n_stdout > 1 {
            let (name, must) = ("--paths-out", "a file if --out is standard output");
            return Err(Error::Parameter { name, must, got: "-".into() });
        }
        Ok(())
    }
}

/// Whether a path is standard output.
fn is_stdout(path: &Path) -> bool {
    ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"].iter().any(|name| path == Path::new(name))
}

#[cfg(test)]
mod tests {
    use std::any::TypeId;
    use std::collections::BTreeSet;

    use clap::CommandFactory;

    use super::*;

    /// Flags that name an input.
    const INPUTS: [&str; 26] = [
        "apop",
        "cells",
        "config",
        "data",
        "diffusion_file",
        "edges",
        "fates",
        "folder",
        "genes",
        "given",
        "growth_file",
        "input",
        "likelihood",
        "model",
        "observe",
        "parents",
        "plan",
        "populations",
        "prior",
        "prolif",
        "tables",
        "time_map",
        "transitions",
        "trends",
        "truth",
        "validation",
    ];

    #[test]
    fn every_path_of_every_command_is_known_as_input_or_output() {
        let mut unknown = BTreeSet::new();
        for command in crate::cli::Cli::command().get_subcommands() {
            for argument in command.get_arguments() {
                let id = argument.get_id().as_str();
                let is_path = argument.get_value_parser().type_id() == TypeId::of::<PathBuf>();
                if is_path && !OUTPUTS.contains(&id) && !INPUTS.contains(&id) {
                    unknown.insert(format!("{} {id}", command.get_name()));
                }
            }
        }
        assert!(unknown.is_empty(), "input or output? {unknown:?}");
    }
}
