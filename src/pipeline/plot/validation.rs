//! Scores of held-out times.

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::io::chart::{Chart, draw_validation_on};
use crate::io::run::read_json;
use crate::io::validation::Validation;
use crate::pipeline::plot::read::Source;
use crate::pipeline::shared::advice::Advice;

/// Draws the scores of `validation.json`.
///
/// # Errors
/// [`crate::Error::Unreadable`] if the file is missing or damaged.
pub(super) fn validation(source: &Source<'_>) -> Result<Chart> {
    let (path, command) = source.file()?;
    let path = scores_of(&path, &Advice::of_model(source.model).line(command))?;
    let scores: Validation = read_json(&path)?;
    let options = source.options;
    options.without_palette()?;
    Ok(options.laid_out(draw_validation_on(&scores, options.page())))
}

/// The scores of `path`: for a table of scores, the `.json` file of the same name beside it. `command` writes both.
///
/// # Errors
/// [`Error::Unreadable`] for a table without this file.
fn scores_of(path: &Path, command: &str) -> Result<PathBuf> {
    let suffix = path.extension().map(|suffix| suffix.to_string_lossy().to_ascii_lowercase());
    if !matches!(suffix.as_deref(), Some("csv" | "tsv" | "parquet")) {
        return Ok(path.to_path_buf());
    }
    let beside = path.with_extension("json");
    if beside.is_file() {
        return Ok(beside);
    }
    Err(Error::Unreadable {
        path: path.to_path_buf(),
        problem: "it is a table, and scores are drawn from `validation.json`".into(),
        way_out: Some(format!("give this file, or the folder with it, which {command} writes")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_of_scores_stands_for_the_file_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let command = "`sbcell evaluate data.h5ad`";
        let refused = scores_of(&at("x.csv"), command).unwrap_err();
        assert!(refused.to_string().contains("it is a table"), "{refused}");
        assert!(refused.hint().unwrap().contains(command));
        std::fs::write(at("validation.json"), "{}").unwrap();
        assert_eq!(scores_of(&at("validation.csv"), command).unwrap(), at("validation.json"));
        assert_eq!(scores_of(&at("x.json"), command).unwrap(), at("x.json"));
    }
}
