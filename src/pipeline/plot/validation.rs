//! Scores of held-out times.

use crate::error::Result;
use crate::io::chart::{Chart, draw_validation_on};
use crate::io::columns::written_by;
use crate::io::run::read_json;
use crate::io::validation::Validation;
use crate::pipeline::plot::read::Source;

/// Draws the scores of `validation.json`.
///
/// # Errors
/// [`crate::Error::Unreadable`] if the file is missing or damaged.
pub(super) fn validation(source: &Source<'_>) -> Result<Chart> {
    let (path, command) = source.path();
    let scores: Validation = read_json(&path).map_err(|error| written_by(error, command))?;
    let options = source.options;
    options.without_palette()?;
    Ok(options.laid_out(draw_validation_on(&scores, options.page())))
}
