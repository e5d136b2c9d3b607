//! Where commands find the model: the folder of a fit, or a folder of results with the model in `model/`.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use clap::builder::{PathBufValueParser, TypedValueParser};
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches};
use sbcell::io::model::is_model;
use sbcell::io::output::same_file;

/// The model folder that `fit` writes and the other commands read without a flag.
pub(crate) const MODEL_FOLDER: &str = "sbcell-out";

/// The folder of results that `run` writes without a flag. Other commands read it where there is no
/// [`MODEL_FOLDER`].
pub(crate) const RESULTS_FOLDER: &str = "sbcell-results";

/// Arguments that take one of these folders.
const NAMES: [&str; 2] = ["model", "folder"];

/// The folder of the model that `folder` means: itself, or the `model` in it.
pub(crate) fn model_in(folder: &Path) -> Option<PathBuf> {
    let inside = folder.join("model");
    [folder.to_path_buf(), inside].into_iter().find(|place| is_model(place))
}

/// The first of the folders [`MODEL_FOLDER`] and [`RESULTS_FOLDER`] with a model, or the first if none has one.
fn usual() -> &'static Path {
    let places = [MODEL_FOLDER, RESULTS_FOLDER].map(Path::new);
    places.into_iter().find(|place| model_in(place).is_some()).unwrap_or(Path::new(MODEL_FOLDER))
}

/// The folder of the model that commands use without a flag.
pub(crate) fn usual_model() -> PathBuf {
    model_in(usual()).unwrap_or_else(|| MODEL_FOLDER.into())
}

/// Reads the path of a folder. A folder that nobody named is the first usual one with a model.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FolderParser {
    /// Whether the folder of the model in it is meant.
    pub(crate) of_model: bool,
}

impl TypedValueParser for FolderParser {
    type Value = PathBuf;

    fn parse_ref(
        &self,
        command: &clap::Command,
        argument: Option<&Arg>,
        value: &OsStr,
    ) -> Result<PathBuf, clap::Error> {
        self.parse_ref_(command, argument, value, ValueSource::CommandLine)
    }

    fn parse_ref_(
        &self,
        command: &clap::Command,
        argument: Option<&Arg>,
        value: &OsStr,
        source: ValueSource,
    ) -> Result<PathBuf, clap::Error> {
        let given = PathBufValueParser::new().parse_ref(command, argument, value)?;
        let by_default = source == ValueSource::DefaultValue;
        let folder = if by_default { usual().to_path_buf() } else { given };
        Ok(if self.of_model { model_in(&folder).unwrap_or(folder) } else { folder })
    }
}

/// The note about a folder that nobody named.
pub(crate) fn note(flags: &ArgMatches) -> Option<String> {
    let by_default = |id: &str| {
        let known = flags.ids().any(|known| known.as_str() == id);
        known && flags.value_source(id) == Some(ValueSource::DefaultValue)
    };
    if NAMES.into_iter().any(by_default) { usual_note() } else { None }
}

/// The note about the usual folders: where the one of `fit` has no model, or where there are two.
pub(crate) fn usual_note() -> Option<String> {
    let [fitted, results] = [MODEL_FOLDER, RESULTS_FOLDER].map(|name| model_in(Path::new(name)));
    match (fitted, results) {
        (None, Some(model)) => {
            Some(format!("{MODEL_FOLDER} has no model: the one in {} is used", model.display()))
        }
        (Some(one), Some(other)) if !same_file(&one, &other) => Some(format!(
            "{MODEL_FOLDER} and {RESULTS_FOLDER} both have a model: that of {MODEL_FOLDER} is used (name the \
             other folder to use the other one)"
        )),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_folder_of_results_stands_for_the_model_in_it() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        assert_eq!(model_in(folder.path()), None);
        fs::create_dir_all(at("model")).unwrap();
        assert_eq!(model_in(folder.path()), None);
        fs::write(at("model/model.json"), "{}").unwrap();
        assert_eq!(model_in(folder.path()), Some(at("model")));
        assert_eq!(model_in(&at("model")), Some(at("model")));
        // A model of its own comes first.
        fs::write(at("model.json"), "{}").unwrap();
        assert_eq!(model_in(folder.path()), Some(folder.path().to_path_buf()));
    }
}
