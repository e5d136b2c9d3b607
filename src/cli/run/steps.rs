//! The steps of `sbcell run`: their names, commands and files.

use std::path::{Path, PathBuf};

use clap::ValueEnum;

/// One step of a run. Each step is a command of sbcell, and has its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Step {
    /// The contents of the file.
    Inspect,
    /// The model: one bridge per interval.
    Fit,
    /// Scores of held-out times.
    Evaluate,
    /// Populations between the samples.
    Interpolate,
    /// Fate probabilities.
    Fates,
    /// Transitions between groups.
    Transitions,
    /// Genes along trajectories.
    Trends,
    /// Regulatory edges.
    Grn,
    /// A copy of the file with the results.
    Annotate,
    /// The page.
    Report,
}

impl Step {
    /// All steps, in the order in which they run.
    pub(crate) const ALL: [Self; 10] = [
        Self::Inspect,
        Self::Fit,
        Self::Evaluate,
        Self::Interpolate,
        Self::Fates,
        Self::Transitions,
        Self::Trends,
        Self::Grn,
        Self::Annotate,
        Self::Report,
    ];

    /// The name of the step and of its command.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Inspect => "inspect",
            Self::Fit => "fit",
            Self::Evaluate => "evaluate",
            Self::Interpolate => "interpolate",
            Self::Fates => "fates",
            Self::Transitions => "transitions",
            Self::Trends => "trends",
            Self::Grn => "grn",
            Self::Annotate => "annotate",
            Self::Report => "report",
        }
    }

    /// The step of a name.
    pub(crate) fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|step| step.name() == name)
    }

    /// The main file or folder of the step, relative to the folder of the results.
    pub(crate) fn output(self) -> &'static str {
        match self {
            Self::Inspect => "inspect.json",
            Self::Fit => "model",
            Self::Evaluate => "validation",
            Self::Interpolate => "populations.parquet",
            Self::Fates => "fates.csv",
            Self::Transitions => "transitions.csv",
            Self::Trends => "trends.csv",
            Self::Grn => "edges.csv",
            Self::Annotate => "annotated.h5ad",
            Self::Report => "report.html",
        }
    }

    /// The name of the output on the terminal: that of a folder ends in `/`.
    pub(crate) fn shown(self) -> String {
        let folder = matches!(self, Self::Fit | Self::Evaluate);
        format!("{}{}", self.output(), if folder { "/" } else { "" })
    }

    /// The files by which a later run recognises that the step is done, relative to the folder of the results.
    pub(crate) fn files(self) -> Vec<&'static str> {
        match self {
            Self::Fit => vec!["model/model.json", "model/cells.parquet", "model/fit.csv"],
            Self::Evaluate => vec!["validation/validation.json", "validation/validation.csv"],
            Self::Transitions => vec!["transitions.csv", "transitions.wide.csv"],
            Self::Report => vec!["report.html", "sbcell_mqc.json"],
            other => vec![other.output()],
        }
    }

    /// Flags that `run` sets itself. The file of parameters may not have them.
    pub(crate) fn own_flags(self) -> &'static [&'static str] {
        match self {
            Self::Inspect => &[],
            Self::Fit => &["out", "resume", "no-validation", "dry-run", "condition-key", "shared"],
            Self::Evaluate => &["out"],
            Self::Annotate => &["model", "out", "in-place", "fates"],
            Self::Report => {
                &["out", "validation", "populations", "fates", "transitions", "trends", "edges"]
            }
            _ => &["model", "out", "format"],
        }
    }

    /// The output of the step in the folder `out` of the results.
    pub(crate) fn path(self, out: &Path) -> PathBuf {
        out.join(self.output())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_has_the_name_of_its_value_and_of_its_command() {
        let program = <crate::cli::Cli as clap::CommandFactory>::command();
        for step in Step::ALL {
            let value = step.to_possible_value().unwrap();
            assert_eq!(value.get_name(), step.name());
            assert_eq!(Step::of(step.name()), Some(step));
            assert!(program.find_subcommand(step.name()).is_some(), "{}", step.name());
        }
    }

    #[test]
    fn the_flags_that_a_run_sets_exist() {
        let program = <crate::cli::Cli as clap::CommandFactory>::command();
        for step in Step::ALL {
            let command = program.find_subcommand(step.name()).unwrap();
            for flag in step.own_flags() {
                let known = command.get_arguments().any(|known| known.get_long() == Some(flag));
                let common = ["format"].contains(flag);
                assert!(known || common, "{} --{flag}", step.name());
            }
        }
    }
}
