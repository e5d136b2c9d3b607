//! Reading of the results of a folder, part by part: one that cannot be read costs only its own part of the page.

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::io::report::{HeldOutScore, Part};
use crate::pipeline::report::options::ReportOptions;
use crate::pipeline::report::scores::scores;
use crate::pipeline::shared::advice::Advice;

/// The results of a page, and the warnings about those that could not be read.
pub(super) struct Reading<'a> {
    options: &'a ReportOptions,
    /// The results in the folder, which nobody named.
    found: ReportOptions,
    /// The commands that make results.
    pub(super) advice: Advice,
    /// A sentence for each part that is left out.
    pub(super) warnings: Vec<String>,
}

/// A part of the page: its name in sentences, and the command that makes it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    pub(super) what: &'static str,
    pub(super) command: &'static str,
}

impl<'a> Reading<'a> {
    /// Reads the results of `options`; `advice` has the commands that make them.
    pub(super) fn new(options: &'a ReportOptions, advice: Advice) -> Self {
        let found = ReportOptions::in_folder(&options.folder);
        Self { options, found, advice, warnings: Vec::new() }
    }

    /// Reads the file at the place that `of` finds in the options. A file that is not there gives a sentence in its
    /// place, and one of the folder that cannot be read also a warning.
    ///
    /// # Errors
    /// [`Error::Cancelled`]; those of `read` for a file that the user named.
    pub(super) fn part<T>(
        &mut self,
        asked: Asked,
        of: impl Fn(&ReportOptions) -> Option<PathBuf>,
        read: impl FnOnce(&Path) -> Result<T>,
    ) -> Result<Part<T>> {
        let Asked { what, command } = asked;
        let line = self.advice.line(command);
        let Some(path) = of(self.options) else {
            return Ok(Part::Missing(format!("{what} were not computed: run {line}.")));
        };
        match read(&path) {
            Ok(part) => Ok(Part::Shown(part)),
            Err(Error::Cancelled) => Err(Error::Cancelled),
            Err(error) if of(&self.found).as_ref() != Some(&path) => Err(error),
            Err(error) => Ok(self.left_out(what, &line, &error)),
        }
    }

    /// A part that is left out because of `error`, with a warning.
    fn left_out<T>(&mut self, what: &str, line: &str, error: &Error) -> Part<T> {
        let why = format!(
            "{what} could not be read ({error}): check the file, or make it again with {line}."
        );
        self.warnings.push(why.clone());
        Part::Missing(why)
    }

    /// The scores of the folder, or the short ones of the model in the folder `model`.
    ///
    /// # Errors
    /// As [`Reading::part`].
    pub(super) fn validation(&mut self, model: &Path) -> Result<Part<Vec<HeldOutScore>>> {
        let of = |options: &ReportOptions| {
            let own = model.join("validation.json");
            options.validation.clone().or_else(|| own.is_file().then_some(own))
        };
        let asked = Asked { what: "Scores of held-out times", command: "evaluate" };
        let found = self.part(asked, of, scores)?;
        let is_empty = matches!(&found, Part::Shown(scores) if scores.is_empty());
        if is_empty || of(self.options).is_none() {
            let line = self.advice.line("evaluate");
            let why = format!("No time was held out: run {line} (it needs at least three times).");
            return Ok(Part::Missing(why));
        }
        Ok(found)
    }
}
